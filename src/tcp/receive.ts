// Text and FIN of an acceptable segment (RFC 9293 §3.10.7.4, seventh and eighth check).
// Owns: the receive buffer, what arrived out of order. Does not own: when it is acknowledged (acknowledge.ts), how much the buffer is to
// hold (receive-buffer.ts).
//
// Text out of order never stands in the way of what is missing: its place in the buffer is kept free, and a piece that joins RCV.NXT is
// always taken. Only the number of pieces is bounded. When there are too many, what would open another is refused: it was not reported,
// so its sender sends it again soon. Dropping a piece that was reported (RFC 2018 §8) can cost the sender a timeout; it has a setting.

import type { Micros } from '../base/time.ts'
import {
  acknowledgeAfterRead,
  acknowledgeFin,
  acknowledgeText,
  owesAck,
  owesDuplicate,
  owesDuplicateOrLater,
  quickenAfterLoss,
} from './acknowledge.ts'
import { abortTcb, enterTimeWait } from './closing.ts'
import { EVENT } from './events.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { adjustLinuxSpace, copiedSeq, isLinuxWindow, releaseLinux, takeLinuxText } from './linux-window.ts'
import { standingOptionBytes } from './md5.ts'
import { tuneReceiveBuffer } from './receive-buffer.ts'
import { noteDuplicate } from './sack-blocks.ts'
import { NO_NUMBERS, type Seq, seq, seqAdd, seqDiff, seqGt, seqLe, seqLt, seqMin } from './seq.ts'
import { canReceive, setState } from './state.ts'
import type { ReceiveState, Tcb } from './tcb.ts'
import { urgentBytes } from './urgent.ts'
import { windowUpdateDue } from './window.ts'

/** Ranges that are remembered in the order in which they grew: what a batch of segments has made. */
const MOST_RECENT = 64

/**
 * Seventh check: segment text. Takes what lies in the window; SYN has been dealt with. 'refused': the application is gone, the connection
 * was dropped, and the segment is to be answered with a reset (`answersLateText`).
 */
export function receiveText(tcb: Tcb, segment: SegmentHeader, now: Micros): 'done' | 'refused' {
  const { rcv } = tcb
  if (segment.textLength === 0 || !canReceive(tcb.state)) return 'done'
  const start = textSeq(segment)
  const isClosed = tcb.orphaned || (rcv.discard && tcb.snd.finQueued) // at once or one direction after the other, as in Linux
  if (isClosed && seqGt(seqAdd(start, segment.textLength), rcv.nxt)) {
    tcb.counters.TcpExtTCPAbortOnData++
    abortTcb(tcb) // RFC 9293 §3.6.1 [SHLD-3]: nobody will read it, and the peer should know
    if (!tcb.config.answersLateText) return 'done'
    tcb.resetPending = false
    return 'refused'
  }
  tuneReceiveBuffer(tcb, segment, now)
  let end = seqMin(seqAdd(start, segment.textLength), rcv.edge)
  if (rcv.finSeen) end = seqMin(end, rcv.finSeq)
  noteDuplicate(tcb, start, end)
  const skip = Math.max(0, seqDiff(rcv.nxt, start))
  const from = seqAdd(start, skip)
  if (seqLe(end, from)) {
    answerText(tcb, start) // all of it is known, or beyond the window
    return 'done'
  }
  const fullest = rcv.mss - standingOptionBytes(tcb) // a super-segment is longer than any on the wire
  if (segment.textLength > rcv.seenMss) rcv.seenMss = Math.min(segment.textLength, fullest)
  const at = segment.textStart + skip
  const offset = rcv.unread + seqDiff(from, rcv.nxt)
  if (seqGt(from, rcv.nxt) && !hasPlaceFor(tcb, from, end)) {
    tcb.counters.TcpExtTCPOFODrop++
    owesAck(tcb, 'refused')
    return 'done'
  }
  if (isLinuxWindow(tcb)) takeLinuxText(tcb, from, end, segment.textLength, segment.textStart)
  if (!rcv.discard) rcv.buffer.put(offset, segment.bytes, at, at + seqDiff(end, from))
  if (seqGt(from, rcv.nxt)) holdOutOfOrder(tcb, from, end, now)
  else takeInOrder(tcb, end, now)
  return 'done'
}

