import { describe, expect, test } from 'vitest'
import { newreno } from '../../../src/tcp/congestion/newreno.ts'
import { reno } from '../../../src/tcp/congestion/reno.ts'
import { begun, Rounds } from './harness.ts'
import { ModelLink } from './model-link.ts'

describe('Reno', () => {
  test('doubles to ssthresh, then adds a segment for each window acknowledged (RFC 5681 §3.1)', () => {
    const rounds = new Rounds(reno, { segments: 1 })
    rounds.state.ssthresh = 8000
    expect(Array.from({ length: 7 }, () => rounds.round(100_000) / 1000)).toEqual([2, 4, 8, 9, 10, 11, 12])
  })

  test('halves what was in flight, two segments at least (RFC 5681 §3.1, equation 4)', () => {
    const state = begun(reno, { segments: 20 })
    reno.onLoss(state, 20_000, 0)
    expect([state.cwnd, state.ssthresh]).toEqual([10_000, 10_000])
    reno.onLoss(state, 3000, 0)
    expect(state.cwnd).toBe(2000)
  })

  test('a mark leaves 0.8 in congestion avoidance, a half in slow start or without ABE, and never opens the window (RFC 8511 §3)', () => {
    const marked = (ssthresh: number, flight: number, isAbe?: boolean): number[] => {
      const state = begun(reno, { segments: 10 })
      state.ssthresh = ssthresh
      reno.onEcn?.(state, flight, 0, isAbe)
      return [state.cwnd, state.ssthresh]
    }
    expect(marked(10_000, 10_000)).toEqual([8000, 8000])
    expect(marked(10_000, 10_000, false)).toEqual([5000, 5000])
    expect(marked(Number.POSITIVE_INFINITY, 10_000)).toEqual([5000, 5000])
    const tiny = begun(reno, { segments: 1 })
    reno.onEcn?.(tiny, 1000, 0)
    expect([tiny.cwnd, tiny.ssthresh]).toEqual([1000, 2000])
  })

  test('what a mark took is not put back when a loss proves to be none (RFC 4015 §3)', () => {
    const state = begun(reno, { segments: 10 })
    reno.onLoss(state, 10_000, 0)
    reno.onEcn?.(state, 5000, 1)
    const { cwnd } = state
    reno.onSpuriousLoss?.(state)
    expect(state.cwnd).toBe(cwnd)
  })

  test('averages sqrt(3/2) / sqrt(p) segments where one in 1/p is lost (RFC 5348 §3.1, Mathis 1997)', () => {
    const link = new ModelLink(reno, { rate: 1e9, buffer: 1e9, rttUs: 100_000, dropEvery: 1000 })
    link.run(50e6)
    const [at, delivered] = [link.now, link.delivered]
    link.run(150e6)
    const segments = ((link.delivered - delivered) / 1000 / (link.now - at)) * 100_000
    expect(segments / Math.sqrt(1.5 * 1000)).toBeGreaterThan(0.9)
    expect(segments / Math.sqrt(1.5 * 1000)).toBeLessThan(1.1)
  })

  test('NewReno is its other name: what it changed is recovery (RFC 6582 §3.2)', () => {
    expect(newreno.onAck).toBe(reno.onAck)
    expect(newreno.name).toBe('newreno')
  })
})
