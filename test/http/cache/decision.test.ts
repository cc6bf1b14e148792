// What is done with a request, by what is stored: one row for each case of RFC 9111 §4, §5.2.1 and the stale rules.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, mayServeOnError } from '../../../src/http/cache/decision.ts'
import { readDirectives } from '../../../src/http/cache/directives.ts'
import { CACHE_POLICY, currentAge, freshnessLifetime } from '../../../src/http/cache/freshness.ts'
import type { HeadersInit } from '../../../src/http/headers.ts'
import { ago, arrival, NOW, PRIVATE, query, SHARED, stored } from './cache-helpers.ts'

interface Case {
  /** Cache-Control of the stored answer; its other fields. */
  readonly said?: string
  readonly fields?: Readonly<Record<string, string>>
  /** How old it is. */
  readonly age?: number
  /** Cache-Control of the request; its other fields. */
  readonly asks?: string
  readonly request?: Readonly<Record<string, string>>
  /** Fields of the request that brought the stored answer. */
  readonly first?: Readonly<Record<string, string>>
  readonly method?: string
}

const decideOn = (one: Case, policy = SHARED): string => {
  const said = one.said === undefined ? {} : { 'Cache-Control': one.said }
  const asks = one.asks === undefined ? {} : { 'Cache-Control': one.asks }
  const record = stored({ ...said, ...one.fields }, one.age ?? 0, one.first, PRIVATE)
  const decision = decide(query({ ...asks, ...one.request }, one.method), [record], NOW, policy)
  if (decision.kind === 'stale') return decision.revalidate ? 'stale+ask' : 'stale'
  return 'why' in decision ? `${decision.kind}:${decision.why}` : decision.kind
}

type Row = [title: string, expected: string, one: Case]

