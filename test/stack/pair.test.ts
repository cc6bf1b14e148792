// Two stacks against each other over a bad link: everything arrives, once, in order, both ways (RFC 9293 §3.4, and all of recovery).
// The seed in a title repeats the run.

import { expect, test } from 'vitest'
import { FLAG } from '../../src/tcp/header.ts'
import { Pair, type PairOptions } from './pair.ts'

const NEAR_WRAP = [0, 2 ** 31 - 5000, 2 ** 32 - 5000, 2 ** 32 - 1]

/** A run for a seed: its bits choose the options, so that all combinations come up. */
function optionsFor(seed: number, rest: Partial<PairOptions>): PairOptions {
  return {
    seed,
    sends: [20_000 + 3001 * (seed % 7), 15_000 + 1999 * (seed % 11)],
    family: seed & 1 ? 6 : 4,
    isn: [NEAR_WRAP[seed % 4], NEAR_WRAP[(seed >> 2) % 4]],
    tcp: { sack: (seed & 2) > 0, timestamps: (seed & 4) > 0, windowScale: (seed & 8) > 0 },
    ...rest,
  }
}

const LINKS: Record<string, Partial<PairOptions>> = {
  'that is clean': {},
  'that loses 2 %': { loss: 0.02 },
  'that loses 20 %': { loss: 0.2 },
  'that reorders': { jitterUs: 30_000 },
  'that repeats': { duplicate: 0.3 },
  'that loses, reorders and repeats': { loss: 0.1, jitterUs: 20_000, duplicate: 0.1 },
  'with an MTU of 1280': { mtu: 1280, loss: 0.05 },
  'with super-segments that are cut on the way and lost in part': { offload: 'split', loss: 0.05, jitterUs: 3000 },
  'with super-segments that arrive whole or not at all': { offload: 'whole', loss: 0.05, duplicate: 0.1 },
}

