// Options of an HTTP server: limits, time limits, hooks, and the checked form in which its connections read them.
// Owns: names, defaults, bounds. Does not own: enforcing them (server-connection.ts).
// Read first: RFC 9112 §9.5 (failures and timeouts), RFC 9110 §15.5 (408, 413).
import { MINUTE, type Micros, type Scheduler, SECOND } from '../base/time.ts'
import type { HttpVersion } from './events.ts'
import { formatHttpDate } from './grammar.ts'
import { checkField } from './headers.ts'
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
  /** Value of the Server field; none unless given. */
  readonly serverName?: string
  /**
   * Milliseconds since 1970, for the Date field; without it there is none (RFC 9110 §6.6.1: a server without a clock).
   */
  readonly wallClock?: () => number
  /** The version that answers carry: `'1.0'` makes a server of the old kind. */
  readonly httpVersion?: HttpVersion
  /** Whether `Proxy-Connection: Keep-Alive` of an HTTP/1.0 client counts as that in Connection: for proxies. */
  readonly honoursProxyConnection?: boolean
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
): ServerContext {
  if (options.serverName !== undefined) checkField('Server', options.serverName)
  return {
    options,
    limits: serverLimits(options.limits),
    timeouts: checkTimeouts({ ...TIMEOUTS, ...options.timeouts }),
    counters: { connections: 0, requests: 0, protocolErrors: 0, handlerErrors: 0, timeouts: 0 },
    closing,
    date: dateField(options.wallClock),
    removed,
  }
}

function serverLimits(given: Partial<ServerLimits> = {}): ServerLimits {
  const own = { bodyBytes: Infinity, drainBytes: 65_536, pipelineBytes: 65_536, requestsPerConnection: Infinity }
  const { bodyBytes, drainBytes, pipelineBytes, requestsPerConnection, ...rest } = { ...own, ...given }
  const extra = { bodyBytes, drainBytes, pipelineBytes, requestsPerConnection }
  for (const [name, value] of Object.entries(extra)) {
    if (!(value >= 0)) throw new RangeError(`limit ${name} is ${value}; give a number >= 0`)
  }
  return { ...limitsFrom({ ...DEFAULT_LIMITS, ...rest }), ...extra }
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
  const { bodyBytes: _b, drainBytes: _d, pipelineBytes: _p, requestsPerConnection: _r, ...http } = limits
  return http
}
