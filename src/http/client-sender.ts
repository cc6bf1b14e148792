// The way out of a client connection: heads and bodies of requests, in their turn and ahead of it.
// Owns: what is written, how many requests have been, bodies with 100 (Continue) and back-pressure. Does not own: when
// (client-connection.ts), which requests may go ahead (pipeline-rules.ts).
// Read first: RFC 9110 §10.1.1 (Expect), RFC 9112 §9.3.2 (pipelining).
import type { Micros, Scheduler } from '../base/time.ts'
import { toBytes } from './body.ts'
import type { PreparedRequest } from './client-message.ts'
import { continued, type Job } from './client-options.ts'
import { HttpConnection } from './connection.ts'
import { dataEvent, endEvent } from './events.ts'
import type { Output } from './output.ts'

/** How sending has ended: whole; not whole because the exchange was over before; with the Error of the program's own body. */
export type BodyOutcome = 'sent' | 'stopped' | Error

/** Writes requests to one connection. */
export class RequestSender {
  readonly #http: HttpConnection
  readonly #output: Output
  readonly #scheduler: Scheduler
  /** Requests sent so far. */
  requests = 0

  constructor(http: HttpConnection, output: Output, scheduler: Scheduler) {
    this.#http = http
    this.#output = output
    this.#scheduler = scheduler
  }

  /**
   * Sends a request whose turn it is, with its body if that is at hand.
   * @returns whether the body has still to be sent, by `sendBody`: once the server has asked for it, or as it comes
   * @throws {TypeError} {ProtocolError} when it cannot be written; then nothing was sent
   */
  send(job: Job): 'done' | 'body' | 'waits' {
    const { head, bytes, stream } = job.prepared
    this.#output.write(this.#http.send(head))
    const waits = this.#http.clientWaitsForContinue
    if (!waits && stream === null) this.#sendWhole(bytes)
    this.#noteSent(job)
    return waits ? 'waits' : stream === null ? 'done' : 'body'
  }

  /** Sends a request while others are being answered. @throws {TypeError} {ProtocolError} as `send` */
  sendAhead(job: Job): void {
    for (const part of encodeWhole(job.prepared)) this.#output.write(part)
    this.#noteSent(job)
  }

  /** It is the turn of a request that was sent ahead: the state catches up, nothing is written. */
  follow({ prepared: { head, bytes } }: Job): void {
    this.#http.send(head)
    if (bytes !== null && bytes.length > 0) this.#http.send(dataEvent(bytes))
    this.#http.send(endEvent())
  }

  /**
   * Sends a body, as fast as the server takes it.
   * @param continueUs how long to wait for 100 (Continue); -1: not at all
   * @param isCurrent whether the exchange still goes on
   */
  async sendBody(job: Job, continueUs: Micros, isCurrent: () => boolean): Promise<BodyOutcome> {
    const http = this.#http
    const output = this.#output
    try {
      if (continueUs >= 0 && !(await continued(job, this.#scheduler, continueUs))) {
        // RFC 9110 §10.1.1: a final answer instead of 100. The body was announced, so the connection cannot be kept.
        http.disableKeepAlive()
        return 'stopped'
      }
      if (!isCurrent()) return 'stopped'
      const { bytes, stream } = job.prepared
      if (stream === null) {
        if (bytes !== null && bytes.length > 0) output.write(http.send(dataEvent(bytes)))
      } else {
        for await (const chunk of stream) {
          if (!isCurrent()) return 'stopped'
          const data = toBytes(chunk)
          if (data.length > 0) output.write(http.send(dataEvent(data)))
          await output.ready()
        }
        if (!isCurrent()) return 'stopped'
      }
      output.write(http.send(endEvent(job.request.trailers?.())))
      output.flush()
      return 'sent'
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  #sendWhole(bytes: Uint8Array | null): void {
    if (bytes !== null && bytes.length > 0) this.#output.write(this.#http.send(dataEvent(bytes)))
    this.#output.write(this.#http.send(endEvent()))
  }

  #noteSent(job: Job): void {
    this.requests++
    this.#output.flush()
    job.timings.sentAt = this.#scheduler.now()
    job.request.hooks?.onSent?.(job.timings.sentAt)
  }
}

// A whole request as bytes, while the connection's own state is still busy with the one before.
function encodeWhole({ head, bytes }: PreparedRequest): Uint8Array[] {
  const http = new HttpConnection({ role: 'client' })
  const parts = [http.send(head)]
  if (bytes !== null && bytes.length > 0) parts.push(http.send(dataEvent(bytes)))
  parts.push(http.send(endEvent()))
  return parts
}
