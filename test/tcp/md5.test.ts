// The TCP MD5 signature option (RFC 2385): what is signed, what is believed, and what the option leaves room for. The peer's signatures are
// made with Node's MD5, ours are checked with it: see wire.ts.

import { expect, test } from 'vitest'
import { IpAddress } from '../../src/ip/address.ts'
import { parseTcp, SegmentHeader } from '../../src/tcp/header.ts'
import { Md5Keys, md5KeyOf } from '../../src/tcp/md5.ts'
import { connecting, established, listening, Script, type ScriptOptions, scenario } from './script.ts'

const KEY = 'a secret of both'
const signed = (options: ScriptOptions = {}): Script => established({ md5Key: KEY, ...options })

/** What was counted of signatures: not found, unexpected, wrong. */
function counted({ stack }: Script): number[] {
  const { TcpExtTCPMD5NotFound, TcpExtTCPMD5Unexpected, TcpExtTCPMD5Failure } = stack.tcp.counters
  return [TcpExtTCPMD5NotFound, TcpExtTCPMD5Unexpected, TcpExtTCPMD5Failure]
}

scenario('SYN, acknowledgements, text, text again and FIN are signed when we open (RFC 2385 §2.0)', () => {
  const c = new Script({ md5Key: KEY, sack: true, ts: true, wscale: 7 }).connect()
  c.out('S 0 <md5,mss 1460,sackOK,wscale 5>').advance(1000).out('S 0 <md5,mss 1460,sackOK,wscale 5>')
  c.in(`S. 0 ack 1 ${c.synOptions()}`).out('. 1 ack 1 <md5>')
  c.write(100).out('P. 1:101 ack 1 <md5>').advance(3000).out('P. 1:101 ack 1 <md5>').in('. 1 ack 101')
  c.in('P. 1:11 ack 101').advance(40).out('. 101 ack 11 <md5>').reads(10)
  c.call((connection) => connection.shutdownWrite()).out('F. 101 ack 11 <md5>')
  expect(counted(c)).toEqual([0, 0, 0])
})

scenario('SYN,ACK and what follows are signed when the peer opens, without timestamps (RFC 2385 §2.0, §4.4)', () => {
  const c = listening({ md5Key: KEY, sack: true, ts: true, wscale: 7 })
  c.in(`S 0 ${c.synOptions()}`).out('S. 0 ack 1 <md5,mss 1460,sackOK,wscale 5>')
  c.advance(1000).out('S. 0 ack 1 <md5,mss 1460,sackOK,wscale 5>').in('. 1 ack 1').accept()
  expect(c.state).toBe('ESTABLISHED')
  c.write(10).out('P. 1:11 ack 1 <md5>')
})

scenario('with a key there is no Fast Open, at either end: text of a SYN is not taken, and no cookie given', () => {
  const c = listening({ md5Key: KEY, tcp: { fastOpen: true } })
  c.in('S 0:10 <mss 1460,FO>')
  const [answer] = c.drain()
  expect([answer?.ack, answer?.options.filter((option) => option.startsWith('FO'))]).toEqual([1, []])
  const d = new Script({ md5Key: KEY, tcp: { fastOpen: true } }).connect()
  expect(d.drain()[0]?.options.filter((option) => option.startsWith('FO'))).toEqual([])
})

scenario('without a key nothing is signed, and timestamps are there', () => {
  const c = new Script({ sack: true, ts: true }).connect()
  c.out('S 0 <mss 1460,sackOK,TS val 0 ecr 0,wscale 5>'.replace('val 0', `val ${c.now / 1000}`))
})

