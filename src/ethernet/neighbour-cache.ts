// The neighbour cache: which Ethernet address a neighbour has, and whether it still answers. One machine for both families: what IPv4 has
// by ARP follows the states of RFC 4861 too, as in Linux, and as `ip neigh` names them.
// Owns: entries, their states, the packets that wait, timers, bounds. Does not own: how one asks (arp.ts, neighbour-discovery.ts).
// Read first: RFC 4861 §7.3 and appendix C; RFC 1122 §2.3.2.
//
//   INCOMPLETE --answer--> REACHABLE --30 s--> STALE --a packet--> DELAY --5 s--> PROBE --answer--> REACHABLE
//       \--3 questions--> FAILED <-----------------------------------3 questions-----/

import { type DeadlineEntry, Deadlines } from '../base/deadlines.ts'
import type { Random } from '../base/random.ts'
import { MINUTE, type Micros, SECOND } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { Packet } from '../link/device.ts'
import { formatMac, type Mac, NO_MAC } from './mac.ts'
import type { EthernetDrops } from './reasons.ts'

/** The states of RFC 4861 §7.3.2, and Linux's FAILED for an entry whose neighbour did not answer. */
export type NeighbourState = 'INCOMPLETE' | 'REACHABLE' | 'STALE' | 'DELAY' | 'PROBE' | 'FAILED'

/** Bounds and times; the names are RFC 4861's (§10) where it has them. */
export interface NeighbourLimits {
  /** BaseReachableTime. Default 30 s. */
  readonly baseReachableUs: Micros
  /** RetransTimer, also the least time between two questions about one address (RFC 1122 §2.3.2.1). Default 1 s. */
  readonly retransUs: Micros
  /** DELAY_FIRST_PROBE_TIME. Default 5 s. */
  readonly delayFirstProbeUs: Micros
  /** MAX_MULTICAST_SOLICIT. Default 3. */
  readonly maxMulticastSolicit: number
  /** MAX_UNICAST_SOLICIT. Default 3. */
  readonly maxUnicastSolicit: number
  /** An entry that nothing uses goes after this long (RFC 1122 §2.3.2.1). Default one minute, as in Linux. */
  readonly unusedUs: Micros
  /** Entries at most. Default 1024. */
  readonly maxEntries: number
  /** Packets that wait for one neighbour; the oldest goes for a new one (RFC 4861 §7.2.2). Default 64. */
  readonly maxPending: number
  /** Bytes that wait for all. Default 2 MiB. */
  readonly maxPendingBytes: number
}

/** The defaults of NeighbourLimits. */
export const NEIGHBOUR_LIMITS: NeighbourLimits = Object.freeze({
  baseReachableUs: 30 * SECOND,
  retransUs: SECOND,
  delayFirstProbeUs: 5 * SECOND,
  maxMulticastSolicit: 3,
  maxUnicastSolicit: 3,
  unusedUs: MINUTE,
  maxEntries: 1024,
  maxPending: 64,
  maxPendingBytes: 2 << 20,
})

/** An entry. Only the cache writes it. */
export class Neighbour implements DeadlineEntry {
  readonly address: IpAddress
  mac: Mac = NO_MAC
  state: NeighbourState = 'INCOMPLETE'
  /** Has said that it is a router (IPv6). */
  isRouter = false
  /** Questions since the state began. */
  questions = 0
  lastQuestionAt: Micros = Number.NEGATIVE_INFINITY
  /** When its Ethernet address was last set. */
  learntAt: Micros = Number.NEGATIVE_INFINITY
  usedAt: Micros = 0
  pending: Packet[] = []
  next: Neighbour | null = null
  deadline: Micros = Number.POSITIVE_INFINITY
  heapIndex = -1
  heapAt: Micros = 0

  constructor(address: IpAddress) {
    this.address = address
  }

