// Resets for segments that belong to no connection, or that a connection does not accept while it opens (RFC 9293 §3.5.2, §3.10.7.1).
// Owns: what such a reset looks like. Does not own: resets of a connection of our own (output.ts).

import { assert } from '../base/assert.ts'
import type { IpAddress } from '../ip/address.ts'
import { FLAG, type SegmentHeader, SegmentPlan } from './header.ts'
import { seq, seqAdd } from './seq.ts'

/** A burst of stray segments is answered up to here. */
const MOST_WAITING = 64

/** Fills in the reset that answers `segment`; returns false when it is itself a reset, which is never answered. */
export function planReset(segment: SegmentHeader, plan: SegmentPlan): boolean {
  if ((segment.flags & FLAG.RST) !== 0) return false
  plan.reset()
  plan.sourcePort = segment.destinationPort
  plan.destinationPort = segment.sourcePort
  plan.window = 0
  if ((segment.flags & FLAG.ACK) !== 0) {
    plan.seq = segment.ack
    plan.ack = seq(0)
    plan.flags = FLAG.RST
  } else {
    plan.seq = seq(0)
    plan.ack = seqAdd(segment.seq, segment.length)
    plan.flags = FLAG.RST | FLAG.ACK
  }
  return true
}

interface WaitingReset {
  readonly local: IpAddress
  readonly remote: IpAddress
  readonly plan: SegmentPlan
}

/** Resets that wait to be sent; at most MOST_WAITING, what comes on top is not answered. */
export class ResetQueue {
  readonly #waiting: WaitingReset[] = []
  #current: WaitingReset | null = null

  /** How many wait. */
  get size(): number {
    return this.#waiting.length
  }

  /** Queues the reset that answers `segment`, which came from `remote` to our `local`. */
  add(local: IpAddress, remote: IpAddress, segment: SegmentHeader): void {
    if (this.#waiting.length >= MOST_WAITING) return
    const plan = new SegmentPlan()
    if (planReset(segment, plan)) this.#waiting.push({ local: local.clone(), remote: remote.clone(), plan })
  }

  /** Copies the next reset into `plan`; its addresses are then `local` and `remote`. */
  next(plan: SegmentPlan): boolean {
    const next = this.#waiting.shift()
    if (next === undefined) return false
    this.#current = next
    const { sourcePort, destinationPort, seq, ack, flags } = next.plan
    plan.reset()
    plan.sourcePort = sourcePort
    plan.destinationPort = destinationPort
    plan.seq = seq
    plan.ack = ack
    plan.flags = flags
    plan.window = 0
    return true
  }

  /** Our address of the reset taken last. */
  get local(): IpAddress {
    assert(this.#current !== null, 'reset queue: nothing was taken')
    return this.#current.local
  }

  /** The peer's address of the reset taken last. */
  get remote(): IpAddress {
    assert(this.#current !== null, 'reset queue: nothing was taken')
    return this.#current.remote
  }
}
