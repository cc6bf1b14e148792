// Delivery rates (draft-cheng-iccrg-delivery-rate-estimation): what the acknowledgements say of the path; and two hosts on bad links with
// every set of the switches of loss recovery and every congestion controller, to whom everything has to arrive, in time.

import { expect, test } from 'vitest'
import type { TcpConfig } from '../../src/tcp/config.ts'
import { type AckSample, registerCongestionControl, reno } from '../../src/tcp/congestion/index.ts'
import { createDelivery, DeliverySample, takeSample } from '../../src/tcp/delivery.ts'
import { seq } from '../../src/tcp/seq.ts'
import { Pair } from '../stack/pair.ts'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const WINDOW = 100_000
let samples: AckSample[] = []

// A window that stays as it is, and remembers what it is told.
registerCongestionControl({
  ...reno,
  name: 'listens-test',
  init: (state, window, now) => {
    samples = []
    reno.init(state, window, now)
    state.cwnd = WINDOW
  },
  onEveryAck: (_, ack) => {
    samples.push({ ...ack })
  },
  onAck: () => undefined,
  onLoss: () => undefined,
  onRecovered: () => undefined,
  onIdle: () => undefined,
})

const last = (): AckSample => samples[samples.length - 1]

function open(options: ScriptOptions = {}): Script {
  return established({ mss, sack: true, wscale: 7, ...options, tcp: { congestion: 'listens-test', ...options.tcp } })
}

/** A path of 1 MB/s and 100 ms: an acknowledgement each millisecond, whatever is sent is answered. */
function flow(c: Script, acks: number, from = 0): void {
  c.write(2 * WINDOW + acks * mss).drain()
  c.advance(100)
  for (let i = 1; i <= acks; i++) {
    c.in(`. ack ${1 + from + i * mss}`).drain()
    c.advance(1)
  }
}

scenario('on a clean link the rate is that of the link (§3.1.1)', () => {
  const c = open()
  flow(c, 300)
  // The first window went in one burst; what was sent in step with it has to be delivered first.
  for (const { rateBytesPerSecond } of samples.slice(200)) expect(rateBytesPerSecond).toBeCloseTo(1e6, 0)
  for (const { rateBytesPerSecond } of samples) expect(rateBytesPerSecond).toBeLessThanOrEqual(1e6)
})

scenario(
  'acknowledgements that come in bunches do not make the rate higher than what was sent (§3.1.2, ACK compression)',
  () => {
    const c = open()
    flow(c, 200)
    const sent = 200 * mss + WINDOW
    c.advance(50)
    for (let ack = 201 * mss + 1; ack <= sent; ack += mss) c.in(`. ack ${ack}`).drain()
    for (const { rateBytesPerSecond } of samples.slice(100)) expect(rateBytesPerSecond).toBeLessThanOrEqual(1e6 + 1)
  },
)

scenario('SACKed text counts as delivered when it is SACKed, and once (§3.2)', () => {
  const c = open()
  c.write(10_000).outText(1, 10_001).advance(100)
  c.in('. ack 1 <sack 1001:2001>')
  expect([last().delivered, last().bytes]).toEqual([1000, 0])
  c.in('. ack 1 <sack 1001:3001>').in('. ack 5001')
  expect([last().delivered, last().bytes, last().totalDelivered]).toEqual([3000, 5000, 5000])
})

scenario('an acknowledgement that delivers nothing has no rate (§3.3)', () => {
  const c = open()
  c.write(10_000).outText(1, 10_001).advance(100).in('. ack 1001').in('. ack 1001')
  expect([last().rateBytesPerSecond, last().priorDelivered]).toEqual([-1, -1])
})

test('over less than the least round trip there is no rate: such an answer is of an earlier copy (§3.3)', () => {
  const piece = { start: seq(0), end: seq(1000), transmissions: 2, mark: 'resent', isAppLimited: false } as const
  const at = { ...piece, cause: 'rto', order: 1, segments: 0, older: null, newer: null } as const
  const rate = (now: number, firstSentAt: number): number => {
    const counts = createDelivery(1000)
    const sample = new DeliverySample()
    sample.reset(now)
    sample.add({ ...at, sentAt: 1500, delivered: 0, deliveredAt: 1000, firstSentAt }, 1000, counts)
    return takeSample(counts, sample, 1000, now)
  }
  expect(rate(1999, 1000)).toBe(-1)
  expect(rate(2000, 1000)).toBe(1e6)
  expect(rate(1999, 500)).toBe(1e6) // the longer of the two times: sending took 1 ms
})

