// What scripts set with sysctl, and what it means to our stack: Linux's net.ipv4.tcp_*, net.core.* and FreeBSD's net.inet.tcp.*, with their
// units. Owns: the table, Linux's defaults for our settings. Does not own: the settings themselves (src/tcp/config.ts).
// Read first: Documentation/networking/ip-sysctl.rst of Linux, tcp(4) of FreeBSD.

import type { SipKey } from '../base/siphash.ts'
import { MILLISECOND, SECOND } from '../base/time.ts'
import type { TcpConfig } from '../tcp/config.ts'
import { LINUX_CUBIC } from './linux-cubic.ts'

/** Linux's defaults where ours differ: no probing for path MTUs, its buffers, its limits, no ABE. */
export const LINUX_DEFAULTS: Partial<TcpConfig> = {
  abe: false,
  congestion: LINUX_CUBIC,
  corkLimitUs: 200 * MILLISECOND,
  initialRtoUs: SECOND,
  pathMtuProbing: false,
  pathMtuBlackHole: false,
  receiveBufferBytes: 65536, // half of tcp_rmem[1]: the other half is overhead
  receiveBufferMaxBytes: 6291456,
  receiveBufferAutotune: true,
  sendBufferBytes: 16384, // tcp_wmem[1], which grows with the first window (linux-send.ts)
  sendBufferMaxBytes: 4194304,
  sendBufferAutotune: true,
  windowGrowth: 'linux',
  softErrorsEndOpening: true,
  reducedFrom: 'cwnd',
  finAck: 'delayed',
  sackDelayUs: MILLISECOND,
  synLinearTimeouts: 4,
  synTimeoutUs: 131 * SECOND,
  userTimeoutFrom: 'retransmission',
  retransmitTimeoutUs: 924_600 * MILLISECOND,
}

/** What is known of the host besides the settings of its connections. */
export interface HostSettings {
  /** Defaults of every connection. */
  tcp: Partial<TcpConfig>
  /** Bits of tcp_fastopen: 1 client, 2 server, 4 text without a cookie, 0x200 taken without one, 0x400 every listener. */
  fastOpen: number
  /** Keys of cookies: the one in use, and the one before; none: a random one. */
  fastOpenKeys: readonly SipKey[]
  somaxconn: number
  rmemMax: number
  wmemMax: number
  /** SO_RCVBUF and SO_SNDBUF of a new socket, as getsockopt tells them. */
  rmemDefault: number
  wmemDefault: number
  /** Retransmissions of a SYN; TCP_SYNCNT. */
  synRetries: number
  /** R2 of a connection that its application has closed (tcp_orphan_retries). */
  orphanTimeoutUs: number
  firstPort: number
  lastPort: number
}

/** A host as Linux sets it up. */
export function linuxHost(): HostSettings {
  return {
    tcp: { ...LINUX_DEFAULTS },
    fastOpen: 1,
    fastOpenKeys: [],
    somaxconn: 4096,
    rmemMax: 212992,
    wmemMax: 212992,
    rmemDefault: 131072,
    wmemDefault: 16384,
    synRetries: 6,
    orphanTimeoutUs: retriesTimeoutUs(8),
    firstPort: 32768,
    lastPort: 60999,
  }
}

/** Takes a value; returns why it cannot, or null. */
type Setter = (host: HostSettings, value: number, text: string) => string | null

const tcp =
  (change: (value: number) => Partial<TcpConfig>): Setter =>
  (host, value) => {
    Object.assign(host.tcp, change(value))
    return null
  }
const flag = (name: keyof TcpConfig): Setter => tcp((value) => ({ [name]: value !== 0 }))
const scaled = (name: keyof TcpConfig, unit: number): Setter => tcp((value) => ({ [name]: value * unit }))
const host =
  (change: (value: number) => Partial<HostSettings>): Setter =>
  (settings, value) => {
    Object.assign(settings, change(value))
    return null
  }
