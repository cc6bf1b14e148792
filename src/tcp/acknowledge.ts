// When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2): at once, with the second full segment, with an answer, or when a timer ends.
// Owns: owing an acknowledgement and why, the delay. Does not own: sending it (output.ts), what it says (fill.ts, sack-blocks.ts).
// Read first: RFC 5681 §4.2.
//
// `delayedAck: 'fixed'` counts segments and waits for a fixed time. 'adaptive' does as Linux: it begins with quick acknowledgements, so
// that the peer's slow start is not held up; it waits as long as segments lie apart; and where answers follow on what comes in, it
// waits for the answer to take the acknowledgement along. DEVIATION: RFC 5681 §4.2 knows none of this; all of it lies within its bounds
// (under 500 ms, at least every second full segment).

import type { Micros } from '../base/time.ts'
import { isLinuxWindow, linuxWindow, mayTellAsMuch } from './linux-window.ts'
import type { AckReason } from './reasons.ts'
import type { Tcb } from './tcb.ts'
import { receiveWindow } from './window.ts'

const NEVER = Number.POSITIVE_INFINITY
/** Bound on duplicate acknowledgements owed at once: more tell the peer nothing new. */
const MOST_ACKS_OWED = 64
/** A peer's full-sized segment is taken to be at least this long (RFC 9293 §3.7.1: the default MSS). */
const LEAST_FULL_SEGMENT = 536

/** Owes an acknowledgement as soon as possible. */
export function owesAck(tcb: Tcb, reason: AckReason): void {
  if (tcb.rcv.acksOwed === 0) tcb.rcv.acksOwed = 1
  note(tcb, reason)
}

/** Owes one more: each duplicate acknowledgement is a segment of its own, for the peer counts them (RFC 5681 §4.2). */
export function owesDuplicate(tcb: Tcb, reason: AckReason): void {
  tcb.rcv.acksOwed = Math.min(MOST_ACKS_OWED, tcb.rcv.acksOwed + 1)
  note(tcb, reason)
}

/**
 * Owes a duplicate acknowledgement now, or, with `sackDelayUs`, from the fourth one of the same number on, a little later one for all
 * that come meanwhile (Linux's tcp_comp_sack_delay_ns).
 */
export function owesDuplicateOrLater(tcb: Tcb, reason: AckReason, now: Micros): void {
  const { rcv, ack, config, timers } = tcb
  if (config.sackDelayUs === 0 || !tcb.sackEnabled || (ack.quickLeft > 0 && !isInteractive(tcb))) {
    owesDuplicate(tcb, reason)
    return
  }
  if (ack.duplicatesOf !== rcv.nxt) {
    ack.duplicatesOf = rcv.nxt
    ack.duplicates = 0
  }
  if (ack.duplicates < 3) {
    ack.duplicates++
    owesDuplicate(tcb, reason)
    return
  }
  const wait = Math.min(config.sackDelayUs, roundTripOf(tcb) / 20)
  if (wait === 0) {
    owesDuplicate(tcb, reason)
    return
  }
  timers.delayedAck = Math.min(timers.delayedAck, now + wait)
  tcb.ackHold = 'delayed'
}

/** The round trip by the receiver's samples, by our own text's when that is less; 0 before the first sample. */
function roundTripOf({ tuning, rtt }: Tcb): Micros {
  const received = Math.max(0, tuning.rttUs)
  return rtt.srttUs > 0 ? Math.min(rtt.srttUs, received) : received
}

/** Owes one, and the duplicates owed so far come to nothing: it tells more than they. */
export function owesOne(tcb: Tcb, reason: AckReason): void {
  tcb.rcv.acksOwed = 1
  note(tcb, reason)
}

/**
 * Owes an acknowledgement to a segment that should not have come (RFC 5961 §7): at most one in a while, so that neither an attacker nor
 * two ends that disagree can draw them without end.
 */
export function owesChallenge(tcb: Tcb, now: Micros): void {
  if (now < tcb.challengeAt) return
  tcb.challengeAt = now + tcb.config.challengeIntervalUs
  if (!tcb.challenges.take(now)) return // RFC 5961 §10: over all connections
  tcb.counters.TcpExtTCPChallengeACK++
  owesAck(tcb, 'challenge')
}

/**
 * Owes one to a segment that is not acceptable and takes no room (RFC 9293 §3.10.7.4, first check): probes of an idle or shut connection
 * look so, and its peer lives by the answer. At most one in a while, against wars of acknowledgements; but what other connections have
 * challenged does not count, or whoever spends the host's budget (RFC 5961 §10) could starve everybody's probes. As Linux.
 */
export function owesReminder(tcb: Tcb, now: Micros): void {
  if (now < tcb.challengeAt) return
  tcb.challengeAt = now + tcb.config.challengeIntervalUs
  owesAck(tcb, 'challenge')
}

