// Direct connections as byte streams: the events that HTTP and its like listen for, without node:stream in between.
// Owns: one connection's listeners, what the send buffer did not take, what came while it was paused.
// Does not own: connections (direct.ts).
// Read first: src/http/stream.ts (the interface that this is), src/net/direct.ts.

import type { DirectHandler, DirectSocket } from './direct.ts'

/** Short chunks lie side by side in one piece of memory of this size. */
const SLAB_BYTES = 16_384
const SHORT_BYTES = 2048

let slab = new Uint8Array(0)
let used = 0

/** A copy, for text is only lent. */
function copyOf(bytes: Uint8Array): Uint8Array {
  const { length } = bytes
  if (length > SHORT_BYTES) return bytes.slice()
  if (used + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    used = 0
  }
  const copy = slab.subarray(used, used + length)
  used += length
  copy.set(bytes)
  return copy
}

type Event = 'data' | 'end' | 'close' | 'drain' | 'error'
type Listener = (...args: never[]) => void

/**
 * A direct connection with the events `data`, `end`, `close`, `drain` and `error` of a node:stream, and nothing else of it. It begins
 * paused; both sides end apart. Made by `host.listenStreams`.
 */
export class DirectStream {
  /** The connection below. */
  readonly socket: DirectSocket
  /** Whether `destroy` was called or the connection is over. */
  destroyed = false
  readonly #listeners: Record<Event, Listener[]> = { data: [], end: [], close: [], drain: [], error: [] }
  /** What the send buffer has not taken yet. */
  readonly #unsent: Uint8Array[] = []
  /** What came while the stream was paused. */
  readonly #held: Uint8Array[] = []
  /** Who waits for acknowledgements while not everything is in the send buffer. */
  readonly #waiting: ((acknowledged: boolean | Promise<boolean>) => void)[] = []
  #isPaused = true
  #hasEnded = false
  #isEnding = false
  #isResuming = false

  constructor(socket: DirectSocket) {
    this.socket = socket
    socket.data = this
    socket.pause()
  }

  /** The peer's address. */
  get remoteAddress(): string {
    return this.socket.connection.remote.toString()
  }

  /** The peer's port. */
  get remotePort(): number {
    return this.socket.connection.remotePort
  }

  /** Adds a listener. */
  on(event: Event, listener: Listener): this {
    this.#listeners[event] = [...this.#listeners[event], listener]
    return this
  }

  /** Adds a listener that is called once. */
  once(event: Event, listener: Listener): this {
    const wrapped: Listener = (...args) => {
      this.off(event, wrapped)
      listener(...args)
    }
    return this.on(event, wrapped)
  }

  /** Takes a listener away that `on` has added. */
  off(event: Event, listener: Listener): this {
    this.#listeners[event] = this.#listeners[event].filter((one) => one !== listener)
    return this
  }

  /** Sends bytes, which belong to the stream from now on; false when the caller should wait for `drain`. */
  write(bytes: Uint8Array): boolean {
    if (this.destroyed) return false
    if (this.#unsent.length > 0) {
      this.#unsent.push(bytes)
      return false
    }
    const taken = this.socket.write(bytes)
    if (taken === bytes.length) return true
    this.#unsent.push(bytes.subarray(taken))
    return false
  }

  /** Sends what is queued and then the end of our side. */
  end(): void {
    if (this.#isEnding || this.destroyed) return
    this.#isEnding = true
    if (this.#unsent.length === 0) this.socket.end()
  }

  /**
   * Drops the connection with whatever is queued here; `error`, if given, and `close` follow. A text that an error cuts off ends with a
   * reset, lest the peer takes the part for the whole.
   */
  destroy(error?: Error): void {
    if (this.destroyed) return
    if (error !== undefined && this.#unsent.length > 0) this.socket.reset(error)
    else this.socket.destroy(error)
  }

  /** Resolves with true once the peer's TCP has acknowledged all that was written, with false when that cannot come any more. */
  whenAcknowledged(): Promise<boolean> {
    if (this.#unsent.length === 0 || this.destroyed) return this.socket.whenAcknowledged()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** No `data` until `resume`: the peer's window closes. */
  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.socket.pause()
  }

  /** Lets `data` come, not before this turn is over. */
  resume(): void {
    this.#isPaused = false
    if (this.#isResuming) return
    this.#isResuming = true
    queueMicrotask(() => this.#goOn())
  }

  /** Puts bytes back, to be the next that arrive. */
  unshift(bytes: Uint8Array): void {
    this.#held.unshift(bytes)
    if (!this.#isPaused) this.resume()
  }

  /** Of the connection: text has come. */
  received(bytes: Uint8Array): void {
    const chunk = copyOf(bytes)
    if (this.#isPaused || this.#held.length > 0) this.#held.push(chunk)
    else this.#emit('data', chunk)
  }

  /** Of the connection: the peer has ended its side. */
  ended(): void {
    this.#hasEnded = true
    if (!this.#isPaused && this.#held.length === 0) this.#emit('end')
  }

  /** Of the connection: there is room again. */
  writable(): void {
    const unsent = this.#unsent
    if (unsent.length === 0) return
    while (unsent.length > 0) {
      const taken = this.socket.write(unsent[0])
      if (taken < unsent[0].length) {
        unsent[0] = unsent[0].subarray(taken)
        return
      }
      unsent.shift()
    }
    for (const resolve of this.#waiting.splice(0)) resolve(this.socket.whenAcknowledged())
    if (this.#isEnding) this.socket.end()
    else this.#emit('drain')
  }

  /** Of the connection: it is over. */
  closed(error: Error | null): void {
    this.destroyed = true
    for (const resolve of this.#waiting.splice(0)) resolve(false)
    queueMicrotask(() => {
      if (error !== null) this.#emit('error', error)
      this.#emit('close')
    })
  }

  #goOn(): void {
    this.#isResuming = false
    while (!this.#isPaused && !this.destroyed) {
      const chunk = this.#held.shift()
      if (chunk === undefined) break
      this.#emit('data', chunk)
    }
    if (this.#isPaused || this.destroyed) return
    if (this.#hasEnded) this.#emit('end')
    else this.socket.resume()
  }

  #emit(event: Event, ...args: unknown[]): void {
    if (event === 'end') this.#hasEnded = false
    for (const listener of this.#listeners[event]) (listener as (...args: unknown[]) => void)(...args)
  }
}

const streamOf = (socket: DirectSocket): DirectStream => socket.data as DirectStream

/** The handler of a port whose connections are streams; `onStream` is told of each. */
export function streamHandler(onStream: (stream: DirectStream) => void): DirectHandler {
  return {
    onOpen: (socket) => onStream(new DirectStream(socket)),
    onData: (socket, bytes) => streamOf(socket).received(bytes),
    onWritable: (socket) => streamOf(socket).writable(),
    onEnd: (socket) => streamOf(socket).ended(),
    onClose: (socket, error) => streamOf(socket).closed(error),
  }
}
