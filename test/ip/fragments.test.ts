// Fragments: what is put together, what is given up and why, what is kept at most, and how long datagrams are cut up.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SECOND } from '../../src/base/time.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { host, icmp, ip, make } from './helpers.ts'

type Family = 4 | 6
const here = { 4: '10.0.0.2', 6: 'fd00::2' } as const
const there = { 4: '10.0.0.1', 6: 'fd00::1' } as const
const bytes = (length: number, seed = 0) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + seed) & 255)

interface Wish {
  id?: number
  more?: boolean
  protocol?: number
  trafficClass?: number
  src?: string
}

/** One fragment, of an unknown protocol unless the test says which. */
function piece(family: Family, offset: number, payload: Uint8Array, wish: Wish = {}): Packet {
  const { id = 7, more = true, protocol = 200, trafficClass = 0, src = there[family] } = wish
  const extra = new Uint8Array(family === 6 ? 8 : 0)
  if (family === 6) {
    const view = new DataView(extra.buffer)
    extra[0] = protocol
    view.setUint16(2, offset | (more ? 1 : 0))
    view.setUint32(4, id)
    return make({ src, dst: here[6], protocol: 44, extra, payload, trafficClass })
  }
  const packet = make({
    src,
    dst: here[4],
    protocol,
    payload,
    trafficClass,
    fragmentOffset: offset,
    moreFragments: more,
  })
  packet.bytes[packet.start + 5] = id
  packet.bytes[packet.start + 4] = id >> 8
  packet.bytes.set([0, 0], packet.start + 10)
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += (packet.bytes[packet.start + i] << 8) | packet.bytes[packet.start + i + 1]
  sum = (sum & 0xffff) + (sum >> 16)
  sum = ~((sum & 0xffff) + (sum >> 16))
  packet.bytes.set([sum >> 8, sum], packet.start + 10)
  return packet
}

function taker(options: Parameters<typeof host>[0] = {}) {
  const h = host(options)
  return { ...h, take: (packet: Packet, now = 0) => h.layer.receive(packet, h.header, now) }
}

const payloadOf = ({ layer, header }: ReturnType<typeof host>) => {
  const { bytes: all, start, end } = layer.reassembled
  return all.slice(start + header.headerBytes, end)
}