/**
 * Whether text out of order can be held: a peer that sends crumbs far apart makes no more ranges than `outOfOrderRanges`. What would open
 * another is not taken, or the range farthest right makes room for it.
 */
function hasPlaceFor(tcb: Tcb, from: Seq, end: Seq): boolean {
  const { outOfOrder } = tcb.rcv
  if (outOfOrder.size < tcb.config.outOfOrderRanges) return true
  if (outOfOrder.touches(from, end)) return true
  const last = outOfOrder.size - 1
  if (!tcb.config.outOfOrderPrune || !seqLt(from, seq(outOfOrder.start(last)))) return false
  outOfOrder.dropLast()
  tcb.counters.TcpExtOfoPruned++
  return true
}

/** Text that brought nothing new: its sender has missed our acknowledgement, or goes beyond the window. */
export function answerText(tcb: Tcb, start: Seq): void {
  if (!seqLt(start, tcb.rcv.nxt)) {
    owesAck(tcb, 'refused')
    return
  }
  tcb.counters.TcpExtDelayedACKLost++
  quickenAfterLoss(tcb)
  owesAck(tcb, 'duplicate')
}

/** Sequence number of a segment's first byte of text: a SYN comes before it. */
function textSeq(segment: SegmentHeader): Seq {
  return (segment.flags & FLAG.SYN) !== 0 ? seqAdd(segment.seq, 1) : segment.seq
}

/** [SHLD-31] queue it, [MAY-13] and say at once that something is missing. */
function holdOutOfOrder(tcb: Tcb, from: Seq, end: Seq, now: Micros): void {
  const { rcv } = tcb
  const i = rcv.outOfOrder.add(from, end)
  tcb.counters.TcpExtTCPOFOQueue++
  tcb.totals.outOfOrder++
  noteRange(rcv, i)
  if (tcb.config.sackDelayUs === 0) quickenAfterLoss(tcb)
  owesDuplicateOrLater(tcb, 'out-of-order', now)
}

/** RFC 2018 §4: remembers that range `i` is the one that grew last; as many as acknowledgements may be owed (see fillSack). */
function noteRange(rcv: ReceiveState, i: number): void {
  if (rcv.recentRanges === NO_NUMBERS) rcv.recentRanges = []
  const { outOfOrder, recentRanges } = rcv
  // In place: the new one first, each that is kept a place further on.
  let next = seq(outOfOrder.start(i))
  let kept = 0
  for (let k = 0; k < recentRanges.length; k++) {
    const at = recentRanges[k]
    const other = outOfOrder.find(at)
    if (other < 0 || other === i || kept >= MOST_RECENT - 1) continue
    recentRanges[kept++] = next
    next = at
  }
  recentRanges[kept++] = next
  if (recentRanges.length > kept) recentRanges.length = kept
}

function takeInOrder(tcb: Tcb, end: Seq, now: Micros): void {
  const { rcv } = tcb
  const old = rcv.nxt
  rcv.nxt = end
  const hadHoles = rcv.outOfOrder.size > 0
  if (hadHoles) {
    rcv.outOfOrder.add(old, end)
    rcv.nxt = seq(rcv.outOfOrder.end(0))
    rcv.outOfOrder.dropBelow(rcv.nxt)
  }
  const delivered = seqDiff(rcv.nxt, old)
  tcb.totals.bytesReceived += delivered
  if (rcv.discard)
    urgentBytes(tcb) // a mark gone past is forgotten, before it seems to lie ahead again
  else {
    rcv.unread += delivered
    tcb.events |= EVENT.readable
  }
  acknowledgeText(tcb, delivered, hadHoles, now)
}

/** Eighth check: FIN, in its turn or remembered until then. */
export function receiveFin(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  const { rcv } = tcb
  if (tcb.state === 'CLOSED') return
  const isHere = (segment.flags & FLAG.FIN) !== 0
  if (isHere) noteFin(tcb, segment)
  if (rcv.finSeen && rcv.nxt === rcv.finSeq) takeFin(tcb, !isHere, now)
}