const shared: Row[] = [
  ['fresh within max-age (RFC 9111 §4.2)', 'fresh', { said: 'max-age=60', age: 59 }],
  ['stale when the age reaches max-age (RFC 9111 §4.2)', 'validate:stale', { said: 'max-age=60', age: 60 }],
  ['s-maxage before max-age (RFC 9111 §5.2.2.10)', 'validate:stale', { said: 'max-age=99, s-maxage=1', age: 50 }],
  ['s-maxage longer than max-age (RFC 9111 §5.2.2.10)', 'fresh', { said: 'max-age=1, s-maxage=99', age: 50 }],
  ['max-age before Expires (RFC 9111 §5.3)', 'fresh', { said: 'max-age=60', fields: { Expires: ago(10) }, age: 5 }],
  ['Expires ahead (RFC 9111 §5.3)', 'fresh', { fields: { Expires: ago(-60) } }],
  ['Expires behind (RFC 9111 §5.3)', 'validate:stale', { fields: { Expires: ago(60) } }],
  ['Expires: 0 (RFC 9111 §5.3)', 'validate:stale', { fields: { Expires: '0' } }],
  ['Expires that is no date (RFC 9111 §5.3)', 'validate:stale', { fields: { Expires: 'tomorrow' } }],
  [
    'Expires counts from Date, the age from Date too (RFC 9111 §4.2.1)',
    'fresh',
    { fields: { Expires: ago(-5), Date: ago(50) } },
  ],
  [
    'Expires counts from Date, not from when it came (RFC 9111 §4.2.1)',
    'validate:stale',
    { fields: { Expires: ago(5), Date: ago(50) } },
  ],
  [
    'a tenth of the time since Last-Modified (RFC 9111 §4.2.2)',
    'fresh',
    { fields: { 'Last-Modified': ago(1000) }, age: 80 },
  ],
  ['and no longer (RFC 9111 §4.2.2)', 'validate:stale', { fields: { 'Last-Modified': ago(1000) }, age: 95 }],
  [
    'never guessed beyond a day (RFC 9111 §4.2.2)',
    'validate:stale',
    { fields: { 'Last-Modified': ago(1e8) }, age: 86_401 },
  ],
  ['nothing to guess by (RFC 9111 §4.2.2)', 'validate:stale', {}],
  ['Last-Modified ahead of Date (RFC 9111 §4.2.2)', 'validate:stale', { fields: { 'Last-Modified': ago(-100) } }],
  ['max-age that is no number is stale (RFC 9111 §4.2.1)', 'validate:stale', { said: 'max-age=abc' }],
  ['max-age=-5 (RFC 9111 §1.2.2)', 'validate:stale', { said: 'max-age=-5' }],
  ['max-age=1.5 (RFC 9111 §1.2.2)', 'validate:stale', { said: 'max-age=1.5' }],
  ['max-age="60" quoted (RFC 9111 §5.2)', 'fresh', { said: 'max-age="60"' }],
  ['two max-age that differ (RFC 9111 §4.2.1)', 'validate:stale', { said: 'max-age=60, max-age=99' }],
  ['two max-age that agree (RFC 9111 §4.2.1)', 'fresh', { said: 'max-age=60, max-age=60' }],
  ['a number too large to keep (RFC 9111 §1.2.2)', 'fresh', { said: 'max-age=99999999999999999999', age: 1e8 }],
  ['Age counts (RFC 9111 §4.2.3)', 'validate:stale', { said: 'max-age=60', fields: { Age: '60' } }],
  ['Age that is no number does not (RFC 9111 §5.1)', 'fresh', { said: 'max-age=60', fields: { Age: 'x' } }],
  ['of several ages the first (RFC 9111 §5.1)', 'fresh', { said: 'max-age=60', fields: { Age: '1, 99' } }],
  ['an old Date counts (RFC 9111 §4.2.3)', 'validate:stale', { said: 'max-age=60', fields: { Date: ago(61) } }],
  [
    'a Date ahead makes nothing younger (RFC 9111 §4.2.3)',
    'validate:stale',
    { said: 'max-age=60', fields: { Date: ago(-99) }, age: 61 },
  ],
  ['no-cache: never without validation (RFC 9111 §5.2.2.4)', 'validate:stale', { said: 'no-cache, max-age=60' }],
  ['no-cache="x": fresh, without that field (RFC 9111 §5.2.2.4)', 'fresh', { said: 'no-cache="x", max-age=60' }],
  ['request no-cache (RFC 9111 §5.2.1.4)', 'validate:request', { said: 'max-age=60', asks: 'no-cache' }],
  [
    'Pragma: no-cache alone (RFC 9111 §5.4)',
    'validate:request',
    { said: 'max-age=60', request: { Pragma: 'no-cache' } },
  ],
  [
    'Pragma beside Cache-Control does not count (RFC 9111 §5.4)',
    'fresh',
    { said: 'max-age=60', asks: 'max-age=99', request: { Pragma: 'no-cache' } },
  ],
  ['request max-age above the age (RFC 9111 §5.2.1.1)', 'fresh', { said: 'max-age=60', age: 10, asks: 'max-age=10' }],
  [
    'request max-age below the age (RFC 9111 §5.2.1.1)',
    'validate:request',
    { said: 'max-age=60', age: 11, asks: 'max-age=10' },
  ],
  ['request max-age=0 (RFC 9111 §5.2.1.1)', 'validate:request', { said: 'max-age=60', asks: 'max-age=0' }],
  [
    'request max-age that is no number is 0 (RFC 9111 §4.2.1)',
    'validate:request',
    { said: 'max-age=60', asks: 'max-age=x' },
  ],
  [
    'immutable is not asked for anew by a reload (RFC 8246 §2)',
    'fresh',
    { said: 'max-age=60, immutable', age: 9, asks: 'max-age=0' },
  ],
  [
    'immutable gives way to no-cache (RFC 8246 §2)',
    'validate:request',
    { said: 'max-age=60, immutable', asks: 'no-cache' },
  ],
  [
    'immutable no longer when stale (RFC 8246 §2)',
    'validate:request',
    { said: 'max-age=60, immutable', age: 70, asks: 'max-age=0' },
  ],
  ['min-fresh satisfied (RFC 9111 §5.2.1.3)', 'fresh', { said: 'max-age=60', age: 50, asks: 'min-fresh=10' }],
  [
    'min-fresh not satisfied (RFC 9111 §5.2.1.3)',
    'validate:request',
    { said: 'max-age=60', age: 51, asks: 'min-fresh=10' },
  ],
  ['max-stale without value (RFC 9111 §5.2.1.2)', 'stale', { said: 'max-age=60', age: 9999, asks: 'max-stale' }],
  ['max-stale enough (RFC 9111 §5.2.1.2)', 'stale', { said: 'max-age=60', age: 70, asks: 'max-stale=10' }],
  ['max-stale not enough (RFC 9111 §5.2.1.2)', 'validate:stale', { said: 'max-age=60', age: 71, asks: 'max-stale=10' }],
  [
    'max-stale against must-revalidate (RFC 9111 §5.2.2.2)',
    'validate:stale',
    { said: 'max-age=60, must-revalidate', age: 61, asks: 'max-stale' },
  ],
  [
    'max-stale against proxy-revalidate (RFC 9111 §5.2.2.8)',
    'validate:stale',
    { said: 'max-age=60, proxy-revalidate', age: 61, asks: 'max-stale' },
  ],
  [
    'max-stale against s-maxage (RFC 9111 §5.2.2.10)',
    'validate:stale',
    { said: 's-maxage=60', age: 61, asks: 'max-stale' },
  ],
  [
    'max-stale against no-cache (RFC 9111 §5.2.2.4)',
    'validate:stale',
    { said: 'no-cache', age: 61, asks: 'max-stale' },
  ],
  [
    'max-stale with min-fresh: both must hold (RFC 9111 §5.2.1)',
    'validate:stale',
    { said: 'max-age=60', age: 61, asks: 'max-stale, min-fresh=1' },
  ],
  [
    'max-stale with max-age: both must hold (RFC 9111 §5.2.1)',
    'validate:request',
    { said: 'max-age=60', age: 61, asks: 'max-stale, max-age=5' },
  ],
  ['must-revalidate while fresh (RFC 9111 §5.2.2.2)', 'fresh', { said: 'max-age=60, must-revalidate', age: 9 }],
  ['stale-while-revalidate (RFC 5861 §3)', 'stale+ask', { said: 'max-age=60, stale-while-revalidate=10', age: 70 }],
  [
    'stale-while-revalidate over (RFC 5861 §3)',
    'validate:stale',
    { said: 'max-age=60, stale-while-revalidate=10', age: 71 },
  ],
  [
    'stale-while-revalidate against must-revalidate (RFC 9111 §4.2.4)',
    'validate:stale',
    { said: 'max-age=60, must-revalidate, stale-while-revalidate=10', age: 65 },
  ],
  [
    'stale-while-revalidate against s-maxage (RFC 9111 §5.2.2.10)',
    'validate:stale',
    { said: 's-maxage=60, stale-while-revalidate=10', age: 65 },
  ],
  [
    'stale-while-revalidate against a reload (RFC 9111 §5.2.1.1)',
    'validate:request',
    { said: 'max-age=60, stale-while-revalidate=10', age: 65, asks: 'max-age=0' },
  ],
  [
    'stale-if-error alone does not serve stale (RFC 5861 §4)',
    'validate:stale',
    { said: 'max-age=60, stale-if-error=99', age: 65 },
  ],
  ['only-if-cached and fresh (RFC 9111 §5.2.1.7)', 'fresh', { said: 'max-age=60', asks: 'only-if-cached' }],
  [
    'only-if-cached and stale (RFC 9111 §5.2.1.7)',
    'unavailable',
    { said: 'max-age=60', age: 61, asks: 'only-if-cached' },
  ],
  [
    'only-if-cached with max-stale (RFC 9111 §5.2.1.7)',
    'stale',
    { said: 'max-age=60', age: 61, asks: 'only-if-cached, max-stale' },
  ],
  [
    'only-if-cached with no-cache (RFC 9111 §5.2.1.7)',
    'unavailable',
    { said: 'max-age=60', asks: 'only-if-cached, no-cache' },
  ],
  [
    'only-if-cached and another variant (RFC 9111 §5.2.1.7)',
    'unavailable',
    { said: 'max-age=60', fields: { Vary: 'A' }, request: { A: '1' }, asks: 'only-if-cached' },
  ],
  [
    'request no-store may be answered from the store (RFC 9111 §5.2.1.5)',
    'fresh',
    { said: 'max-age=60', asks: 'no-store' },
  ],
  ['POST goes on (RFC 9111 §4)', 'forward:method', { said: 'max-age=60', method: 'POST' }],
  [
    'PUT with only-if-cached goes on (RFC 9111 §4)',
    'forward:method',
    { said: 'max-age=60', method: 'PUT', asks: 'only-if-cached' },
  ],
  ['HEAD is answered from GET (RFC 9111 §4)', 'fresh', { said: 'max-age=60', method: 'HEAD' }],
  [
    'If-Match is for the origin (RFC 9111 §4.3.2)',
    'forward:bypass',
    { said: 'max-age=60', request: { 'If-Match': '"a"' } },
  ],
  [
    'If-Unmodified-Since is for the origin (RFC 9111 §4.3.2)',
    'forward:bypass',
    { said: 'max-age=60', request: { 'If-Unmodified-Since': ago(0) } },
  ],
  [
    'If-None-Match is answered here while fresh (RFC 9111 §4.3.2)',
    'fresh',
    { said: 'max-age=60', request: { 'If-None-Match': '"a"' } },
  ],
  [
    'Vary, same value (RFC 9111 §4.1)',
    'fresh',
    { said: 'max-age=60', fields: { Vary: 'Accept' }, first: { Accept: 'a' }, request: { Accept: 'a' } },
  ],
  [
    'Vary, other value (RFC 9111 §4.1)',
    'forward:vary-miss',
    { said: 'max-age=60', fields: { Vary: 'Accept' }, first: { Accept: 'a' }, request: { Accept: 'b' } },
  ],
  [
    'Vary, absent now (RFC 9111 §4.1)',
    'forward:vary-miss',
    { said: 'max-age=60', fields: { Vary: 'Accept' }, first: { Accept: 'a' } },
  ],
  [
    'Vary, absent then (RFC 9111 §4.1)',
    'forward:vary-miss',
    { said: 'max-age=60', fields: { Vary: 'Accept' }, request: { Accept: 'a' } },
  ],
  ['Vary, absent both times (RFC 9111 §4.1)', 'fresh', { said: 'max-age=60', fields: { Vary: 'Accept' } }],
  [
    'Vary, other whitespace (RFC 9111 §4.1)',
    'fresh',
    { said: 'max-age=60', fields: { Vary: 'accept' }, first: { Accept: 'a, b' }, request: { Accept: 'a ,b' } },
  ],
  [
    'Vary, other order is another value (RFC 9111 §4.1)',
    'forward:vary-miss',
    { said: 'max-age=60', fields: { Vary: 'Accept' }, first: { Accept: 'a, b' }, request: { Accept: 'b, a' } },
  ],
  [
    'Vary by two, one differs (RFC 9111 §4.1)',
    'forward:vary-miss',
    { said: 'max-age=60', fields: { Vary: 'A, B' }, first: { A: '1', B: '1' }, request: { A: '1', B: '2' } },
  ],
  ['a range of the whole (RFC 9111 §3.3)', 'fresh', { said: 'max-age=60', request: { Range: 'bytes=2-4' } }],
  [
    'Authorization does not keep a stored answer from use (RFC 9111 §3.5)',
    'fresh',
    { said: 'public, max-age=60', request: { Authorization: 'x' } },
  ],
  [
    'unknown directives mean nothing (RFC 9111 §5.2.3)',
    'fresh',
    { said: 'max-age=60, community="UCI", foo=1', asks: 'bar' },
  ],
  ['empty list elements mean nothing (RFC 9110 §5.6.1)', 'fresh', { said: ', ,max-age=60,,' }],
]

