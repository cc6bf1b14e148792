// A device around a device that changes nothing: what others extend to change one thing.
// Owns: the passing on. Does not own: any behaviour.

import {
  type DeviceCounters,
  NO_OFFLOAD,
  type Offload,
  type Packet,
  type PacketDevice,
  type PacketSink,
} from './device.ts'

/** Passes everything on to the device below. */
export class DeviceWrapper implements PacketDevice {
  readonly offload: Offload
  protected readonly below: PacketDevice
  protected isClosed = false

  /**
   * @param offload what the stack above is offered; by default nothing
   * @throws {RangeError} for a device that takes super-segments where none are offered: it would hand them up all the same
   */
  constructor(below: PacketDevice, offload: Offload = NO_OFFLOAD) {
    if (below.offload.superSegmentBytes > 0 && offload.superSegmentBytes === 0)
      throw new RangeError('a device that takes super-segments cannot be wrapped')
    this.below = below
    this.offload = offload
  }

  get name(): string {
    return this.below.name
  }

  get mtu(): number {
    return this.below.mtu
  }

  get counters(): Readonly<DeviceCounters> {
    return this.below.counters
  }

  onReadable(listener: (() => void) | null): void {
    this.below.onReadable(listener)
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.below.onClose(listener)
  }

  receive(sink: PacketSink, limit: number): number {
    return this.below.receive(sink, limit)
  }

  send(packet: Packet): boolean {
    return this.below.send(packet)
  }

  flush(): void {
    this.below.flush()
  }

  ref(): void {
    this.below.ref()
  }

  unref(): void {
    this.below.unref()
  }

  close(): void {
    this.isClosed = true
    this.below.close()
  }
}
