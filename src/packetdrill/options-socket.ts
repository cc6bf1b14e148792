// Socket options of the levels SOL_SOCKET, IPPROTO_IP and IPPROTO_IPV6: their numbers, bounds, and what they mean to our stack.
// Owns: these tables. Does not own: the calls (calls-options.ts), TCP's own options (options-tcp.ts).

import { SECOND } from '../base/time.ts'
import type { TcpConfig } from '../tcp/config.ts'
import { fieldOf } from './arguments.ts'
import type { Host } from './host.ts'
import { timestampingStats } from './linux-stats.ts'
import { AF, type Socket, TCP_STATE } from './sockets.ts'
import type { Value } from './target.ts'

/** What an option does. Values come as the number that stands for them, structures whole. */
export interface Option {
  /** The name in a socket's table of options. */
  readonly name: string
  /** Takes a value; returns the name of the error, '' for none. */
  set(host: Host, at: Socket, value: number, raw: Value): string
  /** What getsockopt tells; a string is the name of an error after '!'. */
  get(host: Host, at: Socket): Value
  /** Least length of the value in bytes. */
  readonly bytes: number
}

const NEVER = Number.POSITIVE_INFINITY
const LEAST_RECEIVE = 2304
const LEAST_SEND = 4608

/** Applies changes of settings to a socket, whatever it is: for its connection now, for its listener's next, or for later. */
export function retune(host: Host, at: Socket, changes: Partial<TcpConfig>): void {
  Object.assign(at.changes, changes)
  at.listener?.configure(changes)
  if (at.connection !== null && at.state !== TCP_STATE.CLOSE) at.connection.configure(changes)
  host.wake(at)
}

/** An option that is a number without a meaning of its own here: kept and told. */
export function kept(name: string, otherwise = 0, least = Number.NEGATIVE_INFINITY, most = NEVER): Option {
  return {
    name,
    bytes: 4,
    set(_, at, value) {
      if (value < least || value > most) return 'EINVAL'
      at.options.set(name, value)
      return ''
    },
    get: (_, at) => at.options.get(name) ?? otherwise,
  }
}

/** One that is on or off, and told as 1 or 0; `change` says what it means. */
export function onOff(name: string, change: ((on: boolean) => Partial<TcpConfig>) | null = null): Option {
  return {
    name,
    bytes: 4,
    set(host, at, value) {
      at.options.set(name, value === 0 ? 0 : 1)
      if (change !== null) retune(host, at, change(value !== 0))
      return ''
    },
    get: (_, at) => at.options.get(name) ?? 0,
  }
}

/** One that can only be read. */
export function readOnly(name: string, get: Option['get']): Option {
  return { name, bytes: 4, set: () => 'ENOPROTOOPT', get }
}

const buffer = (name: 'SNDBUF' | 'RCVBUF', isForced: boolean): Option => ({
  name,
  bytes: 4,
  set(host, at, value) {
    const { rmemMax, wmemMax } = host.settings
    const bound = isForced ? 2 ** 30 : name === 'SNDBUF' ? wmemMax : rmemMax
    const asked = Math.min(value < 0 && isForced ? 0 : value >>> 0, bound)
    const size = Math.max(2 * asked, name === 'SNDBUF' ? LEAST_SEND : LEAST_RECEIVE)
    at.options.set(name, size)
    if (name === 'SNDBUF') retune(host, at, { sendBufferBytes: Math.min(size, 1 << 26), sendBufferAutotune: false })
    // It will not grow, so that the window scale is for this size.
    else retune(host, at, { receiveBufferBytes: size >> 1, receiveBufferMaxBytes: size >> 1 })
    return ''
  },
  get(host, at) {
    const set = at.options.get(name)
    if (set !== undefined) return set
    const { rmemDefault, wmemDefault } = host.settings
    if (at.connection === null) return name === 'SNDBUF' ? wmemDefault : rmemDefault
    const info = at.connection.info()
    return name === 'SNDBUF' ? info.sendBufferBytes : 2 * info.tcpi_rcv_space
  },
})

