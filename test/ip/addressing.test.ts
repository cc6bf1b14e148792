// Addresses and routes that change while a host runs: what is ours then, what is sent, whose link address a packet needs.

import { describe, expect, test } from 'vitest'
import { parseCidr } from '../../src/ip/address.ts'
import { IpHeader, PROTOCOL } from '../../src/ip/header.ts'
import { RouteTable } from '../../src/ip/routes.ts'
import { host, ip, make } from './helpers.ts'

const add = (text: string, rest = {}) => ({ ...parseCidr(text), ...rest })

describe('addresses', () => {
  test('a host without any learns its first one while it runs (RFC 1122 §3.2.1.3)', () => {
    const { layer, header } = host({ addresses: [] })
    expect(layer.sourceFor(ip('10.0.0.1'))).toBeNull()
    expect(layer.receive(make({ dst: '10.0.0.2' }), header)).toBe('ip-not-for-us')
    layer.addAddress(add('10.0.0.2/24'))
    expect(layer.receive(make({ dst: '10.0.0.2' }), header)).toBe('ok')
    expect(layer.receive(make({ dst: '10.0.0.255' }), header)).toBe('ok')
    expect(header.toUnicast).toBe(false)
    expect(`${layer.sourceFor(ip('10.0.0.1'))}`).toBe('10.0.0.2')
    expect(layer.sourceFor(ip('192.0.2.1'))).toBeNull() // there is no default route
  })

  test('one that is taken away is not ours any more, nor are its broadcast address and its routes', () => {
    const { layer, header } = host({ addresses: [add('10.0.0.2/24'), add('10.1.0.2/24')], routes: [] })
    layer.addRoute({ destination: ip('10.9.0.0'), prefixLength: 16, source: ip('10.0.0.2') })
    expect(layer.removeAddress(ip('10.0.0.2'))).toBe(true)
    expect(layer.removeAddress(ip('10.0.0.2'))).toBe(false)
    expect(layer.addresses.map(({ address }) => `${address}`)).toEqual(['10.1.0.2'])
    expect(layer.receive(make({ dst: '10.0.0.2' }), header)).toBe('ip-not-for-us')
    expect(layer.receive(make({ dst: '10.0.0.255' }), header)).toBe('ip-not-for-us')
    expect(layer.routes.entries.map(({ destination }) => `${destination}`)).toEqual(['10.1.0.2'])
    expect(layer.sourceFor(ip('10.0.0.1'))).toBeNull()
  })

  test('the route to a prefix stays as long as one own address has it', () => {
    const { layer } = host({ addresses: [add('10.0.0.2/24'), add('10.0.0.3/24')], routes: [] })
    expect(layer.routes.entries).toHaveLength(1)
    layer.removeAddress(ip('10.0.0.2'))
    expect(`${layer.sourceFor(ip('10.0.0.9'))}`).toBe('10.0.0.3')
    layer.removeAddress(ip('10.0.0.3'))
    expect(layer.routes.entries).toHaveLength(0)
  })

  test('adding one again changes its prefix', () => {
    const { layer } = host({ addresses: [add('10.0.0.2/24')], routes: [] })
    layer.addAddress(add('10.0.0.2/16'))
    expect(layer.addresses).toHaveLength(1)
    expect(layer.routes.entries.map(({ prefixLength }) => prefixLength)).toEqual([16])
    expect(layer.isBroadcast(ip('10.0.255.255'))).toBe(true)
    expect(layer.isBroadcast(ip('10.0.0.255'))).toBe(false)
  })

  test('what cannot be a host’s address is refused, and IPv6 on a link of less than 1280 bytes (RFC 8200 §5)', () => {
    const { layer } = host({ addresses: [add('10.0.0.2/24')], mtu: 1000 })
    expect(() => layer.addAddress(add('224.0.0.1/4'))).toThrow(/unicast/)
    expect(() => layer.addAddress(add('fd00::1/64'))).toThrow(/1280/)
    expect(() => layer.addRoute({ destination: ip('10.9.0.0'), prefixLength: 16, source: ip('10.0.0.9') })).toThrow(
      /own address/,
    )
    expect(layer.addresses).toHaveLength(1)
  })
})

