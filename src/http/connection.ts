// One HTTP/1.1 connection without I/O: bytes in, events out; events in, bytes out.
// Owns: joining reader, writer, framing and state; whether the connection persists; pausing pipelined input until the
// answer is done.
// Does not own: sockets, time, bodies kept in memory (server-connection.ts, client-connection.ts).
// Read first: RFC 9112 §9 (connection management).
import { localError, ProtocolError, remoteError } from './errors.ts'
import { CLOSED, type HttpEvent, type InformationalResponse, type RequestHead, type ResponseHead } from './events.ts'
import { bodyFraming, messagePersists } from './framing.ts'
import { type Leniency, STRICT } from './leniency.ts'
import { type HttpLimits, limitsFrom } from './limits.ts'
import { prepareInformational, prepareResponse } from './outgoing.ts'
import { MessageReader } from './reader.ts'
import { checkRequest } from './request-rules.ts'
import { type ClientState, MessageState, type Role, type ServerState, type SwitchKind } from './state.ts'
import { isSafe } from './status.ts'
import { BodyWriter, writeRequestHead, writeResponseHead } from './writer.ts'

const NOTHING = new Uint8Array(0)

/**
 * A connection as seen from one end.
 *
 * Feed it with `receiveData` and `receiveEnd`, then call `nextEvent` until it says `'need-data'` or `'paused'`. `send`
 * turns an event into the bytes to write. When both sides are done, `startNextCycle` begins the next exchange; until
 * then pipelined input waits.
 */
export class HttpConnection {
  /** Which end this is. */
  readonly role: Role
  readonly #peer: Role
  readonly #lenient: Leniency
  readonly #state = new MessageState()
  readonly #reader: MessageReader
  #body = new BodyWriter('none')
  #request: RequestHead | null = null
  #peerWaitsFor100 = false
  /** Requests read ahead of their turn; at most the last of them is wrong. */
  readonly #ahead: { readonly head: RequestHead | null; readonly error: ProtocolError | null }[] = []
  #mayReadAhead = true

  /** @throws {RangeError} when a limit is not a whole number of at least 0 */
  constructor(options: { role: Role; limits?: Partial<HttpLimits>; lenient?: Partial<Leniency> }) {
    this.role = options.role
    this.#peer = options.role === 'client' ? 'server' : 'client'
    this.#lenient = { ...STRICT, ...options.lenient }
    const kind = options.role === 'client' ? 'response' : 'request'
    this.#reader = new MessageReader(kind, limitsFrom(options.limits), this.#lenient)
  }

  /** What this end is doing. */
  get ourState(): ClientState | ServerState {
    return this.role === 'client' ? this.#state.client : this.#state.server
  }

  /** What the other end is doing. */
  get theirState(): ClientState | ServerState {
    return this.role === 'client' ? this.#state.server : this.#state.client
  }

  /** Whether, as far as is known now, another exchange may follow. */
  get keepAlive(): boolean {
    return this.#state.keepAlive
  }

  /** The request of the current exchange, sent or received. */
  get request(): RequestHead | null {
    return this.#request
  }

  /** Bytes received that no event has handed out yet. */
  get bufferedBytes(): number {
    return this.#reader.bufferedBytes
  }

  /** Bytes of the body being received that are still to come; `Infinity` when unknown, 0 when there is none. */
  get remainingBodyBytes(): number {
    return this.theirState === 'send-body' ? this.#reader.remainingBytes : 0
  }

  /** Whether nothing of a next message has arrived. */
  get atMessageStart(): boolean {
    return this.#reader.atMessageStart && this.#ahead.length === 0
  }

  /** Whether the peer has ended its side of the stream. */
  get peerEnded(): boolean {
    return this.#reader.ended
  }

  /** Whether the client waits for 100 (Continue) before it sends its body (RFC 9110 §10.1.1). */
  get clientWaitsForContinue(): boolean {
    return this.#peerWaitsFor100
  }

  /** Whether the end of the body being sent is the end of the connection. */
  get sendsUntilClose(): boolean {
    return this.#body.isUntilClose
  }

  /** From now on the connection closes after the current exchange. */
  disableKeepAlive(): void {
    this.#state.disableKeepAlive()
  }

  /** Takes received bytes. They belong to the connection; Data events hand out views on them. */
  receiveData(bytes: Uint8Array): void {
    this.#reader.push(bytes)
  }

