// The only maker of a connection's segments: asked again and again, it says what goes out next, until it has nothing (RFC 9293 §3.10.2,
// §3.7.4, §3.8.6; RFC 5681; RFC 6675 §5).
// Owns: the order (reset, handshake, what was lost, new text and FIN, probes, acknowledgements), the persist timer. Does not own: SYNs
// (syn-output.ts), whether new text may go (send-decision.ts), what every segment carries (fill.ts), what is lost (loss.ts).

import type { Micros } from '../base/time.ts'
import { needsOwnSegment, withdrawOption } from './accecn-option.ts'
import { carriesCwr, isHeldByMark, stampNewText } from './ecn.ts'
import { nextHeldAck } from './ecn-acks.ts'
import { EVENT } from './events.ts'
import { fill, fillText } from './fill.ts'
import { endFrtoUnsent, isProbingTimeout, probeBytes } from './frto.ts'
import { FLAG, type SegmentPlan } from './header.ts'
import { leavesFin, mostAtOnce, restartsTimer } from './linux-ways.ts'
import { pipe, suspectNextHole } from './loss.ts'
import { isPaceReached, mostAtPace } from './pacing.ts'
import { notePathProbe, noteResentOnPath, pathProbeText } from './path-mtu.ts'
import { noteSmall } from './push.ts'
import { untilRecordEnd } from './records.ts'
import { backedOffRtoUs } from './rtt.ts'
import { noteAppLimited, noteHold, textToSend } from './send-decision.ts'
import { type Seq, seqAdd, seqDiff } from './seq.ts'
import { isSynchronized } from './state.ts'
import { nextSyn } from './syn-output.ts'
import { type Tcb, unsentBytes } from './tcb.ts'
import { armRetransmit, persistIntervalUs } from './timers.ts'
import { armTailProbe, noteProbe } from './tlp.ts'
import { noteResend } from './undo.ts'
import { fillUrgent, isSendingUrgent, isUrgentDue } from './urgent.ts'
import { noteSent, validateWindow } from './window-validation.ts'

const NEVER = Number.POSITIVE_INFINITY

/**
 * Decides on the next segment and records it as sent. `superSegment` is the most text that the device takes in one packet (0: one
 * segment at a time). Returns false when there is nothing to send now; `tcb.hold` then says why.
 */
export function nextSegment(tcb: Tcb, now: Micros, superSegment: number, plan: SegmentPlan): boolean {
  if (tcb.resetPending) {
    tcb.resetPending = false
    fill(tcb, plan, tcb.snd.nxt, tcb.isResetBare ? FLAG.RST : FLAG.RST | FLAG.ACK, now)
    return true
  }
  if (tcb.state === 'SYN-SENT' || tcb.state === 'SYN-RECEIVED') {
    if (nextSyn(tcb, now, plan)) return true
    if (tcb.state !== 'SYN-RECEIVED') return false
    return nextEarlyText(tcb, now, superSegment, plan) || nextAck(tcb, now, plan)
  }
  if (!isSynchronized(tcb.state)) return false
  if (tcb.state === 'TIME-WAIT') {
    tcb.hold = 'nothing' // it has given away what the rest works with (time-wait.ts)
    return nextHeldAck(tcb, now, plan) || nextAck(tcb, now, plan)
  }
  const most = mostText(tcb, superSegment)
  if (nextHeldAck(tcb, now, plan)) return true
  // Duplicate acknowledgements go by themselves: text with the same number is not counted as one (RFC 5681 §2).
  const isByItself = tcb.rcv.outOfOrder.size > 0 || tcb.ecn.isHandshakeAckDue || needsOwnSegment(tcb)
  if (isByItself && nextAck(tcb, now, plan)) return true
  if (tcb.tlp.isDue && nextTailProbe(tcb, now, plan)) return true
  if (nextText(tcb, now, most, plan)) return true
  noteHold(tcb, now)
  if (suspectNextHole(tcb) && nextLost(tcb, now, most, plan)) return true
  if (tcb.probePending || isUrgentDue(tcb)) return probe(tcb, now, plan)
  armPersist(tcb, now)
  return nextAck(tcb, now, plan)
}

