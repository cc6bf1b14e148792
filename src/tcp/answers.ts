// Segments that answer a stranger: no connection stands behind them, so they wait here until they are sent.
// Owns: the queue and its bound. Does not own: what they say (reset.ts, syn-cookies.ts).

import { IpAddress } from '../ip/address.ts'
import { SegmentPlan } from './header.ts'

/** A burst of strangers is answered up to here. */
const MOST_WAITING = 64

/** One segment, between whom, and with what in its IP header. */
export class Answer {
  readonly local = new IpAddress()
  readonly remote = new IpAddress()
  readonly plan = new SegmentPlan()
  hopLimit = 0
  trafficClass = 0
}

/** Answers that wait to be sent; at most 64, what comes on top is not answered. The records are used again and again. */
export class AnswerQueue {
  readonly #slots: Answer[] = []
  #first = 0
  #count = 0

  /** How many wait. */
  get size(): number {
    return this.#count
  }

  /** Adds an answer, its plan empty; null when there is no room. */
  add(local: IpAddress, remote: IpAddress, hopLimit: number, trafficClass: number): Answer | null {
    if (this.#count === MOST_WAITING) return null
    const at = (this.#first + this.#count) % MOST_WAITING
    this.#slots[at] ??= new Answer()
    const answer = this.#slots[at]
    this.#count++
    answer.local.assign(local)
    answer.remote.assign(remote)
    answer.hopLimit = hopLimit
    answer.trafficClass = trafficClass
    answer.plan.reset()
    return answer
  }

  /** Takes out the next one, which stays as it is until the next `add`; null when none waits. */
  take(): Answer | null {
    if (this.#count === 0) return null
    const answer = this.#slots[this.#first]
    this.#first = (this.#first + 1) % MOST_WAITING
    this.#count--
    return answer
  }
}
