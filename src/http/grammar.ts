// The grammar of HTTP/1.1's small parts: tokens, field values, lists, request targets, hosts, dates.
// Owns: pure predicates and parsers over strings and bytes. Does not own: whole messages (reader.ts), what a bad part
// is answered with.
// Read first: RFC 9110 §5.6 (common rules), §5.6.7 (dates); RFC 9112 §3.2 (request target); RFC 3986 §3.2 (authority).
import { shortBytes } from './bytes.ts'

const TOKEN = 1
const FIELD = 2
const VISIBLE = 4

/** Classes of each byte: 1 token character, 2 allowed in a field value, 4 visible ASCII. */
const CLASS = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte))) CLASS[byte] |= TOKEN
  if (byte === 0x09 || (byte >= 0x20 && byte !== 0x7f)) CLASS[byte] |= FIELD
  if (byte > 0x20 && byte < 0x7f) CLASS[byte] |= VISIBLE
}

const inClass =
  (mask: number) =>
  (bytes: Uint8Array, start: number, end: number): boolean => {
    for (let i = start; i < end; i++) if ((CLASS[bytes[i]] & mask) === 0) return false
    return true
  }

/** Whether `bytes[start, end)` is a token: one or more token characters (RFC 9110 §5.6.2). */
export const isTokenBytes = (bytes: Uint8Array, start: number, end: number): boolean =>
  end > start && allToken(bytes, start, end)
const allToken = inClass(TOKEN)
/**
 * Whether `bytes[start, end)` has only bytes that a field value may hold: HTAB, SP, visible, obs-text (RFC 9110 §5.5).
 */
export const isFieldBytes = inClass(FIELD)
/** Whether `bytes[start, end)` has only visible ASCII. */
export const isVisibleBytes = inClass(VISIBLE)
/** Whether one byte is a token character. */
export const isTokenByte = (byte: number): boolean => (CLASS[byte] & TOKEN) !== 0

/** Whether a string is a token (RFC 9110 §5.6.2): a method, a field name, a connection option. */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)
}

/**
 * Whether a string may be sent as a field value or reason phrase: Latin-1 without control characters (RFC 9110 §5.5).
 */
export function isFieldValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text)
}

