// What Linux does where the RFCs say otherwise or nothing, for scripts that were written on Linux: `heuristics: 'linux'`.
// Owns: these rules, each in a function that the rule's own file calls. Does not own: whether they hold (config.ts: the default is 'rfc').
// Read first: tcp_process_loss, tcp_check_sack_reneging and tcp_tso_should_defer in net/ipv4 of Linux say what they are for.

import { MILLISECOND, type Micros } from '../base/time.ts'
import type { DeliverySample } from './delivery.ts'
import { applyPrr } from './prr.ts'
import { smallHold } from './push.ts'
import { ownPrr } from './recovery-state.ts'
import type { SackOutcome } from './sack.ts'
import { seqAdd, seqDiff, seqGe, seqGt, seqLe } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** Least time that a peer which seems to have taken back its SACKs is given. */
const RENEGING_US = 10 * MILLISECOND

const isLinux = ({ config }: Tcb): boolean => config.heuristics === 'linux'

/**
 * After a timeout: whether an acknowledgement tells of old text that was never sent again, which shows the timeout needless whatever else
 * it tells of (RFC 5682 §3.1 step 3b asks for a second acknowledgement).
 */
export function isOldTextAnswered(tcb: Tcb, sample: DeliverySample): boolean {
  if (!isLinux(tcb) || !tcb.sackEnabled || tcb.recovery.phase !== 'loss' || !sample.hasFresh) return false
  return seqLe(sample.lowestFresh, tcb.frto.step === 'probe' ? tcb.frto.point : tcb.recovery.point)
}

/** The first text that is not acknowledged was SACKed before: it goes again soon, rather than after a whole timeout (RFC 2018 §8). */
export function hastenReneged(tcb: Tcb, now: Micros): void {
  const { flight } = tcb.snd
  if (!isReneging(tcb, flight.bytes)) return
  tcb.timers.retransmit = now + Math.max(RENEGING_US, tcb.rtt.srttUs / 2)
}

/** Whether the acknowledgement has shown that SACKs were taken back: what is lost is judged only when the timer has run out. */
export function isReneging(tcb: Tcb, acked: number): boolean {
  const { flight } = tcb.snd
  return isLinux(tcb) && acked > 0 && flight.size > 0 && flight.at(0).mark === 'sacked'
}

/** Whether an acknowledgement that covers a retransmission times nothing by itself: the backed-off timeout stays (RFC 6298 §5, Karn). */
export function isUntimed(tcb: Tcb, sample: DeliverySample): boolean {
  return isLinux(tcb) && sample.resentAt >= 0
}

/** The initial window is one segment only after two SYNs, or SYN,ACKs, were lost (RFC 5681 §3.1: after any). */
export function keepsInitialWindow(tcb: Tcb, transmissions: number): boolean {
  return isLinux(tcb) && transmissions <= 2
}

/** What is first in the flight goes again: the timeout counts from then on (RFC 6675 §5.1 lets it). */
export function restartsTimer(tcb: Tcb): boolean {
  return isLinux(tcb)
}

/** A mark has lowered the window from `prior`: it comes down in step with what is delivered, as in recovery (RFC 9937). */
export function beginMarkedReduction(tcb: Tcb, prior: number): void {
  if (!isLinux(tcb) || tcb.control.ownsRecovery === true || tcb.ecn.reduced !== 'mark' || tcb.cc.cwnd >= prior) return
  const prr = ownPrr(tcb)
  prr.delivered = 0
  prr.out = 0
  prr.recoverFlight = prior
  prr.isForMark = true
}

/** On each acknowledgement until what was sent before the reduction is acknowledged; then cwnd is ssthresh. */
export function stepMarkedReduction(tcb: Tcb, delivered: number, inNetwork: number): void {
  const { prr, ecn, cc } = tcb
  if (!prr.isForMark) return
  if (ecn.reduced === 'mark' && tcb.recovery.phase === 'open' && seqLe(tcb.snd.una, ecn.point)) {
    applyPrr(tcb, delivered, inNetwork, true)
    return
  }
  prr.isForMark = false
  if (tcb.recovery.phase === 'open') cc.cwnd = cc.ssthresh
}

