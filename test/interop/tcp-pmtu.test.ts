import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { closeFar, FAR, openFar, setPathMtu } from './far.ts'
import { bytes, folder, sha256 } from './helpers.ts'
import { grownOf, grownSince, KernelPeer, kernelCounters, type Namespace, NEVER_GROW, sh, tshark } from './kernel.ts'
import { errorOf, OURS, openSite, readAll, type Site } from './site.ts'

// Path MTU discovery (RFC 1191, RFC 8201): the kernel of this namespace forwards between our TUN and a namespace behind a cable, by routes
// that take less than 1500 bytes. It tells the sender, and nothing else does: what is too large is dropped.
const OUT = folder()
const PORT = 5500
const PCAP = OUT.file('pmtu.pcapng')
let site: Site
let far: Namespace
let peer: KernelPeer

/** The routes of both directions take packets of so many bytes. */
function setMtu(family: 4 | 6, forth: number, back = 1500): void {
  setPathMtu(family, forth)
  const [metric, here] = family === 4 ? [0, '10.77.0.0/24'] : [1, 'fd77::/64']
  sh(`ip -${family} route replace ${here} dev tst0 metric ${metric} mtu lock ${back}`)
}

beforeAll(async () => {
  far = await openFar()
  peer = new KernelPeer(far.prefix)
})
afterEach(() => site.stop(0))
afterAll(async () => {
  await peer.stop()
  closeFar(far)
  OUT.remove()
})

interface Link {
  readonly socket: TunSocket
  readonly fd: number
}

async function connect(family: 4 | 6, weOpen: boolean): Promise<Link> {
  if (weOpen) {
    const { accepted } = await peer.acceptOn(FAR[family], PORT)
    const socket = await site.host.connect({ host: FAR[family], port: PORT })
    return { socket, fd: (await accepted).fd }
  }
  const server = await site.host.listen({ port: PORT })
  const connection = once(server, 'connection') as Promise<[TunSocket]>
  const { fd } = await peer.call('connect', { host: OURS[family], port: PORT })
  const [socket] = await connection
  return { socket, fd }
}

/** Sizes of the IP packets with text that we sent before the first message of that kind came back, and after it. */
async function sizes(family: 4 | 6, mtu: number): Promise<{ before: number[]; after: number[] }> {
  const told =
    family === 4 ? `icmp.type == 3 && icmp.code == 4 && icmp.mtu == ${mtu}` : `icmpv6.type == 2 && icmpv6.mtu == ${mtu}`
  const [[first]] = await tshark(PCAP, told, ['frame.number'])
  const source = family === 4 ? `ip.src == ${OURS[4]}` : `ipv6.src == ${OURS[6]}`
  const rows = await tshark(PCAP, `${source} && tcp.len > 0`, ['frame.number', 'frame.len'])
  const of = (hold: (frame: number) => boolean): number[] =>
    rows.filter(([frame]) => hold(Number(frame))).map(([, length]) => Number(length))
  return { before: of((frame) => frame < Number(first)), after: of((frame) => frame > Number(first)) }
}

const LENGTH = 1_000_000
const PATHS = [
  [4, 1280],
  [4, 576],
  [6, 1280],
] as const

describe.each([true, false])('our sender, we open: %s', (weOpen) => {
  test.each(PATHS)('IPv%d, a path of %d bytes: goes on with smaller segments, byte for byte', async (family, mtu) => {
    site = openSite({ pcap: PCAP })
    setMtu(family, mtu)
    const before = kernelCounters(far.prefix)
    const { socket, fd } = await connect(family, weOpen)
    const closed = errorOf(socket)
    const text = bytes(LENGTH, 6)
    const from = Date.now()
    socket.resume().end(text)
    const got = await peer.call('receive_all', { fd })
    expect([got.bytes, got.sha256]).toEqual([LENGTH, sha256(text)])
    expect(Date.now() - from).toBeLessThan(5000) // it does not wait for timeouts
    await peer.call('close', { fd })
    expect(await closed).toBe('')
    const options = 32 + (family === 4 ? 20 : 40)
    expect(socket.info()!.tcpi_snd_mss).toBe(mtu - options)
    expect(grownOf(NEVER_GROW, before, far.prefix)).toEqual({})
    await site.stop()
    const { before: large, after } = await sizes(family, mtu)
    expect(Math.max(...large)).toBe(1500)
    expect(Math.max(...after)).toBe(mtu)
    // What was lost is sent once more, and nothing besides it.
    const lost = large.reduce((sum, size) => sum + size - options, 0)
    expect(after.reduce((sum, size) => sum + size - options, 0)).toBeLessThanOrEqual(LENGTH + lost / 10)
  })
})

test('a path that shrinks in the middle of a transfer, twice, with segmentation offload', async () => {
  site = openSite({ offload: true })
  setMtu(4, 1500)
  const { socket, fd } = await connect(4, true)
  const text = bytes(24_000_000, 6) // more than all buffers between hold
  const sending = errorOf(socket)
  socket.resume().end(text)
  const { sha256: first } = await peer.call('receive_all', { fd, length: 2_000_000 })
  setMtu(4, 1000)
  const { sha256: second } = await peer.call('receive_all', { fd, length: 2_000_000 })
  setMtu(4, 600)
  const { sha256: rest } = await peer.call('receive_all', { fd })
  await peer.call('close', { fd })
  expect(await sending).toBe('')
  const parts = [text.subarray(0, 2_000_000), text.subarray(2_000_000, 4_000_000), text.subarray(4_000_000)]
  expect([first, second, rest]).toEqual(parts.map((part) => sha256(part)))
  expect(socket.info()!.tcpi_snd_mss).toBe(600 - 52)
})

describe('a kernel sender', () => {
  test.each(PATHS)('IPv%d, a path of %d bytes: it is told, and we get every byte', async (family, mtu) => {
    site = openSite({ pcap: PCAP })
    setMtu(family, 1500, mtu)
    const before = kernelCounters(far.prefix)
    const { socket, fd } = await connect(family, true)
    const reading = readAll(socket)
    const { sha256: hash } = await peer.call('send', { fd, length: LENGTH })
    await peer.call('close', { fd })
    expect(sha256(await reading)).toBe(hash)
    expect(grownOf(NEVER_GROW, before, far.prefix)).toEqual({})
    expect(grownSince(before, far.prefix)[family === 4 ? 'IcmpInDestUnreachs' : 'Icmp6InPktTooBigs']).toBeGreaterThan(0)
    await site.stop()
    const source = family === 4 ? `ip.src == ${FAR[4]}` : `ipv6.src == ${FAR[6]}`
    const rows = await tshark(PCAP, `${source} && tcp.len > 0`, ['frame.len'])
    expect(Math.max(...rows.map(([length]) => Number(length)))).toBe(mtu)
  })
})
