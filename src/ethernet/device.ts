// An Ethernet interface below an IP host: a PacketDevice made of a FrameDevice, so that Driver, Stack and Host need not know of it.
// Owns: frames around packets, which frames are for us, the timer. Does not own: where a packet goes (interface-link.ts), ARP (arp.ts),
// neighbour discovery (neighbour-discovery.ts), routes (src/ip).
// Read first: RFC 894, RFC 2464, RFC 1122 §2.3.
//
//     const ethernet = new EthernetDevice(frames, { scheduler, random })
//     const host = createHost({ device: ethernet, address: '10.0.0.2/24', scheduler, random })
//     ethernet.attach(host.stack.ip)
//
// ARP, neighbour discovery and MLD end here: the host never sees them.

import type { Random } from '../base/random.ts'
import type { Micros, ScheduledTask, Scheduler } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import {
  type DeviceCounters,
  deviceCounters,
  NO_OFFLOAD,
  type Packet,
  type PacketDevice,
  type PacketSink,
} from '../link/device.ts'
import type { Defence } from './claims.ts'
import {
  ETHER_TYPE,
  ETHERNET_HEADER_BYTES,
  EthernetHeader,
  FRAME_OVERHEAD_BYTES,
  type FrameDevice,
  parseEthernet,
  writeEthernet,
} from './frame.ts'
import { type ClaimTold, InterfaceLink, type LinkOptions, type LinkOwner } from './interface-link.ts'
import type { IpConfig } from './ip-config.ts'
import { isGroupMac, type Mac, NO_MAC, randomMac } from './mac.ts'
import type { Neighbour } from './neighbour-cache.ts'
import { type EthernetDropReason, EthernetDrops } from './reasons.ts'

/** Packets of our own making that wait to be handed up. */
const MOST_WAITING = 64

/** Options of EthernetDevice. */
export interface EthernetOptions extends LinkOptions {
  readonly scheduler: Scheduler
  readonly random: Random
  /** Our Ethernet address. Default: a random one that is locally administered. */
  readonly mac?: Mac
  /** Largest IP packet. Default: what the frames of the device hold. */
  readonly mtu?: number
}

/** An Ethernet interface. */
export class EthernetDevice implements PacketDevice, LinkOwner {
  readonly mac: Mac
  readonly mtu: number
  /** None: a frame carries one finished packet. */
  readonly offload = NO_OFFLOAD
  /** In IP packets of the host; what ARP and neighbour discovery say to one another is not among them. */
  readonly counters: DeviceCounters = deviceCounters()
  readonly drops = new EthernetDrops()
  /** ARP, neighbour discovery, addresses. */
  readonly link: InterfaceLink
  readonly #frames: FrameDevice
  readonly #scheduler: Scheduler
  readonly #in = new EthernetHeader()
  readonly #out = new EthernetHeader()
  readonly #waiting: Packet[] = []
  #readable: (() => void) | null = null
  #timer: ScheduledTask | null = null
  #timerAt: Micros = Number.POSITIVE_INFINITY
  #isOpen = true

  /** @throws {RangeError} for an MTU that the frames do not hold, or an Ethernet address that is a group */
  constructor(frames: FrameDevice, options: EthernetOptions) {
    const { scheduler, random, mac = randomMac(random), mtu = frames.mtu - FRAME_OVERHEAD_BYTES } = options
    if (!Number.isInteger(mtu) || mtu < 68 || mtu > frames.mtu - ETHERNET_HEADER_BYTES) {
      throw new RangeError(`the MTU is a whole number from 68 to ${frames.mtu - ETHERNET_HEADER_BYTES}, not ${mtu}`)
    }
    if (!Number.isInteger(mac) || mac <= 0 || mac >= 2 ** 48 || isGroupMac(mac)) {
      throw new RangeError('an interface has the Ethernet address of one host')
    }
    this.#frames = frames
    this.#scheduler = scheduler
    this.mac = mac
    this.mtu = mtu
    this.link = new InterfaceLink(mac, this, random, this.drops, mtu < 1280 ? { ...options, ipv6: false } : options)
  }

  get name(): string {
    return this.#frames.name
  }

  /** Ties the interface to a host, whose addresses it answers for from now on, and which it gives addresses and routes to. Once. */
  attach(ip: IpConfig): void {
    this.link.attach(ip, this.#scheduler.now())
    this.#arm()
  }

  /** The neighbours of both families, as `ip neigh` lists them. */
  get neighbours(): readonly Neighbour[] {
    return [...this.link.arp.cache.entries(), ...this.link.nd.cache.entries()]
  }

  /** See InterfaceLink.claim. */
  claim(address: IpAddress, defence: Defence, told: ClaimTold): void {
    this.link.claim(address, defence, this.#scheduler.now(), told)
    this.#arm()
  }

  onReadable(listener: (() => void) | null): void {
    this.#readable = listener
    this.#frames.onReadable(listener)
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.#frames.onClose((error) => {
      this.#shut()
      listener?.(error)
    })
  }

