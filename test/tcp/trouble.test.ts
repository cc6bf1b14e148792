// What troubles a connection without ending it: R1 (RFC 9293 §3.8.3) and soft ICMP errors (§3.9.1.8, §3.9.2.2; RFC 5461).

import { expect } from 'vitest'
import { icmp, type Kind } from './icmp-packet.ts'
import { connecting, established, listening, scenario } from './script.ts'
import { currentWorld } from './world.ts'

scenario(
  'the application is told when a segment has gone again three times (RFC 9293 §3.8.3 [MUST-20] [SHLD-9] [SHLD-10])',
  () => {
    const c = established()
    c.write(100).out('P. 1:101 ack 1')
    c.advance(300).out('P. 1:101 ack 1').advance(600).out('P. 1:101 ack 1')
    expect([c.events(), c.connection.isTroubled]).toEqual([[], false])
    c.advance(1200).out('P. 1:101 ack 1')
    expect([c.events(), c.connection.isTroubled, c.connection.info().isTroubled]).toEqual([['trouble'], true, true])
    c.advance(2400).out('P. 1:101 ack 1')
    expect(c.events()).toEqual([]) // once
    c.in('. ack 101')
    expect([c.events(), c.connection.isTroubled]).toEqual([['drained', 'trouble'], false])
  },
)

scenario('R1 is a setting, and a SYN is told of as well (RFC 9293 §3.8.3 [MUST-22] [SHLD-9])', () => {
  const c = connecting({ tcp: { retransmitNoticeCount: 1 } })
  c.advance(1000).out('S 0')
  expect(c.events()).toEqual(['trouble'])
  c.advance(100).in(`S. 0 ack 1 ${c.synOptions()}`).out('. 1 ack 1')
  expect([c.events(), c.connection.isTroubled]).toEqual([['connected', 'trouble'], false])
})

const SOFT: readonly [Kind, string, string][] = [
  ['network', 'ENETUNREACH', 'ENETUNREACH'],
  ['host', 'EHOSTUNREACH', 'EHOSTUNREACH'],
  ['admin', 'EHOSTUNREACH', 'EACCES'],
  ['time', 'EHOSTUNREACH', 'EHOSTUNREACH'],
  ['parameter', 'EPROTO', 'EPROTO'],
  ['source-route', 'EOPNOTSUPP', 'EACCES'],
]

scenario(
  'a soft error is told, kept, and gone when something is acknowledged (RFC 9293 §3.9.1.8 [MUST-47] [SHLD-25] [MUST-54])',
  () => {
    for (const [kind, v4, v6] of SOFT) {
      const c = established()
      c.write(100).out('P. 1:101 ack 1')
      icmp(c, kind, 1)
      const code = currentWorld().family === 4 ? v4 : v6
      expect([c.events(), c.connection.softError?.code, c.connection.error]).toEqual([['trouble'], code, null])
      icmp(c, kind, 1)
      expect(c.events()).toEqual([]) // the same again is no news
      c.in('. ack 101')
      expect([c.events(), c.connection.softError]).toEqual([['drained', 'trouble'], null])
    }
  },
)

scenario('who has no wish to hear of soft errors does not (RFC 9293 §3.9.1.8 [SHLD-20])', () => {
  const c = established({ tcp: { reportSoftErrors: false } })
  c.write(100).out('P. 1:101 ack 1')
  icmp(c, 'host', 1)
  expect([c.events(), c.connection.softError?.code]).toEqual([[], 'EHOSTUNREACH'])
  c.in('. ack 101')
  expect(c.events()).toEqual(['drained'])
})

scenario(
  'an open that times out after a host was unreachable fails of that (RFC 9293 §3.9.2.2 [MUST-56], as Linux)',
  () => {
    const c = connecting({ tcp: { synTimeoutUs: 2_000_000 } })
    icmp(c, 'host', 0)
    expect([c.state, c.events()]).toEqual(['SYN-SENT', ['trouble']])
    c.advance(1000).out('S 0').silent(1000)
    expect([c.connection.error?.code, c.events()]).toEqual(['EHOSTUNREACH', ['error', 'closed']])
    expect(c.stack.tcp.counters.TcpExtTCPAbortOnTimeout).toBe(1)
  },
)

scenario('so does text that is given up; without an error it is a timeout (RFC 9293 §3.8.3 [MUST-20])', () => {
  for (const isTold of [true, false]) {
    const c = established({ tcp: { retransmitTimeoutUs: 1_000_000 } })
    c.write(100).out('P. 1:101 ack 1')
    if (isTold) icmp(c, 'network', 1)
    c.advance(1000, true)
    expect(c.connection.error?.code).toBe(isTold ? 'ENETUNREACH' : 'ETIMEDOUT')
  }
})

scenario(
  'a hard error in SYN-RECEIVED goes back to LISTEN; after a simultaneous open it refuses (RFC 5461 §4.1, RFC 9293 [SHLD-26])',
  () => {
    const c = listening()
    c.in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1')
    icmp(c, 'port', 0)
    expect([c.state, c.stack.tcp.connectionCount]).toEqual(['LISTEN', 0])
    const d = connecting()
    d.in(`S 0 ${d.synOptions()}`).out('S. 0 ack 1')
    icmp(d, 'port', 0)
    expect(d.connection.error?.code).toBe('ECONNREFUSED')
  },
)

scenario('a protocol that the peer does not speak: not available, in IPv4 (RFC 9293 §3.9.2.2 [SHLD-26])', () => {
  const c = connecting()
  icmp(c, 'protocol', 0)
  if (currentWorld().family === 4) expect(c.connection.error?.code).toBe('ENOPROTOOPT')
  else {
    expect([c.connection.error, c.connection.softError?.code]).toEqual([null, 'EPROTO'])
    c.call((connection) => connection.abort())
  }
})

scenario('errors about what is not in flight are counted, and in TIME-WAIT nothing is (RFC 5927 §4.1)', () => {
  const c = established()
  c.call((connection) => connection.shutdownWrite())
    .out('F. 1 ack 1')
    .in('F. 1 ack 2')
    .out('. 2 ack 2')
  expect(c.state).toBe('TIME-WAIT')
  icmp(c, 'port', 1)
  icmp(c, 'host', 2)
  expect([c.state, c.connection.softError, c.stack.tcp.counters.TcpExtOutOfWindowIcmps]).toEqual(['TIME-WAIT', null, 2])
})
