// One of the two hosts of a fuzzed world: a stack, what its application does, and what it has put on the wire.
// Owns: the application, the packets sent and not yet arrived. Does not own: what happens on the way (tcp-world.ts).

import type { IpAddress } from '../../src/ip/address.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { Stack, type StackConfig } from '../../src/stack/stack.ts'
import { Connection } from '../../src/tcp/connection.ts'
import { FLAG } from '../../src/tcp/header.ts'
import type { Listener } from '../../src/tcp/listener.ts'
import { type State, TRANSITIONS } from '../../src/tcp/state.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import { formatPacket } from '../../src/trace/packet-line.ts'
import { feature, violated } from './target.ts'
import { checkRecord, SentPacket, type Told } from './tcp-checks.ts'
import { streamText } from './tcp-stream.ts'

/** Most connections that an application keeps open. */
export const MOST_APPS = 10
/** Most connections in TIME-WAIT; their ports may be taken again, beyond `synBacklog`. */
export const MOST_TIME_WAIT = 8
const MOST_SENT = 1200
const MOST_BARE = 6
const MOST_ON_WIRE = 300

/** An application's end of a connection. */
export interface App {
  readonly connection: Connection
  written: number
  read: number
  /** Its ports were used before: what is late of that connection is not of this stream. */
  readonly isReused: boolean
}

/** A SYN,ACK that was sent to an address where nobody is. */
export interface StrangerOpen {
  readonly who: number
  readonly port: number
  readonly seq: number
  readonly ack: number
  readonly tsVal: number
}

/** Told of every packet, when set. */
export const trace: { line: ((text: string) => void) | null } = { line: null }

const STATES = Object.keys(TRANSITIONS) as readonly State[]
const spare: Packet[] = []
const scratch = new Packet()

/** A packet of its own with the same contents, out of a pool. */
export function copyOf(packet: Packet): Packet {
  const copy = spare.pop() ?? new Packet(new Uint8Array(HEADROOM + 2048))
  copy.copyFrom(packet)
  return copy
}

/** Gives a packet back to the pool. */
export function giveBack(packet: Packet): void {
  if (spare.length < 1000) spare.push(packet)
}

/** A host of the world. */
export class FuzzHost {
  readonly index: 0 | 1
  readonly stack: Stack
  readonly address: IpAddress
  readonly peerAddress: IpAddress
  readonly mtu: number
  readonly listener: Listener
  /** Sent to the other host, the oldest first. */
  readonly wire: Packet[] = []
  /** The last ones that were sent to it. */
  readonly history: Packet[] = []
  readonly tcbs = new Map<number, Tcb>()
  readonly apps: App[] = []
  readonly strangers: StrangerOpen[] = []
  /** Reads at once whatever comes. */
  readsAtOnce = true
  acceptsAtOnce = true
  /** Records that text may have come into that is not of the stream; `isPoisoned`: any of them. */
  readonly poisoned = new WeakSet<Tcb>()
  isPoisoned = false
  now = 0
  packetsIn = 0
  readonly #told = new Map<number, Told>()
  readonly #opens = new Map<number, number>()
  readonly #sent = new SentPacket()
  readonly #isIntact: boolean

  constructor(
    index: 0 | 1,
    addresses: readonly [IpAddress, IpAddress],
    config: StackConfig,
    port: { readonly backlog: number; readonly md5Key?: string },
    isIntact: boolean,
  ) {
    this.index = index
    this.address = addresses[index]
    this.peerAddress = addresses[1 - index]
    this.mtu = config.mtu
    this.#isIntact = isIntact
    this.stack = new Stack(config)
    this.stack.tcp.onStep = checkRecord
    this.stack.tcp.onState = (tcb, from, to) => this.#onState(tcb, from as State, to as State)
    this.listener = this.stack.listen({ port: 80, ...port })
  }

  /** The record of the connection between these ports and the other host; null when there never was one. */
  record(localPort: number, remotePort: number): Tcb | null {
    return this.tcbs.get(localPort * 65536 + remotePort) ?? null
  }

  /** Takes in a packet. */
  receive(packet: Packet, now: number): void {
    this.now = now
    this.packetsIn++
    const at = packet.start + (packet.bytes[packet.start] >>> 4 === 4 ? (packet.bytes[packet.start] & 15) * 4 : 40)
    const isReset = (packet.bytes[at + 13] & FLAG.RST) !== 0
    trace.line?.(`${now / 1000} to ${this.index}: ${formatPacket(packet)}`)
    this.stack.handlePacket(packet, now)
    this.pump(isReset)
  }

  /** Lets all timers that are due run out. */
  wake(now: number): void {
    this.now = now
    for (let i = 0; this.stack.nextDeadline() <= now; i++) {
      if (i > 40) violated('timers that are due again and again')
      this.stack.handleTimeout(now)
      this.pump(false, true)
    }
  }

