// Opening: the three-way handshake and what may go wrong with it, simultaneous open, refusal (RFC 9293 §3.5, §3.10.7.2, §3.10.7.3).

import { expect } from 'vitest'
import { connecting, established, listening, Script, scenario } from './script.ts'

scenario('an active open runs through SYN-SENT to ESTABLISHED (RFC 9293 §3.5 figure 6)', () => {
  const c = connecting()
  expect(c.state).toBe('SYN-SENT')
  c.in('S. 0 ack 1 <mss 1460>').out('. 1 ack 1')
  expect(c.state).toBe('ESTABLISHED')
  expect(c.events()).toEqual(['connected'])
})

scenario('a passive open runs through SYN-RECEIVED to ESTABLISHED (RFC 9293 §3.5 figure 6)', () => {
  const c = listening()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  expect(c.state).toBe('SYN-RECEIVED')
  expect(c.events()).toEqual([])
  c.in('. 1 ack 1').quiet()
  expect(c.events()).toEqual(['acceptable'])
  c.accept()
  expect(c.state).toBe('ESTABLISHED')
  expect(c.connection.tcb.passive).toBe(true)
})

scenario('a lost SYN goes again after 1, 2, 4 ... seconds (RFC 6298 §2.1 §5.5, RFC 9293 §3.8.3 [MUST-22])', () => {
  const c = connecting()
  for (const seconds of [1, 2, 4, 8, 16, 32])
    c.silent(seconds * 1000 - 0.001)
      .advance(0.001)
      .out('S 0')
  c.in('S. 0 ack 1 <mss 1460>').out('. 1 ack 1')
  expect(c.state).toBe('ESTABLISHED')
})

scenario('an open that nobody answers is given up after 180 s (RFC 9293 §3.8.3 [MUST-23])', () => {
  const c = connecting()
  for (const at of [1, 3, 7, 15, 31, 63, 127]) {
    c.advance(at * 1000 - c.ms).out('S 0')
  }
  c.silent(180_000 - 0.001 - c.ms)
  expect(c.state).toBe('SYN-SENT')
  c.silent(0.001)
  expect(c.state).toBe('CLOSED')
  expect(c.connection.error?.code).toBe('ETIMEDOUT')
  expect(c.events()).toEqual(['error', 'closed', 'trouble'])
})

scenario('a lost SYN,ACK goes again by its timer (RFC 9293 §3.8.1, RFC 6298 §5)', () => {
  const c = listening()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.silent(999.999).advance(0.001).out('S. 0 ack 1')
  c.silent(1999.999).advance(0.001).out('S. 0 ack 1')
  c.in('. 1 ack 1').accept()
  expect(c.state).toBe('ESTABLISHED')
})

scenario('the same SYN again draws the SYN,ACK again (RFC 9293 §3.10.7.4, first check)', () => {
  const c = listening()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.advance(500).in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.in('. 1 ack 1').accept()
  expect(c.state).toBe('ESTABLISHED')
})

scenario(
  'a passive open that is never completed is given up and makes room (RFC 9293 §3.8.3 [MUST-20], RFC 4987 §3.3)',
  () => {
    const c = listening({ backlog: 1, tcp: { synBacklog: 1, synCookies: 'never' } })
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
    for (const at of [1, 3, 7, 15, 31]) c.advance(at * 1000 - c.ms).out('S. 0 ack 1')
    c.silent(63_000 - 0.001 - c.ms)
    expect(c.state).toBe('SYN-RECEIVED')
    c.silent(0.001)
    expect(c.state).toBe('LISTEN')
    expect(c.events()).toEqual([])
    expect(c.stack.tcp.counters.TcpExtTCPReqQFullDrop).toBe(0)
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  },
)

scenario('a lost ACK of the SYN,ACK is made good by the first text (RFC 9293 §3.10.7.4, fifth check)', () => {
  const c = listening()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.in('P. 1:101 ack 1').quiet()
  c.accept().reads(100)
  c.advance(40).out('. 1 ack 101')
})

scenario(
  'a lost ACK of the SYN,ACK is sent again when the SYN,ACK comes again (RFC 9293 §3.10.7.4, first check)',
  () => {
    const c = connecting()
    c.in('S. 0 ack 1 <mss 1460>').out('. 1 ack 1')
    c.in('S. 0 ack 1 <mss 1460>').out('. 1 ack 1')
    expect(c.state).toBe('ESTABLISHED')
  },
)

scenario('after a lost SYN or SYN,ACK the initial window is one segment (RFC 5681 §3.1)', () => {
  const c = connecting()
  c.advance(1000).out('S 0').in('S. 0 ack 1 <mss 1000>').out('. 1 ack 1')
  c.write(3000).out('. 1:1001 ack 1')
  const d = listening()
  d.in('S 0 <mss 1000>').out('S. 0 ack 1').advance(1000).out('S. 0 ack 1').in('. 1 ack 1').accept()
  d.write(3000).out('. 1:1001 ack 1')
})

