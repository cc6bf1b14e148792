// Whether new text may go, and how much: the peer's window, the congestion window, Nagle (RFC 9293 §3.7.4), and the sender's silly-window
// avoidance [MUST-38]. When it has to wait, `tcb.hold` says why.
// Owns: the decision. Does not own: making the segment (output.ts), small segments (push.ts).
// Read first: RFC 9293 §3.8.6.2.1.

import type { Micros } from '../base/time.ts'
import { deferredRest, defersSegments, fillsWindow, takesTail } from './linux-ways.ts'
import { pipe } from './loss.ts'
import { armCork, smallHold } from './push.ts'
import { tellRoom } from './send-buffer.ts'
import type { Tcb } from './tcb.ts'
import { noteTime } from './totals.ts'
import { noteUsage } from './window-validation.ts'

/**
 * How much text may go in the next packet; -1 when it has to wait, with the reason in `tcb.hold`. 0 stands for a FIN alone.
 * RFC 9293 §3.8.6.2.1 names the cases: D is `unsent`, U is `usable`.
 */
export function textToSend(
  tcb: Tcb,
  unsent: number,
  usable: number,
  most: number,
  finDue: boolean,
  now: Micros,
): number {
  const { snd } = tcb
  if (unsent === 0) return 0
  const sendable = Math.min(unsent, usable)
  if (sendable <= 0) {
    tcb.hold = 'window'
    return -1
  }
  const idle = snd.flight.bytes === 0
  if (sendable < snd.mss) {
    if (sendable === unsent) {
      // (2) everything queued fits: it may go unless Nagle (RFC 9293 §3.7.4) or the application holds it.
      const reason = smallHold(tcb, finDue)
      if (reason !== null) {
        tcb.hold = reason
        noteAppLimited(tcb)
        return -1
      }
    } else if (isSilly(tcb, sendable, idle)) {
      // (3) half of the largest window ever offered; (4) the override is the persist timer.
      tcb.hold = 'silly-window'
      return -1
    }
  }
  const inNetwork = pipe(tcb)
  const room = Math.max(tcb.cc.cwnd - inNetwork, inNetwork === 0 ? snd.mss : 0)
  if (room < Math.min(sendable, snd.mss)) {
    tcb.hold = 'cwnd'
    return -1
  }
  if (sendable < snd.mss) return sendable
  if (most > snd.mss && defersSegments(tcb, unsent, Math.min(room - (room % snd.mss), usable), finDue, now)) {
    tcb.hold = 'cwnd'
    return -1
  }
  const whole = Math.min(sendable, most, room) // in full-sized segments (RFC 9293 §3.9.1.2 [SHLD-28])
  if (whole === unsent && most > snd.mss && takesTail(tcb, finDue)) return whole
  if (whole < unsent && most > snd.mss && fillsWindow(tcb, whole, usable)) return whole
  const full = whole - (whole % snd.mss)
  return most > snd.mss ? full - deferredRest(tcb, full, unsent, finDue, now) : full
}

/** RFC 9293 §3.8.6.2.1 (3): less than half of the largest window ever offered, and nothing in a hurry. */
function isSilly(tcb: Tcb, sendable: number, idle: boolean): boolean {
  const { snd, config } = tcb
  if (!config.sillyWindowAvoidance || tcb.probePending) return false
  return !(sendable >= snd.maxWnd / 2 && (idle || !config.nagle))
}

/** The application holds the sender back, with less than a segment to send: what is sent until then tells nothing of the path. */
export function noteAppLimited(tcb: Tcb): void {
  const inNetwork = pipe(tcb)
  if (inNetwork < tcb.cc.cwnd) tcb.delivery.appLimitedUntil = Math.max(1, tcb.delivery.delivered + inNetwork)
}

/** Nothing new goes now, `tcb.hold` says why: what follows from it. */
export function noteHold(tcb: Tcb, now: Micros): void {
  noteTime(tcb, now)
  armCork(tcb, now)
  // A window held back by the pace is in use too.
  if (tcb.hold === 'cwnd' || tcb.hold === 'pacing' || tcb.hold === 'frto') noteUsage(tcb, true, now)
  tellRoom(tcb)
}
