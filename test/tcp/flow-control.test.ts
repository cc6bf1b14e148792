// Windows both ways: the peer's, which we keep to, and ours, which we open and never take back (RFC 9293 §3.8.6).

import { expect, test } from 'vitest'
import { established, scenario } from './script.ts'
import { inWorld, WORLDS } from './world.ts'

scenario('no more is sent than the peer’s window takes (RFC 9293 §3.8.6)', () => {
  const c = established({ win: 3000, mss: 1000 })
  c.write(5000).outText(1, 3001, 1, false)
  c.in('. ack 1001 win 2000').quiet()
  c.in('. ack 1001 win 3000').out('. 3001:4001 ack 1')
  c.in('. ack 4001 win 3000').out('P. 4001:5001 ack 1')
})

scenario('the window is scaled by the shift count agreed on (RFC 7323 §2.3)', () => {
  const c = established({ mss: 1000, wscale: 3, win: 1000, tcp: { initialWindowSegments: 20 } })
  c.write(20_000).outText(1, 1001, 1, false) // the window of the SYN,ACK is not scaled
  c.in('. ack 1001 win 500').outText(1001, 5001, 1, false)
})

scenario(
  'a window is taken from the newest segment only: older ones do not change it (RFC 9293 §3.10.7.4, SND.WL1 and SND.WL2)',
  () => {
    const c = established({ win: 4000 })
    c.write(100).out('P. 1:101 ack 1')
    c.in('P. 1:11 ack 101 win 5000').reads(10).advance(40).out('. 101 ack 11')
    const window = (line: string): number => c.in(line).tcb.snd.wnd
    expect(window('. 11 ack 1 win 9000')).toBe(5000) // SEG.ACK is old, though SEG.SEQ is not
    expect(window('. 11 ack 101 win 6000')).toBe(6000)
    c.write(10).out('P. 101:111 ack 11')
    expect(window('. 11 ack 111 win 7000')).toBe(7000)
    expect(window('. 11 ack 101 win 1000')).toBe(7000) // SND.WL2 > SEG.ACK
  },
)

scenario('text that newer text has overtaken does not set the window (RFC 9293 §3.10.7.4, SND.WL1)', () => {
  const c = established({ win: 4000 })
  c.in('P. 11:21 ack 1 win 6000').out('. 1 ack 1').in('P. 1:11 ack 1 win 9000').out('. 1 ack 21').reads(20)
  expect(c.tcb.snd.wnd).toBe(6000)
})

scenario(
  'a segment of newer text with an older acknowledgement does not set the window (RFC 9293 §3.10.7.4: SND.UNA =< SEG.ACK)',
  () => {
    const c = established({ win: 4000 })
    c.write(100).out('P. 1:101 ack 1').in('. 1 ack 101 win 4000')
    c.in('P. 1:11 ack 1 win 50')
    expect(c.tcb.snd.wnd).toBe(4000)
    c.reads(10).advance(40).out('. 101 ack 11')
  },
)

scenario(
  'a closed window is probed first after one RTO, then ever more slowly (RFC 9293 §3.8.6.1 [MUST-36] [SHLD-29] [SHLD-30])',
  () => {
    const c = established({ mss: 1000 })
    c.write(1000).out('P. 1:1001 ack 1').advance(100).in('. ack 1001 win 0')
    c.write(500).quiet() // RTO: 300 ms
    // DEVIATION: the probe carries no text; Linux's does not either.
    for (const ms of [300, 600, 1200, 2400, 4800, 9600]) {
      c.silent(ms - 0.001)
        .advance(0.001)
        .out('. 1000 ack 1')
      c.advance(0).in('. ack 1001 win 0').quiet() // answered: the wait still doubles
    }
    c.in('. ack 1001 win 600').out('P. 1001:1501 ack 1')
  },
)

scenario('unanswered probes back off the same way, up to the greatest timeout (RFC 9293 §3.8.6.1 [SHLD-30])', () => {
  const c = established({ tcp: { maxRtoUs: 2_000_000 } })
  c.in('. ack 1 win 0').write(10).quiet()
  for (const ms of [300, 600, 1200, 2000, 2000])
    c.silent(ms - 0.001)
      .advance(0.001)
      .out('. 0 ack 1')
})

