// Rules of a request head that no single line can break: Host and the form of the target.
// Owns: those two, for what is received and for what is sent. Does not own: framing (framing.ts), expectations
// (server).
// Read first: RFC 9112 §3.2 (request target, Host), RFC 9110 §7.2 (Host).
import { ProtocolError, type ProtocolReason } from './errors.ts'
import type { RequestHead } from './events.ts'
import { isHost, parseRequestTarget } from './grammar.ts'

/**
 * Checks a request head as a whole.
 * @param side who made it, for the blame
 * @throws {ProtocolError} 400 when the target does not suit the method, or Host is missing (1.1), repeated or invalid
 */
export function checkRequest(request: RequestHead, side: 'local' | 'remote'): void {
  const fail = (reason: ProtocolReason, text: string): never => {
    throw new ProtocolError(side, side === 'local' ? 500 : 400, reason, text)
  }
  if (parseRequestTarget(request.method, request.target) === null) {
    fail('bad-target', `the request target ${JSON.stringify(request.target)} is not valid for ${request.method}`)
  }
  // RFC 9112 §3.2: 400 to a 1.1 request without Host, and to any request with more than one or an invalid one.
  const hosts = request.headers.getAll('host')
  if (hosts.length === 0 && request.version === '1.1') fail('bad-host', 'no Host field')
  if (hosts.length > 1) fail('bad-host', 'more than one Host field')
  if (hosts.length === 1 && !isHost(hosts[0])) fail('bad-host', `Host: ${hosts[0]}`)
}
