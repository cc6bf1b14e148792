// What Linux tells of a connection beside tcp_info: SCM_TIMESTAMPING_OPT_STATS by the names of its attributes, TCP_CC_INFO by the fields
// of each controller's structure.
// Owns: the translation. Does not own: tcp_info (linux-info.ts), what is counted (src/tcp).
// Read first: include/uapi/linux/tcp.h, include/uapi/linux/inet_diag.h, tcp_get_timestamping_opt_stats.

import type { Host } from './host.ts'
import { linuxInfo } from './linux-info.ts'
import type { Socket } from './sockets.ts'
import type { Value } from './target.ts'

/** Attributes that are fields of tcp_info, by their names there. */
const FROM_INFO: Readonly<Record<string, string>> = {
  TCP_NLA_BUSY: 'tcpi_busy_time',
  TCP_NLA_RWND_LIMITED: 'tcpi_rwnd_limited',
  TCP_NLA_SNDBUF_LIMITED: 'tcpi_sndbuf_limited',
  TCP_NLA_DATA_SEGS_OUT: 'tcpi_data_segs_out',
  TCP_NLA_TOTAL_RETRANS: 'tcpi_total_retrans',
  TCP_NLA_PACING_RATE: 'tcpi_pacing_rate',
  TCP_NLA_DELIVERY_RATE: 'tcpi_delivery_rate',
  TCP_NLA_SND_CWND: 'tcpi_snd_cwnd',
  TCP_NLA_REORDERING: 'tcpi_reordering',
  TCP_NLA_MIN_RTT: 'tcpi_min_rtt',
  TCP_NLA_RECUR_RETRANS: 'tcpi_retransmits',
  TCP_NLA_DELIVERY_RATE_APP_LMT: 'tcpi_delivery_rate_app_limited',
  TCP_NLA_CA_STATE: 'tcpi_ca_state',
  TCP_NLA_SND_SSTHRESH: 'tcpi_snd_ssthresh',
  TCP_NLA_DELIVERED: 'tcpi_delivered',
  TCP_NLA_DELIVERED_CE: 'tcpi_delivered_ce',
  TCP_NLA_BYTES_SENT: 'tcpi_bytes_sent',
  TCP_NLA_BYTES_RETRANS: 'tcpi_bytes_retrans',
  TCP_NLA_DSACK_DUPS: 'tcpi_dsack_dups',
  TCP_NLA_REORD_SEEN: 'tcpi_reord_seen',
  TCP_NLA_SRTT: 'tcpi_rtt',
  TCP_NLA_BYTES_NOTSENT: 'tcpi_notsent_bytes',
}

/** The attributes of SCM_TIMESTAMPING_OPT_STATS, by name. */
export function timestampingStats(host: Host, at: Socket): Value {
  const info = linuxInfo(host, at)
  const { connection } = at
  const stats: Record<string, number> = { TCP_NLA_TIMEOUT_REHASH: 0 }
  for (const [name, field] of Object.entries(FROM_INFO)) stats[name] = info[field] ?? 0
  if (connection !== null) stats.TCP_NLA_SNDQ_SIZE = connection.unackedBytes + connection.unsentBytes
  return stats
}

/** Gains of BBR in 1/256, alpha of DCTCP in 1/1024. */
const GAIN_UNIT = 256
const ALPHA_UNIT = 1024

/** bbr_high_gain has one more than its fraction. */
const gainOf = (gain: number): number => (gain > 2 ? Math.ceil(gain * GAIN_UNIT) : Math.floor(gain * GAIN_UNIT))

/** TCP_CC_INFO: empty for controllers that tell nothing. */
export function controllerInfo(host: Host, at: Socket): Value {
  const data = at.connection?.tcb.cc.data as Readonly<Record<string, unknown>> | null | undefined
  const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0)
  const name = at.connection?.tcb.config.congestion ?? host.settings.tcp.congestion
  if (data === null || data === undefined) return {}
  if (name === 'bbr') {
    const model = (data.model ?? {}) as Readonly<Record<string, unknown>>
    const rate = Math.floor(number(model.bandwidth))
    const isBefore = rate === 0 // until the first acknowledgement
    const minRtt = linuxInfo(host, at).tcpi_min_rtt
    return {
      bbr_bw_lo: rate % 2 ** 32,
      bbr_bw_hi: Math.floor(rate / 2 ** 32),
      bbr_min_rtt: isBefore ? minRtt : number(model.minRttUs),
      bbr_pacing_gain: isBefore ? 0 : gainOf(number(data.pacingGain)),
      bbr_cwnd_gain: isBefore ? 0 : gainOf(number(data.cwndGain)),
    }
  }
  if (name !== 'dctcp') return {}
  return {
    dctcp_enabled: 1,
    dctcp_ce_state: 0,
    dctcp_alpha: Math.floor(number(data.alpha) * ALPHA_UNIT),
    dctcp_ab_ecn: number(data.bytesMarked),
    dctcp_ab_tot: number(data.bytesAcked),
  }
}
