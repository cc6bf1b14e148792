// Conditional requests: whether a method may go on, and whether the client's copy is still good.
// Owns: the four preconditions and their order, reading entity tags. Does not own: If-Range (ranges.ts).
// Read first: RFC 9110 §13.1 (the fields), §13.2.2 (their order), §8.8.3 (entity tags).
import { parseHttpDate } from './grammar.ts'
import type { HeaderList } from './headers.ts'

/** What a precondition is compared with: the selected representation as it is now. */
export interface Validators {
  /** Its entity tag, with quotes and, when weak, `W/`; null when it has none. */
  readonly etag: string | null
  /** Its last modification in milliseconds since 1970; NaN when unknown. */
  readonly modifiedMs: number
}

/**
 * Judges the preconditions of a request (RFC 9110 §13.2.2). To be called when the answer without them would be 2xx.
 * @param method decides what a false If-None-Match means, and whether If-Modified-Since counts
 * @param current the representation; null when there is none
 * @param nowMs the present, for dates with a two-digit year; may be NaN
 * @returns 200 to go on, 304 when the client's copy is good, 412 when a precondition failed
 */
export function checkPreconditions(
  method: string,
  headers: HeaderList,
  current: Validators | null,
  nowMs = Number.NaN,
): 200 | 304 | 412 {
  const reads = method === 'GET' || method === 'HEAD'
  const modified = Math.floor((current?.modifiedMs ?? Number.NaN) / 1000) * 1000
  const ifMatch = headers.get('if-match')
  // (1), else (2): the state that the client knows must be the one there is.
  if (ifMatch !== null) {
    if (!matches(ifMatch, current, 'strong')) return 412
  } else if (current !== null) {
    const since = dateOf(headers, 'if-unmodified-since', nowMs)
    if (!Number.isNaN(since) && modified > since) return 412
  }
  // (3), else (4): a copy that the client has need not be sent again.
  const ifNoneMatch = headers.get('if-none-match')
  if (ifNoneMatch !== null) return !matches(ifNoneMatch, current, 'weak') ? 200 : reads ? 304 : 412
  if (!reads) return 200
  const since = dateOf(headers, 'if-modified-since', nowMs)
  return !Number.isNaN(since) && modified <= since ? 304 : 200
}

function matches(value: string, current: Validators | null, comparison: 'strong' | 'weak'): boolean {
  if (value === '*') return current !== null
  if (current === null || current.etag === null) return false
  const { etag } = current
  return parseEntityTags(value).some((one) => (comparison === 'weak' ? sameWeakly(one, etag) : sameStrongly(one, etag)))
}

/** RFC 9110 §8.8.3.2: equal, and neither is weak. */
export function sameStrongly(a: string, b: string): boolean {
  return a === b && !a.startsWith('W/')
}

/** RFC 9110 §8.8.3.2: equal, weak or not. */
export function sameWeakly(a: string, b: string): boolean {
  return a.replace(/^W\//, '') === b.replace(/^W\//, '')
}

/**
 * The entity tags of a list, as they stand there. Commas and backslashes inside the quotes are part of a tag (RFC 9110
 * §8.8.3: an opaque tag is no quoted string). What is not a list of tags has none.
 */
export function parseEntityTags(value: string): string[] {
  const tag = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/y
  const tags: string[] = []
  for (let at = 0; ; ) {
    at = skip(value, at)
    if (at === value.length) return tags
    tag.lastIndex = at
    const found = tag.exec(value)
    if (found === null) return []
    tags.push(found[0])
    const next = skip(value, tag.lastIndex, '\t ')
    if (next < value.length && value[next] !== ',') return []
    at = next
  }
}

function skip(text: string, from: number, characters = '\t ,'): number {
  let at = from
  while (at < text.length && characters.includes(text[at])) at++
  return at
}

function dateOf(headers: HeaderList, name: string, nowMs: number): number {
  const values = headers.getAll(name)
  return values.length === 1 ? parseHttpDate(values[0], nowMs) : Number.NaN
}
