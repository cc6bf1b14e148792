// Ranges answered from what is stored, and parts put together.
// Owns: which bytes of a record a request wants, joining parts of one representation. Does not own: reading Range (../ranges.ts).
// Read first: RFC 9111 §3.3 (incomplete answers), §3.4 (combining partial content); RFC 9110 §14.2, §13.1.5 (If-Range).
import { concatBytes } from '../body.ts'
import { sameStrongly } from '../conditional.ts'
import { type ByteRange, parseRange } from '../ranges.ts'
import { type CacheQuery, dateField, entityTag, isStrongDate, type StoredResponse } from './record.ts'

/** What of a record a request gets: all, one range or several of `size` bytes, or 416. */
export type Selection =
  | { readonly kind: 'whole' }
  | { readonly kind: 'parts'; readonly ranges: readonly ByteRange[]; readonly size: number }
  | { readonly kind: 'unsatisfiable'; readonly size: number }

/** What of a record a GET or HEAD gets; null when the record has not all of it. */
export function selectBytes(query: CacheQuery, record: StoredResponse): Selection | null {
  const whole: Selection | null = record.part === null ? { kind: 'whole' } : null
  const range = query.headers.get('range')
  // RFC 9110 §14.2: Range has a meaning for GET alone, and only where the answer without it were 200.
  if (range === null || query.method !== 'GET' || record.status !== 200) return whole
  if (!ifRangeHolds(query, record)) return whole
  const size = record.part?.size ?? record.body.length
  const ranges = parseRange(range, size)
  if (ranges === 'unsatisfiable') return { kind: 'unsatisfiable', size }
  if (ranges === 'ignore') return whole
  const has = record.part ?? { start: 0, end: size }
  return ranges.every(({ start, end }) => start >= has.start && end <= has.end) ? { kind: 'parts', ranges, size } : null
}

// RFC 9110 §13.1.5: strong comparison; a date must be a strong validator, and the very same.
function ifRangeHolds({ headers }: CacheQuery, record: StoredResponse): boolean {
  const value = headers.get('if-range')
  if (value === null) return true
  const tag = entityTag(record.headers)
  if (/^(?:W\/)?"/.test(value)) return tag !== null && sameStrongly(value, tag)
  const modified = dateField(record.headers, 'last-modified')
  return dateField(headers, 'if-range') === modified && isStrongDate(record.headers)
}

/** Whether two records are of the same representation beyond doubt: one strong validator, the same size (RFC 9111 §3.4). */
export function isSameRepresentation(one: StoredResponse, other: StoredResponse): boolean {
  const sizeOf = (record: StoredResponse): number => record.part?.size ?? record.body.length
  if (one.status !== 200 || other.status !== 200 || sizeOf(one) !== sizeOf(other)) return false
  const [a, b] = [entityTag(one.headers), entityTag(other.headers)]
  if (a !== null || b !== null) return a !== null && b !== null && sameStrongly(a, b)
  const [x, y] = [one, other].map(({ headers }) => dateField(headers, 'last-modified'))
  return x === y && isStrongDate(one.headers) && isStrongDate(other.headers)
}

/**
 * A stored part and a new one as one record, with the new one's fields (RFC 9111 §3.4); whole when nothing is missing.
 * @returns null when they are not of the same representation, or there is a gap between them
 */
export function combineParts(stored: StoredResponse, fresh: StoredResponse): StoredResponse | null {
  if (!isSameRepresentation(stored, fresh)) return null
  const size = fresh.part?.size ?? fresh.body.length
  const [a, b] = [stored, fresh].map((record) => record.part ?? { start: 0, end: size, size })
  if (a.start > b.end || b.start > a.end) return null
  const start = Math.min(a.start, b.start)
  const end = Math.max(a.end, b.end)
  // What is new counts where both have the same bytes.
  const before = stored.body.subarray(0, Math.max(0, b.start - a.start))
  const after = stored.body.subarray(Math.min(stored.body.length, Math.max(0, b.end - a.start)))
  const body = concatBytes([before, fresh.body, a.end > b.end ? after : new Uint8Array(0)])
  return { ...fresh, body, part: start === 0 && end === size ? null : { start, end, size } }
}
