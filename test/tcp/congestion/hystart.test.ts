import { describe, expect, test } from 'vitest'
import { type CubicData, cubic } from '../../../src/tcp/congestion/cubic.ts'
import {
  createHystart,
  hystartGrowth,
  hystartOnAck,
  rttThreshUs,
  stopHystart,
} from '../../../src/tcp/congestion/hystart.ts'
import { ackOf, Rounds } from './harness.ts'

const hystartOf = (rounds: Rounds) => (rounds.state.data as CubicData).hystart

describe('HyStart++', () => {
  test('takes an eighth of the round trip for a queue, within 4 ms and 16 ms (RFC 9406 §4.2)', () => {
    expect(rttThreshUs(1000)).toBe(4000)
    expect(rttThreshUs(80_000)).toBe(10_000)
    expect(rttThreshUs(500_000)).toBe(16_000)
  })

  test('doubles the window while the round trip does not grow', () => {
    const rounds = new Rounds(cubic, { segments: 10 })
    expect([1, 2, 3, 4].map(() => rounds.round(80_000))).toEqual([20_000, 40_000, 80_000, 160_000])
    expect(hystartOf(rounds).phase).toBe('slow-start')
  })

  test('grows a quarter as fast once eight samples of a round are 10 ms above the last of 80 ms, and ends after five rounds', () => {
    const rounds = new Rounds(cubic, { segments: 16 })
    rounds.round(80_000)
    rounds.round(80_000)
    const before = rounds.state.cwnd
    // Seven samples of the round are still taken in slow start; the eighth decides, and is the first that grows slowly.
    expect(rounds.round(90_000)).toBe(before + 7 * 1000 + (before / 1000 - 7) * 250)
    expect(hystartOf(rounds).phase).toBe('css')
    expect(rounds.state.ssthresh).toBe(Number.POSITIVE_INFINITY)
    // The round in which CSS began is the first of five.
    for (let i = 2; i <= 5; i++) {
      const at = rounds.state.cwnd
      expect(rounds.round(90_000)).toBe(at + Math.floor(at / 1000) * 250)
      expect(hystartOf(rounds).phase).toBe('css')
    }
    const last = rounds.state.cwnd
    rounds.round(90_000)
    expect(rounds.state.ssthresh).toBe(last)
    expect(hystartOf(rounds).phase).toBe('done')
    expect(rounds.state.cwnd - last).toBeLessThan(last / 4)
  })

  test('resumes slow start when the round trip falls below that at which it was left: a false alarm (RFC 9406 §4.2)', () => {
    const rounds = new Rounds(cubic, { segments: 16 })
    rounds.round(80_000)
    rounds.round(80_000)
    rounds.round(95_000)
    expect(hystartOf(rounds).phase).toBe('css')
    rounds.round(80_000)
    expect(hystartOf(rounds)).toMatchObject({ phase: 'slow-start', cssBaselineMinRttUs: -1 })
    const before = rounds.state.cwnd
    expect(rounds.round(80_000)).toBe(before + Math.floor(before / 1000) * 1000)
  })

  test('has five rounds of CSS again after a false alarm (RFC 9406 §4.2)', () => {
    const rounds = new Rounds(cubic, { segments: 16 })
    const phases = [80, 80, 95, 95, 95, 80, 80, 95, 95, 95, 95, 95].map((ms) => {
      rounds.round(ms * 1000)
      return hystartOf(rounds).phase
    })
    expect(phases.slice(2, 7)).toEqual(['css', 'css', 'css', 'slow-start', 'slow-start'])
    expect(phases.slice(7)).toEqual(Array(5).fill('css'))
    rounds.round(95_000)
    expect(hystartOf(rounds).phase).toBe('done')
  })

  test('does not judge a round of fewer than eight samples, nor the first round', () => {
    const rounds = new Rounds(cubic, { segments: 3 })
    rounds.round(80_000)
    rounds.round(200_000)
    expect(hystartOf(rounds).phase).toBe('slow-start')
    const first = new Rounds(cubic, { segments: 16 })
    first.round(200_000)
    expect(hystartOf(first).phase).toBe('slow-start')
  })

  test('one late segment is no growth: the least of the round counts', () => {
    const rounds = new Rounds(cubic, { segments: 16 })
    rounds.round(80_000)
    rounds.round(80_000, {}, (i) => (i === 0 ? 81_000 : 300_000))
    expect(hystartOf(rounds).phase).toBe('slow-start')
  })

  test('opens the window by eight segments for one acknowledgement at most, without limit when paced (RFC 9406 §4.2, §4.3)', () => {
    const hystart = createHystart()
    expect(hystartGrowth(hystart, 20_000, 1000, false)).toBe(8000)
    expect(hystartGrowth(hystart, 20_000, 1000, true)).toBe(20_000)
    expect(hystartGrowth(hystart, 20_000, 1000, false, 10_000)).toBe(18_000) // what SACK told of could have grown it before
    hystart.phase = 'css'
    expect(hystartGrowth(hystart, 20_000, 1000, false)).toBe(2000)
    expect(hystartGrowth(hystart, 20_000, 1000, true)).toBe(5000)
  })

  test('is for the first slow start only: after a loss nothing is judged any more (RFC 9406 §4.3)', () => {
    const hystart = createHystart()
    stopHystart(hystart)
    expect(hystartOnAck(hystart, ackOf(1000, { rttUs: 1 }))).toBe('continue')
    expect(hystart.rttSampleCount).toBe(0)
    const rounds = new Rounds(cubic, { segments: 16 })
    cubic.onLoss(rounds.state, 16_000, 0)
    expect(hystartOf(rounds).phase).toBe('done')
  })
})
