// SEGMENT ARRIVES for a connection (RFC 9293 §3.10.7): the eight checks in the RFC's order, with RFC 5961's defence against blind
// resets, SYNs and acknowledgements, and RFC 7323's PAWS before them.
// Owns: the order of the checks. Does not own: what each finds (acceptability, ack, receive, handshake), LISTEN (listener.ts), segments
// without a connection (reset.ts). Nothing is sent here: the result is changed numbers, owed acknowledgements, events.

import type { Micros } from '../base/time.ts'
import { takeHandshakeAck } from './accecn.ts'
import { noteRepeatedText } from './accecn-option.ts'
import { isAcceptable, isAckInRange, isOldDuplicate, takeTimestamp } from './acceptability.ts'
import { handleAck, measure, releaseAcked, restartRetransmitTimer } from './ack.ts'
import { owesAck, owesChallenge, owesReminder } from './acknowledge.ts'
import { closeTcb, enterTimeWait, failTcb } from './closing.ts'
import { confirmEcn, receiveMark, repeatHandshakeAck } from './ecn.ts'
import { TcpError } from './errors.ts'
import { EVENT } from './events.ts'
import { afterSynAcked } from './fast-open.ts'
import { resendEarlyText, resetEmbryo } from './fast-open-server.ts'
import { arrivesInSynSent, establish } from './handshake.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { answersInTimeWait, forgetsSynWindow } from './linux-ways.ts'
import { answerText, receiveFin, receiveText } from './receive.ts'
import { noteOldSegment } from './sack-blocks.ts'
import { tellRoom } from './send-buffer.ts'
import { seqAdd, seqGt, seqLe } from './seq.ts'
import { setState } from './state.ts'
import type { Tcb } from './tcb.ts'
import { armTailProbe } from './tlp.ts'
import { endTimeouts } from './totals.ts'
import { receiveUrgent } from './urgent.ts'
import { takeUserTimeout } from './user-timeout.ts'
import { advertiseWindow } from './window.ts'

/** What the caller has to do: nothing, answer with a reset (RFC 9293 §3.10.7.3, .4), or look for a listener (TIME-WAIT reuse). */
export type ArrivalVerdict = 'done' | 'reset' | 'reopen'

/** Handles a segment that belongs to this connection. */
export function segmentArrives(tcb: Tcb, segment: SegmentHeader, now: Micros): ArrivalVerdict {
  if (tcb.state === 'CLOSED') return (segment.flags & FLAG.RST) !== 0 ? 'done' : 'reset'
  if (tcb.state === 'SYN-SENT') {
    const verdict = arrivesInSynSent(tcb, segment, now)
    if (verdict !== 'text') return verdict
    return receiveRest(tcb, segment, now)
  }
  if (tcb.state === 'TIME-WAIT' && canReopen(tcb, segment)) return 'reopen'

  if (isAnswerToSimultaneousOpen(tcb, segment)) {
    owesAck(tcb, 'handshake')
    const verdict = ackOfSyn(tcb, segment, now)
    noteOldSegment(tcb, segment, FLAG.SYN)
    return verdict === 'go on' ? receiveRest(tcb, segment, now) : verdict
  }

  // First, the sequence number.
  const isOld = isOldDuplicate(tcb, segment, now)
  if (isOld) tcb.counters.TcpExtPAWSEstab++
  if (isOld || !isAcceptable(tcb, segment)) return answerUnacceptable(tcb, segment, now)
  tcb.heardAt = now
  if (tcb.config.keepAlive && tcb.timers.keepAlive !== Number.POSITIVE_INFINITY) {
    tcb.timers.keepAlive = now + tcb.config.keepAliveIdleUs
  }
  // Second, the RST bit.
  if ((segment.flags & FLAG.RST) !== 0) return arrivesReset(tcb, segment, now)
  // Fourth, the SYN bit (third, security, is not used by anyone).
  if ((segment.flags & FLAG.SYN) !== 0) return arrivesSyn(tcb, segment, now)
  // Fifth, the ACK field.
  if ((segment.flags & FLAG.ACK) === 0) return 'done'
  const verdict = tcb.state === 'SYN-RECEIVED' ? ackOfSyn(tcb, segment, now) : ackOfRest(tcb, segment, now)
  if (verdict !== 'go on') return verdict
  if (segment.userTimeout >= 0) takeUserTimeout(tcb, segment)
  return receiveRest(tcb, segment, now)
}

