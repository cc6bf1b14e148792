// The fate of each packet on an impaired link, one direction: lost, copied, damaged, delayed, moved, or dropped by a full queue.
// Owns: the decisions and their random streams, the model of the bottleneck. Does not own: the device around it (impair.ts), the
// holding of packets (delay-line.ts).
// Invariant: every kind of event draws from its own stream, once per packet while it is switched on, whatever became of the packet.
// So switching one kind on or off, or changing its rate, leaves the others' choices as they were.
//
//   arrives -> drop hook -> loss -> queue (drop tail, marks) + serialisation -> corruption -> delay + jitter -> reordering, duplication

import { type Random, SeededRandom } from '../base/random.ts'
import type { Micros, Scheduler } from '../base/time.ts'
import { completeChecksum } from './checksum-offload.ts'
import { DelayLine } from './delay-line.ts'
import { Packet } from './device.ts'
import { ecnField, markCe } from './ecn-mark.ts'

/** What happens to the packets of one direction. All rates are probabilities from 0 to 1; what is left out does not happen. */
export interface Impairment {
  /** Propagation delay. */
  readonly delayUs?: Micros
  /** The delay of each packet differs by up to this much, evenly, in either direction. Never changes the order. */
  readonly jitterUs?: Micros
  readonly lossRate?: number
  /** A duplicate leaves right behind its original. */
  readonly duplicateRate?: number
  /** How often a packet leaves its place: ahead of the packets in the delay line, or behind, by `reorderDelayUs`. */
  readonly reorderRate?: number
  /** Holds a reordered packet this much longer, so that later ones pass it. Left out: it skips the delay and overtakes instead. */
  readonly reorderDelayUs?: Micros
  /** How often one random bit of the packet, headers included, is flipped. */
  readonly corruptRate?: number
  /**
   * How often a router's queue signals congestion: an ECN-capable packet is marked CE, any other is dropped in its place (RFC 3168 §5).
   * Whatever `lossRate` takes is lost all the same.
   */
  readonly markRate?: number
  /**
   * Marks every ECN-capable packet that finds more than this many packets at the bottleneck (the step of RFC 8257 §3.1); others just
   * queue, so that a handshake comes through. Needs `rateBps`.
   */
  readonly markThreshold?: number
  /** Bits per second of the bottleneck, counting IP packets. */
  readonly rateBps?: number
  /** Bytes that may wait at the bottleneck, the packet being sent included; needs `rateBps`. */
  readonly queueBytes?: number
  /** Packets that may wait at the bottleneck, the one being sent included; needs `rateBps`. Default 1000 unless queueBytes is given. */
  readonly queuePackets?: number
  /** Drops a packet when it returns true. `index` counts the packets of this direction from 0. The packet is borrowed. */
  readonly drop?: (packet: Packet, index: number) => boolean
}

/** What became of the packets of one direction. */
export interface ImpairmentCounters {
  /** Packets that arrived. */
  offered: number
  /** Packets that left, duplicates included. */
  delivered: number
  /** Dropped by the `drop` hook. */
  hooked: number
  lost: number
  /** Of those marked CE, by `markRate` and `markThreshold`. */
  marked: number
  /** Dropped by `markRate` because they were not ECN-capable. */
  unmarkable: number
  corrupted: number
  duplicated: number
  reordered: number
  /** Dropped because the queue of the bottleneck was full. */
  overflowed: number
}

/** Packets that the delay line of one direction holds at most. */
export const MAX_HELD_PACKETS = 65536

const RATES = ['lossRate', 'duplicateRate', 'reorderRate', 'corruptRate', 'markRate'] as const
const AMOUNTS = ['delayUs', 'jitterUs', 'reorderDelayUs'] as const
const POSITIVE = ['rateBps', 'queueBytes', 'queuePackets', 'markThreshold'] as const
const KNOWN: ReadonlySet<string> = new Set([...RATES, ...AMOUNTS, ...POSITIVE, 'drop'])

/**
 * Checks an Impairment's numbers and that they make sense together.
 * @throws {RangeError} naming the field and the mend
 * @throws {TypeError} for a field that does not exist
 */
