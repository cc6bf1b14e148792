// Whether a segment may be looked at at all: the first check of RFC 9293 §3.10.7.4 and PAWS before it (RFC 7323 §5). Pure: judges,
// changes nothing.

import type { Micros } from '../base/time.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { seqAdd, seqDiff, seqGt, seqLe, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'
import { receiveWindow } from './window.ts'

/** TS.Recent older than this is no longer believed (RFC 7323 §5.5). */
export const TIMESTAMP_AGE_US: Micros = 24 * 24 * 3600 * 1_000_000

/** An eighth of sequence space: what was sent since two such steps ago cannot be mistaken for what was sent a lap before. */
const FLOOR_OCTETS = 2 ** 29

/**
 * RFC 9293 §3.10.7.4, table 6: the four cases of segment length and receive window. With a window of zero a segment at RCV.NXT is let
 * through though it has text: its ACK, RST and URG count [MUST-66], and the text is cut off at the window's edge.
 */
export function isAcceptable(tcb: Tcb, segment: SegmentHeader): boolean {
  const { nxt } = tcb.rcv
  const window = receiveWindow(tcb)
  const length = segment.length
  const first = seqDiff(segment.seq, nxt)
  if (window === 0) return first === 0
  // DEVIATION: table 6 has SEG.SEQ < RCV.NXT+RCV.WND. An acknowledgement from a peer that has filled the window stands at its very
  // edge; refusing it would throw away what it acknowledges. Linux takes it too.
  if (length === 0 && first === window) return (segment.flags & FLAG.RST) === 0
  if (length === 0) return first >= 0 && first < window
  const last = first + length - 1
  return (first >= 0 && first < window) || (last >= 0 && last < window) || (first < 0 && last >= window)
}

/** RFC 7323 §5.3 R1: a segment whose timestamp is older than TS.Recent is an old duplicate. A reset is never judged so. */
export function isOldDuplicate(tcb: Tcb, segment: SegmentHeader, now: Micros): boolean {
  if (!tcb.ts.enabled || !tcb.config.paws || !segment.hasTimestamps) return false
  if ((segment.flags & FLAG.RST) !== 0) return false
  if (((segment.tsVal - tcb.ts.recent) | 0) >= 0) return false
  if (now - tcb.ts.recentAt > TIMESTAMP_AGE_US) return false
  return !isOvertaken(tcb, segment) && !isReordered(tcb, segment)
}

/**
 * Text that a retransmission has overtaken. What fills the first hole moves TS.Recent to the time at which it was sent again, past what
 * was sent for the first time shortly before and is late: text that nobody has seen yet, and no duplicate.
 * DEVIATION: RFC 7323 §5.3 R1 drops it, to keep out duplicates of another lap of sequence space. Since the floor there was none: the
 * timestamp tells as much, as surely as TS.Recent does. Only while text waits out of order, else there is nothing that could be late.
 */
function isReordered({ rcv, ts, config }: Tcb, segment: SegmentHeader): boolean {
  if (!config.pawsTakesReordered || segment.textLength === 0 || rcv.outOfOrder.size === 0) return false
  if ((segment.flags & FLAG.SYN) !== 0 || seqLt(segment.seq, rcv.nxt)) return false
  return ((segment.tsVal - ts.floor) | 0) >= 0 && !rcv.outOfOrder.has(segment.seq)
}

/**
 * A bare acknowledgement that another one has overtaken: it repeats what is known, so it can do no harm, and refusing it would cost a
 * duplicate acknowledgement and its SACK blocks.
 * DEVIATION: RFC 7323 §5.3 R1 drops it. As Linux: within the time of a retransmission, and when it does not tell of a larger window.
 */
function isOvertaken(tcb: Tcb, segment: SegmentHeader): boolean {
  const { snd, rcv, ts, rtt } = tcb
  if ((segment.flags & FLAG.ACK) === 0 || segment.length > 0) return false
  if (segment.seq !== rcv.nxt || segment.ack !== snd.una) return false
  if (segment.seq !== snd.wl1 || segment.window === 0 || segment.window * (1 << snd.scale) > snd.wnd) return false
  return 1000 * ((ts.recent - segment.tsVal) | 0) <= 1.2 * rtt.rtoUs
}

/** RFC 5961 §5.2: an acknowledgement older than the largest window ever offered, or of what was never sent, is not believed. */
export function isAckInRange(tcb: Tcb, segment: SegmentHeader): boolean {
  const { una, nxt, maxWnd } = tcb.snd
  return seqLe(segment.ack, nxt) && !seqLt(segment.ack, seqAdd(una, -maxWnd))
}

/** RFC 7323 §4.3: keeps the timestamp to echo, from a segment that spans Last.ACK.sent. */
export function takeTimestamp(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  const { ts } = tcb
  if (!ts.enabled || !segment.hasTimestamps) return
  if (seqGt(segment.seq, ts.lastAckSent)) return
  // A TS.Recent too old to be believed gives way to whatever comes (RFC 7323 §5.5).
  if (((segment.tsVal - ts.recent) | 0) < 0 && now - ts.recentAt <= TIMESTAMP_AGE_US) return
  ts.recent = segment.tsVal
  ts.recentAt = now
  if (seqDiff(ts.lastAckSent, ts.nextFloorSeq) < FLOOR_OCTETS) return
  ts.floor = ts.nextFloor
  ts.nextFloor = ts.recent
  ts.nextFloorSeq = ts.lastAckSent
}
