// One request and its answer, as a server's connection keeps them while they last.
// Owns: the record of an exchange, holding back the answer of one whose turn has not come, the text of an error answer.
// Does not own: what happens when (server-connection.ts).
import { type Micros, SECOND } from '../base/time.ts'
import { type BodyHooks, IncomingBody, toBytes } from './body.ts'
import type { ContentCoding } from './content-coding.ts'
import type { ProtocolError } from './errors.ts'
import type { HttpVersion, RequestHead, ResponseHead, ServerEvent } from './events.ts'
import type { RequestTarget } from './grammar.ts'
import { HeaderList } from './headers.ts'
import {
  type ConnectionInfo,
  type RequestParts,
  type ResponseSink,
  ServerRequest,
  ServerResponse,
  type TakenStream,
} from './server-message.ts'
import type { ExchangeRecord, ServerContext } from './server-options.ts'
import { reasonPhrase } from './status.ts'

/** What a connection does for an exchange. */
export interface ExchangeHost extends ResponseSink {
  /** The program begins to read a body. */
  bodyWanted(exchange: Exchange): void
  /** The program has taken something of a body, or wants no more of it. */
  bodyTaken(): void
}

/** An answer that waits for its turn holds this many bytes before its handler has to wait. */
const HELD_BYTES = 65_536

/**
 * An exchange in progress; its numbers belong to the connection. One that was begun ahead of its turn holds its answer
 * back until `activate`.
 */
export class Exchange implements ResponseSink, BodyHooks, RequestParts {
  readonly head: RequestHead
  readonly request: ServerRequest
  readonly response: ServerResponse
  readonly body: IncomingBody
  startUs: Micros = 0
  /** When the body must be complete; moved on by the time that the handler let it wait. */
  deadlineUs: Micros = Infinity
  /** Bytes that the connection had written before this exchange. */
  startBytes = 0
  /** Bytes of the answer's body so far. */
  sentBodyBytes = 0
  /** Bytes of the body thrown away after the answer. */
  drainedBytes = 0
  /** Status of the answer; 0 before there is one. */
  status = 0
  /** What the handler threw before its turn; null when nothing. */
  heldFailure: { readonly error: unknown } | null = null
  readonly #host: ExchangeHost
  /** Made when somebody asks for the signal, which costs as much as the rest of an exchange. */
  #abort: AbortController | null = null
  #abortReason: Error | null = null
  #held: ServerEvent[] | null
  #heldBytes = 0
  #waiters: (() => void)[] = []

  /** @param ahead whether its turn has not come yet */
  constructor(
    head: RequestHead,
    target: RequestTarget,
    info: ConnectionInfo,
    host: ExchangeHost,
    options: { readonly ahead: boolean; readonly codings: readonly ContentCoding[] },
  ) {
    this.head = head
    this.body = new IncomingBody(this)
    this.request = new ServerRequest(head, target, this, info)
    this.#host = host
    this.#held = options.ahead ? [] : null
    this.response = new ServerResponse(this, head, options.codings)
  }

  /** The request's signal. */
  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController()
      if (this.#abortReason !== null) this.#abort.abort(this.#abortReason)
    }
    return this.#abort.signal
  }

  /** Aborts the request's signal. */
  abort(reason: Error): void {
    this.#abortReason ??= reason
    this.#abort?.abort(reason)
  }

  onStart(): void {
    this.#host.bodyWanted(this)
  }

  onTake(): void {
    this.#host.bodyTaken()
  }

  onCancel(): void {
    this.#host.bodyTaken()
  }

  get version(): HttpVersion {
    return this.#host.version
  }

  sendEvent(event: ServerEvent): void {
    if (this.#held === null) {
      this.#host.sendEvent(event)
      return
    }
    this.#held.push(event)
    if (event.type === 'data') this.#heldBytes += event.data.length
  }

  flush(): void {
    if (this.#held === null) this.#host.flush()
  }

  ready(): Promise<void> {
    if (this.#held === null) return this.#host.ready()
    if (this.#heldBytes < HELD_BYTES) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  takeOver(headers: HeaderList): TakenStream {
    return this.#host.takeOver(headers)
  }

  /**
   * Its turn has come: sends what was held back.
   * @throws what `HttpConnection.send` throws
   */
  activate(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const event of held) this.#host.sendEvent(event)
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  /** Nothing comes of it: its connection is gone, or takes no more. */
  drop(error: Error): void {
    this.body.fail(error)
    this.response.fail(error)
    this.abort(error)
    this.#held = null
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  /** What a log keeps of the exchange. */
  record(responseBytes: number, endUs: Micros, aborted: boolean, sequence: number): ExchangeRecord {
    const { method, target, version } = this.head
    const requestBodyBytes = this.body.receivedBytes
    const { startUs, status, sentBodyBytes: responseBodyBytes } = this
    const { connection } = this.request
    const bytes = { requestBodyBytes, responseBytes, responseBodyBytes }
    return { method, target, httpVersion: version, status, ...bytes, startUs, endUs, aborted, sequence, connection }
  }
}

/**
 * An error answer in plain text; says what was wrong with the request, but nothing of a handler's failure (`error`
 * null).
 */
export function errorResponse(
  status: number,
  error: ProtocolError | null,
  version: HttpVersion,
): { head: ResponseHead; text: Uint8Array } {
  const reason = reasonPhrase(status)
  const text = toBytes(`${status} ${reason}${error === null ? '' : `: ${error.message}`}\n`)
  const headers = new HeaderList({ 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length })
  return { head: { type: 'response', status, reason, version, headers }, text }
}

/**
 * A response head with what the server itself adds: Server, Date, and for a client that asked to stay, Keep-Alive (taken
 * out again when the connection is not kept).
 * @param sequence number of the request on its connection
 */
export function withOwnFields(
  event: ResponseHead,
  request: RequestHead | null,
  context: ServerContext,
  sequence: number,
): ResponseHead {
  const headers = event.headers.clone()
  const date = context.date()
  const { serverName } = context.options
  if (serverName !== undefined) headers.setDefault('Server', serverName)
  if (date !== null) headers.setDefault('Date', date)
  if (request?.headers.has('connection') && request.headers.tokens('connection').includes('keep-alive')) {
    const { requestsPerConnection } = context.limits
    const max = requestsPerConnection === Infinity ? '' : `, max=${requestsPerConnection - sequence}`
    const { idleUs } = context.timeouts
    if (idleUs !== Infinity) headers.setDefault('Keep-Alive', `timeout=${Math.floor(idleUs / SECOND)}${max}`)
  }
  return { type: 'response', status: event.status, reason: event.reason, version: event.version, headers }
}