function noteFin(tcb: Tcb, segment: SegmentHeader): void {
  const { rcv } = tcb
  const { outOfOrder } = rcv
  const finSeq = seqAdd(textSeq(segment), segment.textLength)
  // A FIN beyond the window is not taken: its octet lies outside; one behind RCV.NXT cannot be new.
  if (seqLt(finSeq, rcv.nxt) || seqGt(finSeq, rcv.edge)) return
  // One below text that has come already contradicts it: the text came first.
  if (outOfOrder.size > 0 && seqGt(seq(outOfOrder.end(outOfOrder.size - 1)), finSeq)) return
  if (!rcv.finSeen) {
    rcv.finSeen = true
    rcv.finSeq = finSeq
  }
  // One acknowledgement for each segment out of order: its text, if any, has asked for it.
  const isAhead = seqGt(finSeq, rcv.nxt) && segment.textLength === 0
  if (isAhead) owesDuplicate(tcb, 'out-of-order')
}

function takeFin(tcb: Tcb, wasAhead: boolean, now: Micros): void {
  const { rcv } = tcb
  rcv.nxt = seqAdd(rcv.nxt, 1)
  if (seqLt(rcv.edge, rcv.nxt)) rcv.edge = rcv.nxt
  acknowledgeFin(tcb, wasAhead, now)
  tcb.events |= EVENT.end
  switch (tcb.state) {
    case 'ESTABLISHED':
      setState(tcb, 'CLOSE-WAIT')
      break
    case 'FIN-WAIT-1':
      setState(tcb, 'CLOSING') // had our FIN been acknowledged, by this segment too, the fifth check would have led to FIN-WAIT-2
      break
    case 'FIN-WAIT-2':
      enterTimeWait(tcb, now)
      break
  }
}

/** Takes up to `most` bytes that are in order; a window that has opened far enough is told to the peer. Null when there are none. */
export function takeText(tcb: Tcb, most: number): Uint8Array | null {
  const { rcv } = tcb
  const urgent = urgentBytes(tcb)
  const length = Math.min(most, rcv.unread, urgent > 0 ? urgent : Number.POSITIVE_INFINITY) // a read stops at the mark
  if (length <= 0) return null
  const text = rcv.buffer.take(length)
  noteTaken(tcb, length)
  return text
}

/**
 * Hands what is in order to `take` without a copy, in one piece or two, each borrowed until `take` returns. Each counts as read before
 * `take` has it, which may read on, close or abort, and stops by returning false. Returns how many bytes were handed over.
 */
export function lendText(tcb: Tcb, take: (bytes: Uint8Array) => unknown): number {
  const { buffer } = tcb.rcv
  let taken = 0
  let isWanted = true
  const lend = (bytes: Uint8Array): void => {
    isWanted = take(bytes) !== false
  }
  for (let length = lendable(tcb); length > 0 && isWanted; length = lendable(tcb)) {
    const piece = Math.min(length, buffer.inOnePiece)
    noteTaken(tcb, piece)
    taken += piece
    buffer.lend(piece, lend)
  }
  return taken
}

function lendable(tcb: Tcb): number {
  if (tcb.rcv.unread === 0) return 0
  const urgent = urgentBytes(tcb)
  return Math.min(tcb.rcv.unread, urgent > 0 ? urgent : Number.POSITIVE_INFINITY)
}

/** The application has so much of what was in order. */
function noteTaken(tcb: Tcb, length: number): void {
  const { rcv } = tcb
  rcv.unread -= length
  tcb.tuning.readBytes += length
  if (isLinuxWindow(tcb)) {
    adjustLinuxSpace(tcb, copiedSeq(tcb), tcb.ack.textAt)
    releaseLinux(tcb, copiedSeq(tcb))
  }
  if (!canReceive(tcb.state)) return
  if (!rcv.finSeen && windowUpdateDue(tcb)) owesAck(tcb, 'window-update')
  acknowledgeAfterRead(tcb)
}

/**
 * The application reads no more: what has arrived, and what still comes, is acknowledged and thrown away, until it has closed its own
 * direction too. What lies behind a gap stays acknowledged (RFC 2018 §8), its octets do not.
 */
export function discardText(tcb: Tcb): void {
  const { rcv } = tcb
  if (rcv.discard) return
  rcv.discard = true
  rcv.buffer.clear()
  rcv.unread = 0
  if (canReceive(tcb.state) && windowUpdateDue(tcb)) owesAck(tcb, 'window-update')
}
