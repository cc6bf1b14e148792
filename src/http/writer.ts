// Writing messages: heads and bodies as bytes on the wire, with nothing in them that could be read as more than was
// meant.
// Owns: the text of heads, validation against injection, keeping a body to its announced length. Does not own: which
// framing or connection fields to add (outgoing.ts), which message may be sent when (state.ts).
// Read first: RFC 9112 §3, §4, §5, §7.1; §11.1 (response splitting).
import { encodeChunk, encodeLastChunk } from './chunked.ts'
import { localError } from './errors.ts'
import type { InformationalResponse, RequestHead, ResponseHead } from './events.ts'
import type { BodyFraming } from './framing.ts'
import { encodeLatin1, isFieldValue, isToken } from './grammar.ts'
import type { HeaderList } from './headers.ts'

const NOTHING = new Uint8Array(0)

/**
 * A request head as bytes.
 * @throws {TypeError} when the method is not a token, the target holds anything but visible ASCII, or a field could
 *   break its line
 */
export function writeRequestHead(request: RequestHead): Uint8Array {
  if (!isToken(request.method)) throw new TypeError(`method ${JSON.stringify(request.method)} is not a token`)
  if (!/^[\x21-\x7e]+$/.test(request.target)) {
    throw new TypeError(`request target ${JSON.stringify(request.target)} is not visible ASCII; percent-encode it`)
  }
  return encodeLatin1(`${request.method} ${request.target} HTTP/${request.version}\r\n${request.headers.toLines()}\r\n`)
}

/**
 * The head of a final or informational response as bytes.
 * @throws {TypeError} when the reason or a field could break its line
 * @throws {RangeError} when the status is not 100 to 999, or does not fit the type of the event
 */
export function writeResponseHead(response: ResponseHead | InformationalResponse): Uint8Array {
  const { status, reason } = response
  const least = response.type === 'informational' ? 100 : 200
  const most = response.type === 'informational' ? 199 : 999
  if (!(Number.isInteger(status) && status >= least && status <= most)) {
    throw new RangeError(`status ${status} of a ${response.type} response is not between ${least} and ${most}`)
  }
  if (!isFieldValue(reason))
    throw new TypeError(`reason phrase ${JSON.stringify(reason)} holds a control or non-Latin-1 character`)
  return encodeLatin1(`HTTP/${response.version} ${status} ${reason}\r\n${response.headers.toLines()}\r\n`)
}

/** Turns a body into bytes on the wire, by its framing. */
export class BodyWriter {
  readonly #framing: BodyFraming
  #remaining: number

  constructor(framing: BodyFraming) {
    this.#framing = framing
    this.#remaining = typeof framing === 'object' ? framing.length : 0
  }

  /** Whether only the end of the connection will end it. */
  get isUntilClose(): boolean {
    return this.#framing === 'until-close'
  }

  /**
   * A part of the body. The result may be `data` itself.
   * @throws {ProtocolError} local, when it is more than Content-Length announced or the message has no body
   */
  data(data: Uint8Array): Uint8Array {
    if (this.#framing === 'chunked') return encodeChunk(data)
    if (this.#framing === 'until-close') return data
    if (data.length > this.#remaining) {
      throw localError('body-length', `${data.length - this.#remaining} bytes more than the head announced`)
    }
    this.#remaining -= data.length
    return data
  }

  /**
   * The end of the body; trailers go with chunked only and are dropped otherwise (RFC 9110 §6.5).
   * @throws {ProtocolError} local, when bytes that Content-Length announced are missing
   */
  end(trailers: HeaderList): Uint8Array {
    if (this.#framing === 'chunked') return encodeLastChunk(trailers)
    if (this.#remaining > 0)
      throw localError('body-length', `${this.#remaining} bytes fewer than Content-Length announced`)
    return NOTHING
  }
}
