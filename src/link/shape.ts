// A line of a given rate with a queue before it, around any device: what is sent waits its turn. Unlike the bottleneck of impairment.ts,
// which reckons departures ahead, packets really wait, so a queue discipline can drop them late (CoDel), and the queue can be watched.
// Owns: the line. Does not own: the queue's rules (queue-discipline.ts, red.ts, codel.ts), delay and loss (impair.ts).

import type { Micros, Scheduler } from '../base/time.ts'
import type { Packet, PacketDevice } from './device.ts'
import { DeviceWrapper } from './device-wrapper.ts'
import type { QueueDiscipline } from './queue-discipline.ts'

/** Options of shape. */
export interface ShapeOptions {
  readonly scheduler: Scheduler
  /** Bits per second, counting IP packets. */
  readonly rateBps: number
  readonly queue: QueueDiscipline
  /** Told whenever the queue's length has changed. */
  readonly onLength?: (packets: number, bytes: number, at: Micros) => void
}

/**
 * Wraps a device so that what is sent goes through a line of `rateBps`; what is received passes untouched. No offload: packets count one
 * by one. @throws {RangeError} for a rate that is not above 0
 */
export function shape(device: PacketDevice, options: ShapeOptions): PacketDevice {
  if (!(options.rateBps > 0)) throw new RangeError(`rateBps is above 0, not ${options.rateBps}`)
  return new ShapedDevice(device, options)
}

class ShapedDevice extends DeviceWrapper {
  readonly #options: ShapeOptions
  #busy = false

  constructor(device: PacketDevice, options: ShapeOptions) {
    super(device)
    this.#options = options
  }

  override send(packet: Packet): boolean {
    if (this.isClosed) return false
    const { queue, scheduler } = this.#options
    const now = scheduler.now()
    if (!this.#busy) {
      this.#transmit(packet.clone(), now)
      return true
    }
    const isTaken = queue.enqueue(packet, now)
    this.#tell(now)
    return isTaken
  }

  #transmit(packet: Packet, now: Micros): void {
    const { scheduler, rateBps, queue } = this.#options
    this.#busy = true
    scheduler.schedule(now + (packet.length * 8e6) / rateBps, () => {
      this.#busy = false
      if (this.isClosed) return
      this.below.send(packet)
      this.below.flush()
      const at = scheduler.now()
      const next = queue.dequeue(at)
      if (next === null) return
      this.#tell(at)
      this.#transmit(next, at)
    })
  }

  #tell(at: Micros): void {
    const { queue, onLength } = this.#options
    onLength?.(queue.packets, queue.bytes, at)
  }
}
