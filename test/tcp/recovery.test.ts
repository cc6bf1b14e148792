// Fast retransmit and fast recovery: by duplicate ACKs (RFC 5681 §3.2, RFC 6582) and by SACK (RFC 2018, RFC 6675).

import { expect } from 'vitest'
import { established, type Script, scenario } from './script.ts'

const mss = 1000
const phase = (c: Script): string => c.tcb.recovery.phase

/** Ten segments in flight, `more` octets waiting. */
function tenInFlight(more: number, sack = false): Script {
  const c = established({ mss, sack })
  return c.write(10_000 + more).outText(1, 10_001, 1, more === 0)
}

scenario('the third duplicate ACK retransmits the first segment at once, the first two do not (RFC 5681 §3.2)', () => {
  const c = tenInFlight(0)
  c.times(2, '. ack 1').quiet()
  c.in('. ack 1').out('. 1:1001 ack 1')
  expect([phase(c), c.tcb.cc.cwnd]).toEqual(['recovery', 5000])
})

scenario('duplicate ACKs are counted one by one within a batch, too (RFC 5681 §2)', () => {
  const c = tenInFlight(0)
  c.in('. ack 1', '. ack 1').quiet()
  c.in('. ack 1', '. ack 1').out('. 1:1001 ack 1')
  expect(c.tcb.recovery.dupAcks).toBe(4)
})

scenario(
  'acknowledgements of one batch before the loss do not make the flight that it is measured by smaller (RFC 5681 §3.2, equation 4)',
  () => {
    const told = [
      '. ack 5001',
      '. ack 5001 <sack 6001:7001>',
      '. ack 5001 <sack 6001:8001>',
      '. ack 5001 <sack 6001:9001>',
    ]
    const oneByOne = tenInFlight(30_000, true)
    for (const line of told) oneByOne.in(line).drain()
    const batch = tenInFlight(30_000, true)
    batch.in(...told).drain()
    // Slow start has opened the window to 15 segments by then.
    expect([phase(oneByOne), oneByOne.tcb.cc.ssthresh]).toEqual(['recovery', 7500])
    expect([phase(batch), batch.tcb.cc.ssthresh]).toEqual(['recovery', 7500])
  },
)

scenario('a flight that the application kept below the window is what a loss is measured by (RFC 5681 §3.2)', () => {
  const c = established({ mss, sack: true })
  c.write(6000).outText(1, 6001)
  c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
  expect(c.tcb.cc.ssthresh).toBe(3000)
})

scenario('what is no duplicate ACK is not counted (RFC 5681 §2 (a) to (e))', () => {
  const c = tenInFlight(0)
  c.times(2, '. ack 1')
  c.in('P. 1:11 ack 1').in('P. 11:21 ack 1') // (b) with text
  c.in('. 21 ack 1 win 60000').in('. 21 ack 1 win 61000') // (e) another window
  c.in('. 21 ack 0') // (d) not the greatest so far
  expect([c.tcb.recovery.dupAcks, phase(c)]).toEqual([2, 'open'])
  c.advance(40).out('. 10001 ack 21')
  const d = established({ mss })
  d.times(5, '. ack 1') // (a) nothing is outstanding
  expect(d.tcb.recovery.dupAcks).toBe(0)
})

scenario('the first two duplicate ACKs let new segments go (RFC 3042, RFC 5681 §3.2 step 1)', () => {
  const c = tenInFlight(5000)
  c.in('. ack 1').out('. 10001:11001 ack 1').in('. ack 1').out('. 11001:12001 ack 1')
  c.in('. ack 1').out('. 1:1001 ack 1')
})

scenario('in fast recovery each further duplicate ACK makes room for one segment (RFC 5681 §3.2 step 4)', () => {
  const c = tenInFlight(9000)
  c.in('. ack 1', '. ack 1').outText(10_001, 12_001, 1, false)
  c.in('. ack 1').out('. 1:1001 ack 1') // 12 segments out, cwnd 5 and 3
  c.times(4, '. ack 1').quiet()
  c.in('. ack 1').out('. 12001:13001 ack 1')
  c.in('. ack 1').out('. 13001:14001 ack 1')
})

scenario('a full ACK ends recovery with cwnd at ssthresh (RFC 6582 §3.2 step 3, full acknowledgment)', () => {
  const c = tenInFlight(20_000)
  c.in('. ack 1', '. ack 1').drain()
  c.in('. ack 1').out('. 1:1001 ack 1')
  c.in('. ack 12001').outText(12_001, 17_001, 1, false)
  expect([phase(c), c.tcb.cc.cwnd]).toEqual(['open', 5000])
})

scenario(
  'a partial ACK retransmits the next hole at once and stays in recovery (RFC 6582 §3.2 step 3, partial acknowledgment)',
  () => {
    const c = tenInFlight(0)
    c.times(3, '. ack 1').out('. 1:1001 ack 1')
    c.in('. ack 4001').out('. 4001:5001 ack 1')
    expect(phase(c)).toBe('recovery')
    c.in('. ack 6001').out('. 6001:7001 ack 1')
    c.in('. ack 10001').quiet()
    expect([phase(c), c.tcb.cc.cwnd]).toEqual(['open', 5000])
  },
)

