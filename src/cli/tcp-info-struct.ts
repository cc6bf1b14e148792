// Linux's struct tcp_info as names and numbers. The struct only ever grew at its end, so a kernel gives a prefix of what stands here, or
// more, which is left alone.
// Owns: the layout. Does not own: our own picture of a connection (src/tcp/info.ts).
// Read first: linux/tcp.h.

/** The fields in their order, with the size of each in bytes; a name that starts with '-' is padding. Sizes are their alignment too. */
const FIELDS: readonly (readonly [number, string])[] = [
  [4, 'tcpi_rto tcpi_ato tcpi_snd_mss tcpi_rcv_mss tcpi_unacked tcpi_sacked tcpi_lost tcpi_retrans tcpi_fackets'],
  [4, 'tcpi_last_data_sent tcpi_last_ack_sent tcpi_last_data_recv tcpi_last_ack_recv tcpi_pmtu tcpi_rcv_ssthresh'],
  [4, 'tcpi_rtt tcpi_rttvar tcpi_snd_ssthresh tcpi_snd_cwnd tcpi_advmss tcpi_reordering tcpi_rcv_rtt tcpi_rcv_space'],
  [4, 'tcpi_total_retrans'],
  [8, 'tcpi_pacing_rate tcpi_max_pacing_rate tcpi_bytes_acked tcpi_bytes_received'],
  [4, 'tcpi_segs_out tcpi_segs_in tcpi_notsent_bytes tcpi_min_rtt tcpi_data_segs_in tcpi_data_segs_out'],
  [8, 'tcpi_delivery_rate tcpi_busy_time tcpi_rwnd_limited tcpi_sndbuf_limited'],
  [4, 'tcpi_delivered tcpi_delivered_ce'],
  [8, 'tcpi_bytes_sent tcpi_bytes_retrans'],
  [4, 'tcpi_dsack_dups tcpi_reord_seen tcpi_rcv_ooopack tcpi_snd_wnd tcpi_rcv_wnd tcpi_rehash'],
  [2, 'tcpi_total_rto tcpi_total_rto_recoveries'],
  [4, 'tcpi_total_rto_time tcpi_received_ce tcpi_delivered_e1_bytes tcpi_delivered_e0_bytes tcpi_delivered_ce_bytes'],
  [4, 'tcpi_received_e1_bytes tcpi_received_e0_bytes tcpi_received_ce_bytes'],
]

/** Room for any kernel's. */
export const TCP_INFO_BYTES = 512

/** Reads what the kernel has filled in: the first `length` bytes. Fields beyond are left out. */
export function readTcpInfo(bytes: Buffer, length: number): Record<string, number> {
  const info: Record<string, number> = {}
  const names = ['tcpi_state', 'tcpi_ca_state', 'tcpi_retransmits', 'tcpi_probes', 'tcpi_backoff', 'tcpi_options']
  for (const [i, name] of names.entries()) info[name] = bytes[i]
  info.tcpi_snd_wscale = bytes[6] & 15
  info.tcpi_rcv_wscale = bytes[6] >> 4
  info.tcpi_delivery_rate_app_limited = bytes[7] & 1
  info.tcpi_fastopen_client_fail = (bytes[7] >> 1) & 3
  let at = 8
  for (const [size, list] of FIELDS) {
    at = Math.ceil(at / size) * size
    for (const name of list.split(' ')) {
      if (at + size > length) return info
      info[name] =
        size === 8 ? Number(bytes.readBigUInt64LE(at)) : size === 4 ? bytes.readUInt32LE(at) : bytes.readUInt16LE(at)
      at += size
    }
  }
  return info
}
