import { once } from 'node:events'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { DEFAULT_CONFIG, KNOBS, type TcpConfig, tcpConfig } from '../../src/tcp/config.ts'
import { receiveWindowScale } from '../../src/tcp/window.ts'
import { bytes, folder, MIB, sha256 } from './helpers.ts'
import { eventually, grownOf, KernelPeer, kernelCounters, NEVER_GROW, ss, tshark } from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, type Site, type SiteOptions } from './site.ts'

// What both sides agree on in their SYNs, as `ss` shows it from the kernel's side, and windows of any size (RFC 7323, RFC 2018).
const OUT = folder()
const PORT = 5200
const peer = new KernelPeer()
let site: Site | null = null

afterEach(async () => {
  await site?.stop(0)
  site = null
})
afterAll(async () => {
  await peer.stop()
  OUT.remove()
})

/** One connection: our socket and the kernel's number for its own. */
interface Link {
  readonly socket: TunSocket
  readonly fd: number
}

/** A connection that we open, or the kernel. */
async function connect(
  role: 'we open' | 'the kernel opens',
  options: SiteOptions,
  family: 4 | 6,
  peers: object = {},
): Promise<Link> {
  site = openSite(options)
  if (role === 'we open') {
    const { accepted } = await peer.acceptOn(KERNELS[family], PORT, peers)
    const socket = await site.host.connect({ host: KERNELS[family], port: PORT })
    return { socket, fd: (await accepted).fd }
  }
  const server = await site.host.listen({ port: PORT })
  const connection = once(server, 'connection') as Promise<[TunSocket]>
  const { fd } = await peer.call('connect', { host: OURS[family], port: PORT, options: peers })
  const [socket] = await connection
  socket.on('error', () => {})
  return { socket, fd }
}

/** The kernel's line for its end of the connection. */
const line = (family: 4 | 6): string => ss(`state established dst ${family === 4 ? OURS[4] : `[${OURS[6]}]`}`)

const ROLES = ['we open', 'the kernel opens'] as const
const kernelScale = 10 // for its default of at most 32 MiB (net.ipv4.tcp_rmem) below

describe.each(ROLES)('%s', (role) => {
  test.each([4, 6] as const)('IPv%d: timestamps, SACK and both window scales are agreed on', async (family) => {
    await connect(role, {}, family)
    const seen = line(family)
    const ours = receiveWindowScale(DEFAULT_CONFIG)
    const kernels = /wscale:(\d+),(\d+)/.exec(seen)!
    expect(seen).toMatch(/ ts sack /)
    expect(Number(kernels[1])).toBe(ours) // snd_wscale: what we told
    expect(Number(kernels[2])).toBeGreaterThanOrEqual(kernelScale - 3)
    expect(seen).toMatch(family === 4 ? / mss:1448 / : / mss:1428 /)
    expect(seen).toMatch(family === 4 ? / advmss:1448 / : / advmss:1428 /)
  })

  const OFF: [string, Partial<TcpConfig>, RegExp][] = [
    ['timestamps', { timestamps: false }, / ts /],
    ['SACK', { sack: false }, / sack /],
    ['window scaling', { windowScale: false }, / wscale:/],
  ]
  test.each(OFF)('%s switched off here are not agreed on, and the rest is', async (_, tcp, absent) => {
    await connect(role, { tcp }, 4)
    const seen = line(4)
    const present = OFF.map(([, , shown]) => shown).filter((shown) => shown !== absent)
    expect(seen).not.toMatch(absent)
    for (const shown of present) expect(seen).toMatch(shown)
  })

  test('a receive buffer of 1 GiB is told with the greatest shift there is (RFC 7323 §2.3)', async () => {
    const { socket, fd } = await connect(role, { tcp: { receiveBufferBytes: 2 ** 30 } }, 4)
    expect(line(4)).toMatch(/wscale:14,\d+/)
    socket.write('!')
    await peer.call('receive', { fd })
    expect(Number(/snd_wnd:(\d+)/.exec(line(4))![1])).toBe(65535 * 2 ** 14) // what 16 bits say at most
  })

  test.each([0, 1, 7, 14])('a receive buffer for the shift %d is told as that', async (scale) => {
    const most = KNOBS.receiveBufferBytes.most!
    const receiveBufferBytes = Math.min(most, 65535 * 2 ** scale)
    const { socket, fd } = await connect(role, { tcp: { receiveBufferBytes } }, 4)
    const expected = receiveWindowScale(tcpConfig({ receiveBufferBytes }))
    expect(line(4)).toMatch(expected === 0 ? /wscale:0,\d+| ts sack (?!wscale)/ : new RegExp(`wscale:${expected},\\d+`))
    socket.write('!') // whose window is the first that is scaled
    await peer.call('receive', { fd })
    // snd_wnd is what the kernel makes of our window field: all of the buffer, and never more.
    const window = Number(/snd_wnd:(\d+)/.exec(line(4))![1])
    expect(window).toBeGreaterThan(receiveBufferBytes - 2 ** expected - 1)
    expect(window).toBeLessThanOrEqual(receiveBufferBytes)
  })
})

