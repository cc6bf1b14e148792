import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIp, IpHeader } from '../../src/ip/header.ts'
import { MAX_EXTENSION_HEADERS, parseIpv6, writeIpv6 } from '../../src/ip/ipv6.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { anyIpv6, hex, make } from './helpers.ts'

const TO = 'fd00::2'

/** Parses a packet whose IPv6 header names `next`, followed by `extra` and four bytes of payload. */
function parse(next: number, extra: string) {
  const packet = make({ dst: TO, protocol: next, extra: hex(extra), payload: hex('deadbeef') })
  const header = new IpHeader()
  return { verdict: parseIpv6(packet.bytes, packet.start, packet.end, header), header, packet }
}

describe('the IPv6 header', () => {
  test('what is written is read back (RFC 8200 §3)', () => {
    const bytes = new Uint8Array(65600)
    const anyHeader = fc.record({
      src: anyIpv6,
      dst: anyIpv6,
      protocol: fc.constantFrom(6, 17, 58, 59, 200),
      hopLimit: fc.nat(255),
      trafficClass: fc.nat(255),
      flowLabel: fc.nat(0xfffff),
      totalBytes: fc.integer({ min: 40, max: 65535 }),
    })
    fc.assert(
      fc.property(anyHeader, fc.nat(40), ({ src, dst, ...rest }, at) => {
        const same = { family: 6 as const, dontFragment: true, headerBytes: 40, protocolOffset: 6 }
        const header = Object.assign(new IpHeader(), rest, same)
        header.src.assign(src)
        header.dst.assign(dst)
        expect(writeIpv6(header, bytes, at)).toBe(40)
        const back = new IpHeader()
        expect(parseIpv6(bytes, at, at + rest.totalBytes, back)).toBe('ok')
        expect(back).toEqual(header)
        expect(formatIp(back)).toContain(`IP6 ${src} > ${dst}:`)
      }),
    )
  })

  test('every truncation of a packet is refused', () => {
    for (const extra of ['', '06 00 01 04 00000000', '2c 00 01 04 00000000  06 00 0000 00000001']) {
      const { packet } = parse(extra === '' ? 6 : 60, extra)
      for (let end = packet.start; end < packet.end; end++) {
        expect(parseIpv6(packet.bytes, packet.start, end, new IpHeader())).not.toBe('ok')
      }
    }
  })

  test('every truncation of a chain by the payload length is refused', () => {
    const chain = '3c 00 01 04 00000000  06 00 01 04 00000000'
    for (let length = 0; length < 16; length++) {
      const { packet } = parse(0, chain)
      packet.bytes[packet.start + 5] = length
      expect(parseIpv6(packet.bytes, packet.start, packet.end, new IpHeader())).toBe('ip-bad-header-chain')
    }
  })

  test('random bytes after a header never throw and never lead beyond the packet', () => {
    const next = fc.constantFrom(0, 43, 44, 60)
    fc.assert(
      fc.property(next, next, fc.uint8Array({ maxLength: 100 }), (first, second, bytes) => {
        if (bytes.length > 1) bytes.set([second, bytes[1] & 3])
        const packet = make({ dst: TO, protocol: first, payload: bytes })
        const header = new IpHeader()
        if (parseIp(packet.bytes, packet.start, packet.end, header) === 'ok') {
          expect(header.headerBytes).toBeLessThanOrEqual(header.totalBytes)
        }
        expect(header.problemOffset).toBeLessThan(packet.length)
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(typeof parseIp(bytes, 0, bytes.length, new IpHeader())).toBe('string')
        if (bytes.length > 0) bytes[0] = 0x60
        expect(typeof parseIp(bytes, 0, bytes.length, new IpHeader())).toBe('string')
      }),
    )
  })

  test.each([
    ['hop-by-hop options', 0, '06 00 05 02 0000 0000', 48],
    ['destination options', 60, '06 01 01 0c 000000000000 000000000000', 56],
    ['a routing header that is used up (RFC 8200 §4.4)', 43, '06 00 04 00 00000000', 48],
    ['an atomic fragment (RFC 6946 §4)', 44, '06 00 0000 00000007', 48],
    ['an unknown option that may be skipped (RFC 8200 §4.2)', 60, '06 00 1e 04 00000000', 48],
    ['a chain of four', 0, '3c 00 01 04 00000000 2b 00 01 04 00000000 2c 00 04 00 00000000 06 00 0000 00000000', 72],
  ])('%s: skipped to the transport (RFC 8200 §4)', (_, next, extra, headerBytes) => {
    const { verdict, header } = parse(next, extra)
    expect([verdict, header.protocol, header.headerBytes, header.isFragment]).toEqual(['ok', 6, headerBytes, false])
    expect(header.totalBytes - header.headerBytes).toBe(4)
  })

  test('protocolOffset points at the byte that named the transport', () => {
    const { header, packet } = parse(60, '2c 00 01 04 00000000 c8 00 0000 00000007')
    expect(header.protocol).toBe(200)
    expect(packet.bytes[packet.start + header.protocolOffset]).toBe(200)
    expect(header.protocolOffset).toBe(48)
  })

  test('a chain is bounded', () => {
    const link = '3c 00 01 04 00000000 '
    const last = '06 00 01 04 00000000'
    expect(parse(60, link.repeat(MAX_EXTENSION_HEADERS - 1) + last).verdict).toBe('ok')
    expect(parse(60, link.repeat(MAX_EXTENSION_HEADERS) + last).verdict).toBe('ip-bad-header-chain')
  })

  test('hop-by-hop options after another header are an unknown protocol (RFC 8200 §4.1)', () => {
    const { verdict, header } = parse(60, '00 00 01 04 00000000 06 00 01 04 00000000')
    expect([verdict, header.protocol, header.headerBytes]).toEqual(['ok', 0, 48])
  })

  test('behind the header of a true fragment nothing is parsed (RFC 8200 §4.5)', () => {
    const { verdict, header } = parse(44, '3c 00 0009 01020304 ffffffffffffffff')
    expect(verdict).toBe('ok')
    expect(header).toMatchObject({ fragmentOffset: 8, moreFragments: true, identification: 0x01020304, protocol: 60 })
    expect(header.isFragment).toBe(true)
  })

  test('a routing header with segments left is refused and its type pointed at (RFC 8200 §4.4, RFC 5095 §3)', () => {
    const { verdict, header } = parse(43, '06 02 00 01 00000000 fd000000000000000000000000000003')
    expect([verdict, header.problemOffset]).toEqual(['ip-source-route', 42])
  })

  test.each([
    ['01: discard', '06 00 40 04 00000000', 'ip-bad-options', -1],
    ['10: discard and report', '06 00 80 04 00000000', 'ip-unknown-option', 42],
    ['11: discard and report', '06 00 01 00 c2 02 0000', 'ip-unknown-option', 44],
    ['no length byte', '06 00 01 03 000000 05', 'ip-bad-options', -1],
    ['beyond the header', '06 00 01 05 00000000', 'ip-bad-options', -1],
  ])('an option that cannot be used (%s) is refused (RFC 8200 §4.2)', (_, extra, reason, problemOffset) => {
    const { verdict, header } = parse(60, extra)
    expect([verdict, header.problemOffset]).toEqual([reason, problemOffset])
  })

  test('padding beyond the payload length does not belong to the packet', () => {
    const { packet } = parse(6, '')
    packet.bytes[packet.start + 5] = 1
    const header = new IpHeader()
    expect(parseIpv6(packet.bytes, packet.start, packet.end, header)).toBe('ok')
    expect(header.totalBytes).toBe(41)
  })

  test('any other version is refused by both codecs', () => {
    for (let version = 0; version < 16; version++) {
      const bytes = new Uint8Array(60).fill(version << 4, 0, 1)
      if (version === 4 || version === 6) continue
      expect(parseIp(bytes, 0, 60, new IpHeader())).toBe('ip-bad-version')
      expect(parseIpv6(bytes, 0, 60, new IpHeader())).toBe('ip-bad-version')
    }
    expect(parseIp(new Uint8Array(), 0, 0, new IpHeader())).toBe('ip-too-short')
  })
})
