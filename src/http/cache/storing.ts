// What may be stored: RFC 9111 §3 as one decision list.
// Owns: the list, and the record made of an answer. Does not own: for how long it is fresh (freshness.ts), limits in bytes (store.ts).
// Read first: RFC 9111 §3, §3.1 to §3.5.
import { type CacheDirectives, readDirectives } from './directives.ts'
import { type CachePolicy, HEURISTIC_STATUS } from './freshness.ts'
import { type Arrival, type CacheQuery, type StoredPart, type StoredResponse, storableFields } from './record.ts'
import { varyOf } from './vary.ts'

/** Why an answer is not stored; `'store'` when it is. */
export type StoreVerdict =
  | 'store'
  | 'method'
  | 'status'
  | 'no-store'
  | 'request-no-store'
  | 'private'
  | 'authorization'
  | 'no-lifetime'
  | 'vary-any'
  | 'bad-part'

/** Status codes whose rules this cache knows (RFC 9111 §3, must-understand): all of RFC 9110 that may be stored. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  ...HEURISTIC_STATUS,
  302,
  303,
  307,
  400,
  403,
  406,
  409,
  451,
  500,
  502,
  503,
  504,
])

/** Whether the answer to a request may be stored, once its body has come whole. */
export function mayStore(request: CacheQuery, response: Arrival, policy: CachePolicy): StoreVerdict {
  const control = readDirectives(response.headers)
  // RFC 9111 §3: a method that the cache understands. HEAD only updates (validation.ts).
  if (request.method !== 'GET') return 'method'
  // RFC 9111 §3: a final status; 206 and 304, or with must-understand any, must be understood. 304 updates and is not stored itself.
  if (response.status < 200 || response.status === 304 || response.status === 416) return 'status'
  if (control.mustUnderstand && !UNDERSTOOD.has(response.status)) return 'status'
  // RFC 9111 §5.2.2.3: must-understand, when understood, counts more than no-store.
  if (control.noStore && !control.mustUnderstand) return 'no-store'
  if (readDirectives(request.headers).noStore) return 'request-no-store'
  if (policy.shared && control.isPrivate) return 'private'
  // RFC 9111 §3.5: an answer to a request with Authorization is its user's, unless it says otherwise.
  const isForAll = control.isPublic || control.mustRevalidate || control.sMaxage >= 0
  if (policy.shared && request.headers.has('authorization') && !isForAll) return 'authorization'
  if (!hasLifetime(response, control, policy)) return 'no-lifetime'
  if (varyOf(response.headers, request.headers) === null) return 'vary-any'
  if (response.status === 206 && partOf(response) === null) return 'bad-part'
  return 'store'
}

// RFC 9111 §3: one of public, private (not shared), Expires, max-age, s-maxage (shared), or a status that may be guessed about.
function hasLifetime(response: Arrival, control: CacheDirectives, policy: CachePolicy): boolean {
  return (
    control.isPublic ||
    (!policy.shared && (control.isPrivate || control.privateFields.length > 0)) ||
    response.headers.has('expires') ||
    control.maxAge >= 0 ||
    (policy.shared && control.sMaxage >= 0) ||
    HEURISTIC_STATUS.has(response.status)
  )
}

/** Which part a 206 with one range holds; null when it does not say so well (RFC 9110 §14.4). */
export function partOf(response: Arrival): StoredPart | null {
  const lines = response.headers.getAll('content-range')
  const match = /^bytes ([0-9]{1,15})-([0-9]{1,15})\/([0-9]{1,15})$/.exec(lines.length === 1 ? lines[0] : '')
  if (match === null) return null
  const [start, last, size] = match.slice(1).map(Number)
  return last >= start && last < size ? { start, end: last + 1, size } : null
}

/**
 * The record of an answer that `mayStore` lets pass, its body complete.
 * @returns null when the body is not as long as the head says: truncated answers are not stored (RFC 9111 §3.3)
 */
export function makeRecord(
  request: CacheQuery,
  response: Arrival,
  body: Uint8Array,
  policy: CachePolicy,
): StoredResponse | null {
  const vary = varyOf(response.headers, request.headers)
  const part = response.status === 206 ? partOf(response) : null
  const length = response.headers.get('content-length')
  const isWhole = length === null || Number(length) === body.length
  if (vary === null || !isWhole || (part !== null && part.end - part.start !== body.length)) return null
  if (response.status === 206 && part === null) return null
  // RFC 9111 §5.2.2.7: a shared cache does not store the fields that private="..." names.
  const besides = policy.shared ? readDirectives(response.headers).privateFields : []
  const headers = storableFields(response.headers, part === null ? besides : [...besides, 'content-range'])
  headers.set('Content-Length', part === null ? body.length : part.size)
  const { reason, version, requestMs, responseMs } = response
  const status = part === null ? response.status : 200
  const times = { requestMs, responseMs }
  const named = part === null ? reason : 'OK'
  if (response.status === 204) headers.delete('content-length')
  return { uri: request.uri, vary, status, reason: named, version, headers, ...times, body, part, invalid: false }
}
