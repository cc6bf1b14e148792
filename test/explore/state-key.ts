// The state of a small world as one number: two worlds with the same key behave alike from here on. Times count from now, timestamps
// from the clock; what is only told to people (totals, reasons, estimates nobody reads) is left out.
// Owns: what counts and what does not. Does not own: the world (world.ts).

import { ByteRing } from '../../src/base/byte-ring.ts'
import { Ranges } from '../../src/base/ranges.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { Flight } from '../../src/tcp/flight.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'

/** Gathers numbers and words into 53 bits. */
export class KeyMaker {
  #a = 0x811c9dc5 | 0
  #b = 0x1b873593 | 0

  /** Adds a number. */
  number(value: number): void {
    let n = value | 0
    if (n !== value)
      n = Number.isFinite(value) ? Math.round(value) ^ Math.round(value / 2 ** 32) : value > 0 ? -77 : -78
    this.#a = Math.imul(this.#a ^ n, 0x01000193)
    this.#a ^= this.#a >>> 15
    this.#b = Math.imul((this.#b << 13) | (this.#b >>> 19), 5) + 0xe6546b64 + Math.imul(n ^ (n >>> 16), 0x85ebca6b)
    this.#b ^= this.#b >>> 13
  }

  /** Adds a word. */
  word(value: string): void {
    this.number(value.length)
    for (let i = 0; i < value.length; i++) this.number(value.charCodeAt(i))
  }

  /** The key of all that was added. */
  get key(): number {
    const a = Math.imul(this.#a ^ (this.#a >>> 16), 0x7feb352d)
    const b = Math.imul(this.#b ^ (this.#b >>> 15), 0x2c1b3c6d)
    return ((a ^ (a >>> 15)) >>> 0) * 0x200000 + ((b ^ (b >>> 12)) >>> 11)
  }
}

/** Fixed in a world, or without effect on what follows in one: congestion control is fixed, buffers and path MTU are not tuned. */
const SKIPPED = new Set(
  (
    'passive local remote localPort remotePort config counters challenges control onState tuning delivery usage totals events md5Key ' +
    'error jar recentAt textAt paceAt samples latestUs minUs retransmits receivedTrafficClass hold lastReason reason cause sentAt ' +
    'nextProbeAt offset cc linkBytes wantsRoom'
  ).split(' '),
)
/** Deadlines: how long from now; what has passed counts as 0. */
const UNTIL = new Set(['challengeAt', 'heldUntil', 'countsUntil', 'lingerUntil', 'raiseAt'])
/** They only count against limits of minutes. */
const SINCE = new Set(['heardAt', 'progressAt', 'blockedAt'])
const COARSE_US = 200_000_000
const COARSE_MOST = 5
/** What was sent longer ago was sent before everything that counts. */
const PAST_MOST_US = 3_000_000
/** Counts that make no difference any more from so many on. */
const BOUNDED: Readonly<Record<string, number>> = { windowProbes: 10, probes: 2 }

/** How long ago a timestamp was made, in milliseconds; `offset` is its maker's. From a minute on all are alike. */
export function timestampAge(value: number, offset: number, now: number): number {
  return Math.min(60_000, (Math.floor(now / 1000) + offset - value) | 0)
}

/** Adds a connection's record; `peerOffset` is what the peer adds to its timestamps. */
export function addTcb(maker: KeyMaker, tcb: Tcb, peerOffset: number, now: number): void {
  addRecord(maker, tcb as unknown as Record<string, unknown>, now)
  for (const at of Object.values(tcb.timers) as number[]) maker.number(at - now)
  if (tcb.ts.enabled) maker.number(timestampAge(tcb.ts.recent, peerOffset, now))
  if (tcb.undo.isResent) maker.number(timestampAge(tcb.undo.resendTsVal, tcb.ts.offset, now))
  maker.number(tcb.rack.sentAt < 0 ? -1 : Math.min(PAST_MOST_US, now - tcb.rack.sentAt))
  maker.word(tcb.error?.code ?? '')
}

function addRecord(maker: KeyMaker, record: Record<string, unknown>, now: number): void {
  for (const name in record) {
    if (SKIPPED.has(name) || name === 'timers' || name === 'recent' || name === 'resendTsVal') continue
    const value = record[name]
    if (typeof value === 'number') {
      if (UNTIL.has(name)) maker.number(Math.max(0, value - now))
      else if (SINCE.has(name)) maker.number(Math.min(COARSE_MOST, Math.floor((now - value) / COARSE_US)))
      else maker.number(Math.min(value, BOUNDED[name] ?? value))
    } else addValue(maker, value, now)
  }
}

function addValue(maker: KeyMaker, value: unknown, now: number): void {
  if (typeof value === 'boolean') maker.number(value ? 1 : 0)
  else if (typeof value === 'string') maker.word(value)
  else if (typeof value === 'number') maker.number(value)
  else if (value instanceof ByteRing) maker.number(value.extent)
  else if (value instanceof Ranges) {
    maker.number(value.size)
    for (let i = 0; i < value.size; i++) {
      maker.number(value.start(i))
      maker.number(value.end(i))
    }
  } else if (value instanceof Flight) addFlight(maker, value, now)
  else if (value instanceof Uint8Array || Array.isArray(value)) {
    maker.number(value.length)
    for (const item of value) addValue(maker, item, now)
  } else if (value !== null && typeof value === 'object' && !(value instanceof IpAddress)) {
    addRecord(maker, value as Record<string, unknown>, now)
  } else maker.number(-79)
}

function addFlight(maker: KeyMaker, flight: Flight, now: number): void {
  maker.number(flight.size)
  for (let i = 0; i < flight.size; i++) {
    const entry = flight.at(i)
    maker.number(entry.start)
    maker.number(entry.end)
    maker.word(entry.mark)
    maker.number(Math.min(3, entry.transmissions))
    maker.number(Math.min(PAST_MOST_US, now - entry.sentAt))
    maker.number(entry.segments)
  }
}