const timeout = (name: 'SNDTIMEO' | 'RCVTIMEO'): Option => ({
  name,
  bytes: 16,
  set(_, at, value, raw) {
    const seconds = fieldOf(raw, ['tv_sec'], value)
    const micros = fieldOf(raw, ['tv_usec'])
    if (micros < 0 || micros >= 1e6) return 'EDOM'
    const us = seconds * SECOND + micros
    const limit = us === 0 ? NEVER : Math.max(0, us)
    if (name === 'SNDTIMEO') at.sendTimeoutUs = limit
    else at.receiveTimeoutUs = limit
    return ''
  },
  get(_, at) {
    const us = name === 'SNDTIMEO' ? at.sendTimeoutUs : at.receiveTimeoutUs
    const known = us === NEVER ? 0 : us
    return { tv_sec: Math.floor(known / SECOND), tv_usec: known % SECOND }
  },
})

const linger: Option = {
  name: 'LINGER',
  bytes: 8,
  set(host, at, value, raw) {
    const isOn = fieldOf(raw, ['onoff', 'l_onoff'], value) !== 0
    at.lingerSeconds = isOn ? Math.max(0, fieldOf(raw, ['linger', 'l_linger'])) : -1
    retune(host, at, { lingerUs: isOn ? at.lingerSeconds * SECOND : -1 })
    return ''
  },
  get: (_, at) => ({ l_onoff: at.lingerSeconds < 0 ? 0 : 1, l_linger: Math.max(0, at.lingerSeconds) }),
}

/** SO_ERROR takes the error; without one, a soft error that it has not told yet [SHLD-25]. */
const error: Option = readOnly('ERROR', (_, at) => {
  const hard = at.takeError()
  if (hard !== '') return `=${hard}`
  const soft = at.connection?.softError ?? null
  if (soft === null || soft === at.toldSoftError) return 0
  at.toldSoftError = soft
  return `=${soft.code}`
})

const lowWater: Option = {
  ...kept('RCVLOWAT', 1),
  set(host, at, value) {
    at.options.set('RCVLOWAT', value < 0 ? 2 ** 31 - 1 : value || 1)
    host.wake(at)
    return ''
  },
}

const timestamping: Option = {
  name: 'TIMESTAMPING',
  bytes: 4,
  set(host, at, value) {
    at.errors.readStats = () => timestampingStats(host, at)
    return at.errors.setFlags(at, value)
  },
  get: (_, at) => at.errors.flags,
}

/** One whose value is a structure that is not looked at. */
const opaque = (name: string): Option => readOnly(name, () => null)

const refused = (name: string, errno: string): Option => ({ ...readOnly(name, () => `!${errno}`), set: () => errno })

/** SO_BINDTODEVICE: there is one device. */
const device: Option = { ...opaque('BINDTODEVICE'), bytes: 0, set: (_, __, ___, raw) => (raw === '' ? '' : 'ENODEV') }

/** Options of the level SOL_SOCKET, by number. */
export const SOCKET_OPTIONS: Readonly<Record<number, Option>> = {
  1: onOff('DEBUG'),
  2: onOff('REUSEADDR'),
  3: readOnly('TYPE', () => 1),
  4: error,
  5: onOff('DONTROUTE'),
  6: onOff('BROADCAST'),
  7: buffer('SNDBUF', false),
  8: buffer('RCVBUF', false),
  9: onOff('KEEPALIVE', (on) => ({ keepAlive: on })),
  10: onOff('OOBINLINE'),
  11: onOff('NO_CHECK'),
  12: kept('PRIORITY', 0, 0),
  13: linger,
  15: onOff('REUSEPORT'),
  16: refused('PASSCRED', 'EOPNOTSUPP'),
  17: opaque('PEERCRED'),
  18: lowWater,
  19: readOnly('SNDLOWAT', () => 1),
  20: timeout('RCVTIMEO'),
  21: timeout('SNDTIMEO'),
  25: device,
  28: opaque('PEERNAME'),
  29: onOff('TIMESTAMP'),
  30: readOnly('ACCEPTCONN', (_, at) => (at.state === TCP_STATE.LISTEN ? 1 : 0)),
  32: buffer('SNDBUF', true),
  33: buffer('RCVBUF', true),
  35: onOff('TIMESTAMPNS'),
  36: kept('MARK'),
  37: timestamping,
  42: { ...kept('PEEK_OFF', -1, -1) },
  38: readOnly('PROTOCOL', () => 6),
  39: readOnly('DOMAIN', (_, at) => at.family),
  40: onOff('RXQ_OVFL'),
  41: onOff('WIFI_STATUS'),
  43: onOff('NOFCS'),
  44: onOff('LOCK_FILTER'),
  45: onOff('SELECT_ERR_QUEUE'),
  46: kept('BUSY_POLL', 0, 0),
  47: kept('MAX_PACING_RATE', 0xffffffff),
  48: opaque('BPF_EXTENSIONS'),
  49: kept('INCOMING_CPU'),
  55: opaque('MEMINFO'),
  56: readOnly('INCOMING_NAPI_ID', () => 0),
  57: opaque('COOKIE'),
  60: kept('ZEROCOPY', 0, 0, 1),
  61: { ...kept('TXTIME'), get: () => null },
  65: timestamping,
  69: kept('PREFER_BUSY_POLL'),
  74: kept('TXREHASH', 1),
  75: onOff('RCVMARK'),
}

