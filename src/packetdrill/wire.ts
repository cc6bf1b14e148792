// The wire of a run: packets of the script on their way in, packets of the side under test as they come out, and whose they are.
// Owns: connections by their ports, numbers of both spaces, bytes. Does not own: time (runner.ts), comparing (packet-match.ts).

import { IpAddress } from '../ip/address.ts'
import { FLAG } from '../tcp/header.ts'
import type { Endpoints, PacketAction, TcpSpec } from './ast.ts'
import { Flow } from './flow.ts'
import { type LivePacket, type LiveTcp, type LiveUdp, readPacket, sizeOfOptions } from './live-packet.ts'
import { buildIcmp, buildTcp, buildUdp, type PacketEnds, type SignSegment } from './packet-build.ts'
import { formatLive } from './packet-match.ts'
import type { RunSettings } from './settings.ts'
import type { SentPacket } from './target.ts'

/** The first of the ports that the script's clients have. */
const FIRST_REMOTE_PORT = 49_152
/** The most text in a segment when no SYN has said otherwise (RFC 9293 §3.7.1). */
const DEFAULT_MSS = { 4: 536, 6: 1220 } as const

/** The script's end of the wire. */
export class Wire {
  readonly #settings: RunSettings
  readonly #local: IpAddress
  readonly #remote: IpAddress
  readonly #flows: Flow[] = []
  /** The connection that packets without ports belong to; null before the first one. */
  current: Flow | null = null
  /** The port where the side under test listens. */
  listenPort: number
  #nextRemotePort = FIRST_REMOTE_PORT
  /** What was sent and not yet expected, in order. */
  readonly pending: LivePacket[] = []
  /** Signs what the script calls `md5 valid`. */
  sign: SignSegment | null = null
  #leastMss = Number.POSITIVE_INFINITY

  constructor(settings: RunSettings) {
    this.#settings = settings
    this.#local = IpAddress.parse(settings.ends.local)
    this.#remote = IpAddress.parse(settings.ends.remote)
    this.listenPort = settings.bindPort
  }

  /** Takes what the side under test has sent; returns its line for the log, or '' for what is no concern of a script. */
  sent(packet: SentPacket): string {
    const live = readPacket(packet)
    if (live === null || live.body.kind === 'other') return ''
    if (live.body.kind === 'icmp' && live.body.type >= 130 && live.body.type <= 143) return '' // a kernel's neighbours and routers
    this.pending.push(live)
    if (live.body.kind === 'tcp') this.#noteMss(live.body.options, live.body.flags)
    return formatLive(live, live.body.kind === 'tcp' ? this.#find(live.body) : null)
  }

  /** The side under test opens a connection to a port, perhaps from a port that it has bound. */
  connecting(remotePort: number, localPort: number, again: Flow | null): Flow {
    if (again !== null && again.remotePort === remotePort) {
      again.mayRenumber = true
      this.current = again
      return again
    }
    const flow = new Flow(localPort, remotePort)
    this.#flows.push(flow)
    this.current = flow
    return flow
  }

  /** The side under test sends a datagram to a port, or connects a UDP socket to it. */
  sendingTo(remotePort: number, localPort: number): void {
    const isSame = (flow: Flow): boolean => localPort < 0 || flow.localPort < 0 || flow.localPort === localPort
    const known = this.#flows.find((flow) => flow.remotePort === remotePort && isSame(flow))
    this.current = known ?? this.#open(localPort, remotePort)
  }

  /** Whether there is one connection, so that its packets need no ports. */
  get isAlone(): boolean {
    return this.#flows.length < 2
  }

  /** The side under test listens: the next packet of the script opens a new connection. */
  listening(port: number): void {
    this.listenPort = port
    this.current = null
  }

  /** The connection that a packet of the script is about. */
  flowOf(action: PacketAction): Flow {
    const { endpoints } = action
    if (endpoints !== null) return this.#flowBetween(endpoints, action.direction)
    if (this.current === null) this.current = this.#open(this.listenPort, this.#nextRemotePort++)
    return this.current
  }

  #open(localPort: number, remotePort: number): Flow {
    const flow = new Flow(localPort, remotePort)
    this.#flows.push(flow)
    return flow
  }

