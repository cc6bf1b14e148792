// Randomness as an argument: the interface, and a seeded generator (xoshiro128**, Blackman and Vigna 2018) for simulations.
// A host on a real network is given a generator keyed by the operating system (`tunstack/net`).

/** A source of random numbers. Simulations give a seeded one, so that every run repeats. */
export interface Random {
  /** A uniformly distributed int32. */
  int32(): number
  /** A uniformly distributed number in [0, 1). */
  fraction(): number
}

const rotateLeft = (x: number, k: number): number => (x << k) | (x >>> (32 - k))

/** xoshiro128**: fast, 128 bits of state, repeatable from a seed. Not for secrets. */
export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #d: number

  /** @param seed any number; its low 32 bits and the next 21 count. Equal seeds give equal sequences. */
  constructor(seed: number) {
    let state = seed ^ Math.imul(Math.floor(seed / 4294967296), 0x85ebca6b)
    const next = (): number => {
      // splitmix32 spreads a poor seed over the whole state.
      state = (state + 0x9e3779b9) | 0
      let z = state
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      return (z ^ (z >>> 16)) | 0
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next() | 1
  }

  int32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9)
    const t = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = rotateLeft(this.#d, 11)
    return result | 0
  }

  fraction(): number {
    return (this.int32() >>> 0) / 4294967296
  }

  /** A new generator whose sequence is independent of this one's further use. */
  fork(): SeededRandom {
    return new SeededRandom(this.int32())
  }
}
