// A recorded conversation with our stack in the place of one side: it is fed what the other side sent, at the times of the recording, and
// its answers are put beside the recorded ones.
// Owns: finding conversations, what the application did (as the packets show it), running. Does not own: files (trace/pcap-read.ts),
// comparing (capture-compare.ts).
//
// Nobody recorded the application: all text that one side sent without text of the other in between counts as one write, at the time of its
// first segment. The other side goes on as recorded, whatever we answer. The capture is to be made on the side that we play.

import { SeededRandom } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { HEADROOM, Packet } from '../link/device.ts'
import { type Connection, Stack } from '../stack/index.ts'
import type { TcpConfig } from '../tcp/config.ts'
import { FLAG } from '../tcp/header.ts'
import { type Seq, seqDiff } from '../tcp/seq.ts'
import type { Tcb } from '../tcp/tcb.ts'
import { formatSegment, ParsedPacket } from '../trace/packet-line.ts'
import type { CapturedPacket } from '../trace/pcap-read.ts'

/** A segment of a conversation. */
export interface Segment {
  /** Microseconds since the first packet of the conversation. */
  readonly at: Micros
  readonly isFromClient: boolean
  /** Counted from the initial numbers of both sides. */
  readonly seq: number
  readonly ack: number
  readonly flags: number
  readonly textBytes: number
  /** Without scale. */
  readonly window: number
  /** The kinds of its options: 'mss', 'TS', 'sack 1', ... */
  readonly options: string
  readonly line: string
}

interface Recorded extends Segment {
  readonly bytes: Uint8Array
  readonly text: Uint8Array
}

/** A conversation of a capture, from its SYN on. */
export interface Conversation {
  readonly client: string
  readonly server: string
  readonly segments: readonly Recorded[]
}

interface Ends {
  readonly client: string
  readonly server: string
  readonly startedAt: Micros
  readonly segments: Recorded[]
  readonly base: { client: Seq; server: Seq }
}

function load(bytes: Uint8Array): Packet {
  const packet = new Packet(new Uint8Array(HEADROOM + bytes.length))
  packet.bytes.set(bytes, HEADROOM)
  packet.end = HEADROOM + bytes.length
  packet.checksum = 'verified' // captures on the sending machine have sums that the device was to finish
  return packet
}

/** A segment as it is compared; the packet was just parsed. */
function segmentOf({ tcp }: ParsedPacket, at: Micros, isFromClient: boolean, base: Ends['base']): Segment {
  const mine = isFromClient ? base.client : base.server
  const theirs = isFromClient ? base.server : base.client
  const line = formatSegment(tcp, { seq: mine, ack: theirs })
  const options = /options \[([^\]]*)\]/.exec(line)?.[1] ?? ''
  return {
    at,
    isFromClient,
    seq: seqDiff(tcp.seq, mine),
    ack: (tcp.flags & FLAG.ACK) === 0 ? -1 : seqDiff(tcp.ack, theirs),
    flags: tcp.flags,
    textBytes: tcp.textLength,
    window: tcp.window,
    options: options.replace(/TS val \d+ ecr \d+/, 'TS'),
    line,
  }
}

