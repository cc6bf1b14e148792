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
// Two orders are kept, so that nobody has to look through the whole flight when an acknowledgement comes: by sequence (an array), and, of
// what is in the network, by when it was sent (a list: `oldest`, then `newer`), which RACK reads. SACKed neighbours become one entry, so
// that a block which grows is not walked through again and again.
// SYN and FIN take their place here as the octets of sequence space that they are. Owns: the entries, their counts. Does not own: who
// judges loss (loss.ts), what may be sent (output.ts).

import { assert } from '../base/assert.ts'
import type { Micros } from '../base/time.ts'
import {
  copyHistory,
  type DeliveryCounts,
  type FlightEntry,
  type FlightMark,
  giveBack,
  isSentAfter,
  stamp,
  takeEntry,
} from './flight-entry.ts'
import type { RetransmitCause } from './reasons.ts'
import { type Seq, seq, seqDiff, seqGt, seqLe, seqLt } from './seq.ts'

export type { DeliveryCounts, FlightEntry, FlightMark } from './flight-entry.ts'

const isInNetwork = (mark: FlightMark): boolean => mark === 'sent' || mark === 'resent'

/** Is told of each piece of the flight that is newly known to have arrived; `length` is the part of it, in bytes. */
export type DeliveryVisitor = (entry: Readonly<FlightEntry>, length: number) => void

/** The sender's scoreboard and retransmission queue. */
export class Flight {
  // A deque in an array: entries[#first...]. Acknowledgements eat from its front, new segments are pushed at its back.
  #entries: FlightEntry[] = []
  #first = 0
  #order = 0
  #bytes = 0
  #sackedBytes = 0
  #lostBytes = 0
  #sackedSegments = 0
  // The ends of the list in the order of sending.
  #oldest: FlightEntry | null = null
  #newest: FlightEntry | null = null
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

