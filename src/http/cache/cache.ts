// An HTTP cache at work: between somebody who asks and somebody who can be asked.
// Owns: doing what decision.ts decides; storing on the way past; one request for many (collapsing); revalidating in the background.
// Does not own: the decisions (decision.ts, storing.ts, validation.ts), where records lie (store.ts), connections.
// Read first: RFC 9111 §2, §4; RFC 9211 (Cache-Status).
import { type Micros, type Scheduler, SECOND } from '../../base/time.ts'
import { concatBytes } from '../body.ts'
import { formatHttpDate, isToken } from '../grammar.ts'
import { dropBody, type Forward, type HopRequest, type HopResponse, ownResponse } from '../hop.ts'
import { answerFrom } from './answer.ts'
import { addCacheStatus, type CacheOutcome } from './cache-status.ts'
import { type Chosen, type Decision, decide, mayServeOnError } from './decision.ts'
import { readDirectives } from './directives.ts'
import { CACHE_POLICY, type CachePolicy, currentAge, freshnessLifetime } from './freshness.ts'
import { invalidatedUris, isSafe } from './invalidation.ts'
import { type Arrival, type CacheQuery, cacheUri, type StoredResponse } from './record.ts'
import { type CacheStore, MemoryStore, withoutRecord, withRecord } from './store.ts'
import { makeRecord, mayStore } from './storing.ts'
import { applyHead, freshen, freshenAlike, unconditional, validationFields } from './validation.ts'
import { matchesVary } from './vary.ts'

/** Options of a cache. */
export interface HttpCacheOptions {
  readonly scheduler: Scheduler
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** In memory unless given. */
  readonly store?: CacheStore
  /** Shared, as a proxy's or a gateway's, unless given; a browser's is private. */
  readonly policy?: Partial<CachePolicy>
  /** What Cache-Status calls it: a token. `tunstack`. */
  readonly name?: string
  /** Whether a stale answer may stand in whenever its server cannot be reached (RFC 9111 §4.2.4). No. */
  readonly staleWhenDisconnected?: boolean
  /** How long a request waits for another one for the same; 0 lets none wait. 5 s. */
  readonly collapseUs?: Micros
}

/** Counters of a cache. */
export interface CacheCounters {
  requests: number
  /** Answered from the store, with or without validation. */
  hits: number
  /** Answered from the store though stale. */
  staleHits: number
  /** A stored answer that its server confirmed. */
  validated: number
  /** Went on to the next server. */
  forwarded: number
  stored: number
  /** Waited for another request for the same. */
  collapsed: number
  invalidated: number
}

/** An answer on its way through. */
interface Fill {
  /** Whether nothing has made it out of date meanwhile. */
  isCurrent(): boolean
  /** It has passed, or failed. */
  release(): void
}

/** What stands in for a server that cannot answer (RFC 5861 §4). */
const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504])

/** A cache. */
export class HttpCache {
  readonly store: CacheStore
  readonly policy: CachePolicy
  /** Counted since the beginning. */
  readonly counters: Readonly<CacheCounters>
  readonly #counters: CacheCounters
  readonly #options: HttpCacheOptions
  readonly #name: string
  readonly #collapseUs: Micros
  /** Requests under way whose answer may be stored, by URI. */
  readonly #pending = new Map<string, Promise<void>>()
  /** All requests under way; one that an invalidation has overtaken brings what was before it. */
  readonly #fetches = new Set<{ readonly uri: string; isOvertaken: boolean }>()

