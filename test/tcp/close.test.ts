// Closing: half-close, normal and simultaneous close, reset on unread text, abort (RFC 9293 §3.6, §3.10.4, §3.10.5, §3.10.7.4).

import { expect } from 'vitest'
import { established, scenario } from './script.ts'
import { inState } from './states.ts'

scenario('normal close (RFC 9293 §3.6 figure 12, TCP Peer A)', () => {
  // 1. ESTABLISHED
  const c = established()
  // 2. (Close) FIN-WAIT-1 --> <SEQ=100><ACK=300><CTL=FIN,ACK>
  c.call((connection) => connection.shutdownWrite()).out('F. 1 ack 1')
  expect(c.state).toBe('FIN-WAIT-1')
  // 3. FIN-WAIT-2 <-- <SEQ=300><ACK=101><CTL=ACK>
  c.in('. 1 ack 2')
  expect(c.state).toBe('FIN-WAIT-2')
  // 4. TIME-WAIT <-- <SEQ=300><ACK=101><CTL=FIN,ACK>
  c.in('F. 1 ack 2')
  expect(c.state).toBe('TIME-WAIT')
  // 5. TIME-WAIT --> <SEQ=101><ACK=301><CTL=ACK>
  c.out('. 2 ack 2')
  expect(c.events()).toEqual(['end', 'drained'])
  // 6. (2 MSL) CLOSED
  c.silent(59_999.999)
  expect(c.state).toBe('TIME-WAIT')
  c.silent(0.001)
  expect(c.state).toBe('CLOSED')
  expect(c.events()).toEqual(['closed'])
  expect(c.connection.error).toBe(null)
})

scenario('normal close (RFC 9293 §3.6 figure 12, TCP Peer B)', () => {
  const c = established()
  c.in('F. 1 ack 1').out('. 1 ack 2')
  expect(c.state).toBe('CLOSE-WAIT')
  // 4. (Close) LAST-ACK <-- <SEQ=300><ACK=101><CTL=FIN,ACK>
  c.call((connection) => connection.shutdownWrite()).out('F. 1 ack 2')
  expect(c.state).toBe('LAST-ACK')
  // 5. CLOSED
  c.in('. 2 ack 2')
  expect(c.state).toBe('CLOSED')
  expect(c.events()).toEqual(['end', 'closed', 'drained'])
})

scenario('simultaneous close (RFC 9293 §3.6 figure 13)', () => {
  const c = established()
  c.call((connection) => connection.shutdownWrite()).out('F. 1 ack 1')
  c.in('F. 1 ack 1').out('. 2 ack 2')
  expect(c.state).toBe('CLOSING')
  c.in('. 2 ack 2')
  expect(c.state).toBe('TIME-WAIT')
  c.silent(60_000)
  expect(c.state).toBe('CLOSED')
})

scenario('a FIN that acknowledges ours leads straight to TIME-WAIT (RFC 9293 §3.10.7.4, eighth check)', () => {
  const c = established()
  c.call((connection) => connection.shutdownWrite()).out('F. 1 ack 1')
  c.in('F. 1 ack 2').out('. 2 ack 2')
  expect(c.state).toBe('TIME-WAIT')
})

scenario('half-close: we have closed, the peer sends on (RFC 9293 §3.6 case 1)', () => {
  const c = established()
  c.call((connection) => connection.shutdownWrite())
    .out('F. 1 ack 1')
    .in('. ack 2')
  c.in('. 1:1461 ack 2', '. 1461:2921 ack 2').out('. 2 ack 2921').reads(2920)
  expect(c.offer(10)).toBe(0)
  c.in('FP. 2921:3021 ack 2').out('. 2 ack 3022').reads(100)
  expect([c.state, c.connection.ended]).toEqual(['TIME-WAIT', true])
})

scenario('half-close: the peer has closed, we send on (RFC 9293 §3.6 case 2)', () => {
  const c = established({ mss: 1000 })
  c.in('F. 1 ack 1').out('. 1 ack 2')
  expect(c.connection.ended).toBe(true)
  c.write(3000).outText(1, 3001, 2).in('. ack 3001')
  c.write(10).out('P. 3001:3011 ack 2')
  c.call((connection) => connection.shutdownWrite())
    .out('F. 3011 ack 2')
    .in('. ack 3012')
  expect(c.state).toBe('CLOSED')
})

