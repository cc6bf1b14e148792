// RFC 6675, loss recovery by SACK. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

/** RFC 6675, Loss Recovery Algorithm Based on SACK. */
export const SACK_RECOVERY = rfc(6675, 'A Conservative Loss Recovery Algorithm Based on SACK for TCP', [
  {
    at: '2-a',
    word: 'MUST',
    meaning: 'A duplicate acknowledgement is one that brings news in its SACK blocks.',
    tests: ['SACK: a duplicate ACK without news is not counted'],
    code: ['src/tcp/loss.ts countDuplicates'],
  },
  {
    at: '3-a',
    word: 'MUST',
    meaning: 'What was SACKed, lost, and sent again is kept on a scoreboard.',
    tests: ['marks, counts and order hold whatever happens'],
    code: ['src/tcp/flight.ts Flight', 'src/tcp/sack.ts takeSack'],
  },
  {
    at: '4-a',
    word: 'MUST',
    meaning: 'IsLost: three blocks above it, or more than two segments of octets, and a hole is lost.',
    tests: [
      'SACK: three blocks, or more than two segments above, and the hole is lost',
      'SACK: one ACK that tells of three blocks, or of enough octets up to the very end, is enough',
    ],
    code: ['src/tcp/loss.ts markLostBySack'],
  },
  {
    at: '4-b',
    word: 'MUST',
    meaning: 'SetPipe: what is in the network is what is out, less what was SACKed or lost, and with what went again.',
    tests: ['SACK: all holes that are lost go again as pipe allows, before new text'],
    code: ['src/tcp/loss.ts pipe'],
  },
  {
    at: '4-c',
    word: 'MUST',
    meaning: 'NextSeg (1): the lowest hole that is lost goes first, and by SACK alone only once.',
    tests: ['SACK: what has been sent again is not sent a third time by SACK alone'],
    code: ['src/tcp/output.ts nextLost'],
  },
  {
    at: '4-d',
    word: 'SHOULD',
    meaning: 'NextSeg (2): where nothing is lost new text goes.',
    tests: ['SACK: all holes that are lost go again as pipe allows, before new text'],
    code: ['src/tcp/output.ts nextText'],
  },
  {
    at: '4-e',
    word: 'MAY',
    meaning: 'NextSeg (3): with nothing new to send, a hole that is not surely lost goes.',
    tests: ['SACK: with nothing new to send the holes that are not surely lost go as well'],
    code: ['src/tcp/loss.ts suspectNextHole'],
  },
  {
    at: '4-f',
    word: 'MAY',
    meaning: 'NextSeg (4): once a recovery the highest segment goes again, to draw SACK blocks.',
    reason: 'declined: RACK and tail loss probes, which are on by default, mend a lost tail (RFC 8985 §7)',
  },
  {
    at: '5-a',
    word: 'MUST',
    meaning: 'Step (4.2): recovery sets cwnd and ssthresh to half of the flight, once.',
    tests: ['with SACK a loss halves the window too, once a recovery'],
    code: ['src/tcp/loss.ts enterRecovery'],
  },
  {
    at: '5-b',
    word: 'MUST',
    meaning: 'Step (C): a segment goes for each that pipe leaves room for in cwnd.',
    tests: ['SACK: all holes that are lost go again as pipe allows, before new text'],
    code: ['src/tcp/output.ts nextLost'],
  },
  {
    at: '5.1-a',
    word: 'SHOULD',
    meaning: 'After a timeout what was SACKed is not sent again, unless the peer shows that it threw it away.',
    tests: [
      'SACK: text that was SACKed is not sent again, also after a timeout',
      'SACK: after a timeout what was SACKed counts as arrived though no ACK says so again',
      'SACK: a peer that has thrown away what it SACKed gets it again',
    ],
    code: ['src/tcp/loss.ts onRetransmissionTimeout'],
  },
])
