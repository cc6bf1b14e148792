// When text goes out: segmentation, PSH, Nagle's algorithm (RFC 9293 §3.7, §3.9.1.2).

import { expect } from 'vitest'
import { established, scenario } from './script.ts'

const mss = 1000

scenario(
  'text is cut into full-sized segments, PSH is on the last of what is queued (RFC 9293 §3.9.1.2 [MUST-60] [MUST-61] [SHLD-27] [SHLD-28])',
  () => {
    const c = established({ mss })
    c.write(4000).out('. 1:1001 ack 1', '. 1001:2001 ack 1', '. 2001:3001 ack 1', 'P. 3001:4001 ack 1')
  },
)

scenario(
  'the first small segment goes at once, the next waits for its acknowledgement (RFC 9293 §3.7.4 [SHLD-7])',
  () => {
    const c = established({ mss })
    c.write(10).out('P. 1:11 ack 1')
    c.write(10).write(10).quiet()
    expect(c.tcb.hold).toBe('nagle')
    c.in('. ack 11').out('P. 11:31 ack 1')
  },
)

scenario('what waits goes once it fills a segment; the rest waits on (RFC 9293 §3.7.4)', () => {
  const c = established({ mss })
  c.write(10).out('P. 1:11 ack 1').write(990).quiet()
  c.write(500).out('. 11:1011 ack 1').quiet()
  c.in('. ack 11').quiet() // 1000 octets are still out
  c.in('. ack 1011').out('P. 1011:1501 ack 1')
})

scenario('the tail of a long write waits for all that went before (RFC 9293 §3.7.4)', () => {
  const c = established({ mss })
  c.write(2500).out('. 1:1001 ack 1', '. 1001:2001 ack 1')
  c.in('. ack 1001').quiet()
  c.in('. ack 2001').out('P. 2001:2501 ack 1')
})

scenario(
  'TCP_NODELAY sends small segments at once, and what waits when it is turned on (RFC 9293 §3.7.4 [MUST-17])',
  () => {
    const c = established({ mss })
    c.write(10).out('P. 1:11 ack 1').write(10).quiet()
    c.call((connection) => connection.setNoDelay(true)).out('P. 11:21 ack 1')
    c.write(10).out('P. 21:31 ack 1')
    c.call((connection) => connection.setNoDelay(false))
      .write(10)
      .quiet()
    c.in('. ack 31').out('P. 31:41 ack 1')
  },
)

scenario('one connection’s TCP_NODELAY is not the next one’s (RFC 9293 §3.7.4 [MUST-17])', () => {
  const c = established({ mss })
  c.call((connection) => connection.setNoDelay(true))
  const { remote, stack } = c
  expect(stack.connect({ remote, remotePort: 81 }, c.now).tcb.config.nagle).toBe(true)
  expect(c.tcb.config.nagle).toBe(false)
  c.localPort = 0
})

scenario('the last text goes with its FIN, Nagle or not (RFC 9293 §3.10.4)', () => {
  const c = established({ mss })
  c.write(10).out('P. 1:11 ack 1').write(10).quiet()
  c.call((connection) => connection.shutdownWrite()).out('FP. 11:21 ack 1')
})

scenario('an empty write sends nothing', () => {
  const c = established()
  c.write(0).quiet()
})

scenario(
  'with offload one packet carries many segments, up to what the window and cwnd take (RFC 9293 §3.9.1.2 [SHLD-28])',
  () => {
    const c = established({ mss, offload: { checksum: true, superSegmentBytes: 65535 } })
    c.write(25_500).out('. 1:10001 ack 1')
    c.in('. ack 10001').out('. 10001:25001 ack 1')
    const [first] = c.in('. ack 25001').drain()
    expect([first.seq, first.end, first.segmentBytes]).toEqual([25_001, 25_501, 0])
    const d = established({ mss, win: 2500, offload: { checksum: true, superSegmentBytes: 65535 } })
    d.write(9000)
    const [sent] = d.drain()
    expect([sent.end, sent.segmentBytes]).toEqual([2001, 1000])
  },
)
