// Keep-alive probes (RFC 9293 §3.8.4).

import { expect } from 'vitest'
import { PROTOCOL } from '../../src/ip/header.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { established, listening, type ScriptOptions, scenario } from './script.ts'
import { inState } from './states.ts'
import { transportSum } from './wire.ts'

const on: ScriptOptions = {
  tcp: { keepAlive: true, keepAliveIdleUs: 10_000_000, keepAliveIntervalUs: 2_000_000, keepAliveCount: 3 },
}

scenario('keep-alive is off by default: an idle connection stays for ever (RFC 9293 §3.8.4 [MUST-25] [MAY-5])', () => {
  const c = established()
  c.silent(30 * 24 * 3600 * 1000)
  expect([c.state, c.stack.nextDeadline()]).toEqual(['ESTABLISHED', Number.POSITIVE_INFINITY])
})

scenario('turned on, the first probe comes after two hours (RFC 9293 §3.8.4 [MUST-24] [MUST-28])', () => {
  const c = established()
  c.call((connection) => connection.setKeepAlive(true))
    .silent(7_200_000 - 0.001)
    .advance(0.001)
    .out('. 0 ack 1')
})

scenario('the idle time is a setting (RFC 9293 §3.8.4 [MUST-27])', () => {
  const c = established()
  c.call((connection) => connection.setKeepAlive(true, 5_000_000))
    .silent(4999.999)
    .advance(0.001)
    .out('. 0 ack 1')
  c.in('. ack 1')
    .call((connection) => connection.setKeepAlive(false))
    .silent(7_200_000)
})

scenario('a probe has no text and lies just left of the peer’s window (RFC 9293 §3.8.4 [SHLD-12])', () => {
  const c = established(on)
  c.write(100).out('P. 1:101 ack 1').in('. ack 101').in('P. 1:51 ack 101').reads(50).advance(40).out('. 101 ack 51')
  c.silent(9960 - 0.001)
    .advance(0.001)
    .out('. 100 ack 51')
})

scenario('an answered probe is proof of life: the next comes after the idle time (RFC 9293 §3.8.4 [MUST-26])', () => {
  const c = established(on)
  for (let i = 0; i < 5; i++) c.silent(9999.999).advance(0.001).out('. 0 ack 1').in('. ack 1')
  expect(c.state).toBe('ESTABLISHED')
})

scenario('one unanswered probe is no proof of death; as many as set are (RFC 9293 §3.8.4 [MUST-29])', () => {
  const c = established(on)
  c.advance(10_000).out('. 0 ack 1')
  c.silent(1999.999).advance(0.001).out('. 0 ack 1')
  c.silent(1999.999).advance(0.001).out('. 0 ack 1')
  c.silent(1999.999)
  expect(c.state).toBe('ESTABLISHED')
  c.silent(0.001)
  expect(c.connection.error?.code).toBe('ETIMEDOUT')
})

scenario('an answer after two probes saves the connection (RFC 9293 §3.8.4 [MUST-29])', () => {
  const c = established(on)
  c.advance(10_000).out('. 0 ack 1').advance(2000).out('. 0 ack 1').in('. ack 1')
  for (let i = 0; i < 3; i++) c.advance(i === 0 ? 10_000 : 2000).out('. 0 ack 1')
  expect(c.state).toBe('ESTABLISHED')
})

scenario('whatever the peer sends puts the probe off (RFC 9293 §3.8.4 [MUST-26])', () => {
  const c = established(on)
  c.advance(9000).in('P. 1:11 ack 1').reads(10).advance(40).out('. 1 ack 11')
  c.silent(9959.999).advance(0.001).out('. 0 ack 11')
})

scenario(
  'nothing is probed while text is outstanding: the retransmission timer does that (RFC 9293 §3.8.4 [MUST-26])',
  () => {
    const c = established({ tcp: { ...on.tcp, maxRtoUs: 60_000_000 } })
    c.write(100).out('P. 1:101 ack 1')
    for (let i = 0; i < 30; i++) {
      c.advance(1000)
      for (const { seq, end } of c.drain()) expect([seq, end]).toEqual([1, 101])
    }
    expect(c.state).toBe('ESTABLISHED')
  },
)

scenario('a probe of the peer’s is answered (RFC 9293 §3.8.4)', () => {
  const c = established()
  c.in('. 0 ack 1').out('. 1 ack 1').in('. 0:1 ack 1').out('. 1 ack 1').reads(0)
})

