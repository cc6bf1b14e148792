// Reading messages from a stream of bytes, however it is cut: start line, fields, body.
// Owns: the strict rules for start lines, limits, the body of each framing. Does not own: which framing (framing.ts),
// which message may come when (state.ts), the rules across fields such as Host (request-rules.ts).
// Read first: RFC 9112 §2.2 (parsing), §3 (request line), §4 (status line).
import { ByteQueue } from './byte-queue.ts'
import { ChunkedDecoder } from './chunked.ts'
import { remoteError } from './errors.ts'
import {
  type Data,
  dataEvent,
  type EndOfMessage,
  endEvent,
  type HttpVersion,
  type InformationalResponse,
  type RequestHead,
  type ResponseHead,
} from './events.ts'
import { FieldSection } from './fields.ts'
import type { BodyFraming } from './framing.ts'
import { decodeLatin1, isFieldBytes, isTokenByte, isTokenBytes, isVisibleBytes } from './grammar.ts'
import type { HeaderList } from './headers.ts'
import { LastRead } from './last-read.ts'
import { type Leniency, STRICT } from './leniency.ts'
import type { HttpLimits } from './limits.ts'

const NOTHING = new Uint8Array(0)
const SP = 32
const CR = 13
const LF = 10
const UPPER_H = 72

type StartLine =
  | { readonly method: string; readonly target: string; readonly version: HttpVersion }
  | { readonly status: number; readonly reason: string; readonly version: HttpVersion }

/** Reads the messages of one direction of a connection. */
export class MessageReader {
  readonly #kind: 'request' | 'response'
  readonly #limits: HttpLimits
  readonly #lenient: Leniency
  readonly #input = new ByteQueue()
  #ended = false
  #emptyLines = 0
  readonly #lastLine = new LastRead<StartLine>()
  readonly #lastFields = new LastRead<HeaderList>()
  #startLine: StartLine | null = null
  #fields: FieldSection | null = null
  /** Where the section began. */
  #fieldsFrom: { readonly bytes: Uint8Array; readonly start: number } = { bytes: NOTHING, start: 0 }
  #framing: BodyFraming = 'none'
  #remaining = 0
  #chunked: ChunkedDecoder | null = null

  /** @param kind which messages come this way */
  constructor(kind: 'request' | 'response', limits: HttpLimits, lenient: Leniency = STRICT) {
    this.#kind = kind
    this.#limits = limits
    // RFC 9112 §5.2: a server refuses a folded line, a user agent or proxy puts spaces in its place.
    this.#lenient = kind === 'response' ? { ...lenient, obsFold: true } : lenient
  }

  /** Bytes received and not yet read. */
  get bufferedBytes(): number {
    return this.#input.length
  }

  /** Whether the peer has ended its side. */
  get ended(): boolean {
    return this.#ended
  }

  /** Bytes of the current body that are still to come; `Infinity` when only its end will tell. */
  get remainingBytes(): number {
    return typeof this.#framing === 'object' ? this.#remaining : this.#framing === 'none' ? 0 : Number.POSITIVE_INFINITY
  }

  /** Takes received bytes; they belong to the reader, and views on them are handed on as Data. */
  push(bytes: Uint8Array): void {
    this.#input.push(bytes)
  }

  /** The peer has ended its side. */
  pushEnd(): void {
    this.#ended = true
  }

  /** Takes all bytes that were not read: the first of another protocol after a switch. */
  takeRest(): Uint8Array {
    return this.#input.take(this.#input.length)
  }

  /** Whether nothing of a next message has come: no byte, or only empty lines before a request. */
  get atMessageStart(): boolean {
    return this.#startLine === null && this.#input.length === 0
  }

  /**
   * Reads a head.
   * @returns null when more bytes are needed
   * @throws {ProtocolError} remote, with the status that a server answers: 400, 414, 431, 501, 505
   */
  nextHead(): RequestHead | ResponseHead | InformationalResponse | null {
    if (this.#startLine === null) {
      this.#startLine = this.#nextStartLine()
      if (this.#startLine === null) return null
    }
    const headers = this.#nextFields()
    if (headers === null) return null
    const line = this.#startLine
    this.#startLine = null
    this.#emptyLines = 0
    const { version } = line
    if ('method' in line) return { type: 'request', method: line.method, target: line.target, version, headers }
    const type = line.status < 200 ? 'informational' : 'response'
    return { type, status: line.status, reason: line.reason, version, headers }
  }

  #nextStartLine(): StartLine | null {
    const input = this.#input
    const known = this.#lastLine.recall(input)
    if (known !== null) return known
    const cr = this.#findStartLine()
    if (cr === -1) return null
    const { bytes, start } = input
    const line = this.#kind === 'request' ? parseRequestLine(bytes, start, cr) : parseStatusLine(bytes, start, cr)
    input.skipLine()
    this.#lastLine.keep(bytes, start, input.start, line)
    return line
  }

  #nextFields(): HeaderList | null {
    const input = this.#input
    if (this.#fields === null) {
      const known = this.#lastFields.recall(input)
      if (known !== null) return known.clone()
      this.#fields = new FieldSection(this.#limits.headerBytes, this.#limits.headerCount, this.#lenient)
      this.#fieldsFrom = { bytes: input.bytes, start: input.start }
    }
    if (!this.#fields.read(input)) return null
    const { headers } = this.#fields
    const { bytes, start } = this.#fieldsFrom
    this.#fields = null
    if (bytes === input.bytes) this.#lastFields.keep(bytes, start, input.start, headers.clone())
    return headers
  }

  /** Sets how the body of the head just read ends; `nextBody` reads it. */
  startBody(framing: BodyFraming): void {
    this.#framing = framing
    this.#remaining = typeof framing === 'object' ? framing.length : 0
    this.#chunked = framing === 'chunked' ? new ChunkedDecoder(this.#limits, this.#lenient) : null
  }

