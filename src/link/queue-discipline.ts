// What a router does with packets that wait for its line: the interface, and the plain queue (drop-tail).
// Owns: DropTail and the ring below all disciplines. Does not own: the line (shape.ts), RED (red.ts), CoDel (codel.ts).
// Read first: RFC 7567 (what queues should do).

import type { Micros } from '../base/time.ts'
import type { Packet } from './device.ts'

/** Why a discipline did not let a packet through. */
export type QueueDrop = 'full' | 'early' | 'late'

/** Is told of each packet that a queue drops; the packet is borrowed. */
export type DropListener = (packet: Packet, reason: QueueDrop) => void

/** A queue before a line. The packet being sent is not in it. */
export interface QueueDiscipline {
  readonly name: string
  /** Packets that wait now. */
  readonly packets: number
  /** Bytes that wait now. */
  readonly bytes: number
  /** Who is told of drops; one listener. */
  onDrop: DropListener | null
  /** Takes a copy of a packet, borrowed. Returns false when it was dropped. */
  enqueue(packet: Packet, now: Micros): boolean
  /** The next packet to send, owned by the caller; null when none waits. May drop some on the way. */
  dequeue(now: Micros): Packet | null
}

/** How much may wait. */
export interface QueueLimits {
  readonly packets?: number
  readonly bytes?: number
}

interface Waiting {
  readonly packet: Packet
  readonly since: Micros
}

/** First in, first out, with the time that each packet came: what the disciplines are built on. */
export class WaitingLine {
  readonly #limits: QueueLimits
  readonly #waiting: Waiting[] = []
  #head = 0
  #bytes = 0

  /** @throws {RangeError} for a limit that is not above 0 */
  constructor(limits: QueueLimits) {
    for (const [name, value] of Object.entries(limits)) {
      if (!((value as number) > 0)) throw new RangeError(`the queue's limit of ${name} is above 0, not ${value}`)
    }
    this.#limits = limits
  }

  /** Packets that wait. */
  get packets(): number {
    return this.#waiting.length - this.#head
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether another packet of so many bytes fits. */
  fits(length: number): boolean {
    const { packets = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = this.#limits
    return this.packets < packets && this.#bytes + length <= bytes
  }

  /** Adds a copy. */
  push(packet: Packet, now: Micros): void {
    this.#bytes += packet.length
    this.#waiting.push({ packet: packet.clone(), since: now })
  }

  /** Takes the oldest; null when there is none. */
  shift(): Waiting | null {
    if (this.packets === 0) return null
    const first = this.#waiting[this.#head++]
    this.#bytes -= first.packet.length
    if (this.#head >= 1024 || this.#head === this.#waiting.length) {
      this.#waiting.splice(0, this.#head)
      this.#head = 0
    }
    return first
  }
}

/** Takes what fits and drops the rest. */
export class DropTail implements QueueDiscipline {
  readonly name: string = 'drop-tail'
  onDrop: DropListener | null = null
  protected readonly line: WaitingLine

  /** @throws {RangeError} for a limit that is not above 0 */
  constructor(limits: QueueLimits = { packets: 1000 }) {
    this.line = new WaitingLine(limits)
  }

  get packets(): number {
    return this.line.packets
  }

  get bytes(): number {
    return this.line.bytes
  }

  enqueue(packet: Packet, now: Micros): boolean {
    if (!this.line.fits(packet.length)) {
      this.onDrop?.(packet, 'full')
      return false
    }
    this.line.push(packet, now)
    return true
  }

  /** The next packet, or null; `now` matters to those that look how long it has waited. */
  dequeue(_now: Micros): Packet | null {
    return this.line.shift()?.packet ?? null
  }
}
