// A small world: two stacks, what is under way between them, two applications with a few steps each, and time that stands still until a
// timer is let fire. Everything that can happen next is a choice; a world is made anew and led along choices as often as one likes.
// Owns: choices and their effects, what the applications must see. Does not own: which choices are tried (search.ts), worlds (worlds.ts).
//
//     oA  the application of A takes its next step   xA  it aborts instead            pA  the first packet under way from A arrives
//     gA  it arrives, and A's next with it, before anything is answered               tA  A's timer fires, nothing being under way
//     lA  that packet is lost    hA  it is held back    cA  a copy of it is held back    wA  A's timer fires while packets are under way
//     r0  what was held back first arrives           i0  a stranger sends the first of his packets

import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { FLAG, parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { checkInvariants } from '../../src/tcp/invariants.ts'
import type { Listener } from '../../src/tcp/listener.ts'
import { isSynchronized, type State } from '../../src/tcp/state.ts'
import { addTcb, KeyMaker, timestampAge } from './state-key.ts'
import { strangersPacket } from './stranger.ts'

/** Which of the two. */
export type SideIndex = 0 | 1

/** What may happen to packets besides arriving in order. */
export type FaultKind = 'lose' | 'hold' | 'copy' | 'wait'

/** What a stranger may send to a side, with numbers in the window but not the very ones (RFC 5961 §3, §4, §5). */
export interface Injection {
  readonly to: SideIndex
  readonly what: 'blind-reset' | 'exact-reset' | 'blind-syn' | 'blind-text' | 'future-ack'
}

/**
 * A world. A step of an application is `connect`, `listen`, `unlisten`, `accept`, `write N`, `read N`, `shutdown`, `close`, `abort`;
 * `@ended`, `@closed`, `@over`, `@open`, `@N` behind it say what it waits for: the peer's end, its own connection's, TIME-WAIT, its
 * being open, so many octets read. `listen` as the first step is done before the world begins. Without a `read` everything is read as it
 * comes.
 */
export interface WorldSpec {
  readonly name: string
  readonly about: string
  readonly steps: readonly [readonly string[], readonly string[]]
  readonly tcp?: Partial<TcpConfig>
  readonly faults?: readonly FaultKind[]
  /** Who may abort at any point. */
  readonly aborts?: readonly SideIndex[]
  readonly injections?: readonly Injection[]
  /** How many of them in all. */
  readonly injected?: number
  /** Initial sequence numbers of each side's connections, in turn. */
  readonly isn?: readonly [readonly number[], readonly number[]]
  /** Errors that an application may see here; none by default. */
  readonly errors?: readonly string[]
  /** Applications may be left waiting for a connection that the peer gave up. */
  readonly mayWait?: boolean
  /** Packets may be handled several at a time before output is asked. */
  readonly gathers?: boolean
  /** Most faults that are tried here by default, with the settings `plain` and `modern`; with others at most one. */
  readonly most?: number
  /** The settings it is searched with by default, where all would take too long. */
  readonly configs?: readonly string[]
}

/** A connection as its application knows it. */
interface Owned {
  readonly connection: Connection
  /** Of its side's connections the how many-th: it tells its octets from others'. */
  readonly index: number
  written: number
  read: number
  isAborted: boolean
  isShut: boolean
  /** Both directions were closed: it reads no more. */
  isClosed: boolean
}

/** A packet under way, or held back. */
export interface Flying {
  readonly from: SideIndex
  readonly packet: Packet
  /** Numbers that tell it from others. */
  readonly numbers: readonly number[]
  /** TSval and TSecr, 0 without. */
  readonly tsVal: number
  readonly tsEcr: number
}

/** A choice led to what must not be. */
export class WorldError extends Error {}

interface Side {
  readonly index: SideIndex
  readonly stack: Stack
  readonly steps: readonly string[]
  readonly owned: Owned[]
  readonly readsAll: boolean
  at: number
  current: Owned | null
  listener: Listener | null
  isnAt: number
}

const PORTS = [7000, 80] as const
const ADDRESSES = [IpAddress.parse('10.0.0.1'), IpAddress.parse('10.0.0.2')] as const
const CODES = ['A', 'B'] as const
/** As the clock has it: each connection begins beyond the one before. */
const DEFAULT_ISN = [
  [10_000, 1_010_000, 2_010_000, 3_010_000],
  [50_000, 1_050_000, 2_050_000, 3_050_000],
] as const
const NEVER = Number.POSITIVE_INFINITY

/** What is common to all worlds: nothing that learns, nothing that tunes itself. */
export const PLAIN: Partial<TcpConfig> = {
  mss: 48,
  congestion: 'fixed',
  initialWindowSegments: 8,
  windowValidation: 'off',
  slowStartAfterIdle: false,
  receiveBufferBytes: 512,
  receiveBufferAutotune: false,
  sendBufferBytes: 512,
  sendBufferAutotune: false,
  pathMtuBlackHole: false,
  pathMtuProbing: false,
  pathMtuAgeUs: NEVER,
  ecn: 'off',
  nagle: false,
  windowScale: false,
  timestamps: false,
  sack: false,
  delayedAck: 'fixed',
  delayedAckUs: 0,
  mslUs: 2_000_000,
}

/** Octet `i` of a side's `index`-th connection: no two connections of a world have one in common. */
const octet = (side: SideIndex, index: number, i: number): number => (side * 128 + index * 32 + i) & 255

const scratchIp = new IpHeader()
const tcp = new SegmentHeader()
const outBytes = Buffer.alloc(HEADROOM + 2048)
const out = new Packet(outBytes)
const known = new Map<string, Flying>()

interface Latin1 {
  latin1Slice(start: number, end: number): string
}

const latin1 = (bytes: Uint8Array): Latin1 =>
  (bytes === outBytes ? outBytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)) as unknown as Latin1

