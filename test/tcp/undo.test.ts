// Taking back a reaction to a loss that was none: by timestamps (Eifel, RFC 3522), by DSACKs (RFC 3708); the window comes back (RFC 4015).

import { expect } from 'vitest'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

const NEVER = Number.POSITIVE_INFINITY
const window = (c: Script): number[] => [c.tcb.cc.cwnd, c.tcb.cc.ssthresh]
const phase = (c: Script): string => c.tcb.recovery.phase

/** Ten segments of 1000 octets in flight. */
function inFlight(options: ScriptOptions = {}, isOn = true): Script {
  const mss = options.ts ? 1012 : 1000
  const c = established({ mss, sack: true, ...options, tcp: { undo: isOn, ...options.tcp } })
  return c.write(10_000).outText(1, 10_001)
}

/** What our timestamp is now, as the scripts count it. */
const clock = (c: Script): number => 10_000 + Math.floor(c.ms)

/** Ten segments with timestamps, the first sent again 50 ms later for three that were SACKed. Their timestamps: [original, second copy]. */
function resent(isOn = true, tcp: ScriptOptions['tcp'] = {}): { c: Script; first: number; second: number } {
  const c = inFlight({ ts: true, tcp }, isOn)
  const first = clock(c)
  c.advance(50).in(`. ack 1 <TS ecr ${first},sack 1001:4001>`).out('. 1:1001 ack 1')
  expect([phase(c), ...window(c)]).toEqual(['recovery', 5000, 5000])
  return { c, first, second: clock(c) }
}

scenario(
  'an echo from before the retransmission: recovery ends, cwnd and ssthresh come back (RFC 3522 §3.2, RFC 4015 §3)',
  () => {
    for (const isOn of [true, false]) {
      const { c, first } = resent(isOn)
      c.advance(10).in(`. ack 4001 <TS ecr ${first}>`)
      expect([phase(c), ...window(c)]).toEqual(isOn ? ['open', 10_000, NEVER] : ['recovery', 5000, 5000])
    }
  },
)

scenario('an echo of the retransmission: the loss was real (RFC 3522 §3.2)', () => {
  const { c, second } = resent()
  c.advance(50).in(`. ack 4001 <TS ecr ${second}>`)
  expect([phase(c), ...window(c)]).toEqual(['recovery', 5000, 5000])
  c.in(`. ack 10001 <TS ecr ${second}>`)
  expect([phase(c), ...window(c)]).toEqual(['open', 5000, 5000])
})

scenario(
  'only the first acknowledgement of what was sent again is judged, not that of a later hole (RFC 3522 §3.2)',
  () => {
    const { c, first, second } = resent()
    c.advance(50).in(`. ack 4001 <TS ecr ${second}>`)
    c.in(`. ack 6001 <TS ecr ${first}>`).in(`. ack 10001 <TS ecr ${first}>`)
    expect(window(c)).toEqual([5000, 5000])
  },
)

scenario('what is acknowledged below the first retransmission tells nothing of it (RFC 3522 §3.2)', () => {
  const c = inFlight({ ts: true })
  const first = clock(c)
  c.advance(50).in(`. ack 1 <TS ecr ${first},sack 1001:4001>`).out('. 1:1001 ack 1')
  // As when a tail probe lies before what was lost: what was sent again begins further up.
  c.tcb.undo.resendStart = (c.tcb.snd.una + 5000) as typeof c.tcb.snd.una
  c.advance(10).in(`. ack 4001 <TS ecr ${first}>`)
  expect([phase(c), c.tcb.undo.isJudged]).toEqual(['recovery', false])
})

scenario('what waited to be sent again is not sent after all (RFC 4015 §3)', () => {
  const c = inFlight({ ts: true })
  const first = clock(c)
  c.advance(50).in(`. ack 1 <TS ecr ${first},sack 7001:10001>`).outText(1, 5001, 1, false)
  expect(c.tcb.snd.flight.lostBytes).toBe(2000)
  c.advance(1).in(`. ack 1001 <TS ecr ${first},sack 7001:10001>`).quiet()
  expect([phase(c), c.tcb.snd.flight.lostBytes]).toEqual(['open', 0])
  c.in(`. ack 10001 <TS ecr ${first}>`).silent(1000)
})

scenario(
  'all that was judged lost arrives in the batch that said so: nothing went again, nothing was lost (RFC 4015 §3)',
  () => {
    for (const isOn of [true, false]) {
      const c = inFlight({}, isOn)
      c.advance(50).in('. ack 1 <sack 1001:4001>', '. ack 4001').quiet()
      expect([phase(c), ...window(c)]).toEqual(isOn ? ['open', 10_000, NEVER] : ['recovery', 5000, 5000])
      c.in('. ack 10001')
      expect(window(c)).toEqual(isOn ? [16_000, NEVER] : [5000, 5000])
    }
  },
)

