// A pool of connections: each request gets a kept connection, a new one, a place behind others on one, or waits its turn.
// Owns: limits for each origin and in all, the queue and its fairness, which connection a request gets, sending again what a closing
// kept connection has lost. Does not own: one connection (pool-connection.ts, client-connection.ts), the rule of what may be repeated
// (retry.ts), opening streams and tunnels (dial.ts), URLs (client.ts).
// Read first: RFC 9112 §9.3.1 (retries), §9.3.2 (pipelining), §9.4 (concurrency), §9.5 (the idle-close race).
//
//   request -> waiting, in the order of asking -> a connection that is free
//                                              -> a new one, while the origin and the pool may have more
//                                              -> behind others on one that has proven to persist (pipelineDepth)
import type { Micros, ScheduledTask } from '../base/time.ts'
import type { ClientResponse, ConnectionRequest } from './client-message.ts'
import { dialTrace } from './client-timings.ts'
import { openStream } from './dial.ts'
import { HttpError } from './errors.ts'
import { KeptConnection } from './pool-connection.ts'
import {
  type Origin,
  type PoolCounters,
  type PoolEvent,
  type PooledConnection,
  type PoolOptions,
  type PoolSettings,
  poolSettings,
} from './pool-options.ts'
import { canRepeat, isLateTimeout } from './retry.ts'

/** A request that has no connection. */
interface Waiting {
  /** Its place: those that asked earlier go first, on their second try, too. */
  readonly order: number
  readonly request: ConnectionRequest
  readonly resolve: (response: ClientResponse) => void
  readonly reject: (error: unknown) => void
  /** Where it waits. */
  site: Site
  /** Only connections with a higher number are good for it: the others are no younger than the one that was lost. */
  after: number
  repeats: number
  task: ScheduledTask | null
  onAbort: () => void
}

/** A connection being opened. */
interface Attempt {
  readonly control: AbortController
  task: ScheduledTask | null
}

/** All that belongs to one origin. */
interface Site {
  readonly key: string
  readonly origin: Origin
  readonly waiting: Waiting[]
  readonly connections: Set<KeptConnection>
  readonly attempts: Set<Attempt>
}

/** The name of an origin's connections: a plain http origin behind a proxy shares those of the proxy. */
export function originKey({ protocol, host, port, proxy }: Origin): string {
  const own = `${protocol}//${host.includes(':') ? `[${host}]` : host}:${port}`
  if (proxy === null || proxy === undefined) return own
  const through = `${proxy.protocol}//${proxy.host}:${proxy.port} ${proxy.authorization ?? ''}`
  return protocol === 'http:' ? `via ${through}` : `${own} via ${through}`
}

