// Runs a case in virtual time: hosts, the links between them, flows that begin, incidents. When nobody gets on any more it judges, ends
// what is left, and looks for what was left behind.
// Owns: the network and the course of a run. Does not own: what a link does (wire.ts), a host (host.ts), what is right (judge.ts).

import { IpHeader } from '../../src/ip/header.ts'
import type { Packet } from '../../src/link/device.ts'
import { VirtualTime } from '../../src/sim/virtual-time.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { TcpError } from '../../src/tcp/errors.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import type { AppPlan, Case, FlowPlan, Incident } from './case.ts'
import { Dice } from './dice.ts'
import { type ForgedError, forgedError, mayEnd } from './forged.ts'
import { Host, MD5_KEY } from './host.ts'
import { excuseOf, judgeEnd } from './judge.ts'
import type { Notes } from './notes.ts'
import { copyOf, echoRequest, icmpAbout, release, sourcePortOf, strayTcp, tokenOf, tooBig } from './packets.ts'
import { Side } from './side.ts'
import { keyOf } from './stream.ts'
import { type Carrier, Wire } from './wire.ts'

/** When a run begins. */
const START = 1_000_000
/** Nobody got on for so long: what is still open is stuck. */
const PATIENCE_US = 40 * 60e6
/** Steps in a row with which nobody gets on: packets go round for nothing. */
const IDLE_STEPS = 60_000
/** More seldom than this events are no livelock: keep-alive probes that are answered, for an hour. */
const STEP_US = 5000
const EVENTS = 3_000_000

/** The application of a connection that nobody opened: reads nothing and ends it. */
const NOBODY: AppPlan = {
  bytes: 0,
  chunk: 1,
  writeUs: 0,
  readBytes: 0,
  readUs: 0,
  stallAt: 0,
  stallUs: 0,
  urgentEvery: 0,
  more: false,
  discardAt: -1,
  ending: 'unread',
  endUs: 1,
  changes: [],
}

/** Why a run failed. */
export interface Failure {
  readonly kind:
    | 'invariant'
    | 'content'
    | 'livelock'
    | 'stuck'
    | 'error'
    | 'truncated'
    | 'leak'
    | 'stranger'
    | 'exception'
  readonly text: string
  readonly flow: number
  readonly host: number
  readonly localPort: number
  readonly atUs: number
}

/** How a run went. */
export interface Outcome {
  readonly failure: Failure | null
  readonly connections: number
  readonly bytes: number
  readonly packets: number
  readonly events: number
  readonly virtualUs: number
  /** Changes with every byte and time of the run. */
  readonly digest: number
}

/** One flow under way. */
export interface Flow {
  readonly plan: FlowPlan
  /** Why it may fail; null: it may not. What happens in the run can give a reason. */
  excuse: string | null
  client: Side | null
  server: Side | null
  ghosts: number
  /** It could not be opened. */
  isRefused: boolean
}

class Stop extends Error {}

/** A run. */
export class World implements Carrier {
  readonly it: Case
  readonly time = new VirtualTime(START)
  readonly notes: Notes
  readonly flows: Flow[]
  readonly hosts: Host[]
  /** Sees every packet as it is sent and as it arrives; for traces. */
  tap: ((host: number, packet: Packet, direction: 'in' | 'out') => void) | null = null
  progressAt = START
  idleSteps = 0
  /** Times that an application wrote or read something. */
  strides = 0
  latest: { host: number; tcb: Tcb } | null = null
  failure: Failure | null = null
  readonly #d: Dice
  readonly #wires: { ab: Wire; ba: Wire }[]
  readonly #routes: Wire[][][]
  readonly #byAddress = new Map<number, number>()
  /** The source ports of packets that nobody stands behind. */
  readonly #forged = new Set<number>()
  /** Forged errors on their way. */
  readonly #errors = new Map<Packet, ForgedError>()
  readonly #kept: Packet[] = []
  readonly #lastSent: (Packet | null)[]
  readonly #keeps: boolean
  #seen = 0
  #digest = 0
  #flying = 0

