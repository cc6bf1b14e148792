// A router: what passes between its interfaces, what does not, and what the sender is told (RFC 1812, RFC 8200, RFC 4443).

import { describe, expect, test } from 'vitest'
import { parseCidr } from '../../src/ip/address.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { Packet, type PacketDevice } from '../../src/link/device.ts'
import { Network, type SimRouterOptions } from '../../src/sim/index.ts'
import { Driver, Stack } from '../../src/stack/index.ts'
import { fixHeaderChecksum, icmp, ip, type Made, make, slowChecksum } from '../ip/helpers.ts'

interface Got {
  readonly header: IpHeader
  readonly bytes: Uint8Array
}

/** Two cables with a router between them, whose far ends are ours: port 0 is 10.1.0.1 and fd01::1, port 1 is 10.2.0.1 and fd02::1. */
function lab(mtu = 1500, rest: Partial<SimRouterOptions> = {}) {
  const network = new Network({ seed: 1 })
  const cables = [network.cable({}), network.cable({ mtu })]
  const made = network.router({
    ports: cables.map(([, device], n) => ({ device, addresses: [`10.${n + 1}.0.1/24`, `fd0${n + 1}::1/64`] })),
    ...rest,
  })
  const ends = cables.map(([end]) => end)
  const got: Got[][] = [[], []]
  const take = (end: PacketDevice, n: number): void => {
    end.receive((packet) => {
      const header = new IpHeader()
      expect(parseIp(packet.bytes, packet.start, packet.end, header)).toBe('ok')
      got[n].push({ header, bytes: packet.bytes.slice(packet.start, packet.end) })
    }, 1000)
  }
  /** Sends packets into the router from the far end of a cable; what then came out at both. */
  const send = (port: number, ...packets: Packet[]): Got[][] => {
    for (const packet of packets) ends[port].send(packet)
    network.time.runSync({ until: network.time.now() + 1000 })
    for (const list of got) list.length = 0
    ends.forEach(take)
    return got
  }
  return { ...made, network, ends, send }
}

const text = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7)
const V4 = { src: '10.1.0.9', dst: '10.2.0.9' }
const V6 = { src: 'fd01::9', dst: 'fd02::9' }
const udp = (made: Made): Packet => make({ protocol: PROTOCOL.UDP, payload: text(100), ...made })

/** The family, type, code and word after it of an ICMP error, its source, and where the quoted packet began to differ, -1: nowhere. */
function errorIn({ header, bytes }: Got, about: Packet) {
  const at = header.headerBytes
  const quoted = bytes.subarray(at + 8)
  const sent = about.bytes.subarray(about.start, about.end)
  return {
    to: `${header.dst}`,
    from: `${header.src}`,
    type: bytes[at],
    code: bytes[at + 1],
    mtu: (bytes[at + 6] << 8) | bytes[at + 7],
    differsAt: quoted.findIndex((octet, i) => octet !== sent[i]),
  }
}

