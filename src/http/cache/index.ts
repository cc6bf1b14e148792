// tunstack/http's cache: RFC 9111 as pure decisions, and a cache at work on top.
// Owns: nothing; names what is public. Read first: decision.ts for the rules, cache.ts for the work.
export { type CacheCounters, HttpCache, type HttpCacheOptions } from './cache.ts'
export { type CacheOutcome, cacheStatus } from './cache-status.ts'
export { type CachedResponse, cachedFetch, type Fetcher } from './client-cache.ts'
export { type Chosen, type Decision, decide, type ForwardWhy, mayServeOnError } from './decision.ts'
export { type CacheDirectives, readDirectives } from './directives.ts'
export { CACHE_POLICY, type CachePolicy, currentAge, freshnessLifetime } from './freshness.ts'
export { cachingHandler, type GatewayOptions } from './gateway.ts'
export { invalidatedUris } from './invalidation.ts'
export { type Arrival, type CacheQuery, cacheUri, type StoredPart, type StoredResponse } from './record.ts'
export { decodeRecords, encodeRecords } from './record-codec.ts'
export {
  type CacheStore,
  MemoryStore,
  recordBytes,
  STORE_LIMITS,
  type StoreLimits,
  storeLimits,
  withRecord,
} from './store.ts'
export { makeRecord, mayStore, type StoreVerdict } from './storing.ts'
export { applyHead, clientHasIt, freshen, validationFields } from './validation.ts'
