// What a pool of connections is told, and what it tells.
// Owns: names, defaults, bounds. Does not own: keeping connections (pool.ts), one connection's hints (pool-connection.ts).
// Read first: RFC 9112 §9.4 (concurrency), §9.3 (persistence).
import { type Micros, type Scheduler, SECOND } from '../base/time.ts'
import { type ClientTimeouts, checkDepth } from './client-options.ts'
import type { DialTrace } from './client-timings.ts'
import type { Leniency } from './leniency.ts'
import type { HttpLimits } from './limits.ts'
import type { ByteStream } from './stream.ts'

/** A proxy on the way to an origin. */
export interface ProxyServer {
  readonly protocol: 'http:' | 'https:'
  readonly host: string
  readonly port: number
  /** Value of Proxy-Authorization; null for none. Only the proxy ever gets it. */
  readonly authorization: string | null
}

/** Where a URL's server is. */
export interface Origin {
  readonly protocol: 'http:' | 'https:'
  /** Host name or address, an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  /** The proxy to go through: http by absolute targets, https by a tunnel (CONNECT). None unless given. */
  readonly proxy?: ProxyServer | null
}

/** How a stream is to be opened. */
export interface ConnectContext {
  /** Aborts when nobody wants the stream any more, or connecting takes too long. */
  readonly signal?: AbortSignal
  /** To be filled in with what is known: when a name was looked up, TCP connected, TLS agreed upon, and between which addresses. */
  readonly dial?: DialTrace
  /** A tunnel to the origin that is open already: only TLS is to be put on it. Null: open a connection. */
  readonly over?: ByteStream | null
}

/** Opens a stream to an origin (never by its `proxy`); with TLS already on it for `https:`. Should end when `signal` aborts. */
export type Connect = (origin: Origin, context: ConnectContext) => Promise<ByteStream>

/** What happens in a pool, as it happens. `id` is the number of the connection, `origin` its key. */
export interface PoolEvent {
  readonly type: 'dial' | 'open' | 'assign' | 'finish' | 'close' | 'fail' | 'repeat' | 'wait' | 'evict'
  readonly at: Micros
  readonly origin: string
  /** 0 where there is no connection yet. */
  readonly id: number
  /** For people: why. */
  readonly detail: string
}

/** How a pool is set up. */
export interface PoolOptions {
  readonly connect: Connect
  readonly scheduler: Scheduler
  readonly limits?: Partial<HttpLimits>
  /** What is taken of answers though it is not valid; nothing unless given. */
  readonly lenient?: Partial<Leniency>
  readonly timeouts?: Partial<ClientTimeouts>
  /** Connections to one origin (or, without TLS, one proxy) at the same time, opening ones counted. 6, as browsers; 1 to 10000. */
  readonly maxPerOrigin?: number
  /** Connections in all. 256; when they are all taken, idle ones of other origins give way. */
  readonly maxTotal?: number
  /** Requests that may wait for a connection; one more is refused with EBUSY. 1024. */
  readonly maxWaiting?: number
  /** How long a request may wait for a connection, opening one included: ETIMEDOUT. Infinity. */
  readonly waitUs?: Micros
  /** How long opening a connection may take, names and TLS included: ETIMEDOUT. Infinity: as long as `connect` tries. */
  readonly connectUs?: Micros
  /** How long a connection is kept idle; a shorter `Keep-Alive: timeout=` of the server is obeyed. 4 s; 0 keeps none. */
  readonly keepAliveUs?: Micros
  /** How much earlier than the server says: a request must not meet its close. 1 s, of a short time half. */
  readonly keepAliveMarginUs?: Micros
  /** Requests on one connection, the last of which says `Connection: close`. Infinity; 1 makes a connection for each request. */
  readonly maxRequests?: number
  /** Requests under way at once on a connection that has proven to persist, idempotent ones only (RFC 9112 §9.3.2). 1: no pipelining. */
  readonly pipelineDepth?: number
  /** How often an idempotent request is sent again when a kept connection was lost before any of the answer came. 3. */
  readonly maxRepeats?: number
  /** A last look at an idle stream before a request is sent on it: false when the peer is known to have closed. */
  readonly isLive?: (stream: ByteStream) => boolean
  /** Told of everything. Must not call the pool. */
  readonly onEvent?: (event: PoolEvent) => void
}

/** Options that go on to each connection as they are. */
type PassedOn = 'limits' | 'lenient' | 'timeouts'

/** The options of a pool with nothing left open. */
export type PoolSettings = Required<Omit<PoolOptions, PassedOn>> & Pick<PoolOptions, PassedOn>

/** Fills in defaults. @throws {RangeError} for an option out of its bounds */
export function poolSettings(options: PoolOptions): PoolSettings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const settings: PoolSettings = {
    maxPerOrigin: 6,
    maxTotal: 256,
    maxWaiting: 1024,
    waitUs: Number.POSITIVE_INFINITY,
    connectUs: Number.POSITIVE_INFINITY,
    keepAliveUs: 4 * SECOND,
    keepAliveMarginUs: SECOND,
    maxRequests: Number.POSITIVE_INFINITY,
    pipelineDepth: 1,
    maxRepeats: 3,
    isLive: () => true,
    onEvent: () => undefined,
    ...(given as unknown as PoolOptions),
  }
  const bound = (name: keyof PoolSettings, least: number, most: number): void => {
    const value = settings[name] as number
    const isWhole = Number.isInteger(value) || (value === Number.POSITIVE_INFINITY && most === value)
    if (!isWhole || value < least || value > most) {
      throw new RangeError(`${name} is ${value}; give a whole number from ${least} to ${most}`)
    }
  }
  const infinity = Number.POSITIVE_INFINITY
  bound('maxPerOrigin', 1, 10_000)
  bound('maxTotal', 1, 100_000)
  bound('maxWaiting', 0, infinity)
  bound('maxRequests', 1, infinity)
  bound('maxRepeats', 0, 100)
  checkDepth(settings.pipelineDepth)
  for (const name of ['waitUs', 'connectUs', 'keepAliveUs', 'keepAliveMarginUs'] as const) {
    if (!(settings[name] >= 0)) throw new RangeError(`${name} is ${settings[name]}; give microseconds >= 0`)
  }
  return settings
}

/** Counters of a pool. */
export interface PoolCounters {
  /** Connections opened. */
  connections: number
  /** Requests asked for. */
  requests: number
  /** Requests that went over a kept connection. */
  reused: number
  /** Requests sent while others on the same connection were not yet answered. */
  pipelined: number
  /** Requests sent again because a kept connection had closed under them. */
  retries: number
  /** Idle connections closed to make room for other origins. */
  evicted: number
  /** Attempts to connect that failed. */
  failedConnects: number
}

/** A connection of a pool as others see it. */
export interface PooledConnection {
  readonly id: number
  readonly origin: string
  /** Requests sent on it. */
  readonly requests: number
  /** Requests under way. */
  readonly outstanding: number
  readonly openedAt: Micros
  readonly dial: Readonly<DialTrace>
}
