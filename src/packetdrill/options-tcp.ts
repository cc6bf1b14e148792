// Socket options of the level IPPROTO_TCP: their numbers, bounds, and what they mean to our stack.
// Owns: this table. Does not own: the calls (calls-options.ts), tcp_info's fields (linux-info.ts).
// Read first: tcp(7), and do_tcp_setsockopt of Linux for the bounds.

import { MILLISECOND, SECOND } from '../base/time.ts'
import { parseAddress } from '../ip/address.ts'
import { timestampNow } from '../tcp/timestamps.ts'
import { isFields } from './arguments.ts'
import { LINUX_CUBIC } from './linux-cubic.ts'
import { linuxInfo } from './linux-info.ts'
import { controllerInfo } from './linux-stats.ts'
import { kept, type Option, onOff, readOnly, retune } from './options-socket.ts'
import { type Socket, TCP_STATE } from './sockets.ts'
import { CONGESTION, notSent, synTimeoutUs } from './sysctl.ts'
import type { Value } from './target.ts'

const isFresh = (at: Socket): boolean => at.state === TCP_STATE.CLOSE
const isFreshOrListening = (at: Socket): boolean => isFresh(at) || at.state === TCP_STATE.LISTEN

const maxSegment: Option = {
  ...kept('MAXSEG'),
  set(host, at, value) {
    if (value !== 0 && (value < 88 || value > 32767)) return 'EINVAL'
    at.options.set('MAXSEG', value)
    retune(host, at, { mss: value === 0 ? 65495 : value })
    return ''
  },
  get(_, at) {
    const own = at.options.get('MAXSEG') ?? 0
    if (own !== 0 && isFreshOrListening(at)) return own
    return at.connection !== null && at.connection.tcb.snd.mss > 0 ? at.connection.tcb.snd.mss : 536
  },
}

/** Seconds that mean a setting in microseconds. */
const seconds = (name: string, knob: 'keepAliveIdleUs' | 'keepAliveIntervalUs', usual: number): Option => ({
  ...kept(name, usual),
  set(host, at, value) {
    if (value < 1 || value > 32767) return 'EINVAL'
    at.options.set(name, value)
    retune(host, at, { [knob]: value * SECOND })
    return ''
  },
  get: (host, at) => at.options.get(name) ?? (host.settings.tcp[knob] ?? usual * SECOND) / SECOND,
})

const keepCount: Option = {
  ...kept('KEEPCNT', 9),
  set(host, at, value) {
    if (value < 1 || value > 127) return 'EINVAL'
    at.options.set('KEEPCNT', value)
    retune(host, at, { keepAliveCount: value })
    return ''
  },
  get: (host, at) => at.options.get('KEEPCNT') ?? host.settings.tcp.keepAliveCount ?? 9,
}

const synCount: Option = {
  ...kept('SYNCNT', 6),
  set(host, at, value) {
    if (value < 1 || value > 127) return 'EINVAL'
    at.options.set('SYNCNT', value)
    retune(host, at, { synTimeoutUs: synTimeoutUs(value, host.settings.tcp.synLinearTimeouts) })
    return ''
  },
  get: (host, at) => at.options.get('SYNCNT') ?? host.settings.synRetries,
}

const linger2: Option = {
  ...kept('LINGER2'),
  set(host, at, value) {
    const limited = value < 0 ? -1 : Math.min(value, 120)
    at.options.set('LINGER2', limited)
    const usual = host.settings.tcp.finWait2TimeoutUs ?? 60 * SECOND
    retune(host, at, { finWait2TimeoutUs: limited < 0 ? -1 : limited === 0 ? usual : limited * SECOND })
    return ''
  },
  get(host, at) {
    const own = at.options.get('LINGER2') ?? 0
    return own !== 0 ? own : (host.settings.tcp.finWait2TimeoutUs ?? 60 * SECOND) / SECOND
  },
}

/** Linux counts the wait in retransmissions of SYN,ACK, and so tells it: 1, 3, 7, 15 ... seconds. */
function deferredSeconds(value: number): number {
  if (value <= 0) return 0
  let total = 1
  for (let step = 1, count = 1; value > total && count < 255; count++) {
    step = Math.min(120, 2 * step)
    total += step
  }
  return total
}

