// Two devices joined by a cable in memory: what one sends the other receives, in order, at the same instant.
// Owns: the two bounded queues and the recycling of packets. Does not own: delay, loss and rate (impair.ts), time (the scheduler).
// Invariant: delivery is never reentrant. `send` only queues; the other end is told through `scheduler.defer`.

import type { Scheduler } from '../base/time.ts'
import {
  type DeviceCounters,
  deviceCounters,
  MAX_PACKET,
  NO_OFFLOAD,
  type Offload,
  type Packet,
  type PacketDevice,
  type PacketSink,
} from './device.ts'
import { PacketQueue } from './packet-queue.ts'

/** Options of memoryPair. */
export interface MemoryPairOptions {
  readonly scheduler: Scheduler
  /** Largest IP packet on the cable in bytes, 68 to 65535. Default 1500. */
  readonly mtu?: number
  /** Names of the two ends. Default `['left', 'right']`. */
  readonly names?: readonly [string, string]
  /** Largest super-segment or super-datagram the cable takes, up to 65535; handed over whole. Default 0: no offload of any kind. */
  readonly superSegmentBytes?: number
  /** Packets that wait at each end before further ones are dropped, as `txqueuelen`. Default 1000. */
  readonly txQueueLength?: number
}

/**
 * Makes two devices joined by a cable in memory. A packet larger than the MTU, or sent while the queue at the other end is full
 * or the other end is closed, is dropped and counted in the sender's `txDropped`.
 * @throws {RangeError} when the MTU, the queue length or the super-segment size is out of its bounds
 */
export function memoryPair(options: MemoryPairOptions): readonly [PacketDevice, PacketDevice] {
  const { mtu = 1500, names = ['left', 'right'], superSegmentBytes = 0, txQueueLength = 1000 } = options
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > MAX_PACKET) {
    throw new RangeError(`mtu is a whole number from 68 to ${MAX_PACKET}, not ${mtu}`)
  }
  if (!Number.isInteger(txQueueLength) || txQueueLength < 1) {
    throw new RangeError(`txQueueLength is a whole number above 0, not ${txQueueLength}`)
  }
  if (!Number.isInteger(superSegmentBytes) || superSegmentBytes < 0 || superSegmentBytes > MAX_PACKET) {
    throw new RangeError(`superSegmentBytes is a whole number from 0 to ${MAX_PACKET}, not ${superSegmentBytes}`)
  }
  const offload =
    superSegmentBytes === 0 ? NO_OFFLOAD : { checksum: true, superSegmentBytes, superDatagramBytes: superSegmentBytes }
  const left = new PairDevice(names[0], mtu, offload, options.scheduler, txQueueLength)
  const right = new PairDevice(names[1], mtu, offload, options.scheduler, txQueueLength)
  left.peer = right
  right.peer = left
  return [left, right]
}

class PairDevice implements PacketDevice {
  readonly name: string
  readonly mtu: number
  readonly offload: Offload
  readonly counters: DeviceCounters = deviceCounters()
  /** The other end; set once by memoryPair. */
  peer: PairDevice | null = null
  /** Packets that have arrived here. */
  readonly #queue: PacketQueue
  readonly #scheduler: Scheduler
  readonly #announce: () => void
  #announced = false
  #readable: (() => void) | null = null
  #onClose: ((error: Error | null) => void) | null = null
  #open = true

  constructor(name: string, mtu: number, offload: Offload, scheduler: Scheduler, txQueueLength: number) {
    this.name = name
    this.mtu = mtu
    this.offload = offload
    this.#scheduler = scheduler
    this.#queue = new PacketQueue(txQueueLength)
    this.#announce = () => {
      this.#announced = false
      if (this.#queue.size > 0) this.#readable?.()
    }
  }

  onReadable(listener: (() => void) | null): void {
    this.#readable = listener
    this.#announceLater()
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.#onClose = listener
  }

  receive(sink: PacketSink, limit: number): number {
    let count = 0
    while (count < limit) {
      const packet = this.#queue.shift()
      if (packet === null) return count
      count++
      this.counters.rxPackets++
      this.counters.rxBytes += packet.length
      sink(packet)
      this.#queue.recycle(packet)
    }
    this.#announceLater()
    return count
  }

  send(packet: Packet): boolean {
    return this.#pass(packet, false)
  }

  give(packet: Packet): boolean {
    return this.#pass(packet, true)
  }

  #pass(packet: Packet, isGiven: boolean): boolean {
    const most = packet.segmentBytes > 0 ? Math.max(this.offload.superSegmentBytes, this.mtu) : this.mtu
    if (!this.#open || packet.length > most || !this.peer?.arrive(packet, isGiven)) {
      this.counters.txDropped++
      return false
    }
    this.counters.txPackets++
    this.counters.txBytes += packet.length
    return true
  }

  /** Takes a packet from the other end, or a copy of it. Returns false when this end is closed or its queue is full. */
  arrive(packet: Packet, isGiven: boolean): boolean {
    if (!this.#open || !(isGiven ? this.#queue.give(packet) : this.#queue.push(packet))) return false
    this.#announceLater()
    return true
  }

  flush(): void {}
  ref(): void {}
  unref(): void {}

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#queue.clear()
    this.#readable = null
    this.#onClose?.(null)
  }

  #announceLater(): void {
    if (this.#announced || this.#readable === null || this.#queue.size === 0) return
    this.#announced = true
    this.#scheduler.defer(this.#announce)
  }
}
