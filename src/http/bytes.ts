// Memory for short pieces of text on their way out: many of them side by side in one buffer.
// Owns: the buffer. Does not own: what is in it.

const SLAB_BYTES = 16_384
/** Longer pieces get a buffer of their own. */
const SHORT_BYTES = 2048

let slab = new Uint8Array(0)
let used = 0

/** `length` bytes of memory that nobody else has, filled with zeros; short pieces share a buffer and never overlap. */
export function shortBytes(length: number): Uint8Array {
  if (length > SHORT_BYTES) return new Uint8Array(length)
  if (used + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    used = 0
  }
  used += length
  return slab.subarray(used - length, used)
}
