// Explicit congestion notification: agreeing on it, what may be marked, telling of marks, slowing down once a window (RFC 3168), by how
// much (RFC 8511), and without it.

import { expect } from 'vitest'
import { tcpConfig } from '../../src/tcp/config.ts'
import { connecting, established, listening, Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const window = (c: Script): number[] => [c.tcb.cc.cwnd, c.tcb.cc.ssthresh]

/** ESTABLISHED with ECN, asked for by us. */
function marked(options: ScriptOptions = {}): Script {
  const c = new Script({ mss, ...options, tcp: { ecn: 'on', ...options.tcp } }).connect().out('[-] SEW 0').advance(100)
  c.in(`SE. 0 ack 1 ${c.synOptions()}`).out('[-] . 1 ack 1')
  c.events()
  return c
}

/** Ten segments in flight, more to send. */
function inFlight(options: ScriptOptions = {}): Script {
  const c = marked(options).write(40_000)
  for (let at = 1; at < 10_001; at += mss) c.out(`[ect0] . ${at}:${at + mss} ack 1`)
  return c
}

scenario(
  'a SYN that asks has ECE and CWR, the SYN,ACK that agrees has ECE; neither is ECN-capable (RFC 3168 §6.1.1, RFC 9293 §3.8.2 [SHLD-8])',
  () => {
    expect(marked().connection.info().tcpi_options).toContain('ecn')
    const c = listening({ mss }).in('SEW 0 <mss 1000>').out('[-] SE. 0 ack 1').in('. 1 ack 1').accept()
    expect(c.tcb.ecn.mode).toBe('classic')
  },
)

scenario('by default ECN is accepted and not asked for; switched off it is neither', () => {
  connecting({ mss })
  const c = listening({ mss, tcp: { ecn: 'off' } })
    .in('SEW 0 <mss 1000>')
    .out('[-] S. 0 ack 1')
    .in('. 1 ack 1')
    .accept()
  expect(c.connection.info().tcpi_options).not.toContain('ecn')
  c.write(9).out('[-] P. 1:10 ack 1').in('[ce] P. 1:10 ack 10').advance(50).out('[-] . 10 ack 10')
  expect(() => tcpConfig({ ecn: 'yes' })).toThrow(/'ecn' is 'yes'; it must be one of passive, off, on, accurate/)
})

scenario('a SYN with one of the two bits does not ask (RFC 3168 §6.1.1)', () => {
  for (const syn of ['SE', 'SW']) listening({ mss }).in(`${syn} 0 <mss 1000>`).out('S. 0 ack 1')
})

scenario('a SYN,ACK without ECE, or with our own two bits thrown back, does not agree (RFC 3168 §6.1.1)', () => {
  for (const answer of ['S.', 'SEW.']) {
    const c = new Script({ mss, tcp: { ecn: 'on' } }).connect().out('SEW 0').in(`${answer} 0 ack 1`).out('. 1 ack 1')
    c.write(9).out('[-] P. 1:10 ack 1')
    expect(c.tcb.ecn.mode).toBe('off')
  }
})

scenario(
  'a SYN that was lost goes again without the bits; an answer to the first still agrees (RFC 3168 §6.1.1.1)',
  () => {
    const c = new Script({ mss, tcp: { ecn: 'on' } }).connect().out('SEW 0').advance(1000).out('S 0')
    c.in('SE. 0 ack 1 <mss 1000>').out('. 1 ack 1').write(9).out('[ect0] P. 1:10 ack 1')
    const d = new Script({ mss, tcp: { ecn: 'on' } }).connect().out('SEW 0').advance(1000).out('S 0')
    d.in('S. 0 ack 1 <mss 1000>').out('. 1 ack 1').write(9).out('[-] P. 1:10 ack 1')
  },
)

scenario('when both open at once both have to ask and to agree', () => {
  const open = (syn: string): Script =>
    new Script({ mss, tcp: { ecn: 'on' } }).connect().out('SEW 0').in(`${syn} 0 <mss 1000>`)
  const c = open('SEW').out('SE. 0 ack 1').in('SE. 0 ack 1 <mss 1000>').out('. 1 ack 1')
  expect(c.tcb.ecn.mode).toBe('classic')
  const d = open('SEW').out('SE. 0 ack 1').in('S. 0 ack 1 <mss 1000>').out('. 1 ack 1')
  expect(d.tcb.ecn.mode).toBe('off')
  const e = open('S').out('S. 0 ack 1')
  expect(e.tcb.ecn.mode).toBe('off')
  const f = new Script({ mss }).connect().out('S 0').in('SEW 0 <mss 1000>').out('S. 0 ack 1')
  expect(f.tcb.ecn.mode).toBe('off')
})

scenario(
  'new text is ECN-capable; nothing sent again, no bare ACK, no probe, no reset is (RFC 3168 §6.1.4 to §6.1.6)',
  () => {
    const c = marked().write(2000).out('[ect0] . 1:1001 ack 1', '[ect0] P. 1001:2001 ack 1')
    c.advance(300).out('[-] . 1:1001 ack 1').in('. ack 2001 win 0')
    c.in('[ect0] P. 1:10 ack 2001').advance(50).out('[-] . 2001 ack 10')
    c.offer(500)
    c.advance(320).out('[-] . 2000 ack 10')
    c.call((connection) => connection.abort()).out('[-] R. 2001 ack 10')
  },
)

scenario('Diffserv passes unchanged, the ECN field is TCP’s [SHLD-22] (RFC 3168 §5)', () => {
  const c = marked({ tcp: { trafficClass: 0xbb } })
  c.call((connection) => connection.write(new Uint8Array([7])))
  expect(c.drain().map((line) => line.trafficClass)).toEqual([0xba])
  const d = new Script({ mss, tcp: { trafficClass: 0xbb, ecn: 'off' } }).connect()
  expect(d.drain().map((line) => line.trafficClass)).toEqual([0xbb])
})

scenario('CE is answered with ECE at once, and on everything until CWR comes (RFC 3168 §6.1.3)', () => {
  const c = marked().in('[ect0] P. 1:101 ack 1').silent(10)
  c.in('[ce] P. 101:201 ack 1').out('[-] E. 1 ack 201')
  expect(c.connection.info().tcpi_options).toContain('ecnseen')
  c.in('[ect0] P. 201:301 ack 1').silent(39).advance(1).out('E. 1 ack 301')
  c.write(9).out('[ect0] PE. 1:10 ack 301')
  c.in('[ect0] WP. 301:401 ack 10').out('. 10 ack 401').in('[ect0] P. 401:501 ack 10').advance(40).out('. 10 ack 501')
})

scenario('CWR on a packet that is marked itself ends nothing (RFC 3168 §6.1.3)', () => {
  const c = marked().in('[ce] P. 1:101 ack 1').out('E. 1 ack 101').in('[ce] WP. 101:201 ack 1').out('E. 1 ack 201')
  c.in('[ect0] P. 201:301 ack 1').advance(40).out('E. 1 ack 301')
})

scenario('CE on a bare ACK, or on what lies outside the window, is not told of (RFC 3168 §6.1.4, §6.1.5)', () => {
  const c = marked().in('P. 1:101 ack 1').advance(40).out('. 1 ack 101')
  c.in('[ce] P. 1:101 ack 1').out('. 1 ack 101').in('[ce] . 101 ack 1')
  c.in('[ce] P. 200101:200201 ack 1').out('. 1 ack 101')
  c.in('P. 101:201 ack 1').advance(40).out('. 1 ack 201')
})

scenario(
  'a mark halves the window once, CWR goes with the next new text, and ECE until then is the same mark (RFC 3168 §6.1.2)',
  () => {
    const c = inFlight().in('E. ack 1001')
    expect(window(c)).toEqual([5000, 5000])
    for (let at = 2001; at <= 5001; at += mss) c.in(`E. ack ${at}`)
    c.in('E. ack 6001').out('[ect0] W. 10001:11001 ack 1')
    for (let at = 7001; at <= 10_001; at += mss) c.in(`E. ack ${at}`).out(`[ect0] . ${at + 4000}:${at + 5000} ack 1`)
    expect(window(c)).toEqual([5000, 5000])
    c.in('. ack 11001').out('. 15001:16001 ack 1') // CWR has arrived; what is acknowledged grows the window again
    expect(c.tcb.cc.acked).toBe(1000)
    expect(c.connection.info()).toMatchObject({ tcpi_delivered_ce: 10 })
    expect(c.stack.tcp.counters.TcpExtTCPDeliveredCE).toBe(10)
  },
)

scenario('a mark on what was sent after the reduction lowers the window again (RFC 3168 §6.1.2)', () => {
  const c = inFlight({ tcp: { abe: false } }).in('E. ack 1001', 'E. ack 10001')
  c.out('[ect0] W. 10001:11001 ack 1').outText(11_001, 15_001, 1, false)
  c.in('E. ack 11001')
  expect(window(c)).toEqual([2500, 2500])
})

scenario('without ECN the bit in an acknowledgement says nothing', () => {
  const c = established({ mss }).write(40_000).outText(1, 10_001, 1, false)
  c.in('E. ack 1001').outText(10_001, 12_001, 1, false)
  expect(window(c)).toEqual([11_000, Number.POSITIVE_INFINITY])
})

scenario(
  'a mark in congestion avoidance leaves 0.8 of the flight, a loss a half; so does a mark when that is switched off (RFC 8511 §3)',
  () => {
    for (const [abe, left] of [
      [true, 4000],
      [false, 2500],
    ] as const) {
      const c = inFlight({ tcp: { abe } }).in('E. ack 1001', 'E. ack 10001')
      c.drain()
      c.in('E. ack 11001')
      expect(window(c)).toEqual([left, left])
    }
  },
)

scenario('a loss in a window that a mark has lowered does not lower it again (RFC 3168 §6.1.2)', () => {
  const c = inFlight().in('E. ack 1001').in('E. ack 1001', 'E. ack 1001', 'E. ack 1001').out('[-] . 1001:2001 ack 1')
  expect(c.tcb.recovery.phase).toBe('recovery')
  expect(window(c)).toEqual([5000, 5000])
  const d = inFlight().in('E. ack 1001').advance(350).out('[-] . 1001:2001 ack 1') // by the timer: ssthresh stays
  expect(window(d)).toEqual([1000, 5000])
})

scenario(
  'marks in a recovery, and on what was sent before it began, are the loss once more; CWR tells of it (RFC 3168 §6.1.2)',
  () => {
    const c = inFlight().in('. ack 1', '. ack 1')
    c.out('[ect0] . 10001:11001 ack 1', '[ect0] . 11001:12001 ack 1') // limited transmit
    c.in('. ack 1').out('[-] . 1:1001 ack 1')
    expect(window(c)).toEqual([5000, 5000])
    c.in('E. ack 1')
    c.in('E. ack 12001').out('[ect0] W. 12001:13001 ack 1').outText(13_001, 17_001, 1, false)
    expect(window(c)).toEqual([5000, 5000])
  },
)

scenario('after a timeout too CWR goes with the first new text (RFC 3168 §6.1.2)', () => {
  const c = marked().write(3000)
  c.drain()
  c.advance(300).out('[-] . 1:1001 ack 1').in('E. ack 3001')
  expect(window(c)).toEqual([1000, 2000])
  c.write(100).out('[ect0] PW. 3001:3101 ack 1')
})

scenario('a loss that was none does not hide a mark (RFC 4015 §3)', () => {
  const options = { sack: true, ts: true, mss: 1012, tcp: { undo: true } }
  const c = marked(options).write(40_000)
  c.drain()
  const first = 10_000 + c.ms
  c.advance(50).in(`. ack 1 <TS ecr ${first},sack 1001:4001>`).drain()
  expect(window(c)).toEqual([5000, 5000])
  c.advance(10).in(`. ack 4001 <TS ecr ${first}>`).drain()
  expect(c.tcb.cc.cwnd).toBe(10_000)
  expect(c.tcb.ecn.isCwrDue).toBe(false)
  c.in(`E. ack 5001 <TS ecr ${first}>`)
  expect(c.tcb.cc.cwnd).toBeLessThan(6000)
})

scenario('a mark on a window of one segment lets the retransmission timeout set the pace (RFC 3168 §6.1.2)', () => {
  const c = marked({ tcp: { initialWindowSegments: 1 } })
    .write(3000)
    .out('[ect0] . 1:1001 ack 1')
    .advance(100)
  c.in('E. ack 1001').silent(200)
  expect(c.tcb.hold).toBe('cwnd')
  c.advance(200).out('[ect0] W. 1001:2001 ack 1')
})

scenario('ECE with nothing in flight is no mark on anything of ours', () => {
  const c = marked().in('E. ack 1').in('[ect0] PE. 1:10 ack 1').advance(40).out('. 1 ack 10')
  expect(window(c)).toEqual([10_000, Number.POSITIVE_INFINITY])
})

scenario('a segment with CWR is no super-segment', () => {
  const c = marked({ offload: { checksum: false, superSegmentBytes: 65535 } }).write(60_000)
  expect(c.drain().map((line) => line.end - line.seq)).toEqual([10_000])
  c.in('E. ack 10001')
  expect(c.drain().map((line) => [line.end - line.seq, (line.flags & 128) !== 0])).toEqual([
    [1000, true],
    [4000, false],
  ])
})

scenario('when the segment with CWR is lost the window goes down again, and CWR goes again (RFC 3168 §6.1.2)', () => {
  for (const byTimer of [false, true]) {
    const c = inFlight({ sack: true }).in('E. ack 1001')
    expect(window(c)).toEqual([5000, 5000])
    c.in('E. ack 8001').out('[ect0] W. 10001:11001 ack 1').outText(11_001, 13_001, 1, false)
    c.in('E. ack 10001').outText(13_001, 15_001, 1, false)
    if (byTimer) c.advance(350).out('[-] . 10001:11001 ack 1').in('. ack 15001').out('[ect0] W. 15001:16001 ack 1')
    else {
      c.in('E. ack 10001 <sack 11001:15001>')
      c.out('[-] . 10001:11001 ack 1', '[ect0] W. 15001:16001 ack 1')
    }
    expect(c.tcb.cc.ssthresh).toBeLessThan(4000)
    c.drain()
  }
})

scenario('a loss that was none leaves CWR due for the mark before it (RFC 3168 §6.1.2, RFC 4015 §3)', () => {
  const options = { sack: true, ts: true, mss: 1012, tcp: { undo: true } }
  const c = marked(options).write(40_000)
  c.drain()
  const first = 10_000 + c.ms
  c.advance(10).in(`E. ack 1001 <TS ecr ${first}>`).quiet()
  expect([...window(c), c.tcb.ecn.isCwrDue]).toEqual([5000, 5000, true])
  c.advance(40).in(`E. ack 1001 <TS ecr ${first},sack 2001:5001>`).out('[-] . 1001:2001 ack 1')
  c.advance(10).in(`E. ack 5001 <TS ecr ${first}>`)
  expect([c.tcb.recovery.phase, ...window(c), c.tcb.ecn.isCwrDue]).toEqual(['open', 5000, 5000, true])
  c.in(`E. ack 7001 <TS ecr ${first}>`).out('[ect0] W. 10001:11001 ack 1').drain()
  expect(window(c)).toEqual([5000, 5000])
})

scenario('a needless timeout after a mark gives back what the mark had left (RFC 5682, RFC 3168 §6.1.2)', () => {
  const c = inFlight({ tcp: { frto: true, undo: true } }).in('E. ack 1001')
  expect(window(c)).toEqual([5000, 5000])
  c.advance(350).out('[-] . 1001:2001 ack 1')
  expect(window(c)).toEqual([1000, 5000])
  c.in('. ack 2001').drain()
  c.in('. ack 3001').drain()
  expect([c.tcb.recovery.phase, c.tcb.counters.TcpExtTCPSpuriousRTOs]).toEqual(['open', 1])
  expect(c.tcb.cc.cwnd).toBeGreaterThanOrEqual(5000)
  expect(c.tcb.cc.ssthresh).toBe(5000)
})
