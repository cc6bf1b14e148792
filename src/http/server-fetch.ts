// Handlers in the shape of the web's `fetch`: a Request in, a Response out, both the platform's own classes.
// Owns: turning one kind of request and response into the other, streams with back-pressure both ways. Does not own: the
// classes (Node, browsers and others have them as globals).
// Read first: RFC 9110 §6 (message abstraction); the Fetch standard's Request and Response.
import type { Handler, PlainResponse, ServerRequest } from './server-message.ts'

/**
 * Answers a request the way a service worker does. `connection` is who asks; `request.signal` aborts when the client goes
 * away.
 */
export type FetchHandler = (request: Request, connection: ServerRequest['connection']) => Response | Promise<Response>

/** Methods that the platform's Request does not take. */
const FORBIDDEN = /^(?:CONNECT|TRACE|TRACK)$/i

/**
 * A handler for HttpServer from a `fetch`-style one. The body of the request is read as the handler reads it (100
 * (Continue) is sent then), the body of the response as the client takes it; when the client goes away the response's
 * stream is cancelled.
 */
export function fetchHandler(handle: FetchHandler): Handler {
  return async (request): Promise<PlainResponse> => {
    // RFC 9110 §15.6.2: a method that cannot be handled.
    if (FORBIDDEN.test(request.method)) return { status: 501, body: '501 Not Implemented\n' }
    const url = urlOf(request)
    if (url === null) return { status: 400, body: '400 Bad Request\n' }
    const response = await handle(requestOf(request, url), request.connection)
    // Response.error(), and a redirect that nobody followed, have no status to send.
    if (response.status === 0)
      throw new TypeError('the handler returned a network error, which cannot be answered with')
    const headers: [string, string][] = []
    for (const [name, value] of response.headers) headers.push([name, value])
    const { status, body } = response
    if (body === null) return { status, headers }
    return { status, headers, body: chunksOf(body) }
  }
}

function requestOf(request: ServerRequest, url: URL): Request {
  const { method, signal } = request
  const headers = new Headers()
  for (const [name, value] of request.headers) headers.append(name, value)
  const hasBody =
    method !== 'GET' && method !== 'HEAD' && (headers.has('content-length') || headers.has('transfer-encoding'))
  if (!hasBody) return new Request(url, { method, headers, signal })
  // Of a type that not every platform's declarations know: a stream of bytes, sent while it is still read.
  const init = { method, headers, signal, body: streamOf(request.body), duplex: 'half' }
  return new Request(url, init as RequestInit)
}

/** The effective URI of the request (RFC 9110 §7.1); null when it is none. */
function urlOf({ authority, connection, parsedTarget, path, query }: ServerRequest): URL | null {
  const scheme = parsedTarget.scheme === '' ? (connection.secure === true ? 'https' : 'http') : parsedTarget.scheme
  const host = authority === '' ? 'localhost' : authority
  const rest = path === '*' ? '' : path + (query === '' ? '' : `?${query}`)
  try {
    return new URL(`${scheme}://${host}${rest}`)
  } catch {
    return null
  }
}

function streamOf(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  let done = false
  try {
    for (;;) {
      const result = await reader.read()
      done = result.done
      if (result.done) return
      yield result.value
    }
  } finally {
    if (!done) await reader.cancel().catch(() => undefined)
  }
}
