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
    name: 'an ICMP error that tells of a path of 10 bytes',
    summary: 'Linux: . 1:501(500) ack 1 win open <TS> | ours: P. 1449:2897(1448) ack 1 win open <TS>',
    linux: 'Takes it as the least that it believes in (552 bytes) and sends everything again in small segments.',
    ours: 'Does not believe it; what follows is the tail loss probe.',
    why: 'Ours: no path is below 68 bytes (RFC 791 §3.2, RFC 1191 §3), so this is no router speaking (RFC 5927 §7).',
  },
  {
    name: 'a bulk that is read',
    summary: 'Linux: . 1:1(0) ack 27513 win open <TS> | ours: . 1:1(0) ack 28961 win open <TS>',
    linux: 'Acknowledges each of the first eighteen segments: two do not count against its sixteen quick ones.',
    ours: 'Acknowledges each of the first nineteen, then every second one.',
    why: 'Both: RFC 9293 §3.8.6.3 asks for every second segment [SHLD-19].',
  },
  {
    name: 'a FIN that comes again in TIME-WAIT',
    summary: 'Linux: . 2:2(0) ack 2 win open <TS> | ours: . 2:2(0) ack 2 win open <TS,sack -5:-2>',
    linux: 'In TIME-WAIT it knows nothing of SACK.',
    ours: 'Answers old text in TIME-WAIT with a DSACK, as in any state.',
    why: 'Both: RFC 2883 §4 lets a receiver report it.',
  },
]
