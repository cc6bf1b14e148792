import { describe, expect, test } from 'vitest'
import {
  ALPHA_CUBIC,
  CUBIC,
  type CubicData,
  createCubic,
  cubic,
  cubicK,
  wCubic,
} from '../../../src/tcp/congestion/cubic.ts'
import type { CongestionState } from '../../../src/tcp/congestion/interface.ts'
import { acknowledge, ackOf, begun, Rounds } from './harness.ts'
import { ModelLink } from './model-link.ts'

const stageOf = (state: CongestionState) => (state.data as CubicData).stage

/** A stage of congestion avoidance that follows a loss at `segments` segments. */
function afterLoss(segments: number, control = cubic): Rounds {
  const rounds = new Rounds(control, { segments })
  control.onLoss(rounds.state, rounds.state.cwnd, 0)
  control.onRecovered(rounds.state, rounds.state.cwnd, 0)
  return rounds
}

describe('the formula', () => {
  test('K is the time in which the window climbs back to W_max (RFC 9438 §4.2, figures 1 and 2)', () => {
    for (const wMax of [10, 100, 1000, 83_333]) {
      const k = cubicK(wMax, CUBIC.beta * wMax)
      expect(k).toBeCloseTo(Math.cbrt((wMax * (1 - 0.7)) / 0.4), 10)
      expect(wCubic(0, k, wMax)).toBeCloseTo(0.7 * wMax, 6)
      expect(wCubic(k, k, wMax)).toBe(wMax)
      expect(wCubic(2 * k, k, wMax)).toBeCloseTo(1.3 * wMax, 6)
    }
  })

  test('alpha is 3 (1 - beta) / (1 + beta), 9/17 (RFC 9438 §4.3, figure 4)', () => {
    expect(ALPHA_CUBIC).toBeCloseTo(9 / 17, 12)
  })
})

describe('growth', () => {
  test('follows W(t): concave up to W_max at K, then convex (RFC 9438 §4.4, §4.5)', () => {
    const rounds = afterLoss(1000)
    const { state } = rounds
    const k = Math.cbrt(300 / 0.4)
    expect(state.cwnd).toBe(700_000)
    const seen: number[] = []
    let begun = -1
    while (rounds.now < 1.6e6 * k) {
      rounds.round(100_000)
      if (begun < 0) begun = stageOf(state).epochAt
      const t = (rounds.now - begun) / 1e6
      seen.push(state.cwnd)
      // The window aims at where the curve is a round trip later, and gets there by then.
      expect(state.cwnd / 1000).toBeGreaterThan(wCubic(t, k, 1000) - 1)
      expect(state.cwnd / 1000).toBeLessThan(wCubic(t + 0.1, k, 1000) + 1)
    }
    expect(stageOf(state)).toMatchObject({ wMax: 1000, cwndEpoch: 700, cwndPrior: 1000 })
    const steps = seen.map((cwnd, i) => cwnd - (seen[i - 1] ?? 700_000))
    const middle = Math.floor(k / 0.1)
    expect(steps[5]).toBeGreaterThan(steps[middle - 20])
    expect(steps[steps.length - 1]).toBeGreaterThan(steps[middle + 20])
    expect(steps[middle]).toBeLessThan(200)
  })

  test('does not more than half as much again in a round trip (RFC 9438 §4.2)', () => {
    const rounds = afterLoss(100)
    rounds.round(100_000)
    rounds.now += 100e6 // all of it with the window in use: the curve is far above
    const before = rounds.state.cwnd
    rounds.round(100_000)
    expect(rounds.state.cwnd).toBeGreaterThan(1.3 * before)
    expect(rounds.state.cwnd).toBeLessThanOrEqual(1.5 * before)
  })

  test('is Reno’s where Reno would be faster: alpha for each window, one beyond the window before (RFC 9438 §4.3)', () => {
    // 20 segments, a round trip of 10 ms: K is 2.5 s, and in 250 round trips Reno does more.
    const rounds = afterLoss(20)
    const seen: number[] = []
    for (let i = 0; i < 30; i++) seen.push(rounds.round(10_000) / 1000)
    // W_est grows by alpha for each window acknowledged; some windows here are acknowledged but for a fraction of a segment.
    expect(seen[9] - 14).toBeGreaterThan(9 * ALPHA_CUBIC)
    expect(seen[9] - 14).toBeLessThanOrEqual(10 * ALPHA_CUBIC)
    const from = seen.findIndex((cwnd) => cwnd >= 20)
    expect(from).toBeLessThan(15)
    expect(seen[from + 10] - seen[from]).toBeGreaterThan(9.2)
    expect(seen[from + 10] - seen[from]).toBeLessThanOrEqual(10)
    expect(seen[29]).toBeGreaterThan(wCubic(0.3, stageOf(rounds.state).k, 20))
  })

  test('counts bytes, not acknowledgements: one for two segments opens the window as two do (RFC 9438 §4.3, §4.4)', () => {
    const [one, two] = [afterLoss(1000), afterLoss(1000)]
    for (let i = 0; i < 350; i++) {
      const at = { now: (i + 1) * 100, rttUs: 50_000, srttUs: 50_000 }
      for (const half of [0, 1]) acknowledge(cubic, one.state, ackOf(1000, { ...at, now: at.now + half }))
      acknowledge(cubic, two.state, ackOf(2000, at))
    }
    expect(one.state.cwnd).toBeGreaterThan(701_000)
    expect(Math.abs(one.state.cwnd - two.state.cwnd)).toBeLessThan(300)
  })

  test('after slow start that no loss ended begins on the plateau: K 0, W_max and cwnd_prior the window (RFC 9438 §4.10)', () => {
    const rounds = new Rounds(cubic, { segments: 50 })
    rounds.state.ssthresh = 50_000
    rounds.round(100_000)
    expect(stageOf(rounds.state)).toMatchObject({ k: 0, wMax: 50, cwndPrior: 50, cwndEpoch: 50 })
  })
})

