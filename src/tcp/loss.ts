// What is lost, and the phases of recovering it: fast retransmit and fast recovery (RFC 5681 §3.2, RFC 6675 with SACK, RFC 6582
// without), the retransmission timeout (RFC 6298 §5), and what a smaller path MTU does (RFC 1191 §6.5).
// Owns: marking entries of the flight lost, the phase. Does not own: sending them again (output.ts), the window (congestion/).

import type { Micros } from '../base/time.ts'
import type { DeliverySample } from './delivery.ts'
import { beginReduction, withdrawReduction } from './ecn.ts'
import { beginFrto, judgeFrto } from './frto.ts'
import type { SegmentHeader } from './header.ts'
import { isReneging } from './linux-ways.ts'
import { markLost, markSegmentLost } from './mark-lost.ts'
import { judgePathProbe, lostOfProbe } from './path-mtu.ts'
import { applyPrr, beginPrr } from './prr.ts'
import { detectLostByTime, isOverdue, onDsack, onRecoveryEnd, updateRack } from './rack.ts'
import type { RetransmitCause } from './reasons.ts'
import type { SackOutcome } from './sack.ts'
import { seqAdd, seqDiff, seqGe, seqGt, seqLt, seqMax } from './seq.ts'
import { isSynchronized } from './state.ts'
import type { Tcb } from './tcb.ts'
import { answersProbe, forgetProbe } from './tlp.ts'
import { countTimeout } from './totals.ts'
import { beginUndo, judgeUndo, type UndoEvidence } from './undo.ts'
import { provenFlight, settleUsage } from './window-validation.ts'

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
  const { flight, mss } = tcb.snd
  // RFC 3042 §2 left out: what duplicates tell of makes no room until there is a loss.
  const isHeld = tcb.recovery.phase === 'open' && !tcb.config.limitedTransmit
  if (tcb.sackEnabled) return isHeld ? flight.pipe + flight.sackedBytes : flight.pipe
  return Math.max(0, flight.pipe - (isHeld ? 0 : countLeft(tcb) * mss))
}

/** Segments that duplicates tell of as having left the network. */
function countLeft(tcb: Tcb): number {
  const { recovery, snd, config } = tcb
  // RFC 3042 §2: outside of recovery no more than two segments go beyond cwnd, however many duplicates come.
  if (recovery.phase === 'open') return Math.min(recovery.dupAcks, Math.max(2, config.dupThresh - 1))
  // After a timeout duplicates are of what counts as lost already, unless new text has gone since.
  if (recovery.phase === 'loss' && snd.nxt === recovery.point) return 0
  return recovery.dupAcks
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
  const evidence = config.undo ? judgeUndo(tcb, segment, outcome.acked, outcome) : 'none'
  if (evidence !== 'none') takeBack(tcb, evidence)
  else if (judgeFrto(tcb, outcome, sample)) {
    if (tcb.undo.isPossible) takeBack(tcb, 'frto')
    else tcb.frto.step = 'off' // there is nothing to take back: what is lost goes again as after any timeout
  }
  if (recovery.phase !== 'open' && outcome.acked > 0 && seqGe(snd.una, recovery.point)) endRecovery(tcb, now)
  const lostBefore = snd.flight.lostBytes
  if (!isReneging(tcb, outcome.acked)) judgeFlight(tcb, outcome, sample, now)
  if (isProbingPath(tcb)) judgePathProbe(tcb, now)
  if (answersProbe(tcb, outcome.isRepeat && segment.sackCount === 0, outcome) && recovery.phase === 'open') {
    tcb.counters.TcpExtTCPLossProbeRecovery++
    // RFC 8985 §7.4.2: the probe mended what nobody saw being lost
    if (beginReduction(tcb)) {
      tcb.control.onLoss(tcb.cc, tcb.tlp.flight, now)
      tcb.undo.isPossible = false // what may yet show an earlier recovery to be a mistake says nothing of this loss
    }
    tcb.control.onRecovered(tcb.cc, snd.flight.bytes, now)
  }
  if (recovery.phase === 'open') {
    if (isLossSeen(tcb)) enterRecovery(tcb, sample.delivered, now)
  } else if (outcome.acked > 0 && !tcb.sackEnabled && recovery.phase === 'recovery') {
    // RFC 6582 §3.2 step 3: a partial acknowledgement tells of the next hole, which is sent again at once.
    recovery.partialAcks++
    if (markHeadLost(tcb, 'reno-partial')) recovery.forced = true
  }
  if (isPrrInUse(tcb)) {
    applyPrr(tcb, sample.delivered, pipe(tcb), outcome.acked > 0 && snd.flight.lostBytes <= lostBefore)
  }
}

