// What totals.ts keeps of a connection. Owns: shape and first values.

import type { Micros } from '../base/time.ts'

/** Counts of a connection's life; times in microseconds, up to the last step. */
export interface Totals {
  segmentsOut: number
  segmentsIn: number
  /** Of those, with text. */
  dataSegmentsOut: number
  dataSegmentsIn: number
  /** Text sent, what went again included, and what of it went again. */
  bytesSent: number
  bytesResent: number
  /** Text and FIN acknowledged, once the record of deliveries is given away (TIME-WAIT); 0 before. */
  bytesAcked: number
  /** Text taken in order. */
  bytesReceived: number
  /** Segments that came out of order. */
  outOfOrder: number
  /** DSACKs received. */
  duplicates: number
  /** Latest valid delivery rate, bytes per second; 0 before the first. */
  deliveryRate: number
  isRateAppLimited: boolean
  /** Text was in flight or waited; of that, the peer's window held it back, or the send buffer was too small. */
  busyUs: Micros
  windowLimitedUs: Micros
  bufferLimitedUs: Micros
  /** Retransmission timeouts; those of them that began a recovery, and the time that these lasted. -1: none is under way. */
  timeouts: number
  timeoutRecoveries: number
  timeoutUs: Micros
  timeoutSince: Micros
  /** What the time since `since` goes to. */
  limit: 'idle' | 'busy' | 'window' | 'buffer'
  since: Micros
}

/** Nothing done yet. */
export function createTotals(now: Micros): Totals {
  return {
    segmentsOut: 0,
    segmentsIn: 0,
    dataSegmentsOut: 0,
    dataSegmentsIn: 0,
    bytesSent: 0,
    bytesResent: 0,
    bytesAcked: 0,
    bytesReceived: 0,
    outOfOrder: 0,
    duplicates: 0,
    deliveryRate: 0,
    isRateAppLimited: false,
    busyUs: 0,
    windowLimitedUs: 0,
    bufferLimitedUs: 0,
    timeouts: 0,
    timeoutRecoveries: 0,
    timeoutUs: 0,
    timeoutSince: -1,
    limit: 'idle',
    since: now,
  }
}