for (const [name, link] of Object.entries(LINKS)) {
  test(`everything arrives both ways over a link ${name}, with each set of options (seeds 0 to 9)`, () => {
    for (let seed = 0; seed < 10; seed++) {
      try {
        new Pair(optionsFor(seed, link)).transfer().expectDelivered()
      } catch (error) {
        if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`
        throw error
      }
    }
  })
}

test('everything arrives through small windows and slow readers (RFC 9293 §3.8.6)', () => {
  for (let seed = 0; seed < 8; seed++) {
    const small = { receiveBufferBytes: 2000 + 777 * seed, sendBufferBytes: 3000 }
    const options = optionsFor(seed, { loss: 0.05, readBytes: 900, sends: [12_000, 9000] })
    new Pair({ ...options, tcp: { ...options.tcp, ...small } }).transfer().expectDelivered()
  }
})

test('an octet, or nothing at all, arrives as well', () => {
  for (const sends of [
    [1, 1],
    [1, 5000],
    [5000, 1],
  ] as const) {
    for (let seed = 0; seed < 4; seed++) new Pair(optionsFor(seed, { sends, loss: 0.2 })).transfer().expectDelivered()
  }
})

test('one side has SACK, timestamps and scaling, the other has not (RFC 7323 §2.2 §3.2, RFC 2018 §2)', () => {
  for (const other of [{ sack: false }, { timestamps: false }, { windowScale: false }, { mss: 536 }]) {
    new Pair({ seed: 5, sends: [40_000, 30_000], loss: 0.05, other }).transfer().expectDelivered()
  }
})

test('two hosts that open to each other make one connection (RFC 9293 §3.5 figure 7 [MUST-10])', () => {
  for (let seed = 0; seed < 12; seed++) {
    const link = seed < 4 ? {} : { loss: 0.2, jitterUs: 5000 }
    const pair = new Pair(optionsFor(seed, { sends: [9000, 7000], ...link })).openBoth().expectDelivered()
    if (seed < 4) expect(pair.seen.length).toBeLessThan(60) // and no volley of SYN,ACKs
  }
})

test('the same seed gives the same packets at the same times, another seed others', () => {
  const trace = (seed: number): string[] =>
    new Pair(optionsFor(3, { seed, loss: 0.1, jitterUs: 9000 }))
      .transfer()
      .seen.map(
        ({ atUs, from, segment }) =>
          `${atUs} ${from} ${segment.flags} ${segment.seq} ${segment.ack} ${segment.textLength}`,
      )
  expect(trace(3)).toEqual(trace(3))
  expect(trace(3)).not.toEqual(trace(4))
})

for (const [name, options] of Object.entries({
  IPv4: { family: 4 },
  IPv6: { family: 6 },
  'super-segments': { offload: 'split' },
} as const)) {
  test(`on a clean link nothing is sent twice, no ACK repeats, no right edge moves left, the first flight is ten segments (${name})`, () => {
    const pair = new Pair({ seed: 1, sends: [300_000, 200_000], delayUs: 20_000, ...options })
      .transfer()
      .expectDelivered()
    const next = [Number.NaN, Number.NaN]
    const edge = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
    const scale = [0, 0]
    const start = [0, 0]
    const acked = [-1, -1]
    let firstFlight = 0
    for (const { from, segment } of pair.seen) {
      const isSyn = (segment.flags & FLAG.SYN) !== 0
      if (isSyn) {
        next[from] = segment.seq
        start[from] = segment.seq
        scale[from] = segment.windowScale
      }
      expect(segment.seq, 'in order, nothing twice').toBe(next[from])
      next[from] = (next[from] + segment.length) | 0
      expect(segment.textLength).toBeLessThanOrEqual(pair.hosts[from].stack.ip.mtu - 52)
      if (!(segment.flags & FLAG.ACK)) continue
      const other = from === 0 ? 1 : 0
      const ack = (segment.ack - start[other]) | 0
      const told = ack + segment.window * (isSyn ? 1 : 2 ** scale[from])
      expect(told, 'the right edge').toBeGreaterThanOrEqual(edge[from])
      if (segment.length === 0)
        expect(ack > acked[from] || told > edge[from], 'an ACK that says nothing new').toBe(true)
      edge[from] = told
      acked[from] = ack
      if (from === 0 && acked[1] <= 1) firstFlight += segment.textLength
    }
    expect(firstFlight).toBe(10 * (options.family === 6 ? 1428 : 1448))
    for (const { stack } of pair.hosts) expect([stack.tcp.counters.TcpRetransSegs, stack.drops.total]).toEqual([0, 0])
  })
}

test('with the least configuration (no options, one segment, no delay of ACKs) everything arrives', () => {
  const tcp = {
    sack: false,
    timestamps: false,
    windowScale: false,
    initialWindowSegments: 1,
    delayedAckUs: 0,
    nagle: false,
  }
  new Pair({ seed: 9, sends: [60_000, 60_000], loss: 0.03, tcp }).transfer().expectDelivered()
})

test('a long transfer over a bad link keeps its speed: losses are mended without timeouts (RFC 6675, RFC 6582)', () => {
  for (const sack of [true, false]) {
    const pair = new Pair({ seed: 12, sends: [1_000_000, 1], loss: 0.005, tcp: { sack } }).transfer().expectDelivered()
    const text = pair.seen.filter(({ from, segment }) => from === 0 && segment.textLength > 0)
    const last = text.at(-1)
    expect((last?.atUs ?? 0) / 1e6, 'seconds').toBeLessThan(sack ? 6 : 8)
  }
})

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`signed segments arrive as others do, seed ${seed} (RFC 2385 §2.0)`, () => {
    const offload = seed % 3 === 0 ? ({ offload: 'split' } as const) : {}
    const pair = new Pair({
      ...optionsFor(seed, { loss: 0.05, duplicate: 0.05, jitterUs: 10_000, ...offload }),
      md5Key: 'k',
    })
    pair.transfer().expectDelivered()
    expect(pair.seen.filter(({ segment }) => segment.md5Start < 0 || segment.hasTimestamps)).toEqual([])
    for (const { stack } of pair.hosts) {
      const { TcpExtTCPMD5NotFound, TcpExtTCPMD5Unexpected, TcpExtTCPMD5Failure } = stack.tcp.counters
      expect(TcpExtTCPMD5NotFound + TcpExtTCPMD5Unexpected + TcpExtTCPMD5Failure).toBe(0)
    }
  })
}
