// One connection of a server: requests in, handlers run one after another, answers out, until it closes.
// Owns: the order of exchanges, back-pressure on input, time limits, error answers, the lingering close. Does not own:
// the rules of messages (connection.ts), what is answered (the handler).
// Read first: RFC 9112 §9.3 (persistence, pipelining), §9.6 (tear-down: half-close, then read on), RFC 9110 §10.1.1
// (Expect).
import { assert } from '../base/assert.ts'
import type { Micros } from '../base/time.ts'
import { BODY_HIGH_WATER_BYTES } from './body.ts'
import { HttpConnection } from './connection.ts'
import { HttpError, ProtocolError, remoteError } from './errors.ts'
import { dataEvent, endEvent, type HttpEvent, type HttpVersion, type RequestHead, type ServerEvent } from './events.ts'
import { parseRequestTarget } from './grammar.ts'
import { HeaderList } from './headers.ts'
import { Output } from './output.ts'
import { Exchange, errorResponse, withOwnFields } from './server-exchange.ts'
import type { ConnectionInfo, ResponseSink } from './server-message.ts'
import { httpLimits, type ServerContext } from './server-options.ts'
import type { ByteStream } from './stream.ts'
import { KindTimer } from './timer.ts'
import type { TunnelEnd } from './tunnel.ts'

type TimerKind = 'headers' | 'idle' | 'request' | 'linger'

/** A connection that an HttpServer serves. */
export class ServerConnection implements ResponseSink {
  readonly #stream: ByteStream
  readonly #info: ConnectionInfo
  readonly #context: ServerContext
  readonly #http: HttpConnection
  readonly #output: Output
  readonly #timer: KindTimer<TimerKind>
  #phase: 'open' | 'closing' | 'closed' = 'open'
  #exchange: Exchange | null = null
  #requests = 0
  #pumping = false
  #pausedAt: Micros = -1
  #streamError: Error | undefined

  /** @param stream belongs to this connection from now on */
  constructor(stream: ByteStream, info: ConnectionInfo, context: ServerContext) {
    this.#stream = stream
    this.#info = info
    this.#context = context
    const { honoursProxyConnection } = context.options
    this.#http = new HttpConnection({ role: 'server', limits: httpLimits(context.limits), honoursProxyConnection })
    this.#output = new Output(stream, context.options.scheduler, context.timeouts.writeUs, () =>
      this.#timedOut('write'),
    )
    this.#timer = new KindTimer(context.options.scheduler, (kind) => this.#timedOut(kind))
    if (context.options.keepAlive === false) this.#http.disableKeepAlive()
    stream.on('error', (error) => {
      this.#streamError = error
    })
    stream.on('close', () => this.#closed())
    stream.on('end', () => this.#input(null))
    stream.on('data', (chunk) => this.#input(chunk))
    stream.resume()
    this.#armInput()
  }

  get version(): HttpVersion {
    return this.#context.options.httpVersion ?? '1.1'
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
    this.#stream.destroy()
  }

  // ---- input

  #input(chunk: Uint8Array | null): void {
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
      this.#inputFailed(error)
    } finally {
      this.#pumping = false
    }
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
    exchange.body.push(data)
    if (!finished && exchange.body.receivedBytes > this.#context.limits.bodyBytes) {
      const { bodyBytes } = this.#context.limits
      this.#inputFailed(remoteError(413, 'body-too-large', `a body of more than ${bodyBytes} bytes`))
    } else if (exchange.response.ended) {
      exchange.drainedBytes += data.length
      if (exchange.drainedBytes > this.#context.limits.drainBytes) this.#close()
    }
  }

  // RFC 9112 §2.2, §9.6: answer what can be answered, and take nothing more from this connection.
  #inputFailed(error: ProtocolError): void {
    this.#http.disableKeepAlive()
    this.#context.counters.protocolErrors++
    const exchange = this.#exchange
    this.#context.options.onError?.(error, exchange?.request ?? null)
    exchange?.body.fail(error)
    if (exchange === null || !exchange.response.ended) {
      if (exchange === null || !exchange.response.headSent) this.#refuse(error)
    } else this.#close()
  }

  #pause(): void {
    if (this.#pausedAt >= 0) return
    this.#pausedAt = this.#now()
    this.#timer.disarm()
    this.#stream.pause()
  }

  #resume(): void {
    if (this.#pausedAt < 0) return
    if (this.#exchange !== null) this.#exchange.deadlineUs += this.#now() - this.#pausedAt
    this.#pausedAt = -1
    this.#stream.resume()
  }

  // ---- exchanges

  #begin(head: RequestHead): void {
    this.#timer.disarm()
    const { limits, timeouts, counters } = this.#context
    counters.requests++
    if (++this.#requests >= limits.requestsPerConnection || this.#context.closing()) this.#http.disableKeepAlive()
    const target = parseRequestTarget(head.method, head.target)
    assert(target !== null, 'the connection hands out requests with valid targets only')
    const exchange: Exchange = new Exchange(head, target, this.#info, this, {
      onStart: () => this.#sendContinue(exchange),
      onTake: () => this.#pump(),
      onCancel: () => this.#pump(),
    })
    exchange.startUs = this.#now()
    exchange.deadlineUs = exchange.startUs + timeouts.requestUs
    exchange.startBytes = this.#output.writtenBytes
    this.#exchange = exchange
    const bodyBytes = this.#http.remainingBodyBytes
    if (bodyBytes !== Infinity && bodyBytes > limits.bodyBytes) {
      this.#inputFailed(remoteError(413, 'body-too-large', `a body of ${bodyBytes} bytes`))
      return
    }
    // RFC 9110 §10.1.1: 417 to an expectation other than 100-continue.
    if (head.version === '1.1' && head.headers.tokens('expect').some((one) => one !== '100-continue')) {
      this.#inputFailed(remoteError(417, 'bad-expectation', `Expect: ${head.headers.get('expect')}`))
      return
    }
    void this.#run(exchange)
  }

