// The `connect` function that tunstack/http's client takes: names, Happy Eyeballs, TCP and TLS of a host of ours, each with its time limit.
// Owns: the order of the steps and their times. Does not own: HTTP (src/http), DNS (dns.ts), which address is tried when (happy-dial.ts),
// TLS (Node).

import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { MILLISECOND, type Micros, type ScheduledTask } from '../base/time.ts'
import type { LookupResult } from '../dns/index.ts'
import { type IpAddress, parseAddress } from '../ip/address.ts'
import { happyDial } from './happy-dial.ts'
import type { Host } from './host.ts'
import type { TunSocket } from './socket.ts'
import { abortError } from './socket-errors.ts'
import { nameTlsSocket } from './tls-names.ts'

/** Where to connect to; the Origin of tunstack/http. */
export interface HttpTarget {
  readonly protocol: 'http:' | 'https:'
  readonly host: string
  readonly port: number
}

/** What becomes known while connecting; the DialTrace of tunstack/http. Times are the host's. */
export interface HttpDialTimes {
  lookupStartAt: Micros
  lookupEndAt: Micros
  connectStartAt: Micros
  connectEndAt: Micros
  secureStartAt: Micros
  secureEndAt: Micros
  localAddress: string
  localPort: number
  remoteAddress: string
  remotePort: number
}

/** How to connect; the ConnectContext of tunstack/http. */
export interface HttpConnectContext {
  readonly signal?: AbortSignal
  readonly dial?: HttpDialTimes
  /** A tunnel that is open already: only TLS is put on it. */
  readonly over?: unknown
}

/** A value for the `connect` option of tunstack/http's client. */
export type HttpConnector = (target: HttpTarget, context?: HttpConnectContext) => Promise<TunSocket | tls.TLSSocket>

/** Finds the addresses of names; a HostResolver is one. */
export interface AddressFinder {
  find(name: string, family: 4 | 6): Promise<LookupResult>
}

/** Settings of a connector; time limits in milliseconds, none unless given. */
export interface HttpConnectorOptions {
  /** Names go to it, and their addresses are tried as RFC 8305 has it. Without: to `host.connect`, as the host is set up. */
  readonly resolver?: AddressFinder
  /** Only addresses of this family. */
  readonly family?: 4 | 6
  /** Nagle's algorithm off: default true. */
  readonly noDelay?: boolean
  /** For finding a name's first address. */
  readonly lookupMs?: number
  /** For names and TCP. */
  readonly connectMs?: number
  readonly secureMs?: number
  /** TLS settings: ca, cert, rejectUnauthorized, ... */
  readonly tls?: tls.ConnectionOptions
  /** Told of each address that is tried, and of what became of it: null when it is connected. */
  readonly onTry?: (address: string, port: number) => void
  readonly onTried?: (address: string, port: number, error: unknown) => void
}

/** In which step connecting failed, besides its `code`. */
export type ConnectPhase = 'lookup' | 'connect' | 'secure'

/** Makes the `connect` function of an HTTP client. Its errors are Node's, with `phase`: 'lookup', 'connect' or 'secure'. */
export function httpConnector(host: Host, options: HttpConnectorOptions = {}): HttpConnector {
  return async (target, context = {}) => {
    const { over = null } = context
    const below = over === null ? await connectBelow(host, target, context, options) : (over as TunSocket)
    return target.protocol === 'http:' ? below : secure(host, below, target, context, options)
  }
}

async function connectBelow(
  host: Host,
  target: HttpTarget,
  context: HttpConnectContext,
  options: HttpConnectorOptions,
): Promise<TunSocket> {
  const { scheduler } = host
  const { dial, signal } = context
  const limit = new Limit(host, signal)
  let isFound = false
  const finder = options.resolver === undefined ? null : watched(options.resolver)
  const literal = parseAddress(target.host)
  limit.arm(literal === null && finder !== null ? options.lookupMs : undefined, 'lookup', () => !isFound)
  limit.arm(options.connectMs, 'connect')
  if (dial !== undefined) dial.lookupStartAt = scheduler.now()
  const found = (): void => {
    isFound = true
    if (dial === undefined || dial.lookupEndAt >= 0) return
    dial.lookupEndAt = dial.connectStartAt = scheduler.now()
  }
  function watched(resolver: AddressFinder): AddressFinder {
    return {
      async find(name, family) {
        if (options.family !== undefined && options.family !== family) return { addresses: [], code: 'ENOTFOUND' }
        const result = await resolver.find(name, family)
        if (result.addresses.length > 0) found()
        return result
      },
    }
  }
  const dialOne = async (all: Parameters<Host['connect']>[0]): Promise<TunSocket> => {
    const address = all.host ?? ''
    options.onTry?.(address, target.port)
    try {
      const socket = await host.connect(all)
      options.onTried?.(address, target.port, null)
      return socket
    } catch (error) {
      options.onTried?.(address, target.port, error)
      throw error
    }
  }
  const rest = { port: target.port, allowHalfOpen: true, noDelay: options.noDelay ?? true, signal: limit.signal }
  try {
    const all = { ...rest, host: target.host }
    const isDirect = literal !== null || finder === null
    if (literal !== null) checkFamily(literal, options.family, target.host)
    if (isDirect) found()
    const trying = { scheduler, stack: host.stack, connect: dialOne }
    const socket = await (isDirect ? dialOne(all) : happyDial(trying, finder as AddressFinder, all))
    note(dial, socket, scheduler.now())
    return socket
  } catch (error) {
    throw phased(limit.failure ?? error, isFound ? 'connect' : 'lookup')
  } finally {
    limit.end()
  }
}

