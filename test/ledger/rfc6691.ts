// RFC 6691, TCP options and the maximum segment size. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

/** RFC 6691, TCP Options and Maximum Segment Size. */
export const SEGMENT_SIZE = rfc(6691, 'TCP Options and Maximum Segment Size (MSS)', [
  {
    at: '2-a',
    word: 'SHOULD',
    meaning: 'The MSS that is announced is what IP can receive less the fixed headers: options do not lower it.',
    tests: [
      'the MSS that is announced does not depend on the options of our segments',
      'the MSS that we announce is what our link takes less the fixed headers',
    ],
    code: ['src/tcp/create-tcb.ts createTcb', 'src/tcp/syn-output.ts nextSyn'],
  },
  {
    at: '2-b',
    word: 'MUST',
    meaning: 'The sender takes the options of a segment off its text.',
    tests: ['timestamps take 12 octets of every segment', 'with timestamps their octets come off the new size as well'],
    code: ['src/tcp/path-mtu.ts updateSendMss'],
  },
  {
    at: '2-c',
    word: 'MUST',
    meaning: '... those that not every segment has, too: SACK blocks go where they fit.',
    tests: ['text of ours carries SACK blocks only where they fit into the segment'],
    code: ['src/tcp/sack-blocks.ts fillSack'],
  },
])
