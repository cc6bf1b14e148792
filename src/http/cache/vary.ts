// Which of several stored answers to one URI suits a request.
// Owns: what Vary selects by. Does not own: whether the selected answer may be used (decision.ts).
// Read first: RFC 9111 §4.1.
import { splitList } from '../grammar.ts'
import type { HeaderList } from '../headers.ts'
import { dateField, type StoredResponse } from './record.ts'

/** What an answer varies by, with the request's values; null for `Vary: *`, which no later request matches. */
export function varyOf(response: HeaderList, request: HeaderList): StoredResponse['vary'] | null {
  const names = response.tokens('vary')
  if (names.includes('*')) return null
  return [...new Set(names)].sort().map((name) => [name, selecting(request, name)] as const)
}

/** Whether a request has, in every field that the stored answer varies by, what the first request had. */
export function matchesVary(stored: StoredResponse, request: HeaderList): boolean {
  return stored.vary.every(([name, value]) => selecting(request, name) === value)
}

/** RFC 9111 §4.1: of several that match, the one with the latest Date. */
export function newestFirst(candidates: readonly StoredResponse[]): StoredResponse[] {
  const made = (one: StoredResponse): number => {
    const date = dateField(one.headers, 'date')
    return Number.isNaN(date) ? one.responseMs : date
  }
  return [...candidates].sort((x, y) => made(y) - made(x) || y.responseMs - x.responseMs)
}

// RFC 9111 §4.1: values may be compared without the whitespace around commas, and with their lines joined.
function selecting(headers: HeaderList, name: string): string | null {
  const value = headers.get(name)
  return value === null ? null : splitList(value).join(',')
}
