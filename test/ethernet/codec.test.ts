// The bytes of frames, ARP, neighbour discovery and MLD.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import {
  ArpPacket,
  EthernetHeader,
  eui64Address,
  formatMac,
  groupMac,
  linkLocalAddress,
  ND_TYPE,
  NdMessage,
  parseArp,
  parseEthernet,
  parseMac,
  parseNd,
  randomMac,
  solicitedNode,
  writeEthernet,
  writeNd,
  writeRouterAdvertisement,
} from '../../src/ethernet/index.ts'
import { parseMldQuery, writeMldReport } from '../../src/ethernet/mld.ts'
import { IpHeader } from '../../src/ip/header.ts'
import { arpFrame, ip, mac, say } from './helpers.ts'

const MINE = '02:00:00:00:00:01'

function ndHeader(src: string, dst: string, hopLimit = 255): IpHeader {
  const header = new IpHeader()
  header.family = 6
  header.src.assign(ip(src))
  header.dst.assign(ip(dst))
  header.hopLimit = hopLimit
  return header
}

function solicitation(src: string, dst: string, target: string, sourceMac = mac(MINE)): [Uint8Array, IpHeader] {
  const message = new NdMessage()
  message.type = ND_TYPE.neighbourSolicitation
  message.target.assign(ip(target))
  message.sourceMac = sourceMac
  const bytes = new Uint8Array(64)
  const length = writeNd(message, bytes, 0, ip(src), ip(dst))
  return [bytes.slice(0, length), ndHeader(src, dst)]
}

const judge = ([bytes, header]: [Uint8Array, IpHeader]): string =>
  parseNd(bytes, 0, bytes.length, header, new NdMessage())

describe('Ethernet addresses', () => {
  test('are written and read', () => {
    expect(formatMac(parseMac('02:00:00:0a:FF:01'))).toBe('02:00:00:0a:ff:01')
    for (const wrong of ['', '02:00', '01:00:5e:00:00:01', '00:00:00:00:00:00', '02:00:00:00:00:0g']) {
      expect(() => parseMac(wrong)).toThrow(TypeError)
    }
    const random = new SeededRandom(1)
    for (let i = 0; i < 100; i++) expect(parseMac(formatMac(randomMac(random)))).toBeGreaterThan(0)
  })

  test('of groups hold the low bits of the IP address (RFC 1112 §6.4, RFC 2464 §7)', () => {
    expect(formatMac(groupMac(ip('239.255.255.250')))).toBe('01:00:5e:7f:ff:fa')
    expect(formatMac(groupMac(ip('ff02::1:ff00:1234')))).toBe('33:33:ff:00:12:34')
    expect(formatMac(groupMac(ip('ff0e::ffff:ffff')))).toBe('33:33:ff:ff:ff:ff')
  })

  test('give interface identifiers (RFC 2464 §4) and solicited-node groups (RFC 4291 §2.7.1)', () => {
    expect(String(linkLocalAddress(0x34567890abcd + 0))).toBe('fe80::3656:78ff:fe90:abcd')
    expect(String(eui64Address(ip('2001:db8::'), 0x34567890abcd))).toBe('2001:db8::3656:78ff:fe90:abcd')
    expect(String(solicitedNode(ip('4037::01:800:200e:8c6c')))).toBe('ff02::1:ff0e:8c6c')
  })
})

describe('frames', () => {
  test('go through with a tag and without one (IEEE 802.1Q §9.6)', () => {
    for (const vlan of [-1, 7, 4094]) {
      const header = Object.assign(new EthernetHeader(), {
        dst: 0xffffffffffff,
        src: mac(MINE),
        etherType: 0x86dd,
        vlan,
        priority: vlan < 0 ? 0 : 5,
      })
      const bytes = new Uint8Array(18)
      const length = writeEthernet(header, bytes, 0)
      const read = new EthernetHeader()
      expect(parseEthernet(bytes, 0, length, read)).toBe('ok')
      expect(read).toMatchObject({ ...header, headerBytes: length })
      for (let end = 0; end < length; end++) expect(parseEthernet(bytes, 0, end, read)).toBe('eth-too-short')
    }
  })

  test('from a group, and those with a length, are no frames of ours (IEEE 802.3 §3.2)', () => {
    const bytes = new Uint8Array(14).fill(1)
    expect(parseEthernet(bytes, 0, 14, new EthernetHeader())).toBe('eth-bad-source')
    bytes.set([2, 0], 6)
    bytes.set([5, 0xff], 12)
    expect(parseEthernet(bytes, 0, 14, new EthernetHeader())).toBe('eth-no-type')
  })
})

