import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, test } from 'vitest'
import { formatEndpoint, IpAddress, parseAddress, parseCidr } from '../../src/ip/address.ts'
import { anyIpv4, anyIpv6, anyWord, ip } from './helpers.ts'

const oracleBytes = (text: string): number[] => ipaddr.parse(text).toByteArray()

function bytesOf(address: IpAddress): number[] {
  const bytes = new Uint8Array(address.family === 4 ? 4 : 16)
  address.write(bytes, 0)
  return [...bytes]
}

describe('text of addresses', () => {
  test('an IPv4 address prints and parses as ipaddr.js does', () => {
    fc.assert(
      fc.property(anyIpv4, (a) => {
        expect(ipaddr.parse(a.toString()).toByteArray()).toEqual(bytesOf(a))
        expect(ip(a.toString()).equals(a)).toBe(true)
      }),
    )
  })

  test('an IPv6 address prints as ipaddr.js does by RFC 5952, and parses back', () => {
    // Words with many zeros, so that '::' is met in every place.
    const sparse = fc
      .array(fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
        minLength: 8,
        maxLength: 8,
      })
      .map((g) => new IpAddress((g[0] << 16) | g[1], (g[2] << 16) | g[3], (g[4] << 16) | g[5], (g[6] << 16) | g[7]))
      .filter((a) => a.family === 6)
    fc.assert(
      fc.property(fc.oneof(anyIpv6, sparse), (a) => {
        expect(a.toString()).toBe(new ipaddr.IPv6(bytesOf(a)).toRFC5952String())
        expect(ip(a.toString()).equals(a)).toBe(true)
      }),
    )
  })

  test('every valid way to write an IPv6 address is read as ipaddr.js reads it (RFC 4291 §2.2)', () => {
    const group = fc.integer({ min: 0, max: 0xffff }).chain((g) => {
      const plain = g.toString(16)
      return fc.constantFrom(plain, plain.toUpperCase(), plain.padStart(4, '0'))
    })
    const v4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((p) => p.join('.'))
    const compressed = fc
      .tuple(fc.array(group, { maxLength: 5 }), fc.array(group, { maxLength: 5 }), fc.option(v4))
      .filter(([a, b, c]) => a.length + b.length + (c === null ? 0 : 2) <= 7)
      // ipaddr.js reads '::1.2.3.4' as a mapped address; RFC 4291 §2.5.5.1 has it as ::102:304.
      .filter(([a, b, c]) => c === null || a.length + b.length > 0)
      .map(([a, b, c]) => `${a.join(':')}::${[...b, ...(c === null ? [] : [c])].join(':')}`)
    const full = fc.array(group, { minLength: 8, maxLength: 8 }).map((g) => g.join(':'))
    fc.assert(
      fc.property(fc.oneof(compressed, full), (text) => {
        const address = ip(text)
        const expected = oracleBytes(text)
        const mapped =
          address.family === 4 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...bytesOf(address)] : bytesOf(address)
        expect(mapped).toEqual(expected)
      }),
    )
  })

  test.each([
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // §4.2.3: the first of two runs as long
    ['2001:0db8::0001', '2001:db8::1'], // §4.1: no leading zeros
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // §4.2.2: one group is not shortened
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // §4.2.3: the longest run
    ['2001:DB8::ABCD', '2001:db8::abcd'], // §4.3: lower case
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['fe80:0:0:0:1:2:3:4', 'fe80::1:2:3:4'],
    ['::ffff:192.0.2.1', '192.0.2.1'], // ours: one shape for both families
    ['::13.1.68.3', '::d01:4403'], // RFC 4291 §2.5.5.1
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s prints as %s (RFC 5952 §4)', (text, expected) => {
    expect(ip(text).toString()).toBe(expected)
  })

  test.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '010.0.0.1', // 8.0.0.1 to those who read octal: ambiguous, refused (RFC 6943 §3.1.1)
    '0x7f.0.0.1',
    '127.1',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.-4',
    '１.2.3.4',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1::',
    '1:::2',
    ':1::2',
    '1::2:',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '::1.2.3',
    '::1.2.3.256',
    '1.2.3.4::',
    '1.2.3.4::1',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '[::1]',
    `${'0'.repeat(50)}::1`,
  ])('%j is no address', (text) => {
    expect(parseAddress(text)).toBeNull()
    expect(() => IpAddress.parse(text)).toThrow(TypeError)
  })

  test('any text is an address, or null, and never an exception', () => {
    const near = fc.string({ unit: fc.constantFrom('0', '1', 'f', ':', '.', '%', '::', '255') })
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        const address = parseAddress(text)
        if (address !== null) expect(ipaddr.isValid(text)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('an endpoint puts brackets around IPv6 (RFC 3986 §3.2.2)', () => {
    expect(formatEndpoint(ip('10.0.0.1'), 80)).toBe('10.0.0.1:80')
    expect(formatEndpoint(ip('fd00::1'), 80)).toBe('[fd00::1]:80')
  })
})

describe('bytes and classes of addresses', () => {
  test('bytes round-trip', () => {
    fc.assert(
      fc.property(fc.oneof(anyIpv4, anyIpv6), (a) => {
        const back = IpAddress.fromBytes(Uint8Array.from(bytesOf(a)))
        expect(back.equals(a)).toBe(true)
        expect(back.clone().equals(a)).toBe(true)
        const other = new IpAddress()
        other.assign(a)
        expect(other.equals(a)).toBe(true)
        expect(a.equals(new IpAddress(a.w0, a.w1, a.w2, a.w3 ^ 1))).toBe(false)
      }),
    )
    expect(() => IpAddress.fromBytes(new Uint8Array(5))).toThrow(RangeError)
  })

  test('a prefix holds what ipaddr.js says it holds', () => {
    const pair4 = fc.tuple(anyWord, anyWord, fc.nat(32), fc.nat(32)).map(([a, noise, keep, length]) => {
      const mask = keep === 0 ? 0 : -1 << (32 - keep)
      return [
        new IpAddress(0, 0, 0xffff, a),
        new IpAddress(0, 0, 0xffff, (a & mask) | (noise & ~mask)),
        length,
      ] as const
    })
    const pair6 = fc.tuple(anyIpv6, fc.nat(127), fc.nat(128)).map(([a, bit, length]) => {
      const w = [a.w0, a.w1, a.w2, a.w3]
      w[bit >> 5] ^= 1 << (31 - (bit & 31))
      return [a, new IpAddress(w[0], w[1], w[2], w[3]), length] as const
    })
    fc.assert(
      fc.property(fc.oneof(pair4, pair6), ([a, b, length]) => {
        if (a.family !== b.family) return expect(a.inPrefix(b, length)).toBe(false)
        const oracle = ipaddr.parse(a.toString()).match(ipaddr.parse(b.toString()), length)
        expect(a.inPrefix(b, length)).toBe(oracle)
      }),
    )
  })

  test('families do not share prefixes', () => {
    expect(ip('10.0.0.1').inPrefix(ip('::'), 0)).toBe(false)
    expect(ip('::1').inPrefix(ip('0.0.0.0'), 0)).toBe(false)
  })

  test.each([
    ['0.0.0.0', 'isUnspecified'],
    ['::', 'isUnspecified'],
    ['127.255.0.1', 'isLoopback'],
    ['::1', 'isLoopback'],
    ['224.0.0.1', 'isMulticast'],
    ['239.255.255.255', 'isMulticast'],
    ['ff02::1', 'isMulticast'],
    ['255.255.255.255', 'isLimitedBroadcast'],
  ] as const)('%s: %s and nothing else', (text, property) => {
    const all = ['isUnspecified', 'isLoopback', 'isMulticast', 'isLimitedBroadcast'] as const
    for (const name of all) expect([name, ip(text)[name]]).toEqual([name, name === property])
    for (const name of all)
      for (const plain of ['10.0.0.1', 'fd00::1', '240.0.0.1']) expect(ip(plain)[name]).toBe(false)
  })

  test('an interface address has a prefix length, by default its whole length', () => {
    expect(parseCidr('10.0.0.2/24').prefixLength).toBe(24)
    expect(parseCidr('10.0.0.2').prefixLength).toBe(32)
    expect(parseCidr('fd00::2').prefixLength).toBe(128)
    for (const bad of ['10.0.0.2/33', 'fd00::/129', '10.0.0.2/', '10.0.0.2/a', '10.0.0.2/8/8', '/24', '10.0.0.2/-1']) {
      expect(() => parseCidr(bad)).toThrow(TypeError)
    }
  })
})
