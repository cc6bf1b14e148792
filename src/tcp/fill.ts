// What every segment of a connection carries: numbers, window, timestamps, SACK blocks; and the text of those that have some.
// Owns: filling in a plan from the record, and what goes with it (an acknowledgement is no longer owed). Does not own: what is sent, and
// when (output.ts), the bytes on the wire (header.ts, writer.ts).

import type { Micros } from '../base/time.ts'
import { fillOption, reservedForOption } from './accecn-option.ts'
import { noteAckSent, noteRide } from './acknowledge.ts'
import { stampEcn } from './ecn.ts'
import { FLAG, type SegmentPlan } from './header.ts'
import { notePaced } from './pacing.ts'
import { takesPush } from './push.ts'
import { fillSack, hasSackBlocks } from './sack-blocks.ts'
import { type Seq, seqDiff } from './seq.ts'
import { sendBufferStart, type Tcb } from './tcb.ts'
import { timestampNow } from './timestamps.ts'
import { fillUrgent } from './urgent.ts'
import { fillUserTimeout } from './user-timeout.ts'
import { advertiseWindow } from './window.ts'

/**
 * What every segment carries: numbers, window, timestamps, SACK blocks, as far as they fit beside `textLength` octets of text. An
 * acknowledgement goes with it, so none is owed any more.
 */
export function fill(tcb: Tcb, plan: SegmentPlan, sequence: Seq, flags: number, now: Micros, textLength = 0): void {
  const { rcv, ts } = tcb
  plan.reset()
  plan.sourcePort = tcb.localPort
  plan.destinationPort = tcb.remotePort
  plan.seq = sequence
  plan.flags = flags
  stampEcn(tcb, plan)
  plan.window = advertiseWindow(tcb, (flags & FLAG.SYN) !== 0)
  plan.md5Key = tcb.md5Key
  plan.hasTimestamps = ts.enabled
  if (ts.enabled) {
    plan.tsVal = timestampNow(tcb, now)
    plan.tsEcr = (flags & FLAG.ACK) !== 0 ? ts.recent : 0
  }
  if ((flags & FLAG.ACK) === 0) {
    plan.ack = 0 as Seq
    return
  }
  plan.ack = rcv.nxt
  ts.lastAckSent = rcv.nxt
  const still = Math.max(0, rcv.acksOwed - 1)
  noteAckSent(tcb)
  if ((flags & (FLAG.SYN | FLAG.RST)) !== 0) return
  if (hasSackBlocks(tcb)) fillSack(tcb, plan, textLength, still, reservedForOption(tcb, now))
  else if (tcb.life.isUserTimeoutDue) fillUserTimeout(tcb, plan, tcb.snd.mss - textLength)
  fillOption(tcb, plan, textLength, now)
}

/** The same for a segment with text, `[start, start + length)` of it, and FIN after it when `withFin`. */
export function fillText(tcb: Tcb, plan: SegmentPlan, start: Seq, length: number, withFin: boolean, now: Micros): void {
  const { snd } = tcb
  const offset = seqDiff(start, sendBufferStart(tcb))
  const push = length > 0 && takesPush(tcb, start, length, offset + length === snd.buffer.extent)
  noteRide(tcb, length, now)
  fill(tcb, plan, start, FLAG.ACK | (push ? FLAG.PSH : 0) | (withFin ? FLAG.FIN : 0), now, length)
  if (tcb.recovery.phase === 'recovery' || tcb.prr.isForMark) tcb.prr.out += length
  notePaced(tcb, length, now)
  fillUrgent(tcb, plan)
  plan.textLength = length
  plan.textOffset = offset
  plan.segmentBytes = length > snd.mss ? snd.mss : 0
}
