// The field Cache-Status: what each cache on the way did with a request.
// Owns: its text. Does not own: the decision.
// Read first: RFC 9211 §2.
import type { HeaderList } from '../headers.ts'
import type { ForwardWhy } from './decision.ts'

/** What a cache did. */
export interface CacheOutcome {
  /** Why the request went on; null when it was answered from the store. */
  readonly fwd: ForwardWhy | null
  /** The status that the next server answered, where it is not the one that the client gets. */
  readonly fwdStatus?: number
  /** Seconds that the answer is still fresh; below 0 for a stale one. */
  readonly ttlS?: number
  /** Whether the answer is being stored. */
  readonly stored?: boolean
  /** Whether it waited for another request for the same. */
  readonly collapsed?: boolean
  /** A word more, a token. */
  readonly detail?: string
}

/** `tunstack; hit; ttl=12`, `tunstack; fwd=stale; fwd-status=304; stored`. */
export function cacheStatus(name: string, outcome: CacheOutcome): string {
  const parts = [name, outcome.fwd === null ? 'hit' : `fwd=${outcome.fwd}`]
  if (outcome.fwd !== null && outcome.fwdStatus !== undefined) parts.push(`fwd-status=${outcome.fwdStatus}`)
  if (outcome.ttlS !== undefined) parts.push(`ttl=${outcome.ttlS}`)
  if (outcome.stored === true) parts.push('stored')
  if (outcome.collapsed === true) parts.push('collapsed')
  if (outcome.detail !== undefined) parts.push(`detail=${outcome.detail}`)
  return parts.join('; ')
}

/** Adds this cache's word behind those of the caches nearer to the origin (RFC 9211 §2). */
export function addCacheStatus(headers: HeaderList, name: string, outcome: CacheOutcome): void {
  headers.append('Cache-Status', cacheStatus(name, outcome))
}
