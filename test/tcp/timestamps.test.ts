// Timestamps and protection against wrapped sequence numbers (RFC 7323 §3, §4, §5).

import { expect } from 'vitest'
import { connecting, established, listening, scenario } from './script.ts'

scenario('every segment carries our clock in milliseconds and echoes TS.Recent (RFC 7323 §3.2)', () => {
  const c = connecting({ ts: true })
  c.advance(100).in('S. 0 ack 1 <mss 1460,TS val 5000>').out('. 1 ack 1 <TS val 10100 ecr 5000>')
  c.advance(7).write(10).out('P. 1:11 ack 1 <TS val 10107 ecr 5000>')
})

scenario('a SYN echoes 0, for it acknowledges nothing (RFC 7323 §3.2)', () => {
  connecting({ ts: true }) // with the SYN at 10 s of our clock
  const c = listening({ ts: true })
  c.in('S 0 <mss 1460,TS val 77>').out('S. 0 ack 1 <mss 1460,TS val 10000 ecr 77>')
})

scenario('without the peer’s timestamps on SYN none are sent (RFC 7323 §3.2)', () => {
  const c = established({ ts: false })
  c.write(10).out('P. 1:11 ack 1 <>')
})

scenario('the clock starts elsewhere for each connection (RFC 7323 §5.4)', () => {
  const offsets = [1, 2, 3].map((port) => {
    const c = connecting({ ts: true })
    return c.stack.connect({ remote: c.remote, remotePort: port }, c.now).tcb.ts.offset
  })
  expect(new Set(offsets).size).toBe(3)
})

scenario('delayed ACK: the earliest timestamp that waits is echoed (RFC 7323 §4.3 (A))', () => {
  const c = established({ ts: true })
  c.in('. 1:1449 ack 1 <TS val 2000>', '. 1449:2897 ack 1 <TS val 2001>').out('. 1 ack 2897 <TS val 10100 ecr 2000>')
  c.in('. 2897:4345 ack 1 <TS val 2002>', '. 4345:5793 ack 1 <TS val 2003>').out('. 1 ack 5793 <TS val 10100 ecr 2002>')
})

scenario('a hole in the sequence space: the timestamp before the hole is echoed (RFC 7323 §4.3 (B))', () => {
  const c = established({ ts: true, sack: true })
  c.in('. 1:1449 ack 1 <TS val 2000>').quiet()
  c.in('. 2897:4345 ack 1 <TS val 2002>').out('. 1 ack 1449 <TS val 10100 ecr 2000,sack 2897:4345>')
  c.in('. 4345:5793 ack 1 <TS val 2003>').out('. 1 ack 1449 <TS val 10100 ecr 2000,sack 2897:5793>')
})

scenario('a filled hole: the timestamp of what filled it is echoed (RFC 7323 §4.3 (C))', () => {
  const c = established({ ts: true })
  c.in('. 1449:2897 ack 1 <TS val 2001>').out('. 1 ack 1 <TS ecr 1100>')
  c.in('. 1:1449 ack 1 <TS val 2005>').out('. 1 ack 2897 <TS ecr 2005>')
})

scenario('a segment with an old timestamp is refused with an ACK, its text not taken (RFC 7323 §5.3 R1)', () => {
  const c = established({ ts: true })
  c.in('P. 1:11 ack 1 <TS val 5000>').reads(10).advance(40).out('. 1 ack 11')
  c.in('P. 11:21 ack 1 <TS val 4999>').out('. 1 ack 11 <TS ecr 5000>').reads(0)
  c.in('P. 11:21 ack 1 <TS val 5000>').reads(10).advance(40).out('. 1 ack 21')
})

scenario('timestamps are compared modulo 2^32 (RFC 7323 §5.2)', () => {
  const c = established({ ts: true })
  c.in('P. 1:11 ack 1 <TS val 2000000000>').reads(10).advance(40).out('. 1 ack 11')
  c.in('P. 11:21 ack 1 <TS val 4000000000>').reads(10).advance(40).out('. 1 ack 21')
  c.in('P. 21:31 ack 1 <TS val 10>').reads(10).advance(40).out('. 1 ack 31 <TS ecr 10>')
  c.in('P. 31:41 ack 1 <TS val 4000000000>').out('. 1 ack 31')
})

scenario('a reset is never refused for its timestamp (RFC 7323 §5.2)', () => {
  const c = established({ ts: true })
  c.in('P. 1:11 ack 1 <TS val 5000>').reads(10).advance(40).out('. 1 ack 11')
  c.in('R. 11 ack 1 <TS val 1>')
  expect(c.connection.error?.code).toBe('ECONNRESET')
})

scenario('a TS.Recent older than 24 days is not believed, and is replaced (RFC 7323 §5.5)', () => {
  const c = established({ ts: true })
  c.in('P. 1:11 ack 1 <TS val 2000000000>').reads(10).advance(40).out('. 1 ack 11')
  c.advance(25 * 24 * 3600 * 1000)
  c.in('P. 11:21 ack 1 <TS val 1000>').reads(10).advance(40).out('. 1 ack 21 <TS ecr 1000>')
  c.in('P. 21:31 ack 1 <TS val 999>').out('. 1 ack 21 <TS ecr 1000>')
})

