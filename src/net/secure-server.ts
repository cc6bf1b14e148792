// A server of TLS for connections of ours: what `host.serve` takes, for programs that speak their own protocol above it.
// Owns: settings that make its handshakes alike. Does not own: TLS (Node), the port (attach.ts).

import { constants } from 'node:crypto'
import tls from 'node:tls'

/**
 * A TLS server for `host.serve`: `onSecure` gets each connection whose handshake is done, a Duplex; those whose handshake
 * fails are dropped. Sessions are kept here, not in tickets, so that handshakes with equal settings have equal lengths.
 */
export function secureServer(options: tls.TlsOptions, onSecure: (socket: tls.TLSSocket) => void): tls.Server {
  const server = tls.createServer({ secureOptions: constants.SSL_OP_NO_TICKET, ...options }, (socket) => {
    socket.on('error', () => undefined)
    onSecure(socket)
  })
  return server.on('tlsClientError', () => undefined)
}
