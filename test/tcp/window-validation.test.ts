// A congestion window that is not used: it does not grow, and does not stay for ever (RFC 7661; RFC 2861 as Linux has it; RFC 5681 §4.1).

import { expect } from 'vitest'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'

const mss = 1000
const cwnd = (c: Script): number => c.tcb.cc.cwnd

/** A connection whose window of `segments` has been used in full, with all of it acknowledged; RTT 100 ms. */
function grown(options: ScriptOptions = {}, segments = 40): { c: Script; at: number } {
  const c = established({ mss, wscale: 7, ...options })
  let at = 1
  while (cwnd(c) < segments * mss) {
    const window = cwnd(c)
    c.write(window).drain()
    at += window
    c.advance(100).in(`. ack ${at}`)
  }
  expect(cwnd(c)).toBe(segments * mss)
  return { c, at }
}

/** Sends `bytes` and has them acknowledged a round trip of 100 ms later, `rounds` times. */
function trickle(c: Script, from: number, rounds: number, bytes = mss): number {
  let at = from
  for (let i = 0; i < rounds; i++) {
    c.write(bytes).drain()
    at += bytes
    c.advance(100).in(`. ack ${at}`)
  }
  return at
}

// Whether the window was in use.

scenario('a burst that fills the window exactly has used it, though nothing was held back (RFC 7661 §4.3)', () => {
  const c = established({ mss, tcp: { initialWindowSegments: 4 } })
  c.write(4000).outText(1, 4001)
  expect(c.tcb.hold).toBe('nothing')
  c.in('. ack 4001')
  expect(cwnd(c)).toBe(8000)
})

scenario('the same in one super-segment, and with less than a segment of room left (RFC 7661 §4.3)', () => {
  for (const length of [4000, 3500]) {
    const c = established({
      mss,
      tcp: { initialWindowSegments: 4, nagleVariant: 'minshall' },
      offload: { checksum: true, superSegmentBytes: 65535 },
    })
    c.write(length).drain()
    c.in(`. ack ${length + 1}`)
    expect(cwnd(c)).toBe(4000 + length)
  }
})

scenario('in slow start more than half of the window is use enough, half is not; as Linux', () => {
  const c = established({ mss })
  c.write(5000).outText(1, 5001).in('. ack 5001')
  expect(cwnd(c)).toBe(10_000)
  const d = established({ mss })
  d.write(6000).outText(1, 6001).in('. ack 6001')
  expect(cwnd(d)).toBe(16_000)
})

scenario('in congestion avoidance only a full window grows (RFC 7661 §4.3)', () => {
  for (const [length, grows] of [
    [9000, false],
    [10_000, true],
  ] as const) {
    const c = established({ mss })
    c.tcb.cc.ssthresh = 5000
    c.write(length).outText(1, length + 1)
    c.in(`. ack ${length + 1}`)
    expect([cwnd(c), c.tcb.cc.acked]).toEqual([grows ? 11_000 : 10_000, 0])
  }
})

scenario(
  'what the window held back counts until that flight is acknowledged, whatever the application does then',
  () => {
    const c = established({ mss, tcp: { initialWindowSegments: 4 } })
    c.tcb.cc.ssthresh = 4000
    c.write(5000).outText(1, 4001, 1, false)
    c.in('. ack 1001').out('P. 4001:5001 ack 1') // nothing is left to send
    c.in('. ack 4001')
    expect(cwnd(c)).toBe(5000)
  },
)

scenario('a window that the peer’s window keeps from being used does not grow (RFC 7661 §4.3)', () => {
  const c = established({ mss, win: 3000 })
  c.write(30_000).outText(1, 3001, 1, false)
  c.in('. ack 3001').outText(3001, 6001, 1, false)
  expect([c.tcb.hold, cwnd(c)]).toEqual(['window', 10_000])
})

// decay: as Linux.

scenario(
  'a window that is not used comes half way down each RTO, to what is used or the initial one (RFC 2861 §3.1)',
  () => {
    const { c, at } = grown()
    let now = trickle(c, at, 3)
    expect(cwnd(c)).toBe(25_000) // (40 + 10) / 2
    now = trickle(c, now, 3)
    expect(cwnd(c)).toBe(17_500)
    trickle(c, now, 60)
    expect(cwnd(c)).toBe(10_000)
  },
)

scenario('what was used meanwhile is what it comes down to (RFC 2861 §3.1)', () => {
  const { c, at } = grown()
  trickle(c, at, 4, 13_000)
  expect(cwnd(c)).toBe(26_500)
})

scenario('slow start may come back to three quarters of what it was (RFC 2861 §3.1)', () => {
  const { c, at } = grown()
  c.tcb.cc.ssthresh = 2000
  trickle(c, at, 3)
  expect(c.tcb.cc.ssthresh).toBe(30_000)
})

