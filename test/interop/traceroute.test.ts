// The way as traceroute finds it, both ways, through a router that is Linux; and paths whose ICMP is eaten.

import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TraceRun } from '../../src/cli/traceroute-run.ts'
import type { TunSocket } from '../../src/net/index.ts'
import { closeFar, FAR, openFar, setPathMtu } from './far.ts'
import { Background, bytes, run, sha256 } from './helpers.ts'
import { eventually, KernelPeer, type Namespace } from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, type Site } from './site.ts'

let far: Namespace
let site: Site
let peer: KernelPeer

beforeAll(async () => {
  far = await openFar()
  peer = new KernelPeer(far.prefix)
})
beforeEach(() => {
  site = openSite()
  site.host.ref()
})
afterEach(() => site.stop(0))
afterAll(async () => {
  await peer.stop()
  closeFar(far)
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

describe('a path that takes less', () => {
  const eatIcmp = (): void => {
    site.device.filter = ({ bytes: b, start }, direction) =>
      direction === 'out' || (b[start] >>> 4 === 4 ? b[start + 9] !== 1 : b[start + 6] !== 58)
  }
  afterAll(() => {
    for (const family of [4, 6] as const) setPathMtu(family, 1500)
  })

  test('and whose ICMP is eaten: TCP goes down by itself (RFC 4821 §7.7, RFC 2923 §2.1)', async () => {
    setPathMtu(4, 1000)
    eatIcmp()
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
  })

  test('UDP finds how much by its probes: with what the router says, and where that is eaten (RFC 8899 §5.3)', async () => {
    for (const family of [4, 6] as const) setPathMtu(family, 1300)
    const echo = 'while 1: d,a=s.recvfrom(65535); s.sendto(d,a)'
    const server = new Background(far.prefix[0], [
      ...far.prefix.slice(1),
      ...['python3', '-c', `import socket\ns=socket.socket(10,2); s.bind(("::",5501)); print(1,flush=True)\n${echo}`],
    ])
    await server.until(() => server.stdout !== '')
    const search = async (family: 4 | 6) => {
      const socket = site.host.createSocket(`udp${family}`)
      socket.connect(5501, FAR[family])
      await once(socket, 'connect')
      return { socket, found: socket.searchPathMtu({ maxProbes: 1, probeUs: 1_000_000 }) }
    }
    try {
      for (const isEaten of [false, true]) {
        if (isEaten) eatIcmp()
        const searches = await Promise.all([search(4), search(6)])
        const isDone = (): boolean => searches.every(({ found }) => found.state === 'SEARCH-COMPLETE')
        await eventually(isDone, (done) => done, isEaten ? 12_000 : 900)
        for (const { socket, found } of searches) {
          if (!isEaten) expect(found.mtu).toBe(1300)
          expect(found.mtu).toBeLessThanOrEqual(1300)
          expect(found.mtu).toBeGreaterThan(1292)
          const data = bytes(found.dataBytes)
          const answered = once(socket, 'message')
          socket.send(data)
          expect(Buffer.compare((await answered)[0], data)).toBe(0)
          socket.close()
        }
      }
    } finally {
      await server.stop()
    }
  })
})
