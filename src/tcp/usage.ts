// What is remembered of how a connection uses its congestion window. A plain record; the rules are in window-validation.ts.
// Owns: the shape and first values.

import type { Micros } from '../base/time.ts'
import type { Seq } from './seq.ts'

/** How the congestion window is used. Bytes. */
export interface UsageState {
  /** The window held the sender back, or was filled, in this flight. */
  isLimited: boolean
  /** Most bytes in the network in this flight. */
  mostFlight: number
  /** SND.NXT when that was noted: with its acknowledgement another flight begins. */
  end: Seq

  /** RFC 2861: most bytes in the network since `usedAt`. */
  used: number
  /** When the window was last in full use, or last lowered. */
  usedAt: Micros

  /** RFC 7661 §4.2: pipeACK has been measured; else it is 'undefined'. */
  isMeasured: boolean
  /** Only what was sent when more than this had been delivered measures a whole round trip. */
  measureFrom: number
  /** The largest measure of the sampling period's two halves, and when the later half ends. */
  olderPipe: number
  recentPipe: number
  halfUntil: Micros
  /** When the non-validated phase began, -1 outside of it (RFC 7661 §4.3). */
  nonValidatedAt: Micros
  /** The pace is the one that the phase asks for, not the controller's (RFC 7661 §4.4.2). */
  isPaced: boolean
  /** max(pipeACK, LossFlightSize) of a loss in that phase; -1 when there was none (RFC 7661 §4.4.1). */
  lossFlight: number
  /** Text sent again since then. */
  resentBytes: number
}

/** Before anything was sent. */
export function createUsage(iss: Seq, now: Micros): UsageState {
  return {
    isLimited: false,
    mostFlight: 0,
    end: iss,
    used: 0,
    usedAt: now,
    isMeasured: false,
    measureFrom: 0,
    olderPipe: 0,
    recentPipe: 0,
    halfUntil: now,
    nonValidatedAt: -1,
    isPaced: false,
    lossFlight: -1,
    resentBytes: 0,
  }
}
