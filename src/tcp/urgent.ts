// Urgent data, both ways (RFC 9293 §3.8.5 [MUST-30], RFC 6093): a mark in the stream, told to the other side ahead of the text that it
// belongs to.
// Owns: the marks, what the urgent pointer field says, what the application is told. Does not own: the text, which stays in line where it
// is (RFC 6093 §4): nothing is taken out of the stream.
//
//        application has read      RCV.NXT         RCV.UP
//     ------------|------------------|----------------|----------
//                 |<--- urgentBytes: still to be read -->|         RCV.UP is the octet after the last urgent one [MUST-62]

import { EVENT } from './events.ts'
import { FLAG, type SegmentHeader, type SegmentPlan } from './header.ts'
import { type Seq, seqAdd, seqDiff, seqGe, seqGt, seqLe } from './seq.ts'
import { canReceive } from './state.ts'
import { sendBufferStart, type Tcb } from './tcb.ts'

/** The urgent pointer field is an offset of 16 bits. */
const FARTHEST = 0xffff

/** After a SEND with the urgent flag: all that is queued is urgent, however long it is [MUST-31]. There is unsent text. */
export function markUrgent(tcb: Tcb): void {
  const { snd } = tcb
  snd.up = seqAdd(sendBufferStart(tcb), snd.buffer.extent)
  snd.isUrgent = true
  snd.isUrgentTold = false
}

/** Whether the peer has yet to be told of an urgent mark, or to acknowledge what lies before it. */
export function isSendingUrgent(tcb: Tcb): boolean {
  const { snd } = tcb
  if (snd.isUrgent && seqGe(snd.una, snd.up)) snd.isUrgent = false
  return snd.isUrgent
}

/** Whether a closed window, or Nagle, keeps the peer from hearing of urgent data: the mark then goes by itself [MUST-66]. */
export function isUrgentDue(tcb: Tcb): boolean {
  return isSendingUrgent(tcb) && !tcb.snd.isUrgentTold
}

/** Sets URG and the pointer on a segment that begins before the mark, as far as the field reaches. */
export function fillUrgent(tcb: Tcb, plan: SegmentPlan): void {
  const { snd } = tcb
  if (!isSendingUrgent(tcb) || !seqGt(snd.up, plan.seq)) return
  plan.flags |= FLAG.URG
  plan.urgent = Math.min(FARTHEST, seqDiff(snd.up, plan.seq))
  snd.isUrgentTold = true
}

/** Sixth check (RFC 9293 §3.10.7.4): RCV.UP moves on, and the application is told when that is news to it [MUST-32]. */
export function receiveUrgent(tcb: Tcb, segment: SegmentHeader): void {
  if ((segment.flags & FLAG.URG) === 0 || !canReceive(tcb.state)) return
  const { rcv } = tcb
  const start = (segment.flags & FLAG.SYN) !== 0 ? seqAdd(segment.seq, 1) : segment.seq
  const up = seqAdd(start, segment.urgent)
  urgentBytes(tcb) // forgets a mark that was read past
  if (seqLe(up, readNext(tcb))) return // all of it was read long ago
  if (rcv.isUrgent && !seqGt(up, rcv.up)) return
  rcv.up = up
  rcv.isUrgent = true
  tcb.events |= EVENT.urgent
}

/** How many octets up to the urgent mark the application has not read, arrived or not [MUST-33]; 0 when there is no urgent data. */
export function urgentBytes(tcb: Tcb): number {
  const { rcv } = tcb
  if (!rcv.isUrgent) return 0
  const left = seqDiff(rcv.up, readNext(tcb))
  if (left <= 0) rcv.isUrgent = false
  return Math.max(0, left)
}

/** The sequence number of the octet that the application reads next; RCV.NXT is one farther from the text when FIN has been received. */
function readNext(tcb: Tcb): Seq {
  const { rcv } = tcb
  const isFinReceived = rcv.finSeen && seqGt(rcv.nxt, rcv.finSeq)
  return seqAdd(rcv.nxt, -rcv.unread - (isFinReceived ? 1 : 0))
}