for (const [name, tcp] of Object.entries({
  "windowValidation: 'off'": { windowValidation: 'off' },
  'slowStartAfterIdle: false': { slowStartAfterIdle: false },
} as const)) {
  scenario(`with ${name} it stays`, () => {
    const { c, at } = grown({ tcp })
    trickle(c, at, 40)
    expect(cwnd(c)).toBe(40_000)
  })
}

scenario('an application that waits for room in the send buffer is not what limits: the window stays', () => {
  const { c, at } = grown()
  c.call((connection) => connection.configure({ sendBufferBytes: 3000 }))
  let next = at
  for (let i = 0; i < 10; i++) {
    next += c.offer(9000)
    c.drain()
    c.advance(100).in(`. ack ${next}`).events()
  }
  expect(cwnd(c)).toBe(40_000)
})

// A pause.

scenario(
  'after a pause the window starts again from the initial one, unless that is turned off (RFC 5681 §4.1)',
  () => {
    for (const [tcp, after] of [
      [{}, 10_000],
      [{ windowValidation: 'off' }, 10_000],
      [{ slowStartAfterIdle: false }, 40_000],
      [{ windowValidation: 'keep' }, 40_000],
    ] as const) {
      const { c } = grown({ tcp })
      c.advance(5000).write(1000).drain()
      expect(cwnd(c), JSON.stringify(tcp)).toBe(after)
    }
  },
)

// keep: RFC 7661.

const keep: ScriptOptions = { tcp: { windowValidation: 'keep' } }

scenario('what a round trip delivered counts for the half of the sampling period after it, too (RFC 7661 §4.2)', () => {
  const { c, at } = grown(keep)
  c.advance(400)
  const now = trickle(c, at, 2) // in the next half
  expect([c.tcb.usage.olderPipe, c.tcb.usage.nonValidatedAt]).toEqual([20_000, -1])
  trickle(c, now, 6) // in the one after that
  expect(c.tcb.usage.nonValidatedAt).toBeGreaterThan(0)
})

scenario('a window of which less than half is used is kept and does not grow (RFC 7661 §4.3)', () => {
  const { c, at } = grown(keep)
  const now = trickle(c, at, 100) // 10 s
  expect([cwnd(c), c.tcb.usage.nonValidatedAt > 0]).toEqual([40_000, true])
  c.write(40_000).drain()
  c.advance(100, true)
  expect(c.tcb.snd.flight.bytes).toBe(40_000) // all of it may be used, if not at once
  // What was sent in full windows long ago is forgotten: this one has to be delivered before it counts.
  c.in(`. ack ${now + 10_000}`).drain()
  expect([cwnd(c), c.tcb.usage.nonValidatedAt > 0]).toEqual([40_000, true])
  c.in(`. ack ${now + 20_000}`)
  expect([cwnd(c), c.tcb.usage.nonValidatedAt]).toEqual([50_000, -1])
})

scenario('a window that is used stays validated, in slow start too (RFC 7661 §4.3)', () => {
  const { c, at } = grown(keep)
  expect(c.tcb.usage.nonValidatedAt).toBe(-1)
  c.tcb.cc.ssthresh = 2000
  trickle(c, at, 40, 21_000)
  expect(c.tcb.usage.nonValidatedAt).toBe(-1)
})

scenario('before anything was measured the phase is not entered (RFC 7661 §4.2)', () => {
  const c = established({ mss, ...keep })
  c.write(1000).drain()
  c.in('. ack 1001')
  expect([c.tcb.usage.isMeasured, c.tcb.usage.nonValidatedAt]).toEqual([false, -1])
})

scenario('after five minutes it is halved, not below the initial one, and ssthresh remembers (RFC 7661 §4.4.3)', () => {
  const { c, at } = grown(keep)
  let now = trickle(c, at, 30)
  expect(cwnd(c)).toBe(40_000)
  c.tcb.cc.ssthresh = 2000
  c.advance(290_000)
  now = trickle(c, now, 1)
  expect(cwnd(c)).toBe(40_000)
  c.advance(15_000)
  now = trickle(c, now, 1)
  expect([cwnd(c), c.tcb.cc.ssthresh]).toEqual([20_000, 30_000])
  c.advance(300_000)
  now = trickle(c, now, 1)
  expect(cwnd(c)).toBe(10_000)
  c.advance(3_000_000)
  trickle(c, now, 1)
  expect(cwnd(c)).toBe(10_000)
})

scenario('a pause counts as the time in which nothing was used (RFC 7661 §4.3 §4.4.3)', () => {
  const { c } = grown(keep)
  c.advance(620_000).write(1000).drain()
  expect(cwnd(c)).toBe(10_000)
})

