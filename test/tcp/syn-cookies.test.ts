// SYN cookies (RFC 4987 §3.6): when they are sent, what they keep of a SYN, what is believed of an ACK.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { seq, seqAdd } from '../../src/tcp/seq.ts'
import { COOKIE_MSS, cookieTimestamp, type FourTuple, SynCookies } from '../../src/tcp/syn-cookies.ts'
import { listening, type Script, type ScriptOptions, scenario } from './script.ts'
import type { Sent } from './wire.ts'
import { currentWorld } from './world.ts'

const local = IpAddress.parse('10.0.0.2')
const remote = IpAddress.parse('10.0.0.1')
const MINUTE = 60_000_000

const of = (local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): FourTuple => ({
  local,
  localPort,
  remote,
  remotePort,
})

test('a cookie is believed for one minute at least, and for less than two (RFC 4987 §3.6)', () => {
  const cookies = new SynCookies(new SeededRandom(1))
  for (const madeAt of [0, MINUTE - 1, 255 * MINUTE, 256 * MINUTE, 2 ** 40]) {
    const iss = cookies.make(of(local, 80, remote, 40000), seq(-5), 1460, madeAt)
    const judge = (at: number): number => cookies.judge(of(local, 80, remote, 40000), seq(-5), iss, at)
    for (const later of [0, 1, MINUTE]) expect(judge(madeAt + later)).toBe(1460)
    expect(judge(madeAt + 2 * MINUTE)).toBe(-1)
    expect(judge(madeAt + 256 * MINUTE - 2 * MINUTE)).toBe(-1)
  }
})

test('it tells the greatest MSS of a table that is not above the peer’s (RFC 9293 §3.7.1 [MUST-16])', () => {
  const cookies = new SynCookies(new SeededRandom(1))
  const told = (mss: number): number => {
    const iss = cookies.make(of(local, 80, remote, 40000), seq(7), mss, 0)
    return cookies.judge(of(local, 80, remote, 40000), seq(7), iss, 0)
  }
  for (const mss of COOKIE_MSS) expect([told(mss), told(mss + 1)]).toEqual([mss, mss])
  expect([told(535), told(1459), told(65495)]).toEqual([48, 1440, 8940])
})

test('it is of these four values, of that SYN’s number and of this host only', () => {
  const cookies = new SynCookies(new SeededRandom(1))
  const iss = cookies.make(of(local, 80, remote, 40000), seq(7), 1460, 0)
  expect(cookies.judge(of(local, 80, remote, 40000), seq(7), iss, 0)).toBe(1460)
  expect(cookies.judge(of(local, 80, remote, 40001), seq(7), iss, 0)).toBe(-1)
  expect(cookies.judge(of(local, 81, remote, 40000), seq(7), iss, 0)).toBe(-1)
  expect(cookies.judge(of(remote, 80, remote, 40000), seq(7), iss, 0)).toBe(-1)
  expect(cookies.judge(of(local, 80, local, 40000), seq(7), iss, 0)).toBe(-1)
  expect(cookies.judge(of(local, 80, remote, 40000), seq(1007), iss, 0)).toBe(-1)
  expect(new SynCookies(new SeededRandom(2)).judge(of(local, 80, remote, 40000), seq(7), iss, 0)).toBe(-1)
})

test('an acknowledgement from later in the connection, both numbers moved by as much, is that cookie again (RFC 4987 §3.6)', () => {
  const cookies = new SynCookies(new SeededRandom(1))
  const iss = cookies.make(of(local, 80, remote, 40000), seq(7), 1460, 0)
  const spend = (moved: number) => cookies.spend(of(local, 80, remote, 40000), seq(7 + moved), seqAdd(iss, moved), 0)
  expect([0, 1, 301, 1460, -1].map(spend)).toEqual([true, false, false, false, false])
  expect(cookies.spend(of(local, 80, remote, 40000), seq(8), iss, 0)).toBe(true)
})

test('the same four values draw another cookie for a later connection, which opens too (RFC 4987 §3.6)', () => {
  const cookies = new SynCookies(new SeededRandom(1))
  const open = (irs: number): boolean => {
    const iss = cookies.make(of(local, 80, remote, 40000), seq(irs), 1460, 0)
    return cookies.spend(of(local, 80, remote, 40000), seq(irs), iss, 0)
  }
  expect([7, 65543, 131079, -1, 2 ** 31 - 1].map(open)).toEqual([true, true, true, true, true])
  expect(open(7)).toBe(false)
})

