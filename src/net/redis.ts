// The Connector class that ioredis takes: connections of a host of ours.
// Owns: the shape that ioredis expects. Does not own: the Redis protocol, TLS.
// Read first: https://github.com/redis/ioredis, lib/connectors/AbstractConnector.

import type { CreateConnectionOptions } from './options.ts'
import type { TunSocket } from './socket.ts'

/** What ioredis makes of the class: one per client. */
export interface RedisConnector {
  /** Opens a new connection; ioredis waits for its 'connect'. */
  connect(): Promise<TunSocket>
  /** Ends the connection. */
  disconnect(): void
  /** Whether the server behind the connection will do. */
  check(): boolean
}

/** A value for ioredis's `Connector` option. */
export type RedisConnectorClass = new (options: unknown) => RedisConnector

/** Makes the class. See Host.redisConnector. @param open `host.createConnection` */
export function redisConnector(open: (options: CreateConnectionOptions) => TunSocket): RedisConnectorClass {
  return class implements RedisConnector {
    readonly #options: CreateConnectionOptions
    #socket: TunSocket | null = null

    constructor(options: unknown) {
      const { host, port = 6379, noDelay = true } = options as Partial<CreateConnectionOptions>
      this.#options = { host, port, noDelay }
    }

    async connect(): Promise<TunSocket> {
      this.#socket = open(this.#options)
      return this.#socket
    }

    disconnect(): void {
      this.#socket?.end()
    }

    check(): boolean {
      return true
    }
  }
}
