// Leaving HTTP on a connection: the answer to CONNECT that begins a tunnel, the 101 that switches to another protocol.
// Owns: those two heads, and when they may be sent. Does not own: the stream (server-connection.ts).
// Read first: RFC 9110 §7.8 (Upgrade), §9.3.6 (CONNECT), §15.2.2 (101).
import type { HttpConnection } from './connection.ts'
import type { HeaderList } from './headers.ts'
import { reasonPhrase } from './status.ts'

/**
 * Sends the head behind which the connection is HTTP no more.
 * @param headers its fields; Upgrade for a 101, whose Connection is added here
 * @returns the bytes of the head, and its status
 * @throws {TypeError} when the request asked for no such thing, or part of it is still to come
 */
export function sendTakeOver(http: HttpConnection, headers: HeaderList): { status: number; bytes: Uint8Array } {
  const { request } = http
  const fields = headers.clone()
  if (request === null || http.ourState !== 'send-response')
    throw new TypeError('there is no request that could be answered by a switch')
  // A request without a body ends with its head, which may not have been noted yet.
  if (http.theirState === 'send-body' && http.remainingBodyBytes === 0) http.nextEvent()
  if (http.theirState !== 'might-switch') {
    const why = http.theirState === 'send-body' ? 'read its body first' : 'it holds no Upgrade, or not in Connection'
    throw new TypeError(`the request does not let the connection switch: ${why}`)
  }
  if (request.method === 'CONNECT') {
    const head = { type: 'response', status: 200, reason: reasonPhrase(200), version: '1.1', headers: fields } as const
    return { status: 200, bytes: http.send(head) }
  }
  fields.set('Connection', 'Upgrade')
  const reason = reasonPhrase(101)
  return {
    status: 101,
    bytes: http.send({ type: 'informational', status: 101, reason, version: '1.1', headers: fields }),
  }
}
