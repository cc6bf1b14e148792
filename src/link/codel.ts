// Controlled delay (RFC 8289): drops from the head of the queue while packets have waited longer than a target for a whole interval,
// faster and faster until they do not.
// Owns: the control law. Does not own: the line (shape.ts). Names follow the pseudocode of RFC 8289 §5.

import { MILLISECOND, type Micros } from '../base/time.ts'
import type { Packet } from './device.ts'
import { ecnField, markCe } from './ecn-mark.ts'
import { DropTail, type QueueLimits } from './queue-discipline.ts'

/** Settings of CoDel. */
export interface CodelOptions {
  readonly limits?: QueueLimits
  /** How long packets may wait, standing. Default 5 ms (RFC 8289 §4.4). */
  readonly targetUs?: Micros
  /** About the longest round trip of those who send. Default 100 ms (RFC 8289 §4.3). */
  readonly intervalUs?: Micros
  /** A standing queue of less than this is none: a packet of full size. */
  readonly mtu?: number
}

interface Head {
  readonly packet: Packet | null
  readonly mayDrop: boolean
}

/** A queue that keeps the time packets wait short; packets that are ECN-capable are marked instead of dropped. */
export class Codel extends DropTail {
  override readonly name = 'codel'
  readonly #target: Micros
  readonly #interval: Micros
  readonly #mtu: number
  #firstAbove: Micros = 0
  #dropNext: Micros = 0
  #count = 0
  #lastCount = 0
  #dropping = false

  /** @throws {RangeError} for a limit or a time that is not above 0 */
  constructor(options: CodelOptions = {}) {
    const { targetUs = 5 * MILLISECOND, intervalUs = 100 * MILLISECOND, mtu = 1500 } = options
    super(options.limits)
    if (!(targetUs > 0 && intervalUs > targetUs)) throw new RangeError('CoDel needs 0 < targetUs < intervalUs')
    this.#target = targetUs
    this.#interval = intervalUs
    this.#mtu = mtu
  }

  override dequeue(now: Micros): Packet | null {
    let head = this.#take(now)
    if (this.#dropping) {
      if (!head.mayDrop) this.#dropping = false
      while (this.#dropping && now >= this.#dropNext && head.packet !== null) {
        this.#count++
        if (this.#signal(head.packet)) {
          this.#dropNext = this.#law(this.#dropNext)
          return head.packet
        }
        head = this.#take(now)
        if (head.mayDrop) this.#dropNext = this.#law(this.#dropNext)
        else this.#dropping = false
      }
    } else if (head.mayDrop && head.packet !== null) {
      const isMarked = this.#signal(head.packet)
      if (!isMarked) head = this.#take(now)
      this.#dropping = true
      // §5.4: who has just stopped goes on about where it was.
      const delta = this.#count - this.#lastCount
      this.#count = delta > 1 && now - this.#dropNext < 16 * this.#interval ? delta : 1
      this.#lastCount = this.#count
      this.#dropNext = this.#law(now)
    }
    return head.packet
  }

  /** Marks a packet, or drops it and returns false. */
  #signal(packet: Packet): boolean {
    if (ecnField(packet) !== 0) {
      markCe(packet)
      return true
    }
    this.onDrop?.(packet, 'late')
    return false
  }

  #law(from: Micros): Micros {
    return from + this.#interval / Math.sqrt(this.#count)
  }

  #take(now: Micros): Head {
    const first = this.line.shift()
    if (first === null) {
      this.#firstAbove = 0
      return { packet: null, mayDrop: false }
    }
    if (now - first.since < this.#target || this.line.bytes <= this.#mtu) {
      this.#firstAbove = 0
      return { packet: first.packet, mayDrop: false }
    }
    if (this.#firstAbove === 0) this.#firstAbove = now + this.#interval
    else if (now >= this.#firstAbove) return { packet: first.packet, mayDrop: true }
    return { packet: first.packet, mayDrop: false }
  }
}