describe('ARP packets', () => {
  const packet = arpFrame('request', [MINE, '10.0.0.1'], ['00:00:00:00:00:00', '10.0.0.2'])

  test('are cut off at any byte without harm, and padding behind them is passed over (RFC 894)', () => {
    const bytes = packet.bytes.slice(packet.start + 14, packet.end)
    for (let end = 0; end < 28; end++) expect(parseArp(bytes, 0, end, new ArpPacket())).toBe('arp-too-short')
    const padded = new Uint8Array(46)
    padded.set(bytes)
    expect(parseArp(padded, 0, 46, new ArpPacket())).toBe('ok')
    expect(say(packet)).toBe(`${MINE} > ff:ff:ff:ff:ff:ff ARP, Request who-has 10.0.0.2 tell 10.0.0.1`)
  })

  test.each([
    [0, 6, 'arp-unknown-kind', 'another hardware'],
    [3, 6, 'arp-unknown-kind', 'another protocol'],
    [4, 8, 'arp-unknown-kind', 'longer hardware addresses'],
    [5, 16, 'arp-unknown-kind', 'longer protocol addresses'],
    [7, 3, 'arp-unknown-kind', 'RARP'],
    [8, 3, 'arp-bad-sender', 'a group as its sender'],
    [14, 224, 'arp-bad-sender', 'an IP group as its sender'],
    [14, 127, 'arp-bad-sender', 'loopback as its sender'],
  ])('with byte %d = %d are %s: %s (RFC 826)', (at, value, verdict) => {
    const bytes = packet.bytes.slice(packet.start + 14, packet.end)
    bytes[at] = value
    expect(parseArp(bytes, 0, 28, new ArpPacket())).toBe(verdict)
  })
})

describe('messages of neighbour discovery', () => {
  test('are valid from a neighbour alone: a hop limit of 255 (RFC 4861 §7.1.1)', () => {
    const [bytes, header] = solicitation('fe80::1', 'ff02::1:ff00:2', 'fe80::2')
    expect(judge([bytes, header])).toBe('ok')
    header.hopLimit = 254
    expect(judge([bytes, header])).toBe('nd-bad-hop-limit')
  })

  test('with a code, a wrong checksum or cut off are dropped (RFC 4861 §7.1.1)', () => {
    const [bytes, header] = solicitation('fe80::1', 'ff02::1:ff00:2', 'fe80::2')
    for (let end = 0; end < bytes.length; end++) {
      expect(parseNd(bytes, 0, end, header, new NdMessage())).not.toBe('ok')
      expect(parseNd(bytes, 0, end, header, new NdMessage(), true)).toBe(
        end < 24 ? 'nd-too-short' : end > 24 ? 'nd-bad-option' : 'ok',
      )
    }
    bytes[9] ^= 1
    expect(judge([bytes, header])).toBe('nd-bad-checksum')
    bytes[1] = 1
    expect(parseNd(bytes, 0, bytes.length, header, new NdMessage(), true)).toBe('nd-bad-code')
  })

  test('from nobody go to the solicited-node group and name no Ethernet address (RFC 4861 §7.1.1)', () => {
    expect(judge(solicitation('::', 'ff02::1:ff00:2', 'fe80::2', -1))).toBe('ok')
    expect(judge(solicitation('::', 'ff02::1:ff00:2', 'fe80::2'))).toBe('nd-bad-source')
    expect(judge(solicitation('::', 'ff02::1', 'fe80::2', -1))).toBe('nd-bad-destination')
    expect(judge(solicitation('fe80::1', 'ff02::1:ff00:2', 'ff02::2'))).toBe('nd-bad-target')
  })

  test('with an option of no length, of the wrong one, or of a group are dropped (RFC 4861 §4.6)', () => {
    const [bytes, header] = solicitation('fe80::1', 'ff02::1:ff00:2', 'fe80::2')
    for (const [at, value] of [
      [25, 0],
      [25, 2],
      [26, 3],
    ]) {
      const broken = bytes.slice()
      broken[at] = value
      expect(parseNd(broken, 0, broken.length, header, new NdMessage(), true)).toBe('nd-bad-option')
    }
    bytes[24] = 200 // unknown options are skipped (RFC 4861 §9)
    expect(parseNd(bytes, 0, bytes.length, header, new NdMessage(), true)).toBe('ok')
  })

  test('of routers come from link-local addresses (RFC 4861 §6.1.2), with what they say', () => {
    const message = new NdMessage()
    const prefix = {
      prefix: ip('2001:db8::'),
      prefixLength: 64,
      isOnLink: true,
      isAutonomous: true,
      validS: 7200,
      preferredS: 3600,
    }
    Object.assign(message, { hopLimit: 64, isOther: true, lifetimeS: 1800, mtu: 1400, sourceMac: mac(MINE) })
    message.prefixes = [prefix]
    const bytes = new Uint8Array(128)
    const length = writeRouterAdvertisement(message, bytes, 0, ip('fe80::1'), ip('ff02::1'))
    const read = new NdMessage()
    expect(parseNd(bytes, 0, length, ndHeader('fe80::1', 'ff02::1'), read)).toBe('ok')
    expect(read).toMatchObject({ hopLimit: 64, isManaged: false, isOther: true, lifetimeS: 1800, mtu: 1400 })
    expect(read.prefixes).toEqual([prefix])
    const global = ndHeader('2001:db8::1', 'ff02::1')
    expect(parseNd(bytes, 0, length, global, read, true)).toBe('nd-bad-source')
  })

  test('to a group are not solicited advertisements (RFC 4861 §7.1.2)', () => {
    const message = new NdMessage()
    Object.assign(message, { type: ND_TYPE.neighbourAdvertisement, isSolicited: true, targetMac: mac(MINE) })
    message.target.assign(ip('fe80::1'))
    const bytes = new Uint8Array(64)
    const length = writeNd(message, bytes, 0, ip('fe80::1'), ip('ff02::1'))
    expect(judge([bytes.slice(0, length), ndHeader('fe80::1', 'ff02::1')])).toBe('nd-bad-flags')
  })
})

