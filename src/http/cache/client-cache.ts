// A cache inside a client: the private cache of a browser.
// Owns: a client's fetch as the server that a cache asks. Does not own: the cache (cache.ts), connections (client.ts).
// Read first: RFC 9111 §1 (private cache).
import { DEFAULT_GATHER_BYTES, gatherBytes, toText } from '../body.ts'
import type { FetchOptions, HttpClient } from '../client.ts'
import { HeaderList } from '../headers.ts'
import type { Forward, HopResponse } from '../hop.ts'
import type { HttpCache } from './cache.ts'
import { isSafe } from './invalidation.ts'

/** A response, stored or not. */
export interface CachedResponse extends HopResponse {
  /** The whole body. @throws {ProtocolError} beyond `limit` or when it is cut short */
  bytes(limit?: number): Promise<Uint8Array>
  /** The whole body as UTF-8 text. @throws {ProtocolError} as `bytes` */
  text(limit?: number): Promise<string>
}

/** What it needs of a client. */
export type Fetcher = Pick<HttpClient, 'fetch'>

/**
 * Fetches through a cache, which should have the policy `{ shared: false }`.
 * @throws {TypeError} {HttpError} {ProtocolError} (as rejections) as the client's fetch
 */
export async function cachedFetch(
  client: Fetcher,
  cache: HttpCache,
  url: string | URL,
  options: FetchOptions = {},
): Promise<CachedResponse> {
  const { method = 'GET', headers, signal, hooks } = options
  const forward: Forward = async (request) => {
    // A safe request that the cache sends by itself has no body; any other goes out as the caller gave it.
    const { body: _, ...plain } = options
    const own = isSafe(method) ? plain : options
    const response = await client.fetch(url, { ...own, headers: request.headers })
    const { status, statusText: reason, httpVersion: version, body } = response
    return { status, reason, version, headers: response.headers, body, trailers: () => response.trailers }
  }
  const hook = hooks?.onInformational
  const response = await cache.handle(
    {
      method,
      uri: new URL(url).href,
      version: '1.1',
      headers: new HeaderList(headers),
      body: null,
      ...(signal && { signal }),
      ...(hook && { onInformational: hook }),
    },
    forward,
  )
  const bytes = (limit = DEFAULT_GATHER_BYTES): Promise<Uint8Array> => gatherBytes(response.body, limit)
  return { ...response, bytes, text: async (limit) => toText(await bytes(limit)) }
}
