// RACK: loss told by time (RFC 8985 §6). A piece is lost when one that was sent later has been delivered, and as much time has passed as
// reordering might take. Unlike counting duplicates it also sees lost retransmissions and lost tails, and stands reordering.
// Owns: RACK's variables, judging the flight by them. Does not own: the phases of recovery (loss.ts), tail loss probes (tlp.ts).

import type { Micros } from '../base/time.ts'
import type { DeliverySample } from './delivery.ts'
import { isSentAfter } from './flight-entry.ts'
import { markLost } from './mark-lost.ts'
import { seqDiff, seqGe, seqGt, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** RFC 8985 §6.2 step 4: how many recoveries a widened window lasts. */
const WINDOW_PERSIST = 16
/** The most that is told of reordering, in segments (Linux's tcp_max_reordering). */
const MOST_REORDERING = 300

/** RFC 8985 §6.2 steps 2 and 3: takes what an acknowledgement delivered. */
export function updateRack(tcb: Tcb, sample: DeliverySample, now: Micros): void {
  const { rack } = tcb
  if (rack.isDsackRound && seqGe(tcb.snd.una, rack.dsackRound)) rack.isDsackRound = false
  if (sample.delivered === 0) return
  if (sample.hasFresh && rack.sentAt >= 0 && seqLt(sample.lowestFresh, rack.fack)) {
    rack.isReorderingSeen = true
    rack.reorderings++
    const distance = Math.ceil(seqDiff(rack.fack, sample.lowestFresh) / tcb.snd.mss)
    rack.reordering = Math.max(rack.reordering, Math.min(distance, MOST_REORDERING))
    tcb.counters.TcpExtTCPSACKReorder++
  }
  if (seqGt(sample.highestEnd, rack.fack)) rack.fack = sample.highestEnd
  if (sample.sentAt < 0) return
  if (!isSentAfter(sample, rack)) return
  rack.sentAt = sample.sentAt
  rack.order = sample.order
  rack.end = sample.end
  rack.rttUs = now - sample.sentAt
}

/** RFC 8985 §6.2 step 4: a DSACK says that a retransmission was needless: wait longer, at most once a round trip. */
export function onDsack(tcb: Tcb): void {
  const { rack, snd } = tcb
  if (rack.isDsackRound && seqLt(snd.una, rack.dsackRound)) return
  rack.isDsackRound = true
  rack.dsackRound = snd.nxt
  rack.windowMultiplier++
  rack.windowPersist = WINDOW_PERSIST
}

/** A recovery is over: a widened window wears off. */
export function onRecoveryEnd(tcb: Tcb): void {
  const { rack } = tcb
  if (rack.windowPersist > 0 && --rack.windowPersist === 0) rack.windowMultiplier = 1
}

/** RFC 8985 §6.2 step 4: how long reordering is waited for. */
function reorderingWindowUs(tcb: Tcb): Micros {
  const { rack, rtt, recovery } = tcb
  if (!rack.isReorderingSeen) {
    if (recovery.phase !== 'open') return 0
    if (tcb.snd.flight.sackedSegments >= tcb.config.dupThresh) return 0
  }
  return Math.min((rack.windowMultiplier * rtt.minUs) / 4, rtt.srttUs)
}

/** RFC 8985 §6.3: whether a piece of the flight was sent so long ago that a retransmission timeout speaks of it too. */
export function isOverdue(tcb: Tcb, sentAt: Micros, now: Micros): boolean {
  return tcb.rack.sentAt < 0 || sentAt + tcb.rack.rttUs + reorderingWindowUs(tcb) <= now
}

/**
 * RFC 8985 §6.2 step 5: marks lost what was sent long enough before the newest delivery; arms the reordering timer for what may be lost
 * soon. Looks, in the order of sending, only at what is in the network and was sent before that delivery: each time a piece is looked at
 * again it is one in doubt, for no longer than the reordering window.
 */
export function detectLostByTime(tcb: Tcb, now: Micros): void {
  const { rack, snd, timers } = tcb
  timers.reorder = Number.POSITIVE_INFINITY
  if (rack.sentAt < 0) return
  const patience = rack.rttUs + reorderingWindowUs(tcb)
  let entry = snd.flight.oldest
  while (entry !== null && isSentAfter(rack, entry)) {
    const { newer } = entry
    const lostAt = entry.sentAt + patience
    if (lostAt <= now) markLost(tcb, entry, 'rack')
    else timers.reorder = lostAt
    entry = newer
  }
}
