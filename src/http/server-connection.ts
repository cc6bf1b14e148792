// One connection of a server: requests in, handlers run, answers out in order, until it closes.
// Owns: the order of exchanges, time limits, error answers, the lingering close. Does not own: the rules of messages
// (connection.ts), what is answered (the handler, server-own.ts), pausing input (server-input.ts).
// Read first: RFC 9112 §9.3 (persistence, pipelining), §9.6 (tear-down: half-close, then read on), RFC 9110 §10.1.1 (Expect).
import type { Micros } from '../base/time.ts'
import { BODY_HIGH_WATER_BYTES } from './body.ts'
import { HttpConnection } from './connection.ts'
import { HttpError, ProtocolError, remoteError } from './errors.ts'
import { dataEvent, endEvent, type HttpEvent, type HttpVersion, type RequestHead, type ServerEvent } from './events.ts'
import { HeaderList } from './headers.ts'
import { Output } from './output.ts'
import { type Exchange, errorResponse, withOwnFields } from './server-exchange.ts'
import { ServerInput } from './server-input.ts'
import type { ConnectionInfo, TakenStream } from './server-message.ts'
import { httpLimits, type ServerContext } from './server-options.ts'
import { Pipeline, type PipelineHost } from './server-pipeline.ts'
import { sendTakeOver } from './server-takeover.ts'
import type { ByteStream } from './stream.ts'
import { KindTimer } from './timer.ts'

type TimerKind = 'headers' | 'idle' | 'request' | 'linger'

/** A connection that an HttpServer serves. */
export class ServerConnection implements PipelineHost {
  readonly #context: ServerContext
  readonly #http: HttpConnection
  readonly #input: ServerInput
  readonly #output: Output
  readonly #timer: KindTimer<TimerKind>
  readonly #pipeline: Pipeline
  #phase: 'open' | 'closing' | 'closed' = 'open'
  #exchange: Exchange | null = null
  #requests = 0
  #pumping = false

