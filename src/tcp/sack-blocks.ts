// The SACK blocks that we send: what has arrived out of order (RFC 2018 §4), and before them what arrived twice (RFC 2883 §4).
// Owns: which block stands where. Does not own: the reassembly (receive.ts), reading the peer's blocks (sack.ts).

import type { Ranges } from '../base/ranges.ts'
import { FLAG, type SegmentHeader, type SegmentPlan, TCP_HEADER_BYTES, TCP_HEADER_MAX } from './header.ts'
import { spaceOf } from './linux-ways.ts'
import { standingOptionBytes } from './md5.ts'
import { NO_NUMBERS, type Seq, seq, seqAdd, seqGt, seqLt, seqMax, seqMin } from './seq.ts'
import type { ReceiveState, Tcb } from './tcb.ts'

/** Duplicates that wait to be reported, each in an acknowledgement of its own; what comes beyond them goes unreported. */
const MOST_DUPLICATES = 16

/** Remembers text that came a second time, for one acknowledgement: what of the segment lies below RCV.NXT, or in a range that is held. */
export function noteDuplicate(tcb: Tcb, start: Seq, end: Seq): void {
  const { rcv, config } = tcb
  if (!tcb.sackEnabled || !config.dsack || !seqLt(start, end)) return
  const below = seqMin(end, rcv.nxt)
  if (seqLt(start, below)) {
    tcb.counters.TcpExtTCPDSACKOldSent++
    report(rcv, start, below)
    return
  }
  if (rcv.outOfOrder.size === 0) return
  // A segment may bring new text too (RFC 2883 §4.2): what it has in common with the first range that it meets.
  const i = firstMet(rcv.outOfOrder, start, end)
  if (i < 0) return
  tcb.counters.TcpExtTCPDSACKOfoSent++
  report(rcv, seqMax(start, seq(rcv.outOfOrder.start(i))), seqMin(end, seq(rcv.outOfOrder.end(i))))
}

/** The first range that has an octet in common with [start, end), -1: none has. */
function firstMet(ranges: Ranges, start: Seq, end: Seq): number {
  let low = 0
  let high = ranges.size // those below `low` end before it begins, those from `high` on do not
  while (low < high) {
    const middle = (low + high) >>> 1
    if (seqLt(start, seq(ranges.end(middle)))) high = middle
    else low = middle + 1
  }
  return low < ranges.size && seqLt(seq(ranges.start(low)), end) ? low : -1
}

function report(rcv: ReceiveState, start: Seq, end: Seq): void {
  if (rcv.duplicates === NO_NUMBERS) rcv.duplicates = []
  if (rcv.duplicates.length < 2 * MOST_DUPLICATES) rcv.duplicates.push(start, end)
}

/** The same for a segment that is not acceptable because it lies left of the window. `flag`: SYN or FIN, which may count as text. */
export function noteOldSegment(tcb: Tcb, segment: SegmentHeader, flag: number = FLAG.FIN): void {
  const space = spaceOf(tcb, segment.textLength, (segment.flags & flag) !== 0)
  const end = seqAdd(segment.seq, space)
  if (space > 0 && !seqGt(end, tcb.rcv.nxt)) noteDuplicate(tcb, segment.seq, end)
}

/** Whether an acknowledgement has blocks to carry. */
export function hasSackBlocks(tcb: Tcb): boolean {
  const { rcv } = tcb
  return tcb.sackEnabled && (rcv.outOfOrder.size > 0 || rcv.duplicates.length > 0 || isFinAhead(rcv))
}

/** A FIN has come, and text before it has not: it has a sequence number, so a block tells of it (RFC 2018 §3). */
function isFinAhead(rcv: ReceiveState): boolean {
  return rcv.finSeen && seqGt(rcv.finSeq, rcv.nxt)
}

/** Whether that FIN has to have a block to itself: no text right before it is held. */
function isFinAlone(rcv: ReceiveState): boolean {
  const { outOfOrder } = rcv
  return isFinAhead(rcv) && (outOfOrder.size === 0 || outOfOrder.end(outOfOrder.size - 1) !== rcv.finSeq)
}

/**
 * A duplicate first, then the range that grew last, then those reported before it, the latest first; then any, while there is room beside
 * `textLength` octets of text. Duplicates that are still to be reported owe an acknowledgement each (RFC 2883 §4).
 *
 * `still`: how many acknowledgements are owed after this one. They are made together, once a batch is handled; so that the peer hears of
 * all ranges that the batch has made, and not of the last three again and again, the earlier ones tell of the earlier ranges, as if each
 * had gone out when its segment came (RFC 2018 §4). `reserved`: octets of option space that another option has to have.
 */
export function fillSack(tcb: Tcb, plan: SegmentPlan, textLength: number, still: number, reserved = 0): void {
  const { rcv } = tcb
  const { outOfOrder, recentRanges, duplicates } = rcv
  const room =
    Math.min(TCP_HEADER_MAX, tcb.pathSegmentBytes) - TCP_HEADER_BYTES - standingOptionBytes(tcb) - 4 - reserved
  const inHeader = Math.floor(room / 8) // four; three beside timestamps, two beside a signature
  if (inHeader <= 0 && duplicates.length > 0) duplicates.length = 0 // they can never be reported
  const most = textLength > 0 ? Math.min(inHeader, Math.floor((tcb.snd.mss - textLength - 4) / 8)) : inHeader
  let count = 0
  if (duplicates.length > 0 && most > 0) {
    plan.sackEdges[0] = duplicates[0]
    plan.sackEdges[1] = duplicates[1]
    count = 1
    duplicates.shift()
    duplicates.shift()
  }
  rcv.acksOwed = duplicates.length / 2
  if (count < most && isFinAlone(rcv)) {
    plan.sackEdges[2 * count] = rcv.finSeq
    plan.sackEdges[2 * count + 1] = seqAdd(rcv.finSeq, 1)
    count++
  }
  const first = count
  const earlier = Math.max(0, Math.min(still, recentRanges.length - (most - first)))
  for (let k = earlier; k < recentRanges.length && count < most; k++) {
    count = putRange(tcb, plan, outOfOrder.find(recentRanges[k]), first, count)
  }
  for (let i = outOfOrder.size - 1; i >= 0 && count < most; i--) count = putRange(tcb, plan, i, first, count)
  plan.sackCount = count
}

/** Range `i` as block `count`, unless there is none or it stands among those from `first` on; returns how many blocks there are then. */
function putRange(tcb: Tcb, plan: SegmentPlan, i: number, first: number, count: number): number {
  if (i < 0) return count
  const start = tcb.rcv.outOfOrder.start(i)
  for (let k = first; k < count; k++) if (plan.sackEdges[2 * k] === start) return count
  plan.sackEdges[2 * count] = start
  const end = seq(tcb.rcv.outOfOrder.end(i))
  plan.sackEdges[2 * count + 1] = tcb.rcv.finSeen && end === tcb.rcv.finSeq ? seqAdd(end, 1) : end
  return count + 1
}
