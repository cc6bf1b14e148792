// Corners that only a full queue, a second call or a hostile peer comes to: each has its rule too.

import { expect, test } from 'vitest'
import { IpAddress } from '../../src/ip/address.ts'
import { PROTOCOL } from '../../src/ip/header.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { tcpConfig } from '../../src/tcp/config.ts'
import { Connection } from '../../src/tcp/connection.ts'
import { createCounters } from '../../src/tcp/counters.ts'
import { Demux } from '../../src/tcp/demux.ts'
import { FLAG, formatFlags, optionBytes, parseTcp, SegmentHeader, SegmentPlan, writeTcp } from '../../src/tcp/header.ts'
import { Md5Keys } from '../../src/tcp/md5.ts'
import type { Tcb } from '../../src/tcp/tcb.ts'
import { connecting, established, listening, Script, scenario } from './script.ts'

/** Connections whose four values have the same hash when the table's key is 1 and 0: what one number adds the other takes away. */
function colliding(count: number): Connection[] {
  const local = IpAddress.parse('10.0.0.1')
  return Array.from({ length: count }, (_, i) => {
    const x = (80 << 16) | (5000 + i)
    const mixed = x ^ (x >>> 15)
    const remote = new IpAddress(0, 0, 0xffff, (0x0a000002 - (mixed - ((80 << 16) ^ ((80 << 16) >>> 15)))) | 0)
    const tcb = { local, localPort: 80, remote, remotePort: 5000 + i } as Tcb
    return new Connection(tcb, { touch: () => undefined }, null)
  })
}

test('connections whose four values share a hash are told apart, and leave in any order (RFC 9293 §3.3.1)', () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
    [1, 2, 0],
  ]) {
    const demux = new Demux({ int32: () => 0, fraction: () => 0 })
    const connections = colliding(3)
    const find = (c: Connection): Connection | null =>
      demux.find(c.tcb.local, c.tcb.localPort, c.tcb.remote, c.tcb.remotePort)
    for (const c of connections) demux.add(c)
    expect([...demux].length).toBe(3)
    const left = new Set(connections)
    for (const i of order) {
      expect(demux.remove(connections[i])).toBe(true)
      expect(demux.remove(connections[i])).toBe(false)
      left.delete(connections[i])
      expect(connections.map((c) => find(c) === c)).toEqual(connections.map((c) => left.has(c)))
      expect(demux.size).toBe(left.size)
    }
  }
})

scenario('a SYN that would follow TIME-WAIT waits while the backlog is full (RFC 9293 §3.6.1 [MAY-2])', () => {
  const c = listening({ backlog: 1 })
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
  c.call((connection) => connection.close()).out('F. 1 ack 1')
  c.in('F. 1 ack 2').out('. 2 ack 2')
  const old = c.connection
  c.remotePort = 40001
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1')
  c.remotePort = 40000
  c.in('S 100000 <mss 1460>').quiet()
  expect([old.state, c.listener?.pending]).toEqual(['TIME-WAIT', 1])
  c.accept()
  c.in('S 100000 <mss 1460>').drain()
  expect(old.state).toBe('CLOSED')
})

scenario('a cookie that comes back to a full backlog is reset only when overflow is to abort (RFC 4987 §3.6)', () => {
  for (const abortOnOverflow of [false, true]) {
    const c = listening({ backlog: 1, tcp: { synCookies: 'always', abortOnOverflow } })
    c.in('S 0 <mss 1460>')
    const [first] = c.drain()
    c.in(`. 1 ack ${first.seq + 1}`)
    expect(c.listener?.pending).toBe(1)
    c.listener?.accept()
    c.remotePort = 40001
    c.in('S 0 <mss 1460>')
    const [second] = c.drain()
    c.remotePort = 40002
    c.in('S 0 <mss 1460>')
    const [third] = c.drain()
    c.remotePort = 40001
    c.in(`. 1 ack ${second.seq + 1}`)
    expect(c.listener?.pending).toBe(1)
    c.remotePort = 40002
    c.in(`. 1 ack ${third.seq + 1}`)
    expect(c.drain().map(({ flags }) => flags)).toEqual(abortOnOverflow ? [FLAG.RST] : [])
  }
})

scenario('of a burst of SYNs that need cookies 64 are answered, the rest come again (RFC 4987 §3.6)', () => {
  const c = listening({ tcp: { synCookies: 'always' } })
  for (let i = 0; i < 70; i++) c.handle(c.packet('S 0 <mss 1460>'))
  c.advance(0)
  let sent = 0
  const packet = new Packet()
  while (c.stack.pollTransmit(packet, c.now)) sent++
  expect([sent, c.stack.tcp.counters.TcpExtSyncookiesSent]).toEqual([64, 64])
})