/** Connections to any number of origins. */
export class ConnectionPool {
  /** Counted since the beginning. */
  readonly counters: Readonly<PoolCounters>
  readonly #counters: PoolCounters = {
    connections: 0,
    requests: 0,
    reused: 0,
    pipelined: 0,
    retries: 0,
    evicted: 0,
    failedConnects: 0,
  }
  readonly #settings: PoolSettings
  readonly #sites = new Map<string, Site>()
  #order = 0
  #waiting = 0
  #open = 0
  #lastId = 0
  #closed = false
  #dispatching = false
  #again = false

  /** @throws {RangeError} for an option out of its bounds */
  constructor(options: PoolOptions) {
    this.#settings = poolSettings(options)
    this.counters = this.#counters
  }

  /** Connections that are open, in the order of their numbers. */
  get connections(): PooledConnection[] {
    return [...this.#sites.values()].flatMap((site) => [...site.connections]).sort((a, b) => a.id - b.id)
  }

  /** Requests that wait for a connection. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Sends one request over the connection that suits it best. What a kept connection has lost before any of the answer is sent again,
   * when it is idempotent and its body at hand (RFC 9112 §9.3.1).
   * @param request as it goes on the wire: the target in the form that the origin's proxy wants, Host named
   * @returns the response as soon as its head has come; read or discard its body, which holds the connection
   * @throws {HttpError} (as a rejection) EBUSY when too many wait, ETIMEDOUT, ECONNRESET; {ProtocolError} {TypeError} as
   *   `HttpClientConnection.request`; what `connect` throws
   */
  request(origin: Origin, request: ConnectionRequest): Promise<ClientResponse> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new TypeError('the pool is closed')
      request.signal?.throwIfAborted()
      this.#counters.requests++
      const site = this.#site(origin)
      const waiting: Waiting = {
        order: this.#order++,
        request,
        resolve,
        reject,
        site,
        after: 0,
        repeats: 0,
        task: null,
        onAbort: () => this.#give(waiting, abortReason(request.signal)),
      }
      this.#enqueue(waiting)
      this.#dispatch()
      // What has not found a place by now has to wait, if there is room.
      const { maxWaiting } = this.#settings
      if (!site.waiting.includes(waiting)) return
      if (site.attempts.size < site.waiting.length) this.#note('wait', site, 0, `${site.waiting.length} wait`)
      if (this.#waiting - this.#attempts() > maxWaiting) {
        this.#give(waiting, new HttpError('EBUSY', `more than ${maxWaiting} requests wait`, { sent: false }))
      }
    })
  }

  /** Ends idle connections now and busy ones after their answers; what waits is refused, and so is whatever is asked later. */
  close(): void {
    this.#end((connection) => connection.retire())
  }

  /** Drops every connection at once. */
  destroy(): void {
    this.#end((connection) => connection.destroy())
  }

  #end(how: (connection: KeptConnection) => void): void {
    this.#closed = true
    for (const site of [...this.#sites.values()]) {
      for (const waiting of [...site.waiting]) {
        this.#give(waiting, new HttpError('ECONNABORTED', 'the pool was closed', { sent: false }))
      }
      for (const attempt of [...site.attempts])
        attempt.control.abort(new HttpError('ECONNABORTED', 'the pool was closed'))
      for (const connection of [...site.connections]) how(connection)
    }
  }

  #site(origin: Origin): Site {
    const key = originKey(origin)
    let site = this.#sites.get(key)
    if (site === undefined) {
      site = { key, origin, waiting: [], connections: new Set(), attempts: new Set() }
      this.#sites.set(key, site)
    }
    return site
  }

  #attempts(): number {
    let count = 0
    for (const site of this.#sites.values()) count += Math.min(site.attempts.size, site.waiting.length)
    return count
  }

  // ---- the queue

  #enqueue(waiting: Waiting): void {
    const { site } = waiting
    const behind = site.waiting.findIndex(({ order }) => order > waiting.order)
    if (behind === -1) site.waiting.push(waiting)
    else site.waiting.splice(behind, 0, waiting)
    this.#waiting++
    const { scheduler, waitUs } = this.#settings
    waiting.request.signal?.addEventListener('abort', waiting.onAbort, { once: true })
    if (waitUs === Number.POSITIVE_INFINITY) return
    waiting.task = scheduler.schedule(scheduler.now() + waitUs, () =>
      this.#give(waiting, new HttpError('ETIMEDOUT', 'no connection within the time limit', { sent: false })),
    )
  }

  #dequeue(waiting: Waiting): boolean {
    const { site } = waiting
    const at = site.waiting.indexOf(waiting)
    if (at === -1) return false
    site.waiting.splice(at, 1)
    this.#waiting--
    waiting.task?.cancel()
    waiting.task = null
    waiting.request.signal?.removeEventListener('abort', waiting.onAbort)
    return true
  }

  /** A waiting request has come to nothing. */
  #give(waiting: Waiting, error: unknown): void {
    const { site } = waiting
    if (!this.#dequeue(waiting)) return
    waiting.reject(error)
    this.#dropAttempts(site)
    this.#forget(site)
    this.#dispatch()
  }

  /** Gives up opening connections that nobody waits for any more. */
  #dropAttempts(site: Site): void {
    for (const attempt of [...site.attempts].slice(site.waiting.length)) {
      attempt.control.abort(new HttpError('ECONNABORTED', 'nobody waits for this connection any more', { sent: false }))
    }
  }

  #dispatch(): void {
    this.#again = true
    if (this.#dispatching) return
    this.#dispatching = true
    try {
      while (this.#again) {
        this.#again = false
        // Those who have waited longest first, whatever their origin.
        const sites = [...this.#sites.values()].filter(({ waiting }) => waiting.length > 0)
        sites.sort((a, b) => a.waiting[0].order - b.waiting[0].order)
        for (const site of sites) this.#serve(site)
      }
    } finally {
      this.#dispatching = false
    }
  }

  #serve(site: Site): void {
    let covered = 0
    for (const waiting of [...site.waiting]) {
      const idle = this.#idle(site, waiting)
      if (idle !== null) this.#assign(site, waiting, idle)
      // The first ones get the connections that are being opened, unless another becomes free before.
      else if (covered < site.attempts.size) covered++
      else if (this.#makeRoom(site, waiting)) {
        this.#dial(site)
        covered++
      } else {
        const busy = this.#busy(site, waiting)
        if (busy === null) return
        this.#assign(site, waiting, busy)
      }
    }
  }

  /** The idle connection that was used last. */
  #idle(site: Site, { after }: Waiting): KeptConnection | null {
    const idle = [...site.connections].filter((one) => one.id > after && one.isIdle)
    idle.sort((a, b) => b.idleSince - a.idleSince || b.id - a.id)
    return idle.find((one) => one.check()) ?? null
  }

  /** The connection with the fewest requests under way that the request may be pipelined on. */
  #busy(site: Site, { request, after }: Waiting): KeptConnection | null {
    const busy = [...site.connections].filter((one) => one.id > after && one.canTake(request))
    return busy.sort((a, b) => a.outstanding - b.outstanding || a.id - b.id)[0] ?? null
  }

  #hasRoom(site: Site): boolean {
    const { maxPerOrigin, maxTotal } = this.#settings
    return site.connections.size + site.attempts.size < maxPerOrigin && this.#open < maxTotal
  }

  /** Whether a connection may be opened, if need be in the place of an idle one that is of no use here. */
  #makeRoom(site: Site, { after, order }: Waiting): boolean {
    if (this.#hasRoom(site)) return true
    const { maxPerOrigin } = this.#settings
    const isFull = site.connections.size + site.attempts.size >= maxPerOrigin
    const pool = isFull ? [site] : [...this.#sites.values()]
    const idle = pool.flatMap(({ key, waiting, connections }) =>
      [...connections].filter((one) => {
        if (!one.isIdle) return false
        // Not one that somebody who has waited longer is about to get.
        return key === site.key ? one.id <= after : waiting.length === 0 || waiting[0].order > order
      }),
    )
    const oldest = idle.sort((a, b) => a.idleSince - b.idleSince || a.id - b.id)[0]
    if (oldest === undefined) return false
    this.#counters.evicted++
    this.#note('evict', site, oldest.id, 'makes room')
    oldest.retire()
    return this.#hasRoom(site)
  }

  // ---- connections

  #dial(site: Site): void {
    const { scheduler, connectUs } = this.#settings
    const attempt: Attempt = { control: new AbortController(), task: null }
    site.attempts.add(attempt)
    this.#open++
    this.#note('dial', site, 0, '')
    if (connectUs !== Number.POSITIVE_INFINITY) {
      attempt.task = scheduler.schedule(scheduler.now() + connectUs, () =>
        attempt.control.abort(new HttpError('ETIMEDOUT', 'connecting took too long', { sent: false })),
      )
    }
    const dial = dialTrace(scheduler.now())
    openStream(site.origin, { ...this.#settings, signal: attempt.control.signal, dial }).then(
      (stream) => {
        dial.endAt = scheduler.now()
        attempt.task?.cancel()
        site.attempts.delete(attempt)
        this.#counters.connections++
        const connection = new KeptConnection(++this.#lastId, site.key, stream, dial, this.#settings, {
          onFree: () => this.#dispatch(),
          onGone: (one) => this.#gone(site, one),
        })
        site.connections.add(connection)
        this.#note('open', site, connection.id, `${dial.remoteAddress} ${dial.remotePort}`)
        if (this.#closed) connection.destroy()
        this.#dispatch()
      },
      (error: unknown) => {
        attempt.task?.cancel()
        site.attempts.delete(attempt)
        this.#open--
        this.#counters.failedConnects++
        this.#note('fail', site, 0, error instanceof Error ? error.message : String(error))
        // The one that has waited longest hears of it, unless enough other attempts go on for all.
        const first = site.waiting[0]
        if (first !== undefined && site.attempts.size < site.waiting.length) this.#give(first, error)
        this.#forget(site)
        this.#dispatch()
      },
    )
  }

  #gone(site: Site, connection: KeptConnection): void {
    if (!site.connections.delete(connection)) return
    this.#open--
    this.#note('close', site, connection.id, `after ${connection.requests} requests`)
    this.#forget(site)
    this.#dispatch()
  }

  #forget(site: Site): void {
    const { waiting, connections, attempts } = site
    if (waiting.length + connections.size + attempts.size === 0) this.#sites.delete(site.key)
  }

  #assign(site: Site, waiting: Waiting, connection: KeptConnection): void {
    this.#dequeue(waiting)
    const wasReused = connection.isProven
    if (connection.requests > 0) this.#counters.reused++
    if (connection.outstanding > 0) this.#counters.pipelined++
    const { method = 'GET', target } = waiting.request
    this.#note('assign', site, connection.id, `${method} ${target}`)
    connection.send(waiting.request).then(
      (response) => {
        if (isLateTimeout(response.status, waiting.request, wasReused) && this.#repeat(waiting)) {
          void response.discard().catch(() => undefined)
        } else waiting.resolve(response)
      },
      (error: unknown) => {
        this.#note('fail', site, connection.id, error instanceof Error ? error.message : String(error))
        if (!canRepeat(error, waiting.request, wasReused) || !this.#repeat(waiting)) waiting.reject(error)
      },
    )
  }

  /** Puts a request back in its place, for a connection that is not open yet. @returns whether it may have another try */
  #repeat(waiting: Waiting): boolean {
    if (waiting.repeats >= this.#settings.maxRepeats || this.#closed || waiting.request.signal?.aborted) return false
    waiting.repeats++
    waiting.after = this.#lastId
    this.#counters.retries++
    // Its origin may have been forgotten with the lost connection, and have come back with another request.
    waiting.site = this.#site(waiting.site.origin)
    this.#note('repeat', waiting.site, 0, `${waiting.request.method ?? 'GET'} ${waiting.request.target}`)
    this.#enqueue(waiting)
    this.#dispatch()
    return true
  }

  #note(type: PoolEvent['type'], site: Site, id: number, detail: string): void {
    const at: Micros = this.#settings.scheduler.now()
    this.#settings.onEvent({ type, at, origin: site.key, id, detail })
  }
}

function abortReason(signal: AbortSignal | undefined): unknown {
  return signal?.reason ?? new HttpError('ECONNABORTED', 'aborted')
}
