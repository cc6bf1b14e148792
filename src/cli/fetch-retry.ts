// --retry: which failures and answers are worth another try, and how long to wait before it, as curl decides.
// Owns: the decision and the delays. Does not own: trying (fetch-transfer.ts), what the client repeats by itself (http/retry.ts).
// Read first: curl(1), option --retry; RFC 9110 §10.2.3 (Retry-After).

import { type Micros, SECOND } from '../base/time.ts'
import { parseHttpDate } from '../http/index.ts'
import { CURL } from './fetch-errors.ts'

/** What the options say of trying again. */
export interface RetrySettings {
  /** Tries besides the first. */
  readonly retries: number
  /** Seconds between tries; null: 1 s, doubling up to 10 min. */
  readonly delay: number | null
  /** Seconds after which no other try begins; null: no limit. */
  readonly maxTime: number | null
  /** Any failure is worth another try. */
  readonly allErrors: boolean
  /** A refused connection is. */
  readonly refused: boolean
}

const TRANSIENT: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])
const LONGEST_US = 600 * SECOND

/** Whether an answer of that status may be better the next time. */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT.has(status)
}

/** Whether a transfer that failed with one of curl's exit codes is tried again. */
export function isTransientFailure(exitCode: number, message: string, settings: RetrySettings): boolean {
  if (settings.allErrors || exitCode === CURL.timeout) return true
  return settings.refused && exitCode === CURL.connect && message.includes('refused')
}

/**
 * How long to wait before the try number `attempt` (from 1).
 * @param retryAfter the server's Retry-After, which counts more; null for none
 * @param nowMs the time of day, for a Retry-After that is a date
 */
export function retryDelayUs(
  attempt: number,
  settings: RetrySettings,
  retryAfter: string | null,
  nowMs: number,
): Micros {
  const said =
    retryAfter === null ? Number.NaN : /^[0-9]{1,9}$/.test(retryAfter) ? Number(retryAfter) : until(retryAfter, nowMs)
  if (!Number.isNaN(said)) return Math.max(0, said) * SECOND
  if (settings.delay !== null) return settings.delay * SECOND
  return Math.min(LONGEST_US, 2 ** (attempt - 1) * SECOND)
}

function until(date: string, nowMs: number): number {
  return (parseHttpDate(date, nowMs) - nowMs) / 1000
}
