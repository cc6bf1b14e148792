// MD5 against the RFC's own vectors, and against Node's for everything else.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { Md5 } from '../../src/base/md5.ts'
import { SeededRandom } from '../../src/base/random.ts'

const md5 = new Md5()

function hex(...parts: Uint8Array[]): string {
  const out = new Uint8Array(16)
  md5.reset()
  for (const part of parts) md5.update(part)
  md5.digest(out)
  return Buffer.from(out).toString('hex')
}

test.each([
  ['', 'd41d8cd98f00b204e9800998ecf8427e'],
  ['a', '0cc175b9c0f1b6a831c399e269772661'],
  ['abc', '900150983cd24fb0d6963f7d28e17f72'],
  ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
  ['abcdefghijklmnopqrstuvwxyz', 'c3fcd3d76192e4007dfb496cca67e13b'],
  ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', 'd174ab98d277d9f5a5611c2c9f419d9f'],
  [
    '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
    '57edf4a22be3c955ac49da2e2107b67a',
  ],
])('the digest of "%s" (RFC 1321 §A.5)', (text, digest) => {
  expect(hex(Buffer.from(text))).toBe(digest)
})

test('every length up to three blocks, cut anywhere, is as node:crypto has it (RFC 1321 §3.1)', () => {
  const random = new SeededRandom(1)
  for (let length = 0; length <= 200; length++) {
    const bytes = Uint8Array.from({ length }, () => random.int32())
    const expected = createHash('md5').update(bytes).digest('hex')
    const first = Math.floor(random.fraction() * (length + 1))
    const second = first + Math.floor(random.fraction() * (length - first + 1))
    expect(hex(bytes), `${length} bytes`).toBe(expected)
    const parts = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
    expect(hex(...parts), `${length} bytes, cut at ${first} and ${second}`).toBe(expected)
  }
})

test('a range within a larger array is digested alone, and written where it is asked for', () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i * 7 + (i >> 8))
  const out = new Uint8Array(20).fill(0xee)
  md5.reset()
  md5.update(bytes, 3, 65_539)
  md5.digest(out, 2)
  expect(Buffer.from(out.subarray(2, 18)).toString('hex')).toBe(
    createHash('md5').update(bytes.subarray(3, 65_539)).digest('hex'),
  )
  expect([...out.subarray(0, 2), ...out.subarray(18)]).toEqual([0xee, 0xee, 0xee, 0xee])
})