/** Known, and nothing in our stack depends on it. */
const ignored: Setter = () => null

const ECN = ['off', 'on', 'passive', 'accurate', 'on', 'passive']

/** Linux's and FreeBSD's three numbers of a buffer: least, first, most. */
function threeNumbers(text: string): readonly number[] | null {
  const numbers = text.split(/[\s,]+/).map(Number)
  return numbers.length === 3 && numbers.every((n) => Number.isInteger(n) && n >= 0) ? numbers : null
}

const receiveMemory: Setter = (settings, _, text) => {
  const numbers = threeNumbers(text)
  if (numbers === null) return 'takes three whole numbers'
  const [, first, most] = numbers
  settings.rmemDefault = first
  settings.tcp.receiveBufferBytes = Math.max(1, first >> 1)
  settings.tcp.receiveBufferMaxBytes = Math.max(first >> 1, most)
  return null
}

const sendMemory: Setter = (settings, _, text) => {
  const numbers = threeNumbers(text)
  if (numbers === null) return 'takes three whole numbers'
  const [, first, most] = numbers
  settings.wmemDefault = first
  settings.tcp.sendBufferBytes = first
  settings.tcp.sendBufferMaxBytes = Math.max(first, most)
  return null
}

const congestion: Setter = (settings, _, text) => {
  const name = CONGESTION[text]
  if (name === undefined) return `knows cubic, reno, newreno, bbr and dctcp, not '${text}'`
  settings.tcp.congestion = name
  return null
}

/** Congestion controllers by Linux's and FreeBSD's names. */
export const CONGESTION: Readonly<Record<string, string>> = {
  cubic: LINUX_CUBIC,
  reno: 'reno',
  newreno: 'newreno',
  bbr: 'bbr',
  bbr2: 'bbr',
  dctcp: 'dctcp',
}

/** How long a SYN is tried: `linear` waits of a second, then `retries` retransmissions, each wait twice the one before. */
export function synTimeoutUs(retries: number, linear = 4): number {
  let total = linear * SECOND
  for (let i = 0; i <= retries; i++) total += Math.min(120, 2 ** Math.min(i, 20)) * SECOND
  return Math.max(MILLISECOND, total)
}

/** R2 for so many retransmissions: Linux counts them as time, from a timeout of 200 ms on (retransmits_timed_out). */
export function retriesTimeoutUs(retries: number): number {
  const doublings = Math.min(retries, 9)
  const doubled = (2 ** (doublings + 1) - 1) * 200 * MILLISECOND
  return doubled + Math.max(0, retries - 9) * 120 * SECOND
}

const windowScaleAndTimestamps = tcp((value) => ({
  windowScale: value !== 0 && value !== 3,
  timestamps: value !== 0 && value !== 2,
}))

/** A key of Fast Open's cookies as Linux writes it; null for what is none. */
function fastOpenKey(text: string): SipKey | null {
  const words = text.trim().split('-')
  if (words.length !== 4 || !words.every((word) => /^[0-9a-fA-F]{1,8}$/.test(word))) return null
  const [a, b, c, d] = words.map((word) => Number.parseInt(word, 16) | 0)
  return [a, b, c, d]
}