scenario('a segment beyond Last.ACK.sent does not change TS.Recent (RFC 7323 §4.3 (2))', () => {
  const c = established({ ts: true })
  c.in('. 1001:1101 ack 1 <TS val 9000>').out('. 1 ack 1 <TS ecr 1100>')
  expect(c.tcb.ts.recent).toBe(1100)
})

scenario(
  'a segment that lacks its timestamp is taken all the same, as in Linux (RFC 7323 §3.2: SHOULD be dropped)',
  () => {
    const c = established({ ts: true })
    c.in('P. 1:11 ack 1 <>').reads(10).advance(40).out('. 1 ack 11')
  },
)

scenario('round trips are measured by the echo, also of what was sent twice (RFC 7323 §4.1, RFC 6298 §3)', () => {
  const c = established({ ts: true })
  c.write(100).out('P. 1:101 ack 1 <TS val 10100 ecr 1100>')
  c.advance(300).out('P. 1:101 ack 1 <TS val 10400 ecr 1100>')
  c.advance(20).in('. 1 ack 101 <TS val 9000 ecr 10400>')
  expect(c.tcb.rtt.latestUs).toBe(20_000) // the second copy was answered
  c.write(100).out('P. 101:201 ack 1')
  c.advance(50).in('. 1 ack 201 <TS val 9050 ecr 10420>')
  expect(c.tcb.rtt.latestUs).toBe(50_000)
})

scenario('a bare acknowledgement that was overtaken counts, SACK blocks and all (DEVIATION from RFC 7323 §5.3)', () => {
  const c = established({ ts: true, sack: true, mss: 1000 })
  c.write(5000).drain()
  c.advance(50).in('. 1 ack 1 <TS,sack 3001:4001>')
  const { ts, counters, recovery } = { ...c.tcb, counters: c.stack.tcp.counters }
  const { recent } = ts
  c.in(`. 1 ack 1 win 60000 <TS val ${recent - 20},sack 2001:3001>`).drain()
  expect([recovery.dupAcks, counters.TcpExtPAWSEstab, c.tcb.snd.flight.sackedBytes]).toEqual([2, 0, 2000])
  expect([ts.recent, c.tcb.snd.wnd]).toEqual([recent, 65535]) // the older clock and the older window do not count
})

scenario(
  'it is refused with text, with other numbers, with a larger window, or after an RTO (RFC 7323 §5.3 R1)',
  () => {
    const refused = ['. 1:2 ack 1', 'F. 1 ack 1', '. 1 ack 501', '. 0 ack 1', '. 2 ack 1', '. 1 ack 1 win 65535']
    for (const line of [...refused, '. 1 ack 1']) {
      const c = established({ ts: true, mss: 1000, win: 60_000 })
      c.write(1000).drain()
      const isLate = line === '. 1 ack 1'
      c.in('. 1 ack 1').drain()
      c.in(`${line} <TS val ${c.tcb.ts.recent - (isLate ? 1000 : 1)}>`).drain()
      expect([line, c.stack.tcp.counters.TcpExtPAWSEstab]).toEqual([line, 1])
    }
  },
)

scenario(
  'text that a retransmission has overtaken fills its hole (DEVIATION from RFC 7323 §5.3 R1); off, it is dropped',
  () => {
    for (const pawsTakesReordered of [true, false]) {
      const c = established({ ts: true, sack: true, tcp: { pawsTakesReordered, delayedAckUs: 0 } })
      c.advance(100)
      const { recent } = c.tcb.ts
      c.in(`. 1001:2001 ack 1 <TS val ${recent + 100}>`, `. 3001:4001 ack 1 <TS val ${recent + 100}>`).drain()
      c.in(`. 1:1001 ack 1 <TS val ${recent + 150}>`).drain() // the retransmission
      expect(c.tcb.ts.recent).toBe(recent + 150)
      c.in(`. 2001:3001 ack 1 <TS val ${recent + 101}>`).drain()
      expect((c.tcb.rcv.nxt - c.origin.irs) | 0).toBe(pawsTakesReordered ? 4001 : 2001)
      expect(c.stack.tcp.counters.TcpExtPAWSEstab).toBe(pawsTakesReordered ? 0 : 1)
      expect(c.tcb.ts.recent).toBe(recent + 150) // what is echoed does not go back
    }
  },
)

