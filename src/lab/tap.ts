// Watches what a host gives to the network and takes from it. Unlike link/capture it tells of a packet before the network has it, so that
// the sending of a packet comes before its loss.
// Owns: the wrapper. Does not own: what is remembered (packet-recorder.ts).

import type { Packet, PacketDevice, PacketSink } from '../link/device.ts'
import { DeviceWrapper } from '../link/device-wrapper.ts'

/** Told of each packet, borrowed. */
export type TapObserver = (packet: Packet, direction: 'in' | 'out') => void

/** A device around a host's device that shows what passes. */
export class Tap extends DeviceWrapper {
  readonly #observe: TapObserver

  constructor(below: PacketDevice, observe: TapObserver) {
    super(below)
    this.#observe = observe
  }

  override send(packet: Packet): boolean {
    this.#observe(packet, 'out')
    return super.send(packet)
  }

  override receive(sink: PacketSink, limit: number): number {
    return super.receive((packet) => {
      this.#observe(packet, 'in')
      sink(packet)
    }, limit)
  }
}
