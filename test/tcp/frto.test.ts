// F-RTO (RFC 5682): new text after a timeout finds out whether it was needless.

import { expect } from 'vitest'
import { icmp } from './icmp-packet.ts'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

const NEVER = Number.POSITIVE_INFINITY
const mss = 1000
const window = (c: Script): number[] => [c.tcb.cc.cwnd, c.tcb.cc.ssthresh]
const phase = (c: Script): string => c.tcb.recovery.phase
const spurious = (c: Script): number => c.tcb.counters.TcpExtTCPSpuriousRTOs

/** Ten segments in flight, a timeout, and the first of them sent again; `more` octets wait. */
function timedOut(options: ScriptOptions = {}, more = 5000, isOn = true): Script {
  const c = established({ mss, ...options, tcp: { frto: isOn, ...options.tcp } })
  c.write(10_000 + more).outText(1, 10_001, 1, more === 0)
  c.advance(300).out('. 1:1001 ack 1')
  expect([phase(c), ...window(c)]).toEqual(['loss', 1000, 5000])
  return c
}

const SACK: ScriptOptions[] = [{}, { sack: true }, { sack: true, tcp: { rack: true, prr: true } }]

scenario(
  'a needless timeout: the first answer lets two new segments go, the second takes the timeout back (RFC 5682 §2.1, §3.1)',
  () => {
    for (const options of SACK) {
      const c = timedOut(options)
      c.advance(20).in('. ack 1001').out('. 10001:11001 ack 1', '. 11001:12001 ack 1').quiet()
      expect(c.connection.info().hold).toBe('frto')
      c.advance(1).in('. ack 2001')
      expect([phase(c), spurious(c), c.tcb.snd.flight.lostBytes]).toEqual(['open', 1, 0])
      expect(window(c)[0]).toBeGreaterThanOrEqual(10_000)
      expect(window(c)[1]).toBe(NEVER)
      for (const { seq } of c.drain()) expect(seq).toBeGreaterThanOrEqual(12_001) // nothing goes again
      c.in('. ack 12001').drain()
      expect([c.tcb.recovery.retransmits, c.tcb.counters.TcpExtTCPLossUndo]).toEqual([1, 1])
    }
  },
)

scenario('without F-RTO what had arrived goes again, and the window stays small (RFC 5681 §3.1)', () => {
  for (const options of SACK) {
    const c = timedOut(options, 5000, false)
    c.advance(20).in('. ack 1001').out('. 1001:2001 ack 1', '. 2001:3001 ack 1')
    c.in('. ack 2001').drain()
    expect([phase(c), spurious(c), c.tcb.cc.ssthresh]).toEqual(['loss', 0, 5000])
  }
})

scenario('without timestamps a needless timeout stays doubled until there is a sample (RFC 6298 §5, Karn)', () => {
  const c = timedOut()
  c.in('. ack 1001').drain()
  c.in('. ack 2001').drain()
  expect(c.connection.info().tcpi_backoff).toBe(1)
  c.in('. ack 12001').drain()
  expect(c.connection.info().tcpi_backoff).toBe(0)
})

scenario('a true timeout: the new text draws duplicates, and the rest goes again (RFC 5682 §2.1 step 3a)', () => {
  const c = timedOut()
  c.advance(100).in('. ack 1001').out('. 10001:11001 ack 1', '. 11001:12001 ack 1')
  c.advance(100).in('. ack 1001').out('. 1001:2001 ack 1')
  expect([phase(c), spurious(c), c.tcb.cc.ssthresh]).toEqual(['loss', 0, 5000])
  expect(c.tcb.cc.cwnd).toBeLessThanOrEqual(3000)
  c.in('. ack 1001').out('. 2001:3001 ack 1')
})

scenario(
  'the same with SACK: what answers the new text alone says that the old is lost (RFC 5682 §3.1 step 3a)',
  () => {
    const c = timedOut({ sack: true })
    c.advance(100).in('. ack 1001').out('. 10001:11001 ack 1', '. 11001:12001 ack 1')
    c.advance(100).in('. ack 1001 <sack 10001:11001>').out('. 1001:2001 ack 1')
    expect([phase(c), spurious(c)]).toEqual(['loss', 0])
    c.in('. ack 1001 <sack 10001:12001>').out('. 2001:3001 ack 1')
  },
)

