// A small TCP of its own that answers by a policy: the other end of the side under test, whichever that is. It reacts to what it is sent, in
// the same way to both sides, so that the first difference between them is a difference of theirs.
// Owns: the peer. Does not own: what happens when (bench.ts), what is compared (trace.ts).
// It shares nothing with src/tcp but the codec of the header.

import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/index.ts'
import { FLAG, parseTcp, SegmentHeader, SegmentPlan } from '../../src/tcp/header.ts'
import { buildSegment, buildUnreachable } from './wire.ts'

/** How a peer behaves. */
export interface Policy {
  /** Options of its SYN. A window scale of -1: none. */
  readonly mss?: number
  readonly scale?: number
  readonly sack?: boolean
  readonly timestamps?: boolean
  /** The window it has, in bytes. */
  readonly window?: number
  /** How long its packets take; those of the other side take no time. */
  readonly delayMs?: number
  /** It acknowledges every so many segments; 0: nothing that brings text. */
  readonly ackEvery?: number
  /** An acknowledgement that is held back goes after so long. */
  readonly ackDelayMs?: number
  /** Which of the packets with text that reach it are lost on the way (1 is the first), delayed by so many ms, or come twice. */
  readonly lose?: readonly number[]
  readonly delay?: Readonly<Record<number, number>>
  readonly duplicate?: readonly number[]
  /** Which of its bare acknowledgements are lost. */
  readonly loseAcks?: readonly number[]
  /** How many of the SYNs, or SYN,ACKs, or packets with FIN that reach it are lost. */
  readonly loseSyns?: number
  readonly loseFins?: number
  /** It answers segments that it has with a DSACK (RFC 2883). */
  readonly dsack?: boolean
  /** It is an ECN host, and these packets with text came with the mark. */
  readonly ecn?: boolean
  readonly marks?: readonly number[]
  /** Larger packets come not further than a router, which says so. */
  readonly pathMtu?: number
  /** It answers no SYN, or a SYN with a reset. */
  readonly silent?: boolean
  readonly refuses?: boolean
  /** The cookie that it gives, and how much of a SYN's text it takes. */
  readonly cookie?: Uint8Array
  readonly takesSynText?: boolean
  /** What it lacks is sent again after so long. */
  readonly rtoMs?: number
}

type Settled =
  | 'mss'
  | 'scale'
  | 'sack'
  | 'timestamps'
  | 'window'
  | 'delayMs'
  | 'ackEvery'
  | 'ackDelayMs'
  | 'loseSyns'
  | 'loseFins'
  | 'rtoMs'

const DEFAULTS: Required<Pick<Policy, Settled>> = {
  mss: 1460,
  scale: 7,
  sack: true,
  timestamps: true,
  window: 1 << 20,
  delayMs: 30,
  ackEvery: 1,
  ackDelayMs: 40,
  loseSyns: 0,
  loseFins: 0,
  rtoMs: 400,
}

/** A segment to make by hand; what is left out is what the peer would send now. Numbers are relative to its own and the other's SYN. */
export interface RawSegment {
  /** In tcpdump's letters: `S`, `F`, `R`, `P`, `.`, `U`, `E`, `W`; '' for none. */
  readonly flags?: string
  readonly seq?: number
  readonly ack?: number
  readonly length?: number
  readonly window?: number
  readonly urgent?: number
  /** A timestamp so much older than the current one. */
  readonly olderBy?: number
  /** Without timestamps. */
  readonly bare?: boolean
  readonly sack?: readonly number[]
}

/** A packet of the peer's and when it reaches the side under test. */
export interface Arrival {
  readonly at: number
  readonly bytes: Uint8Array
}

const LETTERS: Readonly<Record<string, number>> = {
  F: FLAG.FIN,
  S: FLAG.SYN,
  R: FLAG.RST,
  P: FLAG.PSH,
  '.': FLAG.ACK,
  U: FLAG.URG,
  E: FLAG.ECE,
  W: FLAG.CWR,
}

