// What is remembered of a world: every packet with both its instants, what each side's TCP said of itself, and each HTTP transaction.
// Owns: the shapes. Does not own: filling them (packet-recorder.ts, series.ts, waterfall.ts). Times are microseconds since the world began.

import type { Micros } from '../base/time.ts'

/** A packet on its way from one host to another. */
export interface PacketRecord {
  /** When its sender gave it to the network; -1 when it was seen arriving only. */
  readonly sentAt: Micros
  /** When its receiver took it; -1 when it never did, or has not yet. */
  receivedAt: Micros
  readonly from: string
  /** The host that has its destination address. */
  to: string
  /** The connection, as index into `connections`; -1 for what is not TCP. */
  readonly connection: number
  /** tcpdump's line, without addresses for TCP. */
  readonly line: string
  readonly flags: number
  /** Relative to its sender's first one. */
  readonly seq: number
  /** Relative to its receiver's first one; -1 without the ACK flag. */
  readonly ack: number
  readonly textBytes: number
  readonly packetBytes: number
  /** Window as the peer reads it, scaled. */
  readonly window: number
  readonly isAgain: boolean
  /** The request or status line that it begins with, of https 'TLS' and the kinds of its records; or empty. */
  readonly http: string
  /** What became of it besides arriving: 'queue full', 'lost on the line', the text of a fault; '' for nothing. */
  fate: string
}

/** One end of a connection at one instant: bytes. */
export interface WindowPoint {
  readonly at: Micros
  readonly cwnd: number
  /** -1 before the first loss. */
  readonly ssthresh: number
  readonly inFlight: number
  readonly peerWindow: number
  readonly acknowledged: number
  readonly phase: 'open' | 'recovery' | 'loss'
}

/** A round trip that was measured; microseconds. */
export interface RttPoint {
  readonly at: Micros
  readonly rttUs: Micros
  readonly srttUs: Micros
  readonly rtoUs: Micros
}

/** A span in which one side waited for one reason. */
export interface HoldSpan {
  readonly from: Micros
  /** Infinity while it goes on. */
  to: Micros
  /** Of an acknowledgement that was held back: why it went ('timer', 'text', ...); else ''. */
  endedBy: string
  /** 'nagle', 'cwnd', ...; for acknowledgements 'delayed', 'interactive'. */
  readonly reason: string
  readonly text: string
  readonly clause: string
}

/** Text that went again, and why. */
export interface ResentPoint {
  readonly at: Micros
  readonly seq: number
  readonly bytes: number
  readonly cause: string
  readonly text: string
  readonly clause: string
}

/** One end of a connection. */
export interface EndRecord {
  readonly host: string
  readonly mss: number
  readonly windows: readonly WindowPoint[]
  readonly rtts: readonly RttPoint[]
  readonly holds: readonly HoldSpan[]
  readonly ackHolds: readonly HoldSpan[]
  readonly resent: readonly ResentPoint[]
  readonly states: readonly { readonly at: Micros; readonly to: string }[]
}

/** A connection: the end that opened it first. */
export interface ConnectionRecord {
  /** 'client:49152 > server:80'. */
  readonly name: string
  readonly ends: readonly EndRecord[]
}

/** A part of a transaction's time. */
export interface Slice {
  readonly from: Micros
  readonly to: Micros
  /** See waterfall.ts. */
  readonly cause: string
  readonly text: string
  readonly clause: string
}

/** One HTTP exchange as its client saw it. */
export interface TransactionRecord {
  /** 'GET /'. */
  readonly name: string
  readonly host: string
  /** Index into `connections`; -1 when it was not found. */
  readonly connection: number
  readonly isReused: boolean
  readonly status: number
  readonly bytes: number
  readonly startedAt: Micros
  /** Until when it waited for a connection to become free, or to be begun. */
  readonly waitedUntil: Micros
  /** Requests before it on its connection that were not yet answered: above 0 it was pipelined. */
  readonly ahead: number
  /** When there was a connection: equal to `startedAt` on a kept one. */
  readonly connectedAt: Micros
  /** When TLS was agreed upon, on a kept connection `startedAt`; -1 without TLS. */
  readonly securedAt: Micros
  readonly sentAt: Micros
  readonly firstByteAt: Micros
  readonly endedAt: Micros
  readonly slices: readonly Slice[]
}

/** A queue on the way, whenever its length changed. */
export interface QueueRecord {
  /** 'left > right'. */
  readonly name: string
  readonly points: readonly (readonly [at: Micros, packets: number, bytes: number])[]
  readonly drops: readonly Micros[]
}

/** All that a world has to tell. */
export interface WorldRecord {
  readonly label: string
  readonly endedAt: Micros
  readonly hosts: readonly string[]
  readonly packets: readonly PacketRecord[]
  /** Packets that passed beyond the bound on `packets`. */
  readonly omitted: number
  readonly connections: readonly ConnectionRecord[]
  readonly transactions: readonly TransactionRecord[]
  readonly queues: readonly QueueRecord[]
  readonly faults: readonly string[]
  /** The capture of each host as a pcapng file; empty when the world was not to be captured. */
  readonly captures: readonly { readonly host: string; readonly bytes: Uint8Array }[]
  /** TLS was spoken: the bytes of the captures do not repeat, as Node draws its keys; their lengths do. */
  readonly hasTls: boolean
}
