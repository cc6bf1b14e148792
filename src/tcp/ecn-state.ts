// What a connection keeps of explicit congestion notification, and the words for it. A plain record; the rules are in ecn.ts (RFC 3168,
// RFC 8257) and accecn.ts (RFC 9768). Owns: shapes and first values.

import type { Micros } from '../base/time.ts'
import type { Seq } from './seq.ts'

/** The ECN field of the IP header (RFC 3168 §5). */
export const ECN = { NOT_ECT: 0, ECT1: 1, ECT0: 2, CE: 3 } as const

/** How both ends tell one another of marks: not at all, RFC 3168's one bit, RFC 9768's counter. */
export type EcnMode = 'off' | 'classic' | 'accurate'

/** An acknowledgement that must not be merged with later ones: up to `ack`, with the ECN bits that were true then. */
export interface HeldAck {
  readonly ack: Seq
  readonly flags: number
}

/** What the AccECN option needs (accecn-option.ts). Counters stand by ECN field: [Not-ECT, ECT(1), ECT(0), CE], in octets of text. */
export interface EcnOption {
  /** We send it: acknowledgements that carry it do arrive. */
  isSending: boolean
  /** What becomes of the peer's: not known yet; not seen; seen; zeroed on the way and passed over. */
  peer: 'unknown' | 'absent' | 'seen' | 'ignored'
  /** r.e1b, r.e0b, r.ceb; and what our last option has told of them. */
  readonly received: number[]
  readonly told: number[]
  /** Bits of the counters that have ever changed, and since the last option. */
  changed: number
  pending: number
  /** The counter that the last text went to; -1 before the first. */
  lastField: number
  /** So many more segments carry the option whatever else there is to tell. */
  demand: number
  sentAt: Micros
  /** Old text in a row. */
  repeats: number
  /** s.e1b, s.e0b, s.ceb: the same as the peer tells it. */
  readonly delivered: number[]
  /** Marks that ACE has told of since s.ceb was last told. */
  marksSince: number
  /** Segments with text sent when nothing was left in flight at such a time. */
  clearSegments: number
}

/** First values (RFC 9768 §3.2.1): neither of the counters of ECT may be 0, so that clearing them shows. */
export function createOption(demand: number): EcnOption {
  return {
    isSending: true,
    peer: 'unknown',
    received: [0, 1, 1, 0],
    told: [0, 1, 1, 0],
    changed: 0,
    pending: 0,
    lastField: -1,
    demand,
    sentAt: Number.NEGATIVE_INFINITY,
    repeats: 0,
    delivered: [0, 1, 1, 0],
    marksSince: 0,
    clearSegments: 0,
  }
}

/** ECN of one connection. */
export interface EcnState {
  /** Agreed on. */
  mode: EcnMode
  /** What our first SYN asks for. */
  asked: EcnMode
  /** The peer has sent an ECN-capable packet, or one that was marked. */
  isSeen: boolean

  // The sender.
  /** What we send may be marked: false when the path is known to spoil the field (RFC 9768 §3.2.2.3, §3.2.2.4). */
  isCapable: boolean
  /** Why the window was last lowered; 'no': what is outstanding has not been answered for yet. */
  reduced: 'no' | 'mark' | 'loss'
  /** SND.NXT at that time: what is acknowledged up to here calls for no further reduction (RFC 3168 §6.1.2). */
  point: Seq
  /** CWR goes with the next new text. */
  isCwrDue: boolean
  /** It was due already when the loss came that `reduced` speaks of. */
  isMarkUntold: boolean
  /** No new text before this: a window of one segment cannot be halved (RFC 3168 §6.1.2). 0: now. */
  heldUntil: Micros
  /** Segments delivered that were marked, as far as feedback tells. */
  deliveredCe: number

  // The receiver.
  /** ECE on what we send: until CWR comes, or, with DCTCP, DCTCP.CE (RFC 8257 §3.2). */
  isEchoing: boolean
  /** Acknowledgements that go before anything else, the oldest first. */
  heldAcks: HeldAck[]

  // RFC 9768.
  /** r.cep: packets received with CE, from 5 on. */
  receivedCe: number
  /** s.cep: the same as the peer tells it. */
  sentCe: number
  /** Of receivedCe, those that no acknowledgement has told of yet. */
  untoldCe: number
  /** The ECN field of the peer's SYN, or SYN,ACK. */
  synField: number
  /** The next acknowledgement answers the SYN,ACK: it tells `synField`. */
  isHandshakeAckDue: boolean
  /** The peer's first ACE field has been looked at. */
  isAceChecked: boolean
  /** The last packet that came was marked. */
  isLastMarked: boolean
  /** The option; null: it is neither sent nor read. */
  option: EcnOption | null
}

/** Where both counters of RFC 9768 §3.2.1 begin. */
export const FIRST_CEP = 5

/** Most connections never hold one back: they share this. */
export const NO_ACKS: HeldAck[] = Object.freeze([]) as unknown as HeldAck[]

/** Before the handshake. */
export function createEcn(iss: Seq): EcnState {
  return {
    mode: 'off',
    asked: 'off',
    isSeen: false,
    isCapable: true,
    reduced: 'no',
    point: iss,
    isCwrDue: false,
    isMarkUntold: false,
    heldUntil: 0,
    deliveredCe: 0,
    isEchoing: false,
    heldAcks: NO_ACKS,
    receivedCe: FIRST_CEP,
    sentCe: FIRST_CEP,
    untoldCe: 0,
    synField: ECN.NOT_ECT,
    isHandshakeAckDue: false,
    isAceChecked: false,
    isLastMarked: false,
    option: null,
  }
}
