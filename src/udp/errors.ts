// Errors of UDP that reach the application, with Node's codes. Owns: the vocabulary. Does not own: when they happen.

import type { TransportError } from '../ip/control.ts'
import { UNREACHABLE } from '../ip/icmp.ts'
import { UNREACHABLE_V6 } from '../ip/icmpv6.ts'

/** Codes of errors of a UDP socket; the same as Node's. */
export type UdpErrorCode =
  | 'EACCES'
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EAFNOSUPPORT'
  | 'EBADF'
  | 'ECONNREFUSED'
  | 'EDESTADDRREQ'
  | 'EHOSTUNREACH'
  | 'EINVAL'
  | 'EISCONN'
  | 'EMSGSIZE'
  | 'ENETUNREACH'
  | 'ENOBUFS'
  | 'ENOPROTOOPT'
  | 'EPROTO'

/** An error of a call on a UDP socket. */
export class UdpError extends Error {
  override name = 'UdpError'
  readonly code: UdpErrorCode

  constructor(code: UdpErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** What Linux tells a connected socket of an ICMP error (RFC 1122 §4.1.3.3). */
export function codeOfIcmp({ kind, code, dst }: TransportError): UdpErrorCode {
  if (kind === 'packet-too-big') return 'EMSGSIZE' // the next one is cut up
  if (kind === 'parameter-problem') return 'EPROTO'
  if (kind === 'time-exceeded') return 'EHOSTUNREACH'
  if (dst.family === 6) {
    if (code === UNREACHABLE_V6.port) return 'ECONNREFUSED'
    if (code === UNREACHABLE_V6.prohibited) return 'EACCES'
    return code === UNREACHABLE_V6.noRoute ? 'ENETUNREACH' : 'EHOSTUNREACH'
  }
  if (code === UNREACHABLE.port) return 'ECONNREFUSED'
  if (code === UNREACHABLE.protocol) return 'ENOPROTOOPT'
  return code === UNREACHABLE.network ? 'ENETUNREACH' : 'EHOSTUNREACH'
}