const own: Row[] = [
  ['s-maxage means nothing (RFC 9111 §5.2.2.10)', 'validate:stale', { said: 's-maxage=60, max-age=1', age: 5 }],
  [
    'proxy-revalidate means nothing (RFC 9111 §5.2.2.8)',
    'stale',
    { said: 'max-age=60, proxy-revalidate', age: 61, asks: 'max-stale' },
  ],
  [
    'must-revalidate holds (RFC 9111 §5.2.2.2)',
    'validate:stale',
    { said: 'max-age=60, must-revalidate', age: 61, asks: 'max-stale' },
  ],
  ['private is fresh here (RFC 9111 §5.2.2.7)', 'fresh', { said: 'private, max-age=60' }],
]

describe('decisions (RFC 9111 §4)', () => {
  it.each(shared)('shared: %s: %s', (_, expected, one) => expect(decideOn(one)).toBe(expected))
  it.each(own)('private: %s: %s', (_, expected, one) => expect(decideOn(one, PRIVATE)).toBe(expected))

  it('nothing stored: the request goes on (RFC 9111 §4)', () => {
    expect(decide(query(), [], NOW, SHARED)).toEqual({ kind: 'forward', why: 'uri-miss' })
    expect(decide(query({ 'Cache-Control': 'only-if-cached' }), [], NOW, SHARED)).toEqual({ kind: 'unavailable' })
  })

  it('an invalidated answer is validated first (RFC 9111 §4.4)', () => {
    const record = { ...stored({ 'Cache-Control': 'max-age=60' }), invalid: true }
    expect(decide(query(), [record], NOW, SHARED)).toMatchObject({ kind: 'validate', why: 'stale' })
    expect(decide(query({ 'Cache-Control': 'max-stale' }), [record], NOW, SHARED)).toMatchObject({ kind: 'validate' })
  })

  it('of several that match, the one made last (RFC 9111 §4.1)', () => {
    const old = stored({ 'Cache-Control': 'max-age=600', ETag: '"old"' }, 50)
    const late = stored({ 'Cache-Control': 'max-age=600', ETag: '"new"' }, 10)
    expect(decide(query(), [old, late], NOW, SHARED)).toMatchObject({
      kind: 'fresh',
      record: late,
      ageS: 10,
      ttlS: 590,
    })
  })

  it.each<[string, string, string, number, boolean]>([
    ['within stale-if-error (RFC 5861 §4)', 'max-age=60, stale-if-error=10', '', 70, true],
    ['beyond it (RFC 5861 §4)', 'max-age=60, stale-if-error=10', '', 71, false],
    ['by the request (RFC 5861 §4)', 'max-age=60', 'stale-if-error=10', 70, true],
    ['not said at all (RFC 9111 §4.2.4)', 'max-age=60', '', 61, false],
    ['against must-revalidate (RFC 9111 §5.2.2.2)', 'max-age=60, must-revalidate, stale-if-error=99', '', 61, false],
    ['against no-cache (RFC 9111 §5.2.2.4)', 'no-cache, stale-if-error=99', '', 1, false],
    ['against the request no-cache (RFC 9111 §5.2.1.4)', 'max-age=60, stale-if-error=99', 'no-cache', 61, false],
  ])('when the server fails: %s', (_, said, asks, age, expected) => {
    const record = stored({ 'Cache-Control': said }, age)
    const ageS = currentAge(record, NOW)
    const chosen = { record, ageS, ttlS: freshnessLifetime(record, SHARED) - ageS }
    const asked = query(asks === '' ? {} : { 'Cache-Control': asks })
    expect(mayServeOnError(asked, chosen, SHARED, false)).toBe(expected)
  })
})

