// Every knob of a connection: its default, its bounds, and where it comes from. The table is the documentation; values outside the
// bounds are refused with a RangeError that names the knob.

import { MILLISECOND, MINUTE, SECOND } from '../base/time.ts'

/** Settings of a connection. All times in microseconds, sizes in bytes. */
export interface TcpConfig {
  /** Largest MSS to announce and to use; the link's MTU bounds it too. */
  mss: number
  /** Initial congestion window in segments (RFC 6928; the book's slow start has 1). */
  initialWindowSegments: number
  /** Congestion controller by name (src/tcp/congestion). */
  congestion: string
  sendBufferBytes: number
  /** What the receive buffer holds at first, or for good without `receiveBufferAutotune`; the window is told by it. */
  receiveBufferBytes: number
  /** The most that it may grow to. The window scale is chosen for it (RFC 7323 §2.3: windows are below 1 GiB). */
  receiveBufferMaxBytes: number
  /** Let the buffer grow with what the application reads in a round trip, as Linux does. It never shrinks. */
  receiveBufferAutotune: boolean
  /** Offer and accept window scaling (RFC 7323 §2). */
  windowScale: boolean
  /** Offer and accept timestamps (RFC 7323 §3). */
  timestamps: boolean
  /** Offer, accept and use selective acknowledgements (RFC 2018, RFC 6675). */
  sack: boolean
  /** Report text that arrived twice (RFC 2883); needs SACK. */
  dsack: boolean
  /** Tell losses by time (RFC 8985 §6) rather than by counting duplicates; needs SACK. */
  rack: boolean
  /** Probe for a lost tail (RFC 8985 §7); needs SACK. */
  tailLossProbe: boolean
  /** In recovery bring cwnd down in step with what is delivered (RFC 9937) rather than at once. */
  prr: boolean
  /** Take back the reaction to a loss that was none (RFC 3522, RFC 3708, RFC 4015). */
  undo: boolean
  /** Hold back small segments while data is unacknowledged (RFC 9293 §3.7.4). TCP_NODELAY turns it off. */
  nagle: boolean
  /**
   * How to delay acknowledgements (RFC 9293 §3.8.6.3, RFC 5681 §4.2): by count and a fixed time, or as Linux does: quick ones at first
   * and after losses, then by the pauses between segments, and waiting for an answer where answers are usual.
   */
  delayedAck: 'adaptive' | 'fixed'
  /** How long one waits for company, at least when adaptive (RFC 9293 §3.8.6.3: under 0.5 s). 0 acknowledges every segment at once. */
  delayedAckUs: number
  /** How long it waits at most, when adaptive (RFC 9293 §3.8.6.3 [MUST-40]: under 0.5 s). */
  delayedAckMaxUs: number
  /** Acknowledgements without delay at the beginning, after a pause and after losses, when adaptive; the window bounds them too. */
  quickAcks: number
  /** Answers that make a connection interactive, when adaptive: its acknowledgements wait for the next answer. 0: none does. */
  interactiveReplies: number
  /** Acknowledge at the latest when this many full-sized segments have come (RFC 5681 §4.2: 2). */
  ackEverySegments: number
  /** Retransmission timeout before the first measurement (RFC 6298 §2.1). */
  initialRtoUs: number
  /** Least contribution of the variance to the timeout. RFC 6298 §2.4 says 1 s for the whole; Linux and we: 200 ms over SRTT. */
  minRtoUs: number
  /** Greatest timeout (RFC 6298 §2.5: at least 60 s). */
  maxRtoUs: number
  /** Duplicate acknowledgements that mean loss (RFC 5681 §3.2). */
  dupThresh: number
  /** R2 for a SYN: give up opening after this long (RFC 9293 §3.8.3 [MUST-23]: at least 3 minutes). */
  synTimeoutUs: number
  /** R2 for data: give up when nothing was acknowledged for this long (RFC 9293 §3.8.3 [SHLD-11]: at least 100 s). */
  retransmitTimeoutUs: number
  /** Maximum segment lifetime; TIME-WAIT lasts twice as long (RFC 9293 §3.4.2). */
  mslUs: number
  /** How long FIN-WAIT-2 waits for the peer's FIN once the application has closed completely. */
  finWait2TimeoutUs: number
  /** How long a connection that the application has closed may go without progress before it is reset (RFC 6429 §3). */
  orphanTimeoutUs: number
  /** Least time between two acknowledgements of segments that should not have come (RFC 5961 §7). */
  challengeIntervalUs: number
  /** Most separate pieces of text held out of order; what would open another is dropped. */
  outOfOrderRanges: number
  /** When no more pieces can be held, drop the farthest for one before it, though it was reported (RFC 2018 §8), as Linux does. */
  outOfOrderPrune: boolean
  /** Most pieces that SACK blocks may cut the flight into. */
  flightPieces: number
  /** Send probes on an idle connection (RFC 9293 §3.8.4; off by default [MUST-25]). */
  keepAlive: boolean
  /** Idle time before the first keep-alive probe ([MUST-28]: 2 hours by default). */
  keepAliveIdleUs: number
  keepAliveIntervalUs: number
  /** Unanswered probes that end the connection. */
  keepAliveCount: number
  /** IPv4 time to live, IPv6 hop limit (RFC 9293 §3.9.2 [MUST-49]). */
  hopLimit: number
  /** The byte that carries the Diffserv code point and ECN (RFC 9293 §3.9.2). */
  trafficClass: number
}

interface Knob<T> {
  readonly default: T
  readonly least?: number
  readonly most?: number
  /** The words that a text may be; where it is left out whoever uses it knows them. */
  readonly choices?: readonly T[]
  /** It is agreed on, or used up, when the connection opens: later changes are refused. */
  readonly isFixed?: boolean
}

