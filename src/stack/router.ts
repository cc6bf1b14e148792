// Several interfaces as one device for one host, and what passes between them: with it a host is a router (RFC 1812), or, without
// forwarding, a host with several interfaces.
// Why a device: the host above stays as it is, with its stack, its driver and its sockets; what is for others never gets there.
// Owns: which interface a packet leaves by, forwarding. Does not own: addresses and routes (the host's, with the number of a port), ICMP
// (it asks the host's control), link addresses (the devices below ask the host's `nextHop`).
// Not there: redirects, routing protocols, groups between links, filters.
// Read first: RFC 1812 §5.2.
//
//        host: Stack, sockets
//             | packets for us, packets of ours
//        Router -- forwards -.
//        /    \              |
//     port 0  port 1  ...  <-'

import type { Micros, Scheduler } from '../base/time.ts'
import { IpAddress } from '../ip/address.ts'
import { IpHeader } from '../ip/header.ts'
import type { IpLayer } from '../ip/layer.ts'
import { parseIp } from '../ip/parse.ts'
import { refragment } from '../ip/refragment.ts'
import type { Route } from '../ip/routes.ts'
import { judgeTransit, type TransitCounters, type TransitProblem, transitCounters } from '../ip/transit.ts'
import {
  type DeviceCounters,
  deviceCounters,
  NO_OFFLOAD,
  Packet,
  type PacketDevice,
  type PacketSink,
} from '../link/device.ts'

/** How a router is set up. */
export interface RouterOptions {
  /** The interfaces; their place is the number that addresses and routes name. None may offload anything. */
  readonly ports: readonly PacketDevice[]
  readonly scheduler: Scheduler
  /** Whether packets for others go on. Default true; false: a host with several interfaces. */
  readonly forwarding?: boolean
  readonly name?: string
}

/** Several devices as one. */
export class Router implements PacketDevice {
  readonly name: string
  /** Of what the host itself sends: the least of all ports. */
  readonly mtu: number
  readonly offload = NO_OFFLOAD
  /** What the host itself has got and sent. */
  readonly counters: DeviceCounters = deviceCounters()
  /** What has passed through. */
  readonly transit: TransitCounters = transitCounters()
  /** Of that, packets of IPv6. */
  readonly transitV6: TransitCounters = transitCounters()
  readonly ports: readonly PacketDevice[]
  /** Whether packets for others go on; may be changed at any time. */
  forwarding: boolean
  readonly #scheduler: Scheduler
  #ip: IpLayer | null = null
  readonly #header = new IpHeader()
  readonly #out = new Packet()
  readonly #piece = new Packet()
  readonly #src = new IpAddress()
  readonly #dst = new IpAddress()
  #first = 0

  /** @throws {TypeError} when a port offloads: its packets cannot go out by another; {RangeError} when there is none */
  constructor(options: RouterOptions) {
    const { ports, scheduler, forwarding = true, name = 'router' } = options
    if (ports.length === 0) throw new RangeError('a router has at least one port')
    for (const { name, offload } of ports) {
      if (!offload.checksum && offload.superSegmentBytes === 0) continue
      throw new TypeError(`the device ${name} of a router must not offload: open it with offload: false`)
    }
    this.ports = ports
    this.name = name
    this.mtu = Math.min(...ports.map(({ mtu }) => mtu))
    this.forwarding = forwarding
    this.#scheduler = scheduler
  }

  /** Says whose device it is: to be called once, before the first packet. */
  attach(ip: IpLayer): void {
    this.#ip = ip
  }

  onReadable(listener: (() => void) | null): void {
    for (const port of this.ports) port.onReadable(listener)
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    for (const port of this.ports) port.onClose(listener)
  }

  receive(sink: PacketSink, limit: number): number {
    const now = this.#scheduler.now()
    const { ports } = this
    const share = Math.ceil(limit / ports.length)
    let count = 0
    let isFull = false
    for (let i = 0; i < ports.length; i++) {
      const port = (this.#first + i) % ports.length
      const most = Math.min(share, limit - count)
      if (most === 0) {
        isFull = true
        break
      }
      const got = ports[port].receive((packet) => this.#arrive(packet, now, sink), most)
      if (got === most) isFull = true
      count += got
    }
    this.#first = (this.#first + 1) % ports.length
    this.flush()
    return isFull ? limit : Math.min(count, limit - 1)
  }

  #arrive(packet: Packet, now: Micros, sink: PacketSink): void {
    const header = this.#header
    const parsed = parseIp(packet.bytes, packet.start, packet.end, header)
    // Of IPv6 the first header alone matters to a router (RFC 8200 §4), of IPv4 all of it.
    const isReadable =
      parsed === 'ok' || (header.family === 6 && !UNREADABLE.has(parsed) && packet.bytes[packet.start] >>> 4 === 6)
    if (isReadable && this.#isForOthers(header)) {
      packet.end = packet.start + header.totalBytes
      this.#forward(packet, now)
      return
    }
    this.counters.rxPackets++
    this.counters.rxBytes += packet.length
    sink(packet)
  }

  /** Everything else is the host's to take or to drop. */
  #isForOthers({ dst }: IpHeader): boolean {
    const ip = this.#ip
    return this.forwarding && ip !== null && !ip.isLocal(dst) && !dst.isMulticast && !ip.isBroadcast(dst)
  }

