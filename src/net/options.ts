// What callers may ask for, and the reading of arguments in all the forms that node:net takes.
// Owns: option types, argument forms (`connect(port, host, cb)`, `listen(options, cb)`), checks of ports and addresses with
// Node's error codes. Does not own: what the options do (socket.ts, server.ts, host.ts).

import type { LookupFunction } from 'node:net'
import { type IpAddress, parseAddress } from '../ip/address.ts'
import type { TcpConfig } from '../tcp/config.ts'
import type { Md5PeerKey, Md5Secret } from '../tcp/md5.ts'
import { nodeError } from './socket-errors.ts'
import { splitZone } from './zones.ts'

/** How a socket behaves, however it is opened. */
export interface SocketOptions {
  /**
   * Whether our side stays open when the peer has ended its own. Default false: it is ended too, as in node:net. Give true to
   * a socket for `tls.connect({ socket })`: over a Duplex only TLS knows when it has nothing more to send.
   */
  readonly allowHalfOpen?: boolean
  /** Bytes kept readable before reading from the connection stops. Default 65536. */
  readonly readableHighWaterMark?: number
  /** Bytes waiting for the send buffer before `write` returns false. Default 65536. */
  readonly writableHighWaterMark?: number
  /** Destroys the socket with an AbortError whenever it aborts. */
  readonly signal?: AbortSignal
}

/** How to open a connection: the subset of node:net's options that has a meaning here, with its names. */
export interface ConnectOptions {
  readonly port: number | string
  /** An IPv4 or IPv6 address; a name when there is a `lookup`. Default 'localhost', as in node:net. */
  readonly host?: string
  /** An own address to connect from; by default the one that the route gives. */
  readonly localAddress?: string
  /** An own port to connect from; by default an ephemeral one. */
  readonly localPort?: number
  /**
   * With `localPort`: the last connection between the same four values may give way when it has been in TIME-WAIT for a second and has
   * timestamps (SO_REUSEADDR). Default false: EADDRINUSE for as long as it lasts.
   */
  readonly reuseAddress?: boolean
  /** Resolves names for this connection, as node:dns's `lookup` does. */
  readonly lookup?: LookupFunction
  /** Switches Nagle's algorithm off (RFC 9293 §3.7.4). Default false. */
  readonly noDelay?: boolean
  /** Sends probes when idle (RFC 9293 §3.8.4). Default false. */
  readonly keepAlive?: boolean
  /** Idle time before the first probe, in milliseconds; 0 or absent: the configured one. */
  readonly keepAliveInitialDelay?: number
  /** TCP settings of this connection over those of the host. */
  readonly tcp?: Partial<TcpConfig>
  /** Signs every segment with MD5 and believes none without (RFC 2385, Linux's TCP_MD5SIG), 1 to 80 bytes. Default: no key. */
  readonly md5Key?: Md5Secret
}

/** Options of `host.createConnection`: a socket's and a connection's, and an idle timeout in milliseconds. */
export interface CreateConnectionOptions extends SocketOptions, ConnectOptions {
  readonly timeout?: number
}

/** Options of `host.connect`. Here `signal` and `timeoutMs` bound the attempt only: an open socket is not touched by them. */
export interface DialOptions extends SocketOptions, ConnectOptions {
  /** Gives up with ETIMEDOUT after this many milliseconds of the host's clock. Default: TCP's own limit. */
  readonly timeoutMs?: number
}

/** How a server treats the connections it accepts; node:net's names and defaults. */
export interface ServerOptions {
  readonly allowHalfOpen?: boolean
  /** Accepted sockets start paused. Default false. */
  readonly pauseOnConnect?: boolean
  /** Switches Nagle's algorithm off on accepted connections. Default false. */
  readonly noDelay?: boolean
  /** Sends probes on idle accepted connections. Default false. */
  readonly keepAlive?: boolean
  /** Idle time before the first probe, in milliseconds; 0 or absent: the configured one. */
  readonly keepAliveInitialDelay?: number
  /** Both high-water marks of accepted sockets, in bytes. Default 65536. */
  readonly highWaterMark?: number
  /** TCP settings of accepted connections over those of the host. */
  readonly tcp?: Partial<TcpConfig>
}

/** Where a server listens. */
export interface ListenOptions {
  /** 0 or absent: any free port. */
  readonly port?: number | string
  /** An own address. Absent, '0.0.0.0' or '::': all own addresses of both families. */
  readonly host?: string
  /** Connections that may wait to be accepted. Default: the stack's. */
  readonly backlog?: number
  /** The port may have connections of an earlier server, open or in TIME-WAIT (SO_REUSEADDR). Default true, as in node:net. */
  readonly reuseAddress?: boolean
  /** Several servers share the port, all of which say so, and each connection is one's of them (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean
  /** Closes the server when it aborts. */
  readonly signal?: AbortSignal
  /** The MD5 key of accepted connections (RFC 2385): one for all peers, or one for each address that has to sign. Default: no key. */
  readonly md5Key?: Md5Secret | readonly PeerKey[]
}