scenario('a dead peer is found out in FIN-WAIT-2 and CLOSE-WAIT as well, not in TIME-WAIT (RFC 9293 §3.8.4)', () => {
  for (const state of ['FIN-WAIT-2', 'CLOSE-WAIT'] as const) {
    const { c } = inState(state, on)
    c.advance(10_000).drain()
    c.advance(2000).drain()
    c.advance(2000).drain()
    c.silent(2000)
    expect(c.connection.error?.code).toBe('ETIMEDOUT')
  }
  const { c } = inState('TIME-WAIT', on)
  c.call((connection) => connection.setKeepAlive(true, 1_000_000)).silent(30_000)
  expect(c.state).toBe('TIME-WAIT')
})

scenario('set while the connection opens, it counts from when it is open', () => {
  const c = listening()
  c.in('S 0 <mss 1460>')
    .out('S. 0 ack 1')
    .call((connection) => connection.setKeepAlive(true, 5_000_000))
  c.advance(500).in('. 1 ack 1').accept()
  c.silent(4999.999).advance(0.001).out('. 0 ack 1')
})

scenario('a shorter idle time counts from when the peer was heard last (RFC 9293 §3.8.4 [MUST-27])', () => {
  const c = established(on)
  c.advance(4000)
  c.call((connection) => connection.configure({ keepAliveIdleUs: 6_000_000 }))
  c.silent(1999.999).advance(0.001).out('. 0 ack 1').in('. ack 1')
  c.advance(5000)
  c.call((connection) => connection.configure({ keepAliveIdleUs: 1_000_000 }))
    .advance(0)
    .out('. 0 ack 1') // it is over already
})

scenario(
  'another interval counts from the last probe, another count holds at once (RFC 9293 §3.8.4 [MUST-27] [MUST-29])',
  () => {
    const c = established(on)
    c.advance(10_000).out('. 0 ack 1').advance(500)
    c.call((connection) => connection.configure({ keepAliveIntervalUs: 1_000_000 }))
    c.silent(499.999).advance(0.001).out('. 0 ack 1')
    c.call((connection) => connection.configure({ keepAliveCount: 2 })).silent(999.999)
    expect([c.state, c.connection.info().tcpi_probes]).toEqual(['ESTABLISHED', 2])
    c.silent(0.001)
    expect([c.connection.error?.code, c.stack.tcp.counters.TcpExtTCPKeepAlive]).toEqual(['ETIMEDOUT', 2])
  },
)

scenario('an endless interval stops the probes, and a finite one begins them again (RFC 9293 §3.8.4 [MUST-27])', () => {
  const c = established(on)
  c.advance(10_000).out('. 0 ack 1')
  c.call((connection) => connection.configure({ keepAliveIntervalUs: Number.POSITIVE_INFINITY })).silent(1_000_000)
  c.call((connection) => connection.configure({ keepAliveIntervalUs: 1_000_000 }))
    .advance(1000)
    .out('. 0 ack 1')
})

scenario(
  'for peers that answer no empty probe, one has an octet of garbage that they have had already (RFC 9293 §3.8.4 [MAY-6])',
  () => {
    for (const keepAliveGarbage of [false, true]) {
      const c = established({ tcp: { ...on.tcp, keepAliveGarbage } })
      c.write(100).out('P. 1:101 ack 1').in('. ack 101')
      const packet = new Packet(new Uint8Array(HEADROOM + 1500))
      const later = c.now + 10_000_000
      c.stack.handleTimeout(later)
      expect(c.stack.pollTransmit(packet, later)).toBe(true)
      const segment = new SegmentHeader()
      expect(parseTcp(packet.bytes, packet.start + c.ipHeaderBytes, packet.end, segment)).toBe('ok')
      expect([(segment.seq - c.origin.iss) | 0, segment.textLength]).toEqual([100, keepAliveGarbage ? 1 : 0])
      expect(transportSum(packet, PROTOCOL.TCP, c.ipHeaderBytes)).toBe(0xffff)
      expect([c.connection.unackedBytes, c.stack.pollTransmit(packet, later)]).toEqual([0, false])
    }
  },
)

scenario(
  'an endless idle time that becomes finite counts from when the peer was heard last (RFC 9293 §3.8.4 [MUST-27])',
  () => {
    const c = established({ tcp: { ...on.tcp, keepAliveIdleUs: Number.POSITIVE_INFINITY } })
    c.silent(4000)
    c.call((connection) => connection.configure({ keepAliveIdleUs: 10_000_000 }))
    c.silent(5999.999).advance(0.001).out('. 0 ack 1')
  },
)
