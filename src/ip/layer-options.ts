// How a host's IP floor is set up, and what it counts.
// Owns: options and counters, the routes that follow from addresses. Does not own: their use (layer.ts), addresses (own-addresses.ts).

import type { Random } from '../base/random.ts'
import { MAX_PACKET } from '../link/device.ts'
import { type InterfaceAddress, IpAddress } from './address.ts'
import type { DropCounters, DropReason } from './drops.ts'
import type { FragmentLimits } from './fragments.ts'
import type { Route } from './routes.ts'

/** What is wrong with a header itself (RFC 4293: InHdrErrors). */
const HEADER_ERRORS: ReadonlySet<string> = new Set([
  'ip-too-short',
  'ip-bad-version',
  'ip-bad-header-length',
  'ip-bad-length',
  'ip-bad-checksum',
  'ip-bad-options',
  'ip-bad-header-chain',
  'ip-unknown-option',
  'ip-source-route',
])

/** How a host's IP floor is set up. */
export interface IpLayerOptions {
  /** Own addresses with their prefixes, of one family or both; none is for a host that has to learn them. Unicast, not loopback. */
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
  /** Limits of reassembly, in bytes, datagrams and time. */
  readonly fragments?: FragmentLimits
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
  /** Fragments kept for their datagram. */
  fragmentsKept: number
  /** Datagrams made whole. */
  reassembled: number
  /** Received, and dropped for what their header says. */
  headerErrors: number
  /** Received, and dropped for their addresses. */
  addressErrors: number
  /** For us, and of no transport that is here. */
  unknownProtocols: number
}

/** Fresh counters, all zero. */
export function ipCounters(): IpCounters {
  return {
    received: 0,
    delivered: 0,
    sent: 0,
    echoRequests: 0,
    echoReplies: 0,
    errorsReceived: 0,
    errorsSent: 0,
    errorsLimited: 0,
    fragmentsKept: 0,
    reassembled: 0,
    headerErrors: 0,
    addressErrors: 0,
    unknownProtocols: 0,
  }
}

/** Counts a packet that was handed to `receive`, by what became of it. */
export function countReceived(counters: IpCounters, verdict: 'ok' | 'kept' | 'reassembled' | DropReason): void {
  counters.received++
  if (verdict === 'ok') counters.delivered++
  else if (verdict === 'kept') counters.fragmentsKept++
  else if (verdict === 'reassembled') {
    counters.delivered++
    counters.reassembled++
  } else if (verdict === 'ip-not-for-us' || verdict === 'ip-martian-source') counters.addressErrors++
  else if (HEADER_ERRORS.has(verdict)) counters.headerErrors++
}

/** @throws {RangeError} naming what cannot be */
export function checkOptions(addresses: readonly InterfaceAddress[], mtu: number, hopLimit: number): void {
  const least = addresses.some(({ address }) => address.family === 6) ? 1280 : 68
  if (!Number.isInteger(mtu) || mtu < least || mtu > MAX_PACKET) {
    throw new RangeError(`the MTU is a whole number from ${least} to ${MAX_PACKET} here, not ${mtu}`)
  }
  if (!Number.isInteger(hopLimit) || hopLimit < 1 || hopLimit > 255) {
    throw new RangeError(`the hop limit is a whole number from 1 to 255, not ${hopLimit}`)
  }
}

/** The route to the prefix of an own address. */
export function connectedRoute({ address, prefixLength, port = 0 }: InterfaceAddress): Route {
  return { destination: address, prefixLength, port, isConnected: true }
}

/** A default route for each family that has an address. */
export function defaultRoutes(addresses: readonly InterfaceAddress[]): Route[] {
  const anywhere = [new IpAddress(0, 0, 0xffff, 0), new IpAddress()]
  const used = anywhere.filter((any) => addresses.some(({ address }) => address.family === any.family))
  return used.map((destination) => ({ destination, prefixLength: 0 }))
}
