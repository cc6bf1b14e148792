// RFC 1122 §3 and RFC 8200: what the IP floor of a host does with what it receives and sends.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { parseCidr } from '../../src/ip/address.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/parse.ts'
import { HEADROOM, Packet } from '../../src/link/device.ts'
import { Stack } from '../../src/stack/stack.ts'
import { hex, host, icmp, ip, make } from '../ip/helpers.ts'

const MINE = { 4: '10.0.0.2', 6: 'fd00::2' } as const
const THEIRS = { 4: '10.0.0.1', 6: 'fd00::1' } as const

describe.each([4, 6] as const)('IPv%i', (family) => {
  const dst = MINE[family]
  const src = THEIRS[family]

  test.each([0, 1])(
    'a packet whose hop limit is %i is taken: only routers count (RFC 1122 §3.2.1.7, RFC 8200 §3)',
    (hopLimit) => {
      const { layer, header } = host()
      expect(layer.receive(make({ dst, hopLimit }), header)).toBe('ok')
      expect(header.hopLimit).toBe(hopLimit)
    },
  )

  test('nothing is forwarded, and nobody is told: neither what is for others, nor through us (RFC 1122 §3.1)', () => {
    const stack = new Stack({ addresses: ['10.0.0.2/24', 'fd00::2/64'], mtu: 1500, random: new SeededRandom(1) })
    const elsewhere = family === 4 ? ['10.0.0.7', '192.0.2.7'] : ['fd00::7', '2001:db8::7']
    for (const other of elsewhere) stack.handlePacket(make({ src, dst: other, payload: new Uint8Array(40) }), 0)
    expect(stack.drops.toJSON()).toEqual({ 'ip-not-for-us': 2 })
    expect(stack.pollTransmit(new Packet(new Uint8Array(HEADROOM + 2000)), 0)).toBe(false)
  })

  test('an ICMP error carries the header of what it is about and at least eight octets of its text (RFC 1122 §3.2.2)', () => {
    const h = host()
    const text = hex('0102030405060708090a')
    const packet = make({ src, dst, protocol: 99, payload: text })
    const whole = packet.bytes.slice(packet.start, packet.end)
    expect(h.layer.receive(packet, h.header)).toBe('ok')
    expect(h.layer.queueUnreachable(packet, h.header, 'protocol', 0)).toBe(true)
    const [error] = h.sent()
    expect([...error.body.subarray(8)]).toEqual([...whole])
    expect([error.header.trafficClass, error.header.hopLimit]).toEqual([0, 64])
  })

  test('hop limit, traffic class and source of a packet are those of whoever sends it (RFC 1122 §3.2.1.6, §3.2.1.7)', () => {
    const { layer } = host()
    const packet = new Packet(new Uint8Array(HEADROOM + 200))
    packet.end = packet.start + 100
    layer.writeHeader(packet, ip(dst), ip(src), PROTOCOL.TCP, 3, 0xb8, true)
    const header = new IpHeader()
    expect(parseIp(packet.bytes, packet.start, packet.end, header)).toBe('ok')
    expect([header.hopLimit, header.trafficClass, `${header.src}`]).toEqual([3, 0xb8, dst])
  })
})

test('no hop limit of 0 can be set for the host; 0 for a connection means that of the host (RFC 1122 §3.2.1.7)', () => {
  expect(() => host({ hopLimit: 0 })).toThrow(RangeError)
  const stack = new Stack({ addresses: ['10.0.0.2/24'], mtu: 1500, random: new SeededRandom(1) })
  const options = { remote: ip('10.0.0.1'), remotePort: 80 }
  stack.connect({ ...options, config: { hopLimit: 0 } }, 0)
  const out = new Packet()
  expect(stack.pollTransmit(out, 0)).toBe(true)
  expect(out.bytes[out.start + 8]).toBe(64)
})

test('information, timestamp and address mask requests are not answered (RFC 1122 §3.2.2.7, §3.2.2.8, §3.2.2.9)', () => {
  for (const type of [13, 15, 17]) {
    const h = host()
    expect(h.take(make({ protocol: 1, payload: icmp(type, 0, '00000000', new Uint8Array(12)) }))).toBe('icmp-ignored')
    expect(h.sent()).toEqual([])
  }
})

test('a redirect changes no route (RFC 1122 §3.2.2.2)', () => {
  const h = host()
  const before = [...h.layer.routes.entries]
  const quoted = make({ src: '10.0.0.2', dst: '192.0.2.1', payload: new Uint8Array(8) })
  const payload = icmp(5, 1, '0a000009', quoted.bytes.slice(quoted.start, quoted.end))
  expect(h.take(make({ protocol: 1, payload }))).toBe('icmp-ignored')
  expect([...h.layer.routes.entries]).toEqual(before)
})

test('No Next Header: nothing follows, and nothing is answered (RFC 8200 §4.7)', () => {
  const stack = new Stack({ addresses: ['fd00::2/64'], mtu: 1500, random: new SeededRandom(1) })
  stack.handlePacket(make({ dst: 'fd00::2', protocol: 59, payload: new Uint8Array(20) }), 0)
  expect(stack.pollTransmit(new Packet(new Uint8Array(HEADROOM + 2000)), 0)).toBe(false)
})

test('a wrong version or header checksum is dropped, and nobody is told (RFC 1122 §3.2.1.1, §3.2.1.2)', () => {
  const h = host({ addresses: [parseCidr('10.0.0.2/24')] })
  for (const [at, value] of [
    [0, 0x55],
    [10, 0xff],
  ]) {
    const packet = make({ dst: '10.0.0.2', protocol: 99 })
    packet.bytes[packet.start + at] ^= value
    expect(h.layer.receive(packet, h.header)).toBe(at === 0 ? 'ip-bad-version' : 'ip-bad-checksum')
  }
  expect(h.sent()).toEqual([])
})
