// Packets on their way: each is held until its instant and then released, the earliest first, equal instants in order of arrival.
// Owns: the heap, the one timer, the copies. Does not own: choosing the instants (impair.ts).

import type { Micros, ScheduledTask, Scheduler } from '../base/time.ts'
import { Packet } from './device.ts'
import { PacketPool } from './packet-queue.ts'

const EMPTY = new Packet(new Uint8Array(0))

class Held {
  at: Micros = 0
  order = 0
  packet: Packet = EMPTY
}

/** What a DelayLine needs. */
export interface DelayLineOptions {
  readonly scheduler: Scheduler
  /** Packets held at most; further ones are refused. */
  readonly limit: number
  /** Takes a packet whose instant has come; borrowed until it returns. */
  readonly release: (packet: Packet) => void
  /** Called once after each group of packets released at one instant. */
  readonly released: () => void
}

/** A line that delays packets, in virtual or real time. */
export class DelayLine {
  readonly #options: DelayLineOptions
  readonly #pool = new PacketPool()
  readonly #heap: Held[] = []
  readonly #spare: Held[] = []
  readonly #wake: () => void
  #order = 0
  #timer: ScheduledTask | null = null
  #timerAt: Micros = Number.POSITIVE_INFINITY

  constructor(options: DelayLineOptions) {
    this.#options = options
    this.#wake = () => {
      this.#timer = null
      this.#timerAt = Number.POSITIVE_INFINITY
      this.#release(options.scheduler.now())
    }
  }

  /** Packets held now. */
  get size(): number {
    return this.#heap.length
  }

  /** When the next packet is due; Infinity when none is held. */
  get nextAt(): Micros {
    return this.#heap.length === 0 ? Number.POSITIVE_INFINITY : this.#heap[0].at
  }

  /** Holds a copy of `packet` until `at`. Returns false when the line is full. */
  push(packet: Packet, at: Micros): boolean {
    if (this.#heap.length >= this.#options.limit) return false
    const held = this.#spare.pop() ?? new Held()
    held.at = at
    held.order = this.#order++
    held.packet = this.#pool.copy(packet)
    this.#heap.push(held)
    this.#up(this.#heap.length - 1)
    this.#arm()
    return true
  }

  /** Releases all packets at once, in the order in which they would have left. */
  releaseAll(): void {
    this.#release(Number.POSITIVE_INFINITY)
  }

  /** Forgets all packets and the timer. */
  clear(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#heap.length = 0
  }

  #arm(): void {
    if (this.#heap.length === 0 || this.#heap[0].at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = this.#heap[0].at
    this.#timer = this.#options.scheduler.schedule(this.#timerAt, this.#wake)
  }

  #release(until: Micros): void {
    let any = false
    while (this.#heap.length > 0 && this.#heap[0].at <= until) {
      const held = this.#pop()
      any = true
      this.#options.release(held.packet)
      this.#pool.recycle(held.packet)
      held.packet = EMPTY
      this.#spare.push(held)
    }
    if (any) this.#options.released()
    this.#arm()
  }

  #pop(): Held {
    const top = this.#heap[0]
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) {
      this.#heap[0] = last
      this.#down(0)
    }
    return top
  }

  #up(index: number): void {
    const heap = this.#heap
    const moved = heap[index]
    let i = index
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(moved, heap[parent])) break
      heap[i] = heap[parent]
      i = parent
    }
    heap[i] = moved
  }

  #down(index: number): void {
    const heap = this.#heap
    const moved = heap[index]
    let i = index
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
      if (!isBefore(heap[child], moved)) break
      heap[i] = heap[child]
      i = child
    }
    heap[i] = moved
  }
}

function isBefore(a: Held, b: Held): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
