// Remembers the segments of connections as they pass a device, with what both ends made of them: our state as our record had it, the
// peer's as its segments tell, and why our side was not sending at that moment. What ladders, captures' comments and reports are made of.
// Owns: the records. Does not own: how they look (ladder.ts), why time passed (causes.ts). Bounded: see RecorderOptions.

import type { Micros } from '../base/time.ts'
import { formatEndpoint, type IpAddress } from '../ip/address.ts'
import type { Packet } from '../link/device.ts'
import { FLAG } from '../tcp/header.ts'
import type { HoldReason } from '../tcp/reasons.ts'
import { type Seq, seqAdd, seqDiff, seqGe, seqLt } from '../tcp/seq.ts'
import type { State } from '../tcp/state.ts'
import type { Tcb } from '../tcp/tcb.ts'
import { formatSegment, ParsedPacket } from './packet-line.ts'
import { type StateClue, stateAfterReceiving, stateAfterSending } from './peer-state.ts'

/** One segment as it passed. */
export interface SegmentRecord {
  readonly at: Micros
  /** Seen from our stack. */
  readonly direction: 'in' | 'out'
  readonly flags: number
  /** Sequence number relative to its sender's first one, and the length of its text. */
  readonly seq: number
  readonly textLength: number
  /** In tcpdump's format, sequence numbers relative. */
  readonly line: string
  /** The first line of its text when that reads like HTTP; empty otherwise. */
  readonly textStart: string
  /** Our state once it was sent or handled. */
  ours: State
  /** The peer's state once it has sent or received it. */
  readonly theirs: State
  /** Text or SYN or FIN that had been seen before. */
  readonly isRetransmission: boolean
  /** Why our side had stopped sending before this segment came up. */
  readonly hold: HoldReason
  /** Our congestion window and bytes in flight before it, in bytes; 0 where unknown. */
  readonly cwnd: number
  readonly inFlight: number
  readonly mss: number
  /** Our slow start threshold in bytes; Infinity before the first loss. */
  readonly ssthresh: number
  /** How long our side lets an acknowledgement wait; Infinity where unknown. */
  readonly delayedAckUs: Micros
}

/** The segments of one connection. */
export interface ConnectionTrace {
  readonly local: IpAddress
  readonly localPort: number
  readonly remote: IpAddress
  readonly remotePort: number
  readonly records: SegmentRecord[]
  /** Segments that were not kept because the trace was full. */
  omitted: number
}

/** Bounds of what is kept. */
export interface RecorderOptions {
  /** Connections to keep, the first ones. Default 64. */
  readonly connections?: number
  /** Segments to keep of each. Default 2000. */
  readonly segments?: number
}

interface Tracked extends ConnectionTrace {
  ours: { base: Seq; end: Seq; finEnd: Seq | null; seen: boolean }
  theirs: { base: Seq; end: Seq; finEnd: Seq | null; seen: boolean }
  peerState: State
  tcb: Tcb | null
  latest: SegmentRecord | null
}

/** What the recorder watches: a Stack, or its TCP. */
export interface WatchedStack {
  readonly tcp: { onState: ((tcb: Tcb, from: string, to: string) => void) | null }
}

/** States that a call of the application leads to: they show with the segment that follows, not with the one before. */
const BY_CALL: ReadonlySet<string> = new Set(['SYN-SENT', 'FIN-WAIT-1', 'LAST-ACK'])

/** Records the segments of a stack's connections. Give `observe` to a capturing device. */
export class Recorder {
  readonly #most: { readonly connections: number; readonly segments: number }
  readonly #byKey = new Map<string, Tracked>()
  readonly #traces: Tracked[] = []
  readonly #parsed = new ParsedPacket()

  constructor(options: RecorderOptions = {}) {
    this.#most = { connections: options.connections ?? 64, segments: options.segments ?? 2000 }
  }

  /** Connections in the order of their first segment. */
  get traces(): readonly ConnectionTrace[] {
    return this.#traces
  }

  /** Watches the states of a stack's connections. */
  watch(stack: WatchedStack): void {
    stack.tcp.onState = (tcb, _from, to) => {
      const tracked = this.#byKey.get(keyOf(tcb.local, tcb.localPort, tcb.remote, tcb.remotePort))
      if (tracked === undefined) return
      tracked.tcb = tcb
      if (tracked.latest !== null && !BY_CALL.has(to)) tracked.latest.ours = to as State
    }
  }

