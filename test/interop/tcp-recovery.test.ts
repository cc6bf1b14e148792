import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TunServer, TunSocket } from '../../src/net/index.ts'
import { bytes, folder, sha256 } from './helpers.ts'
import { grownOf, KernelPeer, kernelCounters, MALFORMED, NEVER_GROW, tshark } from './kernel.ts'
import { dropChosen, errorOf, KERNELS, OURS, openSite, type Site } from './site.ts'

// Chosen segments are lost: what was lost is sent again, and nothing else (RFC 2018, RFC 6675, RFC 8985). Judged by the capture, which
// sees what was sent before it is lost, and by the kernel's counters. Each case has a port of its own, all cases one capture.
const OUT = folder()
const peer = new KernelPeer()
const pcap = OUT.file('recovery.pcapng')
let site: Site

const LENGTH = 400_000 // 277 segments of 1448 bytes, 281 of 1428 over IPv6
const TEXT = bytes(LENGTH, 5)
const LAST = { 4: Math.ceil(LENGTH / 1448), 6: Math.ceil(LENGTH / 1428) } as const

/** Which new segments are lost, and how often. */
const losses = (last: number): Record<string, Record<number, number>> => ({
  'one segment': { 60: 1 },
  'the very first': { 1: 1 },
  'three in a row': { 60: 1, 61: 1, 62: 1 },
  'every other of ten': { 60: 1, 62: 1, 64: 1, 66: 1, 68: 1 },
  'two far apart': { 40: 1, 90: 1 },
  'a segment and its retransmission': { 60: 2 },
  'the last': { [last]: 1 },
  'the last three': { [last - 2]: 1, [last - 1]: 1, [last]: 1 },
})

interface Case {
  readonly family: 4 | 6
  readonly name: string
  readonly chosen: Readonly<Record<number, number>>
  readonly port: number
}

const cases = (firstPort: number): Case[] =>
  ([4, 6] as const).flatMap((family) =>
    Object.entries(losses(LAST[family])).map(([name, chosen], i) => ({
      family,
      name,
      chosen,
      port: firstPort + 10 * family + i,
    })),
  )
const SENDING = cases(5000)
const RECEIVING = cases(5100)

/** How often each relative sequence number was sent from one port to another, for those sent more than once; by tshark. */
const sentAgain = new Map<string, Record<number, number>>()

beforeAll(async () => {
  site = openSite({ pcap })
  await peer.call('listen', { host: '::', port: 5199 }) // python is up
})
afterAll(async () => {
  await peer.stop()
  OUT.remove()
})

/** What was dropped, with how often it had to be sent. */
function timesSent(dropped: readonly number[]): Record<number, number> {
  const expected: Record<number, number> = {}
  for (const sequence of dropped) expected[sequence] = (expected[sequence] ?? 1) + 1
  return expected
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0)

/** By the port of the listening side: the other's port, and what was dropped. */
const outcomes = new Map<number, { readonly from: number; readonly dropped: readonly number[] }>()

describe('our sender, a kernel receiver', () => {
  test.each(SENDING)('IPv$family, $name lost: all arrives, nothing twice', async ({ family, chosen, port }) => {
    const drop = dropChosen('out', chosen)
    site.device.filter = drop.filter
    const { accepted } = await peer.acceptOn(KERNELS[family], port)
    const before = kernelCounters()
    const socket = await site.host.connect({ host: KERNELS[family], port })
    const closed = errorOf(socket)
    const { fd } = await accepted
    socket.resume().end(TEXT)
    const got = await peer.call('receive_all', { fd })
    expect([got.bytes, got.sha256]).toEqual([LENGTH, sha256(TEXT)])
    await peer.call('close', { fd })
    expect(await closed).toBe('')
    outcomes.set(port, { from: socket.localPort!, dropped: drop.dropped })
    expect(drop.dropped.length).toBe(sum(Object.values(chosen)))
    expect(socket.info()!.tcpi_total_retrans).toBe(drop.dropped.length)
    expect(grownOf([...NEVER_GROW, 'TcpExtTCPDSACKOfoSent', 'TcpExtTCPDSACKOldSent'], before)).toEqual({})
  })
})

describe('a kernel sender, our receiver', () => {
  // Tried again when it fails: a pause of this program of 8 ms or more makes the kernel probe for a lost tail.
  test.each(RECEIVING)('IPv$family, $name lost: the kernel needs no more than it lost', { retry: 3 }, async (one) => {
    const { family, chosen, port } = one
    const drop = dropChosen('in', chosen)
    site.device.filter = drop.filter
    const server: TunServer = await site.host.listen({ port, allowHalfOpen: true })
    const accepting = once(server, 'connection') as Promise<[TunSocket]>
    const before = kernelCounters()
    const { fd, port: from } = await peer.call('connect', {
      host: OURS[family],
      port,
      options: { TCP_CONGESTION: 'cubic' },
    })
    const [socket] = await accepting
    const sending = peer.call('send', { fd, length: LENGTH })
    const chunks: Buffer[] = []
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        if (socket.bytesRead === LENGTH) resolve()
      })
    })
    expect(sha256(Buffer.concat(chunks))).toBe((await sending).sha256)
    socket.end()
    await peer.call('receive_all', { fd })
    await peer.call('close', { fd })
    server.close()
    outcomes.set(port, { from, dropped: drop.dropped })
    expect(drop.dropped.length).toBe(sum(Object.values(chosen)))
    const grown = grownOf(
      ['TcpRetransSegs', 'TcpExtTCPTimeouts', 'TcpExtTCPDSACKRecv', 'TcpExtTCPSACKReorder', ...NEVER_GROW],
      before,
    )
    expect(grown).toEqual({ TcpRetransSegs: drop.dropped.length })
  })
})

describe('in the capture', () => {
  beforeAll(async () => {
    await site.stop()
    const rows = await tshark(pcap, 'tcp.len > 0', ['tcp.srcport', 'tcp.dstport', 'tcp.seq'])
    const times = new Map<string, Map<number, number>>()
    for (const [from, to, sequence] of rows) {
      const of = times.get(`${from} ${to}`) ?? new Map<number, number>()
      times.set(`${from} ${to}`, of)
      of.set(Number(sequence), (of.get(Number(sequence)) ?? 0) + 1)
    }
    for (const [key, of] of times) sentAgain.set(key, Object.fromEntries([...of].filter(([, n]) => n > 1)))
  })

  test.each([...SENDING, ...RECEIVING])(
    'IPv$family, $name lost: exactly that was sent again (port $port)',
    ({ port }) => {
      const { from, dropped } = outcomes.get(port)!
      expect(sentAgain.get(`${from} ${port}`)).toEqual(timesSent(dropped))
    },
  )

  test('nothing of ours is malformed', async () => {
    expect(await tshark(pcap, `(ip.src == ${OURS[4]} || ipv6.src == ${OURS[6]}) && (${MALFORMED})`)).toEqual([])
  })
})
