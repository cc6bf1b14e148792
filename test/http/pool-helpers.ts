// A pool whose connections end at scripted servers: raw bytes in, raw bytes out, every connection kept for the test to look at.
import { HttpClient, type HttpClientOptions } from '../../src/http/client.ts'
import type { ClientResponse, ConnectionRequest } from '../../src/http/client-message.ts'
import { ConnectionPool } from '../../src/http/pool.ts'
import type { Origin, PoolEvent, PoolOptions } from '../../src/http/pool-options.ts'
import { type MemoryStream, RawPeer, streamPair, VirtualScheduler } from './helpers.ts'

/** The other end of a connection: what it got, as whole requests, and what it answers. */
export class ScriptedServer {
  readonly peer: RawPeer
  readonly stream: MemoryStream
  readonly origin: Origin
  /** Heads of the requests that have come whole, bodies by Content-Length taken off. */
  readonly requests: string[] = []
  readonly bodies: string[] = []
  readonly #onRequest: (server: ScriptedServer, head: string, body: string) => void

  constructor(
    stream: MemoryStream,
    origin: Origin,
    onRequest: (server: ScriptedServer, head: string, body: string) => void,
  ) {
    this.stream = stream
    this.origin = origin
    this.peer = new RawPeer(stream)
    this.#onRequest = onRequest
    stream.on('data', () => this.#read())
  }

  /** The request lines so far, without their version. */
  get lines(): string[] {
    return this.requests.map((head) => head.slice(0, head.indexOf(' HTTP/')))
  }

  send(text: string): void {
    if (!this.stream.destroyed && !this.stream.writableEnded) this.peer.send(text)
  }

  #read(): void {
    for (;;) {
      const end = this.peer.received.indexOf('\r\n\r\n')
      if (end === -1) return
      const head = this.peer.received.slice(0, end)
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
      if (this.peer.received.length < end + 4 + length) return
      const body = this.peer.received.slice(end + 4, end + 4 + length)
      this.peer.received = this.peer.received.slice(end + 4 + length)
      this.requests.push(head)
      this.bodies.push(body)
      this.#onRequest(this, head, body)
    }
  }
}

/** An answer whose body is `text`. */
export const answer = (text: string, extra = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n${extra}\r\n${text}`

/** The path of a request's head. */
export const pathOf = (head: string): string => head.split(' ')[1]

/** A pool and its servers. */
export interface Farm {
  readonly scheduler: VirtualScheduler
  readonly pool: ConnectionPool
  readonly servers: ScriptedServer[]
  readonly events: PoolEvent[]
  /** Asks one origin; the answer's body as text, or the error. */
  get(path: string, request?: Partial<ConnectionRequest>, host?: string): Promise<string | Error>
}

/** Makes a pool; by default its servers answer every request with its path. */
export function farm(
  options: Partial<PoolOptions> = {},
  onRequest: (server: ScriptedServer, head: string, body: string) => void = (server, head) =>
    server.send(answer(pathOf(head))),
): Farm {
  const scheduler = new VirtualScheduler()
  const servers: ScriptedServer[] = []
  const events: PoolEvent[] = []
  const pool = new ConnectionPool({
    scheduler,
    connect: async (origin) => {
      const [ours, theirs] = streamPair()
      servers.push(new ScriptedServer(theirs, origin, onRequest))
      return ours
    },
    onEvent: (event) => events.push(event),
    ...options,
  })
  const get = async (path: string, request: Partial<ConnectionRequest> = {}, host = 'h'): Promise<string | Error> => {
    try {
      const origin: Origin = { protocol: 'http:', host, port: 80 }
      const response: ClientResponse = await pool.request(origin, { target: path, headers: { Host: host }, ...request })
      return await response.text()
    } catch (error) {
      return error as Error
    }
  }
  return { scheduler, pool, servers, events, get }
}

/** A client all of whose hosts answer by `route`. */
export function site(
  route: (server: ScriptedServer, head: string, body: string) => void,
  options: Partial<HttpClientOptions> = {},
): { client: HttpClient; servers: ScriptedServer[]; scheduler: VirtualScheduler } {
  const scheduler = new VirtualScheduler()
  const servers: ScriptedServer[] = []
  const client = new HttpClient({
    scheduler,
    connect: async (origin, { over }) => {
      // Nothing is put on a tunnel where TLS would be.
      if (over) return over
      const [ours, theirs] = streamPair()
      servers.push(new ScriptedServer(theirs, origin, route))
      return ours
    },
    ...options,
  })
  return { client, servers, scheduler }
}
