// One host, sans-I/O: packets, times and calls go in; packets, events and a deadline come out. It keeps no clock, owns no device and
// starts nothing by itself, so the same object serves a TUN device, a simulation and a test.
// Owns: joining IP, TCP and UDP. Does not own: reading and writing packets (driver.ts), sockets (src/net).

import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { type InterfaceAddress, parseCidr } from '../ip/address.ts'
import { DropCounters } from '../ip/drops.ts'
import { IpHeader, PROTOCOL } from '../ip/header.ts'
import { IpLayer } from '../ip/layer.ts'
import type { NeighbourSource } from '../ip/neighbours.ts'
import type { Route } from '../ip/routes.ts'
import { NO_OFFLOAD, type Offload, type Packet } from '../link/device.ts'
import type { TcpConfig } from '../tcp/config.ts'
import type { Connection } from '../tcp/connection.ts'
import { type ConnectOptions, type ListenOptions, TcpLayer } from '../tcp/layer.ts'
import type { Listener } from '../tcp/listener.ts'
import { UdpLayer } from '../udp/layer.ts'
import type { UdpSocket } from '../udp/socket.ts'
import { onLinkMtu } from './link-mtu.ts'
import { Loopback } from './loopback.ts'
import { progressVia } from './progress.ts'

/** What has events to take. */
export type EventSource = Connection | Listener | UdpSocket

/** How a host is set up. */
export interface StackConfig {
  /** Own addresses, as `10.77.0.2/24` or parsed; may be none, for a host that learns them: see `ip.addAddress`. */
  readonly addresses: readonly (InterfaceAddress | string)[]
  /** MTU of the link in bytes. */
  readonly mtu: number
  /** Keys, ports, identifiers come from here. */
  readonly random: Random
  /** What the device does for us; nothing by default. */
  readonly offload?: Offload
  /** Defaults of every connection. */
  readonly tcp?: Partial<TcpConfig>
  /** IPv4 time to live, IPv6 hop limit of packets without a connection. */
  readonly hopLimit?: number
  readonly routes?: readonly Route[]
  /** Most connections in TIME-WAIT, most orphans, and challenge acknowledgements in a second: see TcpLayerOptions. */
  readonly timeWaitMax?: number
  /** First and last port of those that TCP's connections get by themselves. Default 32768 to 60999. */
  readonly ephemeralPorts?: readonly [number, number]
  readonly orphanMax?: number
  readonly challengeAcksPerSecond?: number
  /** Gives initial sequence numbers instead of RFC 6528's; for tests at the wrap and for replays. */
  readonly isn?: () => number
}

/** One host. */
export class Stack {
  readonly ip: IpLayer
  readonly tcp: TcpLayer
  readonly udp: UdpLayer
  readonly drops = new DropCounters()
  /** Who an interface with link addresses knows, for those who look in; null: there are none on such a link. */
  neighbours: NeighbourSource | null = null
  readonly #header = new IpHeader()
  readonly #loopback = new Loopback(this.drops)

  /** @throws {TypeError} {RangeError} naming the setting that cannot be */
  constructor(config: StackConfig) {
    this.ip = new IpLayer({
      addresses: config.addresses.map((a) => (typeof a === 'string' ? parseCidr(a) : a)),
      mtu: config.mtu,
      random: config.random,
      drops: this.drops,
      ...(config.hopLimit === undefined ? {} : { hopLimit: config.hopLimit }),
      ...(config.routes === undefined ? {} : { routes: config.routes }),
    })
    this.tcp = new TcpLayer({
      ip: this.ip,
      random: config.random,
      offload: config.offload ?? NO_OFFLOAD,
      ...(config.tcp === undefined ? {} : { config: config.tcp }),
      ...(config.timeWaitMax === undefined ? {} : { timeWaitMax: config.timeWaitMax }),
      ...(config.ephemeralPorts === undefined ? {} : { ephemeralPorts: config.ephemeralPorts }),
      ...(config.orphanMax === undefined ? {} : { orphanMax: config.orphanMax }),
      ...(config.challengeAcksPerSecond === undefined ? {} : { challengeAcksPerSecond: config.challengeAcksPerSecond }),
      ...(config.isn === undefined ? {} : { isn: config.isn }),
    })
    this.udp = new UdpLayer(this.ip, config.random, config.offload)
    this.ip.progressVia = (neighbour) => progressVia(this, neighbour)
    this.ip.onLinkMtu = () => onLinkMtu(this)
    const toTcp = this.ip.onTransportError
    this.ip.onTransportError = (error) => {
      if (error.protocol === PROTOCOL.UDP) this.udp.handleError(error)
      else toTcp?.(error)
    }
  }

