// SO_LINGER: what CLOSE does with text that is still on its way (RFC 9293 §3.6.1; POSIX close(), as Linux has it).
//
//   lingerUs   CLOSE
//   -1         returns at once; text, then FIN, go in the background (RFC 9293 §3.10.4)
//   0          resets at once: what is queued is thrown away, and there is no TIME-WAIT
//   > 0        as -1, and EVENT.lingered tells whether all, the FIN too, was acknowledged within that time
//
// As in Linux the connection goes on in the background when the time is over; an application that would rather have it reset then (as
// other systems do) calls abort() when it is told. Owns: the wait. Does not own: what CLOSE sends (user-calls.ts), limits on a connection
// that nobody waits for any more (timers.ts).

import type { Micros } from '../base/time.ts'
import { EVENT } from './events.ts'
import type { Tcb } from './tcb.ts'

/** CLOSE was called: waits when there is something to wait for. */
export function beginLinger(tcb: Tcb): void {
  const { life } = tcb
  if (life.linger !== 'none') return
  life.linger = 'waiting'
  life.lingerUntil = -1
  settleLinger(tcb)
  if (life.linger !== 'waiting') tcb.events &= ~EVENT.lingered // the caller sees it as CLOSE returns
}

/** Sets the end of the wait, which the call itself could not: it does not know the time. */
export function armLinger(tcb: Tcb, now: Micros): void {
  if (tcb.life.lingerUntil < 0) tcb.life.lingerUntil = now + tcb.config.lingerUs
}

/** After anything has happened: whether the wait is over because all is acknowledged, or never will be. */
export function settleLinger(tcb: Tcb): void {
  const { life, snd } = tcb
  if (life.linger !== 'waiting') return
  if (snd.finSent && snd.una === snd.nxt) endLinger(tcb, 'acknowledged')
  else if (tcb.state === 'CLOSED') endLinger(tcb, 'failed')
}

/** The time is over; the connection goes on. */
export function onLingerExpired(tcb: Tcb): void {
  if (tcb.life.linger === 'waiting') endLinger(tcb, 'expired')
}

function endLinger(tcb: Tcb, outcome: 'acknowledged' | 'expired' | 'failed'): void {
  tcb.life.linger = outcome
  tcb.life.lingerUntil = Number.POSITIVE_INFINITY
  tcb.events |= EVENT.lingered
}