describe.each([V4, V6])('from $src', (way) => {
  const isV4 = way === V4
  const router = isV4 ? '10.1.0.1' : 'fd01::1'

  test('a packet that passes is counted for its family (RFC 4293 §3.2)', () => {
    const { router: r, send } = lab()
    send(0, udp(way))
    expect([r.transit.forwarded, r.transitV6.forwarded]).toEqual([1, isV4 ? 0 : 1])
  })

  test('a packet goes on with a hop less and nothing else changed (RFC 1812 §5.3.1, RFC 8200 §3)', () => {
    const { send, router } = lab()
    const packet = udp({ ...way, hopLimit: 2, trafficClass: 0x2a })
    const [back, on] = send(0, packet)
    expect([back.length, on.length]).toEqual([0, 1])
    expect([on[0].header.hopLimit, on[0].header.trafficClass]).toEqual([1, 0x2a])
    const sent = packet.bytes.slice(packet.start, packet.end)
    sent[isV4 ? 8 : 7]--
    if (isV4) on[0].bytes.copyWithin(10, 10, 12)
    const [before, after] = [sent, on[0].bytes].map((bytes) =>
      isV4 ? [...bytes.slice(0, 10), ...bytes.slice(12)] : [...bytes],
    )
    expect(after).toEqual(before)
    if (isV4) expect(slowChecksum(on[0].bytes.subarray(0, 20))).toBe(0)
    expect(router.transit).toMatchObject({ forwarded: 1, dropped: 0 })
  })

  test('one with a single hop left ends here: time exceeded (RFC 792, RFC 4443 §3.3)', () => {
    for (const hopLimit of [0, 1]) {
      const { send, router: device } = lab()
      const packet = udp({ ...way, hopLimit })
      const [back, on] = send(0, packet)
      expect(on).toEqual([])
      const code = { to: way.src, from: router, type: isV4 ? 11 : 3, code: 0, differsAt: -1 }
      expect(errorIn(back[0], packet)).toMatchObject(code)
      expect(device.transit.hopLimit).toBe(1)
    }
  })

  test('one with a single hop left that is for the router itself arrives (RFC 1812 §5.3.1)', () => {
    const { send } = lab()
    const echo = isV4 ? icmp(8, 0, '00010001', text(8)) : icmp(128, 0, '00010001', text(8), way.src, router)
    const protocol = isV4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6
    const [[reply]] = send(0, make({ src: way.src, dst: router, protocol, payload: echo, hopLimit: 1 }))
    expect([`${reply.header.src}`, reply.bytes[reply.header.headerBytes]]).toEqual([router, isV4 ? 0 : 129])
  })

  test('without a route the sender is told that there is no network (RFC 1812 §5.2.7.1, RFC 4443 §3.1)', () => {
    const { send } = lab()
    const packet = udp({ ...way, dst: isV4 ? '192.0.2.1' : '2001:db8::1' })
    const [back, on] = send(0, packet)
    expect(on).toEqual([])
    expect(errorIn(back[0], packet)).toMatchObject({ type: isV4 ? 3 : 1, code: 0, from: router, differsAt: -1 })
  })

  test('one too large for the next link is refused with its MTU (RFC 1191 §4, RFC 4443 §3.2)', () => {
    const { send } = lab(1300)
    const packet = udp({ ...way, payload: text(1290) })
    if (isV4) {
      packet.bytes[packet.start + 6] |= 0x40 // DF
      fixHeaderChecksum(packet)
    }
    const [back, on] = send(0, packet)
    expect(on).toEqual([])
    expect(errorIn(back[0], packet)).toMatchObject({ type: isV4 ? 3 : 2, code: isV4 ? 4 : 0, mtu: 1300, differsAt: -1 })
    expect(back[0].bytes.length).toBeLessThanOrEqual(isV4 ? 576 : 1280)
  })

  test('a next hop that does not answer for its link address is told (RFC 1812 §4.3.3.1, RFC 4443 §3.1)', () => {
    const { network, send, router: device, stack, driver } = lab()
    const packet = udp(way)
    expect(device.reportUnresolved(packet.clone())).toBe(true)
    driver.wake()
    network.time.runSync({ until: 10 })
    const [back] = send(0)
    expect(errorIn(back[0], packet)).toMatchObject({ type: isV4 ? 3 : 1, code: isV4 ? 1 : 3 })
    expect(device.reportUnresolved(udp({ src: router, dst: way.dst }))).toBe(false)
    expect(stack.drops.get('ip-transit-host')).toBe(1)
  })

  test('errors about errors are never made, and all together are limited in rate (RFC 1812 §4.3.2.7, §4.3.2.8)', () => {
    const { send } = lab()
    const body = new Uint8Array(48)
    const error = isV4 ? icmp(11, 0, '00000000', body) : icmp(3, 0, '00000000', body, way.src, way.dst)
    const protocol = isV4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6
    expect(send(0, make({ ...way, protocol, payload: error, hopLimit: 1 }))).toEqual([[], []])
    const [back] = send(0, ...Array.from({ length: 80 }, () => udp({ ...way, hopLimit: 1 })))
    expect(back.length).toBe(50)
  })

  test('without forwarding the host has several interfaces, and what is for others ends (RFC 1122 §3.1)', () => {
    const { send, stack } = lab(1500, { forwarding: false })
    expect(send(0, udp(way))).toEqual([[], []])
    expect(stack.drops.get('ip-not-for-us')).toBe(1)
  })
})

