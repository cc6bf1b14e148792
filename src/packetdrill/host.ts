// The emulated host: our stack behind descriptors, in virtual time of its own. Every call, packet and timer is settled as it comes: what
// the stack has to send goes into the list of sent packets, its events to the sockets, calls that wait are tried again.
// Owns: the clock, the order of these steps, calls under way. Does not own: what a call does (calls-*.ts), TCP (src/tcp).

import { assert } from '../base/assert.ts'
import { get16, get32, put16 } from '../base/bytes.ts'
import { SeededRandom } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { IpAddress } from '../ip/address.ts'
import { MAX_PACKET, Packet } from '../link/device.ts'
import { Connection, EVENT, type EventSource, Stack, UdpSocket } from '../stack/index.ts'
import type { TcpConfig } from '../tcp/config.ts'
import { FLAG } from '../tcp/header.ts'
import type { Tcb } from '../tcp/tcb.ts'
import { DatagramSocket } from './datagram.ts'
import { Descriptors, errorOf, Socket } from './sockets.ts'
import { applySysctl, type HostSettings, linuxHost } from './sysctl.ts'
import type { Call, Ends, Outcome, SentPacket, Value } from './target.ts'

const NEVER = Number.POSITIVE_INFINITY
/** So many steps at one instant mean that they go round in a circle. */
const MOST_STEPS_AT_ONCE = 100_000

/** What a socket of Linux's does whatever its settings. */
const LINUX_WAYS: Partial<TcpConfig> = {
  answersLateText: true,
  fastOpen: false,
  heuristics: 'linux',
  keepAliveResets: true,
  resetKeepsText: true,
  synWindowBySegments: true,
}

/** As Linux does towards a TUN device that takes them: what belongs together goes as one packet. */
const SUPER_SEGMENTS = { checksum: false, superSegmentBytes: MAX_PACKET }
/** What the stack writes its packets into; each is copied before the next. */
const scratch = new Packet()

/** How a call ended; without `outputs` its arguments are as they were. */
export interface Reply {
  readonly value: number
  readonly errno?: string
  readonly outputs?: readonly Value[]
}

/** A call that has to wait: it is tried again whenever something has happened. */
export interface Waiting {
  /** Its end, or null while it goes on waiting. */
  attempt(): Reply | null
  /** When it ends by itself; Infinity: never. */
  readonly until: Micros
  /** How, then. */
  expired(): Reply
}

/** What a call does: it is over, or it waits. */
export type Step = Reply | Waiting

/** A call's code. */
export type Handler = (host: Host, args: readonly Value[]) => Step

/** A failure. */
export function fail(errno: string): Reply {
  return { value: -1, errno }
}

/** Linux sets PSH on each super-segment, so that its receiver does not wait for more to join it with. */
function push(bytes: Uint8Array, transportOffset: number): boolean {
  const flagsAt = transportOffset + 13
  if ((bytes[flagsAt] & FLAG.PSH) !== 0) return false
  bytes[flagsAt] |= FLAG.PSH
  const sumAt = transportOffset + 16
  const sum = (~get16(bytes, sumAt) & 0xffff) + FLAG.PSH // RFC 1624 §3: the word of the flags has grown by as much
  put16(bytes, sumAt, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff)
  return true
}

class RunningCall implements Call {
  outcome: Outcome | null = null
  endedAt: Micros = -1
  readonly args: readonly Value[]
  waiting: Waiting | null = null

  constructor(args: readonly Value[]) {
    this.args = args
  }

  end(reply: Reply, now: Micros): void {
    this.outcome = { value: reply.value, errno: reply.errno ?? '', outputs: reply.outputs ?? this.args }
    this.endedAt = now
    this.waiting = null
  }
}

/** One host under test. */
export class Host {
  readonly ends: Ends
  readonly descriptors = new Descriptors()
  readonly settings: HostSettings = linuxHost()
  readonly local: IpAddress
  readonly remote: IpAddress
  #now: Micros = 0
  #stack: Stack | null = null
  #isClosed = false
  readonly #seed: number
  readonly #isSegmentWise: boolean
  readonly #sent: SentPacket[] = []
  #taken = 0
  readonly #waiting: RunningCall[] = []
  #hasEnded = false
  readonly #resetByText = new WeakSet<Tcb>()
  /** Sockets whose error queue waits for what was written to be sent or acknowledged. */
  readonly #watched = new Set<Socket>()

