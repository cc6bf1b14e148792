// One connection of a script: its two ports, and how the script's numbers become those on the wire and back.
// Owns: the mapping of sequence numbers and timestamps. Does not own: which connection a packet belongs to (flows.ts).
// The script's side sends what is written. The side under test chooses its ISN and its clock, which the script cannot know: what its
// first SYN carries is what the script says it is, and everything later is counted from there.

import type { OptionSpec } from './ast.ts'

const WRAP = 2 ** 32

/** A number of 32 bits, 0 to 2^32 - 1. */
export function wrap(value: number): number {
  return ((value % WRAP) + WRAP) % WRAP
}

/** A connection between the script and the side under test. */
export class Flow {
  /** -1 until the side under test has shown it. */
  localPort: number
  readonly remotePort: number
  /** What to add to the script's sequence numbers of the side under test. */
  #offset = 0
  /** Whether the next SYN of the side under test may begin a sequence space of its own. */
  mayRenumber = true
  readonly #stamps = new Map<number, number>()
  #firstStamp: readonly [number, number] | null = null

  constructor(localPort: number, remotePort: number) {
    this.localPort = localPort
    this.remotePort = remotePort
  }

  /** A SYN of the side under test: from here on its sequence number is the script's. */
  learnIsn(live: number, script: number): void {
    if (!this.mayRenumber) return
    this.mayRenumber = false
    this.#offset = wrap(live - script)
    this.#stamps.clear()
    this.#firstStamp = null
  }

  /** The script's number of a sequence number of the side under test. */
  toScript(live: number): number {
    return wrap(live - this.#offset)
  }

  /** The number on the wire of a sequence number of the side under test. */
  toLive(script: number): number {
    return wrap(script + this.#offset)
  }

  /** A timestamp that the side under test has sent, and what the script calls it. */
  learnStamp(live: number, script: number): void {
    if (this.#firstStamp === null) this.#firstStamp = [live, script]
    this.#stamps.set(script, live)
  }

  /** What the script calls a timestamp, counted from the first one; as it is when there was none. */
  stampToScript(live: number): number {
    return this.#firstStamp === null ? live : wrap(live - this.#firstStamp[0] + this.#firstStamp[1])
  }

  /** The timestamp that the script means when it echoes one: the last that it called so, or counted from the first. */
  stampToLive(script: number): number {
    const known = this.#stamps.get(script)
    if (known !== undefined) return known
    if (script === 0 || this.#firstStamp === null) return script
    return wrap(script - this.#firstStamp[1] + this.#firstStamp[0])
  }

  /** An option of the script's side as it goes onto the wire: what it says of the other side's numbers is mapped. */
  optionToLive(option: OptionSpec): OptionSpec {
    if (option.kind === 'sack') {
      return { kind: 'sack', blocks: option.blocks.map(([left, right]) => [this.toLive(left), this.toLive(right)]) }
    }
    if (option.kind === 'TS') return { kind: 'TS', val: option.val, ecr: this.stampToLive(option.ecr) }
    return option
  }
}
