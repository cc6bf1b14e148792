// A bad link around any device: what is sent and what is received passes an ImpairedPath each.
// Owns: the wrapper device. Does not own: what happens to a packet (impairment.ts), reading options (impair-options.ts).
// Read first: impairment.ts. Linux's netem is the model for the vocabulary.

import type { Random } from '../base/random.ts'
import { SeededRandom } from '../base/random.ts'
import type { Scheduler } from '../base/time.ts'
import type { Direction } from './capture.ts'
import {
  type DeviceCounters,
  deviceCounters,
  inOnePiece,
  NO_OFFLOAD,
  type Offload,
  Packet,
  type PacketDevice,
  type PacketSink,
} from './device.ts'
import { ImpairedPath, type Impairment, type ImpairmentCounters, MAX_HELD_PACKETS } from './impairment.ts'
import { PacketQueue } from './packet-queue.ts'
import { splitSuperSegment } from './segmentation.ts'

/** How many packets are taken from the device below at a time. */
const BATCH = 64

/** Options of impair. */
export interface ImpairOptions {
  readonly scheduler: Scheduler
  /** Seeds the streams of both directions; equal seeds repeat every choice. */
  readonly random: Random
  /** What happens to packets on their way out (from the stack into the device). */
  readonly out?: Impairment
  /** What happens to packets on their way in. */
  readonly in?: Impairment
  /**
   * Lets super-segments and unfinished checksums through, so that a loss takes up to 64 KiB at once. Default false: the wrapper
   * reports no offload, and cuts up and finishes what the device below hands up. Not together with `corruptRate`.
   */
  readonly keepOffload?: boolean
}

/** A device behind a bad link; see impair. */
export interface ImpairedDevice extends PacketDevice {
  /** What became of the packets of a direction. */
  impairmentCounters(direction: Direction): Readonly<ImpairmentCounters>
  /**
   * Changes what happens to packets of one direction from now on; `{}` heals the link.
   * @throws {RangeError} as impair
   */
  setImpairment(direction: Direction, impairment: Impairment): void
}

/**
 * Wraps a device in a bad link. The device's own name and MTU show through.
 * @throws {RangeError} when an Impairment's number is out of its bounds or its fields do not fit together
 */
export function impair(device: PacketDevice, options: ImpairOptions): ImpairedDevice {
  return new Impaired(device, options)
}

class Impaired implements ImpairedDevice {
  readonly offload: Offload
  readonly counters: DeviceCounters = deviceCounters()
  readonly #device: PacketDevice
  readonly #scheduler: Scheduler
  readonly #keepOffload: boolean
  readonly #out: ImpairedPath
  readonly #in: ImpairedPath
  /** Packets that have come through and wait for `receive`. */
  readonly #ready = new PacketQueue(MAX_HELD_PACKETS)
  readonly #piece = new Packet(new Uint8Array(2048))
  readonly #announce: () => void
  readonly #collect: PacketSink
  readonly #mayGoAround: boolean
  #sink: PacketSink | null = null
  #counted: PacketSink = () => undefined
  #announced = false
  #readable: (() => void) | null = null
  #open = true