function parseFlying(from: SideIndex, packet: Packet): Flying {
  const verdict = parseIp(packet.bytes, packet.start, packet.end, scratchIp)
  const parsed = parseTcp(packet.bytes, packet.start + scratchIp.headerBytes, packet.end, tcp)
  if (verdict !== 'ok' || parsed !== 'ok') throw new WorldError(`a packet that is none was sent: ${verdict}, ${parsed}`)
  const { seq, ack, flags, window, mss, windowScale, textLength, sackCount, cookieLength } = tcp
  const options = [mss, windowScale, tcp.sackPermitted ? 1 : 0, cookieLength, sackCount]
  const edges = tcp.sackEdges.subarray(0, 2 * sackCount)
  const numbers = [from, seq, ack, flags, window, textLength, ...options, ...edges]
  const [tsVal, tsEcr] = tcp.hasTimestamps ? [tcp.tsVal, tcp.tsEcr] : [0, 0]
  return { from, packet, numbers, tsVal, tsEcr }
}

/** One world, in one state. */
export class World {
  readonly spec: WorldSpec
  now = 1_000_000
  faultsLeft: number
  readonly #faults: number
  injectionsLeft: number
  readonly sides: readonly [Side, Side]
  /** Under way from A, and from B. */
  readonly channels: readonly [Flying[], Flying[]] = [[], []]
  readonly held: Flying[] = []
  /** Changes of state since it was last emptied, as `from > to`. */
  readonly changes: string[] = []
  /** Told of each packet sent and each step, when set: for the ladder. */
  onPacket: ((flying: Flying) => void) | null = null
  /** Checks run; off while a known path is walked again. */
  isChecked = true
  isReset = false
  /** What each adds to its timestamps: always the same, as the four values are. */
  readonly #offsets: readonly [number, number]

  constructor(spec: WorldSpec, tcp: Partial<TcpConfig>, faults: number) {
    this.spec = spec
    this.faultsLeft = faults
    this.#faults = faults
    this.injectionsLeft = spec.injected ?? 0
    this.sides = [this.#side(0, tcp), this.#side(1, tcp)]
    const [a, b] = ADDRESSES
    this.#offsets = [
      this.sides[0].stack.tcp.timestampOffset(a, PORTS[0], b, PORTS[1]),
      this.sides[1].stack.tcp.timestampOffset(b, PORTS[1], a, PORTS[0]),
    ]
    for (const side of this.sides) if (side.steps[0] === 'listen') this.#step(side)
  }

