// The live page of `tunstack serve --inspect`: /.tunstack/ over our own HTTP and TCP, about the connections that carry it and all others.
//
//   GET  /.tunstack/        the page; it asks for nothing from anywhere else
//   GET  /.tunstack/events  what happens, as Server-Sent Events: a telling every quarter of a second, every second when nothing happens
//   GET  /.tunstack/bytes   ?n=1000000 bytes to watch, at most 64 MiB
//   POST /.tunstack/knobs   {"loss": 2}: loss, delay, rate, congestion, nagle, delayedAck
//
// Owns: these answers, who may ask, when something is told. Does not own: what is told (inspect-feed.ts), the knobs (inspect-knobs.ts).
//
// Invariant: while nobody has the page open nothing is gathered and no timer runs; and a packet costs no more than a question:
// the devices between hand it on as it is.
// Who may ask: whoever names the server by one of its own addresses, so that no foreign name can be bent to it; turning a knob needs an
// Origin that is this server, which a page from elsewhere cannot send.

import { MILLISECOND, type ScheduledTask, type Scheduler, SECOND } from '../base/time.ts'
import type { Handler, PlainResponse, ServerRequest, ServerResponse } from '../http/index.ts'
import type { PacketObserver } from '../link/capture.ts'
import type { PacketDevice } from '../link/device.ts'
import { controlCalls, type SocketRecord } from './control-answers.ts'
import { messageOf } from './errors.ts'
import { InspectFeed, type Telling } from './inspect-feed.ts'
import { type Knobbed, Knobs } from './inspect-knobs.ts'
import { inspectPage } from './inspect-page.ts'
import type { OpenedHost } from './open-host.ts'
import { packageVersion } from './version.ts'

/** Where the page is. */
export const INSPECT_PATH = '/.tunstack/'

const OFTEN = 250 * MILLISECOND
const SELDOM = SECOND
/** Pages open at a time. */
const MAX_VIEWERS = 8
/** Longest request to turn knobs, most bytes to watch, and how many of them are handed over at a time. */
const MAX_KNOBS = 1024
const MAX_BYTES = 64 << 20
const CHUNK = new Uint8Array(64 << 10).fill(46)

interface Viewer {
  readonly id: number
  readonly response: ServerResponse
  readonly done: () => void
  /** Tellings that were left out because the connection had not taken the one before. */
  skipped: number
  isBusy: boolean
}

/** What the page is about. */
export interface InspectedHost extends Pick<OpenedHost, 'host' | 'scheduler'> {
  readonly device: PacketDevice
}

/** How a browser names a server at these names or addresses, in `Host`. */
export function authoritiesOf(names: readonly string[], port: number): ReadonlySet<string> {
  const written = names.map((name) => (name.includes(':') ? `[${name}]` : name))
  return new Set(written.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])))
}

/** The live page of one host. */
export class Inspector {
  readonly #feed: InspectFeed
  readonly #knobs: Knobs
  readonly #scheduler: Scheduler
  readonly #authorities: ReadonlySet<string>
  readonly #viewers = new Set<Viewer>()
  #timer: ScheduledTask | null = null
  #toldAt = 0

  /** @param authorities the names by which the page may be asked for: see authoritiesOf */
  constructor(opened: InspectedHost, knobs: Knobs, authorities: ReadonlySet<string>) {
    const { host, device, scheduler } = opened
    this.#feed = new InspectFeed(host, controlCalls(host, device, 'serve').sockets as () => SocketRecord[])
    this.#knobs = knobs
    this.#scheduler = scheduler
    this.#authorities = authorities
  }

  /** Whether somebody looks. */
  get isOn(): boolean {
    return this.#feed.isOn
  }

  /** Takes note of a packet, while somebody looks. */
  get onPacket(): PacketObserver {
    return this.#feed.packet
  }

