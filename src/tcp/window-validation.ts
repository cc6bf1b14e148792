// Whether the congestion window is used, and what becomes of one that is not: it may not grow (RFC 7661 §4.3), and what the path has not
// been asked for lately is not taken for granted (RFC 5681 §4.1, RFC 2861 as Linux has it, RFC 7661).
// Owns: these rules. Does not own: how much the window grows or shrinks on acknowledgements and losses (congestion/).
// Read first: RFC 7661 §4.
//
//   setting   after a pause of an RTO      while the application sends less than the window      at a loss
//   off       restart (RFC 5681 §4.1)      it stays                                              the controller's rule
//   decay     restart (RFC 5681 §4.1)      each RTO half way down to what was used               the controller's rule
//   keep      it stays                     it stays five minutes, then halves, and is paced       from what was proven (pipeACK)

import { MINUTE, type Micros, SECOND } from '../base/time.ts'
import type { DeliverySample } from './delivery.ts'
import { seqGe } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** RFC 7661 §4.4.3: how long a window is kept that is not validated. */
const NON_VALIDATED_PERIOD_US: Micros = 5 * MINUTE

/** What was sent, or could not be, shows whether the window limits; as Linux's tcp_cwnd_validate. */
export function noteUsage(tcb: Tcb, isLimited: boolean, now: Micros): void {
  const { usage, snd, config } = tcb
  const inNetwork = snd.flight.pipe
  if (seqGe(snd.una, usage.end) || isLimited || (!usage.isLimited && inNetwork > usage.mostFlight)) {
    usage.isLimited = isLimited
    usage.mostFlight = inNetwork
    usage.end = snd.nxt
  }
  if (config.windowValidation !== 'decay') return
  if (isInUse(tcb)) {
    usage.used = 0
    usage.usedAt = now
  } else {
    if (inNetwork > usage.used) usage.used = inNetwork
    if (config.slowStartAfterIdle && now - usage.usedAt >= tcb.rtt.rtoUs) decay(tcb, now)
  }
}

/** New text has gone, SND.NXT and the flight tell of it: a window without room for another segment is in use, whatever is still queued. */
export function noteSent(tcb: Tcb, now: Micros): void {
  noteUsage(tcb, tcb.cc.cwnd - tcb.snd.flight.pipe < tcb.snd.mss, now)
}

/** In slow start a window half of which is used may grow: to twice what was in the network, and no further. As Linux. */
function isInUse(tcb: Tcb): boolean {
  const { usage, cc } = tcb
  return usage.isLimited || (cc.cwnd < cc.ssthresh && cc.cwnd < 2 * usage.mostFlight)
}

/** On an acknowledgement, before the controller hears of it: whether the window may grow (RFC 7661 §4.3). */
export function mayGrow(tcb: Tcb, sample: DeliverySample, now: Micros): boolean {
  if (!isNewValidation(tcb)) return isInUse(tcb)
  measurePipe(tcb, sample, now)
  trackPhase(tcb, now)
  return isInUse(tcb) && tcb.usage.nonValidatedAt < 0
}

/** Before new text goes: a window that was not used, or a pause, may cost some of it. */
export function validateWindow(tcb: Tcb, now: Micros): void {
  const { usage, cc, snd, config } = tcb
  if (isNewValidation(tcb)) {
    const lapsedAt = Math.min(now, usage.halfUntil + halfPeriodUs(tcb))
    trackPhase(tcb, lapsedAt, now)
    ageWindow(tcb, now)
    boundBurst(tcb)
    return
  }
  if (usage.isPaced) boundBurst(tcb)
  if (snd.flight.bytes === 0) tcb.control.onStart?.(cc, now - tcb.sentAt, now)
  if (snd.flight.bytes > 0 || now - tcb.sentAt <= tcb.rtt.rtoUs || !config.slowStartAfterIdle) return
  // RFC 5681 §4.1: after a pause of more than an RTO the window restarts from the initial one.
  tcb.control.onIdle(cc, Math.min(initialWindow(tcb), cc.cwnd), now)
  tcb.sentAt = now
  usage.used = 0
  usage.usedAt = now
}

const initialWindow = (tcb: Tcb): number => tcb.config.initialWindowSegments * tcb.snd.mss

/** RFC 2861 §3.1, as Linux has it: the sender has not used its window for an RTO. */
function decay(tcb: Tcb, now: Micros): void {
  const { usage, cc, control } = tcb
  const used = Math.max(usage.used, initialWindow(tcb))
  usage.used = 0
  usage.usedAt = now
  // An application that waits for room in the send buffer would send more: it is not the one that limits.
  if (tcb.recovery.phase !== 'open' || tcb.snd.wantsRoom || control.ownsRecovery === true || used >= cc.cwnd) return
  rememberWindow(tcb)
  control.onIdle(cc, Math.floor((cc.cwnd + used) / 2), now)
}

/** Slow start may come back to near where the window was. */
function rememberWindow(tcb: Tcb): void {
  tcb.cc.ssthresh = Math.max(tcb.cc.ssthresh, Math.floor((3 * tcb.cc.cwnd) / 4))
}

