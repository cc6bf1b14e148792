// Content codings: which one an answer gets, and the interface of whoever compresses.
// Owns: reading Accept-Encoding, when an answer is worth compressing, the fields that change with it. Does not own: the
// codings themselves (Node's zlib stands at the edge: `nodeCodings` of tunstack/net), sending (server-message.ts).
// Read first: RFC 9110 §8.4 (Content-Encoding), §12.5.3 (Accept-Encoding), §12.5.5 (Vary), §8.8.3 (entity tags of codings).
import { parseEntityTags } from './conditional.ts'
import { isToken, splitList, trimOws } from './grammar.ts'
import type { HeaderList } from './headers.ts'
import { isBodyless } from './status.ts'

/** One way to compress. */
export interface ContentCoding {
  /** Its registered name: `gzip`, `br`, `deflate`, ... */
  readonly name: string
  /** Compresses a whole body, at once. */
  whole(body: Uint8Array): Uint8Array
  /**
   * Compresses a body as it comes; chunks belong to whoever takes them. Leaving the loop early ends the source, too. When the source
   * has nothing for a while, what is held back comes out, so that a line written now is read now.
   */
  stream(body: AsyncIterable<Uint8Array | string>): AsyncIterable<Uint8Array>
}

/** Bodies shorter than this are sent as they are: a packet more or less is all there is to win. */
export const MIN_CODED_BYTES = 860

/** Checks a list of codings. @throws {TypeError} for a name that is not a token, or `identity` */
export function checkCodings(codings: readonly ContentCoding[]): void {
  for (const { name } of codings) {
    if (!isToken(name) || name === 'identity')
      throw new TypeError(`${JSON.stringify(name)} is no content coding; use names like 'gzip'`)
  }
}

/**
 * The weight that Accept-Encoding gives to a coding, 0 to 1 (RFC 9110 §12.5.3): of its own name (or the old `x-` one),
 * else of `*`; without either `identity` is acceptable and nothing else is. A malformed weight counts as 0.
 */
export function codingWeight(acceptEncoding: string | null, name: string): number {
  if (acceptEncoding === null) return name === 'identity' ? 1 : 0
  let star = -1
  let own = -1
  for (const item of splitList(acceptEncoding)) {
    const [coding, ...parameters] = item.split(';').map(trimOws)
    const weight = weightOf(parameters)
    const lower = coding.toLowerCase()
    if (lower === '*') star = Math.max(star, weight)
    else if (lower === name || (lower === `x-${name}` && /^(?:gzip|compress)$/.test(name))) own = Math.max(own, weight)
  }
  if (own >= 0) return own
  if (name === 'identity') return star === 0 ? 0 : 1
  return Math.max(0, star)
}

// RFC 9110 §12.4.2: weight = ";" "q=" qvalue.
function weightOf(parameters: readonly string[]): number {
  if (parameters.length === 0) return 1
  const q = /^q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/i.exec(parameters[parameters.length - 1])
  return q === null ? 0 : Number(q[1])
}

/**
 * The coding for an answer: the one with the largest weight, of equal ones the server's first.
 * @returns null to send it as it is, also when nothing is acceptable (RFC 9110 §12.5.3 lets a server choose that)
 */
export function chooseCoding(acceptEncoding: string | null, codings: readonly ContentCoding[]): ContentCoding | null {
  let best: ContentCoding | null = null
  let weight = 0
  for (const coding of codings) {
    const own = codingWeight(acceptEncoding, coding.name)
    if (own > weight) {
      best = coding
      weight = own
    }
  }
  if (best === null) return null
  // Only one that the client ranks above the bare representation; unranked, the bare one stands behind all.
  const named = acceptEncoding !== null && /(?:^|[,\s])identity\b/i.test(acceptEncoding)
  return named && codingWeight(acceptEncoding, 'identity') > weight ? null : best
}

/** Media types that are worth compressing. */
const COMPRESSIBLE =
  /^(?:text\/|application\/(?:json|javascript|xml|wasm|manifest\+json|x-ndjson)|image\/(?:svg\+xml|bmp)|[^;]*\+(?:json|xml)\b)/i

/** Whether the fields and the status of an answer let its body be compressed (RFC 9110 §7.7, §14.4). */
export function mayBeCoded(status: number, headers: HeaderList): boolean {
  if (isBodyless(status) || status === 206) return false
  if (headers.has('content-encoding') || headers.has('content-range') || headers.has('transfer-encoding')) return false
  // RFC 9110 §7.7: no-transform is the sender's word that every byte matters.
  if (headers.tokens('cache-control').includes('no-transform')) return false
  const length = headers.get('content-length')
  if (length !== null && Number(length) < MIN_CODED_BYTES) return false
  return COMPRESSIBLE.test(headers.get('content-type') ?? '')
}

/**
 * The fields of a 304 or 206 that stands for an answer that may be compressed: its Vary (RFC 9110 §15.4.5, §15.3.7), and in a 304 the weak
 * tag of the compressed answer where that is what the client has, or nobody could freshen what is stored by it (RFC 9111 §4.3.4).
 * @param asked the fields of the request
 */
export function markUncoded(status: number, headers: HeaderList, asked: HeaderList): void {
  const type = headers.get('content-type') ?? ''
  if (status === 304 || COMPRESSIBLE.test(type) || type.startsWith('multipart/byteranges')) varyByEncoding(headers)
  const etag = headers.get('etag')
  if (status !== 304 || !etag?.startsWith('"')) return
  const known = parseEntityTags(asked.get('if-none-match') ?? '')
  if (known.includes(`W/${etag}`) && !known.includes(etag)) headers.set('ETag', `W/${etag}`)
}

/** Says that the answer depends on Accept-Encoding, once (RFC 9110 §12.5.5). */
export function varyByEncoding(headers: HeaderList): void {
  const fields = headers.tokens('vary')
  if (!fields.includes('*') && !fields.includes('accept-encoding')) {
    headers.set('Vary', [...splitList(headers.get('vary') ?? ''), 'Accept-Encoding'].join(', '))
  }
}

/**
 * The fields of a compressed answer: its coding, no length, and an entity tag that is weak, because the bytes are others
 * than those that the strong one names (RFC 9110 §8.8.3.3). Ranges are then offered no more.
 */
export function markCoded(headers: HeaderList, coding: ContentCoding): void {
  headers.set('Content-Encoding', coding.name)
  headers.delete('content-length')
  headers.delete('accept-ranges')
  const etag = headers.get('etag')
  if (etag?.startsWith('"')) headers.set('ETag', `W/${etag}`)
}
