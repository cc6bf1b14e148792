// The transmission control block: everything that is known of one connection, as a plain record (RFC 9293 §3.3.1). The rules are free
// functions in the files around it, one file per section of the RFC.
//
//     Send sequence space                          Receive sequence space
//
//          1         2          3          4            1          2          3
//     ----------|----------|----------|----------  ----------|----------|----------
//            SND.UNA    SND.NXT    SND.UNA               RCV.NXT    RCV.NXT
//                                 +SND.WND                         +RCV.WND
//
//     1 acknowledged   2 sent, not acknowledged    1 received   2 acceptable now
//     3 may be sent    4 not yet                   3 not yet
//
// The send buffer holds text from max(SND.UNA, ISS+1) on: first what is in flight, then what was never sent.
// The receive buffer holds text that the application has not read, up to RCV.NXT, then what arrived out of order.

import type { ByteRing } from '../base/byte-ring.ts'
import type { Ranges } from '../base/ranges.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { ChallengeBudget } from './challenge-budget.ts'
import type { TcpConfig } from './config.ts'
import type { CongestionControl, CongestionState } from './congestion/interface.ts'
import type { TcpCounters } from './counters.ts'
import type { EcnState } from './ecn-state.ts'
import type { TcpError } from './errors.ts'
import type { FastOpenState } from './fast-open-state.ts'
import type { DeliveryCounts, Flight } from './flight.ts'
import type { LifeState, PathState } from './life.ts'
import type { AckHoldReason, HoldReason } from './reasons.ts'
import type { AckState, TuningState } from './receive-state.ts'
import type { FrtoState, PrrState, RackState, TailProbeState, UndoState } from './recovery-state.ts'
import type { RttState } from './rtt.ts'
import { type Seq, seqAdd } from './seq.ts'
import { isSynchronized, type State } from './state.ts'
import type { Totals } from './totals-state.ts'
import type { UsageState } from './usage.ts'

/** The send half (RFC 9293 §3.3.1). */
export interface SendState {
  /** Oldest unacknowledged sequence number. */
  una: Seq
  /** Next sequence number to be sent; never rolled back: what is sent again is known to `flight`. */
  nxt: Seq
  /** Send window in bytes, scaled. */
  wnd: number
  /** Greatest window the peer ever offered (MAX.SND.WND, RFC 9293 §3.8.6.2.1, RFC 5961 §5.2). */
  maxWnd: number
  /** Segment sequence number used for the last window update; SND.WL2 has no use (window.ts). */
  wl1: Seq
  iss: Seq
  /** Shift count for the windows that the peer sends (RFC 7323 §2.3). */
  scale: number
  /** Effective send MSS: most text in one segment that carries the options of every segment (RFC 9293 §3.7.1 [MUST-16]). */
  mss: number
  /** Text from max(UNA, ISS+1) on. */
  readonly buffer: ByteRing
  flight: Flight
  /** The application has closed its side: FIN follows the last byte of the buffer. */
  finQueued: boolean
  /** FIN is within SND.NXT. */
  finSent: boolean
  /** SND.UP: the octet after the last urgent one, while `isUrgent`; `isUrgentTold` once a segment has carried it. */
  up: Seq
  isUrgent: boolean
  isUrgentTold: boolean
  /** Wants to hear when the buffer has room again. */
  wantsRoom: boolean
  /** What the buffer may hold now (send-buffer.ts). */
  bufferBytes: number
  /** Where the last super-segment that was written begins (linux-send.ts). */
  tailStart: Seq
  /** The last write has promised another: the tail waits for it. */
  hasMore: boolean
  /** The tail has waited long enough, or was pushed: neither Nagle nor a cork holds it any more. */
  isPushed: boolean
  /** End of the last small segment that was sent. */
  smallEnd: Seq
  /** End of the last segment with PSH. */
  pushedEnd: Seq
  /** Ends of unacknowledged segments that went with PSH, in order: they take it again. */
  pushEnds: Seq[]
  /** Ends of records (records.ts), in order; empty without any. */
  recordEnds: Seq[]
  /** The promise of `hasMore` is not waited for any longer; the tail still takes no PSH. */
  isMoreOver: boolean
}