scenario('one of two losses arrives in the batch that told of them: the other stays one (RFC 4015 §3)', () => {
  const c = inFlight({ ts: true })
  const first = clock(c)
  c.advance(50).in(`. ack 1 <TS ecr ${first},sack 3001:10001>`, `. ack 1001 <TS ecr ${first},sack 3001:10001>`)
  expect(phase(c)).toBe('recovery')
  c.outText(1001, 3001, 1, false)
  const second = clock(c)
  c.advance(50).in(`. ack 10001 <TS ecr ${second}>`)
  expect(window(c)).toEqual([5000, 5000])
})

scenario('what a tail probe had sent again tells nothing by arriving (RFC 8985 §7.4.2)', () => {
  const c = inFlight({ tcp: { rack: true, tailLossProbe: true } })
  c.advance(200).out('P. 9001:10001 ack 1') // the tail probe
  c.advance(50).in('. ack 1 <sack 1001:4001>', '. ack 4001').quiet()
  expect([phase(c), c.tcb.cc.ssthresh]).toEqual(['recovery', 5000])
})

scenario('no timestamps, no judgement by them (RFC 3522 §3.1)', () => {
  const c = inFlight()
  c.advance(50).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1').advance(10).in('. ack 4001')
  expect([phase(c), ...window(c)]).toEqual(['recovery', 5000, 5000])
})

scenario('a DSACK of the only retransmission takes the recovery back, also when it is over (RFC 3708 §2)', () => {
  for (const isOn of [true, false]) {
    const c = inFlight({}, isOn)
    c.advance(50).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1').in('. ack 10001')
    expect(window(c)).toEqual([5000, 5000])
    c.in('. ack 10001 <sack 1:1001>')
    expect(window(c)).toEqual(isOn ? [10_000, NEVER] : [5000, 5000])
  }
})

scenario('all of what was sent again has to be DSACKed (RFC 3708 §2)', () => {
  const c = inFlight()
  c.in('. ack 1 <sack 5001:10001>').outText(1, 5001, 1, false).in('. ack 10001')
  for (let i = 0; i < 4; i++) c.in(`. ack 10001 <sack ${1 + 1000 * i}:${1001 + 1000 * i}>`)
  expect(window(c)).toEqual([5000, 5000])
  c.in('. ack 10001 <sack 4001:5001>')
  expect(window(c)).toEqual([10_000, NEVER])
})

scenario(
  'a DSACK of what was not sent again tells of a network that doubles, not of a false loss (RFC 3708 §2)',
  () => {
    const c = inFlight()
    c.in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1')
    c.in('. ack 1 <sack 2001:3001 1001:4001>')
    expect(phase(c)).toBe('recovery')
    c.in('. ack 10001').in('. ack 10001 <sack 8001:9001>')
    expect(window(c)).toEqual([5000, 5000])
  },
)

scenario('a super-segment sent again is as many segments as the device makes of it (RFC 3708 §2)', () => {
  const c = established({
    mss: 1000,
    sack: true,
    tcp: { undo: true },
    offload: { checksum: true, superSegmentBytes: 65535 },
  })
  c.write(10_000).out('P. 1:10001 ack 1').in('. ack 1 <sack 5001:10001>').out('. 1:1001 ack 1', '. 1001:5001 ack 1')
  c.in('. ack 10001').in('. ack 10001 <sack 1:1001>').in('. ack 10001 <sack 1001:2001>')
  expect(window(c)).toEqual([5000, 5000]) // three of them were lost, for all that is known
  c.in('. ack 10001 <sack 2001:3001>').in('. ack 10001 <sack 3001:4001>').in('. ack 10001 <sack 4001:5001>')
  expect(window(c)).toEqual([10_000, NEVER])
})

scenario('a recovery is taken back once (RFC 4015 §3)', () => {
  const { c, first } = resent()
  c.advance(10).in(`. ack 4001 <TS ecr ${first}>`)
  c.tcb.cc.cwnd = 7000
  c.in(`. ack 4001 <TS ecr ${first},sack 1:1001>`).in(`. ack 4001 <TS ecr ${first},sack 1:1001>`)
  expect(window(c)).toEqual([7000, NEVER])
})

scenario('a loss after a recovery taken back is a loss (RFC 4015 §3)', () => {
  const { c, first } = resent()
  c.advance(10).in(`. ack 4001 <TS ecr ${first}>`)
  c.in(`. ack 4001 <TS ecr ${first},sack 5001:8001>`).out('. 4001:5001 ack 1')
  expect([phase(c), c.tcb.cc.ssthresh]).toEqual(['recovery', 3000])
  const again = clock(c)
  c.advance(50).in(`. ack 10001 <TS ecr ${again}>`)
  expect(window(c)).toEqual([3000, 3000])
})

scenario(
  'a false timeout: an echo from before brings the window back, and the rest is not sent again (RFC 3522, RFC 4015 §3)',
  () => {
    for (const isOn of [true, false]) {
      const c = inFlight({ ts: true }, isOn)
      const first = clock(c)
      c.advance(300).out('. 1:1001 ack 1')
      expect([phase(c), ...window(c)]).toEqual(['loss', 1000, 5000])
      c.advance(20).in(`. ack 2001 <TS ecr ${first}>`)
      if (isOn) c.quiet()
      else c.drain()
      expect(phase(c)).toBe(isOn ? 'open' : 'loss')
      if (isOn)
        expect(window(c)).toEqual([12_000, NEVER]) // and slow start goes on
      else expect(c.tcb.cc.ssthresh).toBe(5000)
    }
  },
)

