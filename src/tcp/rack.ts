// RACK: loss told by time (RFC 8985 §6). A piece is lost when one that was sent later has been delivered, and as much time has passed as
// reordering might take. Unlike counting duplicates it also sees lost retransmissions and lost tails, and stands reordering.
// Owns: RACK's variables, judging the flight by them. Does not own: the phases of recovery (loss.ts), tail loss probes (tlp.ts).

import type { Micros } from '../base/time.ts'
import type { DeliverySample } from './delivery.ts'
import { seqDiff, seqGe, seqGt, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** RFC 8985 §6.2 step 4: how many recoveries a widened window lasts. */
const WINDOW_PERSIST = 16

/** RFC 8985 §6.2 steps 2 and 3: takes what an acknowledgement delivered. */
export function updateRack(tcb: Tcb, sample: DeliverySample, now: Micros): void {
  const { rack } = tcb
  if (rack.isDsackRound && seqGe(tcb.snd.una, rack.dsackRound)) rack.isDsackRound = false
  if (sample.delivered === 0) return
  if (sample.hasFresh && rack.sentAt >= 0 && seqLt(sample.lowestFresh, rack.fack)) rack.isReorderingSeen = true
  if (seqGt(sample.highestEnd, rack.fack)) rack.fack = sample.highestEnd
  if (sample.sentAt < 0) return
  const isNewer = sample.sentAt > rack.sentAt || (sample.sentAt === rack.sentAt && seqGt(sample.end, rack.end))
  if (!isNewer) return
  rack.sentAt = sample.sentAt
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
    if (countSacked(tcb) >= tcb.config.dupThresh) return 0
  }
  return Math.min((rack.windowMultiplier * rtt.minUs) / 4, rtt.srttUs)
}

/** Segments that the peer has by its SACK blocks (RACK.segs_sacked); counted no further than DupThresh. */
function countSacked(tcb: Tcb): number {
  const { flight, mss } = tcb.snd
  if (flight.sackedBytes === 0) return 0
  let count = Math.floor(flight.sackedBytes / mss)
  if (count >= tcb.config.dupThresh) return count
  count = 0
  for (let i = flight.size - 1; i >= 0 && count < tcb.config.dupThresh; i--) {
    const entry = flight.at(i)
    if (entry.mark === 'sacked') count += Math.ceil(seqDiff(entry.end, entry.start) / mss)
  }
  return count
}

/** RFC 8985 §6.3: whether a piece of the flight was sent so long ago that a retransmission timeout speaks of it too. */
export function isOverdue(tcb: Tcb, sentAt: Micros, now: Micros): boolean {
  return tcb.rack.sentAt < 0 || sentAt + tcb.rack.rttUs + reorderingWindowUs(tcb) <= now
}

/**
 * RFC 8985 §6.2 step 5: marks lost what was sent long enough before the newest delivery; arms the reordering timer for what may be lost
 * soon. Looks only at pieces sent before that delivery: the first transmissions after it in sequence were also sent after it.
 */
export function detectLostByTime(tcb: Tcb, now: Micros): void {
  const { rack, snd, timers } = tcb
  const { flight } = snd
  timers.reorder = Number.POSITIVE_INFINITY
  if (rack.sentAt < 0 || flight.bytes === flight.sackedBytes) return
  const patience = rack.rttUs + reorderingWindowUs(tcb)
  for (let i = 0; i < flight.size; i++) {
    const entry = flight.at(i)
    if (entry.mark === 'sacked' || entry.mark === 'lost') continue
    const isAfter = entry.sentAt > rack.sentAt || (entry.sentAt === rack.sentAt && seqGe(entry.end, rack.end))
    if (isAfter) {
      if (entry.transmissions === 1) break
      continue
    }
    const lostAt = entry.sentAt + patience
    if (lostAt <= now) flight.mark(i, 'lost')
    else if (timers.reorder === Number.POSITIVE_INFINITY || lostAt > timers.reorder) timers.reorder = lostAt
  }
}
