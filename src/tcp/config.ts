// Every knob of a connection: its default, its bounds, and where it comes from. The table is the documentation; values outside the
// bounds are refused with a RangeError that names the knob.

import { didYouMean } from '../base/suggest.ts'
import { MILLISECOND, MINUTE, SECOND } from '../base/time.ts'
import { atOpen, flag, type Knob, number, word } from './knob.ts'

/** Settings of a connection. All times in microseconds, sizes in bytes. */
export interface TcpConfig {
  /** Largest MSS to announce and to use; the link's MTU bounds it too. */
  mss: number
  /** Initial congestion window in segments (RFC 6928; the book's slow start has 1). */
  initialWindowSegments: number
  /**
   * Congestion controller by name: cubic, reno, newreno, bbr, dctcp, fixed (the window stays initialWindowSegments), none (no window of its
   * own: only the peer's counts), or one that was registered.
   */
  congestion: string
  /** What the send buffer takes at first. Given without sendBufferAutotune it is the bound for good, as SO_SNDBUF in Linux. */
  sendBufferBytes: number
  /** Let the send buffer grow with cwnd, so that a long fat path can be filled (send-buffer.ts); as Linux. */
  sendBufferAutotune: boolean
  /** How far it may grow: 16 MiB fill 1 Gbit/s over 100 ms; Linux's tcp_wmem has 4 MiB. */
  sendBufferMaxBytes: number
  /** While so much was not sent yet `write` takes no more: what to send is decided late. The default is never. TCP_NOTSENT_LOWAT. */
  notSentLowWaterBytes: number
  /** What the receive buffer holds at first, or for good without `receiveBufferAutotune`; the window is told by it. */
  receiveBufferBytes: number
  /** The most that it may grow to. The window scale is chosen for it (RFC 7323 §2.3: windows are below 1 GiB). */
  receiveBufferMaxBytes: number
  /** Let the buffer grow with what the application reads in a round trip, as Linux does. It never shrinks. */
  receiveBufferAutotune: boolean
  /** How the window grows: with the buffer (receive-buffer.ts), or as Linux reckons it, for scripts that name windows (linux-window.ts). */
  windowGrowth: 'buffer' | 'linux'
  /** The window of a SYN, before any text has come, is told in whole segments, as in Linux: 64240 rather than 65535. */
  synWindowBySegments: boolean
  /** Offer and accept window scaling (RFC 7323 §2). */
  windowScale: boolean
  /** Offer and accept timestamps (RFC 7323 §3). */
  timestamps: boolean
  /** Refuse segments whose timestamp is older than one taken before (RFC 7323 §5: PAWS); needs timestamps. */
  paws: boolean
  /**
   * While text waits out of order, take text that fits in as reordered though its timestamp is older than TS.Recent, if it was sent within
   * the last 2^29 octets of text, which no old duplicate of another lap can have been. Else every packet that a retransmission has
   * overtaken has to go again (RFC 7323 §5.3 R1 to the letter, and Linux but for one tick).
   */
  pawsTakesReordered: boolean
  /** Offer, accept and use selective acknowledgements (RFC 2018, RFC 6675). */
  sack: boolean
  /** Send text with the SYN to servers whose cookie is known, and take it with theirs (RFC 7413). Text may then arrive twice. */
  fastOpen: boolean
  /**
   * Fast Open without cookies (RFC 7413 §A.1 names its dangers): text goes with the SYN and is taken from it, cookie or not. Only where
   * the network keeps forged SYNs out.
   */
  fastOpenCookieless: boolean
  /** New text on the first two duplicate acknowledgements (RFC 3042). */
  limitedTransmit: boolean
  /** Report text that arrived twice (RFC 2883); needs SACK. */
  dsack: boolean
  /** Tell losses by time (RFC 8985 §6) rather than by counting duplicates; needs SACK. */
  rack: boolean
  /** Probe for a lost tail (RFC 8985 §7); needs SACK. */
  tailLossProbe: boolean
  /** In recovery bring cwnd down in step with what is delivered (RFC 9937) rather than at once. */
  prr: boolean
  /** What a loss halves: FlightSize (RFC 5681 §3.1), or, as Linux, cwnd, used or not (RFC 9438 §4.6 allows it). */
  reducedFrom: 'flight' | 'cwnd'
  /** Take back the reaction to a loss that was none (RFC 3522, RFC 3708, RFC 4015). */
  undo: boolean
  /** After a timeout send new text to find out whether it was needless (RFC 5682), and take it back if so. */
  frto: boolean
  /** Where the RFCs leave room or Linux goes its own way (linux-ways.ts): by them, or as Linux does, for scripts that show it. */
  heuristics: 'rfc' | 'linux'
  /** Join neighbours that were lost into segments of full size when they go again (RFC 9293 §3.8, repacketization). */
  retransmitCollapse: boolean
  /** Neither send small segments into nor tell of small openings of a window (RFC 9293 §3.8.6.2 [MUST-38] [MUST-39]). */
  sillyWindowAvoidance: boolean
  /**
   * Spread packets over the round trip: only where the congestion controller asks for it (BBR), or always, by cwnd and SRTT as Linux's
   * fq does (RFC 9002 §7.7): twice the window a round trip in slow start, 1.2 times it after.
   */
  pacing: 'controller' | 'always'
  /** Hold back small segments while data is unacknowledged (RFC 9293 §3.7.4). TCP_NODELAY turns it off. */
  nagle: boolean
  /**
   * What a small segment waits for. 'rfc': everything in flight (RFC 9293 §3.7.4). 'minshall': only another small one (RFC 9293 §A.3), as
   * in Linux, and the default: else the tail of every answer waits for its full segments, 40 ms where their number is odd and the peer
   * delays its acknowledgement; and there is still never more than one small segment in flight.
   */
  nagleVariant: 'minshall' | 'rfc'
  /** Send only full segments: a part goes when this is turned off, with FIN, or after corkLimitUs, whatever `nagle` says. TCP_CORK. */
  cork: boolean
  /** How long at most a part of a segment waits for `cork`, or for the write that `write(bytes, true)` has promised; Linux: 200 ms. */
  corkLimitUs: number
  /** PSH also when more than half of the peer's greatest window has gone without one, as in Linux (RFC 9293 §3.9.1.2). */
  forcedPush: boolean
  /** Slow start again after a pause of an RTO (RFC 5681 §4.1). Off, 'decay' below is off too. tcp_slow_start_after_idle. */
  slowStartAfterIdle: boolean
  /**
   * What becomes of a congestion window that the application does not use (window-validation.ts). 'decay', as in Linux and the default:
   * each RTO it comes half way down to what is used (RFC 2861). 'keep': it is kept, through pauses too, for five minutes, and a loss
   * meanwhile goes by what was really used (RFC 7661, an experiment). 'off': it stays.
   */
  windowValidation: 'decay' | 'keep' | 'off'
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
  /** A FIN is acknowledged now, or, as Linux, with the answer that may follow it, after the delay at the latest. */
  finAck: 'now' | 'delayed'
  /** From the fourth on duplicate acknowledgements wait so long for each other (tcp_comp_sack_delay_ns). 0: they do not (RFC 5681 §4.2). */
  sackDelayUs: number
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
  /** So many of a SYN's first timeouts do not double the next one: 4 in Linux (tcp_syn_linear_timeouts), 0 by RFC 6298 §5.5. */
  synLinearTimeouts: number
  /** R2 for a SYN: give up opening after this long (RFC 9293 §3.8.3 [MUST-23]: at least 3 minutes). */
  synTimeoutUs: number
  /** How often SYN,ACK goes again before a half-open connection is given up: 5 times, about a minute, as Linux (RFC 4987 §3.3). */
  synAckRetries: number
  /** Most half-open connections of a listener, apart from those that wait to be accepted (Linux's tcp_max_syn_backlog; RFC 4987). */
  synBacklog: number
  /** Most connections of a listener in SYN-RECEIVED whose first text was taken; over that text in a SYN is not (RFC 7413 §5.1). */
  fastOpenQueue: number
  /** When a listener answers with SYN cookies (RFC 4987 §3.6): once `synBacklog` is full; without, the oldest half-open one gives way. */
  synCookies: 'never' | 'pressure' | 'always'
  /** Reset who ends a handshake when nobody accepts, rather than pass it over until there is room (Linux's tcp_abort_on_overflow). */
  abortOnOverflow: boolean
  /** A connection is given to accept only when text or FIN has come, or this much later (Linux's TCP_DEFER_ACCEPT). 0: at once. */
  deferAcceptUs: number
  /** R2 for data: give up when nothing was acknowledged for this long (RFC 9293 §3.8.3 [SHLD-11]: at least 100 s). */
  retransmitTimeoutUs: number
  /** Maximum segment lifetime; TIME-WAIT lasts twice as long (RFC 9293 §3.4.2). */
  mslUs: number
  /**
   * R2 by the application's wish (RFC 9293 §3.8.3 [MUST-21], Linux's TCP_USER_TIMEOUT): bounds the time without progress, also against a
   * shut window and instead of keepAliveCount. 0: retransmitTimeoutUs holds; Infinity: never give up.
   */
  userTimeoutUs: number
  /** What R2 counts from: when the text was sent (RFC 5482 §2), or, as Linux, when it first timed out. */
  userTimeoutFrom: 'text' | 'retransmission'
  /** Tell the peer our user timeout, and heed its (RFC 5482). */
  userTimeoutOption: boolean
  /** L_LIMIT and U_LIMIT: what the peer may bring our user timeout to (RFC 5482 §3.1). */
  userTimeoutLeastUs: number
  userTimeoutMostUs: number
  /** R1: after so many retransmissions of a segment the application is told (RFC 9293 §3.8.3 [SHLD-9]; [SHLD-10]: at least 3). */
  retransmitNoticeCount: number
  /** Tell the application of soft ICMP errors (RFC 9293 §3.9.1.8 [MUST-47] [SHLD-20]). */
  reportSoftErrors: boolean
  /** Soft ICMP errors end an active open too, as in Linux (RFC 5461 §4; RFC 9293 §3.9.2.2 [MUST-56] forbids it). */
  softErrorsEndOpening: boolean
  /** SO_LINGER: -1 close in the background; 0 close resets; else close tells whether all was acknowledged in that time (linger.ts). */
  lingerUs: number
  /** How old a path MTU gets before a larger one is tried (RFC 1191 §6.3, RFC 8201 §4: at least 5 minutes). Infinity: for ever. */
  pathMtuAgeUs: number
  /** Take large segments that vanish without a word for too large (RFC 4821 §7.7). */
  pathMtuBlackHole: boolean
  /** Look for a larger path MTU with probes (RFC 4821 §7); needs SACK. */
  pathMtuProbing: boolean
  /** A reset does not end TIME-WAIT (RFC 1337 §3, fix F1; RFC 9293 §3.10.7.4 lets it, and so do Linux and we by default). */
  timeWaitIgnoresResets: boolean
  /**
   * An active open without a port of its own may take that of a connection in TIME-WAIT for a second, with timestamps, when there is no
   * free one (Linux's tcp_tw_reuse, which is off but for loopback; RFC 9293 §3.6.1 [MUST-13] knows only the peer's SYN).
   */
  timeWaitReuse: boolean
  /** How long FIN-WAIT-2 waits for the peer's FIN once the application has closed completely; -1: not at all, the peer is reset. */
  finWait2TimeoutUs: number
  /** How long a connection that the application has closed may go without progress before it is reset (RFC 6429 §3). */
  orphanTimeoutUs: number
  /** What was received before a reset stays readable, as in Linux (RFC 9293 §3.10.7.4 flushes all queues). */
  resetKeepsText: boolean
  /** Text for an application that has closed is answered with a bare reset, as in Linux (RFC 9293 §3.6.1 [SHLD-3] leaves the form open). */
  answersLateText: boolean
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
  /** Time from one probe to the next while none is answered. */
  keepAliveIntervalUs: number
  /** Unanswered probes that end the connection. */
  keepAliveCount: number
  /** A connection that keep-alive ends is reset too, as in Linux: should the peer live after all, it hears of it. */
  keepAliveResets: boolean
  /** Put an octet of garbage into keep-alive probes, for peers that answer no empty ones (RFC 9293 §3.8.4 [MAY-6]). */
  keepAliveGarbage: boolean
  /** IPv4 time to live, IPv6 hop limit (RFC 9293 §3.9.2 [MUST-49]); 0: the host's. */
  hopLimit: number
  /**
   * Explicit congestion notification (RFC 3168): 'off'; 'passive': accepted when the peer asks (as Linux's default); 'on': asked for too;
   * 'accurate': AccECN (RFC 9768) is asked for and accepted, with RFC 3168 for peers that know no other. DCTCP asks unless 'off'.
   */
  ecn: string
  /**
   * With AccECN tell marked octets in an option too, and read the peer's (RFC 9768 §3.2.3): 'full' with each acknowledgement of new text,
   * 'minimum' when something else comes than before, for marks, and three times a round trip. Linux's tcp_ecn_option.
   */
  accEcnOption: 'full' | 'minimum' | 'off'
  /** A mark costs less of the window than a loss (RFC 8511), in congestion avoidance. */
  abe: boolean
  /** The byte with Diffserv code point and ECN (RFC 9293 §3.9.2). Its ECN bits count only with `ecn: 'off'`, else TCP sets them. */
  trafficClass: number
}