const deferAccept: Option = {
  ...kept('DEFER_ACCEPT'),
  set(host, at, value) {
    const told = deferredSeconds(value)
    at.options.set('DEFER_ACCEPT', told)
    retune(host, at, { deferAcceptUs: Math.min(told, 3600) * SECOND })
    return ''
  },
}

const windowClamp: Option = {
  ...kept('WINDOW_CLAMP'),
  set(host, at, value) {
    if (value === 0) return isFresh(at) ? '' : 'EINVAL'
    const clamp = Math.max(1152, value)
    at.options.set('WINDOW_CLAMP', clamp)
    const first = host.settings.tcp.receiveBufferBytes ?? 65536
    const bytes = Math.min(clamp, at.changes.receiveBufferBytes ?? first)
    retune(host, at, { receiveBufferBytes: bytes, ...(isFreshOrListening(at) ? { receiveBufferMaxBytes: clamp } : {}) })
    return ''
  },
}

const quickAck: Option = {
  ...kept('QUICKACK', 1),
  set(_, at, value) {
    if (at.connection !== null && at.state !== TCP_STATE.CLOSE) at.connection.quickAck((value & 1) !== 0)
    return ''
  },
  get(_, at) {
    if (at.connection === null) return 1
    const { ack, config } = at.connection.tcb
    return ack.replies >= Math.max(1, config.interactiveReplies) ? 0 : 1
  },
}

const congestion: Option = {
  name: 'CONGESTION',
  bytes: 1,
  set(host, at, _, raw) {
    const name = typeof raw === 'string' ? raw : ''
    const known = CONGESTION[name]
    if (known === undefined) return 'ENOENT'
    at.congestion = name
    retune(host, at, { congestion: known })
    return ''
  },
  get: (host, at) => at.congestion || (host.settings.tcp.congestion ?? 'cubic').replace(LINUX_CUBIC, 'cubic'),
}

const userTimeout: Option = {
  ...kept('USER_TIMEOUT'),
  set(host, at, value) {
    if (value < 0) return 'EINVAL'
    at.options.set('USER_TIMEOUT', value)
    retune(host, at, { userTimeoutUs: value * MILLISECOND })
    return ''
  },
}

const lowWater: Option = {
  ...kept('NOTSENT_LOWAT'),
  set(host, at, value) {
    at.options.set('NOTSENT_LOWAT', value)
    retune(host, at, { notSentLowWaterBytes: notSent(value >>> 0) })
    return ''
  },
}

const fastOpen: Option = {
  ...kept('FASTOPEN'),
  set(host, at, value) {
    if (value < 0 || !isFreshOrListening(at)) return 'EINVAL'
    at.options.set('FASTOPEN', Math.min(value, host.settings.somaxconn))
    if (at.listener !== null) {
      const takes = (host.settings.fastOpen & 2) !== 0 && value > 0
      at.listener.configure({ fastOpen: takes, fastOpenQueue: Math.min(value, host.settings.somaxconn) })
    }
    return ''
  },
}

const fastOpenConnect: Option = {
  ...kept('FASTOPEN_CONNECT'),
  set(host, at, value) {
    if (value < 0 || value > 1) return 'EINVAL'
    if ((host.settings.fastOpen & 1) === 0) return 'EOPNOTSUPP'
    if (!isFresh(at)) return 'EINVAL'
    at.options.set('FASTOPEN_CONNECT', value)
    return ''
  },
}

const withoutCookie: Option = {
  ...kept('FASTOPEN_NO_COOKIE'),
  set(host, at, value) {
    if (value < 0 || value > 1 || !isFreshOrListening(at)) return 'EINVAL'
    at.options.set('FASTOPEN_NO_COOKIE', value)
    at.listener?.configure({ fastOpenCookieless: value === 1 || (host.settings.fastOpen & 0x200) !== 0 })
    return ''
  },
}

const timestamp: Option = {
  name: 'TIMESTAMP',
  bytes: 4,
  set: () => 'EPERM', // only a socket under repair
  get: (host, at) => (at.connection === null ? 0 : timestampNow(at.connection.tcb, host.now) >>> 0),
}

