// How large a datagram the path takes, found out by datagrams of the socket's own that somebody confirms: no ICMP is needed (RFC 8899).
// Owns: the states, what is probed next, timers, what a router's word is worth. Does not own: making a probe and hearing of it
// (path-probes.ts, or the application), what the host does with the size (src/ip/path-mtus.ts).
// Read first: RFC 8899 §5.
//
//      packetBytes (PLPMTU)        high           linkBytes (MAX_PLPMTU)
//     ---------|---------------------|----------------|----
//      works   |  may work: probed   |   fails        |   never sent
//
//     BASE --base is confirmed--> SEARCHING --nothing left to probe--> SEARCH-COMPLETE --silence--> BASE
//       \--silence--> ERROR --base is confirmed--> SEARCHING      SEARCH-COMPLETE --ten minutes--> SEARCHING
//
// All sizes are those of IP packets, headers included.

import { MINUTE, type Micros, SECOND } from '../base/time.ts'
import type { TransportError } from '../ip/control.ts'

const NEVER = Number.POSITIVE_INFINITY

/** The states of RFC 8899 §5.2. */
export type PathSearchState = 'DISABLED' | 'BASE' | 'SEARCHING' | 'SEARCH-COMPLETE' | 'ERROR'

/** Sizes and times; the names are those of RFC 8899 §5.1. */
export interface PathSearchLimits {
  /** BASE_PLPMTU: expected to pass everywhere. Default 1228 over IPv4 (1200 of data), 1280 over IPv6. */
  readonly baseBytes: number
  /** MIN_PLPMTU: what is left when even that is not confirmed. Default 576 over IPv4, 1280 over IPv6. */
  readonly minBytes: number
  /** MAX_PROBES, 1 to 10. Default 3. */
  readonly maxProbes: number
  /** PROBE_TIMER before there is a round-trip time, from a second on (§5.1.1). Default 15 s. */
  readonly probeUs: Micros
  /** PMTU_RAISE_TIMER. Default 10 minutes. */
  readonly raiseUs: Micros
  /** CONFIRMATION_TIMER: how long a size is believed without being confirmed. Default 15 s. */
  readonly confirmationUs: Micros
}

/** How the path of a socket is searched. */
export interface PathSearchOptions extends Partial<PathSearchLimits> {
  /**
   * Makes the data of a probe, of exactly so many bytes, by which the peer knows that it is to confirm the number: the application hears of
   * that and calls `confirm` (RFC 8899 §4.1). Without it probes are those of path-probes.ts, for peers that echo.
   */
  readonly makeProbe?: (dataBytes: number, id: number) => Uint8Array
}

/** The search of the path of a socket: see SocketPathSearch. */
export interface PathSearchHandle {
  readonly machine: PathSearch
  /** Most bytes of data in a datagram that goes in one piece now. */
  readonly dataBytes: number
  /** The peer has got the application's probe of that number. Returns false for one that nobody has sent. */
  confirm(id: number, now: Micros): boolean
  /** The peer has got a datagram with so much data. */
  noteArrived(dataBytes: number, now: Micros): void
  /** Large datagrams seem to get lost: whether that is so is asked at once. */
  suspect(now: Micros): void
  /** For the layer: whether a datagram from the peer was about the search, and nobody else's. */
  take(data: Uint8Array, now: Micros): boolean
  /** For the layer: a router has refused a datagram to the peer. */
  tooBig(error: TransportError, now: Micros): void
  /** For the layer: does what is due. */
  handleTimeout(now: Micros): void
}

/** MIN_PLPMTU: every IPv4 host takes 576 (RFC 1122 §3.3.2), every IPv6 link 1280. DEVIATION: RFC 8899 §5.1.2 has 68 for IPv4. */
const MIN_BYTES = { 4: 576, 6: 1280 } as const
const BASE_BYTES = { 4: 1228, 6: 1280 } as const
/** The search ends when its bounds are so near (as TCP's). */
const CLOSE_ENOUGH = 8
/** RFC 8899 §5.1.1: never less. */
const LEAST_PROBE_US: Micros = SECOND
/** Probes whose confirmation is still taken. */
const MOST_OPEN = 16

/** The search of one path. Sans-I/O: times are arguments, `nextProbe` says what to send. */
export class PathSearch {
  readonly limits: PathSearchLimits
  readonly linkBytes: number
  /** Probes sent, confirmed, and sizes given up; times that the path took less than it had. */
  readonly counters = { probes: 0, confirmed: 0, failed: 0, blackHoles: 0 }
  #state: PathSearchState = 'DISABLED'
  #packetBytes: number
  #high: number
  #isHighTried = false
  /** PROBED_SIZE; 0: nothing is under way. */
  #probed = 0
  /** PROBE_COUNT. */
  #count = 0
  #isDue = false
  #nextId = 1
  /** Number of a probe: its size and its time. */
  readonly #open = new Map<number, { readonly bytes: number; readonly at: Micros }>()
  #at: Micros = NEVER
  #raiseAt: Micros = NEVER
  #rttUs: Micros = -1
  #hasSent = false

