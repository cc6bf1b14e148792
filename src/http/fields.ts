// Reading a section of field lines, line by line: a header section or a trailer section, up to its empty line.
// Owns: the strict rules for a line, the limits on a section. Does not own: the start line (reader.ts), what a field
// means.
// Read first: RFC 9112 §5 (field syntax), §5.1 (no whitespace before the colon), §5.2 (obsolete line folding).
import type { ByteQueue } from './byte-queue.ts'
import { remoteError } from './errors.ts'
import { decodeLatin1, isFieldBytes, isTokenBytes } from './grammar.ts'
import { HeaderList } from './headers.ts'

const SP = 32
const HTAB = 9
const COLON = 58

/** Reads one section of field lines. */
export class FieldSection {
  readonly headers = new HeaderList()
  readonly #maxBytes: number
  readonly #maxCount: number
  #bytes = 0

  constructor(maxBytes: number, maxCount: number) {
    this.#maxBytes = maxBytes
    this.#maxCount = maxCount
  }

  /**
   * Takes whole lines from the front of `input`.
   * @returns true when the empty line that ends the section was taken, false when more bytes are needed
   * @throws {ProtocolError} 400 for a malformed line, 431 beyond a limit
   */
  read(input: ByteQueue): boolean {
    for (;;) {
      const cr = input.findLine(Math.max(0, this.#maxBytes - this.#bytes))
      if (cr === 'need-data') return false
      if (cr === 'too-long') throw remoteError(431, 'headers-too-large', `more than ${this.#maxBytes} bytes of fields`)
      if (cr === 'bare-lf') throw remoteError(400, 'line-ending', 'a field line ends without CR')
      if (cr === input.start) {
        input.skip(2)
        return true
      }
      this.#line(input.bytes, input.start, cr)
      const taken = cr + 2 - input.start
      this.#bytes += taken
      input.skip(taken)
    }
  }

  #line(bytes: Uint8Array, start: number, end: number): void {
    if (bytes[start] === SP || bytes[start] === HTAB) throw remoteError(400, 'obs-fold', 'a folded field line')
    const found = bytes.subarray(start, end).indexOf(COLON)
    const colon = found === -1 ? end : start + found
    if (!isTokenBytes(bytes, start, colon)) {
      if (colon > start && (bytes[colon - 1] === SP || bytes[colon - 1] === HTAB)) {
        throw remoteError(400, 'space-before-colon', 'whitespace between a field name and its colon')
      }
      throw remoteError(400, 'bad-header', 'a field name that is not a token')
    }
    if (colon === end) throw remoteError(400, 'bad-header', 'a field line without a colon')
    let from = colon + 1
    let to = end
    while (from < to && (bytes[from] === SP || bytes[from] === HTAB)) from++
    while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === HTAB)) to--
    if (!isFieldBytes(bytes, from, to)) throw remoteError(400, 'bad-header', 'a control character in a field value')
    if (this.headers.size >= this.#maxCount)
      throw remoteError(431, 'too-many-headers', `more than ${this.#maxCount} fields`)
    this.headers.appendUnchecked(decodeLatin1(bytes, start, colon), decodeLatin1(bytes, from, to))
  }
}
