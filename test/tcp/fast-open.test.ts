// TCP Fast Open, the client (RFC 7413): asking for a cookie, text in the SYN, and every way back to an ordinary handshake.

import { expect } from 'vitest'
import { Script, type ScriptOptions, scenario } from './script.ts'

const COOKIE = 'FO 0102030405060708'

/** A host that has met the server before: its first connection is over, its second is to be opened. */
function acquainted(options: ScriptOptions = {}): Script {
  const c = new Script({ ...options, tcp: { fastOpen: true, ...options.tcp } })
  c.connect().out('S 0')
  c.in(`S. 0 ack 1 <mss 1460,${COOKIE}>`).out('. 1 ack 1').in('R 1')
  c.localPort = 40001
  return c
}

/** Opens with so much text written at once, before the SYN goes. */
function openWith(c: Script, length: number): Script {
  const { remote, remotePort, localPort } = c
  c.connection = c.stack.connect({ remote, remotePort, localPort }, c.now)
  return c.write(length)
}

scenario('a first SYN asks for a cookie and carries no text (RFC 7413 §4.1.3)', () => {
  const c = new Script({ tcp: { fastOpen: true, timestamps: false } })
  openWith(c, 100).out('S 0 <mss 1460,sackOK,wscale 5,FO>')
  c.in(`S. 0 ack 1 <mss 1460,${COOKIE}>`).out('P. 1:101 ack 1')
})

scenario('without Fast Open the SYN has no such option (off by default)', () => {
  const c = new Script({ tcp: { timestamps: false } })
  openWith(c, 100).out('S 0 <mss 1460,sackOK,wscale 5>')
})

scenario('with a cookie the text goes with the SYN, one round trip earlier (RFC 7413 §4.2.1)', () => {
  const c = openWith(acquainted(), 100)
  const [syn] = c.drain()
  expect([syn?.flags, syn?.seq, syn?.end, syn?.options.at(-1)]).toEqual([2, 0, 100, COOKIE])
  c.in('S. 0 ack 101 <mss 1460>').out('. 101 ack 1')
  expect(c.state).toBe('ESTABLISHED')
  expect(c.events()).toEqual(expect.arrayContaining(['connected', 'drained']))
  c.write(10).out('P. 101:111 ack 1')
  expect(c.stack.tcp.counters).toMatchObject({ TcpExtTCPFastOpenActive: 1, TcpRetransSegs: 0 })
})

scenario('a SYN carries the text of one record, and not of the next (MSG_EOR)', () => {
  const c = acquainted()
  const { remote, remotePort, localPort } = c
  c.connection = c.stack.connect({ remote, remotePort, localPort }, c.now)
  const [syn] = c.writeRecords(2, 100).drain()
  expect(syn?.end).toBe(100)
  c.in('S. 0 ack 101 <mss 1460>').out('P. 101:201 ack 1')
})

scenario('a SYN carries no more text than one segment with its options (RFC 7413 §4.2.1)', () => {
  const c = openWith(acquainted(), 5000)
  const [syn] = c.drain()
  expect(syn?.end).toBe(1460 - 40)
  c.in('S. 0 ack 1421 <mss 1460>')
    .out('. 1421:2881 ack 1', '. 2881:4341 ack 1')
    .in('. 1 ack 4341')
    .out('P. 4341:5001 ack 1')
})

scenario(
  'text that the server does not take goes again when the connection is open, and that is no congestion (§4.2.1)',
  () => {
    const c = openWith(acquainted(), 100)
    c.drain()
    c.in('S. 0 ack 1 <mss 1460>').out('P. 1:101 ack 1')
    expect(c.tcb.recovery.phase).toBe('open')
    expect(c.tcb.cc.cwnd).toBe(10 * 1460)
    c.in('. 1 ack 101')
    expect(c.stack.tcp.counters).toMatchObject({ TcpExtTCPFastOpenActive: 0, TcpExtTCPFastOpenActiveFail: 1 })
  },
)

scenario('a server that takes a part gets the rest', () => {
  const c = openWith(acquainted(), 100)
  c.drain()
  c.in('S. 0 ack 41 <mss 1460>').out('P. 41:101 ack 1').in('. 1 ack 101')
  expect(c.tcb.snd.flight.bytes).toBe(0)
})

scenario(
  'a lost SYN goes again without option and text, and Fast Open rests towards that server (§4.2.1, §7.1)',
  () => {
    const c = openWith(acquainted({ tcp: { timestamps: false } }), 100)
    c.drain()
    c.advance(1000).out('S 0 <mss 1460,sackOK,wscale 5>')
    c.in('S. 0 ack 1 <mss 1460>').out('P. 1:101 ack 1').in('. 1 ack 101').in('R 1')
    expect(c.stack.tcp.counters.TcpExtTCPFastOpenActiveFail).toBe(1)
    c.localPort = 40002
    c.connect().out('S 0 <mss 1460,sackOK,wscale 5>').in('R. 0 ack 1')
    c.advance(60_000)
    c.localPort = 40003
    c.connect().out(`S 0 <mss 1460,sackOK,wscale 5,${COOKIE}>`)
  },
)

scenario('a refused connection with text in its SYN is refused as ever', () => {
  const c = openWith(acquainted(), 100)
  c.drain()
  c.in('R. 0 ack 101')
  expect(c.connection.error?.code).toBe('ECONNREFUSED')
})

scenario('a new cookie replaces the one that was presented (§4.1.3)', () => {
  const c = openWith(acquainted({ tcp: { timestamps: false } }), 100)
  c.drain()
  c.in('S. 0 ack 1 <mss 1000,FO a1a2a3a4>').out('P. 1:101 ack 1').in('R 1')
  c.localPort = 40002
  c.connect().out('S 0 <mss 1460,sackOK,wscale 5,FO a1a2a3a4>')
})

scenario('SYNs that cross: the text goes once the connection is open', () => {
  const c = openWith(acquainted(), 100)
  c.drain()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('S. 0 ack 1 <mss 1460>')
  c.drain()
  c.in('. 1 ack 101')
  expect([c.state, c.tcb.snd.flight.bytes]).toEqual(['ESTABLISHED', 0])
})

scenario(
  'a send buffer that was made smaller while its text was in the SYN shrinks as that is acknowledged (RFC 7413 §4.2.1)',
  () => {
    const c = openWith(acquainted(), 1000)
    c.drain()
    c.call((connection) => connection.configure({ sendBufferBytes: 100 }))
    expect(c.tcb.snd.bufferBytes).toBe(1000)
    c.advance(50).in('S. 0 ack 1001 <mss 1460>').drain()
    expect([c.state, c.tcb.snd.bufferBytes]).toEqual(['ESTABLISHED', 100])
  },
)
