// Which destination address to try first, by the default policy of RFC 6724.
// Owns: scopes, labels, precedences, the rules of §6 that need no more than a source address for each destination.
// Does not own: choosing that source (the stack's routes), mixing families (happy-eyeballs.ts). Read first: RFC 6724 §2.1, §6.
// DEVIATION: rules 3, 4 and 7 (deprecated, home, encapsulated addresses) have no meaning here and are left out.

import { IpAddress } from '../ip/address.ts'

interface Policy {
  readonly prefix: IpAddress
  readonly length: number
  readonly precedence: number
  readonly label: number
}

// RFC 6724 §2.1, longest prefixes first. IPv4 is ::ffff:0:0/96, which IpAddress holds as a family of its own.
const POLICIES: readonly Policy[] = [
  ['::1', 128, 50, 0],
  ['2001::', 32, 5, 5],
  ['2002::', 16, 30, 2],
  ['3ffe::', 16, 1, 12],
  ['fec0::', 10, 1, 11],
  ['fc00::', 7, 3, 13],
].map(([prefix, length, precedence, label]) => ({
  prefix: IpAddress.parse(prefix as string),
  length: length as number,
  precedence: precedence as number,
  label: label as number,
}))
const ANY_V6 = { precedence: 40, label: 1 }
const V4 = { precedence: 35, label: 4 }
const COMPATIBLE = { precedence: 1, label: 3 }

/** Precedence and label of an address in the default policy table (RFC 6724 §2.1). */
export function policyOf(address: IpAddress): { readonly precedence: number; readonly label: number } {
  if (address.family === 4) return V4
  const policy = POLICIES.find(({ prefix, length }) => address.inPrefix(prefix, length))
  if (policy !== undefined) return policy
  const isCompatible = address.w0 === 0 && address.w1 === 0 && address.w2 === 0
  return isCompatible ? COMPATIBLE : ANY_V6
}

const LINK_LOCAL = 2
const SITE_LOCAL = 5
const GLOBAL = 14

/** The scope of an address as the number that IPv6's multicast addresses carry (RFC 6724 §3.1, §3.2). */
export function scopeOf(address: IpAddress): number {
  if (address.family === 4) {
    return address.isLoopback || address.w3 >>> 16 === 0xa9fe ? LINK_LOCAL : GLOBAL // 127/8 and 169.254/16
  }
  if (address.isMulticast) return (address.w0 >>> 16) & 15
  if (address.isLoopback || address.w0 >>> 22 === 0xfe80 >>> 6) return LINK_LOCAL
  return address.w0 >>> 22 === 0xfec0 >>> 6 ? SITE_LOCAL : GLOBAL
}

/** How many leading bits two addresses of one family share. */
export function commonPrefix(a: IpAddress, b: IpAddress): number {
  const words = (x: IpAddress): number[] => (x.family === 4 ? [x.w3] : [x.w0, x.w1, x.w2, x.w3])
  const others = words(b)
  let bits = 0
  for (const [i, word] of words(a).entries()) {
    const same = Math.clz32(word ^ others[i])
    bits += same
    if (same < 32) break
  }
  return bits
}

/**
 * The addresses in the order of RFC 6724 §6; equals stay in their order (rule 10). `sourceOf` says from where we would send, null when
 * there is no way.
 */
export function sortDestinations(
  addresses: readonly IpAddress[],
  sourceOf: (destination: IpAddress) => IpAddress | null,
): IpAddress[] {
  const all = addresses.map((address) => ({
    address,
    source: sourceOf(address),
    policy: policyOf(address),
    scope: scopeOf(address),
  }))
  all.sort((a, b) => {
    // Rule 1: avoid unusable destinations.
    if (a.source === null || b.source === null) return Number(a.source === null) - Number(b.source === null)
    // Rule 2: prefer matching scope. Rule 5: prefer matching label.
    const scope = Number(scopeOf(b.source) === b.scope) - Number(scopeOf(a.source) === a.scope)
    if (scope !== 0) return scope
    const label =
      Number(policyOf(b.source).label === b.policy.label) - Number(policyOf(a.source).label === a.policy.label)
    if (label !== 0) return label
    // Rule 6: prefer higher precedence. Rule 8: prefer smaller scope.
    if (a.policy.precedence !== b.policy.precedence) return b.policy.precedence - a.policy.precedence
    if (a.scope !== b.scope) return a.scope - b.scope
    // Rule 9: the longest matching prefix; for IPv6 only, and within the source's network of 64 bits at most, as Linux has it.
    if (a.address.family === 4 || b.address.family === 4) return 0
    const shared = (x: (typeof all)[number]): number => Math.min(64, commonPrefix(x.address, x.source as IpAddress))
    return shared(b) - shared(a)
  })
  return all.map(({ address }) => address)
}
