// MD5 (RFC 1321): a digest of 16 bytes over ranges of bytes that come one after the other. It is broken as a guard against a writer who
// chooses both texts; it is here because the TCP MD5 signature (RFC 2385) is made with it, and for nothing else.
// Owns: the digest. Does not own: what is digested.

/** Length of a digest in bytes. */
export const MD5_BYTES = 16

const BLOCK = 64
/** RFC 1321 §3.4: how far each of the four steps of a round rotates. */
const SHIFTS = Uint8Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21)
/** RFC 1321 §3.4: T[i], the whole part of 4294967296 times abs(sin(i)). */
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(4294967296 * Math.abs(Math.sin(i + 1))) | 0)

/** A digest that is being made. It is used again and again, and allocates nothing: `reset`, `update` for each range, `digest`. */
export class Md5 {
  #a = 0
  #b = 0
  #c = 0
  #d = 0
  /** Bytes taken so far, exact up to 2^53. */
  #length = 0
  readonly #tail = new Uint8Array(BLOCK)
  readonly #words = new Int32Array(16)

  constructor() {
    this.reset()
  }

  /** Begins anew (RFC 1321 §3.3). */
  reset(): void {
    this.#a = 0x67452301
    this.#b = 0xefcdab89 | 0
    this.#c = 0x98badcfe | 0
    this.#d = 0x10325476
    this.#length = 0
  }

  /** Takes in `bytes[start, end)`, which is borrowed until the call returns. */
  update(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    let at = start
    const held = this.#length % BLOCK
    this.#length += end - start
    if (held > 0) {
      const taken = Math.min(BLOCK - held, end - at)
      for (let i = 0; i < taken; i++) this.#tail[held + i] = bytes[at + i]
      if (held + taken < BLOCK) return
      this.#block(this.#tail, 0)
      at += taken
    }
    for (; at + BLOCK <= end; at += BLOCK) this.#block(bytes, at)
    for (let i = 0; at < end; i++, at++) this.#tail[i] = bytes[at]
  }

  /** Writes the digest of all that was taken in at `out[at, at + 16)`. Before more is taken in there must be a `reset`. */
  digest(out: Uint8Array, at = 0): void {
    // RFC 1321 §3.1, §3.2: a one bit, zeros, and the length in bits, 64 bits of it.
    const tail = this.#tail
    const held = this.#length % BLOCK
    tail[held] = 0x80
    tail.fill(0, held + 1)
    if (held >= BLOCK - 8) {
      this.#block(tail, 0)
      tail.fill(0)
    }
    putLittle(tail, BLOCK - 8, this.#length << 3)
    putLittle(tail, BLOCK - 4, Math.floor(this.#length / 0x20000000))
    this.#block(tail, 0)
    putLittle(out, at, this.#a)
    putLittle(out, at + 4, this.#b)
    putLittle(out, at + 8, this.#c)
    putLittle(out, at + 12, this.#d)
  }

  /** RFC 1321 §3.4: one block of 64 bytes. */
  #block(bytes: Uint8Array, at: number): void {
    const words = this.#words
    for (let i = 0, p = at; i < 16; i++, p += 4) {
      words[i] = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24)
    }
    let a = this.#a
    let b = this.#b
    let c = this.#c
    let d = this.#d
    for (let i = 0; i < 64; i++) {
      const round = i >> 4
      let mixed: number
      let word: number
      if (round === 0) {
        mixed = d ^ (b & (c ^ d))
        word = i
      } else if (round === 1) {
        mixed = c ^ (d & (b ^ c))
        word = 5 * i + 1
      } else if (round === 2) {
        mixed = b ^ c ^ d
        word = 3 * i + 5
      } else {
        mixed = c ^ (b | ~d)
        word = 7 * i
      }
      const sum = (a + mixed + words[word & 15] + SINES[i]) | 0
      const shift = SHIFTS[(round << 2) | (i & 3)]
      a = d
      d = c
      c = b
      b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0
    }
    this.#a = (this.#a + a) | 0
    this.#b = (this.#b + b) | 0
    this.#c = (this.#c + c) | 0
    this.#d = (this.#d + d) | 0
  }
}

function putLittle(out: Uint8Array, at: number, value: number): void {
  out[at] = value
  out[at + 1] = value >>> 8
  out[at + 2] = value >>> 16
  out[at + 3] = value >>> 24
}
