// Urgent data (RFC 9293 §3.8.5, RFC 6093), sent and received.

import { expect } from 'vitest'
import { FLAG } from '../../src/tcp/header.ts'
import { established, scenario } from './script.ts'
import { ourByte, text } from './wire.ts'

scenario('urgent text carries URG and a pointer to the octet after it (RFC 9293 §3.8.5 [MUST-30] [MUST-62])', () => {
  const c = established().writeUrgent(1000).out('PU. 1:1001 ack 1 urg 1000').in('. 1 ack 1001')
  c.write(10).out('P. 1001:1011 ack 1').in('. 1 ack 1011')
  c.call((k) => expect(k.writeUrgent(new Uint8Array(0))).toBe(0)).quiet()
})

scenario('all that waits before it is urgent too', () => {
  const c = established({ win: 0 }).write(10).quiet().writeUrgent(5)
  c.out('U. 1 ack 1 urg 15').in('. 1 ack 1 win 100').out('PU. 1:16 ack 1 urg 15')
})

scenario('urgent data may be longer than the pointer reaches: 65535 then, and what is left later ([MUST-31])', () => {
  const c = established({ tcp: { congestion: 'fixed', initialWindowSegments: 100 }, wscale: 7, win: 2000 })
  c.writeUrgent(70_000)
  for (const sent of c.drain()) {
    expect([sent.flags & 32, sent.urg]).toEqual([32, Math.min(65_535, 70_001 - (sent.seq ?? 0))])
  }
})

scenario(
  'a device that cuts super-segments gets none of them while the pointer has to be right in each segment',
  () => {
    const offload = { checksum: true, superSegmentBytes: 65_535 }
    const c = established({ offload }).writeUrgent(2920)
    c.out('U. 1:1461 ack 1 urg 2920', 'PU. 1461:2921 ack 1 urg 1460').in('. 1 ack 2921')
    c.write(2920).out('P. 2921:5841 ack 1')
  },
)

scenario('small urgent segments do not wait for an acknowledgement (RFC 9293 §3.7.4)', () => {
  const c = established().write(1).out('P. 1:2 ack 1')
  c.write(1).quiet()
  expect(c.tcb.hold).toBe('nagle')
  c.writeUrgent(1).out('PU. 2:4 ack 1 urg 2')
})

scenario('a closed window does not keep the mark from the peer ([MUST-66])', () => {
  const c = established({ win: 0 }).writeUrgent(10).out('U. 1 ack 1 urg 10').quiet()
  // Lost: it goes again with the probe of the window. It does not do for one: lying in the window it may draw no answer.
  c.advance(300).out('U. 1 ack 1 urg 10', '. 0 ack 1').quiet()
  c.advance(600).out('U. 1 ack 1 urg 10', '. 0 ack 1').quiet()
  c.in('. 1 ack 1 win 1000').out('PU. 1:11 ack 1 urg 10').in('. 1 ack 11').write(1).out('P. 11:12 ack 1')
})

scenario('text sent again carries the mark again, text after it none', () => {
  const c = established().writeUrgent(3).out('PU. 1:4 ack 1 urg 3')
  c.advance(300).out('PU. 1:4 ack 1 urg 3').in('. 1 ack 4')
  c.write(1).out('P. 4:5 ack 1')
})

scenario('the application is told of urgent data, and how much of it is left ([MUST-32] [MUST-33])', () => {
  const c = established()
  c.in('PU. 1:11 ack 1 urg 4')
  expect(c.events()).toContain('urgent')
  expect(c.connection.urgentBytes).toBe(4)
  c.reads(2, 2)
  expect(c.connection.urgentBytes).toBe(2)
  c.reads(2) // a read stops at the mark
  expect(c.connection.urgentBytes).toBe(0)
  c.reads(6)
  c.advance(500).out('. 1 ack 11')
})

