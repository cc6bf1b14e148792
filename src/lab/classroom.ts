// The network of a class: a switch, and on it a router, a DHCP server, a DNS server, a web server, and PCs that know nothing yet.
// In virtual time for the experiment; in real time a port of the switch may be a TAP, by which Linux joins.
// Owns: who is there and what they serve, the frames as the switch saw them. Does not own: what the PC does (experiments/classroom.ts),
// the switch (src/ethernet), words for frames (frame-line.ts).

import type { Random } from '../base/random.ts'
import { type Micros, type Scheduler, SECOND } from '../base/time.ts'
import {
  EthernetDevice,
  type EthernetOptions,
  eui64Address,
  type FrameDevice,
  formatMac,
  isGroupMac,
  type Mac,
  type PortOptions,
  VirtualSwitch,
} from '../ethernet/index.ts'
import { HttpServer } from '../http/server.ts'
import type { ByteStream } from '../http/stream.ts'
import { IpAddress } from '../ip/address.ts'
import type { Packet, PacketDevice } from '../link/device.ts'
import type { Impairment } from '../link/impairment.ts'
import { createHost, type Host } from '../net/host.ts'
import { secureServer } from '../net/secure-server.ts'
import { PcapngWriter } from '../trace/pcapng.ts'
import { Advertiser } from './advertiser.ts'
import { CLASS_CERTIFICATE, CLASS_KEY } from './class-certificate.ts'
import { FrameLines } from './frame-line.ts'

/** Where the servers are. */
export const CLASS_ADDRESSES = {
  router: '192.168.32.1',
  dhcp: '192.168.32.2',
  dns: '192.168.32.53',
  web: '192.168.32.80',
} as const

/** First and last address for those who ask. */
export const CLASS_POOL = ['192.168.32.100', '192.168.32.199'] as const
/** Names: the first has an IPv4 address, the second an IPv6 address. */
export const CLASS_NAMES = { web: 'www.class.example', web6: 'www6.class.example' } as const
/** What the router advertises, /64. */
export const CLASS_PREFIX: IpAddress = IpAddress.parse('fd00:32::')
/** The page. */
export const CLASS_PAGE =
  '<!doctype html><title>Hello, class</title><p>This page came over a stack that you can read.</p>\n'
/** Whom frames to groups are to. */
export const EVERYBODY = 'everybody'

const FIRST_MAC: Mac = 0x020000000001

/** A frame, as the switch saw it. */
export interface FrameRecord {
  /** When the switch had it; -1 when it never did. */
  readonly at: Micros
  readonly from: string
  readonly to: string
  readonly protocol: string
  readonly text: string
  readonly source: string
  readonly bytes: number
  /** How many ports it left by. */
  ports: number
  /** What kept it from arriving; ''. */
  readonly fate: string
}

/** A host of the class. */
export interface Station {
  readonly host: Host
  readonly ethernet: EthernetDevice
}

/** How a classroom is set up. */
export interface ClassroomOptions {
  readonly scheduler: Scheduler
  /** A source of its own for whoever asks. */
  readonly random: () => Random
  /** After how long the switch forgets a station; its default is 300 s. */
  readonly ageingUs?: Micros
  /** What the cable of a host does to frames, each way. */
  readonly cable?: (name: string) => { readonly out: Impairment; readonly in: Impairment }
  /** A device around that of a host, which makes faults happen. */
  readonly around?: (name: string, device: PacketDevice) => PacketDevice
  /** Whether to keep a capture of each port. */
  readonly capture?: boolean
}

/** The room. */
export class Classroom {
  readonly bridge: VirtualSwitch
  /** In the order of the switch. */
  readonly frames: FrameRecord[] = []
  readonly stations = new Map<string, Station>()
  readonly #options: ClassroomOptions
  readonly #lines = new FrameLines()
  readonly #names = new Map<Mac, string>()
  readonly #captures = new Map<string, { writer: PcapngWriter; chunks: Uint8Array[] }>()
  #advertiser: Advertiser | null = null
  #ending: (() => void)[] = []

  constructor(options: ClassroomOptions) {
    this.#options = options
    const { scheduler, random, ageingUs } = options
    this.bridge = new VirtualSwitch({ scheduler, random: random(), ...(ageingUs === undefined ? {} : { ageingUs }) })
  }

