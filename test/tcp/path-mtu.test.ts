// Path MTU: what routers say, what silence says, and the search for more (RFC 1191, RFC 8201, RFC 4821, RFC 8899).

import { expect, test } from 'vitest'
import { IpAddress } from '../../src/ip/address.ts'
import type { Packet } from '../../src/link/device.ts'
import { PATH_MTU_CACHE_ENTRIES, PathMtuCache } from '../../src/tcp/path-mtu-cache.ts'
import { Pair } from '../stack/pair.ts'
import { icmp } from './icmp-packet.ts'
import { established, type Script, type ScriptOptions, scenario } from './script.ts'
import { currentWorld } from './world.ts'

const is4 = (): boolean => currentWorld().family === 4
const mssOf = (c: Script): number => c.tcb.snd.mss
const TEN_MINUTES_MS = 600_000

scenario('a router that does not say which MTU: the next plateau below the packet (RFC 1191 §5, §7)', () => {
  const c = established()
  c.write(1460).out('P. 1:1461 ack 1')
  icmp(c, 'too-big', 1, { mtu: 0 })
  if (is4()) c.out('. 1:1453 ack 1', 'P. 1453:1461 ack 1') // 1492
  expect(mssOf(c)).toBe(is4() ? 1452 : 1460)
  // One more about a packet of the first size changes nothing: it was under way.
  icmp(c, 'too-big', 1, { mtu: 0 })
  expect(mssOf(c)).toBe(is4() ? 1452 : 1460)
  icmp(c, 'too-big', 1, { mtu: 0, packetBytes: 1492 })
  expect(mssOf(c)).toBe(is4() ? 966 : 1460) // 1006
  c.drain()
})

scenario(
  'a packet that claims to be tiny, or huge, moves nothing below the least MTU (RFC 1191 §3, RFC 5927 §7.2)',
  () => {
    const c = established()
    c.write(1460).out('P. 1:1461 ack 1')
    for (const packetBytes of [60, 68, 296, 65535]) icmp(c, 'too-big', 1, { mtu: 0, packetBytes })
    expect(mssOf(c)).toBe(1460)
  },
)

scenario('what a router said grows old after ten minutes, no sooner (RFC 1191 §6.3, RFC 8201 §4)', () => {
  const c = established()
  c.write(1460).out('P. 1:1461 ack 1')
  icmp(c, 'too-big', 1, { mtu: 1340 })
  c.drain()
  c.in('. ack 1461').silent(TEN_MINUTES_MS - 0.001)
  expect(mssOf(c)).toBe(1300)
  c.silent(0.001)
  expect(mssOf(c)).toBe(1460) // no SACK, no probe: it is simply tried
  c.write(1460).out('P. 1461:2921 ack 1')
  icmp(c, 'too-big', 1461, { mtu: 1340 })
  c.drain()
  expect(mssOf(c)).toBe(1300)
})

scenario('the age is a setting; Infinity keeps it for ever (RFC 1191 §6.3)', () => {
  const c = established({ tcp: { pathMtuAgeUs: Number.POSITIVE_INFINITY } })
  c.write(1460).out('P. 1:1461 ack 1')
  icmp(c, 'too-big', 1, { mtu: 1340 })
  c.drain()
  c.in('. ack 1461').silent(100 * TEN_MINUTES_MS)
  expect([mssOf(c), c.stack.nextDeadline()]).toEqual([1300, Number.POSITIVE_INFINITY])
})

const blackHole: ScriptOptions = { tcp: { pathMtuBlackHole: true } }

scenario(
  'large segments that vanish without a word are made smaller from the third timeout on (RFC 4821 §7.7, RFC 2923 §2.1)',
  () => {
    const c = established(blackHole)
    c.write(1460).out('P. 1:1461 ack 1')
    c.advance(300).out('P. 1:1461 ack 1').advance(600).out('P. 1:1461 ack 1')
    c.advance(1200)
    expect(mssOf(c)).toBe(is4() ? 1024 : 1220)
    c.out(is4() ? '. 1:1025 ack 1' : '. 1:1221 ack 1')
    c.advance(2400).drain()
    expect(mssOf(c)).toBe(is4() ? 512 : 1220)
    c.advance(4800).drain()
    expect(mssOf(c)).toBe(is4() ? 512 : 1220) // no smaller
  },
)