  /**
   * Reads the next part of the body, or its end.
   * @returns null when more bytes are needed
   * @throws {ProtocolError} remote: 400 for a malformed or truncated body, 431 for its trailers
   */
  nextBody(): Data | EndOfMessage | null {
    const input = this.#input
    if (this.#chunked !== null) {
      const part = this.#chunked.next(input)
      if (part === 'end') return this.#endBody(this.#chunked)
      if (part !== 'need-data') return dataEvent(part)
    } else if (this.#framing === 'until-close') {
      if (input.length > 0) return dataEvent(input.take(input.length))
      if (this.#ended) return this.#endBody(null)
    } else {
      if (this.#remaining === 0) return this.#endBody(null)
      if (input.length > 0) {
        const data = input.take(this.#remaining)
        this.#remaining -= data.length
        return dataEvent(data)
      }
    }
    if (this.#ended) {
      const missing = this.#chunked === null ? `${this.#remaining} bytes of the body` : 'the last chunk'
      throw remoteError(400, 'truncated', `the connection ended before ${missing}`)
    }
    return null
  }

  #endBody(decoder: ChunkedDecoder | null): EndOfMessage {
    this.#framing = 'none'
    this.#chunked = null
    return endEvent(decoder?.trailers)
  }

  // Every check looks only at bytes that decide it for good, so that the verdict does not depend on how they were cut.
  #findStartLine(): number {
    const input = this.#input
    for (;;) {
      if (input.length === 0) return -1
      const first = input.bytes[input.start]
      const emptyLine = first === CR || (first === LF && this.#lenient.bareLf)
      const possible = this.#kind === 'response' ? first === UPPER_H : isTokenByte(first) || emptyLine
      if (!possible) throw this.#badStartLine()
      const cr = input.findLine(this.#limits.startLineBytes, this.#lenient.bareLf)
      if (cr === 'need-data') return -1
      if (cr === 'too-long') throw this.#tooLong()
      if (cr === 'bare-lf') throw remoteError(400, 'line-ending', 'the start line ends without CR')
      if (cr > input.start) return cr
      // RFC 9112 §2.2: ignore at least one empty line before a request line.
      if (++this.#emptyLines > this.#limits.emptyLines)
        throw remoteError(400, 'bad-request-line', 'too many empty lines')
      input.skipLine()
    }
  }

  #badStartLine(): Error {
    if (this.#kind === 'request') return remoteError(400, 'bad-request-line', 'not an HTTP request')
    return remoteError(502, 'bad-status-line', 'not an HTTP response')
  }

  // RFC 9112 §3: a method longer than any known is 501, a target longer than we take is 414.
  #tooLong(): Error {
    if (this.#kind === 'response') return remoteError(502, 'bad-status-line', 'the status line is too long')
    const { bytes, start } = this.#input
    const space = bytes.subarray(start, start + this.#limits.startLineBytes).includes(SP)
    if (!space) return remoteError(501, 'method-too-long', 'a method beyond the limit')
    return remoteError(414, 'request-line-too-long', `a request line of more than ${this.#limits.startLineBytes} bytes`)
  }
}

// RFC 9112 §3: method SP request-target SP HTTP-version, single spaces.
function parseRequestLine(bytes: Uint8Array, start: number, end: number): StartLine {
  const line = bytes.subarray(0, end)
  const first = line.indexOf(SP, start)
  const second = first === -1 ? -1 : line.indexOf(SP, first + 1)
  if (second === -1) throw remoteError(400, 'bad-request-line', 'a request line without three parts')
  if (!isTokenBytes(bytes, start, first)) throw remoteError(400, 'bad-request-line', 'a method that is not a token')
  if (second === first + 1 || !isVisibleBytes(bytes, first + 1, second)) {
    throw remoteError(400, 'bad-target', 'a request target with characters that are not allowed')
  }
  const version = parseVersion(bytes, second + 1, end, 400)
  return { method: decodeLatin1(bytes, start, first), target: decodeLatin1(bytes, first + 1, second), version }
}

// RFC 9112 §4: HTTP-version SP 3DIGIT SP [ reason-phrase ].
// DEVIATION: a status line without the last space is taken, as many servers send it when there is no phrase.
function parseStatusLine(bytes: Uint8Array, start: number, end: number): StartLine {
  const version = parseVersion(bytes, start, Math.min(end, start + 8), 502)
  const status = Number(/^ ([1-9][0-9]{2})(?: |$)/.exec(decodeLatin1(bytes, start + 8, Math.min(end, start + 13)))?.[1])
  if (Number.isNaN(status)) throw remoteError(502, 'bad-status-line', 'a status line without a status code')
  const from = Math.min(end, start + 13)
  if (!isFieldBytes(bytes, from, end))
    throw remoteError(502, 'bad-status-line', 'a control character in the reason phrase')
  return { status, reason: decodeLatin1(bytes, from, end), version }
}

// RFC 9112 §2.3: case-sensitive "HTTP/" DIGIT "." DIGIT. RFC 9110 §2.5: a higher minor version is read as the highest
// we know.
function parseVersion(bytes: Uint8Array, start: number, end: number, status: number): HttpVersion {
  const parts = /^HTTP\/([0-9])\.([0-9])$/.exec(decodeLatin1(bytes, start, Math.min(end, start + 9)))
  if (parts === null) throw remoteError(status, 'bad-version', 'a version that is not HTTP/x.y')
  if (parts[1] !== '1')
    throw remoteError(status === 400 ? 505 : status, 'unsupported-version', `HTTP/${parts[1]}.${parts[2]}`)
  return parts[2] === '0' ? '1.0' : '1.1'
}
