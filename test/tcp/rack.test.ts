// Loss told by time (RFC 8985 §6): a segment is lost when one that was sent later has arrived, and reordering has been waited for.

import { expect } from 'vitest'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const phase = (c: Script): string => c.tcb.recovery.phase

/** A handshake of 100 ms: SRTT and min_RTT 100 ms, so that reordering is given 25 ms; RTO 300 ms. */
function open(options: ScriptOptions = {}, isOn = true): Script {
  return established({ mss, sack: true, ...options, tcp: { rack: isOn, ...options.tcp } })
}

/** `count` segments sent at once. */
function inFlight(count: number, isOn = true, more = 0): Script {
  const c = open({}, isOn)
  return c.write(count * 1000 + more).outText(1, count * 1000 + 1, 1, more === 0)
}

scenario(
  'a segment is lost a quarter of min_RTT after one that was sent later was delivered (RFC 8985 §6.2 step 5)',
  () => {
    const c = inFlight(4)
    c.advance(100).in('. ack 1 <sack 1001:2001>')
    c.silent(24.999).advance(0.001).out('. 1:1001 ack 1')
    expect(phase(c)).toBe('recovery')
    const d = inFlight(4, false)
    d.advance(100).in('. ack 1 <sack 1001:2001>')
    d.silent(199.999).advance(0.001).out('. 1:1001 ack 1') // one SACKed segment proves nothing: the timeout
  },
)

scenario(
  'segments sent at the same time are ordered by sequence: those above are not lost (RFC 8985 §6.2 RACK_sent_after)',
  () => {
    const c = inFlight(6)
    c.advance(100).in('. ack 1 <sack 2001:3001>')
    c.advance(25).out('. 1:1001 ack 1')
    expect(c.tcb.snd.flight.lostBytes).toBe(1000) // 1001:2001 waits for the window
    expect(c.tcb.timers.reorder).toBe(Number.POSITIVE_INFINITY)
  },
)

scenario(
  'text that left before a retransmission, at the same time by the clock, does not tell that it is lost (RFC 8985 §6.2 RACK_sent_after)',
  () => {
    for (const isOn of [true, false]) {
      const c = open({}, isOn)
      c.write(12_000).outText(1, 10_001, 1, false)
      c.advance(100).in('. ack 1 <sack 1001:2001>').out('. 10001:11001 ack 1') // RFC 3042
      c.in('. ack 1 <sack 1001:3001>').out('P. 11001:12001 ack 1')
      c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
      c.in('. ack 1 <sack 1001:10001>')
      c.advance(100).in('. ack 1 <sack 1001:12001>').quiet()
      expect(c.tcb.snd.flight.lostBytes).toBe(0)
    }
  },
)

scenario(
  'three segments SACKed take away the reordering window until reordering is seen (RFC 8985 §6.2 step 4)',
  () => {
    for (const isOn of [true, false]) {
      const c = inFlight(6, isOn)
      c.advance(100).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    }
  },
)

scenario('small segments count as segments, not by their bytes (RFC 8985 §6.2 step 4, RACK.segs_sacked)', () => {
  const c = open({ tcp: { nagle: false } })
  for (let i = 0; i < 5; i++) c.write(100).out(`P. ${1 + 100 * i}:${101 + 100 * i} ack 1`)
  c.advance(100).in('. ack 1 <sack 101:301>').quiet()
  c.in('. ack 1 <sack 101:401>').out('. 1:101 ack 1')
})

scenario(
  'once reordering was seen, three SACKed segments retransmit nothing before the window is over (RFC 8985 §6.2 step 3)',
  () => {
    for (const isOn of [true, false]) {
      const c = inFlight(2, isOn)
      c.advance(100).in('. ack 1 <sack 1001:2001>').in('. ack 2001') // the first came late
      expect(c.tcb.rack.isReorderingSeen).toBe(isOn)
      c.write(6000).outText(2001, 8001)
      c.advance(100).in('. ack 2001 <sack 3001:7001>')
      if (!isOn) {
        c.out('. 2001:3001 ack 1') // needlessly
        continue
      }
      c.silent(20).in('. ack 8001').silent(1000)
      expect(c.tcb.recovery.retransmits).toBe(0)
    }
  },
)

scenario('what was sent twice and comes late is no sign of reordering (RFC 8985 §6.2 step 3)', () => {
  const c = inFlight(6)
  c.advance(100).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
  c.advance(100).in('. ack 4001').drain()
  expect(c.tcb.rack.isReorderingSeen).toBe(false)
})

