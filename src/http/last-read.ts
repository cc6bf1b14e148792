// What was read last, for the messages of one connection resemble each other: the same bytes mean the same, and need not be read again.
// Owns: keeping a copy of the bytes, comparing. Does not own: what they mean (reader.ts).
import type { ByteQueue } from './byte-queue.ts'

/** Longer pieces are not kept: an idle connection shall stay small. */
const MOST_BYTES = 1024

/** One piece of a message, and what it was read as. */
export class LastRead<T> {
  #bytes: Uint8Array | null = null
  #value: T | null = null

  /**
   * Takes the piece from the front of `input` when it is there again, whole. The piece must be one whose end lies in
   * itself, so that no more bytes could make it another.
   * @returns what it was read as; null when there is something else, or not all of it yet
   */
  recall(input: ByteQueue): T | null {
    const last = this.#bytes
    if (last === null || input.length < last.length) return null
    const { bytes, start } = input
    for (let i = 0; i < last.length; i++) if (bytes[start + i] !== last[i]) return null
    input.skip(last.length)
    return this.#value
  }

  /** Keeps a copy of `bytes[start, end)`, which was read as `value`. */
  keep(bytes: Uint8Array, start: number, end: number, value: T): void {
    if (end - start > MOST_BYTES) return
    this.#bytes = bytes.slice(start, end)
    this.#value = value
  }
}
