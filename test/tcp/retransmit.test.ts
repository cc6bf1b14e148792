// What goes again, in which pieces, and why: causes, the edge of a shrunk window, neighbours joined, a smaller path MTU, partial
// acknowledgements and the timer, limited transmit; and Linux's counters of all that.

import { expect, test } from 'vitest'
import type { TcpCounters } from '../../src/tcp/counters.ts'
import { SegmentPlan } from '../../src/tcp/header.ts'
import { onPathMtuLowered } from '../../src/tcp/loss.ts'
import { nextSegment } from '../../src/tcp/output.ts'
import { RETRANSMIT_CAUSES } from '../../src/tcp/reasons.ts'
import { established, listening, type Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const phase = (c: Script): string => c.tcb.recovery.phase
const window = (c: Script): number[] => [c.tcb.cc.cwnd, c.tcb.cc.ssthresh]

function inFlight(count: number, options: ScriptOptions = {}, more = 0): Script {
  const c = established({ mss, ...options })
  return c.write(count * 1000 + more).outText(1, count * 1000 + 1, 1, more === 0)
}

/** Counters that are not 0, without those of every connection. */
function counted(c: Script): Partial<TcpCounters> {
  const { counters } = c.tcb
  const names = (Object.keys(counters) as (keyof TcpCounters)[]).filter((name) => name.startsWith('TcpExt'))
  return Object.fromEntries(names.filter((name) => counters[name] > 0).map((name) => [name, counters[name]]))
}

/** The path takes only segments of that much text. */
function lowerMtu(c: Script, text: number): void {
  c.tcb.snd.mss = text
  c.tcb.cc.mss = text
  onPathMtuLowered(c.tcb)
}

test('each cause has words and a clause', () => {
  for (const { text, clause } of Object.values(RETRANSMIT_CAUSES)) {
    expect(text.length).toBeGreaterThan(10)
    expect(clause).toMatch(/^RFC \d+ §/)
  }
})

scenario(
  'each piece that goes again says why (RFC 6298 §5.4, RFC 5681 §3.2, RFC 6582 §3.2, RFC 6675 §4, RFC 8985 §6.2 §7.3)',
  () => {
    const cause = (c: Script): string => {
      const entries = Array.from({ length: c.tcb.snd.flight.size }, (_, i) => c.tcb.snd.flight.at(i))
      return entries.find(({ transmissions }) => transmissions > 1)?.cause ?? 'none'
    }
    const c = inFlight(5)
    expect(cause(c)).toBe('none')
    c.advance(300).drain()
    expect(cause(c)).toBe('rto')
    const d = inFlight(8)
    d.times(3, '. ack 1').drain()
    expect(cause(d)).toBe('fast')
    d.in('. ack 4001').drain()
    expect(cause(d)).toBe('reno-partial')
    const e = inFlight(8, { sack: true })
    e.in('. ack 1 <sack 1001:4001>').drain()
    expect(cause(e)).toBe('fast')
    const f = inFlight(8, { sack: true, tcp: { rack: true } }).advance(100)
    f.in('. ack 1 <sack 1001:4001>').drain()
    expect(cause(f)).toBe('rack')
    const g = inFlight(3, { sack: true, tcp: { rack: true, tailLossProbe: true } })
    g.advance(200).drain()
    expect(cause(g)).toBe('tlp')
    const h = inFlight(10, { sack: true })
    h.in('. ack 1 <sack 1001:4001>').drain()
    h.in('. ack 1 <sack 1001:7001>').in('. ack 7001 <sack 8001:10001>').drain()
    expect(cause(h)).toBe('suspect')
  },
)

scenario('the plan of a segment carries the cause to whoever makes the packet (RFC 6298 §5.4)', () => {
  const c = inFlight(3)
  const plan = new SegmentPlan()
  c.stack.handleTimeout(c.now + 300_000)
  expect(nextSegment(c.tcb, c.now + 300_000, 0, plan)).toBe(true)
  expect([plan.isResent, plan.cause]).toEqual([true, 'rto'])
  c.tcb.rcv.acksOwed = 1
  c.tcb.cc.cwnd = 0
  expect(nextSegment(c.tcb, c.now + 300_000, 0, plan)).toBe(true)
  expect([plan.isResent, plan.cause]).toEqual([false, 'none'])
  const d = established({ mss, sack: true, tcp: { rack: true, tailLossProbe: true } })
  d.write(11_000).outText(1, 10_001, 1, false)
  d.tcb.tlp.isDue = true
  expect(nextSegment(d.tcb, d.now, 0, plan)).toBe(true)
  expect([plan.isResent, plan.cause]).toEqual([false, 'tlp']) // new text
})

scenario(
  'a SYN,ACK goes again because the SYN came again, or because its timer expired (RFC 9293 §3.10.7.4, RFC 6298 §5.4)',
  () => {
    const c = listening().in('S 0 <mss 1460>').out('S. 0 ack 1')
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
    expect(c.tcb.snd.flight.at(0).cause).toBe('syn')
    c.advance(1000).out('S. 0 ack 1')
    expect(c.tcb.snd.flight.at(0).cause).toBe('rto')
    expect(c.tcb.counters.TcpExtTCPLostRetransmit).toBe(1)
  },
)

scenario(
  'of what lies across the edge of a shrunk window only what is inside goes again (RFC 9293 §3.8.6 [SHLD-16])',
  () => {
    const c = inFlight(4)
    c.in('. ack 1 win 1500').advance(300).out('. 1:1001 ack 1')
    c.in('. ack 1001 win 500').out('. 1001:1501 ack 1').quiet()
    expect(c.connection.info().hold).toBe('window')
    c.in('. ack 1501 win 5000').out('. 1501:2001 ack 1', '. 2001:3001 ack 1')
    const d = inFlight(2)
    d.in('. ack 1 win 300').advance(300).out('. 1:301 ack 1') // the first piece too
    const e = inFlight(2)
    e.in('. ack 1 win 0').advance(300).out('. 1:1001 ack 1') // and with no window at all it probes it [MAY-7]
  },
)

scenario('a FIN just beyond the edge waits for the window (RFC 9293 §3.8.6 [SHLD-16])', () => {
  const c = established({ mss })
  c.write(500).drain()
  c.call((connection) => connection.shutdownWrite()).drain()
  c.tcb.snd.wl1 = c.tcb.rcv.nxt
  c.in('. ack 1 win 500').advance(300).out('P. 1:501 ack 1').quiet()
  c.in('. ack 501 win 500').out('F. 501 ack 1')
})

scenario('neighbours that were lost go again as one segment of full size, with FIN and PSH (RFC 9293 §3.8.1)', () => {
  for (const retransmitCollapse of [true, false]) {
    const c = established({ mss, tcp: { nagle: false, retransmitCollapse } })
    for (let i = 0; i < 6; i++) c.write(300).out(`P. ${1 + 300 * i}:${301 + 300 * i} ack 1`)
    c.call((connection) => connection.shutdownWrite()).out('F. 1801 ack 1')
    c.advance(300)
    if (!retransmitCollapse) {
      c.out('. 1:301 ack 1', '. 301:601 ack 1', '. 601:901 ack 1').quiet()
      continue
    }
    c.out('. 1:901 ack 1').in('. ack 901').out('FP. 901:1801 ack 1').in('. ack 1802')
    expect(c.state).toBe('FIN-WAIT-2')
    expect(c.tcb.recovery.retransmits).toBe(2)
  }
})

scenario('what is not lost, or SACKed, is not joined (RFC 9293 §3.8.1, RFC 2018 §5)', () => {
  const c = established({ mss, sack: true, tcp: { nagle: false, retransmitCollapse: true } })
  for (let i = 0; i < 6; i++) c.write(200).out(`P. ${1 + 200 * i}:${201 + 200 * i} ack 1`)
  c.in('. ack 1 <sack 401:601>').advance(300).out('. 1:401 ack 1', 'P. 601:1201 ack 1')
})

scenario('joined pieces are cut to the device’s super-segments as the window allows (RFC 9293 §3.8.1)', () => {
  const offload = { checksum: true, superSegmentBytes: 65535 }
  const c = established({ mss, sack: true, offload, tcp: { nagle: false, retransmitCollapse: true } })
  for (let i = 0; i < 10; i++) c.write(1000).out(`P. ${1 + 1000 * i}:${1001 + 1000 * i} ack 1`)
  c.in('. ack 1 <sack 9001:10001 7001:8001 5001:6001>').out('. 1:1001 ack 1', '. 1001:3001 ack 1')
})

scenario(
  'a smaller path MTU and an acknowledgement in one batch: what was too big goes again, cwnd stays (RFC 8201 §4, RFC 1191 §6.5)',
  () => {
    for (const tcp of [{}, { rack: true, undo: true, prr: true }]) {
      const c = inFlight(10, { sack: true, tcp }, 10_000)
      c.advance(100)
      lowerMtu(c, 600)
      c.in('. ack 1 <sack 5001:6001>')
      expect(c.drain().every(({ seq, end }) => end - seq <= 600)).toBe(true)
      expect([c.tcb.cc.cwnd >= 10_000, c.tcb.cc.ssthresh]).toEqual([true, Number.POSITIVE_INFINITY])
      expect([phase(c), c.tcb.undo.isPossible, c.tcb.snd.flight.at(0).cause]).toEqual(['loss', false, 'pmtu'])
      c.advance(100).in('. ack 10001 <sack 1:1001>').drain()
      expect([phase(c), c.tcb.cc.cwnd >= 10_000, c.tcb.cc.ssthresh]).toEqual(['open', true, Number.POSITIVE_INFINITY])
      expect(counted(c)).not.toHaveProperty('TcpExtTCPSackRecovery')
    }
  },
)

scenario('what fits the smaller MTU is not sent again (RFC 1191 §6.5)', () => {
  const c = established({ mss, tcp: { nagle: false } })
  c.write(300).out('P. 1:301 ack 1').write(1000).out('P. 301:1301 ack 1')
  lowerMtu(c, 600)
  c.call((connection) => connection.configure({}))
    .out('. 301:901 ack 1', 'P. 901:1301 ack 1')
    .in('. ack 301')
    .quiet()
  c.in('. ack 1301').silent(1000)
})

scenario(
  'in fast recovery a smaller MTU changes nothing of it, but that it cannot be taken back (RFC 8201 §4, RFC 4015 §3)',
  () => {
    const c = inFlight(10, { sack: true, tcp: { undo: true } })
    c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    lowerMtu(c, 600)
    expect([phase(c), ...window(c), c.tcb.undo.isPossible]).toEqual(['recovery', 5000, 5000, false])
    c.in('. ack 4001').drain()
    c.in('. ack 10001').drain()
    c.in('. ack 10001 <sack 1:1001>').drain()
    expect(c.tcb.cc.ssthresh).toBe(5000)
  },
)

scenario('a timeout after that is one like any other (RFC 6298 §5)', () => {
  const c = inFlight(4)
  lowerMtu(c, 600)
  c.call((connection) => connection.configure({})).drain()
  c.advance(300).drain()
  expect(c.tcb.cc.cwnd).toBe(600)
})

scenario('without SACK only the first partial acknowledgement restarts the timer (RFC 6582 §3.2 step 3, §4)', () => {
  const at = (c: Script): number => (c.tcb.timers.retransmit - c.now) / 1000
  const c = inFlight(10)
  c.advance(10).times(3, '. ack 1').out('. 1:1001 ack 1')
  c.advance(100).in('. ack 2001').out('. 2001:3001 ack 1')
  expect(at(c)).toBe(300)
  c.advance(100).in('. ack 4001').out('. 4001:5001 ack 1')
  expect(at(c)).toBe(200)
  c.advance(100).in('. ack 6001').out('. 6001:7001 ack 1')
  expect(at(c)).toBe(100)
  c.advance(100).out('. 6001:7001 ack 1') // slow start mends the rest sooner than a hole for each round trip
  expect(phase(c)).toBe('loss')
  const e = inFlight(10) // the next recovery has a first one again
  e.times(3, '. ack 1').drain()
  for (const ack of [2001, 4001, 10_001]) e.in(`. ack ${ack}`).drain()
  e.write(9000).drain()
  e.in('. ack 11001').drain()
  for (let i = 0; i < 3; i++) e.in('. ack 11001').drain()
  expect(phase(e)).toBe('recovery')
  e.advance(100).in('. ack 13001').drain()
  expect(at(e)).toBeGreaterThanOrEqual(200)
  expect(e.tcb.recovery.partialAcks).toBe(1)
  const d = inFlight(10, { sack: true })
  d.in('. ack 1 <sack 1001:4001>').drain()
  for (const ack of [4001, 5001, 6001]) {
    d.advance(100).in(`. ack ${ack}`).drain()
    expect(at(d)).toBeGreaterThanOrEqual(300)
  }
})

scenario('the first duplicates let two segments go beyond cwnd, with SACK or without; never more (RFC 3042 §2)', () => {
  for (const sack of [true, false]) {
    const c = inFlight(10, { sack }, 5000)
    c.in(`. ack 1 ${sack ? '<sack 1001:2001>' : ''}`).out('. 10001:11001 ack 1')
    c.in(`. ack 1 ${sack ? '<sack 1001:3001>' : ''}`).out('. 11001:12001 ack 1')
    expect(c.tcb.snd.flight.bytes - c.tcb.cc.cwnd).toBe(2000)
  }
  // Duplicates that begin no recovery, for they are of text from before the last one ended (RFC 6582 §3.2 step 2).
  const c = inFlight(10)
  c.advance(300).drain()
  c.in('. ack 10001').write(30_000).drain()
  const before = c.tcb.snd.nxt
  for (let i = 0; i < 2; i++) c.in('. ack 10001').drain()
  expect((c.tcb.snd.nxt - before) | 0).toBe(2000)
  for (let i = 0; i < 6; i++) c.in('. ack 10001').quiet()
})

scenario('RACK goes on with limited transmit while it waits for reordering (RFC 3042 §2, RFC 8985 §3.4)', () => {
  const c = inFlight(10, { sack: true, tcp: { rack: true } }, 5000)
  c.advance(100).in('. ack 1 <sack 1001:2001>').out('. 10001:11001 ack 1')
  c.in('. ack 1 <sack 1001:3001>').out('. 11001:12001 ack 1')
  expect(phase(c)).toBe('open')
})

scenario('a retransmission that is lost again is counted (nstat TcpExtTCPLostRetransmit)', () => {
  const c = inFlight(4)
  c.advance(300).drain()
  expect(counted(c)).not.toHaveProperty('TcpExtTCPLostRetransmit')
  c.advance(600).drain()
  expect(counted(c)).toMatchObject({ TcpExtTCPLostRetransmit: 1, TcpExtTCPTimeouts: 2 })
})

scenario('timeouts are told apart by what went before them (nstat TcpExtTCP*Fail, *Failures)', () => {
  const count = (options: ScriptOptions, ...lines: string[]): Partial<TcpCounters> => {
    const c = inFlight(8, options)
    for (const line of lines) c.in(line).drain()
    c.advance(350).drain()
    return counted(c)
  }
  const none = { TcpExtTCPTimeouts: 1 }
  expect(count({})).toEqual(expect.objectContaining(none))
  expect(count({})).not.toHaveProperty('TcpExtTCPRenoFailures')
  expect(count({}, '. ack 1')).toMatchObject({ ...none, TcpExtTCPRenoFailures: 1 })
  expect(count({ sack: true }, '. ack 1 <sack 1001:2001>')).toMatchObject({ ...none, TcpExtTCPSackFailures: 1 })
  expect(count({}, '. ack 1', '. ack 1', '. ack 1')).toMatchObject({ ...none, TcpExtTCPRenoRecoveryFail: 1 })
  expect(count({ sack: true }, '. ack 1 <sack 1001:4001>')).toMatchObject({ ...none, TcpExtTCPSackRecoveryFail: 1 })
  const c = inFlight(8)
  c.advance(300).drain()
  c.in('. ack 1001').drain()
  c.advance(300).drain()
  expect(counted(c)).toMatchObject({ TcpExtTCPTimeouts: 2, TcpExtTCPLossFailures: 1 })
  const d = inFlight(8, { sack: true })
  d.in('. ack 1 <sack 1001:3001>').in('. ack 1001').drain()
  d.advance(350).drain()
  expect(counted(d)).toMatchObject({ TcpExtTCPSACKReneging: 1 })
})

scenario(
  'recoveries taken back are told apart by when and by what (nstat TcpExtTCPFullUndo, PartialUndo, DSACKUndo, LossUndo)',
  () => {
    const undone = (isTimeout: boolean, ...answers: ((echo: number) => string)[]): Partial<TcpCounters> => {
      const c = established({ mss: 1012, ts: true, sack: true, tcp: { undo: true, rack: true } })
      const echo = 10_000 + Math.floor(c.ms)
      c.write(10_000).outText(1, 10_001)
      if (isTimeout) c.advance(300).drain()
      else c.advance(50).in(`. ack 1 <TS ecr ${echo},sack 1001:4001>`).drain()
      c.advance(10)
      for (const answer of answers) c.in(answer(echo)).drain()
      return counted(c)
    }
    const partial = undone(false, (echo) => `. ack 4001 <TS ecr ${echo}>`)
    expect(partial).toMatchObject({ TcpExtTCPPartialUndo: 1, TcpExtTCPTSReorder: 1 })
    expect(undone(false, (echo) => `. ack 10001 <TS ecr ${echo}>`)).toMatchObject({ TcpExtTCPFullUndo: 1 })
    expect(undone(true, (echo) => `. ack 2001 <TS ecr ${echo}>`)).toMatchObject({ TcpExtTCPLossUndo: 1 })
    const both = [
      (echo: number) => `. ack 10001 <TS ecr ${echo + 50}>`,
      (echo: number) => `. ack 10001 <TS ecr ${echo},sack 1:1001>`,
    ]
    expect(undone(false, ...both)).toMatchObject({ TcpExtTCPDSACKUndo: 1 })
  },
)

scenario('text that was overtaken is counted (nstat TcpExtTCPSACKReorder)', () => {
  const c = inFlight(4, { sack: true, tcp: { rack: true } })
  c.advance(100).in('. ack 1 <sack 1001:2001>').in('. ack 2001')
  expect(counted(c)).toMatchObject({ TcpExtTCPSACKReorder: 1 })
})

scenario(
  'a recovery that is taken back is one of the sixteen that a widened window lasts (RFC 8985 §6.2 step 4)',
  () => {
    const c = established({ mss: 1012, ts: true, sack: true, tcp: { rack: true, undo: true } })
    c.tcb.rack.windowMultiplier = 2
    c.tcb.rack.windowPersist = 2
    const echo = 10_000 + Math.floor(c.ms)
    c.write(10_000).outText(1, 10_001)
    c.advance(50).in(`. ack 1 <TS ecr ${echo},sack 1001:4001>`).out('. 1:1001 ack 1')
    c.advance(10).in(`. ack 4001 <TS ecr ${echo}>`)
    expect([phase(c), c.tcb.rack.windowPersist, c.tcb.rack.windowMultiplier]).toEqual(['open', 1, 2])
  },
)
