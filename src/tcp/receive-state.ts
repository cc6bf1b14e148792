// Records of the receiving side beside RCV.*: when to acknowledge, and how large the receive buffer is to be.
// Owns: their fields and what they start from. Does not own: the rules (acknowledge.ts, receive-buffer.ts).

import type { Micros } from '../base/time.ts'
import type { AckReason } from './reasons.ts'
import { type Seq, seq } from './seq.ts'

/** When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2). All but the reasons and `shorts` is for `delayedAck: 'adaptive'`. */
export interface AckState {
  /** Why the acknowledgement that is owed is to be sent. */
  reason: AckReason
  /** Why the last one went. */
  lastReason: AckReason
  /** How long an acknowledgement waits for company, by the pauses between segments with text; -1 before the first. */
  atoUs: Micros
  /** When text last came in order. */
  textAt: Micros
  /** Acknowledgements still to be sent without delay. */
  quickLeft: number
  /** Answers that followed closely on what was received; enough of them make the connection an interactive one. */
  replies: number
  /** Duplicate acknowledgements that went at once, up to three, and of which number. */
  duplicates: number
  duplicatesOf: Seq
  /** Segments shorter than a full one since the last acknowledgement; the count stops at 2. */
  shorts: number
}

/** Before the first text. */
export function createAck(): AckState {
  return {
    reason: 'none',
    lastReason: 'none',
    atoUs: -1,
    textAt: 0,
    quickLeft: 0,
    replies: 0,
    duplicates: 0,
    duplicatesOf: seq(0),
    shorts: 0,
  }
}

/** A packet in memory: the text of `[start, end)`, what it is charged, and how many octets still fit behind its text. */
export interface HeldPacket {
  start: Seq
  end: Seq
  readonly truesize: number
  room: number
}

/** What Linux keeps of the receive side. In bytes. */
export interface LinuxWindow {
  /** sk_rcvbuf, scaling_ratio (of 256: the part of memory that is text), window_clamp, rcv_ssthresh, icsk_ack.rcv_mss. */
  rcvbuf: number
  ratio: number
  clamp: number
  ssthresh: number
  rcvMss: number
  /** rcvq_space: what was read in the last round trip, from where and when this one counts. */
  space: number
  spaceSeq: Seq
  spaceAt: Micros
  /** rcv_wnd: the window as it was last told, from rcv_wup on. */
  told: number
  held: HeldPacket[]
  /** rmem_alloc. */
  charged: number
}

/** How large the receive buffer is to be, by what the application takes in a round trip. */
export interface TuningState {
  /** What the buffer has grown to; 0 while it is as configured. */
  bufferBytes: number
  /** The round trip as the receiver sees it, the least of the last minute; -1 before the first sample. */
  rttUs: Micros
  /** When that sample was taken. */
  rttAt: Micros
  /** The echoed timestamp that gave the last sample: each gives one. */
  lastEcr: number
  /** Without timestamps: what was the right edge of the window at `edgeAt`; text from there takes a round trip to come. */
  edge: Seq
  /** -1 before the first text. */
  edgeAt: Micros
  /** When the present round trip began; -1 before the first text. */
  since: Micros
  /** What the application has read in it, and had read in the one before. */
  readBytes: number
  lastReadBytes: number
  /** Of what the buffer has grown by, how much the peer has not come to use yet: half of that is acknowledged segment by segment. */
  newBytes: number
  /** With `windowGrowth: 'linux'`, once the connection is open. */
  linux: LinuxWindow | null
}

/** Before the first text. */
export function createTuning(): TuningState {
  return {
    bufferBytes: 0,
    rttUs: -1,
    rttAt: 0,
    lastEcr: 0,
    edge: seq(0),
    edgeAt: -1,
    since: -1,
    readBytes: 0,
    lastReadBytes: 0,
    newBytes: 0,
    linux: null,
  }
}
