// Options and time limits of a client connection, and the record of one request under way.
// Owns: names, defaults. Does not own: enforcing them (client-connection.ts).
// Read first: RFC 9112 §9.5 (failures and timeouts).
import { type Micros, type Scheduler, SECOND } from '../base/time.ts'
import { type BodyHooks, IncomingBody } from './body.ts'
import type { ClientResponse, ConnectionRequest, PreparedRequest } from './client-message.ts'
import type { ExchangeTimings } from './client-timings.ts'
import type { InformationalResponse } from './events.ts'
import type { Leniency } from './leniency.ts'
import type { HttpLimits } from './limits.ts'

/** Time limits of a client connection, in Micros; `Infinity` switches one off. */
export interface ClientTimeouts {
  /** From the end of a request to the head of its answer. 60 s. */
  readonly responseUs: Micros
  /** Between two arrivals while an answer's body comes in, without the time that the program lets it wait. 60 s. */
  readonly idleUs: Micros
  /** How long a body waits for 100 (Continue) before it goes out anyway. 1 s (RFC 9110 §10.1.1: not for ever). */
  readonly continueUs: Micros
  /** How long the server may refuse to take any of a request. 120 s. */
  readonly writeUs: Micros
  /** How long a connection that we have ended may go on before it is destroyed. 5 s. */
  readonly lingerUs: Micros
}

/** The time limits that hold where the caller gives none. */
export const CLIENT_TIMEOUTS: ClientTimeouts = Object.freeze({
  responseUs: 60 * SECOND,
  idleUs: 60 * SECOND,
  continueUs: SECOND,
  writeUs: 120 * SECOND,
  lingerUs: 5 * SECOND,
})

/** Options of a client connection. */
export interface ClientConnectionOptions {
  readonly scheduler: Scheduler
  /** Value of Host for requests that do not name one. */
  readonly host?: string
  readonly limits?: Partial<HttpLimits>
  /** What is taken though it is not valid; nothing unless given. */
  readonly lenient?: Partial<Leniency>
  readonly timeouts?: Partial<ClientTimeouts>
  /**
   * Requests that may be under way at the same time, once an answer has shown that the server is HTTP/1.1 and stays (RFC 9112 §9.3.2).
   * 1, which is no pipelining, unless given; 1 to 1000.
   */
  readonly pipelineDepth?: number
  /** Told whenever the connection becomes free for another request, with the response that has just ended. */
  readonly onIdle?: (last: ClientResponse) => void
  /** Told of every answer that has ended and left the connection open, whether or not others are under way; before `onIdle`. */
  readonly onFinished?: (last: ClientResponse) => void
  /** Told when it begins to end, is lost or is handed over: it takes no more requests. May be told more than once. */
  readonly onEnding?: () => void
}

/** One request on a client connection, waiting or under way; belongs to the connection. */
export interface Job {
  readonly request: ConnectionRequest
  readonly prepared: PreparedRequest
  readonly timings: ExchangeTimings
  readonly body: IncomingBody
  readonly informational: InformationalResponse[]
  readonly resolve: (response: ClientResponse) => void
  readonly reject: (error: unknown) => void
  readonly onAbort: () => void
  response: ClientResponse | null
  /** Nobody waits for the answer any more; it is read all the same, because others come behind it. */
  abandoned: boolean
  /** Lets the body go out while it waits for 100 (Continue): true to send it, false to leave it. */
  release: ((send: boolean) => void) | null
}

/** A request that begins to wait. */
export function makeJob(
  request: ConnectionRequest,
  prepared: PreparedRequest,
  queuedAt: Micros,
  resolve: Job['resolve'],
  reject: Job['reject'],
  hooks: BodyHooks & { onAbort(): void },
): Job {
  const timings = { queuedAt, sentAt: -1, firstByteAt: -1, headAt: -1, endAt: -1 }
  const { onAbort } = hooks
  const state = {
    timings,
    body: new IncomingBody(hooks),
    informational: [],
    response: null,
    abandoned: false,
    release: null,
  }
  return { request, prepared, resolve, reject, onAbort, ...state }
}

/**
 * Waits for 100 (Continue), a final answer, or the end of the time: whether the body should go out (RFC 9110 §10.1.1).
 */
export function continued(job: Job, scheduler: Scheduler, afterUs: Micros): Promise<boolean> {
  return new Promise((resolve) => {
    const task = afterUs === Infinity ? null : scheduler.schedule(scheduler.now() + afterUs, () => job.release?.(true))
    job.release = (send) => {
      job.release = null
      task?.cancel()
      resolve(send)
    }
  })
}

/** The depth of a pipeline, 1 unless given. @throws {RangeError} unless it is a whole number from 1 to 1000 */
export function checkDepth(depth = 1): number {
  if (Number.isInteger(depth) && depth >= 1 && depth <= 1000) return depth
  throw new RangeError(`pipelineDepth is ${depth}; give a whole number from 1 to 1000`)
}
