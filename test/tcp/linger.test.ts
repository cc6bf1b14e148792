// SO_LINGER in its three forms, and the wait in FIN-WAIT-2 (RFC 9293 §3.6.1; POSIX close() as Linux has it).

import { expect } from 'vitest'
import { established, scenario } from './script.ts'
import { inState } from './states.ts'

scenario('without lingering, close sends what is queued and says nothing more (RFC 9293 §3.10.4)', () => {
  const c = established({ mss: 1000, win: 1000 })
  c.write(1500)
    .out('. 1:1001 ack 1')
    .call((connection) => connection.close())
    .quiet()
  expect(c.connection.linger).toBe('none')
  c.in('. ack 1001').out('FP. 1001:1501 ack 1').in('. ack 1502')
  expect([c.state, c.connection.linger, c.events()]).toEqual(['FIN-WAIT-2', 'none', ['drained']])
})

scenario('lingering for no time at all: close resets, what is queued is lost, no TIME-WAIT (RFC 9293 §3.10.5)', () => {
  const c = established({ mss: 1000, win: 1000, tcp: { lingerUs: 0 } })
  c.write(1500)
    .out('. 1:1001 ack 1')
    .call((connection) => connection.close())
    .out('R. 1001 ack 1')
  expect([c.state, c.connection.error, c.stack.tcp.connectionCount]).toEqual(['CLOSED', null, 0])
  expect(c.stack.tcp.counters).toMatchObject({ TcpExtTCPAbortOnData: 1, TcpExtTW: 0 })
  c.silent(100_000)
})

scenario('a reset by close where no reset is due is silent (RFC 9293 §3.10.5)', () => {
  for (const state of ['SYN-SENT', 'TIME-WAIT'] as const) {
    const { c } = inState(state, { tcp: { lingerUs: 0 } })
    c.call((connection) => connection.close()).quiet()
  }
  const { c } = inState('FIN-WAIT-2', { tcp: { lingerUs: 0 } })
  c.call((connection) => connection.close()).out('R. 2 ack 1')
})

scenario('a lingering close tells when all is acknowledged, FIN included (RFC 9293 §3.6.1 [MAY-1])', () => {
  const c = established({ mss: 1000, win: 1000 })
  c.call((connection) => connection.configure({ lingerUs: 5_000_000 }))
  c.write(1500)
    .out('. 1:1001 ack 1')
    .call((connection) => connection.close())
  expect(c.connection.linger).toBe('waiting')
  c.in('. ack 1001').out('FP. 1001:1501 ack 1').in('. ack 1501')
  expect([c.connection.linger, c.events()]).toEqual(['waiting', ['drained']])
  c.in('. ack 1502')
  expect([c.state, c.connection.linger, c.events()]).toEqual(['FIN-WAIT-2', 'acknowledged', ['drained', 'lingered']])
  c.silent(10_000)
  expect([c.connection.linger, c.events()]).toEqual(['acknowledged', []])
})

scenario('a lingering close that takes too long tells so, and goes on in the background as in Linux', () => {
  const c = established({ tcp: { lingerUs: 1_000_000 } })
  c.write(100)
    .out('P. 1:101 ack 1')
    .call((connection) => connection.close())
    .out('F. 101 ack 1')
  for (const ms of [300, 600]) c.advance(ms).out('P. 1:101 ack 1', 'F. 101 ack 1')
  c.silent(99.999)
  expect([c.connection.linger, c.events()]).toEqual(['waiting', []])
  c.silent(0.001)
  expect([c.connection.linger, c.events(), c.state]).toEqual(['expired', ['lingered'], 'FIN-WAIT-1'])
  c.in('. ack 102')
  expect([c.connection.linger, c.state]).toEqual(['expired', 'FIN-WAIT-2'])
})

scenario('a lingering close that fails says so', () => {
  const c = established({ tcp: { lingerUs: 10_000_000 } })
  c.write(100)
    .out('P. 1:101 ack 1')
    .call((connection) => connection.close())
    .out('F. 101 ack 1')
    .in('R 1')
  expect([c.connection.linger, c.events()]).toEqual(['failed', ['error', 'closed', 'lingered']])
  const { c: d } = inState('CLOSE-WAIT', { tcp: { lingerUs: 10_000_000 } })
  d.call((connection) => connection.close()).out('F. 1 ack 2')
  d.in('R 2') // in LAST-ACK a reset is no error, but nothing was acknowledged either
  expect([d.connection.linger, d.connection.error]).toEqual(['failed', null])
})

scenario('the end of a passive close is told too: LAST-ACK', () => {
  const { c } = inState('CLOSE-WAIT', { tcp: { lingerUs: 10_000_000 } })
  c.events()
  c.call((connection) => connection.close())
    .out('F. 1 ack 2')
    .in('. ack 2')
  expect([c.state, c.connection.linger]).toEqual(['CLOSED', 'acknowledged'])
  expect(c.events()).toContain('lingered')
})

scenario('with nothing to wait for, close knows it at once', () => {
  const { c } = inState('FIN-WAIT-2', { tcp: { lingerUs: 10_000_000 } })
  c.events()
  c.call((connection) => connection.close())
  expect([c.connection.linger, c.events()]).toEqual(['acknowledged', []])
})

scenario('FIN-WAIT-2 is not waited in at all when set so: the peer is reset (Linux: TCP_LINGER2 below 0)', () => {
  const c = established({ tcp: { finWait2TimeoutUs: -1 } })
  c.call((connection) => connection.close())
    .out('F. 1 ack 1')
    .in('. ack 2')
    .out('R. 2 ack 1')
  expect([c.state, c.stack.tcp.counters.TcpExtTCPAbortOnLinger]).toEqual(['CLOSED', 1])
  const d = established({ tcp: { finWait2TimeoutUs: -1 } })
  d.call((connection) => connection.shutdownWrite())
    .out('F. 1 ack 1')
    .in('. ack 2')
    .silent(100_000)
  expect(d.state).toBe('FIN-WAIT-2') // half-closed only: the application still reads
})

scenario(
  'flush throws away what was never sent; what was, and what follows, arrive (RFC 9293 §3.9.1.7 [MAY-14])',
  () => {
    const c = established({ mss: 1000, win: 2000 })
    c.write(2000).outText(1, 2001, 1)
    expect(c.offer(500)).toBe(500)
    c.call((connection) => expect(connection.flush()).toBe(500))
    c.call((connection) => expect(connection.flush()).toBe(0))
    c.in('. ack 2001 win 5000').quiet()
    c.call((connection) => connection.shutdownWrite())
      .out('F. 2001 ack 1')
      .in('. ack 2002')
    expect(c.state).toBe('FIN-WAIT-2')
  },
)

scenario('a lingering close and an abort in the same breath leave no timer behind (RFC 9293 §3.10.5)', () => {
  const c = established({ mss: 1000, win: 0, tcp: { lingerUs: 5_000_000 } })
  c.write(1000).call((connection) => {
    connection.close()
    connection.abort()
  })
  c.out('R. 1 ack 1')
  expect([c.state, c.connection.linger, c.stack.nextDeadline()]).toEqual(['CLOSED', 'failed', Infinity])
})
