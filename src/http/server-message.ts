// What a handler is given: the request with its body to iterate, the response to fill in.
// Owns: ServerRequest, ServerResponse, the handler's type. Does not own: the connection (server-connection.ts), framing
// (outgoing.ts).
// Read first: RFC 9110 §6 (message abstraction), §9.3.2 (HEAD), §10.1.1 (Expect).
import { type BodySource, DEFAULT_GATHER_BYTES, gatherBytes, type IncomingBody, toBytes, toText } from './body.ts'
import { CodedWriter } from './coded-writer.ts'
import {
  type ContentCoding,
  chooseCoding,
  MIN_CODED_BYTES,
  markCoded,
  markUncoded,
  mayBeCoded,
  varyByEncoding,
} from './content-coding.ts'
import { dataEvent, endEvent, type HttpVersion, type RequestHead, type ServerEvent } from './events.ts'
import type { RequestTarget } from './grammar.ts'
import { HeaderList, type HeadersInit } from './headers.ts'
import { quiet } from './output.ts'
import { isBodyless, reasonPhrase } from './status.ts'
import type { ByteStream } from './stream.ts'

/** What the server was told about a connection. */
export interface ConnectionInfo {
  readonly remoteAddress?: string
  readonly remotePort?: number
  readonly localAddress?: string
  readonly localPort?: number
  /** Whether TLS lies below. */
  readonly secure?: boolean
}

/** A response as a plain object, which a handler may return instead of using `response`. */
export interface PlainResponse {
  /** 200 unless given. */
  readonly status?: number
  readonly headers?: HeadersInit
  readonly body?: BodySource
}

/**
 * Answers one request: fills in `response`, or returns a plain response. Throwing answers 500 (or the `status` of a
 * ProtocolError).
 */
export type Handler = (
  request: ServerRequest,
  response: ServerResponse,
) => void | PlainResponse | Promise<void> | Promise<PlainResponse | undefined>

/** What of a request is made by its connection, when somebody asks for it. */
export interface RequestParts {
  readonly body: IncomingBody
  readonly signal: AbortSignal
}

/** A request as the server received it. */
export class ServerRequest {
  readonly method: string
  /** The request target exactly as sent. */
  readonly target: string
  /** Its path, still percent-encoded; `*` for OPTIONS *, `''` for CONNECT. */
  readonly path: string
  /** What follows `?`, still encoded; `''` when there is none. */
  readonly query: string
  /** Host and port that the request is for: of an absolute target, else of Host (RFC 9112 §3.3). May be `''`. */
  readonly authority: string
  readonly httpVersion: HttpVersion
  readonly headers: HeaderList
  /** The parts of the target, see `parseRequestTarget`. */
  readonly parsedTarget: RequestTarget
  /** Who asks. */
  readonly connection: ConnectionInfo
  /** Fields after a chunked body; null until the body has been read to its end. */
  trailers: HeaderList | null = null
  readonly #parts: RequestParts

  constructor(head: RequestHead, target: RequestTarget, parts: RequestParts, connection: ConnectionInfo) {
    this.method = head.method
    this.target = head.target
    this.path = target.path
    this.query = target.query
    this.authority = target.authority === '' ? (head.headers.get('host') ?? '') : target.authority
    this.httpVersion = head.version
    this.headers = head.headers
    this.parsedTarget = target
    this.connection = connection
    this.#parts = parts
  }

  /**
   * The body; reading it answers `Expect: 100-continue`, and unread parts hold the sender back. It can be iterated
   * once.
   */
  get body(): AsyncIterable<Uint8Array> {
    return this.#parts.body
  }

  /** Aborted when the connection is lost before the answer is complete. */
  get signal(): AbortSignal {
    return this.#parts.signal
  }

  /** The query taken apart as a form. */
  get params(): URLSearchParams {
    return new URLSearchParams(this.query)
  }

