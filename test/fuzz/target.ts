// What is fuzzed: a target takes an input, a string of bytes, and throws when a property does not hold.
// Owns: the contract, the failure, the coverage map that instrumented code counts into. Does not own: the search (search.ts).

/** A property that does not hold. */
export class Violation extends Error {
  override name = 'Violation'
}

/** Throws a Violation. */
export function violated(what: string): never {
  throw new Violation(what)
}

/** One thing to fuzz. */
export interface Target {
  readonly name: string
  /** Bytes of one step: inputs are cut, joined and shortened at multiples of it, after `headBytes` that say what the world is like. */
  readonly stepBytes: number
  readonly headBytes: number
  /** Most steps of an input. */
  readonly mostSteps: number
  /** Handles an input; returns how many packets (or messages) that was. @throws whatever is wrong */
  run(input: Uint8Array): number
  /** Inputs to begin with; none are needed. */
  readonly seeds?: readonly Uint8Array[]
}

/** Counters of blocks that were passed, one byte each; instrumented code has the lower part, `feature` the upper. */
export const COVERAGE_BYTES = 1 << 16
const FEATURES_FROM = 48 * 1024
const FEATURES = COVERAGE_BYTES - FEATURES_FROM

declare global {
  var tunstackCoverage: Uint8Array | undefined
}

/** The map of this process. */
export const coverage: Uint8Array = (globalThis.tunstackCoverage ??= new Uint8Array(COVERAGE_BYTES))

/** Notes that something worth keeping has happened, by a small number: a state, a transition. */
export function feature(number: number): void {
  coverage[FEATURES_FROM + (number % FEATURES)] = 1
}