const LINUX: Readonly<Record<string, Setter>> = {
  tcp_abort_on_overflow: flag('abortOnOverflow'),
  tcp_challenge_ack_limit: ignored,
  tcp_congestion_control: congestion,
  tcp_comp_sack_delay_ns: tcp((value) => ({ sackDelayUs: Math.min(100_000, Math.floor(value / 1000)) })),
  tcp_dsack: flag('dsack'),
  tcp_early_retrans: tcp((value) => ({ tailLossProbe: value >= 3 })),
  tcp_ecn: (settings, value) => {
    if (ECN[value] === undefined) return 'is 0 to 5'
    settings.tcp.ecn = ECN[value]
    return null
  },
  tcp_fastopen: host((value) => ({ fastOpen: value })),
  tcp_fastopen_key: (settings, _, text) => {
    const keys = text.split(',').map(fastOpenKey)
    if (keys.length > 2 || keys.includes(null))
      return 'takes a key, or two, each as xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx'
    settings.fastOpenKeys = keys as SipKey[]
    return null
  },
  tcp_fin_timeout: scaled('finWait2TimeoutUs', SECOND),
  tcp_frto: flag('frto'),
  tcp_invalid_ratelimit: scaled('challengeIntervalUs', MILLISECOND),
  tcp_keepalive_intvl: scaled('keepAliveIntervalUs', SECOND),
  tcp_keepalive_probes: scaled('keepAliveCount', 1),
  tcp_keepalive_time: scaled('keepAliveIdleUs', SECOND),
  tcp_max_syn_backlog: tcp((value) => ({ synBacklog: Math.max(1, value) })),
  tcp_moderate_rcvbuf: flag('receiveBufferAutotune'),
  tcp_mtu_probing: tcp((value) => ({ pathMtuProbing: value >= 2, pathMtuBlackHole: value >= 1 })),
  tcp_notsent_lowat: tcp((value) => ({ notSentLowWaterBytes: notSent(value) })),
  tcp_orphan_retries: host((value) => ({ orphanTimeoutUs: retriesTimeoutUs(value === 0 ? 8 : value) })),
  tcp_recovery: tcp((value) => ({ rack: (value & 1) !== 0 })),
  tcp_reordering: scaled('dupThresh', 1),
  tcp_retrans_collapse: flag('retransmitCollapse'),
  tcp_retries1: tcp((value) => ({ retransmitNoticeCount: Math.max(1, value) })),
  tcp_retries2: tcp((value) => ({ retransmitTimeoutUs: retriesTimeoutUs(value) })),
  tcp_rfc1337: flag('timeWaitIgnoresResets'),
  tcp_rmem: receiveMemory,
  tcp_rto_max_ms: scaled('maxRtoUs', MILLISECOND),
  tcp_rto_min_us: scaled('minRtoUs', 1),
  tcp_sack: flag('sack'),
  tcp_slow_start_after_idle: flag('slowStartAfterIdle'),
  tcp_syn_retries: (settings, value) => {
    settings.synRetries = value
    settings.tcp.synTimeoutUs = synTimeoutUs(value, settings.tcp.synLinearTimeouts)
    return null
  },
  tcp_syn_linear_timeouts: (settings, value) => {
    settings.tcp.synLinearTimeouts = Math.min(127, value)
    settings.tcp.synTimeoutUs = synTimeoutUs(settings.synRetries, settings.tcp.synLinearTimeouts)
    return null
  },
  tcp_synack_retries: scaled('synAckRetries', 1),
  tcp_syncookies: tcp((value) => ({ synCookies: value === 0 ? 'never' : value === 2 ? 'always' : 'pressure' })),
  tcp_timestamps: flag('timestamps'),
  tcp_tw_reuse: tcp((value) => ({ timeWaitReuse: value === 1 })),
  tcp_window_scaling: flag('windowScale'),
  tcp_wmem: sendMemory,
}

/** TCP_NOTSENT_LOWAT's "no mark" is the largest number of 32 bits. */
export function notSent(value: number): number {
  return value <= 0 || value > 1 << 26 ? 1 << 26 : value
}

