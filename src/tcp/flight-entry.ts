// One piece of what is in flight: its shape, and where the pieces come from and go to.
// Owns: the entries' memory. Does not own: their order and their counts (flight.ts), what becomes of them.

import type { Micros } from '../base/time.ts'
import type { RetransmitCause } from './reasons.ts'
import { type Seq, seqGt } from './seq.ts'

/** What is known of a sent piece of sequence space. */
export type FlightMark = 'sent' | 'sacked' | 'lost' | 'resent'

/** A sent piece of sequence space, [start, end). */
export interface FlightEntry {
  start: Seq
  end: Seq
  /** When it was last sent. */
  sentAt: Micros
  /** Which transmission of the connection that was: of two at the same time by the clock the greater one was later. */
  order: number
  /** How often it was sent. */
  transmissions: number
  mark: FlightMark
  /** Why it was last judged lost, or sent again; 'none' while neither happened. */
  cause: RetransmitCause | 'none'
  /** When SACKed: how many segments it stands for. */
  segments: number
  /** Neighbours in the order of sending, among what is in the network (`sent`, `resent`); null at the ends. */
  older: FlightEntry | null
  newer: FlightEntry | null
  /** For the delivery rate (delivery.ts): the connection's counts when it was last sent. */
  delivered: number
  deliveredAt: Micros
  firstSentAt: Micros
  isAppLimited: boolean
}

// Entries that are in no flight any more, for the next segments of whichever connection: a busy sender makes no garbage.
const free: FlightEntry[] = []
const MOST_FREE = 4096

/** An entry for [start, end); all else of it is to be set. */
export function takeEntry(start: Seq, end: Seq): FlightEntry {
  const entry = free.pop()
  if (entry === undefined) return createEntry(start, end)
  entry.start = start
  entry.end = end
  return entry
}

function createEntry(start: Seq, end: Seq): FlightEntry {
  return {
    start,
    end,
    sentAt: 0,
    order: 0,
    transmissions: 1,
    mark: 'sent',
    cause: 'none',
    segments: 0,
    older: null,
    newer: null,
    delivered: 0,
    deliveredAt: 0,
    firstSentAt: 0,
    isAppLimited: false,
  }
}

/** It is in no flight any more. Its numbers stay readable until the next segment is sent. */
export function giveBack(entry: FlightEntry): void {
  if (free.length < MOST_FREE) free.push(entry)
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

/** It is sent now, as the connection's transmission number `order`. */
export function stamp(entry: FlightEntry, now: Micros, order: number, counts: DeliveryCounts): void {
  entry.order = order
  entry.delivered = counts.delivered
  entry.deliveredAt = counts.deliveredAt
  entry.firstSentAt = counts.firstSentAt
  entry.isAppLimited = counts.appLimitedUntil > 0
  entry.sentAt = now
}

/** What has become of one is true of the other too: both were one. */
export function copyHistory(from: FlightEntry, to: FlightEntry): void {
  to.sentAt = from.sentAt
  to.order = from.order
  to.transmissions = from.transmissions
  to.mark = from.mark
  to.cause = from.cause
  to.segments = from.segments
  to.delivered = from.delivered
  to.deliveredAt = from.deliveredAt
  to.firstSentAt = from.firstSentAt
  to.isAppLimited = from.isAppLimited
}

/** What `isSentAfter` compares: pieces of the flight, and the newest of those delivered. */
export interface SendingOrder {
  readonly sentAt: Micros
  readonly order: number
  readonly end: Seq
}

/**
 * RFC 8985 §6.2, RACK_sent_after(): whether `a` was sent after `b`. The RFC tells pieces sent at the same time apart by their ends, since
 * it has no more to go by; text that left just before a retransmission, in the same batch, would then tell that it is lost.
 */
export function isSentAfter(a: SendingOrder, b: SendingOrder): boolean {
  if (a.sentAt !== b.sentAt) return a.sentAt > b.sentAt
  return a.order === b.order ? seqGt(a.end, b.end) : a.order > b.order
}