export function validateImpairment(impairment: Impairment): void {
  for (const name of Object.keys(impairment)) {
    if (!KNOWN.has(name)) throw new TypeError(`no impairment '${name}'; there are: ${[...KNOWN].join(', ')}`)
  }
  for (const name of RATES) {
    const value = impairment[name] ?? 0
    if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} is a probability from 0 to 1, not ${value}`)
  }
  for (const name of AMOUNTS) {
    const value = impairment[name] ?? 0
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new RangeError(`${name} is 0 or more, not ${value}`)
  }
  for (const name of POSITIVE) {
    const value = impairment[name] ?? 1
    if (!(value > 0)) throw new RangeError(`${name} is above 0, not ${value}`)
  }
  const needy = impairment.queueBytes ?? impairment.queuePackets ?? impairment.markThreshold
  if (impairment.rateBps === undefined && needy !== undefined) {
    throw new RangeError('queueBytes, queuePackets and markThreshold need rateBps: without a rate no packet waits')
  }
  const moves = (impairment.delayUs ?? 0) + (impairment.reorderDelayUs ?? 0)
  if ((impairment.reorderRate ?? 0) > 0 && moves === 0) {
    throw new RangeError('reorderRate needs delayUs (a packet skips the delay) or reorderDelayUs (it is held longer)')
  }
}

/** One direction of an impaired link. */
export class ImpairedPath {
  readonly counters: ImpairmentCounters = {
    offered: 0,
    delivered: 0,
    hooked: 0,
    lost: 0,
    marked: 0,
    unmarkable: 0,
    corrupted: 0,
    duplicated: 0,
    reordered: 0,
    overflowed: 0,
  }
  readonly #scheduler: Scheduler
  readonly #deliver: (packet: Packet, isGiven: boolean) => void
  readonly #line: DelayLine
  readonly #bottleneck = new Bottleneck()
  readonly #scratch = new Packet(new Uint8Array(2048))
  // One stream per kind of event, made in this fixed order.
  readonly #lossStream: Random
  readonly #duplicateStream: Random
  readonly #reorderStream: Random
  readonly #corruptStream: Random
  readonly #bitStream: Random
  readonly #jitterStream: Random
  readonly #markStream: Random
  #impairment: Impairment
  #isHarmless: boolean
  #lastAt: Micros = Number.NEGATIVE_INFINITY

  /**
   * @param random the seven streams are seeded from it here; it is not used afterwards
   * @param deliver takes each packet that leaves, borrowed, or given when nobody needs it any more; may be called from within `offer`
   * when nothing delays the packet
   * @param delivered called after each group of packets that left later than `offer`
   */
  constructor(
    scheduler: Scheduler,
    random: Random,
    impairment: Impairment,
    deliver: (packet: Packet, isGiven: boolean) => void,
    delivered: () => void,
  ) {
    const stream = (): Random => new SeededRandom(random.int32())
    this.#lossStream = stream()
    this.#duplicateStream = stream()
    this.#reorderStream = stream()
    this.#corruptStream = stream()
    this.#bitStream = stream()
    this.#jitterStream = stream()
    this.#markStream = stream()
    this.#scheduler = scheduler
    this.#deliver = (packet, isGiven) => {
      this.counters.delivered++
      deliver(packet, isGiven)
    }
    const release = (packet: Packet): void => this.#deliver(packet, true)
    this.#line = new DelayLine({ scheduler, limit: MAX_HELD_PACKETS, release, released: delivered })
    validateImpairment(impairment)
    this.#impairment = impairment
    this.#isHarmless = Object.keys(impairment).length === 0
  }

  /** What happens to the packets from now on; those on their way stay as they are. */
  get impairment(): Impairment {
    return this.#impairment
  }

  set impairment(impairment: Impairment) {
    validateImpairment(impairment)
    this.#impairment = impairment
    this.#isHarmless = Object.keys(impairment).length === 0
  }

  /** Whether nothing happens to packets and none is on its way: they may go around it, each told to `pass`. */
  get isClear(): boolean {
    return this.#isHarmless && this.#line.size === 0
  }

  /** A packet has gone around it. */
  pass(): void {
    this.counters.offered++
    this.counters.delivered++
  }

  /**
   * Takes a packet, borrowed, or for good when it is given. Returns false when a full queue dropped it; a packet lost on the way counts as
   * taken.
   */
  offer(packet: Packet, isGiven = false): boolean {
    const { lossRate = 0, duplicateRate = 0, reorderRate = 0, corruptRate = 0, jitterUs = 0, drop } = this.#impairment
    const { markRate = 0, markThreshold = Number.POSITIVE_INFINITY } = this.#impairment
    const index = this.counters.offered++
    // All draws come before all decisions: see the invariant above.
    const lost = lossRate > 0 && this.#lossStream.fraction() < lossRate
    const duplicate = duplicateRate > 0 && this.#duplicateStream.fraction() < duplicateRate
    const reorder = reorderRate > 0 && this.#reorderStream.fraction() < reorderRate
    const corrupt = corruptRate > 0 && this.#corruptStream.fraction() < corruptRate
    const jitter = jitterUs > 0 ? (2 * this.#jitterStream.fraction() - 1) * jitterUs : 0
    const bit = corrupt ? this.#bitStream.fraction() : 0
    const signal = markRate > 0 && this.#markStream.fraction() < markRate
    if (drop?.(packet, index)) {
      this.counters.hooked++
      return true
    }
    if (lost) {
      this.counters.lost++
      return true
    }
    const isCapable = ecnField(packet) !== 0
    if (signal && !isCapable) {
      this.counters.unmarkable++
      return true
    }
    const now = this.#scheduler.now()
    const leavesQueueAt = this.#bottleneck.admit(packet.length, now, this.#impairment)
    if (leavesQueueAt < 0 || this.#line.size >= MAX_HELD_PACKETS) {
      this.counters.overflowed++
      return false
    }
    const at = this.#arrival(leavesQueueAt, jitter, reorder)
    const isMarked = isCapable && (signal || this.#bottleneck.waiting > markThreshold)
    const carried = isMarked ? this.#marked(packet) : packet
    const sent = corrupt ? this.#corrupted(carried, bit) : carried
    this.#leave(sent, at, now, isGiven && !duplicate)
    if (duplicate) {
      this.counters.duplicated++
      this.#leave(sent, at, now, false)
    }
    return true
  }

  /** Delivers at once what is still on its way. */
  flush(): void {
    this.#line.releaseAll()
  }

  /** Forgets the packets on their way. */
  clear(): void {
    this.#line.clear()
  }

  #arrival(leavesQueueAt: Micros, jitter: number, reorder: boolean): Micros {
    const { delayUs = 0, reorderDelayUs = 0 } = this.#impairment
    const ordered = Math.max(leavesQueueAt + Math.max(0, delayUs + jitter), this.#lastAt)
    if (!reorder) {
      this.#lastAt = ordered
      return ordered
    }
    this.counters.reordered++
    return reorderDelayUs > 0 ? ordered + reorderDelayUs : leavesQueueAt
  }

  #leave(packet: Packet, at: Micros, now: Micros, isGiven: boolean): void {
    if (at <= now && this.#line.nextAt > now) this.#deliver(packet, isGiven)
    else if (!this.#line.push(packet, at, isGiven)) this.counters.overflowed++
  }

  #marked(packet: Packet): Packet {
    this.counters.marked++
    this.#scratch.copyFrom(packet)
    markCe(this.#scratch)
    return this.#scratch
  }

  #corrupted(packet: Packet, fraction: number): Packet {
    this.counters.corrupted++
    const copy = this.#scratch
    copy.copyFrom(packet)
    completeChecksum(copy) // or the device below would hide the damage under a fresh checksum
    if (copy.checksum === 'verified') copy.checksum = 'complete'
    const bit = Math.floor(fraction * copy.length * 8)
    copy.bytes[copy.start + (bit >>> 3)] ^= 0x80 >>> (bit & 7)
    return copy
  }
}

/** The narrow place of the path: a drop-tail queue before a line of `rateBps`. */
class Bottleneck {
  /** When the line will have sent everything admitted so far. */
  #freeAt: Micros = 0
  /** When each packet that may still wait leaves, oldest first, from `#head` on. */
  readonly #departures: Micros[] = []
  #head = 0

  /** Packets that waited when the last one was admitted, that one included. */
  get waiting(): number {
    return this.#departures.length - this.#head
  }

  /** When a packet of `length` bytes that arrives `now` will have been sent; -1 when the queue is full. */
  admit(length: number, now: Micros, impairment: Impairment): Micros {
    const { rateBps, queueBytes } = impairment
    if (rateBps === undefined) return now
    this.#forgetDeparted(now)
    const queuePackets = impairment.queuePackets ?? (queueBytes === undefined ? 1000 : Number.POSITIVE_INFINITY)
    const waiting = this.#departures.length - this.#head
    const backlogBytes = (Math.max(0, this.#freeAt - now) * rateBps) / 8e6
    if (waiting > 0) {
      if (waiting >= queuePackets) return -1
      if (queueBytes !== undefined && backlogBytes + length > queueBytes) return -1
    }
    this.#freeAt = Math.max(now, this.#freeAt) + (length * 8e6) / rateBps
    this.#departures.push(this.#freeAt)
    return this.#freeAt
  }

  #forgetDeparted(now: Micros): void {
    while (this.#head < this.#departures.length && this.#departures[this.#head] <= now) this.#head++
    if (this.#head === this.#departures.length || this.#head >= 1024) {
      this.#departures.splice(0, this.#head)
      this.#head = 0
    }
  }
}
