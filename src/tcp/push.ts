// When a small segment goes and when it waits for company: Nagle's algorithm and Minshall's (RFC 9293 §3.7.4, §A.3), corks, writes that
// promise more (SEND without PUSH, RFC 9293 §3.9.1.2); and the PSH bit.
// Owns: these rules, and the time after which a tail goes anyway. Does not own: windows (send-decision.ts).
// Read first: RFC 9293 §3.7.4, §3.9.1.2.

import type { Micros } from '../base/time.ts'
import { isRecordEnd } from './records.ts'
import { NO_NUMBERS, type Seq, seqAdd, seqDiff, seqGt, seqLe } from './seq.ts'
import { sendBufferStart, type Tcb, unsentBytes } from './tcb.ts'
import { isSendingUrgent } from './urgent.ts'

const NEVER = Number.POSITIVE_INFINITY

/** Why all that is queued, less than a segment, waits [SHLD-7]; null when it may go. The very last text of a connection always may. */
export function smallHold(tcb: Tcb, finDue: boolean): 'nagle' | 'cork' | null {
  const { snd, config } = tcb
  if (finDue || snd.isPushed || isSendingUrgent(tcb)) return null
  // Whatever Nagle says, as Linux. There any acknowledgement sends what MSG_MORE holds; here the promise is waited for (releaseMore).
  if (config.cork || (snd.hasMore && !snd.isMoreOver)) return 'cork'
  if (!config.nagle) return null // [MUST-17]
  const waits =
    config.nagleVariant === 'rfc'
      ? seqGt(snd.nxt, sendBufferStart(tcb))
      : seqGt(snd.smallEnd, snd.una) && seqLe(snd.smallEnd, snd.nxt) // RFC 9293 §A.3
  return waits ? 'nagle' : null
}

/** New text of that length was sent up to SND.NXT. */
export function noteSmall(tcb: Tcb, length: number): void {
  if (length % tcb.snd.mss !== 0) tcb.snd.smallEnd = tcb.snd.nxt
}

/** Nothing new goes now: when it is for a cork, the tail waits so long and no longer [MUST-60]. */
export function armCork(tcb: Tcb, now: Micros): void {
  const { timers, config } = tcb
  if (tcb.hold !== 'cork') timers.cork = NEVER
  else if (timers.cork === NEVER) timers.cork = now + config.corkLimitUs
}

/** What is queued now, if anything, goes as soon as the windows let it, small or not. */
export function pushTail(tcb: Tcb): void {
  tcb.timers.cork = NEVER
  tcb.snd.isPushed = unsentBytes(tcb) > 0
}

/**
 * Whether a segment with text takes PSH (RFC 9293 §3.9.1.2): the last one that is queued [MUST-61], unless a write has promised more
 * [MAY-15] [MAY-16]; so one PSH stands for all the writes before it [SHLD-27]. As Linux also when more than half of the greatest window
 * that the peer has ever offered goes without one: a receiver that waits for PSH is woken before its buffer is full.
 * What arrives with PSH is given to the application as all text is, at once: it is not told of the bit [MAY-17].
 */
export function takesPush(tcb: Tcb, start: Seq, length: number, isLast: boolean): boolean {
  const { snd, config } = tcb
  const end = seqAdd(start, length)
  const isTail =
    (isLast && (!snd.hasMore || snd.isPushed || (snd.finQueued && !snd.isMoreOver))) || isRecordEnd(tcb, end)
  if (config.heuristics === 'linux' && seqLe(end, snd.pushedEnd)) return snd.pushEnds.includes(end) // it goes again, as it went
  const isProbe = config.heuristics === 'linux' && tcb.probePending // of a window too small for a segment (tcp_write_wakeup)
  const isForced = config.forcedPush && seqDiff(end, snd.pushedEnd) > snd.maxWnd / 2
  if (!isTail && !isForced && !isProbe) return false
  while (snd.pushEnds.length > 0 && seqLe(snd.pushEnds[0], snd.una)) snd.pushEnds.shift()
  if (config.heuristics === 'linux') {
    if (snd.pushEnds === NO_NUMBERS) snd.pushEnds = []
    snd.pushEnds.push(end)
  }
  if (seqGt(end, snd.pushedEnd)) snd.pushedEnd = end
  return true
}