/** Takes optional whitespace (SP, HTAB) off both ends (RFC 9110 §5.6.3). */
export function trimOws(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isOws(text.charCodeAt(start))) start++
  while (end > start && isOws(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isOws = (code: number): boolean => code === 0x20 || code === 0x09

/** Bytes as a string, one character for each byte (ISO 8859-1, as RFC 9110 §5.5 reads field values). */
export function decodeLatin1(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= 4096) return String.fromCharCode.apply(null, bytes.subarray(start, end) as unknown as number[])
  let text = ''
  for (let at = start; at < end; at += 4096) text += decodeLatin1(bytes, at, Math.min(end, at + 4096))
  return text
}

const encoder = new TextEncoder()

/** A string of characters up to U+00FF as bytes, one for each. Short ones may lie side by side in one buffer. */
export function encodeLatin1(text: string): Uint8Array {
  const bytes = shortBytes(text.length)
  // UTF-8 is as long as the text when all of it is ASCII, and then the same.
  const { read, written } = encoder.encodeInto(text, bytes)
  if (read === text.length && written === text.length) return bytes
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/**
 * The elements of a comma-separated list, trimmed, without the empty ones (RFC 9110 §5.6.1). Commas inside quoted
 * strings do not separate.
 */
export function splitList(value: string): string[] {
  const items: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i <= value.length; i++) {
    const c = i === value.length ? ',' : value[i]
    if (quoted && i < value.length) {
      if (c === '\\') i++
      else if (c === '"') quoted = false
    } else if (c === '"') quoted = true
    else if (c === ',') {
      const item = trimOws(value.slice(start, i))
      if (item !== '') items.push(item)
      start = i + 1
    }
  }
  return items
}

/**
 * Whether a host name or address in brackets with an optional port, as the Host field holds it (RFC 9110 §7.2). May be
 * empty as a whole; a port of no host is none (RFC 9110 §4.2.1).
 */
export function isHost(value: string): boolean {
  if (value === lastHost) return true
  if (!isNewHost(value)) return false
  lastHost = value
  return true
}

/** A host that was found valid: requests repeat. */
let lastHost = ''

function isNewHost(value: string): boolean {
  const parts = HOST.exec(value)
  if (parts === null || value[0] === ':' || Number(parts[2] ?? 0) > 65_535) return false
  return parts[1] === undefined || isIpv6(parts[1])
}

const HOST =
  /^(?:\[([0-9a-fA-F:.]+)\]|\[v[0-9a-fA-F]+\.[\w.~!$&'()*+,;=:-]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-fA-F]{2})*)(?::([0-9]*))?$/

// RFC 3986 §3.2.2: eight groups, or fewer around one `::`; the last two may be written as an IPv4 address.
function isIpv6(text: string): boolean {
  const ipv4 = /(?:^|:)((?:[0-9]{1,3}\.){3}[0-9]{1,3})$/.exec(text)
  if (ipv4?.[1].split('.').some((octet) => Number(octet) > 255)) return false
  const groups = ipv4 === null ? text : `${text.slice(0, -ipv4[1].length)}0:0`
  const halves = groups.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const all = halves.flat()
  if (halves.length > 2 || !all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false
  return halves.length === 2 ? all.length < 8 : all.length === 8
}

/** A request target, taken apart (RFC 9112 §3.2). */
export interface RequestTarget {
  readonly form: 'origin' | 'absolute' | 'authority' | 'asterisk'
  /** `http` or another scheme in lower case for the absolute form; `''` otherwise. */
  readonly scheme: string
  /** Host and port for the absolute and the authority form; `''` otherwise. */
  readonly authority: string
  /** The path as sent, still percent-encoded; `''` for the authority form, `*` for the asterisk form. */
  readonly path: string
  /** What follows the first `?`; `''` when there is none. */
  readonly query: string
}

/**
 * Takes a request target apart, or returns null when it is not valid for the method (RFC 9112 §3.2).
 * DEVIATION: any visible ASCII but `#` is taken in path and query, because browsers send `|`, `[` and `"` as they are.
 */
export function parseRequestTarget(method: string, target: string): RequestTarget | null {
  // Asked several times for one request, and requests repeat.
  if (target !== lastTarget.target || method !== lastTarget.method) {
    lastTarget = { method, target, parsed: parseTarget(method, target) }
  }
  return lastTarget.parsed
}

let lastTarget: { method: string; target: string; parsed: RequestTarget | null } = {
  method: '',
  target: '',
  parsed: null,
}

function parseTarget(method: string, target: string): RequestTarget | null {
  if (!/^[\x21\x22\x24-\x7e]+$/.test(target)) return null
  if (method === 'CONNECT') {
    // RFC 9110 §9.3.6: an empty or invalid port is refused.
    const valid = isHost(target) && /[^:]:[0-9]{1,5}$/.test(target) && !/:0+$/.test(target)
    return valid ? { form: 'authority', scheme: '', authority: target, path: '', query: '' } : null
  }
  if (target === '*') {
    return method === 'OPTIONS' ? { form: 'asterisk', scheme: '', authority: '', path: '*', query: '' } : null
  }
  if (target[0] === '/') return { form: 'origin', scheme: '', authority: '', ...splitQuery(target) }
  const absolute = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?]*)(.*)$/.exec(target)
  // RFC 9110 §4.2.4: user information in an http URI is an error.
  if (absolute === null || absolute[2] === '' || !isHost(absolute[2])) return null
  // RFC 9112 §3.2.4: OPTIONS for a URI without path and query means the server itself.
  const rest =
    absolute[3] === '' && method === 'OPTIONS' ? '*' : absolute[3][0] === '/' ? absolute[3] : '/' + absolute[3]
  return { form: 'absolute', scheme: absolute[1].toLowerCase(), authority: absolute[2], ...splitQuery(rest) }
}

function splitQuery(text: string): { path: string; query: string } {
  const mark = text.indexOf('?')
  return mark === -1 ? { path: text, query: '' } : { path: text.slice(0, mark), query: text.slice(mark + 1) }
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number): string => String(n).padStart(2, '0')

/** A time in milliseconds since 1970 as an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7). */
export function formatHttpDate(ms: number): string {
  const d = new Date(ms)
  const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`
  const year = String(d.getUTCFullYear()).padStart(4, '0')
  return `${DAYS[d.getUTCDay()]}, ${two(d.getUTCDate())} ${MONTHS[d.getUTCMonth()]} ${year} ${time} GMT`
}

const MONTH = `(${MONTHS.join('|')})`
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)'
const IMF = new RegExp(`^(?:${DAYS.join('|')}), (\\d\\d) ${MONTH} (\\d{4}) ${TIME} GMT$`)
const RFC850 = new RegExp(`^(?:Sun|Mon|Tues|Wednes|Thurs|Fri|Satur)day, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} GMT$`)
const ASCTIME = new RegExp(`^(?:${DAYS.join('|')}) ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`)

/**
 * Reads any of the three date formats; returns milliseconds since 1970, or NaN (RFC 9110 §5.6.7).
 * @param nowMs the present, by which a two-digit year more than 50 years ahead is read as past; without it years 70-99
 *   are 1970-1999
 */
export function parseHttpDate(text: string, nowMs = Number.NaN): number {
  let m = IMF.exec(text)
  if (m !== null) return dateOf(+m[3], m[2], +m[1], +m[4], +m[5], +m[6])
  m = ASCTIME.exec(text)
  if (m !== null) return dateOf(+m[6], m[1], +m[2], +m[3], +m[4], +m[5])
  m = RFC850.exec(text)
  if (m === null) return Number.NaN
  const year = +m[3]
  if (Number.isNaN(nowMs)) return dateOf(year < 70 ? 2000 + year : 1900 + year, m[2], +m[1], +m[4], +m[5], +m[6])
  const thisYear = new Date(nowMs).getUTCFullYear()
  const full = thisYear - (thisYear % 100) + year
  return dateOf(full > thisYear + 50 ? full - 100 : full, m[2], +m[1], +m[4], +m[5], +m[6])
}

function dateOf(year: number, month: string, day: number, hour: number, minute: number, second: number): number {
  if (hour > 23 || minute > 59 || second > 60) return Number.NaN
  const date = new Date(0)
  date.setUTCFullYear(year, MONTHS.indexOf(month), day)
  if (date.getUTCDate() !== day) return Number.NaN
  return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000
}
