// A packet off the wire, taken apart: what the side under test has really sent, with its options in the order in which they stand.
// Owns: reading, and printing in the script's notation. Does not own: the codecs (src/ip, src/tcp), comparing (packet-match.ts).

import { get16, get32 } from '../base/bytes.ts'
import { IpHeader, PROTOCOL } from '../ip/header.ts'
import { IcmpMessage, parseIcmp } from '../ip/icmp.ts'
import { parseIcmpv6 } from '../ip/icmpv6.ts'
import { parseIp } from '../ip/parse.ts'
import { FLAG, OPTION, parseTcp, SegmentHeader, TCP_HEADER_BYTES } from '../tcp/header.ts'
import type { OptionSpec } from './ast.ts'
import type { SentPacket } from './target.ts'

/** A TCP segment as it was sent. A super-segment that satisfies several script packets loses its head to each. */
export interface LiveTcp {
  readonly kind: 'tcp'
  readonly sourcePort: number
  readonly destinationPort: number
  /** As on the wire, 0 to 2^32 - 1, like `ack` and the edges of SACK blocks. */
  seq: number
  readonly ack: number
  flags: number
  readonly window: number
  readonly urgent: number
  readonly options: readonly OptionSpec[]
  length: number
}

/** The packet that an ICMP error quotes. */
export interface QuotedPacket {
  readonly protocol: number
  readonly seq: number
  /** Octets of text or data, of which few may be quoted. */
  readonly length: number
}

/** An ICMP message as it was sent. */
export interface LiveIcmp {
  readonly kind: 'icmp'
  readonly type: number
  readonly code: number
  readonly mtu: number
  readonly identifier: number
  readonly sequence: number
  /** Octets behind the first eight. */
  readonly length: number
  /** Null in an echo, and where it cannot be read. */
  readonly quoted: QuotedPacket | null
}

/** A UDP datagram as it was sent. */
export interface LiveUdp {
  readonly kind: 'udp'
  readonly sourcePort: number
  readonly destinationPort: number
  readonly length: number
}

/** A packet as it was sent. */
export interface LivePacket {
  readonly at: number
  readonly source: string
  readonly destination: string
  readonly trafficClass: number
  readonly hopLimit: number
  readonly flowLabel: number
  /** PSH is not looked at. */
  readonly isPushFree: boolean
  /** Octets of text in each segment, 0 when that is not told. */
  readonly segmentBytes: number
  readonly body: LiveTcp | LiveIcmp | LiveUdp | { readonly kind: 'other'; readonly protocol: number }
}

/** Option kinds that the codec has no name for (IANA). */
export const EXTRA_OPTION = { EXPERIMENT: 254, ACCECN0: 172, ACCECN1: 174 } as const
/** Fast Open's number among the experiments (RFC 7413 §4.1.1). */
export const FAST_OPEN_MAGIC = 0xf989

const ip = new IpHeader()
const header = new SegmentHeader()
const message = new IcmpMessage()

/** Takes a packet apart; null for what cannot be read as IP. */
export function readPacket(sent: SentPacket): LivePacket | null {
  const { bytes, at } = sent
  if (parseIp(bytes, 0, bytes.length, ip) !== 'ok') return null
  return {
    at,
    source: ip.src.toString(),
    destination: ip.dst.toString(),
    trafficClass: ip.trafficClass,
    hopLimit: ip.hopLimit,
    flowLabel: ip.flowLabel,
    segmentBytes: sent.segmentBytes ?? 0,
    isPushFree: sent.isPushFree === true,
    body: readBody(bytes),
  }
}

function readBody(bytes: Uint8Array): LivePacket['body'] {
  const { protocol, headerBytes: start, totalBytes: end } = ip
  if (protocol === PROTOCOL.TCP && parseTcp(bytes, start, end, header) === 'ok') {
    return {
      kind: 'tcp',
      sourcePort: header.sourcePort,
      destinationPort: header.destinationPort,
      seq: header.seq >>> 0,
      ack: header.ack >>> 0,
      flags: header.flags,
      window: header.window,
      urgent: header.urgent,
      options: readOptions(bytes, start + TCP_HEADER_BYTES, start + header.headerBytes),
      length: header.textLength,
    }
  }
  if (protocol === PROTOCOL.UDP && end - start >= 8) {
    const [sourcePort, destinationPort] = [get16(bytes, start), get16(bytes, start + 2)]
    return { kind: 'udp', sourcePort, destinationPort, length: get16(bytes, start + 4) - 8 }
  }
  const isIcmp =
    (protocol === PROTOCOL.ICMP && parseIcmp(bytes, start, end, message, true) === 'ok') ||
    (protocol === PROTOCOL.ICMPV6 && parseIcmpv6(bytes, start, end, ip.src, ip.dst, message, true) === 'ok')
  if (!isIcmp) return { kind: 'other', protocol }
  const { type, code, mtu, identifier, sequence, bodyStart } = message
  const isEcho = message.kind === 'echo-request' || message.kind === 'echo-reply'
  const quoted = isEcho ? null : readQuoted(bytes.subarray(bodyStart, end))
  return { kind: 'icmp', type, code, mtu, identifier, sequence, length: end - bodyStart, quoted }
}

/** Reads the head of a packet in an error; its end may be missing. Null for what is none. */
function readQuoted(bytes: Uint8Array): QuotedPacket | null {
  const isV4 = bytes[0] >> 4 === 4
  const at = isV4 ? (bytes[0] & 15) << 2 : 40
  if (bytes.length < at + 8) return null
  const protocol = isV4 ? bytes[9] : bytes[6]
  const payload = isV4 ? get16(bytes, 2) - at : get16(bytes, 4)
  if (protocol !== PROTOCOL.TCP) return { protocol, seq: 0, length: payload - 8 }
  const headerBytes = bytes.length > at + 12 ? (bytes[at + 12] >> 4) << 2 : TCP_HEADER_BYTES
  return { protocol, seq: get32(bytes, at + 4) >>> 0, length: payload - headerBytes }
}

