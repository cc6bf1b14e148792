// How many challenge acknowledgements a host sends in a second, over all its connections (RFC 5961 §10). Each connection has a limit of
// its own besides (`challengeIntervalUs`). The number is drawn anew every second: a fixed one could be counted from outside, which tells
// an attacker whether his guess at somebody else's connection drew one.
// Owns: the count. Does not own: what is challenged (segment-arrives.ts).

import type { Random } from '../base/random.ts'
import { type SipKey, sipHash, sipKey } from '../base/siphash.ts'
import { type Micros, SECOND } from '../base/time.ts'

const seed = new Int32Array(2)

/** Grants challenges: each second from half of `perSecond` to one and a half of it. */
export class ChallengeBudget {
  readonly #perSecond: number
  readonly #key: SipKey
  #second = -1
  #left = 0

  /** @throws {RangeError} when `perSecond` is negative or not a number; Infinity is no limit */
  constructor(perSecond: number, random: Random) {
    if (!(perSecond >= 0)) throw new RangeError('challengeAcksPerSecond is a number from 0 on, or Infinity')
    this.#perSecond = perSecond
    this.#key = sipKey(random)
  }

  /** Takes one; false when this second's are used up. */
  take(now: Micros): boolean {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return true
    const second = Math.floor(now / SECOND)
    if (second !== this.#second) {
      this.#second = second
      seed[0] = second | 0
      const fraction = (sipHash(this.#key, seed) >>> 0) / 4294967296
      this.#left = Math.floor(this.#perSecond / 2 + fraction * this.#perSecond)
    }
    if (this.#left <= 0) return false
    this.#left--
    return true
  }
}