/** The receive half (RFC 9293 §3.3.1). */
export interface ReceiveState {
  nxt: Seq
  irs: Seq
  /** The right edge of the window last advertised; it never moves left [SHLD-14]. */
  edge: Seq
  /** Shift count for the windows that we send. */
  scale: number
  /** A segment after the SYN has told the window, scaled. */
  isWindowTold: boolean
  /** MSS that we announced. */
  mss: number
  /** Largest text seen in one segment: the peer's full-sized segment, for the delayed-ACK rule. */
  seenMss: number
  readonly buffer: ByteRing
  /** Bytes in order and unread at the head of `buffer`. */
  unread: number
  /** What lies in `buffer` beyond RCV.NXT, as sequence numbers. */
  readonly outOfOrder: Ranges
  /** A number in each of the ranges that grew last, the latest first, at most 64: the order of SACK blocks (RFC 2018 §4). */
  recentRanges: Seq[]
  /** Text that came twice, start and end of each, to be reported in an acknowledgement each (RFC 2883). */
  duplicates: Seq[]
  /** The peer's FIN has been seen, maybe ahead of its turn. */
  finSeen: boolean
  /** Its sequence number, when seen. */
  finSeq: Seq
  /** The application reads no more: text is acknowledged and thrown away. */
  discard: boolean
  /** RCV.UP: the octet after the last urgent one, while `isUrgent`. */
  up: Seq
  isUrgent: boolean
  /** Bytes delivered in order since the last acknowledgement went out. */
  unacked: number
  /** Acknowledgements to send as soon as possible; more than one when duplicates are due (RFC 5681 §4.2). */
  acksOwed: number
}

/** Timestamps (RFC 7323 §3). */
export interface TimestampState {
  enabled: boolean
  /** TS.Recent: to be echoed. */
  recent: number
  /** When TS.Recent was stored, to age it (RFC 7323 §5.5). */
  recentAt: Micros
  /** Last.ACK.sent. */
  lastAckSent: Seq
  /**
   * What TS.Recent was 2^29 to 2^30 octets of text ago, or at the handshake: nothing sent since then can be of another lap of
   * sequence space.
   */
  floor: number
  /** TS.Recent at `nextFloorSeq`: the floor from 2^29 octets later on. */
  nextFloor: number
  nextFloorSeq: Seq
  /** Added to the millisecond clock, so that it tells nobody our uptime (RFC 7323 §5.4). */
  offset: number
}

/** How loss recovery stands (RFC 5681 §3.2, RFC 6675, RFC 6298 §5). */
export interface RecoveryState {
  phase: 'open' | 'recovery' | 'loss'
  /** Ends when this is acknowledged: SND.NXT when it began. */
  point: Seq
  dupAcks: number
  /** Partial acknowledgements in this fast recovery (RFC 6582 §3.2 step 3). */
  partialAcks: number
  /** Right edge of the highest SACK block. */
  highestSacked: Seq
  /** Everything below has been judged by the SACK rule already. */
  judged: Seq
  /** In this recovery no hole that was sent once only lies below (RFC 6675 §4 rule 3). */
  suspected: Seq
  /** One segment may be sent again whatever the window says (RFC 6675 §5 step 4.3, RFC 6298 §5.4). */
  forced: boolean
  /** Retransmissions in all. */
  retransmits: number
}

/** Deadlines; Infinity when a timer is off. */
export interface TimerState {
  retransmit: Micros
  persist: Micros
  delayedAck: Micros
  /** RACK's: something may have been lost, not only reordered. */
  reorder: Micros
  /** The tail of the flight may be lost: probe for it (RFC 8985 §7). */
  lossProbe: Micros
  /** The pace allows the next packet. */
  pace: Micros
  keepAlive: Micros
  /** A tail has waited long enough for more to come (push.ts). */
  cork: Micros
  /** 2MSL in TIME-WAIT, the limit on FIN-WAIT-2. */
  linger: Micros
  /** What is seldom due: CLOSE's wait (life.lingerUntil), the age of the path MTU (path.raiseAt). */
  upkeep: Micros
}