const isProbingPath = ({ path }: Tcb): boolean => path.probeBytes > 0 || path.isRepairing
/** RFC 6582 §3.2 step 3: only the first partial acknowledgement restarts the retransmission timer (§4, the impatient variant). */
export function isImpatient(tcb: Tcb): boolean {
  const { recovery } = tcb
  return recovery.phase === 'recovery' && !tcb.sackEnabled && recovery.partialAcks > 1
}

function isPrrInUse(tcb: Tcb): boolean {
  return tcb.recovery.phase === 'recovery' && tcb.config.prr && tcb.sackEnabled && tcb.control.ownsRecovery !== true
}

/** By time where RACK can, else by counting (RFC 6675). */
function judgeFlight(tcb: Tcb, outcome: AckOutcome, sample: DeliverySample, now: Micros): void {
  if (!tcb.sackEnabled) return
  if (!tcb.config.rack) {
    if (outcome.sacked > 0) markLostBySack(tcb) // nothing else brings a piece nearer to being lost
    return
  }
  if (outcome.isDsack) onDsack(tcb)
  updateRack(tcb, sample, now)
  detectLostByTime(tcb, now)
}

/** RACK's timer: what was waited for did not come. */
export function onReorderTimeout(tcb: Tcb, now: Micros): void {
  detectLostByTime(tcb, now)
  if (isProbingPath(tcb)) judgePathProbe(tcb, now)
  if (tcb.recovery.phase === 'open' && tcb.snd.flight.lostBytes > lostOfProbe(tcb)) enterRecovery(tcb, 0, now)
  // What is found lost makes no room for a burst: one segment goes, the acknowledgements say what follows (RFC 9937 §5).
  if (isPrrInUse(tcb)) tcb.cc.cwnd = Math.min(tcb.cc.cwnd, pipe(tcb) + tcb.snd.mss)
}

function endRecovery(tcb: Tcb, now: Micros): void {
  const { recovery, snd } = tcb
  if (recovery.phase === 'recovery') tcb.control.onRecovered(tcb.cc, snd.flight.bytes, now)
  settleUsage(tcb, recovery.phase === 'recovery')
  recovery.phase = 'open'
  recovery.dupAcks = 0
  recovery.forced = false
  onRecoveryEnd(tcb)
}

/** RFC 4015 §3: nothing was lost. What waits to be sent again is in the network after all. */
function takeBack(tcb: Tcb, evidence: UndoEvidence): void {
  const { recovery, snd } = tcb
  countUndo(tcb, evidence)
  snd.flight.unlose()
  if (recovery.phase === 'loss') {
    // The timeout was too short: without timestamps it stays doubled until a sample says by how much (RFC 6298 §5, Karn).
    if (!tcb.ts.enabled) tcb.rtt.backoff = Math.max(1, tcb.rtt.backoff)
  } else {
    // RFC 8985 §6.2 step 3 sees reordering only in what was sent once; here what was sent again has proved it.
    tcb.rack.isReorderingSeen = true
  }
  if (recovery.phase !== 'open') onRecoveryEnd(tcb) // it ends, if otherwise than it was begun (RFC 8985 §6.2 step 4)
  recovery.phase = 'open'
  recovery.dupAcks = 0
  recovery.forced = false
  tcb.undo.isPossible = false
  tcb.frto.step = 'off'
  withdrawReduction(tcb)
  tcb.control.onSpuriousLoss?.(tcb.cc)
  settleUsage(tcb, false)
}

