// Proportional rate reduction (RFC 9937, RFC 6937): in fast recovery cwnd comes down to ssthresh in step with what is delivered, rather
// than at once, and never builds up a burst.

import { ownPrr } from './recovery-state.ts'
import type { Tcb } from './tcb.ts'

/** Recovery begins; `delivered` are the bytes that the acknowledgement that says so has brought, 0 when it is a timer. */
export function beginPrr(tcb: Tcb, delivered: number): void {
  const prr = ownPrr(tcb)
  prr.delivered = 0
  prr.out = 0
  const flight = tcb.snd.flight.bytes - tcb.snd.flight.sackedBytes + delivered
  prr.recoverFlight = Math.max(1, tcb.config.heuristics === 'linux' ? tcb.cc.cwnd : flight)
}

/** RFC 9937 §5, on every acknowledgement in recovery: sets cwnd to what may be in the network now. */
export function applyPrr(tcb: Tcb, delivered: number, inNetwork: number, isSafe: boolean): void {
  const { prr, cc, snd } = tcb
  if (delivered === 0 && prr.out > 0) return
  prr.delivered += delivered
  let send: number
  if (inNetwork > cc.ssthresh) {
    const unit = tcb.config.heuristics === 'linux' ? snd.mss : 1 // Linux reckons in segments
    send = Math.ceil((prr.delivered * cc.ssthresh) / (prr.recoverFlight * unit)) * unit - prr.out
  } else {
    let limit = Math.max(prr.delivered - prr.out, delivered)
    if (isSafe) limit += snd.mss // SafeACK: una moves on and nothing more is lost: slow start reduction bound
    send = Math.min(cc.ssthresh - inNetwork, limit)
  }
  // The first retransmission goes whatever the arithmetic says (RFC 9937 §5).
  if (prr.out === 0) send = Math.max(send, snd.mss)
  cc.cwnd = Math.max(snd.mss, inNetwork + Math.max(0, send))
}
