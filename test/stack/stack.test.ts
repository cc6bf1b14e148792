// One host as a whole: what reaches TCP, ICMP or nobody; offload marks; the order of output.

import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { IpAddress, parseCidr } from '../../src/ip/address.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { FLAG, SegmentPlan } from '../../src/tcp/header.ts'
import { make } from '../ip/helpers.ts'
import { segmentBytes, transportSum, wrapIp } from '../tcp/wire.ts'

const us = IpAddress.parse('10.0.0.2')
const them = IpAddress.parse('10.0.0.1')
const none = new Uint8Array(0)

const stack = (rest: Partial<ConstructorParameters<typeof Stack>[0]> = {}): Stack =>
  new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(1), ...rest })

function poll(s: Stack, now = 0): { ip: IpHeader; packet: Packet }[] {
  const all = []
  for (;;) {
    const packet = new Packet()
    if (!s.pollTransmit(packet, now)) return all
    const ip = new IpHeader()
    expect(parseIp(packet.bytes, packet.start, packet.end, ip)).toBe('ok')
    all.push({ ip, packet })
  }
}

function syn(port = 80): Packet {
  const plan = new SegmentPlan()
  plan.sourcePort = 1000
  plan.destinationPort = port
  plan.flags = FLAG.SYN
  return wrapIp(them, us, PROTOCOL.TCP, segmentBytes(plan, none))
}

test('an echo request is answered, before what TCP has to send (RFC 1122 §3.2.2.6)', () => {
  const s = stack()
  s.connect({ remote: them, remotePort: 80 }, 0)
  const ping = Uint8Array.of(8, 0, 0xf7, 0xff, 0, 0, 0, 0)
  s.handlePacket(wrapIp(them, us, PROTOCOL.ICMP, ping, -1), 0)
  expect(poll(s).map(({ ip }) => ip.protocol)).toEqual([PROTOCOL.ICMP, PROTOCOL.TCP])
})

test('an unknown protocol is answered with protocol unreachable (RFC 1122 §3.2.2.1)', () => {
  const s = stack()
  s.handlePacket(wrapIp(them, us, 99, new Uint8Array(8), -1), 0)
  const [{ ip, packet }] = poll(s)
  expect([ip.protocol, ...packet.bytes.subarray(packet.start + 20, packet.start + 22)]).toEqual([1, 3, 2])
})

test('a UDP datagram is answered with port unreachable: nobody listens (RFC 1122 §4.1.3.1)', () => {
  const s = stack()
  s.handlePacket(wrapIp(them, us, PROTOCOL.UDP, Uint8Array.of(0x10, 0, 0, 53, 0, 8, 0, 0), -1), 0)
  const [{ ip, packet }] = poll(s)
  expect([ip.protocol, ...packet.bytes.subarray(packet.start + 20, packet.start + 22)]).toEqual([1, 3, 3])
  expect(s.drops.get('udp-no-listener')).toBe(1)
})

test('what is not for us goes no further', () => {
  const s = stack()
  s.listen({ port: 80 })
  const packet = wrapIp(them, IpAddress.parse('10.0.0.3'), PROTOCOL.TCP, segmentBytes(new SegmentPlan(), none))
  s.handlePacket(packet, 0)
  expect([poll(s).length, s.drops.get('ip-not-for-us'), s.tcp.counters.TcpInSegs]).toEqual([0, 1, 0])
})

test('a checksum that the device has verified, or will never see, is not verified again', () => {
  for (const checksum of ['verified', 'partial'] as const) {
    const s = stack()
    s.listen({ port: 80 })
    const packet = syn()
    packet.bytes[packet.start + 36] ^= 255
    packet.checksum = checksum
    s.handlePacket(packet, 0)
    expect([poll(s).length, s.drops.total]).toEqual([1, 0])
  }
})

test('with checksum offload only the pseudo-header is summed, and the device is told where', () => {
  const s = stack({ offload: { checksum: true, superSegmentBytes: 0 } })
  s.connect({ remote: them, remotePort: 80 }, 0)
  const [{ packet }] = poll(s)
  expect([packet.checksum, packet.transportOffset, packet.segmentBytes]).toEqual(['partial', 20, 0])
  const at = packet.start + 36
  const partial = packet.bytes[at] * 256 + packet.bytes[at + 1]
  packet.bytes[at] = packet.bytes[at + 1] = 0
  const empty = packet.end
  packet.end = packet.start + 20
  const whole = transportSum(packet, PROTOCOL.TCP, 20) + (empty - packet.end)
  expect(partial).toBe(whole > 0xffff ? whole - 0xffff : whole)
})

test('deadlines and events go through to TCP', () => {
  const s = stack({ tcp: { synTimeoutUs: 500_000, initialRtoUs: 100_000 } })
  expect([s.nextDeadline(), s.hasEvents, s.pollEvent()]).toEqual([Number.POSITIVE_INFINITY, false, null])
  const c = s.connect({ remote: them, remotePort: 80 }, 0)
  poll(s)
  expect(s.nextDeadline()).toBe(100_000)
  for (let now = s.nextDeadline(); now < 1e9; now = s.nextDeadline()) {
    s.handleTimeout(now)
    poll(s, now)
  }
  expect(c.error?.code).toBe('ETIMEDOUT')
  expect(s.hasEvents).toBe(true)
  expect(s.pollEvent()).toBe(c)
})

test('a stack takes parsed addresses, routes and a hop limit of its own', () => {
  const route = { destination: IpAddress.parse('10.0.0.0'), prefixLength: 8 }
  const s = stack({ addresses: [parseCidr('10.0.0.2/24')], hopLimit: 9, routes: [route] })
  expect(() => s.connect({ remote: IpAddress.parse('192.0.2.1'), remotePort: 80 }, 0)).toThrow(
    expect.objectContaining({ code: 'ENETUNREACH' }),
  )
  s.handlePacket(syn(81), 0)
  expect(poll(s).map(({ ip }) => ip.hopLimit)).toEqual([9]) // a reset, from no connection
})

test('settings that cannot be are refused at once', () => {
  expect(() => stack({ mtu: 20 })).toThrow(RangeError)
  expect(() => stack({ tcp: { mss: 3 } })).toThrow(RangeError)
  expect(() => stack({ addresses: ['10.0.0.2/99'] })).toThrow()
})

test('several connections take turns and all get out', () => {
  const s = stack()
  for (let port = 1; port <= 100; port++) s.connect({ remote: them, remotePort: port }, 0)
  expect(poll(s).length).toBe(100)
  expect(s.tcp.counters).toMatchObject({ TcpActiveOpens: 100, TcpOutSegs: 100, TcpRetransSegs: 0 })
  s.handleTimeout(1_000_000)
  expect(poll(s, 1_000_000).length).toBe(100)
  expect(s.tcp.counters.TcpRetransSegs).toBe(100)
})

test('a stack wakes up for a datagram that does not get whole, and says so to its sender (RFC 1122 §3.3.2)', () => {
  const stack = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(1) })
  stack.handlePacket(make({ moreFragments: true, protocol: 17, payload: new Uint8Array(64) }), 7)
  const packet = new Packet()
  expect([stack.nextDeadline(), stack.pollTransmit(packet, 7)]).toEqual([30_000_007, false])
  stack.handleTimeout(30_000_007)
  expect([stack.pollTransmit(packet, 30_000_007), stack.nextDeadline()]).toEqual([true, Infinity])
  expect([...packet.bytes.subarray(packet.start + 20, packet.start + 22)]).toEqual([11, 1])
})
