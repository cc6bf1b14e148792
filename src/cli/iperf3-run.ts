// One iperf3 test while it runs, on either side: its streams, its intervals, the time that is left out, what is counted in the end.
// Owns: time from TEST_RUNNING to the end. Does not own: the control connection (iperf3-client.ts, iperf3-server.ts), what is printed.

import { type Micros, type ScheduledTask, type Scheduler, SECOND } from '../base/time.ts'
import type { TestParams, TestResults } from './iperf3-protocol.ts'
import type { Interval, TestStream } from './iperf3-streams.ts'

/** Bytes of a write unless told otherwise; as iperf3's for TCP. */
export const BLOCK_BYTES = 131_072

/** Who is told while a test runs. */
export interface RunObserver {
  onStart(run: TestRun): void
  /** What each stream did in the interval that is over, in the order of the streams. */
  onInterval(run: TestRun, intervals: readonly (Interval | null)[]): void
}

/** Processor time of this process over a test, percent of one processor. */
export interface CpuShare {
  readonly total: number
  readonly user: number
  readonly system: number
}

/** A test under way or over. */
export class TestRun {
  readonly params: TestParams
  readonly cookie: string
  /** Whether this side sends. */
  readonly isSender: boolean
  readonly streams: readonly TestStream[]
  /** The other side's results; null before they have come. */
  remote: TestResults | null = null
  /** Seconds that were measured; those left out not counted. */
  seconds = 0
  cpu: CpuShare = { total: 0, user: 0, system: 0 }
  /** When it began, milliseconds since 1970. */
  readonly epochMs = Date.now()
  readonly #scheduler: Scheduler
  readonly #observer: RunObserver
  readonly #intervalUs: Micros
  #startedAt: Micros = 0
  #cpuAt = process.cpuUsage()
  #cpuSince: Micros = 0
  #isOmitting = false
  #tick: ScheduledTask | null = null
  #omit: ScheduledTask | null = null

  constructor(options: {
    readonly params: TestParams
    readonly cookie: string
    readonly isSender: boolean
    readonly streams: readonly TestStream[]
    readonly scheduler: Scheduler
    readonly observer: RunObserver
    readonly intervalUs: Micros
  }) {
    this.params = options.params
    this.cookie = options.cookie
    this.isSender = options.isSender
    this.streams = options.streams
    this.#scheduler = options.scheduler
    this.#observer = options.observer
    this.#intervalUs = options.intervalUs
  }

  /** TEST_RUNNING: text flows. */
  start(): void {
    const now = this.#scheduler.now()
    this.#startedAt = this.#cpuSince = now
    this.#cpuAt = process.cpuUsage()
    const omitUs = (this.params.omit ?? 0) * SECOND
    this.#isOmitting = omitUs > 0
    this.#observer.onStart(this)
    for (const stream of this.streams) stream.start(now)
    if (omitUs > 0) this.#omit = this.#scheduler.schedule(now + omitUs, () => this.#endOmit())
    if (this.#intervalUs > 0) this.#schedule(now)
  }

  /** The test is over: nothing more is counted. */
  stop(): void {
    const now = this.#scheduler.now()
    this.#tick?.cancel()
    this.#omit?.cancel()
    this.#mark(now)
    this.seconds = (now - this.#startedAt) / SECOND
    for (const stream of this.streams) stream.stop()
    const used = process.cpuUsage(this.#cpuAt)
    const percent = (us: number): number => (100 * us) / Math.max(1, now - this.#cpuSince)
    this.cpu = { total: percent(used.user + used.system), user: percent(used.user), system: percent(used.system) }
  }

  /** What is told to the other side. */
  results(congestion: string): TestResults {
    const now = this.#startedAt + this.seconds * SECOND
    return {
      cpu_util_total: this.cpu.total,
      cpu_util_user: this.cpu.user,
      cpu_util_system: this.cpu.system,
      sender_has_retransmits: this.isSender ? 1 : 0,
      congestion_used: congestion,
      streams: this.streams.map((stream) => stream.results(now)),
    }
  }

  #endOmit(): void {
    const now = this.#scheduler.now()
    this.#mark(now)
    this.#isOmitting = false
    for (const stream of this.streams) stream.omit(now)
    this.#startedAt = this.#cpuSince = now
    this.#cpuAt = process.cpuUsage()
    this.#tick?.cancel()
    if (this.#intervalUs > 0) this.#schedule(now)
  }

  #schedule(from: Micros): void {
    const at = from + this.#intervalUs
    this.#tick = this.#scheduler.schedule(at, () => {
      this.#mark(this.#scheduler.now())
      this.#schedule(at)
    })
  }

  #mark(now: Micros): void {
    const marks = this.streams.map((stream) => stream.mark(now, this.#isOmitting))
    const first = marks.find((mark) => mark !== null) ?? null
    // The crumb of an interval that is left when a test ends is counted, but no line of its own.
    const isCrumb = first === null || (first.end - first.start) * SECOND < this.#intervalUs / 10
    if (this.#intervalUs > 0 && !isCrumb) this.#observer.onInterval(this, marks)
  }
}
