// Orphans: connections that the application has closed and that are still to deliver what it wrote, or to hear of the peer's end. Nobody
// waits for them, so that only a bound keeps peers that never answer from holding a host's memory (Linux's tcp_max_orphans).
// Owns: who they are, and their bound. Does not own: how long each may last (orphanTimeoutUs, finWait2TimeoutUs; timers.ts), TIME-WAIT.

import { abortTcb } from './closing.ts'
import type { Connection } from './connection.ts'

/** Linux's default with a few GiB of memory. */
export const DEFAULT_ORPHAN_MAX = 32768

/** The orphans of one host. */
export class Orphans {
  readonly #most: number
  readonly #all = new Set<Connection>()

  /** @throws {RangeError} when `most` is not a whole number from 0 on */
  constructor(most: number) {
    if (!(most >= 0) || (most !== Number.POSITIVE_INFINITY && !Number.isInteger(most))) {
      throw new RangeError('orphanMax is a whole number from 0 on, or Infinity')
    }
    this.#most = most
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size
  }

  /** A connection has been closed by its application and is not over: it is an orphan, or, when there are too many, reset; then true. */
  add(connection: Connection): boolean {
    if (this.#all.has(connection)) return false
    if (this.#all.size < this.#most) {
      this.#all.add(connection)
      return false
    }
    connection.tcb.counters.TcpExtTCPAbortOnMemory++
    abortTcb(connection.tcb)
    return true
  }

  /** Its end has come, or TIME-WAIT, which has a bound of its own. */
  delete(connection: Connection): void {
    this.#all.delete(connection)
  }
}
