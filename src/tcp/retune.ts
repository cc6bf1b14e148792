// What a change of settings does to a connection that lives, beyond what reads them anyway: another congestion controller, timers that
// were set by the old values, segment sizes.
// Owns: these consequences, which wait until the time is known. Does not own: which settings may change (config.ts), their meaning.

import type { Micros } from '../base/time.ts'
import type { TcpConfig } from './config.ts'
import { congestionControl } from './congestion/index.ts'
import { UNLIMITED_WINDOW } from './congestion/none.ts'
import { updateSendMss } from './path-mtu.ts'
import { beginPrr } from './prr.ts'
import { backedOffRtoUs } from './rtt.ts'
import { isSynchronized } from './state.ts'
import type { Tcb } from './tcb.ts'
import { userTimeoutUs } from './user-timeout.ts'

const NEVER = Number.POSITIVE_INFINITY

/** The application has changed settings: `before` are those that held until now. */
export function noteRetuned(tcb: Tcb, before: TcpConfig): void {
  const { life } = tcb
  life.retunedFrom ??= before
  life.isUserTimeoutDue ||= tcb.config.userTimeoutOption && before.userTimeoutUs !== tcb.config.userTimeoutUs
}

/** Draws the consequences, once the time is known. */
export function retune(tcb: Tcb, now: Micros): void {
  const before = tcb.life.retunedFrom
  tcb.life.retunedFrom = null
  if (before === null || tcb.state === 'CLOSED') return
  retuneKeepAlive(tcb, before, now)
  if (tcb.config.congestion !== tcb.control.name) swapControl(tcb, now)
  if (tcb.config.pacing !== before.pacing && tcb.control.ownsRecovery !== true) tcb.cc.pacingRate = 0
  if (!isSynchronized(tcb.state) || tcb.state === 'TIME-WAIT') return
  if (tcb.config.mss !== before.mss) updateSendMss(tcb)
  const { timers } = tcb
  if (timers.retransmit !== NEVER) {
    const latest = Math.min(now + backedOffRtoUs(tcb.rtt, tcb.config), tcb.progressAt + userTimeoutUs(tcb))
    timers.retransmit = Math.min(timers.retransmit, latest)
  }
  if (timers.persist !== NEVER) timers.persist = Math.min(timers.persist, now + tcb.config.maxRtoUs)
}

/** RFC 9293 §3.8.4 [MUST-27]: the idle time counts from when the peer was heard last, the interval from the last probe; as Linux. */
function retuneKeepAlive(tcb: Tcb, before: TcpConfig, now: Micros): void {
  const { timers, config } = tcb
  if (!config.keepAlive) {
    timers.keepAlive = NEVER
    return
  }
  if (!before.keepAlive) {
    timers.keepAlive = now + config.keepAliveIdleUs
    return
  }
  if (timers.keepAlive === NEVER && before.keepAliveIdleUs !== NEVER && before.keepAliveIntervalUs !== NEVER) return
  const isProbing = tcb.probes > 0 && tcb.snd.flight.bytes === 0
  if (!isProbing && config.keepAliveIdleUs !== before.keepAliveIdleUs) {
    timers.keepAlive = Math.max(now, tcb.heardAt + config.keepAliveIdleUs)
  } else if (isProbing && config.keepAliveIntervalUs !== before.keepAliveIntervalUs) {
    const probedAt = timers.keepAlive === NEVER ? now : timers.keepAlive - before.keepAliveIntervalUs
    timers.keepAlive = Math.max(now, probedAt + config.keepAliveIntervalUs)
  }
}

/**
 * Another congestion controller takes over, with the window and the threshold that the one before has left (as Linux's TCP_CONGESTION); one
 * whose window is fixed sets its own. In recovery it is told of the loss if nobody has said yet how far the window is to go down.
 */
function swapControl(tcb: Tcb, now: Micros): void {
  const { cc, snd, recovery, config, ecn } = tcb
  tcb.control = congestionControl(config.congestion)
  const isEarly = tcb.state === 'SYN-RECEIVED' && tcb.fastOpen.isTaken // Fast Open: the one before is at work already
  if ((!isSynchronized(tcb.state) && !isEarly) || tcb.state === 'TIME-WAIT') return
  // A window that was no limit is none to go on from: what is in flight is what the path has been seen to take.
  const inUse = Math.max(snd.flight.bytes, config.initialWindowSegments * snd.mss)
  const cwnd = cc.cwnd >= UNLIMITED_WINDOW ? inUse : cc.cwnd
  const ssthresh = cc.ssthresh >= UNLIMITED_WINDOW ? NEVER : cc.ssthresh
  tcb.control.init(cc, cwnd, now)
  tcb.undo.isPossible = false // the new one has nothing to put back
  tcb.frto.step = 'off'
  tcb.paceAt = now
  tcb.timers.pace = NEVER
  if (cc.ssthresh === NEVER) cc.ssthresh = ssthresh
  // RFC 3168 §6.1.2: a mark that the one before took no notice of has lowered nothing, and the next loss counts in full.
  if (cc.ssthresh === NEVER && ecn.reduced === 'mark') ecn.reduced = 'no'
  if (recovery.phase === 'open') return
  if (recovery.phase === 'recovery') {
    const threshold = cc.ssthresh
    tcb.control.onLoss(cc, Math.min(snd.flight.bytes, cc.cwnd), now)
    if (threshold !== NEVER) cc.ssthresh = threshold // it has gone down already
    if (tcb.control.ownsRecovery !== true)
      cc.cwnd = Math.max(snd.mss, Math.min(cwnd, Math.max(cc.cwnd, snd.flight.pipe)))
    beginPrr(tcb, 0)
  } else {
    const threshold = cc.ssthresh
    const own = cc.cwnd
    tcb.control.onTimeout(cc, snd.flight.bytes, true, now)
    if (threshold !== NEVER) cc.ssthresh = threshold
    cc.cwnd = own
  }
}
