// The end of a connection: entering TIME-WAIT, dropping the record, failing (RFC 9293 §3.6, §3.10.7.4, §3.10.8).
// Owns: what is cleared when. Does not own: who decides that it ends.

import type { Micros } from '../base/time.ts'
import { TcpError, type TcpErrorCode } from './errors.ts'
import { EVENT } from './events.ts'
import { setState } from './state.ts'
import { type Tcb, unsentBytes } from './tcb.ts'

const NEVER = Number.POSITIVE_INFINITY

function stopTimers(tcb: Tcb): void {
  const { timers } = tcb
  timers.retransmit = NEVER
  timers.persist = NEVER
  timers.delayedAck = NEVER
  timers.reorder = NEVER
  timers.lossProbe = NEVER
  timers.pace = NEVER
  timers.keepAlive = NEVER
  timers.cork = NEVER
  timers.linger = NEVER
  timers.upkeep = NEVER
}

/** Enters TIME-WAIT, or starts its 2MSL anew (RFC 9293 §3.6.1 [MUST-13], §3.10.7.4): every other timer is off. */
export function enterTimeWait(tcb: Tcb, now: Micros): void {
  setState(tcb, 'TIME-WAIT')
  stopTimers(tcb)
  tcb.timers.linger = now + 2 * tcb.config.mslUs
  tcb.snd.buffer.clear()
  tcb.snd.flight.clear()
}

/** The record goes away in good order. What was received and not read stays readable. */
export function closeTcb(tcb: Tcb): void {
  if (tcb.state === 'CLOSED') return
  setState(tcb, 'CLOSED')
  stopTimers(tcb)
  tcb.snd.buffer.clear()
  tcb.snd.flight.clear()
  tcb.rcv.acksOwed = 0
  tcb.ackHold = 'none'
  tcb.events |= EVENT.closed
}

/** The record goes away with an error; all queues are flushed (RFC 9293 §3.10.7.4, second check). */
export function failTcb(tcb: Tcb, code: TcpErrorCode): void {
  if (tcb.state === 'CLOSED') return
  tcb.error = new TcpError(code)
  if (!tcb.config.resetKeepsText) {
    tcb.rcv.buffer.clear()
    tcb.rcv.unread = 0
  }
  tcb.rcv.outOfOrder.clear()
  tcb.events |= EVENT.error
  closeTcb(tcb)
}

/** Sends a reset and drops the record: the ABORT call, and text for an application that is gone (RFC 9293 §3.6.1, §3.10.5). */
export function abortTcb(tcb: Tcb): void {
  if (tcb.state === 'CLOSED') return
  const { state } = tcb
  // RFC 9293 §3.10.5: in SYN-SENT, CLOSING, LAST-ACK and TIME-WAIT no reset is sent.
  // We are in CLOSING and LAST-ACK as soon as the application has closed: while text or FIN still wait, the peer is told.
  const isAllSent = tcb.snd.finSent && unsentBytes(tcb) <= 0
  const silent =
    state === 'SYN-SENT' || state === 'TIME-WAIT' || ((state === 'CLOSING' || state === 'LAST-ACK') && isAllSent)
  tcb.resetPending = !silent
  tcb.rcv.buffer.clear()
  tcb.rcv.outOfOrder.clear()
  tcb.rcv.unread = 0
  closeTcb(tcb)
}