scenario('without the setting, for small segments, and for a shut window they stay as they are (RFC 4821 §7.7)', () => {
  const c = established()
  c.write(1460).out('P. 1:1461 ack 1').advance(10_000, true)
  expect(mssOf(c)).toBe(1460)
  const d = established(blackHole)
  d.write(500).out('P. 1:501 ack 1').advance(10_000, true)
  expect(mssOf(d)).toBe(1460)
  const e = established(blackHole)
  e.write(1460).out('P. 1:1461 ack 1').in('. ack 1 win 0').advance(20_000, true)
  expect(mssOf(e)).toBe(1460)
})

/** A connection with SACK whose segments a black hole has made small, and that flows again, with much to send. */
function afterBlackHole(tcp: ScriptOptions['tcp'] = {}): Script {
  const c = established({ sack: true, tcp: { pathMtuBlackHole: true, sendBufferBytes: 1 << 20, ...tcp } })
  c.write(1460).out('P. 1:1461 ack 1')
  for (const ms of [300, 600, 1200]) c.advance(ms).drain()
  if (is4()) c.advance(2400).drain()
  c.in('. ack 1461').drain()
  expect(mssOf(c)).toBe(is4() ? 512 : 1220)
  return c
}

/** Answers what is sent, all at once each time, until a segment larger than SND.MSS goes; returns it. */
function untilProbe(c: Script): { seq: number; end: number } {
  const mss = mssOf(c)
  c.write(100_000)
  for (let i = 0; i < 100; i++) {
    const sent = c.drain()
    const probe = sent.find(({ seq, end }) => end - seq > mss)
    if (probe !== undefined) return probe
    if (sent.length === 0) break
    const end = Math.max(...sent.map((line) => line.end))
    c.advance(100).in(`. ack ${end}`)
  }
  throw new Error('no probe was sent')
}

scenario(
  'when segments arrive again, one larger probe goes; it arrives, and all are so large (RFC 4821 §7.3, §7.6)',
  () => {
    const c = afterBlackHole()
    const probe = untilProbe(c)
    expect(probe.end - probe.seq).toBe(1460)
    const { cwnd } = c.tcb.cc
    const before = mssOf(c)
    c.in(`. ack ${probe.end}`)
    expect([mssOf(c), c.tcb.recovery.phase, c.stack.tcp.counters.TcpExtTCPMTUPSuccess]).toEqual([1460, 'open', 1])
    expect([before, c.tcb.path.isSearching]).toEqual([is4() ? 512 : 1220, false]) // nothing larger is left to find
    expect(c.tcb.cc.cwnd).toBeGreaterThanOrEqual(cwnd)
    for (const { seq, end } of c.drain()) expect(end - seq === 1460 || end - seq < 512).toBe(true)
  },
)

scenario('a probe that is lost costs its own retransmission, nothing of cwnd (RFC 4821 §7.6.2)', () => {
  for (const rack of [false, true]) {
    const c = afterBlackHole({ rack })
    const probe = untilProbe(c)
    const { cwnd, ssthresh } = c.tcb.cc
    const nxt = c.tcb.snd.nxt
    const tail = (nxt - c.origin.iss) | 0
    c.in(`. ack ${probe.seq}`).drain()
    c.advance(100).in(`. ack ${probe.seq} <sack ${probe.end}:${tail}>`)
    const sent = c.drain()
    const mss = is4() ? 512 : 1220
    expect([sent[0].seq, sent[0].end]).toEqual([probe.seq, probe.seq + mss])
    expect([c.tcb.recovery.phase, c.tcb.cc.ssthresh]).toEqual(['open', ssthresh])
    expect(c.tcb.cc.cwnd).toBeGreaterThanOrEqual(cwnd)
    expect([mssOf(c), c.stack.tcp.counters.TcpExtTCPMTUPFail]).toEqual([mss, 1])
    expect(c.stack.tcp.counters.TcpExtTCPSackRecovery).toBe(0)
    c.call((connection) => connection.abort()).drain()
  }
})

