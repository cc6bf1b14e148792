// Linux's struct tcp_info by its field names, in its units and codes, from what our stack tells of a connection.
// Owns: the translation. Does not own: what is counted (src/tcp/info.ts).
// Read first: include/uapi/linux/tcp.h, tcp_get_info.

import { MILLISECOND } from '../base/time.ts'
import type { Connection, TcpInfo } from '../stack/index.ts'
import type { Host } from './host.ts'
import { type Socket, TCP_STATE } from './sockets.ts'

/** tcpi_snd_ssthresh before any loss. */
const INFINITE_SSTHRESH = 0x7fffffff
const CA_STATE = { open: 0, disorder: 1, cwr: 2, recovery: 3, loss: 4 } as const
const OPTION_BITS: Readonly<Record<string, number>> = {
  timestamps: 1,
  sack: 2,
  wscale: 4,
  ecn: 8,
  ecnseen: 16,
}
/** TCPI_OPT_SYN_DATA: text of our SYN, or the peer's, was taken. */
const SYN_DATA = 32

/** The fields, as TCP_INFO gives them for a socket in any state. */
export function linuxInfo(host: Host, at: Socket): Record<string, number> {
  if (at.connection === null) return { ...emptyInfo(), tcpi_state: at.state, ...listening(at) }
  const { tcb } = at.connection
  const info = at.connection.info()
  const since = (time: number): number => Math.max(0, Math.floor((host.now - time) / MILLISECOND))
  const isOpening = at.isOpening
  const { ssthresh } = info
  return {
    ...emptyInfo(),
    tcpi_state: at.state,
    tcpi_ca_state: congestionState(at.connection),
    tcpi_retransmits: info.tcpi_retransmits,
    tcpi_probes: info.tcpi_probes,
    tcpi_backoff: Math.max(info.tcpi_backoff, tcb.windowProbes), // of the timeout or of the probes
    tcpi_options: optionBits(info, at),
    tcpi_snd_wscale: info.tcpi_snd_wscale,
    tcpi_rcv_wscale: info.tcpi_rcv_wscale,
    tcpi_rto: info.tcpi_rto,
    tcpi_ato: Math.max(0, info.tcpi_ato),
    tcpi_snd_mss: isOpening && info.tcpi_snd_mss === 0 ? 524 : info.tcpi_snd_mss,
    tcpi_rcv_mss:
      info.tcpi_rcv_mss > 0 ? info.tcpi_rcv_mss : Math.min(536, info.tcpi_advmss, tcb.snd.mss > 0 ? tcb.snd.mss : 536),
    tcpi_unacked: info.tcpi_unacked,
    tcpi_sacked: info.tcpi_sacked,
    tcpi_lost: lostSegments(at.connection),
    tcpi_retrans: info.tcpi_retrans - probesAgain(at.connection),
    tcpi_last_data_sent: since(tcb.sentAt),
    tcpi_last_data_recv: since(Math.max(0, tcb.ack.textAt)),
    tcpi_last_ack_recv: since(tcb.heardAt),
    tcpi_pmtu: info.tcpi_pmtu,
    tcpi_rcv_ssthresh: tcb.tuning.linux?.ssthresh ?? info.tcpi_rcv_wnd,
    tcpi_rtt: Math.max(0, info.tcpi_rtt),
    tcpi_rttvar: info.tcpi_rtt < 0 ? 250_000 : info.tcpi_rttvar,
    tcpi_snd_ssthresh: Number.isFinite(ssthresh) ? Math.floor(info.tcpi_snd_ssthresh) : INFINITE_SSTHRESH,
    tcpi_snd_cwnd: Math.max(1, Math.floor(info.tcpi_snd_cwnd)),
    tcpi_advmss: info.tcpi_advmss - (tcb.ts.enabled && !isOpening ? 12 : 0),
    tcpi_reordering: Math.max(tcb.config.dupThresh, info.tcpi_reordering),
    tcpi_total_rto: info.tcpi_total_rto,
    tcpi_total_rto_recoveries: info.tcpi_total_rto_recoveries,
    tcpi_total_rto_time: Math.floor(info.tcpi_total_rto_time / MILLISECOND),
    tcpi_rcv_rtt: Math.max(0, info.tcpi_rcv_rtt),
    tcpi_rcv_space: tcb.tuning.linux?.space ?? 10 * (info.tcpi_advmss - (tcb.ts.enabled ? 12 : 0)),
    tcpi_total_retrans: info.tcpi_total_retrans,
    tcpi_pacing_rate: info.tcpi_pacing_rate,
    tcpi_bytes_acked: info.tcpi_bytes_acked + (tcb.passive || isOpening ? 0 : 1), // our SYN counts, SYN,ACK does not
    tcpi_bytes_received: info.tcpi_bytes_received,
    tcpi_segs_out: Math.max(0, info.tcpi_segs_out - (tcb.passive ? 1 : 0)), // SYN,ACK is sent before there is a socket
    tcpi_delivered: deliveredSegments(at.connection),
    tcpi_reord_seen: info.tcpi_reord_seen,
    tcpi_segs_in: info.tcpi_segs_in + (tcb.passive ? 1 : 0), // and its SYN is counted with it
    tcpi_notsent_bytes: info.tcpi_notsent_bytes,
    tcpi_min_rtt: info.tcpi_min_rtt < 0 || !Number.isFinite(info.tcpi_min_rtt) ? 0xffffffff : info.tcpi_min_rtt,
    tcpi_data_segs_in: info.tcpi_data_segs_in,
    tcpi_data_segs_out: info.tcpi_data_segs_out,
    tcpi_delivery_rate: info.tcpi_delivery_rate,
    tcpi_delivery_rate_app_limited: info.tcpi_delivery_rate_app_limited || info.tcpi_delivery_rate === 0 ? 1 : 0,
    tcpi_busy_time: info.tcpi_busy_time,
    tcpi_rwnd_limited: info.tcpi_rwnd_limited,
    tcpi_sndbuf_limited: info.tcpi_sndbuf_limited,
    tcpi_delivered_ce: info.tcpi_delivered_ce,
    tcpi_bytes_sent: info.tcpi_bytes_sent,
    tcpi_bytes_retrans: info.tcpi_bytes_retrans,
    tcpi_dsack_dups: info.tcpi_dsack_dups,
    tcpi_rcv_ooopack: info.tcpi_rcv_ooopack,
    tcpi_fastopen_client_fail: tcb.fastOpen.failure,
    tcpi_snd_wnd: info.tcpi_snd_wnd,
    tcpi_rcv_wnd: info.tcpi_rcv_wnd,
  }
}

