import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { parseCidr } from '../../src/ip/address.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { Packet } from '../../src/link/device.ts'
import { fixHeaderChecksum, host, ip, make, slowChecksum } from './helpers.ts'

describe('what is received', () => {
  test('a packet to an own address is delivered, padding cut off', () => {
    const { layer, header } = host()
    const packet = make({ payload: new Uint8Array(12) })
    packet.bytes[packet.start + 3] = 30
    fixHeaderChecksum(packet)
    expect(layer.receive(packet, header)).toBe('ok')
    expect([packet.length, header.toUnicast, header.headerBytes]).toEqual([30, true, 20])
    expect(layer.counters).toMatchObject({ received: 1, delivered: 1 })
    expect(layer.receive(make({ dst: 'fd00::2' }), header)).toBe('ok')
    expect(header.toUnicast).toBe(true)
  })

  test.each(['10.0.0.3', '10.0.0.0', '0.0.0.0', '192.0.2.1', 'fd00::3', '::1', '::', '127.0.0.1'])(
    'a packet to %s is not for us (RFC 1122 §3.2.1.3)',
    (dst) => {
      const { layer, header } = host()
      expect(layer.receive(make({ dst }), header)).toBe('ip-not-for-us')
      expect(layer.drops.toJSON()).toEqual({ 'ip-not-for-us': 1 })
    },
  )

  test.each(['255.255.255.255', '10.0.0.255', '224.0.0.1', 'ff02::1'])(
    'a packet to %s is delivered, marked as not unicast (RFC 9293 §3.9.2.3 [MUST-57])',
    (dst) => {
      const { layer, header } = host()
      expect(layer.receive(make({ dst }), header)).toBe('ok')
      expect(header.toUnicast).toBe(false)
    },
  )

  test.each([
    ['0.0.0.0', 'this host'],
    ['0.1.2.3', 'this network'],
    ['127.0.0.1', 'loopback'],
    ['224.0.0.1', 'multicast'],
    ['239.1.1.1', 'multicast'],
    ['255.255.255.255', 'limited broadcast'],
    ['10.0.0.255', 'broadcast of the own network'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['ff02::1', 'multicast'],
  ])('a packet from %s (%s) is dropped (RFC 1122 §3.2.1.3)', (src) => {
    const { layer, header } = host()
    const dst = src.includes(':') ? 'fd00::2' : '10.0.0.2'
    expect(layer.receive(make({ src, dst }), header)).toBe('ip-martian-source')
    expect(layer.drops.get('ip-martian-source')).toBe(1)
  })

  test('mapped IPv4 addresses in an IPv6 header never pass for real ones (RFC 4942 §2.2)', () => {
    const { layer, header } = host()
    expect(layer.receive(make({ src: '::ffff:10.0.0.1', dst: 'fd00::2' }), header)).toBe('ip-martian-source')
    expect(layer.receive(make({ src: 'fd00::1', dst: '::ffff:10.0.0.2' }), header)).toBe('ip-not-for-us')
    expect(layer.receive(make({ src: '::ffff:10.0.0.1', dst: '::ffff:10.0.0.2' }), header)).toBe('ip-not-for-us')
  })

  test('a neighbour without an address is ignored, not called a martian (RFC 4862 §5.4.2)', () => {
    const { layer, header } = host()
    const packet = make({ src: '::', dst: 'ff02::16', protocol: PROTOCOL.ICMPV6, payload: new Uint8Array(24) })
    expect(layer.receive(packet, header)).toBe('icmp-ignored')
  })

  test('random bytes are always a verdict, and drops and deliveries add up', () => {
    const { layer, take } = host()
    const anyPacket = fc.uint8Array({ maxLength: 120 }).map((bytes) => {
      const packet = new Packet(new Uint8Array(32 + bytes.length))
      packet.bytes.set(bytes, 32)
      packet.end = 32 + bytes.length
      return packet
    })
    // Half of them with a good header of ours and random contents, to get further up.
    const kinds = fc.constantFrom(0, 1, 6, 43, 44, 58, 60)
    const anyBody = fc.tuple(fc.constantFrom('10.0.0.2', 'fd00::2'), kinds, fc.uint8Array({ maxLength: 100 }))
    const anyOurs = anyBody.map(([dst, protocol, payload]) => {
      const packet = make({ dst, protocol, payload })
      packet.checksum = 'verified'
      return packet
    })
    fc.assert(
      fc.property(fc.oneof(anyPacket, anyOurs), (packet) => {
        expect(typeof take(packet)).toBe('string')
      }),
      { numRuns: 1000 },
    )
    expect(layer.counters.received).toBeGreaterThanOrEqual(1000)
  })
})

describe('which address packets come from', () => {
  test('that of the same family on the network of the destination (RFC 1122 §3.3.4.3)', () => {
    const { layer } = host({ addresses: ['10.0.0.2/24', '192.168.1.2/24', 'fd00::2/64'].map(parseCidr) })
    expect(`${layer.sourceFor(ip('192.168.1.9'))}`).toBe('192.168.1.2')
    expect(`${layer.sourceFor(ip('10.0.0.9'))}`).toBe('10.0.0.2')
    expect(`${layer.sourceFor(ip('192.168.2.1'))}`).toBe('192.168.1.2') // longest common prefix
    expect(`${layer.sourceFor(ip('2001:db8::1'))}`).toBe('fd00::2')
    expect(`${layer.sourceFor(ip('192.168.1.2'))}`).toBe('192.168.1.2') // our own
    expect(layer.sourceFor(ip('0.0.0.0'))).toBeNull()
    expect([layer.headerBytes(ip('10.0.0.9')), layer.headerBytes(ip('fd00::9'))]).toEqual([20, 40])
  })

  test('one of the same scope, if there is one (RFC 6724 §5 rule 2)', () => {
    const { layer } = host({ addresses: ['fe80::2/64', 'fd00::2/64'].map(parseCidr) })
    expect(`${layer.sourceFor(ip('2001:db8::1'))}`).toBe('fd00::2')
    expect(`${layer.sourceFor(ip('fe80::1'))}`).toBe('fe80::2')
    expect(`${layer.sourceFor(ip('fe80:0:0:1::1'))}`).toBe('fe80::2')
  })

  test('none without a route or without an address of the family', () => {
    const { layer } = host({ addresses: [parseCidr('10.0.0.2/24')], routes: [] })
    expect(layer.sourceFor(ip('11.0.0.1'))).toBeNull()
    expect(layer.sourceFor(ip('fd00::1'))).toBeNull()
    expect(`${layer.sourceFor(ip('10.0.0.1'))}`).toBe('10.0.0.2')
    const routed = { destination: ip('11.0.0.0'), prefixLength: 8, source: ip('10.0.0.2') }
    expect(`${host({ routes: [routed] }).layer.sourceFor(ip('11.0.0.1'))}`).toBe('10.0.0.2')
  })

  test('a broadcast address is all ones in an own prefix of at most 30 bits (RFC 3021 §2.1)', () => {
    const { layer } = host({ addresses: ['10.0.0.2/24', '10.9.0.0/31', '10.8.0.1/32', '172.16.0.1/30'].map(parseCidr) })
    for (const yes of ['10.0.0.255', '172.16.0.3', '255.255.255.255']) expect(layer.isBroadcast(ip(yes))).toBe(true)
    for (const no of ['10.0.0.254', '10.9.0.1', '10.8.0.1', '10.255.255.255', 'ff02::1', '::ffff:ffff']) {
      expect(layer.isBroadcast(ip(no))).toBe(false)
    }
  })
})

describe('what is sent', () => {
  test('a header is written before what the transport has put there', () => {
    const { layer } = host()
    const packet = new Packet()
    const header = new IpHeader()
    packet.end = packet.start + 20 + 100
    layer.writeHeader(packet, ip('10.0.0.2'), ip('10.0.0.1'), PROTOCOL.TCP, 64, 2, true)
    expect(parseIp(packet.bytes, packet.start, packet.end, header)).toBe('ok')
    expect(header).toMatchObject({ protocol: 6, hopLimit: 64, trafficClass: 2, dontFragment: true, totalBytes: 120 })
    expect(slowChecksum(packet.bytes.subarray(packet.start, packet.start + 20))).toBe(0)

    packet.end = packet.start + 40 + 100
    layer.writeHeader(packet, ip('fd00::2'), ip('fd00::1'), PROTOCOL.TCP, 63, 1, true, 0xabcde)
    expect(parseIp(packet.bytes, packet.start, packet.end, header)).toBe('ok')
    expect(header).toMatchObject({ family: 6, hopLimit: 63, trafficClass: 1, flowLabel: 0xabcde, totalBytes: 140 })
    expect(layer.counters.sent).toBe(2)
  })

  test('identifications count on from a random start (RFC 6864 §4)', () => {
    const ids = (seed: number): number[] => {
      const { layer } = host({ random: new SeededRandom(seed) })
      const packet = new Packet()
      packet.end = packet.start + 20
      const header = new IpHeader()
      return [0, 1, 2].map(() => {
        layer.writeHeader(packet, ip('10.0.0.2'), ip('10.0.0.1'), 6, 64, 0, false)
        parseIp(packet.bytes, packet.start, packet.end, header)
        return header.identification
      })
    }
    const atomic = host({ random: new SeededRandom(1) }).layer
    const packet = new Packet()
    packet.end = packet.start + 20
    atomic.writeHeader(packet, ip('10.0.0.2'), ip('10.0.0.1'), 6, 64, 0, true)
    expect(packet.bytes.subarray(packet.start + 4, packet.start + 8)).toEqual(Uint8Array.of(0, 0, 0x40, 0)) // DF: it means nothing
    const [a, b, c] = ids(1)
    expect([b, c]).toEqual([(a + 1) & 0xffff, (a + 2) & 0xffff])
    expect(ids(1)).toEqual([a, b, c])
    expect(ids(2)[0]).not.toBe(a)
  })

  test('addresses of two families, or no room for the header, are a broken invariant', () => {
    const { layer } = host()
    const packet = new Packet()
    packet.end = packet.start + 60
    expect(() => layer.writeHeader(packet, ip('10.0.0.2'), ip('fd00::1'), 6, 64, 0, true)).toThrow(InvariantError)
    packet.end = packet.start + 39
    expect(() => layer.writeHeader(packet, ip('fd00::2'), ip('fd00::1'), 6, 64, 0, true)).toThrow(InvariantError)
  })
})

test('options that cannot be are refused with what would mend them', () => {
  for (const address of ['224.0.0.1', '0.0.0.0', '127.0.0.1', '255.255.255.255', '::', '::1', 'ff02::1']) {
    expect(() => host({ addresses: [parseCidr(address)] })).toThrow(/unicast/)
  }
  expect(() => host({ mtu: 1279 })).toThrow(/1280/)
  expect(() => host({ mtu: 67, addresses: [parseCidr('10.0.0.2/24')] })).toThrow(/68/)
  expect(() => host({ mtu: 65536 })).toThrow(RangeError)
  expect(() => host({ hopLimit: 0 })).toThrow(RangeError)
  expect(() => host({ addresses: [{ address: ip('10.0.0.2'), prefixLength: 33 }] })).toThrow(RangeError)
  const foreign = { destination: ip('11.0.0.0'), prefixLength: 8, source: ip('10.0.0.3') }
  expect(() => host({ routes: [foreign] })).toThrow(/own address/)
  expect(() => host({ errorsPerSecond: -1 })).toThrow(RangeError)
})
