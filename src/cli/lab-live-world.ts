// A world of `lab --live`: one host of ours and Linux, on a TUN device whose line is that of the experiment's network.
//
//   our host <-> tap <-> [faults] <-> delay and rate <-> tap <-> TUN <-> Linux: Node's sockets (linux-host.ts)
//
// The upper tap sees packets as our host has them, the lower one as Linux has them: so each has both its instants, as in virtual time.
// Owns: one world, its clock, its record. Does not own: Linux's sockets (lab-linux.ts), the run (lab-live.ts), what is recorded (src/lab).

import { SeededRandom } from '../base/random.ts'
import { MINUTE, type Micros, type Scheduler } from '../base/time.ts'
import { ConnectionTable } from '../lab/connection-table.ts'
import type { WorldRequest } from '../lab/context.ts'
import { withFaults } from '../lab/fault-device.ts'
import { type Fault, formatFault, parseFault } from '../lab/faults.ts'
import type { LabSocket, LinuxSite, LiveWorld } from '../lab/live.ts'
import { PacketRecorder } from '../lab/packet-recorder.ts'
import type { TransactionRecord, WorldRecord } from '../lab/record.ts'
import { SeriesRecorder } from '../lab/series.ts'
import { Tap } from '../lab/tap.ts'
import { addressesOf, backOf, type Link, type LinkWay, readWay, type Topology } from '../lab/topology.ts'
import { explainTransactions } from '../lab/waterfall.ts'
import type { Packet, PacketDevice } from '../link/device.ts'
import { impair } from '../link/impair.ts'
import type { Impairment } from '../link/impairment.ts'
import { openTun } from '../link/tun.ts'
import { createHost, type Host, realTime } from '../net/index.ts'
import type { CreateConnectionOptions, DialOptions, HostListenOptions } from '../net/options.ts'
import { LinuxSide } from './lab-linux.ts'

/** Real time that a world may take. */
const MOST_US = MINUTE / 3
const MOST_PACKETS = 5000
const PREFIX = 24

/** What a world is made of, besides what the experiment asks for. */
export interface LiveWorldOptions {
  readonly request: WorldRequest
  /** The hosts that are Linux. */
  readonly linux: readonly string[]
  readonly topology: Topology
  /** Its place among the worlds of the process: its network is 10.77.`number`.0/24. */
  readonly number: number
  readonly capture: boolean
}

/** A world with Linux in it. */
export class TunWorld implements LiveWorld {
  readonly time: Scheduler
  readonly #label: string
  readonly #topology: Topology
  readonly #linux: LinuxSide
  readonly #linuxNames: readonly string[]
  readonly #ours: string
  readonly #host: Host
  readonly #addresses: ReadonlyMap<string, readonly string[]>
  readonly #faults: readonly Fault[]
  readonly #packets: PacketRecorder
  readonly #series: SeriesRecorder
  readonly #transactions: TransactionRecord[] = []
  readonly #mostUs: Micros
  #endedAt: Micros = -1

