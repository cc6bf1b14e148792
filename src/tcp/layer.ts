// One host's TCP: finds the connection of a segment, makes new ones, asks each for its output, wakes those whose time has come.
// Owns: connections, listeners, ports, the lists of who has something to send or to tell. Does not own: any rule of a connection, IP.
// Invariant: nothing here keeps time or sends by itself; `now` comes in, packets are polled.

import { Deadlines } from '../base/deadlines.ts'
import { type SipKey, sipKey } from '../base/siphash.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { finishChecksum, pseudoHeaderSum, sumBytes } from '../ip/checksum.ts'
import type { TransportError } from '../ip/control.ts'
import type { DropReason } from '../ip/drops.ts'
import { type IpHeader, PROTOCOL } from '../ip/header.ts'
import type { IpLayer } from '../ip/layer.ts'
import type { Packet } from '../link/device.ts'
import { closeTcb } from './closing.ts'
import { type TcpConfig, tcpConfig } from './config.ts'
import { congestionControl } from './congestion/index.ts'
import { Connection } from './connection.ts'
import { createCounters, type TcpCounters } from './counters.ts'
import { Demux } from './demux.ts'
import { TcpError } from './errors.ts'
import { EVENT } from './events.ts'
import { takeSyn } from './handshake.ts'
import { FLAG, parseTcp, SegmentHeader, SegmentPlan } from './header.ts'
import { handleIcmpError } from './icmp-errors.ts'
import { hashFourTuple, initialSequenceNumber } from './isn.ts'
import type { ConnectOptions, ListenOptions, TcpLayerOptions } from './layer-options.ts'
import { Listener } from './listener.ts'
import { nextSegment } from './output.ts'
import { Ports } from './ports.ts'
import { ResetQueue } from './reset.ts'
import { segmentArrives } from './segment-arrives.ts'
import { type Seq, seq, seqAdd, seqMax } from './seq.ts'
import { setState } from './state.ts'
import { createTcb, type Tcb } from './tcb.ts'
import { armAfterCalls, handleTimers, nextDeadline } from './timers.ts'
import { DirtyQueue, EventQueue } from './work.ts'
import { SegmentWriter } from './writer.ts'

export type { ConnectOptions, ListenOptions, TcpLayerOptions } from './layer-options.ts'

/** How far a reopened connection's numbers stay from those of the one before; as Linux. */
const REOPEN_GAP = 65537

/** One host's TCP. Use it through Stack. */
export class TcpLayer {
  /** By nstat's names. */
  readonly counters: TcpCounters = createCounters()
  /** Told of every change of state of every connection, when set; for traces. */
  onState: ((tcb: Tcb, from: string, to: string) => void) | null = null
  /** Told of every connection's record after every step, when set; for tests: see checkInvariants. */
  onStep: ((tcb: Tcb) => void) | null = null

  readonly #ip: IpLayer
  readonly #config: TcpConfig
  readonly #demux: Demux
  readonly #ports: Ports
  readonly #isn: (() => number) | null
  readonly #isnKey: SipKey
  readonly #timestampKey: SipKey
  readonly #deadlines = new Deadlines<Connection>()
  readonly #resets: ResetQueue
  readonly #writer: SegmentWriter
  readonly #segment = new SegmentHeader()
  readonly #plan = new SegmentPlan()
  readonly #dirty = new DirtyQueue<Connection>()
  readonly #eventful = new EventQueue<Connection | Listener>()