  /**
   * @param linkBytes MAX_PLPMTU: the MTU of the own link
   * @throws {RangeError} naming the limit that cannot be
   */
  constructor(family: 4 | 6, linkBytes: number, limits: Partial<PathSearchLimits> = {}) {
    this.limits = {
      baseBytes: BASE_BYTES[family],
      minBytes: MIN_BYTES[family],
      maxProbes: 3,
      probeUs: 15 * SECOND,
      raiseUs: 10 * MINUTE,
      confirmationUs: 15 * SECOND,
      ...limits,
    }
    const { baseBytes, minBytes, maxProbes, probeUs, raiseUs, confirmationUs } = this.limits
    if (!Number.isInteger(minBytes) || minBytes < MIN_BYTES[family] || !(baseBytes >= minBytes)) {
      throw new RangeError(`sizes of IPv${family} packets are ${MIN_BYTES[family]} <= minBytes <= baseBytes`)
    }
    if (!Number.isInteger(baseBytes)) throw new RangeError(`baseBytes is a whole number, not ${baseBytes}`)
    if (!Number.isInteger(maxProbes) || maxProbes < 1 || maxProbes > 10) {
      throw new RangeError(`maxProbes is a whole number from 1 to 10, not ${maxProbes}`)
    }
    for (const [name, us] of Object.entries({ probeUs, raiseUs, confirmationUs })) {
      if (!(us >= LEAST_PROBE_US)) throw new RangeError(`${name} is a second or more, not ${us} us (RFC 8899 §5.1.1)`)
    }
    this.linkBytes = Math.max(linkBytes, minBytes)
    this.#packetBytes = this.#high = Math.min(baseBytes, this.linkBytes)
  }

  /** The state. */
  get state(): PathSearchState {
    return this.#state
  }

  /** PLPMTU: the largest packet to send now. */
  get packetBytes(): number {
    return this.#packetBytes
  }

  /** PROBED_SIZE: of the probe that is under way, 0 when none is. */
  get probedBytes(): number {
    return this.#probed
  }

