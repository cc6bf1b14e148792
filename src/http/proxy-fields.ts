// Which fields a proxy passes on, takes out and puts in.
// Owns: hop-by-hop fields, Via and loops, Max-Forwards, Forwarded. Does not own: framing fields that the next connection needs
// (client-message.ts, outgoing.ts).
// Read first: RFC 9110 §7.6 (message forwarding), §7.6.1 (Connection), §7.6.2 (Max-Forwards), §7.6.3 (Via); RFC 7239 (Forwarded).
import type { HttpVersion } from './events.ts'
import { splitList } from './grammar.ts'
import type { HeaderList } from './headers.ts'
import type { ConnectionInfo } from './server-message.ts'

/** Fields that end at the next hop, whether Connection names them or not (RFC 9110 §7.6.1, RFC 9112 appendix C.2.2). */
export const HOP_BY_HOP: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  // No fields of HTTP: names that careless readers, CGI above all, take for those that frame a message.
  'content_length',
  'transfer_encoding',
]

/**
 * Fields that Connection cannot take away: routing, framing and what proxies themselves rely on. A client that names them wants to hide
 * something from the next hop (RFC 9110 §7.6.1 forbids to name fields meant for all recipients).
 */
const NOT_REMOVABLE: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-range',
  'via',
  'max-forwards',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'authorization',
  'cache-control',
  'date',
])

/**
 * A message's fields without those of the hop it came over: all that Connection names, and those that are hop-by-hop anyway.
 * Trailer goes too, unless `keepsTrailers`.
 */
export function withoutHopFields(headers: HeaderList, keepsTrailers = false): HeaderList {
  const kept = headers.clone()
  for (const name of headers.tokens('connection')) if (!NOT_REMOVABLE.has(name)) kept.delete(name)
  for (const name of HOP_BY_HOP) kept.delete(name)
  if (!keepsTrailers) kept.delete('trailer')
  return kept
}

/** Trailer fields that may be passed on: none that frames, routes or belongs to one hop (RFC 9110 §6.5.1). */
export function forwardedTrailers(trailers: HeaderList | null): HeaderList | null {
  if (trailers === null || trailers.size === 0) return null
  const kept = withoutHopFields(trailers)
  for (const name of NEVER_TRAILERS) kept.delete(name)
  return kept
}

const NEVER_TRAILERS = (
  'content-length host trailer te content-encoding content-type content-range authorization set-cookie cache-control expect ' +
  'range max-forwards proxy-authorization proxy-authenticate via age'
).split(' ')

/** Puts this proxy behind those that have passed the message on before it: `1.1 name` (RFC 9110 §7.6.3). */
export function addVia(headers: HeaderList, received: HttpVersion, name: string): void {
  headers.append('Via', `${received} ${name}`)
}

/** How often this proxy stands in a message's Via: more than never is a loop (RFC 9110 §7.6.3). */
export function timesInVia(headers: HeaderList, name: string): number {
  const wanted = name.toLowerCase()
  return splitList(headers.get('via') ?? '').filter((entry) => entry.split(/[ \t]+/)[1]?.toLowerCase() === wanted)
    .length
}

/** Max-Forwards of TRACE and OPTIONS: a number, `'none'`, or `'bad'` when it is no number (RFC 9110 §7.6.2). */
export function maxForwards(method: string, headers: HeaderList): number | 'none' | 'bad' {
  if (method !== 'TRACE' && method !== 'OPTIONS') return 'none'
  const lines = headers.getAll('max-forwards')
  if (lines.length === 0) return 'none'
  return lines.length === 1 && /^[0-9]{1,9}$/.test(lines[0]) ? Number(lines[0]) : 'bad'
}

/** How the client's address is told to the next server. */
export type ForwardedStyle = 'none' | 'forwarded' | 'x-forwarded'

/**
 * Says on whose behalf a request comes (RFC 7239 §4), behind what stands there already; a reverse proxy that is the first to be believed
 * takes that out before.
 */
export function addForwarded(headers: HeaderList, style: ForwardedStyle, info: ConnectionInfo, host: string): void {
  if (style === 'none') return
  const address = info.remoteAddress ?? 'unknown'
  const proto = info.secure === true ? 'https' : 'http'
  if (style === 'x-forwarded') {
    headers.append('X-Forwarded-For', address)
    headers.setDefault('X-Forwarded-Host', host)
    headers.setDefault('X-Forwarded-Proto', proto)
    return
  }
  const node = address.includes(':') ? `"[${address}]"` : address
  const parts = [`for=${node}`]
  if (host !== '') parts.push(/^[\w.-]+$/.test(host) ? `host=${host}` : `host="${host}"`)
  parts.push(`proto=${proto}`)
  headers.append('Forwarded', parts.join(';'))
}