scenario('the timer waits for the segment that was sent last of those in doubt (RFC 8985 §6.2 step 5)', () => {
  const c = open()
  c.write(1000).out('P. 1:1001 ack 1').advance(10)
  c.write(1000).out('P. 1001:2001 ack 1').advance(10)
  c.write(1000).out('P. 2001:3001 ack 1')
  c.advance(100).in('. ack 1 <sack 2001:3001>')
  // sent 20 and 10 ms before the one delivered: 5 and 15 ms to go
  c.silent(14.999).advance(0.001).out('. 1:1001 ack 1', '. 1001:2001 ack 1')
})

scenario(
  'a segment older than the window is lost when the acknowledgement arrives, without a timer (RFC 8985 §6.2 step 5)',
  () => {
    const c = open()
    c.write(1000).out('P. 1:1001 ack 1').advance(25)
    c.write(1000).out('P. 1001:2001 ack 1').advance(100)
    c.in('. ack 1 <sack 1001:2001>').out('. 1:1001 ack 1')
  },
)

scenario('what fills the gap in time stops the timer (RFC 8985 §6.2 step 5)', () => {
  const c = inFlight(4)
  c.advance(100).in('. ack 1 <sack 1001:2001>').silent(20).in('. ack 2001')
  expect(c.tcb.timers.reorder).toBe(Number.POSITIVE_INFINITY)
  c.silent(50).in('. ack 4001').silent(1000)
  expect(c.tcb.recovery.retransmits).toBe(0)
})

scenario('a retransmission that is lost goes again when what was sent after it arrives (RFC 8985 §3.3)', () => {
  for (const isOn of [true, false]) {
    const c = inFlight(10, isOn, 5000)
    c.advance(100).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    c.advance(1).in('. ack 1 <sack 1001:9001>').outText(10_001, 13_001, 1, false)
    c.advance(100).in('. ack 1 <sack 1001:11001>')
    if (isOn) c.out('. 1:1001 ack 1', '. 13001:14001 ack 1', 'P. 14001:15001 ack 1')
    else c.out('. 13001:14001 ack 1', 'P. 14001:15001 ack 1').silent(90) // and the timeout has to come
  }
})

scenario(
  'a retransmission acknowledged faster than min_RTT tells nothing of those sent before it (RFC 8985 §6.2 step 2)',
  () => {
    const c = inFlight(10)
    c.advance(100).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    c.advance(10).in('. ack 4001').quiet() // the first copy was late: were it the second, all the rest would be lost
    expect(c.tcb.snd.flight.lostBytes).toBe(0)
  },
)

scenario('what else that acknowledgement brings does tell (RFC 8985 §6.2 step 2: each segment by itself)', () => {
  const c = inFlight(10)
  c.advance(100).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
  c.advance(10).in('. ack 5001 <sack 7001:10001>').out('. 5001:6001 ack 1', '. 6001:7001 ack 1')
})

scenario('an echo older than the retransmission says which copy it was, however late (RFC 8985 §6.2 step 2)', () => {
  const run = (echo: (sentMs: number, resentMs: number) => number): Script => {
    const c = open({ mss: 1012, ts: true })
    c.write(10_000).outText(1, 10_001)
    const sentMs = 10_000 + c.ms
    c.advance(100).in(`. ack 1 <TS ecr ${sentMs},sack 1001:4001>`).out('. 1:1001 ack 1')
    return c.advance(110).in(`. ack 4001 <TS ecr ${echo(sentMs, sentMs + 100)}>`)
  }
  run((sent) => sent).quiet()
  const c = run((_, resent) => resent)
  expect(c.drain()[0]).toMatchObject({ seq: 4001 }) // sent before it, and not there
})

scenario('a DSACK widens the window by a quarter of min_RTT, once in a round trip (RFC 8985 §6.2 step 4)', () => {
  const c = inFlight(6)
  c.advance(100).in('. ack 1 <sack 1001:2001>').advance(25).out('. 1:1001 ack 1')
  c.in('. ack 6001').in('. ack 6001 <sack 1:1001>')
  expect(c.tcb.rack.windowMultiplier).toBe(2)
  c.write(2000).outText(6001, 8001).in('. ack 6001 <sack 1:1001>') // in the same round
  c.in('. ack 6001 <sack 1:1001>')
  expect(c.tcb.rack.windowMultiplier).toBe(3) // 1:1001 twice: the first of them came before the round began
  c.advance(100).in('. ack 6001 <sack 7001:8001>').silent(74.999).advance(0.001).out('. 6001:7001 ack 1')
})