  /** Begins: somebody is there. */
  start(now: Micros): void {
    if (this.#state === 'DISABLED') this.#enterBase(now)
  }

  /** Ends; nothing more is probed. */
  stop(): void {
    this.#state = 'DISABLED'
    this.#open.clear()
    this.#at = this.#raiseAt = NEVER
    this.#probed = 0
    this.#isDue = false
  }

  /** Something other than a probe was sent: what is found out is worth keeping fresh. */
  noteSent(): void {
    this.#hasSent = true
  }

  /** The probe to send now: its number and its size in bytes as an IP packet; null when there is none. To be called until it is. */
  nextProbe(now: Micros): { readonly id: number; readonly bytes: number } | null {
    if (!this.#isDue) return null
    this.#isDue = false
    const id = this.#nextId++
    const bytes = this.#probed
    this.#open.set(id, { bytes, at: now })
    if (this.#open.size > MOST_OPEN) this.#forgetOldest()
    this.#count++
    this.counters.probes++
    this.#at = now + this.#probeUs
    return { id, bytes }
  }

  #forgetOldest(): void {
    for (const oldest of this.#open.keys()) {
      this.#open.delete(oldest)
      return
    }
  }

  // RFC 8899 §5.1.1: longer than an answer takes; a second at least.
  get #probeUs(): Micros {
    return this.#rttUs < 0 ? this.limits.probeUs : Math.max(LEAST_PROBE_US, 4 * this.#rttUs)
  }

  /** The other side has got the probe of that number. Returns false for one that nobody has sent, or long ago. */
  confirm(id: number, now: Micros): boolean {
    const probe = this.#open.get(id)
    if (probe === undefined) return false
    this.#open.delete(id)
    this.counters.confirmed++
    const rttUs = now - probe.at
    this.#rttUs = this.#rttUs < 0 ? rttUs : Math.round((7 * this.#rttUs + rttUs) / 8)
    this.noteArrived(probe.bytes, now)
    return true
  }

  /** The other side has got a packet of so many bytes, which was no probe or was one. Only what cannot be made up may say so (§8). */
  noteArrived(bytes: number, now: Micros): void {
    switch (this.#state) {
      case 'DISABLED':
        return
      case 'BASE':
      case 'ERROR':
        if (bytes >= Math.min(this.limits.baseBytes, this.linkBytes)) this.#enterSearching(bytes, now)
        return
      case 'SEARCHING':
        if (bytes > this.#packetBytes) this.#raise(bytes)
        if (bytes >= this.#probed) this.#probeNext(now)
        return
      default:
        if (bytes < this.#packetBytes) return
        if (bytes > this.#packetBytes) this.#raise(bytes)
        this.#complete(now)
    }
  }

  #raise(bytes: number): void {
    this.#packetBytes = Math.min(bytes, this.linkBytes)
    this.#high = Math.max(this.#high, this.#packetBytes)
  }

  /** Large packets seem to get lost, says the application: whether that is so is asked at once (§4.3). */
  suspect(now: Micros): void {
    if (this.#state === 'SEARCH-COMPLETE' && this.#probed === 0) this.#probe(this.#packetBytes, now)
  }

  /**
   * A router says that it takes no more than `mtu` (§4.6.2); whether it speaks of a packet of ours is for the caller to know. What
   * cannot be is passed over.
   */
  tooBig(mtu: number, now: Micros): void {
    const { baseBytes, minBytes } = this.limits
    if (this.#state === 'DISABLED' || mtu < minBytes) return
    if (mtu < Math.min(baseBytes, this.linkBytes)) {
      this.#enterError(Math.min(mtu, this.#packetBytes), now)
    } else if (mtu < this.#packetBytes) {
      this.counters.blackHoles++
      this.#enterBase(now)
      this.#high = mtu
      this.#isHighTried = false
    } else if (this.#state === 'SEARCHING' && this.#probed > mtu) {
      this.counters.failed++
      this.#high = mtu
      this.#isHighTried = false // this one is said to fit
      this.#probeNext(now)
    }
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    return Math.min(this.#at, this.#raiseAt)
  }

  /** Probes again, gives a size up, confirms what is known, or looks for more. */
  handleTimeout(now: Micros): void {
    if (this.#raiseAt <= now) this.#lookForMore(now)
    if (this.#at > now) return
    this.#at = NEVER
    if (this.#probed === 0) {
      // §5.1.1: a path that nothing goes by need not be known.
      if (this.#hasSent) this.#probe(this.#packetBytes, now)
      else this.#at = now + this.limits.confirmationUs
      this.#hasSent = false
    } else if (this.#count < this.limits.maxProbes || this.#state === 'ERROR') this.#isDue = true
    else this.#giveUp(now)
  }

  #giveUp(now: Micros): void {
    this.counters.failed++
    if (this.#state === 'BASE') this.#enterError(this.limits.minBytes, now)
    else if (this.#state === 'SEARCHING') {
      this.#high = Math.max(this.#packetBytes, this.#probed - 1)
      this.#isHighTried = true
      this.#probeNext(now)
    } else {
      this.counters.blackHoles++
      this.#enterBase(now)
    }
  }

  #lookForMore(now: Micros): void {
    this.#raiseAt = NEVER
    if (this.#state !== 'SEARCH-COMPLETE') return
    this.#state = 'SEARCHING'
    this.#high = this.linkBytes
    this.#isHighTried = false
    this.#probeNext(now)
  }

  #enterBase(now: Micros): void {
    this.#state = 'BASE'
    this.#packetBytes = Math.min(this.limits.baseBytes, this.linkBytes)
    this.#high = this.linkBytes
    this.#isHighTried = false
    this.#raiseAt = NEVER
    this.#open.clear() // what was on its way says nothing of the path as it is now
    this.#probe(this.#packetBytes, now)
  }

  #enterError(packetBytes: number, now: Micros): void {
    this.#state = 'ERROR'
    this.#packetBytes = packetBytes
    this.#raiseAt = NEVER
    this.#probe(Math.min(this.limits.baseBytes, this.linkBytes), now)
    this.#isDue = false // once the timer has run out: what was lost just now would be lost again
    this.#at = now + this.#probeUs
  }

  #enterSearching(bytes: number, now: Micros): void {
    this.#state = 'SEARCHING'
    this.#raise(bytes)
    this.#probeNext(now)
  }

  /** The greatest first, which most paths take; then halves. */
  #probeNext(now: Micros): void {
    const low = this.#packetBytes
    const isDone = this.#high <= low || (this.#isHighTried && this.#high - low < CLOSE_ENOUGH)
    if (isDone) this.#complete(now)
    else this.#probe(this.#isHighTried ? (low + this.#high + 1) >> 1 : this.#high, now)
  }

  #complete(now: Micros): void {
    if (this.#state !== 'SEARCH-COMPLETE') {
      this.#raiseAt = this.#packetBytes < this.linkBytes ? now + this.limits.raiseUs : NEVER
    }
    this.#state = 'SEARCH-COMPLETE'
    this.#probed = 0
    this.#count = 0
    this.#isDue = false
    this.#hasSent = false
    this.#at = now + this.limits.confirmationUs
  }

  #probe(bytes: number, now: Micros): void {
    this.#probed = bytes
    this.#count = 0
    this.#isDue = true
    this.#at = now
  }
}