test('of ACKs that are not from near ahead a few in a hundred pass for such, not more', () => {
  const cookies = new SynCookies(new SeededRandom(1))
  let passed = 0
  for (let i = 0; i < 300; i++) {
    const irs = seq((i * 0x9e3779b1) | 0)
    const iss = cookies.make(of(local, 80, remote, 40000), irs, 1460, 0)
    if (cookies.isOvertaking(of(local, 80, remote, 40000), seqAdd(irs, i % 2 === 0 ? -1 : 100_000), iss, 0)) passed++
  }
  expect(passed).toBeLessThan(20)
})

test('an ACK that overtakes is told from others, across a block of numbers too (RFC 4987 §3.6)', () => {
  const cookies = new SynCookies(new SeededRandom(1))
  for (const irs of [7, 65530, -5, 2 ** 31 - 3]) {
    const iss = cookies.make(of(local, 80, remote, 40000), seq(irs), 1460, 0)
    const isOvertaking = (ahead: number, at = 0): boolean =>
      cookies.isOvertaking(of(local, 80, remote, 40000), seqAdd(seq(irs | 0), ahead), iss, at)
    expect([1, 1000, 65535].map((ahead) => isOvertaking(ahead))).toEqual([true, true, true])
    expect([isOvertaking(1, MINUTE), isOvertaking(1, 2 * MINUTE)]).toEqual([true, false])
  }
})

test('guesses are not believed, and cookies look like any number (RFC 9293 §3.4.1 [MUST-9])', () => {
  const random = new SeededRandom(3)
  const cookies = new SynCookies(random)
  let believed = 0
  for (let i = 0; i < 100_000; i++) {
    if (cookies.judge(of(local, 80, remote, i & 0xffff), seq(random.int32()), seq(random.int32()), 0) >= 0) believed++
  }
  expect(believed).toBe(0) // 16 of 2^32
  const seen = new Set<number>()
  const bits = new Array<number>(32).fill(0)
  for (let port = 1; port <= 4096; port++) {
    const iss = cookies.make(of(local, 80, remote, port), seq(0), 1460, 0)
    seen.add(iss)
    for (let bit = 0; bit < 32; bit++) bits[bit] += (iss >>> bit) & 1
  }
  expect(seen.size).toBe(4096)
  for (const ones of bits) expect(Math.abs(ones - 2048)).toBeLessThan(200)
})

test('the timestamp that carries the options is at most 64 ms before its time and never after it (RFC 7323 §5.4)', () => {
  const random = new SeededRandom(4)
  const clocks = [0, 1, 63, 64, -1, -64, 2 ** 31 - 1, -(2 ** 31), ...Array.from({ length: 200 }, () => random.int32())]
  for (const clock of clocks) {
    for (const [scale, sack] of [
      [-1, false],
      [0, false],
      [7, true],
      [14, true],
      [200, false],
    ] as const) {
      for (const ecn of [false, true]) {
        const value = cookieTimestamp(clock, 99, scale, sack, ecn)
        const late = (clock + 99 - value) | 0
        expect(late >= 0 && late < 64).toBe(true)
        expect((value - 99) & 0x3f).toBe((scale < 0 ? 15 : Math.min(14, scale)) | (sack ? 16 : 0) | (ecn ? 32 : 0))
      }
    }
  }
})

/** A SYN from the peer that draws a cookie; from here on our relative numbers count from it. */
function cookie(options: ScriptOptions = {}): { c: Script; synAck: Sent } {
  const c = listening({ ...options, tcp: { synCookies: 'always', ...options.tcp } })
  c.in(`S 0 ${c.synOptions()}`)
  return { c, synAck: adopt(c) }
}

function adopt(c: Script): Sent {
  c.origin.tsOffset = c.stack.tcp.timestampOffset(c.local, c.localPort, c.remote, c.remotePort)
  const [synAck] = c.drain()
  c.origin.iss = (c.origin.iss + synAck.seq) | 0
  return synAck
}

scenario('a SYN,ACK with a cookie leaves nothing behind and is not sent again (RFC 4987 §3.6)', () => {
  const { c, synAck } = cookie()
  expect([synAck.flags, synAck.ack, synAck.options]).toEqual([18, 1, ['mss 1460']])
  expect([c.stack.tcp.connectionCount, c.listener?.halfOpen, c.stack.nextDeadline()]).toEqual([0, 0, Infinity])
  const { counters } = c.stack.tcp
  expect([counters.TcpExtSyncookiesSent, counters.TcpExtTCPReqQFullDoCookies, counters.TcpPassiveOpens]).toEqual([
    1, 1, 0,
  ])
})

