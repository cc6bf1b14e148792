// Records: places in the stream where a segment has to end, as MSG_EOR of Linux asks. What was written before and after such a place never
// goes in one segment, the first time or again, and the last segment of a record takes PSH (RFC 9293 §3.9.1.2: SEND with PUSH).
// Owns: where these places are. Does not own: what is sent (output.ts). A receiver is not told of them: TCP is a stream.

import { NO_NUMBERS, type Seq, seqAdd, seqDiff, seqGt, seqLe } from './seq.ts'
import { sendBufferStart, type Tcb } from './tcb.ts'

/** What is queued now ends a record. */
export function endRecord(tcb: Tcb): void {
  const { snd } = tcb
  const end = seqAdd(sendBufferStart(tcb), snd.buffer.extent)
  if (snd.buffer.extent === 0 || snd.recordEnds.at(-1) === end) return
  if (snd.recordEnds === NO_NUMBERS) snd.recordEnds = []
  snd.recordEnds.push(end)
}

/** Octets from `start` to the end of its record, at most `length`. */
export function untilRecordEnd({ snd }: Tcb, start: Seq, length: number): number {
  const { recordEnds } = snd
  if (recordEnds.length === 0) return length
  while (recordEnds.length > 0 && seqLe(recordEnds[0], snd.una)) recordEnds.shift()
  const at = firstAfter(recordEnds, start)
  return at === recordEnds.length ? length : Math.min(length, seqDiff(recordEnds[at], start))
}

/** Whether a record ends just before `seq`. */
export function isRecordEnd({ snd }: Tcb, seq: Seq): boolean {
  const { recordEnds } = snd
  return recordEnds.length > 0 && recordEnds[firstAfter(recordEnds, seqAdd(seq, -1))] === seq
}

/** Index of the first place after `start`; they are in order, and there may be as many as octets in the send buffer. */
function firstAfter(ends: readonly Seq[], start: Seq): number {
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (seqGt(ends[middle], start)) high = middle
    else low = middle + 1
  }
  return low
}
