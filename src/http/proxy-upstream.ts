// A proxy's connections to servers: kept, counted, limited.
// Owns: which connection a request takes, the limit for each server (2N), retries on a new connection, what is known of a server's version.
// Does not own: fields (proxy-fields.ts), one connection's life (client-connection.ts), opening streams (the `connect` it is given).
// Read first: RFC 9112 §9.3.1 (retries), §9.4 (concurrency), §6.1 (no chunked to HTTP/1.0); RFC 2616 §8.1.4 (2N).
import { type Micros, type ScheduledTask, SECOND } from '../base/time.ts'
import { gatherBytes } from './body.ts'
import { HttpClientConnection } from './client-connection.ts'
import type { ClientResponse, ConnectionRequest } from './client-message.ts'
import { HttpError, ProtocolError, remoteError } from './errors.ts'
import type { HttpVersion } from './events.ts'
import { HeaderList } from './headers.ts'
import type { HopRequest } from './hop.ts'
import type { Origin } from './pool-options.ts'
import { connectFailure, exchangeFailure } from './proxy-errors.ts'
import type { ProxyContext } from './proxy-options.ts'
import { isIdempotent } from './status.ts'
import type { ByteStream } from './stream.ts'

interface Line {
  readonly connection: HttpClientConnection
  busy: boolean
  idle: ScheduledTask | null
}

interface Site {
  readonly origin: Origin
  readonly lines: Set<Line>
  opening: number
  /** Requests that wait for a connection. */
  readonly waiters: (() => void)[]
  /** The version of its last answer; null before the first. */
  version: HttpVersion | null
}

/** All connections of a proxy to servers. */
export class Upstream {
  readonly #context: ProxyContext
  readonly #sites = new Map<string, Site>()
  #closed = false

  constructor(context: ProxyContext) {
    this.#context = context
  }

