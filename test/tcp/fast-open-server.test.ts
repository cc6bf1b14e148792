// TCP Fast Open, the server (RFC 7413): giving cookies, text in a SYN that is taken before the handshake is over, the answer that follows the
// SYN,ACK, and every way back to an ordinary handshake.

import { expect } from 'vitest'
import { icmp } from './icmp-packet.ts'
import { listening, type Script, type ScriptOptions, scenario } from './script.ts'

const SYN = 'mss 1460,sackOK'

/** A server, and the cookie that its peer has from it. */
interface Served {
  readonly c: Script
  readonly cookie: string
}

/** A server with Fast Open that the scripted peer knows; its counters are those of what follows. */
function serving(options: ScriptOptions = {}): Served {
  const tcp = { fastOpen: true, timestamps: false, windowScale: false, ...options.tcp }
  const c = listening({ ...options, tcp })
  const bytes = c.stack.tcp.fastOpen.maker.make(c.remote, c.local)
  return { c, cookie: `FO ${Buffer.from(bytes).toString('hex')}` }
}

/** The options of what was sent last. */
const optionsOf = (c: Script): string[] => c.drain().at(-1)?.options ?? []

scenario('a SYN that asks for a cookie gets one in the SYN,ACK, always the same (RFC 7413 §4.1.2)', () => {
  const { c, cookie } = serving()
  c.in(`S 0 <${SYN},FO>`).out(`S. 0 ack 1 <mss 1460,sackOK,${cookie}>`).in('. 1 ack 1').accept()
  expect(c.state).toBe('ESTABLISHED')
  c.remotePort = 40001
  c.in(`S 0 <${SYN},FO>`).out(`S. 0 ack 1 <mss 1460,sackOK,${cookie}>`)
  expect(c.stack.tcp.counters).toMatchObject({ TcpExtTCPFastOpenCookieReqd: 2, TcpExtTCPFastOpenPassive: 0 })
})

scenario('without the setting the option is passed over, and so is the text (off by default)', () => {
  const { c, cookie } = serving({ tcp: { fastOpen: false } })
  c.in(`S 0 <${SYN},FO>`).out('S. 0 ack 1 <mss 1460,sackOK>')
  c.remotePort = 40001
  c.in(`S 0:10 <${SYN},${cookie}>`).out('S. 0 ack 1 <mss 1460,sackOK>')
  expect([c.listener?.pending, c.listener?.halfOpen]).toEqual([0, 2])
})

scenario(
  'text in a SYN with a cookie is acknowledged and readable before the handshake is over (RFC 7413 §4.2.2)',
  () => {
    const { c, cookie } = serving()
    c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101 <mss 1460,sackOK>')
    expect(c.events()).toEqual(['acceptable'])
    c.accept()
    expect(c.events()).toContain('readable')
    expect(c.state).toBe('SYN-RECEIVED')
    c.reads(100)
    c.in('. 101 ack 1')
    expect(c.state).toBe('ESTABLISHED')
    c.reads(0).in('P. 101:111 ack 1').reads(10)
    expect(c.stack.tcp.counters).toMatchObject({ TcpExtTCPFastOpenPassive: 1, TcpPassiveOpens: 1, TcpCurrEstab: 1 })
  },
)

scenario('a connection accepted after the handshake has the same text, once', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.in('P. 101:151 ack 1').advance(40).out('. 1 ack 151')
  expect([c.listener?.pending, c.listener?.halfOpen]).toEqual([1, 0])
  c.accept().reads(150)
  expect(c.listener?.accept()).toBe(null)
})

scenario(
  'the answer follows the SYN,ACK at once, and its acknowledgement opens the connection (RFC 7413 §4.2.2)',
  () => {
    const { c, cookie } = serving()
    c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
    c.accept().write(50).out('P. 1:51 ack 101')
    expect(c.state).toBe('SYN-RECEIVED')
    c.advance(100).in('. 101 ack 51')
    expect([c.state, c.tcb.snd.flight.bytes]).toEqual(['ESTABLISHED', 0])
    expect(c.events()).toContain('drained')
    c.write(10).out('P. 51:61 ack 101')
  },
)