scenario(
  'nothing else is taken for reordered: no hole, text that is there, older than the handshake (RFC 7323 §5.3 R1)',
  () => {
    const old = [
      '. 4001:5001 ack 1 <TS val OLD>',
      '. 3001:3501 ack 1 <TS val OLD>',
      '. 2001:3001 ack 1 <TS val 1>',
      'S 2001',
    ]
    for (const line of ['P. 1:1001 ack 1 <TS val OLD>', ...old]) {
      const c = established({ ts: true, sack: true, tcp: { delayedAckUs: 0 } })
      const { recent } = c.tcb.ts
      c.advance(100)
        .in(`. 1:2001 ack 1 <TS val ${recent + 100}>`)
        .drain()
      if (old.includes(line)) c.in(`. 3001:4001 ack 1 <TS val ${recent + 100}>`).drain()
      const before = c.tcb.rcv.outOfOrder.bytes
      c.in(line.replace('OLD', `${recent + 50}`)).drain()
      const isBeyond = line.startsWith('. 4001') // beyond all that waits: new text too
      expect([line, c.tcb.rcv.outOfOrder.bytes - before]).toEqual([line, isBeyond ? 1000 : 0])
      expect((c.tcb.rcv.nxt - c.origin.irs) | 0).toBe(2001)
    }
  },
)

scenario(
  'the floor follows TS.Recent, half a gibibyte behind: a duplicate of another lap stays out (RFC 7323 §5.2)',
  () => {
    const c = established({ ts: true, sack: true, tcp: { delayedAckUs: 0 } })
    const { ts, rcv } = c.tcb
    const first = ts.floor
    for (let i = 1; i <= 3; i++) {
      const before = rcv.nxt
      ts.nextFloorSeq = ((before - 2 ** 29) | 0) as typeof before // as if so much had come
      ts.lastAckSent = before
      const at = (before - c.origin.irs) | 0
      c.in(`. ${at}:${at + 10} ack 1 <TS val ${first + i * 1000}>`).drain()
    }
    expect([ts.floor - first, ts.nextFloor - first]).toEqual([2000, 3000])
    const at = (rcv.nxt - c.origin.irs) | 0
    c.in(`. ${at + 20}:${at + 30} ack 1 <TS val ${first + 3000}>`).drain()
    c.in(`. ${at + 10}:${at + 20} ack 1 <TS val ${first + 1999}>`).drain()
    expect(rcv.outOfOrder.bytes).toBe(10)
    c.in(`. ${at + 10}:${at + 20} ack 1 <TS val ${first + 2000}>`).drain()
    expect(rcv.outOfOrder.bytes).toBe(20)
  },
)

scenario(
  'TS.Recent is what a segment across Last.ACK.sent tells, as long as it does not go back (RFC 7323 §4.3 (2))',
  () => {
    const c = established({ ts: true, tcp: { paws: false } })
    c.in('P. 1:11 ack 1 <TS val 5000>').reads(10).advance(40).out('. 1 ack 11 <TS ecr 5000>')
    c.in('P. 1:21 ack 1 <TS val 5001>').reads(10).advance(40).out('. 1 ack 21 <TS ecr 5001>')
    c.in('P. 21:31 ack 1 <TS val 4999>').reads(10).advance(40).out('. 1 ack 31 <TS ecr 5001>')
  },
)

scenario('the last acknowledgement of the handshake tells TS.Recent too (RFC 7323 §4.3 (2))', () => {
  const c = listening({ ts: true }).in('S 0 <mss 1460,TS val 77>').out('S. 0 ack 1 <mss 1460,TS ecr 77>')
  c.in('. 1 ack 1 <TS val 99>').accept().write(10).out('P. 1:11 ack 1 <TS ecr 99>')
})

scenario(
  'a segment without a timestamp leaves TS.Recent as it is, and one that was not agreed on too (RFC 7323 §3.2)',
  () => {
    const c = established({ ts: true })
    c.in('P. 1:11 ack 1 <TS val 2000000000>').advance(40).out('. 1 ack 11')
    c.in('P. 11:21 ack 1 <TS val 4000000000>').advance(40).out('. 1 ack 21')
    const ecr = 4_000_000_000 | 0
    c.in('P. 31:41 ack 1 <TS val 4000000100>').out(`. 1 ack 21 <TS ecr ${ecr}>`)
    c.in('P. 21:31 ack 1 <>').out(`. 1 ack 41 <TS ecr ${ecr}>`).reads(40)
    const d = established({ ts: false })
    d.in('P. 1:11 ack 1 <TS val 5000>').advance(40).out('. 1 ack 11 <>')
    expect(d.tcb.ts.recent).toBe(0)
  },
)

scenario('a clock of the peer that stands still keeps TS.Recent young (RFC 7323 §5.5)', () => {
  const days = 24 * 3600 * 1000
  const c = established({ ts: true })
  c.in('P. 1:11 ack 1 <TS val 5000>').advance(40).out('. 1 ack 11')
  c.advance(20 * days)
    .in('P. 11:21 ack 1 <TS val 5000>')
    .advance(40)
    .out('. 1 ack 21')
  c.advance(20 * days)
    .in('P. 21:31 ack 1 <TS val 4999>')
    .out('. 1 ack 21 <TS ecr 5000>')
    .reads(20)
})
