// What is lost, and the phases of recovering it: fast retransmit and fast recovery (RFC 5681 §3.2, RFC 6675 with SACK, RFC 6582
// without), and the retransmission timeout (RFC 6298 §5).
// Owns: marking entries of the flight lost, the phase. Does not own: sending them again (output.ts), the window (congestion/).

import type { Micros } from '../base/time.ts'
import type { DeliverySample } from './delivery.ts'
import type { SegmentHeader } from './header.ts'
import { applyPrr, beginPrr } from './prr.ts'
import { detectLostByTime, isOverdue, onDsack, onRecoveryEnd, updateRack } from './rack.ts'
import type { SackOutcome } from './sack.ts'
import { seqAdd, seqDiff, seqGe, seqGt, seqLt, seqMax } from './seq.ts'
import type { Tcb } from './tcb.ts'
import { answersProbe, forgetProbe } from './tlp.ts'
import { beginUndo, isSpurious } from './undo.ts'

/** What an acknowledgement brought, for the judgement of loss. */
export interface AckOutcome extends SackOutcome {
  /** Sequence space newly covered by SEG.ACK. */
  acked: number
  /** RFC 5681 §2: a duplicate acknowledgement. */
  duplicate: boolean
  /** The same, whether or not anything is in flight. */
  isRepeat: boolean
}

/** Bytes estimated in the network: RFC 6675's pipe; without SACK each duplicate acknowledgement tells of one segment that left it. */
export function pipe(tcb: Tcb): number {
  const { flight } = tcb.snd
  return tcb.sackEnabled ? flight.pipe : Math.max(0, flight.pipe - tcb.recovery.dupAcks * tcb.snd.mss)
}

/** Judges an acknowledgement that arrived on a synchronized connection; may begin, end or take back a recovery. */
export function onAckOutcome(
  tcb: Tcb,
  segment: SegmentHeader,
  outcome: AckOutcome,
  sample: DeliverySample,
  now: Micros,
): void {
  const { recovery, snd, config } = tcb
  countDuplicates(tcb, outcome)
  if (config.undo && isSpurious(tcb, segment, outcome.acked, outcome)) takeBack(tcb)
  if (recovery.phase !== 'open' && outcome.acked > 0 && seqGe(snd.una, recovery.point)) endRecovery(tcb, now)
  const lostBefore = snd.flight.lostBytes
  judgeFlight(tcb, outcome, sample, now)
  if (answersProbe(tcb, outcome.isRepeat && segment.sackCount === 0, outcome) && recovery.phase === 'open') {
    tcb.control.onLoss(tcb.cc, tcb.tlp.flight, now) // RFC 8985 §7.4.2: the probe mended what nobody saw being lost
    tcb.control.onRecovered(tcb.cc, snd.flight.bytes, now)
  }
  if (recovery.phase === 'open') {
    if (isLossSeen(tcb)) enterRecovery(tcb, sample.delivered, now)
  } else if (outcome.acked > 0 && !tcb.sackEnabled) {
    // RFC 6582 §3.2 step 3: a partial acknowledgement tells of the next hole, which is sent again at once.
    if (markHeadLost(tcb) && recovery.phase === 'recovery') recovery.forced = true
  }
  if (isPrrInUse(tcb)) {
    applyPrr(tcb, sample.delivered, pipe(tcb), outcome.acked > 0 && snd.flight.lostBytes <= lostBefore)
  }
}

function isPrrInUse(tcb: Tcb): boolean {
  return tcb.recovery.phase === 'recovery' && tcb.config.prr && tcb.sackEnabled && tcb.control.ownsRecovery !== true
}

/** By time where RACK can, else by counting (RFC 6675). */
function judgeFlight(tcb: Tcb, outcome: AckOutcome, sample: DeliverySample, now: Micros): void {
  if (!tcb.sackEnabled) return
  if (!tcb.config.rack) {
    markLostBySack(tcb)
    return
  }
  if (outcome.isDsack) onDsack(tcb)
  updateRack(tcb, sample, now)
  detectLostByTime(tcb, now)
}

