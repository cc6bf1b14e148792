// The timestamp clock (RFC 7323 §5.4): one tick a millisecond, and an offset for each connection that only we know, so that the clock
// tells nobody how long this host has been up.

import type { Micros } from '../base/time.ts'
import type { Tcb } from './tcb.ts'

/** Bytes that timestamps take in every segment. */
export const TIMESTAMP_OPTION_BYTES = 12

/** TSval for a segment sent at `now`, as int32. */
export function timestampNow(tcb: Tcb, now: Micros): number {
  return timestampAt(now, tcb.ts.offset)
}

/** The clock at `now` with an offset, as int32. */
export function timestampAt(now: Micros, offset: number): number {
  return ((Math.floor(now / 1000) % 4294967296) + offset) | 0
}
