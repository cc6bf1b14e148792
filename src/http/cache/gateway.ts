// A cache in front of a server's handler: what a gateway near the server does.
// Owns: the handler's answer taken as another hop's. Does not own: the cache (cache.ts), the connection.
// Read first: RFC 9110 §3.7 (gateway), RFC 9111 §2.

import type { Scheduler } from '../../base/time.ts'
import { BODY_HIGH_WATER_BYTES, IncomingBody } from '../body.ts'
import { HttpError } from '../errors.ts'
import type { ServerEvent } from '../events.ts'
import type { HeaderList } from '../headers.ts'
import type { HopRequest, HopResponse } from '../hop.ts'
import { sendHop } from '../hop-send.ts'
import { type Handler, type ResponseSink, ServerRequest, ServerResponse } from '../server-message.ts'
import type { HttpCache } from './cache.ts'

/** Options of cachingHandler. */
export interface GatewayOptions {
  readonly scheduler: Scheduler
  /** Told of what the handler throws when nobody waits for its answer. */
  readonly onError?: (error: unknown) => void
}

/**
 * A handler that answers from a cache, and from `handler` what is not there. CONNECT, Upgrade and `*` go past the cache.
 * The inner handler is given requests that may carry the cache's own conditions (If-None-Match), and no way to take the connection over.
 */
export function cachingHandler(handler: Handler, cache: HttpCache, options: GatewayOptions): Handler {
  return async (request, response) => {
    const { method, path, headers } = request
    if (method === 'CONNECT' || path === '*' || headers.has('upgrade'))
      return handler(request, response) as Promise<void>
    const query = request.query === '' ? '' : `?${request.query}`
    const scheme = request.connection.secure === true ? 'https' : 'http'
    const hop: HopRequest = {
      method,
      uri: `${scheme}://${request.authority || 'localhost'}${path}${query}`,
      version: request.httpVersion,
      headers: headers.clone(),
      body: request.body,
      signal: request.signal,
      onInformational: ({ status, headers: fields }) => {
        if (!response.headSent && !response.ended) response.informational(status, fields)
      },
    }
    const got = await cache.handle(hop, (one) => runHandler(handler, request, one, options))
    return sendHop(response, got, got.headers, got.trailers, options.scheduler)
  }
}

/** Runs a handler as if it were another server. */
function runHandler(
  handler: Handler,
  asked: ServerRequest,
  hop: HopRequest,
  options: GatewayOptions,
): Promise<HopResponse> {
  return new Promise((resolve, reject) => {
    const sink = new HopSink(resolve, hop)
    const { method, target, httpVersion: version, parsedTarget, connection } = asked
    const head = { type: 'request', method, target, version, headers: hop.headers } as const
    const body = hop.body === null ? emptyBody() : (asked.body as IncomingBody)
    const signal = hop.signal ?? new AbortController().signal
    const request = new ServerRequest(head, parsedTarget, { body, signal }, connection)
    const response = new ServerResponse(sink, head, [])
    sink.onCancel = () => response.fail(new HttpError('ECONNABORTED', 'nobody wants the rest of the answer'))
    const run = async (): Promise<void> => {
      const result = await handler(request, response)
      if (result === undefined || response.ended) return
      await response.send(result.status ?? 200, result.headers, result.body)
    }
    run().catch((error: unknown) => {
      if (response.ended) return
      options.onError?.(error)
      reject(error)
      sink.fail(error instanceof Error ? error : new Error(String(error)))
    })
  })
}

function emptyBody(): IncomingBody {
  const body = new IncomingBody({ onStart: () => undefined, onTake: () => undefined, onCancel: () => undefined })
  body.finish()
  return body
}

/** Takes what a handler answers, and holds it back when it comes too fast. */
class HopSink implements ResponseSink {
  readonly version = '1.1'
  onCancel: () => void = () => undefined
  readonly #resolve: (response: HopResponse) => void
  readonly #hop: HopRequest
  readonly #body: IncomingBody
  #trailers: HeaderList | null = null
  #waiters: (() => void)[] = []

  constructor(resolve: (response: HopResponse) => void, hop: HopRequest) {
    this.#resolve = resolve
    this.#hop = hop
    const wake = (): void => {
      for (const waiter of this.#waiters.splice(0)) waiter()
    }
    this.#body = new IncomingBody({
      onStart: () => undefined,
      onTake: wake,
      onCancel: () => {
        this.onCancel()
        wake()
      },
    })
  }

  sendEvent(event: ServerEvent): void {
    switch (event.type) {
      case 'informational':
        this.#hop.onInformational?.(event)
        break
      case 'response': {
        const { status, reason, version, headers } = event
        const trailers = (): HeaderList | null => this.#trailers
        this.#resolve({ status, reason, version, headers: headers.clone(), body: this.#body, trailers })
        break
      }
      case 'data':
        this.#body.push(event.data)
        break
      case 'end':
        this.#trailers = event.trailers
        this.#body.finish()
        break
    }
  }

  flush(): void {}

  ready(): Promise<void> {
    if (this.#body.queuedBytes < BODY_HIGH_WATER_BYTES) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** The answer's body will not be complete. */
  fail(error: Error): void {
    this.#body.fail(error)
  }

  takeOver(): never {
    throw new TypeError('a handler behind a cache cannot take the connection over')
  }
}
