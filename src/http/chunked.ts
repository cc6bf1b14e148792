// The chunked transfer coding, both ways, without I/O.
// Owns: chunk headers, extensions (skipped, with a limit), the trailer section. Does not own: when a body is chunked
// (framing.ts).
// Read first: RFC 9112 §7.1.
//
//   1a;name=value CRLF  <26 bytes> CRLF  ...  0 CRLF  trailer: value CRLF  CRLF
import type { ByteQueue } from './byte-queue.ts'
import { remoteError } from './errors.ts'
import { FieldSection } from './fields.ts'
import { decodeLatin1, encodeLatin1 } from './grammar.ts'
import { checkField, HeaderList } from './headers.ts'
import { type Leniency, STRICT } from './leniency.ts'
import type { HttpLimits } from './limits.ts'

/** Most hexadecimal digits of a chunk size, so that it stays an exact number: 16^12 bytes. */
const MAX_SIZE_DIGITS = 12
const CR = 13
const LF = 10
const ZERO = 48
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"'
/** One or more chunk extensions and nothing else (RFC 9112 §7.1.1). */
const EXTENSIONS = new RegExp(`^(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)+$`)

/** Reads a chunked body from a queue of bytes. */
export class ChunkedDecoder {
  readonly #limits: HttpLimits
  readonly #lenient: Leniency
  readonly #trailers: FieldSection
  #phase: 'size' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'end' = 'size'
  #remaining = 0
  #extensionBytes = 0

  constructor(limits: HttpLimits, lenient: Leniency = STRICT) {
    this.#limits = limits
    this.#lenient = lenient
    this.#trailers = new FieldSection(limits.trailerBytes, limits.trailerCount, lenient)
  }

  /**
   * The trailer fields; complete once `next` has returned `'end'`. Fields that mean nothing behind a body, such as
   * Content-Length, are left out (RFC 9110 §6.5.1).
   */
  get trailers(): HeaderList {
    return this.#trailers.headers
  }

  /**
   * Takes what it can from the front of `input`.
   * @returns a part of the body (a view that stays valid), `'need-data'`, or `'end'` after the trailer section
   * @throws {ProtocolError} 400 for a malformed chunk, 431 for too large a trailer section
   */
  next(input: ByteQueue): Uint8Array | 'need-data' | 'end' {
    for (;;) {
      switch (this.#phase) {
        case 'size':
          if (!this.#readSize(input)) return 'need-data'
          break
        case 'data': {
          if (input.length === 0) return 'need-data'
          const part = input.take(this.#remaining)
          this.#remaining -= part.length
          if (this.#remaining === 0) this.#phase = 'data-cr'
          return part
        }
        case 'data-cr':
          if (input.length === 0) return 'need-data'
          this.#expect(input, CR)
          this.#phase = 'data-lf'
          break
        case 'data-lf':
          if (input.length === 0) return 'need-data'
          this.#expect(input, LF)
          this.#phase = 'size'
          break
        case 'trailers':
          if (!this.#trailers.read(input)) return 'need-data'
          for (const [name] of this.#trailers.headers.toJSON()) {
            if (isForbiddenTrailer(name)) this.#trailers.headers.delete(name)
          }
          this.#phase = 'end'
          break
        case 'end':
          return 'end'
      }
    }
  }

  #readSize(input: ByteQueue): boolean {
    const { bareLf } = this.#lenient
    const cr = input.findLine(MAX_SIZE_DIGITS + this.#limits.chunkExtensionBytes - this.#extensionBytes, bareLf)
    if (cr === 'need-data') return false
    if (cr === 'too-long') throw remoteError(400, 'chunk-extension-too-long', 'a chunk header beyond the limit')
    if (cr === 'bare-lf') throw remoteError(400, 'line-ending', 'a chunk header ends without CR')
    let at = input.start
    while (at < cr && input.bytes[at] === ZERO) at++
    const zeros = at - input.start
    let size = 0
    for (; at < cr; at++) {
      const digit = hexDigit(input.bytes[at])
      if (digit === -1) break
      size = size * 16 + digit
    }
    const digits = at - input.start
    // RFC 9112 §7.1: any number of digits, but none that overflows.
    if (digits === 0 || digits - zeros > MAX_SIZE_DIGITS)
      throw remoteError(400, 'bad-chunk', 'a chunk size that is not a hexadecimal number, or too large')
    if (at < cr) this.#skipExtension(input.bytes, at, cr)
    else if (digits > MAX_SIZE_DIGITS) this.#charge(digits - MAX_SIZE_DIGITS)
    input.skipLine()
    this.#remaining = size
    this.#phase = size === 0 ? 'trailers' : 'data'
    return true
  }

  // RFC 9112 §7.1.1: chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS value ] ); unknown ones are ignored.
  #skipExtension(bytes: Uint8Array, start: number, end: number): void {
    if (!EXTENSIONS.test(decodeLatin1(bytes, start, end))) {
      throw remoteError(400, 'bad-chunk', 'a chunk size followed by something that is no extension')
    }
    this.#charge(end - start)
  }

  #charge(bytes: number): void {
    this.#extensionBytes += bytes
    if (this.#extensionBytes > this.#limits.chunkExtensionBytes) {
      throw remoteError(
        400,
        'chunk-extension-too-long',
        `more than ${this.#limits.chunkExtensionBytes} bytes of chunk extensions`,
      )
    }
  }

  #expect(input: ByteQueue, byte: number): void {
    if (input.bytes[input.start] !== byte) throw remoteError(400, 'bad-chunk', 'chunk data that does not end with CRLF')
    input.skip(1)
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/**
 * One chunk of `data` as bytes on the wire; nothing for no data, because a chunk of size 0 would end the body (RFC 9112
 * §7.1).
 */
export function encodeChunk(data: Uint8Array): Uint8Array {
  if (data.length === 0) return data
  const head = data.length.toString(16)
  const out = new Uint8Array(head.length + data.length + 4)
  out.set(encodeLatin1(head))
  let at = head.length
  out[at++] = CR
  out[at++] = LF
  out.set(data, at)
  at += data.length
  out[at++] = CR
  out[at] = LF
  return out
}

/**
 * Field names that must not come after a body, because they decide about framing, routing, authentication, conditions
 * or how the body is to be read (RFC 9110 §6.5.1).
 */
const NO_TRAILER = new Set(
  (
    'content-length transfer-encoding host trailer connection keep-alive proxy-connection upgrade te ' +
    'content-encoding content-type content-range content-location authorization proxy-authorization ' +
    'www-authenticate proxy-authenticate cookie set-cookie cache-control pragma expect range max-forwards if-match ' +
    'if-none-match if-modified-since if-unmodified-since if-range age date expires location retry-after vary'
  ).split(' '),
)

/** Whether a field means nothing in a trailer section, and must not be sent there (RFC 9110 §6.5.1). */
export function isForbiddenTrailer(name: string): boolean {
  return NO_TRAILER.has(name.toLowerCase())
}

/**
 * The last chunk and the trailer section as bytes on the wire.
 * @throws {TypeError} for a field that is not allowed in trailers or cannot be written (RFC 9110 §6.5.1)
 */
export function encodeLastChunk(trailers: HeaderList = new HeaderList()): Uint8Array {
  let text = '0\r\n'
  for (const [name, value] of trailers) {
    checkField(name, value)
    if (isForbiddenTrailer(name)) throw new TypeError(`header ${name} is not allowed as a trailer; send it in the head`)
    text += `${name}: ${value}\r\n`
  }
  return encodeLatin1(text + '\r\n')
}
