// Whole hosts on a switch in virtual time: pings, connections, neighbours.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { ETHERNET_DROP_REASONS } from '../../src/ethernet/index.ts'
import type { Packet } from '../../src/link/device.ts'
import { Lan, neighbours, type Station } from './helpers.ts'

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
