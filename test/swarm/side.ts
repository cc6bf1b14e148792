// An application at one end of a flow: writes, reads, pauses and ends as its plan says, and compares what comes with what was sent.
// Owns: the plan's execution, its account. Does not own: whether what came of it is right (judge.ts).

import type { TcpConfig } from '../../src/tcp/config.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import type { AppPlan } from './case.ts'
import { isStream, streamAt } from './stream.ts'

/** What an application asks of its host. */
export interface SideHost {
  /** Virtual time, the same on all hosts. */
  now(): number
  /** Calls `step` at that time, or when the host runs again. */
  wake(side: Side, at: number): void
  /** The application got on. */
  progress(): void
  /** The model is broken. */
  fail(side: Side, what: string): void
}

/** One end of one flow. */
export class Side {
  readonly flow: number
  readonly isServer: boolean
  readonly plan: AppPlan
  readonly connection: Connection
  written = 0
  received = 0
  /** The peer's end was seen, with everything before it read. */
  isEnded = false
  /** The application has called close or abort. */
  isClosed = false
  isAborted = false
  /** The simulation gave it up. */
  isReaped = false
  isDone = false
  /** A connection that a repeated handshake made: nobody stands behind it. */
  readonly isGhost: boolean
  /** What the receiver is to see. */
  readonly #peerKey: number
  readonly #key: number
  readonly #host: SideHost
  #readAt = 0
  #writeAt = 0
  #writes = 0
  #hasStalled = false
  #isDiscarding = false
  readonly #startedAt: number
  #changes = 0

  constructor(
    host: SideHost,
    connection: Connection,
    flow: number,
    isServer: boolean,
    plan: AppPlan,
    keys: [number, number],
    isGhost = false,
  ) {
    this.#host = host
    this.connection = connection
    this.flow = flow
    this.isServer = isServer
    this.plan = plan
    this.#key = keys[0]
    this.#peerKey = keys[1]
    this.isGhost = isGhost
    this.#startedAt = host.now()
    connection.user = this
    if (plan.endUs > 0) host.wake(this, this.#startedAt + plan.endUs)
    for (const { afterUs } of plan.changes) host.wake(this, this.#startedAt + afterUs)
  }

  /** Whether what came is to be looked at, all of it. */
  get isDiscarding(): boolean {
    return this.#isDiscarding
  }

  /** The application's turn. */
  step(): void {
    if (this.isDone) return
    const now = this.#host.now()
    const { connection, plan } = this
    while (this.#changes < plan.changes.length && now >= this.#startedAt + plan.changes[this.#changes].afterUs) {
      this.#configure(plan.changes[this.#changes++].set)
    }
    if (!this.isClosed) this.#use(now)
    if (connection.state !== 'CLOSED') return
    if (!this.isClosed && connection.error === null && (connection.readableBytes > 0 || now < this.#readAt)) return // it reads on
    this.isDone = true
    this.#host.progress()
  }

  /** Nobody waits for it any more. */
  reap(): void {
    if (this.isDone) return
    this.isReaped = true
    this.isClosed = true
    this.connection.abort()
  }

  #configure(set: Partial<TcpConfig>): void {
    if (this.connection.state !== 'CLOSED') this.connection.configure(set)
  }

  #use(now: number): void {
    const { connection, plan } = this
    const isDue = plan.endUs > 0 && now >= this.#startedAt + plan.endUs
    if (isDue && plan.ending === 'abort') {
      this.isClosed = true
      this.isAborted = true
      connection.abort()
      return
    }
    if (isDue && plan.ending === 'unread') {
      this.#close()
      return
    }
    if (plan.ending !== 'unread') this.#read(now)
    if (plan.ending !== 'answer' || this.isEnded) this.#write(now)
    if (this.written < plan.bytes || connection.state === 'CLOSED' || this.isClosed) return
    switch (plan.ending) {
      case 'close':
        if (connection.state !== 'SYN-SENT') this.#close() // which would give it up (RFC 9293 §3.10.4)
        break
      case 'answer':
        if (this.isEnded) this.#close()
        break
      default:
        connection.shutdownWrite()
        if (this.isEnded) this.#close()
    }
  }

  #close(): void {
    this.isClosed = true
    this.connection.close()
  }

  #read(now: number): void {
    const { connection, plan } = this
    while (now >= this.#readAt) {
      if (plan.discardAt >= 0 && this.received >= plan.discardAt && !this.#isDiscarding) {
        this.#isDiscarding = true
        connection.shutdownRead()
      }
      if (plan.stallUs > 0 && !this.#hasStalled && this.received >= plan.stallAt && connection.readableBytes > 0) {
        this.#hasStalled = true
        this.#readAt = now + plan.stallUs
        this.#host.wake(this, this.#readAt)
        break
      }
      const text = connection.read(plan.readBytes === 0 ? Number.POSITIVE_INFINITY : plan.readBytes)
      if (text === null) break
      if (!isStream(this.#peerKey, this.received, text))
        this.#host.fail(this, `octets after ${this.received} are not those sent`)
      this.received += text.length
      this.#host.progress()
      if (plan.readUs > 0) {
        this.#readAt = now + plan.readUs
        this.#host.wake(this, this.#readAt)
      }
    }
    if (!this.isEnded && connection.ended) {
      this.isEnded = true
      this.#host.progress()
    }
  }

  #write(now: number): void {
    const { connection, plan } = this
    while (this.written < plan.bytes && now >= this.#writeAt) {
      const length = Math.min(plan.chunk, plan.bytes - this.written, 65521)
      const text = streamAt(this.#key, this.written, length)
      const isUrgent = plan.urgentEvery > 0 && ++this.#writes % plan.urgentEvery === 0
      const isMore = plan.more && this.written + length < plan.bytes
      const taken = isUrgent ? connection.writeUrgent(text) : connection.write(text, isMore)
      this.written += taken
      if (taken > 0) this.#host.progress()
      if (taken < length) return // writable follows
      if (plan.writeUs > 0) {
        this.#writeAt = now + plan.writeUs
        this.#host.wake(this, this.#writeAt)
      }
    }
  }
}
