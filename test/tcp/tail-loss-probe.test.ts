// Tail loss probes (RFC 8985 §7): the end of a flight that nobody answers is mended without the retransmission timeout.

import { expect } from 'vitest'
import { connecting, established, type Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const NEVER = Number.POSITIVE_INFINITY
const window = (c: Script): number[] => [c.tcb.cc.cwnd, c.tcb.cc.ssthresh]

/** SRTT 100 ms: PTO 200 ms; RTO 300 ms. */
function open(options: ScriptOptions = {}, isOn = true): Script {
  return established({ mss, sack: true, ...options, tcp: { rack: true, tailLossProbe: isOn, ...options.tcp } })
}

/** `count` segments in flight, and the last of them sent again as a probe. */
function probed(count: number): Script {
  const c = open()
  const from = count * 1000 - 999
  return c
    .write(count * 1000)
    .outText(1, count * 1000 + 1)
    .advance(200)
    .out(`P. ${from}:${from + 1000} ack 1`)
}

scenario('two SRTT after the last transmission the last segment goes again (RFC 8985 §7.2 §7.3)', () => {
  const c = open()
  c.write(3000).outText(1, 3001).silent(199.999).advance(0.001).out('P. 2001:3001 ack 1')
  expect(window(c)).toEqual([10_000, NEVER])
  const d = open({}, false)
  d.write(3000).outText(1, 3001).silent(299.999).advance(0.001).out('. 1:1001 ack 1')
  expect(window(d)).toEqual([1000, 2000])
})

scenario('a lone segment gets 200 ms more, for the peer may hold its acknowledgement back (RFC 8985 §7.2)', () => {
  const c = open({ tcp: { minRtoUs: 1_000_000 } })
  c.write(1000).out('P. 1:1001 ack 1').silent(399.999).advance(0.001).out('P. 1:1001 ack 1')
  const d = open({ tcp: { minRtoUs: 1_000_000 } })
  d.write(1001).out('. 1:1001 ack 1') // the octet waits for Nagle: a lone segment as well
  d.silent(399.999).advance(0.001).out('P. 1001:1002 ack 1') // and is the probe
})

scenario(
  'two segments, however small, are no lone one: the peer acknowledges the second at once (RFC 8985 §7.2)',
  () => {
    const c = open({ tcp: { nagle: false, minRtoUs: 1_000_000 } })
    c.write(100).out('P. 1:101 ack 1').write(100).out('P. 101:201 ack 1')
    c.silent(199.999).advance(0.001).out('P. 101:201 ack 1')
  },
)

scenario(
  'the probe comes no later than the timeout would, and in its place (RFC 8985 §7.2: PTO at most until RTO)',
  () => {
    const c = open()
    c.write(1000).out('P. 1:1001 ack 1').silent(299.999).advance(0.001).out('P. 1:1001 ack 1')
    expect(window(c)).toEqual([10_000, NEVER])
    c.silent(299.999).advance(0.001).out('P. 1:1001 ack 1')
    expect(window(c)).toEqual([1000, 2000])
  },
)

scenario('the timeout starts anew with the probe (RFC 8985 §7.3)', () => {
  const c = probed(4)
  c.silent(299.999).advance(0.001).out('. 1:1001 ack 1')
  expect(c.tcb.cc.cwnd).toBe(1000)
})

scenario('a host that wakes up late sends the probe, and no timeout with it (RFC 8985 §7.3)', () => {
  const c = open()
  c.write(3000).outText(1, 3001)
  c.call(() => c.stack.handleTimeout(c.now + 400_000)).out('P. 2001:3001 ack 1')
  expect(window(c)).toEqual([10_000, NEVER])
})

scenario('each transmission and each acknowledgement that moves on sets the probe off again (RFC 8985 §7.2)', () => {
  const c = open()
  c.write(2000).outText(1, 2001).advance(50)
  c.write(2000).outText(2001, 4001).silent(50).in('. ack 2001')
  c.silent(199.999).advance(0.001).out('P. 3001:4001 ack 1')
})

scenario('new text is sent rather than old, even beyond cwnd (RFC 8985 §7.3)', () => {
  const c = open()
  c.write(12_000).outText(1, 10_001, 1, false).advance(200).out('. 10001:11001 ack 1')
  c.advance(100).in('. ack 11001').out('P. 11001:12001 ack 1')
  expect(c.tcb.recovery.retransmits).toBe(0)
})

scenario('new text that the window does not take is not sent: the last segment goes again (RFC 8985 §7.3)', () => {
  const c = open({ win: 3000 })
  c.write(5000).outText(1, 3001, 1, false).advance(200).out('. 2001:3001 ack 1')
})

scenario('a closed window: no probe of the tail when nothing is in flight (RFC 8985 §7.2, RFC 9293 §3.8.6.1)', () => {
  const c = open()
  c.write(3000).outText(1, 3001).in('. ack 3001 win 0')
  expect(c.tcb.timers.lossProbe).toBe(NEVER)
  c.write(1000).silent(250).advance(1000)
  expect(c.drain().every(({ seq, end }) => seq === 3000 && end === 3000)).toBe(true)
  expect(c.tcb.tlp.isOut).toBe(false)
})

scenario(
  'a window that closes on a flight: no probe, and the timeout sends its first octets again (RFC 9293 §3.8.6 [SHLD-16] [MAY-7])',
  () => {
    const c = open()
    c.write(3000).outText(1, 3001).write(1000).out('P. 3001:4001 ack 1').advance(100).in('. ack 1001 win 0')
    c.write(1000).silent(299.999).advance(0.001).out('. 1001:2001 ack 1')
  },
)

scenario('a FIN at the tail goes again (RFC 8985 §7.3)', () => {
  const c = open()
  c.write(3000)
    .outText(1, 3001)
    .call((connection) => connection.shutdownWrite())
    .out('F. 3001 ack 1')
  c.advance(200).out('F. 3001 ack 1').in('. ack 3002')
  expect(c.state).toBe('FIN-WAIT-2')
  const d = open({ win: 3000 })
  d.write(4500)
    .outText(1, 3001, 1, false)
    .call((connection) => connection.shutdownWrite())
  d.in('. ack 3001 win 3000').outText(3001, 4001, 1, false).out('FP. 4001:4501 ack 1')
  d.advance(200).out('FP. 4001:4501 ack 1')
})

scenario('of a super-segment the last segment goes again (RFC 8985 §7.3)', () => {
  const c = open({ offload: { checksum: true, superSegmentBytes: 65535 } })
  c.write(4500)
    .out('. 1:4001 ack 1')
    .call((connection) => connection.setNoDelay(true))
    .out('P. 4001:4501 ack 1')
  c.advance(200).out('P. 4001:4501 ack 1')
  const d = open({ offload: { checksum: true, superSegmentBytes: 65535 } })
  d.write(4000).out('P. 1:4001 ack 1').advance(200).out('P. 3001:4001 ack 1')
})

scenario('one probe for a flight: until it is answered there is no other (RFC 8985 §7.3)', () => {
  const c = probed(3)
  c.write(1000).out('P. 3001:4001 ack 1').silent(250)
  expect(c.tcb.timers.lossProbe).toBe(NEVER)
})

scenario('no probe while something is SACKed, nor in recovery (RFC 8985 §7.2)', () => {
  const c = open({ tcp: { rack: false } })
  c.write(4000).outText(1, 4001).in('. ack 1 <sack 1001:2001>').silent(299)
  const d = open({ tcp: { rack: false } })
  d.write(8000).outText(1, 8001).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
  d.advance(50).in('. ack 4001').silent(240)
  expect(d.tcb.timers.lossProbe).toBe(NEVER)
})

scenario('no probe without SACK (RFC 8985 §7)', () => {
  const c = established({ mss, tcp: { rack: true, tailLossProbe: true } })
  c.write(3000).outText(1, 3001).silent(299.999).advance(0.001).out('. 1:1001 ack 1')
})

scenario('before the first sample of the round trip the probe waits for a second (RFC 8985 §7.2)', () => {
  const c = connecting({ mss, sack: true, tcp: { rack: true, tailLossProbe: true, initialRtoUs: 2_000_000 } })
  c.advance(2000).out('S 0').in('S. 0 ack 1 <mss 1000,sackOK>').out('. 1 ack 1')
  expect(c.tcb.rtt.srttUs).toBe(-1)
  c.write(1000).out('P. 1:1001 ack 1').silent(999.999).advance(0.001).out('P. 1:1001 ack 1')
})

scenario('a DSACK of the probe: both copies are there, nothing was lost (RFC 8985 §7.4.2 case 1)', () => {
  const c = probed(8)
  c.advance(10).in('. ack 8001').in('. ack 8001 <sack 7001:8001>')
  c.write(1000).out('P. 8001:9001 ack 1').in('. ack 9001')
  expect([...window(c), c.tcb.tlp.isOut]).toEqual([18_000, NEVER, false])
})

scenario('a DSACK of anything else than the probe says nothing of it (RFC 8985 §7.4.2 case 1)', () => {
  const c = probed(8)
  c.advance(10).in('. ack 8001').in('. ack 8001 <sack 1:1001>')
  expect(c.tcb.tlp.isOut).toBe(true)
})

scenario('an ACK repeated without SACK tells the same of a peer that has no DSACK (RFC 8985 §7.4.2)', () => {
  const c = probed(8)
  c.advance(10).in('. ack 8001').in('. ack 8001')
  expect(c.tcb.tlp.isOut).toBe(false)
  c.write(1000).out('P. 8001:9001 ack 1').in('. ack 9001')
  expect(window(c)).toEqual([18_000, NEVER])
})

scenario('the acknowledgement of the probe itself decides nothing yet (RFC 8985 §7.4.2)', () => {
  const c = probed(8)
  c.advance(100).in('. ack 8001')
  expect([...window(c), c.tcb.tlp.isOut]).toEqual([18_000, NEVER, true])
})

scenario(
  'later text acknowledged and no second answer: the probe mended a loss, cwnd goes down once (RFC 8985 §7.4.2 case 2)',
  () => {
    const c = probed(8)
    c.advance(100).in('. ack 8001')
    c.write(2000).outText(8001, 10_001).in('. ack 9001')
    expect(window(c)).toEqual([4000, 4000]) // half of what was in flight when the probe went
    c.in('. ack 10001').in('. ack 10001 <sack 7001:8001>')
    expect(window(c)).toEqual([4000, 4000])
    const d = open({}, false)
    d.write(8000).outText(1, 8001).advance(100).in('. ack 7001').advance(300).out('P. 7001:8001 ack 1') // the timer
    expect(d.tcb.cc.cwnd).toBe(1000)
  },
)

scenario('a probe of new text answered is no loss (RFC 8985 §7.4.2)', () => {
  const c = open()
  c.write(11_000).outText(1, 10_001, 1, false).advance(200).out('P. 10001:11001 ack 1')
  c.in('. ack 11001').write(1000).out('P. 11001:12001 ack 1').in('. ack 12001')
  expect(c.tcb.cc.ssthresh).toBe(NEVER)
})

scenario('a probe that is SACKed shows the holes: one recovery, one reduction (RFC 8985 §7.1 §7.4)', () => {
  const c = open()
  c.write(8000).outText(1, 8001).advance(100).in('. ack 6001') // the last two are lost
  c.advance(200).out('P. 7001:8001 ack 1').advance(100).in('. ack 6001 <sack 7001:8001>')
  c.out('. 6001:7001 ack 1') // sent 300 ms before what has been delivered
  const after = window(c)
  expect([c.tcb.recovery.phase, after[1]]).toEqual(['recovery', 2000])
  c.advance(100).in('. ack 8001').write(1000).out('P. 8001:9001 ack 1').in('. ack 9001')
  expect(c.tcb.cc.ssthresh).toBe(2000)
  expect(c.tcb.cc.cwnd).toBe(2000)
})

scenario('a timeout after the probe: the window is taken once, by the timeout (RFC 8985 §7.1)', () => {
  const c = probed(8)
  c.advance(300).out('. 1:1001 ack 1')
  expect(window(c)).toEqual([1000, 4000])
  c.advance(100).in('. ack 8001').write(1000).out('P. 8001:9001 ack 1').in('. ack 9001')
  expect([c.tcb.cc.ssthresh, c.tcb.tlp.isOut]).toEqual([4000, false])
  expect(c.tcb.cc.cwnd).toBeGreaterThanOrEqual(4000)
})

scenario(
  'a DSACK for an earlier recovery does not take back what a mended tail has cost (RFC 8985 §7.4.2, RFC 3708 §2)',
  () => {
    const c = established({ mss: 1000, sack: true, tcp: { rack: true, tailLossProbe: true, undo: true, frto: false } })
    c.write(10_000).outText(1, 10_001).advance(50)
    c.in('. ack 1 <sack 1001:5001>').out('. 1:1001 ack 1').advance(50).in('. ack 10001').drain()
    expect([c.tcb.recovery.phase, c.tcb.undo.isPossible]).toEqual(['open', true])
    c.write(3000).outText(10_001, 13_001)
    while (c.tcb.counters.TcpExtTCPLossProbes === 0) c.advance(10, true)
    c.write(1000).drain()
    c.in('. ack 14001')
    expect(c.tcb.counters.TcpExtTCPLossProbeRecovery).toBe(1)
    const reduced = window(c)
    c.in('. ack 14001 <sack 1:1001>')
    expect(window(c)).toEqual(reduced)
  },
)

scenario('no probe goes beyond a window that has shrunk: the timeout comes first (RFC 9293 §3.8.6 [SHLD-16])', () => {
  const c = open()
  c.write(4000).outText(1, 4001).advance(10).in('. ack 1 win 2500')
  c.silent(289.999).advance(0.001).out('. 1:1001 ack 1')
})
