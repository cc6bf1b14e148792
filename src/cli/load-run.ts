// Load on a server: so many connections, each with so many requests under way, until so many are done or the time is over.
// Owns: who sends when, opening connections anew, counting. Does not own: options and words (load.ts), HTTP (src/http).
// With a rate a request is due at its time whether or not the server keeps up, and its latency counts from then: a server that stalls
// does not make the measurement stall with it.

import type { Scheduler } from '../base/time.ts'
import { type Micros, SECOND } from '../base/time.ts'
import { type ByteStream, type ConnectionRequest, HttpClientConnection } from '../http/index.ts'
import { codeOf, messageOf } from './errors.ts'
import { LatencyHistogram } from './histogram.ts'

/** What is to be done. */
export interface LoadPlan {
  readonly connections: number
  /** Requests in all; Infinity: until the time is over. */
  readonly requests: number
  /** Microseconds; Infinity: until all are done. */
  readonly durationUs: Micros
  /** Requests under way on each connection. */
  readonly depth: number
  /** Requests a second in all; Infinity: as fast as answers come. */
  readonly rate: number
  /** A connection for each request. */
  readonly isSerial: boolean
  readonly request: ConnectionRequest
  /** How long one request may take. */
  readonly timeoutUs: Micros
}

/** What came of it. */
export interface LoadResult {
  readonly latency: LatencyHistogram
  /** Opening connections. */
  readonly connect: LatencyHistogram
  readonly statuses: Record<string, number>
  /** By Node's code, or by which rule of HTTP was broken. */
  readonly errors: Record<string, number>
  sent: number
  answered: number
  connections: number
  bodyBytes: number
  elapsedUs: Micros
}

/** Runs it to its end, or until `stop` aborts. */
export async function runLoad(
  plan: LoadPlan,
  connect: () => Promise<ByteStream>,
  scheduler: Scheduler,
  stop: AbortSignal,
): Promise<LoadResult> {
  return new Load(plan, connect, scheduler, stop).run()
}

class Load {
  readonly #plan: LoadPlan
  readonly #connect: () => Promise<ByteStream>
  readonly #scheduler: Scheduler
  readonly #stop: AbortSignal
  readonly #startUs: Micros
  readonly #result: LoadResult
  readonly #open = new Set<HttpClientConnection>()
  /** Failures in a row without an answer between: a server that is not there is not asked for ever. */
  #failures = 0
  #isOver = false

  constructor(plan: LoadPlan, connect: () => Promise<ByteStream>, scheduler: Scheduler, stop: AbortSignal) {
    this.#plan = plan
    this.#connect = connect
    this.#scheduler = scheduler
    this.#stop = stop
    this.#startUs = scheduler.now()
    const counts = { sent: 0, answered: 0, connections: 0, bodyBytes: 0, elapsedUs: 0 }
    this.#result = {
      latency: new LatencyHistogram(),
      connect: new LatencyHistogram(),
      statuses: {},
      errors: {},
      ...counts,
    }
  }

  async run(): Promise<LoadResult> {
    const { durationUs, connections } = this.#plan
    const scheduler = this.#scheduler
    const over = (): void => {
      this.#isOver = true
      // What is under way when the time is over is neither answered nor an error.
      for (const one of this.#open) one.destroy()
    }
    const task = durationUs === Number.POSITIVE_INFINITY ? null : scheduler.schedule(this.#startUs + durationUs, over)
    this.#stop.addEventListener('abort', over, { once: true })
    await Promise.all(Array.from({ length: connections }, () => this.#worker()))
    this.#result.elapsedUs = scheduler.now() - this.#startUs
    task?.cancel()
    this.#stop.removeEventListener('abort', over)
    for (const one of this.#open) one.close()
    return this.#result
  }

  get #isDone(): boolean {
    return this.#isOver || this.#stop.aborted || this.#result.sent >= this.#plan.requests || this.#failures > 1000
  }

  async #worker(): Promise<void> {
    while (!this.#isDone) {
      const http = await this.#dial()
      if (http === null) continue
      const { depth, isSerial } = this.#plan
      await Promise.all(Array.from({ length: isSerial ? 1 : depth }, () => this.#lane(http)))
      http.close()
      this.#open.delete(http)
    }
  }

  async #dial(): Promise<HttpClientConnection | null> {
    const { depth, timeoutUs } = this.#plan
    const scheduler = this.#scheduler
    const fromUs = scheduler.now()
    try {
      const stream = await this.#connect()
      if (this.#isOver) {
        stream.destroy()
        return null
      }
      this.#result.connections++
      this.#result.connect.add(scheduler.now() - fromUs)
      const timeouts = { responseUs: timeoutUs, idleUs: timeoutUs, lingerUs: SECOND }
      const http = new HttpClientConnection(stream, { scheduler, pipelineDepth: depth, timeouts })
      this.#open.add(http)
      return http
    } catch (error) {
      this.#failed(error)
      // Not at once: a closed port answers in no time.
      await this.#until(scheduler.now() + SECOND / 100)
      return null
    }
  }

  /** One of the places in a connection's pipeline. */
  async #lane(http: HttpClientConnection): Promise<void> {
    const { request, rate, isSerial } = this.#plan
    const scheduler = this.#scheduler
    while (!this.#isDone && http.reusable) {
      const number = this.#result.sent++
      let dueUs = scheduler.now()
      if (rate !== Number.POSITIVE_INFINITY) {
        dueUs = this.#startUs + (number * SECOND) / rate
        await this.#until(dueUs)
        if (this.#isOver || this.#stop.aborted) {
          this.#result.sent--
          return
        }
      }
      try {
        const response = await http.request(request)
        for await (const part of response.body) this.#result.bodyBytes += part.length
        this.#result.latency.add(scheduler.now() - dueUs)
        const { statuses } = this.#result
        statuses[response.status] = (statuses[response.status] ?? 0) + 1
        this.#result.answered++
        this.#failures = 0
      } catch (error) {
        // It was never sent: the connection ended before its turn. Somebody else sends it.
        if ((error as { sent?: boolean }).sent === false) this.#result.sent--
        else this.#failed(error)
        return
      }
      if (isSerial) return
    }
  }

  #until(atUs: Micros): Promise<void> {
    if (atUs <= this.#scheduler.now()) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        task.cancel()
        this.#stop.removeEventListener('abort', done)
        resolve()
      }
      const task = this.#scheduler.schedule(Math.min(atUs, this.#startUs + this.#plan.durationUs), done)
      this.#stop.addEventListener('abort', done, { once: true })
    })
  }

  #failed(error: unknown): void {
    if (this.#isOver || this.#stop.aborted) return
    this.#failures++
    const reason = (error as { reason?: unknown }).reason
    const kind = typeof reason === 'string' ? reason : (codeOf(error) ?? messageOf(error))
    this.#result.errors[kind] = (this.#result.errors[kind] ?? 0) + 1
  }
}