// RFC 7661. A controller that models the path (BBR) sees to all this by itself.

const isNewValidation = (tcb: Tcb): boolean =>
  tcb.config.windowValidation === 'keep' && tcb.control.ownsRecovery !== true

/** §4.2: half of the sampling period, max(3 RTT, 1 s). */
const halfPeriodUs = (tcb: Tcb): Micros => Math.max(3 * tcb.rtt.srttUs, SECOND) / 2

/** §4.2: pipeACK, the most that was delivered in a round trip of the sampling period. */
const pipeAck = (tcb: Tcb): number => Math.max(tcb.usage.olderPipe, tcb.usage.recentPipe)

function forgetOldPipe(tcb: Tcb, now: Micros): void {
  const { usage } = tcb
  if (now < usage.halfUntil) return
  const half = halfPeriodUs(tcb)
  usage.olderPipe = now < usage.halfUntil + half ? usage.recentPipe : 0
  usage.recentPipe = 0
  usage.halfUntil = now + half
}

/** A segment knows what had been delivered when it left: its acknowledgement, what a round trip has delivered since. */
function measurePipe(tcb: Tcb, sample: DeliverySample, now: Micros): void {
  const { usage } = tcb
  if (tcb.recovery.phase === 'recovery' || sample.delivered === 0) return // §4.2: not in fast recovery
  if (sample.priorDelivered <= usage.measureFrom) return
  forgetOldPipe(tcb, now)
  usage.isMeasured = true
  usage.recentPipe = Math.max(usage.recentPipe, tcb.delivery.delivered - sample.priorDelivered)
}

/** §4.3: the window is validated while pipeACK is at least half of it, or not known; `since`: when that has changed, if it has. */
function trackPhase(tcb: Tcb, since: Micros, now: Micros = since): void {
  const { usage, cc } = tcb
  if (!usage.isMeasured) return
  forgetOldPipe(tcb, now)
  if (pipeAck(tcb) >= cc.cwnd / 2) usage.nonValidatedAt = -1
  else if (usage.nonValidatedAt < 0) usage.nonValidatedAt = since
}

/**
 * §4.4.2: a window that says little of the path is not sent at once: in the non-validated phase what is more than an initial window is
 * spread over the round trip, as far as there is no pace already.
 */
function boundBurst(tcb: Tcb): void {
  const { usage, cc, rtt } = tcb
  const isDue = isNewValidation(tcb) && usage.nonValidatedAt >= 0 && rtt.srttUs > 0
  if (!isDue && !usage.isPaced) return
  if (isDue && !usage.isPaced && cc.pacingRate > 0) return
  cc.pacingRate = isDue ? (cc.cwnd * 1e6) / rtt.srttUs : 0
  usage.isPaced = isDue
}

/** §4.4.3: a window that was not validated for five minutes is halved, but not below the initial one. */
function ageWindow(tcb: Tcb, now: Micros): void {
  const { usage, cc, control } = tcb
  const initial = initialWindow(tcb)
  while (usage.nonValidatedAt >= 0 && now - usage.nonValidatedAt >= NON_VALIDATED_PERIOD_US) {
    usage.nonValidatedAt += NON_VALIDATED_PERIOD_US
    if (cc.cwnd <= initial) {
      usage.nonValidatedAt = now
      return
    }
    rememberWindow(tcb)
    control.onIdle(cc, Math.max(Math.floor(cc.cwnd / 2), initial), now)
  }
}

/**
 * A loss: what the controller is to reduce from. §4.4.1: in the non-validated phase the window says nothing of the path, so it is the
 * greater of pipeACK and what is in flight.
 * DEVIATION: §4.4.1 halves it; the controller takes its own factor, CUBIC 0.7.
 */
export function provenFlight(tcb: Tcb, flight: number): number {
  const { usage } = tcb
  usage.lossFlight = -1
  if (!isNewValidation(tcb) || usage.nonValidatedAt < 0) return flight
  usage.lossFlight = Math.max(pipeAck(tcb), flight)
  usage.resentBytes = 0
  return usage.lossFlight
}

/** Recovery is over, the controller has heard of it; `isFast`: fast recovery. */
export function settleUsage(tcb: Tcb, isFast: boolean): void {
  const { usage, cc, snd } = tcb
  if (!isNewValidation(tcb)) return
  if (isFast && usage.lossFlight >= 0) {
    // §4.4.1: what had to be sent again did not get through.
    const proven = Math.floor((usage.lossFlight - usage.resentBytes) / 2)
    cc.cwnd = Math.max(snd.mss, Math.min(cc.cwnd, proven))
  }
  // pipeACK is undefined again: the standard rules until there is a new measure.
  usage.lossFlight = -1
  usage.nonValidatedAt = -1
  usage.isMeasured = false
  usage.measureFrom = tcb.delivery.delivered
  usage.olderPipe = 0
  usage.recentPipe = 0
}
