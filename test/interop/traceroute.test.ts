// The way as traceroute finds it, both ways, through a router that is Linux; and paths whose ICMP is eaten.

import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TraceRun } from '../../src/cli/traceroute-run.ts'
import type { TunSocket } from '../../src/net/index.ts'
import { bytes, run, sha256 } from './helpers.ts'
import { KernelPeer, Namespace, sh } from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, type Site } from './site.ts'

const FAR = { 4: '10.78.0.2', 6: 'fd78::2' } as const
let far: Namespace
let site: Site
let peer: KernelPeer

function setForwarding(value: string): void {
  for (const name of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']) writeFileSync(`/proc/sys/net/${name}`, value)
}

beforeAll(async () => {
  far = await Namespace.make()
  sh(`ip link add tst1 type veth peer name tst2 netns ${far.pid}`)
  sh('ip addr add 10.78.0.1/24 dev tst1')
  sh('ip addr add fd78::1/64 dev tst1 nodad')
  sh('ip link set tst1 up')
  sh('ip addr add 10.78.0.2/24 dev tst2', far.prefix)
  sh('ip addr add fd78::2/64 dev tst2 nodad', far.prefix)
  sh('ip link set tst2 up', far.prefix)
  sh('ip route add default via 10.78.0.1', far.prefix)
  sh('ip -6 route add default via fd78::1', far.prefix)
  setForwarding('1')
  peer = new KernelPeer(far.prefix)
})
beforeEach(() => {
  site = openSite()
  site.host.ref()
})
afterEach(() => site.stop(0))
afterAll(async () => {
  setForwarding('0')
  await peer.stop()
  sh('ip link del tst1')
  far.stop()
})

const SETTINGS = {
  isNumeric: true,
  firstHop: 1,
  maxHops: 5,
  queries: 1,
  parallel: 16,
  waitUs: 2e6,
  port: 33_434,
  packetBytes: 80,
}
const hopsOf = (lines: readonly string[]): string[] => lines.slice(1).map((line) => line.trim().split(/\s+/)[1])

describe.each([
  [4, false],
  [4, true],
  [6, false],
  [6, true],
] as const)('IPv%d, echo requests: %s', (family, icmp) => {
  test('we find the way through Linux', async () => {
    const lines: string[] = []
    const trace = new TraceRun(site.host, FAR[family], { ...SETTINGS, icmp }, (line) => lines.push(line))
    expect(await trace.run()).toBe(true)
    expect(hopsOf(lines)).toEqual([KERNELS[family], FAR[family]])
  })

  test('Linux finds the way to us, in the same words', async () => {
    const { text } = await run(far.prefix[0], [
      ...far.prefix.slice(1),
      ...['traceroute', `-${family}`, '-n', '-q', '1', '-w', '2', icmp ? '-I' : '-U', OURS[family]],
    ])
    const lines = text.split('\n')
    expect(hopsOf(lines)).toEqual([`${FAR[family].slice(0, -1)}1`, OURS[family]])
    expect(lines[0]).toMatch(
      new RegExp(`^traceroute to ${OURS[family]} \\(${OURS[family]}\\), 30 hops max, \\d+ byte packets$`),
    )
  })
})

test('pings of every size come back whole, both ways, up to 65,507 bytes of data', async () => {
  for (const family of [4, 6] as const) {
    for (const payloadBytes of [0, 1, 1472, 1473, 8192, 65_507]) {
      expect(await site.host.ping(FAR[family], { payloadBytes, timeoutMs: 3000 })).toBeGreaterThan(0)
    }
    for (const size of ['0', '1473', '65507']) {
      const { code, text } = await run('ping', ['-n', '-c', '2', '-i', '0.05', '-W', '2', '-s', size, OURS[family]])
      expect([code, text]).toEqual([0, expect.stringMatching(/2 received/)])
    }
  }
})

test('a path that takes less and whose ICMP is eaten: TCP goes down by itself (RFC 4821 §7.7, RFC 2923 §2.1)', async () => {
  sh('ip route replace 10.78.0.0/24 dev tst1 mtu lock 1000')
  site.device.filter = (packet, direction) => direction === 'out' || packet.bytes[packet.start + 9] !== 1
  const { accepted } = await peer.acceptOn(FAR[4], 5500)
  const socket: TunSocket = await site.host.connect({ host: FAR[4], port: 5500, tcp: { initialRtoUs: 200_000 } })
  const { fd } = await accepted
  const closed = errorOf(socket)
  const text = bytes(30_000, 6)
  socket.resume().end(text)
  const got = await peer.call('receive_all', { fd })
  expect([got.bytes, got.sha256]).toEqual([30_000, sha256(text)])
  await peer.call('close', { fd })
  expect(await closed).toBe('')
  sh('ip route replace 10.78.0.0/24 dev tst1')
})
