// An HTTP client: takes URLs, sends requests through a pool of connections, follows redirects when asked to.
// Owns: what a URL means for a request (origin, target, Host), proxies, redirects, decoding bodies, the hook for cookies, the time limit of
// a whole fetch. Does not own: connections (pool.ts), opening streams (the `connect` function), cookies themselves, codings (`decoders`).
// Read first: RFC 9110 §4.2 (http URIs), §7.1 (the target), §8.4 (content codings), §15.4 (redirects); RFC 9112 §3.2 (request target).
import type { Micros } from '../base/time.ts'
import type { BodySource } from './body.ts'
import type { ClientResponse, ConnectionRequest, ExchangeHooks } from './client-message.ts'
import { isDirect, type ProxyOptions, parseProxy } from './client-proxy.ts'
import { type BodyDecoder, checkExpansion, decodeResponse } from './decode.ts'
import { HttpError, remoteError } from './errors.ts'
import type { HttpVersion } from './events.ts'
import { HeaderList, type HeadersInit } from './headers.ts'
import { ConnectionPool } from './pool.ts'
import type { Origin, PoolCounters, PooledConnection, PoolOptions, ProxyServer } from './pool-options.ts'
import { redirectedHeaders, redirectStep } from './redirect.ts'
import { isReplayable } from './retry.ts'

/** Cookies are a library's (tough-cookie has both calls): this is what is asked of it. */
export interface CookieStore {
  /** The value of Cookie for a URL; `''` for none. */
  getCookieString(url: string): string | Promise<string>
  /** One Set-Cookie line of an answer from a URL. */
  setCookie(line: string, url: string): unknown
}

/** Options of a client; those of its pool among them. */
export interface HttpClientOptions extends PoolOptions {
  /** Value of User-Agent for requests that do not name one. */
  readonly userAgent?: string
  /** The proxy; none unless given. */
  readonly proxy?: ProxyOptions | null
  /** Content codings that are taken off answers, by name; Accept-Encoding then names them unless a request does. None unless given. */
  readonly decoders?: Readonly<Record<string, BodyDecoder>>
  /** How many times larger than what came an answer may become by its codings, beyond 16 MiB. 1100. */
  readonly maxExpansion?: number
  readonly cookies?: CookieStore
}

/** What to ask of a URL. */
export interface FetchOptions {
  readonly method?: string
  readonly headers?: HeadersInit
  readonly body?: BodySource
  /** Fields behind a chunked body. */
  readonly trailers?: () => HeaderList
  readonly signal?: AbortSignal
  readonly expectContinue?: boolean
  readonly httpVersion?: HttpVersion
  readonly hooks?: ExchangeHooks
  /** Redirects to follow; one more is an error. 0, the default: a redirect is an answer like any other. */
  readonly maxRedirects?: number
  /** Limit for the whole of it, to the last byte of the body. `Infinity` unless given. */
  readonly totalUs?: Micros
}

/** Counters of a client. */
export type ClientCounters = PoolCounters

/** Fetches http (and, where `connect` brings TLS, https) URLs. */
export class HttpClient {
  /** Counted since the beginning. */
  readonly counters: Readonly<ClientCounters>
  /** The connections. */
  readonly pool: ConnectionPool
  readonly #options: HttpClientOptions
  readonly #proxy: ProxyServer | null
  readonly #maxExpansion: number
  #closed = false

  /** @throws {RangeError} {TypeError} for an option out of its bounds, a proxy that is none */
  constructor(options: HttpClientOptions) {
    this.#options = options
    this.#maxExpansion = checkExpansion(options.maxExpansion)
    this.pool = new ConnectionPool(options)
    this.counters = this.pool.counters
    const { proxy = null } = options
    this.#proxy = proxy === null ? null : parseProxy(proxy.url)
  }

  /** The connections that are open. */
  get connections(): PooledConnection[] {
    return this.pool.connections
  }

