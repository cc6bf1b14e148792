// HyStart++ (RFC 9406): leaves slow start when the round trip grows, by way of Conservative Slow Start (CSS), which looks whether the
// growth was real. For any controller: it asks how much to grow, and is told when to stop.
// Owns: rounds, their least round trips, the phase. Does not own: cwnd, ssthresh, rounds of other controllers.
// Read first: RFC 9406 §4.2.

import type { AckSample } from './interface.ts'

/** RFC 9406 §4.3: the constants, times in microseconds. */
export const HYSTART = {
  minRttThreshUs: 4_000,
  maxRttThreshUs: 16_000,
  minRttDivisor: 8,
  rttSamples: 8,
  cssGrowthDivisor: 4,
  cssRounds: 5,
  /** L: segments by which one acknowledgement may open the window, when nothing paces. */
  limit: 8,
} as const

/** Where a slow start stands. Plain data; times in microseconds, -1 where the RFC has infinity. */
export interface HystartState {
  phase: 'slow-start' | 'css' | 'done'
  lastRoundMinRttUs: number
  currentRoundMinRttUs: number
  rttSampleCount: number
  cssBaselineMinRttUs: number
  /** Rounds spent in CSS; the one in which it began counts. */
  cssRounds: number
  /** `totalDelivered` at the round's start; -1 before the first. Stands for the RFC's windowEnd. */
  roundStart: number
}

/** The start of a slow start. */
export function createHystart(): HystartState {
  return {
    phase: 'slow-start',
    lastRoundMinRttUs: -1,
    currentRoundMinRttUs: -1,
    rttSampleCount: 0,
    cssBaselineMinRttUs: -1,
    cssRounds: 0,
    roundStart: -1,
  }
}

/** RFC 9406 §4.2: by how much the round trip has to grow over the last round's to be taken for a queue. */
export function rttThreshUs(lastRoundMinRttUs: number): number {
  return Math.max(HYSTART.minRttThreshUs, Math.min(lastRoundMinRttUs / HYSTART.minRttDivisor, HYSTART.maxRttThreshUs))
}

/**
 * Takes an acknowledgement of a slow start. Returns `'exit'` once, when slow start is over: the controller sets ssthresh to cwnd.
 * A loss or an ECN mark ends it too: the controller calls `stopHystart`.
 */
export function hystartOnAck(hystart: HystartState, ack: AckSample): 'continue' | 'exit' {
  if (hystart.phase === 'done' || ack.priorDelivered < 0) return 'continue'
  if (hystart.roundStart < 0 || ack.priorDelivered >= hystart.roundStart) {
    if (hystart.phase === 'css' && ++hystart.cssRounds >= HYSTART.cssRounds) {
      hystart.phase = 'done'
      return 'exit'
    }
    hystart.roundStart = ack.totalDelivered
    hystart.lastRoundMinRttUs = hystart.currentRoundMinRttUs
    hystart.currentRoundMinRttUs = -1
    hystart.rttSampleCount = 0
  }
  if (ack.rttUs < 0) return 'continue'
  hystart.rttSampleCount++
  const isLeast = hystart.currentRoundMinRttUs < 0 || ack.rttUs < hystart.currentRoundMinRttUs
  if (isLeast) hystart.currentRoundMinRttUs = ack.rttUs
  if (hystart.rttSampleCount >= HYSTART.rttSamples) judge(hystart)
  return 'continue'
}

function judge(hystart: HystartState): void {
  const { lastRoundMinRttUs: last, currentRoundMinRttUs: current } = hystart
  if (hystart.phase === 'slow-start') {
    if (last < 0 || current < last + rttThreshUs(last)) return
    hystart.phase = 'css'
    hystart.cssBaselineMinRttUs = current
    hystart.cssRounds = 0
  } else if (current < hystart.cssBaselineMinRttUs) {
    // The exit was a false alarm: slow start goes on.
    hystart.phase = 'slow-start'
    hystart.cssBaselineMinRttUs = -1
  }
}

/**
 * Bytes by which cwnd grows for `bytes` acknowledged, in slow start or in CSS (RFC 9406 §4.2). L bounds what one acknowledgement may add
 * at once; `known` of the bytes SACK blocks have told of before, each of which could have added its part then. Without this a
 * path that reorders two packets in a hundred grows at half the rate: each late packet ends in one acknowledgement of many segments.
 */
export function hystartGrowth(
  hystart: HystartState,
  bytes: number,
  mss: number,
  isPaced: boolean,
  known: number = 0,
): number {
  const grown = isPaced ? bytes : Math.min(bytes, HYSTART.limit * mss + known)
  return hystart.phase === 'css' ? Math.floor(grown / HYSTART.cssGrowthDivisor) : grown
}

/** Slow start is over for another reason: a loss or an ECN mark (RFC 9406 §4.2). */
export function stopHystart(hystart: HystartState): void {
  hystart.phase = 'done'
}