/** The options at `bytes[start, end)` in their order; what cannot be read ends them as a raw option. */
export function readOptions(bytes: Uint8Array, start: number, end: number): OptionSpec[] {
  const options: OptionSpec[] = []
  let at = start
  while (at < end) {
    const kind = bytes[at]
    if (kind === OPTION.END || kind === OPTION.NOP) {
      options.push({ kind: kind === OPTION.END ? 'eol' : 'nop' })
      at++
      continue
    }
    const length = at + 1 < end ? bytes[at + 1] : 0
    if (length < 2 || at + length > end) {
      options.push({ kind: 'raw', type: kind, body: bytes.slice(at + 2, end), length })
      return options
    }
    options.push(readOption(kind, bytes.slice(at + 2, at + length)))
    at += length
  }
  return options
}

function readOption(kind: number, body: Uint8Array): OptionSpec {
  const unsigned = (at: number): number => get32(body, at) >>> 0
  switch (kind) {
    case OPTION.MSS:
      if (body.length === 2) return { kind: 'mss', value: get16(body, 0) }
      break
    case OPTION.WINDOW_SCALE:
      if (body.length === 1) return { kind: 'wscale', value: body[0] }
      break
    case OPTION.SACK_PERMITTED:
      if (body.length === 0) return { kind: 'sackOK' }
      break
    case OPTION.TIMESTAMPS:
      if (body.length === 8) return { kind: 'TS', val: unsigned(0), ecr: unsigned(4) }
      break
    case OPTION.SACK:
      if (body.length > 0 && body.length % 8 === 0) {
        const blocks = Array.from(
          { length: body.length / 8 },
          (_, i) => [unsigned(8 * i), unsigned(8 * i + 4)] as const,
        )
        return { kind: 'sack', blocks }
      }
      break
    case OPTION.FAST_OPEN:
      return { kind: 'FO', cookie: body }
    case OPTION.MD5:
      if (body.length === 16) return { kind: 'md5', valid: true }
      break
    case EXTRA_OPTION.EXPERIMENT:
      if (body.length >= 2 && get16(body, 0) === FAST_OPEN_MAGIC) return { kind: 'FOEXP', cookie: body.slice(2) }
      break
    case EXTRA_OPTION.ACCECN0:
    case EXTRA_OPTION.ACCECN1:
      if (body.length % 3 === 0) return readAccEcn(kind, body)
      break
  }
  return { kind: 'raw', type: kind, body, length: body.length + 2 }
}

/** RFC 9768 §3.2.3: counters of 24 bits, the last ones may be left out; the kind says in which order. */
function readAccEcn(kind: number, body: Uint8Array): OptionSpec {
  const names = kind === EXTRA_OPTION.ACCECN0 ? (['e0b', 'ceb', 'e1b'] as const) : (['e1b', 'ceb', 'e0b'] as const)
  const counters = names
    .slice(0, body.length / 3)
    .map((name, i) => [name, (body[3 * i] << 16) | get16(body, 3 * i + 1)] as const)
  return { kind: 'ECN', counters }
}

const LETTERS: readonly (readonly [number, string])[] = [
  [FLAG.FIN, 'F'],
  [FLAG.SYN, 'S'],
  [FLAG.RST, 'R'],
  [FLAG.PSH, 'P'],
  [FLAG.URG, 'U'],
  [FLAG.ECE, 'E'],
  [FLAG.CWR, 'W'],
  [FLAG.AE, 'A'],
  [FLAG.ACK, '.'],
]

/** Flags in the script's letters, `-` for none. */
export function formatFlagBits(flags: number): string {
  const text = LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter)
  return text.length === 0 ? '-' : text.join('')
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')

/** An option in the script's notation. */
export function formatOption(option: OptionSpec): string {
  switch (option.kind) {
    case 'mss':
    case 'wscale':
      return `${option.kind} ${option.value}`
    case 'TS':
      return `TS val ${option.val < 0 ? '...' : option.val} ecr ${option.ecr < 0 ? '...' : option.ecr}`
    case 'sack':
      return `sack ${option.blocks.map(([left, right]) => `${left}:${right}`).join(' ')}`
    case 'FO':
    case 'FOEXP':
      return option.cookie.length === 0 ? option.kind : `${option.kind} ${hex(option.cookie)}`
    case 'md5':
      return option.valid ? 'md5 valid' : 'md5 invalid'
    case 'ECN':
      return `ECN ${option.counters.map(([name, value]) => `${name} ${value}`).join(' ')}`
    case 'raw':
      return `kind ${option.type} ${hex(option.body)}`
    default:
      return option.kind
  }
}

/** The octets that options take in a header. */
export function sizeOfOptions(options: readonly OptionSpec[]): number {
  let octets = 0
  for (const option of options) octets += optionSize(option)
  return (octets + 3) & ~3
}

function optionSize(option: OptionSpec): number {
  switch (option.kind) {
    case 'nop':
    case 'eol':
      return 1
    case 'sackOK':
      return 2
    case 'mss':
      return 4
    case 'wscale':
      return 3
    case 'TS':
      return 10
    case 'sack':
      return 2 + 8 * option.blocks.length
    case 'FO':
      return 2 + option.cookie.length
    case 'FOEXP':
      return 4 + option.cookie.length
    case 'md5':
      return 18
    case 'ECN':
      return 2 + 3 * option.counters.length
    default:
      return option.length
  }
}