scenario('when the timeout was real the window is three segments at most (RFC 5682 §2.1 step 3a)', () => {
  for (const sack of [true, false]) {
    const c = timedOut({ sack })
    c.in('. ack 6001').out('. 10001:11001 ack 1', '. 11001:12001 ack 1')
    expect(c.tcb.cc.cwnd).toBeGreaterThan(3000)
    c.in(`. ack 6001 ${sack ? '<sack 10001:11001>' : ''}`).drain()
    expect([phase(c), c.tcb.cc.cwnd]).toEqual(['loss', 3000])
  }
})

scenario('a peer that threw away what it had SACKed: the timeout was real (RFC 2018 §8, RFC 5682 §3.1)', () => {
  const c = established({ mss, sack: true, tcp: { frto: true } })
  c.write(15_000).outText(1, 10_001, 1, false).in('. ack 1 <sack 1001:3001>').drain()
  c.in('. ack 1001').drain()
  c.advance(400).drain()
  expect([phase(c), c.tcb.frto.step]).toEqual(['loss', 'off'])
})

scenario('with SACK old text that is SACKed proves it as well as old text acknowledged (RFC 5682 §3.1 step 3b)', () => {
  const c = timedOut({ sack: true })
  c.in('. ack 1001').drain()
  c.in('. ack 1001 <sack 3001:4001>')
  expect([phase(c), spurious(c), c.tcb.cc.ssthresh]).toEqual(['open', 1, NEVER])
  c.drain()
})

scenario('an answer to old and new text at once proves nothing (RFC 5682 §3.1 step 3)', () => {
  const c = timedOut({ sack: true })
  c.in('. ack 1001').drain()
  c.in('. ack 1001 <sack 10001:11001 3001:4001>').drain()
  expect([phase(c), spurious(c)]).toEqual(['loss', 0])
})

scenario(
  'a duplicate as the first answer: the timeout was real; with SACK it is waited on (RFC 5682 §2.1 step 2a, §3.1 step 2)',
  () => {
    const c = timedOut()
    c.in('. ack 1').quiet().in('. ack 1001').out('. 1001:2001 ack 1', '. 2001:3001 ack 1')
    const d = timedOut({ sack: true })
    d.in('. ack 1 <sack 5001:6001>').drain()
    d.in('. ack 1001 <sack 5001:6001>')
    expect(d.drain().at(-1)?.seq).toBeGreaterThanOrEqual(10_001)
    expect(d.tcb.frto.step).toBe('probe')
  },
)

scenario('an answer to a part of what went again decides for the usual recovery (RFC 5682 §2.1 step 2a)', () => {
  const c = timedOut()
  c.in('. ack 501')
  expect(c.tcb.frto.step).toBe('off')
  c.drain()
})

scenario('an answer to all that was out ends it (RFC 5682 §2.1 step 2a)', () => {
  const c = timedOut()
  c.in('. ack 10001')
  expect([phase(c), c.tcb.frto.step, spurious(c)]).toEqual(['open', 'off', 0])
  c.drain()
})

scenario('nothing new to send, or no window for it: the usual recovery follows (RFC 5682 §2.1 step 2b)', () => {
  const c = timedOut({}, 0)
  c.in('. ack 1001').out('. 1001:2001 ack 1', '. 2001:3001 ack 1')
  expect(c.tcb.frto.step).toBe('off')
  const d = timedOut()
  d.in('. ack 1001 win 9000').out('. 1001:2001 ack 1', '. 2001:3001 ack 1')
})

scenario('no more than two new segments go, however much the window allows (RFC 5682 §2.1 step 2b)', () => {
  const c = timedOut()
  c.in('. ack 4001').out('. 10001:11001 ack 1', '. 11001:12001 ack 1').quiet()
  const d = timedOut({}, 5000, false)
  d.in('. ack 4001').outText(4001, 9001, 1, false)
})

scenario('a timeout in fast recovery is of a true loss: it is not doubted (RFC 5682 §2.1 step 1)', () => {
  const c = established({ mss, sack: true, tcp: { frto: true } })
  c.write(15_000).outText(1, 10_001, 1, false).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
  c.advance(300).drain()
  expect([phase(c), c.tcb.frto.step]).toEqual(['loss', 'off'])
})

scenario('a second timeout of the same segment may be needless as well (RFC 5682 §3.2)', () => {
  const c = timedOut()
  c.advance(600).out('. 1:1001 ack 1').in('. ack 1001').out('. 10001:11001 ack 1', '. 11001:12001 ack 1')
  c.in('. ack 2001')
  expect([phase(c), spurious(c), c.tcb.cc.ssthresh]).toEqual(['open', 1, NEVER])
  c.drain()
})

