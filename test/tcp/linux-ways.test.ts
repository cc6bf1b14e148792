// What only Linux does (`heuristics: 'linux'`), beside what the RFCs say: each rule once with it and once without.

import { expect } from 'vitest'
import type { TcpConfig } from '../../src/tcp/config.ts'
import { icmp } from './icmp-packet.ts'
import { connecting, established, listening, Script, type ScriptOptions, scenario } from './script.ts'
import { currentWorld } from './world.ts'

const mss = 1000
const GATHERED = { checksum: true, superSegmentBytes: 65535 }
type Ways = TcpConfig['heuristics']

/** What a body returns by the RFCs, and in Linux's way. */
function beside<T>(body: (heuristics: Ways) => T): { rfc: T; linux: T } {
  return { rfc: body('rfc'), linux: body('linux') }
}

/** The text that was sent, as `start:end`, a packet each. */
const sent = (c: Script): string[] => c.drain().map(({ seq, end }) => `${seq}:${end}`)
const phase = (c: Script): string => c.tcb.recovery.phase

function open(heuristics: Ways, options: ScriptOptions = {}): Script {
  return established({ mss, ...options, tcp: { heuristics, ...options.tcp } })
}

/** Ten segments in flight, a timeout, and the first of them sent again. */
function timedOut(heuristics: Ways, tcp: Partial<TcpConfig> = {}): Script {
  const c = open(heuristics, { sack: true, tcp: { frto: true, ...tcp } })
  return c.write(15_000).outText(1, 10_001, 1, false).advance(300).out('. 1:1001 ack 1')
}

scenario(
  'after a timeout one answer to old text shows it needless; the RFC asks for a second (RFC 5682 §3.1 step 3b)',
  () => {
    const after = beside((heuristics) => {
      const c = timedOut(heuristics).advance(20).in('. ack 2001')
      c.drain()
      return phase(c)
    })
    expect(after).toEqual({ rfc: 'loss', linux: 'open' })
  },
)

scenario('what answers new text beside old is no proof in either way (RFC 5682 §3.1 step 3a)', () => {
  const after = beside((heuristics) => {
    const c = timedOut(heuristics).advance(20).in('. ack 1001')
    c.drain()
    c.in('. ack 1001 <sack 10001:11001>').drain()
    return phase(c)
  })
  expect(after).toEqual({ rfc: 'loss', linux: 'loss' })
})

scenario('the acknowledgement that takes a timeout back lets the window grow no further (RFC 5681 §3.1 would)', () => {
  const after = beside((heuristics) => {
    const c = timedOut(heuristics).advance(20).in('. ack 1001')
    c.drain()
    c.in('. ack 2001').drain()
    return [phase(c), c.tcb.cc.cwnd]
  })
  expect(after).toEqual({ rfc: ['open', 11_000], linux: ['open', 10_000] })
})

scenario('text that was SACKed and comes to be missing goes again after half a round trip (RFC 2018 §8)', () => {
  const wait = beside((heuristics) => {
    const c = open(heuristics, { sack: true }).write(5000).outText(1, 5001).advance(100)
    c.in('. ack 1 <sack 1001:2001>').in('. ack 1001').drain()
    return c.tcb.timers.retransmit - c.now
  })
  expect(wait).toEqual({ rfc: 300_000, linux: 50_000 })
  const c = open('linux', { sack: true }).write(5000).outText(1, 5001).advance(100)
  c.in('. ack 1 <sack 1001:2001>').in('. ack 1001').silent(49.999).advance(0.001).out('. 1001:2001 ack 1')
})

scenario('at least ten milliseconds are waited for it', () => {
  const c = open('linux', { sack: true, rttMs: 4 }).write(5000).outText(1, 5001).advance(4)
  c.in('. ack 1 <sack 1001:2001>').in('. ack 1001').silent(9.999).advance(0.001).out('. 1001:2001 ack 1')
})

scenario('what covers a retransmission times nothing: the timeout stays doubled (RFC 6298 §5, Karn)', () => {
  const wait = beside((heuristics) => {
    const c = open(heuristics).write(1000).out('P. 1:1001 ack 1').advance(300).out('P. 1:1001 ack 1')
    c.advance(100).in('. ack 1001').write(1000).out('P. 1001:2001 ack 1')
    return (c.tcb.timers.retransmit - c.now) / 1000
  })
  expect(wait).toEqual({ rfc: 300, linux: 600 })
})