/** The peer. Times are in microseconds; packets that it sends wait in `poll`. */
export class Peer {
  readonly local: string
  readonly remote: string
  port: number
  otherPort: number
  policy: Policy & typeof DEFAULTS
  iss = 1_000_000
  /** The other's first sequence number, -1 before its SYN. */
  irs = -1
  isReset = false
  isOpen = false
  /** Text of the other's that was taken, and whether its FIN was. */
  receivedBytes = 0
  sawFin = false
  #una: number
  #nxt: number
  /** End of what there is to send; the FIN stands there. */
  #end: number
  #finAt = -1
  #rcvNxt = 0
  #ranges: [number, number][] = []
  #otherWindow = 0
  #otherScale = 0
  #otherMss = 536
  #scaling = false
  #sack = false
  #stamps = false
  #recentStamp = 0
  #held = 0
  #ackAt = Number.POSITIVE_INFINITY
  #resendAt = Number.POSITIVE_INFINITY
  #texts = 0
  #acks = 0
  #syns = 0
  #fins = 0
  #dsack: [number, number] | null = null
  #echo = false
  #now = 0
  readonly #out: Arrival[] = []
  readonly #late: Arrival[] = []

  constructor(local: string, port: number, remote: string, otherPort: number, policy: Policy) {
    this.local = local
    this.port = port
    this.remote = remote
    this.otherPort = otherPort
    this.policy = { ...DEFAULTS, ...policy }
    this.#una = this.#nxt = this.iss
    this.#end = this.iss + 1
  }

  /** What the other has acknowledged. */
  get acknowledged(): number {
    return this.#una
  }

  // ---- what a scenario asks of it

  /** Opens: sends a SYN. */
  connect(now: number): void {
    this.#now = now
    this.#nxt = this.iss + 1
    this.#sendSyn(false)
  }

  /** Begins anew, as the next connection between the same ports. */
  restart(iss: number): void {
    this.iss = this.#una = this.#nxt = iss
    this.#end = iss + 1
    this.#finAt = this.irs = -1
    this.isReset = this.isOpen = this.sawFin = false
    this.receivedBytes = 0
    this.#ranges = []
    this.#resendAt = Number.POSITIVE_INFINITY
  }

  /** Sends so many more bytes, as the window allows. */
  write(now: number, bytes: number): void {
    this.#now = now
    this.#end += bytes
    this.#sendText()
  }

  /** Sends a FIN behind its text. */
  shutdown(now: number): void {
    this.#now = now
    this.#finAt = this.#end
    this.#sendText()
  }

  /** Changes its window and says so. */
  setWindow(now: number, window: number): void {
    this.#now = now
    this.policy = { ...this.policy, window }
    this.#sendAck()
  }

  /** Changes what it does from now on. */
  change(policy: Policy): void {
    this.policy = { ...this.policy, ...policy }
  }

  /** Acknowledges what it has, now. */
  acknowledge(now: number): void {
    this.#now = now
    this.#sendAck()
  }