  constructor(options: TcpLayerOptions) {
    this.#ip = options.ip
    this.#config = tcpConfig(options.config)
    congestionControl(this.#config.congestion)
    this.#demux = new Demux(options.random)
    this.#ports = new Ports(this.#demux, options.random)
    this.#isn = options.isn ?? null
    this.#isnKey = sipKey(options.random)
    this.#timestampKey = sipKey(options.random)
    this.#writer = new SegmentWriter(options.ip, options.offload)
    this.#resets = new ResetQueue()
    options.ip.onTransportError = (error) => this.#handleIcmpError(error)
  }

  /** Number of connections, those in TIME-WAIT included. */
  get connectionCount(): number {
    return this.#demux.size
  }

  /** All connections, those in TIME-WAIT included. */
  connections(): Iterable<Connection> {
    return this.#demux
  }

  /**
   * OPEN, active (RFC 9293 §3.10.1).
   * @throws {TcpError} EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH
   * @throws {RangeError} for a port or a setting out of bounds
   */
  connect(options: ConnectOptions, now: Micros): Connection {
    const { remote, remotePort } = options
    checkPort(remotePort, 1)
    if (remote.isMulticast || remote.isUnspecified || this.#ip.isBroadcast(remote)) {
      throw new TcpError('ENETUNREACH', `${remote} is not the address of one host`) // [MUST-46]
    }
    const local = options.local ?? this.#ip.sourceFor(remote)
    if (local === null) throw new TcpError('ENETUNREACH', `no address of ours can reach ${remote}`)
    if (!this.#ip.isLocal(local) || local.family !== remote.family) {
      throw new TcpError('EADDRNOTAVAIL', `${local} is not an address of this host that can reach ${remote}`)
    }
    const localPort = options.localPort
      ? this.#ports.claim(local, checkPort(options.localPort, 1), remote, remotePort)
      : this.#ports.ephemeral(local, remote, remotePort)
    const tcb = this.#create(false, local, localPort, remote.clone(), remotePort, this.#configFor(options.config), now)
    const connection = new Connection(tcb, this, null)
    setState(tcb, 'SYN-SENT')
    this.#demux.add(connection)
    this.counters.TcpActiveOpens++
    this.touch(connection)
    return connection
  }

  /**
   * OPEN, passive (RFC 9293 §3.10.1).
   * @throws {TcpError} EADDRINUSE, EADDRNOTAVAIL
   */
  listen(options: ListenOptions): Listener {
    const local = options.local === undefined || options.local.isUnspecified ? null : options.local
    if (local !== null && !this.#ip.isLocal(local)) {
      throw new TcpError('EADDRNOTAVAIL', `${local} is not an address of this host`)
    }
    checkPort(options.port, 0)
    const port = options.port === 0 ? this.#ports.freeListeningPort(local) : options.port
    const backlog = Math.max(1, options.backlog ?? 511)
    const listener = new Listener(this, local, port, backlog, this.#configFor(options.config))
    this.#ports.addListener(listener)
    return listener
  }

  #configFor(overrides: Partial<TcpConfig> | undefined): TcpConfig {
    if (overrides === undefined) return this.#config
    const config = tcpConfig(overrides, this.#config)
    congestionControl(config.congestion)
    return config
  }

  #create(
    passive: boolean,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    config: TcpConfig,
    now: Micros,
    leastIss?: Seq,
  ): Tcb {
    const hash = hashFourTuple(this.#isnKey, local, localPort, remote, remotePort)
    const iss = this.#isn === null ? initialSequenceNumber(hash, now) : seq(this.#isn())
    const tcb = createTcb({
      passive,
      local,
      localPort,
      remote,
      remotePort,
      config,
      counters: this.counters,
      control: congestionControl(config.congestion),
      iss: leastIss === undefined ? iss : seqMax(iss, leastIss),
      timestampOffset: hashFourTuple(this.#timestampKey, local, localPort, remote, remotePort),
      pathSegmentBytes: this.#ip.mtu - this.#ip.headerBytes(remote),
      now,
    })
    const watch = this.onState
    if (watch !== null) tcb.onState = (from, to) => watch(tcb, from, to)
    return tcb
  }

  /** A TCP packet for us; `header` is its IP header. Returns 'ok' or why it was dropped, which is counted. */
  handleSegment(packet: Packet, header: IpHeader, now: Micros): 'ok' | DropReason {
    this.counters.TcpInSegs++
    const verdict = this.#handle(packet, header, now)
    if (verdict === 'ok') return verdict
    this.#ip.drops.count(verdict)
    if (verdict === 'tcp-bad-checksum') this.counters.TcpInCsumErrors++
    if (verdict === 'tcp-bad-checksum' || verdict === 'tcp-too-short' || verdict === 'tcp-bad-data-offset') {
      this.counters.TcpInErrs++
    }
    return verdict
  }

  #handle(packet: Packet, header: IpHeader, now: Micros): 'ok' | DropReason {
    if (!header.toUnicast) return 'tcp-not-unicast' // [MUST-57]
    const start = packet.start + header.headerBytes
    if (packet.checksum === 'complete' && !isChecksumRight(packet.bytes, start, packet.end, header)) {
      return 'tcp-bad-checksum' // [MUST-3]
    }
    const segment = this.#segment
    const parsed = parseTcp(packet.bytes, start, packet.end, segment)
    if (parsed !== 'ok') return parsed
    if (segment.sourcePort === 0 || segment.destinationPort === 0) return 'tcp-port-zero'
    segment.ecn = header.trafficClass & 3
    segment.packets = packet.segmentBytes > 0 ? Math.ceil(segment.textLength / packet.segmentBytes) : 1
    const connection = this.#demux.find(header.dst, segment.destinationPort, header.src, segment.sourcePort)
    if (connection === null) return this.#handleUnconnected(header, segment, now)
    const verdict = segmentArrives(connection.tcb, segment, now)
    if (verdict === 'reopen') return this.#reopen(connection, header, segment, now)
    if (verdict === 'reset') this.#resets.add(header.dst, header.src, segment)
    this.touch(connection)
    this.#notice(connection)
    return 'ok'
  }

  #handleUnconnected(header: IpHeader, segment: SegmentHeader, now: Micros, leastIss?: Seq): 'ok' | DropReason {
    const listener = this.#ports.listenerFor(header.dst, segment.destinationPort)
    const verdict = listener === null ? 'reset' : listener.judge(segment)
    if (verdict === 'reset') {
      this.#resets.add(header.dst, header.src, segment)
      return listener === null ? 'tcp-no-listener' : 'tcp-not-syn'
    }
    if (listener === null || verdict === 'drop') return 'tcp-not-accepted'
    this.#open(listener, header, segment, now, leastIss)
    return 'ok'
  }

  /**
   * RFC 9293 §3.10.7.2, third: a SYN in LISTEN. Its text, if any, is sent again by the peer once the connection is open. `leastIss`:
   * after TIME-WAIT, beyond what the old connection used (RFC 9293 §3.6.1 [MAY-2] (1)).
   */
  #open(listener: Listener, header: IpHeader, segment: SegmentHeader, now: Micros, leastIss?: Seq): void {
    const { destinationPort, sourcePort } = segment
    const local = header.dst.clone()
    const tcb = this.#create(
      true,
      local,
      destinationPort,
      header.src.clone(),
      sourcePort,
      listener.config,
      now,
      leastIss,
    )
    const connection = new Connection(tcb, this, listener)
    takeSyn(tcb, segment, now)
    setState(tcb, 'SYN-RECEIVED')
    this.#demux.add(connection)
    listener.adopt(connection)
    this.counters.TcpPassiveOpens++
    this.touch(connection)
  }

  #reopen(old: Connection, header: IpHeader, segment: SegmentHeader, now: Micros): 'ok' | DropReason {
    const listener = this.#ports.listenerFor(header.dst, segment.destinationPort)
    if (listener === null || listener.judge(segment) !== 'open') return 'tcp-not-accepted'
    closeTcb(old.tcb) // what was received and not read stays readable
    this.#settle(old)
    return this.#handleUnconnected(header, segment, now, seqAdd(old.tcb.snd.nxt, REOPEN_GAP))
  }

  #handleIcmpError(error: TransportError): void {
    if (error.protocol !== PROTOCOL.TCP) return
    const connection = this.#demux.find(error.src, error.sourcePort, error.dst, error.destinationPort)
    if (connection === null) return
    handleIcmpError(connection.tcb, error, this.#ip.headerBytes(error.dst))
    this.touch(connection)
    this.#notice(connection)
  }

  /** When to call handleTimeout next; Infinity for never. */
  nextDeadline(): Micros {
    return this.#deadlines.next()
  }

  /** Handles every timer that is due at `now`. */
  handleTimeout(now: Micros): void {
    for (let c = this.#deadlines.popDue(now); c !== null; c = this.#deadlines.popDue(now)) {
      handleTimers(c.tcb, now)
      this.touch(c)
      this.#notice(c)
    }
  }

  /** Writes the next segment that is to be sent into `packet`; false when there is none now. */
  pollTransmit(packet: Packet, now: Micros): boolean {
    const plan = this.#plan
    if (this.#resets.next(plan)) {
      this.counters.TcpOutRsts++
      this.counters.TcpOutSegs++
      this.#writer.writeReset(this.#resets, plan, packet)
      return true
    }
    for (let connection = this.#dirty.first(); connection !== null; connection = this.#dirty.first()) {
      const { tcb } = connection
      armAfterCalls(tcb, now)
      if (nextSegment(tcb, now, this.#writer.superSegment(tcb.remote), plan)) {
        countSent(this.counters, plan)
        this.#writer.write(tcb, plan, packet)
        return true
      }
      this.#dirty.drop()
      this.#settle(connection)
    }
    return false
  }

  /** A connection or listener with events to take, or null. */
  pollEvent(): Connection | Listener | null {
    return this.#eventful.take()
  }

  /** Whether pollEvent has something to give. */
  get hasEvents(): boolean {
    return !this.#eventful.isEmpty
  }

  /** A connection may have something to send, or its deadlines may have moved. */
  touch(connection: Connection): void {
    this.#dirty.add(connection)
  }

  /** A listener has a connection to accept. */
  acceptable(listener: Listener): void {
    this.#eventful.add(listener)
  }

  /** A listener gave a connection to its owner: what gathered until now can be told. */
  accepted(connection: Connection): void {
    this.#notice(connection)
  }

  /** A listener was closed. */
  unlisten(listener: Listener): void {
    this.#ports.removeListener(listener)
  }

  /** Queues a connection's or its listener's events for the owner. */
  #notice(connection: Connection): void {
    const { listener, tcb } = connection
    if (listener !== null) {
      if (tcb.state !== 'SYN-RECEIVED') listener.settle(connection)
    } else if (tcb.events !== 0) {
      this.#eventful.add(connection)
    }
  }

  /** The connection has nothing more to send now: its deadline is set, or its record is dropped. */
  #settle(connection: Connection): void {
    const { tcb } = connection
    if (this.onStep !== null) this.onStep(tcb)
    if (tcb.state !== 'CLOSED') {
      this.#deadlines.arm(connection, nextDeadline(tcb))
      return
    }
    this.#deadlines.remove(connection)
    if (this.#demux.remove(connection) && connection.listener === null) {
      tcb.events |= EVENT.closed
      this.#eventful.add(connection)
    }
  }
}

function isChecksumRight(bytes: Uint8Array, start: number, end: number, header: IpHeader): boolean {
  const pseudo = pseudoHeaderSum(header.src, header.dst, PROTOCOL.TCP, end - start)
  return finishChecksum(sumBytes(bytes, start, end, pseudo)) === 0
}

/** A super-segment counts as the segments that it will be; what goes again is counted where it is decided. */
function countSent(counters: TcpCounters, plan: SegmentPlan): void {
  const count = plan.segmentBytes > 0 ? Math.ceil(plan.textLength / plan.segmentBytes) : 1
  if (plan.isResent) counters.TcpRetransSegs += count
  else counters.TcpOutSegs += count
  if ((plan.flags & FLAG.RST) !== 0) counters.TcpOutRsts++
}

function checkPort(port: number, least: number): number {
  if (!Number.isInteger(port) || port < least || port > 65535) {
    throw new RangeError(`a port is a whole number from ${least} to 65535, not ${port}`)
  }
  return port
}
