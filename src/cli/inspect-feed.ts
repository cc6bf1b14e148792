// What a live page is told: packets as they pass, what TCP says of itself, and a picture of every socket, gathered between two tellings.
// Owns: gathering, its bounds, numbering connections. Does not own: who listens and when (inspect.ts), ss's text (ss-format.ts).
//
// Invariant: what gathers is bounded between two tellings; what does not fit is counted.

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { PacketObserver } from '../link/capture.ts'
import type { Host } from '../net/index.ts'
import type { Connection } from '../stack/index.ts'
import { FLAG, formatFlags } from '../tcp/header.ts'
import { HOLD_REASONS } from '../tcp/reasons.ts'
import { type Seq, seqAdd, seqDiff, seqLt } from '../tcp/seq.ts'
import type { RetransmitEvent, StateEvent, TcpEvent, WindowEvent } from '../tcp/watch.ts'
import { formatSegment, ParsedPacket } from '../trace/packet-line.ts'
import type { SocketRecord } from './control-answers.ts'
import { infoText } from './ss-format.ts'

/** Most packets and most events that one telling carries, and most sockets. */
const MOST = { packets: 400, events: 600, sockets: 100 } as const

/** A packet: connection, time, 1 for out, first sequence number and acknowledgement from 0 on, window, text, flags, again, options. */
export type PacketRow = readonly [number, Micros, 0 | 1, number, number, number, number, string, 0 | 1, string]

/** An event: connection, time, kind, and what belongs to it. Windows of one instant are one event: the last. */
export type EventRow = readonly [number, Micros, 'state' | 'window' | 'retransmit', ...(number | string)[]]

/** A socket as the page has it; `ss` is left out when it says the same as before. */
export interface SocketRow {
  readonly id: number
  readonly state: string
  readonly local: string
  readonly remote: string | null
  readonly queues: readonly [number, number]
  readonly ss?: string
  /** What its output waits for; left out when for nothing. */
  readonly why?: string
}

/** One telling. */
export interface Telling {
  readonly at: Micros
  /** Connections that are new, by number: one may be over before its socket is told. */
  readonly names: readonly (readonly [number, string])[]
  readonly sockets: readonly SocketRow[]
  readonly packets: readonly PacketRow[]
  readonly events: readonly EventRow[]
  /** What did not fit. */
  readonly omitted: { readonly packets: number; readonly events: number; readonly sockets: number }
}

interface Side {
  base: Seq | null
  end: Seq
}

interface Known {
  readonly id: number
  readonly ours: Side
  readonly theirs: Side
  isAlive: boolean
}

/** Gathers while it is on; off, it keeps nothing and nobody tells it anything. */
export class InspectFeed {
  readonly #host: Host
  readonly #sockets: () => SocketRecord[]
  readonly #parsed = new ParsedPacket()
  readonly #known = new Map<string, Known>()
  readonly #told = new Map<number, string>()
  #next = 1
  #names: [number, string][] = []
  #packets: PacketRow[] = []
  #events: EventRow[] = []
  #omitted = { packets: 0, events: 0, sockets: 0 }
  #stop: (() => void) | null = null

  /** @param sockets what `ss` asks the instance for */
  constructor(host: Host, sockets: () => SocketRecord[]) {
    this.#host = host
    this.#sockets = sockets
  }

  /** Whether it gathers. */
  get isOn(): boolean {
    return this.#stop !== null
  }

  /** Begins to gather. */
  start(): void {
    this.#stop ??= this.#host.stack.tcp.observe((event, connection) => this.#event(event, connection))
  }

  /** Ends it; what was gathered is forgotten. */
  stop(): void {
    this.#stop?.()
    this.#stop = null
    this.#known.clear()
    this.#told.clear()
    this.#names = []
    this.#packets = []
    this.#events = []
  }

