// DHCP between whole hosts on a switch in virtual time: our client, our server, and somebody who has the address already.

import { describe, expect, test } from 'vitest'
import type { HostDhcpClient, HostDhcpServer, HostDhcpServerOptions } from '../../src/net/index.ts'
import { ip, Lan, mac, type Station } from '../ethernet/helpers.ts'

const HOUR = 3600
const QUIET = { ipv6: false }

interface Served {
  readonly lan: Lan
  readonly server: HostDhcpServer
  readonly told: string[]
}

function served(options: Partial<HostDhcpServerOptions> = {}): Served {
  const lan = new Lan()
  const { host, ethernet } = lan.station(['10.0.0.1/24'], QUIET)
  const server = host.dhcpServer({
    ethernet,
    range: ['10.0.0.100', '10.0.0.102'],
    routers: ['10.0.0.1'],
    dnsServers: ['10.0.0.53'],
    domain: 'lan.example',
    ...options,
  })
  const told: string[] = []
  server.on('leased', ({ address, client }) => told.push(`leased ${address} ${client}`))
  server.on('released', (address) => told.push(`released ${address}`))
  server.on('declined', (address) => told.push(`declined ${address}`))
  return { lan, server, told }
}

interface Client extends Station {
  readonly dhcp: HostDhcpClient
  readonly told: string[]
}

function client(lan: Lan, previous?: string): Client {
  const station = lan.station([], QUIET)
  const dhcp = station.host.dhcpClient({ ...station, hostName: 'box', ...(previous === undefined ? {} : { previous }) })
  const told: string[] = []
  dhcp.on('bound', ({ address }, isNew) => told.push(`${isNew ? 'bound' : 'renewed'} ${address}`))
  dhcp.on('lost', ({ address }, why) => told.push(`${why} ${address}`))
  return { ...station, dhcp, told }
}

/** Pings are promises: time passes with them settling. */
const run = (lan: Lan, seconds: number) => lan.time.run({ until: lan.time.now() + seconds * 1e6 })

