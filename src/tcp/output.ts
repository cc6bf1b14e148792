// The only maker of a connection's segments: asked again and again, it says what goes out next, until it has nothing (RFC 9293 §3.10.2,
// §3.7.4, §3.8.6; RFC 5681; RFC 6675 §5).
// Owns: the order (reset, handshake, what was lost, new text and FIN, probes, acknowledgements), Nagle, the sender's silly-window
// avoidance [MUST-38], the persist timer. Does not own: what is lost (loss.ts), the window offered (window.ts), bytes (layer.ts).
// Read first: RFC 9293 §3.8.6.2.1.

import type { Micros } from '../base/time.ts'
import { FLAG, type SegmentPlan } from './header.ts'
import { pipe, suspectNextHole } from './loss.ts'
import { isPaceReached, mostAtPace, notePaced } from './pacing.ts'
import { backedOffRtoUs } from './rtt.ts'
import { fillSack, hasSackBlocks } from './sack-blocks.ts'
import { type Seq, seqAdd, seqDiff, seqGe } from './seq.ts'
import { isSynchronized } from './state.ts'
import { sendBufferStart, type Tcb, unsentBytes } from './tcb.ts'
import { persistIntervalUs } from './timers.ts'
import { timestampNow } from './timestamps.ts'
import { armTailProbe, noteProbe } from './tlp.ts'
import { noteResend } from './undo.ts'
import { advertiseWindow, windowScaleFor } from './window.ts'

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
  if (tcb.state === 'SYN-SENT' || tcb.state === 'SYN-RECEIVED') return nextHandshake(tcb, now, plan)
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
  tcb.rcv.acksOwed = still // each duplicate acknowledgement is a segment of its own: the peer counts them
  return true
}

/** What every segment carries: numbers, window, timestamps, SACK blocks. An acknowledgement goes with it, so none is owed any more. */
function fill(tcb: Tcb, plan: SegmentPlan, sequence: Seq, flags: number, now: Micros): void {
  const { rcv, ts } = tcb
  plan.reset()
  plan.sourcePort = tcb.localPort
  plan.destinationPort = tcb.remotePort
  plan.seq = sequence
  plan.flags = flags
  plan.window = advertiseWindow(tcb, (flags & FLAG.SYN) !== 0)
  plan.hasTimestamps = ts.enabled
  if (ts.enabled) {
    plan.tsVal = timestampNow(tcb, now)
    plan.tsEcr = (flags & FLAG.ACK) !== 0 ? ts.recent : 0
  }
  if ((flags & FLAG.ACK) === 0) {
    plan.ack = 0 as Seq
    return
  }
  const still = Math.max(0, rcv.acksOwed - 1)
  plan.ack = rcv.nxt
  ts.lastAckSent = rcv.nxt
  rcv.acksOwed = 0
  rcv.unacked = 0
  tcb.timers.delayedAck = NEVER
  if ((flags & (FLAG.SYN | FLAG.RST)) === 0 && hasSackBlocks(tcb)) fillSack(tcb, plan, still)
}

function nextHandshake(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  const { snd } = tcb
  tcb.hold = 'handshake'
  const first = snd.nxt === snd.iss
  if (!first && snd.flight.firstLost() < 0) return tcb.state === 'SYN-RECEIVED' && nextAck(tcb, now, plan)
  fill(tcb, plan, snd.iss, tcb.state === 'SYN-SENT' ? FLAG.SYN : FLAG.SYN | FLAG.ACK, now)
  plan.mss = tcb.rcv.mss
  plan.sackPermitted = tcb.sackEnabled
  plan.windowScale = tcb.scaleEnabled ? windowScaleFor(tcb.config.receiveBufferBytes) : -1
  if (first) {
    snd.nxt = seqAdd(snd.iss, 1)
    snd.flight.push(snd.iss, snd.nxt, now, tcb.delivery)
    tcb.progressAt = now
  } else {
    snd.flight.resend(0, now, tcb.delivery)
    tcb.recovery.retransmits++
    tcb.recovery.forced = false
  }
  armRetransmit(tcb, now)
  return true
}

