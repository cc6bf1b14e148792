// What a host makes of neighbours that it sends by: TCP's word that they are there, gateways that die, what routers say of the link.

import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { Packet } from '../../src/link/device.ts'
import { arpFrame, ip, Lan, mac, neighbours } from './helpers.ts'
import { advertise, EVIL, PEER, router, scene } from './nd-helpers.ts'

describe.each([
  ['10.0.0.1', '10.0.0.2', 'ARP, Request who-has 10.0.0.2'],
  ['fd00::1', 'fd00::2', ' NS fd00::2'],
])('a neighbour, from %s', (here, there, question) => {
  /** A byte every ten seconds for five minutes; the questions about the neighbour meanwhile. */
  async function chat(send: (lan: Lan) => Promise<() => void>): Promise<number> {
    const lan = new Lan()
    const write = await send(lan)
    lan.run(1)
    lan.seen.length = 0
    for (let i = 0; i < 30; i++) {
      write()
      lan.run(10)
    }
    return lan.seen.filter(({ text }) => text.includes(question) && text.startsWith('02:00:00:00:00:01')).length
  }

  test('by which a connection makes progress is not asked whether it is there (RFC 4861 §7.3.1)', async () => {
    const asked = await chat(async (lan) => {
      const [a, b] = [here, there].map((address) => lan.station([`${address}/24`]).host)
      lan.run(5)
      const server = await lan.time.runFor(b.listen({ port: 7 }))
      server.on('connection', (socket) => socket.resume())
      const socket = await lan.time.runFor(a.connect({ host: there, port: 7 }))
      return () => socket.write('x')
    })
    expect(asked).toBe(0)
  })

  test('that datagrams go to is asked: nobody says that they arrive', async () => {
    const asked = await chat(async (lan) => {
      const [a, b] = [here, there].map((address) => lan.station([`${address}/24`]).host)
      const type = here.includes(':') ? 'udp6' : 'udp4'
      const server = b.createSocket(type)
      server.bind(7)
      const socket = a.createSocket(type)
      lan.run(5)
      return () => socket.send('x', 7, there)
    })
    expect(asked).toBeGreaterThan(3)
  })
})

test('a connection whose peer has fallen silent says nothing of its neighbour: that is asked, and found gone (RFC 4861 §7.3.3)', async () => {
  const lan = new Lan()
  const a = lan.station(['10.0.0.1/24'], { ipv6: false })
  const b = lan.station(['10.0.0.2/24'], { ipv6: false })
  const server = await lan.time.runFor(b.host.listen({ port: 7 }))
  const [socket, [accepted]] = await lan.time.runFor(
    Promise.all([a.host.connect({ host: '10.0.0.2', port: 7 }), once(server, 'connection')]),
  )
  lan.run(20)
  accepted.on('error', () => undefined)
  b.ethernet.close()
  socket.on('error', () => undefined)
  for (let i = 0; i < 70; i++) {
    socket.write('x')
    lan.run(1)
  }
  expect(neighbours(a)).toEqual(['10.0.0.2 lladdr 02:00:00:00:00:02 FAILED'])
})