/** Least segments of a super-segment, and the part of the pace that one may be (tcp_tso_autosize). */
const LEAST_SEGMENTS = 2
const PACE_SHIFT = 1024

/** So many segments Linux puts into one super-segment: what the pace sends in a millisecond, and more on short paths. */
function superSegments({ cc, snd, rtt }: Tcb): number {
  if (rtt.srttUs <= 0) return LEAST_SEGMENTS
  const gain = cc.cwnd < cc.ssthresh / 2 ? 2 : 1.2
  const near = Math.floor(rtt.minUs / 512)
  const bytes = (gain * cc.cwnd * 1e6) / rtt.srttUs / PACE_SHIFT + (near < 32 ? 65536 >>> near : 0)
  return Math.max(LEAST_SEGMENTS, Math.floor(bytes / snd.mss))
}

/**
 * Whether a segment waits for the next acknowledgement, so that more go together: there is room for less than a super-segment, the last
 * one went within a millisecond, and the acknowledgement of the oldest is about due (tcp_tso_should_defer).
 */
export function defersSegments(tcb: Tcb, unsent: number, room: number, finDue: boolean, now: Micros): boolean {
  const { snd, cc } = tcb
  if (!isLinux(tcb) || unsent <= snd.mss || finDue || now - tcb.sentAt > MILLISECOND) return false
  if (room >= superSegments(tcb) * snd.mss || room >= Math.min(snd.wnd, cc.cwnd) / 3) return false
  return room < unsent && isAckDue(tcb, now)
}

/** Whether the acknowledgement of the oldest segment in flight can be waited for. */
function isAckDue({ snd, recovery, rtt, ecn }: Tcb, now: Micros): boolean {
  if (ecn.reduced === 'mark') return false
  return recovery.phase === 'open' && snd.flight.size > 0 && now - snd.flight.at(0).sentAt >= rtt.srttUs / 2
}

/** What of `whole`, full segments that go now, is left over after the last super-segment and waits as above; in octets. */
export function deferredRest(tcb: Tcb, whole: number, unsent: number, finDue: boolean, now: Micros): number {
  if (!isLinux(tcb) || whole >= unsent || finDue) return 0
  const { mss, wnd } = tcb.snd
  const rest = whole % (superSegments(tcb) * mss)
  if (rest === whole || rest >= Math.min(wnd, tcb.cc.cwnd) / 3) return 0
  return isAckDue(tcb, now) ? rest : 0
}

/** A timeout was needless, and the window is back: this acknowledgement lets it grow no further, since it was not in use. */
export function isJustRestored(tcb: Tcb, priorPhase: string, priorCwnd: number): boolean {
  return isLinux(tcb) && priorPhase === 'loss' && tcb.recovery.phase === 'open' && tcb.cc.cwnd > priorCwnd
}

/**
 * Whether what is left of the peer's window, less than a segment, is filled along with the segments before it: Linux looks at the window
 * by super-segments, and one that has begun takes what there is.
 */
export function fillsWindow(tcb: Tcb, whole: number, usable: number): boolean {
  if (!isLinux(tcb) || whole !== usable || smallHold(tcb, false) !== null) return false
  return Math.floor(whole / tcb.snd.mss) % superSegments(tcb) !== 0
}

/** Whether the small end of what is queued goes in one super-segment with what is before it. */
export function takesTail(tcb: Tcb, finDue: boolean): boolean {
  return isLinux(tcb) && smallHold(tcb, finDue) === null
}

/** The acknowledgement that ends a recovery opens the window as any other, by what it has newly delivered (tcp_cong_control). */
export function growsAtEnd(tcb: Tcb): boolean {
  return isLinux(tcb) && tcb.recovery.phase === 'open'
}

/** Whether the window opens by what an acknowledgement has newly delivered, of which SACKs before it have told already a part. */
export function countsDelivered(tcb: Tcb): boolean {
  return isLinux(tcb) && tcb.sackEnabled && tcb.recovery.phase === 'open'
}

