// Acknowledgements that may not be merged, because the ECN bits were others then (RFC 8257 §3.2, RFC 9768 §3.2.2.5.1).
// Owns: sending those that ecn.ts holds ready. Does not own: when there is one (ecn.ts).

import type { Micros } from '../base/time.ts'
import { ACE_BITS } from './accecn.ts'
import { withdrawOption } from './accecn-option.ts'
import type { HeldAck } from './ecn-state.ts'
import { fill } from './fill.ts'
import { FLAG, type SegmentPlan } from './header.ts'
import { seqDiff } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** The oldest of the acknowledgements held, as it would have gone then; false when there is none. What is owed besides stays owed. */
export function nextHeldAck(tcb: Tcb, now: Micros, plan: SegmentPlan): boolean {
  const { ecn, rcv, timers } = tcb
  if (ecn.heldAcks.length === 0) return false
  const held = ecn.heldAcks.shift() as HeldAck
  const { acksOwed, unacked } = rcv
  const { untoldCe } = ecn
  const { delayedAck } = timers
  const { ack, ackHold, sackEnabled } = tcb
  const { reason, shorts } = ack
  tcb.sackEnabled = false // beside an older number a duplicate would be taken for a range (RFC 2883 §4): the next one reports it
  fill(tcb, plan, tcb.snd.nxt, FLAG.ACK, now)
  tcb.sackEnabled = sackEnabled
  withdrawOption(tcb, plan)
  plan.ack = held.ack
  plan.flags = (plan.flags & ~ACE_BITS) | held.flags
  // The window counts from the number acknowledged: its right edge stays where it is [SHLD-14].
  plan.window = Math.min(65535, plan.window + Math.ceil(seqDiff(rcv.nxt, held.ack) / 2 ** rcv.scale))
  rcv.acksOwed = acksOwed
  rcv.unacked = unacked
  ecn.untoldCe = untoldCe
  timers.delayedAck = delayedAck
  ack.reason = reason
  ack.shorts = shorts
  tcb.ackHold = ackHold
  return true
}