describe('of two gateways', () => {
  test('IPv4: the one that does not answer is passed by until it does again (RFC 1122 §3.3.1.4)', () => {
    const lan = new Lan()
    const { host } = lan.station(['10.0.0.1/24'], { ipv6: false })
    const peer = lan.tap()
    lan.run(5)
    peer.heard.length = 0
    for (const via of ['10.0.0.8', '10.0.0.9']) host.addRoute({ to: 'default', via })
    const answers = new Map([['10.0.0.9', PEER]])
    const questions: string[] = []
    const send = (): void => {
      const socket = host.createSocket('udp4')
      socket.on('error', () => undefined)
      socket.send('x', 7, '192.0.2.1', () => socket.close())
      for (let i = 0; i < 40; i++) {
        lan.run(0.1)
        for (const text of peer.heard.splice(0)) {
          const asked = /who-has (\S+)/.exec(text)?.[1]
          if (asked === undefined) questions.push(text.split(' ')[2])
          else questions.push(asked)
          const who = asked === undefined ? undefined : answers.get(asked)
          if (asked !== undefined && who !== undefined)
            peer.send(arpFrame('reply', [who, asked], ['02:00:00:00:00:01', '10.0.0.1'], '02:00:00:00:00:01'))
        }
      }
    }
    send()
    expect(questions.splice(0)).toEqual(['10.0.0.8', '10.0.0.8', '10.0.0.8'])
    send()
    expect(questions.splice(0)).toEqual(['10.0.0.9', PEER])
    answers.set('10.0.0.8', EVIL)
    for (let i = 0; i < 20; i++) send() // the dead one is looked for once a minute, and found
    expect(questions.filter((text) => text === '10.0.0.8')).toHaveLength(1)
    expect(questions.at(-1)).toBe(EVIL)
  })

  test('IPv6: the default router that does not answer is passed by (RFC 4861 §6.3.6)', () => {
    const { lan, station, peer, datagram } = scene({ slaac: true }, [])
    peer.send(router({}, [{}], 'fe80::98'), router({ sourceMac: mac(EVIL) }, [{}], 'fe80::99'))
    lan.run(3)
    const next = (): string => String(station.host.stack.ip.nextHop(ip('2001:db8:ffff::1')))
    expect(next()).toBe('fe80::98')
    datagram('2001:db8:ffff::1')
    lan.run(9) // DELAY, then three probes without an answer
    expect(next()).toBe('fe80::99')
    lan.run(70)
    peer.send(advertise({ target: 'fe80::98', flags: 'RSO', to: ['02:00:00:00:00:01', 'fe80::ff:fe00:1'] }))
    expect(next()).toBe('fe80::98')
    peer.send(router({ lifetimeS: 0 }, [], 'fe80::98'))
    expect(next()).toBe('fe80::99')
  })
})

describe('what a router says of the link', () => {
  /** The first packet that a station sends to an address beyond its router. */
  function first(fields: Parameters<typeof router>[0], options = { slaac: true }) {
    const { lan, station, peer } = scene(options, ['fd00::1/64'])
    peer.send(router(fields))
    lan.run(3)
    const { stack } = station.host
    stack.connect({ remote: ip('fd00::7'), remotePort: 80 }, lan.time.now())
    const packet = new Packet()
    const header = new IpHeader()
    stack.pollTransmit(packet, lan.time.now())
    parseIp(packet.bytes, packet.start, packet.end, header)
    const at = packet.start + 40 + 20 // the first option of a SYN is MSS
    return { stack, hopLimit: header.hopLimit, mss: packet.bytes[at + 2] * 256 + packet.bytes[at + 3] }
  }

  test('its MTU and its hop limit are used, over IPv6 alone (RFC 4861 §6.3.4)', () => {
    const { stack, hopLimit, mss } = first({ mtu: 1400, hopLimit: 17 })
    expect([hopLimit, mss, stack.ip.pathMtu(ip('fd00::7')), stack.ip.pathMtu(ip('10.0.0.7'))]).toEqual([
      17, 1340, 1400, 1500,
    ])
  })

  test.each([0, 1279, 1501])('an MTU of %i is passed over (RFC 4861 §6.3.4, RFC 8200 §5)', (mtu) => {
    expect(first({ mtu, hopLimit: 0 })).toMatchObject({ hopLimit: 64, mss: 1440 })
  })

  test('a host that does not believe routers uses neither', () => {
    expect(first({ mtu: 1400, hopLimit: 17 }, { slaac: false })).toMatchObject({ hopLimit: 64, mss: 1440 })
  })
})

test('ICMPv6 messages of every kind are counted by type, those of neighbours and groups too (RFC 4293 §3.2)', () => {
  const { lan, station, peer, datagram } = scene({ slaac: true })
  peer.send(router({ mtu: 1400 }), router({}, [{}], 'fe80::99', 254))
  datagram()
  peer.send(advertise({ target: 'fd00::9' }))
  lan.run(5)
  expect(station.host.stack.ip.icmp.toJSON()).toMatchObject({
    Icmp6InMsgs: 3,
    Icmp6InErrors: 1,
    Icmp6InRouterAdvertisements: 2,
    Icmp6InNeighborAdvertisements: 1,
    Icmp6OutRouterSolicits: 3,
    Icmp6OutNeighborSolicits: expect.any(Number),
    Icmp6OutMLDv2Reports: expect.any(Number),
    Icmp6OutType133: 3,
    IcmpInMsgs: 0,
  })
})
