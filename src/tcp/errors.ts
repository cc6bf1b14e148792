// Errors that reach the application, with Node's codes. Owns: the vocabulary. Does not own: when they happen.

/** Codes of errors that end a connection or refuse a call; the same as Node's. */
export type TcpErrorCode =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'ECONNABORTED'
  | 'ETIMEDOUT'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'EPIPE'
  | 'EACCES'
  | 'EHOSTDOWN'
  | 'ENOPROTOOPT'
  | 'EOPNOTSUPP'
  | 'EPROTO'
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EINVAL'

const TEXT: Readonly<Record<TcpErrorCode, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  ECONNABORTED: 'connection aborted',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  EPIPE: 'broken pipe',
  EACCES: 'permission denied',
  EHOSTDOWN: 'host is down',
  ENOPROTOOPT: 'protocol not available',
  EOPNOTSUPP: 'operation not supported',
  EPROTO: 'protocol error',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EINVAL: 'invalid argument',
}

/** An error of a connection or of a call that opens one. */
export class TcpError extends Error {
  override name = 'TcpError'
  readonly code: TcpErrorCode

  constructor(code: TcpErrorCode, message: string = TEXT[code]) {
    super(message)
    this.code = code
  }
}
