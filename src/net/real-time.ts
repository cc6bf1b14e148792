// Real time and real randomness: the two arguments that the sans-I/O floors take, made from Node.
// Owns: the clock in microseconds, timers beyond setTimeout's limits, the turn at whose end packets leave, the random pool.
// Does not own: which deadline is next (src/stack), virtual time (src/sim).
// Read first: src/base/time.ts, src/base/random.ts.

import { randomFillSync } from 'node:crypto'
import type { Random } from '../base/random.ts'
import type { Micros, ScheduledTask, Scheduler } from '../base/time.ts'

/** setTimeout takes a signed 32-bit number of milliseconds; a later deadline is reached in several steps. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** How `realTime` behaves towards the event loop. */
export interface RealTimeOptions {
  /**
   * Whether timers keep the program alive. Default false: an open device does that, and a timer without a device has nobody
   * to send to. Give true when the device is a cable in memory, which holds no handle of the event loop.
   */
  readonly ref?: boolean
}

/**
 * The machine's own time: a monotonic clock and Node's timers.
 *
 * Timers never run early and are up to 1 ms late (setTimeout's floor), so a delay below 1 ms becomes about 1 ms.
 * `defer` is setImmediate: everything the current turn of the event loop reads and writes, with its ticks and promises, leaves
 * as one batch, so ten `await`ed small writes share a segment, while the wait is only the rest of the turn.
 * `process.nextTick` and `queueMicrotask` run between two such writes: over a cable in memory 1,000 of them then left in 1,001
 * segments instead of 2, and round trips and requests were no faster (measured).
 */
export function realTime(options: RealTimeOptions = {}): Scheduler {
  return new RealTime(options.ref ?? false)
}

class RealTime implements Scheduler {
  readonly #ref: boolean

  constructor(ref: boolean) {
    this.#ref = ref
  }

  now(): Micros {
    return Math.floor(performance.now() * 1000)
  }

  schedule(at: Micros, task: () => void): ScheduledTask {
    if (Number.isNaN(at)) throw new RangeError('a deadline is a number of microseconds, or Infinity for never')
    return new RealTimer(this, this.#ref, at, task)
  }

  defer(task: () => void): void {
    setImmediate(task)
  }
}

/** One deadline; re-armed when the timer's limit or its rounding brings it up early. */
class RealTimer implements ScheduledTask {
  readonly #clock: RealTime
  readonly #ref: boolean
  readonly #at: Micros
  readonly #task: () => void
  #timer: NodeJS.Timeout | null = null

  constructor(clock: RealTime, ref: boolean, at: Micros, task: () => void) {
    this.#clock = clock
    this.#ref = ref
    this.#at = at
    this.#task = task
    if (at !== Infinity) this.#arm()
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #arm(): void {
    const delayMs = Math.ceil((this.#at - this.#clock.now()) / 1000)
    this.#timer = setTimeout(() => this.#expire(), Math.min(Math.max(delayMs, 1), LONGEST_TIMEOUT_MS))
    if (!this.#ref) this.#timer.unref()
  }

  #expire(): void {
    this.#timer = null
    if (this.#clock.now() < this.#at) this.#arm()
    else this.#task()
  }
}

/** int32 values drawn from the operating system at a time: one system call for 1,024 of them. */
const POOL_WORDS = 1024

/** A generator fed by the operating system's cryptographic one: for initial sequence numbers, ports and identifiers. */
export function systemRandom(): Random {
  const pool = new Int32Array(POOL_WORDS)
  let next = POOL_WORDS
  const int32 = (): number => {
    if (next === POOL_WORDS) {
      randomFillSync(pool)
      next = 0
    }
    const value = pool[next]
    // A number that was handed out is not kept, so that a later look into memory does not reveal it.
    pool[next++] = 0
    return value
  }
  return { int32, fraction: () => (int32() >>> 0) / 4294967296 }
}
