// The UDP header on the wire: round trips, checksums of both families, cut off anywhere.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatUdp, parseUdp, UdpHeader, writeUdp } from '../../src/udp/index.ts'
import { anyIpv4, anyIpv6, hex, ip, slowChecksum } from '../ip/helpers.ts'

const anyPort = fc.integer({ min: 0, max: 65535 })
const anyPair = fc.oneof(fc.tuple(anyIpv4, anyIpv4), fc.tuple(anyIpv6, anyIpv6))

function written(payload: Uint8Array, src = ip('10.0.0.1'), dst = ip('10.0.0.2'), sourcePort = 1, destinationPort = 2) {
  const bytes = Uint8Array.from([...new Uint8Array(8), ...payload])
  const header = new UdpHeader()
  header.sourcePort = sourcePort
  header.destinationPort = destinationPort
  expect(writeUdp(header, bytes, 0, bytes.length, src, dst)).toBe(bytes.length)
  return bytes
}

test('what is written is read again, and never has a checksum of 0 (RFC 768)', () => {
  fc.assert(
    fc.property(anyPair, anyPort, anyPort, fc.uint8Array({ maxLength: 80 }), ([src, dst], from, to, payload) => {
      const bytes = written(payload, src, dst, from, to)
      const out = new UdpHeader()
      expect(parseUdp(bytes, 0, bytes.length, src, dst, out)).toBe('ok')
      expect([out.sourcePort, out.destinationPort, out.dataStart, out.dataEnd]).toEqual([from, to, 8, bytes.length])
      expect(bytes[6] | bytes[7]).not.toBe(0)
    }),
  )
})

test('a sum that comes out as 0 is written as 0xffff (RFC 768, RFC 8200 §8.1)', () => {
  const bytes = written(hex('0000'))
  const sum = (bytes[6] << 8) | bytes[7]
  const zero = written(hex(sum.toString(16).padStart(4, '0')))
  expect([...zero.subarray(6, 8)]).toEqual([0xff, 0xff])
  expect(parseUdp(zero, 0, zero.length, ip('10.0.0.1'), ip('10.0.0.2'), new UdpHeader())).toBe('ok')
})

test('the checksum is that of RFC 768’s pseudo-header, summed by hand', () => {
  const bytes = written(hex('616263'))
  const sum = (bytes[6] << 8) | bytes[7]
  bytes.set([0, 0], 6)
  expect(sum).toBe(slowChecksum(hex('0a000001 0a000002 0011 000b'), bytes))
})

test('a checksum of 0 means none in IPv4 (RFC 768), and is not allowed in IPv6 (RFC 8200 §8.1)', () => {
  const four = written(hex('6162'))
  four.set([0, 0], 6)
  expect(parseUdp(four, 0, 10, ip('10.0.0.1'), ip('10.0.0.2'), new UdpHeader())).toBe('ok')
  expect(parseUdp(four, 0, 10, ip('fd00::1'), ip('fd00::2'), new UdpHeader())).toBe('udp-no-checksum')
})

test('a wrong checksum is seen, unless the device has checked it (RFC 1122 §4.1.3.4)', () => {
  const bytes = written(hex('6162'))
  bytes[9] ^= 1
  const read = (trusted: boolean) => parseUdp(bytes, 0, 10, ip('10.0.0.1'), ip('10.0.0.2'), new UdpHeader(), trusted)
  expect([read(false), read(true)]).toEqual(['udp-bad-checksum', 'ok'])
})

test('cut off at any byte, or with a length that cannot be, it is a verdict; what follows its length is padding', () => {
  const bytes = written(hex('61626364'))
  const read = (all: Uint8Array) => parseUdp(all, 0, all.length, ip('10.0.0.1'), ip('10.0.0.2'), new UdpHeader())
  for (let n = 0; n < bytes.length; n++)
    expect(read(bytes.slice(0, n))).toBe(n < 8 ? 'udp-too-short' : 'udp-bad-length')
  expect(read(Uint8Array.from([...bytes, 9, 9]))).toBe('ok')
  bytes.set([0, 7], 4)
  expect(read(bytes)).toBe('udp-bad-length')
})

test('one line says what it is', () => {
  const out = new UdpHeader()
  parseUdp(written(hex('6162')), 0, 10, ip('10.0.0.1'), ip('10.0.0.2'), out)
  expect(formatUdp(out)).toBe('UDP 1 > 2 length 2')
})
