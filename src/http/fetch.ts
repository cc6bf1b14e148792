// fetch() as the web has it, over an HttpClient: Request in, Response out, bodies that stream.
// Owns: the translation both ways, what fetch() rejects with. Does not own: HTTP (client.ts), the classes (Node's or a browser's own).
// Read first: the Fetch standard, §5.6 (the method), §4.3 (network errors), §2.2.5 (null body statuses).
import type { BodySource } from './body.ts'
import type { FetchOptions, HttpClient } from './client.ts'
import type { ClientResponse } from './client-message.ts'
import { isBodyless } from './status.ts'

/** Redirects that fetch() follows (Fetch §4.4). */
const MOST_REDIRECTS = 20

/** The type of `fetch`, and for those who want to see below: the answer as HttpClient gave it. */
export interface Fetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** What lies below a Response of this fetch: connection, timings, trailers; null for any other. */
  answerOf(response: Response): ClientResponse | null
}

/**
 * Makes a `fetch` whose connections are those of `client`. Like the web's it rejects with a TypeError, whose `cause` is the failure, or
 * with the reason of an abort. `redirect` is obeyed; what needs a browser (modes, credentials, caches, referrers) is not there.
 */
export function createFetch(client: HttpClient): Fetch {
  const answers = new WeakMap<Response, ClientResponse>()
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init)
    const { redirect, signal } = request
    signal.throwIfAborted()
    const options: FetchOptions = {
      method: request.method,
      headers: [...request.headers],
      body: await bodyOf(request, input, init),
      signal,
      maxRedirects: redirect === 'follow' ? MOST_REDIRECTS : 0,
    }
    let answer: ClientResponse
    try {
      answer = await client.fetch(request.url, options)
    } catch (error) {
      signal.throwIfAborted()
      throw failed(error)
    }
    if (redirect === 'error' && [301, 302, 303, 307, 308].includes(answer.status)) {
      await answer.discard().catch(() => undefined)
      throw failed(new Error('a redirect, which this request does not allow'))
    }
    const response = responseOf(answer)
    answers.set(response, answer)
    return response
  }
  return Object.assign(fetch, { answerOf: (response: Response) => answers.get(response) ?? null })
}

function failed(cause: unknown): TypeError {
  return new TypeError('fetch failed', { cause })
}

// What is at hand is sent with its length, and can be sent again; a stream goes as it comes.
async function bodyOf(
  request: Request,
  input: unknown,
  init: RequestInit | undefined,
): Promise<BodySource | undefined> {
  if (request.body === null) return undefined
  const isStream = init?.body === undefined || init.body === null ? input instanceof Request : isIterable(init.body)
  if (isStream) return request.body as AsyncIterable<Uint8Array>
  return new Uint8Array(await request.arrayBuffer())
}

function isIterable(body: unknown): boolean {
  const isPlain = body instanceof Uint8Array || body instanceof URLSearchParams || body instanceof FormData
  return !isPlain && typeof body === 'object' && body !== null && Symbol.asyncIterator in body
}

function responseOf(answer: ClientResponse): Response {
  const hasBody = !isBodyless(answer.status) && answer.status !== 205
  if (!hasBody) void answer.discard().catch(() => undefined)
  const headers = new Headers()
  for (const [name, value] of answer.headers) headers.append(name, value)
  const init = { status: answer.status, statusText: answer.statusText, headers }
  const response = new Response(hasBody ? streamOf(answer.body) : null, init)
  // The constructor of the web knows neither.
  Object.defineProperty(response, 'url', { value: answer.url.replace(/#.*/, '') })
  Object.defineProperty(response, 'redirected', { value: answer.redirects > 0 })
  return response
}

/** An iterable as a stream of the web that is read only as fast as its reader wants it. */
function streamOf(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  let source: AsyncIterator<Uint8Array> | null = null
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        source ??= body[Symbol.asyncIterator]()
        try {
          const next = await source.next()
          if (next.done) controller.close()
          else controller.enqueue(next.value)
        } catch (error) {
          controller.error(error instanceof Error && error.name === 'AbortError' ? error : broken(error))
        }
      },
      async cancel() {
        source ??= body[Symbol.asyncIterator]()
        await source.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

function broken(cause: unknown): TypeError {
  return new TypeError('terminated', { cause })
}
