// A received body as its consumer sees it: an async iterable of chunks that asks for more only when it wants more.
// Owns: the queue between a connection and the program, bytes() and text() over any iterable. Does not own: pausing the
// stream (the connection does, when `queuedBytes` reaches BODY_HIGH_WATER_BYTES).
// Read first: RFC 9112 §6 (message body).
import { remoteError } from './errors.ts'

/** A connection stops reading while this many bytes of a body wait for their consumer. */
export const BODY_HIGH_WATER_BYTES = 65_536

/** Most bytes that `bytes()` and `text()` gather when not told otherwise. */
export const DEFAULT_GATHER_BYTES = 16 * 1024 * 1024

/** What may be sent as a body: text goes out as UTF-8. */
export type BodySource = string | Uint8Array | AsyncIterable<Uint8Array | string>

/** What a body tells the connection that feeds it. */
export interface BodyHooks {
  /** The consumer has begun to read: the moment for 100 (Continue). */
  onStart(): void
  /** The consumer has taken something: reading may go on. */
  onTake(): void
  /** The consumer wants nothing more of it. */
  onCancel(): void
}

type Waiter = { resolve: (result: IteratorResult<Uint8Array>) => void; reject: (error: unknown) => void }

/** A body being received. It can be iterated once. */
export class IncomingBody implements AsyncIterable<Uint8Array> {
  readonly #hooks: BodyHooks
  #chunks: Uint8Array[] = []
  #queuedBytes = 0
  #receivedBytes = 0
  #done = false
  #error: Error | null = null
  #taken = false
  #discarding = false
  #waiter: Waiter | null = null
  #over: { promise: Promise<void>; resolve: () => void } | null = null

  constructor(hooks: BodyHooks) {
    this.#hooks = hooks
  }

  /** Resolves when it has ended or failed; never rejects. */
  get over(): Promise<void> {
    if (this.#over === null) {
      let resolve = (): void => undefined
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      this.#over = { promise, resolve }
      if (this.finished) resolve()
    }
    return this.#over.promise
  }

  /** Bytes that wait for the consumer. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Bytes received so far. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Whether someone reads or has read this body. */
  get used(): boolean {
    return this.#taken
  }

  /** Whether it has ended or failed. */
  get finished(): boolean {
    return this.#done || this.#error !== null
  }

  /** Whether what still comes is thrown away. */
  get discarding(): boolean {
    return this.#discarding
  }

  /** Connection's side: bytes have come. */
  push(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.length
    if (this.#discarding || this.finished || chunk.length === 0) return
    if (this.#waiter !== null) {
      const waiter = this.#waiter
      this.#waiter = null
      waiter.resolve({ done: false, value: chunk })
      return
    }
    this.#chunks.push(chunk)
    this.#queuedBytes += chunk.length
  }

  /** Connection's side: the body is complete. */
  finish(): void {
    if (this.finished) return
    this.#done = true
    this.#over?.resolve()
    this.#waiter?.resolve({ done: true, value: undefined })
    this.#waiter = null
  }

  /** Connection's side: the body will not be complete. What has come is still handed out, then `error`. */
  fail(error: Error): void {
    if (this.finished) return
    this.#error = error
    this.#over?.resolve()
    this.#waiter?.reject(error)
    this.#waiter = null
  }

  /** Throws away what waits and what still comes. */
  discard(): void {
    this.#discarding = true
    this.#chunks = []
    this.#queuedBytes = 0
  }

  /**
   * Begins to read the body; leaving the loop early throws the rest away.
   * @throws {TypeError} when it is being read, or was read, already
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#taken) throw new TypeError('this body was read already; keep what bytes() or text() returned')
    this.#taken = true
    let started = false
    return {
      next: () => {
        if (!started) {
          started = true
          this.#hooks.onStart()
        }
        return this.#next()
      },
      return: () => {
        if (!this.finished || this.#chunks.length > 0) {
          this.discard()
          this.#hooks.onCancel()
        }
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.length
      this.#hooks.onTake()
      return Promise.resolve({ done: false, value: chunk })
    }
    if (this.#error !== null) return Promise.reject(this.#error)
    if (this.#done || this.#discarding) return Promise.resolve({ done: true, value: undefined })
    if (this.#waiter !== null)
      return Promise.reject(new TypeError('next() before the last next() was answered; await it'))
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      this.#hooks.onTake()
    })
  }
}

/**
 * Gathers a body in one array.
 * @param limit most bytes to take
 * @throws {ProtocolError} 413 beyond the limit, and whatever the body fails with
 */
export async function gatherBytes(body: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body) {
    length += part.length
    if (length > limit) throw remoteError(413, 'body-too-large', `a body of more than ${limit} bytes`)
    parts.push(part)
  }
  return concatBytes(parts, length)
}

/** Several arrays as one; a single one is returned as it is. */
export function concatBytes(
  parts: readonly Uint8Array[],
  length = parts.reduce((sum, part) => sum + part.length, 0),
): Uint8Array {
  if (parts.length === 1) return parts[0]
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const encoder = new TextEncoder()

/** Text as UTF-8, bytes as they are. */
export function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? encoder.encode(data) : data
}

/** Bytes as text, read as UTF-8 with U+FFFD for what is not. */
export function toText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
