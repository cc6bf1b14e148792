// Packets on their way: each is held until its instant and then released, the earliest first, equal instants in order of arrival.
// Packets mostly come in the order in which they leave: those stand in a queue, and only the others in a heap.
// Owns: queue and heap, the one timer, the copies. Does not own: choosing the instants (impair.ts).

import { Fifo } from '../base/fifo.ts'
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
  /** In the order in which they leave. */
  readonly #queue = new Fifo<Held>()
  /** Those that leave before the last one of the queue. */
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
    return this.#queue.size + this.#heap.length
  }

  /** When the next packet is due; Infinity when none is held. */
  get nextAt(): Micros {
    const queued = this.#queue.first()?.at ?? Number.POSITIVE_INFINITY
    return this.#heap.length === 0 ? queued : Math.min(queued, this.#heap[0].at)
  }

  /** Holds a copy of `packet`, or itself when it is given, until `at`. Returns false when the line is full. */
  push(packet: Packet, at: Micros, isGiven = false): boolean {
    if (this.size >= this.#options.limit) return false
    const held = this.#spare.pop() ?? new Held()
    held.at = at
    held.order = this.#order++
    held.packet = isGiven ? this.#pool.take(packet) : this.#pool.copy(packet)
    const last = this.#queue.last()
    if (last === null || at >= last.at) this.#queue.push(held)
    else {
      this.#heap.push(held)
      this.#up(this.#heap.length - 1)
    }
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
    this.#queue.clear()
  }

  #arm(): void {
    const { nextAt } = this
    if (nextAt >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = nextAt
    this.#timer = this.#options.scheduler.schedule(this.#timerAt, this.#wake)
  }

  #release(until: Micros): void {
    let any = false
    for (let held = this.#first(); held !== null && held.at <= until; held = this.#first()) {
      if (held === this.#queue.first()) this.#queue.shift()
      else this.#pop()
      any = true
      this.#options.release(held.packet)
      this.#pool.recycle(held.packet)
      held.packet = EMPTY
      this.#spare.push(held)
    }
    if (any) this.#options.released()
    this.#arm()
  }

  /** What leaves next, and stays; null when nothing is held. */
  #first(): Held | null {
    const queued = this.#queue.first()
    return this.#heap.length > 0 && (queued === null || isBefore(this.#heap[0], queued)) ? this.#heap[0] : queued
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
