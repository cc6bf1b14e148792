// Two streams joined into one: every byte of either goes to the other, until both have ended.
// Owns: back-pressure both ways, half-close, idle limits, the end of one as the end of the other. Does not own: what the bytes mean.
// Read first: RFC 9110 §9.3.6 (CONNECT: a tunnel is closed when either side has closed, after what is outstanding has been sent).
import type { Micros, ScheduledTask, Scheduler } from '../base/time.ts'
import type { ByteStream } from './stream.ts'

/** One end of a tunnel. */
export interface TunnelEnd {
  readonly stream: ByteStream
  /** What came over it before the tunnel was; goes to the other end first. */
  readonly head: Uint8Array
  /** Whether it has finished sending already. */
  readonly ended: boolean
}

/** Options of a tunnel. */
export interface TunnelOptions {
  readonly scheduler: Scheduler
  /** How long it may carry nothing. */
  readonly idleUs: Micros
  /** How long it may carry nothing once one side has ended. */
  readonly halfClosedUs: Micros
  /** Told of every piece that passes, in bytes. */
  readonly onBytes?: (bytes: number) => void
}

/** How a tunnel ended. */
export type TunnelEnding = 'done' | 'idle' | 'lost'

/**
 * Joins two streams, which belong to the tunnel from now on.
 * @returns resolves when both have closed: both sides finished (`'done'`), nothing passed for too long (`'idle'`), or one was lost
 */
export function joinStreams(a: TunnelEnd, b: TunnelEnd, options: TunnelOptions): Promise<TunnelEnding> {
  return new Promise((resolve) => new Tunnel(a, b, options, resolve))
}

class Tunnel {
  readonly #streams: readonly [ByteStream, ByteStream]
  readonly #options: TunnelOptions
  readonly #resolve: (ending: TunnelEnding) => void
  readonly #ended: [boolean, boolean] = [false, false]
  readonly #closed: [boolean, boolean] = [false, false]
  #ending: TunnelEnding = 'done'
  #lastUs: Micros
  #timer: ScheduledTask | null = null

  constructor(a: TunnelEnd, b: TunnelEnd, options: TunnelOptions, resolve: (ending: TunnelEnding) => void) {
    this.#streams = [a.stream, b.stream]
    this.#options = options
    this.#resolve = resolve
    this.#lastUs = options.scheduler.now()
    this.#watch(0)
    this.#watch(1)
    this.#carry(0, a.head)
    this.#carry(1, b.head)
    if (a.ended) this.#end(0)
    if (b.ended) this.#end(1)
    a.stream.resume()
    b.stream.resume()
    this.#arm()
  }

  #watch(side: 0 | 1): void {
    const stream = this.#streams[side]
    const other = this.#streams[1 - side]
    stream.on('data', (chunk) => this.#carry(side, chunk))
    stream.on('end', () => this.#end(side))
    stream.on('drain', () => {
      if (!other.destroyed) other.resume()
    })
    stream.on('error', () => this.#lose())
    stream.on('close', () => this.#close(side))
    if (stream.destroyed) this.#close(side)
  }

  #carry(from: 0 | 1, bytes: Uint8Array): void {
    const to = this.#streams[1 - from]
    if (bytes.length === 0 || to.destroyed) return
    this.#lastUs = this.#options.scheduler.now()
    this.#options.onBytes?.(bytes.length)
    // Held back by the slower side: what it does not take stays with the sender.
    if (!to.write(bytes)) this.#streams[from].pause()
  }

  /** One side has finished: the other is told, and may still send (half-close). */
  #end(side: 0 | 1): void {
    if (this.#ended[side]) return
    this.#ended[side] = true
    this.#lastUs = this.#options.scheduler.now()
    const to = this.#streams[1 - side]
    if (!to.destroyed) to.end()
    this.#timer?.cancel()
    this.#arm()
  }

  #lose(): void {
    if (this.#ending === 'done') this.#ending = 'lost'
    for (const stream of this.#streams) if (!stream.destroyed) stream.destroy()
  }

  #close(side: 0 | 1): void {
    if (this.#closed[side]) return
    this.#closed[side] = true
    // Closed before it had finished: nothing more will come of the other's bytes either.
    if (!this.#ended[side]) this.#lose()
    if (!this.#closed[0] || !this.#closed[1]) return
    this.#timer?.cancel()
    this.#resolve(this.#ending)
  }

  #arm(): void {
    const { scheduler, idleUs, halfClosedUs } = this.#options
    const limitUs = this.#ended[0] || this.#ended[1] ? halfClosedUs : idleUs
    if (limitUs === Infinity || (this.#closed[0] && this.#closed[1])) return
    this.#timer = scheduler.schedule(this.#lastUs + limitUs, () => {
      if (scheduler.now() - this.#lastUs < limitUs) return this.#arm()
      this.#ending = 'idle'
      for (const stream of this.#streams) if (!stream.destroyed) stream.destroy()
    })
  }
}
