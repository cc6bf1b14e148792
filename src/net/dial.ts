// Opening a connection: what the caller named becomes an address, and the stack is asked for a connection to it.
// Owns: checks of the arguments, names and their `lookup`, the error shapes of an attempt that fails at once.
// Does not own: the handshake (src/tcp), the socket that waits for it (socket.ts).

import { isIPv6, type LookupFunction } from 'node:net'
import type { IpAddress } from '../ip/address.ts'
import { parseAddress } from '../ip/address.ts'
import type { Connection } from '../stack/index.ts'
import type { TcpConfig } from '../tcp/config.ts'
import type { Md5Secret } from '../tcp/md5.ts'
import type { HostCore } from './core.ts'
import { type ConnectOptions, checkAddress, checkPort, parseLiteral } from './options.ts'
import { codeOf, connectError, nodeError, notFoundError, type SocketError } from './socket-errors.ts'
import { hasZoneOf } from './zones.ts'

/** Where to connect to and from, checked but not resolved. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly local: IpAddress | undefined
  readonly localPort: number
  readonly reuseAddress: boolean
  readonly lookup: LookupFunction | null
  readonly tcp: Partial<TcpConfig> | undefined
  readonly md5Key: Md5Secret | undefined
}

/** Reads the target out of options. @throws {TypeError | RangeError} with Node's codes, for what cannot be meant */
export function checkTarget(options: ConnectOptions, hostLookup: LookupFunction | null): Target {
  const host = options.host ?? 'localhost'
  if (typeof host !== 'string') {
    throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "options.host" property must be of type string.')
  }
  const local = options.localAddress ? checkAddress(options.localAddress) : undefined
  return {
    host,
    port: checkPort(options.port, 'Port'),
    local: local?.isUnspecified ? undefined : local,
    localPort: options.localPort ? checkPort(options.localPort, 'options.localPort') : 0,
    reuseAddress: options.reuseAddress === true,
    lookup: options.lookup ?? hostLookup,
    tcp: options.tcp,
    md5Key: options.md5Key,
  }
}

/** What is told of a name's resolution: Node's 'lookup' event. */
export type LookupReport = (error: Error | null, address: string | undefined, family: number | undefined) => void

/**
 * Finds the address of a target: at once for an address, later for a name.
 * @param report called for names only, before `done`
 */
export function resolveTarget(target: Target, report: LookupReport, done: (address: IpAddress | Error) => void): void {
  const literal = parseLiteral(target.host)
  if (literal !== null) {
    done(literal)
    return
  }
  const answer = (error: Error | null, text: string | undefined): void => {
    const address = text === undefined ? null : parseAddress(text)
    const result = error ?? address ?? notFoundError(target.host)
    report(result instanceof Error ? result : null, text, text === undefined ? undefined : isIPv6(text) ? 6 : 4)
    done(result)
  }
  if (target.lookup === null) {
    process.nextTick(answer, notFoundError(target.host), undefined)
    return
  }
  target.lookup(target.host, {}, (error, result) =>
    answer(error, typeof result === 'string' ? result : result?.[0]?.address),
  )
}

/** Asks the stack for a connection; what it refuses at once comes back as the error that Node would emit. */
export function openConnection(core: HostCore, target: Target, address: IpAddress): Connection | SocketError {
  const remote = { address: address.toString(), port: target.port }
  const local = {
    address: target.local?.toString() ?? (address.family === 4 ? '0.0.0.0' : '::'),
    port: target.localPort,
  }
  if (core.closing) return connectError('ENETDOWN', remote, local)
  if (!hasZoneOf(core.device, target.host)) return connectError('EINVAL', { ...remote, address: target.host })
  // Nobody listens on port 0: Linux answers for the peer.
  if (target.port === 0) return connectError('ECONNREFUSED', remote)
  try {
    const { port: remotePort, local: own, localPort, reuseAddress, tcp: config, md5Key } = target
    const asked = { remote: address, remotePort, local: own, localPort, reuseAddress, config, md5Key }
    return core.stack.connect(asked, core.scheduler.now())
  } catch (error) {
    const code = codeOf(error)
    if (code === null) throw error
    const aboutLocal = code === 'EADDRINUSE' || (code === 'EADDRNOTAVAIL' && target.local !== undefined)
    return aboutLocal ? connectError(code, local, undefined, 'bind') : connectError(code, remote, local)
  }
}
