// One client connection: requests go out on one stream and are answered in their order, until it closes.
// Owns: the queue, what is pipelined, sending bodies with back-pressure, time limits, what a lost connection means.
// Does not own: opening streams, keeping connections, retries (pool.ts), message rules (connection.ts), what may be pipelined
// (pipeline-rules.ts).
// Read first: RFC 9112 §9.3 (persistence), §9.3.1 (retries), §9.3.2 (pipelining), §9.5 (failures), §8 (incomplete messages).
import type { Micros, Scheduler } from '../base/time.ts'
import { BODY_HIGH_WATER_BYTES } from './body.ts'
import { listen, noteFirstByte, takeEvent } from './client-exchange.ts'
import { type ClientResponse, type ConnectionRequest, prepareRequest } from './client-message.ts'
import {
  CLIENT_TIMEOUTS,
  type ClientConnectionOptions,
  type ClientTimeouts,
  checkDepth,
  type Job,
  makeJob,
} from './client-options.ts'
import { JobQueue } from './client-queue.ts'
import { RequestSender } from './client-sender.ts'
import { HttpConnection } from './connection.ts'
import { HttpError, type HttpErrorCode, ProtocolError } from './errors.ts'
import type { HttpEvent } from './events.ts'
import { checkTimeouts } from './limits.ts'
import { Output } from './output.ts'
import { mayFollow } from './pipeline-rules.ts'
import type { ByteStream } from './stream.ts'
import { KindTimer } from './timer.ts'

/** What is left of a body that nobody wants is read to keep the connection, up to so many bytes. */
const DRAIN_BYTES = 65_536

type TimerKind = 'response' | 'idle' | 'linger'

/** Sends requests on one stream; their answers come in the same order. */
export class HttpClientConnection {
  /** Resolves when the stream has closed or speaks another protocol, for whatever reason; never rejects. */
  readonly closed: Promise<void>
  readonly #stream: ByteStream
  readonly #scheduler: Scheduler
  readonly #options: ClientConnectionOptions
  readonly #timeouts: ClientTimeouts
  readonly #depth: number
  readonly #http: HttpConnection
  readonly #output: Output
  readonly #timer: KindTimer<TimerKind>
  readonly #sender: RequestSender
  readonly #jobs = new JobQueue()
  readonly #unlisten: () => void
  #phase: 'open' | 'closing' | 'closed' = 'open'
  #answers = 0
  /** Whether the last answer showed an HTTP/1.1 server that stays. */
  #proven = false
  #paused = false
  #pumping = false
  #isClosing = false
  #failure: Error | null = null
  #resolveClosed!: () => void

