// Initial sequence numbers (RFC 9293 §3.4.1, RFC 6528 §3): ISN = M + F(localip, localport, remoteip, remoteport, secretkey), where M is
// a clock that ticks every 4 microseconds [MUST-8] and F is SipHash under a key that outsiders cannot know [MUST-9] [SHLD-1].
// The same hash, under other keys, gives each connection its timestamp offset (RFC 7323 §5.4) and ephemeral ports (RFC 6056).

import type { Random } from '../base/random.ts'
import { type SipKey, sipHash, sipKey } from '../base/siphash.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { type Seq, seq } from './seq.ts'

/** One tick of the ISN clock in microseconds. */
export const ISN_TICK_US = 4

const words = new Int32Array(10)

/** A keyed hash of a connection's four values, and of one more when there is one. */
export function hashFourTuple(
  key: SipKey,
  local: IpAddress,
  localPort: number,
  remote: IpAddress,
  remotePort: number,
  salt = 0,
): number {
  words[0] = local.w0
  words[1] = local.w1
  words[2] = local.w2
  words[3] = local.w3
  words[4] = remote.w0
  words[5] = remote.w1
  words[6] = remote.w2
  words[7] = remote.w3
  words[8] = (localPort << 16) | remotePort
  words[9] = salt
  return sipHash(key, words)
}

/** The initial sequence number of a connection opened at `now`. */
export function initialSequenceNumber(hash: number, now: Micros): Seq {
  return seq((Math.floor(now / ISN_TICK_US) % 4294967296) + hash)
}

/** Where a host's connections begin to count, under keys that only it knows. */
export class InitialNumbers {
  readonly #isnKey: SipKey
  readonly #timestampKey: SipKey
  readonly #isn: (() => number) | null

  /** @param isn the initial sequence numbers to use instead, for tests and experiments; null: by the clock and the key */
  constructor(random: Random, isn: (() => number) | null) {
    this.#isnKey = sipKey(random)
    this.#timestampKey = sipKey(random)
    this.#isn = isn
  }

  /** The initial sequence number of a connection that opens at `now` (RFC 6528 §3). */
  iss(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number, now: Micros): Seq {
    if (this.#isn !== null) return seq(this.#isn())
    return initialSequenceNumber(hashFourTuple(this.#isnKey, local, localPort, remote, remotePort), now)
  }

  /** What its timestamps begin with (RFC 7323 §5.4). */
  timestampOffset(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    return hashFourTuple(this.#timestampKey, local, localPort, remote, remotePort)
  }
}