describe.each([4, 6] as const)('IPv%i', (family) => {
  test('a datagram of every size comes out whole, in whatever order its pieces come (RFC 815 §3)', () => {
    const cases = fc.tuple(fc.integer({ min: 9, max: 6000 }), fc.integer({ min: 1, max: 40 }), fc.integer())
    fc.assert(
      fc.property(cases, ([length, units, seed]) => {
        const h = taker()
        const whole = bytes(length, seed)
        const pieces: Packet[] = []
        const step = Math.max(units, Math.ceil(length / 8 / 100)) * 8
        for (let at = 0; at < length; at += step) {
          pieces.push(piece(family, at, whole.slice(at, at + step), { more: at + step < length }))
        }
        if (pieces.length < 2) return
        const order = pieces
          .map((_, i) => i)
          .sort((a, b) => (Math.imul(a + 1, seed | 1) & 255) - (Math.imul(b + 1, seed | 1) & 255))
        const verdicts = order.map((i) => h.take(pieces[i]))
        expect(verdicts).toEqual([...order.slice(1).map(() => 'kept'), 'reassembled'])
        expect(payloadOf(h)).toEqual(whole)
        expect([h.header.protocol, h.header.isFragment, h.header.toUnicast]).toEqual([200, false, true])
        expect(parseIp(h.layer.reassembled.bytes, HEADROOM, h.layer.reassembled.end, new IpHeader())).toBe('ok')
        expect(h.layer.nextDeadline()).toBe(Infinity)
      }),
      { numRuns: 60 },
    )
  })

  test('pieces of other datagrams, sources and identifications do not mix (RFC 791 §3.2, RFC 8200 §4.5)', () => {
    const h = taker()
    const other = family === 4 ? '10.0.0.9' : 'fd00::9'
    expect(h.take(piece(family, 0, bytes(8)))).toBe('kept')
    expect(h.take(piece(family, 8, bytes(8, 1), { more: false, id: 8 }))).toBe('kept')
    expect(h.take(piece(family, 8, bytes(8, 2), { more: false, src: other }))).toBe('kept')
    expect(h.take(piece(family, 8, bytes(8, 3), { more: false }))).toBe('reassembled')
    expect(payloadOf(h)).toEqual(Uint8Array.from([...bytes(8), ...bytes(8, 3)]))
  })

  test('an overlap drops the datagram and all that comes of it later (RFC 5722 §4)', () => {
    for (const [offset, length] of [
      [8, 16],
      [0, 8],
      [16, 16],
      [0, 48],
    ]) {
      const h = taker()
      h.take(piece(family, 8, bytes(16)))
      h.take(piece(family, 32, bytes(8), { more: false }))
      const verdict = h.take(piece(family, offset, bytes(length, 99)))
      if (offset === 0 && length === 8) {
        expect(verdict).toBe('kept')
        continue
      }
      expect(verdict).toBe(offset + length > 40 ? 'ip-fragment-bad-end' : 'ip-fragment-overlap')
      expect(h.take(piece(family, 0, bytes(8)))).toBe('ip-fragment')
      expect(h.take(piece(family, 24, bytes(8)))).toBe('ip-fragment')
      expect(h.sent()).toEqual([])
    }
  })

  test('a piece that is doubled on its way: IPv4 keeps the first, IPv6 drops the datagram (RFC 5722 §4)', () => {
    const h = taker()
    h.take(piece(family, 0, bytes(16)))
    expect(h.take(piece(family, 0, bytes(16)))).toBe(family === 4 ? 'ip-fragment-duplicate' : 'ip-fragment-overlap')
    expect(h.take(piece(family, 16, bytes(3), { more: false }))).toBe(family === 4 ? 'reassembled' : 'ip-fragment')
  })

  test('pieces that disagree about the end drop the datagram (RFC 815 §3)', () => {
    const h = taker()
    h.take(piece(family, 0, bytes(8), { more: true }))
    h.take(piece(family, 16, bytes(8), { more: false }))
    expect(h.take(piece(family, 24, bytes(8)))).toBe('ip-fragment-bad-end')
    const other = taker()
    other.take(piece(family, 24, bytes(8)))
    expect(other.take(piece(family, 8, bytes(8), { more: false }))).toBe('ip-fragment-bad-end')
  })

  test('a piece of a bad length, or beyond the longest datagram, is dropped (RFC 8200 §4.5: and reported)', () => {
    for (const [packet, reason, pointer] of [
      [piece(family, 8, bytes(12)), 'ip-fragment-bad-length', 4],
      [piece(family, 0, bytes(0)), 'ip-fragment-bad-length', -1],
      [piece(family, 65528, bytes(16), { more: false }), 'ip-fragment-too-long', 42],
    ] as const) {
      const h = taker()
      expect(h.take(packet)).toBe(reason)
      const answers = h.sent().map(({ body }) => [...body.subarray(0, 2), body[7]])
      expect(answers).toEqual(family === 6 && pointer >= 0 ? [[4, 0, pointer]] : [])
      expect(h.layer.nextDeadline()).toBe(Infinity)
    }
  })

  test('a first piece without the whole header of its transport is dropped (RFC 1858 §3, RFC 7112 §5)', () => {
    for (const [protocol, least] of [
      [PROTOCOL.TCP, 24],
      [PROTOCOL.UDP, 8],
      [family === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6, 8],
    ]) {
      const h = taker()
      if (least > 8) expect(h.take(piece(family, 0, bytes(16), { protocol }))).toBe('ip-fragment-tiny')
      const answers = h.sent().map(({ body }) => [body[0], body[1], body[7]])
      expect(answers).toEqual(family === 6 && least > 8 ? [[4, 3, 0]] : [])
      expect(h.take(piece(family, 0, bytes(least), { protocol }))).toBe('kept')
    }
    const h = taker()
    const covers = h.take(piece(family, 8, bytes(16), { protocol: PROTOCOL.TCP }))
    expect(covers).toBe(family === 4 ? 'ip-fragment-tiny' : 'kept')
  })

  test('time is up: the datagram goes, and its sender is told when its first piece is there (RFC 1122 §3.3.2, RFC 4443 §3.3)', () => {
    const limit = (family === 4 ? 30 : 60) * SECOND
    const h = taker()
    const first = piece(family, 0, bytes(1000))
    expect(h.take(first, 5)).toBe('kept')
    expect(h.take(piece(family, 1000, bytes(8), { id: 9, more: false }), 6)).toBe('kept')
    expect(h.layer.nextDeadline()).toBe(limit + 5)
    h.layer.handleTimeout(limit + 4)
    expect(h.layer.drops.total).toBe(0)
    h.layer.handleTimeout(limit + 6)
    expect(h.layer.drops.toJSON()).toEqual({ 'ip-fragment-timeout': 2 })
    const [error, ...others] = h.sent()
    expect(others).toEqual([])
    expect([error.body[0], error.body[1]]).toEqual([family === 4 ? 11 : 3, 1])
    const quoted = error.body.subarray(8)
    expect([...quoted]).toEqual([...first.bytes.subarray(first.start, first.start + quoted.length)])
    expect(h.layer.nextDeadline()).toBe(Infinity)
  })

  test('a piece that comes late does not complete what is over, though no timer ran (RFC 1122 §3.3.2)', () => {
    const h = taker()
    h.take(piece(family, 0, bytes(8)), 0)
    expect(h.take(piece(family, 8, bytes(8), { more: false }), 61 * SECOND)).toBe('kept')
    expect(h.layer.drops.get('ip-fragment-timeout')).toBe(1)
    expect(h.sent()).toHaveLength(1)
  })

  test('a flood of what is never completed costs no more than the limits, and the newest still gets through', () => {
    for (const [fragments, evicted] of [
      [{ bytes: 100_000 }, 2900], // 1912 octets for one with 1400 of data, records and all
      [{ datagrams: 50 }, 2950],
    ] as const) {
      const h = taker({ fragments })
      for (let id = 0; id < 3000; id++) h.take(piece(family, 0, bytes(1400), { id }))
      const count = h.layer.drops.get('ip-fragment-evicted')
      expect(count).toBeGreaterThanOrEqual(evicted)
      expect(count).toBeLessThan(2955)
    }
    const h = taker({ fragments: { bytes: 100_000, datagrams: 50 } })
    for (let id = 0; id < 3000; id++) h.take(piece(family, 0, bytes(id % 2 === 0 ? 1400 : 8), { id }))
    expect(h.layer.drops.get('ip-fragment-evicted')).toBeGreaterThan(2900)
    expect(h.take(piece(family, 1400, bytes(8), { id: 2998, more: false }))).toBe('reassembled')
  })

  test('pieces that leave too many holes drop the datagram', () => {
    const h = taker()
    const verdicts = new Set<string>()
    for (let i = 1; i < 1000; i++) verdicts.add(h.take(piece(family, i * 16, bytes(8))))
    expect([...verdicts]).toEqual(['kept', 'ip-fragment-scattered', 'ip-fragment'])
  })

  test('a mark on one piece is a mark on all; unmarkable pieces beside it drop the datagram (RFC 3168 §5.3)', () => {
    const [marked, ect, none] = [3, 2, 0].map((trafficClass) => ({ trafficClass }))
    for (const [a, b, expected] of [
      [ect, marked, 3],
      [marked, ect, 3],
      [ect, ect, 2],
      [none, marked, -1],
    ] as const) {
      const h = taker()
      h.take(piece(family, 0, bytes(8), a))
      const verdict = h.take(piece(family, 8, bytes(8), { ...b, more: false }))
      expect(verdict).toBe(expected < 0 ? 'ip-fragment-ecn' : 'reassembled')
      if (expected >= 0) expect(h.header.trafficClass).toBe(expected)
    }
  })

  test('a ping of the longest datagram is answered with the same bytes, in fragments that the link takes (RFC 1122 §3.3.3)', () => {
    const a = host()
    const b = host({ addresses: [{ address: ip(there[family]), prefixLength: 24 }] })
    const data = bytes(65507)
    const replies: Uint8Array[] = []
    b.layer.onEchoReply = ({ payload }) => replies.push(payload)
    expect(b.layer.sendEchoRequest(ip(here[family]), 1, 2, data)).toBe('ok')
    carry(b, a)
    carry(a, b)
    expect(replies).toHaveLength(1)
    expect(Buffer.compare(replies[0], data)).toBe(0)
    expect(a.layer.counters.reassembled).toBe(1)
  })
})

