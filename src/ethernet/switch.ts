// An Ethernet switch in memory: it learns who is where, sends frames there, and what it does not know everywhere.
// Owns: ports, VLANs, the table of stations. Does not own: bad links and captures (src/link), which wrap a port's device.
// Read first: IEEE 802.1Q §8.6 (forwarding), §8.7 (learning), §8.8 (ageing).
// There is no spanning tree: two switches joined by two cables send a broadcast round for ever.

import { type Random, SeededRandom } from '../base/random.ts'
import { type Micros, type Scheduler, SECOND } from '../base/time.ts'
import { capture, type PacketObserver } from '../link/capture.ts'
import { HEADROOM, MAX_PACKET, Packet } from '../link/device.ts'
import { impair } from '../link/impair.ts'
import type { Impairment } from '../link/impairment.ts'
import { EthernetHeader, type FrameDevice, parseEthernet, writeEthernet } from './frame.ts'
import { isGroupMac, type Mac } from './mac.ts'
import { memoryFramePair } from './pair.ts'

/** Frames taken from a port at a time. */
const BATCH = 64

/** 01:80:c2:00:00:00 to 0f: what is for the switch itself and is never forwarded (IEEE 802.1Q §8.6.3). */
const RESERVED_FIRST: Mac = 0x0180c2000000

/** How a switch is made. */
export interface SwitchOptions {
  readonly scheduler: Scheduler
  /** For what ports do to frames. Default: a seed of 1. */
  readonly random?: Random
  /** A station not heard of for so long is forgotten. Default 300 s (IEEE 802.1Q §8.8.3). */
  readonly ageingUs?: Micros
  /** Stations at most; more are not learnt, and frames to them go everywhere. Default 1024. */
  readonly maxStations?: number
}

/** How a port is made. */
export interface PortOptions {
  readonly name?: string
  /** The VLAN of frames without a tag, 1 to 4094. Default 1. */
  readonly vlan?: number
  /** A trunk: the VLANs whose frames pass with a tag. Default none. */
  readonly tagged?: readonly number[]
  /** What happens to frames to the port, and from it. */
  readonly out?: Impairment
  readonly in?: Impairment
  /** Sees every frame of the port: `in` is to the switch. */
  readonly onFrame?: PacketObserver
  /** Of a cable made for the port; see memoryFramePair. */
  readonly mtu?: number
  readonly txQueueLength?: number
}

/** What a switch has done, in frames. */
export interface SwitchCounters {
  received: number
  /** To the one port where the station is. */
  forwarded: number
  /** To all ports of the VLAN. */
  flooded: number
  /** To a station behind the port that it came from, or to nobody. */
  filtered: number
  /** Malformed, or of a VLAN that the port has not. */
  refused: number
  /** Stations that found the table full. */
  notLearnt: number
}

/** A port. */
export class SwitchPort {
  readonly name: string
  readonly device: FrameDevice
  /** The VLAN without a tag. */
  readonly vlan: number
  readonly tagged: ReadonlySet<number>

  constructor(name: string, device: FrameDevice, vlan: number, tagged: ReadonlySet<number>) {
    this.name = name
    this.device = device
    this.vlan = vlan
    this.tagged = tagged
  }

  /** Whether frames of a VLAN leave here. */
  has(vlan: number): boolean {
    return vlan === this.vlan || this.tagged.has(vlan)
  }
}

interface Station {
  port: SwitchPort
  heardAt: Micros
}

/** A switch. */
export class VirtualSwitch {
  readonly counters: SwitchCounters = { received: 0, forwarded: 0, flooded: 0, filtered: 0, refused: 0, notLearnt: 0 }
  readonly #scheduler: Scheduler
  readonly #random: Random
  readonly #ageingUs: Micros
  readonly #maxStations: number
  readonly #ports: SwitchPort[] = []
  readonly #vlans = new Map<number, Map<Mac, Station>>()
  readonly #header = new EthernetHeader()
  readonly #scratch = new Packet(new Uint8Array(HEADROOM + MAX_PACKET))
  #stations = 0

  /** @throws {RangeError} for a bound that is none */
  constructor(options: SwitchOptions) {
    const { scheduler, random = new SeededRandom(1), ageingUs = 300 * SECOND, maxStations = 1024 } = options
    if (!(ageingUs > 0)) throw new RangeError(`ageingUs is a time above 0, not ${ageingUs}`)
    if (!Number.isInteger(maxStations) || maxStations < 0) throw new RangeError(`maxStations is not ${maxStations}`)
    this.#scheduler = scheduler
    this.#random = random
    this.#ageingUs = ageingUs
    this.#maxStations = maxStations
  }

  /** The ports, in the order in which they came. */
  get ports(): readonly SwitchPort[] {
    return this.#ports
  }

  /** Makes a port with a cable in memory, and returns its other end. @throws {RangeError} as attach, memoryFramePair and impair */
  port(options: PortOptions = {}): FrameDevice {
    const name = options.name ?? `port${this.#ports.length + 1}`
    const { mtu, txQueueLength } = options
    const [inner, outer] = memoryFramePair({
      scheduler: this.#scheduler,
      names: [name, name],
      ...(mtu === undefined ? {} : { mtu }),
      ...(txQueueLength === undefined ? {} : { txQueueLength }),
    })
    this.attach(inner, { ...options, name })
    return outer
  }

