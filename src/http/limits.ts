// Limits on everything that a peer controls.
// Owns: names, defaults and bounds. Does not own: enforcing them (reader.ts, chunked.ts, server).
// Read first: RFC 9112 §3 (a request line of 8,000 bytes must be taken), RFC 9110 §5.4 (field limits).

/** Limits of one HTTP connection. */
export interface HttpLimits {
  /** Longest request or status line in bytes, without its CRLF: 414 (RFC 9112 §3). */
  readonly startLineBytes: number
  /** Bytes of a whole header section, line ends included: 431 (RFC 9110 §5.4). */
  readonly headerBytes: number
  /** Field lines of a header section: 431. */
  readonly headerCount: number
  /** Bytes of a whole trailer section: 431. */
  readonly trailerBytes: number
  /** Field lines of a trailer section: 431. */
  readonly trailerCount: number
  /** Bytes of all chunk extensions of one message: 400 (RFC 9112 §7.1.1). */
  readonly chunkExtensionBytes: number
  /** Empty lines that are skipped before a request line (RFC 9112 §2.2: at least one). */
  readonly emptyLines: number
}

/** The limits that hold where the caller gives none. */
export const DEFAULT_LIMITS: HttpLimits = Object.freeze({
  startLineBytes: 16_384,
  headerBytes: 65_536,
  headerCount: 128,
  trailerBytes: 8_192,
  trailerCount: 32,
  chunkExtensionBytes: 4_096,
  emptyLines: 1,
})

/**
 * The defaults with what the caller wants otherwise.
 * @throws {RangeError} when a limit is not a whole number of at least 0
 */
export function limitsFrom(partial: Partial<HttpLimits> = {}): HttpLimits {
  const limits = { ...DEFAULT_LIMITS, ...partial }
  for (const [name, value] of Object.entries(limits)) {
    if (!(Number.isInteger(value) && value >= 0))
      throw new RangeError(`limit ${name} is ${value}; give a whole number >= 0`)
  }
  return limits
}

/** Checks that every time limit is above 0. @throws {RangeError} otherwise */
export function checkTimeouts<T extends object>(timeouts: T): T {
  for (const [name, value] of Object.entries(timeouts)) {
    if (!(value > 0)) throw new RangeError(`timeout ${name} is ${value}; give microseconds above 0, or Infinity`)
  }
  return timeouts
}
