// Identification of datagrams that may be fragmented: values that repeat late for one destination, and tell nobody what others get. And
// IPv6's flow labels, by the same key.
// Owns: the counters. Does not own: who sets DF, and so needs none (RFC 6864 §4.1).
// Read first: RFC 6864 §4.3, RFC 7739 §5.3, RFC 6437 §3.

import type { Random } from '../base/random.ts'
import type { IpAddress } from './address.ts'

const COUNTERS = 1024

/** The counters of one host. */
export class Identification {
  readonly #counters = new Uint32Array(COUNTERS)
  readonly #key: number

  constructor(random: Random) {
    this.#key = random.int32() | 1
    for (let i = 0; i < COUNTERS; i++) this.#counters[i] = random.int32()
  }

  /** The next value for packets to `dst`, 32 bits; IPv4 takes the low 16. */
  next(dst: IpAddress): number {
    const hash = mix(this.#key, dst)
    const at = (hash ^ (hash >>> 15)) & (COUNTERS - 1)
    return this.#counters[at]++
  }

  /** The flow label of packets with the same addresses, protocol and ports (RFC 6437 §3): 20 bits, never 0. */
  flowLabel(src: IpAddress, dst: IpAddress, protocol: number, sourcePort: number, destinationPort: number): number {
    let hash = mix(mix(this.#key ^ protocol, src), dst)
    hash = Math.imul(hash ^ (hash >>> 15) ^ ((sourcePort << 16) | destinationPort), 0x9e3779b1)
    return (hash ^ (hash >>> 16)) & 0xfffff || 1
  }
}

function mix(key: number, { w0, w1, w2, w3 }: IpAddress): number {
  let hash = Math.imul(w0 ^ key, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 15) ^ w1, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13) ^ w2, 0xc2b2ae35)
  return Math.imul(hash ^ (hash >>> 16) ^ w3, 0x27d4eb2f)
}
