// One client connection: requests go out one after another on the same stream, answers come back, until it closes.
// Owns: the queue, sending bodies with back-pressure, Expect: 100-continue, time limits, what a lost connection means.
// Does not own: opening streams, choosing or keeping connections, retries (client.ts), message rules (connection.ts).
// Read first: RFC 9112 §9.3 (persistence), §9.3.1 (retries), §9.5 (failures), §8 (incomplete messages).
import type { Micros, Scheduler } from '../base/time.ts'
import { BODY_HIGH_WATER_BYTES, toBytes } from './body.ts'
import { ClientResponse, type ConnectionRequest, prepareRequest } from './client-message.ts'
import {
  CLIENT_TIMEOUTS,
  type ClientConnectionOptions,
  type ClientTimeouts,
  continued,
  type Job,
  makeJob,
} from './client-options.ts'
import { HttpConnection } from './connection.ts'
import { HttpError, type HttpErrorCode, ProtocolError } from './errors.ts'
import { dataEvent, endEvent, type HttpEvent } from './events.ts'
import { checkTimeouts } from './limits.ts'
import { Output } from './output.ts'
import type { ByteStream } from './stream.ts'
import { KindTimer } from './timer.ts'

/** What is left of a body that nobody wants is read to keep the connection, up to so many bytes. */
const DRAIN_BYTES = 65_536

type TimerKind = 'response' | 'idle' | 'linger'

/** Sends requests on one stream, one after another. */
export class HttpClientConnection {
  /** Resolves when the stream has closed, for whatever reason; never rejects. */
  readonly closed: Promise<void>
  readonly #stream: ByteStream
  readonly #scheduler: Scheduler
  readonly #host: string | null
  readonly #timeouts: ClientTimeouts
  readonly #http: HttpConnection
  readonly #output: Output
  readonly #onIdle: (last: ClientResponse) => void
  readonly #timer: KindTimer<TimerKind>
  readonly #queue: Job[] = []
  #job: Job | null = null
  #phase: 'open' | 'closing' | 'closed' = 'open'
  #requests = 0
  #paused = false
  #pumping = false
  #failure: Error | null = null
  #resolveClosed!: () => void

