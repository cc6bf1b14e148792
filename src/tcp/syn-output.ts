// The segments that open a connection: SYN, and SYN,ACK, the first time and again (RFC 9293 §3.5, §3.10.7.2, §3.10.7.3).
// Owns: what our SYN carries. Does not own: what the peer's SYN tells (handshake.ts).

import type { Micros } from '../base/time.ts'
import { fillSynAckOption } from './accecn-option.ts'
import { stampSyn } from './ecn.ts'
import { fillFastOpen, withdrawFastOpen } from './fast-open.ts'
import { fillGrant } from './fast-open-server.ts'
import { fill } from './fill.ts'
import { FLAG, type SegmentPlan } from './header.ts'
import { offersAsFirst } from './linux-ways.ts'
import { seqAdd } from './seq.ts'
import type { Tcb } from './tcb.ts'
import { armRetransmit } from './timers.ts'
import { timestampNow } from './timestamps.ts'
import { fillUserTimeout } from './user-timeout.ts'
import { receiveWindowScale } from './window.ts'

/** SYN or SYN,ACK when one is due; false when there is none. */
export function nextSyn(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  const { snd } = tcb
  tcb.hold = 'handshake'
  const first = snd.nxt === snd.iss
  if (!first && (snd.flight.size === 0 || snd.flight.at(0).mark !== 'lost')) return false
  const isCrossing = tcb.life.isCrossed && !first && snd.flight.at(0).transmissions === 1
  fill(tcb, plan, snd.iss, tcb.state === 'SYN-SENT' ? FLAG.SYN : FLAG.SYN | FLAG.ACK, now)
  stampSyn(tcb, plan, first ? 0 : snd.flight.at(0).transmissions)
  plan.mss = tcb.rcv.mss // [MUST-14] [SHLD-5], the default too [MAY-3]; no other segment has one [MUST-65]
  if (tcb.config.userTimeoutOption) fillUserTimeout(tcb, plan, 4)
  const isOffer = offersAsFirst(tcb)
  plan.sackPermitted = isOffer ? tcb.config.sack : tcb.sackEnabled
  if (isOffer && tcb.config.timestamps && tcb.md5Key === null && !plan.hasTimestamps) {
    plan.hasTimestamps = true
    plan.tsVal = timestampNow(tcb, now)
    plan.tsEcr = 0
  }
  // What the first SYN tells holds, whatever becomes of the settings (RFC 7323 §2.3).
  if (first && tcb.state === 'SYN-SENT') tcb.rcv.scale = receiveWindowScale(tcb.config)
  plan.windowScale = tcb.scaleEnabled
    ? tcb.rcv.scale
    : isOffer && tcb.config.windowScale
      ? receiveWindowScale(tcb.config)
      : -1
  if (first) {
    snd.nxt = seqAdd(snd.iss, 1)
    snd.flight.push(snd.iss, snd.nxt, now, tcb.delivery)
    fillGrant(tcb, plan)
    const text = fillFastOpen(tcb, plan)
    if (text > 0) {
      const start = snd.nxt
      snd.nxt = seqAdd(start, text)
      snd.flight.push(start, snd.nxt, now, tcb.delivery)
    }
    tcb.progressAt = now
  } else {
    if (!isCrossing) withdrawFastOpen(tcb, now)
    snd.flight.resend(0, now, tcb.delivery)
    if (!isCrossing) tcb.recovery.retransmits++
    plan.isResent = !isCrossing
    plan.cause = snd.flight.at(0).cause
    tcb.recovery.forced = false
  }
  fillSynAckOption(tcb, plan, !first)
  armRetransmit(tcb, now)
  return true
}
