// The IP host: which packets are ours, what goes before a packet that we send, and from which address.
// Owns: headers, drop counters. Does not own: own addresses and routes (addressing.ts), which of them a packet is for (judge.ts), ICMP
// (control.ts), fragments (fragments.ts, outbound.ts), all reached through here, transports, devices, time.
// Invariant: nothing here forwards: what is for others is not for us (RFC 1122 §3.1). A router does it before (stack/router.ts).
// Read first: RFC 1122 §3.2.1.3 (addressing), §3.3 (routing, multihoming).

import { assert } from '../base/assert.ts'
import type { Micros } from '../base/time.ts'
import { MAX_PACKET, type Packet } from '../link/device.ts'
import type { IpAddress } from './address.ts'
import { Addressing } from './addressing.ts'
import { Control, type EchoError, type EchoReply, type TransportError } from './control.ts'
import { DropCounters, type DropReason } from './drops.ts'
import { Reassembler } from './fragments.ts'
import { IpHeader, PROTOCOL } from './header.ts'
import { IcmpCounters } from './icmp-counters.ts'
import { Identification } from './identification.ts'
import { IPV4_HEADER_BYTES } from './ipv4.ts'
import { IPV6_HEADER_BYTES, MAX_IPV6_BYTES } from './ipv6.ts'
import { judgeAddresses } from './judge.ts'
import {
  checkOptions,
  countReceived,
  defaultRoutes,
  type IpCounters,
  type IpLayerOptions,
  ipCounters,
} from './layer-options.ts'
import { Outbound } from './outbound.ts'
import { parseIp, writeIp } from './parse.ts'
import { PathMtus } from './path-mtus.ts'
import type { TransitProblem } from './transit.ts'

export type { IpCounters, IpLayerOptions } from './layer-options.ts'

/** Most datagrams of transports that wait to be sent, and most bytes of them. */
const SEND_QUEUE_PACKETS = 4096
const SEND_QUEUE_BYTES = 8 << 20

/**
 * One host's IP floor, IPv4 and IPv6. Sans-I/O: packets come in through `receive`, its own go out through
 * `pollTransmit`.
 */
export class IpLayer extends Addressing {
  readonly drops: DropCounters
  /** What is known of the paths of our packets. */
  readonly pathMtus = new PathMtus()
  readonly counters: IpCounters = ipCounters()
  /** Of these, packets of IPv6: the first three, those of fragments and errors of what was received. */
  readonly countersV6: IpCounters = ipCounters()
  /** ICMP messages by type. */
  readonly icmp = new IcmpCounters()
  /** Asked when a transport last made progress by a neighbour: that the neighbour is there (RFC 4861 §7.3.1). Null: never. */
  progressVia: ((neighbour: IpAddress) => Micros) | null = null
  /** Told of ICMP errors about TCP and UDP packets of ours. Called from within `handleIcmp`. */
  onTransportError: ((error: TransportError) => void) | null = null
  /** Told of echo replies. Called from within `handleIcmp`. */
  onEchoReply: ((reply: EchoReply) => void) | null = null
  /** Told of ICMP errors about echo requests of ours. Called from within `handleIcmp`. */
  onEchoError: ((error: EchoError) => void) | null = null

  /** Whether the packet that was written or polled last is for this host itself: it must not reach a device (RFC 1122 §3.2.1.3(g)). */
  toSelf = false
  /** Whether the packet that was written last comes from an address that is not ours any more: it must not leave (RFC 1122 §3.2.1.3). */
  isStale = false

