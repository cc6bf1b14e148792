// A Duplex with what a net.Socket has beyond a stream and what needs no connection.
// Owns: the two ends as Node names them, kept after the close; readyState; the refusal of writes after the peer's end.
// Does not own: when any of them changes (socket.ts).

import { Duplex } from 'node:stream'
import type { WriteCallback } from './chunk-queue.ts'
import type { SocketAddress } from './options.ts'
import { endedByPeerError } from './socket-errors.ts'

/** A Duplex between two addresses. */
export class NamedDuplex extends Duplex {
  /** Between `connect()` and 'connect' or 'error'. */
  connecting = false
  /** Our end, from the moment a connection is tried. */
  protected localEnd: SocketAddress | null = null
  /** The peer's end, once connected. */
  protected remoteEnd: SocketAddress | null = null

  /** The peer's address, once connected; kept after the close. */
  get remoteAddress(): string | undefined {
    return this.remoteEnd?.address
  }

  /** The peer's port, once connected; kept after the close. */
  get remotePort(): number | undefined {
    return this.remoteEnd?.port
  }

  /** The family of the peer's address, once connected; kept after the close. */
  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.remoteEnd?.family
  }

  /** Our address, from the moment a connection is tried; kept after the close. */
  get localAddress(): string | undefined {
    return this.localEnd?.address
  }

  /** Our port, from the moment a connection is tried; kept after the close. */
  get localPort(): number | undefined {
    return this.localEnd?.port
  }

  /** The family of our address, from the moment a connection is tried; kept after the close. */
  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.localEnd?.family
  }

  /** Which sides are open, in Node's words. */
  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening'
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** Bytes waiting in the stream. Node's old name for `writableLength`. */
  get bufferSize(): number {
    return this.writableLength
  }

  /** Our address, family and port; an empty object before a connection is tried. */
  address(): SocketAddress | Record<string, never> {
    return this.localEnd ?? {}
  }

  /** Writes as Duplex does; once the peer's end has ended our side too, fails with EPIPE as Node's sockets do. */
  override write(chunk: unknown, encoding?: BufferEncoding | WriteCallback, callback?: WriteCallback): boolean {
    if (this.allowHalfOpen || !this.readableEnded || !this.writableEnded) {
      return super.write(chunk, encoding as BufferEncoding, callback)
    }
    const error = endedByPeerError()
    const told = typeof encoding === 'function' ? encoding : callback
    if (told !== undefined) process.nextTick(told, error)
    this.destroy(error)
    return false
  }
}