scenario('probes of a shut window and of a silent peer, and what TIME-WAIT says, are signed (RFC 2385 §2.0)', () => {
  const c = signed({ tcp: { keepAlive: true, keepAliveIdleUs: 10_000_000 } })
  c.in('. 1 ack 1 win 0').write(10).advance(300).out('. 0 ack 1 <md5>').in('. 1 ack 1 win 1000').out('P. 1:11 ack 1')
  c.in('. 1 ack 11').advance(10_000).out('. 10 ack 1 <md5>').in('. 1 ack 11')
  c.call((connection) => connection.shutdownWrite())
    .out('F. 11 ack 1')
    .in('F. 1 ack 12')
    .out('. 12 ack 2 <md5>')
  expect(c.state).toBe('TIME-WAIT')
  c.in('F. 1 ack 12').out('. 12 ack 2 <md5>')
  c.peerKey = null
  c.in('F. 1 ack 12').quiet().in('R 2').quiet()
  expect([c.state, ...counted(c)]).toEqual(['TIME-WAIT', 2, 0, 0])
})

scenario('a segment without a signature is dropped in silence, a reset too (RFC 2385 §2.0, §4.1)', () => {
  const c = signed()
  c.peerKey = null
  for (const line of ['R 1', 'R. 1 ack 1', 'S 1', 'P. 1:10 ack 1', '. 1 ack 5000', 'F. 1 ack 1']) c.in(line).quiet()
  expect([c.state, ...counted(c)]).toEqual(['ESTABLISHED', 6, 0, 0])
  expect(c.stack.ip.drops.get('tcp-md5-not-found')).toBe(6)
  c.peerKey = KEY
  c.in('R 1')
  expect(c.connection.error?.code).toBe('ECONNRESET')
})

scenario('a segment signed with another key is dropped in silence (RFC 2385 §2.0)', () => {
  const c = signed()
  for (const key of ['a secret of both.', 'a secret of bot', 'A secret of both']) {
    c.peerKey = key
    c.in('R 1').quiet().in('P. 1:10 ack 1').quiet()
  }
  expect([c.state, ...counted(c)]).toEqual(['ESTABLISHED', 0, 0, 6])
})

scenario('the signature covers addresses, header and text, and not the options (RFC 2385 §2.0)', () => {
  const c = signed()
  const { ipHeaderBytes } = c
  const change = (at: number): void => {
    const packet = c.packet('P. 1:10 ack 1 <mss 1000>')
    packet.bytes[packet.start + at] ^= 1
    c.deliver(c.seal(packet))
  }
  // Numbers, flags, window, urgent pointer, text; not the ports, which name the connection.
  const header = [7, 11, 13, 15, 19].map((at) => ipHeaderBytes + at)
  for (const at of [...header, ipHeaderBytes + 44, ipHeaderBytes + 52]) change(at)
  c.quiet()
  expect([...counted(c), c.tcb.rcv.unread]).toEqual([0, 0, 7, 0])
  change(ipHeaderBytes + 43) // the last octet of the MSS option
  expect([...counted(c), c.tcb.rcv.unread]).toEqual([0, 0, 7, 9])
})

scenario('a signature that nobody asked for is dropped, at a connection and at a listener (RFC 2385 §2.0)', () => {
  const c = established()
  c.peerKey = KEY
  c.in('P. 1:10 ack 1').quiet().in('R 1').quiet()
  expect([c.state, ...counted(c)]).toEqual(['ESTABLISHED', 0, 2, 0])
  const l = listening()
  l.peerKey = KEY
  l.in('S 0 <mss 1460>').quiet().in('. 1 ack 1').quiet()
  expect([l.state, ...counted(l)]).toEqual(['LISTEN', 0, 2, 0])
})

scenario('a listener answers neither a SYN without a signature nor one with a wrong one (RFC 2385 §2.0)', () => {
  const c = listening({ md5Key: KEY })
  c.peerKey = null
  c.in('S 0 <mss 1460>').quiet().in('. 1 ack 1').quiet()
  c.peerKey = 'another'
  c.in('S 0 <mss 1460>').quiet().in('. 1 ack 1').quiet()
  expect([c.state, ...counted(c)]).toEqual(['LISTEN', 2, 0, 2])
})