function carry(from: ReturnType<typeof host>, to: ReturnType<typeof host>): void {
  const packet = new Packet()
  while (from.layer.pollTransmit(packet)) {
    expect(packet.length).toBeLessThanOrEqual(1500)
    const verdict = to.layer.receive(packet, to.header, 0)
    if (verdict === 'reassembled') expect(to.layer.handleIcmp(to.layer.reassembled, to.header, 0)).toBe('ok')
    else expect(verdict).toBe('kept')
  }
}

test('an atomic fragment is a whole packet, whatever waits under its identification (RFC 6946 §4)', () => {
  const h = taker()
  expect(h.take(piece(6, 0, bytes(8)))).toBe('kept')
  expect(h.take(piece(6, 0, bytes(8, 1), { more: false }))).toBe('ok')
  expect(h.take(piece(6, 8, bytes(8, 2), { more: false }))).toBe('reassembled')
})

test('no error about a later fragment of IPv4, nor about one of ICMPv6 (RFC 1122 §3.2.2, RFC 4443 §2.4(e))', () => {
  const h = taker()
  expect(h.take(piece(4, 65528, bytes(16)))).toBe('ip-fragment-too-long')
  expect(h.take(piece(6, 65528, bytes(16), { protocol: 58 }))).toBe('ip-fragment-too-long')
  expect(h.take(piece(6, 0, icmp(1, 0, '00000000', bytes(4)), { protocol: 58 }))).toBe('ip-fragment-bad-length')
  expect(h.sent()).toEqual([])
})

