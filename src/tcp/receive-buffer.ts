// How large the receive buffer is to be: it grows with what the application takes in a round trip, so that the window never holds up a
// sender that is read from, while one that nobody reads from fills no more than it began with. As Linux does (dynamic right-sizing).
// Owns: the size, the receiver's round-trip time. Does not own: what of it is told, and how the window moves (window.ts).
// Read first: RFC 7323 §4.1 on the receiver's timestamps; RFC 9293 §3.8.6.
//
// A sender may have twice in a round trip what it had in the one before (slow start), and what it sends now is read a round trip later:
// so the buffer is to hold from twice (steady) to four times (growing) what was read in the last round trip.

import { MILLISECOND, MINUTE, type Micros } from '../base/time.ts'
import type { TcpConfig } from './config.ts'
import type { SegmentHeader } from './header.ts'
import { isLinuxWindow } from './linux-window.ts'
import { seq, seqDiff, seqGe } from './seq.ts'
import type { Tcb } from './tcb.ts'
import { timestampNow } from './timestamps.ts'

/** Below it a round trip is a matter of how packets are batched, not of the path. */
const LEAST_RTT_US: Micros = MILLISECOND
/** A round trip this old is replaced by any newer one: paths change. */
const RTT_AGE_US: Micros = MINUTE

/** What the receive buffer may hold now: one unit of the window field at least, or no room in it could ever be told. */
export function receiveBufferBytes(tcb: Tcb): number {
  const { config, tuning, rcv } = tcb
  const least = Math.max(config.receiveBufferBytes, 1 << rcv.scale)
  return config.receiveBufferAutotune ? Math.max(least, tuning.bufferBytes) : least
}

/** What it may ever hold. */
export function largestReceiveBuffer(config: TcpConfig): number {
  const { receiveBufferBytes, receiveBufferMaxBytes } = config
  return config.receiveBufferAutotune ? Math.max(receiveBufferBytes, receiveBufferMaxBytes) : receiveBufferBytes
}

/** A segment with text arrives: measures, and once in a round trip lets the buffer grow. */
export function tuneReceiveBuffer(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  if (!tcb.config.receiveBufferAutotune) return
  measureRoundTrip(tcb, segment, now)
  const { tuning } = tcb
  // As Linux while it opens its window: the peer's window grows too, and each step is told at once.
  if (tuning.newBytes > 0 && !isLinuxWindow(tcb)) {
    tuning.newBytes -= 2 * segment.textLength
    tcb.ack.quickLeft |= 1
  }
  const elapsed = now - tuning.since
  const roundTrip = roundTripUs(tcb)
  if (tuning.since >= 0 && elapsed < roundTrip) return
  if (tuning.since >= 0) grow(tcb, tuning.readBytes * (roundTrip / elapsed))
  tuning.since = now
  tuning.readBytes = 0
}

/** The application has read `taken` bytes in the last round trip. */
function grow(tcb: Tcb, taken: number): void {
  const { tuning, rcv } = tcb
  const last = tuning.lastReadBytes
  const span = outOfOrderSpan(tcb)
  const read = span > 0 ? Math.max(taken, last) : taken // a hole keeps back what would have been read
  tuning.lastReadBytes = read
  const present = receiveBufferBytes(tcb)
  const isRising = last > 0 && read > last && 2 * rcv.unread < present // and whoever reads keeps up
  if (!isRising && span === 0 && 2 * read <= present) return
  const rise = last > 0 ? Math.min(1, Math.max(0, (read - last) / last)) : 1
  const wanted = Math.ceil(2 * read * (1 + rise)) + Math.min(span, 2 * read) + 16 * rcv.mss
  const tellable = 65535 * (1 << rcv.scale)
  tuning.bufferBytes = Math.max(present, Math.min(wanted, largestReceiveBuffer(tcb.config), tellable))
  tuning.newBytes = Math.max(0, tuning.newBytes) + tuning.bufferBytes - present
}

/** Octets from RCV.NXT to the end of what waits out of order: a sender that recovers has so much more under way than it is read. */
function outOfOrderSpan({ rcv }: Tcb): number {
  const { outOfOrder } = rcv
  return outOfOrder.size === 0 ? 0 : seqDiff(seq(outOfOrder.end(outOfOrder.size - 1)), rcv.nxt)
}

/** The round trip by the receiver's samples, by our own text's where they tell less; never when nothing was measured. */
function roundTripUs(tcb: Tcb): Micros {
  const { rttUs } = tcb.tuning
  const own = rttUs >= 0 && tcb.ts.enabled ? rttUs : tcb.rtt.minUs
  return Math.max(LEAST_RTT_US, rttUs >= 0 ? Math.min(rttUs, own) : own)
}

/**
 * A full segment that echoes a timestamp of ours for the first time was sent a round trip after it (the peer may have waited: the least
 * counts). Without timestamps: text that begins where the window ended takes a round trip from when that window was told, or longer.
 */
function measureRoundTrip(tcb: Tcb, segment: SegmentHeader, now: Micros): void {
  const { tuning, rcv, ts } = tcb
  if (ts.enabled && segment.hasTimestamps) {
    if (segment.tsEcr === tuning.lastEcr || segment.textLength < rcv.seenMss) return
    tuning.lastEcr = segment.tsEcr
    const ticks = (timestampNow(tcb, now) - segment.tsEcr) | 0
    if (ticks >= 0) sample(tcb, ticks * MILLISECOND, now)
    return
  }
  if (tuning.edgeAt >= 0 && !seqGe(rcv.nxt, tuning.edge)) return
  if (tuning.edgeAt >= 0) sample(tcb, now - tuning.edgeAt, now)
  tuning.edge = rcv.edge
  tuning.edgeAt = now
}

function sample(tcb: Tcb, us: Micros, now: Micros): void {
  const { tuning } = tcb
  if (tuning.rttUs >= 0 && us > tuning.rttUs && now - tuning.rttAt < RTT_AGE_US) return
  tuning.rttUs = us
  tuning.rttAt = now
}
