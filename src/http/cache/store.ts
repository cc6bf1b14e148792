// Where answers are kept: the interface of a store, and one in memory.
// Owns: limits in bytes and entries, what goes first (the least recently used), which records replace which. Does not own: what may be
// stored (storing.ts), files (the command line's store on disk).
// Read first: RFC 9111 §2 (a cache may throw away anything at any time).
import { combineParts, isSameRepresentation } from './partial.ts'
import type { StoredResponse } from './record.ts'

/** Limits of a store. */
export interface StoreLimits {
  /** Bytes of all records together, bodies and fields. 64 MiB. */
  readonly bytes: number
  /** URIs. 10,000. */
  readonly entries: number
  /** Bytes of the largest body that is stored. 8 MiB. */
  readonly bodyBytes: number
  /** Answers of one URI: variants (RFC 9111 §4.1) and parts. 16. */
  readonly variants: number
}

/** The limits that hold where nothing else is given. */
export const STORE_LIMITS: StoreLimits = Object.freeze({
  bytes: 64 * 1024 * 1024,
  entries: 10_000,
  bodyBytes: 8 * 1024 * 1024,
  variants: 16,
})

/** Keeps the records of URIs, and may forget any of them at any time. */
export interface CacheStore {
  readonly limits: StoreLimits
  /** All records of a URI; none when there are none, or they cannot be read. */
  get(uri: string): readonly StoredResponse[]
  /** Replaces the records of a URI; an empty list forgets it. */
  set(uri: string, records: readonly StoredResponse[]): void
}

/** @throws {RangeError} for a limit that is not a number of at least 0 */
export function storeLimits(given: Partial<StoreLimits> = {}): StoreLimits {
  const limits = { ...STORE_LIMITS, ...given }
  for (const [name, value] of Object.entries(limits)) {
    if (!(value >= 0)) throw new RangeError(`store limit ${name} is ${value}; give a number >= 0`)
  }
  return limits
}

/** About how much memory a record takes. */
export function recordBytes(record: StoredResponse): number {
  let bytes = 256 + record.uri.length + record.body.length
  for (const [name, value] of record.headers) bytes += name.length + value.length + 32
  return bytes
}

/**
 * A URI's records with one more: it replaces what has the same Vary values, and is put together with parts of the same
 * representation (RFC 9111 §3.4). Newest first, at most `variants`.
 */
export function withRecord(
  records: readonly StoredResponse[],
  record: StoredResponse,
  variants: number,
): StoredResponse[] {
  const key = JSON.stringify(record.vary)
  const others: StoredResponse[] = []
  let merged = record
  for (const old of records) {
    if (JSON.stringify(old.vary) !== key) others.push(old)
    else if (record.part !== null && isSameRepresentation(old, record)) {
      const combined = combineParts(old, merged)
      if (combined === null) others.push(old)
      else merged = combined
    }
  }
  return [merged, ...others].slice(0, variants)
}

/** A URI's records without one, which is known by its Vary values and its part: a store may give a new copy every time. */
export function withoutRecord(records: readonly StoredResponse[], record: StoredResponse): StoredResponse[] {
  const key = JSON.stringify([record.vary, record.part])
  return records.filter((one) => JSON.stringify([one.vary, one.part]) !== key)
}

/** A store in memory: the least recently used URI goes first. */
export class MemoryStore implements CacheStore {
  readonly limits: StoreLimits
  readonly #entries = new Map<string, { records: readonly StoredResponse[]; bytes: number }>()
  #bytes = 0

  /** @throws {RangeError} for a limit that is not a number of at least 0 */
  constructor(limits: Partial<StoreLimits> = {}) {
    this.limits = storeLimits(limits)
  }

  /** Bytes stored now, about. */
  get bytes(): number {
    return this.#bytes
  }

  /** URIs stored now. */
  get size(): number {
    return this.#entries.size
  }

  get(uri: string): readonly StoredResponse[] {
    const entry = this.#entries.get(uri)
    if (entry === undefined) return []
    this.#entries.delete(uri)
    this.#entries.set(uri, entry)
    return entry.records
  }

  set(uri: string, records: readonly StoredResponse[]): void {
    const old = this.#entries.get(uri)
    if (old !== undefined) {
      this.#bytes -= old.bytes
      this.#entries.delete(uri)
    }
    const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0)
    if (records.length === 0 || bytes > this.limits.bytes) return
    this.#entries.set(uri, { records, bytes })
    this.#bytes += bytes
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.limits.bytes && this.#entries.size <= this.limits.entries) break
      this.#entries.delete(oldest)
      this.#bytes -= entry.bytes
    }
  }
}