  #forward(packet: Packet, now: Micros): void {
    const header = this.#header
    const ip = this.#ip as IpLayer
    header.toUnicast = true
    const verdict = judgeTransit(header)
    // What says that it comes from us has not come from us (RFC 1812 §5.3.8); nor does anybody have a broadcast address.
    if (verdict === 'martian' || ip.isLocal(header.src) || ip.isBroadcast(header.src)) {
      this.#count('martian')
      ip.drops.count('ip-martian-transit')
      return
    }
    if (verdict === 'scope') {
      this.#count('martian')
      this.#refuse(packet, 'scope', now)
      return
    }
    const route = ip.routes.lookup(header.dst)
    const next = route === null ? undefined : this.ports[route.port ?? 0]
    if (next === undefined) {
      this.#count('noRoute')
      this.#refuse(packet, 'no-route', now)
    } else if (header.hopLimit <= 1) {
      this.#count('hopLimit')
      this.#refuse(packet, 'hop-limit', now) // RFC 1812 §5.3.1, RFC 8200 §3
    } else if (packet.length > next.mtu && (header.family === 6 || header.dontFragment)) {
      this.#count('tooBig')
      this.#refuse(packet, 'too-big', now, next.mtu) // RFC 1191 §4, RFC 4443 §3.2
    } else {
      this.#pass(packet, next)
    }
  }

  #pass(packet: Packet, next: PacketDevice): void {
    const out = this.#out
    out.copyFrom(packet)
    out.checksum = 'complete'
    lowerHopLimit(out)
    let isSent = true
    if (out.length > next.mtu) {
      const pieces = refragment(out, next.mtu, this.#piece, (piece) => {
        isSent = next.send(piece) && isSent
      })
      this.#count('fragmented')
      this.#count('pieces', pieces)
    } else {
      isSent = next.send(out)
    }
    if (isSent) this.#count('forwarded')
    else this.#count('dropped')
  }

  #count(what: keyof TransitCounters, by = 1): void {
    this.transit[what] += by
    if (this.#header.family === 6) this.transitV6[what] += by
  }

  #refuse(packet: Packet, problem: TransitProblem, now: Micros, mtu = 0): void {
    const ip = this.#ip as IpLayer
    ip.drops.count(`ip-transit-${problem}`)
    ip.reportTransit(packet, this.#header, problem, now, mtu)
  }

  /**
   * For a device with link addresses: nobody answers for the next hop of `packet`, which had been sent on. Its sender is told (RFC 1812
   * §4.3.3.1, RFC 4443 §3.1 code 3). A packet of our own is left alone: returns false.
   */
  reportUnresolved(packet: Packet): boolean {
    const ip = this.#ip
    const header = this.#header
    if (ip === null || parseIp(packet.bytes, packet.start, packet.end, header) !== 'ok') return false
    if (ip.isLocal(header.src)) return false
    header.toUnicast = true
    this.#refuse(packet, 'host', this.#scheduler.now())
    return true
  }

  /** Sends a packet of the host's own by the port of its route; to a link as a whole by that of its source, without one by all. */
  send(packet: Packet): boolean {
    const { counters, ports } = this
    const port = this.#portOf(packet)
    let isSent = false
    if (port >= 0) isSent = ports[port]?.send(packet) ?? false
    else for (const one of ports) isSent = one.send(packet) || isSent
    if (!isSent) {
      counters.txDropped++
      return false
    }
    counters.txPackets++
    counters.txBytes += packet.length
    return true
  }

  #portOf(packet: Packet): number {
    const { bytes, start } = packet
    const ip = this.#ip
    const isV4 = bytes[start] >>> 4 === 4
    const src = this.#src
    const dst = this.#dst
    src.read(bytes, start + (isV4 ? 12 : 8), isV4 ? 4 : 6)
    dst.read(bytes, start + (isV4 ? 16 : 24), isV4 ? 4 : 6)
    if (ip === null) return 0
    const route: Route | null = ip.routes.lookup(dst)
    const own = ip.addresses.find(({ address }) => address.equals(src))
    if (ip.isLinkWide(dst)) return own?.port ?? (own === undefined ? (route?.port ?? -1) : 0)
    return (route ?? own)?.port ?? 0
  }

  flush(): void {
    for (const port of this.ports) port.flush()
  }

  ref(): void {
    for (const port of this.ports) port.ref()
  }

  unref(): void {
    for (const port of this.ports) port.unref()
  }

  close(): void {
    for (const port of this.ports) port.close()
  }
}

/** What says that not even the header is there. */
const UNREADABLE: ReadonlySet<string> = new Set(['ip-too-short', 'ip-bad-version', 'ip-bad-length'])

/** RFC 1812 §5.3.1: one less; IPv4's header checksum follows (RFC 1624 §3: the high byte of its word falls by one). */
function lowerHopLimit({ bytes, start }: Packet): void {
  if (bytes[start] >>> 4 === 6) {
    bytes[start + 7]--
    return
  }
  bytes[start + 8]--
  let sum = ((bytes[start + 10] << 8) | bytes[start + 11]) + 0x100
  sum = (sum & 0xffff) + (sum >>> 16)
  bytes[start + 10] = sum >>> 8
  bytes[start + 11] = sum & 255
}