  /** Segments that the peer has by its SACK blocks (RFC 8985 §6.2, RACK.segs_sacked). */
  get sackedSegments(): number {
    return this.#sackedSegments
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

  /** Of what is in the network the entry that was sent first; `newer` leads on to those sent later. Null when there is none. */
  get oldest(): Readonly<FlightEntry> | null {
    return this.#oldest
  }

  /** Entry `i`, counted from SND.UNA. Change its mark only through the methods below. */
  at(i: number): Readonly<FlightEntry> {
    return this.#entries[this.#first + i]
  }

  /** Records a first transmission; `start` is the end of what was sent before. */
  push(start: Seq, end: Seq, now: Micros, counts: DeliveryCounts): void {
    assert(seqLt(start, end), 'flight: empty segment')
    const entry = takeEntry(start, end)
    entry.transmissions = 1
    entry.mark = 'sent'
    entry.cause = 'none'
    entry.segments = 0
    stamp(entry, now, ++this.#order, counts)
    this.#entries.push(entry)
    this.#link(entry, this.#newest)
    this.#bytes += seqDiff(end, start)
  }

  /** Changes what is known of entry `i`. */
  mark(i: number, mark: FlightMark): void {
    this.#change(this.#entries[this.#first + i], mark)
  }

  /** An entry is judged lost. */
  lose(entry: Readonly<FlightEntry>, cause: RetransmitCause): void {
    const own: FlightEntry = entry
    own.cause = cause
    this.#change(own, 'lost')
  }

  /** The peer has entry `i`, which stands for so many segments. It becomes one with SACKed neighbours; returns the index of the whole. */
  sack(i: number, segments: number): number {
    const entry = this.#entries[this.#first + i]
    this.#change(entry, 'sacked')
    entry.segments = segments
    this.#sackedSegments += segments
    let at = i
    if (at > 0 && this.at(at - 1).mark === 'sacked') this.join(--at)
    if (at + 1 < this.size && this.at(at + 1).mark === 'sacked') this.join(at)
    return at
  }

  /** Nothing of what is judged lost is: it is in the network, as before. */
  unlose(): void {
    let near = this.#oldest
    for (let i = this.firstLost(); i >= 0; i = this.firstLost()) {
      const entry = this.#entries[this.#first + i]
      while (near !== null && near.newer !== null && isSentAfter(entry, near.newer)) near = near.newer
      this.#change(entry, 'sent', near)
      near = entry
    }
  }

  /** Records that entry `i` was sent again. */
  resend(i: number, now: Micros, counts: DeliveryCounts): void {
    const entry = this.#entries[this.#first + i]
    this.#change(entry, 'resent', null) // its place is at the end: none is looked for
    this.#unlink(entry)
    this.#link(entry, this.#newest)
    stamp(entry, now, ++this.#order, counts)
    entry.transmissions++
  }

  /** Splits entry `i` so that one entry ends at `at`, which lies strictly inside it. */
  split(i: number, at: Seq): void {
    const entry = this.#entries[this.#first + i]
    assert(seqLt(entry.start, at) && seqLt(at, entry.end), 'flight: split outside the entry')
    const rest = takeEntry(at, entry.end)
    copyHistory(entry, rest)
    entry.end = at
    if (isInNetwork(entry.mark)) this.#link(rest, entry)
    this.#sackedSegments += rest.segments
    this.#insert(i + 1, rest)
  }

  /** Makes one entry of entries `i` and `i + 1`, both SACKed or both lost; it counts as sent as often as either. */
  join(i: number): void {
    const entry = this.#entries[this.#first + i]
    const next = this.#entries[this.#first + i + 1]
    assert(entry.mark === next.mark && !isInNetwork(entry.mark), 'flight: join of entries that differ')
    entry.end = next.end
    entry.segments += next.segments
    entry.transmissions = Math.max(entry.transmissions, next.transmissions)
    this.#remove(i + 1)
    giveBack(next)
  }

  /**
   * Releases everything below `una`. An entry that is acknowledged in part is shortened. Returns the last entry that went whole (the
   * newest; it is valid until something is sent); null when there is none, or when any that is acknowledged was sent twice: then nobody
   * knows what drew the acknowledgement. `visit` is told of what had not been SACKed before.
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
        if (isInNetwork(entry.mark)) this.#unlink(entry)
        this.#sackedSegments -= entry.segments
        this.#first++
        giveBack(entry)
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
    this.#sackedSegments = 0
    this.#oldest = null
    this.#newest = null
  }

  /** `near`: where in the order of sending the search for its place begins, when it comes back into the network. */
  #change(entry: FlightEntry, mark: FlightMark, near: FlightEntry | null = this.#newest): void {
    const length = seqDiff(entry.end, entry.start)
    this.#count(entry.mark, -length)
    this.#count(mark, length)
    if (mark === 'lost' && (this.#lostBytes === length || seqLt(entry.start, this.#lostFrom)))
      this.#lostFrom = entry.start
    const was = isInNetwork(entry.mark)
    const is = isInNetwork(mark)
    if (was && !is) this.#unlink(entry)
    if (is && !was) this.#linkInOrder(entry, near)
    this.#sackedSegments -= entry.segments
    entry.segments = 0
    entry.mark = mark
  }

  #linkInOrder(entry: FlightEntry, near: FlightEntry | null): void {
    let after = near
    while (after !== null && !isSentAfter(entry, after)) after = after.older
    this.#link(entry, after)
  }

  #link(entry: FlightEntry, after: FlightEntry | null): void {
    const before = after === null ? this.#oldest : after.newer
    entry.older = after
    entry.newer = before
    if (after === null) this.#oldest = entry
    else after.newer = entry
    if (before === null) this.#newest = entry
    else before.older = entry
  }

  #unlink(entry: FlightEntry): void {
    const { older, newer } = entry
    if (older === null) this.#oldest = newer
    else older.newer = newer
    if (newer === null) this.#newest = older
    else newer.older = older
    entry.older = null
    entry.newer = null
  }

  // Entries move on the side where there are fewer.
  #insert(i: number, entry: FlightEntry): void {
    const entries = this.#entries
    if (this.#first === 0 || i > this.size / 2) {
      entries.splice(this.#first + i, 0, entry)
      return
    }
    this.#first--
    for (let k = 0; k < i; k++) entries[this.#first + k] = entries[this.#first + k + 1]
    entries[this.#first + i] = entry
  }

  #remove(i: number): void {
    const entries = this.#entries
    if (i > this.size / 2) {
      entries.splice(this.#first + i, 1)
      return
    }
    for (let k = this.#first + i; k > this.#first; k--) entries[k] = entries[k - 1]
    this.#first++
    this.#compact()
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