  async #run(exchange: Exchange): Promise<void> {
    const { request, response } = exchange
    try {
      const result = await this.#context.options.handler(request, response)
      if (result === undefined || response.ended) return
      await response.send(result.status ?? 200, result.headers, result.body)
    } catch (error) {
      this.#handlerFailed(exchange, error)
    }
  }

  #handlerFailed(exchange: Exchange, error: unknown): void {
    if (exchange.response.complete) {
      this.#context.options.onError?.(error, exchange.request)
      return
    }
    // A handler that stumbles because its connection or body is gone has done nothing wrong.
    if (this.#phase !== 'open' || this.#exchange !== exchange || exchange.response.ended) return
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
    this.#stream.destroy(reason)
  }

  #sendContinue(exchange: Exchange): void {
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
      if (exchange !== null && !exchange.body.used && this.#http.remainingBodyBytes !== Infinity) {
        if (this.#http.remainingBodyBytes > this.#context.limits.drainBytes) this.#http.disableKeepAlive()
      }
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

  truncate(error: Error): void {
    const exchange = this.#exchange
    if (exchange === null || this.#phase !== 'open') return
    // RFC 9112 §8: cut short shows by itself, unless the close is the end of the body: then only a reset says so.
    const { sendsUntilClose } = this.#http
    this.#http.sendFailed()
    exchange.response.fail(error)
    this.#endExchange(exchange, true)
    if (sendsUntilClose) this.#stream.destroy(error)
    else this.#close()
  }

  takeOver(): TunnelEnd {
    this.#output.flush()
    this.#phase = 'closed'
    this.#timer.disarm()
    if (this.#exchange !== null) this.#endExchange(this.#exchange, false)
    this.#context.removed(this)
    return { stream: this.#stream, head: this.#http.takeTrailingData(), ended: this.#http.peerEnded }
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
    } else this.#close()
  }

  #endExchange(exchange: Exchange, aborted: boolean): void {
    this.#exchange = null
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
    exchange?.abort.abort(reason)
    this.#http.disableKeepAlive()
    if (this.#http.ourState === 'idle' || this.#http.ourState === 'send-response') {
      if (exchange !== null) exchange.status = status
      const { head, text } = errorResponse(status, error, this.version)
      this.#output.write(this.#http.send(withOwnFields(head, this.#http.request, this.#context, this.#requests)))
      if (this.#http.request?.method !== 'HEAD') {
        this.#output.write(this.#http.send(dataEvent(text)))
        if (exchange !== null) exchange.sentBodyBytes = text.length
      }
      this.#output.write(this.#http.send(endEvent()))
    }
    this.#close()
  }

  // RFC 9112 §9.6: end our side, go on reading for a while, and only then close: input that arrives at a closed
  // connection is answered with a reset, which can erase the answer before the client has read it.
  #close(): void {
    if (this.#phase !== 'open') return
    const exchange = this.#exchange
    if (exchange !== null) this.#endExchange(exchange, false)
    this.#phase = 'closing'
    exchange?.body.fail(new HttpError('ECONNABORTED', 'the connection is being closed'))
    exchange?.body.discard()
    this.#timer.disarm()
    this.#output.flush()
    this.#stream.end()
    if (this.#pausedAt >= 0) this.#stream.resume()
    const linger = (): void => {
      if (this.#phase === 'closing') this.#timer.arm('linger', this.#now() + this.#context.timeouts.lingerUs)
    }
    this.#output.ready().then(linger, () => undefined)
  }

  #closed(): void {
    if (this.#phase === 'closed') return
    const exchange = this.#exchange
    this.#phase = 'closed'
    this.#timer.disarm()
    const error = new HttpError('ECONNRESET', 'the connection was lost', { cause: this.#streamError })
    this.#output.fail(error)
    if (exchange !== null) {
      exchange.body.fail(error)
      exchange.response.fail(error)
      this.#endExchange(exchange, true)
      exchange.abort.abort(error)
    }
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
    if (kind === 'linger') {
      this.#stream.destroy()
      return
    }
    if (kind !== 'idle') this.#context.counters.timeouts++
    if (kind === 'write') this.#stream.destroy(new HttpError('ETIMEDOUT', 'the peer takes nothing of the answer'))
    // RFC 9110 §15.5.9: 408 when a request has begun; a connection on which none has is just closed.
    else if (kind === 'idle' || (kind === 'headers' && this.#http.atMessageStart)) this.#close()
    else this.#inputFailed(remoteError(408, 'timeout', `the ${kind === 'headers' ? 'head' : 'body'} took too long`))
  }
}
