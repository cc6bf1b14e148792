// What an acceptable acknowledgement does to the send side (RFC 9293 §3.10.7.4, fifth check).
// Owns: releasing the send buffer and the flight, round-trip samples, the test for duplicates, the retransmission timer's restart.
// Does not own: what is lost (loss.ts), how the window grows (congestion/), what is sent next (output.ts).
// Read first: RFC 9293 §3.4, RFC 5681 §2 (duplicate acknowledgement), RFC 6298 §5.

import type { Micros } from '../base/time.ts'
import type { AckSample } from './congestion/interface.ts'
import { createDelivery, DeliverySample, takeSample } from './delivery.ts'
import { endReduction, reactToMark, takeFeedback } from './ecn.ts'
import { EVENT } from './events.ts'
import type { DeliveryCounts, DeliveryVisitor, FlightEntry } from './flight.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import {
  beginMarkedReduction,
  countsDelivered,
  growsAtEnd,
  hastenReneged,
  isJustRestored,
  isUntimed,
  repeatedBytes,
  sackRoundTrip,
  stepMarkedReduction,
} from './linux-ways.ts'
import { type AckOutcome, isImpatient, onAckOutcome, pipe } from './loss.ts'
import { paceByWindow } from './pacing.ts'
import { backedOffRtoUs, sampleRtt } from './rtt.ts'
import { takeSack } from './sack.ts'
import { retuneSendBuffer, tellRoom } from './send-buffer.ts'
import { type Seq, seq, seqAdd, seqDiff, seqGt, seqLt } from './seq.ts'
import { sendBufferStart, type Tcb } from './tcb.ts'
import { timestampNow } from './timestamps.ts'
import { armTailProbe } from './tlp.ts'
import { endTimeouts } from './totals.ts'
import { noteProgress } from './trouble.ts'
import { updateSendWindow } from './window.ts'
import { mayGrow } from './window-validation.ts'

// Scratch of one acknowledgement: handleAck is never re-entered.
const outcome: AckOutcome = {
  acked: 0,
  duplicate: false,
  isRepeat: false,
  sacked: 0,
  isDsack: false,
  dsackStart: seq(0),
  dsackEnd: seq(0),
}
const sample = new DeliverySample()
let counts: DeliveryCounts = createDelivery(0)
const ignore: DeliveryVisitor = () => undefined
const visit = (entry: Readonly<FlightEntry>, length: number): void => sample.add(entry, length, counts)
const ackSample: AckSample = {
  bytes: 0,
  delivered: 0,
  lost: 0,
  rttUs: -1,
  minRttUs: -1,
  srttUs: -1,
  priorFlight: 0,
  flight: 0,
  now: 0,
  rateBytesPerSecond: -1,
  isAppLimited: false,
  totalDelivered: 0,
  priorDelivered: -1,
  ecnBytes: 0,
  isCwndLimited: false,
  isReordered: false,
  isBurstFine: false,
  phase: 'open',
}

/** Handles SEG.ACK of a segment that passed the checks before it; SEG.ACK lies in the range of RFC 5961 §5.2. */
export function handleAck(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  const { snd } = tcb
  const priorFlight = snd.flight.bytes
  const priorLost = snd.flight.lostBytes
  const priorWindow = snd.wnd
  ackSample.priorFlight = pipe(tcb)
  const priorPhase = tcb.recovery.phase
  const priorCwnd = tcb.cc.cwnd
  const wasRecovering = priorPhase === 'recovery'

  ackSample.rttUs = takeNumbers(tcb, segment, now)
  const marked = takeFeedback(tcb, segment, sample.delivered)
  updateSendWindow(tcb, segment)
  tcb.probes = 0
  outcome.isRepeat =
    outcome.acked === 0 &&
    segment.textLength === 0 &&
    (segment.flags & (FLAG.SYN | FLAG.FIN)) === 0 &&
    segment.ack === snd.una &&
    snd.wnd === priorWindow
  outcome.duplicate = outcome.isRepeat && priorFlight > 0

  onAckOutcome(tcb, segment, outcome, sample, now)
  ackSample.lost = Math.max(0, snd.flight.lostBytes - priorLost)
  ackSample.isCwndLimited = mayGrow(tcb, sample, now) && !isJustRestored(tcb, priorPhase, priorCwnd)
  tellControl(tcb, wasRecovering, marked, now)
  if (!(tcb.cc.cwnd >= 1)) {
    throw new RangeError(`congestion controller '${tcb.control.name}' has set cwnd to ${tcb.cc.cwnd}`)
  }
  stepMarkedReduction(tcb, sample.delivered, ackSample.flight)
  if (tcb.config.pacing === 'always') paceByWindow(tcb)
  if (outcome.acked > 0 && !isImpatient(tcb)) restartRetransmitTimer(tcb, now)
  if (outcome.acked > 0) hastenReneged(tcb, now)
  if (outcome.acked + outcome.sacked > 0) {
    armTailProbe(tcb, now)
    retuneSendBuffer(tcb, ackSample.rateBytesPerSecond)
    tellRoom(tcb)
    if (snd.buffer.extent === 0) tcb.events |= EVENT.drained
  }
}

