// Asking whether a stored answer still holds, and what the reply does to it; the client's own conditions; what HEAD tells.
// Owns: the conditional request, freshening, the client's If-None-Match and If-Modified-Since. Does not own: sending (cache.ts).
// Read first: RFC 9111 §4.3 (validation), §3.2 (updating), §4.3.5 (HEAD); RFC 9110 §13.1.
import { parseEntityTags, sameWeakly } from '../conditional.ts'
import type { HeaderList } from '../headers.ts'
import {
  type Arrival,
  type CacheQuery,
  dateField,
  entityTag,
  HOP_FIELDS,
  type StoredResponse,
  storableFields,
} from './record.ts'

const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-range', 'range']

/**
 * The request that asks whether a record still holds (RFC 9111 §4.3.1). The client's own conditions and Range are left out; they are
 * applied to what comes of it.
 * @returns null when the record has nothing to ask by
 */
export function validationFields(query: CacheQuery, record: StoredResponse): HeaderList | null {
  const tag = entityTag(record.headers)
  const modified = record.headers.get('last-modified')
  const hasDate = !Number.isNaN(dateField(record.headers, 'last-modified'))
  if (tag === null && !hasDate) return null
  const headers = unconditional(query.headers)
  if (tag !== null) headers.append('If-None-Match', tag)
  if (modified !== null && hasDate) headers.append('If-Modified-Since', modified)
  return headers
}

/** A request's fields without conditions and Range, to have the whole. */
export function unconditional(headers: HeaderList): HeaderList {
  const plain = headers.clone()
  for (const name of CONDITIONS) plain.delete(name)
  return plain
}

/** What a 304 must not change of a stored answer (RFC 9111 §3.2): framing, and what describes the stored bytes. */
const KEPT = new Set(['content-length', 'content-encoding', 'content-type', 'content-range', 'trailer', ...HOP_FIELDS])

/**
 * The record that a 304 makes fresh again.
 * @returns null when the 304 is about another representation than the stored one (RFC 9111 §4.3.4)
 */
export function freshen(record: StoredResponse, reply: Arrival): StoredResponse | null {
  const [stored, told] = [entityTag(record.headers), entityTag(reply.headers)]
  // A strong tag must be the same; a weak one, or a strong beside a weak, may be the same in the weak sense.
  if (told !== null && stored !== null && !sameWeakly(stored, told)) return null
  if (told !== null && stored !== null && !told.startsWith('W/') && stored !== told) return null
  const [since, now] = [record.headers, reply.headers].map((one) => dateField(one, 'last-modified'))
  if (told === null && !Number.isNaN(now) && !Number.isNaN(since) && now !== since) return null
  return updated(record, reply)
}

/** Another record of the same URI, renewed as well where the 304 names its own strong tag (RFC 9111 §4.3.4); otherwise as it is. */
export function freshenAlike(record: StoredResponse, reply: Arrival): StoredResponse {
  const told = entityTag(reply.headers)
  const isNamed = told !== null && !told.startsWith('W/') && told === entityTag(record.headers)
  return isNamed ? updated(record, reply) : record
}

/**
 * What the answer to HEAD says of a stored answer to GET (RFC 9111 §4.3.5): the record updated, or marked as not current
 * any more when ETag, Last-Modified or the length differ.
 */
export function applyHead(record: StoredResponse, reply: Arrival): StoredResponse {
  if (reply.status !== 200) return record
  const size = String(record.part?.size ?? record.body.length)
  const differs = (name: string, stored: string | null): boolean => {
    const told = reply.headers.get(name)
    return told !== null && told !== stored
  }
  const { headers } = record
  const isOther =
    differs('etag', headers.get('etag')) ||
    differs('last-modified', headers.get('last-modified')) ||
    differs('content-length', size)
  return isOther ? { ...record, invalid: true } : updated(record, reply)
}

// RFC 9111 §3.2: each field of the reply replaces the stored one, but for those that KEPT names.
function updated(record: StoredResponse, reply: Arrival): StoredResponse {
  const news = storableFields(reply.headers)
  const headers = record.headers.clone()
  for (const name of ['age', 'warning', 'cache-status']) headers.delete(name)
  if (!news.has('date')) headers.delete('date')
  const names = new Set([...news].map(([name]) => name.toLowerCase()).filter((name) => !KEPT.has(name)))
  for (const name of names) headers.delete(name)
  for (const [name, value] of news) if (names.has(name.toLowerCase())) headers.append(name, value)
  const { requestMs, responseMs } = reply
  return { ...record, headers, requestMs, responseMs, invalid: false }
}

/**
 * Whether the client's own copy is good, by its If-None-Match or If-Modified-Since (RFC 9111 §4.3.2): 304 then.
 * RFC 9110 §13.2.1: only where the answer without the condition were 2xx.
 */
export function clientHasIt(query: CacheQuery, record: StoredResponse): boolean {
  const { headers } = query
  if (record.status < 200 || record.status > 299) return false
  const tags = headers.get('if-none-match')
  if (tags !== null) {
    const own = entityTag(record.headers)
    return tags.trim() === '*' || (own !== null && parseEntityTags(tags).some((tag) => sameWeakly(tag, own)))
  }
  const since = dateField(headers, 'if-modified-since', record.responseMs)
  if (Number.isNaN(since)) return false
  // RFC 9111 §4.3.2: without Last-Modified the Date, or when it came.
  const dates = ['last-modified', 'date'].map((name) => dateField(record.headers, name, record.responseMs))
  const made = dates.find((one) => !Number.isNaN(one)) ?? record.responseMs
  return made <= since
}
