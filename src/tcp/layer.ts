// One host's TCP: finds the connection of a segment, makes new ones, asks each for its output, wakes those whose time has come.
// Owns: connections, listeners, ports, the lists of who has something to send or to tell. Does not own: any rule of a connection, IP.
// Invariant: nothing here keeps time or sends by itself; `now` comes in, packets are polled.

import { Deadlines } from '../base/deadlines.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { TransportError } from '../ip/control.ts'
import type { DropReason } from '../ip/drops.ts'
import { type IpHeader, PROTOCOL } from '../ip/header.ts'
import type { IpLayer } from '../ip/layer.ts'
import type { Packet } from '../link/device.ts'
import { AnswerQueue } from './answers.ts'
import { ChallengeBudget } from './challenge-budget.ts'
import { closeTcb } from './closing.ts'
import { type TcpConfig, tcpConfig } from './config.ts'
import { congestionControl } from './congestion/index.ts'
import { Connection } from './connection.ts'
import { countDropped, countSent, createCounters, type TcpCounters } from './counters.ts'
import { createTcb } from './create-tcb.ts'
import { Demux } from './demux.ts'
import { TcpError } from './errors.ts'
import { EVENT } from './events.ts'
import { offerFastOpen } from './fast-open.ts'
import { FastOpenCookies } from './fast-open-cookies.ts'
import { SegmentHeader, SegmentPlan } from './header.ts'
import { handleIcmpError } from './icmp-errors.ts'
import { parseSegment } from './incoming.ts'
import type { LayerLists } from './invariants-layer.ts'
import { InitialNumbers } from './isn.ts'
import type { ConnectOptions, ListenOptions, TcpLayerOptions } from './layer-options.ts'
import { settleLinger } from './linger.ts'
import { Listener, type ListenerLayer } from './listener.ts'
import { localAddress, ownAddress } from './local-address.ts'
import { checkMd5, md5KeyOf, signWith } from './md5.ts'
import { Observers, type TcpObserver } from './observers.ts'
import { DEFAULT_ORPHAN_MAX, Orphans } from './orphans.ts'
import { mayRide, nextSegment } from './output.ts'
import { type IssRule, type PassiveLayer, PassiveOpens, REOPEN_GAP } from './passive-open.ts'
import { startWithPathMtu } from './path-mtu.ts'
import { PathMtuCache } from './path-mtu-cache.ts'
import { checkPort, Ports } from './ports.ts'
import { segmentArrives } from './segment-arrives.ts'
import { seqAdd, seqMax } from './seq.ts'
import { setState } from './state.ts'
import { SynCookies } from './syn-cookies.ts'
import type { Tcb } from './tcb.ts'
import { DEFAULT_TIME_WAIT_MAX, TimeWaits } from './time-wait.ts'
import { armAfterCalls, handleTimers, nextDeadline } from './timers.ts'
import { countIn, countOut } from './totals.ts'
import { DirtyQueue, EventQueue } from './work.ts'
import { SegmentWriter } from './writer.ts'

export type { ConnectOptions, ListenOptions, TcpLayerOptions } from './layer-options.ts'

/** One host's TCP. Use it through Stack. */
export class TcpLayer implements PassiveLayer, ListenerLayer {
  /** By nstat's names. */
  readonly counters: TcpCounters = createCounters()
  /** Told of every change of state of every connection, when set; for traces. */
  onState: ((tcb: Tcb, from: string, to: string) => void) | null = null
  /** Told of every connection's record after every step, when set; for tests: see checkInvariants. */
  onStep: ((tcb: Tcb) => void) | null = null

  // What passive opens share with it.
  readonly ip: IpLayer
  readonly ports: Ports
  readonly cookies: SynCookies
  readonly fastOpen: FastOpenCookies
  readonly resets = new AnswerQueue()
  readonly synAcks = new AnswerQueue()