scenario('the ACK that brings it back opens the connection, with the MSS that the cookie tells', () => {
  for (const [mss, told] of [
    [1460, 1460],
    [1300, 1220],
    [536, 536],
    [null, 0],
  ] as const) {
    const { c } = cookie({ mss })
    c.advance(100).in('. 1 ack 1 win 5000').quiet().accept()
    const assumed = c.remote.family === 4 ? 536 : 1220
    expect([c.state, c.tcb.snd.mss, c.tcb.snd.wnd]).toEqual(['ESTABLISHED', told === 0 ? assumed : told, 5000])
    expect([c.tcb.sackEnabled, c.tcb.scaleEnabled, c.tcb.ts.enabled]).toEqual([false, false, false])
    expect([c.stack.tcp.counters.TcpExtSyncookiesRecv, c.stack.tcp.counters.TcpPassiveOpens]).toEqual([1, 1])
    c.in('P. 1:101 ack 1').reads(100).write(10).out('P. 1:11 ack 101').in('. 101 ack 11')
    c.call((connection) => connection.close())
      .out('F. 11 ack 101')
      .in('F. 101 ack 12')
      .out('. 12 ack 102')
  }
})

scenario('window scale, SACK and timestamps come through when the peer has timestamps', () => {
  const { c, synAck } = cookie({ ts: true, sack: true, wscale: 9 })
  expect(synAck.options?.map((option) => option.replace(/ val.*/, ''))).toEqual([
    'mss 1460',
    'sackOK',
    'TS',
    'wscale 5',
  ])
  c.advance(20).in(`. 1 ack 1 win 100`).accept()
  expect([c.tcb.sackEnabled, c.tcb.scaleEnabled, c.tcb.ts.enabled]).toEqual([true, true, true])
  expect([c.tcb.snd.scale, c.tcb.rcv.scale, c.tcb.snd.wnd]).toEqual([9, 5, 51_200])
  expect([c.tcb.ts.recent, c.tcb.snd.mss, c.tcb.cc.cwnd]).toEqual([1020, 1448, 14_480])
})

scenario('the window of the SYN,ACK is what the buffer takes, and is kept to (RFC 9293 §3.8.6 [SHLD-14])', () => {
  const { c, synAck } = cookie({ tcp: { receiveBufferBytes: 5000 } })
  expect(synAck.win).toBe(5000)
  c.in('. 1 ack 1').accept()
  expect((c.tcb.rcv.edge - c.tcb.rcv.nxt) | 0).toBe(5000)
})

scenario('each of them only when both sides have it', () => {
  const agreed = (options: ScriptOptions): boolean[] => {
    const { c, synAck } = cookie(options)
    c.in('. 1 ack 1').accept()
    const offered = ['TS', 'sackOK', 'wscale'].map((name) => synAck.options?.some((option) => option.startsWith(name)))
    expect(offered).toEqual([c.tcb.ts.enabled, c.tcb.sackEnabled, c.tcb.scaleEnabled])
    return [c.tcb.ts.enabled, c.tcb.sackEnabled, c.tcb.scaleEnabled]
  }
  expect(agreed({ ts: true })).toEqual([true, false, false])
  expect(agreed({ ts: true, sack: true })).toEqual([true, true, false])
  expect(agreed({ ts: true, wscale: 0 })).toEqual([true, false, true])
  expect(agreed({ sack: true, wscale: 7 })).toEqual([false, false, false]) // nowhere to keep them
  expect(agreed({ ts: true, sack: true, wscale: 7, tcp: { sack: false } })).toEqual([true, false, true])
  expect(agreed({ ts: true, sack: true, wscale: 7, tcp: { windowScale: false } })).toEqual([true, true, false])
  expect(agreed({ ts: true, sack: true, wscale: 7, tcp: { timestamps: false } })).toEqual([false, false, false])
})

scenario('text and FIN on the ACK are taken; a lost ACK is made good by the text (RFC 9293 §3.10.7.4)', () => {
  const { c } = cookie()
  c.in('FP. 1:101 ack 1').out('. 1 ack 102').accept().reads(100)
  expect(c.state).toBe('CLOSE-WAIT')
})

scenario('an ACK with a wrong number draws a reset, as without cookies (RFC 9293 §3.10.7.2)', () => {
  const { c } = cookie()
  const { counters } = c.stack.tcp
  c.in('. 1 ack 2').out('R 2').in('. 0 ack 1').out('R 1').in('R. 1 ack 1').quiet().in('S. 0 ack 1').out('R 1')
  expect([counters.TcpExtSyncookiesFailed, counters.TcpExtSyncookiesRecv]).toEqual([2, 0])
  expect(c.stack.tcp.connectionCount).toBe(0)
})

