// What SACK blocks tell the sender (RFC 2018 §5, RFC 2883 for duplicates).
// Owns: marking the flight, noticing a DSACK. Does not own: what is lost (loss.ts, rack.ts).

import type { DeliveryVisitor } from './flight.ts'
import type { SegmentHeader } from './header.ts'
import { type Seq, seq, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** What the SACK blocks of one segment brought. */
export interface SackOutcome {
  /** Bytes that were not known before. */
  sacked: number
  /** The first block reports text that had arrived twice (RFC 2883 §4). */
  isDsack: boolean
  /** Edges of that block. */
  dsackStart: Seq
  dsackEnd: Seq
}

/** Marks what the segment's SACK blocks cover; call before SND.UNA moves. `visit` is told of what was not known before. */
export function takeSack(tcb: Tcb, segment: SegmentHeader, out: SackOutcome, visit: DeliveryVisitor): void {
  const { snd, recovery } = tcb
  out.sacked = 0
  out.isDsack = false
  for (let i = 0; i < segment.sackCount; i++) {
    const left = seq(segment.sackEdges[2 * i])
    const right = seq(segment.sackEdges[2 * i + 1])
    if (seqGe(left, right) || seqGt(right, snd.nxt)) continue // empty, or not ours
    if (i === 0 && isDuplicateReport(segment, left, right)) {
      out.isDsack = true
      tcb.counters.TcpExtTCPDSACKRecv++
      tcb.totals.duplicates++
      out.dsackStart = left
      out.dsackEnd = right
      continue
    }
    if (seqLe(left, seqMax(snd.una, segment.ack))) continue // contradicts the acknowledgement
    // Blocks of crumbs would cut the flight to pieces: beyond the bound they are not listened to.
    if (snd.flight.size >= tcb.config.flightPieces && seqDiff(right, left) < snd.mss) continue
    out.sacked += markSacked(tcb, left, right, visit)
    recovery.highestSacked = seqMax(recovery.highestSacked, right)
  }
}

/** RFC 2883 §4: the first block lies below the acknowledgement, or inside the second block. */
function isDuplicateReport(segment: SegmentHeader, left: Seq, right: Seq): boolean {
  if (seqLe(right, segment.ack)) return true
  if (segment.sackCount < 2) return false
  return seqGe(left, seq(segment.sackEdges[2])) && seqLe(right, seq(segment.sackEdges[3]))
}

function markSacked(tcb: Tcb, left: Seq, right: Seq, visit: DeliveryVisitor): number {
  const { flight } = tcb.snd
  let sacked = 0
  for (let i = flight.indexOf(left); i < flight.size; i++) {
    let entry = flight.at(i)
    if (seqGe(entry.start, right)) break
    if (entry.mark === 'sacked') continue
    if (seqLt(entry.start, left)) {
      flight.split(i, left)
      continue
    }
    if (seqLt(right, entry.end)) {
      flight.split(i, right)
      entry = flight.at(i)
    }
    const length = seqDiff(entry.end, entry.start)
    sacked += length
    visit(entry, length)
    i = flight.sack(i, Math.ceil(length / tcb.snd.mss))
  }
  return sacked
}