/** Sixth to eighth: URG, text, FIN. */
function receiveRest(tcb: Tcb, segment: SegmentHeader, now: Micros): 'done' | 'reset' {
  receiveUrgent(tcb, segment)
  const isAckDue = receiveMark(tcb, segment)
  if (receiveText(tcb, segment, now) === 'refused') return 'reset'
  receiveFin(tcb, segment, now)
  if (isAckDue) owesAck(tcb, 'mark')
  return 'done'
}

/**
 * RFC 9293 §3.5, figure 7 line 6 [MUST-10]: both sides have sent SYN, then SYN,ACK. The peer's lies just left of the window that its SYN
 * opened, but it is what acknowledges our SYN.
 */
function isAnswerToSimultaneousOpen(tcb: Tcb, segment: SegmentHeader): boolean {
  if (tcb.state !== 'SYN-RECEIVED' || tcb.passive) return false
  const isSynAck = (segment.flags & (FLAG.SYN | FLAG.ACK | FLAG.RST)) === (FLAG.SYN | FLAG.ACK)
  return isSynAck && segment.seq === tcb.rcv.irs && segment.ack === tcb.snd.nxt
}

function answerUnacceptable(tcb: Tcb, segment: SegmentHeader, now: Micros): 'done' {
  if ((segment.flags & FLAG.RST) !== 0) return 'done'
  const isSyn = (segment.flags & (FLAG.SYN | FLAG.ACK)) === FLAG.SYN
  if (tcb.state === 'SYN-RECEIVED' && isSyn && segment.seq === tcb.rcv.irs) {
    repeatSynAck(tcb)
    return 'done'
  }
  if (tcb.state === 'TIME-WAIT' && isFinAgain(tcb, segment)) enterTimeWait(tcb, now) // eighth check: restart 2MSL
  noteOldSegment(tcb, segment)
  repeatHandshakeAck(tcb, segment)
  // Text and FIN are answered each time, as their sender counts on it; what carries none may be part of a war of acknowledgements.
  if (segment.textLength > 0) {
    noteRepeatedText(tcb)
    answerText(tcb, segment.seq)
  } else if ((segment.flags & (FLAG.FIN | FLAG.SYN)) === FLAG.FIN) owesAck(tcb, 'duplicate')
  else owesReminder(tcb, now)
  return 'done'
}

/** The peer's SYN again: our SYN,ACK was lost. As Linux does, it goes again at once rather than after its timeout. */
function repeatSynAck({ snd: { flight } }: Tcb): void {
  if (flight.size > 0) flight.lose(flight.at(0), 'syn')
}

/** Whether it is the very FIN that brought the connection here. */
function isFinAgain(tcb: Tcb, segment: SegmentHeader): boolean {
  return (segment.flags & FLAG.FIN) !== 0 && seqAdd(segment.seq, segment.textLength) === tcb.rcv.finSeq
}

/** RFC 9293 §3.10.7.4, second check, with RFC 5961 §3.2: only a reset at exactly RCV.NXT is believed, with text or without [SHLD-2]. */
function arrivesReset(tcb: Tcb, segment: SegmentHeader, now: Micros): 'done' {
  if (segment.seq !== tcb.rcv.nxt) {
    owesChallenge(tcb, now)
    return 'done'
  }
  switch (tcb.state) {
    case 'SYN-RECEIVED':
      if (tcb.passive) resetEmbryo(tcb, now)
      else failTcb(tcb, 'ECONNREFUSED')
      break
    case 'CLOSING':
    case 'LAST-ACK':
      // RFC 9293 §3.10.7.4 just closes here, but the application has to know when text of its own was lost [MUST-12].
      // What was received stays readable: it is whole.
      if (hasUnackedText(tcb)) {
        tcb.error = new TcpError('ECONNRESET')
        tcb.events |= EVENT.error
      }
      closeTcb(tcb)
      break
    case 'TIME-WAIT':
      if (!tcb.config.timeWaitIgnoresResets) closeTcb(tcb)
      break
    default:
      failTcb(tcb, 'ECONNRESET')
  }
  return 'done'
}