  /** A segment made by hand. */
  raw(now: number, segment: RawSegment): void {
    this.#now = now
    const plan = this.#plan(0)
    plan.flags = [...(segment.flags ?? '.')].reduce((bits, letter) => bits | LETTERS[letter], 0)
    plan.seq = (segment.seq === undefined ? this.#nxt : this.iss + segment.seq) as typeof plan.seq
    const ack = segment.ack === undefined ? this.#rcvNxt : this.irs + segment.ack
    plan.ack = ((plan.flags & FLAG.ACK) === 0 ? 0 : ack) as typeof plan.ack
    if (segment.window !== undefined) plan.window = segment.window
    if (segment.urgent !== undefined) plan.urgent = segment.urgent
    if (segment.olderBy !== undefined) plan.tsVal -= segment.olderBy
    if (segment.bare === true) plan.hasTimestamps = false
    if (segment.sack !== undefined) {
      plan.sackCount = segment.sack.length / 2
      for (const [i, edge] of segment.sack.entries()) plan.sackEdges[i] = this.irs + edge
    }
    this.#emit(buildSegment(this.local, this.remote, plan, segment.length ?? 0))
  }

  /** An ICMP error about a segment of the other's at `seq`, relative. */
  unreachable(now: number, code: number, seq: number, mtu = 0): void {
    this.#now = now
    const about = Object.assign(new SegmentPlan(), { sourcePort: this.otherPort, destinationPort: this.port })
    about.seq = (this.irs + seq) as typeof about.seq
    about.flags = FLAG.ACK
    this.#emit(buildUnreachable(this.local, this.remote, code, mtu, buildSegment(this.remote, this.local, about, 0)))
  }

  // ---- what the wire brings, and time

  /** A packet of the other's has arrived. */
  handle(bytes: Uint8Array, now: number): void {
    this.#now = now
    const ip = new IpHeader()
    const segment = new SegmentHeader()
    if (parseIp(bytes, 0, bytes.length, ip) !== 'ok' || ip.protocol !== 6) return
    if (parseTcp(bytes, ip.headerBytes, ip.totalBytes, segment) !== 'ok') return
    segment.ecn = ip.trafficClass & 3
    const { policy } = this
    if (policy.pathMtu !== undefined && bytes.length > policy.pathMtu) {
      this.#emit(buildUnreachable(this.local, this.remote, 4, policy.pathMtu, bytes))
      return
    }
    if ((segment.flags & FLAG.SYN) !== 0 && ++this.#syns <= policy.loseSyns) return
    if ((segment.flags & FLAG.FIN) !== 0 && ++this.#fins <= policy.loseFins) return
    if (segment.textLength > 0 && (segment.flags & FLAG.SYN) === 0) {
      const number = ++this.#texts
      if (policy.lose?.includes(number) === true) return
      const late = policy.delay?.[number]
      if (late !== undefined) {
        this.#late.push({ at: now + late * 1000, bytes: bytes.slice() })
        return
      }
      if (policy.marks?.includes(number) === true && segment.ecn !== 0) this.#echo = true
      if (policy.duplicate?.includes(number) === true) this.#take(segment)
    }
    this.#take(segment)
  }

  /** When something of its own is due. */
  nextDeadline(): number {
    const late = this.#late.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY)
    return Math.min(this.#out[0]?.at ?? Number.POSITIVE_INFINITY, this.#ackAt, this.#resendAt, late)
  }

  /** The next packet that reaches the other by `now`, or null. */
  poll(now: number): Uint8Array | null {
    this.#now = now
    for (const [i, { at, bytes }] of [...this.#late].entries()) {
      if (at > now) continue
      this.#late.splice(i, 1)
      this.#texts-- // it is not counted twice
      const { policy } = this
      this.policy = { ...policy, delay: {}, lose: [] }
      this.handle(bytes, now)
      this.policy = policy
      break
    }
    if (this.#ackAt <= now) this.#sendAck()
    if (this.#resendAt <= now) this.#resend()
    return this.#out.length > 0 && this.#out[0].at <= now ? this.#out.shift()!.bytes : null
  }

  // ---- receiving

  #take(segment: SegmentHeader): void {
    const { policy } = this
    const { flags } = segment
    if ((flags & FLAG.RST) !== 0) {
      this.isReset = true
      this.#resendAt = this.#ackAt = Number.POSITIVE_INFINITY
      return
    }
    if ((flags & FLAG.SYN) !== 0) {
      this.#takeSyn(segment)
      return
    }
    if (this.irs < 0 || this.isReset || policy.silent === true) return
    this.isOpen = true
    if (this.#stamps && segment.hasTimestamps) this.#recentStamp = segment.tsVal
    if (policy.ecn === true && (flags & FLAG.CWR) !== 0) this.#echo = false
    this.#takeAck(segment)
    if (segment.length > 0) this.#takeText(segment)
    this.#sendText()
  }

  #takeSyn(segment: SegmentHeader): void {
    const { policy } = this
    this.otherPort = segment.sourcePort
    this.irs = segment.seq >>> 0
    if (policy.refuses === true) {
      const plan = this.#plan(FLAG.RST | FLAG.ACK)
      plan.hasTimestamps = false
      plan.seq = 0 as typeof plan.seq
      plan.ack = (segment.seq + segment.length) as typeof plan.ack
      this.#emit(buildSegment(this.local, this.remote, plan, 0))
      return
    }
    if (policy.silent === true) return
    const text = policy.takesSynText === true ? segment.textLength : 0
    this.#rcvNxt = this.irs + 1 + text
    this.receivedBytes += text
    this.#otherMss = segment.mss < 0 ? 536 : segment.mss
    this.#scaling = segment.windowScale >= 0 && policy.scale >= 0
    this.#otherScale = this.#scaling ? segment.windowScale : 0
    this.#sack = segment.sackPermitted && policy.sack
    this.#stamps = segment.hasTimestamps && policy.timestamps
    this.#recentStamp = segment.tsVal
    this.#otherWindow = segment.window
    if ((segment.flags & FLAG.ACK) === 0) {
      this.#nxt = Math.max(this.#nxt, this.iss + 1)
      this.#sendSyn(true)
    } else {
      this.#una = Math.max(this.#una, this.iss + 1)
      this.#nxt = Math.max(this.#nxt, this.iss + 1)
      this.isOpen = true
      this.#sendAck()
      this.#sendText()
    }
  }

  #takeAck(segment: SegmentHeader): void {
    if ((segment.flags & FLAG.ACK) === 0) return
    const ack = segment.ack >>> 0
    this.#otherWindow = segment.window << this.#otherScale
    if (ack > this.#una && ack <= this.#nxt) {
      this.#una = ack
      this.#resendAt = this.#una < this.#nxt ? this.#now + this.policy.rtoMs * 1000 : Number.POSITIVE_INFINITY
    }
  }

  #takeText(segment: SegmentHeader): void {
    const { policy } = this
    const seq = segment.seq >>> 0
    const end = seq + segment.length
    const hasFin = (segment.flags & FLAG.FIN) !== 0
    const before = this.#rcvNxt
    const isOld = end <= before
    if (seq <= before && end > before) {
      this.#rcvNxt = end
      if (hasFin) this.sawFin = true
      this.#merge()
    } else if (!isOld) {
      this.#addRange(seq, end)
    }
    this.receivedBytes += Math.max(0, this.#rcvNxt - before - (this.sawFin && hasFin ? 1 : 0))
    if (isOld && policy.dsack === true && segment.textLength > 0) this.#dsack = [seq, end]
    if (policy.ackEvery === 0) return
    this.#held++
    const isInOrder = !isOld && this.#rcvNxt === end && this.#ranges.length === 0
    if (!isInOrder || hasFin || this.#held >= policy.ackEvery) this.#sendAck()
    else this.#ackAt = Math.min(this.#ackAt, this.#now + policy.ackDelayMs * 1000)
  }

  #addRange(left: number, right: number): void {
    const touching = this.#ranges.filter(([l, r]) => l <= right && r >= left)
    const joined: [number, number] = [
      Math.min(left, ...touching.map(([l]) => l)),
      Math.max(right, ...touching.map(([, r]) => r)),
    ]
    this.#ranges = [joined, ...this.#ranges.filter((one) => !touching.includes(one))]
  }

  #merge(): void {
    for (let found = true; found; ) {
      const next = this.#ranges.findIndex(([l]) => l <= this.#rcvNxt)
      found = next >= 0
      if (found) this.#rcvNxt = Math.max(this.#rcvNxt, this.#ranges.splice(next, 1)[0][1])
    }
  }

  // ---- sending

  #plan(flags: number): SegmentPlan {
    const plan = new SegmentPlan()
    plan.sourcePort = this.port
    plan.destinationPort = this.otherPort
    plan.flags = flags
    plan.seq = this.#nxt as typeof plan.seq
    plan.ack = ((flags & FLAG.ACK) === 0 ? 0 : this.#rcvNxt) as typeof plan.ack
    const free = Math.max(0, this.policy.window)
    plan.window = Math.min(65535, this.#scaling ? free >> this.policy.scale : free)
    if (this.#stamps) {
      plan.hasTimestamps = true
      plan.tsVal = 500_000 + Math.floor(this.#now / 1000)
      plan.tsEcr = this.#recentStamp
    }
    return plan
  }

  #sendSyn(isAnswer: boolean): void {
    const { policy } = this
    const plan = this.#plan(isAnswer ? FLAG.SYN | FLAG.ACK : FLAG.SYN)
    plan.seq = this.iss as typeof plan.seq
    if (policy.mss >= 0) plan.mss = policy.mss
    plan.window = Math.min(65535, policy.window)
    plan.windowScale = isAnswer && !this.#scaling ? -1 : policy.scale
    plan.sackPermitted = isAnswer ? this.#sack : policy.sack
    plan.hasTimestamps = isAnswer ? this.#stamps : policy.timestamps
    plan.tsVal = 500_000 + Math.floor(this.#now / 1000)
    plan.tsEcr = isAnswer ? this.#recentStamp : 0
    if (policy.ecn === true) plan.flags |= isAnswer ? FLAG.ECE : FLAG.ECE | FLAG.CWR
    if (policy.cookie !== undefined) {
      plan.hasCookie = true
      plan.cookie = policy.cookie
    }
    this.#emit(buildSegment(this.local, this.remote, plan, 0))
  }

  #sendAck(): void {
    this.#held = 0
    this.#ackAt = Number.POSITIVE_INFINITY
    const plan = this.#plan(FLAG.ACK)
    if (this.#echo) plan.flags |= FLAG.ECE
    const blocks = this.#sack ? [...(this.#dsack === null ? [] : [this.#dsack]), ...this.#ranges] : []
    this.#dsack = null
    plan.sackCount = Math.min(blocks.length, this.#stamps ? 3 : 4)
    for (let i = 0; i < plan.sackCount; i++) {
      plan.sackEdges[2 * i] = blocks[i][0]
      plan.sackEdges[2 * i + 1] = blocks[i][1]
    }
    if (this.policy.loseAcks?.includes(++this.#acks) === true) return
    this.#emit(buildSegment(this.local, this.remote, plan, 0))
  }

  #sendText(): void {
    if (!this.isOpen || this.isReset) return
    const room = Math.min(this.#otherMss, 1460) - (this.#stamps ? 12 : 0)
    while (this.#nxt < this.#end) {
      const length = Math.min(room, this.#end - this.#nxt, this.#una + this.#otherWindow - this.#nxt)
      if (length <= 0) break
      this.#sendPiece(this.#nxt, length)
      this.#nxt += length
    }
    if (this.#finAt >= 0 && this.#nxt === this.#finAt) {
      this.#sendPiece(this.#nxt, 0)
      this.#nxt++
    }
    if (this.#una < this.#nxt && this.#resendAt === Number.POSITIVE_INFINITY) {
      this.#resendAt = this.#now + this.policy.rtoMs * 1000
    }
  }

  #sendPiece(seq: number, length: number): void {
    const isFin = seq === this.#finAt
    const isLast = seq + length === this.#end
    const plan = this.#plan(FLAG.ACK | (isFin ? FLAG.FIN : isLast ? FLAG.PSH : 0))
    plan.seq = seq as typeof plan.seq
    this.#held = 0
    this.#ackAt = Number.POSITIVE_INFINITY
    this.#emit(buildSegment(this.local, this.remote, plan, length))
  }

  #resend(): void {
    this.#resendAt = this.#now + this.policy.rtoMs * 1000
    if (this.#una >= this.#end) {
      this.#sendPiece(this.#finAt, 0)
      return
    }
    const room = Math.min(this.#otherMss, 1460) - (this.#stamps ? 12 : 0)
    this.#sendPiece(this.#una, Math.min(room, this.#nxt - this.#una, this.#end - this.#una))
  }

  #emit(bytes: Uint8Array): void {
    const at = this.#now + this.policy.delayMs * 1000
    const after = this.#out.findIndex((one) => one.at > at)
    this.#out.splice(after < 0 ? this.#out.length : after, 0, { at, bytes })
  }
}
