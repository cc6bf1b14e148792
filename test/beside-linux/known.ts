// The differences from Linux that are known, each with its reason. The test holds them exactly: one that is new fails, and so does one that
// is gone. docs/differences-from-linux.md is made from this.

/** A difference that is meant, or borne. */
export interface Known {
  /** Of the scenario. */
  readonly name: string
  /** The first difference, as the comparison tells it. */
  readonly summary: string
  readonly linux: string
  readonly ours: string
  /** Who is right, by which clause. */
  readonly why: string
}

export const KNOWN: readonly Known[] = [
  {
    name: 'simultaneous open',
    summary: 'Linux: S. 0:0(0) ack 1 win open <mss 1460,sackOK,TS,wscale> | ours: S. 0:0(0) ack 1 win open <mss 1460>',
    linux: 'Repeats all options of its SYN in the SYN,ACK, though the SYN that came has none of them.',
    ours: 'The SYN,ACK has only what the SYN offered.',
    why: 'Ours: RFC 7323 §2.2 and §3.2 allow window scale and timestamps in a SYN,ACK only when the SYN had them.',
  },
  {
    name: 'SYN sent again',
    summary: 'S 0:0(0) win open <mss 1460,sackOK,TS,wscale>: Linux earlier than ours',
    linux: 'The first four retransmissions are a second apart (tcp_syn_linear_timeouts), then the pause doubles.',
    ours: 'The pause doubles each time: 1, 2, 4 s.',
    why: 'Ours: RFC 6298 §5.5 doubles each time.',
  },
  {
    name: 'SYN,ACK with a wrong acknowledgement',
    summary: 'Linux: S 0:0(0) win open <mss 1460,sackOK,TS,wscale> | ours: revents = 0x0',
    linux: 'After its RST it sends the SYN again at once, lest an old connection of the peer stood in the way.',
    ours: 'After its RST it waits for the retransmission timeout.',
    why: 'Both: RFC 9293 §3.10.7.3 asks only for the RST; Linux opens a second sooner after a crash.',
  },
  {
    name: 'PSH within a long write',
    summary: 'Linux: P. 31857:33305(1448) ack 1 win open <TS> | ours: . 31857:33305(1448) ack 1 win open <TS>',
    linux: 'Sets PSH after half of the largest window that it knew when the text was written.',
    ours: 'Sets it after half of the largest window that it knows when the text is sent, which is more by then.',
    why: 'Both: RFC 9293 §3.9.1.2 asks for PSH on the last segment only [MUST-61].',
  },
  {
    name: 'a window smaller than a segment',
    summary: 'P. 501:885(384) ack 1 win open <TS>: Linux later than ours',
    linux: 'Sends a part of a segment into a small window only when the persist timer runs out.',
    ours: 'Sends at once what is at least half of the largest window ever seen.',
    why: 'Ours: RFC 9293 §3.8.6.2.1, case 3 (Fs = 1/2).',
  },
  {
    name: 'a window that shrinks below what was sent',
    summary: 'Linux: . 1:1449(1448) ack 1 win open <TS> | ours: P. 5793:7241(1448) ack 1 win open <TS>',
    linux: 'Sends nothing beyond the new edge again; the retransmission timeout comes first.',
    ours: 'The tail loss probe sends the last segment again, beyond the new edge.',
    why: 'Both: RFC 9293 §3.8.6 [MAY-7]. Linux is the more careful one.',
  },
  {
    name: 'a user timeout',
    summary: 'Linux: P. 1:501(500) ack 1 win open <TS> | ours: revents = 0x201d',
    linux:
      'Counts TCP_USER_TIMEOUT from the first retransmission, so that it lasts one timeout longer than was asked for.',
    ours: 'Counts from when the text was sent.',
    why: 'Ours: RFC 5482 §2 and RFC 9293 §3.9.1.2: how long transmitted text may remain unacknowledged.',
  },
  {
    name: 'an ICMP error that tells of a path of 10 bytes',
    summary: 'Linux: . 1:501(500) ack 1 win open <TS> | ours: P. 1449:2897(1448) ack 1 win open <TS>',
    linux: 'Takes it as the least that it believes in (552 bytes) and sends everything again in small segments.',
    ours: 'Does not believe it; what follows is the tail loss probe.',
    why: 'Ours: no path is below 68 bytes (RFC 791 §3.2, RFC 1191 §3), so this is no router speaking (RFC 5927 §7).',
  },
  {
    name: 'host unreachable in SYN-SENT',
    summary: 'Linux: revents = 0x201d | ours: revents = 0x0',
    linux: 'The connection fails with EHOSTUNREACH at once.',
    ours: 'It is noted, and told when the connection times out.',
    why: 'Ours: a soft error must not abort [MUST-56], RFC 9293 §3.9.2.2. RFC 5461 §4 describes what Linux does.',
  },
  {
    name: 'a bulk that is read',
    summary: 'Linux: . 1:1(0) ack 24617 win open <TS> | ours: . 1:1(0) ack 26065 win open <TS>',
    linux: 'Acknowledges each of the first eighteen segments: two do not count against its sixteen quick ones.',
    ours: 'Acknowledges each of the first sixteen, then every second one.',
    why: 'Both: RFC 9293 §3.8.6.3 asks for every second segment [SHLD-19].',
  },
  {
    name: 'five pieces out of order',
    summary: 'Linux: . 1:1(0) ack 601 win open <TS,sack 101:111> | ours: . 1:1(0) ack 601 win open <TS>',
    linux: 'A segment that fills a hole and covers text behind it again is answered with a DSACK of that text.',
    ours: 'No DSACK, since the segment brought new text too.',
    why: 'Linux: RFC 2883 §4 reports duplicates inside a larger segment. Nothing depends on it but the estimate of reordering.',
  },
  {
    name: 'FIN, URG and PSH',
    summary: 'Linux: recv = 4 | ours: . 1:1(0) ack 12 win open <TS>',
    linux:
      'The acknowledgement of text and FIN waits for the delayed acknowledgement: a FIN counts as a sign of an answer to come.',
    ours: 'Acknowledges at once.',
    why: 'Both: RFC 9293 §3.8.6.3 allows up to 0.5 s [MUST-40].',
  },
  {
    name: 'reading with MSG_PEEK, and past the end',
    summary: '. 1:1(0) ack 502 win open <TS>: Linux later than ours',
    linux: 'The FIN right behind text is acknowledged after 40 ms.',
    ours: 'It is acknowledged at once.',
    why: 'Both, as above.',
  },
  {
    name: 'text behind a FIN',
    summary: '. 1:1(0) ack 102 win open <TS>: Linux later than ours',
    linux: 'A FIN with text is acknowledged after 40 ms.',
    ours: 'It is acknowledged at once.',
    why: 'Both, as above.',
  },
  {
    name: 'a FIN that comes again in TIME-WAIT',
    summary: 'Linux: . 2:2(0) ack 2 win open <TS> | ours: . 2:2(0) ack 2 win open <TS,sack -5:-2>',
    linux: 'In TIME-WAIT it knows nothing of SACK.',
    ours: 'Answers old text in TIME-WAIT with a DSACK, as in any state.',
    why: 'Both: RFC 2883 §4 lets a receiver report it.',
  },
  {
    name: 'a FIN with text out of order',
    summary: 'Linux: . 1:1(0) ack 1 win open <TS,sack 101:202> | ours: . 1:1(0) ack 1 win open <TS,sack 101:201>',
    linux: 'The SACK block covers the FIN too.',
    ours: 'The SACK block covers the text; the FIN is remembered and not told.',
    why: 'Linux: RFC 2018 §3 speaks of sequence numbers, of which the FIN has one. A peer that loses only what is before sends the FIN twice.',
  },
]