/** A peer that has to sign, and its key. */
export interface PeerKey {
  /** An IPv4 or IPv6 address. */
  readonly peer: string
  readonly key: Md5Secret
}

/** Options of `host.listen`: where, and how accepted connections are treated. */
export interface HostListenOptions extends ListenOptions, ServerOptions {}

/** The forms that `socket.connect` takes. */
export type ConnectArguments =
  | [options: ConnectOptions, callback?: () => void]
  | [port: number | string, callback?: () => void]
  | [port: number | string, host: string | undefined, callback?: () => void]

/** The forms that `server.listen` takes. */
export type ListenArguments =
  | [callback?: () => void]
  | [options: ListenOptions, callback?: () => void]
  | [port: number | string | undefined, callback?: () => void]
  | [port: number | string | undefined, host: string | undefined, callback?: () => void]
  | [port: number | string | undefined, host: string | undefined, backlog: number | undefined, callback?: () => void]

/** An address in the three forms that Node's properties have. */
export interface SocketAddress {
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
}

/** How sockets name an address. */
export function socketAddress(address: IpAddress, port: number): SocketAddress {
  return { address: address.toString(), family: address.family === 4 ? 'IPv4' : 'IPv6', port }
}

/** A listener's keys with the addresses read. @throws {TypeError} for a peer that is no address */
export function checkPeerKeys(
  keys: Md5Secret | readonly PeerKey[] | undefined,
): Md5Secret | readonly Md5PeerKey[] | undefined {
  if (keys === undefined || typeof keys === 'string' || keys instanceof Uint8Array) return keys
  return keys.map(({ peer, key }) => ({ peer: checkAddress(peer), key }))
}

function callbackIn(args: readonly unknown[]): (() => void) | undefined {
  const last = args.at(-1)
  return typeof last === 'function' ? (last as () => void) : undefined
}

/** Reads the arguments of `connect`. @throws {TypeError} when there is no port, or a path is given */
export function connectArguments(args: ConnectArguments): { options: ConnectOptions; callback?: () => void } {
  const [first, second] = args
  const callback = callbackIn(args)
  if (typeof first !== 'object' || first === null) {
    return { options: { port: first, host: typeof second === 'string' ? second : undefined }, callback }
  }
  if ('path' in first && typeof first.path === 'string') {
    throw nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', 'there are no local (path) sockets here: give host and port')
  }
  if (first.port === undefined) {
    throw nodeError(TypeError, 'ERR_MISSING_ARGS', 'The "options" or "port" argument must be specified')
  }
  return { options: first, callback }
}

/** Reads the arguments of `listen`. */
export function listenArguments(args: ListenArguments): { options: ListenOptions; callback?: () => void } {
  const [first, second, third] = args as readonly unknown[]
  const callback = callbackIn(args)
  if (typeof first === 'object' && first !== null) return { options: first, callback }
  return {
    options: {
      port: typeof first === 'function' ? undefined : (first as number | string | undefined),
      host: typeof second === 'string' ? second : undefined,
      backlog: typeof third === 'number' ? third : undefined,
    },
    callback,
  }
}

/** A port as a number. @throws {RangeError} ERR_SOCKET_BAD_PORT when it is none */
export function checkPort(port: unknown, name: string): number {
  const value = typeof port === 'string' && port.trim() !== '' ? Number(port) : port
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535) return value
  throw nodeError(RangeError, 'ERR_SOCKET_BAD_PORT', `${name} should be >= 0 and < 65536. Received ${String(port)}.`)
}

/** An own address given as text. @throws {TypeError} ERR_INVALID_IP_ADDRESS when it is no address */
export function checkAddress(text: string): IpAddress {
  const address = parseLiteral(text)
  if (address === null) throw nodeError(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${text}`)
  return address
}

/**
 * An address as URLs and sockets write it (`10.0.0.1`, `fd77::1`, `[fd77::1]`, `fe80::1%tun0`), or null when `text` is a name. Whether the
 * host has that interface is checked where it is used: hasZoneOf.
 */
export function parseLiteral(text: string): IpAddress | null {
  return parseAddress(splitZone(text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text).address)
}

/** A time in milliseconds. @throws {TypeError} ERR_INVALID_ARG_TYPE @throws {RangeError} ERR_OUT_OF_RANGE */
export function checkMilliseconds(value: unknown, name: string): number {
  if (typeof value !== 'number') {
    throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" argument must be of type number.`)
  }
  if (value >= 0 && Number.isFinite(value)) return value
  const range = 'a non-negative finite number'
  throw nodeError(
    RangeError,
    'ERR_OUT_OF_RANGE',
    `The value of "${name}" is out of range. It must be ${range}. Received ${value}`,
  )
}