/** A retransmission that was needless is delivered too: octets of the text that a duplicate SACK tells of (tcp_dsack_seen). */
export function repeatedBytes(tcb: Tcb, { isDsack, dsackStart, dsackEnd }: SackOutcome): number {
  if (!isLinux(tcb) || !isDsack || tcb.totals.duplicates > tcb.recovery.retransmits) return 0
  return Math.ceil(seqDiff(dsackEnd, dsackStart) / tcb.snd.mss) * tcb.snd.mss
}

/** Round trip of the newest segment that was sent once, acknowledged or SACKed, which is what Linux's controllers are told; -1: none. */
export function sackRoundTrip(sample: DeliverySample, sacked: number, now: Micros): number {
  return sample.freshAt < 0 || (sample.resentAt >= 0 && sacked === 0) ? -1 : now - sample.freshAt
}

/** Whether the end of the flight lies beyond a window that has shrunk: it is not sent as a probe, the timer sees to the first segment. */
export function isBeyondWindow(tcb: Tcb): boolean {
  const { snd } = tcb
  const last = seqAdd(snd.nxt, -snd.mss - (snd.finSent ? 1 : 0))
  return isLinux(tcb) && seqGt(last, snd.una) && seqGe(last, seqAdd(snd.una, snd.wnd))
}

/** Whether the FIN, sent by itself, goes again by itself after a segment that is full (tcp_retrans_try_collapse). */
export function leavesFin(tcb: Tcb, text: number): boolean {
  return isLinux(tcb) && text >= tcb.snd.mss
}

/** The greatest window of a passive open counts from the handshake's last acknowledgement on: what the SYN said is forgotten. */
export function forgetsSynWindow(tcb: Tcb): boolean {
  return isLinux(tcb) && tcb.passive
}

/** Least of a segment that a small window makes (tcp_bound_to_half_wnd): 68 octets less the header. */
const LEAST_BOUND = 48
/** Of a window that is no larger than this all may be one segment. */
const SMALL_WINDOW = 536

/** SND.MSS is no more than half of the greatest window at the handshake's end, or all of a small one, so that two segments fit. */
export function boundByWindow(tcb: Tcb, mss: number): number {
  const { maxWnd } = tcb.snd
  if (!isLinux(tcb) || tcb.state === 'SYN-SENT' || tcb.state === 'SYN-RECEIVED' || maxWnd === 0) return mss
  return Math.min(mss, Math.max(LEAST_BOUND, maxWnd > SMALL_WINDOW ? maxWnd >>> 1 : maxWnd))
}

/** The path takes smaller segments, of `mss` octets: cwnd and ssthresh stay the same number of them. */
export function keepSegments(tcb: Tcb, mss: number): void {
  const { cc, snd } = tcb
  if (!isLinux(tcb) || snd.mss <= 0) return
  cc.cwnd = Math.max(1, Math.round(cc.cwnd / snd.mss)) * mss
  if (Number.isFinite(cc.ssthresh)) cc.ssthresh = Math.max(2, Math.round(cc.ssthresh / snd.mss)) * mss
}

/** Over IPv6 a router's word that leaves room for `mss` octets of text, as many as segments have, is not taken (tcp_v6_mtu_reduced). */
export function isLargeEnough(tcb: Tcb, mss: number): boolean {
  return isLinux(tcb) && tcb.remote.family === 6 && tcb.snd.mss > 0 && mss >= tcb.snd.mss
}

/** What an old SYN or FIN takes of the number space, a duplicate SACK tells of too (RFC 2883 speaks of text). */
export function spaceOf(tcb: Tcb, text: number, isSynOrFin: boolean): number {
  return isSynOrFin && isLinux(tcb) && tcb.state !== 'TIME-WAIT' ? text + 1 : text
}

/** A connection that both sides have opened answers with what its own SYN offered, whatever the peer's has left out. */
export function offersAsFirst(tcb: Tcb): boolean {
  return isLinux(tcb) && tcb.state === 'SYN-RECEIVED' && !tcb.passive
}

/** Text for a connection in TIME-WAIT is acknowledged, even what is new. */
export function answersInTimeWait(tcb: Tcb, text: number): boolean {
  return isLinux(tcb) && text > 0
}
