// A small HTTP client: takes URLs, opens connections through a function it is given, keeps one idle connection for each
// origin.
// Owns: choosing between a kept and a new connection, repeating what a closing kept connection has lost. Does not own:
// one connection's life (client-connection.ts), opening streams, redirects, cookies. Pools and proxies have their place
// beside it.
// Read first: RFC 9112 §9.3.1 (retrying requests), §9.5 (the idle-close race), RFC 9110 §4.2 (http URIs), §9.2.2
// (idempotent).
import { type Micros, type ScheduledTask, type Scheduler, SECOND } from '../base/time.ts'
import type { BodySource } from './body.ts'
import { HttpClientConnection } from './client-connection.ts'
import type { ClientResponse, ConnectionRequest, ExchangeHooks } from './client-message.ts'
import type { ClientTimeouts } from './client-options.ts'
import { HttpError } from './errors.ts'
import type { HttpVersion } from './events.ts'
import { HeaderList, type HeadersInit } from './headers.ts'
import type { HttpLimits } from './limits.ts'
import { isIdempotent } from './status.ts'
import type { ByteStream } from './stream.ts'

/** Where a URL's server is. */
export interface Origin {
  readonly protocol: 'http:' | 'https:'
  /** Host name or address, an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
}

/** Opens a stream to an origin; with TLS already on it for `https:`. Should end when `signal` aborts. */
export type Connect = (origin: Origin, options: { readonly signal?: AbortSignal }) => Promise<ByteStream>

/** Options of a client. */
export interface HttpClientOptions {
  readonly connect: Connect
  readonly scheduler: Scheduler
  readonly limits?: Partial<HttpLimits>
  readonly timeouts?: Partial<ClientTimeouts>
  /**
   * How long a connection is kept idle; a shorter `Keep-Alive: timeout=` of the server is obeyed. 4 s; 0 keeps none.
   */
  readonly keepAliveUs?: Micros
  /** Value of User-Agent for requests that do not name one. */
  readonly userAgent?: string
}

/** What to ask of a URL. */
export interface FetchOptions {
  readonly method?: string
  readonly headers?: HeadersInit
  readonly body?: BodySource
  readonly signal?: AbortSignal
  readonly expectContinue?: boolean
  readonly httpVersion?: HttpVersion
  readonly hooks?: ExchangeHooks
}

/** Counters of a client. */
export interface ClientCounters {
  /** Connections opened. */
  connections: number
  requests: number
  /** Requests that went over a kept connection. */
  reused: number
  /** Requests sent again because a kept connection had closed under them. */
  retries: number
}

interface Kept {
  readonly connection: HttpClientConnection
  /** What the server last said of how long it waits. */
  hintUs: Micros
  /** Requests that the server said it will still take. */
  hintRequests: number
  timer: ScheduledTask | null
}

/** Fetches http (and, where `connect` brings TLS, https) URLs. */
export class HttpClient {
  /** Counted since the beginning. */
  readonly counters: Readonly<ClientCounters>
  readonly #counters: ClientCounters = { connections: 0, requests: 0, reused: 0, retries: 0 }
  readonly #options: HttpClientOptions
  readonly #keepAliveUs: Micros
  readonly #idle = new Map<string, Kept>()
  readonly #open = new Set<Kept>()
  #closed = false

