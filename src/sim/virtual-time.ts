// Virtual time: a clock that jumps from one event to the next, and stands still in between. With seeded randomness everything that runs
// on it repeats to the byte.
// Owns: the clock and the order of events (by time, then by the order they were scheduled in). Does not own: what they do.
//
// Two ways to run it: `runSync` for code that is called back (stacks, devices); `run` also lets promises and stream callbacks settle
// between any two events, for sockets, HTTP and async functions.

import { Fifo } from '../base/fifo.ts'
import type { Micros, ScheduledTask, Scheduler } from '../base/time.ts'

class Entry implements ScheduledTask {
  readonly at: Micros
  readonly order: number
  task: (() => void) | null

  constructor(at: Micros, order: number, task: () => void) {
    this.at = at
    this.order = order
    this.task = task
  }

  cancel(): void {
    this.task = null
  }
}

/** How far to run. */
export interface RunOptions {
  /** Stop before the first event later than this, with the clock moved to it. By default until nothing is left to happen. */
  readonly until?: Micros
  /** Stop after the event that makes this true. */
  readonly while?: () => boolean
}

/** A clock in virtual microseconds, starting at `start`. */
export class VirtualTime implements Scheduler {
  #now: Micros
  #order = 0
  #events = 0
  readonly #heap: Entry[] = []
  readonly #deferred = new Fifo<() => void>()

  constructor(start: Micros = 0) {
    this.#now = start
  }

  now(): Micros {
    return this.#now
  }

  /** Events run so far. */
  get events(): number {
    return this.#events
  }

  schedule(at: Micros, task: () => void): ScheduledTask {
    const entry = new Entry(Math.max(at, this.#now), this.#order++, task)
    this.#heap.push(entry)
    this.#up(this.#heap.length - 1)
    return entry
  }

  defer(task: () => void): void {
    this.#deferred.push(task)
  }

  /** Runs events without letting promises settle in between. */
  runSync(options: RunOptions = {}): void {
    for (;;) {
      if (options.while !== undefined && !options.while()) return
      if (!this.#step(options.until ?? Number.POSITIVE_INFINITY)) break
    }
    this.#finish(options)
  }

  /** Runs events; promises and stream callbacks settle before each. */
  async run(options: RunOptions = {}): Promise<void> {
    for (;;) {
      await settle()
      if (options.while !== undefined && !options.while()) return
      if (!this.#step(options.until ?? Number.POSITIVE_INFINITY)) break
    }
    this.#finish(options)
  }

  /** Runs until the promise is settled, and gives its result. @throws {Error} when nothing is left to happen and it is not */
  async runFor<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const done = (): void => {
      isSettled = true
    }
    promise.then(done, done)
    await this.run({ while: () => !isSettled })
    if (!isSettled) throw new Error('virtual time: nothing is left to happen, and what was waited for has not happened')
    return promise
  }

  /** Runs what was deferred, or the next event; returns false when there is neither before `until`. */
  #step(until: Micros): boolean {
    // What is deferred while these run is another step's.
    let due = this.#deferred.size
    if (due > 0) {
      for (; due > 0; due--) this.#deferred.shift()?.()
      return true
    }
    for (;;) {
      const top = this.#heap[0]
      if (top === undefined || top.at > until) return false
      this.#pop()
      if (top.task === null) continue
      this.#now = top.at
      this.#events++
      top.task()
      return true
    }
  }

  #finish(options: RunOptions): void {
    if (options.until !== undefined && options.until > this.#now && options.until !== Number.POSITIVE_INFINITY) {
      this.#now = options.until
    }
  }

  #pop(): void {
    const last = this.#heap.pop() as Entry
    if (this.#heap.length === 0) return
    this.#heap[0] = last
    this.#down()
  }

  #up(from: number): void {
    const heap = this.#heap
    let at = from
    const entry = heap[at]
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent], entry)) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = entry
  }

  #down(): void {
    const heap = this.#heap
    let at = 0
    const entry = heap[0]
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
      if (isBefore(entry, heap[child])) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = entry
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** Lets every promise and process.nextTick callback that is ready run. Uses the event loop only to get out of the way, not for time. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
