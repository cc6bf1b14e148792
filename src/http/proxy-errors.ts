// What a proxy answers when it cannot bring an answer.
// Owns: which failure is which status and which word of RFC 9209. Does not own: malformed requests (server-connection.ts answers them).
// Read first: RFC 9110 §15.6.3 (502), §15.6.5 (504), RFC 5842 §7.2 (508), RFC 9209 §2.3 (Proxy-Status).
import { HttpError, ProtocolError } from './errors.ts'
import { type HopResponse, ownResponse } from './hop.ts'

/** What went wrong on the far side, in the words of RFC 9209 §2.3. */
export type ProxyErrorType =
  | 'dns_error'
  | 'connection_refused'
  | 'connection_timeout'
  | 'connection_terminated'
  | 'destination_unavailable'
  | 'destination_ip_unroutable'
  | 'http_protocol_error'
  | 'http_response_timeout'
  | 'http_request_denied'
  | 'http_request_error'
  | 'proxy_loop_detected'
  | 'proxy_internal_error'

/** A failure between the proxy and the next server. */
export class UpstreamError extends Error {
  override name = 'UpstreamError'
  /** What the client is answered: 502 or 504. */
  readonly status: number
  readonly type: ProxyErrorType

  constructor(status: number, type: ProxyErrorType, message: string, cause: unknown) {
    super(message, { cause })
    this.status = status
    this.type = type
  }
}

const CODES: Readonly<Record<string, readonly [number, ProxyErrorType, string]>> = {
  ECONNREFUSED: [502, 'connection_refused', 'the server refused the connection'],
  ENOTFOUND: [502, 'dns_error', 'the name of the server is not known'],
  EAI_AGAIN: [502, 'dns_error', 'the name of the server cannot be looked up now'],
  EHOSTUNREACH: [502, 'destination_ip_unroutable', 'the server cannot be reached'],
  ENETUNREACH: [502, 'destination_ip_unroutable', 'the network of the server cannot be reached'],
  ETIMEDOUT: [504, 'connection_timeout', 'the server could not be reached in time'],
}

/** Why no connection to the next server could be opened. */
export function connectFailure(error: unknown): UpstreamError {
  const code = (error as { code?: unknown } | null)?.code
  const known = typeof code === 'string' ? CODES[code] : undefined
  const [status, type, text] = known ?? [502, 'destination_unavailable', 'the server cannot be reached']
  return new UpstreamError(status, type, text, error)
}

/** Why an exchange with the next server failed before its answer's head. */
export function exchangeFailure(error: unknown): UpstreamError {
  if (error instanceof ProtocolError && error.reason !== 'truncated') {
    return new UpstreamError(
      502,
      'http_protocol_error',
      `the server's answer breaks the rules: ${error.message}`,
      error,
    )
  }
  if (error instanceof HttpError && error.code === 'ETIMEDOUT') {
    return new UpstreamError(504, 'http_response_timeout', 'the server did not answer in time', error)
  }
  return new UpstreamError(502, 'connection_terminated', 'the server closed the connection without an answer', error)
}

/** The answer to a failure; says nothing of failures that are the proxy's own. */
export function failureResponse(error: unknown, name: string, proxyStatus: boolean): HopResponse {
  if (error instanceof UpstreamError) {
    return proxyError(error.status, error.message, error.type, proxyStatus ? name : null)
  }
  if (error instanceof ProtocolError && error.side === 'remote') {
    const type = error.status === 403 ? 'http_request_denied' : 'http_request_error'
    return proxyError(error.status, error.message, type, proxyStatus ? name : null)
  }
  return proxyError(500, 'the proxy failed', 'proxy_internal_error', proxyStatus ? name : null)
}

/** An error answer with its Proxy-Status; `name` null leaves that out. */
export function proxyError(status: number, text: string, type: ProxyErrorType, name: string | null): HopResponse {
  const fields = name === null ? {} : { 'Proxy-Status': `${name}; error=${type}` }
  return ownResponse(status, text, fields, status === 508 ? 'Loop Detected' : undefined)
}