describe('reductions', () => {
  test('a loss leaves beta of what was in flight, and W_max where the window was (RFC 9438 §4.6)', () => {
    const state = begun(cubic, { segments: 100 })
    cubic.onLoss(state, 80_000, 0)
    expect([state.cwnd, state.ssthresh]).toEqual([56_000, 56_000])
    expect(stageOf(state)).toMatchObject({ wMax: 100, cwndPrior: 100, epochAt: -1 })
  })

  test('a second loss below W_max takes W_max down further, to leave room (fast convergence, RFC 9438 §4.7)', () => {
    const state = begun(cubic, { segments: 100 })
    cubic.onLoss(state, 100_000, 0)
    state.cwnd = 90_000
    cubic.onLoss(state, 90_000, 1)
    expect(stageOf(state).wMax).toBeCloseTo((90 * 1.7) / 2, 10)
    state.cwnd = 90_000
    cubic.onLoss(state, 90_000, 2)
    expect(stageOf(state).wMax).toBe(90)
    const slow = createCubic({ fastConvergence: false })
    const other = begun(slow, { segments: 100 })
    slow.onLoss(other, 100_000, 0)
    other.cwnd = 90_000
    slow.onLoss(other, 90_000, 1)
    expect(stageOf(other).wMax).toBe(90)
  })

  test('an ECN mark leaves 0.85 in congestion avoidance, 0.7 in slow start (RFC 8511 §3, §3.1), one segment at least (RFC 9438 §4.6)', () => {
    const state = begun(cubic, { segments: 100 })
    cubic.onEcn?.(state, 100_000, 0)
    expect([state.cwnd, state.ssthresh]).toEqual([70_000, 70_000])
    cubic.onEcn?.(state, 70_000, 1)
    expect([state.cwnd, state.ssthresh]).toEqual([59_500, 59_500])
    cubic.onEcn?.(state, 1000, 2)
    expect([state.cwnd, state.ssthresh]).toEqual([1000, 2000])
  })

  test('after a timeout ssthresh is beta of the flight, and the next stage begins on the plateau (RFC 9438 §4.8)', () => {
    const rounds = afterLoss(100)
    rounds.round(100_000)
    const { state } = rounds
    cubic.onTimeout(state, 70_000, true, rounds.now)
    expect([state.cwnd, state.ssthresh]).toEqual([1000, 49_000])
    while (state.cwnd < 49_000) rounds.round(100_000)
    rounds.round(100_000)
    expect(stageOf(state)).toMatchObject({ k: 0, wMax: 49, cwndEpoch: 49, afterTimeout: false })
    expect(stageOf(state).cwndPrior).toBeCloseTo(70, -1)
  })

  test.each(['onLoss', 'onTimeout'] as const)('a spurious %s puts the whole stage back (RFC 9438 §4.9)', (what) => {
    const rounds = afterLoss(100)
    for (let i = 0; i < 10; i++) rounds.round(100_000)
    const { state } = rounds
    const before = structuredClone(state)
    if (what === 'onLoss') cubic.onLoss(state, 70_000, rounds.now)
    else cubic.onTimeout(state, 70_000, true, rounds.now)
    expect(stageOf(state)).not.toEqual(stageOf(before))
    cubic.onSpuriousLoss?.(state)
    expect(stageOf(state)).toEqual(stageOf(before))
    expect([state.cwnd, state.ssthresh]).toEqual([before.cwnd, before.ssthresh])
  })
})

