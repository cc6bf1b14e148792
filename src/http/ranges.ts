// Byte ranges: reading Range and If-Range, and the frame of a multipart answer.
// Owns: which bytes a request asks for, how much of it is too much. Does not own: reading the bytes (files.ts).
// Read first: RFC 9110 §14 (range requests), §14.6 (multipart/byteranges), §17.15 (many small ranges as an attack).
import { toBytes } from './body.ts'
import { parseHttpDate, splitList } from './grammar.ts'

/** Bytes `[start, end)` of a representation. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** More ranges than this in one request are ignored, and the whole is sent (RFC 9110 §17.15). */
export const MAX_RANGES = 16

/**
 * Reads a Range field.
 * @returns the ranges in the order asked for; `'ignore'` when the whole should be sent (another unit, malformed, too
 *   many, more bytes than the whole, or a suffix of nothing); `'unsatisfiable'` when no range touches the representation: 416
 */
export function parseRange(value: string, size: number): readonly ByteRange[] | 'ignore' | 'unsatisfiable' {
  const unit = /^bytes=(.*)$/i.exec(value)
  if (unit === null) return 'ignore'
  const items = splitList(unit[1])
  if (items.length === 0 || items.length > MAX_RANGES) return 'ignore'
  const ranges: ByteRange[] = []
  let total = 0
  for (const item of items) {
    const parts = /^([0-9]*)-([0-9]*)$/.exec(item)
    if (parts === null || item === '-') return 'ignore'
    const first = parts[1] === '' ? Math.max(0, size - Number(parts[2])) : Number(parts[1])
    // RFC 9110 §14.1.2: a suffix of an empty representation can be satisfied, but Content-Range cannot name nothing.
    if (parts[1] === '' && size === 0 && Number(parts[2]) > 0) return 'ignore'
    const last = parts[1] === '' || parts[2] === '' ? size - 1 : Number(parts[2])
    if (parts[1] !== '' && parts[2] !== '' && last < first) return 'ignore'
    const end = Math.min(last + 1, size)
    // RFC 9110 §14.1.1: a range that begins behind the end, or a suffix of 0 bytes, cannot be satisfied; the others
    // can.
    if (first >= end) continue
    ranges.push({ start: first, end })
    total += end - first
  }
  if (ranges.length === 0) return 'unsatisfiable'
  return total > size ? 'ignore' : ranges
}

/**
 * Whether If-Range lets the Range hold: the entity tag is the same and strong, or the date is exactly the last
 * modification (RFC 9110 §13.1.5), which lies a second back, so that nothing can have changed in the same second (§8.8.2.2).
 * @param nowMs the present; NaN when unknown: the modification then counts as old
 */
export function ifRangeHolds(value: string, etag: string, modifiedMs: number, nowMs = Number.NaN): boolean {
  if (value.startsWith('"')) return value === etag
  const modified = Math.floor(modifiedMs / 1000) * 1000
  return parseHttpDate(value, nowMs) === modified && !(nowMs - modified < 1000)
}

/** What stands around the ranges in a multipart/byteranges body (RFC 9110 §14.6). */
export interface MultipartFrame {
  /** The value of Content-Type for the whole. */
  readonly contentType: string
  /** What stands before each range. */
  readonly heads: readonly Uint8Array[]
  /** What stands behind the last. */
  readonly tail: Uint8Array
  /** Bytes of the whole, ranges included. */
  readonly length: number
}

/**
 * The frame of a multipart/byteranges body.
 * @param contentType that of the representation, which each part repeats; null when it has none
 */
export function multipartFrame(ranges: readonly ByteRange[], size: number, contentType: string | null): MultipartFrame {
  const boundary = `tunstack-byteranges-${size.toString(36)}`
  const type = contentType === null ? '' : `Content-Type: ${contentType}\r\n`
  const heads = ranges.map((range, i) => {
    const dash = i === 0 ? '--' : '\r\n--'
    return toBytes(`${dash}${boundary}\r\n${type}Content-Range: ${contentRange(range, size)}\r\n\r\n`)
  })
  const tail = toBytes(`\r\n--${boundary}--\r\n`)
  const length = ranges.reduce((sum, range, i) => sum + heads[i].length + range.end - range.start, tail.length)
  return { contentType: `multipart/byteranges; boundary=${boundary}`, heads, tail, length }
}

/** The value of Content-Range for a range of a representation (RFC 9110 §14.4). */
export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.start}-${range.end - 1}/${size}`
}