scenario('the initial window is one segment after two lost SYNs of our own, not after one (RFC 5681 §3.1)', () => {
  const windows = (lost: number): { rfc: number; linux: number } =>
    beside((heuristics) => {
      const c = connecting({ mss, tcp: { heuristics } })
      for (let i = 0; i < lost; i++) c.advance(1000 * 2 ** i).out('S 0')
      c.in('S. 0 ack 1 <mss 1000>').out('. 1 ack 1')
      return c.tcb.cc.cwnd
    })
  expect(windows(0)).toEqual({ rfc: 10_000, linux: 10_000 })
  expect(windows(1)).toEqual({ rfc: 1000, linux: 10_000 })
  expect(windows(2)).toEqual({ rfc: 1000, linux: 1000 })
})

scenario(
  'one SYN,ACK that was lost leaves the initial window as it is, two do not (RFC 5681 §3.1: one segment)',
  () => {
    const window = beside((heuristics) => {
      const c = listening({ mss, tcp: { heuristics } }).in('S 0 <mss 1000>').out('S. 0 ack 1')
      c.advance(1000).out('S. 0 ack 1').in('. 1 ack 1').accept()
      return c.tcb.cc.cwnd
    })
    expect(window).toEqual({ rfc: 1000, linux: 10_000 })
    const afterTwo = beside((heuristics) => {
      const c = listening({ mss, tcp: { heuristics } }).in('S 0 <mss 1000>').out('S. 0 ack 1')
      c.advance(1000).out('S. 0 ack 1').advance(2000).out('S. 0 ack 1').in('. 1 ack 1').accept()
      return c.tcb.cc.cwnd
    })
    expect(afterTwo).toEqual({ rfc: 1000, linux: 1000 })
  },
)

scenario('a fast retransmission of the first segment starts the timeout anew (RFC 6675 §5.1)', () => {
  const wait = beside((heuristics) => {
    const c = open(heuristics, { sack: true }).write(6000).outText(1, 6001).advance(100)
    for (const end of [2001, 3001, 4001]) c.in(`. ack 1 <sack 1001:${end}>`)
    c.out('. 1:1001 ack 1')
    return (c.tcb.timers.retransmit - c.now) / 1000
  })
  expect(wait).toEqual({ rfc: 200, linux: 300 })
})

scenario('a mark lowers the window in step with what is delivered, not at once (RFC 3168 §6.1.2, RFC 9937 §5)', () => {
  const windows = beside((heuristics) => {
    const c = new Script({ mss, sack: true, tcp: { ecn: 'on', heuristics, delayedAckUs: 0 } }).connect().out('SEW 0')
    c.advance(100).in(`SE. 0 ack 1 ${c.synOptions()}`).out('. 1 ack 1').write(30_000)
    c.drain()
    const seen = []
    for (let ack = 1001; ack <= 11_001; ack += 1000) {
      c.in(`${ack < 3001 ? 'E.' : '.'} ack ${ack}`).drain()
      seen.push(c.tcb.cc.cwnd / mss)
    }
    return [c.tcb.cc.ssthresh / mss, ...seen]
  })
  expect(windows.linux).toEqual([5, 10, 9, 9, 8, 8, 7, 7, 6, 5, 5, 5])
  expect(windows.rfc.slice(0, 4)).toEqual([5, 5, 5, 5])
})

scenario(
  'recovery is reckoned in whole segments, and from cwnd rather than from what was in flight (RFC 9937 §5)',
  () => {
    const windows = beside((heuristics) => {
      const c = open(heuristics, { sack: true, tcp: { prr: true, initialWindowSegments: 20 } }).write(16_000)
      c.drain()
      const seen = []
      for (let end = 2001; end <= 8001; end += 1000) {
        c.in(`. ack 1 <sack 1001:${end}>`).drain()
        seen.push(c.tcb.cc.cwnd)
      }
      return seen
    })
    expect(windows).toEqual({
      rfc: [20_000, 20_000, 13_000, 12_143, 11_715, 11_286, 10_858],
      linux: [20_000, 20_000, 13_000, 12_000, 12_000, 11_000, 10_000],
    })
  },
)

