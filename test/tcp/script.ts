// Scripts that drive one Stack by itself: a scripted peer, no device, a clock that moves only when the script says so:
// `established().write(9).out('P. 1:10 ack 1').in('. ack 10')`. A line without sequence number has the next one of its sender. What
// the stack sends must be written: anything else fails at the next step. Every packet's checksums, addresses and text are verified; the
// invariants are checked after every step.
// Read first: notation.ts for the lines, world.ts for where scenarios run.

import { expect } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { PROTOCOL } from '../../src/ip/header.ts'
import { HEADROOM, type Offload, Packet } from '../../src/link/device.ts'
import { Stack, type StackConfig } from '../../src/stack/stack.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { EVENT } from '../../src/tcp/events.ts'
import { FLAG, SegmentPlan } from '../../src/tcp/header.ts'
import { checkInvariants } from '../../src/tcp/invariants.ts'
import type { Listener } from '../../src/tcp/listener.ts'
import { seq } from '../../src/tcp/seq.ts'
import type { State } from '../../src/tcp/state.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import { formatLine, type Line, matches, parseLine } from './notation.ts'
import {
  fillOptions,
  isSignedWith,
  type Origin,
  ourByte,
  peerByte,
  readSent,
  type Sent,
  seal,
  segmentBytes,
  sign,
  text,
  wrapIp,
} from './wire.ts'
import { currentWorld, inhabit } from './world.ts'

export { scenario } from './world.ts'

/** What the peer can do and how we are set up. */
export interface ScriptOptions {
  /** Our settings. */
  tcp?: Partial<TcpConfig>
  /** The peer's MSS option; null: none. Default 1460. */
  mss?: number | null
  /** The peer offers SACK, timestamps, window scaling (shift count); default none of them. */
  sack?: boolean
  ts?: boolean
  wscale?: number
  /** The peer's window field where a line does not say. Default 65535. */
  win?: number
  /** Time between our SYN and its acknowledgement. Default 100 ms: SRTT 100 ms, RTO 300 ms. */
  rttMs?: number
  /** MTU over IPv4; IPv6 gets 20 more, so that MSS is the same. Default 1500. */
  mtu?: number
  offload?: Offload
  /** The peer opens. */
  passive?: boolean
  backlog?: number
  /** What else the stack is set up with. */
  stack?: Partial<StackConfig>
  random?: SeededRandom
  /** Our key for the peer, and the peer's at first (RFC 2385): all that we send must be signed with it. */
  md5Key?: string
}

const START_US = 10_000_000
const outgoing = new Packet(new Uint8Array(HEADROOM + 65536))
const finOrSyn = (line: Line): number => (line.flags & FLAG.SYN ? 1 : 0) + (line.flags & FLAG.FIN ? 1 : 0)

/** One stack and its scripted peer. */
export class Script {
  readonly stack: Stack
  readonly options: ScriptOptions
  readonly transcript: string[] = []
  readonly local: IpAddress
  readonly remote: IpAddress
  localPort: number
  remotePort: number
  listener: Listener | null = null
  /** What relative numbers count from. */
  readonly origin: Origin
  /** The peer's timestamp at script time 0; it ticks in milliseconds. */
  tsBase = 1000
  /** The key that the peer signs with; null: it does not. */
  peerKey: string | null
  #now = START_US
  #connection: Connection | null = null
  readonly #sent: Sent[] = []
  #ourNext = 0
  #peerNext = 0
  #win: number
  #written = 0
  #read = 0

