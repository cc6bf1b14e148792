// Reno: slow start and congestion avoidance (RFC 5681 §3.1), fast recovery's window (§3.2) with the pipe of RFC 6675 instead of
// inflating cwnd, increase counted in bytes (RFC 3465). NewReno (RFC 6582) differs in recovery only, which is loss.ts's: same window.

import type { CongestionControl, CongestionState } from './interface.ts'
import {
  createWindowUndo,
  forgetWindow,
  rememberLoss,
  rememberTimeout,
  restoreWindow,
  type WindowUndo,
} from './window-undo.ts'

/** What Reno keeps in CongestionState.data. */
export interface RenoData {
  undo: WindowUndo
}

/** RFC 8511 §3: what a mark leaves of the flight in congestion avoidance. */
export const RENO_BETA_ECN = 0.8

const dataOf = (state: CongestionState): RenoData | null => state.data as RenoData | null

/** RFC 5681 equation 4: half of what is in flight, at least two segments. */
export function halfOfFlight(flight: number, mss: number): number {
  return Math.max(Math.floor(flight / 2), 2 * mss)
}

/** The standard controller of RFC 5681 (RFC 9293 §3.8.2 [MUST-19]). */
export const reno: CongestionControl = {
  name: 'reno',

  init(state, initialWindow) {
    state.cwnd = initialWindow
    state.ssthresh = Number.POSITIVE_INFINITY
    state.acked = 0
    state.pacingRate = 0
    state.data = { undo: createWindowUndo() } satisfies RenoData
  },

  onAck(state, { bytes, isCwndLimited }) {
    if (isCwndLimited === false) return
    const data = dataOf(state)
    if (data !== null) data.undo.isRecovering = false
    let rest = bytes
    if (state.cwnd < state.ssthresh) {
      // DEVIATION: RFC 5681 equation 2 adds at most SMSS for each acknowledgement; as Linux does, all bytes that it covers count, so
      // that delayed and merged acknowledgements do not slow the start. Up to ssthresh: the rest counts for congestion avoidance.
      const grown = Math.min(rest, state.ssthresh - state.cwnd)
      state.cwnd += grown
      rest -= grown
    }
    // RFC 5681 §3.1, RFC 3465 §2.1: one segment for each window of acknowledged bytes.
    state.acked += rest
    while (state.acked >= state.cwnd) {
      state.acked -= state.cwnd
      state.cwnd += state.mss
    }
  },

  onLoss(state, flight) {
    const data = dataOf(state)
    if (data !== null) rememberLoss(data.undo, state)
    state.ssthresh = halfOfFlight(flight, state.mss)
    state.cwnd = state.ssthresh
    state.acked = 0
  },

  onEcn(state, flight, _now, isAbe = true) {
    const data = dataOf(state)
    if (data !== null) forgetWindow(data.undo)
    // RFC 8511 §3: in congestion avoidance only; what overshoots in slow start overshoots by a factor of two.
    const isSmaller = isAbe && state.cwnd >= state.ssthresh
    state.ssthresh = isSmaller
      ? Math.max(Math.floor(flight * RENO_BETA_ECN), 2 * state.mss)
      : halfOfFlight(flight, state.mss)
    state.cwnd = Math.min(state.cwnd, state.ssthresh)
    state.acked = 0
  },

  onRecovered(state) {
    const data = dataOf(state)
    if (data !== null) data.undo.isRecovering = false
    state.cwnd = Math.max(state.mss, state.ssthresh)
    state.acked = 0
  },

  onTimeout(state, flight, first) {
    const data = dataOf(state)
    if (data !== null) rememberTimeout(data.undo, state, first)
    if (first) state.ssthresh = halfOfFlight(flight, state.mss)
    state.cwnd = state.mss // RFC 5681 §3.1: the loss window, one segment
    state.acked = 0
  },

  onSpuriousLoss(state) {
    const data = dataOf(state)
    if (data !== null) restoreWindow(data.undo, state)
  },

  onIdle(state, restartWindow) {
    if (restartWindow >= state.cwnd) return
    state.cwnd = restartWindow
    state.acked = 0 // what was acknowledged of a larger window would open a small one at once
  },
}
