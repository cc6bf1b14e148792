// A world: one virtual network with its hosts, its faults and everything that is remembered of it. An experiment makes one or more.
// Owns: hosts, time, the recorders, the end. Does not own: the network (wiring.ts), HTTP's helpers (web.ts).
//
//     const world = context.world({ label: 'IW 10', tcp: { initialWindowSegments: 10 }, faults: ['drop data segment 3 from server'] })
//     await world.run(async () => { const socket = await world.connect('client', 'server', 80); ... })

import { MINUTE, type Micros } from '../base/time.ts'
import { type IpAddress, parseAddress } from '../ip/address.ts'
import type { Packet } from '../link/device.ts'
import { createHost, type Host } from '../net/host.ts'
import type { HostOptions } from '../net/host-options.ts'
import type { CreateConnectionOptions, DialOptions, HostListenOptions } from '../net/options.ts'
import type { TunServer } from '../net/server.ts'
import type { TunSocket } from '../net/socket.ts'
import { Network } from '../sim/network.ts'
import type { VirtualTime } from '../sim/virtual-time.ts'
import type { TcpConfig } from '../tcp/config.ts'
import type { Connection } from '../tcp/connection.ts'
import type { TcpEvent } from '../tcp/watch.ts'
import { ConnectionTable } from './connection-table.ts'
import { withFaults } from './fault-device.ts'
import { type Fault, formatFault, parseFault } from './faults.ts'
import type { Rewrite } from './forwarder.ts'
import { PacketRecorder } from './packet-recorder.ts'
import type { QueueRecord, TransactionRecord, WorldRecord } from './record.ts'
import { SeriesRecorder, thin } from './series.ts'
import { Tap } from './tap.ts'
import type { Topology } from './topology.ts'
import { explainTransactions } from './waterfall.ts'
import { type Wiring, wire } from './wiring.ts'

/** Virtual time that a world may take. */
const MOST_US = 60 * MINUTE

/** Is told what happens in a world, as it happens; it must not change anything. */
export interface WorldObserver {
  /** A host gives a packet to the network; borrowed. */
  readonly sent?: (world: World, host: string, packet: Packet) => void
  /** TCP tells something of a connection. */
  readonly event?: (host: string, event: TcpEvent, connection: Connection) => void
}

/** How a world is set up. */
export interface WorldOptions {
  /** Names it among the others of its experiment. */
  readonly label: string
  readonly seed: number
  readonly topology: Topology
  /** TCP settings of all hosts, over those of the topology. */
  readonly tcp?: Partial<TcpConfig>
  /** More options of single hosts (`dns`, `timeWaitMax`, ...). */
  readonly hosts?: Readonly<Record<string, Partial<Omit<HostOptions, 'device' | 'scheduler' | 'random'>>>>
  readonly faults?: readonly (string | Fault)[]
  /** Packets to remember. Default 2000; 0 for worlds of which only the result counts. */
  readonly mostPackets?: number
  /** Whether to remember what TCP says of itself. Default true. */
  readonly series?: boolean
  readonly capture?: boolean
  readonly mostUs?: Micros
  /** Changes or drops packets that a node passes on, by its name. */
  readonly rewrites?: Readonly<Record<string, Rewrite>>
  /** TLS is spoken in it: its bytes do not repeat, as Node draws the keys; lengths and times do. */
  readonly hasTls?: boolean
  readonly observer?: WorldObserver
  /** Told of each fault that happened to a packet, in the words of `formatFault`. */
  readonly onFault?: (text: string) => void
}

/** A network in virtual time, with hosts. */
export class World {
  readonly label: string
  readonly time: VirtualTime
  readonly #hosts = new Map<string, Host>()
  readonly #addresses = new Map<string, string>()
  readonly #options: WorldOptions
  readonly #wiring: Wiring
  readonly #packets: PacketRecorder
  readonly #series: SeriesRecorder
  readonly #queues = new Map<string, { points: [Micros, number, number][]; drops: Micros[] }>()
  readonly #transactions: TransactionRecord[] = []
  #endedAt: Micros = -1