scenario('two minutes after the last cookie no ACK is believed, nor looked at', () => {
  const { c } = cookie()
  c.advance(119_999).in('. 1 ack 1').drain()
  c.advance(1).in('. 1 ack 1').out('R 1')
  expect(c.stack.tcp.counters.TcpExtSyncookiesFailed).toBeLessThan(2)
  const quiet = listening({ tcp: { synCookies: 'pressure' } })
  quiet.in('. 1 ack 1').out('R 1')
  expect(quiet.stack.tcp.counters.TcpExtSyncookiesFailed).toBe(0)
})

scenario('under pressure only: as long as there is room SYNs are kept, and again when there is (RFC 4987 §3.6)', () => {
  const c = listening({ tcp: { synBacklog: 2 } })
  for (const port of [40000, 40001]) {
    c.remotePort = port
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  }
  c.remotePort = 40002
  c.in('S 0 <mss 1460>')
  const [synAck] = c.drain()
  expect([c.stack.tcp.connectionCount, synAck.flags, synAck.seq === 0]).toEqual([2, 18, false])
  c.remotePort = 40001
  c.in('. 1 ack 1').quiet() // the old ones stay as they are
  c.remotePort = 40003
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.origin.iss = (c.origin.iss + synAck.seq) | 0
  c.remotePort = 40002
  c.in('. 1 ack 1').quiet()
  expect(c.listener?.pending).toBe(2)
})

scenario(
  'a SYN that draws a cookie and comes again when there is room is one connection: the ACK that brings the cookie wins',
  () => {
    const c = listening({ tcp: { synBacklog: 1 } })
    c.remotePort = 40001
    c.in('S 0 <mss 1460>').out('S. 0 ack 1')
    c.remotePort = 40000
    c.in('S 0 <mss 1460>')
    const [synAck] = c.drain()
    c.remotePort = 40001
    c.in('. 1 ack 1').quiet()
    c.remotePort = 40000
    c.in('S 0 <mss 1460>').out('S. 0 ack 1') // this time it is kept
    const kept = c.origin.iss
    c.origin.iss = (kept + synAck.seq) | 0
    c.in('P. 1:11 ack 1').quiet()
    expect([c.listener?.pending, c.listener?.halfOpen, c.stack.tcp.connectionCount]).toEqual([2, 0, 2])
    c.listener?.accept()
    c.accept().reads(10)
    c.write(10).out('P. 1:11 ack 11')
    expect([c.state, c.stack.tcp.counters.TcpExtSyncookiesRecv]).toEqual(['ESTABLISHED', 1])
  },
)

scenario('a cookie that comes back to a full backlog is passed over, and good later', () => {
  const { c } = cookie({ backlog: 1 })
  const first = c.origin.iss
  c.origin.iss = currentWorld().iss
  c.remotePort = 40001
  c.in('S 0 <mss 1460>')
  adopt(c)
  const second = c.origin.iss
  c.origin.iss = first
  c.remotePort = 40000
  c.in('. 1 ack 1').quiet()
  c.origin.iss = second
  c.remotePort = 40001
  c.in('. 1 ack 1').quiet()
  expect([c.listener?.pending, c.listener?.overflows, c.stack.tcp.connectionCount]).toEqual([1, 1, 1])
  c.listener?.accept()
  c.in('. 1 ack 1').quiet()
  expect([c.listener?.pending, c.listener?.overflows, c.stack.tcp.connectionCount]).toEqual([1, 1, 2])
})

scenario(
  'a SYN that follows TIME-WAIT gets no cookie: its numbers must lie beyond the old ones (RFC 9293 §3.6.1 [MAY-2])',
  () => {
    const { c } = cookie()
    c.in('. 1 ack 1')
      .accept()
      .call((connection) => connection.close())
      .out('F. 1 ack 1')
      .in('F. 1 ack 2')
      .out('. 2 ack 2')
    const used = c.tcb.snd.nxt
    c.in('S 100000 <mss 1460>')
    const [sent] = c.drain()
    expect(seqAdd(seq(c.origin.iss), sent.seq)).toBe(seqAdd(used, 65_537))
  },
)

scenario('with never no ACK is taken for a cookie', () => {
  const c = listening({ tcp: { synCookies: 'never', synBacklog: 1 } })
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.remotePort = 40001
  c.in('S 0 <mss 1460>').out('S. 0 ack 1')
  c.remotePort = 40002
  c.in('. 1 ack 1').out('R 1')
  const { counters } = c.stack.tcp
  expect([counters.TcpExtSyncookiesSent, counters.TcpExtSyncookiesFailed, counters.TcpExtTCPReqQFullDrop]).toEqual([
    0, 0, 1,
  ])
})

