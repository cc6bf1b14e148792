// TIME-WAIT: how long it lasts, what it answers, and who may end it (RFC 9293 §3.6.1, §3.10.7.4; RFC 6191; RFC 1337).

import { expect } from 'vitest'
import { listening, type Script, scenario } from './script.ts'
import { type InState, inState } from './states.ts'

const timeWait = (options: Parameters<typeof inState>[1] = {}): InState => inState('TIME-WAIT', options)

scenario('TIME-WAIT lasts 2 MSL, and MSL is a setting (RFC 9293 §3.4.2 §3.6.1 [MUST-13])', () => {
  for (const mslUs of [1_000_000, 30_000_000, 120_000_000]) {
    const { c } = timeWait({ tcp: { mslUs } })
    c.silent((2 * mslUs) / 1000 - 0.001)
    expect(c.state).toBe('TIME-WAIT')
    c.silent(0.001)
    expect(c.state).toBe('CLOSED')
  }
})

scenario('the peer’s FIN again restarts 2 MSL (RFC 9293 §3.10.7.4, eighth check)', () => {
  const { c } = timeWait({ tcp: { mslUs: 1_000_000 } })
  c.advance(1500).in('F. 1 ack 2').out('. 2 ack 2')
  c.silent(1999.999)
  expect(c.state).toBe('TIME-WAIT')
  c.silent(0.001)
  expect(c.state).toBe('CLOSED')
})

scenario('old duplicates are acknowledged, not taken, and do not restart 2 MSL (RFC 9293 §3.6.1)', () => {
  const { c } = timeWait({ tcp: { mslUs: 1_000_000 } })
  c.advance(1500).in('P. -99:1 ack 2').out('. 2 ack 2').in('. 1 ack 1').out('. 2 ack 2')
  c.silent(500)
  expect(c.state).toBe('CLOSED')
})

scenario('closing for good does not cut 2 MSL short, not even with text unread (RFC 9293 §3.6.1 [MUST-13])', () => {
  const { c } = inState('FIN-WAIT-2', { tcp: { mslUs: 1_000_000 } })
  c.in('FP. 1:101 ack 2').out('. 2 ack 102')
  c.call((connection) => connection.close()).quiet()
  expect([c.state, c.connection.readableBytes]).toEqual(['TIME-WAIT', 0])
  c.silent(1999.999)
  expect(c.state).toBe('TIME-WAIT')
})

scenario('a reset ends TIME-WAIT (RFC 9293 §3.10.7.4, second check; RFC 1337 advises against)', () => {
  const { c } = timeWait()
  c.in('R 2')
  expect(c.state).toBe('CLOSED')
  expect(c.connection.error).toBe(null)
})

/** Passive, closed by us first, now in TIME-WAIT: the listener is still there. */
function servedBefore(options: Parameters<typeof inState>[1] = {}): Script {
  const { c } = timeWait({ ...options, passive: true })
  expect(c.listener?.isClosed).toBe(false)
  c.events()
  return c
}

/** From now on the peer's relative numbers count from a new SYN, ours from where the stack begins anew. */
function reopens(c: Script, ours: number): void {
  c.origin.irs = (c.origin.irs + 100_000) | 0
  c.origin.iss = (c.origin.iss + ours) | 0
}

scenario('a SYN with a greater number opens a new connection (RFC 9293 §3.6.1 [MAY-2])', () => {
  const c = servedBefore()
  const old = c.connection
  reopens(c, 200_000)
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
  expect(c.connection).not.toBe(old)
  expect([old.state, c.state]).toEqual(['CLOSED', 'ESTABLISHED'])
  c.in('P. 1:11 ack 1').reads(10)
})

scenario('the new connection’s ISN is beyond all numbers of the old one (RFC 9293 §3.6.1 [MAY-2] (1))', () => {
  const c = servedBefore()
  const used = c.tcb.snd.nxt
  c.in('S 100000 <mss 1460>')
  const [sent] = c.drain()
  expect(sent.flags).toBe(18)
  expect((c.origin.iss + sent.seq - used) | 0).toBe(65_537)
})

scenario('what was received and not read stays readable when the numbers are used anew', () => {
  const { c } = inState('FIN-WAIT-2', { passive: true })
  c.in('FP. 1:101 ack 2').out('. 2 ack 102')
  const old = c.connection
  c.in('S 100000 <mss 1460>').drain()
  expect(old.state).toBe('CLOSED')
  expect(old.error).toBe(null)
  expect(old.readableBytes).toBe(100)
  c.connection = old
  c.reads(100)
})

