// When to wake whom: a binary heap of entries by deadline, with lazy re-arming. A connection moves its deadline later with every
// acknowledgement; such a move only changes the entry's own number, and the heap is mended when the stale time comes up. So the cost
// of a timer that is re-armed thousands of times before it fires is two stores.

import { assert } from './assert.ts'
import type { Micros } from './time.ts'

/** What an owner of a deadline carries. Only Deadlines writes `heapIndex` and `heapAt`. */
export interface DeadlineEntry {
  /** When to be woken; Infinity for never. Set through Deadlines.arm. */
  deadline: Micros
  /** Where the entry stands in the heap, -1 when it is not there. */
  heapIndex: number
  /** The time under which it stands there; never later than `deadline`. */
  heapAt: Micros
}

/** A set of deadlines. */
export class Deadlines<T extends DeadlineEntry> {
  readonly #heap: T[] = []

  /** Entries in the heap now, including those whose deadline has moved away. */
  get size(): number {
    return this.#heap.length
  }

  /** The earliest deadline that may be due; never later than the true one. Infinity when there is none. */
  next(): Micros {
    while (this.#heap.length > 0) {
      const top = this.#heap[0]
      if (top.heapAt === top.deadline) return top.deadline
      this.#settle(top)
    }
    return Number.POSITIVE_INFINITY
  }

  /** Sets an entry's deadline; Infinity takes it out lazily. */
  arm(entry: T, deadline: Micros): void {
    entry.deadline = deadline
    if (entry.heapIndex < 0) {
      if (deadline === Number.POSITIVE_INFINITY) return
      entry.heapAt = deadline
      entry.heapIndex = this.#heap.length
      this.#heap.push(entry)
      this.#up(entry.heapIndex)
    } else if (deadline < entry.heapAt) {
      entry.heapAt = deadline
      this.#up(entry.heapIndex)
    }
  }

  /** Takes out and returns an entry that is due at `now`, its deadline set to Infinity; null when none is. */
  popDue(now: Micros): T | null {
    if (this.next() > now) return null
    const top = this.#heap[0]
    this.remove(top)
    return top
  }

  /** Takes an entry out for good. */
  remove(entry: T): void {
    entry.deadline = Number.POSITIVE_INFINITY
    const at = entry.heapIndex
    if (at < 0) return
    assert(this.#heap[at] === entry, 'deadlines: an entry is not where it says')
    entry.heapIndex = -1
    const last = this.#heap.pop() as T
    if (last === entry) return
    this.#heap[at] = last
    last.heapIndex = at
    this.#up(at)
    this.#down(last.heapIndex)
  }

  #settle(entry: T): void {
    if (entry.deadline === Number.POSITIVE_INFINITY) this.remove(entry)
    else {
      entry.heapAt = entry.deadline
      this.#down(entry.heapIndex)
    }
  }

  #up(from: number): void {
    let at = from
    const entry = this.#heap[at]
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#heap[parent].heapAt <= entry.heapAt) break
      this.#move(this.#heap[parent], at)
      at = parent
    }
    this.#move(entry, at)
  }

  #down(from: number): void {
    let at = from
    const entry = this.#heap[at]
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && this.#heap[child + 1].heapAt < this.#heap[child].heapAt) child++
      if (this.#heap[child].heapAt >= entry.heapAt) break
      this.#move(this.#heap[child], at)
      at = child
    }
    this.#move(entry, at)
  }

  #move(entry: T, at: number): void {
    this.#heap[at] = entry
    entry.heapIndex = at
  }
}