const number = (value: number, least: number, most: number): Knob<number> => ({ default: value, least, most })
const flag = (value: boolean): Knob<boolean> => ({ default: value })
const atOpen = <T>(knob: Knob<T>): Knob<T> => ({ ...knob, isFixed: true })

/** Defaults and bounds of every setting. */
export const KNOBS: { readonly [K in keyof TcpConfig]: Knob<TcpConfig[K]> } = {
  mss: atOpen(number(65495, 48, 65495)),
  initialWindowSegments: atOpen(number(10, 1, 1000)),
  congestion: { default: 'cubic' },
  sendBufferBytes: number(1 << 20, 1, 1 << 26),
  receiveBufferBytes: number(256 << 10, 1, 1 << 30),
  receiveBufferMaxBytes: number(32 << 20, 1, 1 << 30),
  receiveBufferAutotune: flag(true),
  windowScale: atOpen(flag(true)),
  timestamps: atOpen(flag(true)),
  sack: atOpen(flag(true)),
  dsack: flag(true),
  rack: flag(true),
  tailLossProbe: flag(true),
  prr: flag(true),
  undo: flag(true),
  nagle: flag(true),
  delayedAck: { default: 'adaptive', choices: ['adaptive', 'fixed'] },
  delayedAckUs: number(40 * MILLISECOND, 0, 499 * MILLISECOND),
  delayedAckMaxUs: number(200 * MILLISECOND, 0, 499 * MILLISECOND),
  quickAcks: number(16, 0, 1000),
  interactiveReplies: number(1, 0, 1000),
  ackEverySegments: number(2, 1, 1000),
  initialRtoUs: atOpen(number(SECOND, MILLISECOND, MINUTE)),
  minRtoUs: number(200 * MILLISECOND, 0, MINUTE),
  maxRtoUs: number(2 * MINUTE, SECOND, 60 * MINUTE),
  dupThresh: number(3, 1, 1000),
  synTimeoutUs: number(180 * SECOND, MILLISECOND, Number.POSITIVE_INFINITY),
  retransmitTimeoutUs: number(15 * MINUTE, MILLISECOND, Number.POSITIVE_INFINITY),
  mslUs: number(30 * SECOND, 0, 60 * MINUTE),
  finWait2TimeoutUs: number(60 * SECOND, 0, Number.POSITIVE_INFINITY),
  orphanTimeoutUs: number(5 * MINUTE, MILLISECOND, Number.POSITIVE_INFINITY),
  challengeIntervalUs: number(500 * MILLISECOND, 0, MINUTE),
  outOfOrderRanges: number(1024, 4, 1 << 20),
  outOfOrderPrune: flag(false),
  flightPieces: number(16384, 64, 1 << 20),
  keepAlive: flag(false),
  keepAliveIdleUs: number(120 * MINUTE, MILLISECOND, Number.POSITIVE_INFINITY),
  keepAliveIntervalUs: number(75 * SECOND, MILLISECOND, Number.POSITIVE_INFINITY),
  keepAliveCount: number(9, 1, 1000),
  hopLimit: number(64, 1, 255),
  trafficClass: number(0, 0, 255),
}

/** The defaults of all settings. */
export const DEFAULT_CONFIG: TcpConfig = Object.freeze(
  Object.fromEntries(Object.entries(KNOBS).map(([name, knob]) => [name, knob.default])),
) as unknown as TcpConfig

/**
 * A complete configuration: `overrides` over `base`.
 * @throws {TypeError} for an unknown name or a value of the wrong type
 * @throws {RangeError} for a number outside its bounds
 */
export function tcpConfig(overrides: Partial<TcpConfig> = {}, base: TcpConfig = DEFAULT_CONFIG): TcpConfig {
  const result: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(overrides)) {
    if (value === undefined) continue
    const knob = Object.hasOwn(KNOBS, name) ? (KNOBS as Record<string, Knob<unknown>>)[name] : undefined
    if (knob === undefined)
      throw new TypeError(`unknown TCP setting '${name}'; known: ${Object.keys(KNOBS).join(', ')}`)
    if (typeof value !== typeof knob.default)
      throw new TypeError(`TCP setting '${name}' must be a ${typeof knob.default}`)
    if (typeof value === 'number' && !(value >= (knob.least ?? 0) && value <= (knob.most ?? 0))) {
      throw new RangeError(`TCP setting '${name}' is ${value}; it must be from ${knob.least} to ${knob.most}`)
    }
    if (typeof value === 'number' && !name.endsWith('Us') && !Number.isInteger(value)) {
      throw new RangeError(`TCP setting '${name}' is ${value}; it must be a whole number`)
    }
    if (knob.choices !== undefined && !knob.choices.includes(value)) {
      throw new RangeError(`TCP setting '${name}' is '${value}'; it must be one of ${knob.choices.join(', ')}`)
    }
    result[name] = value
  }
  return result as unknown as TcpConfig
}

/**
 * The configuration of a connection that is open, changed while it lives: for the next segments, not for what was sent.
 * @throws {TypeError} {RangeError} as tcpConfig; RangeError too for a setting that is agreed on when a connection opens
 */
export function reconfigure(changes: Partial<TcpConfig>, config: TcpConfig): TcpConfig {
  const changed = tcpConfig(changes, config)
  for (const name of Object.keys(changes) as (keyof TcpConfig)[]) {
    if (KNOBS[name].isFixed === true && changed[name] !== config[name]) {
      throw new RangeError(`TCP setting '${name}' is agreed on when a connection opens: give it to connect or listen`)
    }
  }
  return changed
}