  /** @throws {TypeError} for a name that is no token @throws {RangeError} for a time below 0 */
  constructor(options: HttpCacheOptions) {
    this.#options = options
    this.store = options.store ?? new MemoryStore()
    this.policy = { ...CACHE_POLICY, ...options.policy }
    this.#name = options.name ?? 'tunstack'
    this.#collapseUs = options.collapseUs ?? 5 * SECOND
    if (!isToken(this.#name)) throw new TypeError(`a cache's name is a token, as tunstack, not ${this.#name}`)
    if (!(this.#collapseUs >= 0)) throw new RangeError(`collapseUs is ${this.#collapseUs}; give microseconds >= 0`)
    const none = {
      requests: 0,
      hits: 0,
      staleHits: 0,
      validated: 0,
      forwarded: 0,
      stored: 0,
      collapsed: 0,
      invalidated: 0,
    }
    this.#counters = none
    this.counters = this.#counters
  }

  /**
   * Answers a request from the store, or through `forward`, storing what may be stored as it passes.
   * @throws what `forward` throws, when nothing stored may stand in
   */
  async handle(request: HopRequest, forward: Forward): Promise<HopResponse> {
    this.#counters.requests++
    const uri = cacheUri(request.uri)
    if (uri === null) return forward(request)
    const query: CacheQuery = { method: request.method, uri, headers: request.headers }
    if (!isSafe(request.method)) return this.#unsafe(query, request, forward)
    let collapsed = false
    for (;;) {
      const decision = decide(query, this.store.get(uri), this.#options.wallClock(), this.policy)
      const leader = collapsed || !mayCollapse(query, decision) ? undefined : this.#pending.get(uri)
      if (leader === undefined) return this.#act(query, request, forward, decision, collapsed)
      collapsed = true
      this.#counters.collapsed++
      await this.#wait(leader)
    }
  }

  async #act(
    query: CacheQuery,
    request: HopRequest,
    forward: Forward,
    decision: Decision,
    collapsed: boolean,
  ): Promise<HopResponse> {
    switch (decision.kind) {
      case 'fresh':
        return this.#hit(query, decision, { fwd: null, ttlS: decision.ttlS, collapsed })
      case 'stale':
        if (decision.revalidate) this.#background(query, request, forward, decision)
        this.#counters.staleHits++
        return this.#hit(query, decision, { fwd: null, ttlS: decision.ttlS, collapsed })
      case 'unavailable':
        return ownResponse(504, 'it is not stored, and only-if-cached was asked for', {
          'Cache-Status': `${this.#name}; detail=only-if-cached`,
        })
      default:
        return this.#fetch(query, request, forward, decision, collapsed)
    }
  }

  #hit(query: CacheQuery, { record, ageS }: Chosen, outcome: CacheOutcome, validated = false): HopResponse {
    this.#counters.hits++
    const answer = answerFrom(query, record, ageS, validated)
    addCacheStatus(answer.headers, this.#name, outcome)
    return answer
  }

  /** Sends the request on, as a validation where there is something to validate. */
  async #fetch(
    query: CacheQuery,
    request: HopRequest,
    forward: Forward,
    decision: Extract<Decision, { kind: 'validate' | 'forward' }>,
    collapsed: boolean,
  ): Promise<HopResponse> {
    const fetch = { uri: query.uri, isOvertaken: false }
    const unlead = mayCollapse(query, decision) ? this.#lead(query.uri) : () => undefined
    const release = (): void => {
      this.#fetches.delete(fetch)
      unlead()
    }
    this.#fetches.add(fetch)
    const chosen = decision.kind === 'validate' ? decision : null
    const fields = chosen === null ? null : validationFields(query, chosen.record)
    this.#counters.forwarded++
    const requestMs = this.#options.wallClock()
    let reply: HopResponse
    try {
      reply = await forward(fields === null ? request : { ...request, headers: fields })
    } catch (error) {
      release()
      const disconnected = this.#options.staleWhenDisconnected === true
      if (chosen === null || !mayServeOnError(query, chosen, this.policy, disconnected)) throw error
      return this.#standIn(query, chosen, decision.why)
    }
    const arrival: Arrival = { ...reply, requestMs, responseMs: this.#options.wallClock() }
    const outcome: CacheOutcome = { fwd: decision.why, fwdStatus: reply.status, collapsed }
    if (chosen !== null && FAILURES.has(reply.status) && mayServeOnError(query, chosen, this.policy, false)) {
      release()
      void dropBody(reply)
      return this.#standIn(query, chosen, decision.why, reply.status)
    }
    if (chosen !== null && fields !== null && reply.status === 304) {
      void dropBody(reply)
      const record = freshen(chosen.record, arrival)
      release()
      if (record !== null) return this.#confirmed(query, arrival, record, outcome, fetch.isOvertaken)
      // RFC 9111 §4.3.4: the 304 is about something else than what is stored: ask for it whole.
      this.store.set(query.uri, withoutRecord(this.store.get(query.uri), chosen.record))
      return this.#fetch(query, askedAnew(request), forward, { kind: 'forward', why: 'stale' }, collapsed)
    }
    return this.#pass(query, arrival, reply, outcome, { isCurrent: () => !fetch.isOvertaken, release })
  }

  #standIn(query: CacheQuery, chosen: Chosen, fwd: CacheOutcome['fwd'], fwdStatus?: number): HopResponse {
    this.#counters.staleHits++
    const outcome = { fwd, ttlS: chosen.ttlS, detail: 'stale-if-error' }
    return this.#hit(query, chosen, fwdStatus === undefined ? outcome : { ...outcome, fwdStatus })
  }

  #confirmed(
    query: CacheQuery,
    arrival: Arrival,
    record: StoredResponse,
    outcome: CacheOutcome,
    isOvertaken: boolean,
  ): HopResponse {
    this.#counters.validated++
    if (!isOvertaken && !forbidsStoring(query)) {
      const others = withoutRecord(this.store.get(query.uri), record)
      this.store.set(query.uri, [record, ...others.map((one) => freshenAlike(one, arrival))])
    }
    const ageS = currentAge(record, this.#options.wallClock())
    const ttlS = freshnessLifetime(record, this.policy) - ageS
    return this.#hit(query, { record, ageS, ttlS }, { ...outcome, ttlS }, true)
  }

  /** An answer that goes through, and into the store where it may. */
  #pass(query: CacheQuery, arrival: Arrival, reply: HopResponse, outcome: CacheOutcome, fill: Fill): HopResponse {
    const headers = reply.headers.clone()
    // RFC 9110 §6.6.1: whoever stores or passes on an answer without Date adds when it came.
    headers.setDefault('Date', formatHttpDate(arrival.responseMs))
    const dated = { ...arrival, headers }
    const stored = this.store.get(query.uri)
    if (query.method === 'HEAD' && stored.length > 0 && !forbidsStoring(query)) {
      const mine = (one: StoredResponse): boolean => matchesVary(one, query.headers)
      this.store.set(
        query.uri,
        stored.map((one) => (mine(one) ? applyHead(one, dated) : one)),
      )
    }
    const verdict = mayStore(query, dated, this.policy)
    const isKept = verdict === 'store' && Number(headers.get('content-length') ?? 0) <= this.store.limits.bodyBytes
    const shown = headers.clone()
    addCacheStatus(shown, this.#name, { ...outcome, stored: isKept })
    if (isKept) return { ...reply, headers: shown, body: this.#storing(query, dated, reply.body, fill) }
    fill.release()
    // What has just been replaced by something that cannot be stored is not current any more.
    if (query.method === 'GET' && reply.status === 200 && stored.length > 0) {
      this.store.set(
        query.uri,
        stored.filter((one) => !matchesVary(one, query.headers)),
      )
    }
    return { ...reply, headers: shown }
  }

  /** A body that is stored when it has passed whole. */
  async *#storing(
    query: CacheQuery,
    arrival: Arrival,
    body: AsyncIterable<Uint8Array>,
    { isCurrent, release }: Fill,
  ): AsyncGenerator<Uint8Array> {
    const { bodyBytes, variants } = this.store.limits
    let parts: Uint8Array[] | null = []
    let length = 0
    try {
      for await (const chunk of body) {
        length += chunk.length
        if (length > bodyBytes) parts = null
        else parts?.push(chunk.slice())
        yield chunk
      }
      // RFC 9111 §3.3: only here is it known to be complete; a body cut short throws above.
      const record = parts === null ? null : makeRecord(query, arrival, concatBytes(parts, length), this.policy)
      if (record === null || !isCurrent()) return
      this.#counters.stored++
      this.store.set(query.uri, withRecord(this.store.get(query.uri), record, variants))
    } finally {
      release()
    }
  }

  async #unsafe(query: CacheQuery, request: HopRequest, forward: Forward): Promise<HopResponse> {
    this.#counters.forwarded++
    const requestMs = this.#options.wallClock()
    const reply = await forward(request)
    const arrival: Arrival = { ...reply, requestMs, responseMs: this.#options.wallClock() }
    for (const uri of invalidatedUris(query, arrival)) {
      for (const fetch of this.#fetches) fetch.isOvertaken ||= fetch.uri === uri
      if (this.store.get(uri).length > 0) this.#counters.invalidated++
      this.store.set(uri, [])
    }
    const headers = reply.headers.clone()
    addCacheStatus(headers, this.#name, { fwd: 'method', fwdStatus: reply.status })
    return { ...reply, headers }
  }

  /** RFC 5861 §3: asks anew while the client has its stale answer already. */
  #background(query: CacheQuery, request: HopRequest, forward: Forward, chosen: Chosen): void {
    if (this.#pending.has(query.uri)) return
    const { method, uri, version, headers, body } = askedAnew(request)
    const plain: HopRequest = { method, uri, version, headers, body }
    const own = { ...query, headers: plain.headers }
    const decision = { ...chosen, kind: 'validate', why: 'stale' } as const
    this.#fetch(own, plain, forward, decision, false).then(dropBody, () => undefined)
  }

  /** Others may wait for this request until `release` is called. */
  #lead(uri: string): () => void {
    let release = (): void => undefined
    const pending = new Promise<void>((resolve) => {
      release = () => {
        if (this.#pending.get(uri) === pending) this.#pending.delete(uri)
        resolve()
      }
    })
    this.#pending.set(uri, pending)
    return () => release()
  }

  #wait(leader: Promise<void>): Promise<void> {
    const { scheduler } = this.#options
    return new Promise((resolve) => {
      const task = scheduler.schedule(scheduler.now() + this.#collapseUs, resolve)
      void leader.then(() => {
        task.cancel()
        resolve()
      })
    })
  }
}

/** A request that the cache makes by itself: without the client's conditions, and without its body, which has gone by. */
function askedAnew(request: HopRequest): HopRequest {
  const headers = unconditional(request.headers)
  for (const name of ['content-length', 'content-type', 'content-encoding', 'expect', 'trailer']) headers.delete(name)
  return { ...request, headers, body: null }
}

// RFC 9111 §5.2.1.5: no part of the answer to such a request is stored, be it only to renew another.
function forbidsStoring(query: CacheQuery): boolean {
  return readDirectives(query.headers).noStore
}

// Only plain requests for what is not there, or not fresh: what they bring suits one another.
function mayCollapse(query: CacheQuery, decision: Decision): boolean {
  if (query.method !== 'GET' || query.headers.has('range') || query.headers.has('authorization')) return false
  if (decision.kind !== 'forward' && decision.kind !== 'validate') return false
  return decision.why === 'uri-miss' || decision.why === 'vary-miss' || decision.why === 'stale'
}
