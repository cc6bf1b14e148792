// The search of the path of a UDP socket, as programs see it: with the clock already in it.
// Owns: the shape. Does not own: the search (src/udp/path-search.ts).

import type { Micros } from '../base/time.ts'
import type { PathSearchHandle, PathSearchState } from '../stack/index.ts'

/** A search: what is known, and what the application may say. Made by `socket.searchPathMtu`. */
export class PathMtuSearch {
  readonly #handle: PathSearchHandle
  readonly #now: () => Micros
  readonly #wake: () => void

  constructor(handle: PathSearchHandle, now: () => Micros, wake: () => void) {
    this.#handle = handle
    this.#now = now
    this.#wake = wake
  }

  /** The state of RFC 8899 §5.2; 'DISABLED' once the socket is closed or has another peer. */
  get state(): PathSearchState {
    return this.#handle.machine.state
  }

  /** The largest IP packet to send now, in bytes. */
  get mtu(): number {
    return this.#handle.machine.packetBytes
  }

  /** The most data of a datagram that goes in one piece now, in bytes. */
  get dataBytes(): number {
    return this.#handle.dataBytes
  }

  /** Probes sent, confirmed, sizes given up, black holes. */
  get counters(): PathSearchHandle['machine']['counters'] {
    return this.#handle.machine.counters
  }

  /** The peer has got the application's own probe of that number (`makeProbe`). Returns false for one that nobody has sent. */
  confirm(id: number): boolean {
    const isOurs = this.#handle.confirm(id, this.#now())
    this.#wake()
    return isOurs
  }

  /** The peer has got a datagram with so much data: what is known need not be confirmed by a probe. */
  noteArrived(dataBytes: number): void {
    this.#handle.noteArrived(dataBytes, this.#now())
    this.#wake()
  }

  /** Large datagrams seem to get lost: whether that is so is asked at once. */
  suspect(): void {
    this.#handle.suspect(this.#now())
    this.#wake()
  }
}
