// Giving the connections of a port of ours to a server of Node's: http, https, http2, net, or a framework over one of them.
// Owns: what net.Server would have done for it (options, 'listening', the end). Does not own: any protocol.

import type { EventEmitter } from 'node:events'
import tls from 'node:tls'
import type { HostListenOptions } from './options.ts'
import type { TunServer } from './server.ts'
import { nameAcceptedTlsSocket } from './tls-names.ts'

/** What net.Server keeps of its options. */
interface NetServerLike extends EventEmitter {
  readonly listening?: boolean
  readonly allowHalfOpen?: boolean
  readonly pauseOnConnect?: boolean
  readonly noDelay?: boolean
  readonly keepAlive?: boolean
  readonly keepAliveInitialDelay?: number
  readonly highWaterMark?: number
}

/**
 * Listens with the options that `server` was made with (an http.Server has noDelay and allowHalfOpen) under those given, and
 * hands every connection over. Emits 'listening' on it: that is what starts the timeouts of an http.Server.
 */
export async function attachServer(
  server: NetServerLike,
  options: HostListenOptions,
  listen: (options: HostListenOptions) => Promise<TunServer>,
): Promise<TunServer> {
  const isTls = server instanceof tls.Server
  const { pauseOnConnect, noDelay, keepAlive, keepAliveInitialDelay, highWaterMark } = server
  // Over a Duplex, TLS may still have bytes to send when the peer has ended: only it knows when our side is to end.
  const allowHalfOpen = isTls || server.allowHalfOpen
  const own = { allowHalfOpen, pauseOnConnect, noDelay, keepAlive, keepAliveInitialDelay, highWaterMark }
  const ours = await listen({ ...own, ...options })
  if (isTls) server.prependListener('secureConnection', nameAcceptedTlsSocket)
  ours.on('connection', (socket) => server.emit('connection', socket))
  const closed = (): void => {
    ours.close()
  }
  server.once('close', closed)
  ours.once('close', () => {
    server.off('close', closed)
    server.off('secureConnection', nameAcceptedTlsSocket)
  })
  if (server.listening !== true) server.emit('listening')
  return ours
}
