// What is lost, and the phases of recovering it: fast retransmit and fast recovery (RFC 5681 §3.2, RFC 6675 with SACK, RFC 6582
// without), and the retransmission timeout (RFC 6298 §5).
// Owns: marking entries of the flight lost, the phase. Does not own: sending them again (output.ts), the window (congestion/).

import type { Micros } from '../base/time.ts'
import type { SegmentHeader } from './header.ts'
import { type Seq, seq, seqAdd, seqDiff, seqGe, seqGt, seqLt, seqMax } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** What an acknowledgement brought, for the judgement of loss. */
export interface AckOutcome {
  /** Sequence space newly covered by SEG.ACK. */
  acked: number
  /** Bytes newly covered by SACK blocks. */
  sacked: number
  /** RFC 5681 §2: a duplicate acknowledgement. */
  duplicate: boolean
}

/** Bytes estimated in the network: RFC 6675's pipe; without SACK each duplicate acknowledgement tells of one segment that left it. */
export function pipe(tcb: Tcb): number {
  const { flight } = tcb.snd
  return tcb.sackEnabled ? flight.pipe : Math.max(0, flight.pipe - tcb.recovery.dupAcks * tcb.snd.mss)
}

/** Marks what the segment's SACK blocks cover; returns the bytes that were not known before (RFC 6675 §5, Update()). */
export function takeSack(tcb: Tcb, segment: SegmentHeader): number {
  const { snd, recovery } = tcb
  let sacked = 0
  for (let i = 0; i < segment.sackCount; i++) {
    const left = seq(segment.sackEdges[2 * i])
    const right = seq(segment.sackEdges[2 * i + 1])
    // A block below SND.UNA is a DSACK (RFC 2883); one that is empty or beyond SND.NXT is not ours (RFC 2018 §8 does not say; Linux).
    if (seqGe(left, right) || seqLt(left, snd.una) || seqGt(right, snd.nxt)) continue
    sacked += markSacked(tcb, left, right)
    recovery.highestSacked = seqMax(recovery.highestSacked, right)
  }
  return sacked
}

function markSacked(tcb: Tcb, left: Seq, right: Seq): number {
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
    sacked += seqDiff(entry.end, entry.start)
    flight.mark(i, 'sacked')
  }
  return sacked
}

/** Judges an acknowledgement that arrived on a synchronized connection; may begin or end a recovery. */
export function onAckOutcome(tcb: Tcb, outcome: AckOutcome, now: Micros): void {
  const { recovery, snd } = tcb
  countDuplicates(tcb, outcome)
  if (recovery.phase !== 'open' && outcome.acked > 0 && seqGe(snd.una, recovery.point)) {
    if (recovery.phase === 'recovery') tcb.control.onRecovered(tcb.cc, snd.flight.bytes, now)
    recovery.phase = 'open'
    recovery.dupAcks = 0
    recovery.forced = false
  }
  if (tcb.sackEnabled) markLostBySack(tcb)
  if (recovery.phase === 'open') {
    if (isLossSeen(tcb)) enterRecovery(tcb, now)
  } else if (outcome.acked > 0 && !tcb.sackEnabled) {
    // RFC 6582 §3.2 step 3: a partial acknowledgement tells of the next hole, which is sent again at once.
    if (markHeadLost(tcb) && recovery.phase === 'recovery') recovery.forced = true
  }
}

function countDuplicates(tcb: Tcb, { acked, sacked, duplicate }: AckOutcome): void {
  const { recovery, snd } = tcb
  if (acked > 0) {
    // Without SACK: the segments that duplicates stood for are the ones now acknowledged, all but the one that filled the hole.
    const filled = Math.ceil(acked / Math.max(1, snd.mss)) - 1
    recovery.dupAcks = recovery.phase === 'recovery' && !tcb.sackEnabled ? Math.max(0, recovery.dupAcks - filled) : 0
  } else if (tcb.sackEnabled ? sacked > 0 : duplicate) {
    recovery.dupAcks++
  }
}

function isLossSeen(tcb: Tcb): boolean {
  const { recovery, snd } = tcb
  if (snd.flight.bytes === 0) return false
  if (tcb.sackEnabled) return snd.flight.lostBytes > 0 || recovery.dupAcks >= tcb.config.dupThresh
  // RFC 6582 §3.2 step 2: duplicates of what was sent before the last recovery ended do not begin another.
  return recovery.dupAcks >= tcb.config.dupThresh && seqGt(snd.una, recovery.point)
}