/** In the non-validated phase, 1000 octets a round trip proven, five segments out; the first is lost. */
function lossWhileKept(tcp: ScriptOptions['tcp']): Script {
  const { c, at } = grown({ sack: true, tcp })
  const now = trickle(c, at, 30, 6000)
  c.write(5000).drain()
  c.in(`. ack ${now} <sack ${now + 1000}:${now + 4000}>`).drain()
  expect(c.tcb.recovery.phase).toBe('recovery')
  return c
}

scenario('a loss in the phase reduces from what was proven, not from the window (RFC 7661 §4.4.1)', () => {
  const c = lossWhileKept({ windowValidation: 'keep' })
  expect([cwnd(c), c.tcb.cc.ssthresh]).toEqual([3000, 3000]) // pipeACK 6000; FlightSize is 5000
  const d = lossWhileKept({ windowValidation: 'off' })
  expect(cwnd(d)).toBe(2500) // RFC 5681 §3.2: half of the flight
})

scenario(
  'when that recovery is over, what was sent again is taken off, and pipeACK is unknown (RFC 7661 §4.4.1)',
  () => {
    const c = lossWhileKept({ windowValidation: 'keep' })
    expect([c.tcb.usage.lossFlight, c.tcb.usage.resentBytes]).toEqual([6000, 1000])
    const end = (c.tcb.snd.nxt - c.origin.iss) | 0
    c.advance(100).in(`. ack ${end}`)
    expect([c.tcb.recovery.phase, cwnd(c)]).toEqual(['open', 2500]) // (6000 - 1000) / 2
    expect([c.tcb.usage.isMeasured, c.tcb.usage.nonValidatedAt]).toEqual([false, -1])
  },
)

scenario('a controller that models the path is left alone', () => {
  for (const windowValidation of ['decay', 'keep'] as const) {
    const c = established({ mss, tcp: { congestion: 'bbr', windowValidation, rack: true }, sack: true })
    let at = 1
    for (let i = 0; i < 30; i++) {
      const before = cwnd(c)
      c.write(1000).drain()
      expect(cwnd(c)).toBe(before)
      at += 1000
      c.advance(100).in(`. ack ${at}`)
    }
    expect(c.tcb.usage.isMeasured).toBe(false)
  }
})

scenario('a burst that fills a window which was not proven: its loss goes by RFC 7661 too (RFC 7661 §4.4.1)', () => {
  const { c, at } = grown({ sack: true, tcp: { windowValidation: 'keep' } })
  const now = trickle(c, at, 30, 6000)
  const window = cwnd(c)
  c.write(60_000).drain()
  c.advance(100, true)
  expect(c.tcb.hold).toBe('cwnd')
  c.in(`. ack ${now} <sack ${now + 1000}:${now + 4000}>`).drain()
  expect([c.tcb.recovery.phase, c.tcb.usage.lossFlight]).toEqual(['recovery', window])
})

scenario(
  'in the phase no more than an initial window goes at once, the rest over the round trip (RFC 7661 §4.4.2)',
  () => {
    const { c, at } = grown(keep)
    trickle(c, at, 100)
    c.write(40_000)
    const first = c.drain().length
    expect([first >= 10 && first <= 11, c.tcb.hold]).toEqual([true, 'pacing'])
    c.advance(25, true)
    expect(Math.abs(c.tcb.snd.flight.bytes - (first * mss + 10_000))).toBeLessThanOrEqual(mss)
    c.advance(60, true)
    expect(c.tcb.snd.flight.bytes).toBe(40_000)
  },
)

scenario('a device that takes super-segments does not send the window at once either (RFC 7661 §4.4.2)', () => {
  const { c, at } = grown({ ...keep, offload: { checksum: false, superSegmentBytes: 65535 } })
  c.advance(20_000).write(40_000) // the phase begins with this very write
  const sent = c.drain().reduce((sum, { seq, end }) => sum + end - seq, 0)
  expect([sent > 0 && sent <= 12_000, at > 0]).toEqual([true, true])
  c.advance(100, true)
  expect(c.tcb.snd.flight.bytes).toBe(40_000)
})

scenario('outside of the phase there is no pace, and it ends with it (RFC 7661 §4.4.2)', () => {
  const { c, at } = grown(keep)
  c.write(40_000)
  expect(c.drain()).toHaveLength(40)
  c.advance(100).in(`. ack ${at + 40_000}`)
  const now = trickle(c, at + 40_000, 100)
  expect(c.tcb.cc.pacingRate).toBeGreaterThan(0)
  c.call((connection) => connection.configure({ windowValidation: 'off' })).write(40_000)
  expect([c.drain().length, c.tcb.cc.pacingRate, now > 0]).toEqual([40, 0, true])
})
