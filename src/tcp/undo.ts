// Taking back a reaction to a loss that was none: the Eifel detection by timestamps (RFC 3522), and DSACKs for everything that was sent
// again (RFC 3708 §2). What was taken away is put back by the controller (RFC 4015 §3).
// Owns: the judgement. Does not own: beginning a recovery (loss.ts).

import type { SegmentHeader } from './header.ts'
import type { SackOutcome } from './sack.ts'
import type { Tcb } from './tcb.ts'

/** A recovery begins. */
export function beginUndo(tcb: Tcb): void {
  const { undo } = tcb
  undo.isPossible = true
  undo.isResent = false
  undo.isJudged = false
  undo.unexplained = 0
}

/** A segment goes again, with this timestamp. */
export function noteResend(tcb: Tcb, tsVal: number): void {
  const { undo } = tcb
  if (!undo.isResent) {
    undo.isResent = true
    undo.resendTsVal = tsVal
  }
  undo.unexplained++
}

/**
 * Judges an acknowledgement: whether the recovery under way, or the one just over, was a mistake. Returns true once; the caller then ends
 * the recovery and tells the controller.
 */
export function isSpurious(tcb: Tcb, segment: SegmentHeader, acked: number, sack: SackOutcome): boolean {
  const { undo, ts } = tcb
  if (!undo.isPossible || !undo.isResent) return false
  if (sack.isDsack && undo.unexplained > 0) undo.unexplained--
  // RFC 3522 §3.2: the first acknowledgement that moves on echoes an older timestamp than the one sent again: the original had arrived.
  const canTell = acked > 0 && !undo.isJudged && ts.enabled && segment.hasTimestamps && segment.tsEcr !== 0
  const isEifel = canTell && ((segment.tsEcr - undo.resendTsVal) | 0) < 0
  const isAllDuplicate = sack.isDsack && undo.unexplained === 0
  if (acked > 0) undo.isJudged = true
  if (!isEifel && !isAllDuplicate) return false
  undo.isPossible = false
  return true
}
