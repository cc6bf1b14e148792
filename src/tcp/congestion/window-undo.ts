// What a loss took away, kept in case that the loss was a mistake (RFC 4015 §3, RFC 5682, RFC 9438 §4.9).
// Owns: cwnd and ssthresh as they were before the first reduction of an episode. Does not own: finding out that it was a mistake.

import type { CongestionState } from './interface.ts'

/** The window before the last reduction. Bytes. */
export interface WindowUndo {
  /** -1: there is nothing to put back. */
  cwnd: number
  /** Infinity when no loss had come before. */
  ssthresh: number
  /** Fast recovery is under way: a timeout in it belongs to the same episode. */
  isRecovering: boolean
}

/** Nothing to put back. */
export function createWindowUndo(): WindowUndo {
  return { cwnd: -1, ssthresh: -1, isRecovering: false }
}

/** Call first thing in onLoss. */
export function rememberLoss(undo: WindowUndo, state: CongestionState): void {
  undo.cwnd = state.cwnd
  undo.ssthresh = state.ssthresh
  undo.isRecovering = true
}

/** Call first thing in onTimeout. Returns whether an episode begins here, and is not the worsening of one that is known. */
export function rememberTimeout(undo: WindowUndo, state: CongestionState, first: boolean): boolean {
  const begins = first && !undo.isRecovering
  if (begins) rememberLoss(undo, state)
  undo.isRecovering = false
  return begins
}

/** Forgets: what follows cannot be a mistake (an ECN mark). */
export function forgetWindow(undo: WindowUndo): void {
  undo.cwnd = -1
  undo.isRecovering = false
}

/** Puts the window back, at least as large as it is now. Returns false when there was nothing to put back. */
export function restoreWindow(undo: WindowUndo, state: CongestionState): boolean {
  if (undo.cwnd < 0) return false
  state.cwnd = Math.max(state.cwnd, undo.cwnd)
  state.ssthresh = Math.max(state.ssthresh, undo.ssthresh)
  state.acked = 0
  forgetWindow(undo)
  return true
}
