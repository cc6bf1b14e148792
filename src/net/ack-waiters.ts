// Waiting for what becomes of a connection, also when its socket lets go of it meanwhile: whether the peer has acknowledged what was
// written, and how a wait of CLOSE (SO_LINGER) has ended.
// Owns: who waits. Does not own: when it happens (socket.ts, core.ts; EVENT.drained, EVENT.lingered).

import type { Connection } from '../stack/index.ts'

/** How the wait of a close has ended; 'none': it was none (`lingerUs` is not above 0). See `Connection.linger`. */
export type Lingered = Exclude<Connection['linger'], 'waiting'>

/** Those who wait for something of one connection. */
export class AckWaiters {
  #waiting: ((acknowledged: boolean) => void)[] = []
  /** What the close has come to, once that is known; who waits for it until then. */
  #outcome: Lingered | null = null
  #linger: Promise<Lingered> | null = null
  #lingered: ((outcome: Lingered) => void) | null = null

  /** Resolves with what `settle` is told. */
  wait(): Promise<boolean> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** @param acknowledged false when it cannot come any more */
  settle(acknowledged: boolean): void {
    if (this.#waiting.length === 0) return
    for (const resolve of this.#waiting.splice(0)) resolve(acknowledged)
  }

  /** Resolves with what `settleLinger` is told first. */
  waitLinger(): Promise<Lingered> {
    this.#linger ??= new Promise<Lingered>((resolve) => {
      if (this.#outcome !== null) resolve(this.#outcome)
      else this.#lingered = resolve
    })
    return this.#linger
  }

  /** @param outcome what has become of the close; 'waiting' is no news */
  settleLinger(outcome: Connection['linger']): void {
    if (outcome === 'waiting' || this.#outcome !== null) return
    this.#outcome = outcome
    this.#lingered?.(outcome)
  }
}

/** Whether a connection has nothing unsent and nothing unacknowledged, our FIN included once it was sent. */
export function isAcknowledged(connection: Connection): boolean {
  if (connection.error !== null) return false
  // A reset of ours, as at the end of an orphan, has thrown away what waited: only what was acknowledged tells.
  const { snd } = connection.tcb
  if (connection.state === 'CLOSED') return snd.finSent && snd.una === snd.nxt
  return connection.unsentBytes + connection.unackedBytes === 0
}
