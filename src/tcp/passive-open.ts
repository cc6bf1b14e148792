// Passive opens (RFC 9293 §3.10.7.2): from a segment that belongs to no connection to a connection, a reset, a SYN cookie, or nothing.
// Owns: asking the listener and doing what it says. Does not own: the queues (listener.ts), the checks of a segment, sending.

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { DropReason } from '../ip/drops.ts'
import type { IpHeader } from '../ip/header.ts'
import type { IpLayer } from '../ip/layer.ts'
import type { Answer, AnswerQueue } from './answers.ts'
import { abortTcb, closeTcb } from './closing.ts'
import type { TcpConfig } from './config.ts'
import { Connection, type ConnectionLayer } from './connection.ts'
import type { TcpCounters } from './counters.ts'
import { isEcnAgreed } from './ecn.ts'
import type { FastOpenCookies } from './fast-open-cookies.ts'
import { judgeFastOpen, takeSynText } from './fast-open-server.ts'
import { peerMss, takeSyn } from './handshake.ts'
import { FLAG, SegmentHeader } from './header.ts'
import type { Listener } from './listener.ts'
import { checkMd5, signWith } from './md5.ts'
import type { Ports } from './ports.ts'
import { queueReset } from './reset.ts'
import { challengeSyn, opensFromCookie } from './segment-arrives.ts'
import { type Seq, seqAdd } from './seq.ts'
import { setState } from './state.ts'
import { cookieTimestamp, type FourTuple, rebuildSyn, type SynCookies } from './syn-cookies.ts'
import { isFinalAck } from './syn-received.ts'
import type { Tcb } from './tcb.ts'
import { timestampAt } from './timestamps.ts'
import { receiveWindowScale } from './window.ts'

/** How far the numbers of a connection that follows another stay from those of the one before; as Linux. */
export const REOPEN_GAP = 65537

/** What is needed of the layer that connections belong to. */
export interface PassiveLayer extends ConnectionLayer {
  readonly counters: TcpCounters
  readonly ip: IpLayer
  readonly ports: Ports
  readonly cookies: SynCookies
  readonly fastOpen: FastOpenCookies
  /** Resets, and SYN,ACKs with a cookie. */
  readonly resets: AnswerQueue
  readonly synAcks: AnswerQueue
  /** A record in CLOSED; its initial number is `exactIss`, or beyond `leastIss`, when given. */
  createPassive(listener: Listener, header: IpHeader, segment: SegmentHeader, now: Micros, iss: IssRule): Tcb
  timestampOffset(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number
  /** The connection is there: segments reach it. */
  enlist(connection: Connection): void
  /** The connection may have changed its state: its listener, or its owner, is told. */
  notice(connection: Connection): void
  /** The record is closed: it is dropped. */
  settle(connection: Connection): void
}

/** What an initial sequence number must be. */
export interface IssRule {
  readonly exact?: Seq
  readonly least?: Seq
}

const ANY_ISS: IssRule = {}
// Scratch: never re-entered.
const syn = new SegmentHeader()

/** Diffserv is the application's; its ECN bits count only with `ecn: 'off'`, and a SYN,ACK is never ECN-capable (RFC 3168 §6.1.1). */
function cookieTrafficClass({ ecn, trafficClass }: TcpConfig): number {
  return ecn === 'off' ? trafficClass : trafficClass & 0xfc
}

/** Passive opens of one host. */
export class PassiveOpens {
  readonly #layer: PassiveLayer

  constructor(layer: PassiveLayer) {
    this.#layer = layer
  }

