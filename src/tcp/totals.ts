// What a connection has done in its life, for tcp_info: segments and bytes both ways, and what held its sender up (Linux calls it chrono).
// Owns: the numbers and how they are counted. Does not own: the host's counters (counters.ts), the picture (info.ts).

import type { Micros } from '../base/time.ts'
import type { SegmentHeader, SegmentPlan } from './header.ts'
import { type Tcb, unsentBytes } from './tcb.ts'
import type { Totals } from './totals-state.ts'

/** A segment goes out; a super-segment counts as the `count` that it will be. */
export function countOut(totals: Totals, plan: SegmentPlan, count: number): void {
  totals.segmentsOut += count
  if (plan.textLength === 0) return
  totals.dataSegmentsOut += count
  totals.bytesSent += plan.textLength
  if (plan.isResent) totals.bytesResent += plan.textLength
}

/** A segment has come. */
export function countIn(totals: Totals, segment: SegmentHeader): void {
  totals.segmentsIn += segment.packets
  if (segment.textLength > 0) totals.dataSegmentsIn += segment.packets
}

/** The retransmission timer has run out; `isFirst`: of those in a row. */
export function countTimeout(totals: Totals, isFirst: boolean, now: Micros): void {
  totals.timeouts++
  if (!isFirst) return
  totals.timeoutRecoveries++
  totals.timeoutSince = now
}

/** Something was acknowledged. */
export function endTimeouts(totals: Totals, now: Micros): void {
  if (totals.timeoutSince < 0) return
  totals.timeoutUs += now - totals.timeoutSince
  totals.timeoutSince = -1
}

/** Output has nothing more to send now, `tcb.hold` says why: the time until it is asked again goes to what holds it. */
export function noteTime(tcb: Tcb, now: Micros): void {
  const { totals, snd, hold } = tcb
  const spent = now - totals.since
  totals.since = now
  if (totals.limit !== 'idle') totals.busyUs += spent
  if (totals.limit === 'window') totals.windowLimitedUs += spent
  else if (totals.limit === 'buffer') totals.bufferLimitedUs += spent
  if (snd.flight.bytes === 0 && unsentBytes(tcb) <= 0) totals.limit = 'idle'
  else if (hold === 'window' || hold === 'silly-window') totals.limit = 'window'
  else totals.limit = hold === 'nothing' && snd.wantsRoom ? 'buffer' : 'busy'
}
