// SYN cookies (RFC 4987 §3.6): a listener that is flooded answers a SYN without keeping anything of it. Our initial sequence number is
// a keyed hash that the peer's ACK brings back; the options ride in the low bits of our timestamp, when the peer has timestamps.
//
//     cookie = F0(four values) + SEG.SEQ + | minute, 8 bits | MSS index, 3 bits | F1(four values, SEG.SEQ / 2^16, minute, MSS index) |
//     TSval  = clock | ECN | SACK | window scale        bit 5, bit 4, bits 3-0 (15: none)
//
// What is lost: a SYN,ACK that does not arrive goes again only when the peer's SYN does; text or FIN that overtakes what brings the cookie
// is dropped and has to come again (it is not reset, so for two minutes after the last cookie text of connections long gone is not either),
// and so is an ACK that overtakes it.
// Owns: making and judging cookies. Does not own: when they are used (listener.ts), opening a connection (passive-open.ts).
// DEVIATION: RFC 9293 §3.4.1 [MUST-8]: such a number has no clock in it but the minute and the peer's own; RFC 4987 §3.6 knows it.

import type { Random } from '../base/random.ts'
import { type SipKey, sipKey } from '../base/siphash.ts'
import { MINUTE, type Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { hashFourTuple } from './isn.ts'
import { type Seq, seqAdd } from './seq.ts'

/** What a cookie can tell of the peer's MSS: the greatest of these that is not above it. */
export const COOKIE_MSS: readonly number[] = [48, 536, 1220, 1360, 1400, 1440, 1460, 8940]
/** A cookie is believed in the minute in which it was made and in the next: at least one minute, less than two. */
export const COOKIE_MINUTES = 2
/** After the last cookie went out, for so long an acknowledgement may bring one back. */
export const COOKIE_LIFE_US: Micros = COOKIE_MINUTES * MINUTE

/** Cookies that have come back and are remembered for COOKIE_LIFE_US, so that none opens a second connection; of more the oldest go. */
const MOST_SPENT = 65536
/** The most text that an acknowledgement may have overtaken: the window of a SYN,ACK. */
const MOST_OVERTAKEN = 65535

const HASH_BITS = 0x1fffff
const OPTION_BITS = 0x3f
const SACK_BIT = 0x10
const ECN_BIT = 0x20
const NO_SCALE = 0x0f

/** Whose connection it is. */
export interface FourTuple {
  readonly local: IpAddress
  readonly localPort: number
  readonly remote: IpAddress
  readonly remotePort: number
}

/** Makes and judges cookies under keys of its own. */
export class SynCookies {
  readonly #outer: SipKey
  readonly #inner: SipKey
  // When each that came back did so, by four values and number; the oldest first.
  readonly #spent = new Map<number, Micros>()

  constructor(random: Random) {
    this.#outer = sipKey(random)
    this.#inner = sipKey(random)
  }

  /** The initial sequence number that answers a SYN of these four values, number `irs` and MSS. */
  make(of: FourTuple, irs: Seq, mss: number, now: Micros): Seq {
    const minute = minuteOf(now)
    let index = COOKIE_MSS.length - 1
    while (index > 0 && COOKIE_MSS[index] > mss) index--
    const inner = this.#inside(of, salt(irs, minute, index))
    const outer = this.#outside(of)
    return seqAdd(irs, outer + ((minute << 24) | (index << 21) | (inner & HASH_BITS)))
  }

  /** The MSS that `iss` tells, if it is a cookie that we made for this peer within the last minutes; -1 if not. */
  judge(of: FourTuple, irs: Seq, iss: Seq, now: Micros): number {
    const outer = this.#outside(of)
    const rest = (iss - outer - irs) | 0
    const minute = minuteOf(now)
    const age = (minute - (rest >>> 24)) & 0xff
    if (age >= COOKIE_MINUTES) return -1
    const index = (rest >>> 21) & 7
    const inner = this.#inside(of, salt(irs, minute - age, index))
    return ((rest ^ inner) & HASH_BITS) === 0 ? COOKIE_MSS[index] : -1
  }

  /**
   * Whether `iss` is a cookie of this peer's when text stands between its SYN and the number `irs` is taken from: an acknowledgement that
   * has overtaken what brings the cookie. Of random numbers one in two thousand passes.
   */
  isOvertaking(of: FourTuple, irs: Seq, iss: Seq, now: Micros): boolean {
    const outer = this.#outside(of)
    const rest = (iss - outer - irs) | 0
    for (let minute = minuteOf(now); minute > minuteOf(now) - COOKIE_MINUTES; minute--) {
      for (let choice = 0; choice < 2 * COOKIE_MSS.length; choice++) {
        const index = choice >> 1
        const before = seqAdd(irs, (choice & 1) * -65536) // the SYN's number lies in the same block or in the one before
        const inner = this.#inside(of, salt(before, minute, index))
        const ahead = (((minute << 24) | (index << 21) | (inner & HASH_BITS)) - rest) | 0
        const isNear = ahead > 0 && ahead <= MOST_OVERTAKEN
        if (isNear && seqAdd(irs, -ahead) >>> 16 === before >>> 16) return true
      }
    }
    return false
  }

  /**
   * A cookie has come back: false when it has before. Once its connection is over, a copy of the ACK that brought it would open another,
   * of which the peer knows nothing (RFC 9293 §3.10.7.2: that ACK is one for a connection that does not exist). So would an ACK from
   * later in that connection, when as much had come as gone: the difference of the numbers is that of the cookie, and it is what is kept.
   */
  spend(of: FourTuple, irs: Seq, iss: Seq, now: Micros): boolean {
    const spent = this.#spent
    for (const [oldest, at] of spent) {
      if (now - at < COOKIE_LIFE_US && spent.size < MOST_SPENT) break
      spent.delete(oldest)
    }
    const name = this.#outside(of, (iss - irs) | 0)
    if (spent.has(name)) return false
    spent.set(name, now)
    return true
  }

  #outside({ local, localPort, remote, remotePort }: FourTuple, salt = 0): number {
    return hashFourTuple(this.#outer, local, localPort, remote, remotePort, salt)
  }

  #inside({ local, localPort, remote, remotePort }: FourTuple, salt: number): number {
    return hashFourTuple(this.#inner, local, localPort, remote, remotePort, salt)
  }
}

/**
 * What else the inner hash is of. The block of 64 KiB that the peer's number lies in is one of it, so that a cookie that the same four
 * values draw again, for a later connection, is another (`spend` would not take it); the number itself is not, for `isOvertaking`.
 */
function salt(irs: Seq, minute: number, index: number): number {
  return Math.imul(irs >>> 16, 0x9e3779b1) ^ ((minute << 3) | index)
}

function minuteOf(now: Micros): number {
  return Math.floor(now / MINUTE) | 0
}

/**
 * TSval that carries a SYN's options: the clock (in milliseconds, with the connection's offset), its low six bits in the options' place,
 * at most 64 ms before its time and never after it.
 */
export function cookieTimestamp(
  clock: number,
  offset: number,
  windowScale: number,
  sackPermitted: boolean,
  ecn: boolean,
): number {
  const scale = windowScale < 0 ? NO_SCALE : Math.min(windowScale, 14)
  const carrier = (clock & ~OPTION_BITS) | scale | (sackPermitted ? SACK_BIT : 0) | (ecn ? ECN_BIT : 0)
  const isAhead = ((carrier - clock) | 0) > 0
  return ((isAhead ? carrier - (OPTION_BITS + 1) : carrier) + offset) | 0
}

/**
 * Makes of the ACK that brought a cookie back the SYN that drew it, as far as it can be known: number, MSS, and with `timestamps` (we have
 * them; `offset` is the connection's) SACK, window scale and ECN.
 */
export function rebuildSyn(
  ack: SegmentHeader,
  mss: number,
  timestamps: boolean,
  offset: number,
  syn: SegmentHeader,
): void {
  const hasTimestamps = timestamps && ack.hasTimestamps
  const options = hasTimestamps ? (ack.tsEcr - offset) & OPTION_BITS : NO_SCALE
  const scale = options & NO_SCALE
  syn.sourcePort = ack.sourcePort
  syn.destinationPort = ack.destinationPort
  syn.seq = seqAdd(ack.seq, -1)
  syn.flags = (options & ECN_BIT) === 0 ? FLAG.SYN : FLAG.SYN | FLAG.ECE | FLAG.CWR
  syn.window = ack.window
  syn.mss = mss
  syn.windowScale = scale === NO_SCALE ? -1 : scale
  syn.sackPermitted = (options & SACK_BIT) !== 0
  syn.hasTimestamps = hasTimestamps
  syn.tsVal = ack.tsVal
}
