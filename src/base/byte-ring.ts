// A window onto a byte stream: bytes addressed by their offset from a head that only moves forward.
// One shape serves both sides of TCP: the send buffer appends at its end and is released from its head as acknowledgements
// come; the receive buffer may be written anywhere inside its window and is read from its head.
//
//        head                        extent
//          |--- bytes, maybe with holes ---|            capacity grows by doubling, is borrowed from a pool,
//          0                             extent         and goes back to it when the ring is empty
//
// Does not own: which bytes are holes (base/ranges), how much may be stored (the window).

import { assert } from './assert.ts'

const EMPTY = new Uint8Array(0)
const SMALLEST_LOG2 = 9
const LARGEST_LOG2 = 30
/** Less is copied out rather than given away with the memory it lies in. */
const LEAST_GIVEN_AWAY = 16 << 10
/** Idle buffers of each size that are kept for reuse, so that a connection which fills and empties makes no garbage. */
const POOLED_BYTES_PER_SIZE = 4 << 20
/**
 * Short texts share a piece of memory, as Node's Buffers do: memory of its own costs a microsecond (measured, bench/micro/buffers.ts), a
 * view a tenth of it.
 */
const SLICE_BYTES = 4096
/** V8 keeps these few among its objects, which is cheap. */
const ON_HEAP_BYTES = 64
const SLAB_BYTES = 32 << 10
let slab = new ArrayBuffer(0)
let slabAt = 0
const pool: Uint8Array[][] = Array.from({ length: LARGEST_LOG2 + 1 }, () => [])

/** `length` bytes of memory that nobody else has. */
function slice(length: number): Uint8Array {
  if (slabAt + length > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES)
    slabAt = 0
  }
  const out = new Uint8Array(slab, slabAt, length)
  slabAt += (length + 7) & ~7
  return out
}

function borrow(log2: number): Uint8Array {
  return pool[log2].pop() ?? new Uint8Array(1 << log2)
}

function giveBack(bytes: Uint8Array): void {
  const log2 = 31 - Math.clz32(bytes.length)
  const shelf = pool[log2]
  if ((shelf.length + 1) * bytes.length <= POOLED_BYTES_PER_SIZE) shelf.push(bytes)
}

/** A growing ring of bytes addressed from its head. Holds at most 1 GiB; while it grows the old memory is held beside the new. */
export class ByteRing {
  #bytes: Uint8Array = EMPTY
  #head = 0
  #extent = 0
  /**
   * The size of memory, as a power of two, that was taken whole last: as much will come again. It is new then, not borrowed: memory that
   * grew old in a pool, and is given away, waits for a full garbage collection.
   */
  #given = 0
  /** Memory of which a piece is lent: it goes back to the pool when the loan is over. */
  #lent: Uint8Array = EMPTY

  /** Offset one past the last byte ever put and not yet dropped. */
  get extent(): number {
    return this.#extent
  }

  /** Bytes of memory held now. */
  get capacity(): number {
    return this.#bytes.length
  }

