// The TCP header and its options on the wire (RFC 9293 §3.1, §3.2), and sequence numbers (§3.4).

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  FLAG,
  formatFlags,
  optionBytes,
  parseTcp,
  SegmentHeader,
  SegmentPlan,
  TCP_HEADER_MAX,
  writeTcp,
} from '../../src/tcp/header.ts'
import { seq, seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../../src/tcp/seq.ts'

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const short = fc.integer({ min: 0, max: 65535 })

const anyPlan = fc
  .record({
    ports: fc.tuple(short, short),
    numbers: fc.tuple(word, word),
    flags: fc.integer({ min: 0, max: 255 }),
    window: short,
    urgent: short,
    mss: fc.option(short, { nil: -1 }),
    windowScale: fc.option(fc.integer({ min: 0, max: 255 }), { nil: -1 }),
    sackPermitted: fc.boolean(),
    timestamps: fc.option(fc.tuple(word, word)),
    cookie: fc.option(fc.constantFrom(0, 4, 6, 8)),
    sack: fc.array(fc.tuple(word, word), { maxLength: 4 }),
  })
  .map((r) => {
    const plan = new SegmentPlan()
    const isSyn = (r.flags & FLAG.SYN) !== 0
    ;[plan.sourcePort, plan.destinationPort] = r.ports
    plan.seq = seq(r.numbers[0])
    plan.ack = seq(r.numbers[1])
    plan.flags = r.flags
    plan.window = r.window
    plan.urgent = r.urgent
    if (isSyn) {
      plan.mss = r.mss
      plan.windowScale = r.windowScale
      plan.sackPermitted = r.sackPermitted
      plan.hasCookie = r.cookie !== null
      plan.cookie = new Uint8Array(r.cookie ?? 0).fill(7)
    }
    plan.hasTimestamps = r.timestamps !== null
    if (r.timestamps !== null) [plan.tsVal, plan.tsEcr] = r.timestamps
    const room = 40 - optionBytes(plan) - 4
    plan.sackCount = Math.max(0, Math.min(r.sack.length, Math.floor(room / 8)))
    r.sack.flat().forEach((edge, i) => {
      plan.sackEdges[i] = edge
    })
    return plan
  })

const write = (plan: SegmentPlan, text = 0): Uint8Array => {
  const bytes = new Uint8Array(7 + TCP_HEADER_MAX + text)
  const length = writeTcp(plan, bytes, 7)
  return bytes.subarray(7, 7 + length + text)
}

test('what is written is read back: every field and option (RFC 9293 §3.1, RFC 7323, RFC 2018)', () => {
  fc.assert(
    fc.property(anyPlan, fc.integer({ min: 0, max: 20 }), (plan, text) => {
      const bytes = write(plan, text)
      const out = new SegmentHeader()
      expect(parseTcp(bytes, 0, bytes.length, out)).toBe('ok')
      expect(out.headerBytes).toBe(20 + optionBytes(plan))
      expect(out.headerBytes % 4).toBe(0)
      expect([out.textStart, out.textLength]).toEqual([out.headerBytes, text])
      for (const name of ['sourcePort', 'destinationPort', 'seq', 'ack', 'flags', 'window', 'urgent'] as const) {
        expect(out[name], name).toBe(plan[name])
      }
      for (const name of ['mss', 'windowScale', 'sackPermitted', 'hasTimestamps', 'sackCount'] as const) {
        expect(out[name], name).toBe(plan[name])
      }
      expect(out.cookieLength).toBe(plan.hasCookie ? plan.cookie.length : -1)
      expect(out.bytes.subarray(out.cookieStart, out.cookieStart + Math.max(0, out.cookieLength))).toEqual(
        plan.hasCookie ? plan.cookie : new Uint8Array(0),
      )
      if (plan.hasTimestamps) expect([out.tsVal, out.tsEcr]).toEqual([plan.tsVal, plan.tsEcr])
      expect([...out.sackEdges.subarray(0, 2 * out.sackCount)]).toEqual([
        ...plan.sackEdges.subarray(0, 2 * plan.sackCount),
      ])
      expect(out.length).toBe(text + (plan.flags & FLAG.SYN ? 1 : 0) + (plan.flags & FLAG.FIN ? 1 : 0))
    }),
  )
})

test('a header cut off anywhere is refused, never read beyond (RFC 9293 §3.1)', () => {
  fc.assert(
    fc.property(anyPlan, (plan) => {
      const bytes = write(plan)
      for (let end = 0; end < bytes.length; end++) {
        const verdict = parseTcp(bytes.slice(0, end), 0, end, new SegmentHeader())
        expect(verdict).toBe(end < 20 ? 'tcp-too-short' : 'tcp-bad-data-offset')
      }
    }),
    { numRuns: 30 },
  )
})

test('random bytes never throw, and what is found lies inside (RFC 9293 §3.1 [MUST-7])', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 80 }), fc.integer({ min: 5, max: 15 }), (bytes, offset) => {
      bytes[12] = offset << 4
      bytes[13] |= FLAG.SYN
      const out = new SegmentHeader()
      if (parseTcp(bytes, 0, bytes.length, out) !== 'ok') return
      expect(out.textStart + out.textLength).toBe(bytes.length)
      expect(out.sackCount).toBeLessThanOrEqual(4)
      expect(out.mss).toBeLessThanOrEqual(65535)
    }),
    { numRuns: 1000 },
  )
})