/** RFC 6298 §5.1 */
function armRetransmit(tcb: Tcb, now: Micros): void {
  if (tcb.timers.retransmit === NEVER) tcb.timers.retransmit = now + backedOffRtoUs(tcb.rtt, tcb.config)
  tcb.timers.persist = NEVER
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

/** The application holds the sender back, with less than a segment to send: what is sent until then tells nothing of the path. */
function noteAppLimited(tcb: Tcb): void {
  const inNetwork = pipe(tcb)
  if (inNetwork < tcb.cc.cwnd) tcb.delivery.appLimitedUntil = Math.max(1, tcb.delivery.delivered + inNetwork)
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
 * How much text may go in the next packet; -1 when it has to wait, with the reason in `tcb.hold`. 0 stands for a FIN alone.
 * RFC 9293 §3.8.6.2.1 names the cases: D is `unsent`, U is `usable`.
 */
function textToSend(tcb: Tcb, unsent: number, usable: number, most: number, finDue: boolean): number {
  const { snd, config } = tcb
  if (unsent === 0) return 0
  const sendable = Math.min(unsent, usable)
  if (sendable <= 0) {
    tcb.hold = 'window'
    return -1
  }
  const idle = snd.flight.bytes === 0
  if (sendable < snd.mss) {
    if (sendable === unsent) {
      // (2) everything queued fits: it may go when nothing is outstanding (Nagle, RFC 9293 §3.7.4), or when it is the very last.
      if (config.nagle && !idle && !finDue) {
        tcb.hold = 'nagle'
        noteAppLimited(tcb)
        return -1
      }
    } else if (!(sendable >= snd.maxWnd / 2 && (idle || !config.nagle)) && !tcb.probePending) {
      // (3) half of the largest window ever offered; (4) the override is the persist timer.
      tcb.hold = 'silly-window'
      return -1
    }
  }
  const inNetwork = pipe(tcb)
  const room = Math.max(tcb.cc.cwnd - inNetwork, inNetwork === 0 ? snd.mss : 0)
  if (room < Math.min(sendable, snd.mss)) {
    tcb.hold = 'cwnd'
    return -1
  }
  if (sendable < snd.mss) return sendable
  const whole = Math.min(sendable, most, room)
  return whole - (whole % snd.mss)
}

/** RFC 5681 §4.1: after a pause of more than an RTO the window restarts from the initial one. */
function restartAfterIdle(tcb: Tcb, now: Micros): void {
  if (tcb.snd.flight.bytes > 0 || now - tcb.sentAt <= tcb.rtt.rtoUs) return
  const initial = tcb.config.initialWindowSegments * tcb.snd.mss
  tcb.control.onIdle(tcb.cc, Math.min(initial, tcb.cc.cwnd), now)
  tcb.sentAt = now
}

function fillText(tcb: Tcb, plan: SegmentPlan, start: Seq, length: number, withFin: boolean, now: Micros): void {
  const { snd } = tcb
  const offset = seqDiff(start, sendBufferStart(tcb))
  // [MUST-61]: PSH on the last byte that is queued.
  const push = length > 0 && offset + length === snd.buffer.extent
  fill(tcb, plan, start, FLAG.ACK | (push ? FLAG.PSH : 0) | (withFin ? FLAG.FIN : 0), now)
  if (tcb.recovery.phase === 'recovery') tcb.prr.out += length
  notePaced(tcb, length, now)
  plan.textLength = length
  plan.textOffset = offset
  plan.segmentBytes = length > snd.mss ? snd.mss : 0
  const spare = snd.mss - length - 4
  if (plan.sackCount > 0) plan.sackCount = Math.max(0, Math.min(plan.sackCount, Math.floor(spare / 8)))
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
