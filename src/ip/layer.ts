// The IP host: which packets are ours, what goes before a packet that we send, and from which address.
// Owns: own addresses, routes, the judgement of received headers, IPv4 identification, drop counters. Does not own:
// ICMP (control.ts, reached through here), transports, devices, time.
// Invariant: packets are never forwarded; this is a host, not a router (RFC 1122 §3.1).
// Read first: RFC 1122 §3.2.1.3 (addressing), §3.3 (routing, multihoming).

import { assert } from '../base/assert.ts'
import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { MAX_PACKET, type Packet } from '../link/device.ts'
import { type InterfaceAddress, IpAddress } from './address.ts'
import { Control, type EchoReply, type TransportError } from './control.ts'
import { DropCounters, type DropReason } from './drops.ts'
import { IpHeader, PROTOCOL } from './header.ts'
import { IPV4_HEADER_BYTES } from './ipv4.ts'
import { IPV6_HEADER_BYTES } from './ipv6.ts'
import { parseIp, writeIp } from './parse.ts'
import { type Route, RouteTable } from './routes.ts'

/** How a host's IP floor is set up. */
export interface IpLayerOptions {
  /** Own addresses with their prefixes, of one family or both. Unicast, not loopback. */
  readonly addresses: readonly InterfaceAddress[]
  /** Largest packet to send, in bytes: 68 to 65535, with an IPv6 address at least 1280 (RFC 791 §3.2, RFC 8200 §5). */
  readonly mtu: number
  /** Hop limit of packets sent, 1 to 255. Default 64 (RFC 1122 §3.2.1.7; IANA). */
  readonly hopLimit?: number
  /** Routes besides those to the own prefixes. Default: one default route for each family that has an address. */
  readonly routes?: readonly Route[]
  /** Seeds the IPv4 identification. */
  readonly random: Random
  /** Where to count drops; by default counters of its own. */
  readonly drops?: DropCounters
  /** ICMP errors sent in the long run, per second (RFC 4443 §2.4(f)). Default 100. */
  readonly errorsPerSecond?: number
  /** ICMP errors sent at once (RFC 4443 §2.4(f)). Default 50. */
  readonly errorBurst?: number
}

/** What the IP floor has done so far, in packets. */
export interface IpCounters {
  /** Handed to `receive`. */
  received: number
  /** Found to be ours. */
  delivered: number
  /** Headers written. */
  sent: number
  /** Echo requests answered. */
  echoRequests: number
  /** Echo replies handed up. */
  echoReplies: number
  /** ICMP errors about our packets handed up. */
  errorsReceived: number
  /** ICMP errors queued. */
  errorsSent: number
  /** ICMP errors that the rate limit held back. */
  errorsLimited: number
}

/**
 * One host's IP floor, IPv4 and IPv6. Sans-I/O: packets come in through `receive`, its own go out through
 * `pollTransmit`.
 */
export class IpLayer {
  readonly addresses: readonly InterfaceAddress[]
  readonly mtu: number
  /** The hop limit to send with when the transport has no other wish. */
  readonly hopLimit: number
  readonly routes: RouteTable
  readonly drops: DropCounters
  readonly counters: IpCounters = {
    received: 0,
    delivered: 0,
    sent: 0,
    echoRequests: 0,
    echoReplies: 0,
    errorsReceived: 0,
    errorsSent: 0,
    errorsLimited: 0,
  }
  /** Told of ICMP errors about TCP and UDP packets of ours. Called from within `handleIcmp`. */
  onTransportError: ((error: TransportError) => void) | null = null
  /** Told of echo replies. Called from within `handleIcmp`. */
  onEchoReply: ((reply: EchoReply) => void) | null = null

  readonly #control: Control
  readonly #out = new IpHeader()
  // The directed broadcast addresses of the own IPv4 prefixes, as words.
  readonly #broadcasts: number[] = []
  #identification: number

  /** @throws {RangeError} when a number is out of bounds or an address is not one that a host can have */
  constructor(options: IpLayerOptions) {
    const { addresses, mtu, hopLimit = 64 } = options
    checkOptions(addresses, mtu, hopLimit)
    this.addresses = [...addresses]
    this.mtu = mtu
    this.hopLimit = hopLimit
    this.routes = new RouteTable(connectedRoutes(addresses))
    for (const route of options.routes ?? defaultRoutes(addresses)) {
      if (route.source !== undefined && !this.isLocal(route.source)) {
        throw new RangeError(`the source ${route.source} of a route to ${route.destination} must be an own address`)
      }
      this.routes.add(route)
    }
    this.drops = options.drops ?? new DropCounters()
    this.#control = new Control(this, options.errorsPerSecond ?? 100, options.errorBurst ?? 50)
    this.#identification = options.random.int32() & 0xffff
    for (const { address, prefixLength } of addresses) {
      // A network of one or two addresses has no broadcast address (RFC 3021 §2.1).
      if (address.family === 4 && prefixLength < 31) this.#broadcasts.push(address.w3 | (-1 >>> prefixLength))
    }
  }

