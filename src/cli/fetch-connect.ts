// Connections for fetch's HTTP client: names looked up, addresses tried in turn, and what is to be told of each connection.
// Owns: time limits of connecting, the facts of each connection. Does not own: keeping connections (http/client.ts).

import { type Micros, SECOND } from '../base/time.ts'
import type { ByteStream, Origin } from '../http/index.ts'
import type { TunSocket } from '../net/index.ts'
import { connectFailure } from './fetch-errors.ts'
import { type ResolveEntry, resolveHost } from './fetch-url.ts'
import type { OpenedHost } from './open-host.ts'

/** What is known of an open connection. */
export interface ConnectionFacts {
  /** Its number, from 0. */
  readonly number: number
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
}

/** Is told what happens while a connection opens. */
export interface ConnectWatch {
  onLookup(at: Micros): void
  onTry(address: string, port: number): void
  onTryFailed(address: string, port: number, error: unknown): void
  onConnected(facts: ConnectionFacts, at: Micros): void
}

/** Options of a Connector. */
export interface ConnectorOptions {
  readonly resolve: readonly ResolveEntry[]
  /** Seconds that connecting may take; null: as long as TCP tries. */
  readonly connectTimeout: number | null
  /** Nagle's algorithm is off unless asked for. */
  readonly noDelay: boolean
}

/** Opens connections, one at a time. */
export class Connector {
  /** Told of the next connection. */
  watch: ConnectWatch | null = null
  readonly #opened: OpenedHost
  readonly #options: ConnectorOptions
  readonly #facts = new Map<string, ConnectionFacts>()
  #count = 0

  constructor(opened: OpenedHost, options: ConnectorOptions) {
    this.#opened = opened
    this.#options = options
  }

  /** The latest connection to an origin; null when there was none. */
  factsOf(host: string, port: number): ConnectionFacts | null {
    return this.#facts.get(`${host} ${port}`) ?? null
  }

  /** The Connect function of an HttpClient. @throws {CliError} with curl's exit codes */
  readonly connect = async (origin: Origin, options: { readonly signal?: AbortSignal }): Promise<ByteStream> => {
    const { host, port } = origin
    const { scheduler } = this.#opened
    const startUs = scheduler.now()
    const addresses = resolveHost(host, port, this.#options.resolve)
    this.watch?.onLookup(scheduler.now())
    const { connectTimeout } = this.#options
    const deadlineUs = connectTimeout === null ? Number.POSITIVE_INFINITY : startUs + connectTimeout * SECOND
    let failure: unknown = null
    for (const address of addresses) {
      try {
        const socket = await this.#dial(address, port, deadlineUs, options.signal)
        this.#connected(socket, host, port)
        return socket
      } catch (error) {
        options.signal?.throwIfAborted()
        failure = error
        this.watch?.onTryFailed(address, port, error)
      }
    }
    throw connectFailure(failure, host, port, scheduler.now() - startUs)
  }

  #dial(address: string, port: number, deadlineUs: Micros, signal: AbortSignal | undefined): Promise<TunSocket> {
    const { host, scheduler } = this.#opened
    this.watch?.onTry(address, port)
    const timeoutMs = (deadlineUs - scheduler.now()) / 1000
    return host.connect({
      host: address,
      port,
      allowHalfOpen: true,
      noDelay: this.#options.noDelay,
      ...(timeoutMs === Number.POSITIVE_INFINITY ? {} : { timeoutMs: Math.max(0, timeoutMs) }),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  #connected(socket: TunSocket, host: string, port: number): void {
    const facts: ConnectionFacts = {
      number: this.#count++,
      localAddress: socket.localAddress ?? '',
      localPort: socket.localPort ?? 0,
      remoteAddress: socket.remoteAddress ?? '',
      remotePort: socket.remotePort ?? port,
    }
    this.#facts.set(`${host} ${port}`, facts)
    this.watch?.onConnected(facts, this.#opened.scheduler.now())
  }
}