/** Whether text of ours, and not only our FIN, is still unacknowledged. */
function hasUnackedText({ snd }: Tcb): boolean {
  return snd.buffer.extent > 0
}

/** Fourth check: a SYN in the window. From a passive open back to LISTEN; otherwise RFC 5961 §4.2: challenge it. */
function arrivesSyn(tcb: Tcb, segment: SegmentHeader, now: Micros): 'done' {
  const isEmbryo = tcb.state === 'SYN-RECEIVED' && tcb.passive
  // The same SYN again lies in the window when it has text, of which all or some was not taken (Fast Open); and a forged one must not end
  // what the application has.
  const isBare = tcb.fastOpen.isTaken || (segment.flags & FLAG.ACK) === 0
  if (isEmbryo && isBare && segment.seq === tcb.rcv.irs) repeatSynAck(tcb)
  else if (isEmbryo && !tcb.fastOpen.isTaken) resetEmbryo(tcb, now)
  else challengeSyn(tcb, now)
  return 'done'
}

/** RFC 9293 §3.10.7.4, fourth check, RFC 5961 §4.2: a peer that has lost the connection answers this with the reset that ends it. */
export function challengeSyn(tcb: Tcb, now: Micros): void {
  tcb.counters.TcpExtTCPSYNChallenge++
  owesChallenge(tcb, now)
}

/** RFC 9293 §3.10.7.4 fifth check, TIME-WAIT [MAY-2]: a SYN that is surely newer than the old connection may open a new one. */
function canReopen(tcb: Tcb, segment: SegmentHeader): boolean {
  if ((segment.flags & (FLAG.SYN | FLAG.ACK | FLAG.RST | FLAG.FIN)) !== FLAG.SYN) return false
  const newer = tcb.ts.enabled && segment.hasTimestamps ? (segment.tsVal - tcb.ts.recent) | 0 : 0
  if (newer !== 0) return newer > 0 // RFC 6191 §2 [SHLD-4]
  return seqGt(segment.seq, tcb.rcv.nxt)
}

function ackOfSyn(tcb: Tcb, segment: SegmentHeader, now: Micros): 'go on' | ArrivalVerdict {
  const { snd } = tcb
  if (seqLe(segment.ack, snd.una) || seqGt(segment.ack, snd.nxt)) return 'reset'
  if (tcb.fastOpen.isTaken) return ackOfEarly(tcb, segment, now)
  // Two that crossed: the SYN,ACK is no sign of a loss (RFC 5681 §3.1 speaks of one).
  const sentOnce = tcb.life.isCrossed ? 2 : 1
  // While the application was not ready for it the round trip was measured (syn-received.ts); now it would tell how long that took.
  const isMeasured = tcb.rtt.srttUs >= 0
  const times = snd.flight.at(0).transmissions
  const transmissions = !isMeasured && times > sentOnce ? times : 1
  const newest = releaseAcked(tcb, segment.ack)
  if (!isMeasured) measure(tcb, newest, segment, now)
  afterSynAcked(tcb)
  restartRetransmitTimer(tcb, now)
  synIsAcked(tcb, segment, transmissions, now)
  return 'go on'
}