  /** As `ip neigh` prints it, without the device: `10.0.0.1 lladdr 02:00:00:00:00:01 REACHABLE`. */
  toString(): string {
    const mac = this.mac === NO_MAC ? '' : ` lladdr ${formatMac(this.mac)}`
    return `${this.address}${mac}${this.isRouter ? ' router' : ''} ${this.state}`
  }
}

/** What the cache needs of ARP or neighbour discovery. */
export interface NeighbourProtocol {
  /** Asks for the Ethernet address: everybody, or the neighbour alone when `isProbe`. */
  solicit(neighbour: Neighbour, isProbe: boolean): void
  /** Sends a packet that has waited. */
  transmit(packet: Packet, mac: Mac): void
  /** A packet whose neighbour did not answer. */
  unreachable(packet: Packet, neighbour: Neighbour): void
  /** The neighbour has been found, or does not answer. */
  judged(neighbour: Neighbour, isThere: boolean): void
  /** Whether it is a gateway, which is looked for again when it has failed. */
  isGateway(neighbour: Neighbour): boolean
  /** When a transport last made progress by way of it: that it is there, and hears us (RFC 4861 §7.3.1). -Infinity: never. */
  progressAt(neighbour: Neighbour): Micros
}

/** What an answer says. */
export interface Confirmation {
  readonly address: IpAddress
  /** NO_MAC: not said. */
  readonly mac: Mac
  /** It answers a question of ours: the neighbour hears us. */
  readonly isSolicited: boolean
  /** It may replace the address that is known. */
  readonly isOverride: boolean
  /** Null: not said. */
  readonly isRouter: boolean | null
}

/** The cache of one family. */
export class NeighbourCache {
  /** May be changed by a router's advertisement. */
  limits: NeighbourLimits
  readonly #protocol: NeighbourProtocol
  readonly #random: Random
  readonly #drops: EthernetDrops
  readonly #table = new Map<number, Neighbour>()
  readonly #timers = new Deadlines<Neighbour>()
  #size = 0
  #pendingBytes = 0

  constructor(
    protocol: NeighbourProtocol,
    random: Random,
    drops: EthernetDrops,
    limits: Partial<NeighbourLimits> = {},
  ) {
    this.#protocol = protocol
    this.#random = random
    this.#drops = drops
    this.limits = { ...NEIGHBOUR_LIMITS, ...limits }
  }

  /** How many entries there are. */
  get size(): number {
    return this.#size
  }

  /** Bytes of packets that wait. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** All entries, in no order. */
  *entries(): Generator<Neighbour> {
    for (const first of this.#table.values()) {
      for (let entry: Neighbour | null = first; entry !== null; entry = entry.next) yield entry
    }
  }

  /** The entry of an address, or null. */
  find(address: IpAddress): Neighbour | null {
    let entry = this.#table.get(hash(address)) ?? null
    while (entry !== null && !entry.address.equals(address)) entry = entry.next
    return entry
  }

  /**
   * Where to send `packet` for the neighbour `address`. NO_MAC: not now; a copy waits for the answer, or is dropped and counted.
   */
  resolve(address: IpAddress, packet: Packet, now: Micros): Mac {
    const entry = this.find(address) ?? this.#add(address, now)
    entry.usedAt = now
    switch (entry.state) {
      case 'REACHABLE':
      case 'DELAY':
      case 'PROBE':
        return entry.mac
      case 'STALE':
        // RFC 4861 §7.3.3: the first packet after a while; whoever answers it may confirm that the neighbour is there.
        this.#enter(entry, 'DELAY', now + this.limits.delayFirstProbeUs)
        return entry.mac
      default:
    }
    this.#wait(entry, packet) // before asking, which may need the buffer that the packet stands in
    // An entry fails a second after its last question, so there is no more than one in a second (RFC 1122 §2.3.2.1).
    if (entry.state === 'FAILED' || entry.questions === 0) this.#ask(entry, 'INCOMPLETE', now)
    return NO_MAC
  }

