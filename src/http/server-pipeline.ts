// The requests of one connection that are being worked at: the one whose turn it is, and those begun ahead of theirs.
// Owns: making exchanges, running handlers, how many run at once. Does not own: the order of answers on the wire
// (server-connection.ts, and Exchange, which holds early ones back).
// Read first: RFC 9112 §9.3.2 (pipelining: requests with safe methods may be processed in parallel).
import { assert } from '../base/assert.ts'
import type { HttpConnection } from './connection.ts'
import type { ContentCoding } from './content-coding.ts'
import type { ProtocolError } from './errors.ts'
import type { RequestHead } from './events.ts'
import { parseRequestTarget } from './grammar.ts'
import { Exchange, type ExchangeHost } from './server-exchange.ts'
import type { ConnectionInfo, PlainResponse } from './server-message.ts'
import type { ServerContext } from './server-options.ts'
import { type Asked, ownAnswer, refusal } from './server-own.ts'

const NO_CODINGS: readonly ContentCoding[] = []

/** What a connection does for the exchanges of its pipeline. */
export interface PipelineHost extends ExchangeHost {
  /** The request whose turn it is cannot be served. */
  refused(exchange: Exchange, error: ProtocolError): void
  /** Its handler has thrown. */
  failed(exchange: Exchange, error: unknown): void
}

/** The exchanges of one connection. */
export class Pipeline {
  readonly #host: PipelineHost
  readonly #http: HttpConnection
  readonly #info: ConnectionInfo
  readonly #context: ServerContext
  /** Begun before their turn, in order. */
  #ahead: Exchange[] = []

  constructor(host: PipelineHost, http: HttpConnection, info: ConnectionInfo, context: ServerContext) {
    this.#host = host
    this.#http = http
    this.#info = info
    this.#context = context
  }

  /** The exchange of a request whose turn it is; `isNew` when its handler is still to be started. */
  next(head: RequestHead): { readonly exchange: Exchange; readonly isNew: boolean } {
    const early = this.#ahead.shift()
    assert(early === undefined || early.head === head, 'exchanges begin in the order of their requests')
    return { exchange: early ?? this.#make(head, false), isNew: early === undefined }
  }

  /** Starts the handler of the exchange whose turn it is, unless its head alone is reason to refuse it. */
  start(exchange: Exchange): void {
    const asked = this.#asked(exchange, this.#http.remainingBodyBytes)
    const error = refusal(asked, this.#context)
    if (error !== null) this.#host.refused(exchange, error)
    else this.#run(exchange, asked)
  }

  /** Begins requests that have come behind the current one, as many as may run with it. */
  lookAhead(requests: number): void {
    const { limits, closing } = this.#context
    if (closing()) return
    while (
      this.#ahead.length + 1 < limits.pipelineRequests &&
      requests + this.#ahead.length < limits.requestsPerConnection
    ) {
      const head = this.#http.readAhead()
      if (head === null) return
      const exchange = this.#make(head, true)
      exchange.body.finish()
      this.#ahead.push(exchange)
      const asked = this.#asked(exchange, 0)
      const error = refusal(asked, this.#context)
      if (error !== null) exchange.heldFailure = { error }
      else this.#run(exchange, asked)
    }
  }

  /** Gives up what was begun ahead of its turn. */
  drop(error: Error): void {
    for (const exchange of this.#ahead.splice(0)) exchange.drop(error)
  }

  #make(head: RequestHead, ahead: boolean): Exchange {
    const target = parseRequestTarget(head.method, head.target)
    assert(target !== null, 'the connection hands out requests with valid targets only')
    const { options, timeouts } = this.#context
    const settings = { ahead, codings: options.codings ?? NO_CODINGS }
    const exchange = new Exchange(head, target, this.#info, this.#host, settings)
    exchange.startUs = options.scheduler.now()
    exchange.deadlineUs = exchange.startUs + timeouts.requestUs
    return exchange
  }

  #asked({ head, request }: Exchange, bodyBytes: number): Asked {
    return { head, target: request.parsedTarget, connection: this.#info, bodyBytes }
  }

  /** What is answered at once leaves at once, without a promise in between. */
  #run(exchange: Exchange, asked: Asked): void {
    try {
      const { options } = this.#context
      const result = ownAnswer(asked, this.#context) ?? options.handler(exchange.request, exchange.response)
      if (isThenable(result)) void this.#later(exchange, result)
      else if (result !== undefined) this.#answer(exchange, result)
    } catch (error) {
      this.#failed(exchange, error)
    }
  }

  async #later(exchange: Exchange, promise: PromiseLike<Answer>): Promise<void> {
    try {
      const result = await promise
      if (result !== undefined) this.#answer(exchange, result)
    } catch (error) {
      this.#failed(exchange, error)
    }
  }

  #answer(exchange: Exchange, { status = 200, headers, body = '' }: PlainResponse): void {
    const { response } = exchange
    if (response.ended) return
    if (typeof body === 'string' || body instanceof Uint8Array) void response.sendWhole(status, headers, body)
    else response.send(status, headers, body).catch((error: unknown) => this.#failed(exchange, error))
  }

  #failed(exchange: Exchange, error: unknown): void {
    if (this.#ahead.includes(exchange) && !exchange.response.complete) exchange.heldFailure = { error }
    else this.#host.failed(exchange, error)
  }
}

// biome-ignore lint/suspicious/noConfusingVoidType: what a handler may return
type Answer = void | PlainResponse | undefined

const isThenable = (value: Answer | PromiseLike<Answer>): value is PromiseLike<Answer> =>
  typeof value === 'object' && 'then' in value && typeof value.then === 'function'