/** The same with Fast Open: text of ours may have followed our SYN, and is acknowledged as any (RFC 7413 §4.2.2). */
function ackOfEarly(tcb: Tcb, segment: SegmentHeader, now: Micros): 'go on' {
  const { snd } = tcb
  const { transmissions } = snd.flight.at(0)
  const synEnd = seqAdd(snd.iss, 1)
  // RFC 9768 §3.2.2.1: what acknowledges our SYN and carries nothing has no counter in its ACE field.
  const isCounting = tcb.ecn.mode !== 'accurate' || segment.textLength > 0 || segment.sackCount > 0
  const hasMore = isCounting && (segment.ack !== synEnd || segment.sackCount > 0)
  const newest = releaseAcked(tcb, hasMore ? synEnd : segment.ack)
  if (segment.ack === synEnd) measure(tcb, newest, segment, now)
  synIsAcked(tcb, segment, transmissions, now)
  if (hasMore) {
    handleAck(tcb, segment, now)
    return 'go on'
  }
  if (transmissions > 1 && segment.ack === synEnd) resendEarlyText(tcb)
  restartRetransmitTimer(tcb, now)
  armTailProbe(tcb, now)
  tellRoom(tcb)
  if (snd.buffer.extent === 0) tcb.events |= EVENT.drained
  return 'go on'
}

/** The segment acknowledges our SYN: its window counts, and the connection is open. */
function synIsAcked(tcb: Tcb, segment: SegmentHeader, transmissions: number, now: Micros): void {
  const { snd } = tcb
  const isSyn = (segment.flags & FLAG.SYN) !== 0 // whose window is never scaled (RFC 7323 §2.2)
  if (isSyn) confirmEcn(tcb, segment)
  else takeHandshakeAck(tcb, segment)
  snd.wnd = isSyn ? segment.window : segment.window * (1 << snd.scale)
  snd.maxWnd = forgetsSynWindow(tcb) ? snd.wnd : Math.max(snd.maxWnd, snd.wnd)
  snd.wl1 = segment.seq
  tcb.rtt.timeouts = 0
  endTimeouts(tcb.totals, now)
  tcb.progressAt = now
  establish(tcb, transmissions > 1, now, transmissions)
  takeTimestamp(tcb, segment, now)
}

/** The ACK that brought a SYN cookie back: the connection that it acknowledges is open at once. `takeSyn` has taken the rebuilt SYN. */
export function opensFromCookie(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  tcb.snd.nxt = segment.ack
  tcb.snd.una = segment.ack
  advertiseWindow(tcb, true) // what our SYN,ACK has promised
  tcb.ts.lastAckSent = tcb.rcv.nxt
  synIsAcked(tcb, segment, 1, now)
  receiveRest(tcb, segment, now)
}

function ackOfRest(tcb: Tcb, segment: SegmentHeader, now: Micros): 'go on' | 'done' {
  const { snd } = tcb
  if (!isAckInRange(tcb, segment)) {
    owesChallenge(tcb, now) // RFC 5961 §5.2 [MAY-12]
    return 'done'
  }
  takeTimestamp(tcb, segment, now)
  if (tcb.state === 'TIME-WAIT') {
    // The peer's FIN again stands left of the window: answerUnacceptable has restarted 2MSL for it.
    if ((segment.flags & FLAG.FIN) !== 0) owesAck(tcb, 'fin')
    else if (answersInTimeWait(tcb, segment.textLength)) owesAck(tcb, 'duplicate')
    return 'done'
  }
  handleAck(tcb, segment, now)
  const finAcked = snd.finSent && snd.una === snd.nxt
  if (!finAcked) return 'go on'
  switch (tcb.state) {
    case 'FIN-WAIT-1':
      setState(tcb, 'FIN-WAIT-2')
      // Nobody is there, nor is the FIN waited for: the reset answers this segment.
      tcb.isResetBare = tcb.orphaned && tcb.config.finWait2TimeoutUs < 0 && tcb.config.heuristics === 'linux'
      return 'go on'
    case 'CLOSING':
      enterTimeWait(tcb, now)
      return 'done'
    case 'LAST-ACK':
      closeTcb(tcb)
      return 'done'
    default:
      return 'go on'
  }
}