/** The TCP conversations of a capture of which the SYN is there, in their order. */
export function conversationsOf(packets: readonly CapturedPacket[]): Conversation[] {
  const all: Ends[] = []
  const open = new Map<string, Ends>()
  const parsed = new ParsedPacket()
  for (const { at, bytes } of packets) {
    const packet = load(bytes)
    if (parsed.parse(packet) !== 'ok' || parsed.kind !== 'tcp') continue
    const { ip, tcp } = parsed
    const [from, to] = [`${ip.src} ${tcp.sourcePort}`, `${ip.dst} ${tcp.destinationPort}`]
    let ends = open.get(`${from} ${to}`) ?? open.get(`${to} ${from}`)
    const isSyn = (tcp.flags & FLAG.SYN) !== 0
    const isOpening = isSyn && (tcp.flags & FLAG.ACK) === 0
    if (isOpening && ends?.base.client !== tcp.seq) {
      ends = { client: from, server: to, startedAt: at, segments: [], base: { client: tcp.seq, server: 0 as Seq } }
      open.set(`${from} ${to}`, ends)
      open.delete(`${to} ${from}`)
      all.push(ends)
    }
    if (ends === undefined) continue
    const isFromClient = from === ends.client
    if (isSyn && !isFromClient) ends.base.server = tcp.seq
    const segment = segmentOf(parsed, at - ends.startedAt, isFromClient, ends.base)
    ends.segments.push({ ...segment, bytes, text: tcp.bytes.slice(tcp.textStart, tcp.textStart + tcp.textLength) })
  }
  return all
}

interface Action {
  readonly at: Micros
  readonly isFeed: boolean
  readonly act: (now: Micros) => void
}

/** What `replayConversation` is told besides. */
export interface CaptureOptions {
  readonly as: 'client' | 'server'
  /** Over what the recorded side's SYN says of itself. */
  readonly tcp?: Partial<TcpConfig>
}

/** Our stack before virtual time 0 of the recording: deadlines are never negative. */
const START: Micros = 1e6
/** How long it may go on after the last recorded packet: what would have come later nobody recorded. */
const AFTER: Micros = 10_000

/**
 * Plays one side; what it sent.
 * @throws {TypeError} when that side's SYN was not recorded
 */
export function replayConversation(conversation: Conversation, { as, tcp = {} }: CaptureOptions): Segment[] {
  const isClient = as === 'client'
  const opening = conversation.segments.find((s) => s.isFromClient === isClient && (s.flags & FLAG.SYN) !== 0)
  if (opening === undefined) throw new TypeError(`the ${as}'s SYN was not recorded: there is nothing to begin with`)
  return new Player(conversation, isClient, opening, tcp).run()
}

class Player {
  readonly #stack: Stack
  readonly #isClient: boolean
  readonly #segments: readonly Recorded[]
  readonly #sent: Segment[] = []
  readonly #actions: Action[] = []
  readonly #base: Ends['base']
  readonly #waiting: Uint8Array[] = []
  #isClosing = false
  #connection: Connection | null = null
  readonly #accept: () => Connection | null

