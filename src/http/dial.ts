// Opening the stream that requests to an origin go over: to the origin, to its proxy, or through a tunnel of its proxy.
// Owns: CONNECT and what its refusal is. Does not own: TCP, names and TLS (the `connect` function that is given), pools (pool.ts).
// Read first: RFC 9110 §9.3.6 (CONNECT), §11.7.2 (Proxy-Authorization); RFC 9112 §3.2.3 (the authority form).

import type { Scheduler } from '../base/time.ts'
import { HttpClientConnection } from './client-connection.ts'
import type { ClientTimeouts } from './client-options.ts'
import type { DialTrace } from './client-timings.ts'
import { HttpError } from './errors.ts'
import type { HeaderList } from './headers.ts'
import type { HttpLimits } from './limits.ts'
import type { Connect, Origin, ProxyServer } from './pool-options.ts'
import type { ByteStream } from './stream.ts'

/** A proxy would not open a tunnel. */
export class TunnelError extends HttpError {
  override name = 'TunnelError'
  /** The status with which it refused: 407 wants a password. */
  readonly status: number
  readonly headers: HeaderList

  constructor(status: number, headers: HeaderList) {
    super('ECONNREFUSED', `CONNECT tunnel failed, response ${status}`, { sent: false })
    this.status = status
    this.headers = headers
  }
}

/** What opening a stream needs. */
export interface DialContext {
  readonly connect: Connect
  readonly scheduler: Scheduler
  readonly limits?: Partial<HttpLimits>
  readonly timeouts?: Partial<ClientTimeouts>
  readonly signal: AbortSignal
  readonly dial: DialTrace
}

/** `host:port`, an IPv6 address in brackets. */
export function authorityOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/**
 * Opens a stream to an origin, by its proxy if it has one. Rejects as soon as `signal` aborts, even if `connect` takes no notice.
 * @throws {TunnelError} (as a rejection) when the proxy refuses; what `connect` throws
 */
export function openStream(origin: Origin, context: DialContext): Promise<ByteStream> {
  const { signal } = context
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    open(origin, context).then(
      (stream) => {
        signal.removeEventListener('abort', abort)
        if (signal.aborted) stream.destroy()
        else resolve(stream)
      },
      (error: unknown) => {
        signal.removeEventListener('abort', abort)
        reject(error)
      },
    )
  })
}

async function open(origin: Origin, context: DialContext): Promise<ByteStream> {
  const { connect, signal, dial } = context
  const { proxy = null, ...target } = origin
  if (proxy === null) return connect(target, { signal, dial })
  const { protocol, host, port } = proxy
  const stream = await connect({ protocol, host, port }, { signal, dial })
  if (target.protocol === 'http:') return stream
  return connect(target, { signal, dial, over: await openTunnel(stream, origin, proxy, context) })
}

/**
 * Asks a proxy at the other end of `stream` for a tunnel to `target`.
 * @returns the stream, paused, for another protocol
 * @throws {TunnelError} (as a rejection) when it refuses
 */
export async function openTunnel(
  stream: ByteStream,
  target: { readonly host: string; readonly port: number },
  proxy: ProxyServer,
  context: Omit<DialContext, 'connect' | 'dial'>,
): Promise<ByteStream> {
  const { scheduler, limits, timeouts, signal } = context
  const http = new HttpClientConnection(stream, { scheduler, limits, timeouts })
  const headers = proxy.authorization === null ? {} : { 'Proxy-Authorization': proxy.authorization }
  const response = await http.request({ method: 'CONNECT', target: authorityOf(target), headers, signal })
  const { switched } = response
  if (switched === null) {
    http.destroy()
    throw new TunnelError(response.status, response.headers)
  }
  // The server behind has spoken first, in the same packet.
  if (switched.head.length > 0) {
    if (switched.stream.unshift === undefined) throw new HttpError('EPIPE', 'this stream cannot take bytes back')
    switched.stream.unshift(switched.head)
  }
  return switched.stream
}