describe('what no router forwards', () => {
  test.each([
    ['10.1.0.9', '169.254.1.1', 'a link-local destination (RFC 3927 §2.7)'],
    ['169.254.1.1', '10.2.0.9', 'a link-local source (RFC 3927 §2.7)'],
    ['127.0.0.1', '10.2.0.9', 'a loopback source (RFC 1812 §5.3.7)'],
    ['10.1.0.9', '127.0.0.1', 'a loopback destination (RFC 1812 §5.3.7)'],
    ['0.0.0.0', '10.2.0.9', 'no source (RFC 1812 §5.3.7)'],
    ['224.0.0.1', '10.2.0.9', 'a group as source (RFC 1812 §5.3.7)'],
    ['255.255.255.255', '10.2.0.9', 'a broadcast source (RFC 1812 §5.3.7)'],
    ['10.2.0.255', '10.2.0.9', 'a broadcast source of ours'],
    ['10.2.0.1', '10.2.0.9', 'a source that is our own'],
    ['240.0.0.1', '10.2.0.9', 'class E (RFC 1812 §5.3.7)'],
    ['10.1.0.9', '240.0.0.1', 'class E (RFC 1812 §5.3.7)'],
    ['10.1.0.9', '0.1.2.3', 'this network (RFC 1812 §5.3.7)'],
    ['10.1.0.9', '255.255.255.255', 'limited broadcast (RFC 1812 §5.3.5.1)'],
    ['10.1.0.9', '10.2.0.255', 'broadcast into a network (RFC 2644)'],
    ['10.1.0.9', '239.1.1.1', 'a group'],
    ['fd01::9', 'fe80::9', 'a link-local destination (RFC 4291 §2.5.6)'],
    ['ff02::1', 'fd02::9', 'a group as source (RFC 4291 §2.7)'],
    ['::', 'fd02::9', 'no source (RFC 4291 §2.5.2)'],
    ['::1', 'fd02::9', 'loopback (RFC 4291 §2.5.3)'],
    ['fd01::9', 'ff0e::1', 'a group'],
    ['::ffff:10.1.0.9', 'fd02::9', 'a mapped address (RFC 4942 §2.2)'],
  ])('from %s to %s: %s', (src, dst) => {
    const { send, router } = lab()
    expect(send(0, udp({ src, dst }))).toEqual([[], []])
    expect(router.transit.forwarded).toBe(0)
  })

  test('what comes from a link-local address and asks for more: beyond scope of source (RFC 4443 §3.1)', () => {
    const { send, stack } = lab()
    stack.ip.addAddress({ ...parseCidr('fe80::1/64'), port: 0 })
    const packet = udp({ src: 'fe80::9', dst: 'fd02::9' })
    const [back, on] = send(0, packet)
    expect(on).toEqual([])
    expect(errorIn(back[0], packet)).toMatchObject({ type: 1, code: 2, from: 'fe80::1' })
  })

  test('a packet with a wrong header checksum (RFC 1812 §5.2.2)', () => {
    const { send } = lab()
    const packet = udp(V4)
    packet.bytes[packet.start + 10] ^= 1
    expect(send(0, packet)).toEqual([[], []])
  })

  test('a source-routed packet (RFC 7126 §4.3)', () => {
    const { send } = lab()
    expect(send(0, udp({ ...V4, extra: Uint8Array.of(131, 7, 4, 10, 2, 0, 9, 0) }))).toEqual([[], []])
  })
})

