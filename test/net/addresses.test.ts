// A host whose addresses and routes change, and a router with sockets of its own, as programs use them.

import { expect, test } from 'vitest'
import { createHost, createRouter } from '../../src/net/index.ts'
import { Network } from '../../src/sim/index.ts'

test('a host without an address gets one, a default route, and loses them again', async () => {
  const network = new Network({ seed: 9 })
  const [left, right] = network.cable({ delayUs: 1000 })
  const common = { scheduler: network.time, random: network.random() }
  const host = createHost({ device: left, address: [], ...common })
  const peer = createHost({ device: right, address: ['10.0.0.2/24', '192.0.2.1/32'], ...common })
  await network.time.runFor(peer.listen({ port: 80 }))
  const connect = (to: string) => network.time.runFor(host.connect({ host: to, port: 80 }))
  await expect(connect('10.0.0.2')).rejects.toMatchObject({ code: 'ENETUNREACH' })
  host.addAddress('10.0.0.1/24')
  expect(host.addresses).toEqual(['10.0.0.1'])
  const socket = await connect('10.0.0.2')
  await expect(connect('192.0.2.1')).rejects.toMatchObject({ code: 'ENETUNREACH' })
  host.addRoute({ to: 'default', via: '10.0.0.2', from: '10.0.0.1' })
  expect((await connect('192.0.2.1')).remoteAddress).toBe('192.0.2.1')
  expect(host.removeRoute({ to: 'default', via: '10.0.0.9' })).toBe(false)
  expect(host.removeRoute({ to: 'default', via: '10.0.0.2' })).toBe(true)
  await expect(connect('192.0.2.1')).rejects.toMatchObject({ code: 'ENETUNREACH' })
  expect(host.removeAddress('10.0.0.1')).toBe(true)
  expect(host.removeAddress('10.0.0.1')).toBe(false)
  expect(socket.destroyed).toBe(false) // it stays, and would time out
  for (const route of [{ to: 'bread' }, { to: 'default', via: 'bread' }, { to: '10.0.0.0/33' }]) {
    expect(() => host.addRoute(route)).toThrow(TypeError)
  }
  expect(() => host.addRoute({ to: 'default', from: '10.0.0.1' })).toThrow(/own address/)
  expect(() => createHost({ device: left, address: '' })).toThrow(/needs an address/)
})

test('a router has sockets of its own, and routes by the number of a port', async () => {
  const network = new Network({ seed: 9 })
  const [near, far] = [network.cable({ delayUs: 1000 }), network.cable({ delayUs: 1000 })]
  const random = network.random()
  const { host, router } = createRouter({
    ports: [
      { device: near[1], address: '10.1.0.1/24' },
      { device: far[1], address: ['10.2.0.1/24', 'fd02::1/64'] },
    ],
    routes: [{ to: '192.0.2.0/24', via: '10.2.0.9', port: 1 }],
    scheduler: network.time,
    random,
  })
  const make = (device: (typeof near)[0], address: string[]) =>
    createHost({ device, address, scheduler: network.time, random: network.random() })
  const a = make(near[0], ['10.1.0.9/24'])
  const b = make(far[0], ['10.2.0.9/24', '192.0.2.7/32'])
  await network.time.runFor(b.listen({ port: 80 }))
  await network.time.runFor(host.listen({ port: 22 }))
  expect((await network.time.runFor(a.connect({ host: '192.0.2.7', port: 80 }))).localAddress).toBe('10.1.0.9')
  expect((await network.time.runFor(a.connect({ host: '10.2.0.1', port: 22 }))).remoteAddress).toBe('10.2.0.1')
  expect((await network.time.runFor(host.connect({ host: '192.0.2.7', port: 80 }))).localAddress).toBe('10.2.0.1')
  const before = router.transit.forwarded
  expect(before).toBeGreaterThan(2)
  router.forwarding = false
  await expect(network.time.runFor(a.ping('10.2.0.9'))).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(router.transit.forwarded).toBe(before)
})

test('a device that offloads can be no port of a router', () => {
  const network = new Network({ seed: 9 })
  const [device] = network.cable({ superSegmentBytes: 65_535 })
  expect(() => createRouter({ ports: [{ device, address: '10.1.0.1/24' }], scheduler: network.time })).toThrow(
    /offload: false/,
  )
  expect(() => createRouter({ ports: [], scheduler: network.time })).toThrow(/at least one port/)
})
