// Names that FreeBSD's scripts use and Linux does not know. Where Linux has the same thing by another name they stand for its number;
// the others stand for numbers of our own, from FREEBSD_ONLY on: options that are kept and told, without effect.
// Owns: the tables. Does not own: what is done with them (calls-options.ts, calls-poll.ts).

/** Where numbers begin that no option of Linux's has. */
export const FREEBSD_ONLY = 0x10000

const SAME: Readonly<Record<string, number>> = {
  TCP_NOPUSH: 3, // TCP_CORK
  FIONWRITE: 0x5411, // SIOCOUTQ
  FIONSPACE: 0x40046676,
  // States by FreeBSD's names, as Linux numbers them
  TCPS_CLOSED: 7,
  TCPS_LISTEN: 10,
  TCPS_SYN_SENT: 2,
  TCPS_SYN_RECEIVED: 3,
  TCPS_ESTABLISHED: 1,
  TCPS_CLOSE_WAIT: 8,
  TCPS_FIN_WAIT_1: 4,
  TCPS_CLOSING: 11,
  TCPS_LAST_ACK: 9,
  TCPS_FIN_WAIT_2: 5,
  TCPS_TIME_WAIT: 6,
}

const KEPT =
  'SO_NOSIGPIPE SO_USELOOPBACK SO_USER_COOKIE SO_SETFIB SO_TS_CLOCK SO_REUSEPORT_LB SO_LISTENQLIMIT SO_LISTENQLEN SO_LISTENINCQLEN ' +
  'SO_ACCEPTFILTER SO_NO_OFFLOAD SO_NO_DDP SO_RERROR SO_BINTIME SO_LABEL SO_PEERLABEL SO_SPLICE ' +
  'TCP_NOOPT TCP_KEEPINIT TCP_FUNCTION_BLK TCP_FUNCTION_ALIAS TCP_CCALGOOPT TCP_MAXUNACKTIME TCP_IDLE_REDUCE TCP_STATS TCP_DELACK ' +
  'TCP_FIN_IS_RST TCP_LOG TCP_LOGBUF TCP_LOGID TCP_LOGID_CNT TCP_LOGDUMP TCP_LOGDUMPID TCP_LOG_TAG TCP_LOG_LIMIT TCP_PCAP_IN ' +
  'TCP_PCAP_OUT TCP_SHARED_CWND_ENABLE TCP_SHARED_CWND_ALLOWED TCP_SHARED_CWND_TIME_LIMIT TCP_PROC_ACCOUNTING TCP_USE_CMP_ACKS ' +
  'TCP_PERF_INFO TCP_LRD TCP_REMOTE_UDP_ENCAPS_PORT TCP_REUSPORT_LB_NUMA TCP_TXTLS_ENABLE TCP_RXTLS_ENABLE TCP_TXTLS_MODE ' +
  'TCP_RXTLS_MODE TCP_IWND_NB TCP_IWND_NSEG TCP_LOGIN_ENABLE TCP_SNDTLS TCP_DATA_AFTER_CLOSE TCP_DEFER_OPTIONS TCP_MAXPEAKRATE ' +
  'TCP_HDWR_RATE_CAP TCP_PACING_RATE_CAP TCP_HDWR_UP_ONLY TCP_TIMELY_DYN_ADJ TCP_FILLCW_RATE_CAP TCP_POLICER_DETECT TCP_HYBRID_PACING ' +
  'TCP_NO_PRR TCP_NO_TIMELY TCP_NON_NAGLE_ALWAYS TCP_REC_ABC_VAL TCP_STACK_SPEC_INFO TCP_SS_EEXIT TCP_DGP_UPPER_BOUNDS'

/** Names of FreeBSD's, with their numbers here. */
export const FREEBSD_CONSTANTS: Readonly<Record<string, number>> = {
  ...SAME,
  ...Object.fromEntries(KEPT.split(' ').map((name, i) => [name, FREEBSD_ONLY + i])),
}

/** Knobs of FreeBSD's other stacks, of which there are many: one number stands for them all. */
const OF_ANOTHER_STACK = /^TCP_(RACK|BBR|PACING|GP|RTO)_[A-Z0-9_]+$/

/** The number of a name that only FreeBSD knows; null for any other. */
export function freebsdConstant(name: string): number | null {
  return FREEBSD_CONSTANTS[name] ?? (OF_ANOTHER_STACK.test(name) ? FREEBSD_ONLY + 0xfff : null)
}
