// RFC 6298, Computing TCP's Retransmission Timer. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

/** RFC 6298, Computing TCP's Retransmission Timer. */
export const TIMER = rfc(6298, 'Computing TCP’s Retransmission Timer', [
  {
    at: '2.1-a',
    word: 'SHOULD',
    meaning: 'Before any sample the timeout is one second.',
    tests: ['before any sample the timeout is 1 s'],
    code: ['src/tcp/rtt.ts createRtt'],
  },
  {
    at: '2.2-a',
    word: 'MUST',
    meaning: 'The first sample is SRTT, half of it RTTVAR, and the timeout follows from both.',
    tests: ['the first sample sets SRTT and RTTVAR'],
    code: ['src/tcp/rtt.ts sampleRtt'],
  },
  {
    at: '2.3-a',
    word: 'MUST',
    meaning: 'Each further sample moves RTTVAR, by the old SRTT, and then SRTT.',
    tests: ['further samples move SRTT by an eighth and RTTVAR by a quarter'],
    code: ['src/tcp/rtt.ts sampleRtt'],
  },
  {
    at: '2.3-b',
    word: 'SHOULD',
    meaning: 'SRTT moves by an eighth, RTTVAR by a quarter.',
    tests: ['further samples move SRTT by an eighth and RTTVAR by a quarter'],
    code: ['src/tcp/rtt.ts sampleRtt'],
  },
  {
    at: '2.4-a',
    word: 'SHOULD',
    meaning: 'A timeout below a second is rounded up to one.',
    reason:
      'declined: as in Linux 200 ms bound the variance term instead; the timeout is never shorter than a peer’s delayed acknowledgement',
    tests: ['RTO is SRTT plus the greater of 4 * RTTVAR and the least variance'],
    code: ['src/tcp/rtt.ts sampleRtt'],
  },
  {
    at: '2.5-a',
    word: 'MAY',
    meaning: 'The timeout may have a greatest value, of 60 seconds at least.',
    tests: ['the timeout is bounded by two minutes'],
    code: ['src/tcp/rtt.ts backedOffRtoUs'],
  },
  {
    at: '3-a',
    word: 'MUST',
    meaning: 'What was sent twice gives no sample (Karn).',
    tests: ['text that was sent twice gives no sample', 'text that waited for what was lost before it gives no sample'],
    code: ['src/tcp/flight.ts Flight.release', 'src/tcp/ack.ts measure'],
  },
  {
    at: '3-b',
    word: 'MAY',
    meaning: '... unless a timestamp tells which copy was answered.',
    tests: ['round trips are measured by the echo, also of what was sent twice'],
    code: ['src/tcp/ack.ts measure'],
  },
  {
    at: '3-c',
    word: 'MUST',
    meaning: 'A sample is taken at least once a round trip, where Karn’s rule lets it.',
    tests: ['further samples move SRTT by an eighth and RTTVAR by a quarter'],
    code: ['src/tcp/ack.ts measure'],
  },
  {
    at: '5-a',
    word: 'MUST',
    meaning: 'No segment goes again sooner than one timeout after it went last.',
    tests: [
      'the timer starts with the first text, and anew with each acknowledgement of new text',
      'a duplicate acknowledgement does not restart it',
    ],
    code: ['src/tcp/timers.ts armRetransmit', 'src/tcp/ack.ts restartRetransmitTimer'],
  },
  {
    at: '5.1-a',
    word: 'SHOULD',
    meaning: 'Text that is sent starts the timer unless it runs.',
    tests: ['the timer starts with the first text, and anew with each acknowledgement of new text'],
    code: ['src/tcp/timers.ts armRetransmit'],
  },
  {
    at: '5.2-a',
    word: 'SHOULD',
    meaning: 'When everything is acknowledged the timer is off.',
    tests: ['it is off when everything is acknowledged'],
    code: ['src/tcp/ack.ts restartRetransmitTimer'],
  },
  {
    at: '5.3-a',
    word: 'SHOULD',
    meaning: 'When something new is acknowledged the timer starts anew; a duplicate leaves it.',
    tests: [
      'the timer starts with the first text, and anew with each acknowledgement of new text',
      'a duplicate acknowledgement does not restart it',
    ],
    code: ['src/tcp/ack.ts restartRetransmitTimer'],
  },
  {
    at: '5.4-a',
    word: 'SHOULD',
    meaning: 'When the timer ends the earliest segment that is not acknowledged goes again.',
    tests: ['after a timeout the rest follows in slow start'],
    code: ['src/tcp/loss.ts onRetransmissionTimeout'],
  },
  {
    at: '5.5-a',
    word: 'MUST',
    meaning: 'The timeout is doubled then.',
    tests: ['each timeout doubles the next one'],
    code: ['src/tcp/rtt.ts backedOffRtoUs'],
  },
  {
    at: '5.5-b',
    word: 'SHOULD',
    meaning: 'It stays doubled until a new sample.',
    reason:
      'in part: without timestamps a bad link may bring no sample for long, so each step forward ends the doubling; a timeout that was needless keeps one',
    tests: [
      'text that was sent twice gives no sample',
      'losses one after the other, each mended by a timeout, do not add up',
    ],
    code: ['src/tcp/ack.ts measure'],
  },
  {
    at: '5.7-a',
    word: 'MUST',
    meaning: 'After a SYN that timed out, with a timeout below 3 seconds, text begins with 3 seconds.',
    tests: ['after a SYN that timed out the first timeout of text is 3 s, not doubled'],
    code: ['src/tcp/handshake.ts establish'],
  },
])