scenario('text that is queued goes out before the FIN (RFC 9293 §3.10.4)', () => {
  const c = established({ mss: 1000, win: 2000 })
  c.write(3500).outText(1, 2001, 1, false)
  c.call((connection) => connection.shutdownWrite()).quiet()
  expect(c.state).toBe('FIN-WAIT-1')
  c.in('. ack 2001').out('. 2001:3001 ack 1', 'FP. 3001:3501 ack 1')
  c.in('. ack 3501')
  expect(c.state).toBe('FIN-WAIT-1')
  c.in('. ack 3502')
  expect(c.state).toBe('FIN-WAIT-2')
})

scenario(
  'a FIN of the peer’s that comes before ours is out leads to CLOSING all the same (RFC 9293 §3.10.7.4, eighth check)',
  () => {
    const c = established({ mss: 1000, win: 1000 })
    c.write(2000)
      .out('. 1:1001 ack 1')
      .call((connection) => connection.shutdownWrite())
      .quiet()
    c.in('F. 1 ack 1').out('. 1001 ack 2')
    expect(c.state).toBe('CLOSING')
    c.in('. ack 1001 win 2000').out('FP. 1001:2001 ack 2').in('. ack 2001')
    expect(c.state).toBe('CLOSING')
    c.in('. ack 2002')
    expect(c.state).toBe('TIME-WAIT')
  },
)

scenario('a lost FIN goes again by its timer (RFC 9293 §3.10.8)', () => {
  for (const state of ['FIN-WAIT-1', 'CLOSING', 'LAST-ACK'] as const) {
    const { c, rcvNxt } = inState(state)
    c.silent(299.999).advance(0.001).out(`F. 1 ack ${rcvNxt}`)
    c.silent(599.999).advance(0.001).out(`F. 1 ack ${rcvNxt}`)
  }
})

scenario('a FIN that nobody acknowledges is given up (RFC 9293 §3.8.3 [MUST-20])', () => {
  const { c } = inState('LAST-ACK', { tcp: { retransmitTimeoutUs: 100_000_000 } })
  while (c.state !== 'CLOSED' && c.ms < 200_000) c.advance(1000).drain()
  expect(c.connection.error?.code).toBe('ETIMEDOUT')
})

scenario('a FIN that comes again is acknowledged again (RFC 9293 §3.10.7.4, first check)', () => {
  for (const state of ['CLOSE-WAIT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT'] as const) {
    const { c, rcvNxt, sndNxt, sndUna } = inState(state)
    c.in(`F. 1 ack ${sndUna}`).out(`. ${sndNxt} ack ${rcvNxt}`)
    expect(c.state).toBe(state)
  }
})

scenario(
  'close with unread text resets the connection, so that the peer knows (RFC 9293 §3.6.1 [SHLD-3], RFC 2525 §2.17)',
  () => {
    const c = established()
    c.in('P. 1:101 ack 1')
      .call((connection) => connection.close())
      .out('R. 1 ack 101')
    expect([c.state, c.connection.error]).toEqual(['CLOSED', null])
    expect(c.events()).toEqual(['readable', 'closed'])
  },
)

scenario('close after everything was read sends what is queued and FIN (RFC 9293 §3.6.1)', () => {
  const c = established()
  c.in('P. 1:101 ack 1').reads(100).write(10).out('P. 1:11 ack 101')
  c.call((connection) => connection.close()).out('F. 11 ack 101')
  c.call((connection) => connection.close()).quiet()
})

scenario('text that comes after close resets the connection (RFC 9293 §3.6.1 [SHLD-3])', () => {
  const c = established()
  c.call((connection) => connection.close())
    .out('F. 1 ack 1')
    .in('. ack 2')
  c.in('P. 1:101 ack 2').out('R. 2 ack 1')
  expect(c.state).toBe('CLOSED')
})

scenario('a FIN with no text after close ends in good order (RFC 9293 §3.6.1)', () => {
  const c = established()
  c.call((connection) => connection.close())
    .out('F. 1 ack 1')
    .in('F. 1 ack 2')
    .out('. 2 ack 2')
  expect(c.state).toBe('TIME-WAIT')
})

