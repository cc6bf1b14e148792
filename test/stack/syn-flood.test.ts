// A flood of SYNs from addresses that are not there (RFC 4987): who really wants in gets in, with all options, and little is kept.
// Also two whole hosts that meet by way of cookies, at the wrap of the sequence space too.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { PROTOCOL } from '../../src/ip/header.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { FLAG, SegmentPlan } from '../../src/tcp/header.ts'
import { seq } from '../../src/tcp/seq.ts'
import { segmentBytes, wrapIp } from '../tcp/wire.ts'
import { Pair } from './pair.ts'

const server = IpAddress.parse('10.0.0.2')
const random = new SeededRandom(77)
const out = new Packet(new Uint8Array(HEADROOM + 65536))

function spoofedSyn(): Packet {
  const plan = new SegmentPlan()
  plan.reset()
  plan.sourcePort = 1024 + (random.int32() >>> 17)
  plan.destinationPort = 80
  plan.seq = seq(random.int32())
  plan.flags = FLAG.SYN
  plan.window = 64240
  plan.mss = 1460
  plan.windowScale = 7
  plan.sackPermitted = true
  plan.hasTimestamps = true
  plan.tsVal = random.int32()
  plan.tsEcr = 0
  const from = new IpAddress(0, 0, 0xffff, 0x0b000000 | (random.int32() >>> 8))
  return wrapIp(from, server, PROTOCOL.TCP, segmentBytes(plan, new Uint8Array(0)))
}

/** A server under so many spoofed SYNs, 10,000 a second; in the middle of it a client opens, and sends a second later. */
function flood(tcp: Partial<TcpConfig>, clientRttUs: number, count = 25_000) {
  const s = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(1), tcp })
  const c = new Stack({ addresses: ['10.0.0.1/24'], mtu: 1500, random: new SeededRandom(2) })
  const listener = s.listen({ port: 80 })
  const wire: { at: number; to: Stack; packet: Packet }[] = []
  let client: Connection | null = null
  let accepted: Connection | null = null
  let most = 0
  const flush = (from: Stack, to: Stack, now: number): void => {
    while (from.pollTransmit(out, now)) {
      const isTheirs =
        from === c || IpAddress.fromBytes(out.bytes.subarray(out.start + 16, out.start + 20)).equals(clientAddress)
      if (isTheirs) wire.push({ at: now + clientRttUs / 2, to, packet: out.clone() })
    }
  }
  for (let i = 0; i < count; i++) {
    const now = 1_000_000 + i * 100
    if (s.nextDeadline() <= now) s.handleTimeout(now)
    s.handlePacket(spoofedSyn(), now)
    flush(s, c, now)
    if (i === count / 2) client = c.connect({ remote: server, remotePort: 80 }, now)
    if (i === count / 2 + 10_000) client?.write(new Uint8Array(1000).fill(7))
    if (client !== null && c.nextDeadline() <= now) c.handleTimeout(now)
    flush(c, s, now)
    while (wire.length > 0 && wire[0].at <= now) {
      const { to, packet } = wire.shift()!
      to.handlePacket(packet, now)
      flush(to, to === s ? c : s, now)
    }
    accepted ??= listener.accept()
    most = Math.max(most, s.tcp.connectionCount)
  }
  return { s, client, accepted, most, listener }
}
const clientAddress = IpAddress.parse('10.0.0.1')

test('a client gets in through 40,000 spoofed SYNs, with window scale, SACK and timestamps (RFC 4987 §3.6)', () => {
  const { s, client, accepted, most, listener } = flood({}, 200_000, 40_000)
  expect(client?.state).toBe('ESTABLISHED')
  expect(client?.info().tcpi_options).toEqual(['timestamps', 'sack', 'wscale'])
  expect(accepted?.info().tcpi_options).toEqual(['timestamps', 'sack', 'wscale'])
  expect([accepted?.tcb.snd.scale, client?.tcb.snd.scale]).toEqual([10, 10])
  expect(accepted?.read()?.length).toBe(1000)
  expect(most).toBeLessThanOrEqual(1025)
  expect(listener.halfOpen).toBeLessThanOrEqual(1024)
  const { TcpExtSyncookiesSent, TcpExtSyncookiesRecv, TcpExtSyncookiesFailed } = s.tcp.counters
  expect(TcpExtSyncookiesSent).toBeGreaterThan(38_000)
  expect([TcpExtSyncookiesRecv, TcpExtSyncookiesFailed]).toEqual([1, 0])
})

test('without cookies a near client gets in, since the oldest half-open ones give way; a far one does not (RFC 4987 §3.4)', () => {
  const near = flood({ synCookies: 'never' }, 20_000)
  expect(near.accepted?.read()?.length).toBe(1000)
  expect(near.most).toBeLessThanOrEqual(1025 + 1)
  expect(near.s.tcp.counters.TcpExtTCPReqQFullDrop).toBeGreaterThan(23_000)
  const far = flood({ synCookies: 'never' }, 400_000)
  expect(far.accepted).toBe(null)
})

test('after the flood the half-open connections go away, and SYNs are kept again', () => {
  const { s, listener } = flood({ synAckRetries: 1 }, 20_000)
  for (let now = s.nextDeadline(); listener.halfOpen > 0; now = s.nextDeadline()) {
    s.handleTimeout(now)
    while (s.pollTransmit(out, now));
  }
  expect(s.tcp.connectionCount).toBe(1)
  const sent = s.tcp.counters.TcpExtSyncookiesSent
  s.handlePacket(spoofedSyn(), 60_000_000)
  expect([listener.halfOpen, s.tcp.counters.TcpExtSyncookiesSent]).toEqual([1, sent])
})

test('two hosts that met by a cookie exchange every byte, on a bad line too (RFC 4987 §3.6)', () => {
  for (const seed of [1, 2, 3]) {
    const other = { synCookies: 'always' } as const
    new Pair({ seed, sends: [200_000, 100_000], other }).transfer().expectDelivered()
    // A request in one segment: were its second to overtake the first and the ACK, no cookie could be found in it.
    const line = { loss: 0.03, duplicate: 0.01, jitterUs: 3000, family: 6 } as const
    const pair = new Pair({ seed, sends: [1000, 200_000], other, ...line }).transfer()
    pair.expectDelivered()
    expect(pair.hosts[1].stack.tcp.counters.TcpExtSyncookiesRecv).toBeGreaterThan(0)
    expect(pair.hosts[1].stack.tcp.counters.TcpPassiveOpens).toBe(1)
  }
})

test('also where the cookie lies just below the end of the sequence space (RFC 9293 §3.4)', () => {
  const sends = [100_000, 100_000] as const
  const options = { seed: 5, sends, other: { synCookies: 'always' } } as const
  const cookieFor = (isn: number): number => {
    const pair = new Pair({ ...options, sends: [0, 0], isn: [isn, 0] }).transfer()
    const synAck = pair.seen.find(({ segment }) => segment.flags === (FLAG.SYN | FLAG.ACK))
    return synAck?.segment.seq ?? 0
  }
  const base = cookieFor(0)
  for (const end of [0, 2 ** 31]) {
    // The cookie goes with the peer's number, but for its low 21 bits, which are anyone's guess.
    const before = (isn: number): number => (end - cookieFor(isn)) | 0
    let isn = (end - base) | 0
    let left = before(isn)
    for (let tries = 0; tries < 1000 && !(left > 0 && left < 90_000); tries++) {
      isn = (isn - 997) | 0
      left = before(isn)
    }
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(90_000)
    new Pair({ ...options, isn: [isn, 0] }).transfer().expectDelivered()
  }
})