/** RACK's timer: what was waited for did not come. */
export function onReorderTimeout(tcb: Tcb, now: Micros): void {
  detectLostByTime(tcb, now)
  if (tcb.recovery.phase === 'open' && tcb.snd.flight.lostBytes > 0) enterRecovery(tcb, 0, now)
  // What is found lost makes no room for a burst: one segment goes, the acknowledgements say what follows (RFC 9937 §5).
  if (isPrrInUse(tcb)) tcb.cc.cwnd = Math.min(tcb.cc.cwnd, pipe(tcb) + tcb.snd.mss)
}

function endRecovery(tcb: Tcb, now: Micros): void {
  const { recovery, snd } = tcb
  if (recovery.phase === 'recovery') tcb.control.onRecovered(tcb.cc, snd.flight.bytes, now)
  recovery.phase = 'open'
  recovery.dupAcks = 0
  recovery.forced = false
  onRecoveryEnd(tcb)
}

/** RFC 4015 §3: nothing was lost. What waits to be sent again is in the network after all. */
function takeBack(tcb: Tcb): void {
  const { recovery, snd } = tcb
  const { flight } = snd
  const wasRecovering = recovery.phase !== 'loss'
  for (let i = flight.firstLost(); i >= 0; i = flight.firstLost()) flight.mark(i, 'sent')
  recovery.phase = 'open'
  recovery.dupAcks = 0
  recovery.forced = false
  // RFC 8985 §6.2 step 3 sees reordering only in what was sent once; here what was sent again has proved it.
  if (wasRecovering) tcb.rack.isReorderingSeen = true
  tcb.control.onSpuriousLoss?.(tcb.cc)
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
  if (tcb.sackEnabled) {
    return snd.flight.lostBytes > 0 || (!tcb.config.rack && recovery.dupAcks >= tcb.config.dupThresh)
  }
  // RFC 6582 §3.2 step 2: duplicates of what was sent before the last recovery ended do not begin another.
  return recovery.dupAcks >= tcb.config.dupThresh && seqGt(snd.una, recovery.point)
}

/** `delivered`: bytes that the acknowledgement has brought which tells of the loss. */
function enterRecovery(tcb: Tcb, delivered: number, now: Micros): void {
  const { recovery, snd } = tcb
  recovery.phase = 'recovery'
  recovery.point = snd.nxt
  beginPrr(tcb, delivered)
  beginUndo(tcb)
  tcb.control.onLoss(tcb.cc, flightSize(tcb), now)
  recovery.forced = snd.flight.lostBytes > 0 || markHeadLost(tcb)
  forgetProbe(tcb)
}

/**
 * FlightSize; what limited transmit (RFC 3042) sent beyond cwnd is left out (RFC 5681 §3.2 step 2). A sender that the window holds back has
 * as much out as the window is large: what the batch's acknowledgements before this one took from the flight, output has only not been
 * asked to send yet (RFC 9438 §4.6: cwnd in place of flight_size, where growth is bounded by use).
 */
function flightSize({ snd, cc, hold }: Tcb): number {
  return hold === 'cwnd' ? cc.cwnd : Math.min(snd.flight.bytes, cc.cwnd)
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
  if (tcb.config.rack || recovery.phase !== 'recovery' || !tcb.sackEnabled || flight.lostBytes > 0) return false
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
  const isByTime = tcb.sackEnabled && tcb.config.rack
  for (let i = 0; i < flight.size; i++) {
    const { mark, sentAt } = flight.at(i)
    // RFC 8985 §6.3: the first has been out for that long; what was sent lately may still be on its way.
    if (i > 0 && isByTime && !reneged && !isOverdue(tcb, sentAt, now)) continue
    if (mark !== 'lost' && (mark !== 'sacked' || reneged)) flight.mark(i, 'lost')
  }
  // A timeout in fast recovery is of the same episode: what began with a true loss is not taken back for a false timeout.
  if (tcb.rtt.timeouts === 1 && recovery.phase !== 'recovery') beginUndo(tcb)
  recovery.phase = 'loss'
  recovery.point = snd.nxt
  recovery.dupAcks = 0
  recovery.judged = snd.nxt
  recovery.forced = true
  forgetProbe(tcb)
  tcb.timers.reorder = Number.POSITIVE_INFINITY
}