  /** Whether `address` is one of our own. */
  isLocal(address: IpAddress): boolean {
    const own = this.addresses
    for (let i = 0; i < own.length; i++) if (own[i].address.equals(address)) return true
    return false
  }

  /** Whether `address` is the limited broadcast address or the directed one of an own prefix (RFC 1122 §3.3.6). */
  isBroadcast(address: IpAddress): boolean {
    return address.family === 4 && (address.w3 === -1 || this.#broadcasts.includes(address.w3))
  }

  /**
   * The own address that packets to `dst` should come from: `dst` itself when it is ours, the source of its route, else
   * that of the same scope and with the longest prefix in common (RFC 1122 §3.3.4.3, RFC 6724 §5 rules 1, 2 and 8).
   * Null when there is no route or no address of its family. The address is shared: do not change it.
   */
  sourceFor(dst: IpAddress): IpAddress | null {
    if (dst.isUnspecified) return null
    const route = this.routes.lookup(dst)
    if (route === null && !this.isLocal(dst)) return null
    if (route?.source !== undefined && !this.isLocal(dst)) return route.source
    let best: IpAddress | null = null
    let bestRank = -1
    for (const { address } of this.addresses) {
      if (address.family !== dst.family) continue
      const rank = commonBits(address, dst) + (isLinkLocal(address) === isLinkLocal(dst) ? 256 : 0)
      if (rank > bestRank) {
        best = address
        bestRank = rank
      }
    }
    return best
  }

  /** Bytes to leave before the transport header of a packet to `dst`: 20 or 40. */
  headerBytes(dst: IpAddress): number {
    return dst.family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES
  }

  /**
   * Judges a received packet: reads its header into `header`, cuts padding off (`packet.end`), and checks that it is
   * whole, ours, and from a possible source. Sets `header.toUnicast`: a transport drops what is not (RFC 9293 §3.9.2.3
   * [MUST-57]).
   * @param now for the rate of ICMPv6 parameter problems
   * @returns 'ok', or the reason, which is counted already
   */
  receive(packet: Packet, header: IpHeader, now: Micros = 0): 'ok' | DropReason {
    this.counters.received++
    const verdict = this.#judge(packet, header, now)
    if (verdict === 'ok') this.counters.delivered++
    else this.drops.count(verdict)
    return verdict
  }

  #judge(packet: Packet, header: IpHeader, now: Micros): 'ok' | DropReason {
    const parsed = parseIp(packet.bytes, packet.start, packet.end, header)
    if (parsed !== 'ok' && header.problemOffset < 0) return parsed
    packet.end = packet.start + header.totalBytes
    const addressed = this.#judgeAddresses(header)
    if (addressed !== 'ok') return addressed
    if (parsed !== 'ok') {
      this.#control.reportHeaderProblem(packet, header, parsed, now)
      return parsed
    }
    return header.isFragment ? this.#reassemble() : 'ok'
  }

