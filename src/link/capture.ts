// A look at every packet that passes a device, in both directions, without changing any.
// Owns: the wrapper and the finishing of offloaded checksums for the observer. Does not own: file formats (src/trace/pcapng.ts).

import type { Micros } from '../base/time.ts'
import { completeChecksum } from './checksum-offload.ts'
import { Packet, type PacketDevice, type PacketSink } from './device.ts'
import { DeviceWrapper } from './device-wrapper.ts'

/** Which way a packet passes, seen from the stack above the device. */
export type Direction = 'in' | 'out'

/** Is told of one packet; `packet` is borrowed until it returns and must not be changed. */
export type PacketObserver = (packet: Packet, direction: Direction, at: Micros) => void

/** Options of capture. */
export interface CaptureOptions {
  /** The clock that stamps the packets: a Scheduler, or anything else with a `now`. */
  readonly scheduler: { now(): Micros }
  readonly onPacket: PacketObserver
  /** Asked before each packet; false leaves `onPacket` alone and costs no more than the question. Default: always. */
  readonly isWanted?: () => boolean
}

/**
 * Wraps a device so that `onPacket` sees each packet handed up, and each packet that the device below took (a packet that it
 * dropped at once is not shown, as tcpdump does not see what the queue of an interface drops). Packets whose checksum is left to
 * an offload, or whose text stands apart, are shown finished and in one piece, in a copy; super-segments are shown whole, as
 * tcpdump shows them.
 */
export function capture(device: PacketDevice, options: CaptureOptions): PacketDevice {
  return new CapturingDevice(device, options)
}

class CapturingDevice extends DeviceWrapper {
  readonly #clock: { now(): Micros }
  readonly #onPacket: PacketObserver
  readonly #isWanted: () => boolean
  readonly #scratch = new Packet(new Uint8Array(2048))

  constructor(device: PacketDevice, options: CaptureOptions) {
    super(device, device.offload)
    this.#clock = options.scheduler
    this.#onPacket = options.onPacket
    this.#isWanted = options.isWanted ?? (() => true)
  }

  override receive(sink: PacketSink, limit: number): number {
    if (!this.#isWanted()) return this.below.receive(sink, limit)
    return this.below.receive((packet) => {
      this.#show(packet, 'in')
      sink(packet)
    }, limit)
  }

  override send(packet: Packet): boolean {
    const taken = this.below.send(packet)
    if (taken && this.#isWanted()) this.#show(packet, 'out')
    return taken
  }

  #show(packet: Packet, direction: Direction): void {
    let shown = packet
    if (packet.checksum === 'partial' || packet.tailEnd > packet.tailStart) {
      shown = this.#scratch
      shown.copyFrom(packet)
      if (packet.checksum === 'partial') completeChecksum(shown)
    }
    this.#onPacket(shown, direction, this.#clock.now())
  }
}
