// Judging a piece of the flight lost: with its cause, and counted when it had been sent again already.
// Owns: the one way in which entries become lost. Does not own: who judges so, and why (loss.ts, rack.ts).

import type { FlightEntry } from './flight.ts'
import type { RetransmitCause } from './reasons.ts'
import { seqAdd, seqDiff } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** The entry is lost. */
export function markLost(tcb: Tcb, entry: Readonly<FlightEntry>, cause: RetransmitCause): void {
  if (entry.mark === 'resent') {
    tcb.counters.TcpExtTCPLostRetransmit += Math.ceil(seqDiff(entry.end, entry.start) / Math.max(1, tcb.snd.mss))
  }
  tcb.snd.flight.lose(entry, cause)
}

/** The first segment of entry `i` is lost: of a super-segment, no more than that. */
export function markSegmentLost(tcb: Tcb, i: number, cause: RetransmitCause): void {
  const { flight, mss } = tcb.snd
  const { start, end } = flight.at(i)
  if (seqDiff(end, start) > mss + 1) flight.split(i, seqAdd(start, mss))
  markLost(tcb, flight.at(i), cause)
}