  constructor(device: PacketDevice, options: ImpairOptions) {
    this.#device = device
    this.#scheduler = options.scheduler
    this.#keepOffload = options.keepOffload ?? false
    this.offload = this.#keepOffload ? inOnePiece(device.offload) : NO_OFFLOAD
    // Two generators, so that traffic in one direction does not change the other.
    const outRandom = new SeededRandom(options.random.int32())
    const inRandom = new SeededRandom(options.random.int32())
    this.#checkOffload(options.out ?? {})
    this.#checkOffload(options.in ?? {})
    const toDevice = (packet: Packet, isGiven: boolean): void => {
      if (!isGiven || device.give === undefined) device.send(packet)
      else device.give(packet)
    }
    const toReady = (packet: Packet): void => {
      if (!this.#ready.push(packet)) this.counters.rxDropped++
    }
    const { scheduler } = options
    this.#out = new ImpairedPath(scheduler, outRandom, options.out ?? {}, toDevice, () => this.#device.flush())
    this.#in = new ImpairedPath(scheduler, inRandom, options.in ?? {}, toReady, () => this.#tell())
    this.#announce = () => {
      this.#announced = false
      this.#tell()
    }
    this.#mayGoAround = this.#keepOffload || (device.offload.superSegmentBytes === 0 && !device.offload.checksum)
    const offerIn = (packet: Packet): void => {
      if (!this.#in.offer(packet)) this.counters.rxDropped++
    }
    this.#collect = this.#keepOffload
      ? offerIn
      : (packet) => {
          if (splitSuperSegment(packet, this.#piece, offerIn) === 0) this.counters.rxDropped++
        }
  }

  get name(): string {
    return this.#device.name
  }

  get mtu(): number {
    return this.#device.mtu
  }

  impairmentCounters(direction: Direction): Readonly<ImpairmentCounters> {
    return direction === 'out' ? this.#out.counters : this.#in.counters
  }

  setImpairment(direction: Direction, impairment: Impairment): void {
    this.#checkOffload(impairment)
    if (direction === 'out') this.#out.impairment = impairment
    else this.#in.impairment = impairment
  }

  onReadable(listener: (() => void) | null): void {
    this.#readable = listener
    this.#device.onReadable(listener === null ? null : () => this.#drain())
    this.#announceLater()
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.#device.onClose((error) => {
      this.#shut()
      listener?.(error)
    })
  }

  receive(sink: PacketSink, limit: number): number {
    if (this.#isInClear()) return this.#device.receive(this.#around(sink), limit)
    let count = 0
    while (count < limit) {
      const packet = this.#ready.shift()
      if (packet === null) return count
      count++
      this.counters.rxPackets++
      this.counters.rxBytes += packet.length
      sink(packet)
      this.#ready.recycle(packet)
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
    if (!this.#open || !this.#out.offer(packet, isGiven)) {
      this.counters.txDropped++
      return false
    }
    this.counters.txPackets++
    this.counters.txBytes += packet.length
    return true
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
    // What has been sent is on the line already: a last FIN or reset still arrives, only sooner.
    if (this.#open) this.#out.flush()
    this.#shut()
    this.#device.close()
  }

  /** Takes all that waits in the device below; what nothing delays is ready at once. */
  #drain(): void {
    if (this.#isInClear()) {
      this.#readable?.()
      return
    }
    while (this.#open && this.#device.receive(this.#collect, BATCH) === BATCH);
    this.#tell()
  }

  /** Whether packets come straight from the device below: nothing happens to them, and none that came before waits. */
  #isInClear(): boolean {
    return this.#mayGoAround && this.#open && this.#ready.size === 0 && this.#in.isClear
  }

  /** `sink`, and the counters of what goes around. */
  #around(sink: PacketSink): PacketSink {
    if (sink !== this.#sink) {
      this.#sink = sink
      this.#counted = (packet) => {
        this.#in.pass()
        this.counters.rxPackets++
        this.counters.rxBytes += packet.length
        sink(packet)
      }
    }
    return this.#counted
  }

  #tell(): void {
    if (this.#ready.size > 0) this.#readable?.()
  }

  #announceLater(): void {
    if (this.#announced || this.#readable === null || this.#ready.size === 0) return
    this.#announced = true
    this.#scheduler.defer(this.#announce)
  }

  #shut(): void {
    this.#open = false
    this.#out.clear()
    this.#in.clear()
    this.#ready.clear()
  }

  #checkOffload(impairment: Impairment): void {
    if (this.#keepOffload && (impairment.corruptRate ?? 0) > 0) {
      throw new RangeError(
        'corruptRate does not go with keepOffload: leave keepOffload out, so that packets carry checksums',
      )
    }
  }
}
