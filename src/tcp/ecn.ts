// Explicit congestion notification (RFC 3168): routers mark packets instead of dropping them, the receiver tells of it, the sender slows
// down. With DCTCP's exact feedback (RFC 8257 §3.2) where the congestion controller asks for it.
//
//     sender                       router                     receiver
//     text, ECT(0)   ------------> marks it CE -------------> acknowledges with ECE ...
//     lowers cwnd once a window  <--------------------------- ... with every ACK ...
//     new text, CWR  ---------------------------------------> ... until CWR comes
//
// Owns: agreeing on it, the bits of what we send, when the window is lowered, and that it is lowered once. Does not own: by how much
// (congestion/), AccECN's counter (accecn.ts), the ECN field's bytes (writer.ts). Read first: RFC 3168 §6.1.

import type { Micros } from '../base/time.ts'
import {
  ACE_BITS,
  aceFlags,
  aceOf,
  countMarks,
  handshakeFlags,
  judgeSynAck,
  newMarks,
  takeHandshakeCode,
} from './accecn.ts'
import { beginOption, judgeFirstOption, takeOption } from './accecn-option.ts'
import type { TcpConfig } from './config.ts'
import { ECN, type EcnMode, NO_ACKS } from './ecn-state.ts'
import { FLAG, type SegmentHeader, type SegmentPlan } from './header.ts'
import { backedOffRtoUs } from './rtt.ts'
import { seqGt, seqLe, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'

const SETUP = FLAG.ECE | FLAG.CWR
/** Acknowledgements held at most: what comes on top is merged. */
const MOST_HELD = 64

/** DCTCP's feedback: both ends are taken to run it (RFC 8257 §3). */
function isExact(tcb: Tcb): boolean {
  return tcb.control.needsEcn === true
}

/** What our own SYN asks for. */
function wanted(tcb: Tcb): EcnMode {
  const { ecn } = tcb.config
  if (ecn === 'accurate') return 'accurate'
  return ecn === 'on' || (ecn === 'passive' && isExact(tcb)) ? 'classic' : 'off'
}

/** The ECN bits of a SYN or SYN,ACK that goes out for the `transmissions`-th time after the first. */
export function stampSyn(tcb: Tcb, plan: SegmentPlan, transmissions: number): void {
  const { ecn } = tcb
  if ((plan.flags & FLAG.ACK) === 0) {
    if (transmissions === 0) ecn.asked = wanted(tcb)
    // RFC 3168 §6.1.1.1: what drops a SYN that asks may let a plain one through. RFC 9768 §3.1.4.1 tries twice.
    if (transmissions >= (ecn.asked === 'accurate' ? 2 : 1)) return
    if (ecn.asked !== 'off') plan.flags |= ecn.asked === 'accurate' ? ACE_BITS : SETUP
  } else if (ecn.mode === 'classic') {
    plan.flags |= FLAG.ECE
  } else if (ecn.mode === 'accurate' && transmissions < 2) {
    plan.flags |= handshakeFlags(ecn.synField) // §3.1.4.2: without after that
  }
  // RFC 8257 §3.6. Otherwise RFC 3168 §6.1.1: a SYN is never ECN-capable.
  if (isExact(tcb) && (ecn.asked !== 'off' || ecn.mode !== 'off')) plan.ecn = ECN.ECT0
}

/** Whether a listener agrees on RFC 3168's ECN with that SYN (§6.1.1: an ECN-setup SYN has both bits; RFC 9293 §3.8.2 [SHLD-8]). */
export function isEcnAgreed(config: TcpConfig, segment: SegmentHeader): boolean {
  return config.ecn !== 'off' && (segment.flags & SETUP) === SETUP
}

/** Takes the peer's SYN, or its SYN,ACK. After a SYN of ours that went without the bits the answer still counts: an earlier one asked. */
export function agreeOnEcn(tcb: Tcb, segment: SegmentHeader): void {
  const { ecn, config } = tcb
  const { flags } = segment
  ecn.synField = segment.ecn
  if (!tcb.passive && (flags & FLAG.ACK) !== 0) {
    agreeBySynAck(tcb, segment)
    return
  }
  const isSetup = (flags & SETUP) === SETUP
  if (!tcb.passive) {
    // Both opened at once: only when both have asked will both have agreed.
    ecn.mode = ecn.asked !== 'off' && isSetup ? 'classic' : 'off'
  } else if (config.ecn === 'accurate' && aceOf(flags) !== 0 && aceOf(flags) !== 0b011) {
    ecn.mode = 'accurate' // RFC 9768 §3.1.2: any other of the combinations stands for 111
    beginOption(tcb, 0)
  } else {
    ecn.mode = isEcnAgreed(config, segment) ? 'classic' : 'off'
  }
}

function agreeBySynAck(tcb: Tcb, segment: SegmentHeader): void {
  const { ecn } = tcb
  if (ecn.asked === 'accurate') {
    ecn.mode = judgeSynAck(segment.flags)
    if (ecn.mode !== 'accurate') return
    ecn.isHandshakeAckDue = true
    beginOption(tcb, 2)
    judgeFirstOption(tcb, segment)
    takeHandshakeCode(tcb, aceOf(segment.flags))
    if (segment.ecn === ECN.CE) ecn.receivedCe++
  } else {
    // RFC 3168 §6.1.1: ECE without CWR. Both would be our own bits, thrown back.
    ecn.mode = ecn.asked === 'classic' && (segment.flags & SETUP) === FLAG.ECE ? 'classic' : 'off'
  }
}

/** The peer's SYN,ACK after both opened at once: it has to agree too. */
export function confirmEcn(tcb: Tcb, segment: SegmentHeader): void {
  if ((segment.flags & FLAG.ECE) === 0) tcb.ecn.mode = 'off'
}

/** The peer sends its SYN,ACK again: our answer to it was lost, and goes again as it was (RFC 9768 §3.2.2.1). */
export function repeatHandshakeAck(tcb: Tcb, segment: SegmentHeader): void {
  const { ecn } = tcb
  if (ecn.mode !== 'accurate' || tcb.passive) return
  if ((segment.flags & FLAG.SYN) !== 0 && segment.seq === tcb.rcv.irs) ecn.isHandshakeAckDue = true
}

/**
 * The ECN bits of any segment but a SYN: what we have to tell. Only new text is ECN-capable (RFC 3168 §6.1.4, §6.1.5, §6.1.6: no bare
 * acknowledgement, nothing sent again, no window probe), but all of DCTCP's is (RFC 8257 §3.6).
 */
export function stampEcn(tcb: Tcb, plan: SegmentPlan): void {
  const { ecn, config } = tcb
  plan.ecn = config.ecn === 'off' ? config.trafficClass & 3 : ECN.NOT_ECT
  if (ecn.mode === 'off' || (plan.flags & FLAG.SYN) !== 0) return
  if (isExact(tcb) && ecn.isCapable) plan.ecn = ECN.ECT0
  if ((plan.flags & FLAG.RST) !== 0) return
  plan.flags |= feedbackFlags(tcb)
  if ((plan.flags & FLAG.ACK) === 0) return
  ecn.untoldCe = 0
  if (ecn.isHandshakeAckDue) {
    ecn.isHandshakeAckDue = false
    plan.flags = (plan.flags & ~ACE_BITS) | handshakeFlags(ecn.synField)
  }
}

function feedbackFlags(tcb: Tcb): number {
  const { ecn } = tcb
  if (ecn.mode === 'accurate') return aceFlags(ecn.receivedCe)
  return ecn.isEchoing ? FLAG.ECE : 0
}

/** New text: it may be marked; the first after a reduction says so (RFC 3168 §6.1.2). */
export function stampNewText(tcb: Tcb, plan: SegmentPlan): void {
  const { ecn } = tcb
  if (ecn.mode === 'off' || plan.textLength === 0) return
  if (ecn.isCapable) plan.ecn = ECN.ECT0
  if (!ecn.isCwrDue) return
  ecn.isCwrDue = false
  plan.flags |= FLAG.CWR
}

/**
 * Whether the next segment carries the CWR bit. It is then no super-segment: a device that cuts one up leaves the bit on the first piece
 * only, which is right for RFC 3168's CWR (but takes an offload feature of its own) and wrong for a bit of RFC 9768's counter.
 */
export function carriesCwr(tcb: Tcb): boolean {
  const { ecn } = tcb
  return ecn.mode === 'accurate' ? (ecn.receivedCe & 2) !== 0 : ecn.isCwrDue
}

/**
 * Receiver: the ECN field and CWR of an acceptable segment, before its text is taken. Returns whether an acknowledgement is due at once.
 * RFC 3168 §6.1.5: what lies outside the window does not come here.
 */
export function receiveMark(tcb: Tcb, segment: SegmentHeader): boolean {
  const { ecn } = tcb
  if (ecn.mode === 'off' || (segment.flags & FLAG.SYN) !== 0) return false
  if (segment.ecn !== ECN.NOT_ECT) ecn.isSeen = true
  if (ecn.mode === 'accurate') return countMarks(tcb, segment, holdAck)
  if (segment.textLength === 0) return false
  const isMarked = segment.ecn === ECN.CE
  if (isExact(tcb)) return followMark(tcb, isMarked)
  // RFC 3168 §6.1.3. A window of one segment cannot wait for a delayed acknowledgement: both go at once, as in Linux.
  const isAnswered = (segment.flags & FLAG.CWR) !== 0
  const isNew = isMarked && !ecn.isEchoing
  if (isAnswered) ecn.isEchoing = false
  if (isMarked) ecn.isEchoing = true
  return isAnswered || isNew
}

/** RFC 8257 §3.2, figure 1: each acknowledgement stands for text that was marked, or for text that was not. */
function followMark(tcb: Tcb, isMarked: boolean): boolean {
  const { ecn, rcv } = tcb
  if (isMarked === ecn.isEchoing) return false
  if (rcv.unacked > 0) holdAck(tcb)
  ecn.isEchoing = isMarked
  return true
}

/** What has been received until now is acknowledged by a segment of its own, with the bits as they are now. */
function holdAck(tcb: Tcb): void {
  const { ecn, rcv } = tcb
  ecn.untoldCe = 0
  if (ecn.heldAcks === NO_ACKS) ecn.heldAcks = []
  if (ecn.heldAcks.length >= MOST_HELD) return
  ecn.heldAcks.push({ ack: rcv.nxt, flags: feedbackFlags(tcb) })
  rcv.unacked = 0
}

/**
 * Sender: bytes that an acknowledgement reports as marked; `delivered` bytes of sequence space are newly known to have arrived.
 * -1 when it reports a mark but no bytes (ECE on a duplicate).
 */
export function takeFeedback(tcb: Tcb, segment: SegmentHeader, delivered: number): number {
  const { ecn } = tcb
  if (ecn.mode === 'off' || (segment.flags & FLAG.SYN) !== 0) return 0
  const mss = Math.max(1, tcb.snd.mss)
  const packets = Math.ceil(delivered / mss)
  const isAccurate = ecn.mode === 'accurate'
  if (!isAccurate && (segment.flags & FLAG.ECE) === 0) return 0
  const ceBytes = isAccurate && delivered > 0 ? takeOption(tcb, segment) : -1
  const marks = isAccurate ? newMarks(tcb, segment, packets, ceBytes) : packets
  ecn.deliveredCe += marks
  tcb.counters.TcpExtTCPDeliveredCE += marks
  if (isAccurate && ceBytes >= 0) return ceBytes > 0 || marks === 0 ? ceBytes : -1
  if (isAccurate) return Math.min(delivered, marks * mss)
  return delivered > 0 ? delivered : -1
}

/**
 * Sender: lowers the window for a mark, at most once for a window of data and not in recovery, which has lowered it already (RFC 3168
 * §6.1.2). `acked`: bytes just acknowledged, which were in flight when they were marked.
 */
export function reactToMark(tcb: Tcb, acked: number, now: Micros): void {
  const { ecn, snd, cc, control } = tcb
  if (tcb.recovery.phase !== 'open') return
  if (ecn.reduced !== 'no' && seqLe(snd.una, ecn.point)) return
  if (snd.flight.bytes + acked === 0) return // nothing of ours can have been marked
  const flight = tcb.config.reducedFrom === 'cwnd' ? cc.cwnd : Math.min(snd.flight.bytes + acked, cc.cwnd)
  // §6.1.2: where the window is one segment the retransmission timer sets the pace.
  if (cc.cwnd <= snd.mss) ecn.heldUntil = now + backedOffRtoUs(tcb.rtt, tcb.config)
  if (control.onEcn) control.onEcn(cc, flight, now, tcb.config.abe)
  else control.onLoss(cc, flight, now)
  ecn.reduced = 'mark'
  ecn.point = snd.nxt
  ecn.isCwrDue = ecn.mode === 'classic'
}

/** SND.UNA has moved on: when it leaves the window that was answered for, the next mark counts again. */
export function endReduction(tcb: Tcb): void {
  const { ecn, snd } = tcb
  if (ecn.reduced !== 'no' && seqGt(snd.una, ecn.point)) ecn.reduced = 'no'
}

/**
 * Something was lost. Returns whether the window is to be lowered for it: not when a mark on the same window of data has lowered it
 * (RFC 3168 §6.1.2). What was sent after that reduction is another window: when it is the segment with CWR that was lost, the window goes
 * down again, and CWR goes again. A controller that takes no notice of marks is always told.
 */
export function beginReduction(tcb: Tcb): boolean {
  const { ecn, snd } = tcb
  if (ecn.mode === 'off') return true
  if (ecn.reduced === 'mark' && seqLt(snd.una, ecn.point) && tcb.control.ownsRecovery !== true) return false
  if (ecn.reduced !== 'loss') ecn.isMarkUntold = ecn.isCwrDue
  ecn.reduced = 'loss'
  ecn.point = snd.nxt
  ecn.isCwrDue = ecn.mode === 'classic'
  return true
}

/** Nothing was lost: marks on this window of data count after all, and CWR goes only if it was due for a mark before. */
export function withdrawReduction(tcb: Tcb): void {
  const { ecn } = tcb
  if (ecn.reduced !== 'loss') return
  ecn.reduced = 'no'
  ecn.isCwrDue &&= ecn.isMarkUntold
}

/** New text waits for the retransmission timeout after a mark on a window of one segment; `tcb.hold` and a timer are set then. */
export function isHeldByMark(tcb: Tcb, now: Micros): boolean {
  const { ecn, timers } = tcb
  if (ecn.heldUntil <= now) return false
  tcb.hold = 'cwnd'
  timers.pace = ecn.heldUntil
  return true
}
