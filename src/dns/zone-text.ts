// The text of a zone: lines of name, TTL, class, type and data, as RFC 1035 §5 has it.
// Owns: $ORIGIN, $TTL, '@', names left out, parentheses, strings, comments, TTLs with units. Does not own: what a server answers out of
// it (zone.ts). DEVIATION: no $INCLUDE; of types without a form here only RFC 3597's `\# length hex`.

import { parseAddress } from '../ip/address.ts'
import { CLASS, TYPE, typeNumber } from './codes.ts'
import { isName } from './names.ts'
import type { DnsRecord, RecordData } from './records.ts'

/** Most characters of a zone's text. */
export const MAX_ZONE_TEXT = 16 * 1024 * 1024

interface Line {
  readonly number: number
  /** Whether the line begins with a blank: its name is that of the line before. */
  readonly isIndented: boolean
  readonly words: readonly { readonly text: string; readonly isQuoted: boolean }[]
}

/**
 * Reads the records of a zone. `origin` is where names without a last dot begin, until $ORIGIN.
 * @throws {TypeError} that names the line
 */
export function parseZoneText(text: string, origin: string): DnsRecord[] {
  if (text.length > MAX_ZONE_TEXT) throw new RangeError(`a zone's text has at most ${MAX_ZONE_TEXT} characters`)
  const state = { origin: withoutDot(origin), ttlS: 3600, name: withoutDot(origin) }
  const records: DnsRecord[] = []
  for (const line of zoneLines(text)) {
    try {
      const record = readLine(line, state)
      if (record !== null) records.push(record)
    } catch (error) {
      throw new TypeError(`line ${line.number} of the zone: ${(error as Error).message}`)
    }
  }
  return records
}

function zoneLines(text: string): Line[] {
  const lines: Line[] = []
  let depth = 0
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const words: { text: string; isQuoted: boolean }[] = []
    const isOpen = depth > 0
    for (const [token] of raw.matchAll(/;.*|"(?:[^"\\]|\\.)*"|[()]|(?:[^\s;()"\\]|\\.)+|["\\]/g)) {
      if (token.startsWith(';')) break
      if (token === '(') depth++
      else if (token === ')') depth = Math.max(0, depth - 1)
      else if (token.startsWith('"') && token.length > 1) words.push({ text: token.slice(1, -1), isQuoted: true })
      else words.push({ text: token, isQuoted: false })
    }
    const last = lines.at(-1)
    if (isOpen && last !== undefined) lines[lines.length - 1] = { ...last, words: [...last.words, ...words] }
    else if (words.length > 0 || depth > 0) lines.push({ number: i + 1, isIndented: /^\s/.test(raw), words })
  }
  return lines
}

function readLine(line: Line, state: { origin: string; ttlS: number; name: string }): DnsRecord | null {
  const words = line.words.map(({ text }) => text)
  if (words[0] === '$ORIGIN') {
    state.origin = absolute(words[1] ?? '', state.origin)
    return null
  }
  if (words[0] === '$TTL') {
    state.ttlS = readTtl(words[1] ?? '') ?? fail(`'${words[1]}' is no TTL`)
    return null
  }
  if (words[0]?.startsWith('$')) fail(`${words[0]} is not known here: $ORIGIN and $TTL are`)
  let at = 0
  if (!line.isIndented) state.name = absolute(words[at++], state.origin)
  let ttlS = state.ttlS
  // TTL and class may stand in either order (RFC 1035 §5.1).
  for (; at < words.length; at++) {
    const ttl = readTtl(words[at])
    if (ttl !== null) ttlS = ttl
    else if (words[at].toUpperCase() !== 'IN') break
  }
  const type = typeNumber(words[at] ?? '')
  if (type < 0) fail(`'${words[at] ?? ''}' is no type of record`)
  return {
    name: state.name,
    type,
    class: CLASS.IN,
    ttlS,
    data: readData(type, words.slice(at + 1), state.origin),
  }
}

