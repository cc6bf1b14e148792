// SipHash-2-4 (Aumasson and Bernstein 2012), a keyed hash that outsiders cannot predict without the key: the pseudo-random function
// behind initial sequence numbers (RFC 6528 §3), timestamp offsets (RFC 7323 §5.4) and ephemeral ports (RFC 6056 §3.3.3).
// 64-bit words are pairs of int32. Only the low 32 bits of the result are given, which is all that these uses need.

import type { Random } from './random.ts'

/** A 128-bit key as four int32. */
export type SipKey = readonly [number, number, number, number]

/** A fresh key from a source of randomness. */
export function sipKey(random: Random): SipKey {
  return [random.int32(), random.int32(), random.int32(), random.int32()]
}

// State v0..v3 as (low, high) pairs; module-level scratch, since the function is not re-entrant and must not allocate.
const v = new Int32Array(8)

function add(a: number, b: number): void {
  const low = (v[a] >>> 0) + (v[b] >>> 0)
  v[a + 1] = (v[a + 1] + v[b + 1] + (low > 0xffffffff ? 1 : 0)) | 0
  v[a] = low | 0
}

function rotateXor(a: number, bits: number, b: number): void {
  const low = v[a]
  const high = v[a + 1]
  if (bits === 32) {
    v[a] = high ^ v[b]
    v[a + 1] = low ^ v[b + 1]
  } else {
    v[a] = ((low << bits) | (high >>> (32 - bits))) ^ v[b]
    v[a + 1] = ((high << bits) | (low >>> (32 - bits))) ^ v[b + 1]
  }
}

function swapHalves(a: number): void {
  const low = v[a]
  v[a] = v[a + 1]
  v[a + 1] = low
}

function round(): void {
  add(0, 2)
  rotateXor(2, 13, 0)
  swapHalves(0)
  add(4, 6)
  rotateXor(6, 16, 4)
  add(0, 6)
  rotateXor(6, 21, 0)
  add(4, 2)
  rotateXor(2, 17, 4)
  swapHalves(4)
}

/** SipHash-2-4 of `words` (each an int32, little-endian, in pairs: an even number of them), low 32 bits as int32. */
export function sipHash(key: SipKey, words: ArrayLike<number>): number {
  v[0] = key[0] ^ 0x70736575
  v[1] = key[1] ^ 0x736f6d65
  v[2] = key[2] ^ 0x6e646f6d
  v[3] = key[3] ^ 0x646f7261
  v[4] = key[0] ^ 0x6e657261
  v[5] = key[1] ^ 0x6c796765
  v[6] = key[2] ^ 0x79746573
  v[7] = key[3] ^ 0x74656462
  for (let i = 0; i < words.length; i += 2) absorb(words[i], words[i + 1])
  absorb(0, (words.length * 4) << 24)
  v[4] ^= 0xff
  for (let i = 0; i < 4; i++) round()
  return v[0] ^ v[2] ^ v[4] ^ v[6]
}

/** The same, all 64 bits, into `out`: the low half as int32, then the high half. */
export function sipHashWide(key: SipKey, words: ArrayLike<number>, out: Int32Array): void {
  out[0] = sipHash(key, words)
  out[1] = v[1] ^ v[3] ^ v[5] ^ v[7]
}

function absorb(low: number, high: number): void {
  v[6] ^= low
  v[7] ^= high
  round()
  round()
  v[0] ^= low
  v[1] ^= high
}

/** HalfSipHash-1-3 of one word, as int32, for tables of words that nobody can tell who does not know the two words of the key. */
export function halfSipHash(k0: number, k1: number, word: number): number {
  let v0 = k0
  let v1 = k1
  let v2 = k0 ^ 0x6c796765
  let v3 = k1 ^ 0x74656462
  // One round for the word, one for its length, three to finish.
  for (let i = 0; i < 5; i++) {
    const input = i === 0 ? word : i === 1 ? 4 << 24 : 0
    if (i === 2) v2 ^= 0xff
    v3 ^= input
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= input
  }
  return v1 ^ v3
}
