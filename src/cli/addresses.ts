// The addresses of both ends of the TUN device: ours (the stack's) and the peer's (the kernel's).
// Owns: checks, and the default of the peer: the first other address of each of our subnets. Does not own: configuring (open-host.ts).

import { type InterfaceAddress, IpAddress, parseCidr } from '../ip/address.ts'
import { usageError } from './errors.ts'

/** Our addresses when none are given. */
export const DEFAULT_ADDRESSES: readonly string[] = ['10.77.0.2/24', 'fd77::2/64']

/** An address of ours or of the peer, with whether the prefix length was written out. */
export interface GivenAddress extends InterfaceAddress {
  readonly hasPrefix: boolean
}

/** Reads `10.77.0.2/24` or `10.77.0.1`. @throws {TypeError} when the text is no unicast address of a host */
export function parseHostAddress(text: string): GivenAddress {
  const { address, prefixLength } = parseCidr(text)
  if (address.isUnspecified || address.isMulticast || address.isLoopback || address.isLimitedBroadcast) {
    throw new TypeError(`${address} is no address that a host can have; take one as 10.77.0.2/24 or fd77::2/64`)
  }
  if (address.family === 4 && prefixLength < 31) {
    const host = address.w3 & hostMask(prefixLength)
    if (host === 0) throw new TypeError(`${address} is the network itself: take another address of it`)
    if (host === hostMask(prefixLength)) throw new TypeError(`${address} is the broadcast address: take another`)
  }
  return { address, prefixLength, hasPrefix: text.includes('/') }
}

/** `10.77.0.2/24`. */
export function formatCidr({ address, prefixLength }: InterfaceAddress): string {
  return `${address}/${prefixLength}`
}

/**
 * The kernel's addresses: those given, or for each of our subnets the first address that is not ours.
 * @throws {CliError} naming --peer and the mend
 */
export function peersOf(ours: readonly InterfaceAddress[], given: readonly GivenAddress[]): InterfaceAddress[] {
  const peers: InterfaceAddress[] = []
  const add = (peer: InterfaceAddress): void => {
    if (!peers.some(({ address }) => address.equals(peer.address))) peers.push(peer)
  }
  if (given.length > 0) {
    for (const peer of given) add(checkPeer(ours, peer))
    return peers
  }
  for (const own of ours) {
    if (!peers.some((peer) => own.address.inPrefix(peer.address, own.prefixLength))) add(firstOther(ours, own))
  }
  return peers
}

function checkPeer(ours: readonly InterfaceAddress[], peer: GivenAddress): InterfaceAddress {
  const { address, prefixLength } = peer
  if (ours.some((own) => own.address.equals(address))) {
    throw usageError(`--peer ${address} is our own address`, 'give the kernel another address of the same network')
  }
  if (peer.hasPrefix) return { address, prefixLength }
  const own = ours.find((one) => address.inPrefix(one.address, one.prefixLength))
  if (own !== undefined) return { address, prefixLength: own.prefixLength }
  const networks = ours.map(formatCidr).join(', ')
  throw usageError(
    `--peer ${address} is in none of our networks (${networks})`,
    'take an address in one of them, or write its prefix length',
  )
}

function firstOther(ours: readonly InterfaceAddress[], own: InterfaceAddress): InterfaceAddress {
  const { address, prefixLength } = own
  const bits = (address.family === 4 ? 32 : 128) - prefixLength
  // RFC 3021, RFC 6164: in a network of two addresses both are hosts'. Otherwise 0 is the network, or the routers' anycast address.
  const first = bits <= 1 ? 0 : 1
  const last = Math.min(2 ** bits - 1 - (address.family === 4 && bits > 1 ? 1 : 0), first + ours.length)
  for (let host = first; host <= last; host++) {
    const candidate = hostOf(own, host)
    if (!ours.some((one) => one.address.equals(candidate))) return { address: candidate, prefixLength }
  }
  throw usageError(
    `there is no other address in ${formatCidr(own)} for the kernel's end`,
    'give it one with --peer ADDRESS/LENGTH, or --address a shorter prefix length, as 10.77.0.2/24',
  )
}

/** The address number `host` of the network of `own`. */
function hostOf({ address, prefixLength }: InterfaceAddress, host: number): IpAddress {
  const { w0, w1, w2, w3 } = address
  const bits = address.family === 4 ? 96 + prefixLength : prefixLength
  const word = (value: number, index: number): number => value & ~hostMask(bits - 32 * index)
  return new IpAddress(word(w0, 0), word(w1, 1), word(w2, 2), word(w3, 3) | host)
}

/** The bits of a 32-bit word behind its first `length`. */
function hostMask(length: number): number {
  if (length <= 0) return -1
  return length >= 32 ? 0 : -1 >>> length
}
