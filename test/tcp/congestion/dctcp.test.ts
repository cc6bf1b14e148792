import { describe, expect, test } from 'vitest'
import { type DctcpData, dctcp } from '../../../src/tcp/congestion/dctcp.ts'
import { reno } from '../../../src/tcp/congestion/reno.ts'
import { begun, Rounds } from './harness.ts'

const alphaOf = (rounds: Rounds): number => (rounds.state.data as DctcpData).alpha

/** A round in which `marked` of ten segments met congestion. The window is held, to see alpha alone. */
function round(rounds: Rounds, marked: number): number {
  let i = 0
  rounds.state.cwnd = 10_000
  const fields = {
    isCwndLimited: false,
    get ecnBytes() {
      return i++ < marked ? 1000 : 0
    },
  }
  rounds.round(100_000, fields)
  return alphaOf(rounds)
}

describe('DCTCP', () => {
  test('alpha falls by a sixteenth in each window without marks, from 1 (RFC 8257 §3.3, §4.2)', () => {
    const rounds = new Rounds(dctcp)
    const series = Array.from({ length: 8 }, () => round(rounds, 0))
    series.forEach((alpha, i) => {
      expect(alpha).toBeCloseTo((15 / 16) ** (i + 1), 12)
    })
  })

  test('alpha goes to the fraction of marked bytes: alpha(n) = M + (alpha(0) - M) (1 - g)^n (RFC 8257 §3.3)', () => {
    const rounds = new Rounds(dctcp)
    round(rounds, 3) // its first acknowledgement ends a window that had nothing else in it
    const start = alphaOf(rounds)
    // A window is judged when the first byte of the next is acknowledged: that byte belongs to the one that ends.
    for (let n = 1; n <= 100; n++) expect(round(rounds, 3)).toBeCloseTo(0.3 + (start - 0.3) * (15 / 16) ** n, 12)
  })

  test('a mark takes alpha/2 of the window away, whether it ends slow start or not (RFC 8257 §3.3)', () => {
    const state = begun(dctcp, { segments: 100 })
    const data = state.data as DctcpData
    dctcp.onEcn?.(state, 100_000, 0)
    expect([state.cwnd, state.ssthresh]).toEqual([50_000, 50_000])
    data.alpha = 0.2
    dctcp.onEcn?.(state, 50_000, 0)
    expect([state.cwnd, state.ssthresh]).toEqual([45_000, 45_000])
    data.alpha = 1
    for (let i = 0; i < 20; i++) dctcp.onEcn?.(state, 1, 0)
    expect(state.cwnd).toBe(2000)
  })

  test('a loss is answered as by Reno, whatever alpha is (RFC 8257 §3.5)', () => {
    const mine = begun(dctcp, { segments: 100 })
    const renos = begun(reno, { segments: 100 })
    ;(mine.data as DctcpData).alpha = 0.01
    dctcp.onLoss(mine, 100_000, 0)
    reno.onLoss(renos, 100_000, 0)
    expect([mine.cwnd, mine.ssthresh]).toEqual([renos.cwnd, renos.ssthresh])
  })
})
