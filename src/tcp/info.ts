// What can be seen of a connection from outside: Linux's tcp_info by its own field names, so that `ss -ti` habits carry over.

import { pipe } from './loss.ts'
import type { AckHoldReason, AckReason, HoldReason } from './reasons.ts'
import { backedOffRtoUs } from './rtt.ts'
import type { State } from './state.ts'
import { type Tcb, unsentBytes } from './tcb.ts'
import { userTimeoutUs } from './user-timeout.ts'
import { receiveWindow } from './window.ts'

/** A picture of a connection, with the names of Linux's tcp_info; times in microseconds, sizes in bytes unless the name says otherwise. */
export interface TcpInfo {
  tcpi_state: State
  tcpi_ca_state: 'open' | 'recovery' | 'loss'
  tcpi_retransmits: number
  tcpi_probes: number
  tcpi_backoff: number
  tcpi_snd_wscale: number
  tcpi_rcv_wscale: number
  tcpi_rto: number
  tcpi_snd_mss: number
  tcpi_rcv_mss: number
  /** In segments, as in Linux: what is in flight, SACKed, judged lost. */
  tcpi_unacked: number
  tcpi_sacked: number
  tcpi_lost: number
  tcpi_total_retrans: number
  /** -1 before the first sample. */
  tcpi_rtt: number
  tcpi_rttvar: number
  tcpi_min_rtt: number
  /** In segments, as in Linux. */
  tcpi_snd_ssthresh: number
  tcpi_snd_cwnd: number
  tcpi_notsent_bytes: number
  /** What the send buffer may hold now. */
  sendBufferBytes: number
  tcpi_snd_wnd: number
  tcpi_rcv_wnd: number
  /** Of 'timestamps', 'sack', 'wscale', 'md5sig', 'ecn', 'ecnseen', 'accecn'. */
  tcpi_options: readonly string[]
  /** Segments delivered that the peer says were marked. */
  tcpi_delivered_ce: number
  /** Bytes estimated in the network (RFC 6675 pipe). */
  pipe: number
  /** cwnd and ssthresh in bytes. */
  cwnd: number
  ssthresh: number
  congestion: string
  /** Largest IP packet that the path is known to take, without extension headers (tcp_info's tcpi_pmtu). */
  tcpi_pmtu: number
  /** The Diffserv code point of the last segment received, as it stands in the byte; -1 before the first (RFC 9293 §3.9.1.9 [MAY-9]). */
  receivedTrafficClass: number
  /** R1 was reached and nothing acknowledged since (RFC 9293 §3.8.3). */
  isTroubled: boolean
  /** The user timeout in force; Infinity: none (RFC 5482 §3.1). */
  userTimeoutUs: number
  /** Why nothing more was sent when last asked. */
  hold: HoldReason
  /** Why an acknowledgement is not sent yet, and why the last one was. */
  ackHold: AckHoldReason
  lastAckReason: AckReason
}

/** Takes the picture. */
export function tcpInfo(tcb: Tcb): TcpInfo {
  const { snd, rcv, rtt, cc } = tcb
  const { flight } = snd
  const mss = Math.max(1, snd.mss)
  const segments = (bytes: number): number => Math.ceil(bytes / mss)
  const options = []
  if (tcb.ts.enabled) options.push('timestamps')
  if (tcb.sackEnabled) options.push('sack')
  if (tcb.scaleEnabled) options.push('wscale')
  if (tcb.md5Key !== null) options.push('md5sig')
  if (tcb.ecn.mode !== 'off') options.push('ecn')
  if (tcb.ecn.isSeen) options.push('ecnseen')
  if (tcb.ecn.mode === 'accurate') options.push('accecn')
  return {
    tcpi_state: tcb.state,
    tcpi_ca_state: tcb.recovery.phase,
    tcpi_retransmits: rtt.timeouts,
    tcpi_probes: tcb.probes,
    tcpi_backoff: rtt.backoff,
    tcpi_snd_wscale: snd.scale,
    tcpi_rcv_wscale: rcv.scale,
    tcpi_rto: backedOffRtoUs(rtt, tcb.config),
    tcpi_snd_mss: snd.mss,
    tcpi_rcv_mss: rcv.seenMss,
    tcpi_unacked: segments(flight.bytes),
    tcpi_sacked: segments(flight.sackedBytes),
    tcpi_lost: segments(flight.lostBytes),
    tcpi_total_retrans: tcb.recovery.retransmits,
    tcpi_rtt: rtt.srttUs,
    tcpi_rttvar: rtt.rttvarUs,
    tcpi_min_rtt: rtt.minUs,
    tcpi_snd_ssthresh: cc.ssthresh / mss,
    tcpi_snd_cwnd: cc.cwnd / mss,
    tcpi_notsent_bytes: Math.max(0, unsentBytes(tcb)),
    sendBufferBytes: snd.bufferBytes,
    tcpi_snd_wnd: snd.wnd,
    tcpi_rcv_wnd: receiveWindow(tcb),
    tcpi_options: options,
    tcpi_delivered_ce: tcb.ecn.deliveredCe,
    pipe: pipe(tcb),
    cwnd: cc.cwnd,
    ssthresh: cc.ssthresh,
    congestion: tcb.control.name,
    tcpi_pmtu: tcb.pathSegmentBytes + (tcb.remote.family === 4 ? 20 : 40),
    receivedTrafficClass: tcb.life.receivedTrafficClass,
    isTroubled: tcb.life.isTroubled,
    userTimeoutUs: userTimeoutUs(tcb),
    hold: tcb.hold,
    ackHold: tcb.ackHold,
    lastAckReason: tcb.ack.lastReason,
  }
}
