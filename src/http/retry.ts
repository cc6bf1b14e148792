// Whether a request that got no answer may be sent again without anybody being asked.
// Owns: the rule. Does not own: sending again (pool.ts), retries that a user has asked for (src/cli/fetch-retry.ts).
// Read first: RFC 9110 §9.2.2 (idempotent methods), RFC 9112 §9.3.1 (retrying requests), §9.3.2 (of a pipeline).
import type { BodySource } from './body.ts'
import { HttpError } from './errors.ts'
import { isIdempotent } from './status.ts'

/** The parts of a request that decide. */
export interface RepeatableRequest {
  readonly method?: string
  readonly body?: BodySource
}

/** Whether a body can be sent a second time: it is at hand, and not read as it goes. */
export function isReplayable(body: BodySource | undefined): boolean {
  return body === undefined || typeof body === 'string' || body instanceof Uint8Array
}

/**
 * Whether a request may be sent again by itself after `error`.
 * @param wasReused whether the connection had served another request before: only then is a silent close likely to be its idle
 *   timeout; one that fails at its first request fails again
 */
export function canRepeat(error: unknown, request: RepeatableRequest, wasReused: boolean): boolean {
  // A time limit of ours, or an abort, is no lost connection: nobody knows what the server is doing.
  if (!(error instanceof HttpError) || error.code !== 'ECONNRESET') return false
  // Nothing of it has left: even a POST has had no effect, and a body that is read as it goes is still whole.
  if (!error.sent) return true
  // RFC 9112 §9.3.1: not once any of the answer has been seen; not unless the method is idempotent, so never POST or PATCH.
  return wasReused && !error.answered && isReplayable(request.body) && isIdempotent(request.method ?? 'GET')
}

/** Whether an answer says that the server closed while the request was on its way (RFC 9110 §15.5.9): 408 on a connection that was idle. */
export function isLateTimeout(status: number, request: RepeatableRequest, wasReused: boolean): boolean {
  return status === 408 && wasReused && isReplayable(request.body) && isIdempotent(request.method ?? 'GET')
}
