// The control protocols of a host: answers echo requests, reads ICMP errors about our packets, sends ICMP errors of its
// own.
// Owns: what may be answered, the bounded queue of control packets, the rate of errors. Does not own: the codecs
// (icmp.ts, icmpv6.ts), what TCP makes of an error. Only layer.ts uses this file.
// Read first: RFC 1122 §3.2.2, RFC 4443 §2.4.

import { get16, get32 } from '../base/bytes.ts'
import type { Micros } from '../base/time.ts'
import { HEADROOM, MAX_PACKET, Packet } from '../link/device.ts'
import type { IpAddress } from './address.ts'
import type { DropCounters, DropReason } from './drops.ts'
import { IpHeader, NO_NEXT_HEADER, PROTOCOL } from './header.ts'
import {
  ICMP,
  ICMP_HEADER_BYTES,
  type IcmpErrorKind,
  IcmpMessage,
  parseIcmp,
  REASSEMBLY_TIME_EXCEEDED,
  UNREACHABLE,
  writeIcmp,
} from './icmp.ts'
import { ICMPV6, PARAMETER_PROBLEM_V6, parseIcmpv6, UNREACHABLE_V6, writeIcmpv6 } from './icmpv6.ts'
import { IPV4_HEADER_BYTES } from './ipv4.ts'
import { FRAGMENT, IPV6_HEADER_BYTES, MAX_IPV6_BYTES } from './ipv6.ts'
import { Outbound } from './outbound.ts'
import { parseIp } from './parse.ts'
import { TokenBucket } from './token-bucket.ts'

/** Most control packets that wait to be sent. */
export const CONTROL_QUEUE_PACKETS = 64
/** Most bytes of them. */
const CONTROL_QUEUE_BYTES = 1 << 20

/**
 * Most bytes of an ICMP error: a datagram that every host takes (RFC 1812 §4.3.2.3), the least MTU (RFC 4443 §2.4(c)).
 */
const ERROR_BYTES_V4 = 576
const ERROR_BYTES_V6 = 1280

/** An ICMP error about a packet of ours. Anyone may have made it up: `sequence` lets TCP check (RFC 5927 §4.1). */
export interface TransportError {
  readonly kind: IcmpErrorKind
  readonly type: number
  readonly code: number
  /** Packet too big: the MTU of the next hop, 0 when not said (RFC 1191 §5), otherwise 0. Not bounded here. */
  readonly mtu: number
  /** Of the quoted packet: its length in bytes by its own header, which anyone may have made up. */
  readonly packetBytes: number
  /** Of the quoted packet: TCP or UDP. */
  readonly protocol: number
  /** Of the quoted packet: our own address. */
  readonly src: IpAddress
  /** Of the quoted packet: the peer's address. */
  readonly dst: IpAddress
  readonly sourcePort: number
  readonly destinationPort: number
  /** Of the quoted TCP header, int32; meaningless for UDP. */
  readonly sequence: number
}

/** An echo reply. */
export interface EchoReply {
  readonly src: IpAddress
  readonly identifier: number
  readonly sequence: number
  readonly hopLimit: number
  /** A copy of the data; the caller's. */
  readonly payload: Uint8Array
}

/** What the control plane uses of the IP floor that it belongs to: see IpLayer. */
export interface ControlHost {
  readonly mtu: number
  readonly hopLimit: number
  readonly drops: DropCounters
  readonly counters: {
    echoRequests: number
    echoReplies: number
    errorsReceived: number
    errorsSent: number
    errorsLimited: number
  }
  readonly onTransportError: ((error: TransportError) => void) | null
  readonly onEchoReply: ((reply: EchoReply) => void) | null
  isLocal(address: IpAddress): boolean
  sourceFor(dst: IpAddress): IpAddress | null
  headerBytes(dst: IpAddress): number
  enableLoopback(): void
  queueControl(queue: Outbound, packet: Packet): void
  writeHeader(
    packet: Packet,
    src: IpAddress,
    dst: IpAddress,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    dontFragment: boolean,
  ): void
}

/** The control plane of one IpLayer. */
export class Control {
  readonly #layer: ControlHost
  readonly #bucket: TokenBucket
  readonly #queue = new Outbound(CONTROL_QUEUE_PACKETS, CONTROL_QUEUE_BYTES)
  readonly #in = new IcmpMessage()
  readonly #out = new IcmpMessage()
  readonly #quoted = new IpHeader()
  readonly #late = new IpHeader()