scenario('an answer that was written before the SYN,ACK went follows it', () => {
  const { c, cookie } = serving()
  c.handle(c.packet(`S 0:100 <${SYN},${cookie}>`))
  c.accept().out('S. 0 ack 101')
  c.write(20).out('P. 1:21 ack 101')
})

scenario('before the handshake is over the answer has the initial window, and no more (RFC 7413 §4.2.2)', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().write(20 * 1460)
  c.outText(1, 1 + 10 * 1460, 101, false).quiet()
  expect(c.tcb.hold).toBe('cwnd')
  c.in('. 101 ack 1').quiet() // it has acknowledged the SYN: nothing has left the network
  expect(c.tcb.cc.cwnd).toBe(10 * 1460 + 1)
  c.in('. 101 ack 2921')
  c.outText(1 + 10 * 1460, 1 + 14 * 1460, 101, false).quiet()
})

scenario('an acknowledgement of SYN and text opens the congestion window as any does', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().write(20 * 1460)
  c.outText(1, 1 + 10 * 1460, 101, false).quiet()
  c.in('. 101 ack 1461')
  c.outText(1 + 10 * 1460, 1 + 12 * 1460, 101, false).quiet()
})

scenario("the peer's window of its SYN bounds the answer", () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 win 2000 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().write(4000).out('. 1:1461 ack 101').quiet()
})

scenario(
  'a cookie of before the key was changed is good once more, and a fresh one comes with it (RFC 7413 §5.1)',
  () => {
    const { c, cookie } = serving()
    const { maker } = c.stack.tcp.fastOpen
    maker.rotate()
    const fresh = `FO ${Buffer.from(maker.make(c.remote, c.local)).toString('hex')}`
    expect(fresh).not.toBe(cookie)
    c.in(`S 0:100 <${SYN},${cookie}>`).out(`S. 0 ack 101 <mss 1460,sackOK,${fresh}>`)
    c.accept().reads(100)
  },
)

scenario('a cookie that is not ours: the SYN alone is acknowledged, a fresh cookie is given (RFC 7413 §4.2.2)', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},FO 0102030405060708>`).out(`S. 0 ack 1 <mss 1460,sackOK,${cookie}>`)
  expect([c.listener?.pending, c.listener?.halfOpen]).toEqual([0, 1])
  c.in('P. 1:101 ack 1').accept().reads(100)
  expect(c.stack.tcp.counters).toMatchObject({ TcpExtTCPFastOpenPassive: 0, TcpExtTCPFastOpenPassiveFail: 1 })
})

scenario('a cookie of another length is not ours either', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},FO 01020304>`).out(`S. 0 ack 1 <mss 1460,sackOK,${cookie}>`)
})

scenario("another client's cookie is not ours", () => {
  const { c } = serving()
  const others = c.stack.tcp.fastOpen.maker.make(c.local, c.remote)
  c.in(`S 0:100 <${SYN},FO ${Buffer.from(others).toString('hex')}>`).out('S. 0 ack 1')
})

scenario('text without the option is passed over, as ever', () => {
  const { c } = serving()
  c.in(`S 0:100 <${SYN}>`).out('S. 0 ack 1 <mss 1460,sackOK>').in('P. 1:101 ack 1').accept().reads(100)
})

scenario('a cookie without text makes an ordinary handshake', () => {
  const { c, cookie } = serving()
  c.in(`S 0 <${SYN},${cookie}>`).out('S. 0 ack 1 <mss 1460,sackOK>')
  expect(c.listener?.pending).toBe(0)
  c.in('. 1 ack 1').accept()
})

scenario('a SYN with FIN is dropped, cookie or not, as ever', () => {
  const { c, cookie } = serving()
  c.in(`SF 0:100 <${SYN},${cookie}>`).quiet()
})

scenario('a lost SYN,ACK goes again without its cookie, and the text is not taken twice', () => {
  const { c, cookie } = serving()
  c.stack.tcp.fastOpen.maker.rotate()
  c.in(`S 0:100 <${SYN},${cookie}>`)
  expect(optionsOf(c).length).toBe(3)
  c.advance(1000).out('S. 0 ack 101 <mss 1460,sackOK>')
  c.in('. 101 ack 1').accept().reads(100)
  expect(c.tcb.cc.cwnd).toBe(1460) // RFC 5681 §3.1
})

