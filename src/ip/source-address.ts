// From which of several own addresses a packet should come (RFC 6724 §5), for both families.
// Owns: the comparison, rule by rule. Does not own: which addresses there are (own-addresses.ts), routes that name a source (layer.ts).
// DEVIATION: rules 4 (home addresses) and 5.5 (which router has announced a prefix) have no meaning here and are left out.

import type { InterfaceAddress, IpAddress } from './address.ts'
import { commonPrefix, policyOf, scopeOf } from './policy.ts'

/**
 * The best of `candidates` as a source of packets to `dst`; of equals the first. Null when none has its family.
 * @param port the interface that the packet leaves by (rule 5), where there are several; -1: any
 */
export function selectSource(
  dst: IpAddress,
  candidates: readonly InterfaceAddress[],
  port = -1,
): InterfaceAddress | null {
  let best: InterfaceAddress | null = null
  for (const candidate of candidates) {
    if (candidate.address.family !== dst.family) continue
    if (best === null || isBetter(candidate, best, dst, port)) best = candidate
  }
  return best
}

function isBetter(a: InterfaceAddress, b: InterfaceAddress, dst: IpAddress, port: number): boolean {
  // Rule 1: prefer same address.
  if (a.address.equals(dst)) return true
  if (b.address.equals(dst)) return false
  // Rule 2: prefer appropriate scope: the least that reaches as far as the destination.
  const [scopeA, scopeB, scope] = [scopeOf(a.address), scopeOf(b.address), scopeOf(dst)]
  if (scopeA !== scopeB) return scopeA < scopeB ? scopeA >= scope : scopeB < scope
  // Rule 3: avoid deprecated addresses.
  const isUsable = differ(!a.isDeprecated, !b.isDeprecated)
  if (isUsable !== null) return isUsable
  // Rule 5: prefer outgoing interface.
  const isOutgoing = port < 0 ? null : differ(a.port === port, b.port === port)
  if (isOutgoing !== null) return isOutgoing
  // Rule 6: prefer matching label.
  const { label } = policyOf(dst)
  const isLabelled = differ(policyOf(a.address).label === label, policyOf(b.address).label === label)
  if (isLabelled !== null) return isLabelled
  // Rule 7: prefer temporary addresses.
  const isTemporary = differ(a.isTemporary === true, b.isTemporary === true)
  if (isTemporary !== null) return isTemporary
  // Rule 8: use longest matching prefix; bits beyond the own prefix do not count (§2.2).
  return shared(a, dst) > shared(b, dst)
}

/** Which of the two has what the other has not: true the first, false the second, null both or neither. */
function differ(a: boolean, b: boolean): boolean | null {
  return a === b ? null : a
}

function shared({ address, prefixLength }: InterfaceAddress, dst: IpAddress): number {
  return Math.min(prefixLength, commonPrefix(address, dst))
}
