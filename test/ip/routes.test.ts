import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCidr } from '../../src/ip/address.ts'
import { type Route, RouteTable } from '../../src/ip/routes.ts'
import { anyIpv4, ip } from './helpers.ts'

function route(cidr: string, rest: Partial<Route> = {}): Route {
  const { address, prefixLength } = parseCidr(cidr)
  return { destination: address, prefixLength, ...rest }
}

test('the longest prefix wins, whatever the order (RFC 1122 §3.3.1)', () => {
  const routes = [route('0.0.0.0/0'), route('10.0.0.0/8'), route('10.1.0.0/16'), route('10.1.2.3/32'), route('::/0')]
  for (const order of [routes, routes.toReversed()]) {
    const table = new RouteTable(order)
    expect(table.lookup(ip('10.1.2.3'))).toBe(routes[3])
    expect(table.lookup(ip('10.1.2.4'))).toBe(routes[2])
    expect(table.lookup(ip('10.2.0.0'))).toBe(routes[1])
    expect(table.lookup(ip('192.0.2.1'))).toBe(routes[0])
    expect(table.lookup(ip('2001:db8::1'))).toBe(routes[4])
    expect(table.entries).toHaveLength(5)
  }
})

test('of equal prefixes the smaller metric wins, then the first', () => {
  const slow = route('10.0.0.0/8', { metric: 10 })
  const first = route('10.0.0.0/8')
  const second = route('10.0.0.0/8', { metric: 0 })
  expect(new RouteTable([slow, first, second]).lookup(ip('10.0.0.1'))).toBe(first)
})

test('without a default route there is no way out', () => {
  expect(new RouteTable([route('10.0.0.0/8')]).lookup(ip('11.0.0.1'))).toBeNull()
  expect(new RouteTable().lookup(ip('11.0.0.1'))).toBeNull()
})

test('a lookup agrees with a search for the best route', () => {
  const entry = fc.record({ destination: anyIpv4, prefixLength: fc.nat(12), metric: fc.nat(3) })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), anyIpv4, (entries, dst) => {
      const found = new RouteTable(entries).lookup(dst)
      const fitting = entries.filter((e) => dst.inPrefix(e.destination, e.prefixLength))
      const best = Math.max(...fitting.map((e) => e.prefixLength * 4 - e.metric))
      expect(found === null ? -Infinity : found.prefixLength * 4 - (found.metric ?? 0)).toBe(best)
    }),
  )
})

test('routes that cannot be are the caller’s fault', () => {
  const table = new RouteTable()
  expect(() => table.add({ destination: ip('10.0.0.0'), prefixLength: 33 })).toThrow(RangeError)
  expect(() => table.add({ destination: ip('10.0.0.0'), prefixLength: 1.5 })).toThrow(RangeError)
  expect(() => table.add({ destination: ip('::'), prefixLength: -1 })).toThrow(RangeError)
  expect(() => table.add(route('10.0.0.0/8', { gateway: ip('::1') }))).toThrow(TypeError)
  expect(() => table.add(route('fd00::/8', { source: ip('10.0.0.1') }))).toThrow(TypeError)
})

test('a route goes by what is said of it, one at a time: what is not said may be anything', () => {
  const gateway = ip('10.0.0.1')
  const source = ip('10.0.0.2')
  const all = [
    route('0.0.0.0/0', { metric: 5 }),
    route('0.0.0.0/0', { metric: 9, gateway }),
    route('10.0.0.0/8', { source }),
    route('10.0.0.0/8', { port: 1, metric: 1 }),
  ]
  const match = (cidr: string, rest: object): Parameters<RouteTable['remove']>[0] => ({ ...route(cidr), ...rest })
  for (const [cidr, rest, gone] of [
    ['0.0.0.0/0', { gateway }, 1],
    ['0.0.0.0/0', { metric: 9 }, 1],
    ['0.0.0.0/0', {}, 0],
    ['10.0.0.0/8', { source }, 2],
    ['10.0.0.0/8', { port: 1 }, 3],
    ['10.0.0.0/8', { port: 0, isConnected: false }, 2],
    ['10.0.0.0/8', { gateway }, -1],
    ['10.0.0.0/8', { isConnected: true }, -1],
    ['10.0.0.0/9', {}, -1],
  ] as const) {
    const table = new RouteTable(all)
    table.remove(match(cidr, rest))
    const left = all.filter((one) => table.entries.includes(one))
    expect(left, `${cidr} ${JSON.stringify(rest)}`).toEqual(gone < 0 ? all : all.toSpliced(gone, 1))
  }
})