describe('MLD', () => {
  const query = (code: number, group: string, length = 28): [Uint8Array, IpHeader] => {
    const bytes = new Uint8Array(length)
    bytes.set([130, 0, 0, 0, code >>> 8, code & 255])
    ip(group).write(bytes, 8)
    const header = ndHeader('fe80::1', 'ff02::1', 1)
    let sum = 0x3a + length
    const add = (all: Uint8Array): void => {
      for (let i = 0; i < all.length; i += 2) sum += (all[i] << 8) | (all[i + 1] ?? 0)
    }
    const addresses = new Uint8Array(32)
    header.src.write(addresses, 0)
    header.dst.write(addresses, 16)
    add(addresses)
    add(bytes)
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
    bytes.set([(~sum >>> 8) & 255, ~sum & 255], 2)
    return [bytes, header]
  }
  const read = ([bytes, header]: [Uint8Array, IpHeader]) => parseMldQuery(bytes, 0, bytes.length, header)

  test('queries say within how long to answer (RFC 3810 §5.1.3)', () => {
    expect(read(query(10_000, '::'))).toEqual({ responseUs: 10_000_000, group: null })
    expect(read(query(0x8000, '::'))?.responseUs).toBe(0x1000 * 8 * 1000)
    expect(read(query(0x8000, '::', 24))?.responseUs).toBe(0x8000 * 1000) // version 1 has no exponent
    expect(String(read(query(1, 'ff02::1:ff00:1'))?.group)).toBe('ff02::1:ff00:1')
  })

  test('queries from afar, of no group, or with a wrong checksum do not count (RFC 3810 §6.2)', () => {
    const [bytes, header] = query(1, '::')
    expect(parseMldQuery(bytes, 0, bytes.length, { ...header, hopLimit: 2 } as IpHeader)).toBeNull()
    expect(parseMldQuery(bytes, 0, 23, header)).toBeNull()
    expect(read(query(1, 'fe80::1'))).toBeNull()
    bytes[20] ^= 1
    expect(read([bytes, header])).toBeNull()
  })

  test('reports name each group once, behind a router alert (RFC 3810 §5.2, RFC 2711)', () => {
    const bytes = new Uint8Array(200)
    const length = writeMldReport(4, [ip('ff02::1:ff00:1'), ip('ff02::1:ff00:2')], bytes, 0, ip('fe80::1'))
    expect(length).toBe(16 + 40)
    expect([...bytes.subarray(0, 8)]).toEqual([58, 0, 5, 2, 0, 0, 1, 0])
    expect([bytes[8], bytes[15], bytes[16]]).toEqual([143, 2, 4])
  })
})

test('random bytes never throw, and what a length field says is never believed beyond the end', () => {
  const random = new SeededRandom(7)
  const header = ndHeader('fe80::1', 'ff02::1')
  const message = new NdMessage()
  for (let i = 0; i < 20_000; i++) {
    const bytes = new Uint8Array((random.int32() >>> 0) % 90)
    for (let j = 0; j < bytes.length; j++) bytes[j] = random.int32()
    if ((i & 1) === 0 && bytes.length > 0) bytes[0] = 133 + (i % 5) // reach the bodies
    if ((i & 2) === 0 && bytes.length > 1) bytes[1] = 0
    parseEthernet(bytes, 0, bytes.length, new EthernetHeader())
    parseArp(bytes, 0, bytes.length, new ArpPacket())
    parseNd(bytes, 0, bytes.length, header, message, true)
    parseMldQuery(bytes, 0, bytes.length, header)
    expect(message.prefixes.length).toBeLessThanOrEqual(16)
  }
})