  /** Connections open now, or being opened. */
  get connectionCount(): number {
    let count = 0
    for (const { lines, opening } of this.#sites.values()) count += lines.size + opening
    return count
  }

  /**
   * Sends a request over a kept or a new connection.
   * @returns the response as soon as its head has come
   * @throws {UpstreamError} when the server cannot be reached or does not answer well
   * @throws {ProtocolError} 411 for a body without a length that an HTTP/1.0 server cannot take
   */
  async send(origin: Origin, request: HopRequest, target: string): Promise<ClientResponse> {
    const site = this.#site(origin)
    const wire = await this.#prepare(request, target, site)
    for (let attempt = 0; ; attempt++) {
      const { line, reused } = await this.#acquire(site, request.signal, attempt > 0)
      if (reused) this.#context.counters.reused++
      try {
        const response = await line.connection.request(wire)
        site.version = response.httpVersion
        return response
      } catch (error) {
        // What could not even be written leaves the connection as it was, and nobody else would take it.
        if (!line.connection.busy) line.connection.close()
        // RFC 9112 §9.3.1: a kept connection that closed under a request; once, and only what may be repeated.
        if (attempt > 0 || !reused || !mayRepeat(error, request)) throw exchangeFailure(error)
        this.#context.counters.retries++
      }
    }
  }

  /**
   * Opens a connection of its own, for a tunnel.
   * @throws {UpstreamError} when the server cannot be reached
   */
  async open(origin: Origin, signal: AbortSignal | undefined): Promise<ByteStream> {
    const { scheduler, connect } = this.#context.options
    const { connectUs } = this.#context.timeouts
    const abort = new AbortController()
    const onAbort = (): void => abort.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const late = new HttpError('ETIMEDOUT', 'connecting took too long', { sent: false })
    const task =
      connectUs === Infinity ? null : scheduler.schedule(scheduler.now() + connectUs, () => abort.abort(late))
    const aborted = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true })
    })
    const opened = connect(origin, { signal: abort.signal })
    try {
      if (signal?.aborted) throw signal.reason
      const stream = await Promise.race([opened, aborted])
      this.#context.counters.connections++
      return stream
    } catch (error) {
      // A stream that comes when nobody wants it any more.
      opened.then(
        (stream) => {
          stream.on('error', () => undefined)
          stream.destroy()
        },
        () => undefined,
      )
      throw connectFailure(error)
    } finally {
      task?.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Ends idle connections now and busy ones after their answer. */
  close(): void {
    this.#closed = true
    for (const { lines } of this.#sites.values()) for (const { connection } of lines) connection.close()
  }

  /** Drops every connection at once. */
  destroy(): void {
    this.#closed = true
    for (const { lines } of this.#sites.values()) for (const { connection } of lines) connection.destroy()
  }

  #site(origin: Origin): Site {
    const key = `${origin.protocol}//${origin.host} ${origin.port}`
    let site = this.#sites.get(key)
    if (site === undefined) {
      site = { origin, lines: new Set(), opening: 0, waiters: [], version: null }
      this.#sites.set(key, site)
    }
    return site
  }

  async #prepare(request: HopRequest, target: string, site: Site): Promise<ConnectionRequest> {
    const { method, headers, signal, onInformational } = request
    const hooks = onInformational === undefined ? {} : { onInformational }
    let body: AsyncIterable<Uint8Array> | Uint8Array | undefined = request.body ?? undefined
    // RFC 9112 §6.1: an HTTP/1.0 server is not sent chunks; it needs to know the length before.
    if (request.body !== null && site.version === '1.0' && !headers.has('content-length')) {
      try {
        body = await gatherBytes(request.body, this.#context.gatherBytes)
      } catch (error) {
        if (!(error instanceof ProtocolError && error.status === 413)) throw error
        throw remoteError(411, 'body-length', 'the server needs to know the length of the body first')
      }
    }
    const trailers = (): HeaderList => request.trailers?.() ?? new HeaderList()
    return {
      method,
      target,
      headers,
      hooks,
      trailers,
      ...(body && { body }),
      ...(signal && { signal }),
    } as ConnectionRequest
  }

  // ---- connections

  async #acquire(
    site: Site,
    signal: AbortSignal | undefined,
    fresh: boolean,
  ): Promise<{ line: Line; reused: boolean }> {
    for (;;) {
      const kept = fresh ? undefined : [...site.lines].find((line) => !line.busy && line.connection.reusable)
      if (kept !== undefined) {
        kept.busy = true
        kept.idle?.cancel()
        kept.idle = null
        return { line: kept, reused: true }
      }
      const most = this.#context.connectionsPerUser * Math.max(1, this.#context.users())
      if (site.lines.size + site.opening < most || fresh) return { line: await this.#open(site, signal), reused: false }
      await this.#wait(site, signal)
    }
  }

  async #open(site: Site, signal: AbortSignal | undefined): Promise<Line> {
    site.opening++
    let stream: ByteStream
    try {
      stream = await this.open(site.origin, signal)
    } finally {
      site.opening--
    }
    const { scheduler, limits, serverTimeouts } = this.#context.options
    const { bodyBytes: _b, drainBytes: _d, pipelineBytes: _p, requestsPerConnection: _r, ...http } = limits ?? {}
    const connection = new HttpClientConnection(stream, {
      scheduler,
      limits: http,
      ...(serverTimeouts && { timeouts: serverTimeouts }),
      onIdle: (last) => this.#idle(site, line, last),
      // Ending, lost, or handed over after a switch of protocols: it takes no more requests.
      onEnding: () => this.#gone(site, line),
    })
    const line: Line = { connection, busy: true, idle: null }
    site.lines.add(line)
    void connection.closed.then(() => this.#gone(site, line))
    return line
  }

  #idle(site: Site, line: Line, last: ClientResponse): void {
    line.busy = false
    const keptUs = keptFor(last.headers, this.#context.timeouts.keepAliveUs)
    if (this.#closed || keptUs <= 0) {
      line.connection.close()
      return
    }
    const { scheduler } = this.#context.options
    line.idle?.cancel()
    line.idle = scheduler.schedule(scheduler.now() + keptUs, () => line.connection.close())
    site.waiters.shift()?.()
  }

  #gone(site: Site, line: Line): void {
    line.idle?.cancel()
    if (site.lines.delete(line)) site.waiters.shift()?.()
  }

  #wait(site: Site, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        const at = site.waiters.indexOf(go)
        if (at !== -1) site.waiters.splice(at, 1)
        reject(connectFailure(signal?.reason))
      }
      const go = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      if (signal?.aborted) return stop()
      signal?.addEventListener('abort', stop, { once: true })
      site.waiters.push(go)
    })
  }
}

// RFC 9112 §9.3.1: known not to have been sent; or idempotent, and without a body that has gone by.
function mayRepeat(error: unknown, request: HopRequest): boolean {
  if (!(error instanceof HttpError) || error.code !== 'ECONNRESET' || error.answered) return false
  return request.body === null && (!error.sent || isIdempotent(request.method))
}

// A second (of a short time, half) less than the server waits, so that a request seldom meets its close.
function keptFor(headers: HeaderList, ownUs: Micros): Micros {
  const value = headers.get('keep-alive') ?? ''
  if (/(?:^|[,\s])max\s*=\s*"?0+(?:\D|$)/i.test(value)) return 0
  const timeout = /(?:^|[,\s])timeout\s*=\s*"?([0-9]{1,9})/i.exec(value)
  if (timeout === null) return ownUs
  const hintUs = Number(timeout[1]) * SECOND
  return Math.min(ownUs, hintUs - Math.min(SECOND, hintUs / 2))
}
