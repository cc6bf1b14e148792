// Why nothing is sent, or acknowledged, yet, and why something is sent again: each such decision has a name, what it means in words, and
// the clause it rests on, so that `why` can be asked of a connection at any time.
// Owns: the names. Does not own: the decisions (output.ts, acknowledge.ts, loss.ts, rack.ts, tlp.ts).

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
  frto: {
    text: 'new text was sent to find out whether the timeout was needless; what it took for lost waits for the answer',
    clause: 'RFC 5682 §2.1',
  },
  pacing: { text: 'the pace lets the next packet go later', clause: 'RFC 9002 §7.7' },
} as const satisfies Record<string, Reason>

/** Name of a reason not to send. */
export type HoldReason = keyof typeof HOLD_REASONS

/** Why something was judged lost, or sent again. */
export const RETRANSMIT_CAUSES = {
  rto: { text: 'the retransmission timer expired', clause: 'RFC 6298 §5.4' },
  fast: { text: 'enough duplicate acknowledgements, or enough SACKed above it', clause: 'RFC 5681 §3.2, RFC 6675 §5' },
  rack: { text: 'something sent later was delivered, and reordering has been waited for', clause: 'RFC 8985 §6.2' },
  'reno-partial': {
    text: 'a partial acknowledgement in fast recovery tells of the next hole',
    clause: 'RFC 6582 §3.2',
  },
  suspect: {
    text: 'nothing is surely lost, nothing new can go: the first hole below what was SACKed',
    clause: 'RFC 6675 §4 NextSeg (3)',
  },
  tlp: { text: 'the end of the flight went unanswered: a tail loss probe', clause: 'RFC 8985 §7.3' },
  pmtu: { text: 'it was too big for the path', clause: 'RFC 1191 §6.5, RFC 8201 §4' },
  'fast-open': { text: 'the server did not take the text of our SYN', clause: 'RFC 7413 §4.2.1' },
  'fast-open-answer': {
    text: 'it followed a SYN,ACK that was lost, so the peer has passed it over',
    clause: 'RFC 7413 §4.2.2',
  },
  syn: { text: "the peer's SYN crossed ours, or came again", clause: 'RFC 9293 §3.5, §3.10.7.4' },
} as const satisfies Record<string, Reason>

/** Name of a reason to send something again. */
export type RetransmitCause = keyof typeof RETRANSMIT_CAUSES
/** Why an acknowledgement is not sent yet. */
export const ACK_HOLD_REASONS = {
  none: { text: 'none is owed', clause: '' },
  due: { text: 'it goes when all that has arrived is handled', clause: 'RFC 9293 §3.10.7.4' },
  delayed: { text: 'it waits for a second full segment or the timer', clause: 'RFC 9293 §3.8.6.3' },
  interactive: { text: 'it waits for an answer to ride on, or the timer', clause: 'RFC 5681 §4.2' },
} as const satisfies Record<string, Reason>

/** Name of a reason not to acknowledge yet. */
export type AckHoldReason = keyof typeof ACK_HOLD_REASONS

/** Why an acknowledgement was sent. */
export const ACK_REASONS = {
  none: { text: 'none was sent', clause: '' },
  handshake: { text: "the peer's SYN is acknowledged", clause: 'RFC 9293 §3.5' },
  'full-segments': { text: 'a second full segment has come', clause: 'RFC 5681 §4.2' },
  timer: { text: 'the timer of the delayed acknowledgement has ended', clause: 'RFC 9293 §3.8.6.3' },
  undelayed: { text: 'acknowledgements are not to be delayed', clause: 'RFC 9293 §3.8.6.3' },
  quick: { text: 'the peer starts from a small window: each step is told at once', clause: 'RFC 5681 §4.2' },
  asked: { text: 'the application has asked for quick acknowledgements', clause: '' },
  read: { text: 'the application has taken all that came, and it was less than a full segment', clause: '' },
  text: { text: 'it rides on text or FIN of ours', clause: 'RFC 9293 §3.8.6.3' },
  'out-of-order': { text: 'something before it is missing', clause: 'RFC 5681 §4.2' },
  gap: { text: 'it fills a gap, or a part of one', clause: 'RFC 5681 §4.2' },
  duplicate: { text: 'it has come before', clause: 'RFC 9293 §3.10.7.4' },
  refused: { text: 'there is no room for it', clause: 'RFC 9293 §3.10.7.4' },
  mark: { text: 'a mark of congestion has come or gone', clause: 'RFC 3168 §6.1.3' },
  fin: { text: 'the peer has said all it has to say', clause: 'RFC 9293 §3.10.7.4' },
  'window-update': { text: 'the window has opened', clause: 'RFC 9293 §3.8.6.2.2' },
  challenge: { text: 'the segment should not have come', clause: 'RFC 5961 §7' },
} as const satisfies Record<string, Reason>

/** Name of a reason to acknowledge. */
export type AckReason = keyof typeof ACK_REASONS
