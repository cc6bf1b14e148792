// A host's IPv4 address by DHCP: the client of src/dhcp over a UDP socket of the host, and what a lease means for it.
// Owns: the socket, the timer, address and default route of the lease. Does not own: the protocol (src/dhcp), asking the neighbours
// (src/ethernet).
// Read first: RFC 2131 §4.1, §4.4.

import { EventEmitter } from 'node:events'
import type { Random } from '../base/random.ts'
import { MILLISECOND, type ScheduledTask } from '../base/time.ts'
import { DHCP_PORT, DhcpClient, type DhcpEvent, type DhcpState, type Lease } from '../dhcp/index.ts'
import { type EthernetDevice, writeMac } from '../ethernet/index.ts'
import { IpAddress } from '../ip/address.ts'
import type { UdpSocket } from '../stack/index.ts'
import { type EventSink, Hold, type HostCore, ON_EVENTS, safely } from './core.ts'

const EVERYBODY = new IpAddress(0, 0, 0xffff, -1)
const ANYWHERE = new IpAddress(0, 0, 0xffff, 0)

/** How long the message that gives an address back has to leave. */
const RELEASE_WAIT_US = 250 * MILLISECOND

/** How a host asks for its address. */
export interface HostDhcpOptions {
  /** The interface that the host stands on. */
  readonly ethernet: EthernetDevice
  /** Told to the server, which may enter it into its DNS. */
  readonly hostName?: string
  /** The address had before, which is asked for again. */
  readonly previous?: string
}

/**
 * The DHCP client of a host; made by `host.dhcpClient`, begins at once. Events: bound(lease, isNew), lost(lease, why). The address and the
 * default route are the host's already when 'bound' comes, and are not any more when 'lost' does. Keeps the program alive until `close`.
 */
export class HostDhcpClient extends EventEmitter implements EventSink {
  /** The machine, for looking in. */
  readonly machine: DhcpClient
  readonly #core: HostCore
  readonly #ethernet: EthernetDevice
  readonly #hold: Hold
  readonly #socket: UdpSocket
  #timer: ScheduledTask | null = null
  #isClosed = false

  /** @throws {UdpError} EADDRINUSE when the host has a client already */
  constructor(core: HostCore, options: HostDhcpOptions, random: Random) {
    super()
    const { ethernet, hostName, previous } = options
    this.#core = core
    this.#ethernet = ethernet
    const mac = new Uint8Array(6)
    writeMac(ethernet.mac, mac, 0)
    this.machine = new DhcpClient({
      random,
      mac,
      ...(hostName === undefined ? {} : { hostName }),
      ...(previous === undefined ? {} : { previous: IpAddress.parse(previous) }),
    })
    this.#socket = core.stack.udp.open({ families: 4, port: DHCP_PORT.client })
    this.#socket.mayBroadcast = true
    this.#socket.user = this
    this.#hold = new Hold(core)
    this.#hold.settle(true)
    core.servers.add(this)
    this.machine.start(this.#now)
    this.#run()
  }

  /** See DhcpState. */
  get state(): DhcpState {
    return this.machine.state
  }

  /** What is leased now, or null. */
  get lease(): Lease | null {
    return this.machine.lease
  }

  /** Gives the lease back to the server and ends; resolves when the address is the host's no longer. */
  async release(): Promise<void> {
    this.machine.release(this.#now)
    this.#send()
    this.#core.wake()
    // The message comes from the address that it gives back, and its neighbour may have to be asked for first.
    const { scheduler } = this.#core
    await new Promise<void>((resolve) => scheduler.schedule(this.#now + RELEASE_WAIT_US, resolve))
    this.#run()
    this.close()
  }

  /** Ends without a word; the address stays the host's. Harmless when repeated. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.machine.stop()
    this.#timer?.cancel()
    this.#socket.close()
    this.#hold.settle(false)
    this.#core.servers.delete(this)
  }

  /** For the host's core: datagrams have come. */
  [ON_EVENTS](): void {
    for (let one = this.#socket.receive(); one !== null; one = this.#socket.receive()) {
      this.machine.handleMessage(one.data, this.#now)
    }
    this.#run()
  }

  get #now(): number {
    return this.#core.scheduler.now()
  }

  #send(): void {
    for (let out = this.machine.pollTransmit(); out !== null; out = this.machine.pollTransmit()) {
      this.#socket.sendsUnspecified = out.isFromNobody
      this.#socket.send(out.bytes, out.to ?? EVERYBODY, DHCP_PORT.server)
    }
  }

  /** Sends, tells and arms what has come of the last step. */
  #run(): void {
    this.#send()
    for (let event = this.machine.pollEvent(); event !== null; event = this.machine.pollEvent()) this.#handle(event)
    this.#timer?.cancel()
    this.#timer = null
    const at = this.machine.nextDeadline()
    if (at !== Number.POSITIVE_INFINITY && !this.#isClosed) {
      this.#timer = this.#core.scheduler.schedule(at, () => {
        this.machine.handleTimeout(this.#now)
        this.#run()
      })
    }
    this.#core.wake()
  }

  #handle(event: DhcpEvent): void {
    const { ip } = this.#core.stack
    if (event.type === 'check') {
      this.#ethernet.claim(event.address, 'once', (outcome) => {
        if (this.#isClosed) return
        if (this.machine.state === 'CHECKING') this.machine.handleCheck(outcome === 'usable', this.#now)
        else if (outcome === 'conflict') this.machine.handleConflict(this.#now)
        this.#run()
      })
      return
    }
    const { lease } = event
    const route = { destination: ANYWHERE, prefixLength: 0 }
    ip.routes.removeWhere(({ prefixLength, destination, gateway }) => {
      const isDefault = prefixLength === 0 && destination.family === 4 && gateway !== undefined
      return isDefault && lease.routers.some((router) => router.equals(gateway))
    })
    if (event.type === 'bound') {
      const { address, prefixLength, routers } = lease
      if (event.isNew) ip.addAddress({ address, prefixLength })
      if (routers.length > 0) ip.routes.add({ ...route, gateway: routers[0] })
      safely(() => this.emit('bound', lease, event.isNew))
    } else {
      ip.removeAddress(lease.address)
      this.#ethernet.link.release(lease.address)
      safely(() => this.emit('lost', lease, event.why))
    }
  }
}