function note(dial: HttpDialTimes | undefined, socket: TunSocket, now: Micros): void {
  if (dial === undefined) return
  dial.connectEndAt = now
  dial.localAddress = socket.localAddress ?? ''
  dial.localPort = socket.localPort ?? 0
  dial.remoteAddress = socket.remoteAddress ?? ''
  dial.remotePort = socket.remotePort ?? 0
}

function checkFamily(address: IpAddress, family: 4 | 6 | undefined, text: string): void {
  if (family === undefined || address.family === family) return
  throw Object.assign(new Error(`${text} is no IPv${family} address`), { code: 'ENOTFOUND', syscall: 'getaddrinfo' })
}

async function secure(
  host: Host,
  below: TunSocket,
  target: HttpTarget,
  context: HttpConnectContext,
  options: HttpConnectorOptions,
): Promise<tls.TLSSocket> {
  const { scheduler } = host
  const { dial } = context
  const limit = new Limit(host, context.signal)
  limit.arm(options.secureMs, 'secure')
  if (dial !== undefined) dial.secureStartAt = scheduler.now()
  try {
    limit.signal.throwIfAborted()
    const over = secureOver(below, target.host, options.tls)
    nameTlsSocket(over, below)
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(limit.signal.reason)
      limit.signal.addEventListener('abort', abort, { once: true })
      over.once('secureConnect', resolve)
      // Stays: a failure after the client has gone must not end the program.
      over.on('error', reject)
      over.once('close', () =>
        reject(Object.assign(new Error('the server closed during the TLS handshake'), { code: 'ECONNRESET' })),
      )
    })
    if (dial !== undefined) dial.secureEndAt = scheduler.now()
    return over
  } catch (error) {
    below.destroy()
    throw phased(limit.failure ?? error, 'secure')
  } finally {
    limit.end()
  }
}

/** TLS for HTTP/1.1 over any Duplex, with the name of the host unless it is an address (RFC 6066 §3). */
export function secureOver(below: Duplex, name: string, options: tls.ConnectionOptions = {}): tls.TLSSocket {
  const servername = parseAddress(name) === null ? name : ''
  return tls.connect({ ALPNProtocols: ['http/1.1'], servername, host: name, ...options, socket: below })
}

function phased(error: unknown, phase: ConnectPhase): unknown {
  if (error instanceof Error && !('phase' in error)) Object.assign(error, { phase })
  return error
}

/** Time limits of one step beside the caller's signal. */
class Limit {
  readonly #control = new AbortController()
  readonly #host: Host
  readonly #outer: AbortSignal | undefined
  readonly #tasks: ScheduledTask[] = []
  readonly #abort = (): void => this.#control.abort(abortError(this.#outer as AbortSignal))
  /** Why we have given up by ourselves; null when we have not. */
  failure: Error | null = null

  constructor(host: Host, outer: AbortSignal | undefined) {
    this.#host = host
    this.#outer = outer
    outer?.addEventListener('abort', this.#abort, { once: true })
    if (outer?.aborted) this.#abort()
  }

  get signal(): AbortSignal {
    return this.#control.signal
  }

  arm(afterMs: number | undefined, phase: ConnectPhase, holds: () => boolean = () => true): void {
    if (afterMs === undefined || afterMs === Number.POSITIVE_INFINITY) return
    const { scheduler } = this.#host
    const late = (): void => {
      if (!holds()) return
      const what = { lookup: 'finding the name', connect: 'connecting', secure: 'the TLS handshake' }[phase]
      this.failure = Object.assign(new Error(`${what} took longer than ${afterMs} ms`), { code: 'ETIMEDOUT', phase })
      this.#control.abort(this.failure)
    }
    this.#tasks.push(scheduler.schedule(scheduler.now() + afterMs * MILLISECOND, late))
  }

  end(): void {
    for (const task of this.#tasks) task.cancel()
    this.#outer?.removeEventListener('abort', this.#abort)
  }
}
