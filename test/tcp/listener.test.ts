// Passive opens: the backlog, who hears of what, ports and addresses (RFC 9293 §3.9.1.1, §3.10.7.2; RFC 6056 for ephemeral ports).

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { Stack } from '../../src/stack/stack.ts'
import { FLAG } from '../../src/tcp/header.ts'
import { established, listening, scenario } from './script.ts'

const ip = (text: string): IpAddress => IpAddress.parse(text)
const code = (name: string): unknown => expect.objectContaining({ code: name })

function stack(): Stack {
  return new Stack({
    addresses: ['10.0.0.2/24', '10.0.1.2/24', 'fd00::2/64'],
    mtu: 1500,
    random: new SeededRandom(3),
    tcp: {},
  })
}

scenario('a full backlog drops further SYNs in silence; one accepted makes room (RFC 9293 §3.10.7.2)', () => {
  const c = listening({ backlog: 2 })
  const { counters } = c.stack.tcp
  for (const port of [40000, 40001]) {
    c.remotePort = port
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  }
  c.in('. 1 ack 1').quiet()
  c.remotePort = 40000
  c.in('. 1 ack 1').quiet()
  c.remotePort = 40002
  c.in('S 0 <mss 1460>').quiet()
  expect([c.listener?.overflows, c.stack.drops.get('tcp-not-accepted')]).toEqual([1, 1])
  expect([counters.TcpExtListenOverflows, counters.TcpExtListenDrops]).toEqual([1, 1])
  c.accept().in('S 0 <mss 1460>').out('S. 0 ack 1')
  expect(counters.TcpPassiveOpens).toBe(3)
})

scenario(
  'a SYN that carries FIN opens nothing and is not answered, whatever else it carries (as Linux; RFC 9293 §3.10.7.2)',
  () => {
    const c = listening()
    c.in('SF 0 <mss 1460>').quiet()
    c.in('SFP 0 <mss 1460>').quiet()
    expect([c.state, c.stack.tcp.connectionCount]).toEqual(['LISTEN', 0])
    c.in('SP 0 <mss 1460>').out('S. 0 ack 1')
  },
)

scenario('connections are accepted in the order in which they were established', () => {
  const c = listening()
  for (const port of [40000, 40001]) {
    c.remotePort = port
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  }
  c.in('. 1 ack 1')
  c.remotePort = 40000
  c.in('. 1 ack 1')
  expect(c.listener?.pending).toBe(2)
  expect([c.accept().connection.remotePort, c.accept().connection.remotePort]).toEqual([40001, 40000])
  expect(c.listener?.accept()).toBe(null)
})

scenario('text that came before accept is told of after it', () => {
  const c = listening()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('P. 1:101 ack 1')
  expect(c.events()).toEqual(['acceptable'])
  c.accept()
  expect(c.events()).toEqual(['readable'])
  c.reads(100).advance(40).out('. 1 ack 101')
})

scenario('a connection that fails while it waits is still accepted, with its error', () => {
  const c = listening()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').in('R 1')
  c.accept()
  expect(c.connection.error?.code).toBe('ECONNRESET')
  expect(c.events()).toContain('error')
})

scenario('closing a listener resets who waits, and frees the port; accepted connections stay', () => {
  const c = listening()
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
  const first = c.connection
  c.remotePort = 40001
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1')
  c.listener?.close()
  c.listener?.close()
  c.call(() => {}).out('R. 1 ack 1')
  expect(first.state).toBe('ESTABLISHED')
  c.in('S 5000 <mss 1460>').out('R. 0 ack 5001')
  expect(() => c.listen()).not.toThrow()
})

scenario(
  'a SYN that comes in one batch with the reset of what stood in its way opens a connection (RFC 9293 §3.10.7.4, §3.10.7.2)',
  () => {
    const c = listening().in('S 0 <mss 1460>').out('S. 0 ack 1')
    c.in('R 1', 'S 70000 <mss 1460>').out('S. 0 ack 70001')
    c.in('. 70001 ack 1')
    expect([c.listener?.pending, c.stack.tcp.connectionCount]).toEqual([1, 1])
    const d = listening().in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
    d.in('R 1', 'S 70000 <mss 1460>').out('S. 0 ack 70001')
    expect([d.connection.state, d.connection.error?.code, d.stack.tcp.connectionCount]).toEqual([
      'CLOSED',
      'ECONNRESET',
      1,
    ])
  },
)

