// What can be seen of a connection from outside: Linux's tcp_info by its own field names, so that `ss -ti` habits carry over.

import { createOption, ECN, FIRST_CEP } from './ecn-state.ts'
import { pipe } from './loss.ts'
import type { AckHoldReason, AckReason, HoldReason } from './reasons.ts'
import { receiveBufferBytes } from './receive-buffer.ts'
import { backedOffRtoUs } from './rtt.ts'
import { seqDiff } from './seq.ts'
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
  /** Segments in flight that were sent again. */
  tcpi_retrans: number
  /** Segments of the life of the connection, and those with text. */
  tcpi_segs_out: number
  tcpi_segs_in: number
  tcpi_data_segs_out: number
  tcpi_data_segs_in: number
  /** Text sent (what went again included), sent again, acknowledged, received in order. */
  tcpi_bytes_sent: number
  tcpi_bytes_retrans: number
  tcpi_bytes_acked: number
  tcpi_bytes_received: number
  /** Segments that came out of order, and DSACKs received. */
  tcpi_rcv_ooopack: number
  tcpi_dsack_dups: number
  /** Retransmission timeouts, those of them that began a recovery, and how long those lasted. */
  tcpi_total_rto: number
  tcpi_total_rto_recoveries: number
  tcpi_total_rto_time: number
  /** How far apart segments were reordered, in segments; 0: none was seen to be. */
  tcpi_reordering: number
  tcpi_reord_seen: number
  /** Bytes per second: the latest delivery rate, and the pace (0: none). */
  tcpi_delivery_rate: number
  tcpi_delivery_rate_app_limited: boolean
  tcpi_pacing_rate: number
  /** Time with something to send, and of that, held back by the peer's window or by the size of the send buffer; up to the last step. */
  tcpi_busy_time: number
  tcpi_rwnd_limited: number
  tcpi_sndbuf_limited: number
  /** How long acknowledgements wait at present, when adaptive; -1: not known yet. */
  tcpi_ato: number
  /** MSS that we announced. */
  tcpi_advmss: number
  /** Round trip as the receiver measures it, -1 before the first; what the receive buffer may hold now. */
  tcpi_rcv_rtt: number
  tcpi_rcv_space: number
  /** What the send buffer may hold now. */
  sendBufferBytes: number
  tcpi_snd_wnd: number
  tcpi_rcv_wnd: number
  /** Of 'timestamps', 'sack', 'wscale', 'md5sig', 'ecn', 'ecnseen', 'accecn'. */
  tcpi_options: readonly string[]
  /** Segments delivered that the peer says were marked. */
  tcpi_delivered_ce: number
  /** Packets received that were marked, and octets of text received with each ECN field (AccECN, else 0). */
  tcpi_received_ce: number
  tcpi_received_e1_bytes: number
  tcpi_received_e0_bytes: number
  tcpi_received_ce_bytes: number
  /** The same of what we sent, as the peer's AccECN option tells it. */
  tcpi_delivered_e1_bytes: number
  tcpi_delivered_e0_bytes: number
  tcpi_delivered_ce_bytes: number
  /** What becomes of the peer's AccECN option; 'off': it is not in use (RFC 9768 §3.2.3.2). */
  accEcnOption: 'off' | 'unknown' | 'absent' | 'seen' | 'ignored'
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

/** What the connection has done so far. */
function lifeOf(tcb: Tcb) {
  const { totals, snd, rcv, cc, ack, tuning, delivery } = tcb
  let resent = 0
  for (let i = 0; i < snd.flight.size; i++) {
    const { mark, start, end } = snd.flight.at(i)
    if (mark !== 'resent') continue
    const fin = snd.finSent && end === snd.nxt ? 1 : 0
    resent += Math.max(1, Math.ceil((seqDiff(end, start) - fin) / snd.mss))
  }
  return {
    tcpi_retrans: resent,
    tcpi_segs_out: totals.segmentsOut,
    tcpi_segs_in: totals.segmentsIn,
    tcpi_data_segs_out: totals.dataSegmentsOut,
    tcpi_data_segs_in: totals.dataSegmentsIn,
    tcpi_bytes_sent: totals.bytesSent,
    tcpi_bytes_retrans: totals.bytesResent,
    tcpi_bytes_acked: Math.max(totals.bytesAcked, delivery.delivered - snd.flight.sackedBytes),
    tcpi_bytes_received: totals.bytesReceived,
    tcpi_rcv_ooopack: totals.outOfOrder,
    tcpi_dsack_dups: totals.duplicates,
    tcpi_total_rto: totals.timeouts,
    tcpi_total_rto_recoveries: totals.timeoutRecoveries,
    tcpi_total_rto_time: totals.timeoutUs,
    tcpi_reordering: tcb.rack.reordering,
    tcpi_reord_seen: tcb.rack.reorderings,
    tcpi_delivery_rate: totals.deliveryRate,
    tcpi_delivery_rate_app_limited: totals.isRateAppLimited,
    tcpi_pacing_rate: cc.pacingRate,
    tcpi_busy_time: totals.busyUs,
    tcpi_rwnd_limited: totals.windowLimitedUs,
    tcpi_sndbuf_limited: totals.bufferLimitedUs,
    tcpi_ato: ack.atoUs,
    tcpi_advmss: rcv.mss,
    tcpi_rcv_rtt: tuning.rttUs,
    tcpi_rcv_space: receiveBufferBytes(tcb),
  }
}

/** AccECN's counters without what they begin with. */
function marksOf({ ecn }: Tcb) {
  const { received, delivered } = ecn.option ?? createOption(0)
  return {
    tcpi_received_ce: ecn.receivedCe - FIRST_CEP,
    tcpi_received_e1_bytes: received[ECN.ECT1] - 1,
    tcpi_received_e0_bytes: received[ECN.ECT0] - 1,
    tcpi_received_ce_bytes: received[ECN.CE],
    tcpi_delivered_e1_bytes: delivered[ECN.ECT1] - 1,
    tcpi_delivered_e0_bytes: delivered[ECN.ECT0] - 1,
    tcpi_delivered_ce_bytes: delivered[ECN.CE],
    accEcnOption: ecn.option === null ? ('off' as const) : ecn.option.peer,
  }
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
    ...lifeOf(tcb),
    sendBufferBytes: snd.bufferBytes,
    tcpi_snd_wnd: snd.wnd,
    tcpi_rcv_wnd: receiveWindow(tcb),
    tcpi_options: options,
    tcpi_delivered_ce: tcb.ecn.deliveredCe,
    ...marksOf(tcb),
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
