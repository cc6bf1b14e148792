// Pacing: what the window lets go is spread at the rate that the congestion controller asks for.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { isPaceReached } from '../../src/tcp/pacing.ts'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000

/** A connection that sends `rate` bytes per second, with a wide window, and much to send. */
function paced(rate: number, options: ScriptOptions = {}): Script {
  const c = established({ mss, wscale: 7, ...options, tcp: { initialWindowSegments: 400, ...options.tcp } })
  c.tcb.cc.pacingRate = rate
  return c
}

/** When each segment leaves in the next `ms`, in microseconds from now, with its bytes. */
function departures(c: Script, ms: number): { atUs: number; bytes: number }[] {
  const start = c.now
  const list: { atUs: number; bytes: number }[] = []
  const note = (): void => {
    for (const { atMs, seq, end } of c.drain()) {
      list.push({ atUs: Math.round(atMs * 1000) + 10_000_000 - start, bytes: end - seq })
    }
  }
  note()
  for (let us = 0; us < ms * 1000; us += 50) {
    c.advance(0.05)
    note()
  }
  return list
}

scenario('the spacing follows the rate: 1 MB/s is a segment of 1000 octets each millisecond', () => {
  const c = paced(1e6)
  c.write(60_000)
  const times = departures(c, 40).map(({ atUs }) => atUs)
  for (let i = 4; i < times.length; i++) expect(times[i] - times[i - 1]).toBe(1000)
  expect(times.length).toBeGreaterThanOrEqual(40)
  const d = paced(0)
  d.write(60_000)
  expect(d.drain()).toHaveLength(60) // no rate, no pace
})

scenario('nothing is more than 1 ms ahead of the pace, nor catches up more than 1 ms', () => {
  for (const rate of [2e5, 1e6, 3.3e6, 12.5e6]) {
    const c = paced(rate)
    c.write(200_000)
    let bytes = 0
    for (const one of departures(c, 12)) {
      expect(bytes, `at ${one.atUs} us of ${rate} bytes/s`).toBeLessThanOrEqual((rate * (one.atUs + 2001)) / 1e6)
      bytes += one.bytes
    }
    expect(bytes).toBeGreaterThanOrEqual(Math.min(65_000, rate * 0.012 - mss))
  }
})

scenario('a rest earns no more than 1 ms of credit', () => {
  const c = paced(1e6)
  c.write(3000).drain()
  c.in('. ack 3001').advance(5000).write(60_000)
  expect(c.drain().length).toBeLessThanOrEqual(3)
})

scenario('the timer wakes the sender when the pace is reached, and says that the pace holds it', () => {
  const c = paced(1e5)
  c.write(10_000).drain()
  expect(c.tcb.hold).toBe('pacing')
  expect(c.stack.nextDeadline()).toBe(c.tcb.timers.pace)
  expect(c.tcb.timers.pace).toBe(c.tcb.paceAt - 1000)
  const { seq } = c.advance((c.tcb.timers.pace - c.now) / 1000).drain()[0]
  expect(seq).toBeGreaterThan(1000)
  c.silent(9.9).advance(0.1)
  expect(c.drain()).toHaveLength(1)
})

scenario('a super-segment has at most a millisecond of the rate, at least two segments, and whole ones', () => {
  const offload = { checksum: true, superSegmentBytes: 65535 }
  for (const [rate, most] of [
    [1e5, 2000],
    [4e6, 4000],
    [4.7e6, 4000],
    [1e9, 65_000],
    [0, 65_000],
  ]) {
    const c = paced(rate, { offload })
    c.write(300_000)
    const lengths = departures(c, 5).map(({ bytes }) => bytes)
    expect(Math.max(...lengths), `${rate} bytes/s`).toBe(most)
    for (const bytes of lengths) expect(bytes % mss).toBe(0)
  }
})

scenario('what is lost keeps to the pace, but for the first retransmission', () => {
  const c = paced(1e5, { sack: true })
  c.tcb.cc.pacingRate = 0
  c.write(20_000).outText(1, 20_001)
  c.tcb.cc.pacingRate = 1e5
  c.in('. ack 1 <sack 1:1 17001:20001>').out('. 1:1001 ack 1').advance(0)
  const times = departures(c, 60).map(({ atUs }) => atUs)
  for (let i = 1; i < times.length; i++) expect(times[i] - times[i - 1]).toBe(10_000)
  expect(times.length).toBeGreaterThanOrEqual(4)
})

scenario('an acknowledgement waits for no pace', () => {
  const c = paced(1000)
  c.write(5000).drain()
  expect(c.tcb.hold).toBe('pacing')
  const next = (c.tcb.snd.nxt - c.origin.iss) | 0
  c.in('P. 1:101 ack 1').advance(40).out(`. ${next} ack 101`)
})

scenario('a window held back by the pace is in use: it grows (RFC 7661 §4)', () => {
  const c = paced(1e6, { tcp: { initialWindowSegments: 4 } })
  c.write(60_000).drain()
  expect(c.tcb.hold).toBe('pacing')
  c.in('. ack 1001').drain()
  expect(c.tcb.cc.cwnd).toBe(5000)
})

scenario('BBR paces: after the first round trip it sends no more at once than 2 ms of its rate', () => {
  const c = established({ mss, wscale: 7, sack: true, tcp: { congestion: 'bbr', rack: true } })
  c.write(300_000)
  let acked = 1
  let sent = c.drain()
  for (let round = 0; round < 5; round++) {
    c.advance(50, true)
    for (const { end } of sent.slice(0, 20)) {
      acked = Math.max(acked, end)
      c.in(`. ack ${acked}`)
      const burst = c.drain()
      expect(burst.length * mss).toBeLessThanOrEqual(0.002 * c.tcb.cc.pacingRate + 3 * mss)
      sent = burst.length > 0 ? burst : sent
      c.advance(1, true)
    }
  }
})

test('the time that a packet waits for is one at which it may go, however the numbers round', () => {
  const { tcb } = established({ tcp: { windowValidation: 'keep' } })
  const random = new SeededRandom(7)
  for (let i = 0; i < 20_000; i++) {
    tcb.usage.isPaced = i % 2 === 0
    tcb.cc.pacingRate = 100 + random.fraction() * 1e4
    tcb.paceAt = 1e6 + random.fraction() * 1e8 + random.fraction() / 3
    tcb.timers.pace = Number.POSITIVE_INFINITY
    expect(isPaceReached(tcb, Number.NEGATIVE_INFINITY)).toBe(false)
    expect(isPaceReached(tcb, tcb.timers.pace), `${tcb.paceAt} ${tcb.cc.pacingRate}`).toBe(true)
  }
})
