// What a client asks and what it gets: the request's parts, the response with its body to iterate.
// Owns: RequestOptions, ClientResponse, the making of a request's head. Does not own: the connection
// (client-connection.ts).
// Read first: RFC 9110 §6 (message abstraction), §8.6 (Content-Length), §10.1.1 (Expect).
import type { Micros } from '../base/time.ts'
import { type BodySource, concatBytes, DEFAULT_GATHER_BYTES, type IncomingBody, toBytes, toText } from './body.ts'
import type { ConnectionUse, ExchangeTimings } from './client-timings.ts'
import { HttpError, localError, ProtocolError, remoteError } from './errors.ts'
import type { HttpVersion, InformationalResponse, RequestHead, ResponseHead } from './events.ts'
import { HeaderList, type HeadersInit } from './headers.ts'
import type { ByteStream } from './stream.ts'

/** Told of the steps of an exchange as they happen. */
export interface ExchangeHooks {
  /** The request was given to a connection of a pool; again when it is repeated on another. */
  onConnection?(use: ConnectionUse): void
  onSent?(at: Micros): void
  onFirstByte?(at: Micros): void
  /** A 1xx response, 100 included. */
  onInformational?(response: InformationalResponse): void
  onEnd?(timings: Readonly<ExchangeTimings>): void
}

/** A request on a connection. */
export interface ConnectionRequest {
  /** GET unless given. */
  readonly method?: string
  /**
   * The request target as it goes on the wire: `/path?query`, an absolute URI towards a proxy, `host:port` for CONNECT.
   */
  readonly target: string
  /** Fields; must name Host for HTTP/1.1, unless the connection was told its host. */
  readonly headers?: HeadersInit
  /** Text goes out as UTF-8; an iterable as it comes, chunked unless the headers hold Content-Length. */
  readonly body?: BodySource
  /** Fields behind a chunked body, asked for when it has come to its end (RFC 9110 §6.5). */
  readonly trailers?: () => HeaderList
  readonly signal?: AbortSignal
  /** Sends `Expect: 100-continue` and the body only when the server asks for it, or after `continueUs`. */
  readonly expectContinue?: boolean
  /** `'1.0'` makes a request of the old kind. */
  readonly httpVersion?: HttpVersion
  readonly hooks?: ExchangeHooks
}

/** What is left of a connection that speaks another protocol now (101, or 2xx to CONNECT); it belongs to whoever takes it. */
export interface Switched {
  /** Paused: attach listeners, then call `resume()`. */
  readonly stream: ByteStream
  /** What the server had sent behind its answer already; comes before anything that the stream will say. */
  readonly head: Uint8Array
}

/** A response as the client received it; `body` goes on coming in after it was handed out. */
export class ClientResponse {
  readonly status: number
  readonly statusText: string
  readonly httpVersion: HttpVersion
  readonly headers: HeaderList
  /**
   * The body, which can be iterated once; unread parts hold the sender back. It throws a ProtocolError (`reason`
   * `'truncated'`) when the connection ends too early (RFC 9112 §8), an HttpError when it fails otherwise.
   */
  body: AsyncIterable<Uint8Array>
  /** The connection itself, when it has switched to another protocol; null otherwise. */
  switched: Switched | null = null
  /** Which connection of a pool the answer came over; null outside of a pool. */
  connection: ConnectionUse | null = null
  /** The URL that answered, behind redirects; `''` below HttpClient. */
  url = ''
  /** Redirects that were followed. */
  redirects = 0
  /** Fields after a chunked body; null until the body has come to its end. */
  trailers: HeaderList | null = null
  readonly timings: Readonly<ExchangeTimings>
  /** 1xx responses that came before. */
  readonly informational: readonly InformationalResponse[]
  readonly #body: IncomingBody

  constructor(
    head: ResponseHead,
    body: IncomingBody,
    timings: ExchangeTimings,
    informational: readonly InformationalResponse[],
  ) {
    this.status = head.status
    this.statusText = head.reason
    this.httpVersion = head.version
    this.headers = head.headers
    this.body = body
    this.#body = body
    this.timings = timings
    this.informational = informational
  }

  /** Resolves when the body has come to its end or has failed, read or not; never rejects. */
  get ended(): Promise<void> {
    return this.#body.over
  }