test('the timestamps of connections have nothing to do with each other (RFC 7323 §5.4)', async () => {
  const pcap = OUT.file('ts.pcapng')
  site = openSite({ pcap })
  const server = await site.host.listen({ port: PORT })
  server.on('connection', (socket: TunSocket) => socket.on('error', () => {}))
  for (let i = 0; i < 20; i++) await peer.call('connect', { host: OURS[4], port: PORT })
  await site.stop(0)
  const rows = await tshark(pcap, `tcp.srcport == ${PORT} && tcp.flags.syn == 1`, ['tcp.options.timestamp.tsval'])
  const values = rows.map(([value]) => Number(value))
  expect(values.length).toBe(20)
  const sorted = values.toSorted((a, b) => a - b)
  const gaps = sorted.slice(1).map((value, i) => value - sorted[i])
  expect(sorted[19] - sorted[0]).toBeGreaterThan(2 ** 30) // all over the space of 2^32
  expect(Math.min(...gaps)).toBeGreaterThan(1000) // and none near another, as on one clock
})

describe('windows larger than 64 MiB', () => {
  test('the kernel offers one and our sender fills it, and no more than it', async () => {
    const most = KNOBS.sendBufferBytes.most!
    const buffer = 1 << 30
    const before = kernelCounters()
    const { socket, fd } = await connect('we open', { tcp: { sendBufferBytes: most }, offload: true }, 4, {
      SO_RCVBUFFORCE: buffer,
    })
    expect(line(4)).toMatch(/wscale:\d+,14 /)
    expect(socket.info()!.tcpi_snd_wscale).toBe(14)
    const length = Math.min(most, 96 * MIB)
    const text = bytes(length, 3)
    socket.end(text)
    // Nobody reads: all of it waits in the kernel, and is acknowledged.
    expect(
      await eventually(
        () => socket.info()!.tcpi_state,
        (seen) => seen === 'FIN-WAIT-2',
        20_000,
      ),
    ).toBe('FIN-WAIT-2')
    expect(ss(`state close-wait dst ${OURS[4]}`)).toMatch(new RegExp(`^${length + 1} `))
    expect(socket.info()!.tcpi_notsent_bytes).toBe(0)
    const got = await peer.call('receive_all', { fd })
    expect([got.bytes, got.sha256]).toEqual([length, sha256(text)])
    expect(grownOf(NEVER_GROW, before)).toEqual({})
  })

  test('ours is told in full, the kernel fills it and no more than it', async () => {
    const most = KNOBS.receiveBufferBytes.most!
    const before = kernelCounters()
    const tcp = { receiveBufferBytes: most }
    const { socket, fd } = await connect('the kernel opens', { tcp, offload: true }, 4, { SO_SNDBUFFORCE: 1 << 30 })
    const length = Math.min(most, 160 * MIB) + 10 * MIB
    const sending = peer.call('send', { fd, length })
    // Nobody reads here, so the window fills, as far as the sender has text for it.
    const held = (): number => site!.host.stack.tcp.connections()[Symbol.iterator]().next().value!.readableBytes
    await eventually(held, (seen) => seen >= Math.min(most, length) - 2 * MIB, 20_000)
    expect(held()).toBeLessThanOrEqual(most)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    const { sha256: hash } = await sending
    await peer.call('close', { fd })
    expect(await errorOf(socket)).toBe('')
    const got = Buffer.concat(chunks)
    expect([got.length, sha256(got)]).toEqual([length, hash])
    expect(grownOf(NEVER_GROW, before)).toEqual({})
  })
})
