// One timer of a connection, which at any moment waits for one kind of thing.
// Owns: re-arming by kind. Does not own: what a timeout means. Time comes from the Scheduler (src/base/time.ts).
import type { Micros, ScheduledTask, Scheduler } from '../base/time.ts'

/** A timer that knows what it waits for. */
export class KindTimer<Kind extends string> {
  readonly #scheduler: Scheduler
  readonly #onTimeout: (kind: Kind) => void
  #task: ScheduledTask | null = null
  #kind: Kind | null = null

  /** @param onTimeout called when the time of a kind is over; the timer is then disarmed */
  constructor(scheduler: Scheduler, onTimeout: (kind: Kind) => void) {
    this.#scheduler = scheduler
    this.#onTimeout = onTimeout
  }

  /** What it waits for; null when disarmed. */
  get kind(): Kind | null {
    return this.#kind
  }

  /**
   * Waits until `at` for `kind`. When it waits for that kind already, the time set first stays. `Infinity` waits for
   * ever.
   */
  arm(kind: Kind, at: Micros): void {
    if (this.#kind === kind) return
    this.disarm()
    this.#kind = kind
    if (at === Infinity) return
    this.#task = this.#scheduler.schedule(at, () => {
      this.#task = null
      this.#kind = null
      this.#onTimeout(kind)
    })
  }

  /** Waits for nothing. */
  disarm(): void {
    this.#task?.cancel()
    this.#task = null
    this.#kind = null
  }
}
