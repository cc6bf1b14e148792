// What happens when a timer runs out (RFC 9293 §3.10.8; RFC 6298 §5; §3.8.3 R2; §3.8.4 keep-alive; §3.8.6.1 zero-window probes).
// Owns: the effects and re-arming of a connection's timers. Does not own: waking up (base/deadlines), sending (output.ts).

import type { Micros } from '../base/time.ts'
import { delayedAckExpired } from './acknowledge.ts'
import { abortTcb, closeTcb, failTcb } from './closing.ts'
import { onReorderTimeout, onRetransmissionTimeout } from './loss.ts'
import { backedOffRtoUs } from './rtt.ts'
import { isSynchronized } from './state.ts'
import { type Tcb, unsentBytes } from './tcb.ts'

const NEVER = Number.POSITIVE_INFINITY

/** The earliest of a connection's deadlines. */
export function nextDeadline(tcb: Tcb): Micros {
  const { retransmit, persist, delayedAck, reorder, lossProbe, pace, keepAlive, linger } = tcb.timers
  return Math.min(retransmit, persist, delayedAck, reorder, lossProbe, pace, keepAlive, linger)
}

/**
 * Arms the timers that a call of the application started: the call itself does not know the time.
 */
export function armAfterCalls(tcb: Tcb, now: Micros): void {
  const { timers, config } = tcb
  if (timers.keepAlive < 0) timers.keepAlive = now + config.keepAliveIdleUs
  // RFC 9293 §3.10.4 has no limit on FIN-WAIT-2; Linux and we set one once nobody is there to read.
  if (tcb.orphaned && tcb.state === 'FIN-WAIT-2' && timers.linger === NEVER)
    timers.linger = now + config.finWait2TimeoutUs
}

/** Handles every timer of the connection that is due. */
export function handleTimers(tcb: Tcb, now: Micros): void {
  const { timers } = tcb
  armAfterCalls(tcb, now)
  if (timers.linger <= now) {
    closeTcb(tcb) // 2MSL is over, or the peer's FIN never came
    return
  }
  if (timers.delayedAck <= now) delayedAckExpired(tcb)
  if (timers.pace <= now) timers.pace = NEVER // output goes on
  if (timers.reorder <= now) onReorderTimeout(tcb, now)
  if (timers.lossProbe <= now) {
    timers.lossProbe = NEVER
    tcb.tlp.isDue = tcb.snd.flight.bytes > 0
    // RFC 8985 §7.3: the probe goes in the timeout's place when both are due; the timer starts anew with it.
    if (tcb.tlp.isDue && timers.retransmit <= now) timers.retransmit = now + backedOffRtoUs(tcb.rtt, tcb.config)
  }
  if (timers.retransmit <= now) onRetransmit(tcb, now)
  if (timers.persist <= now) onPersist(tcb, now)
  if (timers.keepAlive <= now) onKeepAlive(tcb, now)
}

function onRetransmit(tcb: Tcb, now: Micros): void {
  const { timers, config, snd } = tcb
  timers.retransmit = NEVER
  if (snd.flight.size === 0) return
  const limit = isSynchronized(tcb.state) ? config.retransmitTimeoutUs : config.synTimeoutUs
  // A peer that has shut its window on what is in flight, but answers, is alive [MUST-37] [SHLD-17].
  const isShut = snd.wnd === 0 && isSynchronized(tcb.state)
  const giveUpAt = (isShut ? Math.max(tcb.progressAt, tcb.heardAt) : tcb.progressAt) + limit
  if (now >= giveUpAt) {
    failTcb(tcb, 'ETIMEDOUT') // R2 [MUST-20] [MUST-22]
    return
  }
  onRetransmissionTimeout(tcb, now)
  timers.retransmit = Math.min(giveUpAt, now + backedOffRtoUs(tcb.rtt, config))
}

/** Starts the retransmission timer unless it runs (RFC 6298 §5.1); while it does there is no need to probe the window. */
export function armRetransmit(tcb: Tcb, now: Micros): void {
  if (tcb.timers.retransmit === NEVER) tcb.timers.retransmit = now + backedOffRtoUs(tcb.rtt, tcb.config)
  tcb.timers.persist = NEVER
}

/** RFC 9293 §3.8.6.1: the peer's window is closed, or too small to use, with nothing in flight: ask. */
function onPersist(tcb: Tcb, now: Micros): void {
  const { timers, config } = tcb
  timers.persist = NEVER
  const wantsToSend = unsentBytes(tcb) > 0 || (tcb.snd.finQueued && !tcb.snd.finSent)
  if (!wantsToSend || tcb.snd.flight.bytes > 0) return
  if (tcb.probes > 0 && now - tcb.heardAt >= config.retransmitTimeoutUs) {
    failTcb(tcb, 'ETIMEDOUT') // as long as probes are answered the connection stays open [MUST-37]
    return
  }
  if (tcb.orphaned && now - tcb.progressAt >= config.orphanTimeoutUs) {
    abortTcb(tcb) // nobody waits for it any more: a peer that never opens its window must not hold our memory for ever
    return
  }
  tcb.probePending = true
  tcb.probes++
  tcb.windowProbes++
  timers.persist = now + persistIntervalUs(tcb)
}

/** First after one RTO [SHLD-29], then backed off exponentially [SHLD-30]. */
export function persistIntervalUs(tcb: Tcb): Micros {
  return Math.min(tcb.config.maxRtoUs, tcb.rtt.rtoUs * 2 ** Math.min(tcb.windowProbes, 30))
}

function onKeepAlive(tcb: Tcb, now: Micros): void {
  const { timers, config, snd } = tcb
  if (!isSynchronized(tcb.state) || tcb.state === 'TIME-WAIT') {
    timers.keepAlive = NEVER
    return
  }
  // [MUST-26]: only when nothing is outstanding; retransmission finds out by itself otherwise.
  if (snd.flight.bytes > 0 || unsentBytes(tcb) > 0) {
    timers.keepAlive = now + config.keepAliveIdleUs
    return
  }
  const unanswered = now - tcb.heardAt >= config.keepAliveIdleUs ? tcb.probes : 0
  if (unanswered >= config.keepAliveCount) {
    failTcb(tcb, 'ETIMEDOUT')
    return
  }
  tcb.probePending = true
  tcb.probes = unanswered + 1
  tcb.counters.TcpExtTCPKeepAlive++
  timers.keepAlive = now + config.keepAliveIntervalUs
}
