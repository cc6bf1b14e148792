// DCTCP (RFC 8257), for data centres only: the window goes back in proportion to how much of a window met congestion, as ECN marks tell.
// Owns: alpha, the estimate of that fraction. Does not own: growth and losses, which are Reno's (§3.4, §3.5), the ACKs that carry ECE.
// Read first: RFC 8257 §3.3.

import type { CongestionControl, CongestionState } from './interface.ts'
import { type RenoData, reno } from './reno.ts'
import { forgetWindow } from './window-undo.ts'

/** RFC 8257 §4.2: g, the weight of the newest window in alpha. */
export const DCTCP_GAIN = 1 / 16

/** What DCTCP keeps in CongestionState.data. */
export interface DctcpData extends RenoData {
  /** Fraction of bytes that met congestion, 0 to 1. Begins at 1: the first mark halves the window. */
  alpha: number
  bytesAcked: number
  bytesMarked: number
  /** `totalDelivered` at the window's start. Stands for DCTCP.WindowEnd. */
  windowStart: number
}

/** Data Center TCP: for networks that mark early and drop never; not for the Internet (RFC 8257 §1). */
export const dctcp: CongestionControl = {
  ...reno,
  name: 'dctcp',
  needsEcn: true,

  init(state, initialWindow, now) {
    reno.init(state, initialWindow, now)
    const data = state.data as RenoData
    state.data = { ...data, alpha: 1, bytesAcked: 0, bytesMarked: 0, windowStart: 0 } satisfies DctcpData
  },

  onEveryAck(state, ack) {
    const data = dataOf(state)
    if (data === null) return
    data.bytesAcked += ack.bytes
    data.bytesMarked += Math.min(ack.ecnBytes, ack.bytes)
    if (ack.priorDelivered < data.windowStart || data.bytesAcked === 0) return
    const fraction = data.bytesMarked / data.bytesAcked
    data.alpha = data.alpha * (1 - DCTCP_GAIN) + DCTCP_GAIN * fraction
    data.windowStart = ack.totalDelivered
    data.bytesAcked = 0
    data.bytesMarked = 0
  },

  onEcn(state) {
    const data = dataOf(state)
    if (data !== null) forgetWindow(data.undo)
    const alpha = data?.alpha ?? 1
    state.cwnd = Math.min(state.cwnd, Math.max(Math.floor(state.cwnd * (1 - alpha / 2)), 2 * state.mss))
    state.ssthresh = state.cwnd
    state.acked = 0
  },
}

function dataOf(state: CongestionState): DctcpData | null {
  return state.data as DctcpData | null
}