/** Defaults and bounds of every setting. */
export const KNOBS: { readonly [K in keyof TcpConfig]: Knob<TcpConfig[K]> } = {
  mss: number(65495, 48, 65495),
  initialWindowSegments: atOpen(number(10, 1, 1000)),
  congestion: { default: 'cubic' },
  sendBufferBytes: number(1 << 20, 1, 1 << 26),
  sendBufferAutotune: flag(true),
  sendBufferMaxBytes: number(1 << 24, 1, 1 << 26),
  notSentLowWaterBytes: number(1 << 26, 1, 1 << 26),
  receiveBufferBytes: number(256 << 10, 1, 1 << 30),
  receiveBufferMaxBytes: number(32 << 20, 1, 1 << 30),
  receiveBufferAutotune: flag(true),
  windowGrowth: atOpen(word('buffer', 'linux')),
  synWindowBySegments: flag(false),
  windowScale: atOpen(flag(true)),
  timestamps: atOpen(flag(true)),
  paws: flag(true),
  pawsTakesReordered: flag(true),
  sack: atOpen(flag(true)),
  fastOpen: atOpen(flag(false)),
  fastOpenCookieless: atOpen(flag(false)),
  limitedTransmit: flag(true),
  dsack: flag(true),
  rack: flag(true),
  tailLossProbe: flag(true),
  prr: flag(true),
  reducedFrom: word('flight', 'cwnd'),
  undo: flag(true),
  frto: flag(true),
  heuristics: word('rfc', 'linux'),
  retransmitCollapse: flag(true),
  sillyWindowAvoidance: flag(true),
  pacing: word('controller', 'always'),
  nagle: flag(true),
  nagleVariant: word('minshall', 'rfc'),
  cork: flag(false),
  corkLimitUs: number(200 * MILLISECOND, 0, MINUTE),
  forcedPush: flag(true),
  slowStartAfterIdle: flag(true),
  windowValidation: word('decay', 'keep', 'off'),
  delayedAck: word('adaptive', 'fixed'),
  delayedAckUs: number(40 * MILLISECOND, 0, 499 * MILLISECOND),
  delayedAckMaxUs: number(200 * MILLISECOND, 0, 499 * MILLISECOND),
  quickAcks: number(16, 0, 1000),
  interactiveReplies: number(1, 0, 1000),
  finAck: word('now', 'delayed'),
  sackDelayUs: number(0, 0, 100 * MILLISECOND),
  ackEverySegments: number(2, 1, 1000),
  initialRtoUs: atOpen(number(SECOND, MILLISECOND, MINUTE)),
  minRtoUs: number(200 * MILLISECOND, 0, MINUTE),
  maxRtoUs: number(2 * MINUTE, SECOND, 60 * MINUTE),
  dupThresh: number(3, 1, 1000),
  synLinearTimeouts: number(0, 0, 127),
  synTimeoutUs: number(180 * SECOND, MILLISECOND, Number.POSITIVE_INFINITY),
  synAckRetries: number(5, 0, 127),
  synBacklog: number(1024, 1, 1 << 20),
  fastOpenQueue: number(256, 0, 1 << 16),
  synCookies: word('pressure', 'never', 'always'),
  abortOnOverflow: flag(false),
  deferAcceptUs: number(0, 0, 60 * MINUTE),
  retransmitTimeoutUs: number(15 * MINUTE, MILLISECOND, Number.POSITIVE_INFINITY),
  mslUs: number(30 * SECOND, 0, 60 * MINUTE),
  timeWaitIgnoresResets: flag(false),
  timeWaitReuse: flag(false),
  userTimeoutUs: number(0, 0, Number.POSITIVE_INFINITY),
  userTimeoutFrom: word('text', 'retransmission'),
  userTimeoutOption: atOpen(flag(false)),
  userTimeoutLeastUs: number(100 * SECOND, SECOND, Number.POSITIVE_INFINITY),
  userTimeoutMostUs: number(60 * MINUTE, 100 * SECOND, Number.POSITIVE_INFINITY),
  retransmitNoticeCount: number(3, 1, 1000),
  reportSoftErrors: flag(true),
  softErrorsEndOpening: flag(false),
  lingerUs: number(-1, -1, Number.POSITIVE_INFINITY),
  pathMtuAgeUs: number(10 * MINUTE, 5 * MINUTE, Number.POSITIVE_INFINITY),
  pathMtuBlackHole: flag(true),
  pathMtuProbing: flag(true),
  finWait2TimeoutUs: number(60 * SECOND, -1, Number.POSITIVE_INFINITY),
  orphanTimeoutUs: number(5 * MINUTE, MILLISECOND, Number.POSITIVE_INFINITY),
  resetKeepsText: flag(false),
  answersLateText: flag(false),
  challengeIntervalUs: number(500 * MILLISECOND, 0, MINUTE),
  outOfOrderRanges: number(1024, 4, 1 << 20),
  outOfOrderPrune: flag(false),
  flightPieces: number(16384, 64, 1 << 20),
  keepAlive: flag(false),
  keepAliveIdleUs: number(120 * MINUTE, MILLISECOND, Number.POSITIVE_INFINITY),
  keepAliveIntervalUs: number(75 * SECOND, MILLISECOND, Number.POSITIVE_INFINITY),
  keepAliveCount: number(9, 1, 1000),
  keepAliveResets: flag(false),
  keepAliveGarbage: flag(false),
  hopLimit: number(0, 0, 255),
  ecn: atOpen(word('passive', 'off', 'on', 'accurate')),
  accEcnOption: atOpen(word('full', 'minimum', 'off')),
  abe: flag(true),
  trafficClass: number(0, 0, 255),
}

