// The requests of one client connection: those that wait, the one being answered, those that were sent ahead of their turn.
// Owns: their order, letting go of one, dropping them all. Does not own: sending (client-sender.ts), answers (client-connection.ts).
// Read first: RFC 9112 §9.3.2 (pipelining: answers come in the order of requests).
import type { Job } from './client-options.ts'
import type { RequestSender } from './client-sender.ts'
import { HttpError } from './errors.ts'
import { isPipelinable } from './pipeline-rules.ts'

/** Requests in their order: `current`, then `ahead`, then `waiting`. */
export class JobQueue {
  /** The request whose answer comes next, or is coming. */
  current: Job | null = null
  /** Requests that were sent, whose answers come after that of `current`. */
  readonly ahead: Job[] = []
  /** Requests that were not sent yet. */
  readonly waiting: Job[] = []

  /** Whether a request is being answered or waits. */
  get busy(): boolean {
    return this.current !== null || this.waiting.length > 0
  }

  /** All requests that are not answered in full. */
  get size(): number {
    return (this.current === null ? 0 : 1) + this.ahead.length + this.waiting.length
  }

  /** Whether any of the current request's answer has come. */
  get isAnswered(): boolean {
    return this.current !== null && this.current.timings.firstByteAt >= 0
  }

  /** Whether nothing comes behind the current request. */
  get isLast(): boolean {
    return this.ahead.length === 0 && this.waiting.length === 0
  }

  /** Whether another may go behind the current one, which must have left whole (`isSent`) and be such that it may be redone. */
  hasRoom(depth: number, isSent: boolean): boolean {
    const { current, ahead } = this
    return isSent && current !== null && 1 + ahead.length < depth && isPipelinable(current.prepared)
  }

  /** Whether the first of those that wait may be sent ahead of its turn. */
  get canShift(): boolean {
    return this.waiting.length > 0 && isPipelinable(this.waiting[0].prepared)
  }

  /** Sends the first of those that wait ahead of its turn; one that cannot be written is rejected. */
  shiftAhead(sender: RequestSender): void {
    const job = this.waiting.shift() as Job
    try {
      sender.sendAhead(job)
      this.ahead.push(job)
    } catch (error) {
      this.settle(job)
      job.reject(error)
    }
  }

  /** No signal and no wait for 100 (Continue) holds on to a request any more. */
  settle(job: Job): void {
    job.request.signal?.removeEventListener('abort', job.onAbort)
    job.release?.(false)
  }

  /** The current request has failed: its caller hears of it, by its promise or by the body it was given. */
  failCurrent(error: Error): void {
    const job = this.current
    if (job === null) return
    this.current = null
    this.settle(job)
    job.body.fail(error)
    if (job.response === null) job.reject(error)
  }

  /** Lets go of a request that is not the current one. @returns whether it was there */
  abandon(job: Job, reason: Error): boolean {
    const at = this.waiting.indexOf(job)
    if (at !== -1) this.waiting.splice(at, 1)
    if (at === -1 && !this.ahead.includes(job)) return false
    // One that was sent ahead cannot be taken back: its answer is read and thrown away.
    job.abandoned = true
    this.settle(job)
    job.reject(reason)
    return true
  }

  /** All but the current request fail, and are told whether they were sent. */
  drop(cause: unknown): void {
    const drop = (job: Job, sent: boolean): void => {
      this.settle(job)
      const when = sent ? 'was answered' : 'was sent'
      job.reject(new HttpError('ECONNRESET', `the connection closed before this request ${when}`, { sent, cause }))
    }
    for (const job of this.ahead.splice(0)) drop(job, true)
    for (const job of this.waiting.splice(0)) drop(job, false)
  }
}
