// How much may be in the network: slow start, congestion avoidance, restart after idle time (RFC 5681 §3.1, §4.1; RFC 6928; RFC 3465).

import { expect } from 'vitest'
import { established, type Script, scenario } from './script.ts'

const mss = 1000
const cwnd = (c: Script): number => c.tcb.cc.cwnd

scenario('the initial window is ten segments (RFC 6928 §2), or what is set', () => {
  const c = established({ mss })
  c.write(20_000).outText(1, 10_001, 1, false)
  expect(c.tcb.hold).toBe('cwnd')
  const d = established({ mss, tcp: { initialWindowSegments: 1 } })
  d.write(20_000).out('. 1:1001 ack 1')
})

scenario(
  'slow start adds the octets that each ACK covers: the window doubles in a round trip (RFC 5681 §3.1, eq. 2; RFC 9293 §3.8.2 [MUST-19])',
  () => {
    const c = established({ mss, tcp: { initialWindowSegments: 2 } })
    c.write(60_000).outText(1, 2001, 1, false)
    c.in('. ack 1001').outText(2001, 4001, 1, false)
    expect(cwnd(c)).toBe(3000)
    c.in('. ack 2001').outText(4001, 6001, 1, false)
    c.in('. ack 4001').outText(6001, 10_001, 1, false) // DEVIATION: one ACK for two segments counts both
    c.in('. ack 4501').out('. 10001:11001 ack 1') // half a segment counts half a segment
    expect(cwnd(c)).toBe(6500)
  },
)

scenario('duplicate ACKs and window updates add nothing in slow start (RFC 5681 §3.1)', () => {
  const c = established({ mss, tcp: { initialWindowSegments: 4 } })
  c.write(60_000).outText(1, 4001, 1, false)
  c.in('. ack 1 win 50000').quiet()
  expect(cwnd(c)).toBe(4000)
})

/** At ssthresh = cwnd = 5 segments, with five in flight from `una`. */
function inAvoidance(): { c: Script; una: number } {
  const c = established({ mss })
  c.write(200_000).outText(1, 10_001, 1, false)
  c.in('. ack 1', '. ack 1').outText(10_001, 12_001, 1, false) // limited transmit (RFC 3042)
  c.in('. ack 1').out('. 1:1001 ack 1')
  c.in('. ack 12001').outText(12_001, 17_001, 1, false)
  return { c, una: 12_001 }
}

scenario(
  'a loss sets ssthresh to half of the flight, what limited transmit sent left out (RFC 5681 §3.2 step 2, eq. 4, RFC 3042)',
  () => {
    const { c } = inAvoidance()
    expect(c.tcb.cc.ssthresh).toBe(5000)
    expect(cwnd(c)).toBe(5000)
  },
)

scenario(
  'congestion avoidance adds one segment for each window of octets acknowledged (RFC 5681 §3.1, RFC 3465 §2.1; RFC 9293 §3.8.2 [MUST-19])',
  () => {
    const { c, una } = inAvoidance()
    for (let i = 1; i <= 4; i++) {
      c.in(`. ack ${una + 1000 * i}`).drain()
      expect(cwnd(c)).toBe(5000)
    }
    c.in(`. ack ${una + 4999}`).drain()
    expect(cwnd(c)).toBe(5000)
    c.in(`. ack ${una + 5000}`).drain()
    expect(cwnd(c)).toBe(6000)
    c.in(`. ack ${una + 10_999}`).drain()
    expect(cwnd(c)).toBe(6000)
    c.in(`. ack ${una + 11_000}`).drain()
    expect(cwnd(c)).toBe(7000)
  },
)

scenario('slow start ends at ssthresh; what an ACK has left counts for congestion avoidance (RFC 5681 §3.1)', () => {
  const c = established({ mss })
  c.write(100_000).outText(1, 10_001, 1, false)
  c.advance(300).out('. 1:1001 ack 1') // ssthresh 5000, cwnd 1000
  c.in('. ack 10001').drain()
  expect(cwnd(c)).toBe(6000) // 4000 up to ssthresh, of the other 6000 five make a window
  expect(c.tcb.cc.acked).toBe(1000)
})

scenario('a window that was not in use does not grow (RFC 7661 §4.3, RFC 5681 §4.1)', () => {
  const c = established({ mss })
  for (let i = 0; i < 20; i++) {
    c.write(1000)
      .out(`P. ${1 + 1000 * i}:${1001 + 1000 * i} ack 1`)
      .in(`. ack ${1001 + 1000 * i}`)
  }
  expect(cwnd(c)).toBe(10_000)
})

scenario('after a pause of more than an RTO the window starts again from the initial one (RFC 5681 §4.1)', () => {
  const c = established({ mss })
  c.write(100_000).outText(1, 10_001, 1, false)
  c.in('. ack 10001').outText(10_001, 30_001, 1, false)
  c.in('. ack 30001').outText(30_001, 70_001, 1, false)
  c.in('. ack 70001').outText(70_001, 100_001)
  c.in('. ack 100001')
  expect(cwnd(c)).toBeGreaterThan(60_000)
  c.advance(5000).write(50_000).outText(100_001, 110_001, 1, false)
  expect(cwnd(c)).toBe(10_000)
})

scenario('a shorter pause leaves the window (RFC 5681 §4.1)', () => {
  const c = established({ mss })
  c.write(30_000).outText(1, 10_001, 1, false)
  c.in('. ack 10001').outText(10_001, 30_001).in('. ack 30001')
  expect(cwnd(c)).toBe(40_000)
  c.advance(200).write(40_000).outText(30_001, 70_001)
})

scenario('a timeout sets cwnd to one segment and ssthresh to half of the flight (RFC 5681 §3.1, eq. 4)', () => {
  const c = established({ mss })
  c.write(8000).outText(1, 8001)
  c.advance(300).out('. 1:1001 ack 1')
  expect([cwnd(c), c.tcb.cc.ssthresh]).toEqual([1000, 4000])
  c.advance(600).out('. 1:1001 ack 1') // the same segment again: ssthresh stays
  expect([cwnd(c), c.tcb.cc.ssthresh]).toEqual([1000, 4000])
})

scenario('ssthresh is never less than two segments (RFC 5681 §3.1, eq. 4)', () => {
  const c = established({ mss })
  c.write(1000).out('P. 1:1001 ack 1').advance(300).out('P. 1:1001 ack 1')
  expect(c.tcb.cc.ssthresh).toBe(2000)
})

scenario('a timeout of another segment later lowers ssthresh again (RFC 5681 §3.1)', () => {
  const c = established({ mss })
  c.write(8000).outText(1, 8001)
  c.advance(300).out('. 1:1001 ack 1').in('. ack 8001') // no sample: the timeout stays doubled (Karn)
  c.write(6000).drain()
  expect(c.tcb.cc.ssthresh).toBe(4000)
  c.advance(600).out('. 8001:9001 ack 1')
  expect(c.tcb.cc.ssthresh).toBe(2500)
})

scenario('cwnd is what limits: with much room in the peer’s window no more is sent (RFC 5681 §3.1)', () => {
  const c = established({ mss, wscale: 7 })
  c.write(40_000).outText(1, 10_001, 1, false)
})
