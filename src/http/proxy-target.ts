// Where a request that came to a proxy is to go.
// Owns: forward and reverse targets, CONNECT's host and port, the Host field and the target for the next server.
// Does not own: opening connections (proxy-upstream.ts).
// Read first: RFC 9112 §3.2 (request target), §3.2.2 (absolute form and Host), §3.2.4 (asterisk form); RFC 9110 §9.3.6 (CONNECT).

import { remoteError } from './errors.ts'
import type { RequestTarget } from './grammar.ts'
import type { Origin } from './pool-options.ts'

/** A request's way on. */
export interface Route {
  /** The server that the request is for. */
  readonly origin: Origin
  /** Value of Host towards it. */
  readonly host: string
  /** The absolute URI of what is asked for. */
  readonly uri: string
  /** The target in origin form (or `*`), as the server itself gets it. */
  readonly originForm: string
  /** The target in absolute form, as another proxy gets it. */
  readonly absoluteForm: string
}

/** `host`, `host:port`, `[v6]:port` taken apart. @returns null for no host, or a port that is none */
export function parseAuthority(text: string, defaultPort: number): { host: string; port: number } | null {
  const parts = /^(\[[^\]]+\]|[^:]+)(?::([0-9]{0,5}))?$/.exec(text)
  if (parts === null) return null
  const port = parts[2] === undefined || parts[2] === '' ? defaultPort : Number(parts[2])
  if (port < 1 || port > 65_535) return null
  return { host: parts[1].replace(/^\[|\]$/g, '').toLowerCase(), port }
}

/** `host:port`, without a port that is the scheme's own. */
export function authorityOf({ protocol, host, port }: Origin): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === (protocol === 'http:' ? 80 : 443) ? name : `${name}:${port}`
}

/**
 * The way of a request through a forward proxy: its target must say where (RFC 9112 §3.2.2), and Host is what the target says.
 * @throws {ProtocolError} 400 for a target that names no http server
 */
export function forwardRoute(target: RequestTarget): Route {
  if (target.form !== 'absolute') {
    throw remoteError(400, 'bad-target', 'this is a proxy: the request target must be an absolute URI')
  }
  if (target.scheme !== 'http' && target.scheme !== 'https') {
    throw remoteError(400, 'bad-target', `this proxy does not know the scheme ${target.scheme}`)
  }
  const protocol = target.scheme === 'http' ? 'http:' : 'https:'
  const at = parseAuthority(target.authority, protocol === 'http:' ? 80 : 443)
  if (at === null) throw remoteError(400, 'bad-target', `${target.authority} is no host`)
  return makeRoute({ protocol, ...at }, target)
}

/**
 * The way of a request through a reverse proxy: always the same server; the Host that the client asked for stays, as the server may
 * have several names.
 */
export function reverseRoute(target: RequestTarget, origin: Origin, host: string | null): Route {
  const route = makeRoute(origin, target)
  const asked = target.form === 'absolute' ? target.authority : host
  if (asked === null || asked === '') return route
  return { ...route, host: asked, uri: `${origin.protocol}//${asked}${pathOf(target)}` }
}

function makeRoute(origin: Origin, target: RequestTarget): Route {
  const host = authorityOf(origin)
  const path = pathOf(target)
  const uri = `${origin.protocol}//${host}${path}`
  // RFC 9112 §3.2.4: OPTIONS for a server itself is `*` at that server, and a URI without path on the way to it.
  return { origin, host, uri, originForm: path === '' ? '*' : path, absoluteForm: uri }
}

/** Path and query; `''` for the server itself (`*`). */
function pathOf({ path, query }: RequestTarget): string {
  if (path === '*') return ''
  return query === '' ? path : `${path}?${query}`
}

/**
 * Where CONNECT leads.
 * @throws {ProtocolError} 400 for no host and port, 403 for a port that is not allowed
 */
export function connectOrigin(target: RequestTarget, ports: readonly number[] | 'all'): Origin {
  const at = /:[0-9]+$/.test(target.authority) ? parseAuthority(target.authority, 443) : null
  if (at === null) throw remoteError(400, 'bad-target', 'CONNECT needs host:port')
  // RFC 9110 §9.3.6: restrict CONNECT to known ports, or it is a way into everything (a mail server above all).
  if (ports !== 'all' && !ports.includes(at.port)) {
    throw remoteError(403, 'bad-target', `no tunnel to port ${at.port} through this proxy`)
  }
  return { protocol: 'http:', ...at }
}