/** Whether what a connection sends may wait until its owner was told of text, or of its end: the acknowledgement goes with the answer. */
export function mayRide({ tcb }: { readonly tcb: Tcb }): boolean {
  return tcb.rcv.acksOwed <= 1 && (tcb.events & (EVENT.readable | EVENT.end)) !== 0 && tcb.state !== 'CLOSED'
}

/** Most text in the next packet. */
function mostText(tcb: Tcb, superSegment: number): number {
  // A device that cuts super-segments would copy the urgent pointer, or CWR, into each of them.
  const isSingle = isSendingUrgent(tcb) || carriesCwr(tcb)
  const largest = isSingle ? 0 : superSegment - (superSegment % tcb.snd.mss)
  return mostAtPace(tcb, Math.max(tcb.snd.mss, largest))
}

/** RFC 7413 §4.2.2: an answer to the text of a SYN follows our SYN,ACK at once. Whatever was lost waits until that is acknowledged. */
function nextEarlyText(tcb: Tcb, now: Micros, superSegment: number, plan: SegmentPlan): boolean {
  if (!tcb.fastOpen.isTaken || unsentBytes(tcb) <= 0) return false
  if (nextNew(tcb, now, mostText(tcb, superSegment), plan)) return true
  noteHold(tcb, now)
  return false
}

/** The acknowledgement-only segment, when one is owed. */
function nextAck(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  if (tcb.rcv.acksOwed === 0) return false
  const still = tcb.rcv.acksOwed - 1
  fill(tcb, plan, tcb.snd.nxt, FLAG.ACK, now)
  tcb.rcv.acksOwed = Math.max(still, tcb.rcv.acksOwed) // each duplicate acknowledgement is a segment of its own: the peer counts them
  return true
}

/** What was lost, then new text; the other way around while a timeout is in doubt (RFC 5682 §2.1 step 2b). */
function nextText(tcb: Tcb, now: Micros, most: number, plan: SegmentPlan): boolean {
  if (!isProbingTimeout(tcb)) {
    if (nextLost(tcb, now, most, plan)) return true
    if (tcb.path.isSearching && nextPathProbe(tcb, now, plan)) return true
    return nextNew(tcb, now, most, plan)
  }
  const length = Math.min(most, probeBytes(tcb))
  if (length > 0 && nextNew(tcb, now, length, plan)) return true
  return endFrtoUnsent(tcb) && nextLost(tcb, now, most, plan)
}

/** The first piece that was lost, if the window lets it go (RFC 6675 §5 step C). */
function nextLost(tcb: Tcb, now: Micros, most: number, plan: SegmentPlan): boolean {
  const { snd, recovery } = tcb
  const { flight } = snd
  const i = flight.firstLost()
  if (i < 0) return false
  const { start, end } = flight.at(i)
  // What lies beyond a window that has shrunk waits [SHLD-16]; the first octet is always retried [MAY-7], which probes the window too
  // [MUST-35].
  const inWindow = seqDiff(seqAdd(snd.una, snd.wnd), start)
  if (i > 0 && inWindow <= 0) {
    tcb.hold = 'window'
    return false
  }
  const inNetwork = pipe(tcb)
  const room = tcb.cc.cwnd - inNetwork
  const isFree = recovery.forced || inNetwork === 0
  if (room < Math.min(seqDiff(end, start), snd.mss) && !isFree) {
    tcb.hold = 'cwnd'
    return false
  }
  if (!recovery.forced && !isPaceReached(tcb, now)) return false
  const allowed = recovery.forced || room < snd.mss ? snd.mss : Math.min(most, room - (room % snd.mss))
  const withFin = fitLost(tcb, i, isFree ? allowed : Math.min(allowed, room), inWindow > 0 ? inWindow : allowed + 1)
  recovery.forced = false
  if (recovery.phase === 'loss') tcb.counters.TcpExtTCPSlowStartRetrans++
  else tcb.counters.TcpExtTCPFastRetrans++
  resend(tcb, i, withFin, now, plan)
  if (i === 0 && recovery.phase === 'recovery' && restartsTimer(tcb)) tcb.timers.retransmit = NEVER
  armRetransmit(tcb, now)
  return true
}

