// The only maker of a connection's segments: asked again and again, it says what goes out next, until it has nothing (RFC 9293 §3.10.2,
// §3.7.4, §3.8.6; RFC 5681; RFC 6675 §5).
// Owns: the order (reset, handshake, what was lost, new text and FIN, probes, acknowledgements), the persist timer. Does not own: SYNs
// (syn-output.ts), whether new text may go (send-decision.ts), what every segment carries (fill.ts), what is lost (loss.ts).

import type { Micros } from '../base/time.ts'
import { fill, fillText } from './fill.ts'
import { FLAG, type SegmentPlan } from './header.ts'
import { pipe, suspectNextHole } from './loss.ts'
import { isPaceReached, mostAtPace } from './pacing.ts'
import { backedOffRtoUs } from './rtt.ts'
import { noteAppLimited, restartAfterIdle, textToSend } from './send-decision.ts'
import { seqAdd, seqDiff, seqGe } from './seq.ts'
import { isSynchronized } from './state.ts'
import { nextSyn } from './syn-output.ts'
import { type Tcb, unsentBytes } from './tcb.ts'
import { armRetransmit, persistIntervalUs } from './timers.ts'
import { armTailProbe, noteProbe } from './tlp.ts'
import { noteResend } from './undo.ts'

const NEVER = Number.POSITIVE_INFINITY

/**
 * Decides on the next segment and records it as sent. `superSegment` is the most text that the device takes in one packet (0: one
 * segment at a time). Returns false when there is nothing to send now; `tcb.hold` then says why.
 */
export function nextSegment(tcb: Tcb, now: Micros, superSegment: number, plan: SegmentPlan): boolean {
  if (tcb.resetPending) {
    tcb.resetPending = false
    fill(tcb, plan, tcb.snd.nxt, FLAG.RST | FLAG.ACK, now)
    return true
  }
  if (tcb.state === 'SYN-SENT' || tcb.state === 'SYN-RECEIVED') {
    return nextSyn(tcb, now, plan) || (tcb.state === 'SYN-RECEIVED' && nextAck(tcb, now, plan))
  }
  if (!isSynchronized(tcb.state)) return false
  const most = mostAtPace(tcb, Math.max(tcb.snd.mss, superSegment - (superSegment % tcb.snd.mss)))
  // Duplicate acknowledgements go by themselves: text with the same number is not counted as one (RFC 5681 §2).
  if (tcb.rcv.outOfOrder.size > 0 && nextAck(tcb, now, plan)) return true
  if (tcb.tlp.isDue && nextTailProbe(tcb, now, plan)) return true
  if (nextLost(tcb, now, most, plan)) return true
  if (nextNew(tcb, now, most, plan)) return true
  if (suspectNextHole(tcb) && nextLost(tcb, now, most, plan)) return true
  if (tcb.probePending) return probe(tcb, now, plan)
  armPersist(tcb, now)
  return nextAck(tcb, now, plan)
}

/** The acknowledgement-only segment, when one is owed. */
function nextAck(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  if (tcb.rcv.acksOwed === 0) return false
  const still = tcb.rcv.acksOwed - 1
  fill(tcb, plan, tcb.snd.nxt, FLAG.ACK, now)
  tcb.rcv.acksOwed = Math.max(still, tcb.rcv.acksOwed) // each duplicate acknowledgement is a segment of its own: the peer counts them
  return true
}

/** The first piece that was lost, if the window lets it go (RFC 6675 §5 step C). */
function nextLost(tcb: Tcb, now: Micros, most: number, plan: SegmentPlan): boolean {
  const { snd, recovery } = tcb
  const { flight } = snd
  const i = flight.firstLost()
  if (i < 0) return false
  const entry = flight.at(i)
  // What lies beyond a window that has shrunk waits [SHLD-16]; the first octet is always retried, which also probes the window.
  if (i > 0 && seqGe(entry.start, seqAdd(snd.una, snd.wnd))) {
    tcb.hold = 'window'
    return false
  }
  const inNetwork = pipe(tcb)
  const room = tcb.cc.cwnd - inNetwork
  let length = seqDiff(entry.end, entry.start)
  const hasFin = snd.finSent && entry.end === snd.nxt
  const text = length - (hasFin ? 1 : 0)
  if (room < Math.min(length, snd.mss) && inNetwork > 0 && !recovery.forced) {
    tcb.hold = 'cwnd'
    return false
  }
  if (!recovery.forced && !isPaceReached(tcb, now)) return false
  const allowed = recovery.forced || room < snd.mss ? snd.mss : Math.min(most, room - (room % snd.mss))
  if (text > allowed) {
    flight.split(i, seqAdd(entry.start, allowed))
    length = allowed
  }
  const withFin = hasFin && length > Math.min(text, allowed)
  recovery.forced = false
  if (recovery.phase === 'loss') tcb.counters.TcpExtTCPSlowStartRetrans++
  else tcb.counters.TcpExtTCPFastRetrans++
  resend(tcb, i, withFin, now, plan)
  armRetransmit(tcb, now)
  return true
}

