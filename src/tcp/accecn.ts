// Accurate ECN (RFC 9768): the three header bits AE, CWR, ECE hold a counter of the packets that met congestion, so that the sender hears
// of each of them and not only of one in a round trip.
//
//     SYN           AE CWR ECE = 1 1 1      asks
//     SYN,ACK       0 1 0 / 0 1 1 / 1 0 0 / 1 1 0     agrees; the ECN field of the SYN was Not-ECT / ECT(1) / ECT(0) / CE
//     the ACK of it the same four, for the ECN field of the SYN,ACK
//     all others    r.cep modulo 8 (ACE)
//
// Owns: these encodings, both counters. Does not own: who asks for it, what the sender does about a mark (ecn.ts).
// Does not own either: the option with the byte counters (accecn-option.ts). Read first: RFC 9768 §3.1.1 table 2, §3.2.2.

import { countBytes, judgeFirstOption, marksByOption, noteMarksWithoutOption } from './accecn-option.ts'
import { ECN, FIRST_CEP } from './ecn-state.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import type { Tcb } from './tcb.ts'

/** The three bits. */
export const ACE_BITS: number = FLAG.AE | FLAG.CWR | FLAG.ECE

/** The most packets with CE that one acknowledgement may tell of, less than half a turn of the counter (RFC 9768 §3.2.2.5.1: at most 6). */
const MOST_UNTOLD = 6
/** Marks that make an acknowledgement due (the same: 2 SHOULD, of packets with text). */
const DUE_UNTOLD = 2

/** The bits as a number from 0 to 7. */
export function aceOf(flags: number): number {
  return (flags >> 6) & 7
}

/** A number, modulo 8, as the bits. */
export function aceFlags(value: number): number {
  return (value & 7) << 6
}

/** RFC 9768 tables 2 and 3: how an ECN field is told in the handshake. */
const HANDSHAKE_CODES: readonly number[] = [0b010, 0b011, 0b100, 0b110]

/** The bits that tell the ECN field of a SYN or a SYN,ACK. */
export function handshakeFlags(field: number): number {
  return aceFlags(HANDSHAKE_CODES[field])
}

/** Client: the bits of a SYN,ACK that answers our AccECN SYN (table 2). */
export function judgeSynAck(flags: number): 'off' | 'classic' | 'accurate' {
  const code = aceOf(flags)
  if (code === 0b000 || code === 0b111) return 'off' // no ECN there; or bits thrown back by a broken one
  return code === 0b001 ? 'classic' : 'accurate' // 101 is kept for later use and stands for 010 until then (§3.1.2)
}

/** The other end tells what became of the ECN field of our SYN or SYN,ACK: Not-ECT, but with DCTCP ECT(0). */
export function takeHandshakeCode(tcb: Tcb, code: number): void {
  const { ecn } = tcb
  const isEct = tcb.control.needsEcn === true
  // §3.2.2.3: a path that changes the field, but to CE where that may be, would spoil any mark.
  const isSpoilt = isEct ? code === 0b010 || code === 0b011 : code === 0b011 || code === 0b100 || code === 0b110
  // §3.2.2.1 table 4, note 1: 000 says that somebody on the path clears the bits, and so would clear the feedback.
  if (isSpoilt || code === 0b000) ecn.isCapable = false
}

/** Server: the acknowledgement of our SYN,ACK, while in SYN-RECEIVED (§3.2.2.1 table 4). */
export function takeHandshakeAck(tcb: Tcb, segment: SegmentHeader): void {
  const { ecn } = tcb
  if (ecn.mode !== 'accurate') return
  judgeFirstOption(tcb, segment)
  if (segment.textLength > 0 || segment.sackCount > 0) return
  const code = aceOf(segment.flags)
  takeHandshakeCode(tcb, code)
  if (code === 0b110) ecn.sentCe = FIRST_CEP + 1
}

/**
 * Counts a packet that arrived (§3.2.2.5.1), before its text is taken; of a super-segment all that it is made of. Returns whether an
 * acknowledgement is due at once. `hold` is told when one has to go first that ends before this segment.
 */
export function countMarks(tcb: Tcb, segment: SegmentHeader, hold: (tcb: Tcb) => void): boolean {
  const { ecn } = tcb
  const isDue = countBytes(tcb, segment)
  const isMarked = segment.ecn === ECN.CE
  const isChange = isMarked && !ecn.isLastMarked
  ecn.isLastMarked = isMarked
  if (!isMarked) return isDue
  if (ecn.untoldCe > 0 && ecn.untoldCe + segment.packets > MOST_UNTOLD) hold(tcb)
  ecn.receivedCe += segment.packets
  ecn.untoldCe += segment.packets
  // Marks on bare acknowledgements wait for company, or both ends would acknowledge one another without end.
  // The first of a row of marks is told at once, so that the sender hears early of a queue that grows.
  return isDue || (segment.textLength > 0 && (isChange || ecn.untoldCe >= DUE_UNTOLD))
}

/**
 * Sender: packets newly known to have met congestion. `delivered` packets are newly known to have arrived; an acknowledgement that brings
 * none is passed over (§3.2.2.2): the counter loses nothing by it. `ceBytes`: what the option tells of marked octets, -1 for nothing.
 *
 * §3.2.2.5.2: the counter has 3 bits. When more packets were acknowledged than it can tell, it may have gone around unseen, and of what
 * is possible the most is taken. DEVIATION: a counter that has not moved at all is believed, since a receiver acknowledges at every sixth
 * mark; else each acknowledgement of a super-segment would be taken for a mark on all of it.
 */
export function newMarks(tcb: Tcb, segment: SegmentHeader, delivered: number, ceBytes: number): number {
  const { ecn } = tcb
  const ace = aceOf(segment.flags)
  if (!ecn.isAceChecked) {
    ecn.isAceChecked = true
    if (ace === 0) ecn.isCapable = false // §3.2.2.4: it begins at 5 and cannot be 0 yet: it is cleared on the way
  }
  if (delivered === 0 || !ecn.isCapable) return 0
  let marks = (ace - ecn.sentCe) & 7
  if (ceBytes >= 0) {
    marks = marksByOption(tcb, ceBytes, marks)
  } else {
    if (marks > 0 && delivered > 7) marks = delivered - ((delivered - marks) & 7)
    noteMarksWithoutOption(tcb, marks)
  }
  ecn.sentCe += marks
  return marks
}
