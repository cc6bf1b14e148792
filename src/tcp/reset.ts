// Resets for segments that belong to no connection, or that a connection does not accept while it opens (RFC 9293 §3.5.2, §3.10.7.1).
// Owns: what such a reset looks like. Does not own: resets of a connection of our own (output.ts).

import type { IpHeader } from '../ip/header.ts'
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

/** Queues the reset that answers `segment`, which came with this IP header; signed when there is a key (RFC 2385 §4.1). */
export function queueReset(
  queue: AnswerQueue,
  header: IpHeader,
  segment: SegmentHeader,
  md5Key: Uint8Array | null,
): void {
  if ((segment.flags & FLAG.RST) !== 0) return
  const answer = queue.add(header.dst, header.src, 0, 0)
  if (answer === null) return
  planReset(segment, answer.plan)
  answer.plan.md5Key = md5Key
}
