// A link that is perfect until somebody makes it bad: until then packets pass as the device below has them, super-segments and all.
// Owns: the switch. Does not own: what happens on a bad link (impair.ts, impairment.ts).

import type { Direction } from './capture.ts'
import { type DeviceCounters, inOnePiece, type Offload, Packet, type PacketDevice, type PacketSink } from './device.ts'
import { type ImpairedDevice, type ImpairOptions, impair } from './impair.ts'
import type { Impairment, ImpairmentCounters } from './impairment.ts'
import { splitSuperSegment } from './segmentation.ts'

/**
 * Wraps a device so that `setImpairment` can make its link bad at any time. From the first impairment on every packet goes by itself, as
 * impair has it: super-segments of the stack above are cut up here. It does not go back to offload when the link is healed.
 * @param options as impair's, without impairments to begin with
 */
export function lateImpair(device: PacketDevice, options: Pick<ImpairOptions, 'scheduler' | 'random'>): ImpairedDevice {
  return new LateImpaired(device, options)
}

class LateImpaired implements ImpairedDevice {
  readonly offload: Offload
  readonly #device: PacketDevice
  readonly #impaired: ImpairedDevice
  readonly #piece = new Packet(new Uint8Array(2048))
  readonly #sendPiece: PacketSink
  #isBad = false
  #isTaken = true
  #readable: (() => void) | null = null

  constructor(device: PacketDevice, { scheduler, random }: Pick<ImpairOptions, 'scheduler' | 'random'>) {
    this.#device = device
    this.#impaired = impair(device, { scheduler, random })
    this.offload = inOnePiece(device.offload)
    this.#sendPiece = (piece) => {
      this.#isTaken = this.#impaired.send(piece) && this.#isTaken
    }
  }

  get name(): string {
    return this.#device.name
  }

  get mtu(): number {
    return this.#device.mtu
  }

  get counters(): Readonly<DeviceCounters> {
    return this.#isBad ? this.#impaired.counters : this.#device.counters
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

  onReadable(listener: (() => void) | null): void {
    this.#readable = listener
    if (this.#isBad) this.#impaired.onReadable(listener)
    else this.#device.onReadable(listener)
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.#impaired.onClose(listener)
  }

  receive(sink: PacketSink, limit: number): number {
    return this.#isBad ? this.#impaired.receive(sink, limit) : this.#device.receive(sink, limit)
  }

  send(packet: Packet): boolean {
    if (!this.#isBad) return this.#device.send(packet)
    this.#isTaken = true
    return splitSuperSegment(packet, this.#piece, this.#sendPiece) > 0 && this.#isTaken
  }

  flush(): void {
    this.#device.flush()
  }

  ref(): void {
    this.#device.ref()
  }

  unref(): void {
    this.#device.unref()
  }

  close(): void {
    this.#impaired.close()
  }
}
