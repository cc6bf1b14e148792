// Real time to a few microseconds: a link of 1 ms and 100 Mbit/s sends a packet every 0.12 ms, and setTimeout counts in whole ones.
// Owns: sleeping while the next deadline is far and turning the event loop without a pause once it is near. That takes a processor while
// packets flow, for every pair of ends alike.

import type { Micros, ScheduledTask, Scheduler } from '../../src/base/time.ts'

/** From here on a deadline is waited for awake. */
const NEAR_US: Micros = 2_000

interface Entry extends ScheduledTask {
  readonly at: Micros
  readonly task: () => void
}

/** The machine's monotonic clock, with timers that are not late while the program is idle. Meant for a few dozen timers at a time. */
export class PreciseTime implements Scheduler {
  readonly #entries = new Set<Entry>()
  readonly #wake: () => void
  #sleeper: NodeJS.Timeout | null = null
  #sleepsUntil: Micros = Number.POSITIVE_INFINITY
  #isAwake = false
  #worstUs: Micros = 0

  constructor() {
    this.#wake = () => this.#turn()
  }

  now(): Micros {
    return Math.floor(performance.now() * 1000)
  }

  schedule(at: Micros, task: () => void): ScheduledTask {
    const entry: Entry = { at, task, cancel: () => this.#entries.delete(entry) }
    this.#entries.add(entry)
    this.#settle()
    return entry
  }

  defer(task: () => void): void {
    setImmediate(task)
  }

  /** By how much the latest task was late since this was asked last: how busy the machine was with other things. */
  takeWorstLateness(): Micros {
    const worst = this.#worstUs
    this.#worstUs = 0
    return worst
  }

  /** Runs what is due, then waits for the next. */
  #turn(): void {
    this.#isAwake = false
    const now = this.now()
    for (const entry of this.#entries) {
      if (entry.at > now) continue
      this.#entries.delete(entry)
      this.#worstUs = Math.max(this.#worstUs, now - entry.at)
      entry.task()
    }
    this.#settle()
  }

  #settle(): void {
    if (this.#isAwake) return
    let next = Number.POSITIVE_INFINITY
    for (const { at } of this.#entries) if (at < next) next = at
    if (next === Number.POSITIVE_INFINITY) return
    const wait = next - this.now()
    if (wait < NEAR_US) {
      this.#isAwake = true
      setImmediate(this.#wake)
      return
    }
    if (this.#sleeper !== null && this.#sleepsUntil <= next) return
    if (this.#sleeper !== null) clearTimeout(this.#sleeper)
    this.#sleepsUntil = next
    this.#sleeper = setTimeout(
      () => {
        this.#sleeper = null
        this.#sleepsUntil = Number.POSITIVE_INFINITY
        this.#settle()
      },
      (wait - NEAR_US) / 1000 + 1,
    )
  }
}
