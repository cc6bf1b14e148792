// Errors as Node's own sockets give them: the same codes, properties and messages, so that a library that looks at
// `error.code`, `error.syscall` or even the text cannot tell the difference.
// Owns: the shapes. Does not own: when a connection fails and with which code (src/tcp, src/stack).
// Read first: https://nodejs.org/docs/latest-v20.x/api/errors.html#class-systemerror

import { getSystemErrorMap } from 'node:util'

/** A system error with what a socket adds to it. Property order is Node's, too. */
export interface SocketError extends Error {
  /** libuv's number: the negative of Linux's errno. Absent on errors that are not the system's (a write after the peer's end). */
  errno?: number
  code: string
  syscall?: string
  address?: string
  port?: number
  localAddress?: string
  localPort?: number
  hostname?: string
}

/** An address and a port, as text and number. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

const EAI_NONAME = -3008

let numbers: Map<string, { errno: number; text: string }> | null = null

function lookUp(code: string): { errno: number; text: string } {
  if (numbers === null) {
    numbers = new Map()
    for (const [errno, [name, text]] of getSystemErrorMap()) numbers.set(name, { errno, text })
  }
  return numbers.get(code) ?? { errno: -1, text: 'unknown error' }
}

function endpointText(endpoint: Endpoint): string {
  return endpoint.port > 0 ? `${endpoint.address}:${endpoint.port}` : endpoint.address
}

function withEndpoint(error: SocketError, endpoint: Endpoint): SocketError {
  error.address = endpoint.address
  if (endpoint.port > 0) error.port = endpoint.port
  return error
}

function bare(message: string, code: string, syscall: string): SocketError {
  return Object.assign(new Error(message), { errno: lookUp(code).errno, code, syscall })
}

/** Calls that fail without a peer to name. */
export type FailedCall =
  | 'read'
  | 'write'
  | 'ping'
  | 'recvmsg'
  | 'getsockname'
  | 'getpeername'
  | 'setTTL'
  | 'setMulticastTTL'
  | 'setBroadcast'
  | 'addMembership'
  | 'dropMembership'
  | 'setMulticastLoopback'
  | 'setMulticastInterface'
  | 'setPathMtuDiscovery'
  | 'searchPathMtu'
  | 'setSegmentSize'
  | 'setPathProbeAnswers'
  | 'uv_recv_buffer_size'

/** `read ECONNRESET`, `write EPIPE`: a call on an open connection failed, or a ping, or one on a UDP socket. */
export function callError(code: string, syscall: FailedCall): SocketError {
  return bare(`${syscall} ${code}`, code, syscall)
}

/**
 * `connect ECONNREFUSED 10.0.0.1:80`, with ` - Local (10.0.0.2:0)` when `local` is given; or, with `syscall` `'bind'`, that
 * the local address or port asked for cannot be had; with 'send' that a datagram could not be sent.
 */
export function connectError(
  code: string,
  remote: Endpoint,
  local?: Endpoint,
  syscall: 'connect' | 'bind' | 'send' = 'connect',
): SocketError {
  const tail = local === undefined ? '' : ` - Local (${local.address}:${local.port})`
  const error = withEndpoint(bare(`${syscall} ${code} ${endpointText(remote)}${tail}`, code, syscall), remote)
  if (local !== undefined) {
    error.localAddress = local.address
    error.localPort = local.port
  }
  return error
}

/** `listen EADDRINUSE: address already in use 10.0.0.1:80`. */
export function listenError(code: string, local: Endpoint): SocketError {
  const message = `listen ${code}: ${lookUp(code).text} ${endpointText(local)}`
  return withEndpoint(Object.assign(new Error(message), { code, errno: lookUp(code).errno, syscall: 'listen' }), local)
}

/** `getaddrinfo ENOTFOUND example.com`: names are not resolved here unless the host was given a `lookup`. */
export function notFoundError(hostname: string): SocketError {
  const code = 'ENOTFOUND'
  return Object.assign(new Error(`getaddrinfo ${code} ${hostname}`), {
    errno: EAI_NONAME,
    code,
    syscall: 'getaddrinfo',
    hostname,
  })
}

const LOOKUP_NUMBERS: Readonly<Record<string, number>> = { ENOTFOUND: EAI_NONAME, EAI_AGAIN: -3001, EAI_FAIL: -3004 }

/** `getaddrinfo EAI_AGAIN example.com`: a lookup of the host's own resolver failed. */
export function lookupError(code: string, hostname: string): SocketError {
  const error = notFoundError(hostname)
  return Object.assign(error, { message: `getaddrinfo ${code} ${hostname}`, code, errno: LOOKUP_NUMBERS[code] ?? -1 })
}

/** A write after the peer has ended its side and `allowHalfOpen` is false: Node's text and code, without an errno. */
export function endedByPeerError(): SocketError {
  return Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' })
}

/** A write on a socket that was closed while it was connecting. */
export function closedEarlyError(): Error & { code: string } {
  const message = 'Socket closed before the connection was established'
  return nodeError(Error, 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION', message)
}

/** A write that destroy() has cut off; the error that streams give the writes queued behind it. */
export function cutOffError(): Error & { code: string } {
  return nodeError(Error, 'ERR_STREAM_DESTROYED', 'Cannot call write after a stream was destroyed')
}

/** Node's `ERR_...` errors: the same constructor, code and `name [code]` in the stack. */
export function nodeError<E extends Error>(
  Base: new (message: string) => E,
  code: string,
  message: string,
): E & { code: string } {
  const error = new Base(message)
  error.stack = error.stack?.replace(/^(\w+)/, `$1 [${code}]`)
  return Object.assign(error, { code })
}

/** What an aborted signal makes of an operation: Node's AbortError, with the signal's reason as its cause. */
export function abortError(signal: AbortSignal): Error & { code: string } {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  return Object.assign(error, { code: 'ABORT_ERR', name: 'AbortError' })
}

/** The `code` of an error that one of the lower floors threw at a caller, or null when it has none. */
export function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null
  return typeof error.code === 'string' ? error.code : null
}
