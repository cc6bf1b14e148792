// One timer of a connection, which at any moment waits for one kind of thing.
// Owns: re-arming by kind. Does not own: what a timeout means. Time comes from the Scheduler (src/base/time.ts).
import type { Micros, ScheduledTask, Scheduler } from '../base/time.ts'

/** A timer that knows what it waits for. */
export class KindTimer<Kind extends string> {
  readonly #scheduler: Scheduler
  readonly #onTimeout: (kind: Kind) => void
  /** What was scheduled last; it may come earlier than `#at`, and is then put off. */
  #task: ScheduledTask | null = null
  #taskAt: Micros = Infinity
  #kind: Kind | null = null
  #at: Micros = Infinity

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
    this.#kind = kind
    this.#at = at
    // A connection arms and disarms with every message: a task that comes too early is put off when it comes.
    if (at < this.#taskAt) this.#schedule()
  }

  /** Waits for nothing; a task may still come, and finds nothing to do. */
  disarm(): void {
    this.#kind = null
    this.#at = Infinity
  }

  /** Waits for nothing any more. */
  stop(): void {
    this.disarm()
    this.#task?.cancel()
    this.#task = null
    this.#taskAt = Infinity
  }

  #schedule(): void {
    this.#task?.cancel()
    this.#taskAt = this.#at
    this.#task = this.#scheduler.schedule(this.#at, () => this.#expire())
  }

  #expire(): void {
    const at = this.#taskAt
    this.#task = null
    this.#taskAt = Infinity
    const kind = this.#kind
    if (kind === null || this.#at === Infinity) return
    if (at < this.#at) {
      this.#schedule()
      return
    }
    this.disarm()
    this.#onTimeout(kind)
  }
}
