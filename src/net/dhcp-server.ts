// A DHCP server on a host: the machine of src/dhcp over a UDP socket of the host.
// Owns: the socket, looking whether an address is free, leases as plain values for a file. Does not own: the protocol (src/dhcp).
// Read first: RFC 2131 §4.1, §4.3.

import { EventEmitter } from 'node:events'
import { SECOND } from '../base/time.ts'
import { DHCP_PORT, type DhcpAnswer, DhcpServer, type DhcpServerEvent } from '../dhcp/index.ts'
import { type EthernetDevice, readMac } from '../ethernet/index.ts'
import { IpAddress } from '../ip/address.ts'
import type { UdpSocket } from '../stack/index.ts'
import { type EventSink, Hold, type HostCore, ON_EVENTS, safely } from './core.ts'
import type { Pinger } from './ping.ts'

const EVERYBODY = new IpAddress(0, 0, 0xffff, -1)
/** How long an address has to answer before it counts as free. */
const CHECK_MS = 500

/** A lease as a plain value, to be kept in a file. */
export interface StoredLease {
  readonly client: string
  readonly address: string
  /** Seconds since 1970. */
  readonly expiresAtS: number
  readonly hostName: string | null
}

/** How a host gives addresses. Those of it and of its network are its own. */
export interface HostDhcpServerOptions {
  readonly ethernet: EthernetDevice
  /** The pool, both ends in it: ['10.0.0.100', '10.0.0.199']. */
  readonly range: readonly [string, string]
  readonly routers?: readonly string[]
  readonly dnsServers?: readonly string[]
  readonly domain?: string
  /** Default one hour. */
  readonly leaseS?: number
  /** By Ethernet address: { '02:00:00:00:00:05': '10.0.0.5' }. */
  readonly reservations?: Readonly<Record<string, string>>
  /** Whether an address is pinged before it is offered (RFC 2131 §2.2). Default true. */
  readonly isChecked?: boolean
  /** What `leases` gave once. */
  readonly leases?: readonly StoredLease[]
}

/** Made by `host.dhcpServer`. Events: leased(binding), released(address, client), declined(address, client). */
export class HostDhcpServer extends EventEmitter implements EventSink {
  readonly machine: DhcpServer
  readonly #core: HostCore
  readonly #ethernet: EthernetDevice
  readonly #pinger: Pinger
  readonly #hold: Hold
  readonly #socket: UdpSocket
  #isClosed = false

  /** @throws {RangeError} for a pool that is in none of the host's networks; {UdpError} EADDRINUSE */
  constructor(core: HostCore, options: HostDhcpServerOptions, pinger: Pinger) {
    super()
    this.#core = core
    this.#ethernet = options.ethernet
    this.#pinger = pinger
    const [first, last] = options.range.map((text) => IpAddress.parse(text))
    const own = core.stack.ip.addresses.find(({ address, prefixLength }) => first.inPrefix(address, prefixLength))
    if (own === undefined) throw new RangeError(`the pool from ${first} is in none of the host's networks`)
    const { leaseS, domain, isChecked = true, reservations = {} } = options
    this.machine = new DhcpServer({
      ...own,
      first,
      last,
      isChecked,
      routers: (options.routers ?? []).map((text) => IpAddress.parse(text)),
      dnsServers: (options.dnsServers ?? []).map((text) => IpAddress.parse(text)),
      reservations: new Map(
        Object.entries(reservations).map(([key, text]) => [key.toLowerCase(), IpAddress.parse(text)]),
      ),
      ...(domain === undefined ? {} : { domain }),
      ...(leaseS === undefined ? {} : { leaseS }),
    })
    const now = core.scheduler.now()
    for (const { client, address, expiresAtS, hostName } of options.leases ?? []) {
      const parsed = IpAddress.parse(address)
      const expiresAt = now + expiresAtS * SECOND - Date.now() * 1000
      if (this.machine.leases.isFor(parsed, client, now)) this.machine.leases.lease(client, parsed, expiresAt, hostName)
    }
    this.#socket = core.stack.udp.open({ families: 4, port: DHCP_PORT.server })
    this.#socket.mayBroadcast = true
    this.#socket.user = this
    this.#hold = new Hold(core)
    this.#hold.settle(true)
    core.servers.add(this)
  }

  /** The leases as plain values. */
  get leases(): StoredLease[] {
    const base = Date.now() / 1000 - this.#core.scheduler.now() / SECOND
    return this.machine.leases.leases.map(({ client, address, expiresAt, hostName }) => ({
      client,
      address: address.toString(),
      expiresAtS: Math.round(base + expiresAt / SECOND),
      hostName,
    }))
  }

  /** Ends; leases stay valid for those who have them. Harmless when repeated. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close()
    this.#hold.settle(false)
    this.#core.servers.delete(this)
  }

  /** For the host's core: datagrams have come. */
  [ON_EVENTS](): void {
    for (let one = this.#socket.receive(); one !== null; one = this.#socket.receive()) {
      this.machine.handleMessage(one.data, this.#core.scheduler.now())
    }
    this.#run()
  }

  #run(): void {
    for (let answer = this.machine.pollTransmit(); answer !== null; answer = this.machine.pollTransmit())
      this.#send(answer)
    for (let event = this.machine.pollEvent(); event !== null; event = this.machine.pollEvent()) this.#handle(event)
    this.#core.wake()
  }

  // RFC 2131 §4.1: a client that can take packets before it has its address cannot be asked for it by ARP: what it said is entered.
  #send({ bytes, port, to, mac }: DhcpAnswer): void {
    if (to !== null && mac !== null) {
      this.#ethernet.link.arp.cache.learn(to, readMac(mac, 0), this.#core.scheduler.now())
    }
    this.#socket.send(bytes, to ?? EVERYBODY, port)
  }

  #handle(event: DhcpServerEvent): void {
    if (event.type === 'check') void this.#check(event.address)
    else if (event.type === 'leased') safely(() => this.emit('leased', event.binding))
    else safely(() => this.emit(event.type, event.address, event.client))
  }

  // Whoever answers has it; so has whoever has answered ARP, though it says nothing to pings.
  async #check(address: IpAddress): Promise<void> {
    const answered = await this.#pinger.ping(address.toString(), { timeoutMs: CHECK_MS }).then(
      () => true,
      () => false,
    )
    if (this.#isClosed) return
    const state = this.#ethernet.link.arp.cache.find(address)?.state ?? 'FAILED'
    const isFree = !answered && (state === 'INCOMPLETE' || state === 'FAILED')
    this.machine.handleCheck(address, isFree, this.#core.scheduler.now())
    this.#run()
  }
}
