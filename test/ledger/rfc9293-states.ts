// What RFC 9293 asks for without a number: the rules of §3.10, state by state, and sequence numbers. Owns: its clauses, in our own words,
// and what speaks for each.

import { rfc } from './clause.ts'

const ARRIVES = 'src/tcp/segment-arrives.ts'

/** RFC 9293, the rules that it does not number. */
export const STATES = rfc(9293, 'Transmission Control Protocol (TCP), rules without a number', [
  {
    at: '3.4-a',
    word: 'MUST',
    meaning: 'All arithmetic on sequence numbers is modulo 2^32.',
    tests: ['sequence numbers compare modulo 2^32', 'text is right when SND.UNA meets ISS again after 4 GiB'],
    code: ['src/tcp/seq.ts seqDiff'],
  },
  {
    at: '3.5-a',
    word: 'MUST',
    meaning: 'Figures 6 to 10 run as drawn: opens of both sides, old duplicates, half-open connections.',
    tests: [
      'an active open runs through SYN-SENT to ESTABLISHED',
      'a passive open runs through SYN-RECEIVED to ESTABLISHED',
      'an old duplicate SYN: the peer resets what it did not ask for',
      'half-open discovery: the peer has forgotten us and opens anew',
      'half-open discovery: we have forgotten the peer, which sends text',
    ],
    code: [`${ARRIVES} segmentArrives`, 'src/tcp/handshake.ts arrivesInSynSent'],
  },
  {
    at: '3.10.4-a',
    word: 'MUST',
    meaning: 'CLOSE sends what is queued and then FIN; while the handshake is under way it waits.',
    tests: [
      'text that is queued goes out before the FIN',
      'CLOSE in SYN-RECEIVED takes effect once the handshake is done',
    ],
    code: ['src/tcp/user-calls.ts queueFin'],
  },
  {
    at: '3.10.5-a',
    word: 'MUST',
    meaning: 'ABORT throws all queues away, and resets where the peer has to know.',
    tests: [
      'abort resets at once where the peer does not know yet',
      'abort throws away what is queued and what was received',
    ],
    code: ['src/tcp/closing.ts abortTcb'],
  },
  {
    at: '3.10.7.1-a',
    word: 'MUST',
    meaning: 'What belongs to no connection is reset, with the numbers that its sender believes; a reset never is.',
    tests: ['a segment for no connection: its ACK is the number of the reset', 'resets are never answered'],
    code: ['src/tcp/reset.ts planReset', 'src/tcp/reset.ts queueReset'],
  },
  {
    at: '3.10.7.2-a',
    word: 'MUST',
    meaning: 'In LISTEN an ACK is reset, a RST and what has no SYN is dropped.',
    tests: ['in LISTEN an ACK is reset, a RST and a segment without SYN are dropped'],
    code: ['src/tcp/passive-open.ts PassiveOpens.handle'],
  },
  {
    at: '3.10.7.2-b',
    word: 'MUST',
    meaning: 'In LISTEN a SYN opens, though it carries FIN.',
    reason: 'declined: no TCP sends both; who does is looking for gaps in a filter, and is not answered, as in Linux',
    tests: ['a SYN that carries FIN opens nothing and is not answered'],
    code: ['src/tcp/listener.ts Listener.judge'],
  },
  {
    at: '3.10.7.3-a',
    word: 'MUST',
    meaning: 'In SYN-SENT a RST counts only when it acknowledges the SYN; text and FIN of the SYN,ACK are taken.',
    tests: ['a reset that acknowledges our SYN refuses the connection', 'text and FIN of a SYN,ACK are taken at once'],
    code: ['src/tcp/handshake.ts arrivesInSynSent'],
  },
  {
    at: '3.10.7.4-a',
    word: 'MUST',
    meaning:
      'First: what lies outside of the window is answered with an acknowledgement, unless it is a reset, and dropped.',
    tests: [
      'text seen before is acknowledged at once and not delivered again',
      'does in each state what the RFC says',
      'an acknowledgement at the right edge of a full window counts',
    ],
    code: [`${ARRIVES} answerUnacceptable`, 'src/tcp/acceptability.ts isAcceptable'],
    note: 'an acknowledgement at the very edge of a window that the peer has filled is taken, though table 6 would refuse it; as in Linux',
  },
  {
    at: '3.10.7.4-b',
    word: 'MUST',
    meaning: 'Second: a reset ends the connection; from a passive open it goes back to LISTEN.',
    tests: [
      'a reset sends a passive open back to LISTEN, and its user hears nothing',
      'after a reset no text can be read, and what was queued is gone',
    ],
    code: [`${ARRIVES} arrivesReset`],
  },
  {
    at: '3.10.7.4-c',
    word: 'MUST',
    meaning: 'Fourth: a SYN on a synchronized connection draws a challenge.',
    tests: ['a SYN in a synchronized state is challenged whatever its number'],
    code: [`${ARRIVES} arrivesSyn`],
  },
  {
    at: '3.10.7.4-d',
    word: 'MUST',
    meaning: 'Fifth: what has no ACK is dropped; an acknowledgement of what was never sent is answered and dropped.',
    tests: [
      'an acknowledgement is believed from SND.UNA - MAX.SND.WND to SND.NXT',
      'does in each state what the RFC says',
    ],
    code: [`${ARRIVES} ackOfRest`],
  },
  {
    at: '3.10.7.4-e',
    word: 'MUST',
    meaning: 'Fifth: the window is taken from the newest segment only.',
    tests: [
      'a window is taken from the newest segment only: older ones do not change it',
      'a segment of newer text with an older acknowledgement does not set the window',
    ],
    code: ['src/tcp/window.ts updateSendWindow'],
  },
  {
    at: '3.10.7.4-f',
    word: 'MUST',
    meaning: 'Seventh: text in the window is taken once and in order, what lies beyond it is cut off.',
    tests: [
      'text beyond the window is cut off, what is in it is taken',
      'overlapping text is delivered once, in every alignment, octet for octet',
    ],
    code: ['src/tcp/receive.ts receiveText'],
  },
  {
    at: '3.10.7.4-g',
    word: 'MUST',
    meaning: 'Eighth: FIN moves the state on, and is acknowledged each time it comes.',
    tests: [
      'a FIN that comes again is acknowledged again',
      'the peer’s FIN again restarts 2 MSL',
      'a FIN that acknowledges ours leads straight to TIME-WAIT',
    ],
    code: ['src/tcp/receive.ts receiveFin'],
  },
])