const md5: Option = {
  name: 'MD5SIG',
  bytes: 1,
  set(host, at, _, raw) {
    if (!isFields(raw)) return 'EINVAL'
    const peer = raw.tcpm_addr ?? null
    const text = isFields(peer) ? (peer.sin_addr ?? peer.sin6_addr) : peer
    const address = (typeof text === 'string' ? parseAddress(text) : null) ?? host.remote
    const key = raw.tcpm_key
    at.md5Keys = at.md5Keys.filter((other) => !other.address.equals(address))
    if (typeof key !== 'string' || key.length === 0) return ''
    at.md5Keys.push({ address: address.clone(), key })
    return ''
  },
  get: () => '!ENOPROTOOPT',
}

const savedSyn: Option = {
  name: 'SAVED_SYN',
  bytes: 0,
  set: () => 'ENOPROTOOPT',
  get: () => null as Value,
}

/** TCP_TIMEOUT_MIN: two of Linux's ticks of 4 ms. */
const LEAST_TIMER_US = 8000
const USUAL_DELAY_US = 40 * MILLISECOND

/** A bound of a timer; of the host's own where it was not set. */
function timer(
  name: string,
  unitUs: number,
  usual: number,
  least: number,
  most: number,
  knob: 'maxRtoUs' | 'minRtoUs' | 'delayedAckMaxUs',
): Option {
  return {
    ...kept(name),
    set(host, at, value) {
      if (value < least || value > most) return 'EINVAL'
      at.options.set(name, value)
      const us = value * unitUs
      const delay = host.settings.tcp.delayedAckUs ?? USUAL_DELAY_US
      retune(host, at, { [knob]: us, ...(knob === 'delayedAckMaxUs' ? { delayedAckUs: Math.min(us, delay) } : {}) })
      return ''
    },
    get(host, at) {
      return at.options.get(name) ?? Math.round((host.settings.tcp[knob] ?? usual * unitUs) / unitUs)
    },
  }
}

/** TCP_CORK and TCP_NODELAY. */
const cork = onOff('CORK', (on) => ({ cork: on }))
const noDelay = onOff('NODELAY', (on) => ({ nagle: !on }))

/** Options of the level IPPROTO_TCP, by number. */
export const TCP_OPTIONS: Readonly<Record<number, Option>> = {
  1: noDelay,
  2: maxSegment,
  3: cork,
  4: seconds('KEEPIDLE', 'keepAliveIdleUs', 7200),
  5: seconds('KEEPINTVL', 'keepAliveIntervalUs', 75),
  6: keepCount,
  7: synCount,
  8: linger2,
  9: deferAccept,
  10: windowClamp,
  11: readOnly('INFO', (host, at) => linuxInfo(host, at)),
  12: quickAck,
  13: congestion,
  14: md5,
  16: kept('THIN_LINEAR_TIMEOUTS', 0, 0, 1),
  17: kept('THIN_DUPACK', 0, 0, 1),
  18: userTimeout,
  19: { ...kept('REPAIR'), set: () => 'EPERM' },
  23: fastOpen,
  24: timestamp,
  25: lowWater,
  26: readOnly('CC_INFO', controllerInfo),
  27: kept('SAVE_SYN', 0, 0, 2),
  28: savedSyn,
  30: fastOpenConnect,
  31: { ...kept('ULP'), set: () => 'ENOENT' },
  33: {
    name: 'FASTOPEN_KEY',
    bytes: 0,
    set: (_, __, value, raw) => (typeof raw === 'string' || value === 0 ? '' : 'EINVAL'),
    get: () => null,
  },
  34: withoutCookie,
  36: kept('INQ', 0, 0, 1),
  37: kept('TX_DELAY', 0, 0),
  20: { ...kept('REPAIR_QUEUE'), set: () => 'EPERM', get: () => '!EINVAL' },
  21: { ...kept('QUEUE_SEQ'), set: () => 'EPERM', get: () => '!EINVAL' },
  22: { ...kept('REPAIR_OPTIONS'), set: () => 'EINVAL', get: () => '!ENOPROTOOPT' },
  29: { ...kept('REPAIR_WINDOW'), set: () => 'EPERM', get: () => '!EPERM' },
  43: readOnly('IS_MPTCP', () => 0),
  44: timer('RTO_MAX_MS', MILLISECOND, 120_000, 1000, 120_000, 'maxRtoUs'),
  45: timer('RTO_MIN_US', 1, 200_000, LEAST_TIMER_US, 200_000, 'minRtoUs'),
  46: timer('DELACK_MAX_US', 1, 200_000, LEAST_TIMER_US, 200_000, 'delayedAckMaxUs'),
}
