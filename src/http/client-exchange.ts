// What the events of a connection do to the exchange under way: 1xx, the head, the body, its end, the switch to another protocol.
// Owns: the exchange's record, how many 1xx there may be, what a 101 must say. Does not own: the connection (client-connection.ts).
// Read first: RFC 9110 §15.2 (1xx), §7.8 (Upgrade).
import type { Micros } from '../base/time.ts'
import { ClientResponse } from './client-message.ts'
import type { Job } from './client-options.ts'
import { remoteError } from './errors.ts'
import type { HttpEvent, InformationalResponse } from './events.ts'
import type { ByteStream } from './stream.ts'

/** More 1xx responses to one request are an attack, or a loop. */
const MOST_INFORMATIONAL = 100

/** What an event has made of an exchange. */
export type ExchangeStep = 'goes-on' | 'switched' | 'ended' | 'unwanted'

/**
 * Takes an event of the answer into the exchange's record, and tells whoever waits for it.
 * @param isSwitched whether the event has ended HTTP on this connection; the caller then hands the response over
 * @throws {ProtocolError} for too many 1xx responses, or a switch that was not offered
 */
export function takeEvent(event: HttpEvent, job: Job, isSwitched: boolean, now: Micros): ExchangeStep {
  switch (event.type) {
    case 'informational':
      noteInformational(event, job)
      if (!isSwitched) return 'goes-on'
      job.response = switchedTo(event, job)
      job.timings.headAt = now
      return 'switched'
    case 'response':
      job.timings.headAt = now
      job.response = new ClientResponse(event, job.body, job.timings, job.informational)
      job.release?.(false)
      if (isSwitched) return 'switched'
      job.resolve(job.response)
      return job.abandoned ? 'unwanted' : 'goes-on'
    case 'data':
      job.body.push(event.data)
      return 'goes-on'
    case 'end':
      job.timings.endAt = now
      if (job.response !== null) job.response.trailers = event.trailers
      job.body.finish()
      job.request.hooks?.onEnd?.(job.timings)
      return 'ended'
    default:
      return 'goes-on'
  }
}

/** The first byte of an answer has come. */
export function noteFirstByte(job: Job, now: Micros): void {
  if (job.timings.firstByteAt >= 0) return
  job.timings.firstByteAt = now
  job.request.hooks?.onFirstByte?.(now)
}

/** Listens to a stream: `onInput` gets null at the peer's end. @returns what stops it */
export function listen(
  stream: ByteStream,
  onInput: (chunk: Uint8Array | null) => void,
  onClose: () => void,
): () => void {
  const onEnd = (): void => onInput(null)
  stream.on('close', onClose)
  stream.on('end', onEnd)
  stream.on('data', onInput)
  return () => {
    stream.off('close', onClose)
    stream.off('end', onEnd)
    stream.off('data', onInput)
  }
}

// More 1xx responses to one request than this are an attack, or a loop.
function noteInformational(event: InformationalResponse, job: Job): void {
  if (job.informational.length >= MOST_INFORMATIONAL) {
    throw remoteError(502, 'unexpected-event', `more than ${MOST_INFORMATIONAL} 1xx responses to one request`)
  }
  job.informational.push(event)
  job.request.hooks?.onInformational?.(event)
  if (event.status === 100) job.release?.(true)
}

// RFC 9110 §7.8: a server switches only to what the request has offered.
function switchedTo(event: InformationalResponse, job: Job): ClientResponse {
  const offered = job.prepared.head.headers.tokens('upgrade')
  const taken = event.headers.tokens('upgrade')
  if (taken.length === 0 || taken.some((protocol) => !offered.includes(protocol))) {
    throw remoteError(502, 'unexpected-switch', `a switch to ${taken.join(', ') || 'nothing'}, which nobody asked for`)
  }
  return new ClientResponse({ ...event, type: 'response' }, job.body, job.timings, job.informational)
}