/** Entry `i` of the flight goes again. */
function resend(tcb: Tcb, i: number, withFin: boolean, now: Micros, plan: SegmentPlan): void {
  const { flight } = tcb.snd
  tcb.recovery.retransmits++
  tcb.sentAt = now
  flight.resend(i, now, tcb.delivery)
  const { start, end } = flight.at(i)
  fillText(tcb, plan, start, seqDiff(end, start) - (withFin ? 1 : 0), withFin, now)
  plan.isResent = true
  noteResend(tcb, start, plan.textLength, plan.tsVal)
}

/** RFC 8985 §7.3: one segment of new text if there is any and the peer's window takes it, else the last one sent goes again. */
function nextTailProbe(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  const { snd } = tcb
  const { flight } = snd
  tcb.tlp.isDue = false
  if (flight.size === 0) return false
  const usable = seqDiff(seqAdd(snd.una, snd.wnd), snd.nxt)
  const fresh = Math.min(unsentBytes(tcb), usable, snd.mss)
  if (fresh > 0) {
    sendNew(tcb, fresh, false, now, plan)
  } else {
    let i = flight.size - 1
    const { start, end } = flight.at(i)
    if (seqDiff(end, start) > snd.mss + 1) flight.split(i++, seqAdd(end, -snd.mss))
    if (flight.at(i).mark === 'sacked') return false
    resend(tcb, i, snd.finSent, now, plan)
  }
  noteProbe(tcb, fresh <= 0)
  tcb.counters.TcpExtTCPLossProbes++
  tcb.timers.retransmit = now + backedOffRtoUs(tcb.rtt, tcb.config)
  return true
}

/** New text, and FIN after the last of it. */
function nextNew(tcb: Tcb, now: Micros, most: number, plan: SegmentPlan): boolean {
  const { snd } = tcb
  if (snd.flight.lostBytes > 0) return false // it goes first, and nextLost has said why it cannot
  const unsent = unsentBytes(tcb)
  const finDue = snd.finQueued && !snd.finSent
  if (unsent === 0 && !finDue) {
    tcb.hold = 'nothing'
    noteAppLimited(tcb)
    return false
  }
  restartAfterIdle(tcb, now)
  const usable = seqDiff(seqAdd(snd.una, snd.wnd), snd.nxt)
  const length = textToSend(tcb, unsent, usable, most, finDue)
  if (length < 0) return false
  const withFin = finDue && length === unsent && usable > length
  if (length === 0 && !withFin) {
    tcb.hold = 'window'
    return false
  }
  if (!isPaceReached(tcb, now)) return false
  sendNew(tcb, length, withFin, now, plan)
  armRetransmit(tcb, now)
  armTailProbe(tcb, now)
  return true
}

/** The next `length` bytes of text, and FIN after them, go for the first time. */
function sendNew(tcb: Tcb, length: number, withFin: boolean, now: Micros, plan: SegmentPlan): void {
  const { snd, delivery } = tcb
  const start = snd.nxt
  snd.nxt = seqAdd(start, length + (withFin ? 1 : 0))
  if (snd.flight.size === 0) {
    tcb.progressAt = now
    delivery.firstSentAt = now
    delivery.deliveredAt = now
  }
  snd.flight.push(start, snd.nxt, now, delivery)
  if (withFin) snd.finSent = true
  tcb.sentAt = now
  tcb.probePending = false
  fillText(tcb, plan, start, length, withFin, now)
}

/**
 * A probe of a closed window, or of a silent peer: an empty segment just left of its window, which it must answer with an
 * acknowledgement and its window (RFC 9293 §3.8.4, §3.10.7.4 first check). As Linux does.
 * DEVIATION: RFC 9293 §3.8.6.1 probes with an octet of new text; the empty probe draws the same answer and risks no text.
 */
function probe(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  tcb.probePending = false
  fill(tcb, plan, seqAdd(tcb.snd.una, -1), FLAG.ACK, now)
  return true
}

/** Something to send, nothing in flight to draw an acknowledgement, and the window in the way: only a probe can go on. */
function armPersist(tcb: Tcb, now: Micros): void {
  const { hold, timers } = tcb
  if ((hold === 'window' || hold === 'silly-window') && tcb.snd.flight.bytes === 0) {
    if (timers.persist === NEVER) timers.persist = now + persistIntervalUs(tcb)
  } else {
    timers.persist = NEVER
    tcb.windowProbes = 0
  }
}
