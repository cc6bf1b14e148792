// When the steps of a fetch happened, by our names, by curl's and by those of Resource Timing.
// Owns: the records and their translation. Does not own: when the steps happen (pool.ts, client-connection.ts, whoever connects).
// Read first: curl(1), option --write-out (time_*); W3C Resource Timing §4.3 (the order of the attributes).
import type { Micros } from '../base/time.ts'

/** How a connection was opened: when, and between which addresses. Whoever connects fills it in; -1 and `''` for what is not known. */
export interface DialTrace {
  /** The attempt began. */
  startAt: Micros
  lookupStartAt: Micros
  lookupEndAt: Micros
  connectStartAt: Micros
  /** TCP is connected. */
  connectEndAt: Micros
  secureStartAt: Micros
  /** TLS is agreed upon. */
  secureEndAt: Micros
  /** The stream was handed over. */
  endAt: Micros
  localAddress: string
  localPort: number
  remoteAddress: string
  remotePort: number
}

/** A trace in which nothing has happened. */
export function dialTrace(startAt: Micros): DialTrace {
  const times = { lookupStartAt: -1, lookupEndAt: -1, connectStartAt: -1, connectEndAt: -1, secureStartAt: -1 }
  const names = { localAddress: '', localPort: 0, remoteAddress: '', remotePort: 0 }
  return { startAt, ...times, secureEndAt: -1, endAt: -1, ...names }
}

/** Which connection a request went over. */
export interface ConnectionUse {
  /** Its number in its pool, from 1. */
  readonly id: number
  /** Whether a request had gone over it before. */
  readonly reused: boolean
  /** Which request on it this is, from 1. */
  readonly request: number
  /** Requests before it on the same connection that were not yet answered: above 0 it was pipelined. */
  readonly ahead: number
  readonly dial: Readonly<DialTrace>
}

/** When the steps of an exchange happened; -1 for what has not. */
export interface ExchangeTimings {
  /** `request()` was called. */
  queuedAt: Micros
  /** The head (with a body that was at hand) was handed to the connection. */
  sentAt: Micros
  /** The first byte of the answer came. */
  firstByteAt: Micros
  /** The head of the answer was complete. */
  headAt: Micros
  /** The answer was complete. */
  endAt: Micros
}

/** The times of one request in seconds from its start, by curl's names; 0 for what did not happen. */
export interface CurlTimes {
  readonly time_namelookup: number
  readonly time_connect: number
  readonly time_appconnect: number
  readonly time_pretransfer: number
  readonly time_starttransfer: number
  readonly time_total: number
  readonly num_connects: number
}

/** The times of one request in milliseconds of the clock, by the names of Resource Timing; 0 for what is not known. */
export interface ResourceTimes {
  readonly startTime: number
  readonly fetchStart: number
  readonly domainLookupStart: number
  readonly domainLookupEnd: number
  readonly connectStart: number
  readonly secureConnectionStart: number
  readonly connectEnd: number
  readonly requestStart: number
  readonly responseStart: number
  readonly responseEnd: number
}

/** The steps of opening that a request waited for; none on a connection that was there. */
function waited(use: ConnectionUse | null): Readonly<DialTrace> | null {
  return use === null || use.reused ? null : use.dial
}

/** The times of an exchange as curl's -w gives them. A connection whose opening began before the request counts from the request. */
export function curlTimes(startAt: Micros, exchange: Readonly<ExchangeTimings>, use: ConnectionUse | null): CurlTimes {
  const dial = waited(use)
  const from = (at: Micros): number => (at < 0 ? 0 : Math.max(0, Math.round(at - startAt)) / 1e6)
  return {
    time_namelookup: from(dial?.lookupEndAt ?? -1),
    time_connect: from(dial?.connectEndAt ?? -1),
    time_appconnect: from(dial?.secureEndAt ?? -1),
    time_pretransfer: from(exchange.sentAt),
    time_starttransfer: from(exchange.firstByteAt),
    time_total: from(exchange.endAt),
    num_connects: dial === null ? 0 : 1,
  }
}

/** The times of an exchange as a browser's performance entries give them: never before the fetch, and in order. */
export function resourceTimes(
  startAt: Micros,
  exchange: Readonly<ExchangeTimings>,
  use: ConnectionUse | null,
): ResourceTimes {
  const dial = waited(use)
  const ms = (at: Micros): number => Math.max(at, startAt) / 1000
  // Resource Timing §4.3: what a reused connection did not need has the time of fetchStart.
  const or = (at: Micros | undefined): number => ms(at === undefined || at < 0 ? startAt : at)
  const known = (at: Micros | undefined): number => (at === undefined || at < 0 ? 0 : ms(at))
  const lookupEnd = or(dial?.lookupEndAt)
  const connectEndAt = dial === null ? -1 : Math.max(dial.connectEndAt, dial.secureEndAt)
  return {
    startTime: ms(startAt),
    fetchStart: ms(startAt),
    domainLookupStart: or(dial?.lookupStartAt),
    domainLookupEnd: lookupEnd,
    connectStart: Math.max(lookupEnd, or(dial?.connectStartAt)),
    secureConnectionStart: known(dial?.secureStartAt),
    connectEnd: Math.max(lookupEnd, or(connectEndAt)),
    requestStart: known(exchange.sentAt),
    responseStart: known(exchange.firstByteAt),
    responseEnd: known(exchange.endAt),
  }
}
