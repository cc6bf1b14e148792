// What is done with a request, by what is stored: RFC 9111 §4 as one pure function.
// Owns: the decision. Does not own: doing it (cache.ts), what a validation brings (validation.ts).
// Read first: RFC 9111 §4 (constructing responses), §4.2.4 (serving stale), §5.2.1 (request directives); RFC 5861; RFC 8246.
import { type CacheDirectives, readDirectives } from './directives.ts'
import { type CachePolicy, currentAge, freshnessLifetime } from './freshness.ts'
import { selectBytes } from './partial.ts'
import type { CacheQuery, StoredResponse } from './record.ts'
import { matchesVary, newestFirst } from './vary.ts'

/** Why a request goes on to the next server, in the words of RFC 9211 §2.2. */
export type ForwardWhy = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'request' | 'stale' | 'partial'

/** A stored answer, chosen. `ttlS` is how long it is still fresh, below 0 for a stale one. */
export interface Chosen {
  readonly record: StoredResponse
  readonly ageS: number
  readonly ttlS: number
}

/** What is done with a request. */
export type Decision =
  /** Answered from the store, fresh. */
  | ({ readonly kind: 'fresh' } & Chosen)
  /** Answered from the store though stale, with right; `revalidate`: and asked for anew behind the client's back. */
  | ({ readonly kind: 'stale'; readonly revalidate: boolean } & Chosen)
  /** The stored answer is used when its server says that it still holds. */
  | ({ readonly kind: 'validate'; readonly why: ForwardWhy } & Chosen)
  /** The request goes on. */
  | { readonly kind: 'forward'; readonly why: ForwardWhy }
  /** only-if-cached, and it is not: 504. */
  | { readonly kind: 'unavailable' }

/**
 * Decides on a request.
 * @param candidates all that is stored for its URI
 * @param nowMs the present, in milliseconds since 1970
 */
export function decide(
  query: CacheQuery,
  candidates: readonly StoredResponse[],
  nowMs: number,
  policy: CachePolicy,
): Decision {
  const asked = readDirectives(query.headers)
  const decision = choose(query, asked, candidates, nowMs, policy)
  // RFC 9111 §5.2.1.7: only-if-cached: a stored answer, or 504.
  const isServed = decision.kind === 'fresh' || decision.kind === 'stale'
  return asked.onlyIfCached && !isServed && isSafeToAnswer(query) ? { kind: 'unavailable' } : decision
}

function choose(
  query: CacheQuery,
  asked: CacheDirectives,
  candidates: readonly StoredResponse[],
  nowMs: number,
  policy: CachePolicy,
): Decision {
  // RFC 9111 §4: the stored answer must be to a method that lets it be used for this one.
  if (!isSafeToAnswer(query)) return { kind: 'forward', why: 'method' }
  // RFC 9111 §4.3.2: conditions that only the origin server can judge.
  if (query.headers.has('if-match') || query.headers.has('if-unmodified-since'))
    return { kind: 'forward', why: 'bypass' }
  const matching = newestFirst(candidates.filter((one) => matchesVary(one, query.headers)))
  const record = matching.find((one) => selectBytes(query, one) !== null)
  if (record === undefined) {
    const why = candidates.length === 0 ? 'uri-miss' : matching.length === 0 ? 'vary-miss' : 'partial'
    return { kind: 'forward', why }
  }
  const ageS = currentAge(record, nowMs)
  const ttlS = freshnessLifetime(record, policy) - ageS
  return judge(query, asked, { record, ageS, ttlS }, policy)
}

/** What becomes of the chosen answer. */
function judge(query: CacheQuery, asked: CacheDirectives, chosen: Chosen, policy: CachePolicy): Decision {
  const { record, ageS, ttlS } = chosen
  const said = readDirectives(record.headers)
  // RFC 9111 §5.2.1.4; §5.4: Pragma stands in where there is no Cache-Control.
  const isPragma = !query.headers.has('cache-control') && query.headers.tokens('pragma').includes('no-cache')
  if (asked.noCache || isPragma) return { ...chosen, kind: 'validate', why: 'request' }
  // RFC 9111 §4.4: invalidated. §5.2.2.4: no-cache without fields: not without validation.
  if (record.invalid || said.noCache) return { ...chosen, kind: 'validate', why: 'stale' }
  const isFresh = ttlS > 0
  // RFC 9111 §5.2.1.1; RFC 8246 §2: what is immutable and fresh is not asked for anew by a reload.
  const isTooOld = asked.maxAge >= 0 && ageS > asked.maxAge && !(said.immutable && isFresh)
  if (isTooOld || (asked.maxAge === 0 && !(said.immutable && isFresh)))
    return { ...chosen, kind: 'validate', why: 'request' }
  // RFC 9111 §5.2.1.3.
  if (asked.minFresh >= 0 && ttlS < asked.minFresh) {
    return { ...chosen, kind: 'validate', why: isFresh ? 'request' : 'stale' }
  }
  if (isFresh) return { ...chosen, kind: 'fresh' }
  if (!forbidsStale(said, policy)) {
    // RFC 9111 §5.2.1.2.
    if (asked.maxStale >= 0 && -ttlS <= asked.maxStale) return { ...chosen, kind: 'stale', revalidate: false }
    // RFC 5861 §3.
    if (said.staleWhileRevalidate >= 0 && -ttlS <= said.staleWhileRevalidate) {
      return { ...chosen, kind: 'stale', revalidate: true }
    }
  }
  return { ...chosen, kind: 'validate', why: 'stale' }
}

/**
 * Whether a stale answer may stand in when its server fails (5xx, or cannot be reached): stale-if-error of the answer or the
 * request (RFC 5861 §4), or `disconnected` for a cache that may serve stale when cut off (RFC 9111 §4.2.4).
 */
export function mayServeOnError(
  query: CacheQuery,
  chosen: Chosen,
  policy: CachePolicy,
  disconnected: boolean,
): boolean {
  const said = readDirectives(chosen.record.headers)
  const asked = readDirectives(query.headers)
  if (chosen.record.invalid || said.noCache || asked.noCache || forbidsStale(said, policy)) return false
  const staleS = Math.max(0, -chosen.ttlS)
  return disconnected || staleS <= Math.max(said.staleIfError, asked.staleIfError)
}

/** RFC 9111 §4.2.4: what forbids to serve stale; §5.2.2.10: s-maxage has proxy-revalidate in it. */
export function forbidsStale(said: CacheDirectives, policy: CachePolicy): boolean {
  return said.mustRevalidate || (policy.shared && (said.proxyRevalidate || said.sMaxage >= 0))
}

function isSafeToAnswer({ method }: CacheQuery): boolean {
  return method === 'GET' || method === 'HEAD'
}
