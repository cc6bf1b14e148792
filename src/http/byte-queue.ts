// Received bytes that wait to be read: what came first leaves first, a whole line or a slice at a time.
// Owns: joining pieces, finding line ends, never scanning a byte twice. Does not own: what a line means.
// Slices handed out stay valid for ever: the queue only ever writes behind its end, and moves to a new buffer when that
// is full.

const EMPTY = new Uint8Array(0)
const LF = 10
const CR = 13

/** Bytes in order. */
export class ByteQueue {
  /** The buffer; the bytes of the queue are `bytes[start, end)`. */
  bytes: Uint8Array = EMPTY
  start = 0
  end = 0
  /** Where the next line begins, once `findLine` has found the end of the first. */
  next = 0
  /** Whether `bytes` was allocated here and may be written behind `end`. */
  #owned = false
  /** First index in which no LF has been looked for. */
  #scanned = 0

  /** Bytes waiting. */
  get length(): number {
    return this.end - this.start
  }

  /** Adds bytes at the end; they belong to the queue from now on. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    if (this.start === this.end) {
      this.bytes = chunk
      this.start = this.#scanned = 0
      this.end = chunk.length
      this.#owned = false
      return
    }
    if (!this.#owned || this.end + chunk.length > this.bytes.length) {
      const used = this.length
      const bigger = new Uint8Array(Math.max(256, 2 * (used + chunk.length)))
      bigger.set(this.bytes.subarray(this.start, this.end))
      this.#scanned -= this.start
      this.bytes = bigger
      this.start = 0
      this.end = used
      this.#owned = true
    }
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /** Takes up to `most` bytes from the front, without a copy. */
  take(most: number): Uint8Array {
    const from = this.start
    this.skip(Math.min(most, this.length))
    return this.bytes.subarray(from, this.start)
  }

  /** Drops the first line, whose end `findLine` has found. */
  skipLine(): void {
    this.skip(this.next - this.start)
  }

  /** Drops `count` bytes from the front. */
  skip(count: number): void {
    this.start += count
    if (this.#scanned < this.start) this.#scanned = this.start
  }

  /**
   * Looks for the end of the first line. The result for a given stream does not depend on how it was cut.
   * @param limit longest line in bytes, without its CRLF
   * @param bareLf whether LF alone ends a line, too
   * @returns the index behind its last byte (`next` is then where the next line begins), or `'need-data'`, `'too-long'`,
   *   `'bare-lf'`
   */
  findLine(limit: number, bareLf = false): number | 'need-data' | 'too-long' | 'bare-lf' {
    const at = this.#scanned < this.end ? this.bytes.subarray(0, this.end).indexOf(LF, this.#scanned) : -1
    if (at === -1) {
      this.#scanned = this.end
      return this.length > limit + 1 ? 'too-long' : 'need-data'
    }
    this.#scanned = at
    const terminated = at > this.start && this.bytes[at - 1] === CR
    if (at - this.start - (terminated ? 1 : 0) > limit) return 'too-long'
    this.next = at + 1
    if (terminated) return at - 1
    return bareLf ? at : 'bare-lf'
  }
}