/** Names of Linux's that are known, and without effect here. */
const LINUX_IGNORED = (
  'adv_win_scale allowed_congestion_control ao_enabled app_win autocorking available_congestion_control available_ulp ' +
  'backlog_ack_defer base_mss child_ehash_entries comp_sack_nr comp_sack_slack_ns comp_sack_rtt_percent ' +
  'delack_seg delack_min_us early_demux ecn_fallback ecn_option ecn_option_beacon ehash_entries fack ' +
  'fastopen_blackhole_timeout_sec fwmark_accept l3mdev_accept limit_output_bytes low_latency ' +
  'max_orphans max_reordering max_tw_buckets mem migrate_req min_rtt_wlen min_snd_mss min_tso_segs mtu_probe_floor no_metrics_save ' +
  'no_ssthresh_metrics_save pacing_ca_ratio pacing_ss_ratio pingpong_thresh plb_cong_thresh plb_enabled ' +
  'plb_idle_rehash_rounds plb_rehash_rounds plb_suspend_rto_sec probe_interval probe_threshold rcvbuf_low_rtt reflect_tos ' +
  'shrink_window stdurg thin_dupack thin_linear_timeouts tso_rtt_log tso_win_divisor tw_recycle tw_reuse_delay ' +
  'workaround_signed_windows'
).split(' ')

/** What a route says of the connections over it (ip-route(8)). */
const ROUTE: Readonly<Record<string, Setter>> = {
  congctl: congestion,
  features: (settings, _, text) => {
    if (text === 'ecn') settings.tcp.ecn = 'on'
    return null
  },
  initcwnd: tcp((value) => (value === 0 ? {} : { initialWindowSegments: value })),
  quickack: tcp((value) => (value === 0 ? {} : { delayedAckUs: 0 })),
  rto_min: (settings, _, text) => {
    const found = /^(\d+(?:\.\d+)?)(s|ms|us|)$/.exec(text)
    if (found === null) return 'takes a time'
    settings.tcp.minRtoUs =
      Number(found[1]) * { s: SECOND, ms: MILLISECOND, us: 1, '': MILLISECOND }[found[2] as 's' | 'ms' | 'us' | '']
    return null
  },
}

const CORE: Readonly<Record<string, Setter>> = {
  somaxconn: host((value) => ({ somaxconn: value })),
  rmem_max: host((value) => ({ rmemMax: value })),
  wmem_max: host((value) => ({ wmemMax: value })),
  rmem_default: ignored,
  wmem_default: ignored,
}

const IP: Readonly<Record<string, Setter>> = {
  ip_default_ttl: scaled('hopLimit', 1),
  ip_local_port_range: (settings, _, text) => {
    const [first, last] = text.split(/\s+/).map(Number)
    if (!(first >= 1 && last >= first && last <= 65535)) return 'takes two ports'
    settings.firstPort = first
    settings.lastPort = last
    return null
  },
}

const FREEBSD: Readonly<Record<string, Setter>> = {
  abc_l_var: ignored,
  'cc.abe': flag('abe'),
  'cc.algorithm': congestion,
  delacktime: tcp((value) => ({
    delayedAck: 'fixed',
    delayedAckUs: value * MILLISECOND,
    delayedAckMaxUs: value * MILLISECOND,
  })),
  delayed_ack: tcp((value) => (value === 0 ? { delayedAck: 'fixed', delayedAckUs: 0 } : {})),
  'ecn.enable': (settings, value) => {
    settings.tcp.ecn = ['off', 'on', 'passive', 'accurate', 'accurate'][value] ?? 'off'
    return null
  },
  'fastopen.client_enable': (settings, value) => bit(settings, 1, value),
  'fastopen.server_enable': (settings, value) => bit(settings, 2, value),
  finwait2_timeout: scaled('finWait2TimeoutUs', MILLISECOND),
  initcwnd_segments: scaled('initialWindowSegments', 1),
  keepcnt: scaled('keepAliveCount', 1),
  keepidle: scaled('keepAliveIdleUs', MILLISECOND),
  keepinit: scaled('synTimeoutUs', MILLISECOND),
  keepintvl: scaled('keepAliveIntervalUs', MILLISECOND),
  msl: scaled('mslUs', MILLISECOND),
  recvbuf_auto: flag('receiveBufferAutotune'),
  recvbuf_max: scaled('receiveBufferMaxBytes', 1),
  recvspace: scaled('receiveBufferBytes', 1),
  rexmit_initial: scaled('initialRtoUs', MILLISECOND),
  rexmit_min: scaled('minRtoUs', MILLISECOND),
  'sack.enable': flag('sack'),
  sendbuf_auto: flag('sendBufferAutotune'),
  sendbuf_max: scaled('sendBufferMaxBytes', 1),
  sendspace: scaled('sendBufferBytes', 1),
  syncookies: tcp((value) => ({ synCookies: value === 0 ? 'never' : 'pressure' })),
  syncookies_only: tcp((value) => (value === 0 ? {} : { synCookies: 'always' })),
}