  /** A segment that belongs to no connection (RFC 9293 §3.10.7.1, §3.10.7.2). */
  handle(header: IpHeader, segment: SegmentHeader, now: Micros): 'ok' | DropReason {
    const { destinationPort, sourcePort } = segment
    const listener = this.#layer.ports.listenerFor(header.dst, destinationPort, header.src, sourcePort)
    if (listener === null) {
      this.#reset(header, segment, null)
      return 'tcp-no-listener'
    }
    const key = listener.md5Keys.find(header.src)
    const signed = checkMd5(key, header, segment, this.#layer.counters)
    if (signed !== 'ok') return signed
    switch (listener.judge(segment, now, false, key !== null)) {
      case 'open':
        this.#open(listener, header, segment, now, ANY_ISS)
        return 'ok'
      case 'cookie':
        this.#answerWithCookie(listener, header, segment, now)
        return 'ok'
      case 'reset':
        return this.#handleAck(listener, header, segment, now, key)
      default:
        return 'tcp-not-accepted'
    }
  }

  /** A SYN that may follow a connection in TIME-WAIT (RFC 9293 §3.6.1 [MAY-2]); where nobody listens it is one as in any other state. */
  reopen(old: Connection, header: IpHeader, segment: SegmentHeader, now: Micros): 'ok' | DropReason {
    const { destinationPort, sourcePort } = segment
    const listener = this.#layer.ports.listenerFor(header.dst, destinationPort, header.src, sourcePort)
    if (listener === null) {
      challengeSyn(old.tcb, now)
      this.#layer.touch(old)
      return 'ok'
    }
    const key = listener.md5Keys.find(header.src)
    const signed = checkMd5(key, header, segment, this.#layer.counters) // the old connection's key may have been another
    if (signed !== 'ok') return signed
    if (listener.judge(segment, now, true, key !== null) !== 'open') return 'tcp-not-accepted'
    closeTcb(old.tcb) // what was received and not read stays readable
    this.#layer.settle(old)
    // [MAY-2] (1): beyond what the old connection used.
    this.#open(listener, header, segment, now, { least: seqAdd(old.tcb.snd.nxt, REOPEN_GAP) })
    return 'ok'
  }

  /** Whether a segment for a connection that nobody has accepted may go on to it; when not it has been dealt with. */
  admits(connection: Connection, segment: SegmentHeader, now: Micros): boolean {
    const { listener, tcb } = connection
    if (listener === null || !isFinalAck(tcb, segment, now)) return true
    const verdict = listener.admit(connection, segment, now)
    if (verdict === 'open') return true
    if (verdict === 'reset') {
      this.#layer.counters.TcpExtEmbryonicRsts++
      abortTcb(tcb)
    }
    return false
  }

  /**
   * A segment that a connection answers with a reset (RFC 9293 §3.10.7.3, §3.10.7.4). When the peer's SYN came twice, drew a cookie first
   * and was taken the second time, what it acknowledges is the cookie: then the half-open one gives way to the one that the peer has. A
   * connection that a segment of the same batch has ended is none: then a listener is looked for (§3.10.7.1, §3.10.7.2).
   */
  refuse(connection: Connection, header: IpHeader, segment: SegmentHeader, now: Micros): void {
    const { tcb } = connection
    if (tcb.state === 'CLOSED') {
      this.#layer.settle(connection)
      const verdict = this.handle(header, segment, now)
      if (verdict !== 'ok') this.#layer.ip.drops.count(verdict)
      return
    }
    const { cookies, ports } = this.#layer
    const { destinationPort, sourcePort } = segment
    const isHalfOpen = tcb.state === 'SYN-RECEIVED' && connection.listener !== null && !tcb.fastOpen.isTaken
    const listener = isHalfOpen ? ports.listenerFor(header.dst, destinationPort, header.src, sourcePort) : null
    const irs = seqAdd(segment.seq, -1)
    const iss = seqAdd(segment.ack, -1)
    const isCookie =
      tcb.md5Key === null &&
      listener?.expectsCookies(now) === true &&
      cookies.judge(fourTuple(header, segment), irs, iss, now) >= 0
    if (listener === null || !isCookie) {
      this.#reset(header, segment, tcb.md5Key)
      return
    }
    closeTcb(tcb)
    this.#layer.settle(connection)
    this.#handleAck(listener, header, segment, now, null)
  }

  #reset(header: IpHeader, segment: SegmentHeader, key: Uint8Array | null): void {
    queueReset(this.#layer.resets, header, segment, key)
  }

  /** RFC 9293 §3.10.7.2, third: a SYN in LISTEN. Without Fast Open its text, if any, comes again once the connection is open. */
  #open(listener: Listener, header: IpHeader, segment: SegmentHeader, now: Micros, iss: IssRule): void {
    const tcb = this.#layer.createPassive(listener, header, segment, now, iss)
    signWith(tcb, listener.md5Keys.find(header.src))
    takeSyn(tcb, segment, now)
    const { fastOpens } = listener
    const isTaken = tcb.md5Key === null && judgeFastOpen(tcb, segment, this.#layer.fastOpen.maker, fastOpens, now)
    const connection = this.#begin(tcb, listener)
    if (!isTaken) return
    takeSynText(tcb, segment, fastOpens, now)
    listener.settle(connection) // RFC 7413 §4.2.2: the application need not wait for the handshake
  }

  #begin(tcb: Tcb, listener: Listener): Connection {
    const connection = new Connection(tcb, this.#layer, listener)
    this.#layer.enlist(connection)
    setState(tcb, 'SYN-RECEIVED')
    listener.adopt(connection)
    this.#layer.counters.TcpPassiveOpens++
    return connection
  }

  /** RFC 9293 §3.10.7.2, second: an ACK in LISTEN is answered with a reset, unless it brings back a cookie (RFC 4987 §3.6). */
  #handleAck(
    listener: Listener,
    header: IpHeader,
    segment: SegmentHeader,
    now: Micros,
    key: Uint8Array | null,
  ): 'ok' | DropReason {
    const { cookies, counters } = this.#layer
    const mayBeCookie = key === null && (segment.flags & FLAG.SYN) === 0 && listener.expectsCookies(now)
    if (!mayBeCookie) {
      this.#reset(header, segment, key)
      return 'tcp-not-syn'
    }
    const irs = seqAdd(segment.seq, -1)
    const iss = seqAdd(segment.ack, -1)
    const of = fourTuple(header, segment)
    const mss = cookies.judge(of, irs, iss, now)
    if (mss < 0) {
      counters.TcpExtSyncookiesFailed++
      // DEVIATION: RFC 9293 §3.10.7.2 resets. Text or FIN may have overtaken what brings the cookie, and it comes again.
      if (segment.length > 0) return 'tcp-not-accepted'
      // Nor one for what has overtaken both: its number is the one that the peer, which is open, believes of a reset.
      if (cookies.isOvertaking(of, irs, iss, now)) return 'tcp-not-accepted'
      this.#reset(header, segment, key)
      return 'tcp-not-syn'
    }
    counters.TcpExtSyncookiesRecv++
    if (listener.isFull()) {
      if (!listener.config.abortOnOverflow) return 'tcp-not-accepted' // the cookie is good for another minute
      this.#reset(header, segment, key)
      return 'tcp-not-accepted'
    }
    if (!cookies.spend(of, irs, iss, now)) {
      this.#reset(header, segment, key)
      return 'tcp-not-syn'
    }
    const tcb = this.#layer.createPassive(listener, header, segment, now, { exact: iss })
    rebuildSyn(segment, mss, tcb.config.timestamps, tcb.ts.offset, syn)
    takeSyn(tcb, syn, now)
    const connection = this.#begin(tcb, listener)
    opensFromCookie(tcb, segment, now)
    this.#layer.notice(connection)
    return 'ok'
  }

  /** Nothing is kept of the SYN but what goes out with the answer. */
  #answerWithCookie(listener: Listener, header: IpHeader, segment: SegmentHeader, now: Micros): void {
    const { synAcks, counters } = this.#layer
    const { config } = listener
    const answer = synAcks.add(header.dst, header.src, config.hopLimit, cookieTrafficClass(config))
    if (answer === null) return
    counters.TcpExtSyncookiesSent++
    this.#planSynAck(answer, listener, segment, now)
  }

