// The search: inputs that pass a block which none before them has passed are kept, and new inputs are made from those that were kept.
// Owns: the corpus, how inputs are changed, how one that fails is made small. Does not own: what an input means (the targets).

import { Dice } from './dice.ts'
import { coverage, type Target } from './target.ts'

/** Why an input failed: its message without numbers, which tells failures apart. */
export function kindOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) }
  return `${name}: ${message.replace(/-?\d+/g, 'N')}`
}

/** What an input does: null, or the error. */
export function outcome(target: Target, input: Uint8Array): unknown {
  try {
    target.run(input)
    return null
  } catch (error) {
    return error
  }
}

/** One search, in one thread. */
export class Search {
  readonly target: Target
  readonly corpus: Uint8Array[] = []
  /** Blocks and features passed so far. */
  covered = 0
  packets = 0
  inputs = 0
  readonly #seen = new Uint8Array(coverage.length)
  readonly #dice: Dice

  constructor(target: Target, seed: number) {
    this.target = target
    this.#dice = new Dice().seed(seed)
  }

  /** Runs an input, and keeps it when it is news; returns whether. @throws what the target throws */
  run(input: Uint8Array): boolean {
    coverage.fill(0)
    this.inputs++
    this.packets += this.target.run(input)
    const news = this.#takeNews()
    if (news > 0) this.corpus.push(input)
    return news > 0
  }

  #takeNews(): number {
    const now = new Int32Array(coverage.buffer, coverage.byteOffset, coverage.length / 4)
    let news = 0
    for (let i = 0; i < now.length; i++) {
      if (now[i] === 0) continue
      for (let j = 4 * i; j < 4 * i + 4; j++) {
        if (coverage[j] === 0 || this.#seen[j] !== 0) continue
        this.#seen[j] = 1
        news++
      }
    }
    this.covered += news
    return news
  }

  /** A new input: a random one, or one of the corpus with changes. */
  next(): Uint8Array {
    const dice = this.#dice
    if (this.corpus.length === 0 || dice.oneIn(8)) return this.#random()
    const recent = dice.oneIn(3) ? Math.max(0, this.corpus.length - 20) : 0
    const parent = this.corpus[recent + dice.below(this.corpus.length - recent)]
    return this.#change(parent)
  }

  #random(): Uint8Array {
    const { headBytes, stepBytes, mostSteps } = this.target
    const steps = 1 + this.#dice.below(this.#dice.oneIn(2) ? mostSteps : Math.ceil(mostSteps / 8))
    return this.#bytes(headBytes + steps * stepBytes)
  }

  #bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#dice.int32())
  }

  #change(parent: Uint8Array): Uint8Array {
    const dice = this.#dice
    let input: Uint8Array = parent.slice()
    for (let times = 1 + dice.below(4); times > 0; times--) input = this.#changeOnce(input)
    return input
  }

  #changeOnce(input: Uint8Array): Uint8Array {
    const dice = this.#dice
    const { headBytes, stepBytes, mostSteps } = this.target
    const steps = Math.floor((input.length - headBytes) / stepBytes)
    const place = headBytes + stepBytes * dice.below(steps + 1)
    switch (dice.below(8)) {
      case 0: // the world is another
        if (headBytes > 0) input[dice.below(headBytes)] = dice.int32()
        return input
      case 1:
      case 2: // bytes of the steps change
        for (let times = 1 + dice.below(8); times > 0; times--) input[dice.below(input.length)] = dice.int32()
        return input
      case 3: // steps go
        return join(input.subarray(0, place), input.subarray(place + stepBytes * (1 + dice.below(10))))
      case 4: // new steps
        if (steps >= mostSteps) return input
        return join(input.subarray(0, place), this.#bytes(stepBytes * (1 + dice.below(20))), input.subarray(place))
      case 5: {
        // steps again
        const from = headBytes + stepBytes * dice.below(steps + 1)
        if (steps >= mostSteps) return input
        const again = input.subarray(from, from + stepBytes * (1 + dice.below(20)))
        return join(input.subarray(0, place), again, input.subarray(place))
      }
      case 6: {
        // the end is another's
        const other = this.corpus[dice.below(this.corpus.length)]
        const from = headBytes + stepBytes * dice.below(Math.floor((other.length - headBytes) / stepBytes) + 1)
        return join(input.subarray(0, place), other.subarray(from)).subarray(0, headBytes + mostSteps * stepBytes)
      }
      default: // a longer story
        if (steps >= mostSteps) return input
        return join(input, this.#bytes(stepBytes * (1 + dice.below(40))))
    }
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** The smallest input found that fails in the same way: steps go, then bytes become 0. Bounded by `mostRuns`. */
export function minimise(target: Target, input: Uint8Array, kind: string, mostRuns = 3000): Uint8Array {
  const { headBytes, stepBytes } = target
  let best = input
  let runs = 0
  const fails = (candidate: Uint8Array): boolean => {
    if (++runs > mostRuns) return false
    const error = outcome(target, candidate)
    return error !== null && kindOf(error) === kind
  }
  const steps = Math.max(1, Math.floor((input.length - headBytes) / stepBytes))
  for (let size = 2 ** Math.floor(Math.log2(steps)); size >= 1; size >>= 1) {
    for (let at = headBytes; at < best.length; ) {
      const less = join(best.subarray(0, at), best.subarray(at + size * stepBytes))
      if (fails(less)) best = less
      else at += size * stepBytes
    }
  }
  for (let i = 0; i < best.length; i++) {
    if (best[i] === 0) continue
    const plain = best.slice()
    plain[i] = 0
    if (fails(plain)) best = plain
  }
  return best
}

/** The fewest inputs that pass all that the corpus passes, roughly: the shortest first, those that add nothing left out. */
export function distil(target: Target, corpus: readonly Uint8Array[], most: number): Uint8Array[] {
  const maps = corpus.map((input) => {
    coverage.fill(0)
    outcome(target, input)
    return new Set([...coverage.keys()].filter((i) => coverage[i] !== 0))
  })
  const kept: Uint8Array[] = []
  const left = new Set(maps.flatMap((map) => [...map]))
  const open = new Set(corpus.keys())
  while (left.size > 0 && kept.length < most) {
    let best = -1
    let bestGain = 0
    for (const i of open) {
      let gain = 0
      for (const block of maps[i]) if (left.has(block)) gain++
      const value = gain / (100 + corpus[i].length)
      if (gain > 0 && value > bestGain) {
        bestGain = value
        best = i
      }
    }
    if (best < 0) break
    kept.push(corpus[best])
    open.delete(best)
    for (const block of maps[best]) left.delete(block)
  }
  return kept
}
