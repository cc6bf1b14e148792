// Cache-Control taken apart, of requests and of answers.
// Owns: reading the field, what a doubtful value counts as. Does not own: what the directives do (storing.ts, freshness.ts, decision.ts).
// Read first: RFC 9111 §5.2 (directives), §1.2.2 (delta-seconds), §4.2.1 (duplicates, invalid values); RFC 5861, RFC 8246.
import { splitList, trimOws } from '../grammar.ts'
import type { HeaderList } from '../headers.ts'

/** RFC 9111 §1.2.2: what a number of seconds counts as that is too large to keep. */
export const MOST_SECONDS = 2_147_483_648

/** The directives of one message. Seconds are -1 where the directive is absent. */
export interface CacheDirectives {
  readonly noStore: boolean
  /** `no-cache` for the whole answer. */
  readonly noCache: boolean
  /** Fields that `no-cache="..."` names, in lower case. */
  readonly noCacheFields: readonly string[]
  /** `private` for the whole answer. */
  readonly isPrivate: boolean
  /** Fields that `private="..."` names, in lower case. */
  readonly privateFields: readonly string[]
  readonly isPublic: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly immutable: boolean
  readonly noTransform: boolean
  readonly onlyIfCached: boolean
  readonly maxAge: number
  readonly sMaxage: number
  /** `Infinity` for `max-stale` without a value. */
  readonly maxStale: number
  readonly minFresh: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

/**
 * The directives of a message's Cache-Control lines. Unknown ones are left out, names compare without case.
 * Seconds that are no number, or that two lines say differently, count as 0: the answer is then stale (RFC 9111 §4.2.1).
 */
export function readDirectives(headers: HeaderList): CacheDirectives {
  const found = new Map<string, string[]>()
  for (const item of splitList(headers.get('cache-control') ?? '')) {
    const at = item.indexOf('=')
    const name = trimOws(at === -1 ? item : item.slice(0, at)).toLowerCase()
    const value = at === -1 ? '' : unquote(trimOws(item.slice(at + 1)))
    found.set(name, [...(found.get(name) ?? []), value])
  }
  const bare = (name: string): boolean => found.get(name)?.includes('') === true
  const fields = (name: string): string[] =>
    (found.get(name) ?? []).flatMap((value) => splitList(value).map((field) => field.toLowerCase()))
  const seconds = (name: string, whenBare = 0): number => readSeconds(found.get(name), whenBare)
  return {
    noStore: found.has('no-store'),
    noCache: bare('no-cache'),
    noCacheFields: fields('no-cache'),
    isPrivate: bare('private'),
    privateFields: fields('private'),
    isPublic: found.has('public'),
    mustRevalidate: found.has('must-revalidate'),
    proxyRevalidate: found.has('proxy-revalidate'),
    mustUnderstand: found.has('must-understand'),
    immutable: found.has('immutable'),
    noTransform: found.has('no-transform'),
    onlyIfCached: found.has('only-if-cached'),
    maxAge: seconds('max-age'),
    sMaxage: seconds('s-maxage'),
    maxStale: seconds('max-stale', Infinity),
    minFresh: seconds('min-fresh'),
    staleWhileRevalidate: seconds('stale-while-revalidate'),
    staleIfError: seconds('stale-if-error'),
  }
}

/** Seconds as RFC 9111 §1.2.2 writes them; NaN for anything else. */
export function parseSeconds(text: string): number {
  return /^[0-9]+$/.test(text) ? Math.min(Number(text), MOST_SECONDS) : Number.NaN
}

function readSeconds(values: readonly string[] | undefined, whenBare: number): number {
  if (values === undefined) return -1
  const read = values.map((value) => (value === '' ? whenBare : parseSeconds(value)))
  return read.some((one) => Number.isNaN(one) || one !== read[0]) ? 0 : read[0]
}

function unquote(value: string): string {
  if (!/^".*"$/s.test(value)) return value
  return value.slice(1, -1).replace(/\\(.)/gs, '$1')
}