const trafficClass = (name: string): Option => ({
  ...kept(name),
  set(host, at, value) {
    if (name === 'TCLASS' && (value < -1 || value > 255)) return 'EINVAL'
    at.options.set(name, Math.max(0, value) & 0xfc) // ECN's bits are TCP's
    retune(host, at, { trafficClass: Math.max(0, value) & 0xfc })
    return ''
  },
})

const hopLimit = (name: string): Option => ({
  ...kept(name),
  set(host, at, value) {
    if (value !== -1 && (value < 1 || value > 255)) return 'EINVAL'
    const usual = host.settings.tcp.hopLimit ?? 64
    at.options.set(name, value === -1 ? usual : value)
    retune(host, at, { hopLimit: value === -1 ? usual : value })
    return ''
  },
  get: (host, at) => at.options.get(name) ?? host.settings.tcp.hopLimit ?? 64,
})

const pathMtu = readOnly('MTU', (_, at) => (at.connection === null ? '!ENOTCONN' : at.connection.info().tcpi_pmtu))

/** Options of the level IPPROTO_IP, by number. */
export const IP_OPTIONS: Readonly<Record<number, Option>> = {
  1: trafficClass('TOS'),
  2: hopLimit('TTL'),
  4: { ...opaque('OPTIONS'), bytes: 0, set: (_, __, value) => (value === 0 ? '' : 'EINVAL') },
  6: onOff('RECVOPTS'),
  7: onOff('RETOPTS'),
  8: onOff('PKTINFO'),
  10: kept('MTU_DISCOVER', 1, 0, 5),
  11: onOff('RECVERR'),
  12: onOff('RECVTTL'),
  13: onOff('RECVTOS'),
  14: pathMtu,
  15: onOff('FREEBIND'),
  19: onOff('TRANSPARENT'),
  21: kept('MINTTL', 0, 0, 255),
  22: readOnly('NODEFRAG', () => 0),
  24: onOff('BIND_ADDRESS_NO_PORT'),
  26: onOff('RECVERR_RFC4884'),
  51: kept('LOCAL_PORT_RANGE'),
}

const v6only: Option = {
  ...onOff('V6ONLY'),
  set(_, at, value) {
    if (at.bound !== null) return 'EINVAL'
    at.options.set('V6ONLY', value === 0 ? 0 : 1)
    return ''
  },
}

/** IPPROTO_IPV6: of sockets of that family only. */
export const IPV6_OPTIONS: Readonly<Record<number, Option>> = {
  16: hopLimit('UNICAST_HOPS'),
  23: kept('IPV6_MTU_DISCOVER', 1, 0, 5),
  24: pathMtu,
  25: onOff('RECVERR'),
  26: v6only,
  33: onOff('FLOWINFO_SEND'),
  49: onOff('RECVPKTINFO'),
  51: onOff('RECVHOPLIMIT'),
  62: onOff('DONTFRAG'),
  66: onOff('RECVTCLASS'),
  67: trafficClass('TCLASS'),
  70: onOff('AUTOFLOWLABEL'),
  73: kept('MINHOPCOUNT', 0, 0, 255),
  75: onOff('IPV6_TRANSPARENT'),
  78: onOff('IPV6_FREEBIND'),
}

/** Whether a socket has IPv6's options. */
export function hasIpv6(at: Socket): boolean {
  return at.family === AF.inet6
}
