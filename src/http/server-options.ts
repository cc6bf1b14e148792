// Options of an HTTP server: limits, time limits, hooks, and the checked form in which its connections read them.
// Owns: names, defaults, bounds. Does not own: enforcing them (server-connection.ts).
// Read first: RFC 9112 §9.5 (failures and timeouts), RFC 9110 §15.5 (408, 413).
import { MINUTE, type Micros, type Scheduler, SECOND } from '../base/time.ts'
import { type ContentCoding, checkCodings } from './content-coding.ts'
import type { HttpVersion } from './events.ts'
import { formatHttpDate } from './grammar.ts'
import { checkField } from './headers.ts'
import type { Leniency } from './leniency.ts'
import { checkTimeouts, DEFAULT_LIMITS, type HttpLimits, limitsFrom } from './limits.ts'
import type { ConnectionInfo, Handler, ServerRequest } from './server-message.ts'

/** Limits of a server; those of HttpLimits hold for each connection. */
export interface ServerLimits extends HttpLimits {
  /**
   * Largest request body in bytes: 413. `Infinity` by default: bodies are streamed, and `bytes()` has a limit of its
   * own.
   */
  readonly bodyBytes: number
  /** Most bytes of an unread body that are thrown away to keep the connection; beyond, it closes. 65,536. */
  readonly drainBytes: number
  /** Most bytes of pipelined requests that wait while one is answered; beyond, the stream is paused. 65,536. */
  readonly pipelineBytes: number
  /** Requests on one connection, the last of which is answered with `Connection: close`. `Infinity` by default. */
  readonly requestsPerConnection: number
  /**
   * Pipelined requests of one connection that are worked at together, when all are safe; they are answered in order
   * (RFC 9112 §9.3.2). 8; 1 takes one after another.
   */
  readonly pipelineRequests: number
  /**
   * Open connections. Beyond, a new one takes the place of the one that has waited longest for a request, or is answered
   * 503 when all are busy. `Infinity` by default.
   */
  readonly connections: number
}

/** Time limits of a server, in Micros; `Infinity` switches one off. */
export interface ServerTimeouts {
  /** From the first byte (or the connection) to the end of a request's head: 408. 60 s. */
  readonly headersUs: Micros
  /** From a request's head to the end of its body, without the time that the handler let it wait: 408. 300 s. */
  readonly requestUs: Micros
  /** How long a kept connection may stay without a next request. 5 s. */
  readonly idleUs: Micros
  /**
   * How long input is still read after our side has ended, so that the last answer is not lost to a reset (RFC 9112
   * §9.6). 5 s.
   */
  readonly lingerUs: Micros
  /** How long the peer may refuse to take any of an answer. 120 s. */
  readonly writeUs: Micros
}

/** One exchange, when it is over. */
export interface ExchangeRecord {
  readonly method: string
  readonly target: string
  readonly httpVersion: HttpVersion
  /** 0 when no answer was begun. */
  readonly status: number
  readonly requestBodyBytes: number
  /** Bytes of the answer on the wire, head included. */
  readonly responseBytes: number
  /** Bytes of the answer's body alone, without the framing of chunks. */
  readonly responseBodyBytes: number
  readonly startUs: Micros
  readonly endUs: Micros
  /** Whether the answer was cut off. */
  readonly aborted: boolean
  /** Its number on its connection, from 1. */
  readonly sequence: number
  readonly connection: ConnectionInfo
}

/** Options of a server. */
export interface HttpServerOptions {
  readonly handler: Handler
  readonly scheduler: Scheduler
  readonly limits?: Partial<ServerLimits>
  readonly timeouts?: Partial<ServerTimeouts>
  /** What is taken though it is not valid; nothing unless given. */
  readonly lenient?: Partial<Leniency>
  /**
   * `'origin'` (unless given) answers for itself what is not for its handler: `OPTIONS *`, TRACE, an https target on a
   * connection without TLS. `'proxy'` hands everything to its handler.
   */
  readonly role?: 'origin' | 'proxy'
  /** Whether an origin server answers TRACE with the request as it came (RFC 9110 §9.3.8). False: it gets 405. */
  readonly trace?: boolean
  /** How answers may be compressed, the best first; see content-coding.ts. None unless given. */
  readonly codings?: readonly ContentCoding[]
  /** Value of the Server field; none unless given. */
  readonly serverName?: string
  /**
   * Milliseconds since 1970, for the Date field; without it there is none (RFC 9110 §6.6.1: a server without a clock).
   */
  readonly wallClock?: () => number
  /** The version that answers carry: `'1.0'` makes a server of the old kind. */
  readonly httpVersion?: HttpVersion
  /** False closes every connection after its first answer. */
  readonly keepAlive?: boolean
  /** Told of what a handler threw, and of malformed requests (`request` null). */
  readonly onError?: (error: unknown, request: ServerRequest | null) => void
  /** Told of each exchange when it is over. */
  readonly onExchange?: (record: ExchangeRecord) => void
}