scenario('a probe lost together with other text tells of congestion (RFC 4821 §7.6.4)', () => {
  const c = afterBlackHole()
  const probe = untilProbe(c)
  const tail = (c.tcb.snd.nxt - c.origin.iss) | 0
  const mss = mssOf(c)
  c.in(`. ack ${probe.seq} <sack ${probe.end + mss}:${tail}>`).drain()
  expect([c.tcb.recovery.phase, c.stack.tcp.counters.TcpExtTCPMTUPFail]).toEqual(['recovery', 0])
  c.call((connection) => connection.abort()).drain()
})

scenario(
  'a router that says the probe was too large is believed: the next probe has that size (RFC 4821 §7.6.2, RFC 1191)',
  () => {
    const c = afterBlackHole()
    const probe = untilProbe(c)
    const { cwnd } = c.tcb.cc
    icmp(c, 'too-big', probe.seq, { mtu: 1340 })
    expect([mssOf(c), c.tcb.recovery.phase]).toEqual([is4() ? 512 : 1220, 'open'])
    expect(c.tcb.cc.cwnd).toBeGreaterThanOrEqual(cwnd)
    expect(c.drain()[0]).toMatchObject({ seq: probe.seq }) // its text goes again at once
    c.advance(100).in(`. ack ${(c.tcb.snd.nxt - c.origin.iss) | 0}`)
    const [next] = c.drain()
    expect(next.end - next.seq).toBe(1300)
    c.call((connection) => connection.abort()).drain()
  },
)

scenario('a router that speaks of less than was known to arrive lowers that too, probe or not (RFC 8201 §4)', () => {
  const c = afterBlackHole()
  const probe = untilProbe(c)
  icmp(c, 'too-big', probe.seq, { mtu: is4() ? 500 : 1250 })
  // Below IPv6's least MTU of 1280 (here 1270) nothing is believed.
  expect(mssOf(c)).toBe(is4() ? 460 : 1220)
  expect([c.tcb.pathSegmentBytes, c.tcb.path.probeBytes > 0]).toEqual(is4() ? [480, false] : [1240, true])
  c.drain()
  c.call((connection) => connection.abort()).drain()
})

scenario(
  'without the setting, or without SACK, nothing is probed; what is old is tried again (RFC 4821 §7, RFC 1191 §6.3)',
  () => {
    const c = afterBlackHole({ pathMtuProbing: false })
    expect(() => untilProbe(c)).toThrow('no probe')
    c.drain()
    c.advance(TEN_MINUTES_MS, true)
    expect(mssOf(c)).toBe(1460)
  },
)

/** A link that takes packets of so many bytes and drops larger ones without a word. */
function blackHoleLink(mtuOnWay: number, seed: number, loss: number): Pair {
  const pair = new Pair({ seed, sends: [400_000, 50_000], loss, mtu: 1500 })
  const send = pair.send.bind(pair)
  pair.send = (from: 0 | 1, packet: Packet) => {
    if (packet.end - packet.start <= mtuOnWay) send(from, packet)
  }
  return pair
}

test.each([
  [1400, 0, 1300],
  [600, 0, 499],
  [1400, 0.01, 1200],
  [1492, 0.02, 1200],
])(
  'through a path of %i bytes that drops without a word everything arrives, loss %f (RFC 2923 §2.1)',
  (mtu, loss, least) => {
    const pair = blackHoleLink(mtu, 5, loss)
    pair.transfer().expectDelivered()
    const { TcpExtTCPMTUPSuccess, TcpExtTCPMTUPFail } = pair.hosts[0].stack.tcp.counters
    expect(TcpExtTCPMTUPSuccess + TcpExtTCPMTUPFail).toBeGreaterThan(0)
    const largest = Math.max(...pair.seen.filter(({ from }) => from === 0).map(({ segment }) => segment.textLength))
    expect(largest).toBeGreaterThan(least)
  },
)

