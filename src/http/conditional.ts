// Conditional requests: whether the client's copy is still good.
// Owns: the order of the four conditions. Does not own: If-Range (ranges.ts).
// Read first: RFC 9110 §13.1 (the fields), §13.2.2 (their order).
import { parseHttpDate, splitList } from './grammar.ts'
import type { HeaderList } from './headers.ts'

/**
 * What the conditions of a GET or HEAD say of an existing representation (RFC 9110 §13.2.2).
 * @param etag its strong entity tag, with quotes
 * @returns 200 to go on, 304 when the client's copy is good, 412 when a precondition failed
 */
export function checkConditions(headers: HeaderList, etag: string, modifiedMs: number): 200 | 304 | 412 {
  const modified = Math.floor(modifiedMs / 1000) * 1000
  const ifMatch = headers.get('if-match')
  if (ifMatch !== null) {
    if (ifMatch !== '*' && !splitList(ifMatch).includes(etag)) return 412
  } else {
    const since = dateOf(headers, 'if-unmodified-since')
    if (!Number.isNaN(since) && modified > since) return 412
  }
  const ifNoneMatch = headers.get('if-none-match')
  if (ifNoneMatch !== null) {
    // RFC 9110 §13.1.2: compared weakly; If-Modified-Since is then ignored.
    const tags = splitList(ifNoneMatch).map((tag) => tag.replace(/^W\//, ''))
    return ifNoneMatch === '*' || tags.includes(etag) ? 304 : 200
  }
  const since = dateOf(headers, 'if-modified-since')
  return !Number.isNaN(since) && modified <= since ? 304 : 200
}

function dateOf(headers: HeaderList, name: string): number {
  const value = headers.get(name)
  return value === null ? Number.NaN : parseHttpDate(value)
}