describe('pieces', () => {
  /** A stack on the far cable puts them together. */
  function arrival(pieces: Got[]) {
    const stack = new Stack({ addresses: ['10.2.0.9/24'], mtu: 1500, random: new Network({ seed: 1 }).random() })
    const socket = stack.udp.open({ families: 4, port: 0x0e15 })
    for (const { bytes } of pieces) {
      const packet = new Packet()
      packet.bytes.set(bytes, packet.start)
      packet.end = packet.start + bytes.length
      stack.handlePacket(packet, 0)
    }
    return socket.receive()?.data
  }

  test('a packet that may be is cut up where the next link takes less, and is whole again (RFC 791 §3.2, RFC 1812 §5.2.6)', () => {
    for (const mtu of [68, 576, 1006, 1499]) {
      const { send, router } = lab(1500)
      Object.defineProperty(router.ports[1], 'mtu', { value: mtu })
      const payload = text(1480)
      payload.set([1, 2, 0x0e, 0x15, 1480 >> 8, 1480 & 255, 0, 0])
      const [, on] = send(0, make({ ...V4, protocol: PROTOCOL.UDP, payload }))
      for (const { bytes, header } of on) {
        expect(bytes.length).toBeLessThanOrEqual(mtu)
        expect([header.hopLimit, slowChecksum(bytes.subarray(0, 20))]).toEqual([63, 0])
      }
      expect(arrival(on)).toEqual(payload.slice(8))
      expect(router.transit).toMatchObject({ forwarded: 1, fragmented: 1, pieces: on.length })
    }
  })

  test('a piece is cut up again, its offset and its flag kept; options go along that have to (RFC 791 §3.1, §3.2)', () => {
    const { send, router } = lab(1500)
    Object.defineProperty(router.ports[1], 'mtu', { value: 128 })
    // Router alert (copied), and record route (not copied).
    const extra = Uint8Array.of(148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0)
    const [, on] = send(0, udp({ ...V4, payload: text(200), extra, fragmentOffset: 800, moreFragments: true }))
    expect(
      on.map(({ header }) => [header.headerBytes, header.fragmentOffset, header.moreFragments, header.totalBytes]),
    ).toEqual([
      [32, 800, true, 128],
      [24, 896, true, 128],
    ])
    expect([...on[1].bytes.subarray(20, 24)]).toEqual([148, 4, 0, 0])
  })
})

test('hosts on several cables talk through one router, in virtual time (RFC 1812 §2.2.3)', () => {
  const network = new Network({ seed: 7 })
  const cables = [1, 2, 3].map(() => network.cable({ delayUs: 5000 }))
  const { router } = network.router({
    ports: cables.map(([, device], n) => ({ device, addresses: [`10.${n}.0.1/24`] })),
  })
  const stacks = cables.map(([device], n) => {
    const stack = new Stack({ addresses: [`10.${n}.0.2/24`], mtu: 1500, random: network.random() })
    const driver = new Driver({ stack, device, scheduler: network.time, onEvent: () => undefined })
    return { stack, driver }
  })
  const listener = stacks[2].stack.listen({ port: 80 })
  const clients = [0, 1].map((n) => {
    const connection = stacks[n].stack.connect({ remote: ip('10.2.0.2'), remotePort: 80 }, 0)
    stacks[n].driver.wake()
    return connection
  })
  network.time.runSync({ until: 1e6 })
  expect(clients.map(({ state }) => state)).toEqual(['ESTABLISHED', 'ESTABLISHED'])
  clients[0].write(text(10_000))
  stacks[0].driver.wake()
  network.time.runSync({ until: 5e6 })
  const [a, b] = [listener.accept(), listener.accept()]
  const from = [a, b].find((one) => `${one?.tcb.remote}` === '10.0.0.2')
  expect(from?.read()).toEqual(text(10_000))
  expect(router.transit.forwarded).toBeGreaterThan(10)
})

test('the path MTU of a smaller link behind the router is found by both families (RFC 1191 §3, RFC 8201 §3)', () => {
  for (const [here, there] of [
    ['10.1.0.9/24', '10.2.0.9/24'],
    ['fd01::9/64', 'fd02::9/64'],
  ]) {
    const network = new Network({ seed: 7 })
    const cables = [network.cable({ delayUs: 5000 }), network.cable({ delayUs: 5000, mtu: 1280 })]
    network.router({
      ports: cables.map(([, device], n) => ({ device, addresses: [`10.${n + 1}.0.1/24`, `fd0${n + 1}::1/64`] })),
    })
    const [a, b] = [here, there].map((address, n) => {
      const stack = new Stack({ addresses: [address], mtu: 1500, random: network.random() })
      const driver = new Driver({ stack, device: cables[n][0], scheduler: network.time, onEvent: () => undefined })
      return { stack, driver }
    })
    const listener = b.stack.listen({ port: 80 })
    const connection = a.stack.connect({ remote: ip(there.split('/')[0]), remotePort: 80 }, 0)
    connection.write(text(30_000))
    a.driver.wake()
    network.time.runSync({ until: 30e6 })
    expect(listener.accept()?.read()).toEqual(text(30_000))
    expect(connection.info().tcpi_pmtu).toBe(1280)
  }
})
