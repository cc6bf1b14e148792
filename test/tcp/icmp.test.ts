// ICMP errors about our segments (RFC 9293 §3.9.2.2; RFC 5927; RFC 1191, RFC 8201).

import { expect } from 'vitest'
import { icmp } from './icmp-packet.ts'
import { connecting, established, scenario } from './script.ts'

scenario('port unreachable while opening: refused (RFC 9293 §3.9.2.2 [SHLD-26] [MUST-54], RFC 5461 §4)', () => {
  const c = connecting()
  icmp(c, 'port', 0)
  expect(c.connection.error?.code).toBe('ECONNREFUSED')
  expect(c.events()).toEqual(['error', 'closed'])
})

scenario(
  'soft errors do not end a connection that opens: the SYN goes again (RFC 9293 §3.9.2.2 [MUST-56] [MUST-55])',
  () => {
    const c = connecting()
    for (const kind of ['network', 'host', 'source-route', 'time', 'parameter', 'quench', 'admin'] as const)
      icmp(c, kind, 0)
    expect(c.state).toBe('SYN-SENT')
    c.silent(999.999).advance(0.001).out('S 0')
  },
)

scenario('no error but too-big touches an open connection (RFC 9293 §3.9.2.2 [MUST-56], RFC 5927 §5.2)', () => {
  const c = established()
  c.write(1000).out('P. 1:1001 ack 1')
  for (const kind of [
    'network',
    'host',
    'port',
    'protocol',
    'source-route',
    'time',
    'parameter',
    'quench',
    'admin',
  ] as const) {
    icmp(c, kind, 1)
  }
  expect(c.state).toBe('ESTABLISHED')
  c.in('. ack 1001').silent(10_000)
})

scenario('an error that quotes what is not in flight is not believed (RFC 5927 §4.1)', () => {
  const c = connecting()
  icmp(c, 'port', 1)
  icmp(c, 'port', -1)
  icmp(c, 'port', 0, { port: 81 })
  expect(c.state).toBe('SYN-SENT')
  const d = established()
  d.write(1000).out('P. 1:1001 ack 1')
  icmp(d, 'too-big', 0, { mtu: 1300 })
  icmp(d, 'too-big', 1001, { mtu: 1300 })
  expect(d.tcb.snd.mss).toBe(1460)
  d.in('. ack 1001')
})

scenario(
  'packet too big lowers the segment size; what was too long goes again in pieces, cwnd as it was (RFC 1191 §6.4 §6.5, RFC 8201 §4)',
  () => {
    const c = established()
    c.write(2 * 1460).outText(1, 2921)
    icmp(c, 'too-big', 1, { mtu: 1340 })
    c.out('. 1:1301 ack 1', '. 1301:1461 ack 1', '. 1461:2761 ack 1', 'P. 2761:2921 ack 1')
    expect([c.tcb.snd.mss, c.tcb.cc.cwnd]).toEqual([1300, 14_600])
    c.in('. ack 2921').write(2000).out('. 2921:4221 ack 1').quiet()
  },
)

scenario('with timestamps their octets come off the new size as well (RFC 6691 §2)', () => {
  const c = established({ ts: true })
  c.write(1448).out('P. 1:1449 ack 1')
  icmp(c, 'too-big', 1, { mtu: 1340 })
  c.out('. 1:1289 ack 1', 'P. 1289:1449 ack 1')
  expect(c.tcb.snd.mss).toBe(1288)
})

scenario(
  'a too-big by an octet counts the options of every segment, over IPv6 as Linux judges it too (RFC 8201 §4)',
  () => {
    for (const heuristics of ['rfc', 'linux'] as const) {
      const c = established({ ts: true, tcp: { heuristics } })
      const { mss } = c.tcb.snd
      c.write(mss).drain()
      icmp(c, 'too-big', 1, { mtu: mss + 12 + 20 + 20 - 1 })
      c.drain()
      expect(c.tcb.snd.mss).toBe(mss - 1)
    }
  },
)

scenario('a too-big that tells of a larger or an absurd size changes nothing (RFC 8201 §4, RFC 5927 §7.2)', () => {
  const c = established()
  c.write(1460).out('P. 1:1461 ack 1')
  for (const mtu of [1500, 9000, 68, 200]) icmp(c, 'too-big', 1, { mtu })
  expect(c.tcb.snd.mss).toBe(1460)
})

scenario('a too-big for segments that fit already is kept for later, nothing goes again (RFC 1191 §6.4)', () => {
  const c = established({ mss: 1000 })
  c.write(1000).out('P. 1:1001 ack 1')
  icmp(c, 'too-big', 1, { mtu: 1400 })
  c.quiet()
  expect([c.tcb.snd.mss, c.tcb.pathSegmentBytes]).toEqual([1000, 1380])
})
