// Options of a proxy: what it is to do, limits, time limits, and the counters.
// Owns: names, defaults, bounds. Does not own: enforcing them.
// Read first: RFC 9110 §7.6 (message forwarding), §11.7 (proxy authentication).
import { MINUTE, type Micros, type Scheduler, SECOND } from '../base/time.ts'
import type { HttpCache } from './cache/cache.ts'
import type { ClientTimeouts } from './client-options.ts'
import { isToken } from './grammar.ts'
import { checkTimeouts } from './limits.ts'
import type { Connect, Origin } from './pool-options.ts'
import type { ForwardedStyle } from './proxy-fields.ts'
import type { ExchangeRecord, ServerLimits, ServerTimeouts } from './server-options.ts'

/** Time limits of a proxy besides those of its two sides, in Micros. */
export interface ProxyTimeouts {
  /** To open a connection to the next server: 504. 10 s. */
  readonly connectUs: Micros
  /** How long a tunnel may carry nothing in either direction. 5 min. */
  readonly tunnelIdleUs: Micros
  /** How long a tunnel may stay half-closed and carry nothing. 30 s. */
  readonly halfClosedUs: Micros
  /** How long an idle connection to a server is kept. 4 s; a shorter Keep-Alive of the server is obeyed. */
  readonly keepAliveUs: Micros
}

/** Options of a proxy. */
export interface HttpProxyOptions {
  readonly scheduler: Scheduler
  /** Opens streams to servers, and to the parent proxy. */
  readonly connect: Connect
  /** Milliseconds since 1970, for Date fields; without it none are added. */
  readonly wallClock?: () => number
  /** What it calls itself in Via, Proxy-Status and Cache-Status: a token, and another one in each proxy of a chain. `tunstack`. */
  readonly name?: string
  /** The server behind a reverse proxy; a forward proxy without it. */
  readonly origin?: Origin
  /** Another proxy to which everything is sent instead of to the servers themselves. */
  readonly parent?: Origin
  /** Answers from what is stored, and stores. */
  readonly cache?: HttpCache
  /** Who may use it: the realm, and whether `user` and `password` are let in (RFC 7617). Everybody unless given. */
  readonly authenticate?: { readonly realm: string; readonly check: (user: string, password: string) => boolean }
  /** Ports to which CONNECT may lead: 443 unless given; none for a reverse proxy. */
  readonly connectPorts?: readonly number[] | 'all'
  /** How the client's address is told to the server. Not at all unless given. */
  readonly forwarded?: ForwardedStyle
  /** Whether Upgrade is passed on (RFC 9110 §7.8). No. */
  readonly upgrade?: boolean
  /** Whether errors of its own carry Proxy-Status (RFC 9209). Yes. */
  readonly proxyStatus?: boolean
  /**
   * Whether `Proxy-Connection: Keep-Alive` of an HTTP/1.0 client counts as `Connection: Keep-Alive`, as it did in 1996. Yes; it is
   * taken out in any case (RFC 9112 appendix C.2.2).
   */
  readonly proxyConnection?: boolean
  /** Connections to one server for each connected client (RFC 2616 §8.1.4: 2, so 2N in all). */
  readonly connectionsPerUser?: number
  /** Largest chunked body that is kept whole to give a length to an HTTP/1.0 server; beyond: 411. 1 MiB. */
  readonly gatherBytes?: number
  readonly limits?: Partial<ServerLimits>
  /** Time limits towards clients. */
  readonly clientTimeouts?: Partial<ServerTimeouts>
  /** Time limits towards servers. */
  readonly serverTimeouts?: Partial<ClientTimeouts>
  readonly timeouts?: Partial<ProxyTimeouts>
  /** Told of each exchange with a client when it is over. */
  readonly onExchange?: (record: ExchangeRecord) => void
  /** Told of each message that goes over one of the two sides, for seeing what a hop got and sent. */
  readonly onHop?: (hop: HopRecord) => void
  readonly onError?: (error: unknown) => void
}

/** A head as it came from one side or went to the other. */
export interface HopRecord {
  readonly at: Micros
  readonly what: 'request-in' | 'request-out' | 'response-in' | 'response-out'
  /** `GET / HTTP/1.1` or `HTTP/1.1 200 OK`. */
  readonly line: string
  readonly fields: readonly (readonly [string, string])[]
}

/** Counters of a proxy. */
export interface ProxyCounters {
  requests: number
  /** Connections opened to servers. */
  connections: number
  /** Requests that went over a kept connection to a server. */
  reused: number
  retries: number
  /** Answers of the proxy's own: errors, refusals, TRACE. */
  ownAnswers: number
  tunnels: number
  /** Bytes through tunnels, both directions. */
  tunnelBytes: number
  /** Answers that their server cut short, passed on as such. */
  truncated: number
  /** Requests whose client went away before the answer was complete. */
  aborted: number
}

const TIMEOUTS: ProxyTimeouts = {
  connectUs: 10 * SECOND,
  tunnelIdleUs: 5 * MINUTE,
  halfClosedUs: 30 * SECOND,
  keepAliveUs: 4 * SECOND,
}

/** The checked form in which a proxy's parts read its options. */
export interface ProxyContext {
  readonly options: HttpProxyOptions
  readonly name: string
  readonly timeouts: ProxyTimeouts
  readonly counters: ProxyCounters
  readonly connectionsPerUser: number
  readonly gatherBytes: number
  readonly connectPorts: readonly number[] | 'all'
  /** Connections of clients now. */
  readonly users: () => number
}

/**
 * Checks the options of a proxy and fills in the defaults.
 * @throws {TypeError} for a name that is no token
 * @throws {RangeError} for a limit or timeout out of range
 */
export function proxyContext(options: HttpProxyOptions, users: () => number): ProxyContext {
  const { name = 'tunstack', connectionsPerUser = 2, gatherBytes = 1_048_576 } = options
  if (!isToken(name)) throw new TypeError(`a proxy's name is a token, as proxy1, not ${JSON.stringify(name)}`)
  if (!(connectionsPerUser >= 1)) throw new RangeError(`connectionsPerUser is ${connectionsPerUser}; give 1 or more`)
  if (!(gatherBytes >= 0)) throw new RangeError(`gatherBytes is ${gatherBytes}; give a number >= 0`)
  return {
    options,
    name,
    timeouts: checkTimeouts({ ...TIMEOUTS, ...options.timeouts }),
    counters: {
      requests: 0,
      connections: 0,
      reused: 0,
      retries: 0,
      ownAnswers: 0,
      tunnels: 0,
      tunnelBytes: 0,
      truncated: 0,
      aborted: 0,
    },
    connectionsPerUser,
    gatherBytes,
    connectPorts: options.connectPorts ?? (options.origin === undefined ? [443] : []),
    users,
  }
}
