// Proportional rate reduction (RFC 9937; RFC 6937): what may be sent in recovery follows what is delivered.

import { expect } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { established, type Script, scenario } from './script.ts'

const mss = 1000
const phase = (c: Script): string => c.tcb.recovery.phase

/** Ten segments in flight and much to follow; ssthresh will be 5000. */
function inFlight(isOn = true, rack = false, count = 10): Script {
  const c = established({ mss, sack: true, tcp: { prr: isOn, rack, initialWindowSegments: count } })
  return c.write(90_000).outText(1, 1 + count * 1000, 1, false)
}

/** How many segments go out. */
const sent = (c: Script): number => c.drain().length

scenario('above ssthresh one segment goes for each two delivered (RFC 9937 §5, proportional part)', () => {
  const gone = (isOn: boolean): number[] => {
    const c = inFlight(isOn, false, 20)
    c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    return [5, 6, 7, 8, 9, 10, 11, 12, 13].map((n) => sent(c.in(`. ack 1 <sack 1001:${n}001>`)))
  }
  expect(gone(true)).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1]) // ceil(delivered * 10000 / 20000) - prr_out, in whole segments
  expect(gone(false)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1]) // silence until half has drained
})

scenario('what the first acknowledgement SACKs counts into RecoverFS and prr_delivered alike (RFC 9937 §5)', () => {
  const c = inFlight()
  c.in('. ack 1 <sack 1001:2001>').drain() // limited transmit: 12 segments in flight
  c.in('. ack 1 <sack 1001:3001>').drain()
  c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
  expect(c.tcb.prr).toEqual({ delivered: 1000, out: 1000, recoverFlight: 10_000, isForMark: false })
})

scenario('the first retransmission goes at once, whatever the arithmetic says (RFC 9937 §5)', () => {
  const c = inFlight()
  c.in('. ack 1 <sack 1001:2001>').drain()
  c.in('. ack 1 <sack 1001:3001>').drain()
  c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1') // sndcnt is 500
  const d = inFlight(true, true)
  d.in('. ack 1 <sack 1001:2001>').out('. 10001:11001 ack 1').advance(25).out('. 1:1001 ack 1') // RACK’s timer: nothing delivered
})

scenario('below ssthresh what is delivered may be sent, no more: packet conservation (RFC 9937 §5, PRR-CRB)', () => {
  const c = inFlight()
  c.in('. ack 1 <sack 7001:10001>') // 1:7001 is lost: nothing is in the network
  expect(sent(c)).toBe(3)
  expect(sent(c.in('. ack 1 <sack 1:1 7001:10001>'))).toBe(0)
  c.in('. ack 1 <sack 1001:2001 7001:10001>') // a retransmission SACKed, una stands
  expect(sent(c)).toBe(1)
  const d = inFlight(false)
  d.in('. ack 1 <sack 7001:10001>')
  expect(sent(d)).toBe(5) // ssthresh at once
})

scenario(
  'below ssthresh an acknowledgement that moves on and tells of no loss adds a segment: slow start (RFC 9937 §5, PRR-SSRB, SafeACK)',
  () => {
    const c = inFlight()
    c.in('. ack 1 <sack 7001:10001>').outText(1, 3001, 1, false)
    c.in('. ack 1001 <sack 7001:10001>').outText(3001, 5001, 1, false)
    c.in('. ack 2001 <sack 7001:10001>').out('. 5001:6001 ack 1', '. 6001:7001 ack 1')
    expect(c.tcb.snd.flight.pipe).toBe(5000) // at ssthresh
    c.in('. ack 3001 <sack 7001:10001>').out('. 10001:11001 ack 1')
    c.in('. ack 4001 <sack 7001:10001>').out('. 11001:12001 ack 1')
  },
)

scenario('an acknowledgement that tells of further loss is not safe (RFC 9937 §5, SafeACK)', () => {
  const c = inFlight(true, true).advance(100)
  c.in('. ack 1 <sack 7001:10001>').outText(1, 3001, 1, false)
  c.advance(100).in('. ack 1001 <sack 7001:10001>').outText(3001, 5001, 1, false)
  // two delivered; the third retransmission was sent before the fourth, which is there: it is lost
  c.advance(100).in('. ack 2001 <sack 3001:4001 7001:10001>').out('. 2001:3001 ack 1', '. 5001:6001 ack 1')
})

scenario('an acknowledgement that delivers nothing changes nothing (RFC 9937 §5)', () => {
  const c = inFlight()
  c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
  const { cwnd } = c.tcb.cc
  for (let i = 0; i < 5; i++) c.in('. ack 1 <sack 1001:4001>').quiet()
  expect(c.tcb.cc.cwnd).toBe(cwnd)
})

scenario('losses that the reordering timer finds make no burst (RFC 9937 §5, RFC 8985 §6.2)', () => {
  for (const isOn of [true, false]) {
    const c = inFlight(isOn, true)
    c.in('. ack 1 <sack 9001:10001>').out('. 10001:11001 ack 1')
    c.silent(24.999).advance(0.001) // 1:9001 is lost, one segment is in the network
    expect(sent(c)).toBe(isOn ? 1 : 4)
  }
})

scenario('when recovery is over cwnd is ssthresh, and what is in the network is near it (RFC 9937 §5)', () => {
  const c = inFlight()
  c.in('. ack 1 <sack 1001:4001>').drain()
  for (let n = 5; n <= 10; n++) c.in(`. ack 1 <sack 1001:${n}001>`).drain()
  const { point } = c.tcb.recovery
  expect((point - c.origin.iss) | 0).toBe(10_001)
  c.in('. ack 10001')
  expect([phase(c), c.tcb.cc.cwnd, c.tcb.cc.ssthresh]).toEqual(['open', 5000, 5000])
  expect(sent(c)).toBeLessThanOrEqual(2)
})

scenario(
  'never a burst: what goes out in recovery keeps within what was delivered (RFC 9937 §4, strong packet conservation)',
  () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new SeededRandom(seed)
      const c = established({ mss, sack: true, tcp: { prr: true, rack: seed % 2 === 0, initialWindowSegments: 30 } })
      c.write(90_000).outText(1, 30_001, 1, false).advance(100)
      const has = Array.from({ length: 30 }, () => random.fraction() < 0.5)
      has[0] = false
      const seen: number[] = []
      for (let i = 0; i < 30; i++) {
        if (!has[i]) continue
        seen.push(i)
        const owed = phase(c) === 'recovery' ? c.tcb.prr.delivered - c.tcb.prr.out : 0
        const { delivered } = c.tcb.delivery
        c.in(`. ack 1 <sack ${1 + i * 1000}:${1001 + i * 1000}>`)
        const count = sent(c)
        const brought = c.tcb.delivery.delivered - delivered
        expect(count * 1000, `seed ${seed}, segment ${i}`).toBeLessThanOrEqual(brought + Math.max(0, owed) + 1000)
        if (phase(c) === 'recovery') expect(c.tcb.prr.out).toBeLessThanOrEqual(c.tcb.prr.delivered + 1000)
      }
    }
  },
)

scenario('without SACK the window is halved at once, as ever (RFC 5681 §3.2)', () => {
  const c = established({ mss, tcp: { prr: true } })
  c.write(60_000).outText(1, 10_001, 1, false).in('. ack 1', '. ack 1').drain()
  c.in('. ack 1').out('. 1:1001 ack 1')
  expect(c.tcb.cc.cwnd).toBe(5000)
})
