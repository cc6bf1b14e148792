// A packet of the script's side as bytes: IP header, TCP segment with exactly the options that are written, or an ICMP error.
// Owns: laying them out. Does not own: the codecs (src/ip), ports and numbers of the connection (flow.ts, runner.ts).

import { put16, put32 } from '../base/bytes.ts'
import type { IpAddress } from '../ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../ip/checksum.ts'
import { IpHeader, PROTOCOL } from '../ip/header.ts'
import { ICMP, ICMP_HEADER_BYTES, type IcmpKind, IcmpMessage, UNREACHABLE, writeIcmp } from '../ip/icmp.ts'
import { ICMPV6, UNREACHABLE_V6, writeIcmpv6 } from '../ip/icmpv6.ts'
import { writeIp } from '../ip/parse.ts'
import { OPTION, TCP_HEADER_BYTES, TCP_HEADER_MAX } from '../tcp/header.ts'
import type { EcnMark, IcmpSpec, IpSpec, OptionSpec, TcpSpec } from './ast.ts'
import { EXTRA_OPTION, FAST_OPEN_MAGIC } from './live-packet.ts'

/** Where a packet comes from and goes to. */
export interface PacketEnds {
  readonly source: IpAddress
  readonly sourcePort: number
  readonly destination: IpAddress
  readonly destinationPort: number
}

/** Signs a segment in place: its pseudo-header's addresses, the bytes of the segment, where the digest goes. */
export type SignSegment = (ends: PacketEnds, segment: Uint8Array, digestAt: number) => void

/** IP's hop limit in the script's packets when it is not written. */
const HOP_LIMIT = 255

const ECN_BITS: Readonly<Record<EcnMark, number>> = { noecn: 0, ect1: 1, ect01: 2, ect0: 2, ce: 3 }

/**
 * The bytes of a segment whose numbers are those of the wire already.
 * @param sign makes `md5 valid` true; without it the digest is zeros
 * @throws {RangeError} when the options do not fit into a TCP header
 */
export function buildTcp(spec: TcpSpec, ipSpec: IpSpec, ends: PacketEnds, sign: SignSegment | null = null): Uint8Array {
  const { options, digestAt } = writeOptions(spec.options ?? [])
  const headerBytes = TCP_HEADER_BYTES + options.length
  if (headerBytes > TCP_HEADER_MAX) throw new RangeError(`the options take ${options.length} octets, 40 is the most`)
  const { bytes, at } = startPacket(PROTOCOL.TCP, headerBytes + spec.length, ipSpec, ends)
  put16(bytes, at, ends.sourcePort)
  put16(bytes, at + 2, ends.destinationPort)
  put32(bytes, at + 4, spec.seq)
  put32(bytes, at + 8, Math.max(0, spec.ack))
  bytes[at + 12] = ((headerBytes >> 2) << 4) | ((spec.flags >> 8) & 1)
  bytes[at + 13] = spec.flags & 0xff
  put16(bytes, at + 14, spec.window < 0 ? 0xffff : spec.window)
  put16(bytes, at + 18, Math.max(0, spec.urgent))
  bytes.set(options, at + TCP_HEADER_BYTES)
  if (digestAt >= 0 && sign !== null) sign(ends, bytes.subarray(at), TCP_HEADER_BYTES + digestAt)
  const length = bytes.length - at
  const sum = sumBytes(bytes, at, bytes.length, pseudoHeaderSum(ends.source, ends.destination, PROTOCOL.TCP, length))
  put16(bytes, at + 16, finishChecksum(sum))
  return bytes
}

/** A UDP datagram of zeros. */
export function buildUdp(length: number, ipSpec: IpSpec, ends: PacketEnds): Uint8Array {
  const { bytes, at } = startPacket(PROTOCOL.UDP, 8 + length, ipSpec, ends)
  put16(bytes, at, ends.sourcePort)
  put16(bytes, at + 2, ends.destinationPort)
  put16(bytes, at + 4, 8 + length)
  const sum = sumBytes(
    bytes,
    at,
    bytes.length,
    pseudoHeaderSum(ends.source, ends.destination, PROTOCOL.UDP, 8 + length),
  )
  put16(bytes, at + 6, finishChecksum(sum) || 0xffff)
  return bytes
}

function startPacket(
  protocol: number,
  payload: number,
  spec: IpSpec,
  ends: PacketEnds,
): { bytes: Uint8Array; at: number } {
  const header = new IpHeader()
  header.family = ends.source.family
  header.src.assign(ends.source)
  header.dst.assign(ends.destination)
  header.protocol = protocol
  header.hopLimit = spec.hopLimit < 0 ? HOP_LIMIT : spec.hopLimit
  header.trafficClass = Math.max(0, spec.trafficClass) | (spec.ecn === null ? 0 : ECN_BITS[spec.ecn])
  header.flowLabel = Math.max(0, spec.flowLabel)
  header.dontFragment = true
  const at = header.family === 4 ? 20 : 40
  header.totalBytes = at + payload
  const bytes = new Uint8Array(at + payload)
  writeIp(header, bytes, 0)
  return { bytes, at }
}