describe('the first slow start', () => {
  test.each(['onLoss', 'onTimeout'] as const)(
    'goes on after a spurious %s, and HyStart++ with it (RFC 9438 §4.9, RFC 9406 §4.3)',
    (what) => {
      const rounds = new Rounds(cubic, { segments: 16 })
      rounds.round(80_000)
      const { state } = rounds
      const { hystart } = state.data as CubicData
      if (what === 'onLoss') cubic.onLoss(state, state.cwnd, rounds.now)
      else cubic.onTimeout(state, state.cwnd, true, rounds.now)
      expect(hystart.phase).toBe('done')
      cubic.onSpuriousLoss?.(state)
      expect([hystart.phase, state.ssthresh]).toEqual(['slow-start', Number.POSITIVE_INFINITY])
      rounds.round(80_000)
      rounds.round(100_000)
      expect(hystart.phase).toBe('css')
    },
  )

  test('has ended for good by a loss that was one (RFC 9406 §4.2)', () => {
    const rounds = new Rounds(cubic, { segments: 16 })
    rounds.round(80_000)
    cubic.onLoss(rounds.state, rounds.state.cwnd, rounds.now)
    cubic.onRecovered(rounds.state, 0, rounds.now)
    cubic.onLoss(rounds.state, rounds.state.cwnd, rounds.now)
    cubic.onSpuriousLoss?.(rounds.state)
    expect((rounds.state.data as CubicData).hystart.phase).toBe('done')
  })
})

describe('the clock of a stage', () => {
  test('stands still while the application holds the sender back (RFC 9438 §5.8)', () => {
    const [busy, paused] = [afterLoss(100), afterLoss(100)]
    for (let i = 0; i < 10; i++) busy.round(100_000)
    for (let i = 0; i < 10; i++) {
      paused.round(100_000)
      const { cwnd } = paused.state
      for (let j = 0; j < 5; j++) paused.round(100_000, { isCwndLimited: false })
      expect(paused.state.cwnd).toBe(cwnd)
    }
    expect(paused.state.cwnd).toBe(busy.state.cwnd)
    expect(paused.now - stageOf(paused.state).epochAt).toBeCloseTo(busy.now - stageOf(busy.state).epochAt, -4)
  })

  test('stands still while the connection is idle, however long (RFC 9438 §5.8)', () => {
    const rounds = afterLoss(10)
    for (let i = 0; i < 3; i++) rounds.round(100_000)
    const { state } = rounds
    const [{ cwnd }, t] = [state, rounds.now - stageOf(state).epochAt]
    rounds.now += 3600e6
    cubic.onIdle(state, 10_000, rounds.now)
    expect(state.cwnd).toBe(cwnd)
    expect(rounds.now - stageOf(state).epochAt).toBeCloseTo(t, 3)
    rounds.round(100_000)
    expect(state.cwnd - cwnd).toBeLessThan(1000)
  })

  test('a window that idling has cut starts a stage of its own, and does not jump back (RFC 5681 §4.1)', () => {
    const rounds = afterLoss(100)
    for (let i = 0; i < 10; i++) rounds.round(100_000)
    const { state } = rounds
    rounds.now += 10e6
    cubic.onIdle(state, 10_000, rounds.now)
    expect(state.cwnd).toBe(10_000)
    expect(rounds.round(100_000)).toBe(20_000) // slow start
    while (state.cwnd < state.ssthresh) rounds.round(100_000)
    rounds.round(100_000)
    expect(stageOf(state)).toMatchObject({ wMax: 100, cwndEpoch: 70 })
  })
})