  #planSynAck(answer: Answer, listener: Listener, segment: SegmentHeader, now: Micros): void {
    const { cookies, ip } = this.#layer
    const { config } = listener
    const { plan, local, remote } = answer
    const { destinationPort, sourcePort } = segment
    const mss = Math.min(peerMss(segment, remote.family), config.mss)
    plan.sourcePort = destinationPort
    plan.destinationPort = sourcePort
    plan.flags = FLAG.SYN | FLAG.ACK
    plan.seq = cookies.make(
      { local, localPort: destinationPort, remote, remotePort: sourcePort },
      segment.seq,
      mss,
      now,
    )
    plan.ack = seqAdd(segment.seq, 1)
    plan.window = Math.min(65535, config.receiveBufferBytes)
    plan.mss = Math.min(config.mss, ip.mtuTo(remote) - ip.headerBytes(remote) - 20)
    // Without timestamps there is nowhere to keep the other options, so they are not agreed to.
    if (!config.timestamps || !segment.hasTimestamps) return
    const scales = config.windowScale && segment.windowScale >= 0
    const offset = this.#layer.timestampOffset(local, destinationPort, remote, sourcePort)
    plan.sackPermitted = config.sack && segment.sackPermitted
    plan.windowScale = scales ? receiveWindowScale(config) : -1
    plan.hasTimestamps = true
    const ecn = isEcnAgreed(config, segment)
    if (ecn) plan.flags |= FLAG.ECE // RFC 3168 §6.1.1; a bit is not enough for AccECN, whose clients take this answer too
    const scale = scales ? segment.windowScale : -1
    plan.tsVal = cookieTimestamp(timestampAt(now, 0), offset, scale, plan.sackPermitted, ecn)
    plan.tsEcr = segment.tsVal
  }
}

/** Whose the connection of a segment that came would be. */
const fourTuple = ({ dst, src }: IpHeader, { destinationPort, sourcePort }: SegmentHeader): FourTuple => ({
  local: dst,
  localPort: destinationPort,
  remote: src,
  remotePort: sourcePort,
})