test('the search ends near the size of the path (RFC 4821 §7.3)', () => {
  const pair = blackHoleLink(1400, 11, 0)
  let last = 0
  pair.hosts[0].stack.tcp.onStep = (tcb) => {
    if (tcb.state !== 'CLOSED') last = tcb.pathSegmentBytes
  }
  pair.transfer().expectDelivered()
  expect(last).toBeGreaterThan(1380 - 16)
  expect(last).toBeLessThanOrEqual(1380)
})

test('the table of paths: bounded, aged, by destination (RFC 8201 §5.2)', () => {
  const cache = new PathMtuCache()
  const at = (i: number): IpAddress => new IpAddress(0, 0, 0xffff, i)
  expect(cache.get(at(1), 100, 0)).toBe(Number.POSITIVE_INFINITY)
  for (let i = 0; i < PATH_MTU_CACHE_ENTRIES + 5; i++) cache.put(at(i), 1000 + i, 10)
  expect(cache.size).toBe(PATH_MTU_CACHE_ENTRIES)
  expect([cache.get(at(4), 100, 50), cache.get(at(5), 100, 50)]).toEqual([Number.POSITIVE_INFINITY, 1005])
  cache.put(at(5), 700, 60)
  expect([cache.get(at(5), 100, 159), cache.get(at(5), 100, 160)]).toEqual([700, Number.POSITIVE_INFINITY])
  expect(cache.size).toBe(PATH_MTU_CACHE_ENTRIES - 1)
})

scenario('a new connection to the same host starts with what the one before it was told (RFC 8201 §5.2)', () => {
  const c = established()
  c.write(1460).out('P. 1:1461 ack 1')
  icmp(c, 'too-big', 1, { mtu: 1340 })
  c.drain()
  c.call((connection) => connection.abort()).drain()
  c.origin.iss += 100_000
  const { remote } = c
  const second = c.stack.connect({ remote, remotePort: 81 }, c.now)
  expect([second.tcb.pathSegmentBytes, second.tcb.rcv.mss]).toEqual([1320, 1460]) // what we announce is of our own link
  const far = IpAddress.parse(is4() ? '10.0.0.9' : 'fd00::9')
  expect(c.stack.connect({ remote: far, remotePort: 81 }, c.now).tcb.pathSegmentBytes).toBe(1480)
  expect(c.stack.connect({ remote, remotePort: 82 }, c.now + 600e6).tcb.pathSegmentBytes).toBe(1480)
})

scenario(
  'a probe that goes first after a pause does not hide the pause: slow start begins anew (RFC 5681 §4.1)',
  () => {
    const c = afterBlackHole()
    const probe = untilProbe(c)
    const end = (c.tcb.snd.nxt - c.origin.iss) | 0
    c.in(`. ack ${probe.seq} <sack ${probe.end}:${end}>`).drain()
    c.tcb.path.nextProbeAt = c.now + 5e6
    while (c.tcb.snd.flight.bytes > 0)
      c.advance(100)
        .in(`. ack ${(c.tcb.snd.nxt - c.origin.iss) | 0}`)
        .drain()
    c.tcb.cc.cwnd = 60_000
    c.advance(6000)
    c.write(90_000)
    expect(c.drain()[0].end - ((c.tcb.snd.una - c.origin.iss) | 0)).toBeGreaterThan(mssOf(c)) // the probe
    expect([c.tcb.path.probeBytes > 0, c.tcb.cc.cwnd]).toEqual([true, 10 * mssOf(c)])
  },
)

scenario('a probe does not join two records (MSG_EOR): what ends one ends a segment', () => {
  const c = afterBlackHole()
  const first = c.tcb.snd.nxt
  c.writeRecords(101, 700)
  for (let sent = c.drain(); sent.length > 0; sent = c.drain()) {
    for (const { seq, end } of sent) expect(Math.floor((end - 1462) / 700)).toBe(Math.floor((seq - 1461) / 700))
    c.advance(100).in(`. ack ${Math.max(...sent.map((line) => line.end))}`)
  }
  expect((c.tcb.snd.una - first) | 0).toBe(70_700)
})