scenario('ECN comes through when both sides have it and the peer has timestamps (RFC 3168 §6.1.1)', () => {
  const agreed = (syn: string, tcp: ScriptOptions['tcp'], ts = true): (number | string)[] => {
    const c = listening({ ts, tcp: { synCookies: 'always', ...tcp } })
    c.in(`${syn} 0 ${c.synOptions()}`)
    const synAck = adopt(c)
    c.advance(20).in('. 1 ack 1').accept()
    return [synAck.flags >> 6, synAck.ecn ?? -1, c.tcb.ecn.mode]
  }
  expect(agreed('SEW', {})).toEqual([1, 0, 'classic'])
  expect(agreed('SeEW', { ecn: 'accurate' })).toEqual([1, 0, 'classic']) // a bit is not enough for RFC 9768
  expect(agreed('SEW', { ecn: 'off' })).toEqual([0, 0, 'off'])
  expect(agreed('SEW', {}, false)).toEqual([0, 0, 'off'])
  expect(agreed('S', {})).toEqual([0, 0, 'off'])
  expect(agreed('SE', {})).toEqual([0, 0, 'off'])
})

scenario('of trafficClass a SYN,ACK with a cookie has the ECN bits only with ECN off (RFC 3168 §6.1.1)', () => {
  expect(cookie({ tcp: { trafficClass: 0x2b } }).synAck.trafficClass).toBe(0x28)
  expect(cookie({ tcp: { trafficClass: 0x2b, ecn: 'off' } }).synAck.trafficClass).toBe(0x2b)
})

scenario(
  'text or FIN that overtakes the ACK with the cookie is dropped, not reset (DEVIATION from RFC 9293 §3.10.7.2)',
  () => {
    const { c } = cookie()
    c.in('P. 1001:1011 ack 1').quiet()
    expect(c.stack.tcp.counters.TcpExtSyncookiesFailed).toBe(1)
    c.in('F. 1011 ack 1').quiet()
    expect(c.stack.tcp.counters.TcpExtSyncookiesFailed).toBe(2)
    c.in('. 1001 ack 1').quiet() // and so is a bare one: the reset would be the peer's next number
    c.in('. 65536 ack 1').quiet().in('. 65537 ack 1').out('R 1') // further ahead than any window
    c.in('. 1:1001 ack 1').accept().in('P. 1001:1011 ack 1').drain()
    c.reads(1010)
  },
)

scenario(
  'a cookie opens one connection: a copy of its ACK after that one is over draws a reset (RFC 9293 §3.10.7.2)',
  () => {
    const { c } = cookie()
    c.in('. 1 ack 1').accept().in('F. 1 ack 1').out('. 1 ack 2')
    c.call((connection) => connection.close())
      .out('F. 1 ack 2')
      .in('. 2 ack 2')
    expect(c.stack.tcp.connectionCount).toBe(0)
    c.in('. 1 ack 1').out('R 1')
    expect([c.stack.tcp.connectionCount, c.listener?.pending]).toEqual([0, 0])
    c.advance(60_000).in('. 1 ack 1').drain()
    expect(c.stack.tcp.connectionCount).toBe(0)
  },
)

test('what has come back is forgotten when no cookie can be as old, and when there is too much of it', () => {
  const cookies = new SynCookies(new SeededRandom(1))
  const spend = (iss: number, at: number): boolean => cookies.spend(of(local, 80, remote, 40000), seq(7), seq(iss), at)
  expect([spend(1, 0), spend(1, 1), spend(2, 1), spend(1, 2 * MINUTE - 1), spend(1, 2 * MINUTE)]).toEqual([
    true,
    false,
    true,
    false,
    true,
  ])
  for (let iss = 10; iss < 10 + 66_000; iss++) spend(iss, 2 * MINUTE)
  expect(spend(10 + 65_999, 2 * MINUTE)).toBe(false)
  expect(spend(1, 2 * MINUTE)).toBe(true)
})

scenario('a FIN that overtakes the text with the cookie does not reset the connection (RFC 4987 §3.6)', () => {
  const { c } = cookie()
  c.in('F. 11 ack 1').quiet()
  expect(c.stack.tcp.counters.TcpExtSyncookiesFailed).toBe(1)
  c.in('P. 1:11 ack 1').accept().in('F. 11 ack 1').drain()
  c.reads(10)
  expect(c.tcb.state).toBe('CLOSE-WAIT')
})
