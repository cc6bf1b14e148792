// Latencies by the million in little memory: buckets whose width grows with the value, so that each is known to within a percent.
// Owns: counting, percentiles. Does not own: what is measured (load.ts).
// Buckets: values below 128 us one by one, above that 128 to each power of two.

import type { Micros } from '../base/time.ts'

const STEPS = 128
const MOST_POWERS = 30

/** A histogram of microseconds. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(STEPS * MOST_POWERS)
  #count = 0
  #sum = 0
  #least = Number.POSITIVE_INFINITY
  #most = 0

  /** Values added. */
  get count(): number {
    return this.#count
  }

  /** Mean in microseconds; 0 without values. */
  get meanUs(): Micros {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  /** Least value in microseconds, exact; 0 without values. */
  get leastUs(): Micros {
    return this.#count === 0 ? 0 : this.#least
  }

  /** Most in microseconds, exact; 0 without values. */
  get mostUs(): Micros {
    return this.#most
  }

  /** Adds a value in microseconds; below 0 counts as 0. */
  add(us: Micros): void {
    const value = Math.max(0, us)
    this.#counts[bucketOf(Math.round(value))]++
    this.#count++
    this.#sum += value
    if (value < this.#least) this.#least = value
    if (value > this.#most) this.#most = value
  }

  /** The value that `percent` (0 to 100) of all are not above, to within a percent; 0 without values. */
  percentileUs(percent: number): Micros {
    if (this.#count === 0) return 0
    let left = Math.max(1, Math.ceil((percent / 100) * this.#count))
    for (let i = 0; i < this.#counts.length; i++) {
      left -= this.#counts[i]
      if (left <= 0) return Math.min(topOf(i), this.#most)
    }
    return this.#most
  }
}

function bucketOf(value: number): number {
  if (value < STEPS) return value
  const power = Math.floor(Math.log2(value / STEPS))
  const step = Math.floor(value / 2 ** power) - STEPS
  return Math.min(STEPS * (power + 1) + step, STEPS * MOST_POWERS - 1)
}

// Values from 128 x 2^p on stand in 128 buckets of width 2^p.
function topOf(bucket: number): number {
  if (bucket < STEPS) return bucket
  const power = Math.floor(bucket / STEPS) - 1
  return (STEPS + (bucket % STEPS) + 1) * 2 ** power - 1
}
