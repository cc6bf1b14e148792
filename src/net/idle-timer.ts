// A socket's idle timeout: an event after a time without bytes in either direction, on the clock of the stack.
// Owns: one lazily moved deadline. Does not own: what happens then (the socket only emits 'timeout').
// Activity only notes the time; the timer looks at it when it expires, so that a busy socket arms one timer per timeout.

import { MILLISECOND, type Micros, type ScheduledTask, type Scheduler } from '../base/time.ts'

/** Runs a callback after a time without activity; the next activity arms it again. */
export class IdleTimer {
  readonly #scheduler: Scheduler
  readonly #expired: () => void
  #timeoutUs: Micros = 0
  #lastActivity: Micros = 0
  #task: ScheduledTask | null = null

  /** @param expired called from the scheduler each time the socket was idle for the whole timeout */
  constructor(scheduler: Scheduler, expired: () => void) {
    this.#scheduler = scheduler
    this.#expired = expired
  }

  /** Starts anew with a timeout in milliseconds; 0 turns the timer off. */
  start(timeoutMs: number): void {
    this.stop()
    this.#timeoutUs = timeoutMs * MILLISECOND
    this.touch()
  }

  /** Notes activity. */
  touch(): void {
    if (this.#timeoutUs === 0) return
    this.#lastActivity = this.#scheduler.now()
    if (this.#task === null) this.#arm()
  }

  /** Turns the timer off for good. */
  stop(): void {
    this.#task?.cancel()
    this.#task = null
    this.#timeoutUs = 0
  }

  #arm(): void {
    this.#task = this.#scheduler.schedule(this.#lastActivity + this.#timeoutUs, () => {
      this.#task = null
      if (this.#scheduler.now() < this.#lastActivity + this.#timeoutUs) this.#arm()
      else this.#expired()
    })
  }
}