scenario(
  'what else comes behind that reset is answered as by a host that knows nothing of it (RFC 9293 §3.10.7.1)',
  () => {
    const c = listening().in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
    c.in('R 1', 'P. 1:11 ack 1').out('R 1')
    expect(c.stack.drops.toJSON()).toEqual({ 'tcp-not-syn': 1 })
    const d = listening().in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
    d.listener?.close()
    d.in('R 1', 'S 70000 <mss 1460>').out('R. 0 ack 70001')
  },
)

scenario(
  'the four values of a connection that was just aborted are free; its reset goes first (RFC 9293 §3.10.1)',
  () => {
    const c = established()
    const { remote, remotePort, localPort } = c
    c.call((connection) => {
      connection.abort()
      c.connection = c.stack.connect({ remote, remotePort, localPort }, c.now)
    })
    const [reset, syn] = c.drain()
    expect([reset?.flags, syn?.flags, c.stack.tcp.connectionCount]).toEqual([FLAG.RST | FLAG.ACK, FLAG.SYN, 1])
  },
)

test('a passive open on a port that somebody listens on is refused (RFC 9293 §3.9.1.1 [MUST-41])', () => {
  const s = stack()
  const any = s.listen({ port: 80 })
  expect(() => s.listen({ port: 80 })).toThrow(code('EADDRINUSE'))
  expect(() => s.listen({ port: 80, local: ip('10.0.0.2') })).toThrow(code('EADDRINUSE'))
  expect(() => s.listen({ port: 81 })).not.toThrow()
  any.close()
  s.listen({ port: 80, local: ip('10.0.0.2') })
  s.listen({ port: 80, local: ip('10.0.1.2') })
  expect(() => s.listen({ port: 80, local: ip('10.0.0.2') })).toThrow(code('EADDRINUSE'))
  expect(() => s.listen({ port: 80 })).toThrow(code('EADDRINUSE'))
  expect(() => s.listen({ port: 80, local: ip('10.9.9.9') })).toThrow(code('EADDRNOTAVAIL'))
})

test('a passive open does not disturb connections of the same port (RFC 9293 §3.9.1.1 [MUST-41] [MUST-42])', () => {
  const s = stack()
  const c = s.connect({ remote: ip('10.0.0.1'), remotePort: 80, localPort: 1234 }, 0)
  expect(() => s.listen({ port: 1234 })).not.toThrow()
  expect(c.state).toBe('SYN-SENT')
})

test('port 0 listens on a free port of the ephemeral range; addresses may be left open as 0.0.0.0 or :: (RFC 9293 §3.9.1.1 [MUST-43])', () => {
  const s = stack()
  const ports = Array.from({ length: 50 }, () => s.listen({ port: 0 }).port)
  expect(new Set(ports).size).toBe(50)
  for (const port of ports) expect(port >= 32768 && port <= 60999).toBe(true)
  expect(s.listen({ port: 81, local: ip('0.0.0.0') }).address).toBe(null)
  expect(s.listen({ port: 82, local: ip('::') }).address).toBe(null)
})

test('ephemeral ports are distinct towards one destination, out of order, and no port that is listened on (RFC 6056 §3.3.3)', () => {
  const s = stack()
  const taken = s.listen({ port: 0 }).port
  const ports = Array.from({ length: 2000 }, () => s.connect({ remote: ip('10.0.0.1'), remotePort: 80 }, 0).localPort)
  expect(new Set(ports).size).toBe(2000)
  expect(ports).not.toContain(taken)
  for (const port of ports) expect(port >= 32768 && port <= 60999).toBe(true)
  const elsewhere = s.connect({ remote: ip('10.0.0.3'), remotePort: 80 }, 0).localPort
  expect(Math.abs(elsewhere - ports[1999])).toBeGreaterThan(1) // another offset for another destination
  const other = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(4) })
  expect(other.connect({ remote: ip('10.0.0.1'), remotePort: 80 }, 0).localPort).not.toBe(ports[0])
})