/** Seconds of '300', '5m', '1h30m', '2d', '1w'; null when it is no TTL. */
export function readTtl(text: string): number | null {
  if (!/^(?:[0-9]{1,10}[smhdw]?)+$/i.test(text)) return null
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }
  let sum = 0
  for (const [, number, unit] of text.matchAll(/([0-9]+)([smhdw]?)/gi)) {
    sum += Number(number) * (units[unit.toLowerCase()] ?? 1)
  }
  return sum <= 0x7fffffff ? sum : null
}

/** What stands behind the type, as `parseZoneText` reads it. @throws {TypeError} when it is not what the type has */
export function readData(type: number, words: readonly string[], origin: string): RecordData {
  const number = (i: number, most: number): number => {
    const value = /^[0-9]{1,10}$/.test(words[i] ?? '') ? Number(words[i]) : -1
    return value >= 0 && value <= most ? value : fail(`'${words[i] ?? ''}' is no number from 0 to ${most}`)
  }
  const name = (i: number): string => absolute(words[i] ?? '', origin)
  const time = (i: number): number => readTtl(words[i] ?? '') ?? fail(`'${words[i] ?? ''}' is no time`)
  if (words[0] === '\\#') return readRaw(number(1, 65_535), words.slice(2).join(''))
  const count = (n: number): void => {
    if (words.length !== n) fail(`${n} words expected behind the type, not ${words.length}`)
  }
  switch (type) {
    case TYPE.A:
    case TYPE.AAAA: {
      count(1)
      const address = parseAddress(words[0])
      if (address?.family !== (type === TYPE.A ? 4 : 6)) return fail(`'${words[0]}' is no address of this type`)
      return { kind: 'address', address }
    }
    case TYPE.NS:
    case TYPE.CNAME:
    case TYPE.PTR:
      count(1)
      return { kind: 'name', target: name(0) }
    case TYPE.MX:
      count(2)
      return { kind: 'mx', preference: number(0, 65_535), exchange: name(1) }
    case TYPE.SRV:
      count(4)
      return {
        kind: 'srv',
        priority: number(0, 65_535),
        weight: number(1, 65_535),
        port: number(2, 65_535),
        target: name(3),
      }
    case TYPE.TXT:
      if (words.length === 0) fail('a TXT record has a string at least')
      return { kind: 'txt', strings: words.map(stringBytes) }
    case TYPE.SOA:
      count(7)
      return {
        kind: 'soa',
        primary: name(0),
        mailbox: name(1),
        serial: number(2, 0xffffffff),
        refreshS: time(3),
        retryS: time(4),
        expireS: time(5),
        minimumS: time(6),
      }
    default:
      return fail('this type has no form here: write its octets, as \\# 2 ABCD (RFC 3597 §5)')
  }
}

function readRaw(length: number, hex: string): RecordData {
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex) || hex.length !== 2 * length) fail(`not ${length} octets of hex behind \\#`)
  return { kind: 'raw', bytes: Uint8Array.from({ length }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)) }
}

function stringBytes(text: string): Uint8Array {
  const bytes: number[] = []
  for (const [part] of text.matchAll(/\\[0-9]{3}|\\.|[^\\]/gu)) {
    if (/^\\[0-9]{3}$/.test(part)) bytes.push(Number(part.slice(1)) & 255)
    else bytes.push(...new TextEncoder().encode(part.startsWith('\\') ? part.slice(1) : part))
  }
  if (bytes.length > 255) fail('a string of a TXT record has at most 255 octets: split it')
  return Uint8Array.from(bytes)
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name
}

function absolute(text: string, origin: string): string {
  if (text === '@') return origin
  const isAbsolute = text.endsWith('.') && !text.endsWith('\\.')
  const name = isAbsolute ? text.slice(0, -1) : origin === '' ? text : `${text}.${origin}`
  if (text === '' || !isName(name)) fail(`'${text}' is no domain name`)
  return name
}

function fail(message: string): never {
  throw new TypeError(message)
}