/** One connection. */
export interface Tcb {
  state: State
  /** Opened by a listener (RFC 9293 §3.5 [MUST-11]). */
  readonly passive: boolean
  readonly local: IpAddress
  readonly localPort: number
  readonly remote: IpAddress
  readonly remotePort: number
  /** Shared between connections: replace it, never change it. */
  config: TcpConfig
  /** The host's: shared by all its connections. */
  readonly counters: TcpCounters
  /** The host's too: what all connections together may challenge. */
  readonly challenges: ChallengeBudget
  readonly snd: SendState
  readonly rcv: ReceiveState
  /** When to acknowledge. */
  readonly ack: AckState
  /** How large the receive buffer is to be. */
  readonly tuning: TuningState
  readonly ts: TimestampState
  readonly rtt: RttState
  readonly recovery: RecoveryState
  rack: RackState
  prr: PrrState
  undo: UndoState
  frto: FrtoState
  tlp: TailProbeState
  readonly ecn: EcnState
  delivery: DeliveryCounts
  readonly usage: UsageState
  readonly totals: Totals
  readonly timers: TimerState
  control: CongestionControl
  readonly cc: CongestionState
  readonly life: LifeState
  readonly path: PathState
  /** Largest TCP segment (header and text) that the path takes. */
  pathSegmentBytes: number
  sackEnabled: boolean
  readonly fastOpen: FastOpenState
  /** Every segment is signed with it, both ways (RFC 2385); null: none is. Set before the handshake. */
  md5Key: Uint8Array | null
  /** Why nothing more was sent when output was last asked; `'nothing'` when there was nothing to send. */
  hold: HoldReason
  /** Why an acknowledgement is not sent yet; `'none'` when none is owed. */
  ackHold: AckHoldReason
  /** A reset is to be sent; the record goes away with it. */
  resetPending: boolean
  /** That reset answers a segment, and acknowledges nothing. */
  isResetBare: boolean
  /** A probe is to be sent: of a closed window (persist) or of a silent peer (keep-alive). */
  probePending: boolean
  /** Probes sent since the peer was last heard. */
  probes: number
  /** Probes of the closed window since it was last open; each doubles the time to the next [SHLD-30]. */
  windowProbes: number
  /** When text was last sent: a pause of an RTO restarts slow start (RFC 5681 §4.1). */
  sentAt: Micros
  /** When the next challenge may be answered (RFC 5961 §7). */
  challengeAt: Micros
  /** When the pace lets the next packet go. */
  paceAt: Micros
  /** When something was last received. */
  heardAt: Micros
  /** When the oldest unacknowledged octet was first sent, or the last progress made; bounds retransmission (R2). */
  progressAt: Micros
  /** The application has closed completely: what still arrives is refused. */
  orphaned: boolean
  /** Window scaling is offered, then agreed on. */
  scaleEnabled: boolean
  error: TcpError | null
  /** EVENT bits that the owner has not taken yet. */
  events: number
  /** Told of every change of state, when set. */
  onState: ((from: State, to: State) => void) | null
}

/** Sequence number of the first byte in the send buffer. */
export function sendBufferStart(tcb: Tcb): Seq {
  // Only while our SYN is unacknowledged: SND.UNA meets ISS again after 4 GiB of text.
  const hasSyn = tcb.snd.una === tcb.snd.iss && !isSynchronized(tcb.state)
  return hasSyn ? seqAdd(tcb.snd.iss, 1) : tcb.snd.una
}

/** Text in the send buffer that was never sent. */
export function unsentBytes(tcb: Tcb): number {
  const { snd } = tcb
  const sentText = (snd.nxt - sendBufferStart(tcb) - (snd.finSent ? 1 : 0)) | 0
  return snd.buffer.extent - Math.max(0, sentText)
}
