// What HTTP needs of a connection below it: a stream of bytes both ways, as node:stream's Duplex gives it.
// Owns: the structural interface. Does not own: any implementation (Node's sockets, tunstack/net's sockets, pairs in
// memory).

/**
 * A byte stream both ways; every `node:stream` Duplex, `net.Socket`, `tls.TLSSocket` and tunstack socket is one.
 *
 * Half-close: `'end'` means that the peer has finished sending and must not stop our own sending, so the stream should
 * be made with `allowHalfOpen: true`; without it HTTP works, but an answer to a peer that has half-closed may be cut
 * off. Chunks of `'data'` belong to the listener. Bytes given to `write` belong to the stream.
 */
export interface ByteStream {
  /** Bytes arrive. A first listener makes the stream flow. */
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  /** `'end'`: the peer has finished sending. `'close'`: nothing more will happen. `'drain'`: `write` may go on. */
  on(event: 'end' | 'close' | 'drain', listener: () => void): unknown
  /** The stream failed; `'close'` follows. */
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  off(event: 'end' | 'close' | 'drain', listener: () => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  once(event: 'end' | 'close' | 'drain', listener: () => void): unknown
  once(event: 'error', listener: (error: Error) => void): unknown
  /** Sends bytes; false means that the caller should wait for `'drain'`. */
  write(bytes: Uint8Array): boolean
  /** Half-close: sends what is queued and then the end of our side. */
  end(): unknown
  /** Drops the connection at once, with whatever is queued; `'close'` follows. */
  destroy(error?: Error): unknown
  /** Stops `'data'` until `resume()`: back-pressure. */
  pause(): unknown
  resume(): unknown
  /** Puts bytes back, to be the next that arrive; streams of Node's have it. */
  unshift?(bytes: Uint8Array): unknown
  /** Whether `destroy` was called or the stream has closed. */
  readonly destroyed: boolean
}