scenario('a partial ACK retransmits though the window would not let it (RFC 6582 §3.2 step 3)', () => {
  const c = tenInFlight(0)
  c.times(3, '. ack 1').out('. 1:1001 ack 1')
  c.in('. ack 1001').out('. 1001:2001 ack 1') // pipe: 9 segments less 3 duplicates, cwnd 5
})

scenario('duplicates of what was sent before recovery ended begin no other (RFC 6582 §3.2 step 2)', () => {
  const c = tenInFlight(0)
  c.advance(300).out('. 1:1001 ack 1') // a timeout; then the ACKs of copies come
  c.in('. ack 10001')
  c.write(4000).drain()
  c.times(3, '. ack 10001').quiet()
  expect(phase(c)).toBe('open')
  c.in('. ack 11001').drain()
  c.times(3, '. ack 11001')
  expect(c.drain().some(({ seq }) => seq === 11_001)).toBe(true)
})

scenario('fast retransmit works after more than 2 GiB without a loss (RFC 9293 §3.4, RFC 6582 §3.2)', () => {
  const c = established({ mss })
  c.tcb.recovery.point = (c.tcb.recovery.point - 2 ** 30 - 2 ** 29) as typeof c.tcb.recovery.point
  c.write(100).out('P. 1:101 ack 1').in('. ack 101')
  expect((c.tcb.snd.una - c.tcb.recovery.point) | 0).toBe(2 ** 30)
  c.write(5000).outText(101, 5101)
  c.times(3, '. ack 101').out('. 101:1101 ack 1')
})

scenario(
  'SACK: three blocks, or more than two segments above, and the hole is lost (RFC 6675 §4 IsLost, §5 (2))',
  () => {
    const c = tenInFlight(0, true)
    c.in('. ack 1 <sack 1001:2001>').in('. ack 1 <sack 1001:3001>').quiet()
    c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    expect([phase(c), c.tcb.cc.cwnd]).toEqual(['recovery', 5000])
    const d = tenInFlight(0, true)
    d.in('. ack 1 <sack 1001:3002>').out('. 1:1001 ack 1') // more than (DupThresh - 1) * SMSS
    const e = tenInFlight(0, true)
    e.in('. ack 1 <sack 2001:2101>').in('. ack 1 <sack 4001:4101 2001:2101>').quiet()
    e.in('. ack 1 <sack 6001:6101 4001:4101 2001:2101>').out('. 1:1001 ack 1') // three discontiguous blocks
  },
)

scenario('SACK: all holes that are lost go again as pipe allows, before new text (RFC 6675 §5 (C))', () => {
  const c = tenInFlight(10_000, true)
  // 1, 3 and 5 are missing; seven segments have arrived
  c.in('. ack 1 <sack 1001:2001>')
    .out('. 10001:11001 ack 1')
    .in('. ack 1 <sack 3001:4001 1001:2001>')
    .out('. 11001:12001 ack 1')
  c.in('. ack 1 <sack 5001:6001 3001:4001 1001:2001>').out('. 1:1001 ack 1')
  // 12 segments are out: with n of them SACKed and m lost, pipe is 12 - n - m and what went again; cwnd is 5
  c.in('. ack 1 <sack 5001:7001 3001:4001 1001:2001>').quiet()
  c.in('. ack 1 <sack 5001:8001 3001:4001 1001:2001>').quiet() // 12 - 5 - 3 + 1
  c.in('. ack 1 <sack 5001:9001 3001:4001 1001:2001>').out('. 2001:3001 ack 1')
  c.in('. ack 1 <sack 5001:10001 3001:4001 1001:2001>').out('. 4001:5001 ack 1')
  c.in('. ack 2001 <sack 5001:10001 3001:4001>').out('. 12001:13001 ack 1')
  c.in('. ack 12001').outText(13_001, 17_001, 1, false)
  expect([phase(c), c.tcb.cc.cwnd]).toEqual(['open', 5000])
})

scenario(
  'SACK: with nothing new to send the holes that are not surely lost go as well (RFC 6675 §4 NextSeg (3))',
  () => {
    const c = tenInFlight(0, true)
    // 1 and 8 are missing; above 8 there are only two segments
    c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    c.in('. ack 1 <sack 1001:7001>').quiet()
    c.in('. ack 1 <sack 8001:10001 1001:7001>').out('. 7001:8001 ack 1')
    c.in('. ack 7001 <sack 8001:10001>').quiet()
    c.in('. ack 10001').quiet()
  },
)

scenario('SACK: what has been sent again is not sent a third time by SACK alone (RFC 6675 §4 NextSeg (1))', () => {
  const c = tenInFlight(0, true)
  c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
  c.times(4, '. ack 1 <sack 1001:10001>').quiet()
  c.silent(299.999).advance(0.001).out('. 1:1001 ack 1') // the timer
})