  /** @throws {RangeError} when rate or burst is negative or not finite */
  constructor(layer: ControlHost, errorsPerSecond: number, errorBurst: number) {
    this.#layer = layer
    this.#bucket = new TokenBucket(errorsPerSecond, errorBurst)
  }

  /** Copies the next waiting packet into `packet`, null when there is none: see Outbound.poll. */
  poll(packet: Packet): { readonly toSelf: boolean } | null {
    return this.#queue.poll(packet)
  }

  /** Handles an ICMP packet of the header's own family; the caller counts the verdict. */
  handle(packet: Packet, header: IpHeader): 'ok' | DropReason {
    const { bytes, end } = packet
    const at = packet.start + header.headerBytes
    const message = this.#in
    const trusted = packet.checksum !== 'complete'
    const verdict =
      header.family === 4
        ? parseIcmp(bytes, at, end, message, trusted)
        : parseIcmpv6(bytes, at, end, header.src, header.dst, message, trusted)
    if (verdict !== 'ok') return verdict
    switch (message.kind) {
      case 'echo-request':
        return this.#answerEcho(packet, header, message)
      case 'echo-reply':
        return this.#handUpReply(packet, header, message)
      case 'other':
        // Router solicitations, MLD (which Linux sends on a TUN), redirects, timestamps, source quench (RFC 6633) [MUST-55].
        return 'icmp-ignored'
      default:
        return this.#handUpError(packet, header, message, message.kind)
    }
  }

  // RFC 1122 §3.2.2.6, RFC 4443 §4.2: the data comes back unchanged, from the address that was asked, or from one of
  // ours when a group was. DEVIATION: IPv4 record route and timestamp options are not returned (RFC 1122 §3.2.2.6:
  // SHOULD).
  #answerEcho(packet: Packet, header: IpHeader, message: IcmpMessage): 'ok' | DropReason {
    const src = header.toUnicast ? header.dst : this.#layer.sourceFor(header.src)
    if (src === null || this.#layer.sourceFor(header.src) === null) return 'ip-no-route'
    const out = this.#out
    out.kind = 'echo-reply'
    out.type = header.family === 4 ? ICMP.echoReply : ICMPV6.echoReply
    out.code = 0
    out.identifier = message.identifier
    out.sequence = message.sequence
    const dscp = header.trafficClass & 0xfc // RFC 1349 §5.1; ECN belongs to the transport (RFC 3168 §6)
    const verdict = this.#send(src, header.src, out, packet.bytes, message.bodyStart, message.bodyEnd, dscp)
    if (verdict === 'ok') this.#layer.counters.echoRequests++
    return verdict
  }

