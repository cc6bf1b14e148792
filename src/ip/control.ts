// The control protocols of a host: answers echo requests, reads ICMP errors about our packets, sends ICMP errors of its
// own.
// Owns: what may be answered, the bounded queue of control packets, the rate of errors. Does not own: the codecs
// (icmp.ts, icmpv6.ts), what TCP makes of an error. Only layer.ts uses this file.
// Read first: RFC 1122 §3.2.2, RFC 4443 §2.4.

import { get16, get32 } from '../base/bytes.ts'
import type { Micros } from '../base/time.ts'
import { HEADROOM, MAX_PACKET, Packet } from '../link/device.ts'
import type { IpAddress } from './address.ts'
import type { ControlHost } from './control-types.ts'
import type { DropReason } from './drops.ts'
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
import { MAX_IPV6_BYTES } from './ipv6.ts'
import { Outbound } from './outbound.ts'
import { parseIp } from './parse.ts'
import { mayReport, readQuote } from './quotes.ts'
import { TokenBucket } from './token-bucket.ts'
import type { TransitProblem } from './transit.ts'

export type { EchoError, EchoReply, TransportError } from './control-types.ts'

/** Most control packets that wait to be sent. */
export const CONTROL_QUEUE_PACKETS = 64
/** Most bytes of them. */
const CONTROL_QUEUE_BYTES = 1 << 20

/**
 * Most bytes of an ICMP error: a datagram that every host takes (RFC 1812 §4.3.2.3), the least MTU (RFC 4443 §2.4(c)).
 */
const ERROR_BYTES_V4 = 576
const ERROR_BYTES_V6 = 1280

/** What a router says of each problem: the kind of error, its code in ICMP (RFC 1812 §5.2.7) and in ICMPv6 (RFC 4443 §3). */
const TRANSIT: Readonly<Record<TransitProblem, readonly [IcmpErrorKind, number, number]>> = {
  'hop-limit': ['time-exceeded', 0, 0],
  'no-route': ['unreachable', UNREACHABLE.network, UNREACHABLE_V6.noRoute],
  host: ['unreachable', UNREACHABLE.host, UNREACHABLE_V6.address],
  'too-big': ['packet-too-big', UNREACHABLE.fragmentationNeeded, 0],
  scope: ['unreachable', UNREACHABLE.network, UNREACHABLE_V6.scope],
}
const TYPE_V4: Readonly<Record<IcmpErrorKind, number>> = {
  unreachable: ICMP.unreachable,
  'time-exceeded': ICMP.timeExceeded,
  'packet-too-big': ICMP.unreachable,
  'parameter-problem': ICMP.parameterProblem,
}
const TYPE_V6: Readonly<Record<IcmpErrorKind, number>> = {
  unreachable: ICMPV6.unreachable,
  'time-exceeded': ICMPV6.timeExceeded,
  'packet-too-big': ICMPV6.packetTooBig,
  'parameter-problem': ICMPV6.parameterProblem,
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
    const { icmp } = this.#layer
    if (verdict === 'ok') icmp.countIn(header.family, message.type)
    const result = verdict === 'ok' ? this.#take(packet, header, message) : verdict
    if (verdict !== 'ok' || result === 'icmp-bad-quote') icmp.countError(header.family, result === 'icmp-bad-checksum')
    return result
  }

  #take(packet: Packet, header: IpHeader, message: IcmpMessage): 'ok' | DropReason {
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
    if (kind === 'packet-too-big' && quoted.protocol !== PROTOCOL.TCP) {
      this.#layer.pathMtus.lower(quoted.dst, message.mtu)
    }
    if (quoted.protocol === (header.family === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6)) {
      return this.#handUpEchoError(bytes, at, header, message, kind)
    }
    if (quoted.protocol !== PROTOCOL.TCP && quoted.protocol !== PROTOCOL.UDP) return 'icmp-ignored'
    if (message.bodyEnd - at < 8) return 'icmp-bad-quote'
    this.#layer.counters.errorsReceived++
    this.#layer.onTransportError?.({
      kind,
      type: message.type,
      code: message.code,
      mtu: message.mtu,
      reporter: header.src.clone(),
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

  #handUpEchoError(
    bytes: Uint8Array,
    at: number,
    header: IpHeader,
    message: IcmpMessage,
    kind: IcmpErrorKind,
  ): 'ok' | DropReason {
    const { onEchoError } = this.#layer
    const isRequest = bytes[at] === (header.family === 4 ? ICMP.echoRequest : ICMPV6.echoRequest)
    if (onEchoError === null || !isRequest || message.bodyEnd - at < 8) return 'icmp-ignored'
    this.#layer.counters.errorsReceived++
    onEchoError({
      kind,
      type: message.type,
      code: message.code,
      mtu: message.mtu,
      reporter: header.src.clone(),
      dst: this.#quoted.dst.clone(),
      identifier: get16(bytes, at + 4),
      sequence: get16(bytes, at + 6),
    })
    return 'ok'
  }

  /** See IpLayer.sendEchoRequest. */
  sendEchoRequest(
    dst: IpAddress,
    identifier: number,
    sequence: number,
    payload: Uint8Array,
    hopLimit: number,
  ): 'ok' | DropReason {
    const src = this.#layer.sourceFor(dst)
    if (src === null) return 'ip-no-route'
    const out = this.#out
    out.kind = 'echo-request'
    out.type = dst.family === 4 ? ICMP.echoRequest : ICMPV6.echoRequest
    out.code = 0
    out.identifier = identifier & 0xffff
    out.sequence = sequence & 0xffff
    return this.#send(src, dst, out, payload, 0, payload.length, 0, hopLimit)
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

  /** Tells the sender of a packet for others why it does not go on: see IpLayer.reportTransit. */
  reportTransit(packet: Packet, header: IpHeader, problem: TransitProblem, now: Micros, mtu: number): boolean {
    const out = this.#out
    const is4 = header.family === 4
    const [kind, codeV4, codeV6] = TRANSIT[problem]
    out.kind = kind
    out.type = is4 ? TYPE_V4[kind] : TYPE_V6[kind]
    out.code = is4 ? codeV4 : codeV6
    out.mtu = mtu
    out.pointer = 0
    return this.#sendError(packet, header, false, now, true)
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
  #sendError(packet: Packet, header: IpHeader, evenToGroups: boolean, now: Micros, isTransit = false): boolean {
    if (!mayReport(packet, header, evenToGroups)) return false
    const route = this.#layer.sourceFor(header.src)
    const src = header.toUnicast && !isTransit ? header.dst : route // RFC 1812 §4.3.2.4
    if (src === null || route === null) return false
    if (!this.#bucket.take(now)) {
      this.#layer.counters.errorsLimited++
      this.#layer.icmp.countLimited(header.family)
      return false
    }
    const most = Math.min(header.family === 4 ? ERROR_BYTES_V4 : ERROR_BYTES_V6, this.#layer.mtuTo(header.src))
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
    hopLimit = this.#layer.hopLimitTo(dst),
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
    layer.writeHeader(packet, src, dst, is4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6, hopLimit, trafficClass, false)
    layer.queueControl(this.#queue, packet)
    layer.icmp.countOut(dst.family, message.type)
    return 'ok'
  }
}
