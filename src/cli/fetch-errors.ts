// What a failed transfer is called, in curl's words and with curl's exit codes.
// Owns: the table. Does not own: when transfers fail (src/http, fetch-transfer.ts).
// Read first: curl(1), EXIT CODES; https://everything.curl.dev/cmdline/exitcode.html

import { HttpError, type Origin, ProtocolError, TunnelError } from '../http/index.ts'
import type { ConnectPhase } from '../net/index.ts'
import { CliError, codeOf, EXIT, messageOf } from './errors.ts'

/** curl's exit codes, as far as they can happen here. */
export const CURL = {
  unsupportedProtocol: 1,
  badUrl: 3,
  resolveProxy: 5,
  resolve: 6,
  connect: 7,
  weirdReply: 8,
  partial: 18,
  httpError: 22,
  write: 23,
  read: 26,
  timeout: 28,
  secure: 35,
  tooManyRedirects: 47,
  emptyReply: 52,
  send: 55,
  receive: 56,
  certificate: 60,
  badEncoding: 61,
} as const

/** A failure with one of curl's exit codes, which stands in the message as in curl's. */
export function curlError(exitCode: number, message: string, mend: string | null = null): CliError {
  return new CliError(`(${exitCode}) ${message}`, { exitCode, mend })
}

const CONNECT_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable: this stack reaches the networks of its --address only',
  ECONNRESET: 'Connection reset by peer',
  EADDRNOTAVAIL: 'Cannot assign requested address',
}

/** What is known of an attempt that has failed. */
export interface AttemptFacts {
  readonly afterUs: number
  /** Whether it was the proxy that was not reached. */
  readonly isProxy: boolean
  /** Whether there were DNS servers to ask. */
  readonly hasDns: boolean
}

/** Whatever kept a connection from being opened, by the step in which it did: 5 or 6, 7, 28, 35, 60. */
export function connectingFailure(error: unknown, { host, port }: Origin, facts: AttemptFacts): CliError {
  if (error instanceof CliError) return error
  const phase = (error as { phase?: ConnectPhase } | null)?.phase ?? 'connect'
  const code = codeOf(error)
  if (phase === 'secure') return secureFailure(error, code)
  if (phase === 'lookup') {
    if (code === 'ETIMEDOUT') return curlError(CURL.timeout, `Resolving timed out: ${host}`)
    const mend = facts.hasDns ? null : `name a server with --dns, or add --resolve ${host}:${port}:ADDRESS`
    if (facts.isProxy) return curlError(CURL.resolveProxy, `Could not resolve proxy: ${host}`, mend)
    return curlError(CURL.resolve, `Could not resolve host: ${host}`, mend)
  }
  return connectFailure(error, host, port, facts.afterUs)
}

function secureFailure(error: unknown, code: string | null): CliError {
  const isCertificate = /CERT|UNABLE_TO_|SIGNATURE|HOSTNAME/.test(code ?? '')
  if (code === 'ETIMEDOUT') return curlError(CURL.timeout, 'SSL connection timeout')
  if (isCertificate) {
    const mend = 'trust its issuer with --cacert FILE, or look at no certificate with -k'
    return curlError(CURL.certificate, `SSL certificate problem: ${messageOf(error)}`, mend)
  }
  // OpenSSL's: '80..7F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/...:350:\n'
  const [, reason] = /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(messageOf(error)) ?? ['', messageOf(error).trim()]
  const mend = reason === 'wrong version number' ? 'what listens there does not speak TLS: try http://' : null
  return curlError(CURL.secure, `SSL connect error: ${reason}`, mend)
}

/** A connection that could not be opened: 28 when nobody answered in time, 7 otherwise. */
export function connectFailure(error: unknown, host: string, port: number, afterUs: number): CliError {
  const code = codeOf(error)
  const afterMs = Math.round(afterUs / 1000)
  const what = `Failed to connect to ${host} port ${port} after ${afterMs} ms`
  if (code === 'ETIMEDOUT') return curlError(CURL.timeout, `${what}: Connection timed out`)
  const mend =
    code === 'ECONNREFUSED' ? 'is a server listening there on this machine, on that address or on all?' : null
  return curlError(CURL.connect, `${what}: ${CONNECT_TEXTS[code ?? ''] ?? messageOf(error)}`, mend)
}

/** Whatever ended a transfer, as an error with curl's exit code. */
export function transferFailure(error: unknown): CliError {
  if (error instanceof CliError) return error
  if (error instanceof TunnelError) return curlError(CURL.receive, error.message)
  if (error instanceof HttpError) return connectionFailure(error)
  if (error instanceof ProtocolError) return protocolFailure(error)
  // Arguments that cannot be written as HTTP: a header name with a space in it.
  if (error instanceof TypeError) return new CliError(error.message, { exitCode: EXIT.usage })
  if (/^(?:Z_|ERR__ERROR_|ERR_BROTLI|ERR__ZLIB)/.test(codeOf(error) ?? '')) {
    return curlError(CURL.badEncoding, `Error while processing content unencoding: ${messageOf(error)}`)
  }
  return curlError(CURL.receive, messageOf(error))
}

function connectionFailure(error: HttpError): CliError {
  const cause = codeOf(error.cause)
  if (error.code === 'ETIMEDOUT' || cause === 'ETIMEDOUT') return curlError(CURL.timeout, 'Operation timed out')
  if (cause === 'ECONNRESET') return curlError(CURL.receive, 'Recv failure: Connection reset by peer')
  if (cause === 'EPIPE' || error.code === 'EPIPE') return curlError(CURL.send, 'Send failure: Broken pipe')
  if (!error.answered && error.cause === undefined) return curlError(CURL.emptyReply, 'Empty reply from server')
  return curlError(CURL.receive, `Recv failure: ${error.cause === undefined ? error.message : messageOf(error.cause)}`)
}

function protocolFailure(error: ProtocolError): CliError {
  switch (error.reason) {
    case 'truncated':
      return curlError(CURL.partial, 'transfer closed with outstanding read data remaining')
    case 'bad-status-line':
      return curlError(CURL.unsupportedProtocol, `Received HTTP/0.9 or no HTTP at all: ${error.message}`)
    case 'bad-chunk':
    case 'headers-too-large':
    case 'too-many-headers':
      return curlError(CURL.receive, error.message)
    default:
      return error.side === 'local'
        ? new CliError(error.message, { exitCode: EXIT.usage })
        : curlError(CURL.weirdReply, `Weird server reply: ${error.message}`)
  }
}
