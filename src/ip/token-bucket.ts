// A token bucket: bounds how often something is done for strangers.
// Owns: the arithmetic. Does not own: time, which is an argument.
// Read first: RFC 4443 §2.4(f), which asks for one over ICMPv6 errors.

import { type Micros, SECOND } from '../base/time.ts'

/** Grants up to `burst` at once and `perSecond` in the long run. */
export class TokenBucket {
  readonly #perMicro: number
  readonly #burst: number
  #tokens: number
  #last: Micros = -Infinity

  /** @throws {RangeError} when either is not a finite number, `perSecond` is negative or `burst` below 0 */
  constructor(perSecond: number, burst: number) {
    if (!(perSecond >= 0 && perSecond < Infinity && burst >= 0 && burst < Infinity)) {
      throw new RangeError('a token bucket takes a rate per second and a burst, both finite and not negative')
    }
    this.#perMicro = perSecond / SECOND
    this.#burst = burst
    this.#tokens = burst
  }

  /** Takes one token; false when there is none. An instant before the last one counts as the last one. */
  take(now: Micros): boolean {
    if (now > this.#last) {
      const gained = this.#last === -Infinity ? 0 : (now - this.#last) * this.#perMicro
      this.#tokens = Math.min(this.#burst, this.#tokens + gained)
      this.#last = now
    }
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
