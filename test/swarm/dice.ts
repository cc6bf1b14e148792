// Drawing by chance, in the words that drawing a case needs. Owns: nothing but the words.

import { SeededRandom } from '../../src/base/random.ts'

/** A source of choices. */
export class Dice {
  readonly random: SeededRandom

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
  }

  /** True with a probability. */
  chance(probability: number): boolean {
    return this.random.fraction() < probability
  }

  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.random.fraction() * (most - least + 1))
  }

  /** A whole number from `least` to `most`, its magnitude evenly. */
  scaled(least: number, most: number): number {
    const from = Math.log(Math.max(least, 1))
    return Math.min(
      most,
      Math.max(least, Math.round(Math.exp(from + this.random.fraction() * (Math.log(most) - from)))),
    )
  }

  /** A number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.random.fraction() * (most - least)
  }

  /** One of several. */
  pick<T>(...values: readonly T[]): T {
    return values[Math.floor(this.random.fraction() * values.length)]
  }
}