scenario(
  "the peer's SYN again, with the text, without it, or with more: SYN,ACK again, and nothing is delivered twice",
  () => {
    for (const again of ['S 0:100', 'S 0', 'S 0:40', 'S 0:160']) {
      const { c, cookie } = serving()
      c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
      c.accept().reads(100)
      c.in(`${again} <${SYN},${cookie}>`).out('S. 0 ack 101')
      expect([c.state, c.stack.tcp.connectionCount]).toEqual(['SYN-RECEIVED', 1])
      c.reads(0).in('P. 101:161 ack 1').reads(60)
    }
  },
)

scenario('the answer behind a lost SYN,ACK goes again as soon as that is acknowledged (RFC 7413 §4.2.2)', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().write(50).out('P. 1:51 ack 101')
  c.in(`S 0 <${SYN}>`).out('S. 0 ack 101')
  c.in('. 101 ack 1').out('P. 1:51 ack 101').in('. 101 ack 51')
  expect([c.state, c.tcb.snd.flight.bytes, c.tcb.recovery.phase]).toEqual(['ESTABLISHED', 0, 'open'])
})

scenario('the same after the retransmission timeout: until the SYN,ACK is acknowledged it alone goes again', () => {
  const { c, cookie } = serving({ tcp: { nagle: false } })
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().write(3000).out('. 1:1461 ack 101', '. 1461:2921 ack 101', 'P. 2921:3001 ack 101')
  c.advance(1000).out('S. 0 ack 101')
  c.advance(2000).out('S. 0 ack 101')
  c.in('. 101 ack 1').out('. 1:1461 ack 101')
  c.in('. 101 ack 1461').out('. 1461:2921 ack 101', 'P. 2921:3001 ack 101').in('. 101 ack 3001')
  expect([c.state, c.tcb.snd.flight.bytes]).toEqual(['ESTABLISHED', 0])
})

scenario('a part of the answer that was lost is recovered by SACK though the handshake has only just ended', () => {
  const { c, cookie } = serving({ tcp: { timestamps: true } })
  c.in(`S 0:100 <${SYN},TS,${cookie}>`).out('S. 0 ack 101')
  c.accept().write(5 * 1448)
  c.outText(1, 1 + 5 * 1448, 101)
  c.in('. 101 ack 1 <TS,sack 1449:7241>').out('. 1:1449 ack 101')
})

scenario('who never acknowledges the SYN,ACK is given up, and the application is told (RFC 9293 §3.8.3)', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().reads(100)
  for (const s of [1, 2, 4, 8, 16]) c.advance(s * 1000).out('S. 0 ack 101')
  c.advance(32_000).quiet()
  expect(c.connection.error?.code).toBe('ETIMEDOUT')
  expect(c.events()).toEqual(expect.arrayContaining(['error', 'closed']))
})

scenario('a reset in SYN-RECEIVED reaches the application (RFC 9293 §3.10.7.4)', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().in('R 101').quiet()
  expect([c.connection.state, c.connection.error?.code]).toEqual(['CLOSED', 'ECONNRESET'])
  expect(c.stack.tcp.counters.TcpExtEmbryonicRsts).toBe(0)
})

scenario('a reset that is not at RCV.NXT is challenged, and a SYN in the window is too (RFC 5961 §3.2, §4.2)', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().in('R 102').out('. 1 ack 101').in('S 110').out('. 1 ack 101')
  expect(c.state).toBe('SYN-RECEIVED')
})

scenario('an acknowledgement of what was never sent is answered with a reset and changes nothing', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().in('. 101 ack 2').out('R 2')
  expect(c.state).toBe('SYN-RECEIVED')
})

