// HTTP nodes between client and server in a world: proxies, blind relays, and an HTTP/1.0+ client that believes what it reads.
// Owns: these helpers. Does not own: HTTP (src/http), the server and the browser (web.ts).

import type { Micros } from '../base/time.ts'
import type { Connect, Origin } from '../http/pool-options.ts'
import { HttpProxy } from '../http/proxy.ts'
import { type BlindEvent, BlindRelay } from '../http/proxy-blind.ts'
import type { HopRecord, HttpProxyOptions } from '../http/proxy-options.ts'
import type { ByteStream } from '../http/stream.ts'
import type { TunSocket } from '../net/socket.ts'
import type { LabWorld } from './live.ts'
import type { Topology } from './topology.ts'
import type { World } from './world.ts'

/** The port that proxies listen on here. */
export const PROXY_PORT = 8080

/** Hosts in a row, each link with the delay of half a round trip. */
export function rowOf(hosts: readonly string[], rttUs: Micros): Topology {
  return {
    hosts: Object.fromEntries(hosts.map((name) => [name, {}])),
    links: hosts.slice(1).map((to, i) => ({ from: hosts[i], to, delay: rttUs / 2 })),
  }
}

/** A node as the origin of another one's connections. */
export const nodeAt = (host: string, port = PROXY_PORT): Origin => ({ protocol: 'http:', host, port })

/** Opens connections from a host, by the names of hosts. */
export function connectFrom(world: LabWorld, host: string): Connect {
  return async (origin) =>
    (await world.connect(host, origin.host, origin.port, { allowHalfOpen: true, noDelay: true })) as ByteStream
}

const LISTENING = { allowHalfOpen: true, noDelay: true } as const

/** A proxy on a host, and what each of its sides got and sent. */
export async function serveProxy(
  world: LabWorld,
  host: string,
  options: Partial<HttpProxyOptions> = {},
): Promise<{ proxy: HttpProxy; hops: HopRecord[] }> {
  const hops: HopRecord[] = []
  const proxy = new HttpProxy({
    scheduler: world.time,
    connect: connectFrom(world, host),
    name: host,
    onHop: (hop) => hops.push(hop),
    ...options,
  })
  await world.listen(host, PROXY_PORT, (socket) => proxy.handleConnection(socket as ByteStream), LISTENING)
  return { proxy, hops }
}

/** A blind relay on a host, and what it does. */
export async function serveRelay(world: World, host: string, parent?: Origin): Promise<BlindEvent[]> {
  const events: BlindEvent[] = []
  const relay = new BlindRelay({
    scheduler: world.time,
    connect: connectFrom(world, host),
    onEvent: (event) => events.push(event),
    ...(parent && { parent }),
  })
  await world.listen(host, PROXY_PORT, (socket) => relay.handleConnection(socket as ByteStream), LISTENING)
  return events
}

/** What an HTTP/1.0+ client got. */
export interface Asked {
  /** The status, or 0 when the connection ended without an answer. */
  readonly status: number
  readonly tookUs: Micros
  /** Whether it went over a connection that an answer had said to stay. */
  readonly isReused: boolean
}

/** A client of HTTP/1.0 with keep-alive: it asks for it with `field`, and believes `Connection: keep-alive` in an answer. */
export class OldClient {
  readonly #world: World
  readonly #host: string
  readonly #proxy: string
  #socket: TunSocket | null = null

  constructor(world: World, host: string, proxy: string) {
    this.#world = world
    this.#host = host
    this.#proxy = proxy
  }

  /** Sends a request to the proxy and reads the answer, or the end of the connection. */
  async ask(url: string, field: string): Promise<Asked> {
    const startedAt = this.#world.now()
    const kept = this.#socket
    const socket = kept ?? this.#world.open(this.#host, this.#proxy, PROXY_PORT, { noDelay: true })
    let text = ''
    const over = new Promise<void>((resolve) => {
      const read = (chunk: Uint8Array): void => {
        text += new TextDecoder('latin1').decode(chunk)
        if (isWhole(text)) resolve()
      }
      socket.on('data', read)
      socket.once('close', resolve)
      socket.once('end', resolve)
    })
    socket.write(`GET ${url} HTTP/1.0\r\nHost: ${new URL(url).host}\r\n${field}\r\n\r\n`)
    await over
    socket.removeAllListeners('data')
    const stays = isWhole(text) && /\r\nConnection: keep-alive\r\n/i.test(text)
    this.#socket = stays ? socket : null
    if (!stays) socket.end()
    const status = Number(/^HTTP\/1\.. ([0-9]{3})/.exec(text)?.[1] ?? 0)
    return { status, tookUs: this.#world.now() - startedAt, isReused: kept !== null }
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  const length = /\r\nContent-Length: ([0-9]+)/i.exec(text.slice(0, end))
  return end >= 0 && length !== null && text.length >= end + 4 + Number(length[1])
}