/**
 * Makes of entry `i` and lost neighbours after it what goes in one packet: at most `limit` of text, all of one record (the entry may be
 * of several that were SACKed as one), and `inWindow` with the FIN, so that nothing beyond the edge of a window that has shrunk goes
 * [SHLD-16] (RFC 9293 §3.8.6). Returns whether FIN is in it.
 */
function fitLost(tcb: Tcb, i: number, limit: number, inWindow: number): boolean {
  const { snd } = tcb
  const { flight } = snd
  const { start } = flight.at(i)
  const most = untilRecordEnd(tcb, start, limit)
  while (tcb.config.retransmitCollapse && i + 1 < flight.size) {
    const next = flight.at(i + 1)
    if (next.mark !== 'lost' || !fits(tcb, start, next.end, most, inWindow)) break
    if (finOctet(tcb, next.end) === seqDiff(next.end, next.start) && leavesFin(tcb, seqDiff(next.start, start))) break
    flight.join(i)
  }
  const { end } = flight.at(i)
  if (fits(tcb, start, end, most, inWindow)) return finOctet(tcb, end) === 1
  const text = seqDiff(end, start) - finOctet(tcb, end)
  flight.split(i, seqAdd(start, Math.min(text, most, inWindow)))
  return false
}

/** What ends there has FIN as its last octet: 1, else 0. */
function finOctet({ snd }: Tcb, end: Seq): number {
  return snd.finSent && end === snd.nxt ? 1 : 0
}

function fits(tcb: Tcb, start: Seq, end: Seq, most: number, inWindow: number): boolean {
  const length = seqDiff(end, start)
  return length <= inWindow && length - finOctet(tcb, end) <= most
}

/** Entry `i` of the flight goes again. */
function resend(tcb: Tcb, i: number, withFin: boolean, now: Micros, plan: SegmentPlan): void {
  const { flight } = tcb.snd
  tcb.sentAt = now
  flight.resend(i, now, tcb.delivery)
  const { start, end } = flight.at(i)
  tcb.recovery.retransmits += Math.max(1, Math.ceil((seqDiff(end, start) - finOctet(tcb, end)) / tcb.snd.mss))
  noteResentOnPath(tcb, start)
  fillText(tcb, plan, start, seqDiff(end, start) - (withFin ? 1 : 0), withFin, now)
  withdrawOption(tcb, plan)
  plan.isResent = true
  tcb.usage.resentBytes += plan.textLength
  plan.cause = flight.at(i).cause
  noteResend(tcb, start, plan.textLength, plan.tsVal)
}

/** RFC 8985 §7.3: one segment of new text if there is any and the peer's window takes it, else the last one sent goes again. */
function nextTailProbe(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  const { snd } = tcb
  const { flight } = snd
  tcb.tlp.isDue = false
  if (flight.size === 0) return false
  const usable = seqDiff(seqAdd(snd.una, snd.wnd), snd.nxt)
  const fresh = untilRecordEnd(tcb, snd.nxt, Math.min(unsentBytes(tcb), usable, snd.mss))
  if (fresh > 0) {
    sendNew(tcb, fresh, false, now, plan)
    plan.cause = 'tlp'
  } else {
    let i = flight.size - 1
    const { start, end } = flight.at(i)
    if (flight.at(i).mark === 'sacked') return false
    if (i > 0 && seqDiff(end, seqAdd(snd.una, snd.wnd)) > 0) return false // beyond a window that has shrunk [SHLD-16]
    if (seqDiff(end, start) > snd.mss + 1) flight.split(i++, seqAdd(end, -snd.mss))
    flight.lose(flight.at(i), 'tlp')
    resend(tcb, i, snd.finSent, now, plan)
  }
  noteProbe(tcb, fresh <= 0)
  tcb.counters.TcpExtTCPLossProbes++
  tcb.timers.retransmit = now + backedOffRtoUs(tcb.rtt, tcb.config)
  return true
}