  #side(index: SideIndex, tcp: Partial<TcpConfig>): Side {
    const steps = this.spec.steps[index]
    const numbers = this.spec.isn?.[index] ?? DEFAULT_ISN[index]
    const stack = new Stack({
      addresses: [{ address: ADDRESSES[index], prefixLength: 24 }],
      mtu: 1500,
      random: new SeededRandom(index + 1),
      challengeAcksPerSecond: NEVER,
      tcp: { ...PLAIN, ...tcp, ...this.spec.tcp },
      isn: () => numbers[Math.min(side.isnAt++, numbers.length - 1)]!,
    })
    const side: Side = {
      index,
      stack,
      steps,
      owned: [],
      readsAll: !steps.some((step) => step.startsWith('read')),
      at: 0,
      current: null,
      listener: null,
      isnAt: 0,
    }
    stack.tcp.onState = (tcb, from, to) => {
      this.changes.push(`${from === 'CLOSED' && tcb.passive ? 'LISTEN' : from} > ${to}`)
    }
    return side
  }

  /** Everything that may happen next. */
  choices(): string[] {
    const { spec, channels, faultsLeft } = this
    const found: string[] = []
    const kinds = spec.faults ?? ['hold', 'copy', 'wait']
    for (const { index } of this.sides) {
      const channel = channels[index]
      if (channel.length > 0) found.push(`p${CODES[index]}`)
      if (channel.length > 1 && spec.gathers === true) found.push(`g${CODES[index]}`)
    }
    for (const side of this.sides) if (this.#canStep(side)) found.push(`o${CODES[side.index]}`)
    const isQuiet = channels[0].length + channels[1].length === 0
    if (isQuiet || (faultsLeft > 0 && kinds.includes('wait'))) {
      const at = this.#deadlines()
      const first = Math.min(...at)
      if (first !== NEVER) {
        for (const i of [0, 1] as const) if (at[i] === first) found.push(`${isQuiet ? 't' : 'w'}${CODES[i]}`)
      }
    }
    this.held.forEach((flying, i) => {
      if (!this.held.slice(0, i).some((other) => other.packet === flying.packet)) found.push(`r${i}`)
    })
    for (const { index } of this.sides) {
      if (channels[index].length === 0 || faultsLeft === 0) continue
      for (const kind of kinds) if (kind !== 'wait') found.push(`${kind[0]}${CODES[index]}`)
    }
    for (const i of spec.aborts ?? []) {
      const { current } = this.sides[i]
      if (current !== null && !current.isAborted && current.connection.state !== 'CLOSED') found.push(`x${CODES[i]}`)
    }
    if (this.injectionsLeft > 0) {
      spec.injections?.forEach((injection, i) => {
        if (strangersPacket(injection, this.#target(injection.to)) !== null) found.push(`i${i}`)
      })
    }
    return found
  }

  #target(to: SideIndex): Connection | null {
    for (const connection of this.sides[to].stack.tcp.connections()) return connection
    return null
  }

  #deadlines(): [number, number] {
    return [this.sides[0].stack.nextDeadline(), this.sides[1].stack.nextDeadline()]
  }

  /** Lets it happen. @throws {WorldError} when it leads to what must not be; {RangeError} when it is no choice now */
  apply(choice: string): void {
    const side = this.sides[choice.endsWith('B') ? 1 : 0]
    const channel = this.channels[side.index]
    const other = this.sides[side.index === 0 ? 1 : 0]
    switch (choice[0]) {
      case 'p':
        this.#arrive(other, this.#take(channel))
        break
      case 'g':
        out.copyFrom(this.#take(channel).packet)
        other.stack.handlePacket(out, this.now)
        this.#arrive(other, this.#take(channel))
        break
      case 'o':
        this.#step(side)
        break
      case 't':
      case 'w':
        if (choice[0] === 'w') this.faultsLeft--
        this.now = Math.max(this.now, side.stack.nextDeadline())
        side.stack.handleTimeout(this.now)
        this.#settle(side)
        break
      case 'l':
      case 'h':
      case 'c': {
        this.faultsLeft--
        const flying = choice[0] === 'c' ? channel[0]! : this.#take(channel)
        if (choice[0] !== 'l') this.held.push(flying)
        break
      }
      case 'r': {
        const [flying] = this.held.splice(Number(choice.slice(1)), 1)
        if (flying === undefined) throw new RangeError(`${choice}: nothing is held back`)
        this.#arrive(this.sides[flying.from === 0 ? 1 : 0], flying)
        break
      }
      case 'x':
        if (side.current === null) throw new RangeError(`${choice}: there is no connection`)
        side.current.isAborted = true
        this.isReset = true
        side.current.connection.abort()
        this.#settle(side)
        break
      case 'i': {
        const injection = this.spec.injections?.[Number(choice.slice(1))]
        const target = injection === undefined ? null : this.#target(injection.to)
        const packet = injection === undefined ? null : strangersPacket(injection, target)
        if (packet === null || injection === undefined) throw new RangeError(`${choice}: there is nobody to send it to`)
        this.injectionsLeft--
        this.#arrive(this.sides[injection.to], this.#flying(injection.to === 0 ? 1 : 0, packet))
        break
      }
      default:
        throw new RangeError(`no such choice: ${choice}`)
    }
  }

  #take(channel: Flying[]): Flying {
    const flying = channel.shift()
    if (flying === undefined) throw new RangeError('nothing is under way')
    return flying
  }

  #arrive(side: Side, flying: Flying): void {
    out.copyFrom(flying.packet)
    side.stack.handlePacket(out, this.now)
    this.#settle(side)
  }

  /** Events, reading, output, until there is nothing more to do at this time. */
  #settle(side: Side): void {
    const { stack } = side
    for (let source = stack.pollEvent(); source !== null; source = stack.pollEvent()) source.takeEvents()
    if (side.readsAll) for (const owned of side.owned) this.#read(owned, side, NEVER)
    for (let count = 0; stack.pollTransmit(out, this.now); count++) {
      if (count > 50) throw new WorldError('one event draws more than 50 packets')
      const flying = this.#flying(side.index, out)
      this.channels[side.index].push(flying)
      if ((flying.numbers[3]! & FLAG.RST) !== 0 && this.spec.errors !== undefined) this.isReset = true
      if (this.onPacket !== null) this.onPacket(flying)
    }
    for (let source = stack.pollEvent(); source !== null; source = stack.pollEvent()) source.takeEvents()
    this.#skipSteps(side)
    if (!this.isChecked) return
    for (const { tcb } of stack.tcp.connections()) checkInvariants(tcb)
    if (stack.nextDeadline() < this.now) throw new WorldError('a deadline has passed and nobody has noticed')
  }

  /** Packets that are alike to the byte are one record, for all worlds: most are sent again and again. */
  #flying(from: SideIndex, packet: Packet): Flying {
    const { bytes, start, end } = packet
    const text = latin1(bytes).latin1Slice(start, end)
    let flying = known.get(text)
    if (flying === undefined) known.set(text, (flying = parseFlying(from, packet.clone())))
    return flying
  }

  /** Steps of an application whose connection is over come to nothing. */
  #skipSteps(side: Side): void {
    for (;;) {
      const step = side.steps[side.at]
      if (step === undefined || /^(connect|listen|unlisten|accept)/.test(step)) return
      if (side.current === null || side.current.connection.state !== 'CLOSED') return
      if (step.startsWith('read') && side.current.connection.readableBytes > 0) return
      side.at++
    }
  }

  #canStep(side: Side): boolean {
    const step = side.steps[side.at]
    if (step === undefined) return false
    const [what = '', until] = step.split('@')
    const [verb] = what.split(' ')
    const { current } = side
    if (verb === 'accept') return (side.listener?.pending ?? 0) > 0
    if (verb === 'listen' || (verb === 'unlisten' && until === undefined)) return true
    if (verb === 'connect') {
      if (current === null || current.connection.state === 'CLOSED') return true
      return until === 'over' && current.connection.state === 'TIME-WAIT' && this.#isReusable(current)
    }
    if (verb === 'unlisten') return until === 'half-open' && (side.listener?.halfOpen ?? 0) > 0
    if (current === null) return false
    const { connection } = current
    if (verb === 'read' && connection.readableBytes === 0) return connection.ended
    switch (until) {
      case undefined:
        return true
      case 'ended':
        return connection.ended
      case 'open':
        return isSynchronized(connection.state)
      case 'unread':
        return connection.readableBytes > 0
      default:
        return current.read >= Number(until)
    }
  }

  #isReusable({ connection: { tcb } }: Owned): boolean {
    return tcb.ts.enabled && this.now - (tcb.timers.linger - 2 * tcb.config.mslUs) >= 1_000_000
  }

  #step(side: Side): void {
    const step = side.steps[side.at++]
    if (step === undefined) throw new RangeError('the application has no further step')
    const [what = ''] = step.split('@')
    const [verb, count] = what.split(' ')
    const { current, index, stack } = side
    const connection = current?.connection
    const other = index === 0 ? 1 : 0
    switch (verb) {
      case 'connect': {
        const to = { remote: ADDRESSES[other], remotePort: PORTS[other], localPort: PORTS[index], reuseAddress: true }
        this.#own(side, stack.connect(to, this.now))
        break
      }
      case 'listen':
        side.listener = stack.listen({ port: PORTS[index] })
        break
      case 'unlisten':
        side.listener?.close()
        this.isReset = true
        break
      case 'accept': {
        const accepted = side.listener?.accept() ?? null
        if (accepted === null) throw new RangeError('there is nothing to accept')
        this.#own(side, accepted)
        break
      }
      case 'write':
        if (current !== null) this.#write(current, side, Number(count))
        break
      case 'read':
        if (current !== null) this.#read(current, side, Number(count))
        break
      case 'shutdown':
        if (current !== null) current.isShut = true
        connection?.shutdownWrite()
        break
      case 'close':
        if (current !== null) current.isShut = current.isClosed = true
        connection?.close()
        break
      case 'abort':
        if (current !== null) current.isAborted = true
        this.isReset = true
        connection?.abort()
        break
      default:
        throw new RangeError(`no such step: ${step}`)
    }
    this.#settle(side)
  }

  #own(side: Side, connection: Connection): void {
    const { owned } = side
    side.current = {
      connection,
      index: owned.length,
      written: 0,
      read: 0,
      isAborted: false,
      isShut: false,
      isClosed: false,
    }
    owned.push(side.current)
  }

  #write(owned: Owned, side: Side, count: number): void {
    const bytes = Uint8Array.from({ length: count }, (_, i) => octet(side.index, owned.index, owned.written + i))
    owned.written += owned.connection.write(bytes)
  }

  /** Reads, and compares with what the application at the other end of this very connection has written. */
  #read(owned: Owned, side: Side, most: number): void {
    const text = owned.connection.read(most)
    if (text === null) return
    const peer = this.#peerOf(owned, side)
    text.forEach((byte, i) => {
      const at = owned.read + i
      if (peer === null || at >= peer.written) throw new WorldError(`octet ${at} was read and nobody wrote it: ${byte}`)
      const wanted = octet(side.index === 0 ? 1 : 0, peer.index, at)
      if (byte !== wanted) throw new WorldError(`octet ${at} is ${byte}, and not ${wanted}, of this connection`)
    })
    owned.read += text.length
  }

  /** The other end: its initial number is the one that this end has received. */
  #peerOf({ connection }: Owned, side: Side): Owned | null {
    const { owned } = this.sides[side.index === 0 ? 1 : 0]
    return owned.findLast((other) => other.connection.tcb.snd.iss === connection.tcb.rcv.irs) ?? null
  }

  /** The key of this state. */
  key(): number {
    const { now } = this
    const maker = new KeyMaker()
    for (const n of [this.faultsLeft, this.injectionsLeft, this.isReset ? 1 : 0]) maker.number(n)
    for (const side of this.sides) {
      maker.number(side.at)
      maker.number(side.isnAt)
      for (const connection of side.stack.tcp.connections()) {
        maker.number(connection.listener === null ? 0 : 1)
        addTcb(maker, connection.tcb, this.#offsets[side.index === 0 ? 1 : 0], now)
      }
      for (const owned of side.owned) {
        maker.word(owned.connection.state)
        maker.word(owned.connection.error?.code ?? '')
        maker.number(owned.written * 1024 + owned.read * 32 + owned.connection.readableBytes)
        maker.number(
          (owned.isAborted ? 1 : 0) +
            (owned.isShut ? 2 : 0) +
            (owned.connection.ended ? 4 : 0) +
            (owned.isClosed ? 8 : 0),
        )
      }
      const { listener } = side
      if (listener !== null) {
        maker.number(listener.pending * 64 + listener.halfOpen + (listener.isClosed ? 32 : 0))
        if (listener.expectsCookies(now)) maker.number(Math.floor(now / 60e6))
      }
      const known = side.stack.tcp.fastOpen.jar.find(ADDRESSES[side.index === 0 ? 1 : 0], now)
      if (known !== null) maker.number(1000 + known.losses)
    }
    const add = (to: KeyMaker, flying: Flying): void => {
      for (const n of flying.numbers) to.number(n)
      if (flying.tsVal === 0) return
      const { from, tsVal, tsEcr } = flying
      to.number(timestampAge(tsVal, this.#offsets[from], now))
      to.number(tsEcr === 0 ? -1 : timestampAge(tsEcr, this.#offsets[from === 0 ? 1 : 0], now))
    }
    for (const channel of this.channels) {
      maker.number(channel.length)
      for (const flying of channel) add(maker, flying)
    }
    const held = this.held.map((flying) => {
      const one = new KeyMaker()
      add(one, flying)
      return one.key
    })
    for (const key of held.sort((a, b) => a - b)) {
      maker.number(key | 0)
      maker.number(Math.floor(key / 2 ** 32))
    }
    return maker.key
  }

  /** What is wrong with this state when nothing happens any more; null when all is as it must be. */
  judgeEnd(): string | null {
    const { errors = [], mayWait = false } = this.spec
    for (const side of this.sides) {
      const name = CODES[side.index]
      const left = side.steps[side.at]
      if (left !== undefined && !mayWait) return `the application of ${name} waits for ever to ${left}`
      if (left !== undefined && !left.startsWith('accept'))
        return `the application of ${name} waits for ever to ${left}`
      if (side.stack.tcp.connectionCount > 0) {
        const all = [...side.stack.tcp.connections()]
        // What a copy of an old SYN or cookie has opened waits to be accepted for ever, where nobody accepts.
        const states = all.filter(({ listener }) => listener === null || !mayWait).map(({ state }) => state)
        if (states.length > 0) return `${name} is left with ${states} and no timer`
      }
      for (const owned of side.owned) {
        const { error } = owned.connection
        const isLate = error?.code === 'ECONNRESET' && this.#isOver(owned, side)
        if (error !== null && !errors.includes(error.code) && !isLate) return `${name} sees ${error.code}`
        const wrong = this.#judgeDelivery(owned, side)
        if (wrong !== null) return `${name}: ${wrong}`
      }
    }
    return null
  }

  /**
   * Whether a reset tells nothing but that the peer's TIME-WAIT is over: both have all that was written and have seen the end, and only
   * the last acknowledgement was late, three times over (the retransmission timeout has come to more than 2MSL; RFC 9293 §3.6.1).
   */
  #isOver(owned: Owned, side: Side): boolean {
    const peer = this.#peerOf(owned, side)
    if (this.#faults < 3 || peer === null || peer.connection.error !== null) return false
    const hasAll = (one: Owned, other: Owned): boolean => one.read === other.written && one.connection.ended
    return hasAll(owned, peer) && hasAll(peer, owned)
  }

  #judgeDelivery(owned: Owned, side: Side): string | null {
    const isExcused = (one: Owned): boolean => one.isAborted || one.connection.error !== null
    if (isExcused(owned) || owned.isClosed) return null
    const peer = this.#peerOf(owned, side)
    if (peer === null) return this.spec.mayWait === true ? null : 'a connection without another end'
    if (isExcused(peer) || this.isReset) return null
    if (owned.read < peer.written) return `${owned.read} octets were read, and ${peer.written} written`
    return peer.isShut && !owned.connection.ended ? 'the end was not seen' : null
  }

  /** Gives its memory back: it is not used any more. */
  dispose(): void {
    for (const { owned } of this.sides) {
      for (const { connection } of owned) {
        connection.tcb.snd.buffer.clear()
        connection.tcb.rcv.buffer.clear()
      }
    }
  }

  /** The state of each side, for people. */
  describe(): [string, string] {
    const of = (side: Side): string => {
      const states: State[] = [...side.stack.tcp.connections()].map(({ state }) => state)
      if (states.length > 0) return states.join('+')
      return side.listener !== null && !side.listener.isClosed ? 'LISTEN' : 'CLOSED'
    }
    return [of(this.sides[0]), of(this.sides[1])]
  }
}
