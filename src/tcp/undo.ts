// Taking back a reaction to a loss that was none: the Eifel detection by timestamps (RFC 3522), and DSACKs for everything that was sent
// again (RFC 3708 §2), and what needs no proof: nothing was sent again, and yet all has arrived; F-RTO, for timeouts, is in frto.ts. What
// was taken away is put back by the controller (RFC 4015 §3).
// Owns: the judgement. Does not own: beginning a recovery (loss.ts).

import type { SegmentHeader } from './header.ts'
import { createUndo, UNUSED_UNDO } from './recovery-state.ts'
import type { SackOutcome } from './sack.ts'
import { type Seq, seqAdd, seqDiff, seqGt } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** A recovery begins. */
export function beginUndo(tcb: Tcb): void {
  if (tcb.undo === UNUSED_UNDO) tcb.undo = createUndo(tcb.snd.iss)
  const { undo } = tcb
  undo.isPossible = true
  undo.isResent = false
  undo.isMended = tcb.tlp.isOut && tcb.tlp.isRetransmission
  undo.isJudged = false
  undo.unexplained = 0
  undo.resent.clear()
}

/** Text goes again, with this timestamp; a super-segment counts as the segments that it will be. */
export function noteResend(tcb: Tcb, start: Seq, length: number, tsVal: number): void {
  const { undo, recovery } = tcb
  if (recovery.phase === 'open') return // a tail probe is no reaction to a loss
  if (undo === UNUSED_UNDO) return // a smaller path MTU is none either
  if (!undo.isResent) {
    undo.isResent = true
    undo.resendTsVal = tsVal
    undo.resendStart = start
  }
  undo.unexplained += segments(tcb, length)
  if (length > 0) undo.resent.add(start, seqAdd(start, length))
}

const segments = (tcb: Tcb, length: number): number => Math.max(1, Math.ceil(length / tcb.snd.mss))

/** What has shown a recovery to be a mistake: an older timestamp echoed, DSACKs of all that went again, F-RTO, that nothing is missing. */
export type UndoEvidence = 'eifel' | 'dsack' | 'frto' | 'arrived'

/**
 * Judges an acknowledgement: whether the recovery under way, or the one just over, was a mistake. Says so once; the caller then ends
 * the recovery and tells the controller.
 */
export function judgeUndo(tcb: Tcb, segment: SegmentHeader, acked: number, sack: SackOutcome): UndoEvidence | 'none' {
  const { undo, ts, snd } = tcb
  if (!undo.isPossible) return 'none'
  if (!undo.isResent) return isNothingMissing(tcb) ? 'arrived' : 'none'
  // RFC 3708 §2: what the network itself has doubled, and we have not sent again, tells nothing.
  const isOurs = sack.isDsack && undo.resent.covers(sack.dsackStart, sack.dsackEnd)
  if (isOurs) undo.unexplained -= segments(tcb, seqDiff(sack.dsackEnd, sack.dsackStart))
  // RFC 3522 §3.2: the first acknowledgement of what was sent again echoes an older timestamp than that had: the original had arrived.
  const covers = acked > 0 && seqGt(snd.una, undo.resendStart)
  const canTell = covers && !undo.isJudged && ts.enabled && segment.hasTimestamps && segment.tsEcr !== 0
  const isEifel = canTell && ((segment.tsEcr - undo.resendTsVal) | 0) < 0
  const isAllDuplicate = isOurs && undo.unexplained <= 0
  if (covers) undo.isJudged = true
  if (!isEifel && !isAllDuplicate) return 'none'
  return isEifel ? 'eifel' : 'dsack'
}

/**
 * Whether all that was judged lost has arrived before any of it went again: when the acknowledgement that seemed to tell of the loss and
 * that of the late segment come in one batch. A segment that a tail probe had sent again may have been lost all the same.
 */
function isNothingMissing(tcb: Tcb): boolean {
  const { undo, recovery, snd } = tcb
  return recovery.phase !== 'open' && !undo.isMended && snd.flight.lostBytes === 0
}
