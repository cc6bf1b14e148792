// A node with several links: takes packets from each and passes them on to the one behind which their destination lives.
// Owns: the table of who lives where, the moving of packets. Does not own: hop limits and ICMP (a plain relay, so that packets stay the
// same from end to end), how the links behave (wiring.ts).

import type { Scheduler } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { IpHeader, parseIp } from '../ip/index.ts'
import type { Packet, PacketDevice } from '../link/device.ts'

const BATCH = 64

/** Changes a packet before it is passed on (address translation); false drops it. */
export type Rewrite = (packet: Packet) => boolean

/** A relay between devices. */
export class Forwarder {
  readonly #scheduler: Scheduler
  readonly #ports: PacketDevice[] = []
  readonly #table: { readonly address: IpAddress; readonly port: PacketDevice }[] = []
  readonly #ip = new IpHeader()
  readonly #rewrite: Rewrite | null
  /** Packets for addresses that live nowhere. */
  unroutable = 0

  constructor(scheduler: Scheduler, rewrite: Rewrite | null = null) {
    this.#scheduler = scheduler
    this.#rewrite = rewrite
  }

  /** Adds a link; what comes over it is passed on. */
  addPort(device: PacketDevice): void {
    this.#ports.push(device)
    device.onReadable(() => this.#read(device))
  }

  /** Says behind which link an address lives. */
  addRoute(address: IpAddress, port: PacketDevice): void {
    this.#table.push({ address: address.clone(), port })
  }

  /** Closes all links. */
  close(): void {
    for (const port of this.#ports) port.close()
  }

  #read(port: PacketDevice): void {
    const count = port.receive((packet) => this.#forward(packet, port), BATCH)
    if (count === BATCH) this.#scheduler.defer(() => this.#read(port))
  }

  #forward(packet: Packet, from: PacketDevice): void {
    if (this.#rewrite !== null && !this.#rewrite(packet)) return
    if (parseIp(packet.bytes, packet.start, packet.end, this.#ip) !== 'ok') return
    const route = this.#table.find(({ address }) => address.equals(this.#ip.dst))
    if (route === undefined || route.port === from) {
      this.unroutable++
      return
    }
    route.port.send(packet)
    route.port.flush()
  }
}