  /**
   * Somebody has sent a question or a solicitation and said its own Ethernet address (RFC 826, RFC 4861 §7.2.3): it is entered or
   * corrected, which proves nothing about the other direction.
   */
  learn(address: IpAddress, mac: Mac, now: Micros): Neighbour {
    const entry = this.find(address) ?? this.#add(address, now)
    if (entry.state === 'INCOMPLETE' || entry.state === 'FAILED' || entry.mac !== mac) {
      this.#setMac(entry, mac, now)
      this.#stale(entry, now)
      this.#release(entry)
    }
    return entry
  }

  /** An answer has come (RFC 4861 §7.2.5). Returns its entry as it is now; null when nobody has asked for that address. */
  confirm(said: Confirmation, now: Micros): Neighbour | null {
    const entry = this.find(said.address)
    if (entry === null) return null
    if (entry.state === 'INCOMPLETE' || entry.state === 'FAILED') {
      if (said.mac === NO_MAC) return entry
      this.#setMac(entry, said.mac, now)
      if (said.isSolicited) this.#reach(entry, now)
      else this.#stale(entry, now)
      if (said.isRouter !== null) entry.isRouter = said.isRouter
      this.#release(entry)
      return entry
    }
    const isOther = said.mac !== NO_MAC && said.mac !== entry.mac
    if (isOther && !said.isOverride) {
      if (entry.state === 'REACHABLE') this.#stale(entry, now)
      return entry
    }
    if (isOther) this.#setMac(entry, said.mac, now)
    if (said.isSolicited) this.#reach(entry, now)
    else if (isOther) this.#stale(entry, now)
    if (said.isRouter !== null) entry.isRouter = said.isRouter
    return entry
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    return this.#timers.next()
  }

  /** Asks again, gives up, ages. */
  handleTimeout(now: Micros): void {
    for (let entry = this.#timers.popDue(now); entry !== null; entry = this.#timers.popDue(now)) this.#due(entry, now)
  }

  /** Forgets everything; what waits is dropped. */
  clear(): void {
    for (const entry of [...this.entries()]) this.#remove(entry)
  }

  #due(entry: Neighbour, now: Micros): void {
    const { maxMulticastSolicit, maxUnicastSolicit, unusedUs, delayFirstProbeUs } = this.limits
    switch (entry.state) {
      case 'INCOMPLETE':
        if (entry.questions < maxMulticastSolicit) this.#ask(entry, 'INCOMPLETE', now)
        else this.#fail(entry, now)
        break
      case 'REACHABLE': {
        const until = this.#protocol.progressAt(entry) + this.#reachableUs(this.limits)
        if (until > now) this.#enter(entry, 'REACHABLE', until)
        else this.#stale(entry, now)
        break
      }
      case 'DELAY':
        // RFC 4861 §7.3.3: the packets that it was waited for have been answered above meanwhile.
        if (now - this.#protocol.progressAt(entry) <= delayFirstProbeUs) this.#reach(entry, now)
        else this.#ask(entry, 'PROBE', now)
        break
      case 'PROBE':
        if (entry.questions < maxUnicastSolicit) this.#ask(entry, 'PROBE', now)
        else this.#fail(entry, now)
        break
      default: {
        const last = Math.max(entry.usedAt, entry.learntAt)
        if (entry.state === 'FAILED' && this.#protocol.isGateway(entry)) this.#ask(entry, 'INCOMPLETE', now)
        else if (now >= last + unusedUs) this.#remove(entry)
        else this.#timers.arm(entry, last + unusedUs)
      }
    }
  }

  #ask(entry: Neighbour, state: 'INCOMPLETE' | 'PROBE', now: Micros): void {
    this.#enter(entry, state, now + this.limits.retransUs)
    entry.questions++
    entry.lastQuestionAt = now
    this.#protocol.solicit(entry, state === 'PROBE')
  }

  #fail(entry: Neighbour, now: Micros): void {
    this.#enter(entry, 'FAILED', now + this.limits.unusedUs)
    const waiting = this.#takePending(entry)
    this.#drops.count('neighbour-unreachable', waiting.length)
    this.#protocol.judged(entry, false)
    for (const packet of waiting) this.#protocol.unreachable(packet, entry)
  }