  /** @param stream belongs to this connection from now on */
  constructor(stream: ByteStream, info: ConnectionInfo, context: ServerContext) {
    const { scheduler, lenient } = context.options
    this.#context = context
    this.#http = new HttpConnection({ role: 'server', limits: httpLimits(context.limits), lenient })
    this.#pipeline = new Pipeline(this, this.#http, info, context)
    this.#output = new Output(stream, scheduler, context.timeouts.writeUs, () => this.#timedOut('write'))
    this.#timer = new KindTimer(scheduler, (kind) => this.#timedOut(kind))
    if (context.options.keepAlive === false) this.#http.disableKeepAlive()
    this.#input = new ServerInput(
      stream,
      (chunk) => this.#received(chunk),
      () => this.#closed(),
    )
    this.#armInput()
  }

  get version(): HttpVersion {
    return this.#context.options.httpVersion ?? '1.1'
  }

  /** Whether it waits for a request: none is being answered. */
  get waiting(): boolean {
    return this.#phase === 'open' && this.#exchange === null
  }

  /** Ends now when idle, otherwise after the current answer. */
  closeWhenIdle(): void {
    if (this.#phase !== 'open') return
    this.#http.disableKeepAlive()
    if (this.#exchange === null && this.#http.atMessageStart) this.#close()
  }

  /** Drops the connection at once. */
  destroy(): void {
    if (this.#exchange !== null && !this.#exchange.response.ended) this.#http.sendFailed()
    this.#input.stream.destroy()
  }

  // ---- input

  #received(chunk: Uint8Array | null): void {
    if (this.#phase !== 'open') return
    if (chunk === null) this.#http.receiveEnd()
    else this.#http.receiveData(chunk)
    this.#pump()
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#phase === 'open' && this.#step());
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.refused(this.#exchange, error)
    } finally {
      this.#pumping = false
    }
    if (this.#exchange === null) this.#output.flush() // all is answered: nothing is added in this turn
  }

  /** Handles one event; false when there is nothing to do until something happens. */
  #step(): boolean {
    const exchange = this.#exchange
    if (exchange !== null && exchange.body.queuedBytes >= BODY_HIGH_WATER_BYTES) {
      this.#pause()
      return false
    }
    const event = this.#http.nextEvent()
    if (event === 'need-data') {
      this.#resume()
      this.#armInput()
      return false
    }
    if (event === 'paused') {
      this.#timer.disarm()
      if (exchange !== null) this.#pipeline.lookAhead(this.#requests)
      if (this.#http.bufferedBytes >= this.#context.limits.pipelineBytes) this.#pause()
      return false
    }
    this.#handle(event, exchange)
    return true
  }

  #handle(event: HttpEvent, exchange: Exchange | null): void {
    switch (event.type) {
      case 'request':
        this.#begin(event)
        break
      case 'data':
        if (exchange !== null) this.#bodyData(exchange, event.data)
        break
      case 'end':
        this.#timer.disarm()
        if (exchange === null) break
        exchange.request.trailers = event.trailers
        exchange.body.finish()
        this.#settle(exchange)
        break
      case 'closed':
        if (exchange === null) this.#close()
        break
    }
  }

  #bodyData(exchange: Exchange, data: Uint8Array): void {
    const { finished } = exchange.body
    const { bodyBytes, drainBytes } = this.#context.limits
    exchange.body.push(data)
    if (!finished && exchange.body.receivedBytes > bodyBytes) {
      this.refused(this.#exchange, remoteError(413, 'body-too-large', `a body of more than ${bodyBytes} bytes`))
    } else if (exchange.response.ended) {
      exchange.drainedBytes += data.length
      if (exchange.drainedBytes > drainBytes) this.#close()
    }
  }

  // RFC 9112 §2.2, §9.6: answer what can be answered, and take nothing more from this connection.
  refused(exchange: Exchange | null, error: ProtocolError): void {
    this.#http.disableKeepAlive()
    this.#context.counters.protocolErrors++
    this.#context.options.onError?.(error, exchange?.request ?? null)
    exchange?.body.fail(error)
    if (exchange?.response.ended === true) this.#close()
    else if (exchange?.response.headSent !== true) this.#refuse(error)
  }

  bodyTaken(): void {
    this.#pump()
  }

  #pause(): void {
    if (this.#input.pause(this.#now())) this.#timer.disarm()
  }

  #resume(): void {
    const pausedUs = this.#input.resume(this.#now())
    if (this.#exchange !== null) this.#exchange.deadlineUs += pausedUs
  }

  // ---- exchanges

  #begin(head: RequestHead): void {
    this.#timer.disarm()
    const { limits, counters, closing } = this.#context
    counters.requests++
    if (++this.#requests >= limits.requestsPerConnection || closing()) this.#http.disableKeepAlive()
    const { exchange, isNew } = this.#pipeline.next(head)
    exchange.startBytes = this.#output.writtenBytes
    this.#exchange = exchange
    if (isNew) this.#pipeline.start(exchange)
    else this.#takeTurn(exchange)
  }

  #takeTurn(exchange: Exchange): void {
    try {
      exchange.activate()
    } catch (error) {
      this.failed(exchange, error)
      return
    }
    if (exchange.heldFailure === null) return
    const { error } = exchange.heldFailure
    if (error instanceof ProtocolError && !exchange.response.headSent) this.refused(this.#exchange, error)
    else this.failed(exchange, error)
  }

  failed(exchange: Exchange, error: unknown): void {
    // An answer that was held back to its end may turn out, on its turn, to be one that cannot be sent.
    const open = this.#exchange === exchange && this.#phase === 'open'
    if (exchange.response.complete && !(open && this.#http.ourState === 'send-body')) {
      this.#context.options.onError?.(error, exchange.request)
      return
    }
    // A handler that stumbles because its connection or body is gone has done nothing wrong.
    if (!open || exchange.response.failed) return
    const known = error instanceof ProtocolError && error.side === 'remote'
    if (!known) this.#context.counters.handlerErrors++
    this.#context.options.onError?.(error, exchange.request)
    if (!exchange.response.headSent) {
      this.#refuse(known ? error : null)
      return
    }
    this.#http.sendFailed()
    const reason = new HttpError('ECONNABORTED', 'the handler failed in the middle of its answer', { cause: error })
    exchange.response.fail(reason)
    if (known && !this.#http.sendsUntilClose) this.#close()
    else this.#input.stream.destroy(reason)
  }

  bodyWanted(exchange: Exchange): void {
    // RFC 9110 §10.1.1: may be left out when some of the body has come already.
    if (this.#phase !== 'open' || !this.#http.clientWaitsForContinue || this.#http.bufferedBytes > 0) return
    if (this.#exchange !== exchange || exchange.response.headSent) return
    const headers = new HeaderList()
    this.sendEvent({ type: 'informational', status: 100, reason: 'Continue', version: '1.1', headers })
    this.#output.flush()
  }

  sendEvent(event: ServerEvent): void {
    if (this.#phase !== 'open') return
    const exchange = this.#exchange
    // RFC 9110 §15.2: a server must not send 1xx to an HTTP/1.0 client.
    if (event.type === 'informational' && exchange?.head.version === '1.0') return
    if (event.type === 'response') {
      if (this.#context.closing()) this.#http.disableKeepAlive()
      const left = this.#http.remainingBodyBytes
      const unread = exchange !== null && !exchange.body.used && left !== Infinity
      if (unread && left > this.#context.limits.drainBytes) this.#http.disableKeepAlive()
      event = withOwnFields(event, this.#http.request, this.#context, this.#requests)
    }
    if (this.#http.ourState === 'switched') {
      // A tunnel that nobody has taken over has nothing to carry.
      if (event.type === 'end') this.#close()
      return
    }
    const bytes = this.#http.send(event)
    this.#output.write(bytes)
    if (exchange === null) return
    if (event.type === 'data' && bytes.length > 0) exchange.sentBodyBytes += event.data.length
    if (event.type === 'response') exchange.status = event.status
    if (event.type === 'end') this.#settle(exchange)
  }

  flush(): void {
    this.#output.flush()
  }

  ready(): Promise<void> {
    return this.#output.ready()
  }

  takeOver(headers: HeaderList): TakenStream {
    const exchange = this.#exchange
    if (exchange === null || this.#phase !== 'open') throw new TypeError('the connection is gone; nothing to take over')
    const { status, bytes } = sendTakeOver(this.#http, headers)
    exchange.status = status
    this.#output.write(bytes)
    this.#endExchange(exchange, false)
    this.#phase = 'closed'
    this.#timer.stop()
    this.#output.detach()
    this.#input.detach()
    this.#context.removed(this)
    return { stream: this.#input.stream, head: this.#http.takeTrailingData(), ended: this.#http.peerEnded }
  }

  /** After the answer or the request has come to its end: what next? */
  #settle(exchange: Exchange): void {
    if (!exchange.response.ended || this.#exchange !== exchange || this.#phase !== 'open') return
    const { ourState, theirState } = this.#http
    if (ourState === 'done' && theirState === 'done') {
      this.#endExchange(exchange, false)
      this.#http.startNextCycle()
      this.#pump()
      return
    }
    const left = this.#http.remainingBodyBytes
    const drainable = left === Infinity || left <= this.#context.limits.drainBytes
    if (ourState === 'done' && theirState === 'send-body' && drainable) {
      exchange.body.discard()
      this.#pump()
    } else if (ourState !== 'send-body') this.#close()
  }

  #endExchange(exchange: Exchange, aborted: boolean): void {
    this.#exchange = null
    this.#context.waits(this)
    const { onExchange } = this.#context.options
    if (onExchange === undefined) return
    this.#output.flush()
    const responseBytes = this.#output.writtenBytes - exchange.startBytes
    onExchange(exchange.record(responseBytes, this.#now(), aborted, this.#requests))
  }

  // ---- closing

  /** Answers with an error (500 for null) in the place of the handler, and closes. */
  #refuse(error: ProtocolError | null): void {
    const status = error?.status ?? 500
    const exchange = this.#exchange
    const reason = error ?? new HttpError('ECONNABORTED', 'the handler failed')
    exchange?.response.fail(reason)
    exchange?.abort(reason)
    this.#http.disableKeepAlive()
    if (this.#http.ourState === 'idle' || this.#http.ourState === 'send-response') {
      const { head, text } = errorResponse(status, error, this.version)
      this.#output.write(this.#http.send(withOwnFields(head, this.#http.request, this.#context, this.#requests)))
      const sent = this.#http.request?.method === 'HEAD' ? 0 : text.length
      if (sent > 0) this.#output.write(this.#http.send(dataEvent(text)))
      if (exchange !== null) Object.assign(exchange, { status, sentBodyBytes: sent })
      this.#output.write(this.#http.send(endEvent()))
    }
    this.#close()
  }

  // RFC 9112 §9.6: end our side, then read on for a while: late input would be met by a reset, which can erase the answer.
  #close(): void {
    if (this.#phase !== 'open') return
    const exchange = this.#exchange
    if (exchange !== null) this.#endExchange(exchange, exchange.response.failed && exchange.response.headSent)
    this.#phase = 'closing'
    const reason = new HttpError('ECONNABORTED', 'the connection is being closed')
    exchange?.body.fail(reason)
    exchange?.body.discard()
    this.#pipeline.drop(reason)
    this.#timer.disarm()
    this.#output.flush()
    this.#input.stream.end()
    this.#input.resume(this.#now())
    const linger = (): void => this.#timer.arm('linger', this.#now() + this.#context.timeouts.lingerUs)
    this.#output.ready().then(
      () => this.#phase === 'closing' && linger(),
      () => undefined,
    )
  }

  #closed(): void {
    if (this.#phase === 'closed') return
    const exchange = this.#exchange
    this.#phase = 'closed'
    this.#timer.stop()
    const error = new HttpError('ECONNRESET', 'the connection was lost', { cause: this.#input.error })
    this.#output.fail(error)
    if (exchange !== null) {
      this.#endExchange(exchange, true)
      exchange.drop(error)
    }
    this.#pipeline.drop(error)
    this.#context.removed(this)
  }

  // ---- time

  #now(): Micros {
    return this.#context.options.scheduler.now()
  }

  #armInput(): void {
    const { headersUs, idleUs } = this.#context.timeouts
    const state = this.#http.theirState
    const exchange = this.#exchange
    if (state === 'send-body' && exchange !== null && !exchange.body.finished)
      this.#timer.arm('request', exchange.deadlineUs)
    else if (state !== 'idle') this.#timer.disarm()
    else if (this.#requests > 0 && this.#http.atMessageStart) this.#timer.arm('idle', this.#now() + idleUs)
    else this.#timer.arm('headers', this.#now() + headersUs)
  }

  #timedOut(kind: TimerKind | 'write'): void {
    if (this.#phase === 'closed') return
    if (kind !== 'idle' && kind !== 'linger') this.#context.counters.timeouts++
    if (kind === 'linger') this.#input.stream.destroy()
    else if (kind === 'write')
      this.#input.stream.destroy(new HttpError('ETIMEDOUT', 'the peer takes nothing of the answer'))
    // RFC 9110 §15.5.9: 408 when a request has begun; a connection on which none has is just closed.
    else if (kind === 'idle' || (kind === 'headers' && this.#http.atMessageStart)) this.#close()
    else
      this.refused(
        this.#exchange,
        remoteError(408, 'timeout', `the ${kind === 'headers' ? 'head' : 'body'} took too long`),
      )
  }
}
