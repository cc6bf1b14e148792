// Pacing: packets spread over the round trip at the rate that the congestion controller asks for, or that its window makes, instead of in
// bursts.
// Owns: when the next packet may go. Does not own: the rate (congestion/), what is sent (output.ts).

import type { Micros } from '../base/time.ts'
import { pipe } from './loss.ts'
import type { Tcb } from './tcb.ts'

/** Packets may run ahead of the pace, or catch up, by this much: a real clock's timers are not finer. */
const SLACK_US: Micros = 1_000

/**
 * How far ahead of the pace packets may run, and how far they may catch up. Where it is there only to bound bursts (RFC 7661 §4.4.2,
 * window-validation.ts) both together are an initial window, which may go at once after any pause (RFC 5681 §4.1).
 */
function slackUs({ cc, usage, snd, config }: Tcb): Micros {
  return usage.isPaced ? (config.initialWindowSegments * snd.mss * 1e6) / (2 * cc.pacingRate) : SLACK_US
}

/** Whether the pace lets a packet go now; if not, its timer is set and `tcb.hold` says so. */
export function isPaceReached(tcb: Tcb, now: Micros): boolean {
  const rate = tcb.cc.pacingRate
  if (rate <= 0) return true
  const at = tcb.paceAt - slackUs(tcb) // the very number that is armed: rounded otherwise it may never come
  if (at <= now) return true
  tcb.hold = 'pacing'
  tcb.timers.pace = at
  return false
}

/** Most bytes in one packet at the pace: a millisecond's worth, at least two segments. */
export function mostAtPace(tcb: Tcb, most: number): number {
  const rate = tcb.cc.pacingRate
  if (rate <= 0) return most
  const share = Math.max(2 * tcb.snd.mss, (rate * SLACK_US) / 1e6)
  return Math.min(most, share - (share % tcb.snd.mss))
}

/** A packet with so many bytes of text has gone. */
export function notePaced(tcb: Tcb, bytes: number, now: Micros): void {
  const rate = tcb.cc.pacingRate
  if (rate <= 0) return
  tcb.paceAt = Math.max(tcb.paceAt, now - slackUs(tcb)) + (bytes * 1e6) / rate
}

/** `pacing: 'always'`: the pace of a controller that asks for none (RFC 9002 §7.7); as Linux's tcp_update_pacing_rate. */
export function paceByWindow(tcb: Tcb): void {
  const { cc, rtt, control } = tcb
  if (control.ownsRecovery === true || rtt.srttUs <= 0) return
  const factor = cc.cwnd < cc.ssthresh / 2 ? 2 : 1.2
  cc.pacingRate = (factor * Math.max(cc.cwnd, pipe(tcb)) * 1e6) / rtt.srttUs
}