describe('age and lifetime (RFC 9111 §4.2)', () => {
  it('the age counts the way, the Age field and the time here (RFC 9111 §4.2.3)', () => {
    const one = { ...arrival({ Age: '5', Date: ago(20) }, 200, 10), requestMs: NOW - 12_000 }
    // corrected 5 + 2, apparent 10, here 10
    expect(currentAge(one, NOW)).toBe(20)
    const other = { ...arrival({ Age: '50', Date: ago(20) }, 200, 10), requestMs: NOW - 12_000 }
    expect(currentAge(other, NOW)).toBe(62)
  })

  it('an age never falls, and a lifetime is never above what was said (RFC 9111 §4.2)', () => {
    const seconds = fc.integer({ min: 0, max: 100_000 })
    fc.assert(
      fc.property(seconds, seconds, seconds, seconds, (age, date, here, later) => {
        const one = arrival({ Age: String(age), Date: ago(date), 'Cache-Control': `max-age=${age}` }, 200, here)
        expect(currentAge(one, NOW + later * 1000)).toBeGreaterThanOrEqual(currentAge(one, NOW))
        expect(currentAge(one, NOW)).toBeGreaterThanOrEqual(age + here)
        expect(freshnessLifetime(one, CACHE_POLICY)).toBe(age)
      }),
    )
  })
})