  /**
   * Makes a port of a device, which is the switch's from now on: the end of a cable, or a TAP, by which a kernel joins.
   * @throws {RangeError} for a VLAN that is none
   */
  attach(device: FrameDevice, options: PortOptions = {}): SwitchPort {
    const { name = device.name, vlan = 1, tagged = [], onFrame } = options
    for (const id of [vlan, ...tagged]) {
      if (!Number.isInteger(id) || id < 1 || id > 4094)
        throw new RangeError(`a VLAN is a number from 1 to 4094, not ${id}`)
    }
    if (device.offload.checksum) throw new RangeError('a port has no offloads: open the device without them')
    const scheduler = this.#scheduler
    let wrapped = device
    if (options.out !== undefined || options.in !== undefined) {
      const { out = {}, in: into = {} } = options
      wrapped = impair(wrapped, { scheduler, random: new SeededRandom(this.#random.int32()), out, in: into })
    }
    if (onFrame !== undefined) wrapped = capture(wrapped, { scheduler, onPacket: onFrame })
    const port = new SwitchPort(name, wrapped, vlan, new Set(tagged))
    this.#ports.push(port)
    wrapped.onClose(() => this.#remove(port))
    wrapped.onReadable(() => this.#read(port))
    return port
  }

  /** Where a station of a VLAN is; null when nobody knows. */
  find(mac: Mac, vlan = 1): SwitchPort | null {
    const station = this.#vlans.get(vlan)?.get(mac)
    if (station === undefined || this.#scheduler.now() - station.heardAt >= this.#ageingUs) return null
    return station.port
  }

  /** Stations in the table, those too that are forgotten once it is full. */
  get stations(): number {
    return this.#stations
  }

  /** Closes all ports. */
  close(): void {
    for (const { device } of this.#ports.splice(0)) device.close()
  }

  #remove(port: SwitchPort): void {
    const at = this.#ports.indexOf(port)
    if (at >= 0) this.#ports.splice(at, 1)
    this.#forget((station) => station.port === port)
  }

  #read(port: SwitchPort): void {
    const count = port.device.receive((frame) => this.#take(port, frame), BATCH)
    for (const { device } of this.#ports) device.flush()
    if (count === BATCH) this.#scheduler.schedule(this.#scheduler.now(), () => this.#read(port))
  }

  #take(port: SwitchPort, frame: Packet): void {
    const header = this.#header
    const { counters } = this
    counters.received++
    const parsed = parseEthernet(frame.bytes, frame.start, frame.end, header)
    const isReserved = header.dst >= RESERVED_FIRST && header.dst < RESERVED_FIRST + 16
    const vlan = header.vlan < 0 ? port.vlan : header.vlan
    const mayEnter = header.vlan < 0 || port.tagged.has(vlan)
    if ((parsed !== 'ok' && parsed !== 'eth-no-type') || isReserved || !mayEnter) {
      counters.refused++
      return
    }
    const now = this.#scheduler.now()
    this.#learn(header.src, vlan, port, now)
    const to = isGroupMac(header.dst) ? null : this.find(header.dst, vlan)
    if (to === null) {
      counters.flooded++
      for (const other of this.#ports) if (other !== port && other.has(vlan)) this.#send(other, frame, vlan)
    } else if (to === port || !to.has(vlan)) {
      counters.filtered++
    } else {
      counters.forwarded++
      this.#send(to, frame, vlan)
    }
  }

  #learn(mac: Mac, vlan: number, port: SwitchPort, now: Micros): void {
    let table = this.#vlans.get(vlan)
    if (table === undefined) {
      table = new Map()
      this.#vlans.set(vlan, table)
    }
    const known = table.get(mac)
    if (known !== undefined) {
      known.port = port
      known.heardAt = now
      return
    }
    if (this.#stations >= this.#maxStations) this.#forget(({ heardAt }) => now - heardAt >= this.#ageingUs)
    if (this.#stations >= this.#maxStations) {
      this.counters.notLearnt++
      return
    }
    table.set(mac, { port, heardAt: now })
    this.#stations++
  }

  #forget(isGone: (station: Station) => boolean): void {
    for (const table of this.#vlans.values()) {
      for (const [mac, station] of table) {
        if (isGone(station) && table.delete(mac)) this.#stations--
      }
    }
  }

  #send(port: SwitchPort, frame: Packet, vlan: number): void {
    const header = this.#header
    const outVlan = vlan === port.vlan ? -1 : vlan
    if (outVlan === header.vlan) {
      port.device.send(frame)
      return
    }
    // The tag comes off or on: a frame of our own with the rest of the other behind a new header.
    const copy = this.#scratch
    const rest = frame.bytes.subarray(frame.start + header.headerBytes, frame.end)
    const before = header.vlan
    header.vlan = outVlan
    const headerBytes = writeEthernet(header, copy.bytes, HEADROOM)
    header.vlan = before
    copy.bytes.set(rest, HEADROOM + headerBytes)
    copy.start = HEADROOM
    copy.end = HEADROOM + headerBytes + rest.length
    port.device.send(copy)
  }
}