  /** Whether the status is 2xx. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }

  /**
   * The whole body.
   * @param limit most bytes to take
   * @throws {ProtocolError} beyond `limit` (reason `'body-too-large'`) or when the body is cut short (`'truncated'`); its `received`,
   *   and an HttpError's, is what had come
   */
  async bytes(limit = DEFAULT_GATHER_BYTES): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    let length = 0
    try {
      for await (const part of this.body) {
        length += part.length
        if (length > limit) throw remoteError(413, 'body-too-large', `a body of more than ${limit} bytes`)
        parts.push(part)
      }
    } catch (error) {
      if (error instanceof ProtocolError || error instanceof HttpError) error.received = concatBytes(parts)
      throw error
    }
    return concatBytes(parts, length)
  }

  /** The whole body as UTF-8 text. @throws {ProtocolError} as `bytes` */
  async text(limit = DEFAULT_GATHER_BYTES): Promise<string> {
    return toText(await this.bytes(limit))
  }

  /**
   * Reads the rest of the body and throws it away, so that the connection becomes free.
   * @throws {ProtocolError} as `bytes`
   */
  async discard(): Promise<void> {
    if (this.#body.used || this.switched !== null) return
    for await (const _ of this.body);
  }
}

/** A request made ready: its head, and the body when it is at hand. */
export interface PreparedRequest {
  readonly head: RequestHead
  /** The body as bytes, null when there is none. */
  readonly bytes: Uint8Array | null
  /** The body as it comes, null when it is at hand. */
  readonly stream: AsyncIterable<Uint8Array | string> | null
}

/**
 * The head of a request with the fields that its body needs; Host stands first (RFC 9110 §7.2).
 * @throws {TypeError} for a field that is not valid, a body with CONNECT, or a streamed body without Content-Length in HTTP/1.0
 * @throws {ProtocolError} local, when the body at hand is not as long as Content-Length says
 */
export function prepareRequest(request: ConnectionRequest, host: string | null): PreparedRequest {
  const { method = 'GET', target, body, httpVersion: version = '1.1' } = request
  const given = new HeaderList(request.headers)
  if (method === 'CONNECT' && body !== undefined) throw new TypeError('CONNECT has no body; write to the tunnel')
  // RFC 9110 §7.8: Upgrade is for the next hop, so Connection names it.
  if (given.has('upgrade') && !given.tokens('connection').includes('upgrade')) given.append('Connection', 'Upgrade')
  const headers = new HeaderList()
  // RFC 9112 §3.2.3: of CONNECT, Host is the target.
  const hostField = given.get('host') ?? (method === 'CONNECT' ? target : host)
  if (hostField !== null) headers.append('Host', hostField)
  given.delete('host')
  headers.appendAll(given)
  const bytes =
    body === undefined ? null : typeof body === 'string' || body instanceof Uint8Array ? toBytes(body) : null
  const stream = body !== undefined && bytes === null ? (body as AsyncIterable<Uint8Array | string>) : null
  if (!headers.has('transfer-encoding')) {
    if (bytes !== null) headers.setDefault('Content-Length', bytes.length)
    // RFC 9110 §8.6: a method that gives a body meaning says that there is none.
    else if (stream === null && /^(?:POST|PUT|PATCH)$/.test(method)) headers.setDefault('Content-Length', 0)
    else if (stream !== null && !headers.has('content-length')) {
      if (version === '1.0')
        throw new TypeError('an HTTP/1.0 request with a streamed body needs a Content-Length header')
      headers.append('Transfer-Encoding', 'chunked')
    }
  }
  // RFC 9112 §6.2: known before the head leaves, behind which there is no way back. Of a streamed body it shows as it goes.
  const [length, announced] = [bytes?.length ?? 0, headers.get('content-length')]
  if (stream === null && announced !== null && Number(announced) !== length)
    throw localError('body-length', `Content-Length: ${announced} with a body of ${length} bytes`)
  if (
    request.expectContinue === true &&
    (stream !== null || (bytes !== null && bytes.length > 0)) &&
    version === '1.1'
  ) {
    headers.set('Expect', '100-continue')
  }
  return { head: { type: 'request', method, target, version, headers }, bytes, stream }
}
