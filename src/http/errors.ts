// The ways in which an HTTP exchange fails, as errors that say whose fault it is and what a server should answer.
// Owns: ProtocolError (a message broke a rule), HttpError (the connection under it failed). Does not own: TypeError and
// RangeError, which a caller's wrong arguments get as everywhere.
// Read first: RFC 9110 §15.5 (client error 4xx), RFC 9112 §2.2 and §6.3 (which input is an error).

/** Which rule of HTTP a message broke. */
export type ProtocolReason =
  | 'bad-request-line'
  | 'bad-status-line'
  | 'bad-target'
  | 'bad-version'
  | 'unsupported-version'
  | 'line-ending'
  | 'request-line-too-long'
  | 'method-too-long'
  | 'headers-too-large'
  | 'too-many-headers'
  | 'bad-header'
  | 'obs-fold'
  | 'space-before-colon'
  | 'bad-host'
  | 'bad-content-length'
  | 'duplicate-content-length'
  | 'length-and-encoding'
  | 'bad-transfer-encoding'
  | 'unsupported-transfer-coding'
  | 'bad-chunk'
  | 'chunk-extension-too-long'
  | 'body-too-large'
  | 'body-length'
  | 'truncated'
  | 'timeout'
  | 'bad-expectation'
  | 'misdirected'
  | 'unexpected-event'
  | 'unexpected-switch'

/**
 * A message broke a rule of HTTP. `side` is `'remote'` when the peer sent it and `'local'` when this program tried to;
 * `status` is what a server answers to it (a local error counts as 500).
 */
export class ProtocolError extends Error {
  override name = 'ProtocolError'
  /** Who broke the rule. */
  readonly side: 'local' | 'remote'
  /** The status code with which a server answers. */
  readonly status: number
  /** Which rule, for programs; the message is for people. */
  readonly reason: ProtocolReason
  /** `'ECONNRESET'` for a message cut short, `'EPROTO'` for every other. */
  readonly code: 'EPROTO' | 'ECONNRESET'
  /** What of a body had come, when the whole of it was asked for; null otherwise. */
  received: Uint8Array | null = null

  constructor(side: 'local' | 'remote', status: number, reason: ProtocolReason, message: string) {
    super(message)
    this.side = side
    this.status = status
    this.reason = reason
    this.code = reason === 'truncated' ? 'ECONNRESET' : 'EPROTO'
  }
}

/** The peer broke a rule. @returns the error to throw; `status` as a server should answer (RFC 9110 §15.5). */
export function remoteError(status: number, reason: ProtocolReason, message: string): ProtocolError {
  return new ProtocolError('remote', status, reason, message)
}

/** This program tried to break a rule. @returns the error to throw. */
export function localError(reason: ProtocolReason, message: string): ProtocolError {
  return new ProtocolError('local', 500, reason, message)
}

/** Node's code of a failure below HTTP. */
export type HttpErrorCode = 'ECONNRESET' | 'ETIMEDOUT' | 'EPIPE' | 'ECONNABORTED' | 'ECONNREFUSED' | 'EBUSY'

/** The connection under an exchange failed, or a time limit ran out. */
export class HttpError extends Error {
  override name = 'HttpError'
  readonly code: HttpErrorCode
  /**
   * Whether any byte of the answer had arrived; when not, an idempotent request may be sent again (RFC 9112 §9.3.1).
   */
  readonly answered: boolean
  /** Whether any byte of the request had been handed to the connection; when not, any request may be sent again. */
  readonly sent: boolean
  /** What of a body had come, when the whole of it was asked for; null otherwise. */
  received: Uint8Array | null = null

  constructor(
    code: HttpErrorCode,
    message: string,
    options: { answered?: boolean; sent?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.answered = options.answered ?? false
    this.sent = options.sent ?? true
  }
}
