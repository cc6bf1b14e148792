// Text and FIN of an acceptable segment (RFC 9293 §3.10.7.4, seventh and eighth check), and when to acknowledge (RFC 9293 §3.8.6.3,
// RFC 5681 §4.2). Owns: the receive buffer, what arrived out of order, owing an acknowledgement. Does not own: sending it (output.ts).

import type { Micros } from '../base/time.ts'
import { abortTcb, enterTimeWait } from './closing.ts'
import { EVENT } from './events.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { noteDuplicate } from './sack-blocks.ts'
import { type Seq, seq, seqAdd, seqDiff, seqGt, seqLe, seqLt, seqMin } from './seq.ts'
import { canReceive, setState } from './state.ts'
import type { ReceiveState, Tcb } from './tcb.ts'
import { windowUpdateDue } from './window.ts'

/** Bound on duplicate acknowledgements owed at once: more tell the peer nothing new. */
const MOST_ACKS_OWED = 64
/** A peer's full-sized segment is taken to be at least this long (RFC 9293 §3.7.1: the default MSS). */
const LEAST_FULL_SEGMENT = 536

/** Owes an acknowledgement as soon as possible. */
export function owesAck(tcb: Tcb): void {
  if (tcb.rcv.acksOwed === 0) tcb.rcv.acksOwed = 1
}

/**
 * Owes an acknowledgement to a segment that should not have come (RFC 5961 §7): at most one in a while, so that neither an attacker nor
 * two ends that disagree can draw them without end.
 */
export function owesChallenge(tcb: Tcb, now: Micros): void {
  if (now < tcb.challengeAt) return
  tcb.challengeAt = now + tcb.config.challengeIntervalUs
  owesAck(tcb)
}

/** Seventh check: segment text. Takes what lies in the window; SYN has been dealt with. */
export function receiveText(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  const { rcv } = tcb
  if (segment.textLength === 0 || !canReceive(tcb.state)) return
  const start = textSeq(segment)
  if (tcb.orphaned && seqGt(seqAdd(start, segment.textLength), rcv.nxt)) {
    abortTcb(tcb) // RFC 9293 §3.6.1 [SHLD-3]: nobody will read it, and the peer should know
    return
  }
  let end = seqMin(seqAdd(start, segment.textLength), rcv.edge)
  if (rcv.finSeen) end = seqMin(end, rcv.finSeq)
  noteDuplicate(tcb, start, end)
  const skip = Math.max(0, seqDiff(rcv.nxt, start))
  const from = seqAdd(start, skip)
  if (seqLe(end, from)) {
    owesAck(tcb) // all of it is known, or beyond the window
    return
  }
  if (segment.textLength > rcv.seenMss) rcv.seenMss = Math.min(segment.textLength, rcv.mss)
  const at = segment.textStart + skip
  const offset = rcv.unread + seqDiff(from, rcv.nxt)
  // A peer that sends crumbs far apart makes no more ranges than this: what would open another is not taken.
  const isCrumb = rcv.outOfOrder.size >= tcb.config.outOfOrderRanges && seqGt(from, rcv.nxt)
  if (isCrumb && !rcv.outOfOrder.has(seqAdd(from, -1)) && !rcv.outOfOrder.has(end)) {
    owesAck(tcb)
    return
  }
  if (!rcv.discard) rcv.buffer.put(offset, segment.bytes, at, at + seqDiff(end, from))
  if (seqGt(from, rcv.nxt)) holdOutOfOrder(tcb, from, end)
  else takeInOrder(tcb, end, now)
}

/** Sequence number of a segment's first byte of text: a SYN comes before it. */
function textSeq(segment: SegmentHeader): Seq {
  return (segment.flags & FLAG.SYN) !== 0 ? seqAdd(segment.seq, 1) : segment.seq
}

/** [SHLD-31] queue it, [MAY-13] and say at once that something is missing. */
function holdOutOfOrder(tcb: Tcb, from: Seq, end: Seq): void {
  const { rcv } = tcb
  const i = rcv.outOfOrder.add(from, end)
  noteRange(rcv, i)
  rcv.acksOwed = Math.min(MOST_ACKS_OWED, rcv.acksOwed + 1)
}

/** RFC 2018 §4: remembers that range `i` is the one that grew last; as many as acknowledgements may be owed (see fillSack). */
function noteRange(rcv: ReceiveState, i: number): void {
  const { outOfOrder, recentRanges } = rcv
  const isOther = (at: Seq): boolean => outOfOrder.find(at) !== i && outOfOrder.find(at) >= 0
  const others = recentRanges.filter(isOther).slice(0, MOST_ACKS_OWED - 1)
  recentRanges.length = 0
  recentRanges.push(seq(outOfOrder.start(i)), ...others)
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
  if (!rcv.discard) {
    rcv.unread += delivered
    tcb.events |= EVENT.readable
  }
  rcv.unacked += delivered
  const full = Math.max(rcv.seenMss, Math.min(LEAST_FULL_SEGMENT, rcv.mss))
  const { delayedAckUs, ackEverySegments } = tcb.config
  // As Linux: the second segment in a row is acknowledged though it is the short end of a write, for its sender, with two segments out,
  // probes for a lost tail long before a delayed acknowledgement comes (RFC 8985 §7.2 allows for one only with a single segment out).
  if (hadHoles || delayedAckUs === 0 || rcv.unacked > (ackEverySegments - 1) * full) {
    rcv.acksOwed = 1 // RFC 5681 §4.2: at once when it fills a gap; at least every second full segment [SHLD-19]
  } else {
    if (rcv.acksOwed > 0) rcv.acksOwed = 1
    if (tcb.timers.delayedAck === Number.POSITIVE_INFINITY) tcb.timers.delayedAck = now + delayedAckUs
  }
}

/** Eighth check: FIN, in its turn or remembered until then. */
export function receiveFin(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  const { rcv } = tcb
  if (tcb.state === 'CLOSED') return
  if ((segment.flags & FLAG.FIN) !== 0) noteFin(rcv, segment)
  if (rcv.finSeen && rcv.nxt === rcv.finSeq) takeFin(tcb, now)
}

function noteFin(rcv: ReceiveState, segment: SegmentHeader): void {
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
  if (isAhead) rcv.acksOwed = Math.min(MOST_ACKS_OWED, rcv.acksOwed + 1)
}

function takeFin(tcb: Tcb, now: Micros): void {
  const { rcv, snd } = tcb
  rcv.nxt = seqAdd(rcv.nxt, 1)
  if (seqLt(rcv.edge, rcv.nxt)) rcv.edge = rcv.nxt
  rcv.acksOwed = 1
  tcb.events |= EVENT.end
  switch (tcb.state) {
    case 'ESTABLISHED':
      setState(tcb, 'CLOSE-WAIT')
      break
    case 'FIN-WAIT-1':
      if (snd.finSent && snd.una === snd.nxt) enterTimeWait(tcb, now)
      else setState(tcb, 'CLOSING')
      break
    case 'FIN-WAIT-2':
      enterTimeWait(tcb, now)
      break
  }
}

/** Takes up to `most` bytes that are in order; a window that has opened far enough is told to the peer. Null when there are none. */
export function takeText(tcb: Tcb, most: number): Uint8Array | null {
  const { rcv } = tcb
  const length = Math.min(most, rcv.unread)
  if (length <= 0) return null
  const text = new Uint8Array(length)
  rcv.buffer.copy(0, text, 0, length)
  rcv.buffer.advance(length)
  rcv.unread -= length
  if (canReceive(tcb.state) && !rcv.finSeen && windowUpdateDue(tcb)) owesAck(tcb)
  return text
}