/** SACK blocks, then SEG.ACK: what they deliver is summed up in `sample` and `outcome`. Returns a round-trip sample or -1. */
function takeNumbers(tcb: Tcb, segment: SegmentHeader, now: Micros): number {
  counts = tcb.delivery
  // RFC 8985 §6.2 step 2: what was sent again less than the least round trip ago has not been answered yet.
  sample.reset(now - tcb.rtt.minUs)
  outcome.acked = 0
  outcome.sacked = 0
  outcome.isDsack = false
  if (tcb.sackEnabled && segment.sackCount > 0) takeSack(tcb, segment, outcome, visit)
  let rttUs = -1
  if (seqGt(segment.ack, tcb.snd.una)) {
    outcome.acked = seqDiff(segment.ack, tcb.snd.una)
    // The same step: nor what was sent after the copy whose timestamp is echoed. An echo beside SACK blocks is of older text.
    const echoedUntil = sentUntil(tcb, segment, now)
    sample.trustedUntil = Math.min(sample.trustedUntil, echoedUntil)
    const newest = releaseAcked(tcb, segment.ack, visit)
    const isUsable = !isUntimed(tcb, sample)
    const { backoff } = tcb.rtt
    rttUs = measure(tcb, isUsable ? newest : null, segment, now, sample.resentAt <= echoedUntil)
    if (!isUsable && rttUs < 0) tcb.rtt.backoff = backoff
  }
  const rate = takeSample(tcb.delivery, sample, tcb.rtt.minUs, now)
  ackSample.rateBytesPerSecond = rate
  if (rate >= 0) {
    tcb.totals.deliveryRate = rate
    tcb.totals.isRateAppLimited = sample.isAppLimited
  }
  return rttUs
}

/** The last instant at which what the timestamp echo answers can have been sent; Infinity without timestamps. */
function sentUntil(tcb: Tcb, segment: SegmentHeader, now: Micros): Micros {
  if (!tcb.ts.enabled || !segment.hasTimestamps || segment.tsEcr === 0) return Number.POSITIVE_INFINITY
  const elapsedMs = (timestampNow(tcb, now) - segment.tsEcr) | 0
  return (Math.floor(now / 1000) - elapsedMs + 1) * 1000 - 1
}

