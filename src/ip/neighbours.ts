// What an interface with link addresses tells of its neighbours: who ARP and neighbour discovery know (RFC 826, RFC 4861).
// Owns: the shape. Does not own: the cache, which is the interface's.

import type { IpAddress } from './address.ts'

/** One neighbour. */
export interface NeighbourEntry {
  readonly address: IpAddress
  /** `02:00:00:00:00:01`; null: not known. */
  readonly linkAddress: string | null
  /** As `ip neigh` names them: REACHABLE, STALE, DELAY, PROBE, INCOMPLETE, FAILED, PERMANENT. */
  readonly state: string
  readonly isRouter: boolean
  /** Of which interface, where a host has several; absent: of its only one. */
  readonly device?: string
}

/** An interface that has neighbours. */
export interface NeighbourSource {
  /** All that are known now. */
  neighbours(): readonly NeighbourEntry[]
}
