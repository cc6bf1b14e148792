// What a hostile or confused peer may try: forged numbers, wars of acknowledgements, crumbs, windows that never open.

import { expect } from 'vitest'
import { established, listening, Script, scenario } from './script.ts'
import { currentWorld } from './world.ts'

scenario('a reset that is only challenged leaves TS.Recent alone (RFC 7323 §4.3, RFC 5961 §3.2)', () => {
  const c = established({ ts: true })
  c.in('R 100:1500 ack 77777 <TS val 1073741824>').drain()
  c.in('P. 1:11 ack 1').reads(10)
})

scenario('a segment whose acknowledgement is not believed leaves TS.Recent alone (RFC 7323 §4.3, RFC 5961 §5)', () => {
  const c = established({ ts: true })
  c.in('. 1 ack 70000 <TS val 1073741824>').drain()
  c.in('P. 1:11 ack 1').reads(10)
})

scenario('what should not have come draws one acknowledgement in half a second (RFC 5961 §7)', () => {
  const c = established({ tcp: { challengeIntervalUs: 500_000 } })
  c.in('R 100').out('. 1 ack 1')
  c.times(1000, 'R 100').quiet()
  c.in('S 50').in('. 1 ack 70000').in('. 70000 ack 1').quiet()
  c.advance(500).in('R 100').out('. 1 ack 1')
})

scenario('text that has come before is acknowledged each time, however often (RFC 9293 §3.10.7.4)', () => {
  const c = established({ tcp: { challengeIntervalUs: 500_000 } })
  c.in('P. 1:11 ack 1').reads(10).advance(40).out('. 1 ack 11')
  for (let i = 0; i < 3; i++) c.in('P. 1:11 ack 1').out('. 1 ack 11')
})

scenario('an acknowledgement at the right edge of a full window counts (DEVIATION from RFC 9293 §3.10.7.4)', () => {
  const c = established({ tcp: { receiveBufferBytes: 5840 }, sack: false })
  c.write(1000).out('P. 1:1001 ack 1')
  c.in('. 1461:5841 ack 1').out('. 1001 ack 1')
  c.in('. 5841 ack 1001').quiet()
  expect(c.tcb.snd.flight.bytes).toBe(0)
})

scenario('a SYN that crosses ours before it was even sent is answered (RFC 9293 §3.5 [MUST-10])', () => {
  const c = new Script()
  c.connection = c.stack.connect({ remote: c.remote, remotePort: c.remotePort, localPort: c.localPort }, c.now)
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.in('. 1 ack 1')
  expect(c.state).toBe('ESTABLISHED')
})

scenario('an abort while text or FIN still wait tells the peer, in LAST-ACK too (RFC 9293 §3.10.5)', () => {
  const c = established()
  c.in('F. 1 ack 1').out('. 1 ack 2')
  c.write(100_000).drain()
  c.call((connection) => connection.shutdownWrite()).drain()
  expect(c.state).toBe('LAST-ACK')
  c.call((connection) => connection.abort())
  expect(c.drain().length).toBe(1)
  expect(c.state).toBe('CLOSED')
})

scenario(
  'crumbs far apart open no more than so many ranges; the others are still extended (RFC 9293 §3.10.7.4)',
  () => {
    const c = established({ tcp: { outOfOrderRanges: 4 } })
    for (let at = 11; at < 211; at += 10) c.in(`. ${at}:${at + 1} ack 1`).drain()
    c.drain()
    expect(c.tcb.rcv.outOfOrder.size).toBe(4)
    c.in('. 12:13 ack 1').drain()
    expect([c.tcb.rcv.outOfOrder.size, c.tcb.rcv.outOfOrder.bytes]).toEqual([4, 5])
  },
)

scenario('SACK blocks of crumbs cut the flight into no more than so many pieces (RFC 2018 §5)', () => {
  const c = established({ sack: true, tcp: { flightPieces: 64, initialWindowSegments: 40 } })
  c.write(40 * 1460).drain()
  for (let at = 2; at < 20_000; at += 10) c.in(`. 1 ack 1 <sack ${at}:${at + 1}>`).drain()
  expect(c.tcb.snd.flight.size).toBeLessThan(64 + 2)
})

scenario('a peer that never opens its window does not hold a closed connection for ever (RFC 6429 §3)', () => {
  const c = established({ tcp: { orphanTimeoutUs: 60_000_000 } })
  c.write(100_000).drain()
  c.call((connection) => connection.close()).drain()
  c.in('. 1 ack 14601 win 0').drain()
  for (let i = 0; i < 200 && c.state !== 'CLOSED'; i++) {
    c.advance(1000, true)
    c.in('. 1 ack 14601 win 0').drain()
  }
  expect(c.state).toBe('CLOSED')
})

scenario('no more SACK blocks are sent than the path has room for (RFC 2018 §3)', () => {
  if (currentWorld().family === 6) return // its least MTU has room
  const c = established({ mtu: 68, sack: true, ts: true })
  c.in('. 11:21 ack 1').out('. 1 ack 1 <TS ecr 1100,sack 11:21>')
  c.in('. 31:41 ack 1').out('. 1 ack 1 <TS ecr 1100,sack 31:41>') // 20 + 20 + 12 + 12 of 68 bytes
})

scenario('a keep-alive time that is no number is refused, and so is half a byte', () => {
  const c = established()
  c.call((connection) => {
    expect(() => connection.setKeepAlive(true, Number.NaN)).toThrow(RangeError)
    expect(() => connection.setKeepAlive(true, 0)).toThrow(RangeError)
    expect(() => connection.read(1.5)).toThrow(RangeError)
  })
})

scenario('a listener whose backlog is full lets TIME-WAIT be (RFC 9293 §3.6.1 [MAY-2])', () => {
  const c = listening({ backlog: 1 })
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
  c.call((connection) => connection.close()).out('F. 1 ack 1')
  c.in('F. 1 ack 2').out('. 2 ack 2')
  expect(c.state).toBe('TIME-WAIT')
})

scenario(
  'a closed connection whose peer shuts its window on what is in flight is not held for ever (RFC 6429 §3)',
  () => {
    const c = established({ mss: 1000, win: 5000, tcp: { orphanTimeoutUs: 60_000_000 } })
    c.write(3000).drain()
    c.call((connection) => connection.close()).drain()
    for (let i = 0; i < 100 && c.state !== 'CLOSED'; i++) c.advance(1000, true).in('. 1 ack 1 win 0').drain()
    expect([c.state, c.ms >= 60_000 && c.ms < 80_000]).toEqual(['CLOSED', true])
    // As long as somebody waits for it, a peer that answers is alive [MUST-37].
    const d = established({ mss: 1000, win: 5000, tcp: { orphanTimeoutUs: 60_000_000 } })
    d.write(3000).drain()
    for (let i = 0; i < 100; i++) d.advance(1000, true).in('. 1 ack 1 win 0').drain()
    expect(d.state).toBe('ESTABLISHED')
  },
)
