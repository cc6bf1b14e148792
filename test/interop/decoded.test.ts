// Everything that our hosts say on a network, read by tshark: no kernel takes part, the network is in memory and its time is virtual.

import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TYPE } from '../../src/dns/index.ts'
import { PcapngWriter } from '../../src/trace/index.ts'
import { arpFrame, ip, Lan } from '../ethernet/helpers.ts'
import { MINE, router } from '../ethernet/nd-helpers.ts'
import { bytes, folder } from './helpers.ts'
import { MALFORMED, tshark } from './kernel.ts'

const OUT = folder()
const PCAP = OUT.file('decoded.pcapng')
const SIZES = [0, 1, 1452, 1472, 1473, 9000, 65_507]
const ZONE = {
  origin: 'lan',
  text: `www A 10.0.0.2\nwww AAAA fd00::2\nalias CNAME www\n_http._tcp SRV 1 2 80 www\n@ MX 10 www\nbig TXT ${`"${'x'.repeat(200)}" `.repeat(20)}\n`,
}

/** A server and two clients that say all they can. */
async function everything(lan: Lan, onFrame: Parameters<Lan['station']>[2]): Promise<void> {
  const run = (seconds: number): Promise<unknown> => lan.time.run({ until: lan.time.now() + seconds * 1e6 })
  const server = lan.station(['10.0.0.2/24', 'fd00::2/64'], {}, onFrame)
  const client = lan.station(['fd00::3/64'], { slaac: true, probe: true }, onFrame)
  const by = lan.tap()
  const { host } = server
  const given = host.dhcpServer({
    ...server,
    range: ['10.0.0.100', '10.0.0.109'],
    routers: ['10.0.0.2'],
    dnsServers: ['10.0.0.2'],
  })
  const named = await lan.time.runFor(host.dnsServer({ zone: ZONE }))
  by.send(router({ mtu: 1500 }))
  const dhcp = client.host.dhcpClient({ ...client, hostName: 'box' })
  await run(25)
  // Somebody has the same address: it is declined, and another asked for.
  by.send(arpFrame('request', ['02:00:00:00:00:99', '10.0.0.100'], ['00:00:00:00:00:00', '10.0.0.100']))
  by.send(arpFrame('request', ['02:00:00:00:00:99', '10.0.0.100'], ['00:00:00:00:00:00', '10.0.0.100']))
  await run(2400) // a renewal
  for (const group of ['239.1.2.3', 'ff02::1:3']) client.host.stack.ip.joinGroup(ip(group))
  await run(3)
  for (const group of ['239.1.2.3', 'ff02::1:3']) client.host.stack.ip.leaveGroup(ip(group))
  const resolver = client.host.resolver({ servers: ['10.0.0.2', 'fd00::2'] })
  for (const [name, type] of [
    ['www.lan', 'A'],
    ['alias.lan', 'AAAA'],
    ['_http._tcp.lan', 'SRV'],
    ['lan', 'MX'],
    ['big.lan', 'TXT'],
    ['none.lan', 'A'],
    ['2.0.0.10.in-addr.arpa', 'PTR'],
  ] as const) {
    await lan.time.runFor(resolver.query(name, type))
  }
  for (const [to, type, nobody] of [
    ['10.0.0.2', 'udp4', '10.0.0.77'],
    ['fd00::2', 'udp6', 'fd00::77'],
  ] as const) {
    for (const payloadBytes of SIZES) await lan.time.runFor(client.host.ping(to, { payloadBytes }))
    const echo = host.createSocket(type)
    echo.on('message', (data, from) => echo.send(data, from.port, from.address))
    echo.bind(7, to)
    echo.on('listening', () => echo.setPathProbeAnswers(true))
    const socket = client.host.createSocket(type)
    socket.on('error', () => undefined)
    for (const size of SIZES) socket.send(bytes(size), 7, to)
    socket.send('x', 9, to) // nobody there: port unreachable
    await run(2)
    const searching = client.host.createSocket(type)
    searching.connect(7, to, () => searching.searchPathMtu())
    await run(2)
    await lan.time.runFor(client.host.ping(nobody, { timeoutMs: 4000 }).catch(() => 0))
  }
  const listener = await lan.time.runFor(host.listen({ port: 80 }))
  listener.on('connection', (socket) => socket.end('hello'))
  const stream = await lan.time.runFor(client.host.connect({ host: '10.0.0.2', port: 80 }))
  stream.resume().end('hi')
  await run(5)
  void dhcp.release()
  await run(5)
  expect(given.machine.counters.acks).toBeGreaterThanOrEqual(3)
  expect(named.machine.counters.malformed).toBe(0)
}