scenario(
  'slow start takes all that one acknowledgement covers for growth (RFC 9406 §4.2: eight segments, unpaced)',
  () => {
    const window = beside((heuristics) => {
      const c = open(heuristics, { tcp: { congestion: 'cubic', initialWindowSegments: 20 } }).write(20_000)
      c.drain()
      c.advance(100).in('. ack 20001')
      return c.tcb.cc.cwnd
    })
    expect(window).toEqual({ rfc: 28_000, linux: 40_000 })
  },
)

scenario('less than a super-segment waits while the acknowledgement of the oldest is about due', () => {
  const inPlay = (waitMs: number, more: number): { rfc: string[]; linux: string[] } =>
    beside((heuristics) => {
      const c = open(heuristics, { offload: GATHERED }).write(5000)
      c.drain()
      c.advance(waitMs).write(4000).drain()
      return sent(c.write(more))
    })
  // Room for one segment; two make the least super-segment.
  expect(inPlay(60, 3000)).toEqual({ rfc: ['9001:10001'], linux: [] })
  expect(inPlay(40, 3000)).toEqual({ rfc: ['9001:10001'], linux: ['9001:10001'] }) // half a round trip is not over
  expect(inPlay(60, 1000)).toEqual({ rfc: ['9001:10001'], linux: ['9001:10001'] }) // all there is
})

scenario('what is left over after the last super-segment waits as well', () => {
  const inPlay = (more: number): { rfc: string[]; linux: string[] } =>
    beside((heuristics) => {
      const c = open(heuristics, { offload: GATHERED }).write(5000)
      c.drain()
      return sent(c.advance(60).write(more))
    })
  expect(inPlay(8000)).toEqual({ rfc: ['5001:10001'], linux: ['5001:9001'] })
  expect(inPlay(5000)).toEqual({ rfc: ['5001:10001'], linux: ['5001:10001'] })
})

scenario(
  'the rest of a small window goes with the super-segment that has begun (RFC 9293 §3.8.6.2.1 would wait)',
  () => {
    const inWindow = (win: number): { rfc: string[]; linux: string[] } =>
      beside((heuristics) =>
        sent(open(heuristics, { win: 0, offload: GATHERED }).write(20_000).in(`. ack 1 win ${win}`)),
      )
    expect(inWindow(5500)).toEqual({ rfc: ['1:5001'], linux: ['1:5501'] })
    expect(inWindow(4500)).toEqual({ rfc: ['1:4001'], linux: ['1:4001'] }) // two whole super-segments
  },
)

scenario('the small end of what is queued goes in one packet with what is before it', () => {
  const packets = beside((heuristics) =>
    sent(open(heuristics, { offload: GATHERED, tcp: { nagle: false } }).write(2500)),
  )
  expect(packets).toEqual({ rfc: ['1:2001', '2001:2501'], linux: ['1:2501'] })
})

scenario('SND.MSS is no more than half of the greatest window, or all of a small one', () => {
  const segments = (win: number): { rfc: number; linux: number } =>
    beside((heuristics) => open(heuristics, { win }).tcb.snd.mss)
  expect(segments(2000)).toEqual({ rfc: 1000, linux: 1000 })
  expect(segments(1501)).toEqual({ rfc: 1000, linux: 750 })
  expect(segments(537)).toEqual({ rfc: 1000, linux: 268 })
  expect(segments(536)).toEqual({ rfc: 1000, linux: 536 })
  expect(segments(20)).toEqual({ rfc: 1000, linux: 48 })
})

scenario(
  'smaller segments of the path: cwnd and ssthresh stay the same number of them (RFC 8201 §4: of octets)',
  () => {
    const windows = beside((heuristics) => {
      const c = established({ tcp: { heuristics } })
      c.tcb.cc.ssthresh = 5 * 1460
      c.write(2920).drain()
      icmp(c, 'too-big', 1, { mtu: 1340 })
      c.drain()
      return [c.tcb.snd.mss, c.tcb.cc.cwnd, c.tcb.cc.ssthresh]
    })
    expect(windows).toEqual({ rfc: [1300, 14_600, 7300], linux: [1300, 13_000, 6500] })
  },
)

