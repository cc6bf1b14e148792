// The AccECN option (RFC 9768 §3.2.3): how many octets of text came with each ECN field, so that the sender need not guess how often the
// three bits of ACE have gone around when acknowledgements were lost or thinned out on the way.
//
//     kind 172 | length | EE0B | ECEB | EE1B        order 0: the 24 low bits of r.e0b, r.ceb, r.e1b; fields may be missing at the end
//     kind 174 | length | EE1B | ECEB | EE0B        order 1
//
// Owns: the byte counters of both halves, when the option goes and with which fields, what is made of the peer's. Does not own: ACE
// (accecn.ts), the option's bytes (accecn-bytes.ts), the other options' room (fill.ts).
// Read first: RFC 9768 §3.2.3.3 (when, and which fields), §3.2.3.2 (paths that do not let it through).

import type { Micros } from '../base/time.ts'
import { ACCECN, accEcnBytes } from './accecn-bytes.ts'
import { createOption, ECN, type EcnOption } from './ecn-state.ts'
import { optionBytes, type SegmentHeader, type SegmentPlan, TCP_HEADER_BYTES, TCP_HEADER_MAX } from './header.ts'
import { standingOptionBytes } from './md5.ts'
import { type Tcb, unsentBytes } from './tcb.ts'

const E0 = 1
const CE = 2
const E1 = 4
/** The bit of a counter, by ECN field; text that is not ECN-capable has none. */
const BITS: readonly number[] = [0, E1, E0, CE]
const FIELD_MASK = 0xffffff
/** §3.2.3.3: each counter is told at least once in so many octets. */
const MOST_UNTOLD_BYTES = 1 << 22
/** Acknowledgements with the option that a change calls for: the one that tells it, and the next (§3.2.3.3, continual repetition). */
const AFTER_CHANGE = 2
/** With 'minimum': options in a round trip while the same counter goes on, as Linux. */
const BEACONS = 3
/** §3.2.3.2.2: so much old text in a row, and nothing new, says that acknowledgements with the option do not arrive. */
const MOST_REPEATS = 3
/** Two SACK blocks and their padding: they come before the option (§3.2.3.3). */
const TWO_BLOCKS = 20
const ALL_FIELDS = 3

/** AccECN is agreed on: counters begin (§3.2.1). The server's SYN,ACK, and the client's first two segments, test the path (§3.2.3.2.1). */
export function beginOption(tcb: Tcb, demand: number): void {
  if (tcb.config.accEcnOption !== 'off') tcb.ecn.option = createOption(demand)
}

/** The peer's first segment that may carry the option: without, it is taken not to arrive (§3.2.3.2.3); zeroed, it is of no use (.4). */
export function judgeFirstOption(tcb: Tcb, segment: SegmentHeader): void {
  const { option } = tcb.ecn
  if (option === null) return
  if (segment.accEcnFields < 0) option.peer = 'absent'
  else option.peer = segment.echoedE0 === 0 || segment.echoedE1 === 0 ? 'ignored' : 'seen'
}

/** Receiver: an acceptable segment's text is counted (§3.2.1), not that of a SYN. Returns whether an acknowledgement is due for it. */
export function countBytes(tcb: Tcb, segment: SegmentHeader): boolean {
  const { option } = tcb.ecn
  const { ecn, textLength } = segment
  if (option === null || textLength === 0 || ecn === ECN.NOT_ECT) return false
  option.repeats = 0
  const before = option.received[ecn]
  const after = before + textLength
  option.received[ecn] = after
  option.changed |= BITS[ecn]
  option.pending |= BITS[ecn]
  if (ecn !== option.lastField || ecn === ECN.CE) option.demand = AFTER_CHANGE
  option.lastField = ecn
  if (after - option.told[ecn] < MOST_UNTOLD_BYTES) return false
  option.demand = Math.max(1, option.demand)
  return true
}

/** Receiver: text has come that was acknowledged before. When nothing else comes, our acknowledgements are lost (§3.2.3.2.2). */
export function noteRepeatedText(tcb: Tcb): void {
  const { option } = tcb.ecn
  if (option === null || option.pending === option.changed) return // no option went
  if (++option.repeats >= MOST_REPEATS) option.isSending = false
}

/** Whether an option waits for which text of full size has no room: the acknowledgement then goes by itself. */
export function needsOwnSegment(tcb: Tcb): boolean {
  const { option } = tcb.ecn
  if (option === null || !option.isSending || option.demand === 0 || option.pending === 0) return false
  return unsentBytes(tcb) > tcb.snd.mss - accEcnBytes(ALL_FIELDS)
}

/** What SACK blocks have to leave of the option space: none where two of them would not fit beside the option (§3.2.3.3). */
export function reservedForOption(tcb: Tcb, now: Micros): number {
  const { option } = tcb.ecn
  if (option === null || !isWanted(tcb, option, now)) return 0
  const need = accEcnBytes(Math.min(fieldsNeeded(option, 0), fieldsNeeded(option, 1)))
  const room = TCP_HEADER_MAX - TCP_HEADER_BYTES - standingOptionBytes(tcb)
  return room - need < TWO_BLOCKS ? 0 : need
}

/** Puts the option into an acknowledgement, beside its other options and `textLength` octets of text, when there is something to tell. */
export function fillOption(tcb: Tcb, plan: SegmentPlan, textLength: number, now: Micros): void {
  const { option } = tcb.ecn
  if (option === null || !isWanted(tcb, option, now)) return
  const standing = standingOptionBytes(tcb)
  const most = Math.min(TCP_HEADER_MAX, tcb.pathSegmentBytes) - TCP_HEADER_BYTES - standing
  const room = Math.min(most, textLength > 0 ? tcb.snd.mss - textLength : most) - (optionBytes(plan) - standing)
  put(option, plan, room)
  if (plan.accEcnFields < 0) return
  option.sentAt = now
  if (option.demand > 0) option.demand--
}

