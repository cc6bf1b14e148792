// Whole hosts on a switch in virtual time: pings, connections, neighbours.

import { describe, expect, test } from 'vitest'
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
