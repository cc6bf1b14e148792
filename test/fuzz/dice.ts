// Small random numbers, fast and repeatable: an input's bytes decide them all, so that an input is its own replay.
// Owns: the generator. Does not own: what is decided by it.

/** An xorshift generator that is seeded again for each step of an input. */
export class Dice {
  #state = 1

  /** Starts from a seed; equal seeds give equal sequences. */
  seed(value: number): this {
    let z = (value + 0x9e3779b9) | 0
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    this.#state = (z ^ (z >>> 16)) | 1
    return this
  }

  /** Any int32. */
  int32(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return Math.imul(x, 0x9e3779b1) ^ (x >>> 15)
  }

  /** A whole number from 0 to `n` - 1; `n` at most 2^31. */
  below(n: number): number {
    return n <= 1 ? 0 : (this.int32() >>> 1) % n
  }

  /** One of these. */
  pick<T>(list: ArrayLike<T>): T {
    return list[this.below(list.length)]
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }
}