scenario(
  'a SYN with an old number is an old duplicate: acknowledged, TIME-WAIT stays (RFC 9293 §3.6.1 [MAY-2])',
  () => {
    const c = servedBefore()
    c.in('S 0 <mss 1460>').out('. 2 ack 2').in('S -5000 <mss 1460>').out('. 2 ack 2')
    expect(c.state).toBe('TIME-WAIT')
  },
)

scenario(
  'with timestamps the newer timestamp decides, and the number when it is the same (RFC 6191 §2 [SHLD-4])',
  () => {
    const opens = (line: string): boolean => {
      const c = servedBefore({ ts: true })
      c.in(line)
      return c.drain()[0].flags === 18
    }
    const recent = 1100
    expect(opens(`S -5000 <mss 1460,TS val ${recent + 1}>`)).toBe(true)
    expect(opens(`S 5000 <mss 1460,TS val ${recent - 1}>`)).toBe(false)
    expect(opens(`S 5000 <mss 1460,TS val ${recent}>`)).toBe(true)
    expect(opens(`S -5000 <mss 1460,TS val ${recent}>`)).toBe(false)
  },
)

scenario(
  'without a listener a SYN in TIME-WAIT is challenged, as in any other state (RFC 9293 §3.10.7.4, RFC 5961 §4.2)',
  () => {
    const c = servedBefore()
    c.listener?.close()
    c.in('S 100000 <mss 1460>').out('. 2 ack 2')
    expect(c.state).toBe('TIME-WAIT')
    expect(c.stack.tcp.counters.TcpExtTCPSYNChallenge).toBe(1)
    c.in('R 2') // the peer knows nothing of the old connection
    expect(c.state).toBe('CLOSED')
    c.in('S 100000 <mss 1460>').out('R. 0 ack 100001')
  },
)

scenario('the four values are taken until TIME-WAIT ends (RFC 9293 §3.6.1 [MUST-13])', () => {
  const { c } = timeWait({ tcp: { mslUs: 1_000_000 } })
  const open = (): unknown =>
    c.stack.connect({ remote: c.remote, remotePort: c.remotePort, localPort: c.localPort }, c.now)
  expect(open).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
  c.advance(2000)
  expect(open).not.toThrow()
  c.call(() => {}).out('S 0')
})

scenario('with timeWaitIgnoresResets a reset does not end TIME-WAIT (RFC 1337 §3, F1)', () => {
  const { c } = timeWait({ tcp: { timeWaitIgnoresResets: true, mslUs: 1_000_000 } })
  c.advance(500).in('R 2').in('R. 2 ack 2').quiet()
  expect(c.state).toBe('TIME-WAIT')
  c.silent(1500) // nor does it make it longer
  expect(c.state).toBe('CLOSED')
})

scenario('a reset that is not at RCV.NXT never ends TIME-WAIT (RFC 5961 §3.2)', () => {
  const { c } = timeWait()
  c.in('R 3').out('. 2 ack 2').in('R 1').quiet()
  expect(c.state).toBe('TIME-WAIT')
})

scenario(
  'text again after the FIN is acknowledged and not taken, and 2 MSL is not restarted (RFC 9293 §3.10.7.4)',
  () => {
    const { c } = inState('FIN-WAIT-2', { tcp: { mslUs: 1_000_000 } })
    c.in('FP. 1:101 ack 2').out('. 2 ack 102').reads(100)
    c.advance(1000).in('P. 1:101 ack 2').out('. 2 ack 102').in('P. 102:202 ack 2').quiet()
    expect(c.connection.readableBytes).toBe(0)
    c.silent(1000)
    expect(c.state).toBe('CLOSED')
  },
)

/** Opens from a port of the peer and is closed by us first. */
function closesFirst(c: Script, port: number): void {
  c.remotePort = port
  c.in('S 0 <mss 1460>').out('S. 0 ack 1').in('. 1 ack 1').accept()
  c.call((connection) => connection.close())
    .out('F. 1 ack 1')
    .in('F. 1 ack 2')
    .out('. 2 ack 2')
  c.events()
}