scenario('the window is never wider than SRTT (RFC 8985 §6.2 step 4)', () => {
  const c = inFlight(2)
  c.tcb.rack.windowMultiplier = 100
  c.tcb.rack.windowPersist = 16
  c.advance(100).in('. ack 1 <sack 1001:2001>').silent(99.999).advance(0.001).out('. 1:1001 ack 1')
})

scenario('the widened window lasts for 16 recoveries (RFC 8985 §6.2 step 4)', () => {
  const c = inFlight(2)
  c.advance(100).in('. ack 1 <sack 1001:2001>').advance(25).out('. 1:1001 ack 1')
  c.in('. ack 2001').in('. ack 2001 <sack 1:1001>')
  for (let i = 1; i <= 17; i++) {
    const una = 2000 * i
    c.write(2000).outText(una + 1, una + 2001)
    c.advance(100).in(`. ack ${una + 1} <sack ${una + 1001}:${una + 2001}>`)
    c.silent(i <= 16 ? 49.999 : 24.999)
      .advance(0.001)
      .out(`. ${una + 1}:${una + 1001} ack 1`)
    c.advance(100).in(`. ack ${una + 2001}`)
    expect(c.tcb.rack.windowMultiplier).toBe(i < 16 ? 2 : 1)
  }
})

scenario('DSACKs are heard again after more than 2 GiB (RFC 8985 §6.2 step 4, RFC 9293 §3.4)', () => {
  const c = inFlight(1)
  c.in('. ack 1001').in('. ack 1001 <sack 1:1001>')
  expect(c.tcb.rack.windowMultiplier).toBe(2)
  c.write(1000).out('P. 1001:2001 ack 1').in('. ack 2001')
  expect(c.tcb.rack.isDsackRound).toBe(false)
})

scenario('a super-segment is judged in the parts that the SACK blocks cut (RFC 8985 §6.2 step 5)', () => {
  const c = open({ offload: { checksum: true, superSegmentBytes: 65535 } })
  c.write(9000).out('P. 1:9001 ack 1')
  c.advance(100).in('. ack 1 <sack 2001:4001>').silent(24.999)
  c.advance(0.001).out('. 1:1001 ack 1')
  expect(c.tcb.snd.flight.lostBytes).toBe(1000) // not what follows 4001
  c.in('. ack 1 <sack 2001:7001>').out('. 1001:2001 ack 1')
  c.advance(100).in('. ack 7001').out('P. 7001:9001 ack 1') // older than what was answered now
})

scenario('a timeout takes for lost the first segment, and those that were sent long enough ago (RFC 8985 §6.3)', () => {
  for (const isOn of [true, false]) {
    const c = open({}, isOn)
    c.write(1000).out('P. 1:1001 ack 1').advance(100).in('. ack 1001')
    c.write(2000).outText(1001, 3001)
    c.advance(250).write(3000).outText(3001, 6001)
    c.silent(49.999).advance(0.001).out('. 1001:2001 ack 1')
    expect(c.tcb.snd.flight.lostBytes).toBe(isOn ? 1000 : 4000)
  }
})

scenario('without SACK there is no RACK (RFC 8985 §4)', () => {
  const c = established({ mss, tcp: { rack: true } })
  c.write(5000).outText(1, 5001).in('. ack 1', '. ack 1').quiet().in('. ack 1').out('. 1:1001 ack 1')
})

scenario(
  'an acknowledgement of a part of a super-segment tells of that part only: what is SACKed behind it is no reordering (RFC 8985 §6.2 step 3)',
  () => {
    const c = open({ offload: { checksum: true, superSegmentBytes: 65535 } })
    c.write(10_000).drain()
    c.advance(100).in('. ack 3001')
    expect(c.tcb.rack.end).toBe(c.tcb.snd.una)
    c.in('. ack 3001 <sack 4001:5001>').in('. ack 3001 <sack 4001:6001>')
    expect(c.tcb.rack.isReorderingSeen).toBe(false)
    c.in('. ack 3001 <sack 4001:7001>').out('. 3001:4001 ack 1')
  },
)
