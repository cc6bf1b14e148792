// What is added to a head before it is sent: framing and connection fields that the caller left to us.
// Owns: the rules for outgoing responses and requests. Does not own: their bytes (writer.ts).
// Read first: RFC 9112 §6.1, §6.2 (who must and must not send which), §9.3, RFC 9110 §8.6.
import type { InformationalResponse, RequestHead, ResponseHead } from './events.ts'
import { isBodyless } from './status.ts'

/** What a server knows of the exchange when it answers. */
export interface ResponseContext {
  /** The request that is answered; null when none could be read. */
  readonly request: RequestHead | null
  /** Whether the connection may persist as far as anything but this response decides. */
  readonly keepAlive: boolean
}

/**
 * A final response with the fields that the connection needs; the caller's list is left as it is.
 * Adds `Transfer-Encoding: chunked` when the length is unknown and the peer can read it, `Connection: close` or
 * `keep-alive`; removes framing fields where they must not be.
 */
export function prepareResponse(response: ResponseHead, context: ResponseContext): ResponseHead {
  // A list is copied by its first change.
  const headers = response.headers.clone()
  const { request } = context
  const method = request?.method ?? null
  const oldPeer = request?.version === '1.0' || response.version === '1.0'
  let persists = context.keepAlive && !headers.tokens('connection').includes('close')
  const tunnel = method === 'CONNECT' && response.status < 300
  // RFC 9112 §6.1, RFC 9110 §8.6: no Transfer-Encoding and no Content-Length in 204 and in 2xx to CONNECT.
  if (tunnel || response.status === 204) headers.delete('content-length')
  if (tunnel || isBodyless(response.status) || oldPeer) headers.delete('transfer-encoding')
  const hasBody = !(tunnel || isBodyless(response.status) || method === 'HEAD')
  if (hasBody && !headers.has('content-length') && !headers.has('transfer-encoding')) {
    // RFC 9112 §6.1: chunked only to a peer known to be HTTP/1.1; otherwise the end of the connection ends the body.
    if (request !== null && !oldPeer) headers.append('Transfer-Encoding', 'chunked')
    else persists = false
  }
  if (tunnel) return { ...response, headers }
  if (!persists) setConnection(headers, 'close', 'keep-alive')
  // RFC 9112 §9.3 and appendix C.2.2: an HTTP/1.0 peer must be told that the connection stays; RFC 9110 §7.6.1: Keep-Alive
  // is for the next hop, which Connection has to say.
  else if (oldPeer || headers.has('keep-alive')) setConnection(headers, 'keep-alive', 'close')
  if (!persists) headers.delete('keep-alive')
  return { ...response, headers }
}

/** An informational response without what it must not carry (RFC 9110 §8.6, RFC 9112 §6.1). */
export function prepareInformational(response: InformationalResponse): InformationalResponse {
  const headers = response.headers.clone()
  headers.delete('content-length')
  headers.delete('transfer-encoding')
  return { ...response, headers }
}

function setConnection(headers: ResponseHead['headers'], option: string, instead: string): void {
  const options = headers.tokens('connection').filter((one) => one !== option && one !== instead)
  headers.set('Connection', [...options, option].join(', '))
}
