// What every congestion controller keeps to, whatever its rule for the window is. A new controller is one file and one call of this.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CongestionControl } from '../../../src/tcp/congestion/interface.ts'
import { acknowledge, ackOf, begun, emptyState, Rounds } from './harness.ts'
import { tellStory } from './random-events.ts'

/** What sort of controller it is. */
export interface Traits {
  /** The window follows losses: a timeout leaves one segment, recovery does not grow, unused windows neither. */
  isLossBased: boolean
  /** Segments that are left after losses, were there ever so many of them. */
  leastAfterLoss: number
  /** Idle time may leave the window as it is, because something else keeps the restart from being a burst, or nothing shall. */
  keepsWindowIdle: boolean
}

/** The suite: run it for every controller. */
export function describeConformance(control: CongestionControl, traits: Traits): void {
  describe(`${control.name} as a congestion controller`, () => {
    describeWindow(control, traits)
    describeReactions(control, traits)
    if (traits.isLossBased) describeLossBased(control)
  })
}

function describeWindow(control: CongestionControl, traits: Traits): void {
  test('begins with a window that can be used, and a state that can be printed', () => {
    const state = begun(control, { mss: 1460, segments: 10, now: 5 })
    expect(state.cwnd).toBeGreaterThanOrEqual(1460)
    expect(Number.isSafeInteger(state.cwnd)).toBe(true)
    expect(state.pacingRate).toBeGreaterThanOrEqual(0)
    expect(() => JSON.stringify(state)).not.toThrow()
  })

  test('keeps the window a whole number of bytes, at least a segment, through 10,000 random stories', () => {
    const bounds = { least: 1, isAckClocked: traits.isLossBased }
    const story = fc.array(fc.nat(0xff_ffff), { minLength: 1, maxLength: 40, size: 'max' })
    fc.assert(
      fc.property(story, (codes) => void tellStory(control, codes, bounds)),
      { numRuns: 10_000, seed: 9438 },
    )
  })

  test('keeps it through one story of 10,000 events', () => {
    const codes = Array.from({ length: 10_000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 8)
    tellStory(control, codes, { least: 1, isAckClocked: traits.isLossBased })
  })

  test('has no state but the connection’s, and no randomness: equal stories end equal, side by side', () => {
    const story = fc.array(fc.nat(0xff_ffff), { minLength: 1, maxLength: 40, size: 'max' })
    const bounds = { least: 1, isAckClocked: false }
    fc.assert(
      fc.property(story, story, (codes, others) => {
        const once = tellStory(control, codes, bounds)
        tellStory(control, others, bounds)
        expect(tellStory(control, codes, bounds)).toEqual(once)
      }),
      { numRuns: 200, seed: 5681 },
    )
  })
}

function describeReactions(control: CongestionControl, traits: Traits): void {
  test('is not upset by the timeout of a SYN, before it is begun (RFC 6298 §5.7)', () => {
    const state = emptyState(0)
    control.onTimeout(state, 1, true, 1_000_000)
    state.mss = 1000
    control.init(state, 1000, 3_000_000)
    expect(state.cwnd).toBeGreaterThanOrEqual(1000)
  })

  test(`leaves at least ${traits.leastAfterLoss} segments after losses without end (RFC 5681 §3.1)`, () => {
    const state = begun(control)
    for (let i = 0; i < 50; i++) {
      control.onLoss(state, 1, i)
      control.onRecovered(state, 1, i)
    }
    expect(state.cwnd).toBeGreaterThanOrEqual(traits.leastAfterLoss * state.mss)
  })

  test('gives back what a spurious loss, and a spurious timeout, took away (RFC 4015 §3.2)', () => {
    const rounds = new Rounds(control)
    for (let i = 0; i < 5; i++) rounds.round(50_000, { rateBytesPerSecond: 1e6 })
    const { state } = rounds
    const { cwnd, ssthresh } = state
    control.onLoss(state, cwnd, rounds.now)
    control.onSpuriousLoss?.(state)
    expect([state.cwnd, state.ssthresh]).toEqual([cwnd, ssthresh])
    control.onTimeout(state, cwnd, true, rounds.now)
    control.onTimeout(state, cwnd, false, rounds.now)
    control.onSpuriousLoss?.(state)
    expect([state.cwnd, state.ssthresh]).toEqual([cwnd, ssthresh])
    control.onLoss(state, cwnd, rounds.now)
    control.onTimeout(state, state.cwnd, true, rounds.now)
    control.onSpuriousLoss?.(state)
    expect([state.cwnd, state.ssthresh]).toEqual([cwnd, ssthresh])
  })

  test('does not open the window because nothing was sent (RFC 5681 §4.1)', () => {
    const rounds = new Rounds(control)
    for (let i = 0; i < 5; i++) rounds.round(50_000, { rateBytesPerSecond: 1e6 })
    const { state } = rounds
    const before = state.cwnd
    control.onIdle(state, 10_000, rounds.now + 60_000_000)
    expect(state.cwnd).toBeLessThanOrEqual(traits.keepsWindowIdle ? before : 10_000)
    const { pacingRate = 0 } = state
    if (control.ownsRecovery) expect(pacingRate).toBeGreaterThan(0)
  })
}

function describeLossBased(control: CongestionControl): void {
  test('sends one segment after a timeout (RFC 5681 §3.1), and lets ssthresh alone when the same segment times out again', () => {
    const state = begun(control, { segments: 40 })
    control.onTimeout(state, 40_000, true, 0)
    expect(state.cwnd).toBe(1000)
    const { ssthresh } = state
    expect(ssthresh).toBeLessThan(40_000)
    control.onTimeout(state, 1000, false, 1)
    expect([state.cwnd, state.ssthresh]).toEqual([1000, ssthresh])
  })

  test('doubles in a round of slow start at most, and leaves it at ssthresh (RFC 5681 §3.1)', () => {
    const rounds = new Rounds(control, { segments: 4 })
    rounds.state.ssthresh = 16_000
    expect(rounds.round(100_000)).toBe(8000)
    expect(rounds.round(100_000)).toBe(16_000)
    expect(rounds.round(100_000)).toBeLessThan(18_000)
  })

  test('does not open a window that is not in use (RFC 5681 §3.1, RFC 7661 §4)', () => {
    const rounds = new Rounds(control)
    for (let i = 0; i < 20; i++) rounds.round(100_000, { isCwndLimited: false, isAppLimited: true })
    expect(rounds.state.cwnd).toBe(10_000)
    control.onAck(rounds.state, ackOf(5000, { isCwndLimited: false }))
    expect(rounds.state.cwnd).toBe(10_000)
  })

  test('does not open the window in fast recovery, and leaves it at ssthresh (RFC 5681 §3.2)', () => {
    const state = begun(control, { segments: 40 })
    control.onLoss(state, 40_000, 0)
    const { cwnd } = state
    expect(cwnd).toBeLessThan(40_000)
    for (let i = 0; i < 40; i++) acknowledge(control, state, ackOf(1000, { phase: 'recovery' }))
    expect(state.cwnd).toBe(cwnd)
    state.cwnd = 1000 // where PRR may have taken it
    control.onRecovered(state, cwnd, 1)
    expect(state.cwnd).toBe(state.ssthresh)
  })

  test('steps back for an ECN mark as well (RFC 3168 §6.1.2)', () => {
    const state = begun(control, { segments: 40 })
    if (control.onEcn) control.onEcn(state, 40_000, 0)
    else control.onLoss(state, 40_000, 0)
    expect(state.cwnd).toBeLessThan(40_000)
    expect(state.ssthresh).toBeLessThanOrEqual(40_000)
  })
}