function enterRecovery(tcb: Tcb, now: Micros): void {
  const { recovery, snd } = tcb
  recovery.phase = 'recovery'
  recovery.point = snd.nxt
  // RFC 5681 §3.2 step 2: what limited transmit (RFC 3042) sent beyond cwnd is left out.
  tcb.control.onLoss(tcb.cc, Math.min(snd.flight.bytes, tcb.cc.cwnd), now)
  markHeadLost(tcb)
  recovery.forced = true
}

/** The first segment of the flight is lost; of a super-segment, its first segment. Returns false when that is known already. */
function markHeadLost(tcb: Tcb): boolean {
  const { flight } = tcb.snd
  if (flight.size === 0 || flight.at(0).mark !== 'sent') return false
  markSegmentLost(tcb, 0)
  return true
}

function markSegmentLost(tcb: Tcb, i: number): void {
  const { flight, mss } = tcb.snd
  const { start, end } = flight.at(i)
  if (seqDiff(end, start) > mss + 1) flight.split(i, seqAdd(start, mss))
  flight.mark(i, 'lost')
}

/**
 * RFC 6675 §4 NextSeg() rule (3): nothing is surely lost and nothing new can go, but the window has room: the first hole below what was
 * SACKed is taken for lost, one segment. Returns whether there was one.
 */
export function suspectNextHole(tcb: Tcb): boolean {
  const { recovery, snd } = tcb
  const { flight } = snd
  if (recovery.phase !== 'recovery' || !tcb.sackEnabled || flight.lostBytes > 0) return false
  if (tcb.cc.cwnd - flight.pipe < snd.mss) return false
  for (let i = 0; i < flight.size && seqLt(flight.at(i).start, recovery.highestSacked); i++) {
    if (flight.at(i).mark !== 'sent') continue
    markSegmentLost(tcb, i)
    return true
  }
  return false
}

/** RFC 6675 §4 IsLost(): DupThresh separate blocks, or more than DupThresh-1 segments' worth of bytes, were SACKed above it. */
function markLostBySack(tcb: Tcb): void {
  const { recovery, snd } = tcb
  const { flight } = snd
  if (flight.sackedBytes === 0) return
  const enough = (tcb.config.dupThresh - 1) * snd.mss
  let bytesAbove = 0
  let blocksAbove = 0
  let i = Math.min(flight.size - 1, flight.indexOf(seqAdd(recovery.highestSacked, -1)))
  for (; i >= 0; i--) {
    const entry = flight.at(i)
    if (entry.mark !== 'sacked') continue
    bytesAbove += seqDiff(entry.end, entry.start)
    if (i === 0 || flight.at(i - 1).mark !== 'sacked') blocksAbove++
    if (bytesAbove > enough || blocksAbove >= tcb.config.dupThresh) break
  }
  for (let j = flight.indexOf(seqMax(recovery.judged, snd.una)); j < i; j++) {
    if (flight.at(j).mark === 'sent') flight.mark(j, 'lost')
  }
  if (i > 0) recovery.judged = seqMax(recovery.judged, flight.at(i).start)
}

/** The retransmission timer expired: all that is not SACKed is taken for lost, one segment goes at once (RFC 6298 §5.4, RFC 5681 §3.1). */
export function onRetransmissionTimeout(tcb: Tcb, now: Micros): void {
  const { recovery, snd } = tcb
  const { flight } = snd
  tcb.control.onTimeout(tcb.cc, flight.bytes, tcb.rtt.timeouts === 0, now)
  tcb.rtt.timeouts++
  tcb.rtt.backoff++
  // RFC 2018 §8: the peer may have thrown away what it SACKed but never acknowledged; a head that is SACKed says that it did.
  const reneged = flight.at(0).mark === 'sacked'
  for (let i = 0; i < flight.size; i++) {
    const { mark } = flight.at(i)
    if (mark !== 'lost' && (mark !== 'sacked' || reneged)) flight.mark(i, 'lost')
  }
  recovery.phase = 'loss'
  recovery.point = snd.nxt
  recovery.dupAcks = 0
  recovery.judged = snd.nxt
  recovery.forced = true
}
