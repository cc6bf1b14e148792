// The default policy of RFC 6724: what kind of address an address is, and which kinds belong together.
// Owns: scopes, labels, precedences, common prefixes. Does not own: choosing a source (source-address.ts), ordering destinations (src/dns).
// Read first: RFC 6724 §2.1, §3.1.

import { IpAddress } from './address.ts'

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

/** 169.254.0.0/16 (RFC 3927 §2.1) or fe80::/10 (RFC 4291 §2.5.6): an address that no router forwards. */
export function isLinkLocal(address: IpAddress): boolean {
  return address.family === 4 ? address.w3 >>> 16 === 0xa9fe : address.w0 >>> 22 === 0x3fa
}

/** The scope of an address as the number that IPv6's multicast addresses carry (RFC 6724 §3.1, §3.2). */
export function scopeOf(address: IpAddress): number {
  if (address.family === 4) return address.isLoopback || isLinkLocal(address) ? LINK_LOCAL : GLOBAL
  if (address.isMulticast) return (address.w0 >>> 16) & 15
  if (address.isLoopback || isLinkLocal(address)) return LINK_LOCAL
  return address.w0 >>> 22 === 0xfec0 >>> 6 ? SITE_LOCAL : GLOBAL
}

/** How many leading bits two addresses of one family share: up to 32 or 128. */
export function commonPrefix(a: IpAddress, b: IpAddress): number {
  if (a.family === 4) return Math.clz32(a.w3 ^ b.w3)
  if (a.w0 !== b.w0) return Math.clz32(a.w0 ^ b.w0)
  if (a.w1 !== b.w1) return 32 + Math.clz32(a.w1 ^ b.w1)
  if (a.w2 !== b.w2) return 64 + Math.clz32(a.w2 ^ b.w2)
  return 96 + Math.clz32(a.w3 ^ b.w3)
}