scenario('a timeout while the new text is out goes on as any (RFC 5682 §2.1 step 1)', () => {
  const c = timedOut()
  c.in('. ack 1001').out('. 10001:11001 ack 1', '. 11001:12001 ack 1')
  c.advance(300).out('. 1001:2001 ack 1')
  expect(c.tcb.frto.step).toBe('off')
})

scenario('a timestamp tells sooner: with the first answer (RFC 3522 §3.2, RFC 5682 §5)', () => {
  const c = established({ mss: 1012, ts: true, sack: true, tcp: { frto: true, undo: true } })
  const first = 10_000 + Math.floor(c.ms)
  c.write(15_000).outText(1, 10_001, 1, false).advance(300).out('. 1:1001 ack 1')
  c.in(`. ack 1001 <TS ecr ${first}>`)
  expect([phase(c), spurious(c), c.tcb.counters.TcpExtTCPLossUndo]).toEqual(['open', 0, 1])
  c.drain()
})

scenario(
  'with RACK what was sent lately is not lost by a needless timeout, and the rest comes back (RFC 8985 §6.3, RFC 5682)',
  () => {
    const c = established({ mss, sack: true, tcp: { rack: true, frto: true } })
    c.write(1000).out('P. 1:1001 ack 1').advance(100).in('. ack 1001')
    c.write(3000).outText(1001, 4001).advance(250).write(2000).outText(4001, 6001)
    c.advance(50).out('. 1001:2001 ack 1')
    expect(c.tcb.snd.flight.lostBytes).toBe(2000)
    c.write(4000).in('. ack 2001').quiet() // what was sent lately fills the window
    c.in('. ack 3001')
    expect([phase(c), spurious(c), c.tcb.snd.flight.lostBytes]).toEqual(['open', 1, 0])
    c.drain()
  },
)

for (const congestion of ['cubic', 'newreno', 'bbr', 'dctcp']) {
  scenario(`${congestion} has its window back after a needless timeout (RFC 5682, RFC 4015 §3)`, () => {
    const c = established({ mss, sack: true, tcp: { frto: true, congestion, initialWindowSegments: 10, ecn: 'off' } })
    c.write(40_000).drain()
    for (let i = 0; i < 10; i++) c.advance(10, true)
    const { cwnd } = c.tcb.cc
    c.advance(400, true)
    if (c.tcb.recovery.phase !== 'loss') throw new Error('no timeout')
    c.in('. ack 1001').drain()
    c.advance(5, true).in('. ack 2001').drain()
    expect([phase(c), spurious(c)]).toEqual(['open', 1])
    expect(c.tcb.cc.cwnd).toBeGreaterThanOrEqual(cwnd)
  })
}

scenario('when there is nothing to take back what is lost goes again: nobody waits for the next timeout', () => {
  const c = timedOut({ sack: true, tcp: { congestion: 'reno' } })
  c.advance(20).in('. ack 1001').out('. 10001:11001 ack 1', '. 11001:12001 ack 1')
  c.call((connection) => connection.configure({ congestion: 'newreno' })).drain()
  c.advance(10).in('. ack 2001')
  expect([phase(c), spurious(c), c.tcb.frto.step]).toEqual(['loss', 0, 'off'])
  expect(c.drain().length).toBeGreaterThan(0)

  const d = timedOut({ sack: true })
  d.tcb.undo.isPossible = false // as after a path MTU that went down
  d.advance(20).in('. ack 1001').drain()
  d.advance(10).in('. ack 2001')
  expect([phase(d), spurious(d), d.tcb.frto.step]).toEqual(['loss', 0, 'off'])
  expect(d.drain().length).toBeGreaterThan(0)
})

scenario('a smaller path MTU says what was lost: it goes again before new text (RFC 5682 §2.1, RFC 1191 §6.5)', () => {
  for (const options of SACK) {
    const c = established({ ...options, tcp: { frto: true, ...options.tcp } })
    c.write(30_000).outText(1, 14_601, 1, false)
    c.advance(300).out('. 1:1461 ack 1')
    icmp(c, 'too-big', 1, { mtu: 1340 })
    c.out('. 1:1301 ack 1', '. 1301:1461 ack 1').advance(20).in('. ack 1461')
    const again = c.drain().map(({ seq }) => seq)
    expect([again[0], again.filter((at) => at > 14_600)]).toEqual([1461, []])
    expect([phase(c), spurious(c)]).toEqual(['loss', 0])
  }
})