/** The octets of a list of options, filled up with zeros to a multiple of four. `digestAt`: where an MD5 digest goes, -1 without one. */
export function writeOptions(options: readonly OptionSpec[]): { options: Uint8Array; digestAt: number } {
  const out: number[] = []
  let digestAt = -1
  for (const option of options) {
    if (option.kind === 'md5' && option.valid) digestAt = out.length + 2
    out.push(...optionOctets(option))
  }
  while (out.length % 4 !== 0) out.push(OPTION.END)
  return { options: Uint8Array.from(out), digestAt }
}

const octets32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]

function optionOctets(option: OptionSpec): number[] {
  switch (option.kind) {
    case 'nop':
      return [OPTION.NOP]
    case 'eol':
      return [OPTION.END]
    case 'sackOK':
      return [OPTION.SACK_PERMITTED, 2]
    case 'mss':
      return [OPTION.MSS, 4, (option.value >> 8) & 255, option.value & 255]
    case 'wscale':
      return [OPTION.WINDOW_SCALE, 3, option.value & 255]
    case 'TS':
      return [OPTION.TIMESTAMPS, 10, ...octets32(Math.max(0, option.val)), ...octets32(Math.max(0, option.ecr))]
    case 'sack':
      return [
        OPTION.SACK,
        2 + 8 * option.blocks.length,
        ...option.blocks.flatMap(([left, right]) => [...octets32(left), ...octets32(right)]),
      ]
    case 'FO':
      return [OPTION.FAST_OPEN, 2 + option.cookie.length, ...option.cookie]
    case 'FOEXP':
      return [
        EXTRA_OPTION.EXPERIMENT,
        4 + option.cookie.length,
        FAST_OPEN_MAGIC >> 8,
        FAST_OPEN_MAGIC & 255,
        ...option.cookie,
      ]
    case 'md5':
      return [OPTION.MD5, 18, ...new Array<number>(16).fill(0)]
    case 'ECN':
      return [
        option.counters[0]?.[0] === 'e1b' ? EXTRA_OPTION.ACCECN1 : EXTRA_OPTION.ACCECN0,
        2 + 3 * option.counters.length,
        ...option.counters.flatMap(([, value]) => octets32(value).slice(1)),
      ]
    default:
      return [option.type, option.length, ...option.body]
  }
}

/**
 * The bytes of an ICMP message from `quoted.destination` to `quoted.source`: an error about a packet that goes the other way, or an
 * echo.
 * @param seq of the quoted segment, as on the wire
 * @throws {TypeError} for a type or code that is not known
 */
export function buildIcmp(spec: IcmpSpec, ipSpec: IpSpec, quoted: PacketEnds, seq: number): Uint8Array {
  const { family } = quoted.source
  const message = icmpOf(spec, family)
  const body = isEcho(spec) ? new Uint8Array(spec.length) : quote(spec, quoted, seq)
  const back: PacketEnds = {
    source: quoted.destination,
    sourcePort: 0,
    destination: quoted.source,
    destinationPort: 0,
  }
  const protocol = family === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6
  const { bytes, at } = startPacket(protocol, ICMP_HEADER_BYTES + body.length, ipSpec, back)
  bytes.set(body, at + ICMP_HEADER_BYTES)
  if (family === 4) writeIcmp(message, bytes, at, bytes.length)
  else writeIcmpv6(message, bytes, at, bytes.length, back.source, back.destination)
  return bytes
}

/** The head of the packet that an error is about, as a router quotes it. */
function quote(spec: IcmpSpec, quoted: PacketEnds, seq: number): Uint8Array {
  const { family } = quoted.source
  const isUdp = spec.quoted === 'udp'
  const inner = isUdp
    ? startPacket(PROTOCOL.UDP, 8, NO_IP_SPEC, quoted)
    : startPacket(PROTOCOL.TCP, TCP_HEADER_BYTES, NO_IP_SPEC, quoted)
  put16(inner.bytes, inner.at, quoted.sourcePort)
  put16(inner.bytes, inner.at + 2, quoted.destinationPort)
  if (isUdp) {
    put16(inner.bytes, inner.at + 4, 8 + spec.length)
  } else {
    put32(inner.bytes, inner.at + 4, seq)
    inner.bytes[inner.at + 12] = 5 << 4
  }
  const whole = inner.bytes.length + spec.length
  put16(inner.bytes, family === 4 ? 2 : 4, family === 4 ? whole : whole - inner.at)
  if (family === 4) {
    put16(inner.bytes, 10, 0)
    put16(inner.bytes, 10, finishChecksum(sumBytes(inner.bytes, 0, inner.at)))
  }
  return inner.bytes
}

const isEcho = ({ type }: IcmpSpec): boolean => /^echo_/.test(type)

/** The message that a script's words mean. @throws {TypeError} for a type or code that is not known */
export function icmpOf(spec: IcmpSpec, family: 4 | 6): IcmpMessage {
  if (isEcho(spec)) return echoMessage(spec, family)
  return family === 4 ? icmpMessage(spec) : icmpv6Message(spec)
}