/** As Linux tells them apart. */
function countUndo({ counters, recovery, snd }: Tcb, evidence: UndoEvidence): void {
  if (evidence === 'frto') counters.TcpExtTCPSpuriousRTOs++
  if (recovery.phase === 'loss') {
    counters.TcpExtTCPLossUndo++
  } else if (evidence === 'dsack') {
    counters.TcpExtTCPDSACKUndo++
  } else if (seqGe(snd.una, recovery.point)) {
    counters.TcpExtTCPFullUndo++
  } else {
    counters.TcpExtTCPPartialUndo++
    counters.TcpExtTCPTSReorder++
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
  if (tcb.sackEnabled) {
    // A probe of the path that was lost tells of its size, not of congestion (RFC 4821 §7.6.2).
    if (isProbingPath(tcb)) return snd.flight.lostBytes > lostOfProbe(tcb)
    return snd.flight.lostBytes > 0 || (!tcb.config.rack && recovery.dupAcks >= tcb.config.dupThresh)
  }
  // RFC 6582 §3.2 step 2: duplicates of what was sent before the last recovery ended do not begin another.
  return recovery.dupAcks >= tcb.config.dupThresh && seqGt(snd.una, recovery.point)
}

/** `delivered`: bytes that the acknowledgement has brought which tells of the loss. */
function enterRecovery(tcb: Tcb, delivered: number, now: Micros): void {
  const { recovery, snd } = tcb
  recovery.phase = 'recovery'
  if (tcb.sackEnabled) tcb.counters.TcpExtTCPSackRecovery++
  else tcb.counters.TcpExtTCPRenoRecovery++
  recovery.point = snd.nxt
  recovery.suspected = snd.una
  recovery.partialAcks = 0
  beginPrr(tcb, delivered)
  beginUndo(tcb)
  if (beginReduction(tcb)) tcb.control.onLoss(tcb.cc, flightSize(tcb), now)
  recovery.forced = snd.flight.lostBytes > 0 || markHeadLost(tcb, 'fast')
  forgetProbe(tcb)
}

/**
 * FlightSize; what limited transmit (RFC 3042) sent beyond cwnd is left out (RFC 5681 §3.2 step 2). A sender that the window holds back has
 * as much out as the window is large: what the batch's acknowledgements before this one took from the flight, output has only not been
 * asked to send yet (RFC 9438 §4.6: cwnd in place of flight_size, where growth is bounded by use).
 */
function flightSize(tcb: Tcb): number {
  const { snd, cc, hold, path } = tcb
  if (tcb.config.reducedFrom === 'cwnd') return cc.cwnd
  const isFull = hold === 'cwnd' && !path.isWaiting // what waits for a large probe of the path leaves the window empty
  return Math.min(provenFlight(tcb, isFull ? cc.cwnd : snd.flight.bytes), cc.cwnd)
}

/** The first segment of the flight is lost; of a super-segment, its first segment. Returns false when that is known already. */
function markHeadLost(tcb: Tcb, cause: RetransmitCause): boolean {
  const { flight } = tcb.snd
  if (flight.size === 0 || flight.at(0).mark !== 'sent') return false
  markSegmentLost(tcb, 0, cause)
  return true
}

/**
 * RFC 6675 §4 NextSeg() rule (3): nothing is surely lost and nothing new can go, but the window has room: the first hole below what was
 * SACKed is taken for lost, one segment. Returns whether there was one. A hole that has been filled once is no hole again in this recovery,
 * so the search goes on from where it ended.
 */
export function suspectNextHole(tcb: Tcb): boolean {
  const { recovery, snd } = tcb
  const { flight } = snd
  if (tcb.config.rack || recovery.phase !== 'recovery' || !tcb.sackEnabled || flight.lostBytes > 0) return false
  if (tcb.cc.cwnd - flight.pipe < snd.mss) return false
  for (let i = flight.indexOf(seqMax(recovery.suspected, snd.una)); i < flight.size; i++) {
    const { start, mark } = flight.at(i)
    if (seqGe(start, recovery.highestSacked)) break
    recovery.suspected = start
    if (mark !== 'sent') continue
    markSegmentLost(tcb, i, 'suspect')
    return true
  }
  return false
}

/** RFC 6675 §4 IsLost(): DupThresh separate blocks, or more than DupThresh-1 segments' worth of bytes, were SACKed above it. */
function markLostBySack(tcb: Tcb): void {
  const { recovery, snd } = tcb
  const { flight } = snd
  const enough = (tcb.config.dupThresh - 1) * snd.mss
  if (flight.sackedBytes <= enough && flight.sackedSegments < tcb.config.dupThresh) return
  let bytesAbove = 0
  let blocksAbove = 0
  let i = Math.min(flight.size - 1, flight.indexOf(seqAdd(recovery.highestSacked, -1)))
  for (; i >= 0; i--) {
    const entry = flight.at(i)
    if (seqLt(entry.start, recovery.judged)) break // what lies below has been judged, by less than is known now
    if (entry.mark !== 'sacked') continue
    bytesAbove += seqDiff(entry.end, entry.start)
    if (i === 0 || flight.at(i - 1).mark !== 'sacked') blocksAbove++
    if (bytesAbove > enough || blocksAbove >= tcb.config.dupThresh) break
  }
  for (let j = flight.indexOf(seqMax(recovery.judged, snd.una)); j < i; j++) {
    if (flight.at(j).mark === 'sent') markLost(tcb, flight.at(j), 'fast')
  }
  if (i > 0) recovery.judged = seqMax(recovery.judged, flight.at(i).start)
}

/** The retransmission timer expired: all that is not SACKed is taken for lost, one segment goes at once (RFC 6298 §5.4, RFC 5681 §3.1). */
export function onRetransmissionTimeout(tcb: Tcb, now: Micros): void {
  const { recovery, snd } = tcb
  const { flight } = snd
  const { ssthresh } = tcb.cc
  const isReduced = !beginReduction(tcb)
  const used = tcb.config.reducedFrom === 'cwnd' ? tcb.cc.cwnd : flight.bytes
  tcb.control.onTimeout(tcb.cc, used, tcb.rtt.timeouts === 0, now)
  if (isReduced) tcb.cc.ssthresh = ssthresh // a mark has lowered it already (RFC 3168 §6.1.2)
  noteTimeoutCause(tcb)
  countTimeout(tcb.totals, tcb.rtt.timeouts === 0, now)
  tcb.rtt.timeouts++
  if (!isLinearSyn(tcb)) tcb.rtt.backoff++
  // RFC 2018 §8: the peer may have thrown away what it SACKed but never acknowledged; a head that is SACKed says that it did.
  const reneged = flight.at(0).mark === 'sacked'
  const isByTime = tcb.sackEnabled && tcb.config.rack
  for (let i = 0; i < flight.size; i++) {
    const entry = flight.at(i)
    // RFC 8985 §6.3: the first has been out for that long; what was sent lately may still be on its way.
    if (i > 0 && isByTime && !reneged && !isOverdue(tcb, entry.sentAt, now)) continue
    if (entry.mark !== 'lost' && (entry.mark !== 'sacked' || reneged)) markLost(tcb, entry, 'rto')
  }
  if (reneged) tcb.counters.TcpExtTCPSACKReneging++
  beginFrto(tcb, !reneged && isSynchronized(tcb.state) && (recovery.phase === 'open' || tcb.rtt.timeouts > 1))
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

/** The first SYNs may go at an even pace: DEVIATION from RFC 6298 §5.5 where the setting asks for it. */
function isLinearSyn({ state, rtt, config }: Tcb): boolean {
  return state === 'SYN-SENT' && rtt.timeouts <= config.synLinearTimeouts
}

/** Linux's counters of a timeout: what was going on when the first one came. */
function noteTimeoutCause({ counters, recovery, rtt, snd, sackEnabled }: Tcb): void {
  counters.TcpExtTCPTimeouts++
  if (rtt.timeouts > 0) return
  if (recovery.phase === 'recovery') {
    if (sackEnabled) counters.TcpExtTCPSackRecoveryFail++
    else counters.TcpExtTCPRenoRecoveryFail++
  } else if (recovery.phase === 'loss') {
    counters.TcpExtTCPLossFailures++
  } else if (sackEnabled && snd.flight.sackedBytes > 0) {
    counters.TcpExtTCPSackFailures++
  } else if (!sackEnabled && recovery.dupAcks > 0) {
    counters.TcpExtTCPRenoFailures++
  }
}

/**
 * The path takes only segments of SND.MSS now: what is larger is gone, and goes again in pieces (RFC 1191 §6.5). That is no sign of
 * congestion: cwnd stays (RFC 8201 §4). As in Linux it is recovered from as after a timeout, and cannot turn out to have been a mistake.
 */
export function onPathMtuLowered(tcb: Tcb): void {
  const { recovery, snd } = tcb
  const { flight, mss } = snd
  const lostBefore = flight.lostBytes
  for (let i = 0; i < flight.size; i++) {
    const entry = flight.at(i)
    const octets = snd.finSent && entry.end === snd.nxt ? mss + 1 : mss
    const isTooBig = seqDiff(entry.end, entry.start) > octets
    if (isTooBig && (entry.mark === 'sent' || entry.mark === 'resent')) markLost(tcb, entry, 'pmtu')
  }
  if (flight.lostBytes === lostBefore) return
  tcb.undo.isPossible = false
  tcb.frto.step = 'off'
  recovery.forced = true
  if (recovery.phase !== 'open') return
  recovery.phase = 'loss'
  recovery.point = snd.nxt
  recovery.dupAcks = 0
  forgetProbe(tcb)
}
