// Identification of datagrams that may be fragmented: values that repeat late for one destination, and tell nobody what others get.
// Owns: the counters. Does not own: who sets DF, and so needs none (RFC 6864 §4.1).
// Read first: RFC 6864 §4.3, RFC 7739 §5.3.

import type { Random } from '../base/random.ts'
import type { IpAddress } from './address.ts'

const COUNTERS = 1024

/** The counters of one host. */
export class Identification {
  readonly #counters = new Uint32Array(COUNTERS)
  readonly #key: number

  constructor(random: Random) {
    this.#key = random.int32() | 1
    for (let i = 0; i < COUNTERS; i++) this.#counters[i] = random.int32()
  }

  /** The next value for packets to `dst`, 32 bits; IPv4 takes the low 16. */
  next(dst: IpAddress): number {
    let hash = Math.imul(dst.w0 ^ this.#key, 0x9e3779b1)
    hash = Math.imul(hash ^ (hash >>> 15) ^ dst.w1, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13) ^ dst.w2, 0xc2b2ae35)
    hash = Math.imul(hash ^ (hash >>> 16) ^ dst.w3, 0x27d4eb2f)
    const at = (hash ^ (hash >>> 15)) & (COUNTERS - 1)
    return this.#counters[at]++
  }
}
