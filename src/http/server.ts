// An HTTP/1.1 server over byte streams that somebody else has accepted.
// Owns: the set of connections, graceful close. Does not own: listening (net's Server hands streams over), one
// connection's life (server-connection.ts), options (server-options.ts), files (files.ts).
// Read first: RFC 9112 §9 (connection management); src/http/stream.ts.
import type { Micros } from '../base/time.ts'
import { ServerConnection } from './server-connection.ts'
import type { ConnectionInfo } from './server-message.ts'
import { type HttpServerOptions, type ServerContext, type ServerCounters, serverContext } from './server-options.ts'
import { refuseConnection } from './server-refusal.ts'
import type { ByteStream } from './stream.ts'

/** Serves HTTP/1.1 (and 1.0) on the streams it is given. */
export class HttpServer {
  /** Counted since the beginning. */
  readonly counters: Readonly<ServerCounters>
  readonly #context: ServerContext
  /** Where their number is limited, those that have waited longest come first. */
  readonly #connections = new Set<ServerConnection>()
  #closing = false
  #whenEmpty: (() => void)[] = []

  /**
   * @throws {RangeError} for a limit or timeout out of range @throws {TypeError} for a `serverName` that is no field
   * value
   */
  constructor(options: HttpServerOptions) {
    this.#context = serverContext(
      options,
      () => this.#closing,
      (connection) => this.#removed(connection),
      (connection) => this.#waits(connection),
    )
    this.counters = this.#context.counters
  }

  /** Connections that are open now. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /**
   * Serves a connection; the stream belongs to the server from now on. A server that is closing destroys it; one that is
   * full makes room by closing the connection that has waited longest for a request, or answers 503.
   */
  handleConnection(stream: ByteStream, info: ConnectionInfo = {}): void {
    if (this.#closing) {
      stream.on('error', () => undefined)
      stream.destroy()
      return
    }
    const { counters, limits } = this.#context
    if (this.#connections.size >= limits.connections) {
      counters.overloads++
      if (!this.#makeRoom()) {
        refuseConnection(stream, this.#context)
        return
      }
    }
    counters.connections++
    this.#connections.add(new ServerConnection(stream, info, this.#context))
  }

  /**
   * Closes gracefully: idle connections end now, busy ones finish their answer with `Connection: close`.
   * @param graceUs how long that may take before what is left is destroyed; for ever unless given
   * @returns resolves when no connection is left
   */
  close(graceUs: Micros = Infinity): Promise<void> {
    this.#closing = true
    for (const connection of this.#connections) connection.closeWhenIdle()
    if (this.#connections.size === 0) return Promise.resolve()
    const { scheduler } = this.#context.options
    const task = graceUs === Infinity ? null : scheduler.schedule(scheduler.now() + graceUs, () => this.closeAll())
    return new Promise((resolve) =>
      this.#whenEmpty.push(() => {
        task?.cancel()
        resolve()
      }),
    )
  }

  /** Destroys every connection at once, whatever it is doing, and takes no more. */
  closeAll(): void {
    this.#closing = true
    for (const connection of [...this.#connections]) connection.destroy()
  }

  /** Closes the connection that has waited longest for a request, or for the rest of one; false when all are busy. */
  #makeRoom(): boolean {
    for (const connection of this.#connections) {
      if (!connection.waiting) continue
      connection.destroy()
      this.#connections.delete(connection)
      return true
    }
    return false
  }

  #waits(connection: object): void {
    if (this.#context.limits.connections === Infinity) return
    if (this.#connections.delete(connection as ServerConnection)) this.#connections.add(connection as ServerConnection)
  }

  #removed(connection: object): void {
    this.#connections.delete(connection as ServerConnection)
    if (this.#connections.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve()
  }
}
