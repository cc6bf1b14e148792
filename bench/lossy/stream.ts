// The two ends of a transfer above any socket: one writes a stream that is known by its seed, the other compares every byte.
// Owns: the stream, the clock of the measurement. Does not own: whose socket it is (kernel-end.ts, our-end.ts).

import { type Cipher, createCipheriv } from 'node:crypto'
import type { Duplex } from 'node:stream'

const CHUNK_BYTES = 64 * 1024

/** What has arrived at the end of the measurement. */
export interface Received {
  readonly bytes: number
  readonly seconds: number
  /** Index of the first byte that was not what had been sent; -1 when all were. */
  readonly wrongAt: number
}

/** The byte stream of a seed: AES in counter mode over zeros, so that no part of it repeats. */
class SeededStream {
  readonly #cipher: Cipher
  readonly #zeros = Buffer.alloc(CHUNK_BYTES)

  constructor(seed: number) {
    const key = Buffer.alloc(16)
    key.writeUInt32LE(seed >>> 0)
    this.#cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  }

  /** The next bytes, at most a chunk of them. */
  next(length = CHUNK_BYTES): Buffer {
    return this.#cipher.update(this.#zeros.subarray(0, length))
  }
}

/** Writes the stream of that seed for as long as the socket lives: a chunk in a turn, so that a large buffer is not filled at one go. */
export function sendStream(socket: Duplex, seed: number): void {
  const stream = new SeededStream(seed)
  const pump = (): void => {
    if (!socket.destroyed && socket.write(stream.next())) setImmediate(pump)
  }
  socket.on('drain', pump)
  pump()
}

/** Compares what arrives with the stream of that seed; resolves so many seconds from now, or when the socket closes. */
export function receiveStream(socket: Duplex, seed: number, seconds: number): Promise<Received> {
  const stream = new SeededStream(seed)
  const start = performance.now()
  let bytes = 0
  let wrongAt = -1
  socket.on('data', (data: Buffer) => {
    for (let at = 0; at < data.length; at += CHUNK_BYTES) {
      const part = data.subarray(at, at + CHUNK_BYTES)
      const wanted = stream.next(part.length)
      if (wrongAt < 0 && !part.equals(wanted)) wrongAt = bytes + at + part.findIndex((byte, i) => byte !== wanted[i])
    }
    bytes += data.length
  })
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      resolve({ bytes, wrongAt, seconds: (performance.now() - start) / 1000 })
    }
    const timer = setTimeout(done, seconds * 1000)
    socket.once('close', done)
  })
}
