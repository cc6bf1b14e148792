// What path MTU discovery found out, by destination, so that a new connection need not find it again (RFC 8201 §5.2, RFC 1191 §6.2).
// Owns: the table, its bound and its age. Does not own: finding out (path-mtu.ts, icmp-errors.ts).

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { IPV4_HEADER_BYTES } from '../ip/ipv4.ts'
import { IPV6_HEADER_BYTES } from '../ip/ipv6.ts'
import type { PathMtus } from '../ip/path-mtus.ts'

/** Most destinations remembered; the one told of longest ago is forgotten first. */
export const PATH_MTU_CACHE_ENTRIES = 512

interface CachedPath {
  readonly segmentBytes: number
  readonly at: Micros
}

const keyOf = ({ w0, w1, w2, w3 }: IpAddress): string => `${w0} ${w1} ${w2} ${w3}`

/** Destination to the largest TCP segment (header and text) that is known to arrive there. */
export class PathMtuCache {
  readonly #paths = new Map<string, CachedPath>()
  readonly #told: PathMtus | null

  /** @param told what IP knows of paths, which learns of what is put here */
  constructor(told: PathMtus | null = null) {
    this.#told = told
  }

  /** Destinations remembered now, those that are too old included. */
  get size(): number {
    return this.#paths.size
  }

  /** Remembers what the path to `remote` takes. */
  put(remote: IpAddress, segmentBytes: number, now: Micros): void {
    this.#told?.lower(remote, segmentBytes + (remote.family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES))
    const key = keyOf(remote)
    this.#paths.delete(key)
    if (this.#paths.size >= PATH_MTU_CACHE_ENTRIES) {
      for (const oldest of this.#paths.keys()) {
        this.#paths.delete(oldest)
        break
      }
    }
    this.#paths.set(key, { segmentBytes, at: now })
  }

  /** What the path to `remote` takes, Infinity when nothing is known that is younger than `ageUs`. */
  get(remote: IpAddress, ageUs: Micros, now: Micros): number {
    if (this.#paths.size === 0) return Number.POSITIVE_INFINITY
    const key = keyOf(remote)
    const path = this.#paths.get(key)
    if (path === undefined) return Number.POSITIVE_INFINITY
    if (now - path.at < ageUs) return path.segmentBytes
    this.#paths.delete(key)
    return Number.POSITIVE_INFINITY
  }
}