/** Tells the congestion controller, in the order that congestion/interface.ts gives. */
function tellControl(tcb: Tcb, wasRecovering: boolean, marked: number, now: Micros): void {
  const { control, cc, rtt } = tcb
  // After a timeout what SACK had told already opens the window no further (RFC 3465 §2.3).
  ackSample.bytes = tcb.recovery.phase === 'loss' ? Math.min(outcome.acked, sample.delivered) : outcome.acked
  ackSample.delivered = sample.delivered
  ackSample.minRttUs = rtt.srttUs < 0 ? -1 : rtt.minUs
  ackSample.srttUs = rtt.srttUs
  ackSample.flight = pipe(tcb)
  ackSample.now = now
  ackSample.isAppLimited = sample.isAppLimited
  ackSample.totalDelivered = tcb.delivery.delivered
  ackSample.priorDelivered = sample.priorDelivered
  ackSample.isBurstFine = tcb.config.heuristics === 'linux'
  ackSample.isReordered = tcb.rack.isReorderingSeen
  ackSample.phase = tcb.recovery.phase
  ackSample.ecnBytes = Math.max(0, marked)
  ackSample.sackRttUs = sackRoundTrip(sample, outcome.sacked, now)
  control.onEveryAck?.(cc, ackSample)
  endReduction(tcb)
  const { cwnd } = cc
  if (marked !== 0) reactToMark(tcb, outcome.acked, now)
  if (marked !== 0) beginMarkedReduction(tcb, cwnd)
  // RFC 3168 §6.1.2: what reports a mark does not open the window; RFC 8257 §3.4 grows as ever.
  if (marked !== 0 && control.needsEcn !== true) return
  const isEnd = wasRecovering && growsAtEnd(tcb)
  if (isEnd || countsDelivered(tcb)) ackSample.bytes = sample.delivered + repeatedBytes(tcb, outcome)
  if (outcome.acked > 0 && (!wasRecovering || isEnd) && tcb.recovery.phase !== 'recovery' && ackSample.isCwndLimited) {
    control.onAck(cc, ackSample)
  }
}

/** Releases what SEG.ACK covers; returns the newest entry that it covers whole. */
export function releaseAcked(tcb: Tcb, ack: Seq, told: DeliveryVisitor = ignore): FlightEntry | null {
  const { snd } = tcb
  const start = sendBufferStart(tcb)
  const newest = snd.flight.release(ack, told)
  snd.una = ack
  const text = Math.min(Math.max(0, seqDiff(ack, start)), snd.buffer.extent)
  if (text > 0) snd.buffer.advance(text)
  if (seqLt(tcb.recovery.highestSacked, ack)) tcb.recovery.highestSacked = ack
  if (seqLt(tcb.recovery.judged, ack)) tcb.recovery.judged = ack
  // Nor may the end of the last recovery fall so far behind that it seems to lie ahead.
  if (seqDiff(ack, tcb.recovery.point) > 2 ** 30) {
    tcb.recovery.point = seqAdd(ack, -(2 ** 30))
    tcb.undo.isPossible = false // the numbers that it knows will come again
  }
  return newest
}

/**
 * A round-trip sample (RFC 6298 §3, Karn's rule): from the newest segment acknowledged if all that is acknowledged was sent once; else
 * from the timestamp echoed, which tells which copy was answered (RFC 7323 §4). Of any copy but the last (`isLastCopy` false) the echo
 * tells how long acknowledgements were lost, not how long a trip takes.
 * DEVIATION: Karn's algorithm, and the note after RFC 6298 §5.7, keep a doubled timeout until the next sample. Without timestamps a bad
 * link may bring none for a long time, while the doubling goes on from one loss to the next: with each step forward it begins anew. A
 * timeout that turns out to have been needless keeps one doubling (loss.ts), so that a path that has become slower is waited for.
 */
export function measure(
  tcb: Tcb,
  newest: FlightEntry | null,
  segment: SegmentHeader,
  now: Micros,
  isLastCopy = true,
): number {
  tcb.progressAt = now
  tcb.rtt.timeouts = 0
  endTimeouts(tcb.totals, now)
  noteProgress(tcb)
  tcb.rtt.backoff = 0
  let sampleUs = -1
  if (newest !== null && newest.mark !== 'sacked') {
    sampleUs = now - newest.sentAt
  } else if (tcb.ts.enabled && segment.hasTimestamps && segment.tsEcr !== 0) {
    const elapsedMs = (timestampNow(tcb, now) - segment.tsEcr) | 0
    if (isLastCopy && elapsedMs >= 0 && elapsedMs < 0x1000000) sampleUs = Math.max(1, elapsedMs) * 1000
  }
  if (sampleUs >= 0) sampleRtt(tcb.rtt, sampleUs, tcb.config)
  return sampleUs
}

/** RFC 6298 §5.2, §5.3: off when everything is acknowledged, otherwise a whole RTO from now. */
export function restartRetransmitTimer(tcb: Tcb, now: Micros): void {
  tcb.timers.retransmit =
    tcb.snd.flight.bytes > 0 ? now + backedOffRtoUs(tcb.rtt, tcb.config) : Number.POSITIVE_INFINITY
}