scenario('after the window was open the probes begin anew (RFC 9293 §3.8.6.1 [SHLD-29])', () => {
  const c = established()
  c.in('. ack 1 win 0').write(10).quiet()
  c.advance(300).out('. 0 ack 1').advance(600).out('. 0 ack 1')
  c.in('. ack 1 win 1000').out('P. 1:11 ack 1').advance(100).in('. ack 11 win 0')
  c.write(10).quiet()
  c.silent(299.999).advance(0.001).out('. 10 ack 1')
})

scenario('a lost window update is made good by the answer to a probe (RFC 9293 §3.8.6.1 [MUST-36])', () => {
  const c = established()
  c.in('. ack 1 win 0').write(100).quiet()
  c.advance(300).out('. 0 ack 1')
  c.in('. ack 1 win 5000').out('P. 1:101 ack 1')
})

scenario('as long as probes are answered the connection stays open (RFC 9293 §3.8.6.1 [MUST-37] [MAY-8])', () => {
  const c = established({ tcp: { retransmitTimeoutUs: 100_000_000, maxRtoUs: 20_000_000 } })
  c.in('. ack 1 win 0').write(10)
  for (let i = 0; i < 20; i++) {
    c.advance(20_000)
    for (const { flags, seq } of c.drain()) expect([flags, seq]).toEqual([16, 0])
    c.in('. ack 1 win 0').quiet()
  }
  expect(c.state).toBe('ESTABLISHED')
})

scenario('probes that nobody answers end the connection (RFC 9293 §3.8.3 [MUST-20])', () => {
  const c = established({ tcp: { retransmitTimeoutUs: 100_000_000 } })
  c.in('. ack 1 win 0').write(10)
  while (c.state === 'ESTABLISHED' && c.ms < 400_000) {
    c.advance(1000)
    c.drain()
  }
  expect(c.connection.error?.code).toBe('ETIMEDOUT')
  expect(c.ms).toBeGreaterThanOrEqual(100_000)
})

scenario('a FIN waits for a closed window, and the window is probed for it (RFC 9293 §3.8.6.1)', () => {
  const c = established()
  c.in('. ack 1 win 0')
    .call((connection) => connection.shutdownWrite())
    .quiet()
  c.advance(300).out('. 0 ack 1').in('. ack 1 win 1').out('F. 1 ack 1')
})

scenario('a window that shrinks: no new text, what is in flight goes on (RFC 9293 §3.8.6 [MUST-34] [SHLD-15])', () => {
  const c = established({ win: 5000, mss: 1000 })
  c.write(10_000).outText(1, 5001, 1, false)
  c.in('. ack 1001 win 1000').quiet() // the edge: from 5001 back to 2001
  expect(c.tcb.hold).toBe('window')
  c.in('. ack 5001 win 2000').outText(5001, 7001, 1, false)
})

scenario('a shrunk window: only what lies in it is sent again (RFC 9293 §3.8.6 [SHLD-16])', () => {
  const c = established({ win: 5000, mss: 1000 })
  c.write(5000).outText(1, 5001)
  c.in('. ack 1 win 1000')
  c.advance(300).out('. 1:1001 ack 1')
  c.in('. ack 1001 win 2000').out('. 1001:2001 ack 1', '. 2001:3001 ack 1') // cwnd was one segment, and in use
  c.in('. ack 2001 win 2000').out('. 3001:4001 ack 1')
})

scenario(
  'a window that shrinks to zero: the first octets in flight go again, which probes it (RFC 9293 §3.8.6 [MUST-35] [MAY-7])',
  () => {
    const c = established({ win: 5000, mss: 1000 })
    c.write(3000).outText(1, 3001)
    c.in('. ack 1 win 0')
    c.silent(299.999).advance(0.001).out('. 1:1001 ack 1')
    c.in('. ack 1 win 0').silent(599.999).advance(0.001).out('. 1:1001 ack 1')
    c.in('. ack 1 win 3000')
    c.advance(1200).out('. 1:1001 ack 1').in('. ack 3001 win 3000')
  },
)

scenario(
  'text beyond a shrunk window does not time the connection out while the peer answers (RFC 9293 §3.8.6 [SHLD-17] [MUST-37])',
  () => {
    const c = established({ win: 5000, mss: 1000, tcp: { retransmitTimeoutUs: 100_000_000, maxRtoUs: 20_000_000 } })
    c.write(3000).outText(1, 3001).in('. ack 1 win 0')
    for (let i = 0; i < 50; i++) {
      c.advance(20_000).drain()
      c.in('. ack 1 win 0')
    }
    expect(c.state).toBe('ESTABLISHED')
    for (let i = 0; i < 20 && c.state === 'ESTABLISHED'; i++) c.advance(20_000).drain()
    expect(c.connection.error?.code).toBe('ETIMEDOUT') // nobody answers any more
  },
)

