// What was delivered, and how fast (draft-cheng-iccrg-delivery-rate-estimation §3): each sent piece remembers how much had been delivered
// when it left, so that its acknowledgement tells the rate between.
// Owns: the counts, the sample of one acknowledgement. Does not own: what is made of it (rack.ts, congestion/).

import type { Micros } from '../base/time.ts'
import type { DeliveryCounts, FlightEntry } from './flight.ts'
import { isSentAfter } from './flight-entry.ts'
import { type Seq, seqAdd, seqGt } from './seq.ts'

/** The pieces that one acknowledgement delivered, summed up. */
export class DeliverySample {
  /** Sequence space newly delivered. */
  delivered = 0
  /** Of the newest piece delivered: `DeliveryCounts.delivered` when it was sent, -1 when nothing was delivered. */
  priorDelivered = -1
  priorAt: Micros = 0
  sendElapsed: Micros = 0
  isAppLimited = false
  /** Of the piece sent last (RFC 8985 §6.2 step 2): when, as which transmission, and its end. -1 when nothing was delivered that tells. */
  sentAt: Micros = -1
  order = 0
  end: Seq = 0 as Seq
  /** A piece that was sent again after this does not tell: the acknowledgement may be of an earlier copy. */
  trustedUntil: Micros = 0
  /** When the latest of the pieces went that were sent more than once; -1 when none was. */
  resentAt: Micros = -1
  /** Greatest end and least end of pieces that were sent once: what reordering is seen by (RFC 8985 §6.2 step 3). */
  lowestFresh: Seq = 0 as Seq
  highestEnd: Seq = 0 as Seq
  hasFresh = false
  /** When the latest of the pieces went that were sent once; -1 when none was. */
  freshAt: Micros = -1

  /** Begins a new acknowledgement; see `trustedUntil`. */
  reset(trustedUntil: Micros): void {
    this.trustedUntil = trustedUntil
    this.delivered = 0
    this.priorDelivered = -1
    this.sentAt = -1
    this.resentAt = -1
    this.hasFresh = false
    this.freshAt = -1
  }

  /** Takes the first `length` octets of a piece, newly acknowledged or SACKed. A super-segment may go in part. */
  add(entry: Readonly<FlightEntry>, length: number, state: DeliveryCounts): void {
    const end = seqAdd(entry.start, length)
    if (this.delivered === 0 || seqGt(end, this.highestEnd)) this.highestEnd = end
    this.delivered += length
    if (entry.delivered >= this.priorDelivered) {
      this.priorDelivered = entry.delivered
      this.priorAt = entry.deliveredAt
      this.isAppLimited = entry.isAppLimited
      this.sendElapsed = entry.sentAt - entry.firstSentAt
      state.firstSentAt = entry.sentAt
    }
    if (isSentAfter(entry, this) && (entry.transmissions === 1 || entry.sentAt <= this.trustedUntil)) {
      this.sentAt = entry.sentAt
      this.order = entry.order
      this.end = end
    }
    if (entry.transmissions > 1) {
      this.resentAt = Math.max(this.resentAt, entry.sentAt)
      return
    }
    this.freshAt = Math.max(this.freshAt, entry.sentAt)
    if (!this.hasFresh || seqGt(this.lowestFresh, end)) this.lowestFresh = end
    this.hasFresh = true
  }
}

/** Nothing delivered yet. */
export function createDelivery(now: Micros): DeliveryCounts {
  return { delivered: 0, deliveredAt: now, firstSentAt: now, appLimitedUntil: 0 }
}

/** Ends an acknowledgement: the counts grow. Returns the delivery rate in bytes per second, -1 when it cannot be told (§3.3). */
export function takeSample(state: DeliveryCounts, sample: DeliverySample, minRttUs: Micros, now: Micros): number {
  if (sample.delivered === 0) return -1
  state.delivered += sample.delivered
  state.deliveredAt = now
  if (state.appLimitedUntil > 0 && state.delivered > state.appLimitedUntil) state.appLimitedUntil = 0
  if (sample.priorDelivered < 0) return -1
  const interval = Math.max(sample.sendElapsed, now - sample.priorAt)
  if (interval <= 0 || interval < minRttUs) return -1
  return ((state.delivered - sample.priorDelivered) * 1e6) / interval
}
