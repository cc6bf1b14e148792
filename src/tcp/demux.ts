// From a segment's four values to its connection (RFC 9293 §3.3.1): a hash table keyed by numbers, chained through the connections
// themselves, so that a look-up makes no string and no garbage. The hash is keyed at random, so that nobody outside can make chains long;
// segments mostly come in rows of one connection, so that the one found last is looked at first.

import type { Random } from '../base/random.ts'
import { halfSipHash } from '../base/siphash.ts'
import type { IpAddress } from '../ip/address.ts'
import type { Connection } from './connection.ts'

/** The connections of a host by their four values. */
export class Demux {
  readonly #buckets = new Map<number, Connection>()
  // Twenty tables of 256 random words.
  readonly #tables = new Int32Array(20 * 256)
  #last: Connection | null = null
  #size = 0

  constructor(random: Random) {
    const key = [random.int32(), random.int32()]
    for (let i = 0; i < this.#tables.length; i++) {
      this.#tables[i] = halfSipHash(key[0], key[1], i)
    }
  }

  /** Number of connections. */
  get size(): number {
    return this.#size
  }

  /** The connection of these four values, or null. */
  find(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Connection | null {
    if (this.#last !== null && isOf(this.#last, local, localPort, remote, remotePort)) return this.#last
    let at = this.#buckets.get(this.#hash(local, localPort, remote, remotePort)) ?? null
    while (at !== null) {
      if (isOf(at, local, localPort, remote, remotePort)) {
        this.#last = at
        return at
      }
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
    if (this.#last === connection) this.#last = null
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

  /**
   * 30 bits, so that the key stays a small integer. Tabulation: of every byte that a peer can choose a random word from a table of its
   * own, all of them XORed (Zobrist 1970; Patrascu and Thorup 2012: as good as full randomness for chains). Which bytes collide only the
   * tables tell. Of our own address the last word is mixed in: a host has few.
   */
  #hash(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    const t = this.#tables
    let h = local.w3 ^ lookUp(t, 0, (localPort << 16) | remotePort) ^ lookUp(t, 1024, remote.w3)
    if (remote.w2 !== 0xffff) {
      h ^= lookUp(t, 2048, remote.w2) ^ lookUp(t, 3072, remote.w1) ^ lookUp(t, 4096, remote.w0)
    }
    return h & 0x3fffffff
  }
}

function lookUp(tables: Int32Array, at: number, word: number): number {
  return (
    tables[at + (word & 255)] ^
    tables[at + 256 + ((word >>> 8) & 255)] ^
    tables[at + 512 + ((word >>> 16) & 255)] ^
    tables[at + 768 + (word >>> 24)]
  )
}

function isOf(
  { tcb }: Connection,
  local: IpAddress,
  localPort: number,
  remote: IpAddress,
  remotePort: number,
): boolean {
  return (
    tcb.remotePort === remotePort && tcb.localPort === localPort && tcb.remote.equals(remote) && tcb.local.equals(local)
  )
}