  #reach(entry: Neighbour, now: Micros): void {
    this.#enter(entry, 'REACHABLE', now + this.#reachableUs(this.limits))
    this.#protocol.judged(entry, true)
  }

  #stale(entry: Neighbour, now: Micros): void {
    if (entry.state === 'INCOMPLETE' || entry.state === 'FAILED') this.#protocol.judged(entry, true)
    this.#enter(entry, 'STALE', now + this.limits.unusedUs)
  }

  #enter(entry: Neighbour, state: NeighbourState, deadline: Micros): void {
    if (entry.state !== state) entry.questions = 0
    entry.state = state
    this.#timers.arm(entry, deadline)
  }

  #setMac(entry: Neighbour, mac: Mac, now: Micros): void {
    entry.mac = mac
    entry.learntAt = now
  }

  // RFC 4861 §6.3.2: between half and one and a half of BaseReachableTime.
  #reachableUs({ baseReachableUs }: NeighbourLimits): Micros {
    return Math.round(baseReachableUs * (0.5 + this.#random.fraction()))
  }

  #wait(entry: Neighbour, packet: Packet): void {
    const { maxPending, maxPendingBytes } = this.limits
    while (entry.pending.length > 0 && (entry.pending.length >= maxPending || this.#isOver(packet, maxPendingBytes))) {
      this.#pendingBytes -= entry.pending[0].length
      entry.pending.shift()
      this.#drops.count('neighbour-queue-full')
    }
    // RFC 1122 §2.3.2.2: at least one packet waits for each neighbour, unless that takes all there is for all.
    if (this.#isOver(packet, maxPendingBytes)) {
      this.#drops.count('neighbour-queue-full')
      return
    }
    entry.pending.push(packet.clone())
    this.#pendingBytes += packet.length
  }

  #isOver(packet: Packet, most: number): boolean {
    return this.#pendingBytes + packet.length > most
  }

  #release(entry: Neighbour): void {
    for (const packet of this.#takePending(entry)) this.#protocol.transmit(packet, entry.mac)
  }

  #takePending(entry: Neighbour): Packet[] {
    const waiting = entry.pending
    for (const packet of waiting) this.#pendingBytes -= packet.length
    entry.pending = []
    return waiting
  }

  #add(address: IpAddress, now: Micros): Neighbour {
    if (this.#size >= this.limits.maxEntries) this.#evict()
    const entry = new Neighbour(address.clone())
    entry.usedAt = now
    const key = hash(address)
    entry.next = this.#table.get(key) ?? null
    this.#table.set(key, entry)
    this.#size++
    return entry
  }

  // What a flood fills the table with goes first: who does not answer, who is only said to be there, who has not answered yet.
  #evict(): void {
    let worst: Neighbour | null = null
    for (const entry of this.entries()) {
      if (worst === null || rank(entry) < rank(worst) || (rank(entry) === rank(worst) && entry.usedAt < worst.usedAt)) {
        worst = entry
      }
    }
    if (worst !== null) this.#remove(worst)
  }

  #remove(entry: Neighbour): void {
    this.#timers.remove(entry)
    this.#drops.count('neighbour-evicted', this.#takePending(entry).length)
    const key = hash(entry.address)
    const first = this.#table.get(key) ?? null
    if (first === entry) {
      if (entry.next === null) this.#table.delete(key)
      else this.#table.set(key, entry.next)
    } else {
      for (let before = first; before !== null; before = before.next)
        if (before.next === entry) before.next = entry.next
    }
    entry.next = null
    this.#size--
  }
}

function rank({ state }: Neighbour): number {
  return state === 'FAILED' ? 0 : state === 'STALE' ? 1 : state === 'INCOMPLETE' ? 2 : 3
}

function hash({ w0, w1, w2, w3 }: IpAddress): number {
  return w3 ^ Math.imul(w2, 0x9e3779b1) ^ Math.imul(w1, 0x85ebca6b) ^ w0
}
