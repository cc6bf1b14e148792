// Ports: who listens where, and which ephemeral port a new connection gets (RFC 6056 §3.3.3: a keyed hash of the destination, then the
// next free one). Two connections may share three of their four values, never all four (RFC 9293 §3.3.1).

import type { Random } from '../base/random.ts'
import { type SipKey, sipKey } from '../base/siphash.ts'
import type { IpAddress } from '../ip/address.ts'
import type { Demux } from './demux.ts'
import { TcpError } from './errors.ts'
import { hashFourTuple } from './isn.ts'
import type { Listener } from './listener.ts'

/** The first port of the ephemeral range, as Linux has it. */
export const EPHEMERAL_FIRST = 32768
/** The last of them. */
export const EPHEMERAL_LAST = 60999
const EPHEMERAL_COUNT = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1

/** The ports of one host. */
export class Ports {
  readonly #demux: Demux
  readonly #key: SipKey
  readonly #listeners = new Map<number, Listener[]>()
  #next = 0

  constructor(demux: Demux, random: Random) {
    this.#demux = demux
    this.#key = sipKey(random)
  }

  /** The given own port for a connection. @throws {TcpError} EADDRINUSE when the four values are taken */
  claim(local: IpAddress, port: number, remote: IpAddress, remotePort: number): number {
    if (this.#demux.find(local, port, remote, remotePort) !== null) {
      throw new TcpError(
        'EADDRINUSE',
        `there is a connection from port ${port} to ${remote} port ${remotePort} already`,
      )
    }
    return port
  }

  /** A free own port for a connection. @throws {TcpError} EADDRNOTAVAIL when all are taken towards this destination */
  ephemeral(local: IpAddress, remote: IpAddress, remotePort: number): number {
    const offset = hashFourTuple(this.#key, local, 0, remote, remotePort) >>> 0
    for (let i = 0; i < EPHEMERAL_COUNT; i++) {
      const port = EPHEMERAL_FIRST + ((offset + this.#next++) % EPHEMERAL_COUNT)
      if (this.#listeners.has(port)) continue
      if (this.#demux.find(local, port, remote, remotePort) === null) return port
    }
    throw new TcpError(
      'EADDRNOTAVAIL',
      `all ${EPHEMERAL_COUNT} ephemeral ports towards ${remote} port ${remotePort} are taken: ` +
        'reuse connections, or wait for TIME-WAIT to end',
    )
  }

  /** A port that nobody listens on. @throws {TcpError} EADDRINUSE when there is none */
  freeListeningPort(local: IpAddress | null): number {
    for (let i = 0; i < EPHEMERAL_COUNT; i++) {
      const port = EPHEMERAL_FIRST + (((this.#key[0] >>> 0) + this.#next++) % EPHEMERAL_COUNT)
      if (this.#clash(local, port) === null) return port
    }
    throw new TcpError('EADDRINUSE', 'every port of the ephemeral range is listened on')
  }

  /** @throws {TcpError} EADDRINUSE when somebody listens there */
  addListener(listener: Listener): void {
    if (this.#clash(listener.address, listener.port) !== null) {
      throw new TcpError('EADDRINUSE', `somebody listens on port ${listener.port} already`)
    }
    const list = this.#listeners.get(listener.port)
    if (list === undefined) this.#listeners.set(listener.port, [listener])
    else list.push(listener)
  }

  /** Takes a listener out. */
  removeListener(listener: Listener): void {
    const rest = (this.#listeners.get(listener.port) ?? []).filter((other) => other !== listener)
    if (rest.length === 0) this.#listeners.delete(listener.port)
    else this.#listeners.set(listener.port, rest)
  }

  /** Who listens on this address and port: one bound to the address before one bound to all. */
  listenerFor(local: IpAddress, port: number): Listener | null {
    const list = this.#listeners.get(port)
    if (list === undefined) return null
    let any: Listener | null = null
    for (const listener of list) {
      if (listener.address === null) any = listener
      else if (listener.address.equals(local)) return listener
    }
    return any
  }

  #clash(local: IpAddress | null, port: number): Listener | null {
    const list = this.#listeners.get(port) ?? []
    return list.find(({ address }) => address === null || local === null || address.equals(local)) ?? null
  }
}

/** A port number from `least` on. @throws {RangeError} */
export function checkPort(port: number, least: number): number {
  if (!Number.isInteger(port) || port < least || port > 65535) {
    throw new RangeError(`a port is a whole number from ${least} to 65535, not ${port}`)
  }
  return port
}