function echoMessage({ type, identifier, sequence }: IcmpSpec, family: 4 | 6): IcmpMessage {
  const isRequest = type === 'echo_request'
  if (!isRequest && type !== 'echo_reply') throw new TypeError(`the ICMP message '${type}' is not known here`)
  const number =
    family === 4 ? (isRequest ? ICMP.echoRequest : ICMP.echoReply) : isRequest ? ICMPV6.echoRequest : ICMPV6.echoReply
  const message = messageWith(isRequest ? 'echo-request' : 'echo-reply', number, 0)
  message.identifier = Math.max(0, identifier)
  message.sequence = Math.max(0, sequence)
  return message
}

const NO_IP_SPEC: IpSpec = { ecn: null, trafficClass: -1, hopLimit: -1, flowLabel: -1 }

const V4_CODES: Readonly<Record<string, number>> = {
  '': UNREACHABLE.network,
  net: UNREACHABLE.network,
  network: UNREACHABLE.network,
  host: UNREACHABLE.host,
  protocol: UNREACHABLE.protocol,
  proto: UNREACHABLE.protocol,
  port: UNREACHABLE.port,
  frag_needed: UNREACHABLE.fragmentationNeeded,
  source_route_failed: 5,
  net_unknown: 6,
  host_unknown: 7,
  source_host_isolated: 8,
  net_prohib: 9,
  net_prohibited: 9,
  host_prohib: 10,
  host_prohibited: 10,
  net_tos: 11,
  host_tos: 12,
  packet_filtered: 13,
  admin_prohib: 13,
  precedence_violation: 14,
  precedence_cutoff: 15,
}

const V6_CODES: Readonly<Record<string, number>> = {
  '': UNREACHABLE_V6.noRoute,
  no_route: UNREACHABLE_V6.noRoute,
  noroute: UNREACHABLE_V6.noRoute,
  net: UNREACHABLE_V6.noRoute,
  adm_prohibited: UNREACHABLE_V6.prohibited,
  admin_prohib: UNREACHABLE_V6.prohibited,
  beyond_scope: 2,
  not_neighbour: 2,
  address: UNREACHABLE_V6.address,
  addr: UNREACHABLE_V6.address,
  host: UNREACHABLE_V6.address,
  port: UNREACHABLE_V6.port,
  policy_fail: 5,
  reject_route: 6,
}

const TIME_CODES: Readonly<Record<string, number>> = {
  '': 0,
  ttl: 0,
  exc_ttl: 0,
  exc_hoplimit: 0,
  hoplimit: 0,
  exc_fragtime: 1,
  fragtime: 1,
}

const isTimeExceeded = (type: string): boolean => type.startsWith('time_') || type === 'ttl_exceeded'

/** `host_unreachable`, `host_unreach`, `unreach_host` and `host` are the same. */
function plain(code: string): string {
  return code.replace(/_?unreach(able)?$/, '').replace(/^unreach(able)?_/, '')
}

function codeOf(codes: Readonly<Record<string, number>>, code: string, type: string): number {
  const value = codes[plain(code)] ?? (/^\d+$/.test(code) ? Number(code) : undefined)
  if (value === undefined) throw new TypeError(`an ICMP message ${type} has no code '${code}' here`)
  return value
}

function messageWith(kind: IcmpKind, type: number, code: number, mtu = 0): IcmpMessage {
  const message = new IcmpMessage()
  message.kind = kind
  message.type = type
  message.code = code
  message.mtu = Math.max(0, mtu)
  return message
}

function icmpMessage(spec: IcmpSpec): IcmpMessage {
  const { type, code, mtu } = spec
  if (isTimeExceeded(type)) return messageWith('time-exceeded', ICMP.timeExceeded, codeOf(TIME_CODES, code, type))
  if (type === 'parameter_problem') return messageWith('parameter-problem', ICMP.parameterProblem, 0)
  if (type === 'source_quench') return messageWith('other', 4, 0)
  if (/unreach/.test(type)) {
    const number = codeOf(V4_CODES, code, type)
    const kind = number === UNREACHABLE.fragmentationNeeded ? 'packet-too-big' : 'unreachable'
    return messageWith(kind, ICMP.unreachable, number, mtu)
  }
  throw new TypeError(`the ICMP message '${type}' is not known here`)
}

function icmpv6Message(spec: IcmpSpec): IcmpMessage {
  const { type, code, mtu } = spec
  const isTooBig = type === 'packet_too_big' || type === 'pkt_too_big' || code === 'frag_needed'
  if (isTooBig) return messageWith('packet-too-big', ICMPV6.packetTooBig, 0, mtu)
  if (isTimeExceeded(type)) return messageWith('time-exceeded', ICMPV6.timeExceeded, codeOf(TIME_CODES, code, type))
  if (type === 'parameter_problem') return messageWith('parameter-problem', ICMPV6.parameterProblem, 0)
  if (/unreach/.test(type)) return messageWith('unreachable', ICMPV6.unreachable, codeOf(V6_CODES, code, type))
  throw new TypeError(`the ICMPv6 message '${type}' is not known here`)
}
