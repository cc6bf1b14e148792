// What an acceptable acknowledgement does to the send side (RFC 9293 §3.10.7.4, fifth check).
// Owns: releasing the send buffer and the flight, round-trip samples, the test for duplicates, the retransmission timer's restart.
// Does not own: what is lost (loss.ts), how the window grows (congestion/), what is sent next (output.ts).
// Read first: RFC 9293 §3.4, RFC 5681 §2 (duplicate acknowledgement), RFC 6298 §5.

import type { Micros } from '../base/time.ts'
import { EVENT } from './events.ts'
import type { FlightEntry } from './flight.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { onAckOutcome, pipe, takeSack } from './loss.ts'
import { backedOffRtoUs, sampleRtt } from './rtt.ts'
import { type Seq, seqAdd, seqDiff, seqGt, seqLt } from './seq.ts'
import { sendBufferStart, type Tcb } from './tcb.ts'
import { timestampNow } from './timestamps.ts'
import { updateSendWindow } from './window.ts'

const outcome = { acked: 0, sacked: 0, duplicate: false }

/** Handles SEG.ACK of a segment that passed the checks before it; SEG.ACK lies in the range of RFC 5961 §5.2. */
export function handleAck(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  const { snd } = tcb
  const priorFlight = snd.flight.bytes
  const priorPipe = pipe(tcb)
  const priorWindow = snd.wnd
  const wasOpen = tcb.recovery.phase !== 'recovery'
  const wasCwndLimited = tcb.hold === 'cwnd'
  let rttUs = -1

  outcome.acked = 0
  if (seqGt(segment.ack, snd.una)) {
    outcome.acked = seqDiff(segment.ack, snd.una)
    rttUs = measure(tcb, releaseAcked(tcb, segment.ack), segment, now)
  }
  outcome.sacked = tcb.sackEnabled && segment.sackCount > 0 ? takeSack(tcb, segment) : 0
  updateSendWindow(tcb, segment)
  tcb.probes = 0
  outcome.duplicate =
    outcome.acked === 0 &&
    priorFlight > 0 &&
    segment.textLength === 0 &&
    (segment.flags & (FLAG.SYN | FLAG.FIN)) === 0 &&
    segment.ack === snd.una &&
    snd.wnd === priorWindow

  onAckOutcome(tcb, outcome, now)
  const bytes = outcome.acked + outcome.sacked
  if (outcome.acked > 0 && wasOpen && wasCwndLimited) {
    tcb.control.onAck(tcb.cc, { bytes: outcome.acked, rttUs, priorFlight: priorPipe, now })
  }
  if (outcome.acked > 0) restartRetransmitTimer(tcb, now)
  if (bytes > 0) announceRoom(tcb)
}

/** Releases what SEG.ACK covers; returns the newest entry that it covers whole. */
export function releaseAcked(tcb: Tcb, ack: Seq): FlightEntry | null {
  const { snd } = tcb
  const start = sendBufferStart(tcb)
  const newest = snd.flight.release(ack)
  snd.una = ack
  const text = Math.min(Math.max(0, seqDiff(ack, start)), snd.buffer.extent)
  if (text > 0) snd.buffer.advance(text)
  if (seqLt(tcb.recovery.highestSacked, ack)) tcb.recovery.highestSacked = ack
  if (seqLt(tcb.recovery.judged, ack)) tcb.recovery.judged = ack
  // Nor may the end of the last recovery fall so far behind that it seems to lie ahead.
  if (seqDiff(ack, tcb.recovery.point) > 2 ** 30) tcb.recovery.point = seqAdd(ack, -(2 ** 30))
  return newest
}

/**
 * A round-trip sample (RFC 6298 §3, Karn's rule): from the newest segment acknowledged if all that is acknowledged was sent once; else
 * from the timestamp echoed, which tells which copy was answered (RFC 7323 §4).
 */
export function measure(tcb: Tcb, newest: FlightEntry | null, segment: SegmentHeader, now: Micros): number {
  tcb.progressAt = now
  tcb.rtt.timeouts = 0
  let sampleUs = -1
  if (newest !== null && newest.mark !== 'sacked') {
    sampleUs = now - newest.sentAt
  } else if (tcb.ts.enabled && segment.hasTimestamps && segment.tsEcr !== 0) {
    const elapsedMs = (timestampNow(tcb, now) - segment.tsEcr) | 0
    if (elapsedMs >= 0 && elapsedMs < 0x1000000) sampleUs = Math.max(1, elapsedMs) * 1000
  }
  if (sampleUs >= 0) sampleRtt(tcb.rtt, sampleUs, tcb.config)
  return sampleUs
}

/** RFC 6298 §5.2, §5.3: off when everything is acknowledged, otherwise a whole RTO from now. */
export function restartRetransmitTimer(tcb: Tcb, now: Micros): void {
  tcb.timers.retransmit =
    tcb.snd.flight.bytes > 0 ? now + backedOffRtoUs(tcb.rtt, tcb.config) : Number.POSITIVE_INFINITY
}

function announceRoom(tcb: Tcb): void {
  const { snd } = tcb
  // Half the buffer: so that the application is not woken for every segment.
  if (snd.wantsRoom && snd.buffer.extent <= tcb.config.sendBufferBytes / 2) {
    snd.wantsRoom = false
    tcb.events |= EVENT.writable
  }
  if (snd.buffer.extent === 0) tcb.events |= EVENT.drained
}