  /** Takes note of a packet; a PacketObserver. */
  readonly packet: PacketObserver = (packet, direction, at) => {
    if (this.#stop === null) return
    if (this.#packets.length >= MOST.packets) {
      this.#omitted.packets++
      return
    }
    const parsed = this.#parsed
    if (parsed.parse(packet) !== 'ok' || parsed.kind !== 'tcp') return
    const { ip, tcp } = parsed
    const isOut = direction === 'out'
    const known = isOut
      ? this.#connection(ip.src, tcp.sourcePort, ip.dst, tcp.destinationPort)
      : this.#connection(ip.dst, tcp.destinationPort, ip.src, tcp.sourcePort)
    const sender = isOut ? known.ours : known.theirs
    const receiver = isOut ? known.theirs : known.ours
    if (sender.base === null || (tcp.flags & FLAG.SYN) !== 0) {
      if (sender.base !== tcp.seq) sender.end = tcp.seq
      sender.base = tcp.seq
    }
    const end = seqAdd(tcp.seq, tcp.length)
    const isAgain = tcp.length > 0 && seqLt(tcp.seq, sender.end)
    if (seqLt(sender.end, end)) sender.end = end
    const base = { seq: sender.base, ack: receiver.base ?? tcp.ack }
    const ack = (tcp.flags & FLAG.ACK) === 0 ? -1 : seqDiff(tcp.ack, base.ack)
    const first = seqDiff(tcp.seq, base.seq)
    const flags = formatFlags(tcp.flags)
    const { window, textLength } = tcp
    const options = optionsOf(formatSegment(tcp, base))
    this.#packets.push([known.id, at, isOut ? 1 : 0, first, ack, window, textLength, flags, isAgain ? 1 : 0, options])
  }

  /** The number that a connection has in tellings. */
  idOf(local: string, localPort: number, remote: string, remotePort: number): number {
    return this.#entry(`${local} ${localPort} ${remote} ${remotePort}`).id
  }

  /** What happened since the last telling. */
  take(at: Micros): Telling {
    const records = this.#sockets()
    const sockets = records.slice(0, MOST.sockets).map((record) => this.#row(record))
    const names = this.#names
    const packets = this.#packets
    const events = this.#events
    const omitted = { ...this.#omitted, sockets: records.length - sockets.length }
    this.#names = []
    this.#packets = []
    this.#events = []
    this.#omitted = { packets: 0, events: 0, sockets: 0 }
    for (const [key, known] of this.#known) {
      if (!known.isAlive) this.#known.delete(key)
      known.isAlive = false
    }
    if (this.#told.size > 4 * MOST.sockets) this.#told.clear()
    return { at, names, sockets, packets, events, omitted }
  }

  /** Whether anything happened in a connection that is none of `own`. */
  hasNews(own: ReadonlySet<number>): boolean {
    const isNews = ([id]: PacketRow | EventRow): boolean => !own.has(id)
    return this.#packets.some(isNews) || this.#events.some(isNews)
  }

  /** Forgets which texts were told, so that the next telling has them all: somebody new listens. */
  tellAll(): void {
    this.#told.clear()
  }

  #row({
    protocol,
    state,
    local,
    localPort,
    remote,
    remotePort,
    receiveBytes,
    sendBytes,
    info,
  }: SocketRecord): SocketRow {
    const id = this.idOf(local, localPort, remote ?? protocol, remotePort)
    const row: SocketRow = {
      id,
      state: protocol === 'udp' ? 'UDP' : state,
      local: `${local}:${localPort}`,
      remote: remote === null ? null : `${remote}:${remotePort}`,
      queues: [receiveBytes, sendBytes],
    }
    if (info === null) return row
    const { text, clause } = HOLD_REASONS[info.hold]
    const why = info.hold === 'nothing' ? {} : { why: `${text} (${clause})` }
    // What only tells the time since goes on by itself in an idle connection.
    const ss = infoText(info)
    const same = ss.replace(/ last\w+:\d+/g, '')
    if (this.#told.get(id) === same) return { ...row, ...why }
    this.#told.set(id, same)
    return { ...row, ...why, ss }
  }

  #event(event: TcpEvent, { local, localPort, remote, remotePort }: Connection): void {
    const { kind } = event
    if (kind !== 'state' && kind !== 'window' && kind !== 'retransmit') return
    if (this.#events.length >= MOST.events) {
      this.#omitted.events++
      return
    }
    const { id } = this.#connection(local, localPort, remote, remotePort)
    const last = this.#events.at(-1)
    if (kind === 'window' && last?.[0] === id && last[1] === event.at && last[2] === kind) this.#events.pop()
    this.#events.push([id, event.at, kind, ...detailsOf(event)])
  }

  #connection(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Known {
    return this.#entry(`${local} ${localPort} ${remote} ${remotePort}`)
  }

  #entry(key: string): Known {
    const known = this.#known.get(key)
    if (known !== undefined) {
      known.isAlive = true
      return known
    }
    const side = (): Side => ({ base: null, end: 0 as Seq })
    const fresh: Known = { id: this.#next++, ours: side(), theirs: side(), isAlive: true }
    this.#known.set(key, fresh)
    const [local, localPort, remote, remotePort] = key.split(' ')
    this.#names.push([fresh.id, `${local}:${localPort} ◀▶ ${remote}:${remotePort}`])
    for (const { tcb } of this.#host.stack.tcp.connections()) {
      if (`${tcb.local} ${tcb.localPort} ${tcb.remote} ${tcb.remotePort}` !== key) continue
      fresh.ours.base = tcb.snd.iss
      fresh.ours.end = tcb.snd.nxt
      fresh.theirs.base = tcb.rcv.irs
      fresh.theirs.end = tcb.rcv.nxt
    }
    return fresh
  }
}

const finite = (value: number): number => (Number.isFinite(value) ? Math.round(value) : -1)

function detailsOf(event: StateEvent | WindowEvent | RetransmitEvent): (number | string)[] {
  switch (event.kind) {
    case 'state':
      return [event.from, event.to]
    case 'window':
      return [event.cwnd, event.ssthresh, event.peerWindow, event.inFlight].map(finite)
    case 'retransmit':
      return [event.seq, event.length, `${event.text} (${event.clause})`]
  }
}

/** The options that a line in tcpdump's format shows, without timestamps: they are long and rarely looked at. */
function optionsOf(line: string): string {
  const [, options = ''] = /options \[(.*)\]/.exec(line) ?? []
  return options.replace(/TS val \d+ ecr \d+,?/, '').replace(/,$/, '')
}
