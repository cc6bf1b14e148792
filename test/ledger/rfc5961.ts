// RFC 5961, Improving TCP's Robustness to Blind In-Window Attacks. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

/** RFC 5961, Improving TCP's Robustness to Blind In-Window Attacks. */
export const ROBUSTNESS = rfc(5961, 'Improving TCP’s Robustness to Blind In-Window Attacks', [
  {
    at: '3.2-a',
    word: 'MUST',
    meaning: 'A reset outside of the window is dropped in silence.',
    tests: ['only a reset at exactly RCV.NXT is believed; elsewhere in the window it is challenged'],
    code: ['src/tcp/segment-arrives.ts answerUnacceptable'],
  },
  {
    at: '3.2-b',
    word: 'MUST',
    meaning: 'A reset at exactly RCV.NXT ends the connection.',
    tests: [
      'only a reset at exactly RCV.NXT is believed; elsewhere in the window it is challenged',
      'a true peer answers the challenge with a reset that fits',
    ],
    code: ['src/tcp/segment-arrives.ts arrivesReset'],
  },
  {
    at: '3.2-c',
    word: 'MUST',
    meaning: 'A reset elsewhere in the window is answered with a challenge, and does nothing else.',
    tests: [
      'only a reset at exactly RCV.NXT is believed; elsewhere in the window it is challenged',
      'a reset that is not at RCV.NXT never ends TIME-WAIT',
      'a reset that is only challenged leaves TS.Recent alone',
    ],
    code: ['src/tcp/segment-arrives.ts arrivesReset'],
  },
  {
    at: '3.2-d',
    word: 'MUST',
    meaning: 'In SYN-SENT a reset counts only when it acknowledges the SYN.',
    tests: ['a reset that acknowledges our SYN refuses the connection'],
    code: ['src/tcp/handshake.ts arrivesInSynSent'],
  },
  {
    at: '4.2-a',
    word: 'MUST',
    meaning: 'A SYN on a synchronized connection is answered with a challenge, whatever its number, and dropped.',
    tests: ['a SYN in a synchronized state is challenged whatever its number'],
    code: ['src/tcp/segment-arrives.ts arrivesSyn'],
  },
  {
    at: '5.2-a',
    word: 'MAY',
    meaning: 'An acknowledgement is believed from SND.UNA less the largest window ever offered up to SND.NXT.',
    tests: ['an acknowledgement is believed from SND.UNA - MAX.SND.WND to SND.NXT'],
    code: ['src/tcp/acceptability.ts isAckInRange'],
  },
  {
    at: '5.2-b',
    word: 'MUST',
    meaning: 'A segment whose acknowledgement is not believed is dropped, and answered with an acknowledgement.',
    tests: [
      'an acknowledgement is believed from SND.UNA - MAX.SND.WND to SND.NXT',
      'a segment whose acknowledgement is not believed leaves TS.Recent alone',
    ],
    code: ['src/tcp/segment-arrives.ts ackOfRest'],
  },
  {
    at: '7-a',
    word: 'SHOULD',
    meaning: 'Challenges are limited in rate, and the limit can be set.',
    tests: [
      'what should not have come draws one acknowledgement in half a second',
      'each second grants another number, from half of it',
    ],
    code: ['src/tcp/acknowledge.ts owesChallenge', 'src/tcp/challenge-budget.ts ChallengeBudget.take'],
  },
])
