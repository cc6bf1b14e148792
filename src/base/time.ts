// Time as an argument. An instant is a number of microseconds since an arbitrary epoch of its clock; nothing below the floors
// `net` and `cli` asks what time it is. Real time and virtual time are two implementations of Scheduler.

/** A point in time or a duration, in microseconds. `Infinity` as a deadline means "never". */
export type Micros = number

/** One millisecond in Micros. */
export const MILLISECOND: Micros = 1_000
/** One second in Micros. */
export const SECOND: Micros = 1_000_000
/** One minute in Micros. */
export const MINUTE: Micros = 60_000_000

/** A task given to a Scheduler, which can be taken back. */
export interface ScheduledTask {
  /** Takes the task back; harmless when it has run already. */
  cancel(): void
}

/**
 * A clock and the way to be called back: real time (`tunstack/net`) or virtual time (`tunstack/sim`).
 * Devices that delay packets, the driver of a host, sockets with idle timeouts and HTTP timeouts all use the one they are given.
 */
export interface Scheduler {
  /** The current instant; never goes backwards. */
  now(): Micros
  /** Runs `task` once at `at` (or as soon as possible when that has passed), never before this call returns. */
  schedule(at: Micros, task: () => void): ScheduledTask
  /** Runs `task` once the current turn of the program is over, before time goes on. */
  defer(task: () => void): void
}