  receive(sink: PacketSink, limit: number): number {
    let count = 0
    for (let packet = this.#waiting.shift(); packet !== undefined; packet = this.#waiting.shift()) {
      count++
      sink(packet)
      if (count === limit) return count
    }
    const now = this.#scheduler.now()
    count += this.#frames.receive((frame) => this.#take(frame, sink, now), limit - count)
    this.#frames.flush()
    this.#arm()
    return count
  }

  #take(frame: Packet, sink: PacketSink, now: Micros): void {
    const verdict = this.#judge(frame, now)
    if (verdict === 'arp' || verdict === 'control') return
    if (verdict !== 'ok') {
      this.drops.count(verdict)
      this.counters.rxDropped++
      return
    }
    this.counters.rxPackets++
    this.counters.rxBytes += frame.length
    sink(frame)
  }

  // Leaves the packet between `start` and `end`.
  #judge(frame: Packet, now: Micros): 'ok' | 'arp' | 'control' | EthernetDropReason {
    const header = this.#in
    const parsed = parseEthernet(frame.bytes, frame.start, frame.end, header)
    if (parsed !== 'ok') return parsed
    if (header.vlan >= 0) return 'eth-other-vlan'
    if (header.src === this.mac) return 'eth-own-source'
    const isGroup = isGroupMac(header.dst)
    if (!isGroup && header.dst !== this.mac) return 'eth-not-for-us'
    frame.start += header.headerBytes
    frame.segmentBytes = 0
    if (header.etherType === ETHER_TYPE.ARP) {
      this.link.takeArp(frame, header.src, now)
      return 'arp'
    }
    if (header.etherType !== ETHER_TYPE.IPV4 && header.etherType !== ETHER_TYPE.IPV6) return 'eth-unknown-type'
    // RFC 1122 §3.3.6: what was sent to everybody below must be meant for more than one above.
    if (isGroup && !this.link.isGroupPacket(frame)) return 'eth-wrong-cast'
    return this.link.takeControl(frame, now) ? 'control' : 'ok'
  }

  send(packet: Packet): boolean {
    const now = this.#scheduler.now()
    if (!this.#isOpen || packet.length > this.mtu) {
      this.counters.txDropped++
      return false
    }
    this.link.sync(now)
    const dst = this.link.route(packet, now)
    this.counters.txPackets++
    this.counters.txBytes += packet.length
    const isSent = dst === NO_MAC || this.#put(packet, dst, etherTypeOf(packet))
    if (!isSent) this.counters.txDropped++
    this.#arm()
    return isSent
  }

  /** For the link below: see LinkOwner. */
  sendFrame(packet: Packet, dst: Mac, etherType: number): void {
    if (this.#isOpen) this.#put(packet, dst, etherType)
  }

  // The header goes into the headroom, and comes off again: the packet is its owner's.
  #put(packet: Packet, dst: Mac, etherType: number): boolean {
    const out = this.#out
    out.dst = dst
    out.src = this.mac
    out.etherType = etherType
    const { start } = packet
    packet.start = start - ETHERNET_HEADER_BYTES
    writeEthernet(out, packet.bytes, packet.start)
    const isSent = this.#frames.send(packet)
    packet.start = start
    return isSent
  }

  /** For the link below: see LinkOwner. */
  wake(): void {
    this.#arm()
  }

  /** For the link below: see LinkOwner. */
  handUp(packet: Packet): void {
    if (this.#waiting.length >= MOST_WAITING) return
    this.#waiting.push(packet)
    if (this.#waiting.length === 1) this.#scheduler.defer(() => this.#readable?.())
  }

  flush(): void {
    this.#frames.flush()
  }

  ref(): void {
    this.#frames.ref()
  }

  unref(): void {
    this.#frames.unref()
  }

  close(): void {
    this.#shut()
    this.#frames.close()
  }

  #shut(): void {
    this.#isOpen = false
    this.#waiting.length = 0
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #arm(): void {
    const at = this.link.nextDeadline()
    if (!this.#isOpen || at >= this.#timerAt) return // one that is due too early finds nothing to do
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = this.#scheduler.schedule(at, () => {
      this.#timer = null
      this.#timerAt = Number.POSITIVE_INFINITY
      if (!this.#isOpen) return
      this.link.handleTimeout(this.#scheduler.now())
      this.#frames.flush()
      this.#arm()
    })
  }
}

function etherTypeOf({ bytes, start }: Packet): number {
  return bytes[start] >>> 4 === 4 ? ETHER_TYPE.IPV4 : ETHER_TYPE.IPV6
}
