// UDP of a host: whose a datagram is, what is told of one that is nobody's, what may be sent, limits.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/index.ts'
import { UDP_EVENT, type UdpFamilies } from '../../src/udp/index.ts'
import { icmp, ip, make } from '../ip/helpers.ts'

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 3) & 255)

function hosts(mtu = 1500) {
  const [a, b] = [1, 2].map(
    (n) => new Stack({ addresses: [`10.0.0.${n}/24`, `fd00::${n}/64`], mtu, random: new SeededRandom(n) }),
  )
  const packet = new Packet()
  const carry = () => {
    for (let moved = true; moved; ) {
      moved = false
      for (const [from, to] of [
        [a, b],
        [b, a],
      ]) {
        while (from.pollTransmit(packet, 0)) {
          expect(packet.length).toBeLessThanOrEqual(mtu)
          moved = true
          to.handlePacket(packet, 0)
        }
      }
    }
  }
  const open = (stack: Stack, port = 0, families: UdpFamilies = 'both', local: string | null = null) =>
    stack.udp.open({ families, port, local: local === null ? null : ip(local) })
  return { a, b, carry, open }
}

describe.each([
  [4, '10.0.0.1', '10.0.0.2', 65507],
  [6, 'fd00::1', 'fd00::2', 65527],
] as const)('IPv%i', (family, here, there, most) => {
  test('a datagram of any size arrives as it was sent, in fragments when it has to (RFC 768, RFC 1122 §4.1.1)', () => {
    for (const size of [0, 1, 1452, 1453, 1472, 1473, 9000, most]) {
      const { a, b, carry, open } = hosts()
      const socket = open(b, 53)
      const client = open(a)
      expect(client.send(bytes(size), ip(there), 53)).toBe(null)
      carry()
      const got = socket.receive()
      expect(got?.data.length).toBe(size)
      expect(Buffer.compare(got?.data ?? bytes(1), bytes(size))).toBe(0)
      expect([`${got?.source}`, got?.sourcePort, `${got?.destination}`]).toEqual([here, client.port, there])
    }
  })

  test('one byte more than a datagram holds is EMSGSIZE', () => {
    const { a, open } = hosts()
    expect(open(a).send(bytes(most + 1), ip(there), 53)?.code).toBe('EMSGSIZE')
  })

  test('nobody there: port unreachable, which a connected socket is told and others are not (RFC 1122 §4.1.3.1, §4.1.3.3)', () => {
    for (const size of [1, 5000]) {
      const { a, b, carry, open } = hosts()
      const [connected, free] = [open(a), open(a)]
      connected.connect(ip(there), 53)
      expect(connected.send(bytes(size), ip(there), 53)).toBe(null)
      expect(free.send(bytes(size), ip(there), 53)).toBe(null)
      carry()
      expect([b.udp.counters.UdpNoPorts, b.ip.counters.errorsSent]).toEqual([2, 2])
      expect(a.pollEvent()).toBe(connected)
      expect(a.pollEvent()).toBe(null)
      expect(connected.takeEvents()).toBe(UDP_EVENT.error)
      expect(connected.send(bytes(1), ip(there), 53)?.code).toBe('ECONNREFUSED')
      expect(connected.send(bytes(1), ip(there), 53)).toBe(null)
    }
  })

  test('a connected socket comes before one bound to the address, that before one bound to none (RFC 1122 §4.1.3.5)', () => {
    const { a, b, carry } = hosts()
    const open = (local: string | null) =>
      b.udp.open({ families: family, port: 53, reuseAddress: true, local: local === null ? null : ip(local) })
    const [any, own, connected] = [open(null), open(there), open(null)]
    const client = a.udp.open({ families: family })
    connected.connect(ip(here), client.port)
    const count = () => [any.waiting, own.waiting, connected.waiting]
    client.send(bytes(1), ip(there), 53)
    carry()
    expect(count()).toEqual([0, 0, 1])
    a.udp.open({ families: family }).send(bytes(1), ip(there), 53)
    carry()
    expect(count()).toEqual([0, 1, 1])
    own.close()
    a.udp.open({ families: family }).send(bytes(1), ip(there), 53)
    carry()
    expect(count()).toEqual([1, 0, 1])
  })

  test('a host sends to itself and to loopback without a device, and is refused there too', () => {
    const { a, open } = hosts()
    const socket = open(a, 53)
    for (const address of [here, family === 4 ? '127.0.0.1' : '::1']) {
      const client = open(a)
      client.connect(ip(address), 53)
      client.send(bytes(most), ip(address), 53)
      expect(a.pollTransmit(new Packet(), 0)).toBe(false)
      expect(socket.receive()?.data.length).toBe(most)
      client.connect(ip(address), 54)
      client.send(bytes(1), ip(address), 54)
      expect(a.pollTransmit(new Packet(), 0)).toBe(false)
      expect(client.takeError()).toBe('ECONNREFUSED')
    }
  })
})

test('the receive buffer is bounded: what finds it full is dropped and counted, and room is there again once it is read', () => {
  const { a, b, carry } = hosts()
  const socket = b.udp.open({ families: 4, port: 53, receiveBufferBytes: 3000 })
  const client = a.udp.open({ families: 4 })
  for (let i = 0; i < 5; i++) client.send(bytes(1000), ip('10.0.0.2'), 53)
  carry()
  expect([socket.waiting, socket.dropped, b.udp.counters.UdpRcvbufErrors]).toEqual([2, 3, 3])
  expect(b.drops.get('udp-buffer-full')).toBe(3)
  expect(b.ip.counters.errorsSent).toBe(0)
  socket.receive()
  client.send(bytes(1000), ip('10.0.0.2'), 53)
  carry()
  expect(socket.waiting).toBe(2)
})