/** FreeBSD names some settings by their RFC: `rfc` and its number. */
const FREEBSD_BY_RFC: Readonly<Record<string, Setter>> = {
  1323: windowScaleAndTimestamps,
  3042: flag('limitedTransmit'),
}

function bit(settings: HostSettings, mask: number, value: number): null {
  settings.fastOpen = value === 0 ? settings.fastOpen & ~mask : settings.fastOpen | mask
  return null
}

/** Branches that have nothing in them which our stack depends on. */
const IGNORED_BRANCHES = [
  /^net\.(ipv4|ipv6)\.(conf|neigh|route|icmp|ip6frag|ipfrag|ping_|igmp|fib_|nexthop|udp|raw|cipso|inet_peer|vs)/,
  /^net\.ipv4\.(ip_|icmp_|min_adv_mss|fwmark|rt_)/,
  /^net\.ipv6\.(auto_flowlabels|flowlabel|ip6|bindv6only|anycast|idgen|mld|xfrm6|seg6)/,
  /^net\.core\./,
  /^net\.inet6?\./,
  /^(kern|vm|kernel|fs|debug|security|hw|net\.link|net\.netfilter|net\.mptcp|net\.unix)\./,
]

function find(name: string): Setter | null {
  const leaf = name.replace(/^net\.(ipv4|core|inet\.tcp)\./, '')
  if (name.startsWith('net.ipv4.tcp_')) {
    return LINUX[leaf] ?? (LINUX_IGNORED.includes(leaf.slice('tcp_'.length)) ? ignored : null)
  }
  if (name.startsWith('route.')) return ROUTE[name.slice('route.'.length)] ?? null
  if (name.startsWith('net.ipv4.') && Object.hasOwn(IP, leaf)) return IP[leaf]
  if (name.startsWith('net.core.') && Object.hasOwn(CORE, leaf)) return CORE[leaf]
  if (name.startsWith('net.inet.tcp.'))
    return FREEBSD[leaf] ?? FREEBSD_BY_RFC[/^rfc(\d+)$/.exec(leaf)?.[1] ?? ''] ?? ignored
  return IGNORED_BRANCHES.some((branch) => branch.test(name)) ? ignored : null
}

/** Sets what a name of Linux's or FreeBSD's means here; returns why it cannot, or null. */
export function applySysctl(settings: HostSettings, name: string, value: string): string | null {
  const normal = name.trim().replaceAll('/', '.')
  const setter = find(normal)
  if (setter === null) return `${normal} is not known here`
  if (setter === ignored) return null
  const text = value.trim().replace(/^"(.*)"$/, '$1')
  const number = Number(text)
  const needsNumber =
    setter !== LINUX.tcp_fastopen_key &&
    setter !== ROUTE.features &&
    setter !== ROUTE.rto_min &&
    setter !== congestion &&
    setter !== receiveMemory &&
    setter !== sendMemory &&
    setter !== IP.ip_local_port_range
  if (needsNumber && (text === '' || !Number.isFinite(number))) return `${normal} takes a number, not '${text}'`
  const reason = setter(settings, number, text)
  return reason === null ? null : `${normal} ${reason}`
}
