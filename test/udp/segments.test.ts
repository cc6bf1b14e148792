// Many datagrams of one length in one packet, where the device takes it: sent, taken apart, and on the wire as if each had been sent alone.

import { describe, expect, test } from 'vitest'
import { get16 } from '../../src/base/bytes.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { verifyTransportChecksum } from '../../src/link/checksum-offload.ts'
import { NO_OFFLOAD, type Offload, Packet } from '../../src/link/device.ts'
import { splitSuperSegment } from '../../src/link/segmentation.ts'
import { readVnetHeader, VNET_HEADER_BYTES, writeVnetHeader } from '../../src/link/vnet-header.ts'
import { Stack } from '../../src/stack/index.ts'
import { ip } from '../ip/helpers.ts'

const SUPER: Offload = { checksum: true, superSegmentBytes: 65535, superDatagramBytes: 65535 }
const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7) & 255)

function world(offload: Offload) {
  const [a, b] = [1, 2].map(
    (n) =>
      new Stack({ addresses: [`10.0.0.${n}/24`, `fd00::${n}/64`], mtu: 1500, random: new SeededRandom(n), offload }),
  )
  const client = a.udp.open({ families: 'both' })
  const server = b.udp.open({ families: 'both', port: 53 })
  const sent = () => {
    const all: Packet[] = []
    for (const packet = new Packet(); a.pollTransmit(packet, 0); ) all.push(packet.clone())
    return all
  }
  const received = () => {
    const all: Uint8Array[] = []
    for (let next = server.receive(); next !== null; next = server.receive()) all.push(next.data)
    return all
  }
  return { a, b, client, server, sent, received }
}