scenario('after a pause the time is counted from the next transmission (§3.2)', () => {
  const c = open()
  c.write(1000).outText(1, 1001).advance(100).in('. ack 1001').advance(5000)
  c.write(2000).outText(1001, 3001).advance(100).in('. ack 3001')
  expect(last().rateBytesPerSecond).toBeCloseTo(20_000, 0)
})

scenario('what is sent after the application ran dry is marked, until it has been delivered (§3.4)', () => {
  const c = open()
  c.write(3000).outText(1, 3001).advance(50)
  c.write(2000).outText(3001, 5001).advance(50)
  c.in('. ack 3001').advance(50).in('. ack 5001')
  expect(samples.map(({ isAppLimited }) => isAppLimited)).toEqual([true, true])
  samples = []
  flow(c, 150, 5000)
  expect(samples[0].isAppLimited).toBe(true) // what was sent before anything of it came back
  for (const { isAppLimited } of samples.slice(100)) expect(isAppLimited).toBe(false)
})

scenario('a sender whom the window holds is not limited by the application (§3.4)', () => {
  const c = open()
  flow(c, 150)
  for (const { isAppLimited } of samples.slice(100)) expect(isAppLimited).toBe(false)
  expect(c.tcb.delivery.appLimitedUntil).toBe(0)
})

scenario('the mark reaches as far as what is in the network: SACKed text has been delivered already (§3.4)', () => {
  const c = open()
  c.write(10_000).outText(1, 10_001).advance(100).in('. ack 1 <sack 5001:6001>')
  const { delivery, snd } = c.tcb
  expect(delivery.appLimitedUntil).toBe(delivery.delivered + snd.flight.bytes - 1000)
})

scenario('less than a segment that Nagle holds back is the application’s limit as well (§3.4)', () => {
  const c = open()
  c.write(1000).outText(1, 1001).write(10)
  expect(c.tcb.hold).toBe('nagle')
  expect(c.tcb.delivery.appLimitedUntil).toBe(c.tcb.delivery.delivered + 1000)
})

scenario(
  'an echo of any copy but the last is no round trip: it has waited for acknowledgements that were lost (RFC 7323 §4.1, RFC 6298 §3)',
  () => {
    const c = open({ ts: true, mss: 1012 })
    c.write(1000).drain()
    const sentMs = 10_000 + c.ms
    c.advance(300).drain()
    c.advance(600).drain() // the second copy arrived, its acknowledgement was lost; now the third asks again
    c.advance(1200).drain()
    c.advance(100).in(`. ack 1001 <TS ecr ${sentMs + 900}>`)
    expect([c.tcb.rtt.srttUs, last().rttUs]).toEqual([100_000, -1])
    c.write(1000).drain()
    c.advance(100).in('. ack 2001 <TS>')
    expect(last().rttUs).toBe(100_000)
  },
)

// Everything together. Each switch is a bit.
const SWITCHES = ['rack', 'tailLossProbe', 'prr', 'undo', 'dsack'] as const
const LINKS = [
  { loss: 0.05, jitterUs: 15_000, duplicate: 0.05 },
  { loss: 0.15, jitterUs: 2000 },
  { jitterUs: 40_000, duplicate: 0.2 },
  { loss: 0.02, offload: 'split' as const, jitterUs: 1000 },
]
/** No silence is longer than a few timeouts in a row: 200 ms and more, doubled each time. */
const LONGEST_SILENCE_US = 30e6
const LONGEST_US = 60e6

for (const congestion of ['reno', 'cubic', 'bbr', 'dctcp']) {
  test(`everything arrives over bad links, in time, with every set of RACK, TLP, PRR, undo and DSACK, and ${congestion} (RFC 9293 §3.4, RFC 8985, RFC 9937)`, () => {
    for (let set = 0; set < 2 ** SWITCHES.length; set++) {
      const tcp: Partial<TcpConfig> = { congestion, timestamps: set % 3 !== 0 }
      SWITCHES.forEach((name, bit) => {
        tcp[name] = ((set >> bit) & 1) === 1
      })
      const link = LINKS[(set + (set >> 2)) % LINKS.length]
      const pair = new Pair({ seed: set, sends: [30_000, 10_000], tcp, ...link })
      const told = `set ${set}: ${JSON.stringify({ ...tcp, ...link })}`
      try {
        pair.transfer().expectDelivered()
      } catch (error) {
        if (error instanceof Error) error.message = `${told}: ${error.message}`
        throw error
      }
      let before = pair.seen[0].atUs
      for (const { atUs } of pair.seen) {
        expect(atUs - before, `silence, ${told}`).toBeLessThan(LONGEST_SILENCE_US)
        before = atUs
      }
      expect(before, `the last packet, ${told}`).toBeLessThan(LONGEST_US)
    }
  })
}