/** Counters of a server. */
export interface ServerCounters {
  connections: number
  requests: number
  /** Malformed requests. */
  protocolErrors: number
  /** Handlers that threw. */
  handlerErrors: number
  /** Connections that some time limit ended. */
  timeouts: number
  /** Connections that were refused, or closed to make room, because of the limit on their number. */
  overloads: number
}

/** Everything a connection needs of its server. */
export interface ServerContext {
  readonly options: HttpServerOptions
  readonly limits: ServerLimits
  readonly timeouts: ServerTimeouts
  readonly counters: ServerCounters
  /** Whether the server is closing: no connection is kept. */
  readonly closing: () => boolean
  /** The Date field of now, or null. */
  readonly date: () => string | null
  readonly removed: (connection: object) => void
  /** A connection has answered: from now on it waits for its next request. */
  readonly waits: (connection: object) => void
}

const OWN_LIMITS: Omit<ServerLimits, keyof HttpLimits> = {
  bodyBytes: Infinity,
  drainBytes: 65_536,
  pipelineBytes: 65_536,
  requestsPerConnection: Infinity,
  pipelineRequests: 8,
  connections: Infinity,
}

const TIMEOUTS: ServerTimeouts = {
  headersUs: 60 * SECOND,
  requestUs: 5 * MINUTE,
  idleUs: 5 * SECOND,
  lingerUs: 5 * SECOND,
  writeUs: 2 * MINUTE,
}

/**
 * Checks the options of a server and fills in the defaults.
 * @throws {RangeError} for a limit or timeout out of range
 * @throws {TypeError} for a `serverName` that is no field value
 */
export function serverContext(
  options: HttpServerOptions,
  closing: () => boolean,
  removed: (connection: object) => void,
  waits: (connection: object) => void,
): ServerContext {
  if (options.serverName !== undefined) checkField('Server', options.serverName)
  if (options.codings !== undefined) checkCodings(options.codings)
  return {
    options,
    limits: serverLimits(options.limits),
    timeouts: checkTimeouts({ ...TIMEOUTS, ...options.timeouts }),
    counters: { connections: 0, requests: 0, protocolErrors: 0, handlerErrors: 0, timeouts: 0, overloads: 0 },
    closing,
    date: dateField(options.wallClock),
    removed,
    waits,
  }
}

function serverLimits(given: Partial<ServerLimits> = {}): ServerLimits {
  const all: ServerLimits = { ...DEFAULT_LIMITS, ...OWN_LIMITS, ...given }
  for (const name of Object.keys(OWN_LIMITS) as (keyof typeof OWN_LIMITS)[]) {
    if (!(all[name] >= 0)) throw new RangeError(`limit ${name} is ${all[name]}; give a number >= 0`)
  }
  limitsFrom(httpLimits(all))
  return all
}

// Formatting a date costs more than the rest of a small head: once a second is enough.
function dateField(wallClock: (() => number) | undefined): () => string | null {
  if (wallClock === undefined) return () => null
  let second = Number.NaN
  let text = ''
  return () => {
    const now = Math.floor(wallClock() / 1000)
    if (now !== second) {
      second = now
      text = formatHttpDate(now * 1000)
    }
    return text
  }
}

/** The limits that the connection itself enforces. */
export function httpLimits(limits: ServerLimits): HttpLimits {
  const names = Object.keys(limits).filter((name) => !(name in OWN_LIMITS)) as (keyof HttpLimits)[]
  return Object.fromEntries(names.map((name) => [name, limits[name]])) as unknown as HttpLimits
}