  // The place of reassembly (RFC 791 §3.2, RFC 8200 §4.5).
  // DEVIATION: RFC 1122 §3.3.2 asks every host to reassemble. TCP with path MTU discovery makes no fragments, so they
  // are dropped.
  #reassemble(): 'ok' | DropReason {
    return 'ip-fragment'
  }

  #judgeAddresses(header: IpHeader): 'ok' | DropReason {
    const { src, dst } = header
    // An IPv4 address in an IPv6 header would pass for the real one further up (RFC 4942 §2.2).
    if (header.family === 6 && dst.family === 4) return 'ip-not-for-us'
    header.toUnicast = this.isLocal(dst)
    if (!header.toUnicast && !dst.isMulticast && !this.isBroadcast(dst)) return 'ip-not-for-us'
    if (header.family === 6) {
      if (src.isUnspecified && src.family === 6 && dst.isMulticast && header.protocol === PROTOCOL.ICMPV6) {
        // A neighbour that still has no address: duplicate address detection, MLD (RFC 4862 §5.4.2).
        return 'icmp-ignored'
      }
      if (src.family === 4 || src.isMulticast || src.isUnspecified || src.isLoopback) return 'ip-martian-source'
      return 'ok'
    }
    // RFC 1122 §3.2.1.3: (a) 0/8, (c) (d) broadcast, class D, (g) 127/8 are no source for a datagram from outside [MUST-63].
    const net = src.w3 >>> 24
    if (net === 0 || net === 127 || src.isMulticast || this.isBroadcast(src)) return 'ip-martian-source'
    return 'ok'
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
    if (what === 'protocol') this.drops.count('ip-unknown-protocol')
    return this.#control.reportUnreachable(packet, header, what, now)
  }

  /**
   * Queues an echo request. `payload` is copied.
   * @param identifier 16 bits, by which `onEchoReply` tells pings apart
   * @param sequence 16 bits
   * @returns 'ok', or why it was not queued: 'ip-no-route', 'icmp-too-big', 'icmp-queue-full'
   */
  sendEchoRequest(dst: IpAddress, identifier: number, sequence: number, payload: Uint8Array): 'ok' | DropReason {
    return this.#control.sendEchoRequest(dst, identifier, sequence, payload)
  }

  /**
   * Writes the IP header of `packet` at `packet.start`, where the caller left `headerBytes(dst)` bytes, for all bytes
   * up to `packet.end`; a super-segment gets the length of the whole. Allocates nothing.
   * @param hopLimit usually `this.hopLimit`
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
    const total = packet.end - packet.start
    assert(src.family === family, 'a packet has addresses of one family')
    assert(total >= (family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES) && total <= MAX_PACKET, 'packet length')
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
      // without it (ICMP only) a counter repeats late enough.
      out.identification = dontFragment ? 0 : this.#identification
      if (!dontFragment) this.#identification = (this.#identification + 1) & 0xffff
    }
    writeIp(out, packet.bytes, packet.start)
    this.counters.sent++
  }

  /**
   * Copies the next queued control packet (an echo, or an ICMP error) into `packet`; false when there is none. At most
   * 64 wait: what comes on top is counted as 'icmp-queue-full'.
   */
  pollTransmit(packet: Packet): boolean {
    return this.#control.poll(packet)
  }
}

function checkOptions(addresses: readonly InterfaceAddress[], mtu: number, hopLimit: number): void {
  const least = addresses.some(({ address }) => address.family === 6) ? 1280 : 68
  if (!Number.isInteger(mtu) || mtu < least || mtu > MAX_PACKET) {
    throw new RangeError(`the MTU is a whole number from ${least} to ${MAX_PACKET} here, not ${mtu}`)
  }
  if (!Number.isInteger(hopLimit) || hopLimit < 1 || hopLimit > 255) {
    throw new RangeError(`the hop limit is a whole number from 1 to 255, not ${hopLimit}`)
  }
  for (const { address, prefixLength } of addresses) {
    const most = address.family === 4 ? 32 : 128
    if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > most) {
      throw new RangeError(`the prefix length of ${address} is a whole number from 0 to ${most}, not ${prefixLength}`)
    }
    if (address.isMulticast || address.isUnspecified || address.isLoopback || address.isLimitedBroadcast) {
      throw new RangeError(`${address} cannot be the address of a host: give it a unicast address of the network`)
    }
  }
}

function connectedRoutes(addresses: readonly InterfaceAddress[]): Route[] {
  return addresses.map(({ address, prefixLength }) => ({ destination: address, prefixLength, source: address }))
}

function defaultRoutes(addresses: readonly InterfaceAddress[]): Route[] {
  const anywhere = [new IpAddress(0, 0, 0xffff, 0), new IpAddress()]
  const used = anywhere.filter((any) => addresses.some(({ address }) => address.family === any.family))
  return used.map((destination) => ({ destination, prefixLength: 0 }))
}

/** 169.254.0.0/16 (RFC 3927 §2.1) or fe80::/10 (RFC 4291 §2.5.6). */
function isLinkLocal(address: IpAddress): boolean {
  return address.family === 4 ? address.w3 >>> 16 === 0xa9fe : address.w0 >>> 22 === 0x3fa
}

/** How many leading bits two addresses share, 0 to 128. */
function commonBits(a: IpAddress, b: IpAddress): number {
  if (a.w0 !== b.w0) return Math.clz32(a.w0 ^ b.w0)
  if (a.w1 !== b.w1) return 32 + Math.clz32(a.w1 ^ b.w1)
  if (a.w2 !== b.w2) return 64 + Math.clz32(a.w2 ^ b.w2)
  return 96 + Math.clz32(a.w3 ^ b.w3)
}