scenario('a true timeout stays one (RFC 3522 §3.2)', () => {
  const c = inFlight({ ts: true })
  c.advance(300).out('. 1:1001 ack 1')
  const second = clock(c)
  c.advance(100).in(`. ack 1001 <TS ecr ${second}>`)
  expect([phase(c), c.tcb.cc.ssthresh]).toEqual(['loss', 5000])
  expect(c.drain().length).toBeGreaterThan(0)
})

scenario('a timeout that came twice is compared with its first retransmission (RFC 3522 §3.2)', () => {
  const c = inFlight({ ts: true })
  c.advance(300).out('. 1:1001 ack 1')
  const second = clock(c)
  c.advance(600).out('. 1:1001 ack 1').advance(20).in(`. ack 1001 <TS ecr ${second}>`)
  expect(phase(c)).toBe('loss') // the second copy: the first was lost
  c.drain()
})

scenario('DSACKs take back a timeout, too (RFC 3708 §2)', () => {
  for (const isOn of [true, false]) {
    const c = inFlight({}, isOn)
    c.advance(300).out('. 1:1001 ack 1').in('. ack 10001').in('. ack 10001 <sack 1:1001>')
    if (isOn) expect(window(c)).toEqual([10_000, NEVER])
    else expect(c.tcb.cc.ssthresh).toBe(5000)
  }
})

scenario('a false timeout in a true recovery does not bring back what the recovery took (RFC 4015 §3)', () => {
  const { c, second } = resent()
  c.advance(249).silent(0).advance(2)
  c.out('. 1:1001 ack 1') // a timeout: the answer to the fast retransmission is late
  c.advance(20).in(`. ack 4001 <TS ecr ${second}>`)
  expect(c.tcb.cc.ssthresh).toBeLessThanOrEqual(5000)
  expect(c.tcb.cc.cwnd).toBeLessThanOrEqual(5000)
  c.drain()
})

scenario('a tail probe is no retransmission to be explained (RFC 3708 §2, RFC 8985 §7)', () => {
  const c = inFlight({ tcp: { tailLossProbe: true, rack: true } })
  c.advance(50).in('. ack 1 <sack 1001:4001>').out('. 1:1001 ack 1').in('. ack 10001')
  c.write(3000).outText(10_001, 13_001).advance(200).drain()
  expect(c.tcb.undo.unexplained).toBe(1)
  c.in('. ack 13001').in('. ack 13001 <sack 12001:13001>')
  expect(c.tcb.cc.ssthresh).toBe(5000)
})

scenario(
  'a recovery taken back has shown reordering: RACK waits before it believes the next (RFC 8985 §6.2 step 4)',
  () => {
    const { c, first } = resent(true, { rack: true })
    expect(c.tcb.rack.isReorderingSeen).toBe(false)
    c.advance(10).in(`. ack 4001 <TS ecr ${first}>`)
    expect(c.tcb.rack.isReorderingSeen).toBe(true)
    c.advance(40).in(`. ack 4001 <TS ecr ${first},sack 6001:9001>`).silent(20).in(`. ack 10001 <TS ecr ${first}>`)
    expect([c.tcb.recovery.retransmits, ...window(c)]).toEqual([1, 16_000, NEVER])
  },
)

for (const congestion of ['cubic', 'dctcp', 'newreno']) {
  scenario(`${congestion} gets its window back as well (RFC 4015 §3, RFC 9438 §4.9)`, () => {
    const c = inFlight({ ts: true, tcp: { congestion, ecn: 'off' } })
    const first = clock(c)
    c.advance(50).in(`. ack 1 <TS ecr ${first},sack 1001:4001>`).out('. 1:1001 ack 1')
    expect(c.tcb.cc.cwnd).toBeLessThan(10_000)
    c.advance(10).in(`. ack 4001 <TS ecr ${first}>`)
    expect(window(c)).toEqual([10_000, NEVER])
  })
}

scenario('what goes again is sent, too: the pause that costs the window counts from then on (RFC 5681 §4.1)', () => {
  const c = established({ mss: 1012, ts: true, tcp: { windowValidation: 'off', undo: true } })
  c.write(10_000).outText(1, 10_001).advance(100).in('. ack 10001')
  const first = clock(c)
  c.write(20_000).outText(10_001, 30_001)
  c.advance(300).out('. 10001:11001 ack 1')
  c.advance(10).in(`. ack 11001 <TS ecr ${first}>`).quiet() // the original had arrived: the window comes back
  expect([phase(c), c.tcb.cc.cwnd]).toEqual(['open', 21_000])
  c.advance(50).in(`. ack 30001 <TS ecr ${first}>`).quiet()
  const { cwnd } = c.tcb.cc
  expect(c.tcb.rtt.rtoUs).toBeLessThan(700_000)
  c.advance(340).write(1000).drain() // 700 ms after new text went, 400 after the first of it went again
  expect(c.tcb.cc.cwnd).toBe(cwnd)
})
