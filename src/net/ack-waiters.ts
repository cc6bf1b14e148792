// Waiting until a peer has acknowledged what was written, also when the socket lets go of its connection meanwhile.
// Owns: who waits. Does not own: when it happens (socket.ts, core.ts, EVENT.drained).

import type { Connection } from '../stack/index.ts'

/** Those who wait for the acknowledgements of one connection. */
export class AckWaiters {
  #waiting: ((acknowledged: boolean) => void)[] = []

  /** Resolves with what `settle` is told. */
  wait(): Promise<boolean> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** @param acknowledged false when it cannot come any more */
  settle(acknowledged: boolean): void {
    for (const resolve of this.#waiting.splice(0)) resolve(acknowledged)
  }
}

/** Whether a connection has nothing unsent and nothing unacknowledged, our FIN included once it was sent. */
export function isAcknowledged(connection: Connection): boolean {
  return connection.error === null && connection.unsentBytes + connection.unackedBytes === 0
}