  /** Puts a host on a port. Its Ethernet address is 02:00:00:00:00:01, 02, ... in the order in which they come. */
  join(name: string, address: readonly string[], options: Partial<EthernetOptions> = {}): Station {
    const { scheduler, random, cable, around = (_, device) => device } = this.#options
    const port = this.bridge.port({ ...this.#port(name), ...cable?.(name) })
    const mac = FIRST_MAC + this.stations.size
    const ethernet = new EthernetDevice(port, { scheduler, random: random(), mac, ...options })
    this.#names.set(mac, name)
    const host = createHost({ device: around(name, ethernet), address, scheduler, random: random() })
    ethernet.attach(host.stack.ip)
    const station = { host, ethernet }
    this.stations.set(name, station)
    return station
  }

  /** Makes a port of a device: a TAP, by which a kernel joins. */
  attach(name: string, device: FrameDevice): void {
    this.bridge.attach(device, this.#port(name))
  }

  /** Puts router and servers into the room, and starts what they serve. */
  async open(): Promise<void> {
    const { scheduler, random } = this.#options
    const [router, dhcp, dns, web] = Object.entries(CLASS_ADDRESSES).map(([name, address]) =>
      this.join(name, [`${address}/24`], { slaac: name === 'web' }),
    )
    this.#advertiser = new Advertiser({
      ethernet: router.ethernet,
      scheduler,
      random: random(),
      prefix: CLASS_PREFIX,
    })
    dhcp.host.dhcpServer({
      ethernet: dhcp.ethernet,
      range: CLASS_POOL,
      routers: [CLASS_ADDRESSES.router],
      dnsServers: [CLASS_ADDRESSES.dns],
      domain: 'class.example',
    })
    const web6 = eui64Address(CLASS_PREFIX, web.ethernet.mac)
    await dns.host.dnsServer({
      zone: { origin: 'class.example', text: `www A ${CLASS_ADDRESSES.web}\nwww6 AAAA ${web6}\n` },
    })
    await this.#serve(web.host)
  }

  /** The captures of all ports as files, directions as the port's host sees them. */
  captures(): { host: string; bytes: Uint8Array }[] {
    return [...this.#captures].map(([host, { chunks }]) => {
      const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
      let at = 0
      for (const chunk of chunks) {
        bytes.set(chunk, at)
        at += chunk.length
      }
      return { host, bytes }
    })
  }

  /** A packet that a fault kept from the switch. */
  lost(from: string, packet: Packet, fate: string): void {
    this.frames.push({
      at: -1,
      from,
      to: '',
      protocol: '',
      text: fate,
      source: '',
      bytes: packet.length,
      ports: 0,
      fate,
    })
  }

  /** Hosts and switch end. */
  async close(): Promise<void> {
    for (const end of this.#ending.splice(0)) end()
    await Promise.all([...this.stations.values()].map(({ host }) => host.close({ graceMs: 0 })))
    this.bridge.close()
  }

  /** The page by http and https. */
  async #serve(host: Host): Promise<void> {
    const { scheduler } = this.#options
    const headers = { 'content-type': 'text/html; charset=utf-8' }
    const server = new HttpServer({
      scheduler,
      handler: ({ path }) => (path === '/' ? { status: 200, headers, body: CLASS_PAGE } : { status: 404 }),
    })
    const listening = await host.listen({ port: 80, allowHalfOpen: true, noDelay: true })
    listening.on('connection', (socket) => server.handleConnection(socket as ByteStream))
    const secure = secureServer({ key: CLASS_KEY, cert: CLASS_CERTIFICATE, ALPNProtocols: ['http/1.1'] }, (socket) =>
      server.handleConnection(socket as ByteStream, { secure: true }),
    )
    await host.serve(secure, { port: 443, noDelay: true })
    this.#ending.push(
      () => listening.close(),
      () => secure.emit('close'),
    )
  }

  #port(name: string): PortOptions {
    return {
      name,
      onFrame: (frame, direction, at) => {
        if (direction === 'in') this.#entered(name, frame, at)
        else this.#left(name, frame)
        this.#capture(name, frame, direction === 'in' ? 'out' : 'in', at)
      },
    }
  }

  #entered(name: string, frame: Packet, at: Micros): void {
    const line = this.#lines.read(frame)
    if (line === null) return
    const { src, dst, protocol, text, from: source } = line
    this.#names.set(src, name)
    const to = isGroupMac(dst) ? EVERYBODY : (this.#names.get(dst) ?? formatMac(dst))
    this.frames.push({ at, from: name, to, protocol, text, source, bytes: frame.length, ports: 0, fate: '' })
  }

  // The switch sends a frame on before it takes another one.
  #left(name: string, frame: Packet): void {
    const last = this.frames.at(-1)
    if (last !== undefined) last.ports++
    if (name === 'router' && last?.text === 'router solicitation' && frame.length === last.bytes) {
      this.#advertiser?.solicited()
    }
  }

  #capture(name: string, frame: Packet, direction: 'in' | 'out', at: Micros): void {
    if (this.#options.capture !== true) return
    let file = this.#captures.get(name)
    if (file === undefined) {
      const chunks: Uint8Array[] = []
      file = { chunks, writer: new PcapngWriter((bytes) => chunks.push(bytes), { name, family: 'ethernet' }) }
      this.#captures.set(name, file)
    }
    file.writer.packet(frame, direction, at)
  }
}

/** How long the servers take to look for duplicates of their addresses, at most. */
export const CLASS_SETTLE_US: Micros = 10 * SECOND