/** The defaults of all settings. */
export const DEFAULT_CONFIG: TcpConfig = Object.freeze(
  Object.fromEntries(Object.entries(KNOBS).map(([name, knob]) => [name, knob.default])),
) as unknown as TcpConfig

/**
 * A complete configuration: `overrides` over `base`.
 * @throws {TypeError} for an unknown name or a value of the wrong type
 * @throws {RangeError} for a number outside its bounds, or a word that is none of those allowed
 */
export function tcpConfig(overrides: Partial<TcpConfig> = {}, base: TcpConfig = DEFAULT_CONFIG): TcpConfig {
  const result: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(overrides)) {
    if (value === undefined) continue
    const knob = Object.hasOwn(KNOBS, name) ? (KNOBS as Record<string, Knob<unknown>>)[name] : undefined
    if (knob === undefined) {
      const known = didYouMean(name, Object.keys(KNOBS)) || `; known: ${Object.keys(KNOBS).join(', ')}`
      throw new TypeError(`unknown TCP setting '${name}'${known}`)
    }
    if (typeof value !== typeof knob.default)
      throw new TypeError(`TCP setting '${name}' must be a ${typeof knob.default}`)
    if (knob.oneOf !== undefined && !knob.oneOf.includes(value as string)) {
      throw new RangeError(`TCP setting '${name}' is '${value}'; it must be one of ${knob.oneOf.join(', ')}`)
    }
    if (typeof value === 'number' && !(value >= (knob.least ?? 0) && value <= (knob.most ?? 0))) {
      throw new RangeError(`TCP setting '${name}' is ${value}; it must be from ${knob.least} to ${knob.most}`)
    }
    if (typeof value === 'number' && !name.endsWith('Us') && !Number.isInteger(value)) {
      throw new RangeError(`TCP setting '${name}' is ${value}; it must be a whole number`)
    }
    result[name] = value
  }
  settle(result as unknown as TcpConfig, overrides)
  return result as unknown as TcpConfig
}

/** What was named wins over what was not: a bound pulls the default below it; a value that was named as well pushes its bound up. */
function settle(result: TcpConfig, overrides: Partial<TcpConfig>): void {
  const named = (name: keyof TcpConfig): boolean => overrides[name] !== undefined
  for (const [value, bound] of [
    ['sendBufferBytes', 'sendBufferMaxBytes'],
    ['receiveBufferBytes', 'receiveBufferMaxBytes'],
    ['delayedAckUs', 'delayedAckMaxUs'],
    ['userTimeoutLeastUs', 'userTimeoutMostUs'],
  ] as const) {
    if (result[value] <= result[bound]) continue
    if (named(bound) && !named(value)) result[value] = result[bound]
    else result[bound] = result[value]
  }
  // As SO_SNDBUF and SO_RCVBUF in Linux: who names a size means it.
  if (overrides.sendBufferBytes !== undefined && overrides.sendBufferAutotune === undefined) {
    result.sendBufferAutotune = false
  }
  if (overrides.receiveBufferBytes !== undefined && overrides.receiveBufferAutotune === undefined) {
    result.receiveBufferAutotune = false
  }
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
