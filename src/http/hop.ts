// A message between two hops: what a proxy or a cache takes from one side and hands to the other.
// Owns: the two records, an empty body, an answer made here. Does not own: connections on either side.
// Read first: RFC 9110 §3.7 (intermediaries).
import { toBytes } from './body.ts'
import type { HttpVersion, InformationalResponse } from './events.ts'
import { HeaderList, type HeadersInit } from './headers.ts'
import { reasonPhrase } from './status.ts'

/** A request on its way to the next server. */
export interface HopRequest {
  readonly method: string
  /** The absolute URI that is asked for. */
  readonly uri: string
  readonly version: HttpVersion
  readonly headers: HeaderList
  /** Null when there is none. Can be iterated once. */
  readonly body: AsyncIterable<Uint8Array> | null
  /** Trailer fields of the body, once it has been read to its end. */
  readonly trailers?: () => HeaderList | null
  /** Aborts when nobody waits for the answer any more. */
  readonly signal?: AbortSignal
  /** Told of 1xx answers. */
  readonly onInformational?: (response: InformationalResponse) => void
}

/** An answer on its way to the client. Its body throws when it is cut short. */
export interface HopResponse {
  readonly status: number
  readonly reason: string
  readonly version: HttpVersion
  readonly headers: HeaderList
  /** Can be iterated once; leaving the loop early throws the rest away. */
  readonly body: AsyncIterable<Uint8Array>
  /** Trailer fields, once the body has been read to its end. */
  readonly trailers: () => HeaderList | null
}

/** Sends a request on and brings the answer's head; rejects when there is none. */
export type Forward = (request: HopRequest) => Promise<HopResponse>

/** A body of the given bytes. */
export async function* bodyOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

/** An answer that an intermediary makes itself, in plain text. */
export function ownResponse(status: number, text: string, fields: HeadersInit = {}, reason?: string): HopResponse {
  const phrase = reason ?? reasonPhrase(status)
  const bytes = toBytes(text === '' ? '' : `${status} ${phrase}: ${text}\n`)
  const headers = new HeaderList(fields)
  if (bytes.length > 0) headers.setDefault('Content-Type', 'text/plain; charset=utf-8')
  headers.setDefault('Content-Length', bytes.length)
  return { status, reason: phrase, version: '1.1', headers, body: bodyOf(bytes), trailers: () => null }
}

/** Throws an answer's body away. */
export async function dropBody(response: HopResponse): Promise<void> {
  try {
    for await (const _ of response.body);
  } catch {
    // Nobody wanted it.
  }
}
