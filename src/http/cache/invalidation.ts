// What a request that changes something does to what is stored.
// Owns: which URIs are not current any more. Does not own: the store.
// Read first: RFC 9111 §4.4; RFC 9110 §9.2.1 (safe methods).
import { type Arrival, type CacheQuery, cacheUri } from './record.ts'

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Whether a method is known to change nothing (RFC 9110 §9.2.1). */
export function isSafe(method: string): boolean {
  return SAFE.has(method)
}

/**
 * The URIs whose stored answers an exchange makes invalid: after a 2xx or 3xx to an unsafe method its own, and those that Location
 * and Content-Location name, if they are of the same origin (RFC 9111 §4.4).
 */
export function invalidatedUris(query: CacheQuery, response: Arrival): string[] {
  if (isSafe(query.method) || response.status < 200 || response.status >= 400) return []
  const uris = new Set([query.uri])
  for (const name of ['location', 'content-location']) {
    const value = response.headers.get(name)
    const uri = value === null ? null : resolve(value, query.uri)
    // Another origin's answers are not this one's to throw away: that would be an attack (RFC 9111 §4.4).
    if (uri !== null && originOf(uri) === originOf(query.uri)) uris.add(uri)
  }
  return [...uris]
}

function originOf(uri: string): string {
  return /^[a-z]+:\/\/[^/?#]*/.exec(uri)?.[0] ?? ''
}

function resolve(reference: string, base: string): string | null {
  try {
    return cacheUri(new URL(reference, base).href)
  } catch {
    return null
  }
}
