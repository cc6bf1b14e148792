// Random early detection (Floyd and Jacobson, "Random Early Detection Gateways for Congestion Avoidance", 1993; "gentle" as Floyd added
// it in 2000): drops some packets before the queue is full, the more the longer it has been on average.
// Owns: the average and the dice. Does not own: the line (shape.ts).
//
//   drop    1 |                         /|
//             |                       /  |
//        maxP |                .-----'   |     average queue
//             |________.------'__________|____
//                     min      max     2 max

import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import type { Packet } from './device.ts'
import { ecnField, markCe } from './ecn-mark.ts'
import { DropTail, type QueueLimits } from './queue-discipline.ts'

/** Settings of RED; thresholds in packets. */
export interface RedOptions {
  readonly random: Random
  readonly limits?: QueueLimits
  /** Below this average nothing is dropped. Default 5. */
  readonly minPackets?: number
  /** From here on the chance rises steeply, to 1 at twice this. Default three times the least. */
  readonly maxPackets?: number
  /** The chance at `maxPackets`. Default 0.1. */
  readonly maxChance?: number
  /** Weight of the present length in the average. Default 0.002. */
  readonly weight?: number
  /** How long a packet takes on the line, for the average of an empty queue. Default 1 ms. */
  readonly packetUs?: Micros
}

/** A queue that drops early, at random; packets that are ECN-capable are marked instead (RFC 3168 §5). */
export class Red extends DropTail {
  override readonly name = 'red'
  readonly #random: Random
  readonly #min: number
  readonly #max: number
  readonly #maxChance: number
  readonly #weight: number
  readonly #packetUs: Micros
  #average = 0
  #sinceDrop = -1
  #idleSince: Micros = 0

  /** @throws {RangeError} when the thresholds do not make sense */
  constructor(options: RedOptions) {
    const { minPackets = 5, maxPackets = 3 * minPackets, maxChance = 0.1, weight = 0.002, packetUs = 1000 } = options
    super(options.limits)
    if (!(minPackets > 0 && maxPackets > minPackets)) throw new RangeError('RED needs 0 < minPackets < maxPackets')
    if (!(maxChance > 0 && maxChance <= 1 && weight > 0 && weight <= 1)) {
      throw new RangeError('RED needs maxChance and weight above 0 and at most 1')
    }
    this.#random = options.random
    this.#min = minPackets
    this.#max = maxPackets
    this.#maxChance = maxChance
    this.#weight = weight
    this.#packetUs = packetUs
  }

  override enqueue(packet: Packet, now: Micros): boolean {
    this.#measure(now)
    if (!this.line.fits(packet.length)) {
      this.#sinceDrop = 0
      return super.enqueue(packet, now)
    }
    if (!this.#isHit()) return super.enqueue(packet, now)
    if (ecnField(packet) === 0) {
      this.onDrop?.(packet, 'early')
      return false
    }
    const marked = packet.clone() // what was handed in is borrowed
    markCe(marked)
    return super.enqueue(marked, now)
  }

  override dequeue(now: Micros): Packet | null {
    const first = this.line.shift()
    if (this.line.packets === 0) this.#idleSince = now
    return first?.packet ?? null
  }

  #measure(now: Micros): void {
    if (this.line.packets > 0) {
      this.#average += this.#weight * (this.line.packets - this.#average)
      return
    }
    // As if so many small packets had found the queue empty meanwhile.
    this.#average *= (1 - this.#weight) ** Math.max(0, (now - this.#idleSince) / this.#packetUs)
  }

  #isHit(): boolean {
    const average = this.#average
    if (average < this.#min) {
      this.#sinceDrop = -1
      return false
    }
    this.#sinceDrop++
    const isSteep = average >= this.#max
    const base = isSteep
      ? this.#maxChance + ((1 - this.#maxChance) * (average - this.#max)) / this.#max
      : (this.#maxChance * (average - this.#min)) / (this.#max - this.#min)
    // Evens the gaps between drops out.
    const chance = base / Math.max(1e-9, 1 - Math.min(this.#sinceDrop * base, 1))
    if (this.#random.fraction() >= chance) return false
    this.#sinceDrop = 0
    return true
  }
}