  /** @throws {RangeError} when `keepAliveUs` is below 0 */
  constructor(options: HttpClientOptions) {
    this.#options = options
    this.#keepAliveUs = options.keepAliveUs ?? 4 * SECOND
    if (!(this.#keepAliveUs >= 0)) throw new RangeError(`keepAliveUs is ${this.#keepAliveUs}; give microseconds >= 0`)
    this.counters = this.#counters
  }

  /**
   * Sends one request, over the kept connection to its origin or a new one. A kept connection that closes before a byte
   * of the answer is replaced once, for an idempotent method whose body can be sent again (RFC 9112 §9.3.1).
   * @returns the response as soon as its head has come; read or discard its body, which holds the connection
   * @throws {TypeError} (as a rejection) for a URL that is not http or https, or that holds a user name
   * @throws {HttpError} {ProtocolError} (as rejections) as `HttpClientConnection.request`, and what `connect` throws
   */
  async fetch(url: string | URL, options: FetchOptions = {}): Promise<ClientResponse> {
    if (this.#closed) throw new TypeError('the client is closed')
    const { origin, key, request } = this.#prepare(url, options)
    this.#counters.requests++
    const kept = this.#take(key)
    if (kept !== null) {
      this.#counters.reused++
      try {
        return await kept.connection.request(request)
      } catch (error) {
        if (!canRepeat(error, request)) throw error
        this.#counters.retries++
      }
    }
    const fresh = await this.#connect(origin, key, options.signal)
    return fresh.connection.request(request)
  }

  /** Ends idle connections now and busy ones after their answer; later fetches are refused. */
  close(): void {
    this.#closed = true
    for (const kept of this.#open) kept.connection.close()
  }

  /** Drops every connection at once. */
  destroy(): void {
    this.#closed = true
    for (const kept of this.#open) kept.connection.destroy()
  }

  #prepare(url: string | URL, options: FetchOptions): { origin: Origin; key: string; request: ConnectionRequest } {
    const parsed = new URL(url)
    const { protocol } = parsed
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is not http: or https:`)
    // RFC 9110 §4.2.4: user information does not belong in an http URI.
    if (parsed.username !== '' || parsed.password !== '') {
      throw new TypeError('a user name in a URL is not sent; use an Authorization header')
    }
    const port = parsed.port === '' ? (protocol === 'http:' ? 80 : 443) : Number(parsed.port)
    const headers = new HeaderList(options.headers)
    if (!headers.has('host')) headers.append('Host', parsed.host)
    if (this.#options.userAgent !== undefined) headers.setDefault('User-Agent', this.#options.userAgent)
    const origin: Origin = { protocol, host: parsed.hostname.replace(/^\[|\]$/g, ''), port }
    const request: ConnectionRequest = { ...options, headers, target: parsed.pathname + parsed.search }
    return { origin, key: `${protocol}//${parsed.hostname}:${port}`, request }
  }

  async #connect(origin: Origin, key: string, signal: AbortSignal | undefined): Promise<Kept> {
    const stream = await this.#options.connect(origin, { signal })
    this.#counters.connections++
    const { scheduler, limits, timeouts } = this.#options
    const connection = new HttpClientConnection(stream, {
      scheduler,
      limits,
      timeouts,
      onIdle: (last) => this.#keep(kept, key, last),
    })
    const kept: Kept = { connection, hintUs: Infinity, hintRequests: Infinity, timer: null }
    this.#open.add(kept)
    void connection.closed.then(() => this.#forget(kept, key))
    return kept
  }

  #take(key: string): Kept | null {
    const kept = this.#idle.get(key)
    if (kept === undefined) return null
    this.#idle.delete(key)
    kept.timer?.cancel()
    kept.timer = null
    return kept.connection.reusable ? kept : null
  }

  #keep(kept: Kept, key: string, last: ClientResponse): void {
    readKeepAlive(kept, last.headers.get('keep-alive'))
    // A second (of a short time, half) less than the server waits, so that a request seldom meets its close.
    const hintUs = kept.hintUs === Infinity ? Infinity : kept.hintUs - Math.min(SECOND, kept.hintUs / 2)
    const forUs = Math.min(this.#keepAliveUs, hintUs)
    if (this.#closed || forUs <= 0 || kept.hintRequests === 0 || this.#idle.has(key)) {
      kept.connection.close()
      return
    }
    this.#idle.set(key, kept)
    if (forUs === Infinity) return
    const { scheduler } = this.#options
    kept.timer = scheduler.schedule(scheduler.now() + forUs, () => {
      if (this.#idle.get(key) === kept) this.#idle.delete(key)
      kept.connection.close()
    })
  }

  #forget(kept: Kept, key: string): void {
    kept.timer?.cancel()
    this.#open.delete(kept)
    if (this.#idle.get(key) === kept) this.#idle.delete(key)
  }
}

// RFC 9112 §9.3.1: not unless it is idempotent, or known not to have been sent; and a body that has gone by is gone.
function canRepeat(error: unknown, request: ConnectionRequest): boolean {
  if (!(error instanceof HttpError) || error.code !== 'ECONNRESET' || error.answered) return false
  const { body } = request
  const replayable = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  return !error.sent || (replayable && isIdempotent(request.method ?? 'GET'))
}

function readKeepAlive(kept: Kept, value: string | null): void {
  if (value === null) return
  const timeout = /(?:^|[,\s])timeout\s*=\s*"?([0-9]{1,9})/i.exec(value)
  const max = /(?:^|[,\s])max\s*=\s*"?([0-9]{1,9})/i.exec(value)
  if (timeout !== null) kept.hintUs = Number(timeout[1]) * SECOND
  if (max !== null) kept.hintRequests = Number(max[1])
}
