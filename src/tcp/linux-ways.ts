// What Linux does where the RFCs say otherwise or nothing, for scripts that were written on Linux: `heuristics: 'linux'`.
// Owns: these rules, each in a function that the rule's own file calls. Does not own: whether they hold (config.ts: the default is 'rfc').
// Read first: tcp_process_loss, tcp_check_sack_reneging and tcp_tso_should_defer in net/ipv4 of Linux say what they are for.

import { MILLISECOND, type Micros } from '../base/time.ts'
import type { DeliverySample } from './delivery.ts'
import { seqLe } from './seq.ts'
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
  if (!isLinux(tcb) || flight.size === 0 || flight.at(0).mark !== 'sacked') return
  tcb.timers.retransmit = now + Math.max(RENEGING_US, tcb.rtt.srttUs / 2)
}

/** Whether an acknowledgement that covers something sent again times nothing by itself: its backed-off timeout stays (RFC 6298 §5, Karn). */
export function isUntimed(tcb: Tcb, sample: DeliverySample): boolean {
  return isLinux(tcb) && sample.resentAt >= 0
}
