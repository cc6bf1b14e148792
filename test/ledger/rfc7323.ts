// RFC 7323, TCP Extensions for High Performance. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

/** RFC 7323, TCP Extensions for High Performance. */
export const HIGH_PERFORMANCE = rfc(7323, 'TCP Extensions for High Performance', [
  {
    at: '2.2-a',
    word: 'MUST',
    meaning: 'Windows are scaled only when both SYNs carry the option.',
    tests: ['a SYN that offers … is answered with that and MSS', 'our SYN does not offer it'],
    code: ['src/tcp/handshake.ts takeSyn'],
  },
  {
    at: '2.2-b',
    word: 'MUST',
    meaning: 'The windows of SYN and SYN,ACK themselves are never scaled.',
    tests: ['the windows of SYN and SYN,ACK are not scaled, later ones are'],
    code: ['src/tcp/handshake.ts takeSyn', 'src/tcp/window.ts advertiseWindow'],
  },
  {
    at: '2.2-c',
    word: 'MUST',
    meaning: 'The option counts in SYNs only.',
    tests: ['no MSS, scale or SACK-permitted option outside of SYN is sent or believed'],
    code: ['src/tcp/header.ts parseOption'],
  },
  {
    at: '2.3-a',
    word: 'MUST',
    meaning: 'A shift count above 14 is taken for 14.',
    tests: ['a window scale above 14 is taken for 14'],
    code: ['src/tcp/handshake.ts takeSyn'],
  },
  {
    at: '2.3-b',
    word: 'MUST',
    meaning: 'The window field is shifted, theirs to the left, ours to the right.',
    tests: ['the window is scaled by the shift count agreed on'],
    code: ['src/tcp/window.ts updateSendWindow', 'src/tcp/window.ts advertiseWindow'],
  },
  {
    at: '2.4-a',
    word: 'MUST',
    meaning: 'What lies in a window that was promised is taken, though rounding may seem to have drawn it back.',
    tests: [
      'an edge that rounding seems to draw back, by less than a unit, still holds',
      'our right edge never moves left, whatever comes and is read',
    ],
    code: ['src/tcp/window.ts promisedUnits', 'src/tcp/acceptability.ts isAcceptable'],
  },
  {
    at: '3.2-a',
    word: 'MUST',
    meaning: 'Once agreed on, timestamps are on every segment but resets.',
    tests: [
      'once agreed on, timestamps are on every segment',
      'every segment carries our clock in milliseconds and echoes TS.Recent',
    ],
    code: ['src/tcp/fill.ts fill'],
  },
  {
    at: '3.2-b',
    word: 'MUST',
    meaning: 'They are not sent when the peer’s SYN had none.',
    tests: ['without the peer’s timestamps on SYN none are sent'],
    code: ['src/tcp/handshake.ts takeSyn'],
  },
  {
    at: '3.2-c',
    word: 'MUST',
    meaning: 'Where nothing is acknowledged the echo is 0.',
    tests: ['a SYN echoes 0, for it acknowledges nothing'],
    code: ['src/tcp/fill.ts fill'],
  },
  {
    at: '3.2-d',
    word: 'SHOULD',
    meaning: 'A segment that lacks its timestamp is dropped.',
    reason: 'declined: as in Linux it is taken; middleboxes that strip options would otherwise end connections',
    tests: ['a segment that lacks its timestamp is taken all the same, as in Linux'],
    code: ['src/tcp/acceptability.ts isOldDuplicate'],
  },
  {
    at: '4.1-a',
    word: 'SHOULD',
    meaning: 'Round trips are measured by the echo, also of what was sent again.',
    tests: [
      'round trips are measured by the echo, also of what was sent twice',
      'an echo of any copy but the last is no round trip',
    ],
    code: ['src/tcp/ack.ts measure'],
  },
  {
    at: '4.2-a',
    word: 'SHOULD',
    meaning: 'Many samples in a round trip do not make SRTT and RTTVAR forget sooner.',
    reason:
      'not yet: each sample moves them by RFC 6298’s shares; the least variance of 200 ms keeps the timeout from shrinking with RTTVAR',
    code: ['src/tcp/rtt.ts sampleRtt'],
  },
  {
    at: '4.3-a',
    word: 'MUST',
    meaning: 'The timestamp echoed is that of the segment that moved the window’s left edge last.',
    tests: [
      'delayed ACK: the earliest timestamp that waits is echoed',
      'a hole in the sequence space: the timestamp before the hole is echoed',
      'a filled hole: the timestamp of what filled it is echoed',
    ],
    code: ['src/tcp/acceptability.ts takeTimestamp'],
  },
  {
    at: '4.3-b',
    word: 'MUST',
    meaning: 'A segment beyond what was acknowledged last does not change what is echoed.',
    tests: ['a segment beyond Last.ACK.sent does not change TS.Recent'],
    code: ['src/tcp/acceptability.ts takeTimestamp'],
  },
  {
    at: '5.2-a',
    word: 'MUST',
    meaning: 'Timestamps are compared modulo 2^32.',
    tests: ['timestamps are compared modulo 2^32'],
    code: ['src/tcp/acceptability.ts isOldDuplicate'],
  },
  {
    at: '5.2-b',
    word: 'MUST',
    meaning: 'A reset is never refused for its timestamp.',
    tests: ['a reset is never refused for its timestamp'],
    code: ['src/tcp/acceptability.ts isOldDuplicate'],
  },
  {
    at: '5.3-a',
    word: 'MUST',
    meaning: 'R1: a segment with a timestamp before the one echoed is answered with an acknowledgement, and dropped.',
    tests: [
      'a segment with an old timestamp is refused with an ACK, its text not taken',
      'PAWS: an old duplicate from before the wrap is refused',
      'it is refused with text, with other numbers, with a larger window, or after an RTO',
    ],
    code: ['src/tcp/acceptability.ts isOldDuplicate'],
  },
  {
    at: '5.3-b',
    word: 'MUST',
    meaning: '... though it be a bare acknowledgement that another has overtaken.',
    reason: 'declined: it can do no harm, and its SACK blocks would be lost; as in Linux',
    tests: ['a bare acknowledgement that was overtaken counts, SACK blocks and all'],
    code: ['src/tcp/acceptability.ts isOvertaken'],
  },
  {
    at: '5.3-c',
    word: 'MUST',
    meaning: '... though it be text that a retransmission has overtaken.',
    reason:
      'declined: while text waits out of order, new text whose timestamp is surely of this lap of sequence space fills its hole',
    tests: ['text that a retransmission has overtaken fills its hole'],
    code: ['src/tcp/acceptability.ts isReordered'],
  },
  {
    at: '5.4-a',
    word: 'MUST',
    meaning: 'The clock ticks between once a millisecond and once a second.',
    tests: ['every segment carries our clock in milliseconds and echoes TS.Recent'],
    code: ['src/tcp/timestamps.ts timestampAt'],
  },
  {
    at: '5.4-b',
    word: 'SHOULD',
    meaning: 'Each connection’s clock has an offset of its own, which tells nothing of the host.',
    tests: ['the clock starts elsewhere for each connection'],
    code: ['src/tcp/timestamps.ts timestampNow', 'src/tcp/layer.ts TcpLayer.timestampOffset'],
  },
  {
    at: '5.5-a',
    word: 'MUST',
    meaning: 'A timestamp kept for more than 24 days is no longer believed.',
    tests: ['a TS.Recent older than 24 days is not believed, and is replaced'],
    code: ['src/tcp/acceptability.ts isOldDuplicate', 'src/tcp/acceptability.ts TIMESTAMP_AGE_US'],
  },
])
