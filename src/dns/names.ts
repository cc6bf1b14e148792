// Domain names: between text and the wire, with compression pointers.
// Owns: labels, escapes, the bounds of RFC 1035 §2.3.4, comparing without case. Does not own: messages (message.ts), search lists
// (resolver.ts). Read first: RFC 1035 §3.1, §4.1.4, §5.1 (escapes).
//
// A name is text without its last dot: 'www.example.com', and '' for the root. A dot, a backslash and octets that do not print are
// written `\.`, `\\` and `\DDD`, so the text is plain ASCII and no two names share one.

import type { DnsReader } from './reader.ts'

/** Most octets of a label (RFC 1035 §2.3.4). */
export const MAX_LABEL_BYTES = 63

/** Most octets of a name on the wire, its length octets and the root's included (RFC 1035 §2.3.4). */
export const MAX_NAME_BYTES = 255

const POINTER = 0xc0
const MAX_POINTER = 0x3fff
const SPECIAL = new Set([...'.\\"();@$'].map((c) => c.charCodeAt(0)))

/**
 * Reads the name at the reader's place and moves on behind it; '' when it is bad, with the verdict in the reader. A pointer leads to
 * octets before the name only, and each one further back than the last, so there are no loops (RFC 1035 §4.1.4: "a prior occurrence").
 */
export function readName(reader: DnsReader): string {
  const { bytes } = reader
  const labels: string[] = []
  let at = reader.at
  let lowest = at
  let end = -1
  let length = 1
  for (;;) {
    const limit = end < 0 ? reader.end : bytes.length
    if (at >= limit) return reader.fail('short')
    const size = bytes[at]
    if (size === 0) break
    if ((size & POINTER) === POINTER) {
      if (at + 1 >= limit) return reader.fail('short')
      const target = ((size & 0x3f) << 8) | bytes[at + 1]
      if (target >= lowest) return reader.fail('bad-pointer')
      if (end < 0) end = at + 2
      at = target
      lowest = target
      continue
    }
    if (size > MAX_LABEL_BYTES) return reader.fail('bad-label')
    if (at + 1 + size > limit) return reader.fail('short')
    length += size + 1
    if (length > MAX_NAME_BYTES) return reader.fail('long-name')
    labels.push(formatLabel(bytes, at + 1, size))
    at += size + 1
  }
  reader.at = end < 0 ? at + 1 : end
  return labels.join('.')
}

function formatLabel(bytes: Uint8Array, at: number, size: number): string {
  let text = ''
  for (let i = at; i < at + size; i++) {
    const byte = bytes[i]
    if (byte <= 32 || byte >= 127) text += `\\${String(byte).padStart(3, '0')}`
    else text += SPECIAL.has(byte) ? `\\${String.fromCharCode(byte)}` : String.fromCharCode(byte)
  }
  return text
}

/**
 * The labels of a name as octets; null when it is none: an empty or long label, a long name, a bad escape, a letter beyond ASCII. A dot at
 * the end is let go.
 */
export function nameLabels(text: string): Uint8Array[] | null {
  if (text === '' || text === '.') return []
  if (text.length > 4 * MAX_NAME_BYTES) return null
  const labels: Uint8Array[] = []
  let label: number[] = []
  let length = 1
  const finish = (): boolean => {
    length += label.length + 1
    if (label.length === 0 || label.length > MAX_LABEL_BYTES || length > MAX_NAME_BYTES) return false
    labels.push(Uint8Array.from(label))
    label = []
    return true
  }
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e) {
      if (!finish()) return null
    } else if (code === 0x5c) {
      const digits = /^[0-9]{3}/.exec(text.slice(i + 1, i + 4))?.[0]
      const byte = digits === undefined ? text.charCodeAt(i + 1) : Number(digits)
      if (!(byte <= (digits === undefined ? 127 : 255))) return null
      label.push(byte)
      i += digits === undefined ? 1 : 3
    } else if (code > 127) return null
    else label.push(code)
  }
  if (label.length > 0 && !finish()) return null
  return labels
}

/** Whether the text is a domain name (`nameLabels`). */
export function isName(text: string): boolean {
  return nameLabels(text) !== null
}

/** Where names stand in a message that is being written, by their text: what a pointer may lead to. */
export type NameOffsets = Map<string, number>

/**
 * Writes a name at `at` and returns where it ends, or -1 when it does not fit. With `offsets` its tail becomes a pointer to an earlier
 * name of the same letters (RFC 1035 §4.1.4), so that case survives; without, it is written whole (RFC 3597 §4).
 * @throws {TypeError} when the text is no name
 */
export function writeName(out: Uint8Array, at: number, name: string, offsets: NameOffsets | null): number {
  const labels = nameLabels(name)
  if (labels === null) throw new TypeError(`'${name}' is no domain name: labels of 1 to 63 octets, 255 in all`)
  let rest = labels.map((label) => formatLabel(label, 0, label.length))
  for (const label of labels) {
    const tail = rest.join('.')
    const known = offsets?.get(tail)
    if (known !== undefined) {
      if (at + 2 > out.length) return -1
      out[at] = POINTER | (known >>> 8)
      out[at + 1] = known
      return at + 2
    }
    if (at + 1 + label.length > out.length) return -1
    if (at <= MAX_POINTER) offsets?.set(tail, at)
    out[at] = label.length
    out.set(label, at + 1)
    at += 1 + label.length
    rest = rest.slice(1)
  }
  if (at + 1 > out.length) return -1
  out[at] = 0
  return at + 1
}

/** The name as it is compared and kept: small letters, no dot at the end (RFC 4343). */
export function canonicalName(name: string): string {
  const small = name.toLowerCase()
  return small.endsWith('.') && !small.endsWith('\\.') ? small.slice(0, -1) : small
}

/** Whether two names are the same, without case (RFC 4343). */
export function sameName(a: string, b: string): boolean {
  return a === b || canonicalName(a) === canonicalName(b)
}

/** Whether `name` is `zone` or below it. Both canonical. */
export function isBelow(name: string, zone: string): boolean {
  return zone === '' || name === zone || name.endsWith(`.${zone}`)
}

/** The name one label shorter: 'example.com' for 'www.example.com'; '' for one label. */
export function parentName(name: string): string {
  for (let i = 0; i < name.length; i++) {
    if (name[i] === '\\') i++
    else if (name[i] === '.') return name.slice(i + 1)
  }
  return ''
}

/** How many dots there are between labels; resolv.conf's `ndots` asks. */
export function countDots(name: string): number {
  return name.replace(/\\./g, '').split('.').length - 1
}