describe.each([
  [4, '10.0.0.2', 20],
  [6, 'fd00::2', 40],
] as const)('IPv%i', (family, there, header) => {
  test('one packet carries them all, and whoever gets it hands each to its socket', () => {
    const { b, client, sent, received } = world(SUPER)
    client.segmentBytes = 1000
    expect(client.send(bytes(2500), ip(there), 53)).toBe(null)
    const [packet, ...rest] = sent()
    expect(rest).toEqual([])
    expect([packet.checksum, packet.segmentBytes, packet.length]).toEqual(['partial', 1000, header + 8 + 2500])
    b.handlePacket(packet, 0)
    expect(received()).toEqual([bytes(2500).slice(0, 1000), bytes(2500).slice(1000, 2000), bytes(2500).slice(2000)])
    expect(b.udp.counters.UdpInDatagrams).toBe(3)
  })

  test('taken apart on its way each is a datagram of its own, with its own lengths and checksum (RFC 768)', () => {
    const { a, b, client, sent, received } = world(SUPER)
    client.segmentBytes = 999
    client.send(bytes(2500), ip(there), 53)
    expect(a.udp.counters.UdpOutDatagrams).toBe(3)
    const pieces: Packet[] = []
    expect(splitSuperSegment(sent()[0], new Packet(new Uint8Array(64)), (piece) => pieces.push(piece.clone()))).toBe(3)
    expect(pieces.map((piece) => get16(piece.bytes, piece.start + header + 4))).toEqual([1007, 1007, 510])
    for (const piece of pieces) {
      expect(piece.checksum).toBe('complete')
      expect(verifyTransportChecksum(piece, header)).toBe(true)
      b.handlePacket(piece, 0)
    }
    expect(Buffer.concat(received())).toEqual(Buffer.from(bytes(2500)))
  })

  test('a device without them gets each datagram by itself, the same on the wire', () => {
    const { b, client, sent, received } = world(NO_OFFLOAD)
    client.segmentBytes = 1000
    client.send(bytes(2500), ip(there), 53)
    const packets = sent()
    expect(packets.map(({ length, checksum }) => [length - header - 8, checksum])).toEqual([
      [1000, 'complete'],
      [1000, 'complete'],
      [500, 'complete'],
    ])
    for (const packet of packets) b.handlePacket(packet, 0)
    expect(received().length).toBe(3)
  })

  test('where each is too long for the path, each goes in fragments (RFC 8085 §3.2)', () => {
    const { b, client, sent, received } = world(SUPER)
    client.segmentBytes = 2000
    client.send(bytes(4000), ip(there), 53)
    const packets = sent()
    expect(packets.every(({ length, segmentBytes }) => length <= 1500 && segmentBytes === 0)).toBe(true)
    for (const packet of packets) b.handlePacket(packet, 0)
    expect(received().map(({ length }) => length)).toEqual([2000, 2000])
  })

  test('to this host itself it is taken apart too', () => {
    const { b, client, received, server } = world(SUPER)
    client.close()
    const own = b.udp.open({ families: 'both' })
    own.segmentBytes = 600
    own.send(bytes(1200), ip(there), 53)
    expect(b.pollTransmit(new Packet(), 0)).toBe(false)
    expect([received().length, server.dropped]).toEqual([2, 0])
  })

  test('a full receive buffer drops those that find no room, by reason; nobody there is told once (RFC 1122 §4.1.3.1)', () => {
    const { b, client, server, sent, received } = world(SUPER)
    server.receiveBufferBytes = 1300
    client.segmentBytes = 1000
    client.send(bytes(3000), ip(there), 53)
    b.handlePacket(sent()[0], 0)
    expect([received().length, b.drops.get('udp-buffer-full'), b.udp.counters.UdpRcvbufErrors]).toEqual([1, 2, 2])
    client.send(bytes(3000), ip(there), 54)
    b.handlePacket(sent()[0], 0)
    expect([b.udp.counters.UdpNoPorts, b.ip.counters.errorsSent]).toEqual([3, 1])
  })

  test('the virtio header of a super-datagram is read as it was written (virtio 1.2 §5.1.6.2)', () => {
    const { client, sent } = world(SUPER)
    client.segmentBytes = 1000
    client.send(bytes(2500), ip(there), 53)
    const [packet] = sent()
    const at = packet.start - VNET_HEADER_BYTES
    expect(writeVnetHeader(packet, packet.bytes, at)).toBe(true)
    expect([...packet.bytes.slice(at, packet.start)]).toEqual([1, 5, header + 8, 0, 0xe8, 3, header, 0, 6, 0])
    const out = new Packet(packet.bytes)
    out.start = packet.start
    out.end = packet.end
    expect(readVnetHeader(packet.bytes, at, out)).toBe('ok')
    expect([out.checksum, out.segmentBytes, out.transportOffset, out.payloadOffset]).toEqual([
      'partial',
      1000,
      header,
      header + 8,
    ])
    packet.bytes[packet.start + (family === 4 ? 9 : 6)] = 6 // TCP under a header of UDP's
    expect(readVnetHeader(packet.bytes, at, out)).toBe('vnet-bad-header')
  })
})

test('where routers may cut packets up there is none of them: their numbers would be others’ (RFC 6864 §4.1)', () => {
  const { client, sent } = world(SUPER)
  client.segmentBytes = 1000
  client.pathMtuDiscovery = 'dont'
  client.send(bytes(3000), ip('10.0.0.2'), 53)
  const numbers = sent().map((packet) => get16(packet.bytes, packet.start + 4))
  expect(new Set(numbers).size).toBe(3)
})

test('one send makes at most 128 datagrams, as Linux’s; what fits one is as ever', () => {
  const { client, sent } = world(SUPER)
  client.segmentBytes = 10
  expect(client.send(bytes(1281), ip('10.0.0.2'), 53)?.code).toBe('EINVAL')
  expect(client.send(bytes(1280), ip('10.0.0.2'), 53)).toBe(null)
  expect(client.send(bytes(10), ip('10.0.0.2'), 53)).toBe(null)
  expect(client.send(bytes(0), ip('10.0.0.2'), 53)).toBe(null)
  expect(sent().map(({ segmentBytes, length }) => [segmentBytes, length])).toEqual([
    [10, 1308],
    [0, 38],
    [0, 28],
  ])
})
