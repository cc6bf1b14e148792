// Which connection a packet or an event belongs to: four values can be used again, so the first sequence number of the end that opened it
// counts too.
// Owns: the numbers of connections and their names. Does not own: what is recorded of them.

import type { IpAddress } from '../ip/address.ts'
import type { Seq } from '../tcp/seq.ts'

/** What two ends agree on. */
interface Entry {
  readonly index: number
  /** Initial sequence number of the end that opened it; null when its SYN was not seen. */
  readonly iss: Seq | null
}

/** The connections of a world, in the order of their first packet or event. */
export class ConnectionTable {
  /** 'client:49152 > server:80', by index. */
  readonly names: string[] = []
  readonly #entries = new Map<string, Entry>()
  readonly #hostOf: (address: IpAddress) => string

  /** @param hostOf the name of the host that has an address */
  constructor(hostOf: (address: IpAddress) => string) {
    this.#hostOf = hostOf
  }

  /** The connection from one end to the other. `iss`: of the end that opened it, which is `a`; null when that is not known. */
  indexOf(a: IpAddress, aPort: number, b: IpAddress, bPort: number, iss: Seq | null): number {
    const key = `${a} ${aPort} ${b} ${bPort}`
    const known = this.#entries.get(key)
    if (known !== undefined && (iss === null || known.iss === null || known.iss === iss)) return known.index
    const index = this.names.length
    const entry: Entry = { index, iss }
    this.#entries.set(key, entry)
    this.#entries.set(`${b} ${bPort} ${a} ${aPort}`, entry)
    this.names.push(`${this.#hostOf(a)}:${aPort} > ${this.#hostOf(b)}:${bPort}`)
    return index
  }
}
