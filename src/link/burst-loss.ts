// Losses that come in bursts: the two states of Gilbert (1960) and Elliott (1963). In the good state hardly anything is lost, in the bad
// one much; a die moves the line from one to the other with each packet.
// Owns: the dice. Does not own: dropping (impairment.ts's `drop` hook takes it).

import type { Random } from '../base/random.ts'

/** The chain; all values are probabilities from 0 to 1. */
export interface BurstLoss {
  /** From good to bad, with each packet. */
  readonly toBad: number
  /** From bad to good, with each packet: a burst is 1 / toGood packets long on average. */
  readonly toGood: number
  /** Loss in the good state. Default 0. */
  readonly lossGood?: number
  /** Loss in the bad state. Default 1 (Gilbert's and Elliott's simplest case). */
  readonly lossBad?: number
}

/** The share of packets lost in the long run. */
export function burstLossRate({ toBad, toGood, lossGood = 0, lossBad = 1 }: BurstLoss): number {
  if (toBad + toGood === 0) return lossGood
  return (toGood * lossGood + toBad * lossBad) / (toBad + toGood)
}

/** Says of each packet in turn whether it is lost. @throws {RangeError} for what is no probability */
export function burstLosses(options: BurstLoss, random: Random): () => boolean {
  for (const [name, value] of Object.entries(options)) {
    if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} is a probability from 0 to 1, not ${value}`)
  }
  const { toBad, toGood, lossGood = 0, lossBad = 1 } = options
  let isBad = false
  return () => {
    // Both dice are thrown for each packet, so that one chance does not shift the other's choices.
    const turn = random.fraction()
    const die = random.fraction()
    isBad = isBad ? turn >= toGood : turn < toBad
    return die < (isBad ? lossBad : lossGood)
  }
}