  /** Stores `source[start, end)` at `offset` from the head. */
  put(offset: number, source: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length === 0) return
    assert(length > 0 && offset >= 0, 'byte ring: put outside the ring')
    this.#reserve(offset + length)
    const bytes = this.#bytes
    const at = (this.#head + offset) & (bytes.length - 1)
    const first = Math.min(length, bytes.length - at)
    copyBytes(source, start, bytes, at, first)
    if (first < length) copyBytes(source, start + first, bytes, 0, length - first)
    if (offset + length > this.#extent) this.#extent = offset + length
  }

  /** Copies `length` bytes from `offset` to `out` at `at`. The bytes must lie below `extent`. */
  copy(offset: number, out: Uint8Array, at: number, length: number): void {
    if (length === 0) return
    assert(offset >= 0 && offset + length <= this.#extent, 'byte ring: copy outside the ring')
    const bytes = this.#bytes
    const from = (this.#head + offset) & (bytes.length - 1)
    const first = Math.min(length, bytes.length - from)
    copyBytes(bytes, from, out, at, first)
    if (first < length) copyBytes(bytes, 0, out, at + first, length - first)
  }

  /**
   * Takes `length` bytes from the head, in memory of the caller's own. When they are all there are, again and again, and fill half of the
   * ring or more, the caller gets the ring's memory and nothing is copied.
   */
  take(length: number): Uint8Array {
    const bytes = this.#bytes
    const head = this.#head
    const isFull = length === this.#extent && length >= LEAST_GIVEN_AWAY && 2 * length >= bytes.length
    const isWhole = isFull && bytes !== this.#lent
    const log2 = isWhole ? 31 - Math.clz32(bytes.length) : 0
    const isNew = log2 === this.#given
    this.#given = log2
    if (isWhole && isNew && head + length <= bytes.length) {
      this.#bytes = EMPTY
      this.#head = 0
      this.#extent = 0
      return bytes.subarray(head, head + length)
    }
    const out = length > ON_HEAP_BYTES && length <= SLICE_BYTES ? slice(length) : new Uint8Array(length)
    this.copy(0, out, 0, length)
    this.advance(length)
    return out
  }

  /**
   * Takes `length` bytes from the head, at most `inOnePiece`, and hands them to `take` without a copy: they stay as they are until it
   * returns, whatever it reads or clears meanwhile. @throws what `take` does; the bytes are taken all the same
   */
  lend(length: number, take: (bytes: Uint8Array) => void): void {
    const bytes = this.#bytes
    const head = this.#head
    assert(length > 0 && head + length <= bytes.length, 'byte ring: what is lent lies in one piece')
    const isWithin = this.#lent === bytes // `take` of another loan reads on
    this.#lent = bytes
    this.advance(length)
    try {
      take(bytes.subarray(head, head + length))
    } finally {
      if (!isWithin) {
        this.#lent = EMPTY
        if (this.#bytes !== bytes) giveBack(bytes)
      }
    }
  }

  /** How many bytes from the head on lie in one piece. */
  get inOnePiece(): number {
    return Math.min(this.#extent, this.#bytes.length - this.#head)
  }

  /** The memory that holds it: see `placeOf`. Valid until the next change. */
  get memory(): Uint8Array {
    return this.#bytes
  }

  /** Where in `memory` the bytes `[offset, offset + length)` lie; -1 when they are not in one piece. They must lie below `extent`. */
  placeOf(offset: number, length: number): number {
    assert(offset >= 0 && offset + length <= this.#extent, 'byte ring: placeOf outside the ring')
    const from = (this.#head + offset) & (this.#bytes.length - 1)
    return from + length <= this.#bytes.length ? from : -1
  }

  /** Drops `length` bytes from the head. */
  advance(length: number): void {
    assert(length >= 0 && length <= this.#extent, 'byte ring: advance past its extent')
    this.#extent -= length
    if (this.#extent === 0) this.clear()
    else this.#head = (this.#head + length) & (this.#bytes.length - 1)
  }

  /** Drops what lies from `extent` on. */
  truncate(extent: number): void {
    assert(extent >= 0 && extent <= this.#extent, 'byte ring: truncate beyond its extent')
    this.#extent = extent
    if (extent === 0) this.clear()
  }

  /** Forgets everything and gives the memory back. */
  clear(): void {
    if (this.#bytes.length > 0 && this.#bytes !== this.#lent) giveBack(this.#bytes)
    this.#bytes = EMPTY
    this.#head = 0
    this.#extent = 0
  }

  #reserve(needed: number): void {
    const old = this.#bytes
    if (needed <= old.length) return
    const least = Math.max(SMALLEST_LOG2, 32 - Math.clz32(needed - 1))
    const log2 = needed >= LEAST_GIVEN_AWAY ? Math.max(least, this.#given) : least
    assert(log2 <= LARGEST_LOG2, 'byte ring: more than 1 GiB')
    const bytes = log2 === this.#given ? new Uint8Array(1 << log2) : borrow(log2)
    if (this.#extent > 0) {
      const first = Math.min(this.#extent, old.length - this.#head)
      copyBytes(old, this.#head, bytes, 0, first)
      if (first < this.#extent) copyBytes(old, 0, bytes, first, this.#extent - first)
    }
    if (old.length > 0 && old !== this.#lent) giveBack(old)
    this.#bytes = bytes
    this.#head = 0
  }
}

function copyBytes(source: Uint8Array, from: number, out: Uint8Array, at: number, length: number): void {
  if (length < 32) {
    for (let i = 0; i < length; i++) out[at + i] = source[from + i]
  } else {
    out.set(source.subarray(from, from + length), at)
  }
}