  constructor(options: ScriptOptions = {}) {
    const { family, iss, irs } = currentWorld()
    this.options = options
    this.local = IpAddress.parse(family === 4 ? '10.0.0.2' : 'fd00::2')
    this.remote = IpAddress.parse(family === 4 ? '10.0.0.1' : 'fd00::1')
    this.localPort = options.passive ? 80 : 40000
    this.remotePort = options.passive ? 40000 : 80
    this.origin = { iss, irs, tsOffset: 0, tsVal: 0, tsEcr: 0 }
    this.#win = options.win ?? 65535
    this.peerKey = options.md5Key ?? null
    this.stack = new Stack({
      addresses: [family === 4 ? '10.0.0.2/24' : 'fd00::2/64'],
      mtu: (options.mtu ?? 1500) + (family === 4 ? 0 : 20),
      random: options.random ?? new SeededRandom(7),
      isn: () => this.origin.iss,
      // The classic recovery (RFC 5681, RFC 6675), Nagle's plain rule, acknowledgements by count and time, a buffer that stays, unless a
      // scenario asks for more.
      tcp: {
        congestion: 'reno',
        challengeIntervalUs: 0,
        delayedAck: 'fixed',
        receiveBufferBytes: 1 << 20,
        receiveBufferAutotune: false,
        dsack: false,
        rack: false,
        tailLossProbe: false,
        prr: false,
        undo: false,
        pathMtuBlackHole: false,
        nagleVariant: 'rfc',
        forcedPush: false,
        frto: false,
        retransmitCollapse: false,
        ...options.tcp,
      },
      ...(options.offload === undefined ? {} : { offload: options.offload }),
      ...options.stack,
    })
    this.stack.tcp.onStep = checkInvariants
    inhabit(this)
  }

  /** The clock, as the stack is told it. */
  get now(): number {
    return this.#now
  }

