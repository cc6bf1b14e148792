// What a connection keeps of its own life: what troubles it, what it was told about its end, and how large its packets may be. Plain
// records; the rules are in trouble.ts, linger.ts, user-timeout.ts, path-mtu.ts and retune.ts. Owns: shapes and first values.

import type { Micros } from '../base/time.ts'
import type { TcpConfig } from './config.ts'
import type { TcpError } from './errors.ts'
import type { Seq } from './seq.ts'

/** What became of a CLOSE that waits (SO_LINGER): see `Connection.linger`. */
export type LingerOutcome = 'none' | 'waiting' | 'acknowledged' | 'expired' | 'failed'

/** What ends, troubles or re-tunes a connection. */
export interface LifeState {
  /** What ICMP said last of the way to the peer, forgotten when something is acknowledged (Linux's sk_err_soft). */
  softError: TcpError | null
  /** R1 was reached: the application was told (RFC 9293 §3.8.3 [SHLD-9]). */
  isTroubled: boolean
  linger: LingerOutcome
  /** When the wait of CLOSE is over; -1: to be set when the time is known. */
  lingerUntil: Micros
  /** The peer's user timeout by its option, in microseconds; 0: it told none (RFC 5482 §3.1, REMOTE_UTO). */
  remoteUserTimeoutUs: number
  /** Our user timeout is to be told with the next segment that has room for it. */
  isUserTimeoutDue: boolean
  /** When the peer's window began to hold back what waits to be sent. */
  blockedAt: Micros
  /** When the head of the flight first timed out; of use while there are timeouts in a row. */
  firstTimeoutAt: Micros
  /** Both sides sent a SYN, and they crossed: our SYN,ACK is no retransmission. */
  isCrossed: boolean
  /** The settings before those that were changed last: what follows from the change waits until the time is known (retune.ts). */
  retunedFrom: TcpConfig | null
  /** The Diffserv code point of the last segment received, in the place it has in the byte [MAY-9]; -1 before the first. */
  receivedTrafficClass: number
}

/** Nothing has happened. */
export function createLife(now: Micros, tellsUserTimeout: boolean): LifeState {
  return {
    softError: null,
    isTroubled: false,
    linger: 'none',
    lingerUntil: Number.POSITIVE_INFINITY,
    remoteUserTimeoutUs: 0,
    isUserTimeoutDue: tellsUserTimeout,
    blockedAt: now,
    firstTimeoutAt: now,
    isCrossed: false,
    retunedFrom: null,
    receivedTrafficClass: -1,
  }
}

/**
 * How large a segment the path takes. Sizes are of TCP segments, header and text. What is known to work is the record's
 * `pathSegmentBytes`; what may work reaches up to `high`.
 */
export interface PathState {
  /** What our own link takes. */
  linkBytes: number
  /** The peer's MSS (RFC 9293 §3.7.1), Infinity before its SYN. */
  peerMss: number
  /** Greatest size that is not known to fail. */
  high: number
  /** When a larger size is tried again (RFC 1191 §6.3); -1: to be set when the time is known. */
  raiseAt: Micros
  /** Sizes between `pathSegmentBytes` and `high` are being probed (RFC 4821 §7). */
  isSearching: boolean
  /** `high` itself has been tried, and failed. */
  isHighTried: boolean
  /** Size of the probe that is out, 0 when none is, and what it carries. */
  probeBytes: number
  probeStart: Seq
  probeEnd: Seq
  /** Probes of one size that were lost. */
  probeLosses: number
  /** The probe was lost: its text goes again, which says nothing of congestion (RFC 4821 §7.6.2). */
  isRepairing: boolean
  nextProbeAt: Micros
  /** Timeouts in a row with the peer's window open. */
  timeouts: number
  /** A probe waits for room in cwnd: other text does not overtake it. */
  isWaiting: boolean
}

/** A path that takes what the link takes. */
export function createPath(linkBytes: number, iss: Seq, now: Micros): PathState {
  return {
    linkBytes,
    peerMss: Number.POSITIVE_INFINITY,
    high: linkBytes,
    raiseAt: Number.POSITIVE_INFINITY,
    isSearching: false,
    isHighTried: false,
    probeBytes: 0,
    probeStart: iss,
    probeEnd: iss,
    probeLosses: 0,
    isRepairing: false,
    nextProbeAt: now,
    timeouts: 0,
    isWaiting: false,
  }
}