  #flowBetween({ sourcePort, destinationPort }: Endpoints, direction: 'in' | 'out'): Flow {
    const localPort = direction === 'in' ? destinationPort : sourcePort
    const remotePort = direction === 'in' ? sourcePort : destinationPort
    const known = this.#flows.find((flow) => flow.localPort === localPort && flow.remotePort === remotePort)
    const waiting = this.#flows.find((flow) => flow.localPort < 0 && flow.remotePort === remotePort)
    if (known === undefined && waiting !== undefined) waiting.localPort = localPort
    this.current = known ?? waiting ?? this.#open(localPort, remotePort)
    return this.current
  }

  /** The connection that a segment belongs to; null when there is none. */
  #find({ sourcePort, destinationPort }: LiveTcp | LiveUdp): Flow | null {
    return this.#flows.find((flow) => flow.localPort === sourcePort && flow.remotePort === destinationPort) ?? null
  }

  /** As #find, and a SYN or a first datagram to where the script connects shows the port that was chosen. */
  ownerOf(tcp: LiveTcp | LiveUdp): Flow | null {
    const known = this.#find(tcp)
    if (known !== null || (tcp.kind === 'tcp' && (tcp.flags & (FLAG.SYN | FLAG.ACK)) !== FLAG.SYN)) return known
    const isOpening = (flow: Flow): boolean => flow.remotePort === tcp.destinationPort && flow.mayRenumber
    const flow =
      this.#flows.find((one) => isOpening(one) && one.localPort < 0) ??
      (tcp.kind === 'tcp' ? this.#flows.find(isOpening) : undefined)
    if (flow === undefined) return null
    flow.localPort = tcp.sourcePort
    return flow
  }

  /** The most text that a packet with these options carries. */
  segmentBytes(tcp: LiveTcp): number {
    const mss = this.#leastMss === Number.POSITIVE_INFINITY ? DEFAULT_MSS[this.#settings.ends.family] : this.#leastMss
    return mss - sizeOfOptions(tcp.options)
  }

  #noteMss(options: TcpSpec['options'], flags: number): void {
    if ((flags & FLAG.SYN) === 0) return
    for (const option of options ?? [])
      if (option.kind === 'mss') this.#leastMss = Math.min(this.#leastMss, option.value)
  }

  /**
   * The bytes of a packet of the script.
   * @throws {RangeError} {TypeError} for what cannot be laid out
   */
  build(action: PacketAction): Uint8Array {
    const flow = this.flowOf(action)
    const { body } = action
    if (flow.localPort < 0) throw new RangeError('the side under test has not sent its SYN yet: its port is not known')
    const ends: PacketEnds = {
      source: this.#remote,
      sourcePort: flow.remotePort,
      destination: this.#local,
      destinationPort: flow.localPort,
    }
    if (body.kind === 'udp') return buildUdp(body.length, action.ip, ends)
    if (body.kind === 'icmp') {
      const quoted: PacketEnds = {
        source: this.#local,
        sourcePort: flow.localPort,
        destination: this.#remote,
        destinationPort: flow.remotePort,
      }
      return buildIcmp(body, action.ip, quoted, flow.toLive(body.seq))
    }
    this.#noteMss(body.options, body.flags)
    if ((body.flags & (FLAG.SYN | FLAG.ACK)) === FLAG.SYN) flow.mayRenumber = true
    const options = (body.options ?? []).map((option) => flow.optionToLive(option))
    const ack = body.ack < 0 ? -1 : flow.toLive(body.ack)
    return buildTcp({ ...body, ack, options }, action.ip, ends, this.sign)
  }
}