  readonly #control: Control
  readonly #fragments: Reassembler
  readonly #datagrams = new Outbound(SEND_QUEUE_PACKETS, SEND_QUEUE_BYTES)
  readonly #identification: Identification
  // Whether a transport has ever asked for a way to this host itself: until then no packet need be looked at.
  #hasLoopback = false
  // When the last fragment came.
  #now: Micros = 0
  readonly #out = new IpHeader()
  /** @throws {RangeError} when a number is out of bounds or an address is not one that a host can have */
  constructor(options: IpLayerOptions) {
    const { addresses, mtu, hopLimit = 64 } = options
    checkOptions(addresses, mtu, hopLimit)
    super(mtu, options.hopLimit)
    for (const entry of addresses) this.addAddress(entry)
    for (const route of options.routes ?? defaultRoutes(addresses)) this.addRoute(route)
    this.drops = options.drops ?? new DropCounters()
    this.#control = new Control(this, options.errorsPerSecond ?? 100, options.errorBurst ?? 50)
    this.#identification = new Identification(options.random)
    this.#fragments = new Reassembler(this.drops, options.fragments)
    this.#fragments.onLate = (first) => this.#control.reportReassemblyTime(first, this.#now)
  }

  /** Bytes to leave before the transport header of a packet to `dst`: 20 or 40. */
  headerBytes(dst: IpAddress): number {
    return dst.family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES
  }

  /** Packets to this host itself are looked for from now on: to be called before the first one is written. */
  enableLoopback(): void {
    this.#hasLoopback = true
  }

  /**
   * Judges a received packet: reads its header into `header`, cuts padding off (`packet.end`), and checks that it is
   * whole, ours, and from a possible source. Sets `header.toUnicast`: a transport drops what is not (RFC 9293 §3.9.2.3
   * [MUST-57]).
   * @param now for the rate of ICMP errors, and the time of fragments
   * @param fromSelf the packet was written by this host, and has come back by its loopback
   * @returns 'ok'; 'kept': a fragment, that is all; 'reassembled': `reassembled` is the packet, and `header` its header; or the reason to
   * drop it, which is counted already
   */
  receive(
    packet: Packet,
    header: IpHeader,
    now: Micros = 0,
    fromSelf = false,
  ): 'ok' | 'kept' | 'reassembled' | DropReason {
    this.pathMtus.now = now
    const isV6 = packet.start < packet.end && packet.bytes[packet.start] >>> 4 === 6
    const verdict = this.#judge(packet, header, now, fromSelf)
    countReceived(this.counters, verdict)
    if (isV6) countReceived(this.countersV6, verdict)
    if (verdict !== 'ok' && verdict !== 'kept' && verdict !== 'reassembled') this.drops.count(verdict)
    return verdict
  }

  /** The packet of the last 'reassembled'; valid until the next call of `receive`. */
  get reassembled(): Packet {
    return this.#fragments.datagram
  }

