// What is in flight: the segments sent and not yet acknowledged, in sequence order, with what became of each. This is the sender's
// scoreboard (RFC 6675 §3) and its retransmission queue in one. It works on byte ranges: one entry may be a super-segment, and is
// split when only a part of it is acknowledged, selectively acknowledged or sent again.
//
//   mark     meaning                                          counts into pipe (RFC 6675 §4)
//   sent     sent once, or sent again and not judged since    yes
//   sacked   the peer has it (a SACK block covers it)         no
//   lost     judged lost, not yet sent again                  no
//   resent   judged lost and sent again                       yes
//
// SYN and FIN take their place here as the octets of sequence space that they are. Owns: the entries, their counts. Does not own: who
// judges loss (loss.ts), what may be sent (output.ts).

import { assert } from '../base/assert.ts'
import type { Micros } from '../base/time.ts'
import { type Seq, seq, seqDiff, seqGt, seqLe, seqLt } from './seq.ts'

/** What is known of a sent piece of sequence space. */
export type FlightMark = 'sent' | 'sacked' | 'lost' | 'resent'

/** A sent piece of sequence space, [start, end). */
export interface FlightEntry {
  start: Seq
  end: Seq
  /** When it was last sent. */
  sentAt: Micros
  /** How often it was sent. */
  transmissions: number
  mark: FlightMark
  /** For the delivery rate (delivery.ts): the connection's counts when it was last sent. */
  delivered: number
  deliveredAt: Micros
  firstSentAt: Micros
  isAppLimited: boolean
}

/** What a connection keeps of its deliveries; see delivery.ts. */
export interface DeliveryCounts {
  /** Sequence space delivered in the life of the connection, by SEG.ACK or SACK, each octet once. */
  delivered: number
  /** When `delivered` last grew. */
  deliveredAt: Micros
  /** When the first piece of the flight being measured was sent. */
  firstSentAt: Micros
  /** While `delivered` is below this, what was sent was held back by the application, not by the network; 0: it was not. */
  appLimitedUntil: number
}

/** Is told of each piece of the flight that is newly known to have arrived; `length` is the part of it, in bytes. */
export type DeliveryVisitor = (entry: Readonly<FlightEntry>, length: number) => void

/** The sender's scoreboard and retransmission queue. */
export class Flight {
  // A deque in an array: entries[#first...]. Acknowledgements eat from its front, new segments are pushed at its back.
  #entries: FlightEntry[] = []
  #first = 0
  #bytes = 0
  #sackedBytes = 0
  #lostBytes = 0
  // No entry below this is lost: where the search for the next one to send again begins.
  #lostFrom: Seq = seq(0)

  /** Sequence space in flight: SND.NXT - SND.UNA. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes that the peer has by its SACK blocks. */
  get sackedBytes(): number {
    return this.#sackedBytes
  }

  /** Bytes judged lost and not sent again yet. */
  get lostBytes(): number {
    return this.#lostBytes
  }

  /** An estimate of the bytes that are in the network now (RFC 6675 §4). */
  get pipe(): number {
    return this.#bytes - this.#sackedBytes - this.#lostBytes
  }

  /** Number of entries. */
  get size(): number {
    return this.#entries.length - this.#first
  }

  /** Entry `i`, counted from SND.UNA. Change its mark only through `mark`. */
  at(i: number): Readonly<FlightEntry> {
    return this.#entries[this.#first + i]
  }

  /** Records a first transmission; `start` is the end of what was sent before. */
  push(start: Seq, end: Seq, now: Micros, counts: DeliveryCounts): void {
    assert(seqLt(start, end), 'flight: empty segment')
    this.#entries.push({
      start,
      end,
      sentAt: now,
      transmissions: 1,
      mark: 'sent',
      delivered: counts.delivered,
      deliveredAt: counts.deliveredAt,
      firstSentAt: counts.firstSentAt,
      isAppLimited: counts.appLimitedUntil > 0,
    })
    this.#bytes += seqDiff(end, start)
  }

  /** Changes what is known of entry `i`. */
  mark(i: number, mark: FlightMark): void {
    const entry = this.#entries[this.#first + i]
    const length = seqDiff(entry.end, entry.start)
    this.#count(entry.mark, -length)
    this.#count(mark, length)
    if (mark === 'lost' && (this.#lostBytes === length || seqLt(entry.start, this.#lostFrom)))
      this.#lostFrom = entry.start
    entry.mark = mark
  }

  /** Records that entry `i` was sent again. */
  resend(i: number, now: Micros, counts: DeliveryCounts): void {
    const entry = this.#entries[this.#first + i]
    this.mark(i, 'resent')
    entry.delivered = counts.delivered
    entry.deliveredAt = counts.deliveredAt
    entry.firstSentAt = counts.firstSentAt
    entry.isAppLimited = counts.appLimitedUntil > 0
    entry.sentAt = now
    entry.transmissions++
  }

  /** Splits entry `i` so that one entry ends at `at`, which lies strictly inside it. */
  split(i: number, at: Seq): void {
    const entry = this.#entries[this.#first + i]
    assert(seqLt(entry.start, at) && seqLt(at, entry.end), 'flight: split outside the entry')
    this.#entries.splice(this.#first + i + 1, 0, { ...entry, start: at })
    entry.end = at
  }

  /**
   * Releases everything below `una`. An entry that is acknowledged in part is shortened. Returns the last entry that went whole (the
   * newest); null when there is none, or when any that is acknowledged was sent twice: then nobody knows what drew the acknowledgement.
   * `visit` is told of what had not been SACKed before.
   */
  release(una: Seq, visit: DeliveryVisitor): FlightEntry | null {
    let last: FlightEntry | null = null
    let isAmbiguous = false
    while (this.#first < this.#entries.length) {
      const entry = this.#entries[this.#first]
      if (seqLe(una, entry.start)) break
      if (entry.transmissions > 1) isAmbiguous = true
      const covered = seqDiff(seqLe(entry.end, una) ? entry.end : una, entry.start)
      if (entry.mark !== 'sacked') visit(entry, covered)
      this.#forget(entry, covered)
      if (seqLe(entry.end, una)) {
        last = entry
        this.#first++
      } else {
        entry.start = una
      }
    }
    this.#compact()
    return isAmbiguous ? null : last
  }

  /** Index of the first entry that ends after `at`; `size` when there is none. */
  indexOf(at: Seq): number {
    let low = this.#first
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (seqGt(this.#entries[middle].end, at)) high = middle
      else low = middle + 1
    }
    return low - this.#first
  }

  /** Index of the first entry judged lost and not sent again; -1 when there is none. */
  firstLost(): number {
    if (this.#lostBytes === 0) return -1
    for (let i = this.#first + this.indexOf(this.#lostFrom); i < this.#entries.length; i++) {
      if (this.#entries[i].mark !== 'lost') continue
      this.#lostFrom = this.#entries[i].start
      return i - this.#first
    }
    return -1
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries = []
    this.#first = 0
    this.#bytes = 0
    this.#sackedBytes = 0
    this.#lostBytes = 0
  }

  #count(mark: FlightMark, length: number): void {
    if (mark === 'sacked') this.#sackedBytes += length
    else if (mark === 'lost') this.#lostBytes += length
  }

  #forget(entry: FlightEntry, length: number): void {
    this.#bytes -= length
    this.#count(entry.mark, -length)
  }

  #compact(): void {
    if (this.#first === this.#entries.length) {
      this.#entries.length = 0
      this.#first = 0
    } else if (this.#first > 64 && this.#first * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#first)
      this.#first = 0
    }
  }
}
