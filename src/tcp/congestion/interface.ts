// Congestion control as a seam: one file is one controller. The rules of loss recovery (what is lost, what is sent again) are not its
// business; it is told what happened and keeps cwnd and ssthresh (RFC 5681 §3).

import type { Micros } from '../../base/time.ts'

/** What a controller keeps. In bytes. */
export interface CongestionState {
  /** Congestion window. */
  cwnd: number
  /** Slow start threshold; Infinity before the first loss. */
  ssthresh: number
  /** Sender maximum segment size (SMSS). */
  mss: number
  /** Bytes acknowledged towards the next increase in congestion avoidance (RFC 3465 §2.1). */
  acked: number
  /** The controller's own. */
  data: unknown
}

/** What a controller may know of an acknowledgement of new data. */
export interface AckSample {
  /** Bytes that the acknowledgement newly covers, SACKed ones included. */
  bytes: number
  /** Round trip of the newest segment it covers, -1 when none can be told. */
  rttUs: number
  /** Bytes in flight before it. */
  priorFlight: number
  now: Micros
}

/** A congestion controller. Without state of its own: all of it lives in the connection's CongestionState. */
export interface CongestionControl {
  readonly name: string
  /** Called once when the connection is established and SMSS is known. `initialWindow` in bytes. */
  init(state: CongestionState, initialWindow: number, now: Micros): void
  /** New data was acknowledged outside of fast recovery. Called only while the window was in use (RFC 7661 §4). */
  onAck(state: CongestionState, ack: AckSample): void
  /** A loss was found by duplicate acknowledgements or SACK: set ssthresh and cwnd (RFC 5681 §3.2). Once per recovery. */
  onLoss(state: CongestionState, flight: number, now: Micros): void
  /** Recovery is over: everything that was outstanding when it began is acknowledged. */
  onRecovered(state: CongestionState, flight: number, now: Micros): void
  /** The retransmission timer expired (RFC 5681 §3.1, equation 4). `first` unless the same segment has timed out before. */
  onTimeout(state: CongestionState, flight: number, first: boolean, now: Micros): void
  /** Nothing was sent for an RTO or longer (RFC 5681 §4.1). `restartWindow` in bytes. */
  onIdle(state: CongestionState, restartWindow: number, now: Micros): void
}