  constructor(it: Case, notes: Notes) {
    this.it = it
    this.notes = notes
    this.#d = new Dice(it.seed ^ 0x5eed)
    this.#wires = it.links.map(({ ab, ba }, i) => ({
      ab: new Wire(ab, it.seed * 128 + 2 * i, notes.wires),
      ba: new Wire(ba, it.seed * 128 + 2 * i + 1, notes.wires),
    }))
    this.#routes = this.#findRoutes()
    this.hosts = it.hosts.map((plan, i) => new Host(this, plan, i))
    this.hosts.forEach(({ address }, i) => void this.#byAddress.set(address.w3, i))
    this.#lastSent = it.hosts.map(() => null)
    this.#keeps = it.incidents.some(({ kind }) => kind === 'replay' || kind === 'icmp')
    this.flows = it.flows.map((plan) => ({
      plan,
      excuse: excuseOf(it, plan),
      client: null,
      server: null,
      ghosts: 0,
      isRefused: false,
    }))
  }

  now(): number {
    return this.time.now()
  }

  /** Runs the case to its end. */
  run(): Outcome {
    try {
      for (const flow of this.flows) this.time.schedule(START + flow.plan.at, () => this.#open(flow))
      for (const incident of this.it.incidents) this.time.schedule(START + incident.at, () => this.#happen(incident))
      this.#patrol()
      this.#runOut()
      judgeEnd(this)
      this.#leave()
    } catch (error) {
      if (!(error instanceof Stop)) {
        const kind = error instanceof Error && error.name === 'InvariantError' ? 'invariant' : 'exception'
        this.#failed(kind, error instanceof Error ? (error.stack ?? error.message) : String(error))
      }
    }
    const sides = this.hosts.flatMap((host) => host.sides)
    return {
      failure: this.failure,
      connections: this.flows.length,
      bytes: sides.reduce((sum, side) => sum + side.received, 0),
      packets: this.#seen,
      events: this.time.events,
      virtualUs: this.time.now() - START,
      digest: this.#digest,
    }
  }

  /** @throws {Stop} */
  fail(kind: Failure['kind'], text: string, flow = -1): never {
    this.#failed(kind, text, flow)
    throw new Stop(text)
  }

  #failed(kind: Failure['kind'], text: string, flow = -1): void {
    const side = flow < 0 ? null : (this.flows[flow]?.client ?? this.flows[flow]?.server)
    const host = side
      ? side.isServer
        ? this.flows[flow].plan.to
        : this.flows[flow].plan.from
      : (this.latest?.host ?? 0)
    const localPort = side?.connection.localPort ?? this.latest?.tcb.localPort ?? 0
    this.failure ??= { kind, text, flow, host, localPort, atUs: this.time.now() - START }
  }

  #runOut(): void {
    this.time.runSync({
      while: () => {
        if (++this.idleSteps > IDLE_STEPS && this.now() - this.progressAt < this.idleSteps * STEP_US)
          this.fail('livelock', `${IDLE_STEPS} events in a row, and nobody got on`)
        if (this.time.events > EVENTS) this.fail('livelock', `more than ${EVENTS} events`)
        return true
      },
    })
  }

  /** From time to time: whether anybody still gets on. */
  #patrol(): void {
    this.time.schedule(this.time.now() + 10 * 60e6, () => {
      const open = this.flows.some(({ client, server }) => isOpen(client) || isOpen(server)) || this.#hasGhosts()
      const waits = this.flows.some(({ client, isRefused }) => client === null && !isRefused)
      if (!open && !waits) return
      if (this.time.now() - this.progressAt > PATIENCE_US) this.#giveUp()
      this.#patrol()
    })
  }

  #hasGhosts(): boolean {
    return this.hosts.some(({ sides }) => sides.some(isOpen))
  }

  /** Nobody got on for long. Who had a reason is ended; who had none is stuck. */
  #giveUp(): void {
    for (const { client, server, excuse, plan } of this.flows) {
      for (const side of [client, server]) {
        if (!isOpen(side) || excuse !== null) continue
        if (side.connection.state === 'TIME-WAIT') continue
        this.fail(
          'stuck',
          `flow ${plan.id}, ${side.isServer ? 'server' : 'client'}: ${side.connection.state} for ever, ${account(side)}`,
          plan.id,
        )
      }
    }
    this.notes.count('ends', 'given up')
    this.progressAt = this.time.now()
    for (const host of this.hosts) {
      for (const side of host.sides) side.reap()
      host.run()
    }
  }

  /** All flows are over: listeners go, and then there must be nothing. */
  #leave(): void {
    for (const host of this.hosts) {
      host.accept()
      for (const side of host.sides) side.reap()
      host.listener?.close()
      host.run()
    }
    this.idleSteps = 0
    this.#runOut()
    for (const host of this.hosts) {
      host.run()
      host.check()
      host.checkIdle()
      this.notes.host(host.stack.tcp.counters)
    }
    if (this.#flying !== 0) this.fail('leak', `${this.#flying} packets are still on their way`)
  }

  #open(flow: Flow): void {
    const { plan } = flow
    const from = this.hosts[plan.from]
    const to = this.hosts[plan.to]
    const md5 = !plan.both && this.it.hosts[plan.to].listener?.md5 === true
    const keys: [number, number] = [keyOf(plan.id, false), keyOf(plan.id, true)]
    try {
      const connection = from.stack.connect(
        {
          remote: to.address,
          remotePort: plan.both ? 40000 + plan.id : (this.it.hosts[plan.to].listener?.port ?? 80),
          ...(plan.localPort > 0 && { localPort: plan.localPort, reuseAddress: true }),
          ...(md5 && { md5Key: MD5_KEY }),
          config: plan.config,
        },
        this.now() + from.leapUs,
      )
      flow.client = new Side(from, connection, plan.id, false, plan.client, keys)
      from.sides.push(flow.client)
      if (plan.both) {
        const other = to.stack.connect(
          { remote: from.address, remotePort: plan.localPort, localPort: 40000 + plan.id },
          this.now() + to.leapUs,
        )
        flow.server = new Side(to, other, plan.id, true, plan.server, [keys[1], keys[0]])
        to.sides.push(flow.server)
      }
    } catch (error) {
      const isTaken = error instanceof TcpError && error.code === 'EADDRINUSE' && plan.localPort > 0 && !plan.both
      if (!isTaken) throw error
      flow.isRefused = true
      return
    }
    flow.client.step()
    from.run()
    if (flow.server !== null) {
      flow.server.step()
      to.run()
    }
  }

  /** A listener has accepted a connection: whose is it? One that a repeated SYN or cookie has made is nobody's. */
  matched(host: Host, connection: Connection): Side {
    const { tcb } = connection
    for (let i = this.flows.length - 1; i >= 0; i--) {
      const flow = this.flows[i]
      const { client, plan } = flow
      if (client === null || plan.both || plan.to !== host.index) continue
      const peer = client.connection
      const isSame =
        peer.localPort === tcb.remotePort && peer.local.equals(tcb.remote) && peer.tcb.snd.iss === tcb.rcv.irs
      if (!isSame) continue
      const keys: [number, number] = [keyOf(plan.id, true), keyOf(plan.id, false)]
      if (flow.server === null) {
        flow.server = new Side(host, connection, plan.id, true, plan.server, keys)
        return flow.server
      }
      flow.ghosts++
      this.notes.count('ends', 'ghosts')
      const mayRepeat = tcb.config.fastOpen || tcb.config.synCookies === 'always' || tcb.config.synBacklog < 100
      if (!mayRepeat) this.fail('stranger', `flow ${plan.id} was accepted twice`, plan.id)
      const ghost = { ...plan.server, bytes: 0, ending: 'abort' as const, endUs: 60e6, changes: [], stallUs: 0 }
      return new Side(host, connection, plan.id, true, ghost, keys, true)
    }
    // Without cookies a SYN with text that nobody stands behind is accepted like any other (RFC 7413 §4.1.3): that is why they exist.
    const isForged = tcb.config.fastOpen && tcb.config.fastOpenCookieless && this.#forged.has(tcb.remotePort)
    if (!isForged)
      this.fail('stranger', `host ${host.index} accepted a connection from port ${tcb.remotePort} that nobody opened`)
    this.notes.count('ends', 'ghosts')
    return new Side(host, connection, -1, true, NOBODY, [0, 0], true)
  }

  /** A host has sent a packet. */
  send(from: Host, packet: Packet): void {
    this.#seen++
    this.#digest = Math.imul(this.#digest ^ tokenOf(packet), 0x9e3779b1) ^ (this.time.now() | 0) ^ from.index
    if (this.tap !== null) this.tap(from.index, packet, 'out')
    if (this.#keeps) this.#keep(from, packet)
    const { bytes, start } = packet
    const at = start + (this.it.family === 4 ? 16 : 36)
    const w3 = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
    const to = this.#byAddress.get(w3)
    if (to === undefined || to === from.index) return // nobody, as when a forged packet is answered
    this.#hop(copyOf(packet), this.#routes[from.index][to], 0, to)
  }

  #hop(packet: Packet, route: Wire[], index: number, to: number): void {
    if (index < route.length) {
      this.#at = { route, index, to }
      route[index].carry(packet, this)
      return
    }
    if (this.tap !== null) this.tap(to, packet, 'in')
    this.hosts[to].arrive(packet)
  }

  #at: { route: Wire[]; index: number; to: number } = { route: [], index: 0, to: 0 }

  /** A link hands on a packet. */
  arrives(at: number, packet: Packet): void {
    const { route, index, to } = this.#at
    this.#flying++
    this.time.schedule(at, () => {
      this.#flying--
      this.#hop(packet, route, index + 1, to)
    })
  }

  /** A router says that a packet is too large. */
  refused(packet: Packet, mtu: number): void {
    const { route, index } = this.#at
    const sender = this.#senderOf(packet)
    if (sender === null) return
    const message = tooBig(packet, mtu)
    const delay = route.slice(0, index).reduce((sum, { plan }) => sum + plan.delayUs, 100)
    this.#deliverAt(this.now() + delay, message, sender)
  }

  #senderOf(packet: Packet): Host | null {
    const ip = new IpHeader()
    const v4 = this.it.family === 4
    ip.src.read(packet.bytes, packet.start + (v4 ? 12 : 8), this.it.family)
    const index = this.#byAddress.get(ip.src.w3)
    return index === undefined ? null : this.hosts[index]
  }

  #deliverAt(at: number, packet: Packet, host: Host): void {
    this.#flying++
    this.time.schedule(at, () => {
      this.#flying--
      if (this.tap !== null) this.tap(host.index, packet, 'in')
      host.arrive(packet)
    })
  }

  /** A host handles a packet now: a forged error may end what it is about, and with it the flow. */
  handles(host: Host, packet: Packet): void {
    const error = this.#errors.get(packet)
    if (error === undefined) return
    this.#errors.delete(packet)
    for (const { tcb } of host.stack.tcp.connections()) {
      if (!mayEnd(error, tcb)) continue
      const flow = this.flows.find(({ client, server }) =>
        [client, server].some((side) => side?.connection.tcb === tcb || (side !== null && isOther(side, tcb))),
      )
      if (flow !== undefined) flow.excuse ??= 'ICMP error while it opened'
    }
  }

  /** A host is done with a packet. */
  recycle(packet: Packet): void {
    release(packet)
  }

  #keep(from: Host, packet: Packet): void {
    if (packet.segmentBytes > 0 || packet.checksum !== 'complete' || packet.length > 9000) return
    const copy = packet.clone()
    this.#lastSent[from.index] = copy
    if (this.#kept.length < 200) this.#kept.push(copy)
    else this.#kept[100 + (this.#seen % 100)] = copy
  }

  #happen(incident: Incident): void {
    switch (incident.kind) {
      case 'path':
        for (const side of incident.side === 'both' ? (['ab', 'ba'] as const) : [incident.side]) {
          this.#wires[incident.link][side].change(incident.set)
        }
        break
      case 'down':
        for (const wire of Object.values(this.#wires[incident.link])) {
          wire.downUntil = Math.max(wire.downUntil, this.now() + incident.forUs)
        }
        break
      case 'stall':
        this.hosts[incident.host].stall(incident.forUs)
        break
      case 'jump':
        this.hosts[incident.host].leap(incident.byUs)
        break
      case 'icmp': {
        const sent = this.#lastSent[incident.host]
        if (sent === null) break
        const skew = incident.inWindow ? 0 : 0x40000000
        const message = icmpAbout(sent, incident.type, incident.code, incident.mtu, skew)
        const error = forgedError(sent, incident.type, incident.code, skew)
        if (error !== null) this.#errors.set(message, error)
        this.#deliverAt(this.now(), message, this.hosts[incident.host])
        break
      }
      case 'echo': {
        const host = this.hosts[incident.host]
        const other = this.hosts[(incident.host + 1) % this.hosts.length]
        this.#deliverAt(this.now(), echoRequest(other.address, host.address, incident.bytes), host)
        break
      }
      case 'replay':
        this.#replay(incident.count, incident.old)
        break
      case 'probe': {
        const host = this.hosts[incident.host]
        const other = this.hosts[(incident.host + 1) % this.hosts.length]
        const stray = strayTcp(other.address, host.address, incident.port, incident.flags, this.#d)
        this.#forged.add(sourcePortOf(stray))
        this.#deliverAt(this.now(), stray, host)
        break
      }
    }
  }

  /** Packets that were seen before come again. */
  #replay(count: number, old: boolean): void {
    const kept = this.#kept
    if (kept.length === 0) return
    for (let i = 0; i < count; i++) {
      const packet = kept[this.#d.whole(0, old ? Math.min(kept.length, 40) - 1 : kept.length - 1)]
      const { bytes, start } = packet
      const at = start + (this.it.family === 4 ? 16 : 36)
      const w3 = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
      const to = this.#byAddress.get(w3)
      if (to !== undefined) this.#deliverAt(this.now(), packet.clone(), this.hosts[to])
    }
  }

  /** The wires from each host to each other: the way with the fewest links. */
  #findRoutes(): Wire[][][] {
    const { links, hosts, routers } = this.it
    const nodes = hosts.length + routers
    return hosts.map((_, from) => {
      const ways: (Wire[] | null)[] = Array.from({ length: nodes }, () => null)
      ways[from] = []
      const queue = [from]
      for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
        links.forEach(({ a, b }, i) => {
          const next = a === node ? b : b === node ? a : -1
          if (next < 0 || ways[next] !== null) return
          ways[next] = [...(ways[node] ?? []), a === node ? this.#wires[i].ab : this.#wires[i].ba]
          queue.push(next)
        })
      }
      return ways.slice(0, hosts.length).map((way) => way ?? [])
    })
  }
}

/** Whether a connection that nobody has accepted yet is the other end of a side's. */
function isOther({ connection: { tcb } }: Side, other: Tcb): boolean {
  return (
    tcb.localPort === other.remotePort &&
    tcb.remotePort === other.localPort &&
    tcb.local.equals(other.remote) &&
    tcb.snd.iss === other.rcv.irs
  )
}

function isOpen(side: Side | null): side is Side {
  return side !== null && !side.isDone
}

/** How far a side has come. */
export function account(side: Side): string {
  const { tcb } = side.connection
  return (
    `written ${side.written} of ${side.plan.bytes}, received ${side.received}, ${side.isEnded ? 'ended' : 'not ended'}, ` +
    `in flight ${tcb.snd.flight.bytes}, window ${tcb.snd.wnd}, cwnd ${tcb.cc.cwnd}, hold ${tcb.hold}, error ${side.connection.error?.code ?? 'none'}`
  )
}
