// A link that is perfect until somebody makes it bad: until then packets pass as the device below has them, super-segments and all.
// Owns: the switch. Does not own: what happens on a bad link (impair.ts, impairment.ts).

import type { Direction } from './capture.ts'
import { type DeviceCounters, Packet, type PacketDevice, type PacketSink } from './device.ts'
import { DeviceWrapper } from './device-wrapper.ts'
import { type ImpairedDevice, type ImpairOptions, impair } from './impair.ts'
import type { Impairment, ImpairmentCounters } from './impairment.ts'
import { splitSuperSegment } from './segmentation.ts'

/**
 * Wraps a device so that `setImpairment` can make its link bad at any time. From the first impairment on every packet goes by itself, as
 * impair has it: super-segments of the stack above are cut up here, and text that stands apart is joined. It does not go back to offload
 * when the link is healed.
 * @param options as impair's, without impairments to begin with
 */
export function lateImpair(device: PacketDevice, options: Pick<ImpairOptions, 'scheduler' | 'random'>): ImpairedDevice {
  return new LateImpaired(device, options)
}

class LateImpaired extends DeviceWrapper implements ImpairedDevice {
  readonly #impaired: ImpairedDevice
  readonly #piece = new Packet(new Uint8Array(2048))
  readonly #sendPiece: PacketSink
  readonly #whole = new Packet(new Uint8Array(2048))
  #isBad = false
  #isTaken = true
  #readable: (() => void) | null = null

  constructor(device: PacketDevice, { scheduler, random }: Pick<ImpairOptions, 'scheduler' | 'random'>) {
    super(device, device.offload)
    this.#impaired = impair(device, { scheduler, random })
    this.#sendPiece = (piece) => {
      this.#isTaken = this.#impaired.send(piece) && this.#isTaken
    }
  }

  override get counters(): Readonly<DeviceCounters> {
    return this.#isBad ? this.#impaired.counters : this.below.counters
  }

  impairmentCounters(direction: Direction): Readonly<ImpairmentCounters> {
    return this.#impaired.impairmentCounters(direction)
  }

  setImpairment(direction: Direction, impairment: Impairment): void {
    this.#impaired.setImpairment(direction, impairment)
    if (this.#isBad || Object.keys(impairment).length === 0) return
    this.#isBad = true
    this.onReadable(this.#readable)
  }

  override onReadable(listener: (() => void) | null): void {
    this.#readable = listener
    if (this.#isBad) this.#impaired.onReadable(listener)
    else this.below.onReadable(listener)
  }

  override onClose(listener: ((error: Error | null) => void) | null): void {
    this.#impaired.onClose(listener)
  }

  override receive(sink: PacketSink, limit: number): number {
    return this.#isBad ? this.#impaired.receive(sink, limit) : this.below.receive(sink, limit)
  }

  override send(packet: Packet): boolean {
    if (!this.#isBad) return this.below.send(packet)
    this.#isTaken = true
    return splitSuperSegment(this.#inOnePiece(packet), this.#piece, this.#sendPiece) > 0 && this.#isTaken
  }

  #inOnePiece(packet: Packet): Packet {
    if (packet.tailEnd === packet.tailStart) return packet
    this.#whole.copyFrom(packet)
    return this.#whole
  }

  override close(): void {
    this.#impaired.close()
  }
}
