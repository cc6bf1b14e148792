// Our stack as a router between two namespaces of Linux, on two TUN devices: ping, traceroute, TCP and path MTU through it (RFC 1812).

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTun } from '../../src/link/index.ts'
import { createRouter, type HostRouter } from '../../src/net/index.ts'
import { bytes, run, sha256 } from './helpers.ts'
import { KernelPeer, Namespace, sh } from './kernel.ts'

const NEAR = { 4: '10.81.1.9', 6: 'fd81:1::9' } as const
const FAR = { 4: '10.81.2.9', 6: 'fd81:2::9' } as const
const US = { 4: '10.81.1.1', 6: 'fd81:1::1' } as const
const FAR_MTU = 1300
let far: Namespace
let made: HostRouter
let [nearPeer, farPeer]: KernelPeer[] = []

beforeAll(async () => {
  far = await Namespace.make()
  const near = openTun({ name: 'tsr0', addresses: ['10.81.1.9/24', 'fd81:1::9/64'], offload: false })
  const other = openTun({ name: 'tsr1', addresses: ['10.81.2.9/24', 'fd81:2::9/64'], mtu: FAR_MTU, offload: false })
  sh(`ip link set tsr1 netns ${far.pid}`)
  for (const line of ['link set tsr1 up', 'addr add 10.81.2.9/24 dev tsr1', 'addr add fd81:2::9/64 dev tsr1 nodad']) {
    sh(`ip ${line}`, far.prefix)
  }
  for (const [net, via] of [
    ['default', '10.81.2.1'],
    ['default', 'fd81:2::1'],
  ]) {
    sh(`ip ${via.includes(':') ? '-6' : '-4'} route add ${net} via ${via} dev tsr1`, far.prefix)
  }
  sh('ip route add 10.81.2.0/24 via 10.81.1.1 dev tsr0')
  sh('ip route add 10.99.0.0/16 via 10.81.1.1 dev tsr0')
  sh('ip -6 route add fd81:2::/64 via fd81:1::1 dev tsr0')
  sh('ip -6 route add fd99::/64 via fd81:1::1 dev tsr0')
  made = createRouter({
    ports: [
      { device: near, address: ['10.81.1.1/24', 'fd81:1::1/64'] },
      { device: other, address: ['10.81.2.1/24', 'fd81:2::1/64'] },
    ],
  })
  made.host.ref()
  nearPeer = new KernelPeer()
  farPeer = new KernelPeer(far.prefix)
})
afterAll(async () => {
  await Promise.all([nearPeer.stop(), farPeer.stop()])
  await made.host.close({ graceMs: 0 })
  far.stop()
})

describe.each([4, 6] as const)('IPv%d', (family) => {
  const ping = (...args: string[]) => run('ping', [`-${family}`, '-n', '-i', '0.01', '-W', '2', ...args])

  test('Linux pings Linux through us, with pieces where they are allowed', async () => {
    const small = await ping('-c', '3', FAR[family])
    expect(small.text).toMatch(/3 received/)
    expect(small.text).toContain('ttl=63')
    const large = await ping('-c', '2', '-s', '20000', '-M', 'dont', FAR[family])
    if (family === 4) expect(large.text).toMatch(/2 received/)
    else expect((await ping('-c', '2', '-s', '20000', FAR[family])).text).toMatch(/2 received/)
  })

  test('Linux is told what we do not forward: too large, no hops left, no network', async () => {
    await run('ip', [`-${family}`, 'route', 'flush', 'cache'])
    const large = await ping('-c', '1', '-s', '1400', '-M', 'do', FAR[family])
    expect(large.stderr + large.text).toMatch(
      family === 4 ? /From 10.81.1.1.*Frag needed.*mtu = 1300/ : /mtu.? ?[=:] ?1300/,
    )
    const short = await ping('-c', '1', '-t', '1', FAR[family])
    expect(short.text).toMatch(
      new RegExp(`From ${US[family]}.*${family === 4 ? 'Time to live exceeded' : 'Time exceeded: Hop limit'}`),
    )
    const none = await ping('-c', '1', family === 4 ? '10.99.0.1' : 'fd99::1')
    expect(none.text).toMatch(
      new RegExp(
        `From ${US[family]}.*${family === 4 ? 'Destination Net Unreachable' : 'Destination unreachable: No route'}`,
      ),
    )
  })

  test.each([['-U'], ['-I']])('Linux finds us as the first hop: traceroute %s', async (probe) => {
    const { text } = await run('traceroute', [`-${family}`, '-n', '-q', '1', '-w', '2', probe, FAR[family]])
    const hops = text.split('\n').slice(1)
    expect(hops.map((line) => line.trim().split(/\s+/)[1])).toEqual([US[family], FAR[family]])
  })

  test('TCP of Linux passes both ways, and finds the smaller MTU of the far link (RFC 1191, RFC 8201)', async () => {
    for (const [from, to, address] of [
      [nearPeer, farPeer, FAR[family]],
      [farPeer, nearPeer, NEAR[family]],
    ] as const) {
      const { accepted } = await to.acceptOn(address, 5600)
      const { fd } = await from.call('connect', { host: address, port: 5600 })
      const { fd: other } = await accepted
      const receiving = to.call('receive_all', { fd: other })
      const { sha256: hash } = await from.call('send', { fd, length: 500_000 })
      await from.call('close', { fd })
      const got = await receiving
      expect([got.bytes, got.sha256]).toEqual([500_000, hash])
      await to.call('close', { fd: other })
    }
    expect(made.router.transit.forwarded).toBeGreaterThan(500)
  })
})

test('the router is a host too: its sockets reach both sides', async () => {
  for (const [peer, address] of [
    [nearPeer, NEAR[4]],
    [farPeer, FAR[4]],
  ] as const) {
    const { accepted } = await peer.acceptOn(address, 5601)
    const socket = await made.host.connect({ host: address, port: 5601 })
    const { fd } = await accepted
    const text = bytes(100_000)
    const receiving = peer.call('receive_all', { fd })
    socket.resume().end(text)
    expect((await receiving).sha256).toBe(sha256(text))
    await peer.call('close', { fd })
  }
})