test('a data offset below 20 bytes or beyond the segment is refused (RFC 9293 §3.1)', () => {
  const bytes = new Uint8Array(24)
  for (const offset of [0, 1, 4, 7, 15]) {
    bytes[12] = offset << 4
    expect(parseTcp(bytes, 0, 24, new SegmentHeader())).toBe('tcp-bad-data-offset')
  }
})

test('options of known kinds with a wrong length are passed over (RFC 9293 §3.2 [MUST-7])', () => {
  const options = [2, 3, 9, 3, 4, 1, 1, 4, 3, 0, 8, 9, 0, 0, 0, 0, 0, 0, 0, 5, 9, 0, 0, 0, 0, 0, 0, 0]
  const bytes = new Uint8Array(20 + options.length)
  bytes[12] = ((20 + options.length) / 4) << 4
  bytes[13] = FLAG.SYN
  bytes.set(options, 20)
  const out = new SegmentHeader()
  expect(parseTcp(bytes, 0, bytes.length, out)).toBe('ok')
  expect([out.mss, out.windowScale, out.sackPermitted, out.hasTimestamps, out.sackCount]).toEqual([
    -1,
    -1,
    false,
    false,
    0,
  ])
})

test('MSS, scale and SACK-permitted count in a SYN only (RFC 9293 §3.2 [MUST-65], RFC 7323 §2.2, RFC 2018 §2)', () => {
  const options = [2, 4, 5, 180, 3, 3, 7, 4, 2, 1, 1, 1]
  const bytes = new Uint8Array(20 + options.length)
  bytes[12] = ((20 + options.length) / 4) << 4
  bytes.set(options, 20)
  const found = (flags: number): unknown[] => {
    const out = new SegmentHeader()
    bytes[13] = flags
    expect(parseTcp(bytes, 0, bytes.length, out)).toBe('ok')
    return [out.mss, out.windowScale, out.sackPermitted]
  }
  expect(found(FLAG.SYN | FLAG.ACK)).toEqual([1460, 7, true])
  expect(found(FLAG.ACK)).toEqual([-1, -1, false])
})

test('a header reused forgets the options of the one before', () => {
  const plan = new SegmentPlan()
  plan.flags = FLAG.SYN
  Object.assign(plan, { mss: 1000, windowScale: 3, sackPermitted: true, hasTimestamps: true, sackCount: 1 })
  const out = new SegmentHeader()
  const full = write(plan)
  parseTcp(full, 0, full.length, out)
  plan.reset()
  const bare = write(plan)
  parseTcp(bare, 0, bare.length, out)
  expect([out.flags, out.mss, out.windowScale, out.sackPermitted, out.hasTimestamps, out.sackCount]).toEqual([
    0,
    -1,
    -1,
    false,
    false,
    0,
  ])
  expect(bare.length).toBe(20)
})

test('padding of options is made of NOPs, so nothing but zeros can follow an END (RFC 9293 §3.1 [MUST-69])', () => {
  const plan = new SegmentPlan()
  plan.flags = FLAG.SYN
  Object.assign(plan, { mss: 1460, windowScale: 7, sackPermitted: true })
  expect([...write(plan).subarray(20)]).toEqual([2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7])
  plan.hasTimestamps = true
  expect([...write(plan).subarray(20)]).toEqual([2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7])
})

test('flags print as tcpdump prints them', () => {
  expect([0, 2, 18, 16, 24, 17, 4, 20, 255].map(formatFlags)).toEqual([
    'none',
    'S',
    'S.',
    '.',
    'P.',
    'F.',
    'R',
    'R.',
    'FSRPUEW.',
  ])
})

test('sequence numbers compare modulo 2^32 (RFC 9293 §3.4)', () => {
  fc.assert(
    fc.property(word, fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }), (base, distance) => {
      const a = seq(base)
      const b = seqAdd(a, distance)
      expect(seqDiff(b, a)).toBe(distance)
      expect([seqLt(a, b), seqLe(a, b), seqGt(a, b), seqGe(a, b)]).toEqual([
        distance > 0,
        distance >= 0,
        distance < 0,
        distance <= 0,
      ])
      expect([seqMax(a, b), seqMin(a, b)]).toEqual(distance >= 0 ? [b, a] : [a, b])
    }),
  )
  expect(seq(2 ** 32 + 5)).toBe(5)
  expect(seqAdd(seq(2 ** 31 - 1), 1)).toBe(-(2 ** 31))
})