scenario(
  'SACK: one ACK that tells of three blocks, or of enough octets up to the very end, is enough (RFC 6675 §4 IsLost)',
  () => {
    const c = tenInFlight(0, true)
    c.in('. ack 1 <sack 6001:6101 4001:4101 2001:2101>').out('. 1:1001 ack 1')
    const d = established({ mss, sack: true })
    d.write(4000).outText(1, 4001).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    const e = tenInFlight(0, true)
    e.in('. ack 1 <sack 6001:6101 4001:4101>').quiet() // two blocks of 200 octets are not
  },
)

scenario('SACK: after a timeout what was SACKed counts as arrived though no ACK says so again (RFC 6675 §5.1)', () => {
  const c = tenInFlight(0, true)
  c.in('. ack 1 <sack 3001:5001>').advance(300).out('. 1:1001 ack 1')
  c.in('. ack 1001').out('. 1001:2001 ack 1', '. 2001:3001 ack 1')
  c.in('. ack 2001').out('. 5001:6001 ack 1', '. 6001:7001 ack 1')
})

scenario('SACK: text that was SACKed is not sent again, also after a timeout (RFC 6675 §5.1)', () => {
  const c = tenInFlight(0, true)
  c.in('. ack 1 <sack 3001:5001>').advance(300).out('. 1:1001 ack 1')
  c.in('. ack 1001 <sack 3001:5001>').out('. 1001:2001 ack 1', '. 2001:3001 ack 1')
  // What SACK had told opens the window no further (RFC 3465 §2.3).
  c.in('. ack 5001').out('. 5001:6001 ack 1', '. 6001:7001 ack 1', '. 7001:8001 ack 1', '. 8001:9001 ack 1').quiet()
})

scenario('SACK: a peer that has thrown away what it SACKed gets it again (RFC 2018 §8)', () => {
  const c = tenInFlight(0, true)
  c.in('. ack 1 <sack 1001:3001>').quiet()
  c.in('. ack 1001').quiet() // and not 3001: it reneges
  c.advance(337.5).out('. 1001:2001 ack 1')
  c.in('. ack 2001').out('. 2001:3001 ack 1', '. 3001:4001 ack 1')
})

scenario('SACK blocks below SND.UNA, beyond SND.NXT or reversed are passed over (RFC 2018 §8, RFC 2883 §4)', () => {
  const c = tenInFlight(0, true)
  c.in('. ack 5001')
  for (const block of ['1:1001', '4001:5001', '9001:10002', '8001:7001', '6001:6001', '20000:30000']) {
    c.in(`. ack 5001 <sack ${block}>`).in(`. ack 5001 <sack ${block}>`).in(`. ack 5001 <sack ${block}>`).quiet()
  }
  expect(c.tcb.snd.flight.sackedBytes).toBe(0)
})

scenario('SACK: a duplicate ACK without news is not counted (RFC 6675 §2)', () => {
  const c = tenInFlight(0, true)
  c.times(6, '. ack 1 <sack 1001:2001>').quiet()
  c.times(6, '. ack 1').quiet()
  expect(phase(c)).toBe('open')
})

scenario('SACK that was not agreed on is not looked at (RFC 2018 §2)', () => {
  const c = tenInFlight(0)
  c.in('. ack 1 <sack 1001:10001>').quiet()
  expect(c.tcb.snd.flight.sackedBytes).toBe(0)
})

scenario('the threshold of duplicates is a setting (RFC 5681 §3.2)', () => {
  const c = established({ mss, tcp: { dupThresh: 1 } })
  c.write(5000).outText(1, 5001).in('. ack 1').out('. 1:1001 ack 1')
})

scenario('a lost segment with FIN goes again with its FIN (RFC 9293 §3.10.8)', () => {
  const c = established({ mss })
  c.write(500)
    .out('P. 1:501 ack 1')
    .call((connection) => connection.shutdownWrite())
    .out('F. 501 ack 1')
  c.advance(300).out('P. 1:501 ack 1', 'F. 501 ack 1').in('. ack 502')
  expect(c.state).toBe('FIN-WAIT-2')
  const d = established({ mss })
  d.write(10).drain()
  d.write(500)
    .call((connection) => connection.shutdownWrite())
    .out('FP. 11:511 ack 1')
    .in('. ack 11')
  d.advance(337.5).out('FP. 11:511 ack 1')
})

scenario('a lost super-segment goes again in segments (RFC 5681 §3.2)', () => {
  const c = established({ mss, offload: { checksum: true, superSegmentBytes: 65535 } })
  c.write(9500).out('. 1:9001 ack 1')
  c.in('. ack 1', '. ack 1').quiet().in('. ack 1').out('. 1:1001 ack 1')
  c.in('. ack 3001').out('. 3001:4001 ack 1') // in the middle of what was sent as one
  c.in('. ack 9001').out('P. 9001:9501 ack 1')
})
