// The way in from a ByteStream to a server's connection: its listeners, and holding the sender back.
// Owns: pausing and for how long it lasted, letting go of the stream. Does not own: what the bytes mean.
import type { Micros } from '../base/time.ts'
import type { ByteStream } from './stream.ts'

/** Reads from one stream, which flows from the beginning. */
export class ServerInput {
  /** The stream. */
  readonly stream: ByteStream
  /** What the stream failed with. */
  error: Error | undefined
  readonly #onData: (chunk: Uint8Array) => void
  readonly #onEnd: () => void
  readonly #onClose: () => void
  readonly #onError: (error: Error) => void
  #pausedAt: Micros = -1

  /**
   * @param received told of bytes, and of the end of the peer's side by null
   * @param closed told once that the stream is gone
   */
  constructor(stream: ByteStream, received: (chunk: Uint8Array | null) => void, closed: () => void) {
    this.stream = stream
    this.#onData = received
    this.#onEnd = () => received(null)
    this.#onClose = closed
    this.#onError = (error) => {
      this.error = error
    }
    stream.on('error', this.#onError)
    stream.on('close', this.#onClose)
    stream.on('end', this.#onEnd)
    stream.on('data', this.#onData)
    stream.resume()
  }

  /** Holds the sender back. @returns whether it flowed until now */
  pause(now: Micros): boolean {
    if (this.#pausedAt >= 0) return false
    this.#pausedAt = now
    this.stream.pause()
    return true
  }

  /** Lets the sender go on. @returns how long it was held back, 0 when it was not */
  resume(now: Micros): Micros {
    if (this.#pausedAt < 0) return 0
    const pausedUs = now - this.#pausedAt
    this.#pausedAt = -1
    this.stream.resume()
    return pausedUs
  }

  /** Lets go of the stream, paused: it belongs to somebody else from now on. */
  detach(): void {
    const { stream } = this
    stream.pause()
    stream.off('data', this.#onData)
    stream.off('end', this.#onEnd)
    stream.off('close', this.#onClose)
    stream.off('error', this.#onError)
  }
}
