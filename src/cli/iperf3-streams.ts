// The data connections of an iperf3 test: sending as fast as TCP takes it, or at a rate; receiving and counting; what each interval saw.
// Owns: the bytes and their counts. Does not own: when a test begins and ends (iperf3-client.ts, iperf3-server.ts), the texts
// (iperf3-report.ts).

import { MILLISECOND, type Micros, type ScheduledTask, type Scheduler, SECOND } from '../base/time.ts'
import type { TunSocket } from '../net/index.ts'
import type { StreamResults } from './iperf3-protocol.ts'

/** How streams send. */
export interface StreamSettings {
  readonly scheduler: Scheduler
  readonly isSender: boolean
  /** Bytes of a write. */
  readonly blockBytes: number
  /** Bits a second of each stream; 0: as fast as it goes. */
  readonly bitsPerSecond: number
  /** Told after each write and each piece read; false: that was enough. */
  readonly onBytes?: (count: number) => boolean
}

/** What a stream did in an interval. Seconds since the start of the test. */
export interface Interval {
  readonly start: number
  readonly end: number
  readonly bytes: number
  readonly retransmits: number
  /** cwnd in bytes, round trip and its variation in microseconds at the end of it; a sender's only, else -1. */
  readonly cwnd: number
  readonly rttUs: number
  readonly rttvarUs: number
  readonly omitted: boolean
}

/** What a sender's round trips and windows were at most, at least, on average. */
export interface PathSeen {
  maxCwnd: number
  maxRttUs: number
  minRttUs: number
  sumRttUs: number
  samples: number
}

/** One data connection. */
export class TestStream {
  readonly socket: TunSocket
  readonly id: number
  readonly intervals: Interval[] = []
  readonly seen: PathSeen = { maxCwnd: 0, maxRttUs: 0, minRttUs: Number.POSITIVE_INFINITY, sumRttUs: 0, samples: 0 }
  /** Bytes since the start, without those of the time that is left out. */
  bytes = 0
  readonly #settings: StreamSettings
  readonly #block: Uint8Array
  #isRunning = false
  #startedAt: Micros = 0
  #markedAt: Micros = 0
  #markedBytes = 0
  #markedRetransmits = 0
  #omittedRetransmits = 0
  #sinceOmit: Micros = 0
  #timer: ScheduledTask | null = null

  constructor(socket: TunSocket, id: number, settings: StreamSettings) {
    this.socket = socket
    this.id = id
    this.#settings = settings
    this.#block = new Uint8Array(settings.isSender ? settings.blockBytes : 0).map((_, i) => 48 + (i % 10))
    socket.on('error', () => undefined) // the control connection tells of the end
    if (settings.isSender) socket.on('drain', () => this.#send())
    else socket.on('data', (chunk: Uint8Array) => this.#take(chunk))
    // A receiver's FIN or a sender's rest is not looked at: the control connection ends the test.
  }

  /** Where it is connected. */
  get ends(): { local_host: string; local_port: number; remote_host: string; remote_port: number } {
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = this.socket
    return { local_host: localAddress, local_port: localPort, remote_host: remoteAddress, remote_port: remotePort }
  }

  /** Segments sent again, those of the time that is left out not counted; -1 for a receiver. */
  get retransmits(): number {
    return this.#settings.isSender ? this.#retransmitted() - this.#omittedRetransmits : -1
  }

  /** Begins. `unread` is text that came before. */
  start(now: Micros, unread = 0): void {
    this.#isRunning = true
    this.#startedAt = this.#markedAt = this.#sinceOmit = now
    this.bytes = unread
    if (this.#settings.isSender) this.#send()
    else this.socket.resume()
  }

  /** The time that is left out is over: counting begins anew. */
  omit(now: Micros): void {
    this.bytes = 0
    this.#markedBytes = 0
    this.#omittedRetransmits = this.#markedRetransmits = this.#retransmitted()
    this.#startedAt = this.#markedAt = this.#sinceOmit = now
  }

  /** Ends an interval. Returns null when nothing happened in no time. */
  mark(now: Micros, omitted: boolean): Interval | null {
    if (now - this.#markedAt < MILLISECOND) return null
    const retransmitted = this.#retransmitted()
    const info = this.#settings.isSender ? this.socket.info() : null
    const interval: Interval = {
      start: (this.#markedAt - this.#startedAt) / SECOND,
      end: (now - this.#startedAt) / SECOND,
      bytes: this.bytes - this.#markedBytes,
      retransmits: retransmitted - this.#markedRetransmits,
      cwnd: info?.cwnd ?? -1,
      rttUs: info?.tcpi_rtt ?? -1,
      rttvarUs: info?.tcpi_rttvar ?? -1,
      omitted,
    }
    if (interval.rttUs >= 0) this.#see(interval)
    this.intervals.push(interval)
    this.#markedAt = now
    this.#markedBytes = this.bytes
    this.#markedRetransmits = retransmitted
    return interval
  }

  /** The test is over: no more is sent or counted. */
  stop(): void {
    this.#isRunning = false
    this.#timer?.cancel()
    if (!this.#settings.isSender) this.socket.resume() // what still comes is thrown away
  }

  /** What is told to the other side. */
  results(now: Micros): StreamResults {
    const { id, bytes, retransmits } = this
    const end = (now - this.#sinceOmit) / SECOND
    return { id, bytes, retransmits, jitter: 0, errors: 0, packets: 0, start_time: 0, end_time: end }
  }

  #see({ cwnd, rttUs }: Interval): void {
    const { seen } = this
    seen.maxCwnd = Math.max(seen.maxCwnd, cwnd)
    seen.maxRttUs = Math.max(seen.maxRttUs, rttUs)
    seen.minRttUs = Math.min(seen.minRttUs, rttUs)
    seen.sumRttUs += rttUs
    seen.samples++
  }

  #take(chunk: Uint8Array): void {
    if (!this.#isRunning) return
    this.bytes += chunk.length
    this.#settings.onBytes?.(chunk.length)
  }

  #send(): void {
    const { scheduler, bitsPerSecond } = this.#settings
    while (this.#isRunning && !this.socket.destroyed && !this.socket.writableNeedDrain) {
      if (bitsPerSecond > 0) {
        const now = scheduler.now()
        const sent = this.bytes
        const due = this.#sinceOmit + (sent * 8 * SECOND) / bitsPerSecond
        if (due > now) {
          this.#timer?.cancel()
          this.#timer = scheduler.schedule(Math.max(due, now + MILLISECOND), () => this.#send())
          return
        }
      }
      this.bytes += this.#block.length
      this.socket.write(this.#block)
      if (this.#settings.onBytes?.(this.#block.length) === false) return
    }
  }

  #retransmitted(): number {
    return this.#settings.isSender ? (this.socket.info()?.tcpi_total_retrans ?? this.#markedRetransmits) : 0
  }
}
