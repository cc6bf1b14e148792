// SeededRandom, SipHash, and the small change of the ground floor.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assert, InvariantError } from '../../src/base/assert.ts'
import { equalBytes, get16, get32, put16, put32 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { type SipKey, sipHash, sipKey } from '../../src/base/siphash.ts'
import { MILLISECOND, MINUTE, SECOND } from '../../src/base/time.ts'

const take = (random: SeededRandom, count: number): number[] => Array.from({ length: count }, () => random.int32())

test('equal seeds give equal sequences, different seeds different ones', () => {
  expect(take(new SeededRandom(42), 100)).toEqual(take(new SeededRandom(42), 100))
  const firsts = [0, 1, 2, -1, 42, 2 ** 32, 2 ** 40, 0.5 * 2 ** 53].map((seed) => new SeededRandom(seed).int32())
  expect(new Set(firsts).size).toBe(firsts.length)
})

test('a fork goes its own way, and repeats', () => {
  const [a, b] = [new SeededRandom(1), new SeededRandom(1)]
  const [fa, fb] = [a.fork(), b.fork()]
  take(a, 50)
  expect(take(fa, 20)).toEqual(take(fb, 20))
  expect(take(new SeededRandom(1).fork(), 5)).not.toEqual(take(new SeededRandom(1), 5))
})

test('numbers are int32, fractions lie in [0, 1), both are spread evenly', () => {
  const random = new SeededRandom(7)
  const bits = new Array<number>(32).fill(0)
  const tenths = new Array<number>(10).fill(0)
  for (let i = 0; i < 20_000; i++) {
    const n = random.int32()
    expect(n | 0).toBe(n)
    for (let bit = 0; bit < 32; bit++) bits[bit] += (n >>> bit) & 1
    const fraction = random.fraction()
    expect(fraction >= 0 && fraction < 1).toBe(true)
    tenths[Math.floor(fraction * 10)]++
  }
  for (const count of bits) expect(Math.abs(count - 10_000)).toBeLessThan(400)
  for (const count of tenths) expect(Math.abs(count - 2000)).toBeLessThan(250)
})

/** SipHash-2-4 of bytes as its authors write it, in whole 64-bit words: the oracle. */
function slowSipHash(k0: bigint, k1: bigint, message: Uint8Array): bigint {
  const mask = (1n << 64n) - 1n
  const rotl = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & mask
  let [v0, v1, v2, v3] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ]
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) & mask
      v1 = rotl(v1, 13n) ^ v0
      v0 = rotl(v0, 32n)
      v2 = (v2 + v3) & mask
      v3 = rotl(v3, 16n) ^ v2
      v0 = (v0 + v3) & mask
      v3 = rotl(v3, 21n) ^ v0
      v2 = (v2 + v1) & mask
      v1 = rotl(v1, 17n) ^ v2
      v2 = rotl(v2, 32n)
    }
  }
  const padded = new Uint8Array((message.length & ~7) + 8)
  padded.set(message)
  padded[padded.length - 1] = message.length
  const view = new DataView(padded.buffer)
  for (let at = 0; at < padded.length; at += 8) {
    const word = view.getBigUint64(at, true)
    v3 ^= word
    rounds(2)
    v0 ^= word
  }
  v2 ^= 0xffn
  rounds(4)
  return v0 ^ v1 ^ v2 ^ v3
}

test('SipHash-2-4 gives the values of its authors (Aumasson and Bernstein 2012, appendix A and reference vectors)', () => {
  const key: SipKey = [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c]
  const [k0, k1] = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n]
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i)
  expect(slowSipHash(k0, k1, bytes(15))).toBe(0xa129ca6149be45e5n) // the oracle itself: appendix A
  const words = (length: number): number[] => [...new Int32Array(bytes(length).buffer)]
  expect(sipHash(key, words(0))).toBe(0xdd0e0e31 | 0)
  expect(sipHash(key, words(8))).toBe(0x9a932462 | 0)
  expect(sipHash(key, words(16))).toBe(0x57c29bdb | 0)
})

test('SipHash agrees with the slow one for any key and any words', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  const words = fc.array(fc.tuple(word, word), { maxLength: 12 }).map((pairs) => pairs.flat())
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), words, (key, message) => {
      const big = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
      const bytes = new Uint8Array(Int32Array.from(message).buffer)
      const slow = slowSipHash(big(key[0], key[1]), big(key[2], key[3]), bytes)
      expect(sipHash(key, message)).toBe(Number(slow & 0xffffffffn) | 0)
    }),
    { numRuns: 200 },
  )
})

test('a key comes from the randomness given', () => {
  expect(sipKey(new SeededRandom(3))).toEqual(take(new SeededRandom(3), 4))
})

test('integers are written and read in network order, int32 as such', () => {
  const bytes = new Uint8Array(6)
  put16(bytes, 0, 0x1234abcd)
  put32(bytes, 2, 0xfedcba98)
  expect([...bytes]).toEqual([0xab, 0xcd, 0xfe, 0xdc, 0xba, 0x98])
  expect([get16(bytes, 0), get32(bytes, 2), get32(bytes, 2) >>> 0]).toEqual([0xabcd, 0xfedcba98 | 0, 0xfedcba98])
  expect([equalBytes(bytes, bytes.slice()), equalBytes(bytes, bytes.subarray(1))]).toEqual([true, false])
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
})

test('a broken invariant is an InvariantError; times are in microseconds', () => {
  expect(() => assert(false, 'so')).toThrow(InvariantError)
  expect(() => assert(true, 'so')).not.toThrow()
  expect([MILLISECOND, SECOND, MINUTE]).toEqual([1e3, 1e6, 6e7])
})
