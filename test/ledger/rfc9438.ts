// RFC 9438, CUBIC. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

const CUBIC = 'src/tcp/congestion/cubic.ts'

/** RFC 9438, CUBIC for Fast and Long-Distance Networks. */
export const CUBIC_WINDOW = rfc(9438, 'CUBIC for Fast and Long-Distance Networks', [
  {
    at: '4.1-a',
    word: 'SHOULD',
    meaning: 'The windows are counted in segments; where the segment changes they stand for the same octets.',
    tests: ['larger segments do not open the window, which is bytes: W_max and W_est follow'],
    code: [`${CUBIC} followMss`],
  },
  {
    at: '4.2-a',
    word: 'MUST',
    meaning: 'The window grows by a cubic function of the time since congestion avoidance began, with C of 0.4.',
    tests: [
      'K is the time in which the window climbs back to W_max',
      'follows W(t): concave up to W_max at K, then convex',
    ],
    code: [`${CUBIC} wCubic`, `${CUBIC} cubicK`],
  },
  {
    at: '4.2-b',
    word: 'MUST',
    meaning: 'It grows by no more than half as much again in a round trip, and does not shrink.',
    tests: ['does not more than half as much again in a round trip'],
    code: [`${CUBIC} avoidCongestion`],
  },
  {
    at: '4.2-c',
    word: 'MUST',
    meaning: 'Time in which the application sends nothing, or little, does not count.',
    tests: [
      'stands still while the application holds the sender back',
      'stands still while the connection is idle, however long',
    ],
    code: [`${CUBIC} pauseUntil`],
  },
  {
    at: '4.3-a',
    word: 'MUST',
    meaning: 'Where Reno would be faster the window is Reno’s estimate.',
    tests: [
      'is Reno’s where Reno would be faster',
      'where that is less than Reno’s sqrt(3/2) / sqrt(p), the average window is Reno’s',
    ],
    code: [`${CUBIC} avoidCongestion`],
  },
  {
    at: '4.3-b',
    word: 'SHOULD',
    meaning: 'Its additive increase is 9/17 up to the window before the loss, 1 beyond it.',
    tests: ['alpha is 3 (1 - beta) / (1 + beta), 9/17'],
    code: [`${CUBIC} ALPHA_CUBIC`, `${CUBIC} avoidCongestion`],
  },
  {
    at: '4.4-a',
    word: 'MUST',
    meaning:
      'Below W_max, and above it (§4.5), each acknowledgement opens the window by its share of the way to the target.',
    tests: ['follows W(t): concave up to W_max at K, then convex', 'counts bytes, not acknowledgements'],
    code: [`${CUBIC} avoidCongestion`],
  },
  {
    at: '4.6-a',
    word: 'MUST',
    meaning: 'A loss sets ssthresh to 0.7 of what is in flight, two segments at least, and W_max to the window.',
    tests: ['a loss leaves beta of what was in flight, and W_max where the window was'],
    code: [`${CUBIC} reduce`],
  },
  {
    at: '4.6-b',
    word: 'MUST',
    meaning: 'An ECN mark does the same.',
    reason: 'in part: in congestion avoidance it leaves 0.85, as RFC 8511 has it',
    tests: ['an ECN mark leaves 0.85 in congestion avoidance, 0.7 in slow start'],
    code: [`${CUBIC} reduce`],
  },
  {
    at: '4.7-a',
    word: 'SHOULD',
    meaning: 'A second loss below W_max takes W_max down further (fast convergence).',
    tests: ['a second loss below W_max takes W_max down further'],
    code: [`${CUBIC} reduce`],
  },
  {
    at: '4.8-a',
    word: 'MUST',
    meaning:
      'After a timeout cwnd follows Reno, ssthresh is 0.7 of the flight, and the next stage begins on the plateau.',
    tests: ['after a timeout ssthresh is beta of the flight, and the next stage begins on the plateau'],
    code: [`${CUBIC} startStage`],
  },
  {
    at: '4.9-a',
    word: 'MAY',
    meaning: 'What turns out to have been no loss is taken back, the whole stage.',
    tests: ['a spurious %s puts the whole stage back'],
    code: [`${CUBIC} saveStage`],
  },
  {
    at: '4.10-a',
    word: 'MUST',
    meaning: 'Slow start is used below ssthresh; HyStart++ ends it before it loses much.',
    tests: [
      'after slow start that no loss ended begins on the plateau',
      'HyStart++ sees the queue grow and loses a third of what blind slow start loses, at most',
    ],
    code: [`${CUBIC} createCubic`],
  },
])
