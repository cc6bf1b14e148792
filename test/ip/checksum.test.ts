import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { finishChecksum, foldSum, pseudoHeaderSum, sumBytes } from '../../src/ip/checksum.ts'
import { anyIpv4, anyIpv6, hex, slowChecksum } from './helpers.ts'

const sumOf = (bytes: Uint8Array): number => foldSum(sumBytes(bytes, 0, bytes.length))

describe('the Internet checksum', () => {
  test('the example of RFC 1071 §3 sums to ddf2', () => {
    expect(sumOf(hex('0001 f203 f4f5 f6f7'))).toBe(0xddf2)
    expect(finishChecksum(sumBytes(hex('0001 f203 f4f5 f6f7'), 0, 8))).toBe(0x220d)
  })

  test('an odd last byte is padded with zero (RFC 1071 §1)', () => {
    expect(sumOf(hex('0001 f2'))).toBe(0xf201)
    expect(sumOf(hex('7f'))).toBe(0x7f00)
  })

  test('sums may be carried on and grouped at will, in even pieces (RFC 1071 §2(A))', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(1500), (bytes, cut) => {
        const at = Math.min(cut * 2, bytes.length & ~1)
        const whole = foldSum(sumBytes(bytes, 0, bytes.length))
        expect(foldSum(sumBytes(bytes, at, bytes.length, sumBytes(bytes, 0, at)))).toBe(whole)
      }),
    )
  })

  test('a message with its checksum in place sums to all ones (RFC 1071 §1 (3))', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 2000 }), (bytes) => {
        bytes[0] = 0
        bytes[1] = 0
        const sum = finishChecksum(sumBytes(bytes, 0, bytes.length))
        bytes[0] = sum >> 8
        bytes[1] = sum & 255
        expect(finishChecksum(sumBytes(bytes, 0, bytes.length))).toBe(0)
      }),
    )
  })

  test('every length, offset and alignment agrees with a plain sum of words', () => {
    const memory = new Uint8Array(4096)
    for (let i = 0; i < memory.length; i++) memory[i] = (i * 7919 + (i >> 3) * 31) & 255
    for (const offset of [0, 1, 2, 3]) {
      const bytes = memory.subarray(offset)
      for (const start of [0, 1, 2, 3]) {
        for (const length of [0, 1, 2, 3, 7, 8, 20, 511, 512, 513, 514, 515, 516, 1023, 1460]) {
          const expected = slowChecksum(bytes.subarray(start, start + length))
          expect(finishChecksum(sumBytes(bytes, start, start + length))).toBe(expected)
        }
      }
    }
  })

  test('64 KiB of ones neither overflow nor lose a carry, from an even and from an odd address', () => {
    const bytes = new Uint8Array(65537).fill(255)
    for (const start of [0, 1]) {
      expect(foldSum(sumBytes(bytes, start, start + 65536, 0x7fffffff))).toBe(foldSum(0x7fffffff))
      expect(sumBytes(bytes, start, start + 65536)).toBeLessThan(2 ** 17)
    }
  })

  test('only zeros sum to zero: words that cancel out sum to ffff (RFC 1624 §3)', () => {
    expect(sumOf(new Uint8Array(1024))).toBe(0)
    const cancel = new Uint8Array(1024)
    cancel.set([0x12, 0x34, 0xed, 0xcb])
    expect(sumOf(cancel)).toBe(0xffff)
    expect(sumOf(cancel.subarray(0, 4))).toBe(0xffff)
  })

  test('buffers in turn do not disturb each other', () => {
    const a = new Uint8Array(1024).fill(1)
    const b = new Uint8Array(1024).fill(2)
    for (let i = 0; i < 4; i++) {
      expect(finishChecksum(sumBytes(a, 0, 1024))).toBe(slowChecksum(a))
      expect(finishChecksum(sumBytes(b, 0, 1024))).toBe(slowChecksum(b))
    }
  })
})

describe('the pseudo-header', () => {
  test('of IPv4 is source, destination, zero, protocol, length (RFC 9293 §3.1)', () => {
    fc.assert(
      fc.property(anyIpv4, anyIpv4, fc.nat(255), fc.nat(65535), (src, dst, protocol, length) => {
        const drawn = new Uint8Array(12)
        src.write(drawn, 0)
        dst.write(drawn, 4)
        drawn.set([0, protocol, length >> 8, length & 255], 8)
        expect(finishChecksum(pseudoHeaderSum(src, dst, protocol, length)) % 0xffff).toBe(slowChecksum(drawn) % 0xffff)
      }),
    )
  })

  test('of IPv6 has 16-byte addresses and a 32-bit length (RFC 8200 §8.1)', () => {
    fc.assert(
      fc.property(anyIpv6, anyIpv6, fc.nat(255), fc.nat(200000), (src, dst, protocol, length) => {
        const drawn = new Uint8Array(40)
        src.write(drawn, 0)
        dst.write(drawn, 16)
        drawn.set([length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255, 0, 0, 0, protocol], 32)
        expect(finishChecksum(pseudoHeaderSum(src, dst, protocol, length)) % 0xffff).toBe(slowChecksum(drawn) % 0xffff)
      }),
    )
  })
})