scenario(
  'over timeWaitMax the oldest connection in TIME-WAIT goes, with its events (Linux’s tcp_max_tw_buckets)',
  () => {
    const c = listening({ stack: { timeWaitMax: 2 } })
    closesFirst(c, 40000)
    const first = c.connection
    closesFirst(c, 40001)
    closesFirst(c, 40002)
    expect([first.state, first.error, c.stack.tcp.connectionCount]).toEqual(['CLOSED', null, 2])
    expect(c.stack.tcp.counters.TcpExtTCPTimeWaitOverflow).toBe(1)
    c.remotePort = 40001
    c.in('F. 1 ack 2').out('. 2 ack 2') // which does not make it younger
    closesFirst(c, 40003)
    expect([...c.stack.tcp.connections()].map((one) => one.remotePort).sort()).toEqual([40002, 40003])
    c.silent(60_000)
    expect([c.stack.tcp.connectionCount, c.stack.tcp.counters.TcpExtTCPTimeWaitOverflow]).toEqual([0, 2])
  },
)

scenario('who has left TIME-WAIT in time counts no more', () => {
  const c = listening({ stack: { timeWaitMax: 2 }, tcp: { mslUs: 1_000_000 } })
  for (const port of [40000, 40001]) closesFirst(c, port)
  c.silent(2000)
  for (const port of [40002, 40003]) closesFirst(c, port)
  expect([c.stack.tcp.connectionCount, c.stack.tcp.counters.TcpExtTCPTimeWaitOverflow]).toEqual([2, 0])
})

scenario('with a bound of 0 there is no TIME-WAIT, without one there is no end to it', () => {
  const none = listening({ stack: { timeWaitMax: 0 } })
  closesFirst(none, 40000)
  expect(none.stack.tcp.connectionCount).toBe(0)
  const all = listening({ stack: { timeWaitMax: Number.POSITIVE_INFINITY } })
  for (let port = 40000; port < 40050; port++) closesFirst(all, port)
  expect(all.stack.tcp.connectionCount).toBe(50)
  expect(() => listening({ stack: { timeWaitMax: -1 } })).toThrow(RangeError)
})

scenario('a connection in TIME-WAIT still tells what it was, and gives up what it was read for', () => {
  const { c } = inState('FIN-WAIT-2', { sack: true, ts: true })
  c.in('FP. 1:101 ack 2').out('. 2 ack 102')
  const { tcpi_rtt, tcpi_options, tcpi_snd_mss, pipe } = c.connection.info()
  expect([tcpi_rtt > 0, tcpi_options, tcpi_snd_mss, pipe]).toEqual([true, ['timestamps', 'sack'], 1448, 0])
  c.reads(100)
  expect(c.connection.ended).toBe(true)
})

scenario('what connections in TIME-WAIT share is not written to: it tells of nobody (Linux’s timewait sockets)', () => {
  const { c } = timeWait({ tcp: { mslUs: 1_000_000 } })
  c.in('F. 1 ack 2').out('. 2 ack 2').in('P. -99:1 ack 2').out('. 2 ack 2')
  c.call((connection) => connection.configure({ congestion: 'cubic', nagle: false, keepAlive: true })).quiet()
  const { delivery, tlp, undo, prr } = c.tcb
  expect(delivery).toEqual({ delivered: 0, deliveredAt: 0, firstSentAt: 0, appLimitedUntil: 0 })
  expect([tlp.isOut, tlp.isDue, undo.isPossible, prr.out, c.tcb.snd.flight.bytes]).toEqual([false, false, false, 0, 0])
})

scenario(
  'a SYN after TIME-WAIT takes a place among the half-open ones, and with none left waits (RFC 4987 §3.6)',
  () => {
    for (const [synCookies, evicted] of [
      ['pressure', 0],
      ['never', 1],
    ] as const) {
      const c = listening({ tcp: { synBacklog: 1, synCookies } })
        .in('S 0 <mss 1460>')
        .out('S. 0 ack 1')
        .in('. 1 ack 1')
        .accept()
      c.call((connection) => connection.close())
        .out('F. 1 ack 1')
        .in('F. 1 ack 2')
        .out('. 2 ack 2')
      const { remotePort } = c
      c.remotePort = 40001
      c.in('S 0 <mss 1460>').out('S. 0 ack 1') // the only place
      c.remotePort = remotePort
      c.in('S 100000 <mss 1460>')
      expect(c.drain().length).toBe(evicted)
      expect([c.listener?.halfOpen, c.stack.tcp.counters.TcpExtTCPReqQFullDrop]).toEqual([1, 1])
      expect(c.stack.tcp.connectionCount).toBe(evicted === 1 ? 1 : 2)
    }
  },
)
