// A stored answer: the record that a store keeps and every decision reads.
// Owns: the record, which fields are not stored, entity tags compared. Does not own: whether it is stored (storing.ts), where (store.ts).
// Read first: RFC 9111 §3.1 (storing header fields), §4.1 (Vary), RFC 9110 §8.8 (validators).
import type { HttpVersion } from '../events.ts'
import { parseHttpDate } from '../grammar.ts'
import type { HeaderList } from '../headers.ts'

/** A part of a representation: bytes `[start, end)` of `size`. */
export interface StoredPart {
  readonly start: number
  readonly end: number
  readonly size: number
}

/** One stored answer to GET. Times are milliseconds since 1970. */
export interface StoredResponse {
  /** The absolute URI that was asked for, normalized. */
  readonly uri: string
  /** What Vary names, each with what the request had there; null for an absent field (RFC 9111 §4.1). */
  readonly vary: readonly (readonly [name: string, value: string | null])[]
  /** Never 206: a part has the status 200 that its whole would have, and `part`. */
  readonly status: number
  readonly reason: string
  readonly version: HttpVersion
  readonly headers: HeaderList
  /** When the request went out. */
  readonly requestMs: number
  /** When the answer's head came. */
  readonly responseMs: number
  readonly body: Uint8Array
  /** Which part of the representation the body is; null for all of it. */
  readonly part: StoredPart | null
  /** Whether something has said since that it is not current any more: it must be validated (RFC 9111 §4.4). */
  readonly invalid: boolean
}

/** What is asked of a cache. */
export interface CacheQuery {
  readonly method: string
  /** Absolute and normalized, see `cacheUri`. */
  readonly uri: string
  readonly headers: HeaderList
}

/** The head of an answer that may be stored, with the times by which its age is reckoned, in milliseconds since 1970. */
export interface Arrival {
  readonly status: number
  readonly reason: string
  readonly version: HttpVersion
  readonly headers: HeaderList
  readonly requestMs: number
  readonly responseMs: number
}

/**
 * A URI as a key: scheme and host in lower case, no default port, `/` for an empty path, no fragment (RFC 9110 §4.2.3).
 * Percent-encoding is left as it is.
 * @returns null when it is no absolute http or https URI
 */
export function cacheUri(uri: string): string | null {
  const parts = /^(https?):\/\/([^/?#]+)([^#]*)/i.exec(uri)
  if (parts === null) return null
  const scheme = parts[1].toLowerCase()
  const authority = parts[2].toLowerCase().replace(scheme === 'http' ? /:(?:80)?$/ : /:(?:443)?$/, '')
  return `${scheme}://${authority}${parts[3][0] === '/' ? '' : '/'}${parts[3]}`
}

/** Fields that end at the next hop and are never stored (RFC 9111 §3.1, RFC 9110 §7.6.1). */
export const HOP_FIELDS: ReadonlySet<string> = new Set(
  (
    'connection keep-alive proxy-connection te transfer-encoding upgrade proxy-authenticate proxy-authentication-info ' +
    'proxy-authorization'
  ).split(' '),
)

/** The fields to store of an answer: without those of one hop, those that Connection names, and `besides`. */
export function storableFields(headers: HeaderList, besides: readonly string[] = []): HeaderList {
  const kept = headers.clone()
  for (const name of [...HOP_FIELDS, ...headers.tokens('connection'), ...besides, 'trailer']) kept.delete(name)
  return kept
}

/** The entity tag of a list of fields; null when there is none that is well-formed. */
export function entityTag(headers: HeaderList): string | null {
  const tag = headers.get('etag')
  return tag !== null && /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/.test(tag) ? tag : null
}

/** A date field in milliseconds since 1970; NaN when it is absent or no date. */
export function dateField(headers: HeaderList, name: string, nowMs = Number.NaN): number {
  const value = headers.get(name)
  return value === null ? Number.NaN : parseHttpDate(value, nowMs)
}

/**
 * Whether Last-Modified is a strong validator: at least a second older than Date (RFC 9110 §8.8.2.2; RFC 9110 takes a second,
 * where older texts took a minute).
 */
export function isStrongDate(headers: HeaderList): boolean {
  return dateField(headers, 'date') - dateField(headers, 'last-modified') >= 1000
}
