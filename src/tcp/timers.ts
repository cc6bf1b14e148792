// What happens when a timer runs out (RFC 9293 §3.10.8; RFC 6298 §5; §3.8.3 R2; §3.8.4 keep-alive; §3.8.6.1 zero-window probes).
// Owns: the effects and re-arming of a connection's timers. Does not own: waking up (base/deadlines), sending (output.ts).

import type { Micros } from '../base/time.ts'
import { delayedAckExpired } from './acknowledge.ts'
import { abortTcb, closeTcb } from './closing.ts'
import { lowerPathMtu } from './icmp-errors.ts'
import { armLinger, onLingerExpired } from './linger.ts'
import { onReorderTimeout, onRetransmissionTimeout } from './loss.ts'
import { armPathMtu, blackHoleSize, endProbe, noteBlackHole, onPathMtuAged } from './path-mtu.ts'
import { pushTail } from './push.ts'
import { retune } from './retune.ts'
import { backedOffRtoUs } from './rtt.ts'
import { isSynchronized } from './state.ts'
import { onSynAckTimeout } from './syn-received.ts'
import { type Tcb, unsentBytes } from './tcb.ts'
import { noteTimeout, timeOut } from './trouble.ts'
import { userTimeoutUs } from './user-timeout.ts'

const NEVER = Number.POSITIVE_INFINITY

/** The earliest of a connection's deadlines. */
export function nextDeadline(tcb: Tcb): Micros {
  const { retransmit, persist, delayedAck, reorder, lossProbe, pace, keepAlive, cork, linger, upkeep } = tcb.timers
  return Math.min(retransmit, persist, delayedAck, reorder, lossProbe, pace, keepAlive, cork, linger, upkeep)
}

/**
 * Arms the timers that a call of the application started: the call itself does not know the time.
 */
export function armAfterCalls(tcb: Tcb, now: Micros): void {
  const { timers, config, life, path } = tcb
  if (life.retunedFrom !== null) retune(tcb, now)
  if (tcb.state === 'CLOSED') return // closed before the call's wait could begin
  if (life.lingerUntil < 0 || path.raiseAt < 0) armUpkeep(tcb, now)
  // RFC 9293 §3.10.4 has no limit on FIN-WAIT-2; Linux and we set one once nobody is there to read.
  if (tcb.orphaned && tcb.state === 'FIN-WAIT-2' && timers.linger === NEVER) {
    if (config.finWait2TimeoutUs >= 0) timers.linger = now + config.finWait2TimeoutUs
    else {
      tcb.counters.TcpExtTCPAbortOnLinger++
      abortTcb(tcb)
    }
  }
}

function armUpkeep(tcb: Tcb, now: Micros): void {
  armLinger(tcb, now)
  armPathMtu(tcb, now)
  tcb.timers.upkeep = Math.min(tcb.life.lingerUntil, tcb.path.raiseAt)
}

function onUpkeep(tcb: Tcb, now: Micros): void {
  if (tcb.life.lingerUntil <= now) onLingerExpired(tcb)
  if (tcb.path.raiseAt <= now) onPathMtuAged(tcb, now)
  armUpkeep(tcb, now)
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
  if (timers.cork <= now) pushTail(tcb)
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
  if (timers.upkeep <= now) onUpkeep(tcb, now)
}

function onRetransmit(tcb: Tcb, now: Micros): void {
  const { timers, config, snd } = tcb
  timers.retransmit = NEVER
  if (snd.flight.size === 0) return
  if (tcb.passive && tcb.state === 'SYN-RECEIVED') {
    onSynAckTimeout(tcb, now)
    return
  }
  const limit = giveUpAfterUs(tcb)
  // A peer that has shut its window on what is in flight [MUST-35], but answers, is alive [MUST-37] [SHLD-17].
  // But not where the application has set its own limit, which asks for progress (Linux: TCP_USER_TIMEOUT).
  const isShut = snd.wnd === 0 && isSynchronized(tcb.state) && config.userTimeoutUs === 0
  if (isShut && isForsaken(tcb, now)) {
    abortTcb(tcb)
    return
  }
  const since = waitingSince(tcb, now)
  const giveUpAt = (isShut ? Math.max(since, tcb.heardAt) : since) + limit
  if (now >= giveUpAt) {
    timeOut(tcb) // R2 [MUST-20] [MUST-22]
    return
  }
  suspectPath(tcb, now)
  onRetransmissionTimeout(tcb, now)
  noteTimeout(tcb)
  timers.retransmit = Math.min(giveUpAt, now + backedOffRtoUs(tcb.rtt, config))
}