  #handUpReply(packet: Packet, header: IpHeader, message: IcmpMessage): 'ok' | DropReason {
    if (this.#layer.onEchoReply === null || !header.toUnicast) return 'icmp-ignored'
    this.#layer.counters.echoReplies++
    this.#layer.onEchoReply({
      src: header.src.clone(),
      identifier: message.identifier,
      sequence: message.sequence,
      hopLimit: header.hopLimit,
      payload: packet.bytes.slice(message.bodyStart, message.bodyEnd),
    })
    return 'ok'
  }

  // RFC 1122 §3.2.2: the transport is told, by the header that the error quotes. RFC 5927 §4: what is quoted must be a
  // packet that we could have sent, and the error must have come to its source.
  #handUpError(packet: Packet, header: IpHeader, message: IcmpMessage, kind: IcmpErrorKind): 'ok' | DropReason {
    if (!header.toUnicast) return 'icmp-ignored'
    const { bytes } = packet
    const quoted = this.#quoted
    const at = message.bodyStart + readQuote(bytes, message.bodyStart, message.bodyEnd, header.family, quoted)
    if (at === message.bodyStart || quoted.fragmentOffset !== 0) return 'icmp-bad-quote'
    if (!quoted.src.equals(header.dst)) return 'icmp-bad-quote'
    if (quoted.protocol !== PROTOCOL.TCP && quoted.protocol !== PROTOCOL.UDP) return 'icmp-ignored'
    if (message.bodyEnd - at < 8) return 'icmp-bad-quote'
    this.#layer.counters.errorsReceived++
    this.#layer.onTransportError?.({
      kind,
      type: message.type,
      code: message.code,
      mtu: message.mtu,
      packetBytes: quoted.totalBytes,
      protocol: quoted.protocol,
      src: quoted.src.clone(),
      dst: quoted.dst.clone(),
      sourcePort: get16(bytes, at),
      destinationPort: get16(bytes, at + 2),
      sequence: get32(bytes, at + 4),
    })
    return 'ok'
  }

  /** See IpLayer.sendEchoRequest. */
  sendEchoRequest(dst: IpAddress, identifier: number, sequence: number, payload: Uint8Array): 'ok' | DropReason {
    const src = this.#layer.sourceFor(dst)
    if (src === null) return 'ip-no-route'
    const out = this.#out
    out.kind = 'echo-request'
    out.type = dst.family === 4 ? ICMP.echoRequest : ICMPV6.echoRequest
    out.code = 0
    out.identifier = identifier & 0xffff
    out.sequence = sequence & 0xffff
    return this.#send(src, dst, out, payload, 0, payload.length, 0)
  }

  /** See IpLayer.queueUnreachable. */
  reportUnreachable(packet: Packet, header: IpHeader, what: 'protocol' | 'port', now: Micros): boolean {
    if (header.family === 6 && header.protocol === NO_NEXT_HEADER) return false
    const out = this.#out
    out.pointer = 0
    if (header.family === 6 && what === 'protocol') {
      // RFC 8200 §4: an unrecognized next header is a parameter problem.
      out.kind = 'parameter-problem'
      out.type = ICMPV6.parameterProblem
      out.code = PARAMETER_PROBLEM_V6.nextHeader
      out.pointer = header.protocolOffset
    } else if (header.family === 6) {
      out.kind = 'unreachable'
      out.type = ICMPV6.unreachable
      out.code = UNREACHABLE_V6.port
    } else {
      out.kind = 'unreachable'
      out.type = ICMP.unreachable
      out.code = what === 'port' ? UNREACHABLE.port : UNREACHABLE.protocol
    }
    return this.#sendError(packet, header, false, now)
  }

  /**
   * Answers an IPv6 header that cannot be used (RFC 8200 §4.2, §4.4), `header.problemOffset` being what is wrong in it.
   */
  reportHeaderProblem(packet: Packet, header: IpHeader, verdict: DropReason, now: Micros): boolean {
    const out = this.#out
    const isOption = verdict === 'ip-unknown-option'
    const { header: field, option, firstFragment } = PARAMETER_PROBLEM_V6
    out.kind = 'parameter-problem'
    out.type = ICMPV6.parameterProblem
    out.code = isOption ? option : verdict === 'ip-fragment-tiny' ? firstFragment : field
    out.pointer = header.problemOffset
    // RFC 8200 §4.2: an option of type 10xxxxxx is reported even to a sender to a group, one of type 11xxxxxx is not.
    const evenToGroups = isOption && packet.bytes[packet.start + header.problemOffset] >>> 6 === 2
    return this.#sendError(packet, header, evenToGroups, now)
  }

  /** Tells the sender of a datagram's first fragment that the others did not all come (RFC 1122 §3.3.2, RFC 4443 §3.3). */
  reportReassemblyTime(first: Packet, now: Micros): boolean {
    const header = this.#late
    if (parseIp(first.bytes, first.start, first.end, header) !== 'ok') return false
    header.toUnicast = this.#layer.isLocal(header.dst)
    const out = this.#out
    out.kind = 'time-exceeded'
    out.type = header.family === 4 ? ICMP.timeExceeded : ICMPV6.timeExceeded
    out.code = REASSEMBLY_TIME_EXCEEDED
    return this.#sendError(first, header, false, now)
  }

  // Sends #out as an error about `packet`, quoting as much of it as an error may hold.
  #sendError(packet: Packet, header: IpHeader, evenToGroups: boolean, now: Micros): boolean {
    if (!mayReport(packet, header, evenToGroups)) return false
    const route = this.#layer.sourceFor(header.src)
    const src = header.toUnicast ? header.dst : route
    if (src === null || route === null) return false
    if (!this.#bucket.take(now)) {
      this.#layer.counters.errorsLimited++
      return false
    }
    const most = Math.min(header.family === 4 ? ERROR_BYTES_V4 : ERROR_BYTES_V6, this.#layer.mtu)
    const room = most - this.#layer.headerBytes(header.src) - ICMP_HEADER_BYTES
    const end = Math.min(packet.end, packet.start + room)
    const verdict = this.#send(src, header.src, this.#out, packet.bytes, packet.start, end, 0)
    if (verdict === 'ok') this.#layer.counters.errorsSent++
    else this.#layer.drops.count(verdict)
    return verdict === 'ok'
  }

  #send(
    src: IpAddress,
    dst: IpAddress,
    message: IcmpMessage,
    body: Uint8Array,
    from: number,
    to: number,
    trafficClass: number,
  ): 'ok' | DropReason {
    const layer = this.#layer
    const headerBytes = layer.headerBytes(dst)
    const total = headerBytes + ICMP_HEADER_BYTES + (to - from)
    if (total > (dst.family === 4 ? MAX_PACKET : MAX_IPV6_BYTES)) return 'icmp-too-big'
    if (!this.#queue.hasRoom(total)) return 'icmp-queue-full'
    if (layer.isLocal(dst)) layer.enableLoopback()
    const packet = new Packet(new Uint8Array(HEADROOM + total))
    packet.end = packet.start + total
    const at = packet.start + headerBytes
    packet.bytes.set(body.subarray(from, to), at + ICMP_HEADER_BYTES)
    const is4 = dst.family === 4
    if (is4) writeIcmp(message, packet.bytes, at, packet.end)
    else writeIcmpv6(message, packet.bytes, at, packet.end, src, dst)
    layer.writeHeader(packet, src, dst, is4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6, layer.hopLimit, trafficClass, false)
    layer.queueControl(this.#queue, packet)
    return 'ok'
  }
}

/**
 * Whether an ICMP error may be sent about a packet (RFC 1122 §3.2.2, RFC 4443 §2.4(e)): not about ICMP errors, not
 * about what was sent to a group, not about later fragments, not to a source that is not one host.
 */
function mayReport(packet: Packet, header: IpHeader, evenToGroups: boolean): boolean {
  if (!header.toUnicast && !evenToGroups) return false
  const { src } = header
  if (src.isUnspecified || src.isMulticast || (src.isLoopback && !header.fromSelf)) return false
  if (header.fragmentOffset !== 0) {
    // RFC 8200 §4.5 has one that is too long reported; of one of ICMPv6 nobody knows whether it is of an error.
    return header.family === 6 && header.protocol !== PROTOCOL.ICMPV6
  }
  const at = packet.start + header.headerBytes
  const type = at < packet.end ? packet.bytes[at] : -1
  if (header.family === 6) {
    if (header.protocol !== PROTOCOL.ICMPV6) return true
    return type >= 128 && type !== ICMPV6.redirect
  }
  const net = src.w3 >>> 24
  if (net === 0 || net >= 240) return false
  // Of ICMP only the queries; what we do not know may be an error.
  return header.protocol !== PROTOCOL.ICMP || type === ICMP.echoRequest || type === ICMP.echoReply
}

// Reads the header of a quoted packet, which may be cut off and whose length and checksum routers may have changed:
// more leniently than parseIp. Returns the bytes before the transport header, 0 when there is no header of that family.
function readQuote(bytes: Uint8Array, start: number, end: number, family: 4 | 6, out: IpHeader): number {
  const available = end - start
  if (available < (family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES) || bytes[start] >>> 4 !== family) return 0
  if (family === 6) {
    // Our packets have no extension headers but that of fragments.
    out.totalBytes = IPV6_HEADER_BYTES + get16(bytes, start + 4)
    out.protocol = bytes[start + 6]
    out.fragmentOffset = 0
    out.src.read(bytes, start + 8, 6)
    out.dst.read(bytes, start + 24, 6)
    if (out.protocol !== FRAGMENT || available < IPV6_HEADER_BYTES + 8) return IPV6_HEADER_BYTES
    out.protocol = bytes[start + IPV6_HEADER_BYTES]
    out.fragmentOffset = get16(bytes, start + IPV6_HEADER_BYTES + 2) & 0xfff8
    return IPV6_HEADER_BYTES + 8
  }
  const headerBytes = (bytes[start] & 15) << 2
  if (headerBytes < IPV4_HEADER_BYTES || headerBytes > available) return 0
  out.totalBytes = get16(bytes, start + 2)
  out.protocol = bytes[start + 9]
  out.fragmentOffset = (get16(bytes, start + 6) & 0x1fff) << 3
  out.src.read(bytes, start + 12, 4)
  out.dst.read(bytes, start + 16, 4)
  return headerBytes
}
