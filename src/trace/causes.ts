// Why time passed between two segments of a connection, as far as our side can know: each pause gets a cause and the section that
// describes it. Works on a Recorder's records.
// Owns: the judgement. Does not own: measuring (recorder.ts), printing (ladder.ts).

import type { Micros } from '../base/time.ts'
import { FLAG } from '../tcp/header.ts'
import type { ConnectionTrace, SegmentRecord } from './recorder.ts'

/** What a pause was spent on. */
export type CauseKind =
  | 'handshake'
  | 'round-trip'
  | 'slow-start'
  | 'congestion-avoidance'
  | 'nagle'
  | 'delayed-ack'
  | 'peer-window'
  | 'retransmission'
  | 'close'
  | 'application'
  | 'peer'

/** A pause before a segment, explained. */
export interface Cause {
  readonly kind: CauseKind
  readonly us: Micros
  /** A sentence without a full stop. */
  readonly text: string
}

/** A pause shorter than this is not worth a word. */
export const LEAST_PAUSE_US: Micros = 1_000

const isPureAck = (r: SegmentRecord): boolean =>
  r.textLength === 0 && (r.flags & (FLAG.SYN | FLAG.FIN | FLAG.RST)) === 0

/** Explains the pause before record `i`; null when there was none worth a word. */
export function causeBefore(trace: ConnectionTrace, i: number, leastUs: Micros = LEAST_PAUSE_US): Cause | null {
  if (i === 0) return null
  const { records } = trace
  const previous = records[i - 1]
  const record = records[i]
  const us = record.at - previous.at
  if (us < leastUs) return null
  const say = (kind: CauseKind, text: string): Cause => ({ kind, us, text })
  if (record.isRetransmission && record.textLength + (record.flags & 3) > 0) {
    return say('retransmission', 'a segment was lost; its sender noticed and sends it again (RFC 6298, RFC 5681 §3.2)')
  }
  return record.direction === 'out' ? causeOfOurs(records, i, say) : causeOfTheirs(previous, record, say)
}

type Say = (kind: CauseKind, text: string) => Cause

function causeOfOurs(records: readonly SegmentRecord[], i: number, say: Say): Cause {
  const record = records[i]
  const previous = records[i - 1]
  const us = record.at - previous.at
  if (isPureAck(record) && previous.textLength > 0 && us >= record.delayedAckUs * 0.9) {
    return say('delayed-ack', 'our acknowledgement waited for text to ride on (delayed ACK, RFC 9293 §3.8.6.3)')
  }
  if ((record.flags & FLAG.FIN) !== 0 && record.textLength === 0 && previous.ours === 'ESTABLISHED') {
    return say('close', 'our side kept the connection open for another request, then closed it')
  }
  return say('application', 'our side was at work: its application, or code that ran for the first time')
}

function causeOfTheirs(previous: SegmentRecord, record: SegmentRecord, say: Say): Cause {
  if (previous.ours === 'SYN-SENT' || previous.ours === 'SYN-RECEIVED') {
    return say('handshake', 'one round trip to open the connection (three-way handshake, RFC 9293 §3.5)')
  }
  switch (record.hold) {
    case 'cwnd': {
      const segments = record.mss > 0 ? Math.round(record.cwnd / record.mss) : 0
      const window = `the congestion window of ${segments} ${segments === 1 ? 'segment' : 'segments'} was used up`
      return record.cwnd < record.ssthresh
        ? say('slow-start', `${window}: wait for acknowledgements (slow start, RFC 5681 §3.1)`)
        : say('congestion-avoidance', `${window}: wait for acknowledgements (congestion avoidance, RFC 5681 §3.1)`)
    }
    case 'nagle':
      return say('nagle', 'a small segment waits for the acknowledgement of the one before (Nagle, RFC 9293 §3.7.4)')
    case 'window':
    case 'silly-window':
      return say('peer-window', 'the peer has no room for more (its window, RFC 9293 §3.8.6)')
  }
  if (previous.ours === 'FIN-WAIT-2') {
    return say('close', 'the other side closes in its own time (half-close, RFC 9293 §3.6)')
  }
  if (record.inFlight > 0) return say('round-trip', 'one round trip: what we sent travels, the answer travels back')
  if (previous.direction === 'in' || isPureAck(previous)) return say('peer', 'the peer had nothing to send')
  return say('round-trip', 'one round trip: what we sent travels, the answer travels back')
}

/** What a kind of pause is called when several are summed up. */
const SUMMARY: Readonly<Record<CauseKind, string>> = {
  handshake: 'opening the connection: one round trip (three-way handshake, RFC 9293 §3.5)',
  'round-trip': 'round trips: what we sent travels, the answer travels back',
  'slow-start': 'the congestion window was used up while it was still opening (slow start, RFC 5681 §3.1)',
  'congestion-avoidance': 'the congestion window was used up (congestion avoidance, RFC 5681 §3.1)',
  nagle: 'small segments waited for acknowledgements (Nagle, RFC 9293 §3.7.4)',
  'delayed-ack': 'our acknowledgements waited for text to ride on (delayed ACK, RFC 9293 §3.8.6.3)',
  'peer-window': 'the peer had no room for more (its window, RFC 9293 §3.8.6)',
  retransmission: 'segments were lost, missed and sent again (RFC 6298, RFC 8985)',
  close: 'closing: each side in its own time (half-close, RFC 9293 §3.6)',
  application: 'our side was at work: its application, or code that ran for the first time',
  peer: 'the peer had nothing to send',
}

/** Sum of the pauses of a connection by cause, longest first. */
export function sumCauses(trace: ConnectionTrace, leastUs: Micros = LEAST_PAUSE_US): Cause[] {
  const sums = new Map<CauseKind, Cause>()
  for (let i = 1; i < trace.records.length; i++) {
    const cause = causeBefore(trace, i, leastUs)
    if (cause === null) continue
    const before = sums.get(cause.kind)
    sums.set(cause.kind, { kind: cause.kind, us: cause.us + (before?.us ?? 0), text: SUMMARY[cause.kind] })
  }
  return [...sums.values()].sort((a, b) => b.us - a.us)
}