  /** Takes note of a packet; a PacketObserver. */
  readonly observe = (packet: Packet, direction: 'in' | 'out', at: Micros): void => {
    const parsed = this.#parsed
    if (parsed.parse(packet) !== 'ok' || parsed.kind !== 'tcp') return
    const tracked = this.#track(direction)
    if (tracked === null) return
    if (tracked.records.length >= this.#most.segments) {
      tracked.omitted++
      return
    }
    const record = this.#record(tracked, direction, at)
    tracked.records.push(record)
    tracked.latest = record
  }

  #track(direction: 'in' | 'out'): Tracked | null {
    const { ip, tcp } = this.#parsed
    const isOut = direction === 'out'
    const local = isOut ? ip.src : ip.dst
    const remote = isOut ? ip.dst : ip.src
    const localPort = isOut ? tcp.sourcePort : tcp.destinationPort
    const remotePort = isOut ? tcp.destinationPort : tcp.sourcePort
    const key = keyOf(local, localPort, remote, remotePort)
    const known = this.#byKey.get(key)
    const isFresh = (tcp.flags & (FLAG.SYN | FLAG.ACK)) === FLAG.SYN && known?.latest?.ours === 'CLOSED'
    if (known !== undefined && !isFresh) return known
    if (this.#traces.length >= this.#most.connections) return null
    const tracked: Tracked = {
      local: local.clone(),
      localPort,
      remote: remote.clone(),
      remotePort,
      records: [],
      omitted: 0,
      ours: { base: 0 as Seq, end: 0 as Seq, finEnd: null, seen: false },
      theirs: { base: 0 as Seq, end: 0 as Seq, finEnd: null, seen: false },
      peerState: isOut ? 'LISTEN' : 'CLOSED',
      tcb: null,
      latest: null,
    }
    this.#byKey.set(key, tracked)
    this.#traces.push(tracked)
    return tracked
  }

  #record(tracked: Tracked, direction: 'in' | 'out', at: Micros): SegmentRecord {
    const { tcp } = this.#parsed
    const isOut = direction === 'out'
    const sender = isOut ? tracked.ours : tracked.theirs
    const receiver = isOut ? tracked.theirs : tracked.ours
    if (!sender.seen) {
      sender.seen = true
      sender.base = tcp.seq
      sender.end = tcp.seq
    }
    const end = seqAdd(tcp.seq, tcp.length)
    const isRetransmission = tcp.length > 0 && seqLt(tcp.seq, sender.end)
    if (seqLt(sender.end, end)) sender.end = end
    if ((tcp.flags & FLAG.FIN) !== 0) sender.finEnd = end
    const acksFin = (tcp.flags & FLAG.ACK) !== 0 && receiver.finEnd !== null && seqGe(tcp.ack, receiver.finEnd)
    const clue: StateClue = { flags: tcp.flags, acksFin }
    const { peerState, tcb } = tracked
    if (isOut && peerState === 'LISTEN' && (tcp.flags & FLAG.SYN) !== 0) tracked.peerState = 'SYN-RECEIVED'
    else tracked.peerState = isOut ? stateAfterReceiving(peerState, clue) : stateAfterSending(peerState, clue)
    return {
      at,
      direction,
      flags: tcp.flags,
      seq: seqDiff(tcp.seq, sender.base),
      textLength: tcp.textLength,
      line: formatSegment(tcp, { seq: sender.base, ack: receiver.base }),
      textStart: startOfText(tcp.bytes, tcp.textStart, tcp.textLength),
      ours: tcb?.state ?? ((tcp.flags & FLAG.SYN) !== 0 && isOut ? 'SYN-SENT' : 'LISTEN'),
      theirs: tracked.peerState,
      isRetransmission,
      hold: tcb?.hold ?? 'nothing',
      cwnd: tcb?.cc.cwnd ?? 0,
      inFlight: tcb?.snd.flight.bytes ?? 0,
      mss: tcb?.snd.mss ?? 0,
      ssthresh: tcb?.cc.ssthresh ?? Number.POSITIVE_INFINITY,
      delayedAckUs: tcb?.config.delayedAckUs ?? Number.POSITIVE_INFINITY,
    }
  }
}

function keyOf(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): string {
  return `${formatEndpoint(local, localPort)} ${formatEndpoint(remote, remotePort)}`
}

const HTTP_START = /^(?:[A-Z]+ \S+ HTTP\/1\.[01]|HTTP\/1\.[01] [0-9]{3}[^\r\n]*)/

/** A request line or status line at the start of the text. */
function startOfText(bytes: Uint8Array, start: number, length: number): string {
  let text = ''
  for (let i = start; i < start + Math.min(length, 120); i++) {
    if (bytes[i] < 32 || bytes[i] > 126) break
    text += String.fromCharCode(bytes[i])
  }
  return HTTP_START.exec(text)?.[0] ?? ''
}