scenario('urgent data is told of before it arrives, through a closed window too ([MUST-66])', () => {
  const c = established({ tcp: { receiveBufferBytes: 100, delayedAckUs: 0 } })
  c.in('P. 1:101 ack 1').out('. 1 ack 101 win 0')
  c.events()
  c.in('U. 101 ack 1 urg 50')
  expect(c.events()).toEqual(['urgent'])
  expect(c.connection.urgentBytes).toBe(150)
  c.reads(100).out('. 1 ack 101')
  expect(c.connection.urgentBytes).toBe(50)
})

scenario('a mark that moves on is told again, one that stays or goes back is not ([MUST-32])', () => {
  const c = established({ tcp: { delayedAckUs: 0 } })
  c.in('U. 1:11 ack 1 urg 10').out('. 1 ack 11')
  expect(c.events()).toContain('urgent')
  c.in('U. 11:21 ack 1 urg 0').out('. 1 ack 21') // the same mark
  expect(c.events()).not.toContain('urgent')
  c.in('U. 21:31 ack 1 urg 10').out('. 1 ack 31')
  expect(c.events()).toContain('urgent')
  expect(c.connection.urgentBytes).toBe(30)
  c.reads(30).in('U. 31:41 ack 1 urg 0').out('. 1 ack 41') // behind what was read
  expect([c.events().includes('urgent'), c.connection.urgentBytes]).toEqual([false, 0])
})

scenario('the pointer counts for nothing without URG, and in a state that takes no text (RFC 9293 §3.10.7.4)', () => {
  const c = established({ tcp: { delayedAckUs: 0 } })
  c.in('. 1:2 ack 1 urg 1').out('. 1 ack 2')
  expect(c.connection.urgentBytes).toBe(0)
  c.in('F. 2 ack 1').out('. 1 ack 3').in('U. 3 ack 1 urg 7')
  expect(c.connection.urgentBytes).toBe(0)
})

scenario('FLUSH takes the mark back to what was sent: later text is not urgent (RFC 9293 §3.8.5, §3.9.1.7)', () => {
  const c = established({ win: 1000 })
  c.write(1000).out('P. 1:1001 ack 1')
  c.writeUrgent(500).drain()
  c.call((connection) => expect(connection.flush()).toBe(500)).quiet()
  c.in('. ack 1001 win 60000')
  c.call((connection) => connection.write(text(ourByte, 1000, 1100)))
  expect(c.drain().map(({ flags }) => flags & FLAG.URG)).toEqual([0])
})

scenario('a mark that nobody reads up to is forgotten, before it seems to lie ahead again (RFC 9293 §3.8.5)', () => {
  const c = established({ tcp: { receiveBufferBytes: 1 << 20 } })
  c.in('U. 1:2 ack 1 urg 5').drain()
  c.call((connection) => connection.shutdownRead()).drain()
  expect(c.connection.urgentBytes).toBe(4)
  c.in('. 2:1002 ack 1').drain()
  expect(c.tcb.rcv.isUrgent).toBe(false)
})

scenario('a FIN behind the mark does not move it (RFC 9293 §3.8.5 [MUST-33])', () => {
  const c = established({ tcp: { delayedAckUs: 0 } })
  c.in('U. 1:11 ack 1 urg 7').out('. 1 ack 11').in('F. 11 ack 1').out('. 1 ack 12')
  expect(c.connection.urgentBytes).toBe(7)
  expect(c.connection.read()).toHaveLength(7)
  expect([c.connection.urgentBytes, c.connection.readableBytes]).toEqual([0, 3])
})

scenario(
  'urgent text that is flushed before it went leaves no mark to tell of (RFC 9293 §3.8.5, §3.9.1.7 [MAY-14])',
  () => {
    const c = established()
    c.write(10).out('P. 1:11 ack 1')
    c.call((connection) => {
      connection.writeUrgent(new Uint8Array(5))
      expect(connection.flush()).toBe(5)
    }).quiet()
  },
)