describe('from whom a host hears that has no address yet', () => {
  test('a datagram from 0.0.0.0 to everybody is a host asking for its address, any other a martian (RFC 1122 §3.2.1.3(a), RFC 2131 §4.1)', () => {
    const { layer } = host()
    const header = new IpHeader()
    const from = (rest: object) => layer.receive(make({ src: '0.0.0.0', dst: '255.255.255.255', ...rest }), header)
    expect(from({ protocol: PROTOCOL.UDP })).toBe('ok')
    expect(from({ protocol: PROTOCOL.TCP })).toBe('ip-martian-source')
    expect(from({ protocol: PROTOCOL.UDP, dst: '10.0.0.2' })).toBe('ip-martian-source')
    expect(from({ protocol: PROTOCOL.UDP, dst: '10.0.0.255' })).toBe('ip-martian-source')
  })

  test('groups reach only those who have joined them, and that as often as they have (RFC 1112 §7.2)', () => {
    const { layer, header } = host()
    const to = (dst: string) => layer.receive(make({ dst, protocol: PROTOCOL.UDP }), header)
    expect([to('239.1.1.1'), to('ff15::1')]).toEqual(['ip-not-for-us', 'ip-not-for-us'])
    for (const group of ['239.1.1.1', '239.1.1.1', 'ff15::1']) layer.joinGroup(ip(group))
    expect([to('239.1.1.1'), to('ff15::1')]).toEqual(['ok', 'ok'])
    layer.leaveGroup(ip('239.1.1.1'))
    expect(to('239.1.1.1')).toBe('ok')
    layer.leaveGroup(ip('239.1.1.1'))
    expect(to('239.1.1.1')).toBe('ip-not-for-us')
    // RFC 4291 §2.7.1, §2.8: every node is in these.
    expect([to('ff02::1:ff00:2'), to('ff02::1:ff00:3'), to('ff02::1')]).toEqual(['ok', 'ip-not-for-us', 'ok'])
  })
})

describe('the next hop', () => {
  const { layer } = host({ addresses: [add('10.0.0.2/24'), add('fd00::2/64')], routes: [] })
  layer.addRoute({ destination: ip('0.0.0.0'), prefixLength: 0, gateway: ip('10.0.0.1') })
  layer.addRoute({ destination: ip('::'), prefixLength: 0, gateway: ip('fe80::1') })
  layer.addRoute({ destination: ip('10.8.0.0'), prefixLength: 16, gateway: ip('10.0.0.8') })

  test.each([
    ['10.0.0.9', '10.0.0.9', 'on the link (RFC 1122 §3.3.1.1)'],
    ['192.0.2.1', '10.0.0.1', 'by the default route'],
    ['10.8.1.1', '10.0.0.8', 'by a longer prefix'],
    ['2001:db8::1', 'fe80::1', 'by the default route'],
    ['fd00::9', 'fd00::9', 'on the link'],
    ['fe80::9', 'fe80::9', 'link-local: never through a router (RFC 4291 §2.5.6)'],
    ['169.254.1.1', '169.254.1.1', 'link-local (RFC 3927 §2.6.2)'],
    ['224.0.0.251', '224.0.0.251', 'a group'],
    ['ff02::fb', 'ff02::fb', 'a group'],
    ['255.255.255.255', '255.255.255.255', 'everybody'],
    ['10.0.0.255', '10.0.0.255', 'everybody in our network'],
    ['10.0.0.2', '10.0.0.2', 'ourselves'],
  ])('of %s is %s: %s', (dst, hop) => {
    expect(`${layer.nextHop(ip(dst))}`).toBe(hop)
  })

  test('is nobody without a route', () => {
    const { layer } = host({ addresses: [add('10.0.0.2/24')], routes: [] })
    expect(layer.nextHop(ip('192.0.2.1'))).toBeNull()
    expect(layer.nextHop(ip('fd00::1'))).toBeNull()
  })
})

describe('routes', () => {
  test('the best of what is left is used when one goes, by its metric (RFC 1122 §3.3.1)', () => {
    const [first, second] = [1, 2].map((n) => ({
      destination: ip('0.0.0.0'),
      prefixLength: 0,
      gateway: ip(`10.0.0.${n}`),
      metric: n * 100,
    }))
    const table = new RouteTable([second, first])
    expect(table.lookup(ip('192.0.2.1'))).toBe(first)
    expect(table.remove({ destination: ip('0.0.0.0'), prefixLength: 0, gateway: ip('10.0.0.9') })).toBe(false)
    expect(table.remove({ destination: ip('0.0.0.0'), prefixLength: 0, metric: 100 })).toBe(true)
    expect(table.lookup(ip('192.0.2.1'))).toBe(second)
    expect(table.remove({ destination: ip('0.0.0.0'), prefixLength: 0 })).toBe(true)
    expect(table.lookup(ip('192.0.2.1'))).toBeNull()
  })
})
