// Whole hosts on a switch in virtual time: pings, connections, neighbours.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { ETHERNET_DROP_REASONS } from '../../src/ethernet/index.ts'
import type { Packet } from '../../src/link/device.ts'
import { frame, ip, Lan, neighbours, type Station } from './helpers.ts'

async function ping(lan: Lan, from: Station, to: string): Promise<number> {
  return lan.time.runFor(from.host.ping(to, { timeoutMs: 5000 }))
}

describe('two hosts on a switch', () => {
  test('find one another by ARP, and ask once (RFC 826)', async () => {
    const lan = new Lan()
    const a = lan.station(['10.0.0.1/24'], { ipv6: false })
    lan.station(['10.0.0.2/24'], { ipv6: false })
    lan.run(10)
    lan.said()
    expect(await ping(lan, a, '10.0.0.2')).toBe(0)
    expect(lan.said()).toEqual([
      'ARP, Request who-has 10.0.0.2 tell 10.0.0.1',
      'ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02',
      '10.0.0.1 > 10.0.0.2 protocol 1',
      '10.0.0.2 > 10.0.0.1 protocol 1',
    ])
    await ping(lan, a, '10.0.0.2')
    expect(lan.said()).toEqual(['10.0.0.1 > 10.0.0.2 protocol 1', '10.0.0.2 > 10.0.0.1 protocol 1'])
    expect(neighbours(a)).toEqual(['10.0.0.2 lladdr 02:00:00:00:00:02 REACHABLE'])
  })

  test('find one another by neighbour discovery (RFC 4861 §7.2)', async () => {
    const lan = new Lan()
    const a = lan.station(['fd00::1/64'])
    lan.station(['fd00::2/64'])
    lan.run(10)
    lan.said()
    await ping(lan, a, 'fd00::2')
    expect(lan.said()).toEqual([
      'fd00::1 > ff02::1:ff00:2 NS fd00::2',
      'fd00::2 > fd00::1 NA fd00::2 SO',
      'fd00::1 > fd00::2 icmp6 128',
      'fd00::2 > fd00::1 icmp6 129',
    ])
  })

  test('have link-local addresses of their own (RFC 4862 §5.3)', async () => {
    const lan = new Lan()
    const a = lan.station([])
    const b = lan.station([])
    lan.run(5)
    expect(b.host.addresses).toEqual(['fe80::ff:fe00:2'])
    expect(await ping(lan, a, 'fe80::ff:fe00:2')).toBe(0)
  })
})

test('other networks are reached by the router of the route, or not at all (RFC 1122 §3.3.1.1)', () => {
  const lan = new Lan()
  const { host } = lan.station(['10.0.0.1/24'], { ipv6: false })
  lan.run(5)
  lan.said()
  const send = (): void => {
    const socket = host.createSocket('udp4')
    socket.on('error', () => undefined)
    socket.send('x', 7, '192.0.2.1', () => socket.close())
    lan.run(0)
  }
  send()
  expect(lan.said()).toEqual([])
  host.addRoute({ to: 'default', via: '10.0.0.254' })
  send()
  expect(lan.said()).toEqual(['ARP, Request who-has 10.0.0.254 tell 10.0.0.1'])
})

test('groups that sockets join are reported, answered for, and left (RFC 3376 §5, RFC 3810 §6)', () => {
  const lan = new Lan()
  const { host, ethernet } = lan.station(['10.0.0.1/24', 'fd00::1/64'])
  lan.run(10)
  lan.said()
  const { ip: own } = host.stack
  for (const group of ['239.1.2.3', 'ff02::fb']) own.joinGroup(ip(group))
  lan.run(5)
  const mine = lan.said()
  expect(mine.filter((text) => text === '10.0.0.1 > 224.0.0.22 protocol 2')).toHaveLength(2)
  expect(mine.filter((text) => text === 'fe80::ff:fe00:1 > ff02::16 icmp6 143')).toHaveLength(2)
  expect(ethernet.link.igmp.groups.map(String)).toEqual(['239.1.2.3'])
  const bytes = Uint8Array.of(0x11, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
  bytes.set([0xee, 0xeb], 2)
  const header = Uint8Array.of(0x45, 0, 0, 32, 0, 0, 0, 0, 1, 2, 0, 0, 10, 0, 0, 9, 224, 0, 0, 1)
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += (header[i] << 8) | header[i + 1]
  sum = ~((sum & 0xffff) + (sum >>> 16))
  header.set([(sum >>> 8) & 255, sum & 255], 10)
  lan.tap().send(frame(0x020000000099, 0x01005e000001, 0x0800, Uint8Array.of(...header, ...bytes)))
  lan.run(2)
  expect(lan.said()).toEqual(['10.0.0.1 > 224.0.0.22 protocol 2'])
  for (const group of ['239.1.2.3', 'ff02::fb']) own.leaveGroup(ip(group))
  expect(lan.said()).toEqual([])
  lan.run(0)
  expect(lan.said()).toEqual(['10.0.0.1 > 224.0.0.22 protocol 2', 'fe80::ff:fe00:1 > ff02::16 icmp6 143'])
})

test('frames that chance has changed never throw, are counted, and leave a host that works', async () => {
  const lan = new Lan(11)
  const station = lan.station(['10.0.0.1/24', 'fd00::1/64'], { slaac: true, neighbours: { maxEntries: 64 } })
  const friend = lan.station(['10.0.0.2/24', 'fd00::2/64'])
  const frames: Packet[] = []
  const peer = lan.switch.port({ onFrame: (packet) => frames.push(packet.clone()) })
  peer.onReadable(() => peer.receive(() => undefined, 1000))
  lan.run(5)
  await ping(lan, station, '10.0.0.2')
  await ping(lan, station, 'fd00::2')
  const random = new SeededRandom(4)
  const any = (most: number): number => (random.int32() >>> 0) % most
  const seeds = frames.slice()
  for (let i = 0; i < 6000; i++) {
    const changed = seeds[any(seeds.length)].clone()
    for (let n = any(6); n > 0; n--) changed.bytes[changed.start + 6 + any(changed.length - 6)] = random.int32()
    if (any(4) === 0) changed.end = changed.start + any(changed.length + 1)
    if (any(2) === 0) changed.bytes.set([0x33, 0x33, 0, 0, 0, 1], changed.start)
    changed.bytes[changed.start + 6] &= 0xfe
    peer.send(changed)
    if (i % 100 === 0) lan.run(0.2)
  }
  lan.run(120)
  expect(station.ethernet.drops.total).toBeGreaterThan(1000)
  expect(Object.keys(station.ethernet.drops.toJSON()).every((reason) => reason in ETHERNET_DROP_REASONS)).toBe(true)
  expect(station.ethernet.neighbours.length).toBeLessThanOrEqual(128)
  expect(await ping(lan, station, '10.0.0.2')).toBe(0)
  expect(friend.host.addresses).toContain('10.0.0.2')
})
