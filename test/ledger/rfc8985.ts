// RFC 8985, RACK-TLP. Owns: its clauses, in our own words, and what speaks for each.

import { rfc } from './clause.ts'

/** RFC 8985, The RACK-TLP Loss Detection Algorithm for TCP. */
export const RACK_TLP = rfc(8985, 'The RACK-TLP Loss Detection Algorithm for TCP', [
  {
    at: '4-a',
    word: 'MUST',
    meaning: 'RACK is used on connections with SACK, and on no others.',
    tests: ['without SACK there is no RACK'],
    code: ['src/tcp/loss.ts judgeFlight'],
  },
  {
    at: '6.2-a',
    word: 'MUST',
    meaning:
      'Step 2: the newest delivery is the one sent last; of those sent at once, the one with the highest number.',
    tests: ['segments sent at the same time are ordered by sequence: those above are not lost'],
    code: ['src/tcp/rack.ts updateRack', 'src/tcp/flight-entry.ts isSentAfter'],
  },
  {
    at: '6.2-b',
    word: 'MUST',
    meaning: 'Step 2: a retransmission that may have been answered for its original tells nothing.',
    tests: [
      'a retransmission acknowledged faster than min_RTT tells nothing of those sent before it',
      'an echo older than the retransmission says which copy it was, however late',
      'what else that acknowledgement brings does tell',
    ],
    code: ['src/tcp/ack.ts takeNumbers'],
  },
  {
    at: '6.2-c',
    word: 'MUST',
    meaning: 'Step 3: a delivery below the highest one, of what was sent once, is reordering.',
    tests: [
      'what was sent twice and comes late is no sign of reordering',
      'once reordering was seen, three SACKed segments retransmit nothing',
    ],
    code: ['src/tcp/rack.ts updateRack'],
  },
  {
    at: '6.2-d',
    word: 'SHOULD',
    meaning: 'Step 4: until reordering is seen there is no window in recovery, or with three segments SACKed.',
    tests: [
      'three segments SACKed take away the reordering window',
      'small segments count as segments, not by their bytes',
    ],
    code: ['src/tcp/rack.ts reorderingWindowUs'],
  },
  {
    at: '6.2-e',
    word: 'SHOULD',
    meaning:
      'Step 4: otherwise it is a quarter of the least round trip, and a quarter more for each round trip with a DSACK.',
    tests: [
      'a DSACK widens the window by a quarter of min_RTT, once in a round trip',
      'the widened window lasts for 16 recoveries',
    ],
    code: ['src/tcp/rack.ts onDsack', 'src/tcp/rack.ts onRecoveryEnd'],
  },
  {
    at: '6.2-f',
    word: 'MUST',
    meaning: 'Step 4: the window is never wider than SRTT.',
    tests: ['the window is never wider than SRTT'],
    code: ['src/tcp/rack.ts reorderingWindowUs'],
  },
  {
    at: '6.2-g',
    word: 'MUST',
    meaning: 'Step 5: what was sent before the newest delivery is lost once a round trip and the window have passed.',
    tests: [
      'a segment is lost a quarter of min_RTT after one that was sent later was delivered',
      'a segment older than the window is lost when the acknowledgement arrives, without a timer',
      'a retransmission that is lost goes again when what was sent after it arrives',
    ],
    code: ['src/tcp/rack.ts detectLostByTime'],
  },
  {
    at: '6.2-h',
    word: 'MUST',
    meaning: 'Step 5: a timer wakes for what may be lost soon.',
    tests: [
      'the timer waits for the segment that was sent last of those in doubt',
      'what fills the gap in time stops the timer',
    ],
    code: ['src/tcp/rack.ts detectLostByTime', 'src/tcp/loss.ts onReorderTimeout'],
  },
  {
    at: '6.3-a',
    word: 'SHOULD',
    meaning: 'A timeout takes for lost the first segment and what was sent long enough ago, no more.',
    tests: ['a timeout takes for lost the first segment, and those that were sent long enough ago'],
    code: ['src/tcp/loss.ts onRetransmissionTimeout', 'src/tcp/rack.ts isOverdue'],
  },
  {
    at: '7-a',
    word: 'MUST',
    meaning: 'Tail loss probes are for connections with SACK.',
    tests: ['no probe without SACK'],
    code: ['src/tcp/tlp.ts armTailProbe'],
  },
  {
    at: '7.2-a',
    word: 'SHOULD',
    meaning: 'The probe goes two SRTT after the last transmission, a second before any sample.',
    tests: [
      'two SRTT after the last transmission the last segment goes again',
      'before the first sample of the round trip the probe waits for a second',
    ],
    code: ['src/tcp/tlp.ts armTailProbe'],
  },
  {
    at: '7.2-b',
    word: 'SHOULD',
    meaning: 'With one segment in flight it waits longer, for a peer that delays its acknowledgement.',
    tests: ['a lone segment gets 200 ms more'],
    code: ['src/tcp/tlp.ts armTailProbe'],
  },
  {
    at: '7.2-c',
    word: 'MUST',
    meaning: 'It goes no later than the retransmission timeout would.',
    tests: ['the probe comes no later than the timeout would, and in its place'],
    code: ['src/tcp/tlp.ts armTailProbe'],
  },
  {
    at: '7.2-d',
    word: 'MUST',
    meaning: 'There is none in recovery, nor while something is SACKed.',
    tests: ['no probe while something is SACKed, nor in recovery'],
    code: ['src/tcp/tlp.ts armTailProbe'],
  },
  {
    at: '7.2-e',
    word: 'SHOULD',
    meaning: 'Two round trips are the wait, however short they are.',
    reason:
      'in part: no less than 50 ms, or each flight on a path of microseconds that ends in an odd segment would be probed for nothing',
    tests: ['two SRTT after the last transmission the last segment goes again'],
    code: ['src/tcp/tlp.ts LEAST_TIMEOUT_US'],
  },
  {
    at: '7.3-a',
    word: 'SHOULD',
    meaning: 'The probe is new text if there is any and the peer’s window takes it, else the last segment.',
    tests: [
      'new text is sent rather than old, even beyond cwnd',
      'new text that the window does not take is not sent: the last segment goes again',
    ],
    code: ['src/tcp/output.ts nextTailProbe'],
  },
  {
    at: '7.3-b',
    word: 'MUST',
    meaning: 'There is one probe at a time.',
    tests: ['one probe for a flight: until it is answered there is no other'],
    code: ['src/tcp/tlp.ts armTailProbe', 'src/tcp/tlp.ts noteProbe'],
  },
  {
    at: '7.3-c',
    word: 'MUST',
    meaning: 'The retransmission timer starts anew with the probe.',
    tests: [
      'the timeout starts anew with the probe',
      'a host that wakes up late sends the probe, and no timeout with it',
    ],
    code: ['src/tcp/output.ts nextTailProbe'],
  },
  {
    at: '7.4-a',
    word: 'MUST',
    meaning: 'A probe that mended a loss is told to congestion control, once.',
    tests: ['later text acknowledged and no second answer: the probe mended a loss, cwnd goes down once'],
    code: ['src/tcp/tlp.ts answersProbe', 'src/tcp/loss.ts onAckOutcome'],
  },
  {
    at: '7.4-b',
    word: 'MUST',
    meaning: 'A DSACK of the probe, or the acknowledgement twice, says that nothing was lost.',
    tests: [
      'a DSACK of the probe: both copies are there, nothing was lost',
      'an ACK repeated without SACK tells the same',
    ],
    code: ['src/tcp/tlp.ts answersProbe'],
  },
])
