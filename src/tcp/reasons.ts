// Why nothing is sent, or acknowledged, yet: each decision to wait has a name, what it means in words, and the clause it rests on, so that
// `why` can be asked of a connection at any time. Owns: the names. Does not own: the decisions (output.ts, receive.ts).

/** A reason and where it comes from. */
export interface Reason {
  readonly text: string
  /** The clause it rests on; empty where there is none. */
  readonly clause: string
}

/** Why nothing more was sent when output was last asked. */
export const HOLD_REASONS = {
  nothing: { text: 'there is nothing to send', clause: '' },
  handshake: { text: 'the handshake is under way', clause: 'RFC 9293 §3.10.2' },
  nagle: {
    text: 'a small segment waits until what is in flight (of small ones, by default) is acknowledged',
    clause: 'RFC 9293 §3.7.4',
  },
  cork: { text: 'the application has more to come: only full segments go until then', clause: 'RFC 9293 §3.9.1.2' },
  window: { text: "the peer's window is full", clause: 'RFC 9293 §3.8.6' },
  'silly-window': {
    text: "the peer's window is open, but by less than is worth a segment",
    clause: 'RFC 9293 §3.8.6.2.1',
  },
  cwnd: { text: 'the congestion window is full', clause: 'RFC 5681 §3.1' },
  pacing: { text: 'the pace lets the next packet go later', clause: 'RFC 9002 §7.7' },
} as const satisfies Record<string, Reason>

/** Name of a reason not to send. */
export type HoldReason = keyof typeof HOLD_REASONS
