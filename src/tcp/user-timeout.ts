// The user timeout: how long text may wait without progress before the connection is given up (RFC 9293 §3.8.3 R2, RFC 5482; Linux's
// TCP_USER_TIMEOUT), and the option by which two ends tell each other theirs.
// Owns: which timeout holds, its option. Does not own: when the time has begun, and giving up (timers.ts).
// Read first: RFC 5482 §3.1.

import { MINUTE, type Micros, SECOND } from '../base/time.ts'
import type { SegmentHeader, SegmentPlan } from './header.ts'
import { isSynchronized } from './state.ts'
import type { Tcb } from './tcb.ts'

/** RFC 5482 §3: the bit that says minutes, and the most that 15 bits say. */
const IN_MINUTES = 0x8000
const MOST = 0x7fff

/**
 * R2 for text (RFC 9293 §3.8.3 [MUST-21]); Infinity: never. What the application has set holds, whatever the peer says (RFC 5482 §3.1,
 * CHANGEABLE); otherwise min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)) when both ends speak the option.
 */
export function userTimeoutUs(tcb: Tcb): Micros {
  const { config, life } = tcb
  if (config.userTimeoutUs > 0) return config.userTimeoutUs
  if (life.remoteUserTimeoutUs === 0) return config.retransmitTimeoutUs
  const wished = Math.max(config.retransmitTimeoutUs, life.remoteUserTimeoutUs, config.userTimeoutLeastUs)
  return Math.min(config.userTimeoutMostUs, wished)
}

/** The value of the option for a time: in seconds where they suffice, rounded up, never 0, which is reserved (RFC 5482 §3.2). */
export function encodeUserTimeout(us: Micros): number {
  const seconds = Math.max(1, Math.ceil(us / SECOND))
  if (seconds <= MOST) return seconds
  return IN_MINUTES | Math.min(MOST, Math.ceil(us / MINUTE))
}

/** The time that an option's value stands for; 0 for one that is to be ignored (RFC 5482 §3.2). */
export function decodeUserTimeout(value: number): Micros {
  return (value & MOST) * ((value & IN_MINUTES) !== 0 ? MINUTE : SECOND)
}

/** An acceptable segment told the peer's user timeout (RFC 5482 §3.1): only who has the option enabled listens. */
export function takeUserTimeout(tcb: Tcb, segment: SegmentHeader): void {
  if (segment.userTimeout < 0 || !tcb.config.userTimeoutOption) return
  const us = decodeUserTimeout(segment.userTimeout)
  if (us > 0) tcb.life.remoteUserTimeoutUs = us
}

/** Puts our user timeout (ADV_UTO) into a segment when it is due, in every SYN and once after it; `spare` is the room for options. */
export function fillUserTimeout(tcb: Tcb, plan: SegmentPlan, spare: number): void {
  if (spare < 4) return
  const { config, life } = tcb
  plan.userTimeout = encodeUserTimeout(config.userTimeoutUs > 0 ? config.userTimeoutUs : config.retransmitTimeoutUs)
  // SYNs may be lost, or their options: RFC 5482 §3.2 has it told once more when the connection is open.
  if (isSynchronized(tcb.state)) life.isUserTimeoutDue = false
}
