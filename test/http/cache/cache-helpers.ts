// Stored answers and requests, made shortly; a cache between a client and a server that is a function.
import { HttpCache, type HttpCacheOptions } from '../../../src/http/cache/cache.ts'
import { CACHE_POLICY, type CachePolicy } from '../../../src/http/cache/freshness.ts'
import type { Arrival, CacheQuery, StoredResponse } from '../../../src/http/cache/record.ts'
import { makeRecord } from '../../../src/http/cache/storing.ts'
import { formatHttpDate } from '../../../src/http/grammar.ts'
import { HeaderList, type HeadersInit } from '../../../src/http/headers.ts'
import { bodyOf, type Forward, type HopRequest, type HopResponse } from '../../../src/http/hop.ts'
import { b, s, VirtualScheduler } from '../helpers.ts'

/** The present of the tests: Thu, 01 Jan 2026 00:00:00 GMT, in milliseconds since 1970. */
export const NOW = Date.UTC(2026, 0, 1)
/** A date so many seconds before (or, below 0, after) the present. */
export const ago = (seconds: number): string => formatHttpDate(NOW - seconds * 1000)
export const SHARED: CachePolicy = CACHE_POLICY
export const PRIVATE: CachePolicy = { ...CACHE_POLICY, shared: false }
export const URI = 'http://o/x'

export const query = (headers: HeadersInit = {}, method = 'GET', uri = URI): CacheQuery => ({
  method,
  uri,
  headers: new HeaderList(headers),
})

/** An answer that came `ageS` seconds ago, and was made then unless `headers` says otherwise. */
export function arrival(headers: HeadersInit = {}, status = 200, ageS = 0): Arrival {
  const list = new HeaderList(headers)
  if (!list.has('date')) list.append('Date', ago(ageS))
  const at = NOW - ageS * 1000
  return { status, reason: 'OK', version: '1.1', headers: list, requestMs: at, responseMs: at }
}

/** A stored answer with the body `0123456789`, `ageS` seconds old. */
export function stored(
  headers: HeadersInit = {},
  ageS = 0,
  request: HeadersInit = {},
  policy = SHARED,
): StoredResponse {
  const record = makeRecord(query(request), arrival(headers, 200, ageS), b('0123456789'), policy)
  if (record === null) throw new Error('it cannot be stored')
  return record
}

/** What a server function is asked, and answers. */
export type Origin = (request: HopRequest) => Answer | Promise<Answer>
export interface Answer {
  readonly status?: number
  readonly headers?: HeadersInit
  readonly body?: string | AsyncIterable<Uint8Array>
}

/** A cache, what it asked of its server, and a clock. */
export class Cached {
  readonly scheduler = new VirtualScheduler()
  readonly cache: HttpCache
  readonly asked: HopRequest[] = []
  origin: Origin

  constructor(origin: Origin, options: Partial<HttpCacheOptions> = {}) {
    this.origin = origin
    const wallClock = (): number => NOW + this.scheduler.now() / 1000
    this.cache = new HttpCache({ scheduler: this.scheduler, wallClock, ...options })
  }

  readonly forward: Forward = async (request) => {
    this.asked.push(request)
    const { status = 200, headers, body = 'body' } = await this.origin(request)
    const list = new HeaderList(headers)
    list.setDefault('Date', formatHttpDate(NOW + this.scheduler.now() / 1000))
    if (typeof body === 'string') list.setDefault('Content-Length', body.length)
    const bytes = typeof body === 'string' ? bodyOf(request.method === 'HEAD' ? b('') : b(body)) : body
    return { status, reason: 'OK', version: '1.1', headers: list, body: bytes, trailers: () => null }
  }

  /** Lets so many seconds pass. */
  async pass(seconds: number): Promise<void> {
    await this.scheduler.run(this.scheduler.now() + seconds * 1_000_000)
  }

  start(headers: HeadersInit = {}, method = 'GET', uri = URI): Promise<HopResponse> {
    const list = new HeaderList(headers)
    return this.cache.handle({ method, uri, version: '1.1', headers: list, body: null }, this.forward)
  }

  /** Asks, reads the body to its end, and gives all of it. */
  async ask(headers: HeadersInit = {}, method = 'GET', uri = URI): Promise<Got> {
    const response = await this.start(headers, method, uri)
    const parts: Uint8Array[] = []
    for await (const part of response.body) parts.push(part)
    const { status } = response
    return {
      status,
      text: s(Buffer.concat(parts)),
      headers: response.headers,
      did: response.headers.get('cache-status'),
    }
  }
}

export interface Got {
  readonly status: number
  readonly text: string
  readonly headers: HeaderList
  readonly did: string | null
}