/** R2: of text, or of a SYN, unless the application has set its own limit, which holds in any state (RFC 9293 §3.10.8 [MUST-21]). */
function giveUpAfterUs(tcb: Tcb): Micros {
  if (isSynchronized(tcb.state)) return userTimeoutUs(tcb)
  return tcb.config.userTimeoutUs > 0 ? tcb.config.userTimeoutUs : tcb.config.synTimeoutUs
}

/** From when R2 counts: what is in flight was first sent, or, as Linux counts, it first timed out. */
function waitingSince(tcb: Tcb, now: Micros): Micros {
  if (tcb.config.userTimeoutFrom === 'text' || !isSynchronized(tcb.state)) return tcb.progressAt
  if (tcb.rtt.timeouts === 0) tcb.life.firstTimeoutAt = now
  return tcb.life.firstTimeoutAt
}

/** RFC 4821 §7.7: whether what times out again and again is too large for the path. */
function suspectPath(tcb: Tcb, now: Micros): void {
  endProbe(tcb)
  const from = tcb.pathSegmentBytes
  const size = blackHoleSize(tcb)
  if (size === 0) return
  lowerPathMtu(tcb, size)
  noteBlackHole(tcb, from, now)
}

/** Starts the retransmission timer unless it runs (RFC 6298 §5.1); while it does there is no need to probe the window. */
export function armRetransmit(tcb: Tcb, now: Micros): void {
  if (tcb.timers.retransmit === NEVER) tcb.timers.retransmit = now + backedOffRtoUs(tcb.rtt, tcb.config)
  tcb.timers.persist = NEVER
}

/** RFC 9293 §3.8.6.1 [MUST-36]: the peer's window is closed, or too small to use, with nothing in flight: ask. */
function onPersist(tcb: Tcb, now: Micros): void {
  const { timers, config } = tcb
  timers.persist = NEVER
  const wantsToSend = unsentBytes(tcb) > 0 || (tcb.snd.finQueued && !tcb.snd.finSent)
  if (!wantsToSend || tcb.snd.flight.bytes > 0) return
  const limit = userTimeoutUs(tcb)
  const isUnheard = tcb.probes > 0 && now - tcb.heardAt >= limit
  if (isUnheard || (config.userTimeoutUs > 0 && now - tcb.life.blockedAt >= limit)) {
    timeOut(tcb) // as long as probes are answered the connection stays open [MUST-37], unless the application has set a limit
    return
  }
  if (isForsaken(tcb, now)) {
    abortTcb(tcb)
    return
  }
  tcb.probePending = true
  tcb.snd.isUrgentTold = false // the mark goes again, too
  tcb.probes++
  tcb.windowProbes++
  timers.persist = now + persistIntervalUs(tcb)
  if (config.userTimeoutUs > 0) timers.persist = Math.min(timers.persist, tcb.life.blockedAt + limit)
}

/** Nobody waits for it any more (RFC 6429 §3): a peer that never opens its window must not hold our memory for ever. */
function isForsaken(tcb: Tcb, now: Micros): boolean {
  return tcb.orphaned && now - tcb.progressAt >= tcb.config.orphanTimeoutUs
}

/** First after one RTO [SHLD-29], then backed off exponentially [SHLD-30]. */
export function persistIntervalUs(tcb: Tcb): Micros {
  return Math.min(tcb.config.maxRtoUs, tcb.rtt.rtoUs * (1 << Math.min(tcb.windowProbes, 30)))
}

/** RFC 9293 §3.8.4 [MAY-5]: a peer is dead when several probes in a row are unanswered, not one [MUST-29]. */
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
  // Linux: the user timeout stands in for the count, once a probe is unanswered.
  const limit = config.userTimeoutUs
  const isDead = limit > 0 ? unanswered > 0 && now - tcb.heardAt >= limit : unanswered >= config.keepAliveCount
  if (isDead) {
    timeOut(tcb)
    tcb.resetPending = config.keepAliveResets
    return
  }
  tcb.probePending = true
  tcb.probes = unanswered + 1
  tcb.counters.TcpExtTCPKeepAlive++
  timers.keepAlive = now + config.keepAliveIntervalUs
}