  /**
   * @param stream an open (or opening) connection; belongs to this object from now on
   * @throws {RangeError} for a limit, timeout or depth out of range
   */
  constructor(stream: ByteStream, options: ClientConnectionOptions) {
    this.#stream = stream
    this.#scheduler = options.scheduler
    this.#options = options
    this.#timeouts = checkTimeouts({ ...CLIENT_TIMEOUTS, ...options.timeouts })
    this.#depth = checkDepth(options.pipelineDepth)
    this.#timer = new KindTimer(options.scheduler, (kind) => this.#timedOut(kind))
    this.#http = new HttpConnection({ role: 'client', limits: options.limits, lenient: options.lenient })
    this.#output = new Output(stream, options.scheduler, this.#timeouts.writeUs, () =>
      this.#lose('ETIMEDOUT', 'the server takes nothing of the request'),
    )
    this.#sender = new RequestSender(this.#http, this.#output, options.scheduler)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    // Stays: a stream that is handed on must not end the program before its next owner listens.
    stream.on('error', (error) => {
      this.#failure ??= error
    })
    this.#unlisten = listen(
      stream,
      (chunk) => this.#input(chunk),
      () => this.#closed(),
    )
    stream.resume()
  }

  /** Whether another request may be sent: nothing has ended or failed, and no answer has asked to close. */
  get reusable(): boolean {
    const isOpen = this.#phase === 'open' && !this.#isClosing
    return isOpen && this.#http.keepAlive && !this.#http.peerEnded && !this.#stream.destroyed
  }

  /** Whether a request is being answered or waits. */
  get busy(): boolean {
    return this.#jobs.busy
  }

  /** Requests sent so far. */
  get requests(): number {
    return this.#sender.requests
  }

  /** Answers received whole so far. */
  get answers(): number {
    return this.#answers
  }

  /** Requests that were given to this connection and are not answered in full, sent or not. */
  get outstanding(): number {
    return this.#jobs.size
  }

  /** Whether a request would be sent at once: nothing is under way, or it may be pipelined behind what is. */
  canTake(request: ConnectionRequest): boolean {
    if (!this.reusable) return false
    if (!this.busy) return true
    return this.#jobs.waiting.length === 0 && this.#canSendAhead() && mayFollow(request)
  }

  /**
   * Sends a request: when those before it have been answered in full (so read their bodies), or behind them when `pipelineDepth` and
   * RFC 9112 §9.3.2 allow it.
   * @returns the response as soon as its head has come
   * @throws {TypeError} (as a rejection) for a request that cannot be written
   * @throws {HttpError} (as a rejection) when the connection fails; see `answered` and `sent` for what may be repeated
   * @throws {ProtocolError} (as a rejection) when the answer breaks the rules
   */
  request(request: ConnectionRequest): Promise<ClientResponse> {
    return new Promise((resolve, reject) => {
      request.signal?.throwIfAborted()
      const prepared = prepareRequest(request, this.#options.host ?? null)
      const job: Job = makeJob(request, prepared, this.#scheduler.now(), resolve, reject, {
        onStart: () => undefined,
        onTake: () => this.#pump(),
        onCancel: () => this.#cancel(job),
        onAbort: () => this.#abort(job),
      })
      if (!this.reusable) throw new HttpError('ECONNRESET', 'the connection takes no more requests', { sent: false })
      request.signal?.addEventListener('abort', job.onAbort, { once: true })
      this.#jobs.waiting.push(job)
      this.#next()
      this.#sendAhead()
    })
  }

  /** Ends the connection when the current request and those waiting have been answered. */
  close(): void {
    if (this.#phase !== 'open') return
    this.#isClosing = true
    if (this.busy) this.#noteLast()
    else this.#end()
  }

  /** Drops the connection at once; what is under way fails. */
  destroy(error?: Error): void {
    this.#stream.destroy(error)
  }

  // ---- requests

  #next(): void {
    const jobs = this.#jobs
    if (jobs.current !== null || this.#phase !== 'open') return
    const sent = jobs.ahead.shift()
    if (sent !== undefined) {
      jobs.current = sent
      this.#sender.follow(sent)
      this.#noteLast()
      if (this.#http.bufferedBytes > 0) noteFirstByte(sent, this.#scheduler.now())
      if (sent.abandoned) sent.body.discard()
      this.#armIn('response', this.#timeouts.responseUs)
      return
    }
    const job = jobs.waiting.shift()
    if (job === undefined) return
    jobs.current = job
    let rest: 'done' | 'body' | 'waits'
    try {
      rest = this.#sender.send(job)
    } catch (error) {
      // Nothing was sent and the state has not moved.
      jobs.current = null
      jobs.settle(job)
      job.reject(error)
      this.#next()
      return
    }
    this.#noteLast()
    if (rest === 'done') this.#armIn('response', this.#timeouts.responseUs)
    else void this.#sendBody(job, rest === 'waits' ? this.#timeouts.continueUs : -1)
    this.#pump()
  }

  #noteLast(): void {
    if (this.#isClosing && this.#jobs.isLast) this.#http.disableKeepAlive()
  }

  #canSendAhead(): boolean {
    return this.reusable && this.#proven && this.#jobs.hasRoom(this.#depth, this.#http.ourState === 'done')
  }

  #sendAhead(): void {
    while (this.#jobs.canShift && this.#canSendAhead()) this.#jobs.shiftAhead(this.#sender)
  }

  async #sendBody(job: Job, continueUs: Micros): Promise<void> {
    const isCurrent = (): boolean => this.#jobs.current === job && this.#phase === 'open'
    const outcome = await this.#sender.sendBody(job, continueUs, isCurrent)
    if (!isCurrent() || outcome === 'stopped') return
    if (outcome instanceof Error) {
      // The program's own body failed: a message cut off by us (RFC 9112 §8).
      this.#http.sendFailed()
      this.#fail(outcome)
      return
    }
    if (job.response === null) this.#armIn('response', this.#timeouts.responseUs)
    this.#pump()
  }

  // ---- answers

  #input(chunk: Uint8Array | null): void {
    if (this.#phase !== 'open') return
    const job = this.#jobs.current
    if (chunk === null) this.#http.receiveEnd()
    else {
      // Nobody asked: a 408 for an idle connection, or a second answer to one request (RFC 9112 §9.5, §11.1).
      if (job === null) {
        this.destroy()
        return
      }
      this.#http.receiveData(chunk)
      noteFirstByte(job, this.#scheduler.now())
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
    const job = this.#jobs.current
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
      if (this.#paused) this.#stream.resume()
      this.#paused = false
      const receiving = job !== null && job.response !== null && this.#http.ourState !== 'send-body'
      if (receiving) this.#armIn('idle', this.#timeouts.idleUs)
      return false
    }
    if (job !== null) this.#handle(event, job)
    return true
  }

  #handle(event: HttpEvent, job: Job): void {
    if (event.type === 'response' || event.type === 'end') this.#timer.disarm()
    const became = takeEvent(event, job, this.#http.theirState === 'switched', this.#scheduler.now())
    if (became === 'switched') this.#hand(job)
    else if (became === 'ended') this.#finish(job)
    else if (became === 'unwanted') this.#cancel(job)
  }

  /** The stream speaks another protocol from now on, and belongs to the program (RFC 9110 §7.8, §9.3.6). */
  #hand(job: Job): void {
    const response = job.response as ClientResponse
    this.#phase = 'closed'
    this.#timer.stop()
    this.#output.flush()
    this.#jobs.settle(job)
    this.#jobs.current = null
    this.#stream.pause()
    this.#unlisten()
    response.switched = { stream: this.#stream, head: this.#http.takeTrailingData() }
    job.body.finish()
    this.#jobs.drop(null)
    this.#options.onEnding?.()
    job.resolve(response)
    this.#resolveClosed()
  }

  /** After the request or its answer has come to its end: the next one, or the end of the connection. */
  #finish(job: Job): void {
    if (this.#jobs.current !== job || job.timings.endAt < 0) return
    this.#jobs.settle(job)
    this.#jobs.current = null
    this.#answers++
    const { ourState, theirState, bufferedBytes, peerEnded } = this.#http
    const isClean = this.#jobs.ahead.length > 0 || (bufferedBytes === 0 && !peerEnded)
    if (ourState === 'done' && theirState === 'done' && isClean && job.response !== null) {
      this.#proven = job.response.httpVersion === '1.1'
      this.#http.startNextCycle()
      const last = job.response
      this.#next()
      this.#sendAhead()
      this.#options.onFinished?.(last)
      if (!this.busy && this.#phase === 'open') this.#options.onIdle?.(last)
      return
    }
    // An answer that came before our body had gone, or that asked to close: this connection has done its work.
    this.#end()
  }

  // ---- endings

  #abort(job: Job): void {
    const { signal } = job.request
    const reason = signal?.reason instanceof Error ? signal.reason : new HttpError('ECONNABORTED', 'aborted')
    if (!this.#jobs.abandon(job, reason) && this.#jobs.current === job) this.#fail(reason)
  }

  // Nobody wants the rest of the body: unless it is short, it can only be cut off together with its connection.
  #cancel(job: Job): void {
    if (this.#jobs.current !== job) return
    if (this.#http.remainingBodyBytes <= DRAIN_BYTES) this.#pump()
    else this.#fail(new HttpError('ECONNABORTED', 'the body was not read to its end', { answered: true }))
  }

  #lose(code: HttpErrorCode, message: string): void {
    this.#fail(this.#lost(code, message))
  }

  #lost(code: HttpErrorCode, message: string): HttpError {
    return new HttpError(code, message, { answered: this.#jobs.isAnswered, cause: this.#failure ?? undefined })
  }

  #fail(error: Error): void {
    if (this.#phase === 'closed') return
    this.#failure ??= error
    this.#leave('closing', error, error)
    this.#stream.destroy(error)
  }

  /** Ends our side, goes on reading for a while, then destroys (RFC 9112 §9.6). */
  #end(): void {
    if (this.#phase !== 'open') return
    this.#output.flush()
    this.#leave('closing', null, null)
    this.#stream.end()
    this.#stream.resume()
    this.#armIn('linger', this.#timeouts.lingerUs)
  }

  #closed(): void {
    if (this.#phase === 'closed') return
    this.#leave('closed', this.#lost('ECONNRESET', 'the connection was lost'), this.#failure)
    this.#resolveClosed()
  }

  #leave(phase: 'closing' | 'closed', error: Error | null, cause: unknown): void {
    this.#phase = phase
    this.#timer.stop()
    if (error !== null) {
      this.#output.fail(error)
      this.#jobs.failCurrent(error)
    }
    this.#jobs.drop(cause)
    this.#options.onEnding?.()
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