test('when all ephemeral ports towards a destination are taken the call is refused', () => {
  const s = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(1) })
  for (let i = 0; i < 28_232; i++) s.connect({ remote: ip('10.0.0.1'), remotePort: 80 }, 0)
  expect(() => s.connect({ remote: ip('10.0.0.1'), remotePort: 80 }, 0)).toThrow(code('EADDRNOTAVAIL'))
  expect(() => s.connect({ remote: ip('10.0.0.1'), remotePort: 81 }, 0)).not.toThrow()
  expect(s.tcp.connectionCount).toBe(28_233)
  expect([...s.tcp.connections()].length).toBe(28_233)
})

test('an active open checks its arguments (RFC 9293 §3.9.1.1 [MUST-43] [MUST-44] [MUST-45] [MUST-46])', () => {
  const s = stack()
  const remotePort = 80
  for (const bad of ['224.0.0.1', '255.255.255.255', '10.0.0.255', '0.0.0.0', 'ff02::1', '::']) {
    expect(() => s.connect({ remote: ip(bad), remotePort }, 0), bad).toThrow(code('ENETUNREACH'))
  }
  const remote = ip('10.0.1.9')
  for (const local of ['10.0.0.9', 'fd00::2']) {
    expect(() => s.connect({ remote, remotePort, local: ip(local) }, 0)).toThrow(code('EADDRNOTAVAIL'))
  }
  for (const port of [0, -1, 65536, 1.5, Number.NaN]) {
    expect(() => s.connect({ remote, remotePort: port }, 0), `${port}`).toThrow(RangeError)
  }
  expect(() => s.connect({ remote, remotePort, localPort: 70000 }, 0)).toThrow(RangeError)
  expect(() => s.listen({ port: 65536 })).toThrow(RangeError)
  const c = s.connect({ remote, remotePort, localPort: 5 }, 0)
  expect([`${c.local}`, c.localPort, `${c.remote}`, c.remotePort]).toEqual(['10.0.1.2', 5, '10.0.1.9', 80])
  expect(() => s.connect({ remote, remotePort, localPort: 5 }, 0)).toThrow(code('EADDRINUSE'))
  expect(`${s.connect({ remote, remotePort, local: ip('10.0.0.2') }, 0).local}`).toBe('10.0.0.2')
  const six = new Stack({ addresses: ['fd00::2/64'], mtu: 1500, random: new SeededRandom(3) })
  expect(() => six.connect({ remote, remotePort }, 0)).toThrow(code('ENETUNREACH'))
})

test('one host’s connections are found by all four values (RFC 9293 §3.3.1)', () => {
  const s = stack()
  const remote = ip('10.0.0.1')
  const all = [
    s.connect({ remote, remotePort: 80, localPort: 5 }, 0),
    s.connect({ remote, remotePort: 81, localPort: 5 }, 0),
    s.connect({ remote: ip('10.0.0.7'), remotePort: 80, localPort: 5 }, 0),
    s.connect({ remote, remotePort: 80, localPort: 5, local: ip('10.0.1.2') }, 0),
    s.connect({ remote: ip('fd00::1'), remotePort: 80, localPort: 5 }, 0),
  ]
  expect(new Set(s.tcp.connections())).toEqual(new Set(all))
})

test('settings of a call are checked, and are of that connection only', () => {
  const s = stack()
  const remote = ip('10.0.0.1')
  expect(() => s.connect({ remote, remotePort: 80, config: { mss: 1 } }, 0)).toThrow(RangeError)
  expect(() => s.listen({ port: 80, config: { congestion: 'no such' } })).toThrow(RangeError)
  expect(s.connect({ remote, remotePort: 80, config: { mss: 500 } }, 0).tcb.rcv.mss).toBe(500)
  expect(s.connect({ remote, remotePort: 80 }, 0).tcb.rcv.mss).toBe(1460)
  expect(
    () =>
      new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(1), tcp: { congestion: 'no such' } }),
  ).toThrow(RangeError)
})
