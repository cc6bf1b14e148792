// TCP Fast Open, the server's side (RFC 7413 §4.1.2, §4.2.2, §5.1): who asks gets a cookie; text in a SYN that brings a cookie of ours is
// taken at once, the application accepts and answers before the handshake is over. Whatever is wrong with it, the handshake goes on as
// it always was.
//
//     SYN, cookie, text  ------------>  SYN-RECEIVED, accepted, readable
//                        <------------  SYN,ACK of the text too, a new cookie if need be
//                        <------------  text of the answer, as far as the initial window goes
//     ACK                ------------>  ESTABLISHED
//
// Owns: what becomes of the option in a SYN, the bound on such connections, what differs while they are in SYN-RECEIVED. Does not own:
// cookies (fast-open-cookies.ts), the listener's queues (listener.ts), sending (output.ts), the client's side (fast-open.ts).
// Invariant: FIN waits for ESTABLISHED (RFC 9293 §3.10.4, SYN-RECEIVED), and so does whatever has to go again but SYN,ACK.

import { type Micros, SECOND } from '../base/time.ts'
import { closeTcb, failTcb } from './closing.ts'
import type { TcpErrorCode } from './errors.ts'
import { EVENT } from './events.ts'
import type { CookieMaker } from './fast-open-cookies.ts'
import type { SegmentHeader, SegmentPlan } from './header.ts'
import { receiveBufferBytes } from './receive-buffer.ts'
import { seqAdd } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** For so long a connection that was reset in SYN-RECEIVED still counts into the bound (RFC 7413 §5.1). */
const RESET_COUNTS_US: Micros = 60 * SECOND

/**
 * The connections of a listener in SYN-RECEIVED whose SYN's text was taken (RFC 7413 §5.1, PendingFastOpenRequests). Those that were reset
 * there count for a minute more: else who has a cookie could have the text of any number of SYNs worked on, with resets in another's name.
 */
export class FastOpenQueue {
  readonly #tcbs = new Set<Tcb>()

  /** How many count at `now`. */
  count(now: Micros): number {
    for (const tcb of this.#tcbs) {
      if (tcb.state !== 'SYN-RECEIVED' && now >= tcb.fastOpen.countsUntil) this.#tcbs.delete(tcb)
    }
    return this.#tcbs.size
  }

  /** Whether there is room for another. */
  hasRoom(most: number, now: Micros): boolean {
    return this.#tcbs.size < most || this.count(now) < most
  }

  /** Adds one. */
  add(tcb: Tcb): void {
    this.#tcbs.add(tcb)
  }
}

/** A SYN has made a connection, `takeSyn` has taken its header: answers its Fast Open option. Returns whether its text is to be taken. */
export function judgeFastOpen(
  tcb: Tcb,
  segment: SegmentHeader,
  maker: CookieMaker,
  queue: FastOpenQueue,
  now: Micros,
): boolean {
  const { config, counters, fastOpen, local, remote } = tcb
  const { bytes, cookieStart, cookieLength } = segment
  if (!config.fastOpen) return false
  if (config.fastOpenCookieless && segment.textLength > 0 && queue.hasRoom(config.fastOpenQueue, now)) return true
  if (cookieLength < 0) return false
  if (cookieLength === 0) {
    counters.TcpExtTCPFastOpenCookieReqd++
    fastOpen.cookie = maker.make(remote, local)
    return false
  }
  const verdict = maker.check(remote, local, bytes, cookieStart, cookieLength)
  if (verdict !== 'fresh') fastOpen.cookie = maker.make(remote, local) // §4.2.2: with the next one it will do
  if (verdict === 'none') {
    counters.TcpExtTCPFastOpenPassiveFail++
    return false
  }
  if (segment.textLength === 0) return false
  if (queue.hasRoom(config.fastOpenQueue, now)) return true
  counters.TcpExtTCPFastOpenListenOverflow++
  return false
}

/** Takes the text of a SYN, as far as the receive buffer goes; the connection has been made and is in SYN-RECEIVED. */
export function takeSynText(tcb: Tcb, segment: SegmentHeader, queue: FastOpenQueue, now: Micros): void {
  const { rcv, fastOpen } = tcb
  const { bytes, textStart } = segment
  const length = Math.min(segment.textLength, receiveBufferBytes(tcb))
  rcv.buffer.put(0, bytes, textStart, textStart + length)
  rcv.unread = length
  rcv.nxt = seqAdd(rcv.nxt, length)
  rcv.edge = rcv.nxt // no window was told yet: SYN,ACK will
  tcb.events |= EVENT.readable
  fastOpen.isTaken = true
  queue.add(tcb)
  tcb.counters.TcpExtTCPFastOpenPassive++
  // §4.2.2: the answer may use the initial window now, beside the SYN, which is an octet in flight too.
  tcb.control.init(tcb.cc, tcb.config.initialWindowSegments * tcb.snd.mss + 1, now)
}

/** Puts the cookie, if one is to be given, into our first SYN,ACK. As in Linux it goes without when it has to go again. */
export function fillGrant(tcb: Tcb, plan: SegmentPlan): void {
  const { cookie } = tcb.fastOpen
  if (!tcb.passive || cookie.length === 0) return
  plan.hasCookie = true
  plan.cookie = cookie
}

/**
 * Our SYN is acknowledged, and nothing else, after it went more than once: whoever gets text before the SYN,ACK passes it over, so what
 * went between the two goes again at once.
 */
export function resendEarlyText(tcb: Tcb): void {
  const { flight } = tcb.snd
  tcb.undo.isPossible = false
  for (let i = 0; i < flight.size; i++) {
    if (flight.at(i).mark !== 'lost') flight.lose(flight.at(i), 'fast-open-answer')
    tcb.recovery.forced = true
  }
}

/** A connection in SYN-RECEIVED that a listener made comes to nothing: only who may have accepted it already is told. */
export function failEmbryo(tcb: Tcb, code: TcpErrorCode): void {
  if (tcb.fastOpen.isTaken) failTcb(tcb, code)
  else closeTcb(tcb) // back to LISTEN
}

/** The peer has reset such a connection, or a forged segment has. */
export function resetEmbryo(tcb: Tcb, now: Micros): void {
  if (tcb.fastOpen.isTaken) tcb.fastOpen.countsUntil = now + RESET_COUNTS_US
  else tcb.counters.TcpExtEmbryonicRsts++ // as Linux
  failEmbryo(tcb, 'ECONNRESET')
}