  /**
   * The whole body.
   * @param limit most bytes to take
   * @throws {ProtocolError} 413 beyond `limit`; the server answers it when the handler lets it pass
   */
  bytes(limit = DEFAULT_GATHER_BYTES): Promise<Uint8Array> {
    return gatherBytes(this.body, limit)
  }

  /** The whole body as UTF-8 text. @throws {ProtocolError} 413 beyond `limit` bytes */
  async text(limit = DEFAULT_GATHER_BYTES): Promise<string> {
    return toText(await this.bytes(limit))
  }
}

/** A connection that is HTTP no more. */
export interface TakenStream {
  /** Paused; it belongs to whoever took it. */
  readonly stream: ByteStream
  /** What the client has sent behind its request already. */
  readonly head: Uint8Array
  /** Whether the client has ended its side already: the stream will not say so again. */
  readonly ended: boolean
}

/** Where a response goes; the connection implements it. */
export interface ResponseSink {
  /** @throws {TypeError} when the connection cannot be taken over now */
  takeOver(headers: HeaderList): TakenStream
  /** @throws what `HttpConnection.send` throws */
  sendEvent(event: ServerEvent): void
  flush(): void
  ready(): Promise<void>
  /** The version that responses carry. */
  readonly version: HttpVersion
}

/** The answer to one request. Its head leaves together with the first part of the body. */
export class ServerResponse {
  /** The status code that the head will carry. */
  status = 200
  /** The reason phrase; the usual one unless set. */
  reason: string | null = null
  /** The fields that the head will carry. */
  readonly headers = new HeaderList()
  readonly #sink: ResponseSink
  readonly #method: string
  readonly #asked: HeaderList
  readonly #codings: readonly ContentCoding[]
  /** The way of the body when it is compressed as it is written. */
  #coded: CodedWriter | null = null
  #headSent = false
  /** Whether the program has written all of it; compressed parts may still be on their way. */
  #finished = false
  #ended = false
  #failure: Error | null = null

  constructor(sink: ResponseSink, request: RequestHead, codings: readonly ContentCoding[]) {
    this.#sink = sink
    this.#method = request.method
    this.#asked = request.headers
    this.#codings = codings
  }

  /** Whether the head has left; status and headers can then no longer change. */
  get headSent(): boolean {
    return this.#headSent
  }

  /** Whether the response is complete, or given up. */
  get ended(): boolean {
    return this.#ended || this.#failure !== null
  }

  /**
   * Sets status and headers; nothing is sent yet.
   * @throws {TypeError} when the head has been sent, or a field is not valid
   */
  writeHead(status: number, headers?: HeadersInit): this {
    this.#mustBeOpen(true)
    this.status = status
    if (headers !== undefined) this.headers.setAll(headers)
    return this
  }