  constructor(conversation: Conversation, isClient: boolean, opening: Recorded, tcp: Partial<TcpConfig>) {
    const parsed = new ParsedPacket()
    parsed.parse(load(opening.bytes))
    const { ip, tcp: syn } = parsed
    const { src, dst } = { src: ip.src.clone(), dst: ip.dst.clone() }
    const { seq: iss, tsVal, hasTimestamps, sourcePort, destinationPort } = syn
    const headers = ip.family === 4 ? 40 : 60
    this.#isClient = isClient
    this.#segments = conversation.segments
    this.#base = { client: isClient ? iss : (0 as Seq), server: isClient ? (0 as Seq) : iss }
    for (const { bytes, flags, isFromClient } of conversation.segments) {
      if ((flags & FLAG.SYN) === 0 || isFromClient === isClient) continue
      parsed.parse(load(bytes))
      this.#base[isClient ? 'server' : 'client'] = parsed.tcp.seq
    }
    this.#stack = new Stack({
      addresses: [`${src}/${ip.family === 4 ? 32 : 128}`],
      routes: [{ destination: dst, prefixLength: ip.family === 4 ? 32 : 128 }],
      mtu: Math.min(65535, Math.max(ip.family === 4 ? 576 : 1280, (syn.mss < 0 ? 536 : syn.mss) + headers)),
      random: new SeededRandom(1),
      isn: () => iss,
      tcp: { timestamps: hasTimestamps, sack: syn.sackPermitted, windowScale: syn.windowScale >= 0, ...tcp },
    })
    // Our timestamps go on from the recorded ones, so that what the other side echoes makes sense.
    const clock = (tcb: Tcb): void => {
      tcb.ts.offset = (tsVal - Math.floor((START + opening.at) / 1000)) | 0
    }
    this.#stack.tcp.onState = (tcb, _from, to) => {
      if (to === 'SYN-RECEIVED' || to === 'SYN-SENT') clock(tcb)
    }
    if (isClient) {
      const options = { local: src, localPort: sourcePort, remote: dst, remotePort: destinationPort }
      const connect = (now: Micros): void => {
        this.#connection = this.#stack.connect(options, now)
        clock(this.#connection.tcb)
      }
      this.#actions.push({ at: START + opening.at, isFeed: false, act: connect })
      this.#accept = () => null
    } else {
      const listener = this.#stack.listen({ port: sourcePort })
      this.#accept = () => listener.accept()
    }
    this.#plan()
  }

  run(): Segment[] {
    const last = this.#segments[this.#segments.length - 1].at
    for (let i = 0; ; ) {
      const next = this.#actions[i]
      const now = Math.min(next?.at ?? Number.POSITIVE_INFINITY, this.#stack.nextDeadline())
      if (now > START + last + AFTER) return this.#sent
      if (next !== undefined && next.at <= now) {
        next.act(now)
        i++
        // Calls of one instant are one turn of the application.
        const after = this.#actions[i]
        if (!next.isFeed && after !== undefined && !after.isFeed && after.at === now) continue
      } else this.#stack.handleTimeout(now)
      this.#settle(now)
    }
  }

  /** What happens when: the other side's packets, and what our application did. */
  #plan(): void {
    let end = 0
    let turn = -1
    let turns = 0
    let isFinPlanned = false
    let startedAt: Micros = 0
    const add = (at: Micros, act: (now: Micros) => void, isFeed = false): void => {
      this.#actions.push({ at: START + at, isFeed, act })
    }
    for (const { at, isFromClient, seq, flags, text, bytes } of this.#segments) {
      if (isFromClient !== this.#isClient) {
        if (text.length > 0) turns++
        add(at, (now) => this.#stack.handlePacket(load(bytes), now), true)
        continue
      }
      const start = seq + ((flags & FLAG.SYN) !== 0 ? 1 : 0)
      if (end === 0) end = start
      const fresh = text.subarray(Math.max(0, end - start))
      if (fresh.length > 0) {
        if (turn !== turns) startedAt = at
        turn = turns
        end = start + text.length
        add(startedAt, () => this.#waiting.push(fresh))
      }
      if ((flags & FLAG.FIN) !== 0 && !isFinPlanned) {
        isFinPlanned = true
        add(fresh.length > 0 ? startedAt : at, () => {
          this.#isClosing = true
        })
      }
      if ((flags & FLAG.RST) !== 0) add(at, () => this.#connection?.abort())
    }
    this.#actions.sort((a, b) => a.at - b.at)
  }

  #settle(now: Micros): void {
    while (this.#stack.pollEvent() !== null) {
      this.#connection ??= this.#accept()
      this.#connection?.takeEvents()
    }
    this.#connection ??= this.#accept()
    this.#write()
    this.#connection?.read()
    const packet = new Packet()
    const parsed = new ParsedPacket()
    while (this.#stack.pollTransmit(packet, now)) {
      if (parsed.parse(packet) !== 'ok' || parsed.kind !== 'tcp') continue
      this.#sent.push(segmentOf(parsed, now - START, this.#isClient, this.#base))
    }
  }

  /** Gives what the application wrote to the connection, as one write. */
  #write(): void {
    const connection = this.#connection
    if (connection === null) return
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting
      const taken = connection.write(first, this.#waiting.length > 1)
      if (taken < first.length) {
        this.#waiting[0] = first.subarray(taken)
        return
      }
      this.#waiting.shift()
    }
    if (this.#isClosing) connection.shutdownWrite()
    this.#isClosing = false
  }
}
