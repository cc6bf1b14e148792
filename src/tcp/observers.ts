// Who observes the connections of a host. Owns: the list, giving each connection a watch while there is somebody to tell.
// Does not own: what is told (watch.ts).

import type { Connection } from './connection.ts'
import { ConnectionWatch, type TcpEvent } from './watch.ts'

/** Is told what happens in connections; the event is its to keep. Must not throw, nor call the connection. */
export type TcpObserver = (event: TcpEvent, connection: Connection) => void

/** The observers of one host. */
export class Observers {
  readonly #observers: TcpObserver[] = []

  /** Adds one; `connections` are those there are. Returns the call that takes it out again. */
  add(observer: TcpObserver, connections: Iterable<Connection>): () => void {
    this.#observers.push(observer)
    if (this.#observers.length === 1) for (const connection of connections) this.enter(connection)
    return () => {
      const i = this.#observers.indexOf(observer)
      if (i >= 0) this.#observers.splice(i, 1)
      if (this.#observers.length > 0) return
      for (const connection of connections) {
        connection.watch?.end()
        connection.watch = null
      }
    }
  }

  /** A connection is made, and not in any state yet. */
  enter(connection: Connection): void {
    if (this.#observers.length === 0) return
    connection.watch ??= new ConnectionWatch(connection.tcb, (event) => {
      for (const observer of this.#observers) observer(event, connection)
    })
  }
}