  #judge(packet: Packet, header: IpHeader, now: Micros, fromSelf: boolean): 'ok' | 'kept' | 'reassembled' | DropReason {
    const parsed = parseIp(packet.bytes, packet.start, packet.end, header)
    header.fromSelf = fromSelf
    if (parsed !== 'ok' && header.problemOffset < 0) return parsed
    packet.end = packet.start + header.totalBytes
    const addressed = fromSelf ? this.#judgeOwn(header) : judgeAddresses(header, this.own)
    if (addressed !== 'ok') return addressed
    if (parsed !== 'ok') {
      this.#control.reportHeaderProblem(packet, header, parsed, now)
      return parsed
    }
    return header.isFragment ? this.#reassemble(packet, header, now) : 'ok'
  }

  // RFC 791 §3.2, RFC 1122 §3.3.2, RFC 8200 §4.5.
  #reassemble(packet: Packet, header: IpHeader, now: Micros): 'ok' | 'kept' | 'reassembled' | DropReason {
    this.#now = now
    const verdict = this.#fragments.take(packet, header, now)
    if (verdict === 'kept') return verdict
    if (verdict !== 'whole') {
      if (header.problemOffset >= 0) this.#control.reportHeaderProblem(packet, header, verdict, now)
      return verdict
    }
    const whole = this.#fragments.datagram
    const parsed = parseIp(whole.bytes, whole.start, whole.end, header)
    const addressed = judgeAddresses(header, this.own)
    if (addressed !== 'ok') return addressed
    if (parsed !== 'ok') {
      if (header.problemOffset >= 0) this.#control.reportHeaderProblem(whole, header, parsed, now)
      return parsed
    }
    return header.isFragment ? 'ip-bad-header-chain' : 'reassembled' // a fragment of a fragment
  }

  /** When handleTimeout is to be called next; Infinity for never. */
  nextDeadline(): Micros {
    return this.#fragments.nextDeadline()
  }

  /** Gives up datagrams whose fragments did not all come in time (RFC 1122 §3.3.2, RFC 8200 §4.5). */
  handleTimeout(now: Micros): void {
    this.pathMtus.now = now
    this.#fragments.expire(now, (first) => this.#control.reportReassemblyTime(first, now))
  }

  // What this host has sent to itself can be from and to any address of its own.
  #judgeOwn(header: IpHeader): 'ok' | DropReason {
    header.toUnicast = true
    return this.isLocal(header.dst) && this.isLocal(header.src) ? 'ok' : 'ip-not-for-us'
  }

  /**
   * Handles a packet that `receive` found to be ours and whose protocol is ICMP or ICMPv6: queues the echo reply, hands
   * errors to `onTransportError` and echo replies to `onEchoReply`.
   * @returns 'ok', or the reason, which is counted already
   */
  handleIcmp(packet: Packet, header: IpHeader, now: Micros = 0): 'ok' | DropReason {
    if (header.protocol !== (header.family === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6)) {
      this.queueUnreachable(packet, header, 'protocol', now) // ICMP of the other family
      return 'ip-unknown-protocol'
    }
    const verdict = this.#control.handle(packet, header)
    if (verdict !== 'ok') this.drops.count(verdict)
    return verdict
  }

  /**
   * Tells the sender of `packet` that nobody here takes it: 'protocol' (which also counts 'ip-unknown-protocol'), or
   * 'port' for a datagram (RFC 1122 §3.2.2.1, RFC 4443 §3.1, RFC 8200 §4). Limited in rate, and never sent where RFC
   * 1122 §3.2.2 or RFC 4443 §2.4(e) forbid it.
   * @returns whether an error was queued
   */
  queueUnreachable(packet: Packet, header: IpHeader, what: 'protocol' | 'port', now: Micros): boolean {
    if (what === 'protocol') {
      this.drops.count('ip-unknown-protocol')
      this.counters.unknownProtocols++
      if (header.family === 6) this.countersV6.unknownProtocols++
    }
    return this.#control.reportUnreachable(packet, header, what, now)
  }

  /**
   * For a router: tells the sender of `packet`, which is for others, why it does not go on (RFC 1812 §4.3.3, RFC 4443 §3), limited in rate
   * as all errors are. `mtu` is that of the next link, of 'too-big'.
   * @returns whether an error was queued
   */
  reportTransit(packet: Packet, header: IpHeader, problem: TransitProblem, now: Micros, mtu: number): boolean {
    return this.#control.reportTransit(packet, header, problem, now, mtu)
  }

  /**
   * Queues an echo request. `payload` is copied.
   * @param identifier 16 bits, by which `onEchoReply` tells pings apart
   * @param sequence 16 bits
   * @param hopLimit 1 to 255
   * @returns 'ok', or why it was not queued: 'ip-no-route', 'icmp-too-big', 'icmp-queue-full'
   */
  sendEchoRequest(
    dst: IpAddress,
    identifier: number,
    sequence: number,
    payload: Uint8Array,
    hopLimit: number = this.hopLimitTo(dst),
  ): 'ok' | DropReason {
    return this.#control.sendEchoRequest(dst, identifier, sequence, payload, hopLimit)
  }

  /**
   * Writes the IP header of `packet` at `packet.start`, where the caller left `headerBytes(dst)` bytes, for all bytes
   * up to `packet.end`; a super-segment gets the length of the whole. Allocates nothing.
   * @param hopLimit usually `this.hopLimitTo(dst)`
   * @param trafficClass DSCP and ECN in one byte
   * @param dontFragment IPv4 only
   * @param flowLabel IPv6 only, 20 bits (RFC 6437)
   */
  writeHeader(
    packet: Packet,
    src: IpAddress,
    dst: IpAddress,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    dontFragment: boolean,
    flowLabel = 0,
  ): void {
    const out = this.#out
    const family = dst.family
    const total = packet.length
    assert(src.family === family, 'a packet has addresses of one family')
    assert(
      total >= (family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES) &&
        total <= (family === 4 ? MAX_PACKET : MAX_IPV6_BYTES),
      'packet length',
    )
    out.family = family
    out.src.assign(src)
    out.dst.assign(dst)
    out.protocol = protocol
    out.hopLimit = hopLimit
    out.trafficClass = trafficClass
    out.dontFragment = dontFragment
    out.totalBytes = total
    out.flowLabel = flowLabel
    if (family === 4) {
      // RFC 6864 §4.1: with DF any value will do, and a counter would tell everyone how much we send to others (RFC 6274 §3.5.2.1);
      // without it one counter for each of many groups of destinations repeats late enough (§4.3).
      out.identification = dontFragment ? 0 : this.#identification.next(dst) & 0xffff
    }
    this.toSelf = this.#hasLoopback && this.isLocal(dst)
    this.isStale = this.hasRemoved && !src.isUnspecified && !this.isLocal(src)
    writeIp(out, packet.bytes, packet.start)
    this.counters.sent++
    if (family === 6) this.countersV6.sent++
  }

  /** The largest packet that is known to pass to `dst`, header included; the link's MTU when nothing is known. */
  pathMtu(dst: IpAddress): number {
    return this.pathMtus.get(dst, this.mtuTo(dst))
  }

  /** The flow label of what goes from one port to another (RFC 6437 §3): the same for the life of a flow, and nobody can guess it. */
  flowLabel(src: IpAddress, dst: IpAddress, protocol: number, sourcePort: number, destinationPort: number): number {
    return this.#identification.flowLabel(src, dst, protocol, sourcePort, destinationPort)
  }

  /** Whether a datagram of so many bytes, header included, finds room in the queue of `sendDatagram`. */
  hasRoom(bytes: number): boolean {
    return this.#datagrams.hasRoom(bytes)
  }

  /**
   * Queues a datagram whose header `writeHeader` has just written; longer ones than the MTU go in fragments, which its header must allow.
   * A super-datagram goes whole. The packet belongs to the queue from now on.
   * @param isProbe it goes in one piece whatever is known of the path, as the own link takes it
   */
  sendDatagram(packet: Packet, isProbe = false): void {
    this.#queue(this.#datagrams, packet, isProbe)
  }

  /** For control.ts. */
  queueControl(queue: Outbound, packet: Packet): void {
    this.#queue(queue, packet)
  }

  #queue(queue: Outbound, packet: Packet, isProbe = false): void {
    const { bytes, start, length, segmentBytes } = packet
    const { dst } = this.#out
    const mtu = isProbe ? this.mtuTo(dst) : this.pathMtu(dst)
    const isCut = length > mtu && segmentBytes === 0 && !this.toSelf
    assert(
      !isCut || bytes[start] >>> 4 === 6 || (bytes[start + 6] & 0x40) === 0,
      'Don’t Fragment keeps a datagram whole',
    )
    queue.push(packet, this.toSelf, mtu, isCut ? this.#identification.next(dst) : 0)
  }

  /**
   * Copies the next queued packet (an echo, an ICMP error, a datagram or a fragment of one) into `packet`; false when there is none. At
   * most 64 of control wait: what comes on top is counted as 'icmp-queue-full'. Sets `toSelf`.
   * @param now for the age of what is known of paths
   */
  pollTransmit(packet: Packet, now: Micros = this.pathMtus.now): boolean {
    this.pathMtus.now = now
    const next = this.#control.poll(packet) ?? this.#datagrams.poll(packet)
    this.toSelf = next?.toSelf === true
    return next !== null
  }
}