  /** Events, then everything that is to be sent. */
  pump(isAfterReset = false, isTimer = false): void {
    const { stack } = this
    let bare = 0
    let sent = 0
    do {
      for (let source = stack.pollEvent(); source !== null; source = stack.pollEvent()) {
        source.takeEvents()
        if (source instanceof Connection) this.#read(source)
        else if (this.acceptsAtOnce) this.accept()
      }
      while (stack.pollTransmit(scratch, this.now)) {
        if (!this.#send(isAfterReset)) bare++
        if (++sent > MOST_SENT) violated(`${sent} packets at once`)
      }
    } while (stack.hasEvents)
    if (bare > MOST_BARE && !isTimer) violated(`${bare} packets without text in answer to one`)
    this.#account()
  }

  /** Takes what waits to be accepted. */
  accept(): void {
    for (let c = this.listener.accept(); c !== null; c = this.listener.accept()) {
      const app = this.adopt(c)
      if (this.apps.length > MOST_APPS) this.apps.shift()?.connection.abort()
      this.#readAll(app)
    }
  }

  /** A connection of the application's. */
  adopt(connection: Connection): App {
    const opens = this.#opens.get(connection.localPort * 65536 + connection.remotePort) ?? 0
    const app: App = { connection, written: 0, read: 0, isReused: opens > 1 }
    connection.user = app
    this.apps.push(app)
    return app
  }

  /** Writes the next octets of the stream. */
  write(app: App, length: number, isUrgent: boolean): void {
    const text = streamText(this.index, app.written, length)
    app.written += isUrgent ? app.connection.writeUrgent(text) : app.connection.write(text)
  }

  /** Reads up to so many octets, which must be those of the other's stream. */
  read(app: App, most: number): void {
    const text = app.connection.read(most)
    if (text === null) return
    const { tcb } = app.connection
    const peerIss = this.peerIss(tcb)
    const isFalse = app.isReused || !tcb.remote.equals(this.peerAddress) || this.isPoisoned || this.poisoned.has(tcb)
    const isJudged = !isFalse && (peerIss === null || peerIss === tcb.rcv.irs)
    if (isJudged && Buffer.compare(text, streamText((1 - this.index) as 0 | 1, app.read, text.length)) !== 0) {
      violated(`wrong octets were read at ${app.read} in ${text.length} bytes`)
    }
    app.read += text.length
  }

  /** Where the other host's numbers of this connection began, when it has it too; set by the world. */
  peerIss: (tcb: Tcb) => number | null = () => null

  #read(connection: Connection): void {
    const app = connection.user as App | null
    if (app !== null && this.readsAtOnce) this.#readAll(app)
  }

  #readAll(app: App): void {
    while (app.connection.readableBytes > 0) this.read(app, 60_000)
    const { error, remote, tcb } = app.connection
    if (this.#isIntact && error !== null && tcb.rcv.irs === this.peerIss(tcb) && remote.equals(this.peerAddress)) {
      violated(`${error.code} though nobody was entitled to it`)
    }
  }

  #onState(tcb: Tcb, from: State, to: State): void {
    feature(1 + STATES.indexOf(from) * 11 + STATES.indexOf(to) + (tcb.passive ? 121 : 0))
    if (from !== 'CLOSED') return
    const key = this.#key(tcb.localPort, tcb.remotePort, tcb.remote)
    this.tcbs.set(key, tcb)
    this.#told.set(key, { edge: 0, isKnown: false })
    this.#opens.set(key, (this.#opens.get(key) ?? 0) + 1)
  }

  #key(localPort: number, remotePort: number, remote: IpAddress): number {
    const low = localPort * 65536 + remotePort
    return remote.equals(this.peerAddress) ? low : low + (1 + (remote.w3 & 31)) * 2 ** 32
  }

  /** One packet that was polled; whether it carries text. */
  #send(isAfterReset: boolean): boolean {
    const sent = this.#sent
    trace.line?.(`${this.now / 1000} from ${this.index}: ${formatPacket(scratch)}`)
    sent.read(scratch, this.mtu)
    const { ip, tcp } = sent
    if (!ip.src.equals(this.address)) violated(`a packet from ${ip.src}`)
    if (!sent.isTcp) return false
    if (isAfterReset && (tcp.flags & FLAG.RST) !== 0) violated('a reset in answer to a reset')
    const key = this.#key(tcp.sourcePort, tcp.destinationPort, ip.dst)
    const tcb = this.tcbs.get(key)
    const told = this.#told.get(key)
    if (tcb !== undefined && told !== undefined && tcb.state !== 'CLOSED') sent.judge(scratch, tcb, told, this.index)
    if (ip.dst.equals(this.peerAddress)) this.#queue(copyOf(scratch))
    else if ((tcp.flags & (FLAG.SYN | FLAG.ACK)) === (FLAG.SYN | FLAG.ACK)) {
      if (this.strangers.length >= 16) this.strangers.shift()
      const who = ip.dst.w3 & 31
      this.strangers.push({ who, port: tcp.destinationPort, seq: tcp.seq, ack: tcp.ack, tsVal: tcp.tsVal })
    }
    return tcp.textLength > 0
  }

  #queue(packet: Packet): void {
    if (this.wire.length >= MOST_ON_WIRE) giveBack(this.wire.shift() as Packet)
    this.wire.push(packet)
    if (this.history.length >= 12) giveBack(this.history.shift() as Packet)
    this.history.push(copyOf(packet))
  }

  #account(): void {
    const { listener, stack } = this
    const { config, backlog } = listener
    if (listener.halfOpen > config.synBacklog + MOST_TIME_WAIT) violated(`${listener.halfOpen} half-open connections`)
    if (listener.pending > backlog) violated(`${listener.pending} wait, backlog ${backlog}`)
    const most = 2 * MOST_APPS + config.synBacklog + 2 * backlog + 60
    if (stack.tcp.connectionCount > most) violated(`${stack.tcp.connectionCount} connections`)
  }
}
