// The way out to a ByteStream: gathers what one turn of the program writes into one write, and says when to wait.
// Owns: coalescing, back-pressure, the limit on how long a peer may refuse to read. Does not own: what the bytes mean.
// Why: a head and a body written apart meet Nagle's algorithm on this side and delayed ACKs on the other (RFC 9293
// §3.7.4, §3.8.6.3): the body then waits for the peer's timer. One write cannot.
import type { Micros, ScheduledTask, Scheduler } from '../base/time.ts'
import { shortBytes } from './bytes.ts'
import type { ByteStream } from './stream.ts'

/** What is gathered before it is written without waiting for the end of the turn. */
const GATHER_BYTES = 16_384
/** A chunk larger than this is not copied to stand behind a head in one array. */
const COPY_BYTES = 131_072

const READY: Promise<void> = Promise.resolve()

/** Writes to one stream. */
export class Output {
  readonly #stream: ByteStream
  readonly #scheduler: Scheduler
  readonly #stallUs: Micros
  readonly #onStall: () => void
  readonly #onDrain = (): void => this.#drained()
  readonly #onTurn = (): void => {
    this.#deferred = false
    this.flush()
  }
  #parts: Uint8Array[] = []
  #bytes = 0
  #deferred = false
  #blocked = false
  #failure: Error | null = null
  #stallTask: ScheduledTask | null = null
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = []
  /** Bytes handed to the stream so far. */
  writtenBytes = 0

  /** @param stallUs how long the stream may stay full before `onStall` is called; `Infinity` for ever */
  constructor(stream: ByteStream, scheduler: Scheduler, stallUs: Micros, onStall: () => void) {
    this.#stream = stream
    this.#scheduler = scheduler
    this.#stallUs = stallUs
    this.#onStall = onStall
    stream.on('drain', this.#onDrain)
  }

  /** Queues bytes, which belong to the output from now on; they leave when the turn ends, or now when they are many. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#failure !== null) return
    if (this.#bytes > 0 && this.#bytes + bytes.length > COPY_BYTES) this.flush()
    this.#parts.push(bytes)
    this.#bytes += bytes.length
    if (this.#bytes >= GATHER_BYTES) this.flush()
    else if (!this.#deferred) {
      this.#deferred = true
      this.#scheduler.defer(this.#onTurn)
    }
  }

  /** Hands everything queued to the stream at once. */
  flush(): void {
    if (this.#bytes === 0 || this.#failure !== null || this.#stream.destroyed) return
    const bytes = this.#gathered()
    this.#parts = []
    this.#bytes = 0
    this.writtenBytes += bytes.length
    if (this.#stream.write(bytes) || this.#blocked) return
    this.#blocked = true
    if (this.#stallUs !== Number.POSITIVE_INFINITY) {
      this.#stallTask = this.#scheduler.schedule(this.#scheduler.now() + this.#stallUs, this.#onStall)
    }
  }

  #gathered(): Uint8Array {
    const parts = this.#parts
    if (parts.length === 1) return parts[0]
    const whole = shortBytes(this.#bytes)
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }

  /**
   * Resolves when the stream takes more; rejects when it has failed. Need not be awaited: a rejection that nobody waits
   * for is not an unhandled one.
   */
  ready(): Promise<void> {
    if (this.#failure !== null) return quiet(Promise.reject(this.#failure))
    if (!this.#blocked) return READY
    return quiet(new Promise((resolve, reject) => this.#waiters.push({ resolve, reject })))
  }

  /** The stream is gone: waiting writers get `error`, later writes are dropped. */
  fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    this.#parts = []
    this.#bytes = 0
    this.#stallTask?.cancel()
    for (const { reject } of this.#waiters.splice(0)) reject(error)
  }

  /** Hands over what is queued and lets go of the stream, which somebody else takes. */
  detach(): void {
    this.flush()
    this.#stream.off('drain', this.#onDrain)
    this.fail(new Error('the stream has been taken over'))
  }

  #drained(): void {
    this.#blocked = false
    this.#stallTask?.cancel()
    this.#stallTask = null
    for (const { resolve } of this.#waiters.splice(0)) resolve()
  }
}

/** Marks a promise as handled, so that its rejection ends no program when nobody waits for it. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