function note(tcb: Tcb, reason: AckReason): void {
  tcb.ack.reason = reason
  tcb.ackHold = 'due'
}

/** Text has come in order and RCV.NXT stands behind it: it is acknowledged now or later. */
export function acknowledgeText(tcb: Tcb, delivered: number, filledGap: boolean, now: Micros): void {
  const { rcv, ack } = tcb
  rcv.unacked += delivered
  if (delivered < fullSegment(tcb)) ack.shorts = Math.min(2, ack.shorts + 1)
  if (tcb.config.delayedAck === 'adaptive') learnPauses(tcb, now)
  const reason = reasonNow(tcb, filledGap)
  if (reason !== 'none') owesOne(tcb, reason)
  else delay(tcb, now)
}

/**
 * A FIN was taken, and the text before it has been seen to. Linux takes it for a question whose answer is to come: from now on
 * acknowledgements wait for answers, this one among them, unless a full segment is to be acknowledged with it, or it was ahead of what
 * has come only now: then a gap is filled (RFC 5681 §4.2).
 */
export function acknowledgeFin(tcb: Tcb, wasAhead: boolean, now: Micros): void {
  const { rcv, ack, config } = tcb
  const mayWait = !wasAhead && (rcv.acksOwed === 0 || ack.reason === 'quick')
  if (config.finAck === 'now' || tcb.state !== 'ESTABLISHED' || config.delayedAck === 'fixed' || !mayWait) {
    owesOne(tcb, 'fin')
    return
  }
  ack.replies = Math.max(ack.replies, config.interactiveReplies)
  rcv.unacked++
  rcv.acksOwed = 0
  if (ack.atoUs < 0 || rcv.unacked > fullSegment(tcb) || rcv.outOfOrder.size > 0) owesOne(tcb, 'fin')
  else delay(tcb, now)
}

/** Why text that has come is acknowledged at once; 'none' when it is not. */
function reasonNow(tcb: Tcb, filledGap: boolean): AckReason {
  const { ackEverySegments, delayedAck, delayedAckUs } = tcb.config
  const { unacked } = tcb.rcv
  if (filledGap) return 'gap' // RFC 5681 §4.2: so that the peer's recovery goes on
  if (delayedAckUs === 0) return 'undelayed'
  const full = fullSegment(tcb)
  if (isLinuxWindow(tcb) && delayedAck === 'adaptive') {
    if (unacked > linuxWindow(tcb).rcvMss && mayTellAsMuch(tcb)) return 'full-segments'
    return tcb.ack.quickLeft > 0 && !isInteractive(tcb) ? 'quick' : 'none'
  }
  if (unacked >= ackEverySegments * full) return 'full-segments' // [SHLD-19]
  if (delayedAck === 'fixed') return 'none'
  // As Linux: what comes after one full segment is often the last of a message, and its sender may wait for us (Nagle).
  if (unacked > (ackEverySegments - 1) * full) return 'full-segments'
  return tcb.ack.quickLeft > 0 && !isInteractive(tcb) ? 'quick' : 'none'
}

/** The acknowledgement waits for company [SHLD-18], at most until the timer ends [MUST-40]. */
function delay(tcb: Tcb, now: Micros): void {
  const { rcv, timers } = tcb
  const waitUs = delayUs(tcb)
  if (rcv.acksOwed > 0) rcv.acksOwed = 1
  else tcb.ackHold = isInteractive(tcb) ? 'interactive' : 'delayed'
  if (timers.delayedAck === NEVER) timers.delayedAck = now + waitUs
  else if (tcb.config.delayedAck === 'adaptive') {
    if (timers.delayedAck <= now + waitUs / 4)
      owesOne(tcb, 'timer') // so close to its end that a wake-up is saved
    else timers.delayedAck = Math.min(timers.delayedAck, now + waitUs)
  }
}

/** How long an acknowledgement waits now. */
function delayUs(tcb: Tcb): Micros {
  const { delayedAck, delayedAckUs, delayedAckMaxUs } = tcb.config
  if (delayedAck === 'fixed') return delayedAckUs
  // A peer's timeout is at least its round trip and some: waiting longer than ours gains nothing and costs it time.
  const roundTrip = tcb.rtt.srttUs < 0 ? NEVER : tcb.rtt.srttUs
  const most = Math.max(delayedAckUs, Math.min(delayedAckMaxUs, roundTrip))
  return Math.min(most, Math.max(delayedAckUs, tcb.ack.atoUs))
}

/** The pause before this text moves the delay; a long one means that the peer starts anew, from a small window. */
function learnPauses(tcb: Tcb, now: Micros): void {
  const { ack, config, rtt } = tcb
  const least = config.delayedAckUs
  const pause = now - ack.textAt
  ack.textAt = now
  if (ack.atoUs < 0) {
    ack.atoUs = least
    quicken(tcb)
  } else if (pause <= least / 2) {
    ack.atoUs = ack.atoUs / 2 + least / 2
  } else if (pause < ack.atoUs) {
    ack.atoUs = Math.min(ack.atoUs / 2 + pause, rtt.rtoUs)
  } else if (pause > rtt.rtoUs) {
    quicken(tcb)
  }
}

