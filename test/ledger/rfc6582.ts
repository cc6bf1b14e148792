// RFC 6582, NewReno. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

/** RFC 6582, The NewReno Modification to TCP's Fast Recovery Algorithm. */
export const NEWRENO = rfc(6582, 'The NewReno Modification to TCP’s Fast Recovery Algorithm', [
  {
    at: '3.2-a',
    word: 'MUST',
    meaning: 'Step 1: "recover" begins at the initial number, so that the first segment may be recovered.',
    tests: ['fast retransmit works for the very first segment, also after a lost SYN'],
    code: ['src/tcp/handshake.ts establish'],
  },
  {
    at: '3.2-b',
    word: 'MUST',
    meaning: 'Step 2: duplicates of what was sent before the last recovery ended begin no other.',
    tests: ['duplicates of what was sent before recovery ended begin no other'],
    code: ['src/tcp/loss.ts isLossSeen'],
  },
  {
    at: '3.2-c',
    word: 'MUST',
    meaning: 'Step 3: a full acknowledgement ends recovery, with cwnd at ssthresh.',
    tests: ['a full ACK ends recovery with cwnd at ssthresh'],
    code: ['src/tcp/loss.ts endRecovery'],
  },
  {
    at: '3.2-d',
    word: 'MUST',
    meaning: 'Step 3: a partial one sends the next hole again at once, and recovery goes on.',
    tests: [
      'a partial ACK retransmits the next hole at once and stays in recovery',
      'a partial ACK retransmits though the window would not let it',
    ],
    code: ['src/tcp/loss.ts onAckOutcome'],
  },
  {
    at: '3.2-e',
    word: 'SHOULD',
    meaning: 'Step 3: only the first partial acknowledgement starts the retransmission timer anew.',
    tests: ['without SACK only the first partial acknowledgement restarts the timer'],
    code: ['src/tcp/loss.ts isImpatient'],
  },
  {
    at: '3.2-f',
    word: 'MUST',
    meaning: 'Step 4: a timeout ends fast recovery, and duplicates of what went before it begin no other.',
    tests: ['after a timeout duplicates of what was sent before it begin no fast retransmit'],
    code: ['src/tcp/loss.ts onRetransmissionTimeout'],
  },
])