describe('on a link', () => {
  /** Average window in segments from 50 s to 250 s. */
  function averageWindow(dropEvery: number, rttUs: number): number {
    const link = new ModelLink(cubic, { rate: 1e9, buffer: 1e9, rttUs, dropEvery })
    link.run(50e6)
    const [at, delivered] = [link.now, link.delivered]
    link.run(250e6)
    return (((link.delivered - delivered) / link.state.mss) * rttUs) / (link.now - at)
  }

  test('the average window is (C (3 + beta) / (4 (1 - beta)))^1/4 RTT^3/4 / p^3/4 segments (RFC 9438 §5.1, figure 6)', () => {
    const factor = ((CUBIC.c * (3 + CUBIC.beta)) / (4 * (1 - CUBIC.beta))) ** 0.25
    expect(factor).toBeCloseTo(1.054, 3)
    const ratio = averageWindow(10_000, 100_000) / (factor * 0.1 ** 0.75 * 10_000 ** 0.75)
    expect(ratio).toBeGreaterThan(0.85)
    expect(ratio).toBeLessThan(1.15)
  })

  test('where that is less than Reno’s sqrt(3/2) / sqrt(p), the average window is Reno’s (RFC 9438 §4.3)', () => {
    const ratio = averageWindow(1000, 50_000) / Math.sqrt(1.5 * 1000)
    expect(ratio).toBeGreaterThan(0.85)
    expect(ratio).toBeLessThan(1.15)
  })

  test('the sawtooth takes K seconds where the queue overflows at W_max (RFC 9438 §4.2)', () => {
    const control = createCubic({ fastConvergence: false })
    const link = new ModelLink(control, { rate: 12.5e6, buffer: 300_000, rttUs: 60_000 })
    link.run(120e6)
    const k = cubicK((12.5e6 * 0.06 + 300_000) / 1000, 0.7 * 1050)
    const periods = link.losses.slice(-4).map((at, i, all) => (at - all[i - 1]) / 1e6)
    for (const period of periods.slice(1)) expect(Math.abs(period / k - 1)).toBeLessThan(0.15)
    expect(link.delivered / 120).toBeGreaterThan(0.95 * 12.5e6)
  })

  test('HyStart++ sees the queue grow and loses a third of what blind slow start loses, at most (RFC 9406 §4.2)', () => {
    const options = { rate: 12.5e6, buffer: 1_500_000, rttUs: 60_000 }
    const [gentle, blind] = [new ModelLink(cubic, options), new ModelLink(createCubic({ hystart: false }), options)]
    for (const link of [gentle, blind]) link.run(2e6)
    expect(blind.drops).toBeGreaterThan(1000)
    expect(gentle.drops).toBeLessThan(blind.drops / 3)
    expect(gentle.delivered).toBeGreaterThan(0.99 * blind.delivered)
  })
})

describe('a path whose MTU changes', () => {
  test('larger segments do not open the window, which is bytes: W_max and W_est follow (RFC 4821 §7.4, RFC 9438 §4.1)', () => {
    for (const [mss, factor] of [
      [6000, 6],
      [500, 0.5],
    ]) {
      const rounds = afterLoss(40)
      const { state } = rounds
      for (let i = 0; i < 10; i++) rounds.round(20_000)
      const { cwnd } = state
      const { wMax } = stageOf(state)
      state.mss = mss
      rounds.round(20_000)
      expect(state.cwnd).toBeGreaterThanOrEqual(cwnd)
      expect(state.cwnd).toBeLessThan(cwnd + 2 * mss)
      expect(stageOf(state).wMax * factor).toBeCloseTo(wMax, 6)
    }
  })
})