test('a flood of empty datagrams fills the receive buffer too', () => {
  const { a, b, carry } = hosts()
  const socket = b.udp.open({ families: 4, port: 53, receiveBufferBytes: 1280 })
  const client = a.udp.open({ families: 4 })
  for (let i = 0; i < 50; i++) client.send(bytes(0), ip('10.0.0.2'), 53)
  carry()
  expect(socket.waiting).toBe(10)
})

test('broadcasts need leave, reach everyone bound to the port, and are never answered with errors (RFC 1122 §3.2.2)', () => {
  const { a, b, carry, open } = hosts()
  const client = open(a, 0, 4)
  expect(client.send(bytes(1), ip('10.0.0.255'), 53)?.code).toBe('EACCES')
  client.mayBroadcast = true
  const sockets = [0, 1].map(() => b.udp.open({ families: 4, port: 53, reuseAddress: true }))
  for (const address of ['10.0.0.255', '255.255.255.255']) {
    expect(client.send(bytes(1), ip(address), 53)).toBe(null)
    expect(client.send(bytes(1), ip(address), 54)).toBe(null)
  }
  carry()
  expect(sockets.map((s) => s.waiting)).toEqual([2, 2])
  expect([b.ip.counters.errorsSent, b.drops.get('udp-no-listener')]).toEqual([0, 2])
})

test('ports: one socket an address, several with reuseAddress, any free one is of the ephemeral range (RFC 6056 §3.3.1)', () => {
  const { a, open } = hosts()
  const first = open(a, 53, 4, '10.0.0.1')
  expect(() => open(a, 53, 4)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
  expect(open(a, 53, 4, '127.0.0.1').port).toBe(53)
  expect(open(a, 53, 6).port).toBe(53)
  first.close()
  first.close()
  expect(open(a, 53, 4, '10.0.0.1').port).toBe(53)
  const ports = Array.from({ length: 50 }, () => open(a).port)
  expect(new Set(ports).size).toBe(50)
  for (const port of ports) expect(port).toBeGreaterThanOrEqual(32768)
  expect(() => open(a, 1, 4, '10.9.9.9')).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }))
  expect(() => open(a, 1, 4, 'fd00::1')).toThrow(expect.objectContaining({ code: 'EAFNOSUPPORT' }))
  expect(() => open(a, 70000)).toThrow(RangeError)
})

test('a socket of one family takes nothing of the other', () => {
  const { a, b, carry, open } = hosts()
  const four = open(b, 53, 4)
  const client = open(a)
  client.send(bytes(1), ip('fd00::2'), 53)
  carry()
  expect([four.waiting, b.udp.counters.UdpNoPorts]).toEqual([0, 1])
  expect(four.send(bytes(1), ip('fd00::1'), 53)?.code).toBe('EAFNOSUPPORT')
})

test('a datagram with a bad checksum is dropped and nobody is told (RFC 1122 §4.1.3.4)', () => {
  const { a, b, open } = hosts()
  const client = open(a)
  client.send(bytes(3), ip('10.0.0.2'), 53)
  const packet = new Packet()
  a.pollTransmit(packet, 0)
  packet.bytes[packet.end - 1] ^= 1
  b.handlePacket(packet, 0)
  expect(b.pollTransmit(packet, 0)).toBe(false)
  expect(b.udp.counters).toMatchObject({ UdpInErrors: 1, UdpInCsumErrors: 1, UdpNoPorts: 0 })
})

test('a loopback source does not leave the host (RFC 1122 §3.2.1.3(g))', () => {
  const { a, open } = hosts()
  expect(open(a, 0, 4, '127.0.0.1').send(bytes(1), ip('10.0.0.2'), 53)?.code).toBe('EINVAL')
})

test('datagrams wait within bounds, and fragments of one identification do not mix with the next (RFC 6864 §4.3)', () => {
  const { a, b, carry, open } = hosts()
  const socket = open(b, 53)
  socket.receiveBufferBytes = 1 << 24
  const client = open(a)
  let sent = 0
  while (client.send(bytes(65507), ip('10.0.0.2'), 53) === null) sent++
  expect([sent, a.udp.counters.UdpSndbufErrors]).toEqual([128, 1])
  carry()
  expect(socket.waiting).toBe(128)
  expect(b.ip.counters.reassembled).toBe(128)
})

test('IPv6: a router that takes less is told of once, later datagrams go in fragments of that size (RFC 8201 §4, RFC 8200 §4.5)', () => {
  const { a, b, carry, open } = hosts()
  const socket = open(b, 53)
  const client = open(a)
  client.connect(ip('fd00::2'), 53)
  for (const [size, mtu, expected] of [
    [1400, 1300, [1296, 208]],
    [5000, 68, [1280, 1280, 1280, 1280, 128]], // less than any link of IPv6 may have
  ] as const) {
    client.send(bytes(size), ip('fd00::2'), 53)
    const first = new Packet()
    a.pollTransmit(first, 0)
    while (a.pollTransmit(new Packet(), 0));
    const quoted = first.bytes.slice(first.start, first.start + 200)
    const payload = icmp(2, 0, mtu.toString(16).padStart(8, '0'), quoted, 'fd00::9', 'fd00::1')
    a.handlePacket(make({ src: 'fd00::9', dst: 'fd00::1', protocol: 58, payload }), 0)
    expect(client.takeError()).toBe('EMSGSIZE') // connected: as in Linux
    client.send(bytes(size), ip('fd00::2'), 53)
    const sizes: number[] = []
    for (const packet = new Packet(); a.pollTransmit(packet, 0); b.handlePacket(packet, 0)) sizes.push(packet.length)
    expect(sizes).toEqual(expected)
  }
  carry()
  expect([socket.receive()?.data.length, socket.receive()?.data.length]).toEqual([1400, 5000])
})