scenario(
  'without cookies a half-open connection that waits for text gives way when there is no other (RFC 4987 §3.4)',
  () => {
    const c = listening({ tcp: { synCookies: 'never', synBacklog: 1, deferAcceptUs: 1_000_000 } })
    c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').quiet()
    expect([c.listener?.halfOpen, c.stack.tcp.connectionCount]).toEqual([1, 1])
    c.remotePort = 40001
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
    expect([c.listener?.halfOpen, c.stack.tcp.connectionCount]).toEqual([1, 1])
    c.remotePort = 40000
    c.in('P. 1:11 ack 1').out('R 1')
  },
)

scenario(
  'a cookie without an MSS option is kept with the default MSS (RFC 7413 §4.1.3, RFC 9293 §3.7.1 [MUST-15])',
  () => {
    const c = connecting({ tcp: { fastOpen: true } })
    c.in('S. 0 ack 1 <FO a1a2a3a4>').out('. 1 ack 1').in('R 1')
    const [syn] = c.connect().drain()
    expect(syn.options).toContain('FO a1a2a3a4')
  },
)

test('an ICMP error about a datagram of UDP is none about a connection with the same ports (RFC 9293 §3.9.2.2 [MUST-54])', () => {
  for (const [protocol, isHeard] of [
    [PROTOCOL.UDP, false],
    [PROTOCOL.TCP, true],
  ] as const) {
    const stack = new Stack({ addresses: ['10.0.0.1/24'], mtu: 1500, random: { int32: () => 5, fraction: () => 0.5 } })
    const remote = IpAddress.parse('10.0.0.2')
    const { tcb, localPort } = stack.connect({ remote, remotePort: 80, localPort: 7000 }, 0)
    const packet = new Packet()
    stack.pollTransmit(packet, 0)
    stack.ip.onTransportError?.({
      kind: 'unreachable',
      type: 3,
      code: 1,
      mtu: 0,
      reporter: new IpAddress(),
      packetBytes: 40,
      protocol,
      src: tcb.local,
      dst: remote,
      sourcePort: localPort,
      destinationPort: 80,
      sequence: tcb.snd.iss,
    })
    expect(tcb.life.softError !== null).toBe(isHeard)
  }
})

scenario('a second CLOSE goes on waiting where the first began (RFC 9293 §3.9.1.8)', () => {
  const c = established({ tcp: { lingerUs: 1_000_000 } })
  c.write(100).drain()
  c.call((connection) => connection.close()).drain()
  c.advance(600, true)
  c.call((connection) => connection.close()).drain()
  expect(c.connection.linger).toBe('waiting')
  c.advance(500, true)
  expect(c.connection.linger).toBe('expired')
})

scenario('a flush of what did not fit tells the writer of the room (RFC 9293 §3.9.1.7 [MAY-14])', () => {
  const c = established({ win: 1000, tcp: { sendBufferBytes: 4000 } })
  expect(c.offer(6000)).toBe(4000)
  c.drain()
  c.events()
  c.call((connection) => expect(connection.flush()).toBe(3000))
  expect(c.events()).toContain('writable')
})

scenario('a timestamp echo from the future is no round trip (RFC 7323 §4.1)', () => {
  const c = established({ ts: true, tcp: { receiveBufferAutotune: true } })
  c.in('P. 1:1449 ack 1 <TS val 2000 ecr 50000>').drain()
  expect(c.tcb.tuning.rttUs).toBe(-1)
  c.in('P. 1449:2897 ack 1 <TS val 2001>').drain()
  expect(c.tcb.tuning.rttUs).toBeGreaterThanOrEqual(0)
})

test('a listener with a peer that has no key is refused by name (RFC 2385 §4.1)', () => {
  const peer = IpAddress.parse('10.0.0.9')
  const keys = [{ peer, key: undefined as unknown as string }]
  expect(() => new Md5Keys(keys)).toThrow(/10\.0\.0\.9 has no MD5 key/)
})

test('what an option takes is what is written, the user timeout included (RFC 5482 §3, RFC 2385 §3.0)', () => {
  for (const md5Key of [null, new Uint8Array(4)]) {
    const plan = new SegmentPlan()
    plan.userTimeout = 0x8005
    plan.md5Key = md5Key
    const out = new Uint8Array(60)
    expect(20 + optionBytes(plan)).toBe(writeTcp(plan, out, 0))
    const segment = new SegmentHeader()
    expect([parseTcp(out, 0, 20 + optionBytes(plan), segment), segment.userTimeout]).toEqual(['ok', 0x8005])
  }
})

