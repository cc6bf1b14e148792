// From a segment's four values to its connection (RFC 9293 §3.3.1): a hash table keyed by numbers, chained through the connections
// themselves, so that a look-up makes no string and no garbage. The hash is keyed at random, so that chains are hard to make long.

import type { Random } from '../base/random.ts'
import type { IpAddress } from '../ip/address.ts'
import type { Connection } from './connection.ts'

/** The connections of a host by their four values. */
export class Demux {
  readonly #buckets = new Map<number, Connection>()
  readonly #a: number
  readonly #b: number
  #size = 0

  constructor(random: Random) {
    this.#a = random.int32() | 1
    this.#b = random.int32()
  }

  /** Number of connections. */
  get size(): number {
    return this.#size
  }

  /** The connection of these four values, or null. */
  find(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Connection | null {
    let at = this.#buckets.get(this.#hash(local, localPort, remote, remotePort)) ?? null
    while (at !== null) {
      const { tcb } = at
      const same =
        tcb.remotePort === remotePort &&
        tcb.localPort === localPort &&
        tcb.remote.equals(remote) &&
        tcb.local.equals(local)
      if (same) return at
      at = at.nextInBucket
    }
    return null
  }

  /** Adds a connection whose four values are not taken. */
  add(connection: Connection): void {
    const { local, localPort, remote, remotePort } = connection.tcb
    const hash = this.#hash(local, localPort, remote, remotePort)
    connection.nextInBucket = this.#buckets.get(hash) ?? null
    this.#buckets.set(hash, connection)
    this.#size++
  }

  /** Removes a connection; returns whether it was there. */
  remove(connection: Connection): boolean {
    const { local, localPort, remote, remotePort } = connection.tcb
    const hash = this.#hash(local, localPort, remote, remotePort)
    let previous: Connection | null = null
    for (let at = this.#buckets.get(hash) ?? null; at !== null; previous = at, at = at.nextInBucket) {
      if (at !== connection) continue
      if (previous !== null) previous.nextInBucket = at.nextInBucket
      else if (at.nextInBucket !== null) this.#buckets.set(hash, at.nextInBucket)
      else this.#buckets.delete(hash)
      at.nextInBucket = null
      this.#size--
      return true
    }
    return false
  }

  /** All connections. */
  *[Symbol.iterator](): IterableIterator<Connection> {
    for (const first of this.#buckets.values()) {
      for (let at: Connection | null = first; at !== null; at = at.nextInBucket) yield at
    }
  }

  /** 30 bits, so that the key stays a small integer. */
  #hash(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    let h = Math.imul(((localPort << 16) | remotePort) ^ this.#b, this.#a)
    h = Math.imul((h ^ (h >>> 15)) + remote.w3, 0x2c1b3c6d)
    h = Math.imul((h ^ (h >>> 13)) + local.w3, 0x297a2d39)
    if (remote.w2 !== 0xffff) {
      h = Math.imul((h ^ (h >>> 15)) + remote.w2, 0x2c1b3c6d)
      h = Math.imul((h ^ (h >>> 13)) + remote.w1, 0x297a2d39)
      h = Math.imul((h ^ (h >>> 15)) + remote.w0, 0x2c1b3c6d)
    }
    return (h ^ (h >>> 16)) & 0x3fffffff
  }
}
