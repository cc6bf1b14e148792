// Addresses on a TLSSocket over one of our sockets: Node asks its own handle for them, which knows nothing of a Duplex.
// Owns: the six properties. Does not own: TLS.

import type { TLSSocket } from 'node:tls'
import { TunSocket } from './socket.ts'

const NAMES = ['remoteAddress', 'remotePort', 'remoteFamily', 'localAddress', 'localPort', 'localFamily'] as const

/** Gives a TLSSocket the addresses of the socket below it. Returns the TLSSocket. */
export function nameTlsSocket(secure: TLSSocket, socket: TunSocket): TLSSocket {
  for (const name of NAMES) Object.defineProperty(secure, name, { get: () => socket[name], configurable: true })
  return secure
}

/** The same for a TLSSocket that a tls.Server made; does nothing when the socket below is not one of ours. */
export function nameAcceptedTlsSocket(secure: TLSSocket): void {
  // Node keeps the Duplex below only here: TLSSocket._handle._parentWrap is its wrapper, whose `stream` it is.
  const below = secure as unknown as { _handle?: { _parentWrap?: { stream?: unknown } } }
  const socket = below._handle?._parentWrap?.stream
  if (socket instanceof TunSocket) nameTlsSocket(secure, socket)
}
