// Congestion control as a seam: one file is one controller. The rules of loss recovery (what is lost, what is sent again) are not its
// business; it is told what happened and keeps cwnd and ssthresh (RFC 5681 §3), and the pacing rate where it has one.
// Owns: the words between the core and a controller. Does not own: when they are said (ack.ts, loss.ts, output.ts).
//
// In which order the core speaks when an acknowledgement arrives, each where it applies:
//   1. onSpuriousLoss, onRecovered, onLoss   what the acknowledgement says of losses
//   2. onEveryAck                            always; `phase`, `lost` and `flight` as 1 has left them
//   3. onEcn                                 at most once for a window of data
//   4. onAck                                 new data acknowledged, phase not 'recovery', the window in use

import type { Micros } from '../../base/time.ts'

/** What a controller keeps. In bytes. It is plain data: whoever debugs a connection may print all of it. */
export interface CongestionState {
  /** Congestion window, a whole number of bytes. */
  cwnd: number
  /** Slow start threshold; Infinity before the first loss. */
  ssthresh: number
  /** Sender maximum segment size (SMSS). */
  mss: number
  /** Bytes acknowledged towards the next increase in congestion avoidance (RFC 3465 §2.1). */
  acked: number
  /**
   * Bytes per second at which the core is to send; 0: the controller asks for no pace. The core may then pace by cwnd and SRTT, and
   * says so by writing the rate it uses here: slow start may take larger steps when paced (RFC 9406 §4.2). Set by `init`.
   */
  pacingRate: number
  /** The controller's own: null or plain data. */
  data: unknown
}

/** How loss recovery stands: as the TCB's `recovery.phase`. */
export type AckPhase = 'open' | 'recovery' | 'loss'

/** What a controller may know of an acknowledgement. Borrowed: valid only until the call returns. Bytes, microseconds. */
export interface AckSample {
  /** Bytes that SEG.ACK newly covers, 0 for a duplicate. */
  bytes: number
  /** Bytes newly known to have arrived: covered by SEG.ACK or by a SACK block, each byte once in its life. */
  delivered: number
  /** Bytes newly judged lost, when the acknowledgement was judged. */
  lost: number
  /** Round trip of the newest segment it covers, sent once only (Karn); -1 when none can be told. */
  rttUs: number
  /** As Linux tells its controllers: also of what a SACK block covers; -1 when none can be told. */
  sackRttUs?: number
  /** Least round trip of the connection, -1 before the first. */
  minRttUs: number
  /** SRTT (RFC 6298 §2), this sample included; -1 before the first. */
  srttUs: number
  /** Bytes in the network (RFC 6675's pipe) before it. */
  priorFlight: number
  /** The same after it: what was delivered or judged lost is left out. */
  flight: number
  now: Micros
  /** Delivery rate in bytes per second over the newest delivered segment's flight; -1 when the sample is not valid. */
  rateBytesPerSecond: number
  /** The newest delivered segment was sent when the application, not the window, held the sender back. */
  isAppLimited: boolean
  /** All bytes delivered in the life of the connection, this acknowledgement's included. */
  totalDelivered: number
  /**
   * `totalDelivered` at the time when the newest delivered segment was last sent; -1 when nothing was delivered. A round trip, timed by
   * packets, has passed when it is not below the `totalDelivered` remembered at the round's start.
   */
  priorDelivered: number
  /** Bytes of `bytes` whose acknowledgement says that they met congestion (ECE; RFC 8257 §3.3). */
  ecnBytes: number
  /** The window held the sender back when the acknowledgement arrived (RFC 7661 §4): only then may it grow. */
  isCwndLimited: boolean
  /** The path has been seen to reorder (RFC 8985 §6.2 step 3): a packet may be far faster than those before it. */
  isReordered: boolean
  /** Slow start may open the window by all that one acknowledgement covers, as in Linux, paced or not (RFC 9406 §4.2 has a bound). */
  isBurstFine?: boolean
  /** After the acknowledgement was judged: 'open' when it ended the recovery. */
  phase: AckPhase
}

/** The part of AckSample that `onAck` can count on. */
export type AckGrowth = Pick<AckSample, 'bytes' | 'rttUs' | 'priorFlight' | 'now'> & Partial<AckSample>

/** A congestion controller. Without state of its own: all of it lives in the connection's CongestionState. */
export interface CongestionControl {
  readonly name: string
  /**
   * The controller sizes cwnd in recovery by itself (BBR): the core neither applies PRR nor lowers cwnd there, and lets it send up to
   * cwnd in every phase.
   */
  readonly ownsRecovery?: boolean
  /**
   * It lives on marks and has to know how much was marked (DCTCP): the core asks for ECN, tells the peer of marks as RFC 8257 §3.2 says,
   * and sends everything ECN-capable.
   */
  readonly needsEcn?: boolean
  /**
   * Called once when the connection is established and SMSS is known. `initialWindow` in bytes. Only `onTimeout` may come earlier, for a
   * SYN that was lost.
   */
  init(state: CongestionState, initialWindow: number, now: Micros): void
  /** Any acceptable acknowledgement, in any phase, duplicates too. Measures; loss-based controllers do not grow here. */
  onEveryAck?(state: CongestionState, ack: AckSample): void
  /** New data was acknowledged outside of fast recovery. Called only while the window was in use (RFC 7661 §4). */
  onAck(state: CongestionState, ack: AckGrowth): void
  /**
   * A loss was found by duplicate acknowledgements or SACK: set ssthresh and cwnd (RFC 5681 §3.2). Once per recovery. `flight` is
   * FlightSize, at most cwnd.
   */
  onLoss(state: CongestionState, flight: number, now: Micros): void
  /**
   * Congestion was signalled by ECN (ECE, RFC 3168 §6.1.2): at most once for a window of data, and not in recovery. Absent: the core
   * calls onLoss. No recovery follows. `flight` as for onLoss, what is just acknowledged included. `isAbe` (default true): a mark costs
   * less than a loss (RFC 8511).
   */
  onEcn?(state: CongestionState, flight: number, now: Micros, isAbe?: boolean): void
  /** Recovery is over: everything that was outstanding when it began is acknowledged. */
  onRecovered(state: CongestionState, flight: number, now: Micros): void
  /** The retransmission timer expired (RFC 5681 §3.1, equation 4). `first` unless the same segment has timed out before. */
  onTimeout(state: CongestionState, flight: number, first: boolean, now: Micros): void
  /**
   * The last onLoss or onTimeout was a mistake, nothing was lost (Eifel RFC 4015, F-RTO RFC 5682, DSACK RFC 3708): put back what it took
   * away. The core leaves the phase 'recovery' or 'loss' without onRecovered. May come late, when the recovery is over; never twice.
   */
  onSpuriousLoss?(state: CongestionState): void
  /** Nothing was sent for an RTO or longer (RFC 5681 §4.1). `restartWindow` in bytes. */
  onIdle(state: CongestionState, restartWindow: number, now: Micros): void
  /** New text goes with nothing in flight, so long after what went last; before `onIdle`. */
  onStart?(state: CongestionState, pauseUs: Micros, now: Micros): void
}
