// A listener's two queues: half-open connections, and those that wait to be accepted; what happens when either is full, and when the
// application wants to hear of a connection only with its first text (RFC 9293 §3.10.7.2, §3.10.7.4; RFC 4987).

import { expect } from 'vitest'
import type { Connection } from '../../src/tcp/connection.ts'
import { listening, type Script, scenario } from './script.ts'

/** A peer's SYN from this port, answered. */
function opens(c: Script, port: number): Script {
  c.remotePort = port
  return c.in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1')
}

/** The connection to a port of the peer. */
function byPort(c: Script, port: number): Connection {
  const found = [...c.stack.tcp.connections()].find((one) => one.remotePort === port)
  if (found === undefined) throw new Error(`no connection to port ${port}`)
  return found
}

scenario('half-open connections do not count into the backlog (RFC 4987 §3.2: a bound of their own)', () => {
  const c = listening({ backlog: 1 })
  for (let port = 40000; port < 40010; port++) opens(c, port)
  expect([c.listener?.halfOpen, c.listener?.pending]).toEqual([10, 0])
})

scenario('the ACK that ends a handshake is passed over while the backlog is full; SYN,ACK again draws another', () => {
  const c = listening({ backlog: 1 })
  const { counters } = c.stack.tcp
  opens(c, 40001)
  opens(c, 40000).in('. 1 ack 1')
  c.remotePort = 40001
  c.connection = byPort(c, 40001)
  c.in('. 1 ack 1').in('P. 1:11 ack 1').quiet()
  expect(c.state).toBe('SYN-RECEIVED')
  expect([counters.TcpExtListenOverflows, counters.TcpExtListenDrops, c.listener?.overflows]).toEqual([2, 2, 2])
  c.advance(1000).out('S. 0 ack 1').in('. 1 ack 1').quiet()
  c.listener?.accept()
  c.in('P. 1:11 ack 1')
  expect(c.state).toBe('ESTABLISHED')
  c.accept().reads(10)
})

scenario('a peer that the backlog never lets in is given up like one that is silent (RFC 4987 §3.3)', () => {
  const c = listening({ backlog: 1 })
  opens(c, 40001)
  opens(c, 40000).in('. 1 ack 1')
  c.remotePort = 40001
  c.connection = byPort(c, 40001)
  c.in('. 1 ack 1').quiet()
  for (const at of [1, 3, 7, 15, 31])
    c.advance(at * 1000 - c.ms)
      .out('S. 0 ack 1')
      .in('. 1 ack 1')
      .quiet()
  c.silent(63_000 - c.ms)
  expect([c.connection.state, c.listener?.halfOpen]).toEqual(['CLOSED', 0])
})

scenario(
  'nor does it help such a peer to answer every SYN,ACK, when no round trip can be measured (RFC 6298 §3)',
  () => {
    const c = listening({ backlog: 1, tcp: { synAckRetries: 2 } })
    opens(c, 40001)
    opens(c, 40000).in('. 1 ack 1')
    c.remotePort = 40001
    c.connection = byPort(c, 40001)
    for (const at of [1, 3])
      c.advance(at * 1000 - c.ms)
        .out('S. 0 ack 1')
        .in('. 1 ack 1')
        .quiet()
    c.silent(7000 - c.ms)
    expect(c.connection.state).toBe('CLOSED')
  },
)

scenario('with abortOnOverflow the peer is reset instead, and may know (Linux’s tcp_abort_on_overflow)', () => {
  const c = listening({ backlog: 1, tcp: { abortOnOverflow: true } })
  opens(c, 40001)
  opens(c, 40000).in('. 1 ack 1')
  c.remotePort = 40001
  c.connection = byPort(c, 40001)
  c.in('. 1 ack 1').out('R. 1 ack 1')
  expect([c.connection.state, c.stack.tcp.counters.TcpExtEmbryonicRsts]).toEqual(['CLOSED', 1])
  expect(c.stack.tcp.connectionCount).toBe(1)
})

scenario('a round trip is measured at the first ACK, not when there is room at last (RFC 6298 §3)', () => {
  const c = listening({ backlog: 1, ts: true })
  c.remotePort = 40001
  c.in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1')
  opens(c, 40000).in('. 1 ack 1')
  c.remotePort = 40001
  c.connection = byPort(c, 40001)
  c.advance(50).in('. 1 ack 1').quiet()
  c.listener?.accept()
  c.advance(700).in('P. 1:11 ack 1').drain()
  expect([c.state, c.tcb.rtt.srttUs]).toEqual(['ESTABLISHED', 50_000])
  expect(c.tcb.cc.cwnd).toBe(10 * c.tcb.snd.mss)
})