test('extension headers on both sides of the Fragment header are kept and skipped (RFC 8200 §4.5)', () => {
  const h = taker()
  const options = Uint8Array.from([44, 0, 1, 4, 0, 0, 0, 0])
  const rest = Uint8Array.from([200, 0, 1, 4, 0, 0, 0, 0, ...bytes(8)])
  const parts = [piece(6, 0, rest, { protocol: 60 }), piece(6, 16, bytes(5), { protocol: 60, more: false })]
  const verdicts = parts.map((part) => {
    const all = part.bytes.slice(part.start, part.end)
    const packet = make({ dst: here[6], protocol: 60, payload: Uint8Array.from([...options, ...all.subarray(40)]) })
    return h.take(packet)
  })
  expect(verdicts).toEqual(['kept', 'reassembled'])
  expect([h.header.protocol, h.header.headerBytes]).toEqual([200, 56])
  expect(payloadOf(h)).toEqual(Uint8Array.from([...bytes(8), ...bytes(5)]))
})

test('limits that are no limits are refused', () => {
  expect(() => host({ fragments: { bytes: 0 } })).toThrow("'bytes'")
})

test.each([
  ['to be told: parameter problem, pointing at it', 0x9e, 'ip-unknown-option', [4, 2, 0, 0, 0, 42]],
  ['not to be told', 0x5e, 'ip-bad-options', null],
] as const)(
  'an unknown option that only the whole datagram shows, %s (RFC 8200 §4.2, §4.5)',
  (_, type, verdict, told) => {
    const h = taker()
    const whole = Uint8Array.from([200, 0, type, 4, 0, 0, 0, 0, ...bytes(16)])
    expect(h.take(piece(6, 16, whole.slice(16), { protocol: 60, more: false }))).toBe('kept')
    expect(h.take(piece(6, 0, whole.slice(0, 16), { protocol: 60 }))).toBe(verdict)
    const answer = new Packet()
    expect(h.layer.pollTransmit(answer)).toBe(told !== null)
    if (told === null) return
    const body = answer.bytes.subarray(answer.start + 40, answer.end)
    expect([body[0], body[1], ...body.subarray(4, 8)]).toEqual(told)
  },
)