beforeAll(async () => {
  const parts: Uint8Array[] = []
  const writer = new PcapngWriter((part) => parts.push(part.slice()), { family: 'ethernet' })
  const lan = new Lan(5)
  await everything(lan, {
    onFrame: (packet, direction, at) => {
      if (direction === 'in') writer.packet(packet, direction, at)
    },
  })
  // A tagged frame, as it leaves a trunk.
  const trunk = lan.switch.port({
    tagged: [5],
    onFrame: (packet, direction, at) => direction === 'out' && writer.packet(packet, direction, at),
  })
  trunk.onReadable(() => trunk.receive(() => undefined, 100))
  lan.tap(5).send(arpFrame('request', [MINE, '10.0.0.1'], ['00:00:00:00:00:00', '10.0.0.9']))
  lan.run(1)
  writeFileSync(PCAP, Buffer.concat(parts))
}, 60_000)
afterAll(() => OUT.remove())

test('tshark finds nothing malformed, no wrong checksum and no bad fragment in anything that we say', async () => {
  const bad = [
    MALFORMED,
    ...['icmp', 'icmpv6', 'igmp', 'udp'].map((protocol) => `${protocol}.checksum.status == 0`),
    'ip.fragment.error || ipv6.fragment.error || ip.fragment.overlap || ipv6.fragment.overlap',
    '_ws.expert.severity == error',
    'dns.unsolicited || dhcp.option.type == 255 && dhcp.option.length > 0',
  ]
  expect(await tshark(PCAP, bad.join(' || '))).toEqual([])
})

test('and it has read every kind of message that we know', async () => {
  const seen = async (filter: string, field: string): Promise<string[]> =>
    [...new Set((await tshark(PCAP, filter, [field])).flatMap(([text]) => text.split(',')))].sort()
  const stacks = new Set((await seen('frame', 'frame.protocols')).join(':').split(':'))
  expect([...stacks]).toEqual(
    expect.arrayContaining(['arp', 'vlan', 'icmp', 'igmp', 'icmpv6', 'udp', 'tcp', 'dhcp', 'dns', 'data']),
  )
  expect(await seen('arp', 'arp.opcode')).toEqual(['1', '2'])
  expect(await seen('icmp', 'icmp.type')).toEqual(['0', '3', '8'])
  expect(await seen('icmpv6', 'icmpv6.type')).toEqual(['1', '128', '129', '133', '135', '136', '143'])
  expect(await seen('igmp', 'igmp.type')).toEqual(['0x22'])
  expect(await seen('dhcp', 'dhcp.option.dhcp')).toEqual(['1', '2', '3', '4', '5', '7'])
  expect(await seen('dns && tcp', 'dns.flags.response')).toEqual(expect.arrayContaining(['0', '1']))
  const types = await seen('dns', 'dns.qry.type')
  expect(types.map(Number).sort((a, b) => a - b)).toEqual([TYPE.A, TYPE.PTR, TYPE.MX, TYPE.TXT, TYPE.AAAA, TYPE.SRV])
  const whole = await seen('udp && !dhcp && !icmp && !icmpv6 && !dns', 'udp.length')
  for (const size of SIZES) expect(whole).toContain(String(size + 8))
})
