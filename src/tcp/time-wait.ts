// Connections in TIME-WAIT (RFC 9293 §3.6.1): how many there may be, how little each keeps, and when an active open may take its place.
// Owns: the list of them, oldest first. Does not own: what they answer (segment-arrives.ts), their timer (closing.ts), a SYN of the
// peer's that opens the connection anew (RFC 6191; passive-open.ts).

import { type Micros, SECOND } from '../base/time.ts'
import type { Connection } from './connection.ts'
import { createDelivery } from './delivery.ts'
import { Flight } from './flight.ts'
import { createRack, createTailProbe, UNUSED_FRTO, UNUSED_PRR, UNUSED_UNDO } from './recovery-state.ts'
import { seq } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** Linux's default for 4 GiB of memory and more is 262144; about 115 MB here. */
export const DEFAULT_TIME_WAIT_MAX = 65536
/** A timestamp clock of a millisecond has surely ticked after this (Linux's tcp_tw_reuse). */
const LEAST_AGE_US: Micros = SECOND

// What a connection in TIME-WAIT no longer uses is replaced by these, which are all alike.
const NO_FLIGHT = new Flight()
const NO_RACK = createRack(seq(0))
const NO_PROBE = createTailProbe(seq(0))
const NO_DELIVERY = createDelivery(0)

/** The connections of a host in TIME-WAIT. */
export class TimeWaits {
  readonly #most: number
  readonly #all = new Set<Connection>()

  /** @throws {RangeError} when `most` is not a whole number from 0 on */
  constructor(most: number) {
    if (!(most >= 0) || (most !== Number.POSITIVE_INFINITY && !Number.isInteger(most))) {
      throw new RangeError('timeWaitMax is a whole number from 0 on, or Infinity')
    }
    this.#most = most
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size
  }

  /** Adds one, which gives away what it does not need any more. Returns the one that is too many now: the oldest; null when none is. */
  add(connection: Connection): Connection | null {
    if (this.#all.has(connection)) return null
    this.#all.add(connection)
    shed(connection.tcb)
    if (this.#all.size <= this.#most) return null
    const [oldest] = this.#all
    this.#all.delete(oldest)
    return oldest
  }

  /** Forgets one. */
  delete(connection: Connection): void {
    this.#all.delete(connection)
  }
}

/** Nothing is sent again from here, and nothing judged: recovery's parts go. Numbers, timestamps, unread text and the estimates stay. */
function shed(tcb: Tcb): void {
  tcb.totals.bytesAcked = tcb.delivery.delivered
  tcb.snd.flight = NO_FLIGHT
  tcb.rack = NO_RACK
  tcb.prr = UNUSED_PRR
  tcb.undo = UNUSED_UNDO
  tcb.frto = UNUSED_FRTO
  tcb.tlp = NO_PROBE
  tcb.delivery = NO_DELIVERY
  tcb.cc.data = null
}

/**
 * Whether an active open may use the four values of a connection in TIME-WAIT: with timestamps, when the new connection's are surely
 * greater than all that the old one sent, so that old duplicates of it are told apart (RFC 6191 §2, RFC 7323 §5).
 */
export function isReusable(tcb: Tcb, now: Micros): boolean {
  if (tcb.state !== 'TIME-WAIT' || !tcb.ts.enabled) return false
  return now - (tcb.timers.linger - 2 * tcb.config.mslUs) >= LEAST_AGE_US
}
