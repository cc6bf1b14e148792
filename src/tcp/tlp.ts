// Tail loss probes (RFC 8985 §7): when the end of a flight goes unanswered for two round trips, one segment is sent to draw an
// acknowledgement, so that a lost tail is mended by SACK and RACK rather than by the retransmission timer.
// Owns: when to probe, judging the answer. Does not own: making the segment (output.ts).

import type { Micros } from '../base/time.ts'
import { isBeyondWindow } from './linux-ways.ts'
import type { SackOutcome } from './sack.ts'
import { seqGe, seqGt } from './seq.ts'
import { isSynchronized } from './state.ts'
import type { Tcb } from './tcb.ts'

/** How long a peer may hold back the acknowledgement of a lone segment (RFC 8985 §7.2, TLP.max_ack_delay; Linux's delayed ACK). */
const PEER_ACK_DELAY_US: Micros = 200_000
/**
 * DEVIATION: RFC 8985 §7.2 has no least timeout. On a path of microseconds two round trips are shorter than a peer's delayed ACK (40 ms in
 * Linux and here), and every flight that ends in an odd segment would be probed for nothing.
 */
const LEAST_TIMEOUT_US: Micros = 50_000
/** Before the first round-trip sample (RFC 8985 §7.2). */
const FIRST_TIMEOUT_US: Micros = 1_000_000

/** RFC 8985 §7.2: after new text was sent, or an acknowledgement moved on; nothing may be SACKed or in recovery. */
export function armTailProbe(tcb: Tcb, now: Micros): void {
  const { snd, timers, rtt, tlp } = tcb
  const { flight } = snd
  timers.lossProbe = Number.POSITIVE_INFINITY
  if (!tcb.config.tailLossProbe || !tcb.sackEnabled || tlp.isOut) return
  if (!isSynchronized(tcb.state) || tcb.recovery.phase !== 'open' || flight.bytes === 0 || flight.sackedBytes > 0)
    return
  let wait = rtt.srttUs < 0 ? FIRST_TIMEOUT_US : Math.max(LEAST_TIMEOUT_US, 2 * rtt.srttUs)
  if (rtt.srttUs >= 0 && flight.bytes <= snd.mss && flight.size === 1) wait += PEER_ACK_DELAY_US
  const at = now + wait
  if (isBeyondWindow(tcb)) {
    timers.retransmit = Math.min(timers.retransmit, Math.max(at, flight.at(0).sentAt + rtt.rtoUs))
    return
  }
  timers.lossProbe = Math.min(at, timers.retransmit)
}

/** A probe was sent. */
export function noteProbe(tcb: Tcb, isRetransmission: boolean): void {
  const { tlp } = tcb
  tlp.isDue = false
  tlp.isOut = true
  tlp.isRetransmission = isRetransmission
  tlp.end = tcb.snd.nxt
  tlp.flight = tcb.config.reducedFrom === 'cwnd' ? tcb.cc.cwnd : Math.min(tcb.snd.flight.bytes, tcb.cc.cwnd)
}

/** RFC 8985 §7.1: when recovery begins, by acknowledgements or by the timer, it sees to the tail: the probe is forgotten. */
export function forgetProbe(tcb: Tcb): void {
  tcb.tlp.isDue = false
  tcb.tlp.isOut = false
  tcb.timers.lossProbe = Number.POSITIVE_INFINITY
}

/**
 * RFC 8985 §7.4: judges an acknowledgement while a probe is out. Returns true when the probe mended a loss that no SACK told of: the
 * congestion controller has to hear of it.
 */
export function answersProbe(tcb: Tcb, isRepeat: boolean, sack: SackOutcome): boolean {
  const { tlp, snd } = tcb
  if (!tlp.isOut || !seqGe(snd.una, tlp.end)) return false
  if (!tlp.isRetransmission) {
    tlp.isOut = false
    return false
  }
  if (sack.isDsack && sack.dsackEnd === tlp.end) {
    tlp.isOut = false // both copies arrived
    return false
  }
  if (seqGt(snd.una, tlp.end)) {
    tlp.isOut = false // later text was answered, the other copy never
    return true
  }
  if (isRepeat) tlp.isOut = false // as above, from a peer without DSACK
  return false
}