describe('never stale without right (RFC 9111 §4.2.4)', () => {
  const names = ['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error', 'max-stale', 'min-fresh']
  const flags = [
    'no-cache',
    'must-revalidate',
    'proxy-revalidate',
    'public',
    'immutable',
    'only-if-cached',
    'no-store',
    'max-stale',
  ]
  const directive = fc.oneof(
    fc.tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: 40 })).map(([name, value]) => `${name}=${value}`),
    fc.constantFrom(...flags),
  )
  const control = fc.array(directive, { maxLength: 4 }).map((list) => list.join(', '))

  it('whatever both say, a stale answer is served only where both let it', () => {
    fc.assert(
      fc.property(control, control, fc.integer({ min: 0, max: 60 }), fc.boolean(), (said, asks, age, isShared) => {
        const policy = isShared ? SHARED : PRIVATE
        const record = stored({ 'Cache-Control': said }, age, {}, PRIVATE)
        const headers: HeadersInit = asks === '' ? {} : { 'Cache-Control': asks }
        const decision = decide(query(headers), [record], NOW, policy)
        if (decision.kind !== 'fresh' && decision.kind !== 'stale') return
        const its = readDirectives(record.headers)
        const ours = readDirectives(query(headers).headers)
        expect(its.noCache || ours.noCache).toBe(false)
        const lifetime = freshnessLifetime(record, policy)
        if (decision.kind === 'fresh') expect(age).toBeLessThan(lifetime)
        else {
          expect(its.mustRevalidate || (isShared && (its.proxyRevalidate || its.sMaxage >= 0))).toBe(false)
          const allowed = Math.max(ours.maxStale, its.staleWhileRevalidate)
          expect(age - lifetime).toBeLessThanOrEqual(allowed)
        }
        if (ours.maxAge >= 0 && !(its.immutable && decision.kind === 'fresh'))
          expect(age).toBeLessThanOrEqual(ours.maxAge)
        if (ours.minFresh >= 0) expect(lifetime - age).toBeGreaterThanOrEqual(ours.minFresh)
      }),
      { numRuns: 1000 },
    )
  })
})
