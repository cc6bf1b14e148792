// Reading a section of field lines, line by line: a header section or a trailer section, up to its empty line.
// Owns: the strict rules for a line, the limits on a section. Does not own: the start line (reader.ts), what a field
// means.
// Read first: RFC 9112 §5 (field syntax), §5.1 (no whitespace before the colon), §5.2 (obsolete line folding).
import type { ByteQueue } from './byte-queue.ts'
import { remoteError } from './errors.ts'
import { decodeLatin1, isFieldBytes, isTokenBytes } from './grammar.ts'
import { HeaderList } from './headers.ts'
import { type Leniency, STRICT } from './leniency.ts'

const SP = 32
const HTAB = 9
const COLON = 58

/** Reads one section of field lines. */
export class FieldSection {
  readonly headers = new HeaderList()
  readonly #maxBytes: number
  readonly #maxCount: number
  readonly #lenient: Leniency
  #bytes = 0

  constructor(maxBytes: number, maxCount: number, lenient: Leniency = STRICT) {
    this.#maxBytes = maxBytes
    this.#maxCount = maxCount
    this.#lenient = lenient
  }

  /**
   * Takes whole lines from the front of `input`.
   * @returns true when the empty line that ends the section was taken, false when more bytes are needed
   * @throws {ProtocolError} 400 for a malformed line, 431 beyond a limit
   */
  read(input: ByteQueue): boolean {
    for (;;) {
      const cr = input.findLine(Math.max(0, this.#maxBytes - this.#bytes), this.#lenient.bareLf)
      if (cr === 'need-data') return false
      if (cr === 'too-long') throw remoteError(431, 'headers-too-large', `more than ${this.#maxBytes} bytes of fields`)
      if (cr === 'bare-lf') throw remoteError(400, 'line-ending', 'a field line ends without CR')
      if (cr === input.start) {
        input.skipLine()
        return true
      }
      this.#line(input.bytes, input.start, cr)
      this.#bytes += input.next - input.start
      input.skipLine()
    }
  }

  #line(bytes: Uint8Array, start: number, end: number): void {
    if (bytes[start] === SP || bytes[start] === HTAB) {
      // RFC 9112 §2.2: whitespace before the first field is never a fold.
      if (!this.#lenient.obsFold || this.headers.size === 0) throw remoteError(400, 'obs-fold', 'a folded field line')
      const rest = fieldValue(bytes, start, end)
      if (rest !== '') this.headers.extendLastUnchecked(rest)
      return
    }
    const found = bytes.subarray(start, end).indexOf(COLON)
    const colon = found === -1 ? end : start + found
    let nameEnd = colon
    if (this.#lenient.spaceBeforeColon && colon < end) {
      while (nameEnd > start && (bytes[nameEnd - 1] === SP || bytes[nameEnd - 1] === HTAB)) nameEnd--
    }
    if (!isTokenBytes(bytes, start, nameEnd)) {
      if (colon > start && (bytes[colon - 1] === SP || bytes[colon - 1] === HTAB)) {
        throw remoteError(400, 'space-before-colon', 'whitespace between a field name and its colon')
      }
      throw remoteError(400, 'bad-header', 'a field name that is not a token')
    }
    if (colon === end) throw remoteError(400, 'bad-header', 'a field line without a colon')
    const value = fieldValue(bytes, colon + 1, end)
    if (bytes[end - 1] === HTAB || bytes[end - 1] === SP) checkFramingField(bytes, start, nameEnd, end)
    if (this.headers.size >= this.#maxCount)
      throw remoteError(431, 'too-many-headers', `more than ${this.#maxCount} fields`)
    this.headers.appendUnchecked(decodeLatin1(bytes, start, nameEnd), value)
  }
}

// DEVIATION: RFC 9112 §5.1 lets a tab follow any value. There are parsers to which `chunked` with a tab is another coding,
// and they see another message than we would (§11.2); so a tab behind the two fields that say how long a message is is refused.
function checkFramingField(bytes: Uint8Array, start: number, nameEnd: number, end: number): void {
  let at = end - 1
  while (bytes[at] === SP) at--
  if (bytes[at] !== HTAB) return
  const name = decodeLatin1(bytes, start, nameEnd).toLowerCase()
  if (name === 'transfer-encoding' || name === 'content-length') {
    throw remoteError(400, 'bad-header', `a tab behind the value of ${name}`)
  }
}

// RFC 9112 §5.1: without the optional whitespace around it; §2.2, RFC 9110 §5.5: a bare CR, NUL or another control is invalid.
function fieldValue(bytes: Uint8Array, start: number, end: number): string {
  let from = start
  let to = end
  while (from < to && (bytes[from] === SP || bytes[from] === HTAB)) from++
  while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === HTAB)) to--
  if (!isFieldBytes(bytes, from, to)) throw remoteError(400, 'bad-header', 'a control character in a field value')
  return decodeLatin1(bytes, from, to)
}
