// How old a stored answer is and how long it stays fresh.
// Owns: the arithmetic of age and lifetime, in seconds. Does not own: what is done with a stale answer (decision.ts).
// Read first: RFC 9111 §4.2 (freshness), §4.2.1 (lifetime), §4.2.2 (heuristic), §4.2.3 (age).
import { splitList } from '../grammar.ts'
import { MOST_SECONDS, parseSeconds, readDirectives } from './directives.ts'
import { type Arrival, dateField } from './record.ts'

/** Whose cache it is, and how far it may guess. */
export interface CachePolicy {
  /** Whether several users share it: a proxy's or a gateway's, not a browser's. */
  readonly shared: boolean
  /** Share of the time since the last modification for which an answer without a lifetime is fresh (RFC 9111 §4.2.2). 0.1. */
  readonly heuristicShare: number
  /** The longest lifetime that is guessed, in seconds. A day; 0 guesses none. */
  readonly heuristicMostS: number
}

/** The policy where nothing else is given. */
export const CACHE_POLICY: CachePolicy = Object.freeze({ shared: true, heuristicShare: 0.1, heuristicMostS: 86_400 })

/** Status codes whose answers may be stored without an explicit lifetime (RFC 9110 §15.1). */
export const HEURISTIC_STATUS: ReadonlySet<number> = new Set([
  200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501,
])

/**
 * For how many seconds an answer is fresh; 0 or less means never.
 * RFC 9111 §4.2.1: s-maxage (shared), max-age, Expires - Date, a guess, in this order.
 */
export function freshnessLifetime(arrival: Arrival, policy: CachePolicy): number {
  const { headers } = arrival
  const control = readDirectives(headers)
  if (policy.shared && control.sMaxage >= 0) return control.sMaxage
  if (control.maxAge >= 0) return control.maxAge
  const expires = headers.getAll('expires')
  if (expires.length > 0) {
    // RFC 9111 §5.3: an invalid date, `0` above all, is in the past; two that differ make it stale (§4.2.1).
    const at = dateField(headers, 'expires', arrival.responseMs)
    if (expires.length > 1 || Number.isNaN(at)) return 0
    return Math.min(Math.floor((at - dateOf(arrival)) / 1000), MOST_SECONDS)
  }
  return hasHeuristic(arrival, control.isPublic) ? heuristicLifetime(arrival, policy) : 0
}

function hasHeuristic({ status }: Arrival, isPublic: boolean): boolean {
  return isPublic || HEURISTIC_STATUS.has(status)
}

function heuristicLifetime(arrival: Arrival, policy: CachePolicy): number {
  const since = dateOf(arrival) - dateField(arrival.headers, 'last-modified', arrival.responseMs)
  if (!(since > 0)) return 0
  return Math.min(Math.floor((since * policy.heuristicShare) / 1000), policy.heuristicMostS)
}

/** When the answer was made: its Date, or when it came (RFC 9110 §6.6.1). */
function dateOf({ headers, responseMs }: Arrival): number {
  const date = dateField(headers, 'date', responseMs)
  return Number.isNaN(date) ? responseMs : date
}

/** How old an answer is at `nowMs`, in whole seconds, at least 0 (RFC 9111 §4.2.3). */
export function currentAge(arrival: Arrival, nowMs: number): number {
  const { requestMs, responseMs } = arrival
  const apparentMs = Math.max(0, responseMs - dateOf(arrival))
  const correctedMs = ageValue(arrival) * 1000 + Math.max(0, responseMs - requestMs)
  const residentMs = Math.max(0, nowMs - responseMs)
  return Math.min(Math.floor((Math.max(apparentMs, correctedMs) + residentMs) / 1000), MOST_SECONDS)
}

// RFC 9111 §5.1: of several the first counts, what is no number does not.
function ageValue({ headers }: Arrival): number {
  const value = parseSeconds(splitList(headers.get('age') ?? '')[0] ?? '')
  return Number.isNaN(value) ? 0 : value
}