  /** @throws {TypeError} unless just one host of the network is ours @throws {SystemError} without a TUN device */
  constructor({ request, linux, topology: usual, number, capture }: LiveWorldOptions) {
    const { label, topology = usual, tcp, hosts = {}, faults = [], mostUs = MOST_US } = request
    const names = Object.keys(topology.hosts)
    const ours = names.filter((name) => !linux.includes(name))
    if (ours.length !== 1) throw new TypeError(`live one host is ours, not ${ours.length}: ${ours.join(', ')}`)
    this.#ours = ours[0]
    this.#linuxNames = linux
    this.#label = `${label} (${linux.join(' and ')}: Linux)`
    this.#topology = topology
    this.#mostUs = mostUs
    this.#faults = faults.map((fault) => (typeof fault === 'string' ? parseFault(fault) : fault))
    this.#addresses = numbered(topology, number)
    this.time = sinceNow(realTime({ ref: true }))
    const nameOf = new Map([...this.#addresses].flatMap(([name, list]) => list.map((address) => [address, name])))
    const hostOf = (address: { toString(): string }): string => nameOf.get(address.toString()) ?? address.toString()
    const table = new ConnectionTable(hostOf)
    this.#packets = new PacketRecorder({ table, hostOf, most: request.mostPackets ?? MOST_PACKETS, capture })
    this.#series = new SeriesRecorder(table)
    const kernel = linux.flatMap((name) => this.addressesOf(name).map((address) => `${address}/${PREFIX}`))
    // Without offload: every segment is a packet of its own.
    const link = linkOf(topology, this.#ours)
    const tun = openTun({ name: `tunstack${number}`, addresses: kernel, offload: false, mtu: link.mtu ?? 1500 })
    this.#host = createHost({
      device: this.#device(tun, link),
      address: this.addressesOf(this.#ours).map((address) => `${address}/${PREFIX}`),
      scheduler: this.time,
      ...hosts[this.#ours],
      tcp: { ...topology.hosts[this.#ours].tcp, ...tcp, ...hosts[this.#ours]?.tcp },
    })
    this.#host.observe((event, connection) => {
      if (this.#endedAt < 0) this.#series.note(this.#ours, event, connection)
    })
    this.#host.ref()
    this.#linux = new LinuxSide()
  }

  now(): Micros {
    return this.time.now()
  }

  sleep(us: Micros): Promise<void> {
    return new Promise((resolve) => this.time.schedule(this.time.now() + us, resolve))
  }

  addressesOf(name: string): readonly string[] {
    const addresses = this.#addresses.get(name)
    if (addresses === undefined) throw new TypeError(`no host '${name}'`)
    return addresses
  }

  connect(from: string, to: string, port: number, options: Partial<DialOptions> = {}): Promise<LabSocket> {
    return this.dial(from, { ...options, host: to, port })
  }

  dial(from: string, options: DialOptions): Promise<LabSocket> {
    const [host] = this.addressesOf(options.host ?? '')
    if (!this.#isLinux(from)) return this.#host.connect({ ...options, host })
    // Linux itself takes the first address of the interface. One that is named binds a port before it is known for which connection.
    const own = from === this.#linuxNames[0] ? {} : { localAddress: this.addressesOf(from)[0] }
    return this.#linux.connect({ ...own, ...options, host })
  }

  open(from: string, to: string, port: number, options: Partial<CreateConnectionOptions> = {}): LabSocket {
    const target = { ...options, host: this.addressesOf(to)[0], port }
    const socket = this.#isLinux(from) ? this.#linux.open(target) : this.#host.createConnection(target)
    return socket.on('error', () => undefined)
  }

  async listen(
    name: string,
    port: number,
    onConnection: (socket: LabSocket) => void,
    options: Partial<HostListenOptions> = {},
  ): Promise<unknown> {
    const accept = (socket: LabSocket): void => onConnection(socket.on('error', () => undefined))
    if (this.#isLinux(name)) return this.#linux.listen(this.addressesOf(name)[0], port, accept, options)
    const server = await this.#host.listen({ port, ...options })
    return server.on('connection', accept)
  }

  serveLinux(name: string, site: LinuxSite): Promise<{ readonly connections: number }> {
    return this.#linux.serveHttp(this.addressesOf(name)[0], site)
  }

  curl(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    return this.#linux.curl(args)
  }

  noteTransaction(transaction: TransactionRecord): void {
    if (this.#endedAt < 0) this.#transactions.push(transaction)
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#endedAt >= 0) throw new TypeError(`the world '${this.#label}' is over: make another`)
    let late = { cancel: (): void => undefined }
    const tooLate = new Promise<never>((_, reject) => {
      late = this.time.schedule(this.#mostUs, () =>
        reject(new Error(`the world '${this.#label}' took more than ${this.#mostUs / 1e6} s`)),
      )
    })
    try {
      return await Promise.race([task(), tooLate])
    } finally {
      this.#endedAt = this.now()
      late.cancel()
      this.#linux.close()
      await this.#host.close({ graceMs: 0 })
    }
  }

  record(): WorldRecord {
    const { packets, omitted } = this.#packets
    const connections = this.#series.records(this.#endedAt)
    return {
      label: this.#label,
      endedAt: this.#endedAt,
      hosts: Object.keys(this.#topology.hosts),
      packets,
      omitted,
      connections,
      transactions: explainTransactions(this.#transactions, packets, connections),
      queues: [],
      hasTls: false,
      faults: this.#faults.map(formatFault),
      captures: this.#packets.captures(),
    }
  }

  #isLinux(name: string): boolean {
    return this.#linuxNames.includes(name)
  }

  #device(tun: PacketDevice, link: Link): PacketDevice {
    const isOpen = (packet: Packet): boolean => this.#endedAt < 0 && packet.bytes[packet.start] >> 4 === 4
    const below = new Tap(tun, (packet, direction) => {
      if (!isOpen(packet)) return
      // Of an IPv4 header: the source is at 12, the destination at 16.
      const name = this.#nameAt(packet, direction === 'in' ? 12 : 16)
      if (direction === 'in') this.#packets.sent(name, packet, this.now())
      else this.#packets.received(name, packet, this.now())
    })
    const isForth = link.from === this.#ours
    const [forth, back] = [impairmentOf(link), impairmentOf(backOf(link))]
    const line = impair(below, {
      scheduler: this.time,
      random: new SeededRandom(1),
      out: isForth ? forth : back,
      in: isForth ? back : forth,
    })
    const faulty = withFaults(line, {
      host: this.#ours,
      faults: this.#faults,
      scheduler: this.time,
      onFault: (packet, text, isLost) => {
        if (isLost) this.#packets.lost(packet, text)
        else this.#packets.marked(packet, text)
      },
    })
    return new Tap(faulty, (packet, direction) => {
      if (!isOpen(packet)) return
      if (direction === 'out') this.#packets.sent(this.#ours, packet, this.now())
      else this.#packets.received(this.#ours, packet, this.now())
    })
  }

  #nameAt({ bytes, start }: Packet, offset: number): string {
    const address = bytes.subarray(start + offset, start + offset + 4).join('.')
    return [...this.#addresses].find(([, list]) => list.includes(address))?.[0] ?? address
  }
}

/** A clock that begins now. */
function sinceNow(clock: Scheduler): Scheduler {
  const start = clock.now()
  return {
    now: () => clock.now() - start,
    schedule: (at, task) => clock.schedule(at + start, task),
    defer: (task) => clock.defer(task),
  }
}

/** As many addresses for each host as its network gives it: 10.77.3.1, 10.77.3.2, ... */
function numbered(topology: Topology, number: number): Map<string, readonly string[]> {
  let next = 1
  const entries = [...addressesOf(topology)].map(
    ([name, list]) => [name, list.map(() => `10.77.${number}.${next++}`)] as const,
  )
  return new Map(entries)
}

/** The link of our host. */
function linkOf({ links }: Topology, ours: string): Link {
  const own = links.filter(({ from, to }) => from === ours || to === ours)
  if (own.length === 0) throw new TypeError(`no link leads to '${ours}'`)
  return own[0]
}

function impairmentOf(way: LinkWay): Impairment {
  const { delayUs, rateBps, queue, lossRate } = readWay(way)
  const rate = Number.isFinite(rateBps) ? { rateBps, queuePackets: queue.packets ?? 1000 } : {}
  return { delayUs, lossRate, ...rate }
}