  /** A packet has come from the device; borrowed until this returns. */
  handlePacket(packet: Packet, now: Micros): void {
    const verdict = this.ip.receive(packet, this.#header, now)
    if (verdict === 'ok') this.#deliver(packet, now)
    else if (verdict === 'reassembled') this.#deliver(this.ip.reassembled, now)
  }

  #deliver(packet: Packet, now: Micros): void {
    const header = this.#header
    switch (header.protocol) {
      case PROTOCOL.TCP:
        this.tcp.handleSegment(packet, header, now)
        break
      case PROTOCOL.ICMP:
      case PROTOCOL.ICMPV6:
        this.ip.handleIcmp(packet, header, now)
        break
      case PROTOCOL.UDP:
        this.udp.handleDatagram(packet, header, now)
        break
      default:
        this.ip.queueUnreachable(packet, header, 'protocol', now)
    }
  }

  /** Handles what is due at `now`. */
  handleTimeout(now: Micros): void {
    this.ip.handleTimeout(now)
    this.tcp.handleTimeout(now)
    this.udp.handleTimeout(now)
  }

  /**
   * Writes the next packet to send into `packet`; false when there is none now. What is for this host itself arrives meanwhile. With
   * `isAll` false connections whose owner has text to read wait: what he answers goes with the acknowledgement.
   */
  pollTransmit(packet: Packet, now: Micros, isAll = true): boolean {
    for (;;) {
      if (packet.tailEnd > 0) packet.dropTail()
      if (this.ip.pollTransmit(packet, now) || this.#pollTcp(packet, now, isAll)) {
        if (!this.ip.toSelf) return true
        this.#loopback.put(packet)
      } else {
        const own = this.#loopback.take()
        if (own === null) return false
        if (this.ip.receive(own, this.#header, now, true) === 'ok') this.#deliver(own, now)
      }
    }
  }

  // What would come from an address that is not ours any more does not leave (RFC 1122 §3.2.1.3).
  #pollTcp(packet: Packet, now: Micros, isAll: boolean): boolean {
    while (this.tcp.pollTransmit(packet, now, isAll)) {
      if (!this.ip.isStale) return true
      this.drops.count('ip-stale-source')
      packet.dropTail() // or the next one would go out with this one's text
    }
    return false
  }

  /** When handleTimeout is to be called next, once there is nothing to transmit; Infinity for never. */
  nextDeadline(): Micros {
    return Math.min(this.tcp.nextDeadline(), this.ip.nextDeadline(), this.udp.nextDeadline())
  }

  /** The next connection, listener or UDP socket with events: take them with `takeEvents()`. Null when there is none. */
  pollEvent(): EventSource | null {
    return this.tcp.pollEvent() ?? this.udp.pollEvent()
  }

  /** Whether pollEvent has something to give. */
  get hasEvents(): boolean {
    return this.tcp.hasEvents || this.udp.hasEvents
  }

  /** Opens a connection: see TcpLayer.connect. */
  connect(options: ConnectOptions, now: Micros): Connection {
    return this.tcp.connect(options, now)
  }

  /** Listens on a port: see TcpLayer.listen. */
  listen(options: ListenOptions): Listener {
    return this.tcp.listen(options)
  }
}
