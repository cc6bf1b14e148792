// Opening a connection: what a SYN carries, and what arrives in SYN-SENT (RFC 9293 §3.5, §3.10.7.3; options of RFC 7323 and 2018).
// Owns: agreeing on options, the step into ESTABLISHED. Does not own: LISTEN (listener.ts), sending the SYN (output.ts).

import type { Micros } from '../base/time.ts'
import { measure, releaseAcked, restartRetransmitTimer } from './ack.ts'
import { owesOne } from './acknowledge.ts'
import { failTcb } from './closing.ts'
import { agreeOnEcn } from './ecn.ts'
import { EVENT } from './events.ts'
import { afterSynAcked, takeCookie } from './fast-open.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { keepsInitialWindow } from './linux-ways.ts'
import { updateSendMss } from './path-mtu.ts'
import { seqAdd, seqGt, seqLe } from './seq.ts'
import { setState } from './state.ts'
import type { Tcb } from './tcb.ts'
import { takeUserTimeout } from './user-timeout.ts'
import { MAX_WINDOW_SCALE, receiveWindow, receiveWindowScale } from './window.ts'

/** MSS to assume over IPv4 when a SYN does not tell (RFC 9293 §3.7.1 [MUST-15]). */
export const DEFAULT_MSS_IPV4 = 536
/** The same over IPv6. */
export const DEFAULT_MSS_IPV6 = 1220
const RTO_AFTER_LOST_SYN_US: Micros = 3_000_000
/** Least wait for the SYN that follows a reset: that it arrives after it. */
const SYN_AFTER_RESET_US: Micros = 2000

/** Takes from the peer's SYN what both sides can do; the SYN is acceptable. */
export function takeSyn(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  const { rcv, snd, ts, config } = tcb
  const promised = receiveWindow(tcb) // by our own SYN, when it went first
  rcv.irs = segment.seq
  rcv.nxt = seqAdd(segment.seq, 1)
  rcv.edge = seqAdd(rcv.nxt, promised)
  snd.wl1 = segment.seq
  snd.wnd = segment.window // RFC 7323 §2.2: the window of a SYN is never scaled
  snd.maxWnd = snd.wnd
  tcb.scaleEnabled = config.windowScale && segment.windowScale >= 0
  snd.scale = tcb.scaleEnabled ? Math.min(segment.windowScale, MAX_WINDOW_SCALE) : 0
  if (!tcb.scaleEnabled) rcv.scale = 0
  else if (snd.nxt === snd.iss) rcv.scale = receiveWindowScale(config) // our SYN has told none yet
  ts.enabled = config.timestamps && segment.hasTimestamps && tcb.md5Key === null
  if (ts.enabled) {
    ts.recent = segment.tsVal
    ts.recentAt = now
    ts.lastAckSent = rcv.nxt
    ts.floor = ts.nextFloor = segment.tsVal
    ts.nextFloorSeq = rcv.nxt
  }
  tcb.sackEnabled = config.sack && segment.sackPermitted
  agreeOnEcn(tcb, segment)
  tcb.path.peerMss = peerMss(segment, tcb.remote.family)
  updateSendMss(tcb)
  takeUserTimeout(tcb, segment)
}

/** The MSS that a SYN tells, or what is to be assumed when it tells none [MUST-15]. */
export function peerMss(segment: SegmentHeader, family: 4 | 6): number {
  if (segment.mss > 0) return Math.max(48, segment.mss) // 0 tells nothing, as if there were no option
  return family === 4 ? DEFAULT_MSS_IPV4 : DEFAULT_MSS_IPV6
}

/** Our SYN is acknowledged and the peer's SYN is in: the connection is open. */
export function establish(tcb: Tcb, synWasResent: boolean, now: Micros, transmissions: number = 0): void {
  setState(tcb, 'ESTABLISHED')
  updateSendMss(tcb) // the window of the peer is known now
  const isStarted = tcb.fastOpen.isTaken && !synWasResent // the initial window is in use already (RFC 7413 §4.2.2)
  // RFC 5681 §3.1: after a lost SYN the initial window is one segment.
  const segments = synWasResent && !keepsInitialWindow(tcb, transmissions) ? 1 : tcb.config.initialWindowSegments
  if (!isStarted) tcb.control.init(tcb.cc, segments * tcb.snd.mss, now)
  // RFC 6298 §5.7: a SYN that timed out leaves no sample; the timeout starts from 3 s.
  if (tcb.rtt.srttUs < 0 && synWasResent) tcb.rtt.rtoUs = Math.max(tcb.rtt.rtoUs, RTO_AFTER_LOST_SYN_US)
  tcb.rtt.backoff = 0
  // RFC 6582 §3.2 step 1: "recover" begins at ISS, so that the first segment of text may be recovered too.
  if (!isStarted) {
    tcb.recovery.phase = 'open'
    tcb.recovery.point = tcb.snd.iss
  }
  tcb.sentAt = now
  tcb.heardAt = now
  if (tcb.config.keepAlive) tcb.timers.keepAlive = now + tcb.config.keepAliveIdleUs
  tcb.events |= EVENT.connected
  // A CLOSE that came while the handshake was under way takes effect now (RFC 9293 §3.10.4, SYN-RECEIVED).
  if (tcb.snd.finQueued) setState(tcb, 'FIN-WAIT-1')
}

/** RFC 9293 §3.10.7.3. Returns `'reset'` when the segment is to be answered with a reset, `'text'` when its text is to be looked at. */
export function arrivesInSynSent(tcb: Tcb, segment: SegmentHeader, now: Micros): 'done' | 'reset' | 'text' {
  const { snd } = tcb
  const hasAck = (segment.flags & FLAG.ACK) !== 0
  // First, the ACK bit.
  if (hasAck && (seqLe(segment.ack, snd.iss) || seqGt(segment.ack, snd.nxt))) {
    // An old connection of the peer's stood in the way; our reset ends it. As in Linux the SYN goes again soon, once.
    if (snd.flight.size > 0 && tcb.rtt.timeouts === 0) tcb.timers.retransmit = now + SYN_AFTER_RESET_US
    return (segment.flags & FLAG.RST) !== 0 ? 'done' : 'reset'
  }
  // Second, the RST bit: only one that acknowledges our SYN is believed.
  if ((segment.flags & FLAG.RST) !== 0) {
    if (hasAck) failTcb(tcb, 'ECONNREFUSED')
    return 'done'
  }
  // Fourth, the SYN bit.
  if ((segment.flags & FLAG.SYN) === 0) return 'done'
  takeSyn(tcb, segment, now)
  owesOne(tcb, 'handshake')
  if (!hasAck) {
    // Simultaneous open [MUST-10]: our SYN goes again, now with an ACK.
    setState(tcb, 'SYN-RECEIVED')
    if (snd.flight.size === 0) return 'done' // it has not even been sent
    tcb.life.isCrossed = snd.flight.at(0).transmissions === 1
    snd.flight.lose(snd.flight.at(0), 'syn')
    return 'done'
  }
  const { transmissions } = snd.flight.at(0)
  takeCookie(tcb, segment)
  measure(tcb, releaseAcked(tcb, segment.ack), segment, now)
  afterSynAcked(tcb)
  restartRetransmitTimer(tcb, now)
  establish(tcb, transmissions > 1, now, transmissions)
  return 'text'
}