scenario('SYN-SENT: a SYN,ACK or a reset is believed only when it is signed (RFC 2385 §4.1)', () => {
  const c = connecting({ md5Key: KEY })
  c.peerKey = null
  c.in('S. 0 ack 1 <mss 1460>').quiet().in('R. 0 ack 1').quiet()
  expect([c.state, ...counted(c)]).toEqual(['SYN-SENT', 2, 0, 0])
  c.peerKey = KEY
  c.in('S. 0 ack 77 <mss 1460>').out('R 77 <md5>')
  c.in('R. 0 ack 1')
  expect(c.connection.error?.code).toBe('ECONNREFUSED')
})

scenario(
  'a signed segment of a connection that is forgotten draws a signed reset at a listener (RFC 2385 §4.1)',
  () => {
    const c = listening({ md5Key: KEY })
    c.in('. 1 ack 1').out('R 1 <md5>').in('P. 1:5 ack 77').out('R 77 <md5>')
    expect(counted(c)).toEqual([0, 0, 0])
  },
)

scenario('a port that is closed answers unsigned, as no key is known there (RFC 9293 §3.10.7.1)', () => {
  const c = new Script({ passive: true })
  c.in('. 1 ack 1').out('R 1 <>')
  c.peerKey = KEY
  c.in('. 1 ack 1').out('R 1 <>')
})

scenario('our reset is signed', () => {
  const c = signed()
  c.call((connection) => connection.abort()).out('R. 1 ack 1 <md5>')
})

scenario('a listener has a key for each peer that has to sign; others do not (Linux: TCP_MD5SIG)', () => {
  const c = new Script({ passive: true })
  const other = IpAddress.parse(c.remote.family === 4 ? '10.1.0.1' : 'fd01::1') // with the same last word
  c.listener = c.stack.listen({ port: 80, md5Key: [{ peer: other, key: 'x' }] })
  c.in('S 0 <mss 1460>').out('S. 0 ack 1 <mss 1460>').in('. 1 ack 1')
  c.accept().in('P. 1:10 ack 1')
  expect([c.state, c.tcb.rcv.unread]).toEqual(['ESTABLISHED', 9])
  const d = new Script({ passive: true })
  const bytes = Buffer.from(KEY)
  const peers = [
    { peer: other, key: 'x' },
    { peer: d.remote, key: bytes },
  ]
  d.listener = d.stack.listen({ port: 80, md5Key: peers })
  bytes.fill(0) // it was copied
  d.in('S 0 <mss 1460>').quiet()
  d.peerKey = KEY
  d.in('S 0 <mss 1460>').out('S. 0 ack 1 <md5,mss 1460>')
  expect(counted(d)).toEqual([1, 0, 0])
})

scenario('the option comes off the text of every segment: SND.MSS is 20 less (RFC 2385 §4.4, RFC 9293 §3.7.1)', () => {
  const c = signed({ ts: true })
  expect([c.tcb.snd.mss, c.tcb.ts.enabled]).toEqual([1440, false])
  c.write(3000).out('. 1:1441 ack 1', '. 1441:2881 ack 1').in('. 1 ack 2881').out('P. 2881:3001 ack 1')
  expect(established().tcb.snd.mss).toBe(1460)
})

scenario('two SACK blocks find room beside the signature, of four that there would be (RFC 2385 §4.4)', () => {
  const lose = (c: Script): string => {
    for (let i = 1; i < 4; i++) c.in(`. ${1 + 2000 * i}:${1001 + 2000 * i} ack 1`).drain()
    return c.in('. 8001:9001 ack 1').drain().at(-1)?.options.join() ?? ''
  }
  expect(lose(established({ sack: true }))).toBe('sack 8001:9001 6001:7001 4001:5001 2001:3001')
  expect(lose(signed({ sack: true }))).toBe('md5,sack 8001:9001 6001:7001')
})

scenario('a device that takes text from where it lies gets a copy of what is signed (RFC 2385 §2.0)', () => {
  const offload = { checksum: true, superSegmentBytes: 65535, gather: true }
  const c = established({ md5Key: 'a key', mtu: 9000, mss: 8960, offload, tcp: { nagle: false } })
  c.write(8000) // its signature is looked at as the packet stands
  expect(c.drain().reduce((sum, { seq, end }) => sum + end - seq, 0)).toBe(8000)
})