  /** Script time in milliseconds, from its start. */
  get ms(): number {
    return (this.#now - START_US) / 1000
  }

  get connection(): Connection {
    this.#connection ??=
      (this.stack.tcp.connections()[Symbol.iterator]().next().value as Connection | undefined) ?? null
    if (this.#connection === null) throw new Error('the script has no connection yet')
    return this.#connection
  }

  set connection(connection: Connection) {
    this.#connection = connection
  }

  get tcb(): Tcb {
    return this.connection.tcb
  }

  /** The connection's state; LISTEN when there is only a listener. */
  get state(): State {
    if (this.stack.tcp.connectionCount > 0) return this.tcb.state
    return this.listener !== null && !this.listener.isClosed ? 'LISTEN' : 'CLOSED'
  }

  /** An active open; the SYN is left to be read. */
  connect(): this {
    const { remote, remotePort, localPort } = this
    const { md5Key } = this.options
    this.connection = this.stack.connect({ remote, remotePort, localPort, md5Key }, this.#now)
    return this.#flush()
  }

  /** A passive open. */
  listen(): this {
    const { backlog, md5Key } = this.options
    this.listener = this.stack.listen({ port: this.localPort, backlog, md5Key })
    return this
  }

  /** Takes the next connection from the listener. */
  accept(): this {
    const connection = this.listener?.accept() ?? null
    if (connection === null) throw new Error('no connection waits to be accepted')
    this.connection = connection
    return this.#flush()
  }

  /** Segments that arrive in one batch: output is polled after the last. */
  in(...lines: string[]): this {
    this.quiet()
    for (const line of lines) {
      this.#note('>', line)
      this.handle(this.packet(line))
    }
    return this.#flush()
  }

  /** One line several times, each a batch of its own. */
  times(count: number, line: string): this {
    for (let i = 0; i < count; i++) this.in(line)
    return this
  }

  /** Hands a packet to the stack without polling its output. */
  handle(packet: Packet): this {
    this.stack.handlePacket(packet, this.#now)
    return this.#check()
  }

  /** A packet of any kind, and what comes of it. */
  deliver(packet: Packet): this {
    this.quiet()
    this.#note('>', `a packet of ${packet.length} bytes`)
    return this.handle(packet).#flush()
  }

  /** The segments that the stack has sent, in order. */
  out(...lines: string[]): this {
    for (const line of lines) {
      const expected = parseLine(line)
      if (expected.seq === null) expected.seq = expected.end = this.#ourNext
      const actual = this.#sent.shift()
      if (actual === undefined) throw new Error(`expected: ${line}\nactual:   nothing was sent`)
      if (!matches(expected, actual)) {
        throw new Error(`expected: ${formatLine(expected)}\nactual:   ${formatLine(actual)}`)
      }
      this.#count(actual)
    }
    return this.#check()
  }

  /** Text [start, end) in full-sized segments, PSH on the last when `push`. */
  outText(start: number, end: number, ack = 1, push = true): this {
    const { mss } = this.tcb.snd
    for (let at = start; at < end; at += mss) {
      const to = Math.min(end, at + mss)
      this.out(`${push && to === end ? 'P.' : '.'} ${at}:${to} ack ${ack}`)
    }
    return this
  }

  /** Nothing (more) was sent. */
  quiet(): this {
    const next = this.#sent[0]
    if (next !== undefined) throw new Error(`expected: nothing more\nactual:   ${formatLine(next)}`)
    return this
  }

  /** Takes all that was sent, unseen. */
  drain(): Sent[] {
    for (const line of this.#sent) this.#count(line)
    return this.#sent.splice(0)
  }

  /** Lets time pass, timers included; with `drop`, what is sent meanwhile is forgotten step by step. */
  advance(ms: number, drop = false): this {
    this.quiet()
    const until = this.#now + Math.round(ms * 1000)
    for (let steps = 0; this.stack.nextDeadline() <= until; steps++) {
      if (steps > 10_000) throw new Error('the stack asks to be woken for ever at the same time')
      this.#now = Math.max(this.#now, this.stack.nextDeadline())
      this.stack.handleTimeout(this.#now)
      this.#flush()
      if (drop) this.drain()
    }
    this.#now = until
    return this.#check()
  }

  /** Time passes and nothing is sent. */
  silent(ms: number): this {
    return this.advance(ms).quiet()
  }

  /** Writes the next `length` octets of our stream; all must be taken. */
  write(length: number, more = false): this {
    expect(this.offer(length, more), 'octets taken by write').toBe(length)
    return this
  }

  /** The same, urgent up to its end. */
  writeUrgent(length: number): this {
    expect(this.offer(length, false, true), 'octets taken by writeUrgent').toBe(length)
    return this
  }

  /** Writes `count` records (MSG_EOR) of `length` octets each, before any of it is sent. */
  writeRecords(count: number, length: number): this {
    this.quiet()
    for (let i = 0; i < count; i++) {
      this.connection.write(text(ourByte, this.#written, this.#written + length))
      this.connection.endRecord()
      this.#written += length
    }
    return this.#flush()
  }

  /** Writes as much as is taken of the next `length` octets of our stream; returns how much that was. */
  offer(length: number, more = false, isUrgent = false): number {
    this.quiet()
    const bytes = text(ourByte, this.#written, this.#written + length)
    const taken = isUrgent ? this.connection.writeUrgent(bytes) : this.connection.write(bytes, more)
    this.#written += taken
    this.#flush()
    return taken
  }

  /** Reads up to `most` octets; they must be `length` and the next ones of the peer's stream. */
  reads(length: number, most = Number.POSITIVE_INFINITY): this {
    this.quiet()
    const got = this.connection.read(most) ?? new Uint8Array(0)
    expect(got.length, 'octets read').toBe(length)
    const same = Buffer.compare(got, text(peerByte, this.#read, this.#read + length))
    expect(same, 'the octets of the peer, in order').toBe(0)
    this.#read += length
    return this.#flush()
  }

  /** A call of the application, and what comes of it. */
  call(act: (connection: Connection) => void): this {
    this.quiet()
    act(this.connection)
    return this.#flush()
  }

  /** Names of the events that wait, of connections and listeners. */
  events(): string[] {
    let bits = 0
    for (let s = this.stack.pollEvent(); s !== null; s = this.stack.pollEvent()) bits |= s.takeEvents()
    return Object.keys(EVENT).filter((name) => bits & EVENT[name as keyof typeof EVENT])
  }

  /** The packet that a line of the peer stands for. */
  packet(line: string, content?: Uint8Array): Packet {
    const parsed = parseLine(line)
    const start = parsed.seq ?? this.#peerNext
    const length = parsed.seq === null || parsed.end === null ? 0 : parsed.end - parsed.seq
    const { origin } = this
    const plan = new SegmentPlan()
    plan.sourcePort = this.remotePort
    plan.destinationPort = this.localPort
    plan.seq = seq(origin.irs + start)
    plan.flags = parsed.flags
    plan.ack = parsed.ack === null ? seq(0) : seq(origin.iss + parsed.ack)
    if (parsed.win !== null && !(parsed.flags & FLAG.SYN)) this.#win = parsed.win
    plan.window = parsed.win ?? this.#win
    plan.urgent = parsed.urg ?? 0
    origin.tsVal = Math.floor(this.ms) + this.tsBase
    if (this.stack.tcp.connectionCount > 0) origin.tsOffset = this.tcb.ts.offset
    fillOptions(plan, parsed.options ?? this.#usualOptions(parsed.flags), origin)
    this.#peerNext = Math.max(this.#peerNext, start + length + finOrSyn(parsed))
    const first = start - 1 + (parsed.flags & FLAG.SYN ? 1 : 0)
    if (this.peerKey !== null) plan.md5Key = Buffer.from(this.peerKey)
    const bytes = segmentBytes(plan, content ?? text(peerByte, first, first + length))
    if (this.peerKey !== null) sign(bytes, this.remote, this.local, this.peerKey)
    return wrapIp(this.remote, this.local, PROTOCOL.TCP, bytes, 16, parsed.ecn ?? 0)
  }

  /** Bytes of IP header in the peer's packets. */
  get ipHeaderBytes(): number {
    return this.remote.family === 4 ? 20 : 40
  }

  /** Mends the checksum of a packet that the test has changed. */
  seal(packet: Packet): Packet {
    seal(packet, PROTOCOL.TCP, this.ipHeaderBytes)
    return packet
  }

  #usualOptions(flags: number): string[] {
    return this.options.ts && !(flags & FLAG.RST) ? ['TS'] : []
  }

  /** The options of the peer's SYN. */
  synOptions(): string {
    const { mss = 1460, sack, ts, wscale } = this.options
    const list = []
    if (mss !== null) list.push(`mss ${mss}`)
    if (sack) list.push('sackOK')
    if (ts) list.push('TS')
    if (wscale !== undefined) list.push(`wscale ${wscale}`)
    return `<${list.join(',')}>`
  }

  #flush(): this {
    const packet = outgoing
    const ends = `${this.local} ${this.localPort} > ${this.remote} ${this.remotePort}`
    for (let count = 0; this.stack.pollTransmit(packet, this.#now); count++) {
      if (count > 5000) throw new Error('the stack sends for ever')
      if (this.stack.tcp.connectionCount > 0) this.origin.tsOffset = this.tcb.ts.offset
      const sent = readSent(packet, ends, this.origin, this.ms)
      if (sent === null) continue
      const { md5Key } = this.options
      if (md5Key !== undefined) expect(isSignedWith(packet, md5Key), `signed: ${formatLine(sent)}`).toBe(true)
      this.#note('<', formatLine(sent))
      this.#sent.push(sent)
    }
    return this.#check()
  }

  #count(sent: Sent): void {
    this.#ourNext = Math.max(this.#ourNext, sent.end + finOrSyn(sent))
  }

  #check(): this {
    for (const { tcb } of this.stack.tcp.connections()) checkInvariants(tcb)
    return this
  }

  #note(direction: string, line: string): void {
    if (this.transcript.length > 200) this.transcript.shift()
    this.transcript.push(`${this.ms.toFixed(3).padStart(12)} ${direction} ${line}`)
  }
}

/** SYN-SENT: our SYN is out and seen. */
export function connecting(options: ScriptOptions = {}): Script {
  return new Script(options).connect().out('S 0')
}

/** LISTEN on port 80; the peer's port is 40000. */
export function listening(options: ScriptOptions = {}): Script {
  return new Script({ ...options, passive: true }).listen()
}

/** ESTABLISHED, with a handshake that took `rttMs`, its events taken. */
export function established(options: ScriptOptions = {}): Script {
  const { rttMs = 100 } = options
  const c = options.passive ? listening(options) : connecting(options)
  if (options.passive) {
    c.in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1').advance(rttMs).in('. 1 ack 1').accept()
  } else {
    c.advance(rttMs).in(`S. 0 ack 1 ${c.synOptions()}`).out('. 1 ack 1')
  }
  c.events()
  return c
}