/** The next acknowledgements go without delay: as many as half the window's segments draw, two if that is none, within the bound. */
function quicken(tcb: Tcb): void {
  const told = receiveWindow(tcb) + tcb.rcv.unacked
  const byWindow = Math.floor(told / (2 * fullSegment(tcb))) || 2
  tcb.ack.quickLeft = Math.max(tcb.ack.quickLeft, Math.min(tcb.config.quickAcks, byWindow))
}

/** Something was lost, repeated or reordered: the peer needs to hear soon, and of each step, until it has caught up. */
export function quickenAfterLoss(tcb: Tcb): void {
  if (tcb.config.delayedAck !== 'adaptive') return
  quicken(tcb)
  tcb.ack.replies = 0
  tcb.ack.atoUs = tcb.config.delayedAckUs
}

/**
 * TCP_QUICKACK: on, the connection is not an interactive one for now, what waits is acknowledged at once, and so are the next segments;
 * off, acknowledgements wait for an answer.
 */
export function setQuickAck(tcb: Tcb, on: boolean): void {
  const { rcv, ack, config } = tcb
  ack.quickLeft = 0
  if (!on) {
    ack.replies = config.interactiveReplies
    return
  }
  quickenAfterLoss(tcb)
  if (rcv.unacked > 0) owesOne(tcb, 'asked')
}

/** Whether answers follow on what is received, so that an acknowledgement may wait for one to ride on. */
function isInteractive(tcb: Tcb): boolean {
  const { delayedAck, interactiveReplies } = tcb.config
  return delayedAck === 'adaptive' && interactiveReplies > 0 && tcb.ack.replies >= interactiveReplies
}

/** Text goes out: an answer when something was received only just now. The acknowledgement that waited rides on it. */
export function noteRide(tcb: Tcb, length: number, now: Micros): void {
  const { ack } = tcb
  if (length > 0 && now - ack.textAt < ack.atoUs && ack.replies < 1000) ack.replies++
  ack.reason = 'text'
}

/** A segment that acknowledges goes out: nothing is owed any more, but for the duplicates that the caller still counts. */
export function noteAckSent(tcb: Tcb): void {
  const { rcv, ack, config } = tcb
  if (rcv.acksOwed > 0 || rcv.unacked > 0) {
    ack.lastReason = ack.reason
    // Leaving the quick acknowledgements behind, the delay starts from its least.
    if (ack.quickLeft > 0 && --ack.quickLeft === 0) ack.atoUs = config.delayedAckUs
  }
  ack.reason = 'none'
  ack.shorts = 0
  rcv.acksOwed = 0
  rcv.unacked = 0
  tcb.timers.delayedAck = NEVER
  tcb.ackHold = 'none'
}

/** The timer has ended before anything came that the acknowledgement could go with. */
export function delayedAckExpired(tcb: Tcb): void {
  const { ack, config, rtt } = tcb
  tcb.timers.delayedAck = NEVER
  if (config.sackDelayUs > 0 && tcb.rcv.unacked === 0 && tcb.rcv.outOfOrder.size > 0) {
    owesAck(tcb, 'out-of-order') // duplicates that waited for each other
    return
  }
  tcb.counters.TcpExtDelayedACKs++
  if (isInteractive(tcb)) {
    ack.replies = 0 // there was no answer
    ack.atoUs = config.delayedAckUs
  } else if (config.delayedAck === 'adaptive') {
    ack.atoUs = Math.min(2 * ack.atoUs, rtt.rtoUs)
  }
  owesAck(tcb, 'timer')
}

/**
 * The application has taken what was there. As in Linux an acknowledgement for less than a full segment goes now: the peer has
 * probably said all it wants to say. In an interactive connection only when two of them came. More than a full segment, which waited while
 * the window would have had to shrink, goes in any case.
 */
export function acknowledgeAfterRead(tcb: Tcb): void {
  const { rcv, ack, config } = tcb
  if (config.delayedAck !== 'adaptive' || rcv.unacked === 0 || rcv.acksOwed > 0) return
  const isMuch = rcv.unacked > fullSegment(tcb)
  if (isMuch || (rcv.unread === 0 && ack.shorts >= (isInteractive(tcb) ? 2 : 1))) owesAck(tcb, 'read')
}

/** Length of the peer's full segment, as far as known. */
function fullSegment(tcb: Tcb): number {
  const { mss, seenMss } = tcb.rcv
  return Math.max(seenMss, Math.min(LEAST_FULL_SEGMENT, mss))
}