scenario('a device that would cut super-segments gets single ones, each signed; it may still do the checksum', () => {
  const c = signed({ offload: { checksum: true, superSegmentBytes: 65535 } })
  c.write(2880)
  expect(c.drain().map(({ segmentBytes, end }) => [segmentBytes, end])).toEqual([
    [0, 1441],
    [0, 2881],
  ])
})

scenario(
  'with a key a listener keeps what is half open rather than send a cookie, as many as it may (RFC 4987 §3.4)',
  () => {
    const c = listening({ md5Key: KEY, tcp: { synCookies: 'always', synBacklog: 2 } })
    for (let i = 0; i < 4; i++) {
      c.remotePort = 40000 + i
      c.in('S 0 <mss 1460>').out('S. 0 ack 1 <md5,mss 1460>')
    }
    const { TcpExtSyncookiesSent, TcpExtTCPReqQFullDrop } = c.stack.tcp.counters
    expect([TcpExtSyncookiesSent, TcpExtTCPReqQFullDrop, c.listener?.halfOpen]).toEqual([0, 2, 2])
    const d = listening({ tcp: { synCookies: 'always' } })
    expect(d.in('S 0 <mss 1460>').drain()[0].options.join()).toBe('mss 1460')
    expect(d.stack.tcp.counters.TcpExtSyncookiesSent).toBe(1)
  },
)

scenario('with a key Fast Open is not asked for (RFC 7413 §4.1.3)', () => {
  const c = new Script({ md5Key: KEY, tcp: { fastOpen: true } }).connect()
  c.out('S 0 <md5,mss 1460,sackOK,wscale 5>')
})

scenario(
  'a new connection after TIME-WAIT is signed again, and asked for with a signature (RFC 9293 §3.6.1 [MAY-2])',
  () => {
    const c = signed({ passive: true })
    c.call((connection) => connection.shutdownWrite())
      .out('F. 1 ack 1')
      .in('F. 1 ack 2')
      .out('. 2 ack 2')
    c.peerKey = null
    c.in('S 100000 <mss 1460>').quiet()
    c.peerKey = KEY
    c.in('S 100000 <mss 1460>')
    const [synAck] = c.drain()
    expect([synAck.flags & 2, synAck.options.join()]).toEqual([2, 'md5,mss 1460'])
    expect(counted(c)).toEqual([1, 0, 0])
  },
)

test('a key has 1 to 80 bytes, and a listener one for each peer', () => {
  const peer = IpAddress.parse('10.0.0.1')
  expect(md5KeyOf('é')).toEqual(Uint8Array.of(0xc3, 0xa9))
  expect(md5KeyOf(undefined)).toBeNull()
  expect(md5KeyOf('x'.repeat(80))?.length).toBe(80)
  for (const key of ['', 'x'.repeat(81), new Uint8Array(0)]) expect(() => md5KeyOf(key)).toThrow(RangeError)
  expect(() => md5KeyOf(7 as unknown as string)).toThrow(TypeError)
  const twice = [
    { peer, key: 'x' },
    { peer, key: 'y' },
  ]
  expect(() => new Md5Keys(twice)).toThrow(/two MD5 keys/)
  expect(() => new Md5Keys([{ peer: '10.0.0.1' as unknown as IpAddress, key: 'x' }])).toThrow(TypeError)
  expect(() => new Script({ md5Key: '' }).connect()).toThrow(RangeError)
})

test('an option of another length than 18 is no signature (RFC 2385 §3.0)', () => {
  const segment = new SegmentHeader()
  for (const length of [2, 17, 18, 19, 22]) {
    const bytes = new Uint8Array(44)
    bytes[12] = 11 << 4
    bytes.set([1, 1, 19, length], 20)
    expect(parseTcp(bytes, 0, 44, segment)).toBe('ok')
    expect(segment.md5Start).toBe(length === 18 ? 24 : -1)
  }
})