scenario('without cookies the oldest half-open connection gives way when their queue is full (RFC 4987 §3.4)', () => {
  const c = listening({ tcp: { synBacklog: 3, synCookies: 'never' } })
  for (const port of [40000, 40001, 40002, 40003]) opens(c, port)
  expect(c.stack.tcp.counters.TcpExtTCPReqQFullDrop).toBe(1)
  expect([...c.stack.tcp.connections()].map((one) => one.remotePort).sort()).toEqual([40001, 40002, 40003])
  expect(c.listener?.halfOpen).toBe(3)
  c.remotePort = 40000
  c.in('. 1 ack 1').out('R 1') // too late
  c.remotePort = 40001
  c.in('. 1 ack 1').quiet()
  expect(c.listener?.pending).toBe(1)
})

scenario('one that was heard of again goes only after all that were not', () => {
  const c = listening({ backlog: 1, tcp: { synBacklog: 2, synCookies: 'never' } })
  opens(c, 40000)
  opens(c, 40001).in('. 1 ack 1') // fills the backlog
  c.remotePort = 40000
  c.in('. 1 ack 1').quiet()
  c.listener?.accept()
  opens(c, 40002)
  opens(c, 40003)
  expect(byPort(c, 40000).state).toBe('SYN-RECEIVED')
  expect(() => byPort(c, 40002)).toThrow()
})

scenario('a SYN,ACK goes again as often as synAckRetries says (RFC 4987 §3.3)', () => {
  const c = listening({ tcp: { synAckRetries: 1 } })
  opens(c, 40000).advance(1000).out('S. 0 ack 1').silent(2000)
  expect(c.state).toBe('LISTEN')
  const never = listening({ tcp: { synAckRetries: 0 } })
  opens(never, 40000).silent(1000)
  expect(never.state).toBe('LISTEN')
})

scenario(
  'a reset, or a SYN in the window, sends a half-open connection back to LISTEN and is counted (RFC 9293 §3.10.7.4)',
  () => {
    const c = listening()
    opens(c, 40000).in('R 1')
    opens(c, 40001).in('S 5 <mss 1460>')
    expect([c.stack.tcp.connectionCount, c.listener?.halfOpen, c.stack.tcp.counters.TcpExtEmbryonicRsts]).toEqual([
      0, 0, 2,
    ])
  },
)

// Deferred accept.

scenario(
  'with deferAcceptUs a connection is accepted with its first text, and text and ACK count (Linux’s TCP_DEFER_ACCEPT)',
  () => {
    const c = listening({ tcp: { deferAcceptUs: 5_000_000 } })
    opens(c, 40000).advance(100).in('. 1 ack 1').silent(3900)
    expect([c.state, c.listener?.pending, c.stack.tcp.counters.TcpExtTCPDeferAcceptDrop]).toEqual([
      'SYN-RECEIVED',
      0,
      1,
    ])
    c.in('P. 1:11 ack 1')
    expect(c.state).toBe('ESTABLISHED')
    c.accept().reads(10)
    expect([c.tcb.rtt.srttUs, c.tcb.cc.cwnd]).toEqual([100_000, 14_600]) // the network's time, not the application's
    c.advance(40).out('. 1 ack 11')
  },
)

scenario('a FIN is worth hearing of too', () => {
  const c = listening({ tcp: { deferAcceptUs: 5_000_000 } })
  opens(c, 40000).in('. 1 ack 1').in('F. 1 ack 1').out('. 1 ack 2')
  c.accept()
  expect(c.state).toBe('CLOSE-WAIT')
})

scenario('when the time is over SYN,ACK goes again, and a bare ACK will do', () => {
  const c = listening({ tcp: { deferAcceptUs: 5_000_000 } })
  opens(c, 40000).advance(10).in('. 1 ack 1').silent(4989.999).advance(0.001).out('S. 0 ack 1')
  expect(c.listener?.pending).toBe(0)
  c.in('. 1 ack 1')
  expect([c.state, c.listener?.pending]).toEqual(['ESTABLISHED', 1])
})

scenario('a peer that is gone by then is given up after the usual number of SYN,ACKs', () => {
  const c = listening({ tcp: { deferAcceptUs: 5_000_000, synAckRetries: 2 } })
  opens(c, 40000).in('. 1 ack 1').advance(5000).out('S. 0 ack 1').advance(2000).out('S. 0 ack 1').silent(4000)
  expect(c.state).toBe('LISTEN')
})

scenario('without it a bare ACK is enough', () => {
  const c = listening()
  opens(c, 40000).in('. 1 ack 1')
  expect(c.listener?.pending).toBe(1)
})