  /**
   * Sends one request, and those that redirects ask for when `maxRedirects` lets it.
   * @returns the response as soon as its head has come; read or discard its body, which holds the connection
   * @throws {TypeError} (as a rejection) for a URL that is not http or https, or that holds a user name
   * @throws {HttpError} {ProtocolError} (as rejections) as `ConnectionPool.request`, and what `connect` throws
   */
  async fetch(url: string | URL, options: FetchOptions = {}): Promise<ClientResponse> {
    if (this.#closed) throw new TypeError('the client is closed')
    const limit = this.#limit(options)
    try {
      const response = await this.#follow(new URL(url), { ...options, signal: limit.signal })
      limit.end(response)
      return response
    } catch (error) {
      limit.end(null)
      throw error
    }
  }

  /** Ends idle connections now and busy ones after their answer; later fetches are refused. */
  close(): void {
    this.#closed = true
    this.pool.close()
  }

  /** Drops every connection at once. */
  destroy(): void {
    this.#closed = true
    this.pool.destroy()
  }

  async #follow(first: URL, options: FetchOptions): Promise<ClientResponse> {
    const { maxRedirects = 0, body } = options
    const headers = new HeaderList(options.headers)
    let hop = { url: first, method: options.method ?? 'GET', headers, body }
    for (let redirects = 0; ; redirects++) {
      const response = await this.#send(hop.url, { ...options, ...hop })
      const step = maxRedirects > 0 ? redirectStep(response.status, response.headers, hop.url, hop.method) : null
      response.url = hop.url.href
      response.redirects = redirects
      if (step === null) {
        if (this.#options.decoders !== undefined)
          decodeResponse(response, hop.method, this.#options.decoders, this.#maxExpansion)
        return response
      }
      if (redirects >= maxRedirects) throw remoteError(502, 'bad-target', `more than ${maxRedirects} redirects`)
      if (step.keepsBody && !isReplayable(hop.body)) {
        throw remoteError(502, 'bad-target', 'a redirect that wants a body again which has gone by')
      }
      await response.discard()
      const { url, method, keepsBody } = step
      hop = { url, method, headers: redirectedHeaders(hop.headers, step), body: keepsBody ? hop.body : undefined }
    }
  }

  async #send(url: URL, options: FetchOptions): Promise<ClientResponse> {
    const { origin, request } = this.#prepare(url, options)
    const { cookies } = this.#options
    const headers = request.headers as HeaderList
    if (cookies !== undefined && !headers.has('cookie')) {
      const value = await cookies.getCookieString(url.href)
      if (value !== '') headers.append('Cookie', value)
    }
    let response = await this.pool.request(origin, request)
    if (response.status === 417 && request.expectContinue === true && isReplayable(request.body)) {
      // RFC 9110 §10.1.1: a server that knows no expectations gets the request without.
      await response.discard()
      response = await this.pool.request(origin, { ...request, expectContinue: false })
    }
    if (cookies !== undefined) {
      for (const line of response.headers.getAll('set-cookie')) await cookies.setCookie(line, url.href)
    }
    return response
  }

  #prepare(url: URL, options: FetchOptions): { origin: Origin; request: ConnectionRequest } {
    const { protocol } = url
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is not http: or https:`)
    // RFC 9110 §4.2.4: user information does not belong in an http URI.
    if (url.username !== '' || url.password !== '') {
      throw new TypeError('a user name in a URL is not sent; use an Authorization header')
    }
    const { method, body, trailers, signal, expectContinue, httpVersion, hooks } = options
    const port = url.port === '' ? (protocol === 'http:' ? 80 : 443) : Number(url.port)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const proxy = this.#proxyFor(host, port)
    const headers = new HeaderList(options.headers)
    if (!headers.has('host')) headers.append('Host', url.host)
    const { userAgent, decoders } = this.#options
    if (userAgent !== undefined) headers.setDefault('User-Agent', userAgent)
    const codings = Object.keys(decoders ?? {})
    if (codings.length > 0) headers.setDefault('Accept-Encoding', codings.join(', '))
    let target = url.pathname + url.search
    if (proxy !== null && protocol === 'http:') {
      // RFC 9112 §3.2.2: a proxy gets the absolute form.
      target = `http://${url.host}${target}`
      if (proxy.authorization !== null) headers.setDefault('Proxy-Authorization', proxy.authorization)
    }
    const request = { method, target, headers, body, trailers, signal, expectContinue, httpVersion, hooks }
    return { origin: { protocol, host, port, proxy }, request }
  }

  #proxyFor(host: string, port: number): ProxyServer | null {
    if (this.#proxy === null || isDirect(host, port, this.#options.proxy?.noProxy ?? [])) return null
    return this.#proxy
  }

  /** Joins the caller's signal with the time limit, which lasts until the body has ended. */
  #limit({ signal, totalUs = Number.POSITIVE_INFINITY }: FetchOptions): {
    signal: AbortSignal | undefined
    end(response: ClientResponse | null): void
  } {
    if (totalUs === Number.POSITIVE_INFINITY) return { signal, end: () => undefined }
    const { scheduler } = this.#options
    const control = new AbortController()
    const abort = (): void => control.abort(signal?.reason)
    const task = scheduler.schedule(scheduler.now() + totalUs, () =>
      control.abort(new HttpError('ETIMEDOUT', 'the time limit for the whole fetch has passed')),
    )
    const over = (): void => {
      task.cancel()
      signal?.removeEventListener('abort', abort)
    }
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    const end = (response: ClientResponse | null): void => {
      if (response === null) over()
      else void response.ended.then(over)
    }
    return { signal: control.signal, end }
  }
}