scenario('over the bound text is not taken, and no cookie is needed: an ordinary handshake (RFC 7413 §5.1)', () => {
  const { c, cookie } = serving({ tcp: { fastOpenQueue: 2 } })
  for (const port of [40001, 40002]) {
    c.remotePort = port
    c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  }
  c.remotePort = 40003
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 1 <mss 1460,sackOK>')
  expect(c.stack.tcp.counters).toMatchObject({ TcpExtTCPFastOpenPassive: 2, TcpExtTCPFastOpenListenOverflow: 1 })
  c.remotePort = 40001
  c.in('. 101 ack 1')
  c.remotePort = 40004
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
})

scenario('one that was reset counts into the bound for a minute more (RFC 7413 §5.1)', () => {
  const { c, cookie } = serving({ tcp: { fastOpenQueue: 1 } })
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101').in('R 101')
  c.remotePort = 40001
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 1').in('R 1')
  c.advance(60_000)
  c.remotePort = 40002
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
})

scenario('a bound of 0 gives cookies and takes no text', () => {
  const { c, cookie } = serving({ tcp: { fastOpenQueue: 0 } })
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 1')
})

scenario('with a full backlog the SYN is dropped, as any; it comes again', () => {
  const { c, cookie } = serving({ backlog: 1 })
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.remotePort = 40001
  c.in(`S 0:100 <${SYN},${cookie}>`).quiet()
  c.listener?.accept()
  c.in(`S 0 <${SYN}>`).out('S. 0 ack 1')
})

scenario('while SYN cookies are given there is no Fast Open', () => {
  const { c, cookie } = serving({ tcp: { synCookies: 'always' } })
  c.in(`S 0:100 <${SYN},${cookie}>`)
  expect(c.drain().map(({ ack, options }) => [ack, options])).toEqual([[1, ['mss 1460']]])
  expect(c.stack.tcp.connectionCount).toBe(0)
})

scenario('a listener that waits for the first text has it (TCP_DEFER_ACCEPT)', () => {
  const { c, cookie } = serving({ tcp: { deferAcceptUs: 5_000_000 } })
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.in('. 101 ack 1')
  expect([c.state, c.listener?.pending]).toEqual(['ESTABLISHED', 1])
  c.accept().reads(100)
})

scenario('the ACK of a connection that stands in a full backlog already is taken', () => {
  const { c, cookie } = serving({ backlog: 1 })
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101').in('. 101 ack 1')
  expect([c.state, c.listener?.overflows]).toEqual(['ESTABLISHED', 0])
})

scenario(
  'an answer that goes before the handshake is over is not probed for: SYN,ACK has its timer (RFC 8985 §7.2)',
  () => {
    const { c, cookie } = serving({ tcp: { tailLossProbe: true, rack: true } })
    c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
    c.accept().write(50).out('P. 1:51 ack 101')
    expect(c.tcb.timers.lossProbe).toBe(Number.POSITIVE_INFINITY)
    c.advance(100).in('. 101 ack 1')
    expect(c.tcb.timers.lossProbe).toBeLessThan(c.now + 1_000_000)
  },
)

scenario('CLOSE in SYN-RECEIVED: the answer goes at once, FIN when the handshake is over (RFC 9293 §3.10.4)', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().reads(100).write(50).out('P. 1:51 ack 101')
  c.call((connection) => connection.close()).quiet()
  expect(c.state).toBe('SYN-RECEIVED')
  c.in('. 101 ack 51').out('F. 51 ack 101')
  expect(c.state).toBe('FIN-WAIT-1')
  c.in('F. 101 ack 52').out('. 52 ack 102')
  expect(c.state).toBe('TIME-WAIT')
})

scenario('CLOSE with text unread resets (RFC 9293 §3.6.1)', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept()
    .call((connection) => connection.close())
    .out('R. 1 ack 101')
})

scenario('closing the listener resets what nobody has accepted', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  expect(c.state).toBe('SYN-RECEIVED')
  c.call(() => c.listener?.close()).out('R. 1 ack 101')
})

scenario("the peer's FIN with the ACK that ends the handshake ends the stream", () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
  c.accept().in('F. 101 ack 1').out('. 1 ack 102').reads(100)
  expect([c.state, c.connection.ended]).toEqual(['CLOSE-WAIT', true])
})

