// Which requests may be sent before those ahead of them have been answered.
// Owns: the rule. Does not own: sending them (client-sender.ts), the order (client-queue.ts), when there is room (client-queue.ts).
// Read first: RFC 9112 §9.3.2 (pipelining), RFC 9110 §9.2.2 (idempotent methods).
import { type ConnectionRequest, type PreparedRequest, prepareRequest } from './client-message.ts'
import { isIdempotent } from './status.ts'

/**
 * Whether a request may be sent before those ahead of it are answered, and have others sent behind it: it can be redone when the
 * connection is lost, it needs no word of the server in between, and it leaves the connection open and HTTP.
 */
export function isPipelinable({ head, stream }: PreparedRequest): boolean {
  const { headers } = head
  // RFC 9112 §9.3.2: not after a non-idempotent method, nor such a one ahead of its time.
  if (!isIdempotent(head.method) || stream !== null || head.version !== '1.1') return false
  return !(headers.has('expect') || headers.has('upgrade') || headers.tokens('connection').includes('close'))
}

/** Whether a request could be sent ahead of its turn; one that cannot be written at all is refused where its caller hears of it. */
export function mayFollow(request: ConnectionRequest): boolean {
  try {
    return isPipelinable(prepareRequest(request, ''))
  } catch {
    return false
  }
}
