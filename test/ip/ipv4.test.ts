import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIp, IpHeader } from '../../src/ip/header.ts'
import { parseIpv4, writeIpv4 } from '../../src/ip/ipv4.ts'
import { anyIpv4, fixHeaderChecksum, hex, type Made, make, slowChecksum } from './helpers.ts'

const parse = (made: Made, change?: (bytes: Uint8Array) => void) => {
  const packet = make(made)
  change?.(packet.bytes.subarray(packet.start))
  fixHeaderChecksum(packet)
  const header = new IpHeader()
  return { verdict: parseIpv4(packet.bytes, packet.start, packet.end, header), header, packet }
}

describe('the IPv4 header', () => {
  test('what is written is read back (RFC 791 §3.1)', () => {
    const anyHeader = fc.record({
      src: anyIpv4,
      dst: anyIpv4,
      protocol: fc.nat(255),
      hopLimit: fc.nat(255),
      trafficClass: fc.nat(255),
      identification: fc.nat(65535),
      moreFragments: fc.boolean(),
      fragmentOffset: fc.nat(8191).map((n) => n * 8),
      dontFragment: fc.boolean(),
      totalBytes: fc.integer({ min: 20, max: 65535 }),
    })
    const bytes = new Uint8Array(65600)
    fc.assert(
      fc.property(anyHeader, fc.nat(40), ({ src, dst, ...rest }, at) => {
        const header = Object.assign(new IpHeader(), rest)
        header.src.assign(src)
        header.dst.assign(dst)
        expect(writeIpv4(header, bytes, at)).toBe(20)
        expect(slowChecksum(bytes.subarray(at, at + 20))).toBe(0)
        const back = new IpHeader()
        expect(parseIpv4(bytes, at, at + rest.totalBytes, back)).toBe('ok')
        expect(back).toEqual(header)
      }),
    )
  })

  test('a header captured on a wire is read field by field', () => {
    const header = new IpHeader()
    const bytes = hex('4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7')
    const packet = new Uint8Array(0x73)
    packet.set(bytes)
    expect(parseIpv4(packet, 0, packet.length, header)).toBe('ok')
    expect(formatIp(header)).toBe('IP 192.168.0.1 > 192.168.0.199: UDP ttl 64 id 0 [DF] length 115')
  })

  test('every truncation of a packet is refused', () => {
    for (const extra of [new Uint8Array(), hex('0101 0100')]) {
      const packet = make({ extra, payload: new Uint8Array(30) })
      for (let end = packet.start; end < packet.end; end++) {
        expect(parseIpv4(packet.bytes, packet.start, end, new IpHeader())).not.toBe('ok')
      }
    }
  })

  test('random bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const header = new IpHeader()
        parseIpv4(bytes, 0, bytes.length, header)
        if (bytes.length > 0) bytes[0] = 0x40 | (bytes[0] & 15)
        expect(typeof parseIpv4(bytes, 0, bytes.length, header)).toBe('string')
        expect(formatIp(header)).toContain(' > ')
      }),
    )
  })

  test('padding beyond the total length does not belong to the packet', () => {
    const { verdict, header } = parse({ payload: new Uint8Array(30) }, (b) => (b[3] = 25))
    expect([verdict, header.totalBytes]).toEqual(['ok', 25])
  })

  test.each<[string, (b: Uint8Array) => void]>([
    ['ip-bad-version', (b) => (b[0] = 0x65)],
    ['ip-bad-header-length', (b) => (b[0] = 0x44)],
    ['ip-bad-header-length', (b) => (b[0] = 0x4f)],
    ['ip-bad-length', (b) => (b[3] = 19)],
    ['ip-bad-length', (b) => (b[3] = 31)],
  ])('%s: what the length fields cannot mean (RFC 1122 §3.2.1)', (reason, change) => {
    expect(parse({ payload: new Uint8Array(10) }, change).verdict).toBe(reason)
  })

  test('one flipped bit anywhere in the header is found by the checksum (RFC 1122 §3.2.1.2)', () => {
    for (let bit = 0; bit < 160; bit++) {
      const packet = make({ payload: new Uint8Array(40) })
      packet.bytes[packet.start + (bit >> 3)] ^= 1 << (bit & 7)
      expect(parseIpv4(packet.bytes, packet.start, packet.end, new IpHeader())).not.toBe('ok')
    }
  })

  test.each([
    ['no operation and end of list', '01 01 01 00'],
    ['an unknown option of 4 bytes', '9e 04 00 00'],
    ['a timestamp of 8 bytes', '44 08 05 00 00000000'],
    ['a router alert', '94 04 00 00'],
    ['anything after the end of list', '00 ff ff ff'],
  ])('%s is skipped (RFC 1122 §3.2.1.8)', (_, options) => {
    const { verdict, header } = parse({ extra: hex(options), payload: new Uint8Array(3) })
    expect(verdict).toBe('ok')
    expect(header.headerBytes).toBe(20 + hex(options).length)
    expect(header.totalBytes).toBe(header.headerBytes + 3)
  })

  test.each([
    ['length 0', '44 00 00 00'],
    ['length 1', '44 01 00 00'],
    ['beyond the header', '44 05 00 00'],
    ['no length byte', '01 01 01 44'],
  ])('an option with a bad length (%s) is refused, not followed', (_, options) => {
    expect(parse({ extra: hex(options) }).verdict).toBe('ip-bad-options')
  })

  test.each(['83 07 04 0a000001 00', '89 07 04 0a000001 00', '01 01 01 83'])(
    'a source route (%s) is refused (RFC 7126 §4.3)',
    (o) => {
      expect(parse({ extra: hex(o) }).verdict).toBe('ip-source-route')
    },
  )

  test('a fragment is decoded as one (RFC 791 §3.2)', () => {
    expect(parse({ fragmentOffset: 1480, moreFragments: true }).header).toMatchObject({
      fragmentOffset: 1480,
      moreFragments: true,
      isFragment: true,
    })
    expect(parse({}).header.isFragment).toBe(false)
  })
})