scenario('after a SYN that timed out the first timeout of text is 3 s, not doubled (RFC 6298 §5.7)', () => {
  const c = connecting()
  c.advance(1000).out('S 0').advance(2000).out('S 0')
  c.in('S. 0 ack 1 <mss 1000>').out('. 1 ack 1')
  c.write(500).out('P. 1:501 ack 1')
  c.silent(2999.999).advance(0.001).out('P. 1:501 ack 1')
})

scenario('a timestamp tells which SYN was answered, and the RTO comes from it (RFC 6298 §5.7, RFC 7323 §4)', () => {
  const c = connecting({ ts: true })
  c.advance(1000).out('S 0 <mss 1460,sackOK,TS val 11000 ecr 0,wscale 5>')
  c.advance(100).in('S. 0 ack 1 <mss 1460,TS>').out('. 1 ack 1')
  expect(c.tcb.rtt.srttUs).toBe(100_000)
  expect(c.connection.info().tcpi_rto).toBe(300_000)
})

scenario('fast retransmit works for the very first segment, also after a lost SYN (RFC 6582 §3.2 step 1)', () => {
  const c = established()
  c.write(5 * 1460).outText(1, 7301)
  c.times(3, '. ack 1').out('. 1:1461 ack 1')
  const d = connecting()
  d.advance(1000).out('S 0').in('S. 0 ack 1 <mss 1000>').out('. 1 ack 1')
  expect(d.tcb.recovery.phase).toBe('open')
})

scenario('text of a SYN is not taken in LISTEN; the peer sends it again (RFC 9293 §3.10.7.2)', () => {
  const c = listening()
  c.in('S 0:100 <mss 1460>').out('S. 0 ack 1')
  c.in('P. 1:101 ack 1').accept().reads(100).advance(40).out('. 1 ack 101')
})

scenario('text and FIN of a SYN,ACK are taken at once (RFC 9293 §3.10.7.3, fourth check)', () => {
  const c = connecting()
  const packet = c.packet(
    'SF. 0:50 ack 1 <mss 1460>',
    Uint8Array.from({ length: 50 }, (_, i) => (i * 37 + 101) & 255),
  )
  c.deliver(packet).out('. 1 ack 52')
  expect(c.state).toBe('CLOSE-WAIT')
  c.reads(50)
  expect(c.events()).toEqual(['connected', 'readable', 'end'])
  expect(c.connection.ended).toBe(true)
})

scenario('simultaneous open: both SYNs cross (RFC 9293 §3.5 figure 7 [MUST-10])', () => {
  // 2. SYN-SENT     --> <SEQ=100><CTL=SYN>              ...
  const c = connecting()
  // 3. SYN-RECEIVED <-- <SEQ=300><CTL=SYN>              <-- SYN-SENT
  c.in('S 0 <mss 1460>')
  expect(c.state).toBe('SYN-RECEIVED')
  // 5. SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK> ...
  c.out('S. 0 ack 1')
  // 6. ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK> <-- SYN-RECEIVED
  c.in('S. 0 ack 1 <mss 1460>').out('. 1 ack 1')
  expect(c.state).toBe('ESTABLISHED')
  expect(c.tcb.passive).toBe(false) // [MUST-11]
  c.in('P. 1:11 ack 1').reads(10).write(20).out('P. 1:21 ack 11')
})

scenario('simultaneous open is completed by a plain ACK as well (RFC 9293 §3.10.7.4, fifth check)', () => {
  const c = connecting({ wscale: 3 })
  c.in('S 0 win 1000 <mss 1460,wscale 3>').out('S. 0 ack 1 <mss 1460,wscale 5>')
  c.in('. 1 ack 1 win 1000')
  expect(c.state).toBe('ESTABLISHED')
  expect(c.tcb.snd.wnd).toBe(8000)
})

scenario(
  'simultaneous open: a SYN,ACK that answers nothing of ours is acknowledged, not answered with SYN,ACK for ever',
  () => {
    const c = connecting()
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
    c.in('S. 0 ack 0 <mss 1460>').out('. 1 ack 1')
    expect(c.state).toBe('SYN-RECEIVED')
  },
)

scenario(
  'a reset refuses a simultaneous open, whose user made the call (RFC 9293 §3.10.7.4, second check [MUST-11])',
  () => {
    const c = connecting()
    c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('R 1')
    expect(c.connection.error?.code).toBe('ECONNREFUSED')
  },
)

scenario('a reset sends a passive open back to LISTEN, and its user hears nothing (RFC 9293 §3.5.2 [MUST-11])', () => {
  const c = listening()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('R 1')
  expect(c.state).toBe('LISTEN')
  expect(c.events()).toEqual([])
})

scenario('an old duplicate SYN: the peer resets what it did not ask for (RFC 9293 §3.5 figure 8)', () => {
  // 3. (duplicate) ... <SEQ=90><CTL=SYN>  --> SYN-RECEIVED
  const c = listening()
  c.in('S -10 <mss 1460>').out('S. 0 ack -9')
  // 5. SYN-SENT --> <SEQ=91><CTL=RST> --> LISTEN
  c.in('R -9')
  expect(c.state).toBe('LISTEN')
  // 6. 7. 8. the true one
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
  expect(c.state).toBe('ESTABLISHED')
})

