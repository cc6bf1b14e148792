// F-RTO: finding out whether a retransmission timeout was needless (RFC 5682). After it only the first segment goes again; when that is
// answered, new text is sent instead of what was taken for lost. An answer to old text that was never sent again says that the old text
// was on its way all the time; an answer to the new text alone, that it was lost.
//
//   wait ---- the resend is answered, more is out ----> probe ---- old text answered ----> taken back
//     `-- all answered, or a duplicate ----> off          `-- new text answered, a duplicate ----> off: as after any timeout
//
// Owns: the steps, the judgement. Does not own: what is marked lost (loss.ts), taking back (loss.ts), making segments (output.ts).
// Read first: RFC 5682 §2.1, §3.1.

import type { DeliverySample } from './delivery.ts'
import { isOldTextAnswered } from './linux-ways.ts'
import { createFrto, UNUSED_FRTO } from './recovery-state.ts'
import { seqDiff, seqGe, seqGt, seqLe } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** RFC 5682 §2.1 step 2b: new segments that go to find out. */
const PROBE_SEGMENTS = 2
/** RFC 5682 §2.1 step 3a: the window, in segments, when the timeout was real. */
const REAL_SEGMENTS = 3

/** What an acknowledgement brought. */
interface Progress {
  acked: number
  sacked: number
  duplicate: boolean
}

/** A timeout (RFC 5682 §2.1 step 1); `isFirst`: no recovery was under way, or the same segment has timed out again. */
export function beginFrto(tcb: Tcb, isFirst: boolean): void {
  const isTried = tcb.config.frto && isFirst
  if (isTried && tcb.frto === UNUSED_FRTO) tcb.frto = createFrto(tcb.snd.iss)
  tcb.frto.step = isTried ? 'wait' : 'off'
}

/** Judges an acknowledgement after a timeout; true: it was needless. */
export function judgeFrto(tcb: Tcb, progress: Progress, sample: DeliverySample): boolean {
  const { frto, recovery } = tcb
  if (frto.step === 'off') return false
  if (isOldTextAnswered(tcb, sample)) return true
  if (recovery.phase !== 'loss' || seqGe(tcb.snd.una, recovery.point)) {
    frto.step = 'off' // all is answered: there is nothing left to find out (RFC 5682 §2.1 step 2a)
    return false
  }
  return frto.step === 'wait' ? onAnswer(tcb, progress) : onSecondAnswer(tcb, progress, sample)
}

/** RFC 5682 §2.1 step 2. With SACK, duplicates are waited through (§3.1 step 2). */
function onAnswer(tcb: Tcb, { acked, duplicate }: Progress): false {
  const { frto, snd } = tcb
  if (acked === 0) {
    if (duplicate && !tcb.sackEnabled) frto.step = 'off'
    return false
  }
  // Not all of what went again is answered: step 2a.
  const isPartial = snd.flight.size > 0 && snd.flight.at(0).mark === 'resent'
  frto.step = isPartial ? 'off' : 'probe'
  frto.point = snd.nxt
  return false
}

/** RFC 5682 §2.1 step 3, §3.1 step 3. */
function onSecondAnswer(tcb: Tcb, { acked, sacked, duplicate }: Progress, sample: DeliverySample): boolean {
  const { frto, snd, cc } = tcb
  const isOldAnswered = sample.hasFresh && seqLe(sample.lowestFresh, frto.point)
  const isNewAnswered = sample.delivered > 0 && seqGt(sample.highestEnd, frto.point)
  // Without SACK, what is acknowledged together with a retransmission may have been there before it.
  const isClear = tcb.sackEnabled ? !isNewAnswered : acked > 0 && sample.resentAt < 0
  if (isOldAnswered && isClear) return true
  const isDuplicate = acked === 0 && (sacked > 0 || duplicate)
  if (isNewAnswered || (isDuplicate && snd.nxt !== frto.point)) {
    frto.step = 'off'
    if (tcb.control.ownsRecovery !== true) cc.cwnd = Math.min(cc.cwnd, REAL_SEGMENTS * snd.mss)
  }
  return false
}

/** Whether new text is to go before what was lost. */
export function isProbingTimeout(tcb: Tcb): boolean {
  return tcb.frto.step === 'probe'
}

/** How much new text may go; 0: the answer is waited for. */
export function probeBytes(tcb: Tcb): number {
  const left = PROBE_SEGMENTS * tcb.snd.mss - seqDiff(tcb.snd.nxt, tcb.frto.point)
  return left < tcb.snd.mss ? 0 : left
}

/**
 * Nothing new goes now. If nothing has gone, and the peer's window or a lack of text is why, the usual recovery follows (RFC 5682 §2.1
 * step 2b): returns whether it does.
 */
export function endFrtoUnsent(tcb: Tcb): boolean {
  const isWaiting = probeBytes(tcb) === 0
  if (!isWaiting && (tcb.hold === 'pacing' || tcb.hold === 'cwnd')) return false
  if (isWaiting || tcb.snd.nxt !== tcb.frto.point) {
    tcb.hold = 'frto'
    return false
  }
  tcb.frto.step = 'off'
  return true
}