/** The same for a server's first SYN,ACK (§3.2.3.2.1); one that goes again has none (§3.2.3.2.2). */
export function fillSynAckOption(tcb: Tcb, plan: SegmentPlan, isAgain: boolean): void {
  const { option } = tcb.ecn
  if (option === null || isAgain || !tcb.passive) return
  put(option, plan, TCP_HEADER_MAX - TCP_HEADER_BYTES - optionBytes(plan))
}

/** The segment is to go without the option: it goes again (§3.2.3.2.2), or tells of an earlier time. */
export function withdrawOption(tcb: Tcb, plan: SegmentPlan): void {
  const { option } = tcb.ecn
  if (option === null || plan.accEcnFields < 0) return
  plan.accEcnFields = -1
  option.pending = option.changed
  option.demand = Math.max(1, option.demand)
}

/** §3.2.3.3: 'full' with each acknowledgement of new octets; 'minimum' when a counter takes over, for CE, and a few times a round trip. */
function isWanted(tcb: Tcb, option: EcnOption, now: Micros): boolean {
  if (!option.isSending) return false
  if (option.demand > 0) return true
  if (option.pending === 0) return false
  return tcb.config.accEcnOption === 'full' || now - option.sentAt >= Math.max(0, tcb.rtt.srttUs) / BEACONS
}

/** Fields that an order needs so that all counters which have changed since the last option are in. */
function fieldsNeeded({ pending }: EcnOption, order: 0 | 1): number {
  if ((pending & (order === 0 ? E1 : E0)) !== 0) return 3
  if ((pending & CE) !== 0) return 2
  return (pending & (order === 0 ? E0 : E1)) !== 0 ? 1 : 0
}

/** All counters that have ever changed; where there is no room for that, those that must be told; else none (§3.2.3.3). */
function put(option: EcnOption, plan: SegmentPlan, room: number): void {
  const { changed } = option
  const order = (changed & E1) !== 0 && (changed & E0) === 0 ? 1 : 0
  let wanted = ALL_FIELDS // nothing has changed: a test of the path
  if (changed !== 0 && changed !== (E0 | E1) && changed !== (E0 | CE | E1)) wanted = (changed & CE) !== 0 ? 2 : 1
  const least = option.pending === 0 ? 0 : fieldsNeeded(option, order)
  while (wanted > least && accEcnBytes(wanted) > room) wanted--
  if (accEcnBytes(wanted) <= room) {
    write(option, plan, order, wanted)
    return
  }
  const other = order === 0 ? 1 : 0
  const fields = fieldsNeeded(option, other)
  if (accEcnBytes(fields) <= room) write(option, plan, other, fields)
}

function write(option: EcnOption, plan: SegmentPlan, order: 0 | 1, fields: number): void {
  const { received, told } = option
  plan.accEcnKind = order === 0 ? ACCECN.ORDER_0 : ACCECN.ORDER_1
  plan.accEcnFields = fields
  plan.echoedE0 = received[ECN.ECT0] & FIELD_MASK
  plan.echoedCe = received[ECN.CE] & FIELD_MASK
  plan.echoedE1 = received[ECN.ECT1] & FIELD_MASK
  for (let field = 0; field < told.length; field++) told[field] = received[field]
  option.pending = 0
}

/**
 * Sender: the peer's option in an acknowledgement that is not superseded. Returns the octets newly told as marked; -1 when it does not
 * tell: no option, or none with that counter.
 */
export function takeOption(tcb: Tcb, segment: SegmentHeader): number {
  const { option } = tcb.ecn
  if (option === null || segment.accEcnFields < 0 || option.peer === 'ignored') return -1
  option.peer = 'seen' // §3.2.3.2.3: it comes through after all
  advance(option, ECN.ECT0, segment.echoedE0)
  advance(option, ECN.ECT1, segment.echoedE1)
  return segment.echoedCe < 0 ? -1 : advance(option, ECN.CE, segment.echoedCe)
}

/** §3.2.3.1: the least step forward to the 24 bits that were told; what would be a step back is old. */
function advance({ delivered }: EcnOption, field: number, told: number): number {
  const step = told < 0 ? 0 : (told - delivered[field]) & FIELD_MASK
  if (step >= 1 << 23) return 0
  delivered[field] += step
  return step
}

/**
 * Sender: how many packets were marked, when `ceBytes` octets were told as marked since the counter was last told, and ACE has moved by
 * `step` modulo 8 (§3.2.2.5.2, §3.2.3.2.5): the least that ACE allows and that has room for the octets. `deliveredAll`: nothing is in
 * flight any more. Marks on octets while ACE certainly stood still show that something on the path spoils it: nothing may be marked then.
 */
export function marksByOption(tcb: Tcb, ceBytes: number, step: number): number {
  const option = tcb.ecn.option as EcnOption
  const { snd, totals, ecn } = tcb
  const least = Math.ceil(ceBytes / Math.max(1, snd.mss)) - option.marksSince
  let marks = step
  while (marks < least) marks += 8
  const segments = totals.dataSegmentsOut - option.clearSegments
  if (ceBytes > 0 && option.marksSince === 0 && step === 0 && segments < 8) ecn.isCapable = false
  option.marksSince = 0
  if (snd.flight.bytes === snd.flight.sackedBytes) option.clearSegments = totals.dataSegmentsOut
  return marks
}

/** Sender: marks that ACE alone has told of; the octets follow with a later option. */
export function noteMarksWithoutOption(tcb: Tcb, marks: number): void {
  if (tcb.ecn.option !== null) tcb.ecn.option.marksSince += marks
}