scenario('over IPv6 a too-big that segments fit already is not kept for later (RFC 8201 §4)', () => {
  const path = beside((heuristics) => {
    const c = open(heuristics).write(1000).out('P. 1:1001 ack 1')
    icmp(c, 'too-big', 1, { mtu: 1400 })
    return c.tcb.pathSegmentBytes
  })
  expect(path).toEqual({ rfc: 1380, linux: currentWorld().family === 6 ? 1480 : 1380 })
})

scenario('a FIN that comes again is told by D-SACK with its number, and a SYN too (RFC 2883 §4 speaks of text)', () => {
  const again = (line: string): { rfc: unknown; linux: unknown } =>
    beside((heuristics) => {
      const c = open(heuristics, { sack: true, tcp: { dsack: true } })
      c.in('P. 1:101 ack 1', 'F. 101 ack 1').drain()
      return c
        .in(line)
        .drain()
        .map(({ options }) => options)
    })
  expect(again('F. 101 ack 1')).toEqual({ rfc: [[]], linux: [['sack 101:102']] })
  expect(again('FP. 1:101 ack 1')).toEqual({ rfc: [['sack 1:101']], linux: [['sack 1:102']] })
})

scenario(
  'two that open to each other: the SYN,ACK offers what our SYN did, not what the peer took (RFC 7323 §2.2)',
  () => {
    const offered = beside((heuristics) => {
      const c = connecting({ tcp: { heuristics } }).in('S 0 <mss 1460>')
      return c.drain().map(({ options }) => options.map((option) => option.split(' ')[0]))
    })
    expect(offered).toEqual({ rfc: [['mss']], linux: [['mss', 'sackOK', 'TS', 'wscale']] })
  },
)

scenario(
  'text for a connection in TIME-WAIT is acknowledged, even what is new (RFC 9293 §3.10.7.4 passes it over)',
  () => {
    const answers = beside((heuristics) => {
      const c = open(heuristics)
        .call((connection) => connection.shutdownWrite())
        .out('F. 1 ack 1')
      c.in('F. 1 ack 2').out('. 2 ack 2')
      expect(c.state).toBe('TIME-WAIT')
      return c
        .in('P. 2:12 ack 2')
        .drain()
        .map(({ ack }) => ack)
    })
    expect(answers).toEqual({ rfc: [], linux: [2] })
  },
)

scenario('the FIN that leads to TIME-WAIT is acknowledged once, with text or without', () => {
  const answers = beside((heuristics) => {
    const c = open(heuristics)
      .call((connection) => connection.shutdownWrite())
      .out('F. 1 ack 1')
      .in('. ack 2')
    return c
      .in('FP. 1:11 ack 2')
      .drain()
      .map(({ ack }) => ack)
  })
  expect(answers).toEqual({ rfc: [12], linux: [12] })
})

scenario('a segment goes again with the PSH that it had, whatever has been written since (RFC 9293 §3.9.1.2)', () => {
  const flags = beside((heuristics) => {
    const c = open(heuristics).write(1000).out('P. 1:1001 ack 1').write(1000).out('P. 1001:2001 ack 1')
    return c
      .advance(300)
      .drain()
      .map(({ flags }) => flags & 8)
  })
  expect(flags).toEqual({ rfc: [0], linux: [8] })
})

scenario(
  'who has no cookie of a server it knows nothing of fills a SYN of any size (RFC 7413 §4.1.3: 536 or 1220)',
  () => {
    const text = beside((heuristics) => {
      const c = new Script({ tcp: { heuristics, fastOpen: true, fastOpenCookieless: true } })
      const { remote, remotePort, localPort } = c
      c.connection = c.stack.connect({ remote, remotePort, localPort }, c.now)
      c.write(5000)
      return c.drain()[0]?.end
    })
    expect(text).toEqual({ rfc: (currentWorld().family === 4 ? 536 : 1220) - 40, linux: 1460 - 40 })
  },
)

scenario('FIN-WAIT-2 that nobody waits in ends with a bare reset (RFC 9293 §3.10.5: with an acknowledgement)', () => {
  const flags = beside((heuristics) => {
    const c = open(heuristics, { tcp: { finWait2TimeoutUs: -1 } })
    c.call((connection) => connection.close()).out('F. 1 ack 1')
    return c
      .in('. ack 2')
      .drain()
      .map(({ flags }) => flags)
  })
  expect(flags).toEqual({ rfc: [0x14], linux: [0x04] })
})