scenario(
  'the sender waits for a useful window: a segment, or half of the largest window (RFC 9293 §3.8.6.2.1 [MUST-38])',
  () => {
    const c = established({ win: 4000, mss: 1000 })
    c.write(10_000).outText(1, 4001, 1, false)
    c.in('. ack 4001 win 999').quiet()
    expect(c.tcb.hold).toBe('silly-window')
    c.in('. ack 4001 win 1000').out('. 4001:5001 ack 1')
    const d = established({ win: 1500, mss: 1000 })
    d.write(10_000).out('. 1:1001 ack 1').in('. ack 1001 win 749').quiet()
    d.in('. ack 1001 win 750').out('. 1001:1751 ack 1')
  },
)

scenario('a silly window is overridden after a timeout (RFC 9293 §3.8.6.2.1 (4) [MUST-38])', () => {
  const c = established({ win: 4000, mss: 1000 })
  c.write(10_000).outText(1, 4001, 1, false).advance(100).in('. ack 4001 win 300').quiet()
  c.silent(299.999).advance(0.001).out('. 4001:4301 ack 1')
})

scenario('the receiver opens its window only by a segment or half its buffer (RFC 9293 §3.8.6.2.2 [MUST-39])', () => {
  const c = established({ tcp: { receiveBufferBytes: 4000, mss: 1000, delayedAckUs: 0 } })
  for (let i = 0; i < 4; i++) {
    const from = 1 + 1000 * i
    c.in(`. ${from}:${from + 1000} ack 1`).out(`. 1 ack ${from + 1000} win ${3000 - 1000 * i}`)
  }
  c.reads(999, 999).quiet()
  c.in('. 4001:4002 ack 1').out('. 1 ack 4001 win 0')
  c.reads(1, 1).out('. 1 ack 4001 win 1000')
  c.reads(999, 999).quiet()
  c.reads(1, 1).out('. 1 ack 4001 win 2000')
  c.reads(1999, 1999).quiet() // a segment more would do for the RFC; by itself it is told once it has doubled, as in Linux
  c.in('. 4001:5001 ack 1').out('. 1 ack 5001 win 2999').reads(1001)
  const d = established({ tcp: { receiveBufferBytes: 1000, mss: 1000, delayedAckUs: 0 } })
  d.in('. 1:1001 ack 1').out('. 1 ack 1001 win 0')
  d.reads(499, 499).quiet()
  d.reads(1, 1).out('. 1 ack 1001 win 500')
})

scenario(
  'reading a little makes no acknowledgement when the window field cannot tell of it (RFC 9293 §3.8.6.2.2 [MUST-39])',
  () => {
    const c = established() // 1 MiB of buffer, but no window scale
    c.in('P. 1:11 ack 1').reads(10).quiet()
    c.advance(40).out('. 1 ack 11 win 65525')
  },
)

scenario(
  'our right edge never moves left, whatever comes and is read (RFC 9293 §3.8.6 [SHLD-14], RFC 7323 §2.4)',
  () => {
    for (const wscale of [undefined, 7]) {
      const c = established({ tcp: { receiveBufferBytes: 100_000, delayedAckUs: 0 }, ...(wscale && { wscale }) })
      let edge = 0
      let next = 1
      let unread = 0
      const look = (): void => {
        for (const { ack, win } of c.drain()) {
          const told = ack! + win! * 2 ** c.tcb.rcv.scale
          expect(told, 'the right edge').toBeGreaterThanOrEqual(edge)
          edge = told
        }
      }
      for (let i = 0; i < 60; i++) {
        const length = Math.min(1 + ((i * 977) % 1460), edge - next > 0 ? edge - next : 1460)
        c.in(`. ${next}:${next + length} ack 1`)
        next += length
        unread += length
        look()
        if (i % 3 > 0) continue
        const take = Math.min(unread, (i * 1231) % 4000)
        if (take > 0) c.reads(take, take)
        unread -= take
        look()
      }
    }
  },
)