scenario('half-open discovery: the peer has forgotten us and opens anew (RFC 9293 §3.5.1 figure 9)', () => {
  const c = established()
  // 3. SYN-SENT --> <SEQ=400><CTL=SYN> --> (??)
  c.in('S 5000 <mss 1460>')
  // 4. (!!) <-- <SEQ=300><ACK=100><CTL=ACK> <-- ESTABLISHED
  c.out('. 1 ack 1')
  // 5. SYN-SENT --> <SEQ=100><CTL=RST> --> (Abort!!)
  c.in('R 1')
  expect(c.state).toBe('CLOSED')
  expect(c.connection.error?.code).toBe('ECONNRESET')
})

scenario('half-open discovery: we have forgotten the peer, which sends text (RFC 9293 §3.5.1 figure 10)', () => {
  const c = new Script()
  c.in('P. 1:101 ack 1').out('R 1')
})

scenario('a closed port answers a SYN with <SEQ=0><ACK=SEG.SEQ+SEG.LEN><RST,ACK> (RFC 9293 §3.10.7.1)', () => {
  const c = new Script({ passive: true })
  c.in('S 0 <mss 1460>').out('R. 0 ack 1 win 0')
  c.in('S 0:10').out('R. 0 ack 11')
})

scenario('a reset that acknowledges our SYN refuses the connection (RFC 9293 §3.10.7.3 [MUST-12])', () => {
  const c = connecting()
  c.in('R. 0 ack 1')
  expect(c.state).toBe('CLOSED')
  expect(c.connection.error?.code).toBe('ECONNREFUSED')
  expect(c.events()).toEqual(['error', 'closed'])
})

scenario('CLOSE in SYN-SENT drops the record; a late SYN,ACK is then reset (RFC 9293 §3.10.4)', () => {
  const c = connecting()
  c.call((connection) => connection.close()).quiet()
  expect(c.state).toBe('CLOSED')
  expect(c.connection.error).toBe(null)
  c.in('S. 0 ack 1 <mss 1460>').out('R 1')
})

scenario('text and FIN queued in SYN-SENT go out once the connection is open (RFC 9293 §3.10.2 §3.10.4)', () => {
  const c = connecting()
  c.write(100).quiet()
  c.call((connection) => connection.shutdownWrite()).quiet()
  expect(c.offer(10)).toBe(0)
  c.in('S. 0 ack 1 <mss 1460>').out('FP. 1:101 ack 1')
  expect(c.state).toBe('FIN-WAIT-1')
})

scenario('CLOSE in SYN-RECEIVED takes effect once the handshake is done (RFC 9293 §3.10.4)', () => {
  const c = connecting()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.call((connection) => connection.close()).quiet()
  c.in('. 1 ack 1').out('F. 1 ack 1')
  expect(c.state).toBe('FIN-WAIT-1')
})

scenario(
  'SYNs that cross are no loss: initial window and timeout are as ever (RFC 9293 §3.5 [MUST-10], RFC 5681 §3.1, RFC 6298 §5.7)',
  () => {
    const c = connecting()
    c.advance(50).in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1').advance(50).in('S. 0 ack 1').out('. 1 ack 1')
    expect([c.state, c.tcb.cc.cwnd, c.tcb.rtt.rtoUs]).toEqual(['ESTABLISHED', 14_600, 1_000_000])
    expect([c.stack.tcp.counters.TcpRetransSegs, c.connection.info().tcpi_total_retrans]).toEqual([0, 0])
  },
)

scenario(
  'a SYN that was lost before they crossed, or a SYN,ACK after, is a loss (RFC 5681 §3.1, RFC 6298 §5.7)',
  () => {
    const c = connecting()
    c.advance(1000).out('S 0').in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1').in('S. 0 ack 1').out('. 1 ack 1')
    const d = connecting()
    d.in(`S 0 ${d.synOptions()}`).out('S. 0 ack 1').advance(1000).out('S. 0 ack 1').in('S. 0 ack 1').out('. 1 ack 1')
    for (const { tcb, stack } of [c, d]) {
      expect([tcb.cc.cwnd, tcb.rtt.rtoUs]).toEqual([1460, 3_000_000])
      expect(stack.tcp.counters.TcpRetransSegs).toBeGreaterThan(0)
    }
  },
)

scenario('after a SYN,ACK that acknowledges something else our SYN goes again soon, once (RFC 9293 §3.10.7.3)', () => {
  const c = connecting()
  c.in('S. 0 ack 1234').out('R 1234')
  c.silent(1.999).advance(0.001).out('S 0')
  c.in('S. 0 ack 1234').out('R 1234')
  c.silent(1999.999).advance(0.001).out('S 0')
})

scenario('the first SYNs may go at an even pace, as in Linux (synLinearTimeouts; DEVIATION from RFC 6298 §5.5)', () => {
  const c = connecting({ tcp: { synLinearTimeouts: 2 } })
  for (const seconds of [1, 1, 1, 2, 4])
    c.silent(seconds * 1000 - 0.001)
      .advance(0.001)
      .out('S 0')
})
