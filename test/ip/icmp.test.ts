import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIcmp, ICMP, IcmpMessage, parseIcmp, writeIcmp } from '../../src/ip/icmp.ts'
import { ICMPV6, parseIcmpv6, writeIcmpv6 } from '../../src/ip/icmpv6.ts'
import { hex, icmp, ip } from './helpers.ts'

const A = ip('fd00::1')
const B = ip('fd00::2')
const read4 = (b: Uint8Array, out: IcmpMessage, end = b.length) => parseIcmp(b, 0, end, out)
const read6 = (b: Uint8Array, out: IcmpMessage, end = b.length) => parseIcmpv6(b, 0, end, A, B, out)
const write4 = (m: IcmpMessage, b: Uint8Array) => writeIcmp(m, b, 0, b.length)
const write6 = (m: IcmpMessage, b: Uint8Array) => writeIcmpv6(m, b, 0, b.length, A, B)

const word = fc.nat(65535)
const echo = (type: number, kind: string) =>
  fc.record({
    kind: fc.constant(kind),
    type: fc.constant(type),
    code: fc.constant(0),
    identifier: word,
    sequence: word,
  })
const error = (type: number, kind: string, code: fc.Arbitrary<number>, rest = {}) =>
  fc.record({ kind: fc.constant(kind), type: fc.constant(type), code, ...rest })
const codes = fc.nat(255)
const uint32 = fc.integer({ min: 0, max: 0xffffffff })

const messages4 = fc.oneof(
  echo(ICMP.echoRequest, 'echo-request'),
  echo(ICMP.echoReply, 'echo-reply'),
  error(
    ICMP.unreachable,
    'unreachable',
    codes.filter((c) => c !== 4),
  ),
  error(ICMP.unreachable, 'packet-too-big', fc.constant(4), { mtu: word }),
  error(ICMP.timeExceeded, 'time-exceeded', codes),
  error(ICMP.parameterProblem, 'parameter-problem', codes, { pointer: fc.nat(255) }),
  error(42, 'other', codes),
)
const messages6 = fc.oneof(
  echo(ICMPV6.echoRequest, 'echo-request'),
  echo(ICMPV6.echoReply, 'echo-reply'),
  error(ICMPV6.unreachable, 'unreachable', codes),
  error(ICMPV6.packetTooBig, 'packet-too-big', codes, { mtu: uint32 }),
  error(ICMPV6.timeExceeded, 'time-exceeded', codes),
  error(ICMPV6.parameterProblem, 'parameter-problem', codes, { pointer: uint32 }),
  error(133, 'other', codes),
)

describe.each([
  ['ICMP (RFC 792)', messages4, read4, write4, 4 as const],
  ['ICMPv6 (RFC 4443)', messages6, read6, write6, 6 as const],
])('%s', (_, messages, read, write, family) => {
  test('what is written is read back, with any body', () => {
    fc.assert(
      fc.property(messages, fc.uint8Array({ maxLength: 100 }), (fields, body) => {
        const message = Object.assign(new IcmpMessage(), fields)
        const bytes = new Uint8Array(8 + body.length)
        bytes.set(body, 8)
        expect(write(message, bytes)).toBe(bytes.length)
        const back = new IcmpMessage()
        expect(read(bytes, back)).toBe('ok')
        expect(back).toMatchObject(fields)
        expect(bytes.subarray(back.bodyStart, back.bodyEnd)).toEqual(body)
        expect(formatIcmp(back, family)).toContain(`${family === 4 ? 'ICMP' : 'ICMP6'} ${message.kind}`)
        expect(formatIcmp(back, family)).toContain(`length ${bytes.length}`)
      }),
    )
  })

  test('every truncation and every flipped bit is found', () => {
    const message = Object.assign(new IcmpMessage(), {
      kind: 'echo-request',
      type: family === 4 ? 8 : 128,
      identifier: 7,
      sequence: 9,
    })
    const bytes = new Uint8Array(8 + 56)
    for (let i = 8; i < bytes.length; i++) bytes[i] = i + 1
    write(message, bytes)
    for (let end = 0; end < bytes.length; end++) expect(read(bytes, new IcmpMessage(), end)).not.toBe('ok')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const copy = bytes.slice()
      copy[bit >> 3] ^= 1 << (bit & 7)
      expect(read(copy, new IcmpMessage())).toBe('icmp-bad-checksum')
    }
  })

  test('random bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const out = new IcmpMessage()
        expect(typeof read(bytes, out)).toBe('string')
        expect(typeof parseIcmp(bytes, 0, bytes.length, out, true)).toBe('string')
        expect(typeof parseIcmpv6(bytes, 0, bytes.length, A, B, out, true)).toBe('string')
        expect(formatIcmp(out, family)).not.toContain('undefined')
      }),
    )
  })
})

test('the checksum of a message from a trusted device is not verified', () => {
  const bytes = icmp(8, 0, '00070009', hex('0102'))
  bytes[2] ^= 1
  expect(parseIcmp(bytes, 0, bytes.length, new IcmpMessage())).toBe('icmp-bad-checksum')
  expect(parseIcmp(bytes, 0, bytes.length, new IcmpMessage(), true)).toBe('ok')
})

test('the checksum of ICMPv6 covers the addresses (RFC 4443 §2.3)', () => {
  const bytes = icmp(128, 0, '00070009', hex('0102'), 'fd00::1', 'fd00::2')
  expect(parseIcmpv6(bytes, 0, bytes.length, A, B, new IcmpMessage())).toBe('ok')
  expect(parseIcmpv6(bytes, 0, bytes.length, A, ip('fd00::3'), new IcmpMessage())).toBe('icmp-bad-checksum')
})