  /** The peer has ended its side of the stream. */
  receiveEnd(): void {
    this.#reader.pushEnd()
  }

  /** After a switch of protocols: takes the bytes received behind the last HTTP message. */
  takeTrailingData(): Uint8Array {
    return this.#reader.takeRest()
  }

  /**
   * The next thing that the peer did.
   * @returns an event; `'need-data'` when more bytes must come; `'paused'` when they wait for the exchange to finish
   * @throws {ProtocolError} remote, once: the peer's state is then `error` and later calls return `'paused'`
   */
  nextEvent(): HttpEvent | 'need-data' | 'paused' {
    try {
      const event = this.#read()
      if (typeof event !== 'string') this.#received(event)
      return event
    } catch (error) {
      if (error instanceof ProtocolError) this.#state.fail(this.#peer)
      throw error
    }
  }

  /**
   * The head of the next pipelined request while the current exchange still goes on; `nextEvent` returns the same record
   * when its turn comes. Only what a server may work at in parallel: a safe method without a body, on a connection that
   * persists (RFC 9112 §9.3.2).
   * @returns null when there is none (yet), or what follows must wait for its turn
   */
  readAhead(): RequestHead | null {
    if (this.role === 'client' || this.theirState !== 'done' || !this.#mayReadAhead || !this.keepAlive) return null
    if (this.#request === null || !isSafe(this.#request.method)) return null
    let head: ReturnType<MessageReader['nextHead']> = null
    try {
      head = this.#reader.nextHead()
      if (head === null || head.type !== 'request') return null
      checkRequest(head, 'remote')
      const framing = bodyFraming(head, null, 'remote', this.#lenient)
      this.#ahead.push({ head, error: null })
      this.#mayReadAhead = messagePersists(head.headers, head.version, head.version)
      if (framing === 'none' && isSafe(head.method) && !head.headers.has('upgrade')) return head
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#ahead.push({ head: head?.type === 'request' ? head : null, error })
    }
    this.#mayReadAhead = false
    return null
  }

  #read(): HttpEvent | 'need-data' | 'paused' {
    const reader = this.#reader
    switch (this.theirState) {
      case 'send-body':
        return reader.nextBody() ?? 'need-data'
      case 'idle':
      case 'send-response': {
        const head = this.#takeAhead() ?? reader.nextHead()
        if (head !== null) return head
        if (!reader.ended) return 'need-data'
        if (this.theirState === 'idle' && reader.atMessageStart) return CLOSED
        throw remoteError(400, 'truncated', 'the connection ended in the middle of a message head')
      }
      case 'done':
      case 'must-close':
        if (reader.bufferedBytes > 0 || !this.atMessageStart) return 'paused'
        return reader.ended ? CLOSED : 'need-data'
      default:
        return 'paused'
    }
  }

  #takeAhead(): RequestHead | null {
    const next = this.#ahead.shift()
    if (next === undefined) return null
    if (this.#ahead.length === 0) this.#mayReadAhead = true
    if (next.error === null) return next.head
    this.#request = next.head
    throw next.error
  }

  #received(event: HttpEvent): void {
    const peer = this.#peer
    if (event.type === 'request') {
      this.#request = event
      checkRequest(event, 'remote')
      const framing = bodyFraming(event, null, 'remote', this.#lenient)
      this.#noteRequest(event)
      this.#reader.startBody(framing)
      this.#peerWaitsFor100 =
        event.version === '1.1' && framing !== 'none' && event.headers.tokens('expect').includes('100-continue')
      this.#state.process(peer, event.type, false)
      return
    }
    if (event.type === 'response' || event.type === 'informational') {
      const switchTo = this.#switchOf(event)
      const framing = bodyFraming(event, this.#request?.method ?? null, 'remote', this.#lenient)
      this.#peerWaitsFor100 = false
      this.#state.process(peer, event.type, false, switchTo)
      if (event.type === 'response') {
        this.#reader.startBody(framing)
        this.#noteResponse(event, framing === 'until-close')
      }
      return
    }
    // A client that has sent some of its body, or all of none, waits no more.
    this.#peerWaitsFor100 = false
    this.#state.process(peer, event.type, false)
  }

  /**
   * Sends an event.
   * @returns the bytes to write; may be empty, or the very bytes of a Data event
   * @throws {ProtocolError} local, when the event is not allowed now or breaks the announced length
   * @throws {TypeError} when a head or trailer could be read as more than it says (header injection)
   * @throws {RangeError} when a status code is out of range
   */
  send(event: HttpEvent): Uint8Array {
    // Everything is checked and written before the state moves, so that a refused event changes nothing.
    switch (event.type) {
      case 'request':
        return this.#sendRequest(event)
      case 'response':
      case 'informational':
        return this.#sendResponse(event)
      case 'data': {
        this.#mustAllow('data')
        const bytes = this.#body.data(event.data)
        this.#state.process(this.role, 'data', true)
        return bytes
      }
      case 'end': {
        this.#mustAllow('end')
        const bytes = this.#body.end(event.trailers)
        this.#peerWaitsFor100 = false
        this.#state.process(this.role, 'end', true)
        return bytes
      }
      case 'closed':
        this.#state.process(this.role, 'closed', true)
        return NOTHING
    }
  }

  /** Our own sending failed or was given up in the middle: nothing more can be sent. */
  sendFailed(): void {
    this.#state.fail(this.role)
  }

  /**
   * Begins the next exchange on this connection.
   * @throws {ProtocolError} local, unless both sides are done and the connection persists
   */
  startNextCycle(): void {
    this.#state.startNextCycle()
    this.#request = null
    this.#peerWaitsFor100 = false
  }

  #mustAllow(type: HttpEvent['type']): void {
    if (this.#state.allows(this.role, type)) return
    throw localError('unexpected-event', `a ${this.role} may not send '${type}' in state ${this.ourState}`)
  }

  #sendRequest(event: RequestHead): Uint8Array {
    if (this.role === 'server') throw localError('unexpected-event', 'a server does not send requests')
    this.#mustAllow('request')
    const bytes = writeRequestHead(event)
    checkRequest(event, 'local')
    const framing = bodyFraming(event, null, 'local')
    this.#noteRequest(event)
    this.#body = new BodyWriter(framing)
    this.#peerWaitsFor100 = framing !== 'none' && event.headers.tokens('expect').includes('100-continue')
    this.#state.process('client', 'request', true)
    return bytes
  }

  #sendResponse(event: ResponseHead | InformationalResponse): Uint8Array {
    if (this.role === 'client') throw localError('unexpected-event', 'a client does not send responses')
    const switchTo = this.#switchOf(event)
    if (switchTo === null) this.#mustAllow(event.type)
    if (event.type === 'informational') {
      const bytes = writeResponseHead(prepareInformational(event))
      this.#state.process('server', event.type, true, switchTo)
      this.#peerWaitsFor100 = false
      return bytes
    }
    // A client that still waits for 100 may or may not send its body now: only a close is unambiguous (RFC 9110
    // §10.1.1).
    const keepAlive = this.#state.keepAlive && !this.#peerWaitsFor100
    const prepared = prepareResponse(event, { request: this.#request, keepAlive })
    const framing = bodyFraming(prepared, this.#request?.method ?? null, 'local')
    const bytes = writeResponseHead(prepared)
    this.#state.process('server', event.type, true, switchTo)
    this.#body = new BodyWriter(framing)
    if (!keepAlive) this.#state.disableKeepAlive()
    this.#noteResponse(prepared, framing === 'until-close')
    this.#peerWaitsFor100 = false
    return bytes
  }

  #noteRequest(event: RequestHead): void {
    this.#request = event
    if (event.method === 'CONNECT') this.#state.propose('connect')
    if (
      event.version === '1.1' &&
      event.headers.has('upgrade') &&
      event.headers.tokens('connection').includes('upgrade')
    ) {
      this.#state.propose('upgrade')
    }
    // RFC 9112 appendix C.2.2: what clients of 1996 said to a proxy instead of Connection.
    const isHeld =
      this.#lenient.proxyConnection &&
      event.headers.tokens('proxy-connection').includes('keep-alive') &&
      !event.headers.tokens('connection').includes('close')
    if (!isHeld && !messagePersists(event.headers, event.version, event.version)) this.#state.disableKeepAlive()
  }

  #noteResponse(event: ResponseHead, untilClose: boolean): void {
    const version = this.#request?.version ?? '1.1'
    if (untilClose || !messagePersists(event.headers, event.version, version)) this.#state.disableKeepAlive()
  }

  #switchOf(event: ResponseHead | InformationalResponse): SwitchKind | null {
    if (event.status === 101) return 'upgrade'
    return this.#request?.method === 'CONNECT' && event.status >= 200 && event.status < 300 ? 'connect' : null
  }
}