  constructor(ends: Ends, seed: number, isSegmentWise = false) {
    this.ends = ends
    this.#seed = seed
    this.#isSegmentWise = isSegmentWise
    this.local = IpAddress.parse(ends.local)
    this.remote = IpAddress.parse(ends.remote)
  }

  /** Virtual time, from 0. */
  get now(): Micros {
    return this.#now
  }

  /** The stack, made when it is first needed: sysctls come before. */
  get stack(): Stack {
    if (this.#stack !== null) return this.#stack
    this.#stack = new Stack({
      addresses: [`${this.ends.local}/${this.ends.prefixLength}`],
      mtu: this.ends.mtu,
      random: new SeededRandom(this.#seed),
      offload: this.#isSegmentWise ? { checksum: false, superSegmentBytes: 0 } : SUPER_SEGMENTS,
      tcp: this.settings.tcp,
    })
    const [key, previous] = this.settings.fastOpenKeys
    if (key !== undefined) this.#stack.tcp.fastOpen.maker.use(key, previous ?? null)
    this.#stack.tcp.onState = (tcb, from, to) => {
      // Text for a socket that is shut both ways resets: the application is told, as of the peer's reset.
      if (to !== 'CLOSED' || tcb.error !== null) return
      const isReset = (from === 'LAST-ACK' || from === 'CLOSING') && tcb.snd.una !== tcb.snd.nxt
      if (isReset || from.startsWith('FIN-WAIT')) this.#resetByText.add(tcb)
    }
    return this.#stack
  }

  /** Whether a call that waited has ended since this was asked last. */
  takeEnded(): boolean {
    const ended = this.#hasEnded
    this.#hasEnded = false
    return ended
  }

  /** Whether a sent packet waits to be taken. */
  get hasSent(): boolean {
    return this.#taken < this.#sent.length
  }

  /** The next packet that was sent; null when there is none. */
  take(): SentPacket | null {
    if (!this.hasSent) return null
    const packet = this.#sent[this.#taken++]
    if (this.#taken === this.#sent.length) {
      this.#sent.length = 0
      this.#taken = 0
    }
    return packet
  }

  /** Takes a sysctl; returns why it cannot, or null. */
  setSysctl(name: string, value: string): string | null {
    return applySysctl(this.settings, name, value)
  }

  /** Settings of a socket's connection or listener: the host's, and on top its own. */
  configOf(socket: Socket, more: Partial<TcpConfig> = {}): Partial<TcpConfig> {
    return { ...this.settings.tcp, ...LINUX_WAYS, ...socket.changes, ...more }
  }

  /** What Fast Open does without a cookie, for a socket's SYN. */
  cookieless(socket: Socket): Partial<TcpConfig> {
    const isFree = (this.settings.fastOpen & 4) !== 0 || socket.options.get('FASTOPEN_NO_COOKIE') === 1
    return isFree ? { fastOpenCookieless: true } : {}
  }

  /** Starts a call. */
  run(handler: Handler, args: readonly Value[]): Call {
    const call = new RunningCall(args)
    const step = handler(this, args)
    if ('attempt' in step) {
      call.waiting = step
      this.#waiting.push(call)
    } else {
      call.end(step, this.#now)
    }
    this.settle()
    return call
  }

  /** A packet comes from the wire; borrowed. */
  deliver(bytes: Uint8Array): void {
    if (this.#isClosed) return
    this.#releaseMore(bytes)
    const packet = new Packet(bytes)
    packet.start = 0
    packet.end = bytes.length
    this.stack.handlePacket(packet, this.#now)
    this.settle()
  }

  /** tcp_data_snd_check: an empty segment, or one that acknowledges something, lets go what MSG_MORE has held. */
  #releaseMore(bytes: Uint8Array): void {
    const at = bytes[0] >> 4 === 6 ? 40 : (bytes[0] & 15) << 2
    if (bytes.length < at + 20) return
    const length = bytes.length - at - ((bytes[at + 12] >> 4) << 2)
    for (const { connection } of this.descriptors.sockets()) {
      if (connection?.tcb.snd.hasMore !== true || connection.localPort !== get16(bytes, at + 2)) continue
      if (length === 0 || ((get32(bytes, at + 8) - connection.tcb.snd.una) | 0) > 0) connection.releaseMore()
    }
  }

  /** Everything that can happen now happens. */
  settle(): void {
    for (let steps = 0; ; steps++) {
      assert(steps < MOST_STEPS_AT_ONCE, 'an emulated host comes to rest')
      this.transmit()
      const told = this.#tellEvents()
      this.#settleErrors()
      const ended = this.#retry()
      if (!told && !ended && !(this.#stack?.hasEvents ?? false)) break
    }
    this.transmit()
  }

  /** When something happens by itself next; Infinity for never. */
  nextDeadline(): Micros {
    let next = this.#stack?.nextDeadline() ?? NEVER
    for (const { waiting } of this.#waiting) if (waiting !== null) next = Math.min(next, waiting.until)
    return next
  }

  /** Moves the clock, no further than the next deadline, and handles what is due. */
  moveTo(at: Micros): void {
    this.#now = Math.max(this.#now, at)
    this.#stack?.handleTimeout(this.#now)
    this.settle()
  }

  /** Lets go of everything, without another packet. */
  close(): void {
    this.#isClosed = true
    this.#waiting.length = 0
    this.#sent.length = 0
    this.#taken = 0
    this.#stack = null
  }

  /** Something has happened to a socket: epoll's edges. */
  wake(socket: Socket): void {
    for (const item of socket.watchers) item.isReady = true
  }

  /** The error queue of a socket is to be looked at whenever something has happened. */
  watchErrors(socket: Socket): void {
    this.#watched.add(socket)
  }

  #settleErrors(): void {
    for (const socket of this.#watched) {
      if (socket.errors.settle(socket, this.#now)) this.wake(socket)
      if (!socket.errors.isWaiting) this.#watched.delete(socket)
    }
  }

  /** What the stack has to send goes out. */
  transmit(): void {
    const stack = this.#stack
    if (stack === null) return
    const packet = scratch
    let wasCwr = false
    while (stack.pollTransmit(packet, this.#now)) {
      const bytes = packet.bytes.slice(packet.start, packet.end)
      // Linux has the segment with CWR and the next in one super-segment; here it goes alone, and PSH would stand on the next.
      const isPushFree = wasCwr || (packet.segmentBytes > 0 && push(bytes, packet.transportOffset))
      wasCwr = (bytes[packet.transportOffset + 13] & (FLAG.CWR | FLAG.SYN)) === FLAG.CWR
      this.#sent.push({ at: this.#now, bytes, isPushFree, segmentBytes: packet.segmentBytes })
      for (const socket of this.#watched) socket.errors.sent(socket, bytes, packet.transportOffset, this.#now)
    }
  }

  #tellEvents(): boolean {
    const stack = this.#stack
    if (stack === null) return false
    let any = false
    for (let source = stack.pollEvent(); source !== null; source = stack.pollEvent()) {
      const events = source.takeEvents()
      if (events === 0) continue
      any = true
      this.#tell(source, events)
    }
    return any
  }

  #tell(source: EventSource, events: number): void {
    const socket = source.user
    if (socket instanceof DatagramSocket && source instanceof UdpSocket)
      socket.error = source.takeError() ?? socket.error
    if (!(socket instanceof Socket)) return
    if (source instanceof Connection && source === socket.connection) {
      if ((events & EVENT.error) !== 0) socket.error = errorOf(source)
      if ((events & EVENT.closed) !== 0 && this.#resetByText.delete(source.tcb)) socket.error = 'ECONNRESET'
      if ((events & EVENT.trouble) !== 0 && source.softError !== null && socket.options.get('RECVERR') === 1) {
        socket.error = source.softError.code
        socket.toldSoftError = source.softError
      }
    }
    this.wake(socket)
  }

  /** Calls that wait are tried again, the oldest first. */
  #retry(): boolean {
    let any = false
    for (let i = 0; i < this.#waiting.length; ) {
      const call = this.#waiting[i]
      const waiting = call.waiting
      const reply =
        waiting === null ? null : (waiting.attempt() ?? (this.#now >= waiting.until ? waiting.expired() : null))
      if (reply === null) {
        i++
        continue
      }
      this.#waiting.splice(i, 1)
      call.end(reply, this.#now)
      this.#hasEnded = true
      any = true
    }
    return any
  }
}