  /**
   * @param stream an open (or opening) connection; belongs to this object from now on
   * @throws {RangeError} for a limit or timeout out of range
   */
  constructor(stream: ByteStream, options: ClientConnectionOptions) {
    this.#stream = stream
    this.#scheduler = options.scheduler
    this.#host = options.host ?? null
    this.#onIdle = options.onIdle ?? (() => undefined)
    this.#timeouts = checkTimeouts({ ...CLIENT_TIMEOUTS, ...options.timeouts })
    this.#timer = new KindTimer(options.scheduler, (kind) => this.#timedOut(kind))
    this.#http = new HttpConnection({ role: 'client', limits: options.limits })
    this.#output = new Output(stream, options.scheduler, this.#timeouts.writeUs, () =>
      this.#lose('ETIMEDOUT', 'the server takes nothing of the request'),
    )
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    stream.on('error', (error) => {
      this.#failure ??= error
    })
    stream.on('close', () => this.#closed())
    stream.on('end', () => this.#input(null))
    stream.on('data', (chunk) => this.#input(chunk))
    stream.resume()
  }

  /** Whether another request may be sent: nothing has ended or failed, and no answer has asked to close. */
  get reusable(): boolean {
    return this.#phase === 'open' && this.#http.keepAlive && !this.#http.peerEnded && !this.#stream.destroyed
  }

  /** Whether a request is being answered or waits. */
  get busy(): boolean {
    return this.#job !== null || this.#queue.length > 0
  }

  /** Requests sent so far. */
  get requests(): number {
    return this.#requests
  }

  /**
   * Sends a request when those before it have been answered in full (so read their bodies).
   * @returns the response as soon as its head has come
   * @throws {TypeError} (as a rejection) for a request that cannot be written
   * @throws {HttpError} (as a rejection) when the connection fails; see `answered` and `sent` for what may be repeated
   * @throws {ProtocolError} (as a rejection) when the answer breaks the rules
   */
  request(request: ConnectionRequest): Promise<ClientResponse> {
    return new Promise((resolve, reject) => {
      request.signal?.throwIfAborted()
      const job: Job = makeJob(request, prepareRequest(request, this.#host), this.#scheduler.now(), resolve, reject, {
        onStart: () => undefined,
        onTake: () => this.#pump(),
        onCancel: () => this.#cancel(job),
        onAbort: () => this.#abort(job),
      })
      if (!this.reusable) throw new HttpError('ECONNRESET', 'the connection takes no more requests', { sent: false })
      request.signal?.addEventListener('abort', job.onAbort, { once: true })
      this.#queue.push(job)
      this.#next()
    })
  }

  /** Ends the connection when the current request and those waiting have been answered. */
  close(): void {
    this.#http.disableKeepAlive()
    if (!this.busy) this.#end()
  }

  /** Drops the connection at once; what is under way fails. */
  destroy(error?: Error): void {
    this.#stream.destroy(error)
  }

  // ---- requests

  #next(): void {
    if (this.#job !== null || this.#phase !== 'open') return
    const job = this.#queue.shift()
    if (job === undefined) return
    this.#job = job
    const { head, bytes, stream } = job.prepared
    try {
      this.#output.write(this.#http.send(head))
    } catch (error) {
      // Nothing was sent and the state has not moved.
      this.#job = null
      this.#settle(job)
      job.reject(error)
      this.#next()
      return
    }
    this.#requests++
    const waits = this.#http.clientWaitsForContinue
    if (!waits && stream === null) this.#sendWhole(bytes)
    this.#output.flush()
    job.timings.sentAt = this.#scheduler.now()
    job.request.hooks?.onSent?.(job.timings.sentAt)
    if (waits || stream !== null) void this.#sendBody(job, waits)
    else this.#armIn('response', this.#timeouts.responseUs)
    this.#pump()
  }

  #sendWhole(bytes: Uint8Array | null): void {
    if (bytes !== null && bytes.length > 0) this.#output.write(this.#http.send(dataEvent(bytes)))
    this.#output.write(this.#http.send(endEvent()))
  }

  async #sendBody(job: Job, waits: boolean): Promise<void> {
    try {
      if (waits && !(await continued(job, this.#scheduler, this.#timeouts.continueUs))) {
        // RFC 9110 §10.1.1: a final answer instead of 100. The body was announced, so the connection cannot be kept.
        this.#http.disableKeepAlive()
        return
      }
      const { bytes, stream } = job.prepared
      if (stream === null) this.#sendWhole(bytes)
      else {
        for await (const chunk of stream) {
          if (this.#job !== job || this.#phase !== 'open') return
          const data = toBytes(chunk)
          if (data.length > 0) this.#output.write(this.#http.send(dataEvent(data)))
          await this.#output.ready()
        }
        if (this.#job !== job || this.#phase !== 'open') return
        this.#output.write(this.#http.send(endEvent()))
      }
      this.#output.flush()
      if (job.response === null) this.#armIn('response', this.#timeouts.responseUs)
      this.#pump()
    } catch (error) {
      // The program's own body failed: a message cut off by us (RFC 9112 §8).
      if (this.#job !== job || this.#phase !== 'open') return
      this.#http.sendFailed()
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  // ---- answers

  #input(chunk: Uint8Array | null): void {
    if (this.#phase !== 'open') return
    const job = this.#job
    if (chunk === null) this.#http.receiveEnd()
    else {
      // Nobody asked: a 408 for an idle connection, or a second answer to one request (RFC 9112 §9.5, §11.1).
      if (job === null) {
        this.destroy()
        return
      }
      this.#http.receiveData(chunk)
      if (job.timings.firstByteAt < 0) {
        job.timings.firstByteAt = this.#scheduler.now()
        job.request.hooks?.onFirstByte?.(job.timings.firstByteAt)
      }
      if (this.#timer.kind === 'idle') this.#timer.disarm()
    }
    this.#pump()
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#phase === 'open' && this.#step());
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#fail(error)
    } finally {
      this.#pumping = false
    }
  }

  #step(): boolean {
    const job = this.#job
    if (job !== null && job.body.queuedBytes >= BODY_HIGH_WATER_BYTES) {
      if (this.#timer.kind === 'idle') this.#timer.disarm()
      this.#paused = true
      this.#stream.pause()
      return false
    }
    if (this.#http.peerEnded && this.#http.atMessageStart && (job === null || job.timings.firstByteAt < 0)) {
      if (job !== null) this.#lose('ECONNRESET', 'the server closed the connection without an answer')
      else this.#end()
      return false
    }
    const event = this.#http.nextEvent()
    if (event === 'paused') {
      // More than one answer to one request: whatever it is, it is not for us.
      if (this.#http.bufferedBytes > 0) this.#http.disableKeepAlive()
      return false
    }
    if (event === 'need-data') {
      if (this.#paused) {
        this.#paused = false
        this.#stream.resume()
      }
      const receiving = job !== null && job.response !== null && this.#http.ourState !== 'send-body'
      if (receiving) this.#armIn('idle', this.#timeouts.idleUs)
      return false
    }
    if (job !== null) this.#handle(event, job)
    return true
  }

  #handle(event: HttpEvent, job: Job): void {
    switch (event.type) {
      case 'informational':
        job.informational.push(event)
        job.request.hooks?.onInformational?.(event)
        if (event.status === 100) job.release?.(true)
        break
      case 'response':
        this.#timer.disarm()
        job.timings.headAt = this.#scheduler.now()
        job.response = new ClientResponse(event, job.body, job.timings, job.informational)
        job.release?.(false)
        job.resolve(job.response)
        break
      case 'data':
        job.body.push(event.data)
        break
      case 'end':
        this.#timer.disarm()
        job.timings.endAt = this.#scheduler.now()
        if (job.response !== null) job.response.trailers = event.trailers
        job.body.finish()
        job.request.hooks?.onEnd?.(job.timings)
        this.#finish(job)
        break
    }
  }

  /** After the request or its answer has come to its end: the next one, or the end of the connection. */
  #finish(job: Job): void {
    if (this.#job !== job || job.timings.endAt < 0) return
    this.#settle(job)
    this.#job = null
    const { ourState, theirState, bufferedBytes } = this.#http
    if (ourState === 'done' && theirState === 'done' && bufferedBytes === 0 && !this.#http.peerEnded) {
      this.#http.startNextCycle()
      if (this.#queue.length > 0) this.#next()
      else if (job.response !== null) this.#onIdle(job.response)
      return
    }
    // An answer that came before our body had gone, or that asked to close: this connection has done its work.
    this.#end()
  }

  #settle(job: Job): void {
    job.request.signal?.removeEventListener('abort', job.onAbort)
    job.release?.(false)
  }

  // ---- endings

  #abort(job: Job): void {
    const { signal } = job.request
    const reason = signal?.reason instanceof Error ? signal.reason : new HttpError('ECONNABORTED', 'aborted')
    const waiting = this.#queue.indexOf(job)
    if (waiting !== -1) {
      this.#queue.splice(waiting, 1)
      this.#settle(job)
      job.reject(reason)
    } else if (this.#job === job) this.#fail(reason)
  }

  // Nobody wants the rest of the body: unless it is short, it can only be cut off together with its connection.
  #cancel(job: Job): void {
    if (this.#job !== job) return
    if (this.#http.remainingBodyBytes <= DRAIN_BYTES) this.#pump()
    else this.#fail(new HttpError('ECONNABORTED', 'the body was not read to its end', { answered: true }))
  }

  #lose(code: HttpErrorCode, message: string): void {
    this.#fail(new HttpError(code, message, { answered: this.#answered(), cause: this.#failure ?? undefined }))
  }

  #answered(): boolean {
    return this.#job !== null && this.#job.timings.firstByteAt >= 0
  }

  #fail(error: Error): void {
    if (this.#phase === 'closed') return
    this.#failure ??= error
    const job = this.#job
    this.#phase = 'closing'
    this.#timer.disarm()
    this.#output.fail(error)
    if (job !== null) this.#failJob(job, error)
    this.#dropQueue(error)
    this.#stream.destroy(error)
  }

  #failJob(job: Job, error: Error): void {
    this.#job = null
    this.#settle(job)
    job.body.fail(error)
    if (job.response === null) job.reject(error)
  }

  #dropQueue(cause: unknown): void {
    for (const job of this.#queue.splice(0)) {
      this.#settle(job)
      job.reject(
        new HttpError('ECONNRESET', 'the connection closed before this request was sent', { sent: false, cause }),
      )
    }
  }

  /** Ends our side, goes on reading for a while, then destroys (RFC 9112 §9.6). */
  #end(): void {
    if (this.#phase !== 'open') return
    this.#phase = 'closing'
    this.#timer.disarm()
    this.#dropQueue(null)
    this.#output.flush()
    this.#stream.end()
    this.#stream.resume()
    this.#armIn('linger', this.#timeouts.lingerUs)
  }

  #closed(): void {
    if (this.#phase === 'closed') return
    const answered = this.#answered()
    this.#phase = 'closed'
    this.#timer.disarm()
    const cause = this.#failure ?? undefined
    const lost = new HttpError('ECONNRESET', 'the connection was lost', { answered, cause })
    this.#output.fail(lost)
    if (this.#job !== null) this.#failJob(this.#job, lost)
    this.#dropQueue(cause)
    this.#resolveClosed()
  }

  #armIn(kind: TimerKind, afterUs: Micros): void {
    if (this.#phase !== 'closed') this.#timer.arm(kind, this.#scheduler.now() + afterUs)
  }

  #timedOut(kind: TimerKind): void {
    if (kind === 'linger') this.#stream.destroy()
    else if (kind === 'response') this.#lose('ETIMEDOUT', 'no answer within the time limit')
    else this.#lose('ETIMEDOUT', 'the body of the answer stopped coming')
  }
}
