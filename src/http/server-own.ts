// What a server decides of a request before any handler sees it.
// Owns: refusing by the head alone (413, 417, 421), what an origin server answers for itself (OPTIONS *, TRACE). Does
// not own: malformed requests (connection.ts), how answers leave (server-connection.ts).
// Read first: RFC 9110 §7.4 (misdirected requests), §9.3.7 (OPTIONS), §9.3.8 (TRACE), §10.1.1 (Expect).
import { type ProtocolError, remoteError } from './errors.ts'
import type { RequestHead } from './events.ts'
import { encodeLatin1, type RequestTarget } from './grammar.ts'
import type { ConnectionInfo, PlainResponse } from './server-message.ts'
import type { ServerContext } from './server-options.ts'

/** The methods of RFC 9110 §9.3 (and PATCH, RFC 5789) that a handler may get; TRACE and CONNECT are not among them. */
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** Fields that TRACE does not send back, because they are secrets (RFC 9110 §9.3.8). */
const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'cookie2'])

/** A request head that has been read, and where it came from. */
export interface Asked {
  readonly head: RequestHead
  readonly target: RequestTarget
  readonly connection: ConnectionInfo
  /** Bytes of the body to come; `Infinity` when unknown. */
  readonly bodyBytes: number
}

/** Why a request is refused by its head alone; null when it is not. */
export function refusal({ head, target, connection, bodyBytes }: Asked, context: ServerContext): ProtocolError | null {
  const { limits, options } = context
  if (bodyBytes !== Infinity && bodyBytes > limits.bodyBytes) {
    return remoteError(413, 'body-too-large', `a body of ${bodyBytes} bytes`)
  }
  // RFC 9110 §10.1.1: 417 to an expectation other than 100-continue.
  if (head.version === '1.1' && head.headers.tokens('expect').some((one) => one !== '100-continue')) {
    return remoteError(417, 'bad-expectation', `Expect: ${head.headers.get('expect')}`)
  }
  // RFC 9110 §7.4: an https target must have come over TLS; only a proxy may be asked for any.
  if (options.role !== 'proxy' && target.scheme === 'https' && connection.secure !== true) {
    return remoteError(421, 'misdirected', 'an https target on a connection without TLS')
  }
  // An origin server has nothing of other schemes; what they mean by the same host and path is not known here.
  if (options.role !== 'proxy' && !/^(?:https?)?$/.test(target.scheme)) {
    return remoteError(421, 'misdirected', `a target of the scheme ${target.scheme}`)
  }
  return null
}

/** The answer of an origin server itself; null when the request is for its handler. */
export function ownAnswer({ head, target }: Asked, { options }: ServerContext): PlainResponse | null {
  if (options.role === 'proxy') return null
  const trace = options.trace === true
  const allow = trace ? `${METHODS}, TRACE` : METHODS
  // RFC 9110 §9.3.7: about the server as a whole; Content-Length 0 says that there is nothing more to tell.
  if (target.form === 'asterisk' || (head.method === 'OPTIONS' && target.path === '*')) {
    return { status: 200, headers: { Allow: allow } }
  }
  if (head.method !== 'TRACE') return null
  if (!trace) return { status: 405, headers: { Allow: allow }, body: '405 Method Not Allowed\n' }
  const fields = [...head.headers].filter(([name]) => !SECRET.has(name.toLowerCase()))
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const body = `${head.method} ${head.target} HTTP/${head.version}\r\n${lines}\r\n`
  return { status: 200, headers: { 'Content-Type': 'message/http' }, body: encodeLatin1(body) }
}
