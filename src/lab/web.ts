// HTTP in a world: a server on a host, and a client whose every exchange is remembered with the instants of its steps.
// Owns: these two helpers. Does not own: HTTP (src/http), why the time passed (waterfall.ts).
//
//     const site = await serve(world, 'server', (request) => ({ status: 200, body: page(20_000) }))
//     const browser = browse(world, 'client')
//     const { status, bytes } = await browser.get('http://server/')

import type { Micros } from '../base/time.ts'
import { type FetchOptions, HttpClient, type HttpClientOptions } from '../http/client.ts'
import type { ConnectionUse } from '../http/client-timings.ts'
import type { Connect } from '../http/pool-options.ts'
import { HttpServer } from '../http/server.ts'
import type { Handler } from '../http/server-message.ts'
import type { HttpServerOptions } from '../http/server-options.ts'
import type { ByteStream } from '../http/stream.ts'
import type { HttpConnector } from '../net/http-connect.ts'
import type { DialOptions, HostListenOptions } from '../net/options.ts'
import type { LabWorld } from './live.ts'

/** How a server is set up; Nagle is off unless `noDelay` is false, as in Node. */
export interface ServeOptions extends Partial<Omit<HttpServerOptions, 'handler' | 'scheduler'>> {
  readonly port?: number
  readonly listen?: Partial<HostListenOptions>
}

/** Serves HTTP on a host of a world. */
export async function serve(
  world: LabWorld,
  host: string,
  handler: Handler,
  options: ServeOptions = {},
): Promise<HttpServer> {
  const { port = 80, listen = {}, ...rest } = options
  const server = new HttpServer({ ...rest, scheduler: world.time, handler })
  const settings = { allowHalfOpen: true, noDelay: true, ...listen }
  await world.listen(host, port, (socket) => server.handleConnection(socket as ByteStream), settings)
  return server
}

/** What came of an exchange. */
export interface Fetched {
  readonly status: number
  readonly bytes: number
  readonly body: Uint8Array
  readonly startedAt: Micros
  readonly firstByteAt: Micros
  readonly endedAt: Micros
  /** Its connection; null for an answer that needed none. */
  readonly use: ConnectionUse | null
  readonly sentAt: Micros
}

/** How a client is set up; Nagle is off unless `connect.noDelay` says otherwise. */
export interface BrowseOptions extends Partial<Omit<HttpClientOptions, 'connect' | 'scheduler'>> {
  readonly connect?: Partial<DialOptions>
  /** Opens connections by DNS and TLS, as httpConnector makes it; default: by the names of hosts, without TLS. */
  readonly connector?: HttpConnector
  /** False opens a connection for each request. Default true. */
  readonly keepAlive?: boolean
}

/** A client whose exchanges are remembered. */
export interface Browser {
  /** One exchange, with the whole body read. */
  get(url: string, options?: FetchOptions): Promise<Fetched>
  readonly client: HttpClient
}

/** A client on a host of a world. */
export function browse(world: LabWorld, host: string, options: BrowseOptions = {}): Browser {
  const { connect = {}, connector, keepAlive = true, ...rest } = options
  const byNames: Connect = async (origin, { dial }) => {
    if (dial !== undefined) dial.connectStartAt = world.now()
    const target = { host: origin.host, port: origin.port, allowHalfOpen: true, noDelay: true }
    const socket = await world.dial(host, { ...target, ...connect })
    if (dial !== undefined) dial.connectEndAt = world.now()
    return socket as ByteStream
  }
  const client = new HttpClient({
    keepAliveUs: keepAlive ? Number.POSITIVE_INFINITY : 0,
    ...rest,
    scheduler: world.time,
    connect: connector === undefined ? byNames : (connector as Connect),
  })
  return {
    client,
    async get(url, more = {}) {
      const startedAt = world.now()
      const headers = keepAlive ? undefined : { connection: 'close' }
      const response = await client.fetch(url, { headers, ...more })
      const body = await response.bytes(1 << 28)
      const { sentAt, firstByteAt } = response.timings
      const use = response.connection
      const target = new URL(url)
      world.noteTransaction({
        name: `${more.method ?? 'GET'} ${target.pathname}${target.search}`,
        host,
        connection: -1,
        isReused: use?.reused ?? false,
        status: response.status,
        bytes: body.length,
        startedAt,
        waitedUntil: Math.max(startedAt, use === null ? startedAt : use.reused ? sentAt : use.dial.startAt),
        ahead: use?.ahead ?? 0,
        connectedAt: Math.max(startedAt, use === null || use.reused ? startedAt : use.dial.connectEndAt),
        securedAt: target.protocol === 'http:' ? -1 : Math.max(startedAt, use?.dial.secureEndAt ?? startedAt),
        sentAt,
        firstByteAt,
        endedAt: world.now(),
        slices: [],
      })
      const times = { startedAt, sentAt, firstByteAt, endedAt: world.now() }
      return { status: response.status, bytes: body.length, body, use, ...times }
    },
  }
}

/** So many bytes of text, all alike: a body of which only the length counts. */
export function bodyOf(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(0x2e)
}