  readonly #observers = new Observers()
  readonly #config: TcpConfig
  readonly #demux: Demux
  readonly #numbers: InitialNumbers
  readonly #paths: PathMtuCache
  /** When we were last called with the time. */
  #now: Micros = 0
  readonly #challenges: ChallengeBudget
  readonly #timeWaits: TimeWaits
  readonly #orphans: Orphans
  readonly #passive = new PassiveOpens(this)
  readonly #deadlines = new Deadlines<Connection>()
  readonly #writer: SegmentWriter
  readonly #segment = new SegmentHeader()
  readonly #plan = new SegmentPlan()
  readonly #dirty = new DirtyQueue<Connection>(mayRide)
  readonly #eventful = new EventQueue<Connection | Listener>()

  constructor(options: TcpLayerOptions) {
    this.ip = options.ip
    this.#paths = new PathMtuCache(options.ip.pathMtus)
    this.#config = tcpConfig(options.config)
    congestionControl(this.#config.congestion)
    this.#demux = new Demux(options.random)
    this.ports = new Ports(this.#demux, options.random, options.ephemeralPorts)
    this.#numbers = new InitialNumbers(options.random, options.isn ?? null)
    this.cookies = new SynCookies(options.random)
    this.fastOpen = new FastOpenCookies(options.random)
    this.#challenges = new ChallengeBudget(options.challengeAcksPerSecond ?? 1000, options.random)
    this.#timeWaits = new TimeWaits(options.timeWaitMax ?? DEFAULT_TIME_WAIT_MAX)
    this.#orphans = new Orphans(options.orphanMax ?? DEFAULT_ORPHAN_MAX)
    this.#writer = new SegmentWriter(options.ip, options.offload)
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
   * @throws {TcpError} EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH; {RangeError} for a port, a setting or a key out of bounds
   */
  connect(options: ConnectOptions, now: Micros): Connection {
    const { remote, remotePort } = options
    checkPort(remotePort, 1)
    const local = localAddress(this.ip, options)
    const md5Key = md5KeyOf(options.md5Key)
    const config = this.#configFor(options.config)
    const localPort = options.localPort
      ? checkPort(options.localPort, 1)
      : this.ports.ephemeral(local, remote, remotePort, config.timeWaitReuse, now)
    const mayReuse = options.localPort ? options.reuseAddress === true : config.timeWaitReuse
    const old = this.ports.claim(local, localPort, remote, remotePort, mayReuse, now)
    const iss = old === null ? {} : { least: seqAdd(old.tcb.snd.nxt, REOPEN_GAP) }
    if (old !== null) this.#retire(old)
    const tcb = this.#create(false, local, localPort, remote.clone(), remotePort, config, now, iss)
    signWith(tcb, md5Key)
    const connection = new Connection(tcb, this, null)
    if (tcb.config.fastOpen && md5Key === null) offerFastOpen(tcb, this.fastOpen.jar, remote, now)
    this.#enter(connection)
    setState(tcb, 'SYN-SENT')
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
    if (local !== null && !this.ip.isLocal(local)) {
      throw new TcpError('EADDRNOTAVAIL', `${local} is not an address of this host`)
    }
    checkPort(options.port, 0)
    const { reuseAddress = true, reusePort = false } = options
    const port = options.port === 0 ? this.ports.freeListeningPort(local, reuseAddress) : options.port
    const backlog = Math.max(1, options.backlog ?? 511)
    const config = this.#configFor(options.config)
    const listener = new Listener(this, { address: local, port, backlog, reusePort, config, md5Key: options.md5Key })
    this.ports.addListener(listener, reuseAddress)
    return listener
  }

  /**
   * Tells `observer` what happens in every connection from now on: state, windows, round trips, retransmissions, reasons to wait. What is
   * not observed costs nothing. Returns the call that ends it.
   */
  observe(observer: TcpObserver): () => void {
    return this.#observers.add(observer, this.#demux)
  }

  /** A connection is made and not in any state yet. */
  #enter(connection: Connection): void {
    this.#observers.enter(connection)
    this.#demux.add(connection)
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
    iss: IssRule,
  ): Tcb {
    const usual = this.#numbers.iss(local, localPort, remote, remotePort, now)
    const tcb = createTcb({
      passive,
      local,
      localPort,
      remote,
      remotePort,
      config,
      counters: this.counters,
      control: congestionControl(config.congestion),
      challenges: this.#challenges,
      iss: iss.exact ?? (iss.least === undefined ? usual : seqMax(usual, iss.least)),
      timestampOffset: this.timestampOffset(local, localPort, remote, remotePort),
      pathSegmentBytes: this.ip.mtuTo(remote) - this.ip.headerBytes(remote),
      now,
    })
    const watch = this.onState
    startWithPathMtu(tcb, this.#paths.get(remote, this.#config.pathMtuAgeUs, now))
    if (watch !== null) tcb.onState = (from, to) => watch(tcb, from, to)
    return tcb
  }

  /** A TCP packet for us; `header` is its IP header. Returns 'ok' or why it was dropped, which is counted. */
  handleSegment(packet: Packet, header: IpHeader, now: Micros): 'ok' | DropReason {
    this.counters.TcpInSegs++
    const verdict = this.#handle(packet, header, now)
    if (verdict === 'ok') return verdict
    this.ip.drops.count(verdict)
    countDropped(this.counters, verdict)
    return verdict
  }

  #handle(packet: Packet, header: IpHeader, now: Micros): 'ok' | DropReason {
    const segment = this.#segment
    const parsed = parseSegment(packet, header, segment)
    if (parsed !== 'ok') return parsed
    const connection = this.#demux.find(header.dst, segment.destinationPort, header.src, segment.sourcePort)
    if (connection === null) return this.#passive.handle(header, segment, now)
    const signed = checkMd5(connection.tcb.md5Key, header, segment, this.counters)
    if (signed !== 'ok') return signed
    connection.tcb.life.receivedTrafficClass = header.trafficClass & 0xfc
    countIn(connection.tcb.totals, segment)
    const isAdmitted = connection.listener === null || this.#passive.admits(connection, segment, now)
    const verdict = isAdmitted ? segmentArrives(connection.tcb, segment, now) : 'done'
    if (connection.watch !== null) connection.watch.step(now)
    if (verdict === 'reopen') return this.#passive.reopen(connection, header, segment, now)
    if (verdict === 'reset') this.#passive.refuse(connection, header, segment, now)
    this.touch(connection)
    this.notice(connection)
    return isAdmitted ? 'ok' : 'tcp-not-accepted'
  }

  /** Passive opens: a record in CLOSED for the peer of a segment. */
  createPassive(listener: Listener, header: IpHeader, segment: SegmentHeader, now: Micros, iss: IssRule): Tcb {
    const { destinationPort, sourcePort } = segment
    const own = ownAddress(this.ip, header.dst)
    return this.#create(true, own, destinationPort, header.src.clone(), sourcePort, listener.config, now, iss)
  }

  /** Passive opens: what a connection's timestamps begin with (RFC 7323 §5.4). */
  timestampOffset(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    return this.#numbers.timestampOffset(local, localPort, remote, remotePort)
  }

  /** Passive opens: from now on segments reach the connection. */
  enlist(connection: Connection): void {
    this.#enter(connection)
    this.touch(connection)
  }

  /** RFC 9293 §3.9.2.2 [MUST-54]: an error reaches the connection whose segment it quotes. */
  #handleIcmpError(error: TransportError): void {
    if (error.protocol !== PROTOCOL.TCP) return
    const connection = this.#demux.find(error.src, error.sourcePort, error.dst, error.destinationPort)
    if (connection === null) return
    const { tcb } = connection
    const before = tcb.pathSegmentBytes
    handleIcmpError(tcb, error, this.ip.headerBytes(error.dst))
    if (tcb.pathSegmentBytes < before) this.#paths.put(tcb.remote, tcb.pathSegmentBytes, this.#now)
    this.touch(connection)
    this.notice(connection)
  }

  /** For checkLayer and checkIdle. */
  get lists(): LayerLists {
    return [this.#demux, this.#deadlines, this.#timeWaits, this.#dirty, this.#eventful]
  }

  /** When to call handleTimeout next; Infinity for never. */
  nextDeadline(): Micros {
    return this.#deadlines.next()
  }

  /** Handles every timer that is due at `now`. */
  handleTimeout(now: Micros): void {
    for (let c = this.#deadlines.popDue(now); c !== null; c = this.#deadlines.popDue(now)) {
      handleTimers(c.tcb, now)
      if (c.watch !== null) c.watch.step(now)
      this.touch(c)
      this.notice(c)
    }
  }

  /** Writes the next segment that is to be sent into `packet`; false when there is none now. `isAll`: see mayRide. */
  pollTransmit(packet: Packet, now: Micros, isAll = true): boolean {
    const plan = this.#plan
    this.#now = now
    const answer = this.synAcks.take() ?? this.resets.take()
    if (answer !== null) {
      countSent(this.counters, answer.plan)
      this.#writer.writeAnswer(answer, packet)
      return true
    }
    for (let connection = this.#dirty.first(isAll); connection !== null; connection = this.#dirty.first(isAll)) {
      const { tcb } = connection
      armAfterCalls(tcb, now)
      if (nextSegment(tcb, now, this.#writer.superSegment(tcb), plan)) {
        countOut(tcb.totals, plan, countSent(this.counters, plan))
        if (connection.watch !== null) connection.watch.sent(plan, now)
        this.#writer.write(tcb, plan, packet)
        return true
      }
      this.#dirty.drop()
      if (connection.watch !== null) connection.watch.settled(now)
      if (tcb.events !== 0) this.notice(connection) // output has made room for the application
      this.settle(connection)
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
    this.notice(connection)
  }

  /** A listener was closed. */
  unlisten(listener: Listener): void {
    this.ports.removeListener(listener)
  }

  /** Queues a connection's or its listener's events for the owner. */
  notice(connection: Connection): void {
    const { listener, tcb } = connection
    if (tcb.life.linger === 'waiting') settleLinger(tcb)
    if (listener !== null) {
      if (tcb.state !== 'SYN-RECEIVED') listener.settle(connection)
    } else if (tcb.events !== 0) {
      this.#eventful.add(connection)
    }
  }

  /** The connection has nothing more to send now: its deadline is set, or its record is dropped. */
  settle(connection: Connection): void {
    const { tcb } = connection
    if (this.onStep !== null) this.onStep(tcb)
    if (tcb.state !== 'CLOSED') {
      this.#deadlines.arm(connection, nextDeadline(tcb))
      if (tcb.state === 'TIME-WAIT') this.#linger(connection)
      else if (tcb.orphaned && this.#orphans.add(connection)) this.touch(connection)
      return
    }
    this.#deadlines.remove(connection)
    this.#timeWaits.delete(connection)
    this.#orphans.delete(connection)
    if (this.#demux.remove(connection) && connection.listener === null) {
      tcb.events |= EVENT.closed
      this.#eventful.add(connection)
    }
  }

  /** In TIME-WAIT little is kept, and of too many the oldest goes. */
  #linger(connection: Connection): void {
    this.#orphans.delete(connection)
    const evicted = this.#timeWaits.add(connection)
    if (evicted === null) return
    this.counters.TcpExtTCPTimeWaitOverflow++
    this.#retire(evicted)
  }

  /** The end of TIME-WAIT before its time. */
  #retire(connection: Connection): void {
    closeTcb(connection.tcb)
    this.settle(connection)
  }
}