/** RFC 4821 §7.4: text in a larger segment than the path is known to take. */
function nextPathProbe(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  const unsent = unsentBytes(tcb)
  if (unsent > 0) validateWindow(tcb, now) // before a probe is in flight: then nobody sees that there was a pause
  const length = pathProbeText(tcb, untilRecordEnd(tcb, tcb.snd.nxt, unsent), pipe(tcb), now)
  tcb.path.isWaiting = length < 0
  if (length <= 0 || !isPaceReached(tcb, now)) return false
  sendNew(tcb, length, false, now, plan)
  plan.segmentBytes = 0 // one packet
  notePathProbe(tcb, length)
  armRetransmit(tcb, now)
  armTailProbe(tcb, now)
  return true
}

/** New text, and FIN after the last of it. */
function nextNew(tcb: Tcb, now: Micros, most: number, plan: SegmentPlan): boolean {
  const { snd } = tcb
  if (snd.flight.lostBytes > 0 && !isProbingTimeout(tcb)) return false // it goes first, and nextLost has said why it cannot
  const unsent = unsentBytes(tcb)
  const finDue = snd.finQueued && !snd.finSent && tcb.state !== 'SYN-RECEIVED' // RFC 9293 §3.10.4: it waits for ESTABLISHED
  if (unsent === 0 && !finDue) {
    tcb.hold = 'nothing'
    snd.isPushed = false
    noteAppLimited(tcb)
    return false
  }
  if (tcb.path.isSearching && tcb.path.isWaiting) {
    tcb.hold = 'cwnd' // a probe of the path goes first
    return false
  }
  if (isHeldByMark(tcb, now)) return false
  validateWindow(tcb, now)
  // Negative when the window has shrunk [MUST-34]: then nothing new goes [SHLD-15].
  const usable = seqDiff(seqAdd(snd.una, snd.wnd), snd.nxt)
  const record = untilRecordEnd(tcb, snd.nxt, unsent)
  // The end of a record with another after it waits for nothing.
  const length = textToSend(tcb, record, usable, mostAtOnce(tcb, mostAtPace(tcb, most)), finDue || record < unsent, now)
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
  noteSmall(tcb, length)
  noteSent(tcb, now)
  fillText(tcb, plan, start, length, withFin, now)
  tcb.probePending = false
  stampNewText(tcb, plan)
}

/**
 * A probe of a closed window, or of a silent peer: an empty segment just left of its window, which it must answer with an
 * acknowledgement and its window (RFC 9293 §3.8.4 [SHLD-12], §3.10.7.4 first check). As Linux does.
 * DEVIATION: RFC 9293 §3.8.6.1 probes with an octet of new text; the empty probe draws the same answer and risks no text.
 */
function probe(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  const { snd, config } = tcb
  // What tells of urgent data stands where the peer has to look at its URG, window or not [MUST-66]. It need not be answered, being in
  // the window, so a probe follows it.
  const isMark = isUrgentDue(tcb)
  fill(tcb, plan, isMark ? snd.nxt : seqAdd(snd.una, -1), FLAG.ACK, now)
  if (isMark) {
    fillUrgent(tcb, plan)
    snd.isUrgentTold = true
    return true
  }
  tcb.probePending = false
  const isKeepAlive = unsentBytes(tcb) === 0 && snd.finSent === snd.finQueued
  if (isKeepAlive && config.keepAliveGarbage) {
    plan.textLength = 1 // [MAY-6]
    plan.textOffset = -1
  }
  return true
}

/** Something to send, nothing in flight to draw an acknowledgement, and the window in the way: only a probe can go on. */
function armPersist(tcb: Tcb, now: Micros): void {
  const { hold, timers } = tcb
  if ((hold === 'window' || hold === 'silly-window') && tcb.snd.flight.bytes === 0) {
    if (timers.persist !== NEVER) return
    timers.persist = now + persistIntervalUs(tcb)
    if (tcb.windowProbes === 0) tcb.life.blockedAt = now
  } else {
    timers.persist = NEVER
    tcb.windowProbes = 0
  }
}
