// Ports: who listens where, and which ephemeral port a new connection gets (RFC 6056 §3.3.3: a keyed hash of the destination, then the
// next free one). Two connections may share three of their four values, never all four (RFC 9293 §3.3.1).
// Owns: SO_REUSEADDR and SO_REUSEPORT. Does not own: what a listener does with a segment (listener.ts).

import type { Random } from '../base/random.ts'
import { type SipKey, sipKey } from '../base/siphash.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { Connection } from './connection.ts'
import type { Demux } from './demux.ts'
import { TcpError } from './errors.ts'
import { hashFourTuple } from './isn.ts'
import type { Listener } from './listener.ts'
import { isSynchronized } from './state.ts'
import { isReusable } from './time-wait.ts'

/** The first port of the ephemeral range, as Linux has it. */
export const EPHEMERAL_FIRST = 32768
/** The last of them. */
export const EPHEMERAL_LAST = 60999
/** So many ports are tried for a free one before one in TIME-WAIT will do. */
const FREE_TRIES = 1024

/** The ports of one host. */
export class Ports {
  readonly #demux: Demux
  readonly #key: SipKey
  readonly #listeners = new Map<number, Listener[]>()
  readonly #first: number
  readonly #count: number
  #next = 0

  /**
   * @param range the first and the last ephemeral port (Linux's ip_local_port_range)
   * @throws {RangeError} for a range that is none
   */
  constructor(demux: Demux, random: Random, range: readonly [number, number] = [EPHEMERAL_FIRST, EPHEMERAL_LAST]) {
    this.#demux = demux
    this.#key = sipKey(random)
    const [first, last] = [checkPort(range[0], 1), checkPort(range[1], 1)]
    if (last < first) throw new RangeError(`ephemeralPorts is [first, last], not [${first}, ${last}]`)
    this.#first = first
    this.#count = last - first + 1
  }

  /** All listeners. */
  *listeners(): IterableIterator<Listener> {
    for (const list of this.#listeners.values()) yield* list
  }

  /**
   * The given own port for a connection. Returns the connection that has to go for it, one in TIME-WAIT (SO_REUSEADDR) or one that is over
   * but for its reset; null when the four values are free. @throws {TcpError} EADDRINUSE when they are taken
   */
  claim(
    local: IpAddress,
    port: number,
    remote: IpAddress,
    remotePort: number,
    reuseAddress: boolean,
    now: Micros,
  ): Connection | null {
    const old = this.#demux.find(local, port, remote, remotePort)
    if (old === null || old.state === 'CLOSED' || (reuseAddress && isReusable(old.tcb, now))) return old
    const isOver = old.state === 'TIME-WAIT'
    throw new TcpError(
      'EADDRINUSE',
      isOver
        ? `the connection from port ${port} to ${remote} port ${remotePort} is in TIME-WAIT: wait, or use any free port`
        : `there is a connection from port ${port} to ${remote} port ${remotePort} already`,
    )
  }

  /**
   * A free own port for a connection; with `timeWaitReuse`, when there is hardly one, that of a connection which has been in TIME-WAIT for
   * long enough. @throws {TcpError} EADDRNOTAVAIL when all are taken towards this destination
   */
  ephemeral(local: IpAddress, remote: IpAddress, remotePort: number, timeWaitReuse: boolean, now: Micros): number {
    const offset = hashFourTuple(this.#key, local, 0, remote, remotePort) >>> 0
    let reusable = 0
    for (let i = 0; i < this.#count; i++) {
      const port = this.#first + ((offset + this.#next++) % this.#count)
      if (this.#listeners.has(port)) continue
      const old = this.#demux.find(local, port, remote, remotePort)
      if (old === null) return port
      if (timeWaitReuse && reusable === 0 && isReusable(old.tcb, now)) reusable = port
      if (reusable > 0 && i >= FREE_TRIES) break
    }
    if (reusable > 0) return reusable
    throw new TcpError(
      'EADDRNOTAVAIL',
      `all ${this.#count} ephemeral ports towards ${remote} port ${remotePort} are taken: ` +
        'use connections again, wait for TIME-WAIT to end, or set timeWaitReuse',
    )
  }

  /** A port that nobody listens on. @throws {TcpError} EADDRINUSE when there is none */
  freeListeningPort(local: IpAddress | null, reuseAddress: boolean): number {
    for (let i = 0; i < this.#count; i++) {
      const port = this.#first + (((this.#key[0] >>> 0) + this.#next++) % this.#count)
      if (this.#clash(local, port, false) === null && (reuseAddress || !this.#isHeld(local, port))) return port
    }
    throw new TcpError('EADDRINUSE', 'every port of the ephemeral range is listened on')
  }

  /**
   * Puts a listener in, or throws: connections of the port are not touched [MUST-41]. It may not share address and port with another,
   * unless both say `reusePort`; and not, without `reuseAddress`, with connections that are, or were, open there. Those that are opening
   * are no hindrance [MUST-42].
   * @throws {TcpError} EADDRINUSE
   */
  addListener(listener: Listener, reuseAddress: boolean): void {
    const { address, port, reusePort } = listener
    if (this.#clash(address, port, reusePort) !== null) {
      throw new TcpError('EADDRINUSE', `somebody listens on port ${port} already`)
    }
    if (!reuseAddress && this.#isHeld(address, port)) {
      throw new TcpError('EADDRINUSE', `there are connections on port ${port}, maybe in TIME-WAIT: set reuseAddress`)
    }
    for (const other of this.#listeners.get(port) ?? []) listener.inheritCookies(other)
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

  /**
   * Who listens on this address and port: one bound to the address before one bound to all. Of several that share both (`reusePort`) a
   * keyed hash of the four values chooses, the same for all segments of one peer's port.
   */
  listenerFor(local: IpAddress, port: number, remote: IpAddress, remotePort: number): Listener | null {
    const list = this.#listeners.get(port)
    if (list === undefined) return null
    let exact = 0
    let any = 0
    for (const { address } of list) {
      if (address === null) any++
      else if (address.equals(local)) exact++
    }
    const count = exact > 0 ? exact : any
    if (count === 0) return null
    let skip = count === 1 ? 0 : (hashFourTuple(this.#key, local, port, remote, remotePort) >>> 0) % count
    for (const listener of list) {
      const { address } = listener
      const isMember = exact > 0 ? address?.equals(local) === true : address === null
      if (isMember && skip-- === 0) return listener
    }
    return null
  }

  #clash(local: IpAddress | null, port: number, reusePort: boolean): Listener | null {
    for (const other of this.#listeners.get(port) ?? []) {
      const { address } = other
      const overlaps = address === null || local === null || address.equals(local)
      if (overlaps && !(reusePort && other.reusePort)) return other
    }
    return null
  }

  /** Whether a connection of this address and port is open, or has not been closed for 2 MSL. */
  #isHeld(local: IpAddress | null, port: number): boolean {
    for (const { tcb } of this.#demux) {
      if (tcb.localPort === port && isSynchronized(tcb.state) && (local === null || tcb.local.equals(local)))
        return true
    }
    return false
  }
}

/** A port number from `least` on. @throws {RangeError} */
export function checkPort(port: number, least: number): number {
  if (!Number.isInteger(port) || port < least || port > 65535) {
    throw new RangeError(`a port is a whole number from ${least} to 65535, not ${port}`)
  }
  return port
}
