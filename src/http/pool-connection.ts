// A connection in a pool: what its server has said of how long it waits and how much it takes.
// Owns: Keep-Alive hints, the idle timer, the record that the pool keeps. Does not own: choosing (pool.ts), HTTP
// (client-connection.ts).
// Read first: RFC 9112 §9.5 (the idle-close race), RFC 2068 §19.7.1.1 (the Keep-Alive header).
import { type Micros, type ScheduledTask, SECOND } from '../base/time.ts'
import { HttpClientConnection } from './client-connection.ts'
import type { ClientResponse, ConnectionRequest } from './client-message.ts'
import type { ConnectionUse, DialTrace } from './client-timings.ts'
import { HeaderList } from './headers.ts'
import type { PooledConnection, PoolSettings } from './pool-options.ts'
import type { ByteStream } from './stream.ts'

/** What a connection tells its pool. */
export interface PoolHooks {
  /** It can take another request, or more of them. */
  onFree(connection: KeptConnection): void
  /** It takes no more requests; what is under way may go on. */
  onGone(connection: KeptConnection): void
}

/** One open connection of a pool. */
export class KeptConnection implements PooledConnection {
  readonly id: number
  readonly origin: string
  readonly openedAt: Micros
  readonly dial: DialTrace
  readonly http: HttpClientConnection
  readonly #stream: ByteStream
  readonly #settings: PoolSettings
  readonly #hooks: PoolHooks
  /** When the last answer ended. */
  idleSince: Micros
  /** What the server last said of how long it waits. */
  #hintUs: Micros = Number.POSITIVE_INFINITY
  /** Requests that may still be sent, by what the server said and by our own limit. */
  #left: number
  #idleTask: ScheduledTask | null = null
  #isGone = false

  constructor(
    id: number,
    origin: string,
    stream: ByteStream,
    dial: DialTrace,
    settings: PoolSettings,
    hooks: PoolHooks,
  ) {
    const { scheduler, limits, lenient, timeouts, pipelineDepth } = settings
    this.id = id
    this.origin = origin
    this.dial = dial
    this.#stream = stream
    this.#settings = settings
    this.#hooks = hooks
    this.#left = settings.maxRequests
    this.openedAt = this.idleSince = scheduler.now()
    this.http = new HttpClientConnection(stream, {
      scheduler,
      limits,
      lenient,
      timeouts,
      pipelineDepth,
      onFinished: (last) => this.#finished(last),
      onEnding: () => this.#gone(),
    })
  }

  get requests(): number {
    return this.http.requests
  }

  get outstanding(): number {
    return this.http.outstanding
  }

  /** Whether an answer has come over it, so that a silent close may be no more than its idle timeout. */
  get isProven(): boolean {
    return this.http.answers > 0
  }

  /** Whether it is open, nothing is under way, and the server takes more. */
  get isIdle(): boolean {
    return !this.#isGone && this.#left > 0 && !this.http.busy && this.http.reusable
  }

  /** Whether this request may be pipelined on it now. */
  canTake(request: ConnectionRequest): boolean {
    // The last one says close, so it goes alone.
    return !this.#isGone && this.http.busy && this.#left > 1 && this.http.canTake(request)
  }

  /** A last look before use: the stream may have ended without anybody having been told yet. @returns whether it is still good */
  check(): boolean {
    if (this.http.reusable && this.#settings.isLive(this.#stream)) return true
    this.retire()
    return false
  }

  /** Sends a request. Rejects as HttpClientConnection.request. */
  async send(request: ConnectionRequest): Promise<ClientResponse> {
    this.#idleTask?.cancel()
    this.#idleTask = null
    this.#left--
    const { outstanding } = this.http
    const number = this.http.requests + 1
    const use: ConnectionUse = { id: this.id, reused: number > 1, request: number, ahead: outstanding, dial: this.dial }
    request.hooks?.onConnection?.(use)
    const isLast = this.#left <= 0 && this.#settings.maxRequests !== Number.POSITIVE_INFINITY
    const response = await this.http.request(isLast ? closing(request) : request)
    response.connection = use
    return response
  }

  /** Takes no more requests; ends when what is under way has been answered. */
  retire(): void {
    this.http.close()
    this.#gone()
  }

  /** Drops it at once. */
  destroy(): void {
    this.http.destroy()
    this.#gone()
  }

  #gone(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#idleTask?.cancel()
    this.#hooks.onGone(this)
  }

  #finished(last: ClientResponse): void {
    if (this.#isGone) return
    this.#readHints(last)
    const { scheduler, keepAliveUs, keepAliveMarginUs } = this.#settings
    const hint =
      this.#hintUs === Number.POSITIVE_INFINITY ? this.#hintUs : this.#hintUs - this.#margin(keepAliveMarginUs)
    const forUs = Math.min(keepAliveUs, hint)
    this.idleSince = scheduler.now()
    if (this.#left <= 0) {
      this.retire()
      return
    }
    this.#hooks.onFree(this)
    if (this.http.busy || this.#isGone) return
    if (forUs <= 0) this.retire()
    else if (forUs !== Number.POSITIVE_INFINITY) {
      this.#idleTask?.cancel()
      this.#idleTask = scheduler.schedule(scheduler.now() + forUs, () => this.retire())
    }
  }

  // Less than the server waits, so that a request seldom meets its close; of a short time, half.
  #margin(marginUs: Micros): Micros {
    return Math.min(marginUs, this.#hintUs / 2)
  }

  #readHints(last: ClientResponse): void {
    const value = last.headers.get('keep-alive')
    if (value === null) return
    const timeout = /(?:^|[,\s])timeout\s*=\s*"?([0-9]{1,9})/i.exec(value)
    const max = /(?:^|[,\s])max\s*=\s*"?([0-9]{1,9})/i.exec(value)
    if (timeout !== null) this.#hintUs = Number(timeout[1]) * SECOND
    // The server counts from this answer on; what is under way was counted when it was sent.
    if (max !== null) this.#left = Math.min(this.#left, Number(max[1]) - this.http.outstanding)
  }
}

function closing(request: ConnectionRequest): ConnectionRequest {
  const headers = new HeaderList(request.headers)
  const options = headers.tokens('connection').filter((option) => option !== 'keep-alive')
  if (!options.includes('close')) options.push('close')
  headers.delete('keep-alive')
  return { ...request, headers: headers.set('Connection', options.join(', ')) }
}
