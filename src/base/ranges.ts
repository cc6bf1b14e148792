// An ordered set of ranges [start, end) of 32-bit serial numbers (sequence numbers), compared modulo 2^32 (RFC 1982): all members
// must lie within 2^31 of one another, as everything inside a TCP window does. It serves the receive assembler (what has arrived
// out of order) and whoever else must remember pieces of a sequence space.
// Ranges that touch or overlap are merged, so that the set is always sorted and disjoint with gaps between.

import { assert } from './assert.ts'

const NONE: number[] = []

/** A sorted set of disjoint, non-adjacent ranges of int32 serial numbers. */
export class Ranges {
  // Made with the first range: most connections never have one.
  #starts: number[] = NONE
  #ends: number[] = NONE

  /** How many ranges there are. */
  get size(): number {
    return this.#starts.length
  }

  /** Start of range `i`, int32. */
  start(i: number): number {
    return this.#starts[i]
  }

  /** End of range `i` (exclusive), int32. */
  end(i: number): number {
    return this.#ends[i]
  }

  /** Sum of the lengths of all ranges. */
  get bytes(): number {
    let sum = 0
    for (let i = 0; i < this.#starts.length; i++) sum += (this.#ends[i] - this.#starts[i]) | 0
    return sum
  }

  /** Adds [start, end), merging with what it touches. Returns the index of the range that now holds it. */
  add(start: number, end: number): number {
    assert(((end - start) | 0) > 0, 'ranges: empty or reversed range')
    if (this.#starts === NONE) {
      this.#starts = []
      this.#ends = []
    }
    const first = this.#firstEndingAtOrAfter(start)
    let last = first
    let from = start | 0
    let to = end | 0
    while (last < this.#starts.length && ((this.#starts[last] - to) | 0) <= 0) {
      if (((this.#starts[last] - from) | 0) < 0) from = this.#starts[last]
      if (((this.#ends[last] - to) | 0) > 0) to = this.#ends[last]
      last++
    }
    if (last === first + 1) {
      this.#starts[first] = from
      this.#ends[first] = to
    } else {
      this.#starts.splice(first, last - first, from)
      this.#ends.splice(first, last - first, to)
    }
    return first
  }

  /** Forgets everything below `edge`. */
  dropBelow(edge: number): void {
    const first = this.#firstEndingAtOrAfter(edge + 1)
    if (first > 0) {
      this.#starts.splice(0, first)
      this.#ends.splice(0, first)
    }
    if (this.#starts.length > 0 && ((this.#starts[0] - edge) | 0) < 0) this.#starts[0] = edge | 0
  }

  /** Index of the range that the serial number lies in, -1 when there is none. */
  find(at: number): number {
    const i = this.#firstEndingAtOrAfter(at + 1)
    return i < this.#starts.length && ((this.#starts[i] - at) | 0) <= 0 ? i : -1
  }

  /** Whether the serial number lies in a range. */
  has(at: number): boolean {
    return this.find(at) >= 0
  }

  /** Whether all of [start, end) lies in one range. */
  covers(start: number, end: number): boolean {
    const i = this.#firstEndingAtOrAfter(end)
    return i < this.#starts.length && ((this.#starts[i] - start) | 0) <= 0
  }

  /** Forgets the last range. */
  dropLast(): void {
    if (this.#starts === NONE) return
    this.#starts.pop()
    this.#ends.pop()
  }

  /** Whether [start, end) overlaps a range, or touches one: adding it opens no new one. */
  touches(start: number, end: number): boolean {
    const i = this.#firstEndingAtOrAfter(start)
    return i < this.#starts.length && ((this.#starts[i] - end) | 0) <= 0
  }

  /** Forgets everything. */
  clear(): void {
    this.#starts = NONE
    this.#ends = NONE
  }

  /** Index of the first range whose end is not before `at`. */
  #firstEndingAtOrAfter(at: number): number {
    let low = 0
    let high = this.#ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (((this.#ends[middle] - at) | 0) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
