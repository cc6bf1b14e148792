// A connection too many: it gets one answer and its end.
// Owns: the 503 of a full server. Does not own: when a server is full (server.ts).
// Read first: RFC 9110 §15.6.4 (503), §10.2.3 (Retry-After); RFC 9112 §9.6 (half-close, then read on).
import { HttpConnection } from './connection.ts'
import { dataEvent, endEvent } from './events.ts'
import { errorResponse, withOwnFields } from './server-exchange.ts'
import type { ServerContext } from './server-options.ts'
import type { ByteStream } from './stream.ts'

/** Answers 503 to whatever comes, ends our side, and destroys the stream when the peer has ended or after `lingerUs`. */
export function refuseConnection(stream: ByteStream, context: ServerContext): void {
  const { scheduler, httpVersion = '1.1' } = context.options
  const http = new HttpConnection({ role: 'server' })
  const { head, text } = errorResponse(503, null, httpVersion)
  head.headers.append('Retry-After', 1)
  const task = scheduler.schedule(scheduler.now() + context.timeouts.lingerUs, () => stream.destroy())
  stream.on('error', () => undefined)
  stream.on('close', () => task.cancel())
  http.disableKeepAlive()
  stream.write(http.send(withOwnFields(head, null, context, 0)))
  stream.write(http.send(dataEvent(text)))
  http.send(endEvent())
  stream.end()
  stream.resume()
}