  /** A handler that answers below /.tunstack/ and gives everything else to `next`. */
  handler(next: Handler): Handler {
    return (request, response) => {
      if (!request.path.startsWith(INSPECT_PATH)) return next(request, response)
      response.headers.setAll({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
      if (!this.#authorities.has(request.authority.toLowerCase())) {
        return response.send(
          403,
          {},
          `403: open this page by an address of the server: ${[...this.#authorities].join(', ')}\n`,
        )
      }
      return this.#answer(request, response)
    }
  }

  /** Ends what is open. */
  close(): void {
    for (const viewer of [...this.#viewers]) this.#leave(viewer)
  }

  async #answer(request: ServerRequest, response: ServerResponse): Promise<void> {
    const name = request.path.slice(INSPECT_PATH.length)
    const method = name === 'knobs' ? 'POST' : 'GET'
    if (!NAMES.has(name)) return response.send(404, {}, '404: there is /.tunstack/ with its events, bytes and knobs\n')
    if (request.method !== method && !(request.method === 'HEAD' && name === ''))
      return response.send(405, { Allow: method }, `405: ${method} only\n`)
    if (name === '') {
      return response.send(
        200,
        { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': POLICY },
        inspectPage(),
      )
    }
    if (name === 'events') return this.#watch(request, response)
    if (name === 'bytes') return sendBytes(request, response)
    const { status = 200, headers, body } = await this.#turn(request)
    return response.send(status, headers, body as string)
  }

  async #turn(request: ServerRequest): Promise<PlainResponse> {
    const refuse = (status: number, why: string): PlainResponse => ({ status, body: `${status}: ${why}\n` })
    const { headers, authority } = request
    if (headers.get('origin')?.toLowerCase() !== `http://${authority.toLowerCase()}`)
      return refuse(403, 'knobs are turned by the page itself (Origin)')
    if (!/^application\/json\b/i.test(headers.get('content-type') ?? '')) return refuse(415, 'send application/json')
    try {
      this.#knobs.turn(JSON.parse(await request.text(MAX_KNOBS)))
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError)
        return refuse(400, messageOf(error))
      throw error
    }
    const body = JSON.stringify(this.#knobs.values)
    for (const viewer of this.#viewers) void viewer.response.write(event('knobs', body)).catch(() => undefined)
    return { headers: { 'Content-Type': 'application/json' }, body }
  }

  async #watch({ connection, signal }: ServerRequest, response: ServerResponse): Promise<void> {
    if (this.#viewers.size >= MAX_VIEWERS)
      return response.send(503, { 'Retry-After': '5' }, `503: ${MAX_VIEWERS} pages are open already\n`)
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = connection
    const wasOn = this.#feed.isOn
    this.#feed.start()
    this.#feed.tellAll()
    const id = this.#feed.idOf(localAddress, localPort, remoteAddress, remotePort)
    let done = (): void => undefined
    const over = new Promise<void>((resolve) => {
      done = resolve
    })
    const viewer: Viewer = { id, response, done, skipped: 0, isBusy: false }
    this.#viewers.add(viewer)
    signal.addEventListener('abort', () => this.#leave(viewer), { once: true })
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    const hello = { you: id, version: packageVersion(), knobs: this.#knobs.values }
    void response.write(`retry: 2000\n${event('hello', JSON.stringify(hello))}`).catch(() => undefined)
    if (!wasOn) this.#toldAt = this.#scheduler.now()
    this.#timer ??= this.#scheduler.schedule(this.#scheduler.now(), () => this.#tick())
    await over
    if (!response.ended) await response.end().catch(() => undefined)
  }

  #leave(viewer: Viewer): void {
    this.#viewers.delete(viewer)
    viewer.done()
    if (this.#viewers.size > 0) return
    this.#timer?.cancel()
    this.#timer = null
    this.#feed.stop()
  }

  #tick(): void {
    const now = this.#scheduler.now()
    this.#timer = this.#scheduler.schedule(now + OFTEN, () => this.#tick())
    const own = new Set(Array.from(this.#viewers, ({ id }) => id))
    if (now - this.#toldAt < SELDOM && !this.#feed.hasNews(own)) return
    this.#toldAt = now
    this.#tell(this.#feed.take(now))
  }

  #tell(telling: Telling): void {
    const text = event('telling', JSON.stringify(telling))
    for (const viewer of this.#viewers) {
      if (viewer.isBusy) {
        viewer.skipped++
        continue
      }
      const skipped = viewer.skipped === 0 ? '' : event('skipped', String(viewer.skipped))
      viewer.skipped = 0
      viewer.isBusy = true
      const taken = viewer.response.write(skipped + text)
      taken.then(
        () => {
          viewer.isBusy = false
        },
        () => this.#leave(viewer),
      )
    }
  }
}

/** The inspector of a host whose link can be made bad. */
export function inspectorOf(
  opened: OpenedHost,
  of: Knobbed,
  port: number,
  tcp: ConstructorParameters<typeof Knobs>[1],
): Inspector {
  return new Inspector(opened, new Knobs(of, tcp), authoritiesOf(opened.host.addresses, port))
}

const NAMES: ReadonlySet<string> = new Set(['', 'events', 'bytes', 'knobs'])

/** Nothing from anywhere but this server, and nobody puts the page into a frame, over whose knobs one could be led to click. */
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const event = (name: string, data: string): string => `event: ${name}\ndata: ${data}\n\n`

async function sendBytes(request: ServerRequest, response: ServerResponse): Promise<void> {
  const count = Number(request.params.get('n') ?? '1000000')
  if (!Number.isSafeInteger(count) || count < 1 || count > MAX_BYTES)
    return response.send(400, {}, `400: n is a whole number from 1 to ${MAX_BYTES}\n`)
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': String(count) })
  let left = count
  for (; left > CHUNK.length; left -= CHUNK.length) await response.write(CHUNK.slice())
  return response.end(CHUNK.slice(0, left))
}