describe('a client and a server', () => {
  test('agree on an address, which is asked about before it is used (RFC 2131 §3.1, §4.4.1)', async () => {
    const { lan, server, told } = served()
    const a = client(lan)
    await run(lan, 20)
    expect(a.dhcp.state).toBe('BOUND')
    expect(a.host.addresses).toEqual(['10.0.0.100'])
    expect(a.told).toEqual(['bound 10.0.0.100'])
    expect(told).toEqual(['leased 10.0.0.100 02:00:00:00:00:02'])
    expect(a.dhcp.lease).toMatchObject({ prefixLength: 24, domain: 'lan.example', leaseS: HOUR })
    expect(String(a.host.stack.ip.nextHop(ip('192.0.2.1')))).toBe('10.0.0.1')
    expect(server.leases).toMatchObject([{ client: '02:00:00:00:00:02', address: '10.0.0.100', hostName: 'box' }])
    expect(await lan.time.runFor(a.host.ping('10.0.0.1'))).toBe(0)
    const said = lan.seen.map(({ text }) => text.replace(/^\S+ > \S+ /, ''))
    expect(said.filter((text) => text === 'ARP, Request who-has 10.0.0.100 tell 0.0.0.0')).toHaveLength(3)
  })

  test('renew it at half of its time, unicast (RFC 2131 §4.4.5)', async () => {
    const { lan } = served()
    const a = client(lan)
    await run(lan, 30)
    lan.seen.length = 0
    await run(lan, HOUR / 2)
    expect(a.told).toEqual(['bound 10.0.0.100', 'renewed 10.0.0.100'])
    expect(lan.seen.map(({ text }) => text).filter((text) => text.includes('protocol 17'))).toEqual([
      '02:00:00:00:00:02 > 02:00:00:00:00:01 10.0.0.100 > 10.0.0.1 protocol 17',
      '02:00:00:00:00:01 > 02:00:00:00:00:02 10.0.0.1 > 10.0.0.100 protocol 17',
    ])
  })

  test('part when the server is gone: RENEWING, REBINDING, and the address is given up (RFC 2131 §4.4.5)', async () => {
    const { lan, server } = served()
    const a = client(lan)
    await run(lan, 30)
    server.close()
    await run(lan, HOUR * 0.6)
    expect(a.dhcp.state).toBe('RENEWING')
    await run(lan, HOUR * 0.3)
    expect(a.dhcp.state).toBe('REBINDING')
    await run(lan, HOUR * 0.11)
    expect(a.told).toEqual(['bound 10.0.0.100', 'expired 10.0.0.100'])
    expect(a.host.addresses).toEqual([])
    expect(a.host.stack.ip.nextHop(ip('192.0.2.1'))).toBeNull()
  })

  test('find an address that somebody has already, before it is offered (RFC 2131 §2.2)', async () => {
    const { lan, told } = served()
    lan.station(['10.0.0.100/24'], QUIET)
    await run(lan, 5)
    const a = client(lan)
    await run(lan, 20)
    expect(a.host.addresses).toEqual(['10.0.0.101'])
    expect(told).toEqual(['declined 10.0.0.100', 'leased 10.0.0.101 02:00:00:00:00:03'])
  })

  test('find it afterwards, by the probe of the client, which declines (RFC 2131 §4.4.1, RFC 5227 §2.1)', async () => {
    const { lan, told } = served({ isChecked: false })
    lan.station(['10.0.0.100/24'], QUIET)
    await run(lan, 5)
    const a = client(lan)
    await run(lan, 40)
    expect(a.host.addresses).toEqual(['10.0.0.101'])
    expect(told).toEqual([
      'leased 10.0.0.100 02:00:00:00:00:03',
      'declined 10.0.0.100',
      'leased 10.0.0.101 02:00:00:00:00:03',
    ])
  })

  test('give an address up that somebody takes later (RFC 5227 §2.4(b))', async () => {
    const { lan, told } = served()
    const a = client(lan)
    await run(lan, 30)
    lan.station(['10.0.0.100/24'], QUIET)
    await run(lan, 60)
    expect(a.told).toEqual(['bound 10.0.0.100', 'conflict 10.0.0.100', 'bound 10.0.0.101'])
    expect(told).toContain('declined 10.0.0.100')
  })

  test('take up an earlier lease in one exchange (RFC 2131 §3.2)', async () => {
    const { lan, server } = served()
    const a = client(lan)
    await run(lan, 20)
    a.dhcp.close()
    const before = server.machine.counters.discovers
    a.host.removeAddress('10.0.0.100')
    const again = a.host.dhcpClient({ ethernet: a.ethernet, previous: '10.0.0.100' })
    await run(lan, 20)
    expect(again.state).toBe('BOUND')
    expect(server.machine.counters.discovers).toBe(before)
  })

  test('an address of another network is refused, and another one asked for (RFC 2131 §4.3.2)', async () => {
    const { lan, server } = served()
    const a = client(lan, '192.168.7.7')
    await run(lan, 30)
    expect(server.machine.counters.naks).toBe(1)
    expect(a.host.addresses).toEqual(['10.0.0.100'])
  })

  test('release what is not needed any more (RFC 2131 §4.4.6)', async () => {
    const { lan, told } = served()
    const a = client(lan)
    await run(lan, 600) // nobody's Ethernet address is known any more
    await lan.time.runFor(a.dhcp.release())
    expect(told.at(-1)).toBe('released 10.0.0.100')
    expect(a.host.addresses).toEqual([])
    expect(a.told.at(-1)).toBe('released 10.0.0.100')
  })

  test('as many as there are addresses get one; reserved ones go to theirs', async () => {
    const { lan, server } = served({ reservations: { '02:00:00:00:00:03': '10.0.0.9' } })
    const all = [1, 2, 3, 4, 5].map(() => client(lan))
    await run(lan, 60)
    const got = all.flatMap(({ host }) => host.addresses).sort()
    expect(all[1].host.addresses).toEqual(['10.0.0.9'])
    expect(got).toEqual(['10.0.0.100', '10.0.0.101', '10.0.0.102', '10.0.0.9'])
    expect(server.leases).toHaveLength(4)
  })

  test('keep their leases over a new start of the server', async () => {
    const first = served()
    client(first.lan)
    await run(first.lan, 20)
    const { leases } = first.server
    const { lan, server } = served({ leases })
    expect(server.leases).toEqual(
      leases.map((lease) => ({ ...lease, expiresAtS: expect.closeTo(lease.expiresAtS, -2) })),
    )
    const b = lan.station([], { ...QUIET, mac: mac('02:00:00:00:00:77') })
    const dhcp = b.host.dhcpClient({ ethernet: b.ethernet })
    await run(lan, 20)
    expect(String(dhcp.lease?.address)).toBe('10.0.0.101')
  })

  test('find one another over a network that loses a third of all frames', async () => {
    const { lan } = served()
    const station = lan.station([], QUIET, { out: { lossRate: 0.33 }, in: { lossRate: 0.33 } })
    const dhcp = station.host.dhcpClient({ ethernet: station.ethernet })
    await run(lan, 600)
    expect(dhcp.state).toBe('BOUND')
  })
})
