// Networks in memory: hosts by name, each a server, a proxy, a blind relay or a raw peer; a client that says raw bytes.

import { HttpClientConnection } from '../../src/http/client-connection.ts'
import type { ClientConnectionOptions } from '../../src/http/client-options.ts'
import type { Connect, Origin } from '../../src/http/pool-options.ts'
import { HttpProxy } from '../../src/http/proxy.ts'
import { type BlindEvent, BlindRelay } from '../../src/http/proxy-blind.ts'
import type { HopRecord, HttpProxyOptions } from '../../src/http/proxy-options.ts'
import { HttpServer } from '../../src/http/server.ts'
import type { Handler } from '../../src/http/server-message.ts'
import type { HttpServerOptions } from '../../src/http/server-options.ts'
import { type MemoryStream, RawPeer, streamPair, VirtualScheduler } from './helpers.ts'

/** Serves one end of a connection. */
export type Listener = (stream: MemoryStream, from: string) => void

/** A host and port as an origin. */
export const at = (host: string, port = 80): Origin => ({ protocol: 'http:', host, port })

/** Hosts in memory, in virtual time. */
export class World {
  readonly scheduler: VirtualScheduler
  readonly #hosts = new Map<string, Listener>()
  /** Every connection opened, as `from > to`. */
  readonly dialled: string[] = []
  /** The near end of each of them; `written` is what went over it. */
  readonly wires: MemoryStream[] = []

  constructor(scheduler = new VirtualScheduler()) {
    this.scheduler = scheduler
  }

  /** The Connect function of a host. */
  connect(from: string): Connect {
    return async ({ host, port }) => {
      const listener = this.#hosts.get(`${host}:${port}`)
      if (listener === undefined) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
      this.dialled.push(`${from} > ${host}`)
      const [ours, theirs] = streamPair()
      this.wires.push(ours)
      listener(theirs, from)
      return ours
    }
  }

  listen(name: string, listener: Listener): void {
    this.#hosts.set(name.includes(':') ? name : `${name}:80`, listener)
  }

  server(name: string, handler: Handler, options: Partial<HttpServerOptions> = {}): HttpServer {
    const server = new HttpServer({ handler, scheduler: this.scheduler, ...options })
    this.listen(name, (stream, from) => server.handleConnection(stream, { remoteAddress: from }))
    return server
  }

  proxy(
    name: string,
    options: Partial<HttpProxyOptions> = {},
  ): { proxy: HttpProxy; hops: HopRecord[]; errors: unknown[] } {
    const hops: HopRecord[] = []
    const errors: unknown[] = []
    const proxy = new HttpProxy({
      scheduler: this.scheduler,
      connect: this.connect(name),
      name,
      onHop: (hop) => hops.push(hop),
      onError: (error) => errors.push(error),
      ...options,
    })
    this.listen(name, (stream, from) => proxy.handleConnection(stream, { remoteAddress: from }))
    return { proxy, hops, errors }
  }

  blind(name: string, parent?: Origin): BlindEvent[] {
    const events: BlindEvent[] = []
    const { scheduler } = this
    const own = parent === undefined ? {} : { parent }
    const relay = new BlindRelay({ scheduler, connect: this.connect(name), onEvent: (one) => events.push(one), ...own })
    this.listen(name, (stream) => relay.handleConnection(stream))
    return events
  }

  /** A server that says and hears raw bytes: its connections as they come. */
  raw(name: string): RawPeer[] {
    const peers: RawPeer[] = []
    this.listen(name, (stream) => peers.push(new RawPeer(stream)))
    return peers
  }

  /** A raw connection to a host. */
  async dial(name: string): Promise<RawPeer> {
    return new RawPeer((await this.connect('client')(at(name), {})) as unknown as MemoryStream)
  }

  /** A client connection to a host. */
  async client(name: string, options: Partial<ClientConnectionOptions> = {}): Promise<HttpClientConnection> {
    return new HttpClientConnection(await this.connect('client')(at(name), {}), {
      scheduler: this.scheduler,
      ...options,
    })
  }

  /** Says raw bytes on a new connection to a host, and what came back when everything rests. */
  async ask(name: string, text: string): Promise<string> {
    const peer = await this.dial(name)
    peer.send(text)
    await this.scheduler.settle()
    return peer.take()
  }
}

/** A request for a proxy. */
export const via = (uri: string, lines: readonly string[] = [], body = '', method = 'GET', version = '1.1'): string => {
  const host = /^https?:\/\/([^/?]*)/.exec(uri)?.[1] ?? uri
  return [`${method} ${uri} HTTP/${version}`, `Host: ${host}`, ...lines, '', body].join('\r\n')
}

/** Fields of a hop record as `name: value` lines. */
export const fieldsOf = (hop: HopRecord | undefined): string[] => (hop?.fields ?? []).map(([n, v]) => `${n}: ${v}`)

/** A body that comes in pieces. */
export async function* pieces(...parts: string[]): AsyncGenerator<string> {
  for (const part of parts) yield part
}