  /**
   * Sends an informational response at once, such as 103 (Early Hints); not to HTTP/1.0 clients, which do not know them
   * (RFC 9110 §15.2).
   * @throws {TypeError} when the head has been sent, or a field is not valid
   * @throws {RangeError} when the status is not 1xx
   */
  informational(status: number, headers?: HeadersInit): void {
    this.#mustBeOpen(true)
    if (this.#failure !== null) return
    const list = new HeaderList(headers)
    this.#sink.sendEvent({ type: 'informational', status, reason: reasonPhrase(status), version: '1.1', headers: list })
    this.#sink.flush()
  }

  /**
   * Sends the head now and alone. Seldom wanted: head and body in two writes are what Nagle's algorithm delays.
   * @throws {TypeError} when a field is not valid
   */
  flushHead(): void {
    this.#mustBeOpen(false)
    this.#begin()
    this.#sink.flush()
  }

  /** Hands what was written in this turn to the connection at once, instead of at the turn's end. */
  flush(): void {
    if (this.#failure === null) this.#sink.flush()
  }

  /**
   * Sends a part of the body, the head with the first. To HEAD and with 204, 205 and 304 the part is dropped. Where the server has codings,
   * the client takes one and the type is worth it, parts are compressed; what a compressor holds back leaves as soon as nothing follows.
   * @param chunk belongs to the response from now on
   * @returns resolves when the connection takes more; rejects when it is gone (need not be awaited)
   * @throws {TypeError} when the response has ended, or a field of the head is not valid
   * @throws {ProtocolError} local, when it is more than Content-Length announced
   */
  write(chunk: string | Uint8Array): Promise<void> {
    this.#mustBeOpen(false)
    if (this.#failure !== null) return quiet(Promise.reject(this.#failure))
    this.#begin()
    const bytes = toBytes(chunk)
    if (this.#coded !== null) return this.#coded.write(bytes)
    if (bytes.length > 0 && !this.#bodyless()) this.#sink.sendEvent(dataEvent(bytes))
    return this.#sink.ready()
  }

  /**
   * Ends the response, with a last part if given. When nothing was sent before, Content-Length is set.
   * @param trailers fields behind a chunked body; dropped otherwise
   * @returns resolves when the connection takes more; rejects when it is gone (need not be awaited)
   * @throws {TypeError} when the response has ended already
   * @throws {ProtocolError} local, when the body is not as long as Content-Length announced
   */
  end(chunk?: string | Uint8Array, trailers?: HeaderList): Promise<void> {
    this.#mustBeOpen(false)
    if (this.#failure !== null) return quiet(Promise.reject(this.#failure))
    let bytes = chunk === undefined ? null : toBytes(chunk)
    if (this.#coded !== null) return this.#endCoded(this.#coded, bytes, trailers)
    if (!this.#headSent) {
      if (bytes !== null) bytes = this.#codeWhole(bytes)
      this.#announce(bytes)
    }
    this.#sendHead()
    if (bytes !== null && bytes.length > 0 && !this.#bodyless()) this.#sink.sendEvent(dataEvent(bytes))
    this.#sendEnd(trailers)
    return this.#sink.ready()
  }

  // RFC 9110 §9.3.2: HEAD has the fields of GET, so that one who leaves the body out there must have said how long it is.
  #codeWhole(bytes: Uint8Array): Uint8Array {
    if (bytes.length > 0 || this.#method !== 'HEAD') return this.#coding(bytes.length)?.whole(bytes) ?? bytes
    if (this.headers.has('content-length')) this.#coding(null)
    return bytes
  }

  #endCoded(coded: CodedWriter, bytes: Uint8Array | null, trailers: HeaderList | undefined): Promise<void> {
    if (bytes !== null) void coded.write(bytes)
    const sent = coded.end()
    this.#finished = true
    return quiet(
      sent.then(() => {
        if (this.#failure === null) this.#sendEnd(trailers)
        return this.#sink.ready()
      }),
    )
  }

  #sendEnd(trailers: HeaderList | undefined): void {
    this.#ended = true
    try {
      this.#sink.sendEvent(endEvent(trailers))
    } catch (error) {
      this.#ended = false
      throw error
    }
  }

  /**
   * Sends a whole response. A string is UTF-8 `text/plain` unless a Content-Type is given; an iterable is sent as it
   * comes, with back-pressure, and not read at all when the response has no body. Where the server has codings and the
   * client takes one, the body is compressed.
   * @throws what `writeHead`, `write` and `end` throw, and what the iterable throws
   */
  async send(status: number, headers?: HeadersInit, body: BodySource = ''): Promise<void> {
    if (typeof body === 'string' || body instanceof Uint8Array) return this.sendWhole(status, headers, body)
    this.writeHead(status, headers)
    if (this.#bodyless()) this.#coding(null)
    else for await (const chunk of body) await this.write(chunk)
    return this.end()
  }

  /** As `send`, of a body that is there as a whole; what is wrong with it is thrown at once. */
  sendWhole(status: number, headers: HeadersInit | undefined, body: string | Uint8Array): Promise<void> {
    this.writeHead(status, headers)
    if (typeof body === 'string' && body !== '') this.headers.setDefault('Content-Type', 'text/plain; charset=utf-8')
    return this.end(body)
  }

  /**
   * Makes the connection a tunnel, or one of another protocol: answers CONNECT with 200, any other request with 101
   * (RFC 9110 §9.3.6, §7.8).
   * @param headers must hold Upgrade for a 101
   * @returns the stream, once the head has been handed to it
   * @throws {TypeError} when the request did not ask for it, its body has not been read, or something has been sent
   */
  takeOver(headers?: HeadersInit): TakenStream {
    this.#mustBeOpen(true)
    if (this.#failure !== null) throw new TypeError('the connection is gone; there is nothing to take over')
    const list = new HeaderList(headers)
    if (this.#method !== 'CONNECT' && !list.has('upgrade'))
      throw new TypeError('a 101 answer names the new protocol; give an Upgrade header')
    const taken = this.#sink.takeOver(list)
    this.#headSent = this.#ended = true
    return taken
  }

  /** The coding for a body of `length` bytes (null when unknown), the fields changed to fit; null to send it as it is. */
  #coding(length: number | null): ContentCoding | null {
    if (this.#codings.length === 0 || this.#headSent) return null
    if (this.status === 304 || this.status === 206) markUncoded(this.status, this.headers, this.#asked)
    if (!mayBeCoded(this.status, this.headers) || (length !== null && length < MIN_CODED_BYTES)) return null
    varyByEncoding(this.headers)
    const coding = chooseCoding(this.#asked.get('accept-encoding'), this.#codings)
    if (coding !== null) markCoded(this.headers, coding)
    return coding
  }

  /** Whether it has been ended, and not given up. */
  get complete(): boolean {
    return this.#ended
  }

  /** Whether it was given up. */
  get failed(): boolean {
    return this.#failure !== null
  }

  /** Connection's side: nothing more of this response can be sent. */
  fail(error: Error): void {
    if (this.#ended) return
    this.#failure ??= error
    this.#coded?.fail(error)
  }

  #bodyless(): boolean {
    return (
      this.#method === 'HEAD' ||
      isBodyless(this.status) ||
      this.status === 205 ||
      (this.#method === 'CONNECT' && this.status < 300)
    )
  }

  // RFC 9110 §8.6: a length when it is known. With HEAD it says what GET would send; a bare end() does not know that.
  #announce(bytes: Uint8Array | null): void {
    if (isBodyless(this.status) || this.headers.has('transfer-encoding')) return
    const isUnknown = this.#method === 'HEAD' && (bytes === null || bytes.length === 0)
    if (!isUnknown) this.headers.setDefault('Content-Length', bytes?.length ?? 0)
  }

  /** The head of an answer whose body is written part by part. */
  #begin(): void {
    if (this.#headSent || this.#failure !== null) return
    const length = this.headers.get('content-length')
    const coding = this.#coding(null)
    if (coding !== null && !this.#bodyless())
      this.#coded = new CodedWriter(coding, this.#sink, length === null ? null : Number(length))
    this.#sendHead()
  }

  #sendHead(): void {
    if (this.#headSent || this.#failure !== null) return
    const reason = this.reason ?? reasonPhrase(this.status)
    const { status, headers } = this
    // RFC 9110 §15.3.6: 205 has no content, and says so.
    if (status === 205) headers.set('Content-Length', 0).delete('transfer-encoding')
    this.#sink.sendEvent({ type: 'response', status, reason, version: this.#sink.version, headers })
    this.#headSent = true
  }

  #mustBeOpen(head: boolean): void {
    if (this.#ended || this.#finished) throw new TypeError('the response has ended; nothing more can be written to it')
    if (head && this.#headSent)
      throw new TypeError('the head has been sent; set status and headers before the first write')
  }
}
