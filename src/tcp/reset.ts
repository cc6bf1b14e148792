// Resets for segments that belong to no connection, or that a connection does not accept while it opens (RFC 9293 §3.5.2, §3.10.7.1).
// Owns: what such a reset looks like. Does not own: resets of a connection of our own (output.ts).

import type { IpAddress } from '../ip/address.ts'
import type { AnswerQueue } from './answers.ts'
import { FLAG, type SegmentHeader, type SegmentPlan } from './header.ts'
import { seq, seqAdd } from './seq.ts'

/** Fills in the reset that answers `segment`, which is itself none: a reset is never answered. */
export function planReset(segment: SegmentHeader, plan: SegmentPlan): void {
  plan.reset()
  plan.sourcePort = segment.destinationPort
  plan.destinationPort = segment.sourcePort
  plan.window = 0
  if ((segment.flags & FLAG.ACK) !== 0) {
    plan.seq = segment.ack
    plan.ack = seq(0)
    plan.flags = FLAG.RST
  } else {
    plan.seq = seq(0)
    plan.ack = seqAdd(segment.seq, segment.length)
    plan.flags = FLAG.RST | FLAG.ACK
  }
}

/** Queues the reset that answers `segment`, which came from `remote` to our `local`. */
export function queueReset(
  queue: AnswerQueue,
  local: IpAddress,
  remote: IpAddress,
  segment: SegmentHeader,
  hopLimit: number,
): void {
  if ((segment.flags & FLAG.RST) !== 0) return
  const answer = queue.add(local, remote, hopLimit, 0)
  if (answer !== null) planReset(segment, answer.plan)
}