test('a peer that sends odd pieces cannot make our buffer grow beyond its bound (RFC 7323 §2.4)', () => {
  inWorld(WORLDS[4], () => {
    const size = 1 << 20 // windows in units of 32: rounding up gives away 31 octets for each 31
    const c = established({ wscale: 7, tcp: { receiveBufferBytes: size, delayedAckUs: 0 } })
    let next = 1
    const send = (length: number): void => {
      c.in(`. ${next}:${next + length} ack 1`).drain()
      next += length
    }
    while (next < size - 70_000) send(1440)
    for (let i = 0; i < 7000; i++) send(31)
    expect(c.tcb.rcv.unread).toBeGreaterThanOrEqual(size)
    expect(c.tcb.rcv.unread).toBeLessThanOrEqual(size * 1.125)
  })
})

scenario('an ACK is believed though it comes with text for our closed window (RFC 9293 §3.10.7.4, first check)', () => {
  const c = established({ tcp: { receiveBufferBytes: 1000, mss: 1000 } })
  c.in('. 1:1001 ack 1').advance(40).out('. 1 ack 1001 win 0')
  c.write(100).out('P. 1:101 ack 1001 win 0')
  c.in('P. 1001:1002 ack 101').out('. 101 ack 1001 win 0') // the peer's window probe
  expect(c.connection.unackedBytes).toBe(0)
})

scenario('RST and URG are processed with a closed window, with text as well (RFC 9293 §3.4 [MUST-66] [SHLD-2])', () => {
  for (const reset of ['R 1001', 'R 1001:1050', 'R. 1001 ack 1']) {
    const c = established({ tcp: { receiveBufferBytes: 1000, mss: 1000 } })
    c.in('. 1:1001 ack 1').advance(40).out('. 1 ack 1001 win 0')
    c.in('U. 1001 ack 1 urg 5')
    c.in(reset)
    expect(c.connection.error?.code, reset).toBe('ECONNRESET')
  }
})

scenario('a FIN alone is taken with a closed window, as in Linux (RFC 9293 §3.10.7.4, eighth check)', () => {
  const c = established({ tcp: { receiveBufferBytes: 1000, mss: 1000 } })
  c.in('. 1:1001 ack 1').advance(40).out('. 1 ack 1001 win 0')
  c.in('F. 1001 ack 1').out('. 1 ack 1002 win 0')
  c.reads(1000)
  expect(c.connection.ended).toBe(true)
})

scenario('text beyond the window is cut off, what is in it is taken (RFC 9293 §3.10.7.4, seventh check)', () => {
  const c = established({ tcp: { receiveBufferBytes: 1000, mss: 1000, delayedAckUs: 0 } })
  c.in('. 1:1401 ack 1').out('. 1 ack 1001 win 0').reads(1000).out('. 1 ack 1001 win 1000')
  c.in('F. 1001:2401 ack 1').out('. 1 ack 2001 win 0') // the FIN lies beyond, too
  expect(c.state).toBe('ESTABLISHED')
})

scenario('what is read no more is acknowledged, thrown away, and opens the window (shutdownRead)', () => {
  const c = established({ tcp: { receiveBufferBytes: 3000, mss: 1000, delayedAckUs: 0 } })
  c.in('. 1:3001 ack 1').out('. 1 ack 3001 win 0')
  c.call((connection) => connection.shutdownRead()).out('. 1 ack 3001 win 3000')
  c.in('. 3001:4001 ack 1').out('. 1 ack 4001 win 3000').reads(0)
  c.call((connection) => connection.shutdownRead()).quiet()
  c.in('F. 4001 ack 1').out('. 1 ack 4002')
  expect(c.connection.ended).toBe(true)
  c.call((connection) => connection.close()).out('F. 1 ack 4002')
})

scenario('a write takes what the send buffer holds, and tells when there is room again', () => {
  const c = established({ mss: 1000, tcp: { sendBufferBytes: 4000 } })
  expect(c.offer(5000)).toBe(4000)
  expect(c.connection.writableBytes).toBe(0)
  c.outText(1, 4001)
  expect(c.offer(1)).toBe(0)
  c.in('. ack 1001')
  expect(c.events()).toEqual([])
  c.in('. ack 2001')
  expect(c.events()).toEqual(['writable'])
  expect(c.connection.writableBytes).toBe(2000)
  c.in('. ack 4001')
  expect(c.events()).toEqual(['drained'])
})