scenario('text beyond the receive buffer is not taken', () => {
  const { c, cookie } = serving({ tcp: { receiveBufferBytes: 60 } })
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 61 win 0')
  c.accept().reads(60).in('. 61 ack 1')
  expect(c.state).toBe('ESTABLISHED')
})

scenario('with timestamps, scaled windows and ECN all is agreed on beside the cookie', () => {
  const { c, cookie } = serving({ tcp: { timestamps: true, windowScale: true, ecn: 'on' } })
  c.in(`SEW 0:100 <${SYN},TS,wscale 7,${cookie}>`).out('[-] SE. 0 ack 101')
  c.accept().write(10).out('[ect0] P. 1:11 ack 101').in('. 101 ack 11 <TS>')
  expect([c.state, c.tcb.snd.scale, c.tcb.ts.enabled]).toEqual(['ESTABLISHED', 7, true])
})

scenario('with AccECN the acknowledgement of SYN,ACK and answer tells of the SYN,ACK alone (RFC 9768 §3.2.2.1)', () => {
  const { c, cookie } = serving({ tcp: { ecn: 'accurate' } })
  c.in(`SEWe 0:100 <${SYN},${cookie}>`)
  c.drain()
  c.accept().write(10).drain()
  c.in('W. 101 ack 11')
  expect([c.state, c.stack.tcp.counters.TcpExtTCPDeliveredCE]).toEqual(['ESTABLISHED', 0])
})

scenario('after TIME-WAIT a SYN with a cookie opens at once too (RFC 9293 §3.6.1 [MAY-2])', () => {
  const { c, cookie } = serving()
  c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101').in('. 101 ack 1').accept().reads(100)
  c.call((connection) => connection.close())
    .out('F. 1 ack 101')
    .in('F. 101 ack 2')
    .out('. 2 ack 102')
  expect(c.state).toBe('TIME-WAIT')
  c.in(`S 1000:1100 <${SYN},${cookie}>`)
  const [synAck] = c.drain()
  expect(synAck?.ack).toBe(1101)
  expect(c.listener?.pending).toBe(1)
})

scenario(
  'an ICMP hard error while the handshake is under way reaches who has accepted (RFC 9293 §3.9.2.2 [SHLD-26])',
  () => {
    const { c, cookie } = serving()
    c.in(`S 0:100 <${SYN},${cookie}>`).out('S. 0 ack 101')
    c.accept()
    icmp(c, 'port', 0)
    expect(c.connection.error?.code).toBe('ECONNREFUSED')
  },
)

scenario(
  'a congestion controller may change while the answer goes ahead of the handshake (RFC 7413 §4.2.2, RFC 9293 §3.8.2 [MAY-18])',
  () => {
    for (const congestion of ['bbr', 'dctcp', 'newreno', 'none']) {
      const { c, cookie } = serving()
      c.in(`S 0:10 <${SYN},${cookie}>`).out(`S. 0 ack 11 <mss 1460,sackOK>`).accept()
      c.write(1000).out('P. 1:1001 ack 11')
      c.call((connection) => connection.configure({ congestion }))
      c.advance(10).in('. 11 ack 1001')
      expect([c.state, c.tcb.control.name, c.tcb.cc.cwnd > 1000]).toEqual(['ESTABLISHED', congestion, true])
    }
  },
)

scenario(
  'a SYN whose text was not taken comes twice: that is no new SYN, and the half-open connection stands (RFC 9293 §3.10.7.4)',
  () => {
    for (const tcp of [{ fastOpenQueue: 0 }, { fastOpen: false }]) {
      const { c, cookie } = serving({ tcp })
      c.in(`S 0:10 <${SYN},${cookie}>`).drain()
      c.in(`S 0:10 <${SYN},${cookie}>`)
      expect(c.drain().map(({ flags, ack }) => [flags, ack])).toEqual([[18, 1]])
      c.in('P. 1:11 ack 1').accept().reads(10)
      expect([c.state, c.stack.tcp.counters.TcpExtEmbryonicRsts]).toEqual(['ESTABLISHED', 0])
    }
  },
)
