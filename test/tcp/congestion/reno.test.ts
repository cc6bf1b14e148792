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
