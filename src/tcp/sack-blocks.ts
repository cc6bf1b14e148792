// The SACK blocks that we send: what has arrived out of order (RFC 2018 §4), and before them what arrived twice (RFC 2883 §4).
// Owns: which block stands where. Does not own: the reassembly (receive.ts), reading the peer's blocks (sack.ts).

import type { SegmentHeader, SegmentPlan } from './header.ts'
import { type Seq, seq, seqAdd, seqGt, seqLt, seqMin } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** Remembers text that came a second time, for one acknowledgement: what of the segment lies below RCV.NXT, or in a range that is held. */
export function noteDuplicate(tcb: Tcb, start: Seq, end: Seq): void {
  const { rcv, config } = tcb
  if (!tcb.sackEnabled || !config.dsack || !seqLt(start, end)) return
  const below = seqMin(end, rcv.nxt)
  if (seqLt(start, below)) {
    rcv.duplicateStart = start
    rcv.duplicateEnd = below
  } else {
    // A segment that overlaps held text in part (RFC 2883 §4.2): its head does, or else its tail.
    const head = rcv.outOfOrder.find(start)
    const tail = head >= 0 ? head : rcv.outOfOrder.find(seqAdd(end, -1))
    if (tail < 0) return
    rcv.duplicateStart = head >= 0 ? start : seq(rcv.outOfOrder.start(tail))
    rcv.duplicateEnd = seqMin(end, seq(rcv.outOfOrder.end(tail)))
  }
  rcv.isDuplicateDue = true
}

/** The same for a segment that is not acceptable because it lies left of the window. */
export function noteOldSegment(tcb: Tcb, segment: SegmentHeader): void {
  const end = seqAdd(segment.seq, segment.textLength)
  if (segment.textLength > 0 && !seqGt(end, tcb.rcv.nxt)) noteDuplicate(tcb, segment.seq, end)
}

/** Whether an acknowledgement has blocks to carry. */
export function hasSackBlocks(tcb: Tcb): boolean {
  return tcb.sackEnabled && (tcb.rcv.outOfOrder.size > 0 || tcb.rcv.isDuplicateDue)
}

/**
 * The duplicate first, then the range that grew last, then those reported before it, the latest first; then any, while there is room.
 *
 * `still`: how many acknowledgements are owed after this one. They are made together, once a batch is handled; so that the peer hears of
 * all ranges that the batch has made, and not of the last three again and again, the earlier ones tell of the earlier ranges, as if each
 * had gone out when its segment came (RFC 2018 §4).
 */
export function fillSack(tcb: Tcb, plan: SegmentPlan, still: number): void {
  const { rcv } = tcb
  const { outOfOrder, recentRanges } = rcv
  const room = tcb.pathSegmentBytes - 20 - (plan.hasTimestamps ? 12 : 0) - 4
  const most = Math.min(plan.hasTimestamps ? 3 : 4, Math.floor(room / 8))
  if (most <= 0) return
  let count = 0
  if (rcv.isDuplicateDue) {
    plan.sackEdges[0] = rcv.duplicateStart
    plan.sackEdges[1] = rcv.duplicateEnd
    count = 1
    rcv.isDuplicateDue = false
  }
  const first = count
  const put = (i: number): void => {
    if (i < 0 || count === most) return
    for (let k = first; k < count; k++) if (plan.sackEdges[2 * k] === outOfOrder.start(i)) return
    plan.sackEdges[2 * count] = outOfOrder.start(i)
    plan.sackEdges[2 * count + 1] = outOfOrder.end(i)
    count++
  }
  const earlier = Math.max(0, Math.min(still, recentRanges.length - (most - first)))
  for (let k = earlier; k < recentRanges.length; k++) put(outOfOrder.find(recentRanges[k]))
  for (let i = outOfOrder.size - 1; i >= 0 && count < most; i--) put(i)
  plan.sackCount = count
}