  /** @throws {TypeError | RangeError} for a plan, a setting or a fault that makes no sense */
  constructor(options: WorldOptions) {
    this.#options = options
    this.label = options.label
    const network = new Network({ seed: options.seed })
    this.time = network.time
    const hostOf = (address: IpAddress): string => this.#addresses.get(address.toString()) ?? address.toString()
    const table = new ConnectionTable(hostOf)
    const { mostPackets: most = 2000, capture = false } = options
    this.#packets = new PacketRecorder({ table, hostOf, most, capture })
    this.#series = new SeriesRecorder(table)
    const faults = (options.faults ?? []).map((fault) => (typeof fault === 'string' ? parseFault(fault) : fault))
    this.#wiring = wire(options.topology, {
      scheduler: this.time,
      random: () => network.random(),
      onLost: (packet, fate) => this.#packets.lost(packet, fate),
      onQueue: (name, packets, bytes) => this.#noteQueue(name, packets, bytes),
      onQueueDrop: (name) => {
        if (this.#endedAt < 0) this.#queueOf(name)?.drops.push(this.time.now())
      },
      rewrites: options.rewrites,
    })
    for (const [name, addresses] of this.#wiring.addresses) {
      for (const address of addresses)
        this.#addresses.set(parseAddress(address.replace(/\/.*/, ''))?.toString() ?? '', name)
    }
    for (const name of Object.keys(options.topology.hosts)) this.#makeHost(name, faults, network)
  }

  /** @throws {TypeError} for a name that no host has */
  host(name: string): Host {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new TypeError(`no host '${name}'; there are: ${[...this.#hosts.keys()].join(', ')}`)
    return host
  }

  /** The names of the hosts. */
  get hosts(): string[] {
    return [...this.#hosts.keys()]
  }

  /** A host's first address. */
  addressOf(name: string): string {
    return this.host(name).addresses[0]
  }

  /** Virtual microseconds since the world began. */
  now(): Micros {
    return this.time.now()
  }

  /** Waits in virtual time. */
  sleep(us: Micros): Promise<void> {
    return new Promise((resolve) => this.time.schedule(this.time.now() + us, resolve))
  }

  /** Opens a connection by the names of hosts. */
  connect(from: string, to: string, port: number, options: Partial<DialOptions> = {}): Promise<TunSocket> {
    return this.host(from).connect({ host: this.addressOf(to), port, ...options })
  }

  /** Opens a connection to a name that the host resolves as it resolves names. */
  dial(from: string, options: DialOptions): Promise<TunSocket> {
    return this.host(from).connect(options)
  }

  /** Begins to open a connection by the names of hosts: the socket at once, as createConnection; errors may be listened for. */
  open(from: string, to: string, port: number, options: Partial<CreateConnectionOptions> = {}): TunSocket {
    const socket = this.host(from).createConnection({ host: this.addressOf(to), port, ...options })
    return socket.on('error', () => undefined)
  }

  /** Listens on a host; `onConnection` gets each socket. */
  async listen(
    name: string,
    port: number,
    onConnection: (socket: TunSocket) => void,
    options: Partial<HostListenOptions> = {},
  ): Promise<TunServer> {
    const server = await this.host(name).listen({ port, ...options })
    server.on('connection', (socket: TunSocket) => {
      socket.on('error', () => undefined)
      onConnection(socket)
    })
    return server
  }

  /** A transaction is over; see web.ts. */
  noteTransaction(transaction: TransactionRecord): void {
    if (this.#endedAt < 0) this.#transactions.push(transaction)
  }

  /**
   * Runs a task in virtual time, and ends the world: hosts close, nothing is remembered any more.
   * @throws {Error} when the task does, when nothing is left to happen, or when it takes too much virtual time
   */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#endedAt >= 0) throw new TypeError(`the world '${this.label}' is over: make another`)
    const { mostUs = MOST_US } = this.#options
    const late = new Promise<never>((_, reject) => {
      this.time.schedule(this.time.now() + mostUs, () =>
        reject(new Error(`the world '${this.label}' took more than ${mostUs / 1e6} s of virtual time`)),
      )
    })
    try {
      return await this.time.runFor(Promise.race([task(), late]))
    } finally {
      this.#endedAt = this.time.now()
      const hosts = [...this.#hosts.values()]
      await this.time.runFor(Promise.all(hosts.map((host) => host.close({ graceMs: 0 }))))
      this.#wiring.close()
    }
  }

  /** What was remembered. */
  record(): WorldRecord {
    const endedAt = this.#endedAt
    const { topology, faults = [], hasTls = false } = this.#options
    const { packets, omitted } = this.#packets
    const connections = this.#series.records(endedAt)
    return {
      label: this.label,
      endedAt,
      hosts: Object.keys(topology.hosts),
      packets,
      omitted,
      connections,
      transactions: explainTransactions(this.#transactions, packets, connections),
      queues: this.#queueRecords(),
      faults: faults.map((fault) => (typeof fault === 'string' ? fault : formatFault(fault))),
      captures: this.#packets.captures(),
      hasTls,
    }
  }

  #makeHost(name: string, faults: readonly Fault[], network: Network): void {
    const { topology, tcp, hosts = {}, series = true, observer, onFault } = this.#options
    const below = this.#wiring.devices.get(name)
    if (below === undefined) throw new TypeError(`no link leads to '${name}'`)
    const faulty = withFaults(below, {
      host: name,
      faults,
      scheduler: this.time,
      onFault: (packet, text, isLost) => {
        onFault?.(text)
        if (isLost) this.#packets.lost(packet, text)
        else this.#packets.marked(packet, text)
      },
    })
    const device = new Tap(faulty, (packet, direction) => {
      if (this.#endedAt >= 0) return
      if (direction === 'out') {
        this.#packets.sent(name, packet, this.time.now())
        observer?.sent?.(this, name, packet)
      } else this.#packets.received(name, packet, this.time.now())
    })
    const { tcp: hostTcp, ...rest } = hosts[name] ?? {}
    const host = createHost({
      ...(rest.dns === undefined ? { lookup: this.#lookup } : {}),
      address: this.#wiring.addresses.get(name) ?? [],
      ...rest,
      device,
      scheduler: this.time,
      random: network.random(),
      tcp: { ...topology.hosts[name].tcp, ...tcp, ...hostTcp },
    })
    if (series || observer?.event !== undefined) {
      host.observe((event, connection) => {
        if (this.#endedAt >= 0) return
        if (series) this.#series.note(name, event, connection)
        observer?.event?.(name, event, connection)
      })
    }
    this.#hosts.set(name, host)
  }

  /** Names of hosts are known without DNS. */
  readonly #lookup: NonNullable<HostOptions['lookup']> = (name, options, callback) => {
    const address = this.#wiring.addresses.get(name)?.[0]?.replace(/\/.*/, '')
    const family = address?.includes(':') ? 6 : 4
    if (address === undefined) callback(Object.assign(new Error(`no host ${name}`), { code: 'ENOTFOUND' }), '', 4)
    else if (options.all) callback(null, [{ address, family }])
    else callback(null, address, family)
  }

  #noteQueue(name: string, packets: number, bytes: number): void {
    if (this.#endedAt < 0) this.#queueOf(name)?.points.push([this.time.now(), packets, bytes])
  }

  #queueOf(name: string): { points: [Micros, number, number][]; drops: Micros[] } | null {
    if (this.#options.series === false) return null
    let queue = this.#queues.get(name)
    if (queue === undefined) {
      queue = { points: [], drops: [] }
      this.#queues.set(name, queue)
    }
    return queue
  }

  #queueRecords(): QueueRecord[] {
    return [...this.#queues].map(([name, { points, drops }]) => ({ name, points: thin(points, (p) => p[1]), drops }))
  }
}
