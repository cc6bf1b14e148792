// SYN-RECEIVED after a passive open: the ACK that ends the handshake, which may have to wait, and the SYN,ACK that goes again.
// Owns: these rules of a half-open connection. Does not own: the queues (listener.ts), the checks of a segment (segment-arrives.ts).
// Read first: RFC 9293 §3.10.7.4 (SYN-RECEIVED), RFC 4987 §3.3 (why a half-open connection must not wait for long).

import type { Micros } from '../base/time.ts'
import { isAcceptable, isOldDuplicate } from './acceptability.ts'
import { measure } from './ack.ts'
import { closeTcb } from './closing.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { onRetransmissionTimeout } from './loss.ts'
import type { Tcb } from './tcb.ts'
import { timeOut } from './trouble.ts'

/** Whether the segment would open the connection: acceptable, neither RST nor SYN, and it acknowledges our SYN. */
export function isFinalAck(tcb: Tcb, segment: SegmentHeader, now: Micros): boolean {
  if (tcb.state !== 'SYN-RECEIVED') return false
  if ((segment.flags & (FLAG.ACK | FLAG.RST | FLAG.SYN)) !== FLAG.ACK || segment.ack !== tcb.snd.nxt) return false
  return !isOldDuplicate(tcb, segment, now) && isAcceptable(tcb, segment)
}

/** TCP_DEFER_ACCEPT: whether a bare ACK is passed over, because its time to bring text (or FIN) is not over. */
export function defersAccept(tcb: Tcb, segment: SegmentHeader, now: Micros): boolean {
  return segment.length === 0 && now - tcb.progressAt < tcb.config.deferAcceptUs
}

/**
 * The final ACK is passed over: the peer takes the connection for open, we do not yet. What it tells of the round trip is kept; what comes
 * later would tell how long the application waited.
 */
export function holdFinalAck(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  tcb.heardAt = now
  if (tcb.rtt.srttUs >= 0 || tcb.snd.flight.size === 0) return
  const { progressAt } = tcb
  const { timeouts } = tcb.rtt
  const synAck = tcb.snd.flight.at(0)
  measure(tcb, synAck.transmissions === 1 ? synAck : null, segment, now)
  tcb.progressAt = progressAt // since when it is half open
  tcb.rtt.timeouts = timeouts
}

/** TCP_DEFER_ACCEPT: SYN,ACK rests until the time is over, then goes again: its ACK opens the connection, with text or without. */
export function restUntilDeferred(tcb: Tcb): void {
  tcb.timers.retransmit = tcb.progressAt + tcb.config.deferAcceptUs
}

/**
 * The retransmission timer in SYN-RECEIVED after a passive open: after `synAckRetries` the peer is given up, and nobody is told
 * but an application that Fast Open has given the connection to.
 * DEVIATION: RFC 9293 §3.8.3 [MUST-23] keeps a SYN for 3 minutes. That is our SYN's rule; a SYN,ACK is kept for about one, as in Linux,
 * because anybody's forged SYN draws one (RFC 4987 §3.3).
 */
export function onSynAckTimeout(tcb: Tcb, now: Micros): void {
  const { config, rtt, timers } = tcb
  if (rtt.timeouts >= config.synAckRetries) {
    if (tcb.fastOpen.isTaken) timeOut(tcb)
    else closeTcb(tcb)
    return
  }
  onRetransmissionTimeout(tcb, now)
  timers.retransmit = now + Math.min(config.maxRtoUs, config.initialRtoUs * 2 ** rtt.timeouts)
}