test('a Fast Open option of an odd or forbidden length is passed over (RFC 7413 §4.1.1)', () => {
  for (const [length, kept] of [
    [2, 0],
    [4, -1],
    [6, 4],
    [7, -1],
    [18, 16],
    [20, -1],
  ]) {
    const bytes = new Uint8Array(44)
    bytes[12] = 0xb0
    bytes[13] = FLAG.SYN
    bytes.set([34, length], 20)
    const segment = new SegmentHeader()
    expect([parseTcp(bytes, 0, 44, segment), segment.cookieLength]).toEqual(['ok', kept])
  }
})

test('AE has a letter of its own (RFC 9768 §3.1)', () => {
  expect(formatFlags(FLAG.AE | FLAG.CWR | FLAG.ECE | FLAG.ACK)).toBe('EWe.')
})

test('whoever stops observing twice takes nobody else away', () => {
  const stack = new Stack({ addresses: ['10.0.0.1/24'], mtu: 1500, random: { int32: () => 5, fraction: () => 0.5 } })
  const told: string[] = []
  const stop = stack.tcp.observe(() => told.push('first'))
  stack.tcp.observe(() => told.push('second'))
  stop()
  stop()
  stack.connect({ remote: IpAddress.parse('10.0.0.2'), remotePort: 80 }, 0)
  while (stack.pollTransmit(new Packet(), 0));
  expect(new Set(told)).toEqual(new Set(['second']))
})

test('a listener on any free port passes over those that are taken, or were (RFC 9293 §3.9.1.1 [MUST-41])', () => {
  const stack = new Stack({ addresses: ['10.0.0.1/24'], mtu: 1500, random: { int32: () => 0, fraction: () => 0 } })
  const a = stack.listen({ port: 0 })
  const b = stack.listen({ port: a.port + 1 })
  const c = stack.listen({ port: 0 })
  expect([b.port, c.port]).toEqual([a.port + 1, a.port + 2])
  const remote = IpAddress.parse('10.0.0.2')
  const ports = [0, 1, 2].map(() => stack.connect({ remote, remotePort: 80 }, 0).localPort)
  for (const port of ports) expect([a.port, b.port, c.port]).not.toContain(port)
})

test('counters and settings begin whole', () => {
  expect(Object.values(createCounters()).every((value) => value === 0)).toBe(true)
  expect(() => tcpConfig({ mss: Number.NaN })).toThrow(RangeError)
})

scenario(
  'a mark that a controller took no notice of does not stand in for the next reduction (RFC 3168 §6.1.2)',
  () => {
    // BBR passes the mark over; Reno takes its place; then the tail is lost.
    const c = new Script({ mss: 1000, tcp: { ecn: 'on', congestion: 'bbr' } }).connect().out('[-] SEW 0').advance(100)
    c.in('SE. 0 ack 1 <mss 1000>').drain()
    c.write(3000).drain()
    c.advance(50, true)
    c.in('E. 1 ack 1001').drain()
    expect(c.tcb.cc.ssthresh).toBe(Number.POSITIVE_INFINITY)
    c.call((connection) => connection.configure({ congestion: 'reno' })).drain()
    c.advance(2000, true)
    c.in('. 1 ack 3001').drain()
    expect(c.tcb.rtt.samples).toBeGreaterThan(0)
    expect(c.tcb.cc.ssthresh).toBe(2000)
  },
)

scenario('tcp_info tells of a signature (RFC 2385 §3.0)', () => {
  expect(established({ md5Key: 'secret' }).connection.info().tcpi_options).toContain('md5sig')
})

scenario(
  'a controller chosen after the text of a SYN was taken begins with the window in use (RFC 7413 §4.2.2)',
  () => {
    for (const congestion of ['cubic', 'reno', 'bbr', 'dctcp', 'none']) {
      const c = listening({
        tcp: { fastOpen: true, timestamps: false, congestion: congestion === 'bbr' ? 'cubic' : 'bbr' },
      })
      const cookie = Buffer.from(c.stack.tcp.fastOpen.maker.make(c.remote, c.local)).toString('hex')
      c.in(`S 0:100 <mss 1460,sackOK,FO ${cookie}>`).out('S. 0 ack 101').accept().reads(100)
      c.call((connection) => connection.configure({ congestion }))
      c.write(2000).drain()
      c.advance(1500, true) // SYN,ACK times out
      c.in('. 101 ack 1').drain()
      c.in('. 101 ack 1461').drain()
      c.in('. 101 ack 2001').drain()
      expect([c.state, c.tcb.control.name, c.tcb.snd.flight.bytes]).toEqual(['ESTABLISHED', congestion, 0])
    }
  },
)
