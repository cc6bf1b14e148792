// The one write that a socket has under way: the part of a chunk, or of several, that did not fit into the send buffer yet.
// Owns: where in which chunk the next byte is. Does not own: when to go on (socket.ts, on EVENT.writable).

import type { Connection } from '../stack/index.ts'

/** What the stream calls when the write is done. */
export type WriteCallback = (error?: Error | null) => void

/** Chunks that are urgent up to their end. */
export const URGENT = new WeakSet<Uint8Array>()

/** Chunks that another write follows: what fills no segment waits for it. */
export const MORE = new WeakSet<Uint8Array>()

/** The chunks of one `_write` or `_writev` on their way into the send buffer. */
export class ChunkQueue {
  /** Bytes of this write that the send buffer has taken already. */
  takenBytes = 0
  #chunks: readonly Uint8Array[] = []
  #index = 0
  #offset = 0
  #callback: WriteCallback | null = null

  /** Whether no write is under way. */
  get isIdle(): boolean {
    return this.#callback === null
  }

  /** Begins a write. The chunks are borrowed until it is done; the stream begins the next one only then. */
  begin(chunks: readonly Uint8Array[], callback: WriteCallback): void {
    this.#chunks = chunks
    this.#index = 0
    this.#offset = 0
    this.takenBytes = 0
    this.#callback = callback
  }

  /** Moves as many bytes as fit into the connection's send buffer. Returns how many. */
  moveInto(connection: Connection): number {
    let moved = 0
    while (this.#index < this.#chunks.length) {
      const chunk = this.#chunks[this.#index]
      const rest = this.#offset === 0 ? chunk : chunk.subarray(this.#offset)
      const taken = rest.length === 0 ? 0 : put(connection, chunk, rest)
      moved += taken
      if (taken < rest.length) {
        this.#offset += taken
        break
      }
      this.#index++
      this.#offset = 0
    }
    this.takenBytes += moved
    return moved
  }

  /** Whether a write is under way and all of it has been taken. */
  get isDone(): boolean {
    return this.#callback !== null && this.#index === this.#chunks.length
  }

  /** Forgets the write. Returns its callback, to be called; null when there was none. */
  finish(): WriteCallback | null {
    const callback = this.#callback
    this.#callback = null
    this.#chunks = []
    this.takenBytes = 0
    return callback
  }
}

function put(connection: Connection, chunk: Uint8Array, rest: Uint8Array): number {
  return URGENT.has(chunk) ? connection.writeUrgent(rest) : connection.write(rest, MORE.has(chunk))
}
