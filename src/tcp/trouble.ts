// What troubles a connection without ending it: segments that go again and again (RFC 9293 §3.8.3, R1), and soft ICMP errors
// (§3.9.2.2). The application is told of both; a soft error is what the connection has failed of when it times out.
// Owns: when it is told, and when the trouble is over. Does not own: R2 (timers.ts), judging ICMP messages (icmp-errors.ts).

import { failTcb } from './closing.ts'
import { TcpError, type TcpErrorCode } from './errors.ts'
import { EVENT } from './events.ts'
import type { Tcb } from './tcb.ts'

/** The retransmission timer has run out once more. RFC 9293 §3.8.3 [MUST-20] [SHLD-9]: from R1 on the application knows. */
export function noteTimeout(tcb: Tcb): void {
  const { life } = tcb
  if (life.isTroubled || tcb.rtt.timeouts < tcb.config.retransmitNoticeCount) return
  life.isTroubled = true
  tcb.events |= EVENT.trouble
}

/** Something was acknowledged: whatever troubled the connection is over, and the application that was told of it is told so. */
export function noteProgress(tcb: Tcb): void {
  const { life } = tcb
  if (!life.isTroubled && life.softError === null) return
  const wasTold = life.isTroubled || tcb.config.reportSoftErrors
  life.isTroubled = false
  life.softError = null
  if (wasTold) tcb.events |= EVENT.trouble
}

/** RFC 9293 §3.9.2.2 [SHLD-25]: keeps a soft error; [MUST-47] tells of it unless the application has no wish to hear [SHLD-20]. */
export function noteSoftError(tcb: Tcb, code: TcpErrorCode): void {
  const { life } = tcb
  if (life.softError?.code === code) return
  life.softError = new TcpError(code)
  if (tcb.config.reportSoftErrors) tcb.events |= EVENT.trouble
}

/** Gives the connection up: what ICMP said of the peer names the failure better than ETIMEDOUT (as Linux's tcp_write_err). */
export function timeOut(tcb: Tcb): void {
  tcb.counters.TcpExtTCPAbortOnTimeout++
  failTcb(tcb, tcb.life.softError?.code ?? 'ETIMEDOUT')
}