/** tcpi_ca_state: Linux tells apart what we call open: out of order, and lowered for a mark of ECN's. */
function congestionState({ tcb }: Connection): number {
  const { recovery, ecn, snd } = tcb
  if (recovery.phase !== 'open') return CA_STATE[recovery.phase]
  if (ecn.reduced === 'mark' && ((snd.una - ecn.point) | 0) <= 0) return CA_STATE.cwr
  return snd.flight.sackedBytes + snd.flight.lostBytes > 0 || recovery.dupAcks > 0 ? CA_STATE.disorder : CA_STATE.open
}

/** A tail probe that is a retransmission counts for none in tcpi_retrans. */
function probesAgain({ tcb }: Connection): number {
  const { flight } = tcb.snd
  const isOut = tcb.tlp.isOut && tcb.tlp.isRetransmission && tcb.recovery.phase === 'open' && flight.size > 0
  return isOut && flight.at(flight.size - 1).mark === 'resent' ? 1 : 0
}

/** Lost, and not known to have arrived since: what went again counts too, as in Linux. */
function lostSegments({ tcb }: Connection): number {
  const { flight, mss } = tcb.snd
  let bytes = 0
  for (let i = 0; i < flight.size; i++) {
    const { mark, start, end, cause } = flight.at(i)
    if (mark === 'lost' || (mark === 'resent' && (tcb.recovery.phase !== 'open' || cause === 'fast-open')))
      bytes += (end - start) | 0
  }
  return Math.ceil(bytes / Math.max(1, mss))
}

/** Segments that have arrived, SYN or SYN,ACK among them. */
function deliveredSegments({ tcb }: Connection): number {
  if (tcb.snd.mss === 0 || tcb.snd.una === tcb.snd.iss) return 0
  return 1 + Math.ceil(tcb.delivery.delivered / tcb.snd.mss) + tcb.totals.duplicates
}

function optionBits(info: TcpInfo, at: Socket): number {
  let bits = 0
  if (at.isOpening) return 0
  for (const name of info.tcpi_options) bits |= OPTION_BITS[name] ?? 0
  const fastOpen = at.connection?.tcb.fastOpen
  return fastOpen?.isTaken === true || (fastOpen?.isTextTaken === true && fastOpen.failure === 0)
    ? bits | SYN_DATA
    : bits
}

/** A listener tells its queues: who waits to be accepted, and how many may. */
function listening(at: Socket): Record<string, number> {
  if (at.state !== TCP_STATE.LISTEN || at.listener === null) return {}
  return { tcpi_unacked: at.listener.pending, tcpi_sacked: at.listener.backlog - 1 }
}

function emptyInfo(): Record<string, number> {
  return {
    tcpi_ca_state: 0,
    tcpi_retransmits: 0,
    tcpi_probes: 0,
    tcpi_backoff: 0,
    tcpi_options: 0,
    tcpi_snd_wscale: 0,
    tcpi_rcv_wscale: 0,
    tcpi_fackets: 0,
    tcpi_reordering: 3,
    tcpi_reord_seen: 0,
    tcpi_delivered: 0,
    tcpi_delivered_ce: 0,
    tcpi_last_ack_sent: 0,
    tcpi_fastopen_client_fail: 0,
    tcpi_max_pacing_rate: 0,
    tcpi_rehash: 0,
    tcpi_total_rto: 0,
    tcpi_total_rto_recoveries: 0,
    tcpi_total_rto_time: 0,
  }
}
