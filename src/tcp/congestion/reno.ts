// Reno: slow start and congestion avoidance (RFC 5681 §3.1), fast recovery's window (§3.2) with the pipe of RFC 6675 instead of
// inflating cwnd, increase counted in bytes (RFC 3465).

import type { CongestionControl } from './interface.ts'

/** RFC 5681 equation 4: half of what is in flight, at least two segments. */
export function halfOfFlight(flight: number, mss: number): number {
  return Math.max(Math.floor(flight / 2), 2 * mss)
}

/** The standard controller of RFC 5681. */
export const reno: CongestionControl = {
  name: 'reno',

  init(state, initialWindow) {
    state.cwnd = initialWindow
    state.ssthresh = Number.POSITIVE_INFINITY
    state.acked = 0
  },

  onAck(state, { bytes }) {
    let rest = bytes
    if (state.cwnd < state.ssthresh) {
      // RFC 5681 equation 2, over the acknowledgement's bytes, up to ssthresh: what is left counts for congestion avoidance.
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
    state.ssthresh = halfOfFlight(flight, state.mss)
    state.cwnd = state.ssthresh
    state.acked = 0
  },

  onRecovered(state) {
    state.cwnd = Math.max(state.mss, state.ssthresh)
    state.acked = 0
  },

  onTimeout(state, flight, first) {
    if (first) state.ssthresh = halfOfFlight(flight, state.mss)
    state.cwnd = state.mss // RFC 5681 §3.1: the loss window, one segment
    state.acked = 0
  },

  onIdle(state, restartWindow) {
    state.cwnd = Math.min(state.cwnd, restartWindow)
  },
}