scenario('once the application has closed, FIN-WAIT-2 waits no longer than set; otherwise for ever', () => {
  const c = established({ tcp: { finWait2TimeoutUs: 5_000_000 } })
  c.call((connection) => connection.close())
    .out('F. 1 ack 1')
    .in('. ack 2')
  c.silent(4999.999)
  expect(c.state).toBe('FIN-WAIT-2')
  c.silent(0.001)
  expect(c.state).toBe('CLOSED')
  const d = established({ tcp: { finWait2TimeoutUs: 5_000_000 } })
  d.call((connection) => connection.shutdownWrite())
    .out('F. 1 ack 1')
    .in('. ack 2')
    .silent(3_600_000)
  expect(d.state).toBe('FIN-WAIT-2')
  d.call((connection) => connection.close()).silent(5000)
  expect(d.state).toBe('CLOSED')
})

scenario('abort resets at once where the peer does not know yet (RFC 9293 §3.10.5)', () => {
  for (const state of ['SYN-RECEIVED', 'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT'] as const) {
    const { c, rcvNxt, sndNxt } = inState(state)
    c.call((connection) => connection.abort()).out(`R. ${sndNxt} ack ${rcvNxt}`)
    expect(c.connection.state).toBe('CLOSED')
  }
  for (const state of ['SYN-SENT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT'] as const) {
    const { c } = inState(state)
    c.call((connection) => connection.abort()).quiet()
    expect(c.connection.state).toBe('CLOSED')
    c.call((connection) => connection.abort()).quiet()
  }
})

scenario('abort throws away what is queued and what was received (RFC 9293 §3.10.5)', () => {
  const c = established({ mss: 1000, win: 1000 })
  c.write(3000).drain()
  c.in('P. 1:11 ack 1')
    .call((connection) => connection.abort())
    .out('R. 1001 ack 11')
  expect(c.connection.read()).toBe(null)
  expect(c.offer(10)).toBe(0)
  c.in('. 11 ack 1001').out('R 1001')
})

scenario('the application can tell a normal close from an aborted one (RFC 9293 §3.6 [MUST-12])', () => {
  const c = established()
  c.in('F. 1 ack 1').out('. 1 ack 2')
  expect([c.connection.error, c.connection.ended]).toEqual([null, true])
  const d = established()
  d.in('R 1')
  expect([d.connection.error?.code, d.connection.ended]).toEqual(['ECONNRESET', false])
})

scenario(
  'a reset that throws away what was not read leaves no end to be seen in its place (RFC 9293 §3.10.7.4)',
  () => {
    const c = established()
    c.in('FP. 1:11 ack 1').out('. 1 ack 12')
    c.in('R 12')
    expect([c.connection.error?.code, c.connection.read(), c.connection.ended]).toEqual(['ECONNRESET', null, false])
    const d = established()
    d.in('FP. 1:11 ack 1').out('. 1 ack 12')
    d.connection.read()
    d.in('R 12')
    expect([d.connection.error?.code, d.connection.ended], 'all was read').toEqual(['ECONNRESET', true])
  },
)

scenario('close in LISTEN resets who has not been accepted (RFC 9293 §3.10.4)', () => {
  const { c } = inState('SYN-RECEIVED')
  c.listener?.close()
  c.call(() => {}).out('R. 1 ack 1')
  expect(c.state).toBe('CLOSED')
})

scenario('calls on a closed connection do nothing', () => {
  const c = established()
  c.in('R 1')
  c.events()
  c.call((connection) => {
    connection.close()
    connection.shutdownWrite()
    connection.shutdownRead()
    connection.abort()
    connection.setKeepAlive(true, 1000)
    connection.setNoDelay(true)
    connection.quickAck()
    expect(connection.write(new Uint8Array(3))).toBe(0)
    expect(connection.read()).toBe(null)
  }).silent(100_000)
  expect(c.events()).toEqual([])
})

scenario('a reset in LAST-ACK is an error when text of ours was lost with it (RFC 9293 §3.6 [MUST-12])', () => {
  for (const [written, error] of [
    [100, 'ECONNRESET'],
    [0, undefined],
  ] as const) {
    const c = established()
    c.in('F. 1 ack 1').out('. 1 ack 2')
    if (written > 0) c.write(written).out('P. 1:101 ack 2')
    c.call((connection) => connection.shutdownWrite()).out(`F. ${written + 1} ack 2`)
    expect(c.state).toBe('LAST-ACK')
    c.in('R 2')
    expect([c.state, c.connection.error?.code]).toEqual(['CLOSED', error])
  }
})
