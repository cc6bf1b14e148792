// The `connect` function that undici's Client, Pool and Agent take: connections of a host of ours, with TLS when asked.
// Owns: the translation of undici's arguments. Does not own: HTTP (undici), TLS (Node).
// Invariant: the callback is called once, and never before `connect` has returned (undici 7 asserts it).

import tls from 'node:tls'
import type { DialOptions } from './options.ts'
import type { TunSocket } from './socket.ts'
import { nameTlsSocket } from './tls-names.ts'

/** What undici asks for. */
export interface UndiciConnectOptions {
  readonly hostname: string
  readonly protocol: string
  readonly port: string | number
  readonly servername?: string | null
  readonly localAddress?: string | null
  /** A tunnel to run TLS in, when a proxy is used. */
  readonly httpSocket?: TunSocket
}

/** What undici is called back with. */
export type UndiciConnectCallback = (error: Error | null, socket: TunSocket | tls.TLSSocket | null) => void

/** A value for undici's `connect` option. */
export type UndiciConnector = (options: UndiciConnectOptions, callback: UndiciConnectCallback) => void

/** Settings of the connector. */
export interface UndiciConnectorOptions {
  /** Gives up after this many milliseconds. Default 10000, as undici's own. */
  readonly timeoutMs?: number
  /** TLS settings: ca, cert, rejectUnauthorized, ... */
  readonly tls?: tls.ConnectionOptions
}

/** How the connector gets its connections: `host.connect`. */
export type Dialer = (options: DialOptions) => Promise<TunSocket>

/** Makes a connector. See Host.undiciConnector. */
export function undiciConnector(dial: Dialer, settings: UndiciConnectorOptions = {}): UndiciConnector {
  const { timeoutMs = 10_000 } = settings
  return (options, callback) => {
    openBelow(dial, options, timeoutMs).then(
      (socket) => {
        if (options.protocol === 'https:') secure(socket, options, settings, callback)
        else callback(null, socket)
      },
      (error: Error) => callback(error, null),
    )
  }
}

async function openBelow(dial: Dialer, options: UndiciConnectOptions, timeoutMs: number): Promise<TunSocket> {
  if (options.httpSocket !== undefined) return options.httpSocket
  return dial({
    host: options.hostname,
    port: options.port || (options.protocol === 'https:' ? 443 : 80),
    allowHalfOpen: options.protocol === 'https:', // TLS over a Duplex ends our side itself
    localAddress: options.localAddress ?? undefined,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    timeoutMs,
  })
}

function secure(
  socket: TunSocket,
  options: UndiciConnectOptions,
  settings: UndiciConnectorOptions,
  callback: UndiciConnectCallback,
): void {
  const servername = options.servername ?? undefined
  const over = tls.connect({ ALPNProtocols: ['http/1.1'], servername, host: options.hostname, ...settings.tls, socket })
  const failed = (error: Error): void => callback(error, null)
  nameTlsSocket(over, socket)
  over.once('error', failed)
  over.once('secureConnect', () => {
    over.off('error', failed)
    callback(null, over)
  })
}
