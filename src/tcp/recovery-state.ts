// What loss recovery keeps of a connection, besides its phase: RACK, PRR, tail probes, undo, F-RTO. Plain records; the rules are in the
// files of those names. Owns: shapes and first values.
//
// Most connections never recover from anything: they share UNUSED records, to which nothing but their first values is written. Who begins
// something makes one of the connection's own.

import { Ranges } from '../base/ranges.ts'
import type { Micros } from '../base/time.ts'
import { type Seq, seq } from './seq.ts'

/** RACK's variables (RFC 8985 §5.3). */
export interface RackState {
  /** Of the piece delivered that was sent last: when it was sent, as which transmission, its end, its round trip. -1 before the first. */
  sentAt: Micros
  order: number
  end: Seq
  rttUs: Micros
  /** Highest sequence number delivered (RACK.fack). */
  fack: Seq
  isReorderingSeen: boolean
  /** How often reordering was seen, and how far it has gone, in segments. */
  reorderings: number
  reordering: number
  /** Multiplier of the reordering window, grown by DSACKs, and how many recoveries it still holds. */
  windowMultiplier: number
  windowPersist: number
  /** SND.NXT when a DSACK last widened the window: at most once a round trip. */
  dsackRound: Seq
  isDsackRound: boolean
}

/** RACK before the first acknowledgement. */
export function createRack(iss: Seq): RackState {
  return {
    sentAt: -1,
    order: 0,
    end: iss,
    rttUs: 0,
    fack: iss,
    isReorderingSeen: false,
    reorderings: 0,
    reordering: 0,
    windowMultiplier: 1,
    windowPersist: 0,
    dsackRound: iss,
    isDsackRound: false,
  }
}

/** PRR's variables (RFC 9937 §5), in bytes. */
export interface PrrState {
  /** Delivered since recovery began. */
  delivered: number
  /** Sent since recovery began. */
  out: number
  /** FlightSize when recovery began (RecoverFS). */
  recoverFlight: number
  /** It is a mark of ECN's that lowers the window (linux-ways.ts). */
  isForMark: boolean
}

/** Outside of recovery. */
export function createPrr(): PrrState {
  return { delivered: 0, out: 0, recoverFlight: 1, isForMark: false }
}

/** Of connections that were never in recovery. */
export const UNUSED_PRR = createPrr()

/** PRR's variables of a connection, to be written to. */
export function ownPrr(tcb: { prr: PrrState }): PrrState {
  if (tcb.prr === UNUSED_PRR) tcb.prr = createPrr()
  return tcb.prr
}

/** A probe under way. */
export interface TailProbeState {
  /** A probe was sent and not answered. */
  isOut: boolean
  /** SND.NXT after it was sent. */
  end: Seq
  /** FlightSize when it was sent, at most cwnd: what a loss that it mended is measured by. */
  flight: number
  /** It was text sent before: if it alone mended the tail, there was a loss that nobody else saw. */
  isRetransmission: boolean
  /** Output is to send one now. */
  isDue: boolean
}

/** No probe yet. */
export function createTailProbe(iss: Seq): TailProbeState {
  return { isOut: false, end: iss, flight: 0, isRetransmission: false, isDue: false }
}

/** What is remembered of a recovery that may have been a mistake. */
export interface UndoState {
  /** There is something to take back. */
  isPossible: boolean
  /** TSval of the first segment sent again, 0 before it was sent. */
  resendTsVal: number
  isResent: boolean
  /** A tail probe had sent something again when it began: what arrives may be that copy. */
  isMended: boolean
  /** Where that segment begins: only what acknowledges it can be judged. */
  resendStart: Seq
  /** Everything sent again since it began. */
  readonly resent: Ranges
  /** The first acknowledgement to move on has been judged by its timestamp; later ones tell nothing. */
  isJudged: boolean
  /** Segments sent again since it began, less those that DSACKs reported as duplicates. */
  unexplained: number
}

/** No recovery yet. */
export function createUndo(iss: Seq): UndoState {
  return {
    isPossible: false,
    resendTsVal: 0,
    isResent: false,
    isMended: false,
    resendStart: iss,
    resent: new Ranges(),
    isJudged: false,
    unexplained: 0,
  }
}

/** Of connections that have nothing to take back, and never had. */
export const UNUSED_UNDO = createUndo(seq(0))

/** F-RTO's variables (RFC 5682 §2.1, §3.1). */
export interface FrtoState {
  /** 'wait': the first segment went again (step 2). 'probe': it was answered, new text goes (step 3). */
  step: 'off' | 'wait' | 'probe'
  /** SND.NXT when it was answered (RecoveryPoint): what lies beyond is the new text. */
  point: Seq
}

/** No timeout yet. */
export function createFrto(iss: Seq): FrtoState {
  return { step: 'off', point: iss }
}

/** Of connections that never timed out. */
export const UNUSED_FRTO = createFrto(seq(0))
