// Which destination address to try first, by the default policy of RFC 6724.
// Owns: the rules of §6 that need no more than a source address for each destination.
// Does not own: scopes, labels, precedences (ip/policy.ts), choosing that source (the stack's routes), mixing families (happy-eyeballs.ts).
// Read first: RFC 6724 §6.
// DEVIATION: rules 4 and 7 (home addresses, encapsulation) have no meaning here and are left out.

import type { IpAddress } from '../ip/address.ts'
import { commonPrefix, policyOf, scopeOf } from '../ip/policy.ts'

export { commonPrefix, policyOf, scopeOf } from '../ip/policy.ts'

/**
 * The addresses in the order of RFC 6724 §6; equals stay in their order (rule 10). `sourceOf` says from where we would send, null when
 * there is no way; `isDeprecated` whether that source is to be avoided.
 */
export function sortDestinations(
  addresses: readonly IpAddress[],
  sourceOf: (destination: IpAddress) => IpAddress | null,
  isDeprecated: (source: IpAddress) => boolean = () => false,
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
    // Rule 2: prefer matching scope. Rule 3: avoid deprecated addresses. Rule 5: prefer matching label.
    const scope = Number(scopeOf(b.source) === b.scope) - Number(scopeOf(a.source) === a.scope)
    if (scope !== 0) return scope
    const deprecated = Number(isDeprecated(a.source)) - Number(isDeprecated(b.source))
    if (deprecated !== 0) return deprecated
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
