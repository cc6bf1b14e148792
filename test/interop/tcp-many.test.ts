import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { bytes, folder, MIB, sha256 } from './helpers.ts'
import {
  CLEAN_LINK,
  eventually,
  grownOf,
  KernelPeer,
  kernelCounters,
  MALFORMED,
  NEVER_GROW,
  tshark,
  UNCLEAN,
} from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, type Site, type SiteOptions } from './site.ts'

// Thousands of short connections and long streams on a clean link: nothing is lost, repeated, refused or reset, by the kernel's counters
// and by tshark.
const OUT = folder()
const PORT = 5800
const peer = new KernelPeer()
let site: Site

afterEach(() => site.stop(0))
afterAll(async () => {
  await peer.stop()
  OUT.remove()
})

/** On top of what never grows: nothing is refused, reset or given up. */
const CALM = [
  ...NEVER_GROW,
  ...CLEAN_LINK,
  'TcpAttemptFails',
  'TcpEstabResets',
  'TcpOutRsts',
  'TcpExtTCPAbortOnData',
  'TcpExtTCPAbortOnClose',
]

/**
 * What of that has moved. When this program pauses for 8 ms the kernel probes for a lost tail, which is then sent twice though not lost:
 * as many retransmissions as probes are no trouble.
 */
function trouble(before: Record<string, number>): Record<string, number> {
  const {
    TcpExtTCPLossProbes: probes = 0,
    TcpRetransSegs: again = 0,
    TcpExtTCPDSACKRecv: twice = 0,
    ...rest
  } = grownOf(CALM, before)
  return again <= probes && twice <= probes ? rest : { probes, again, twice, ...rest }
}

/** One byte there and one back; then whoever `closes` ends first, and the other after it. */
function converse(socket: TunSocket, opens: boolean, closes: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    let right = false
    socket.on('data', (byte: Buffer) => {
      right = byte.toString('latin1') === (opens ? '!' : '?')
      if (!opens) socket.write('!')
      if (closes) socket.end()
    })
    socket.on('end', () => socket.end())
    socket.on('error', () => (right = false))
    socket.on('close', () => resolve(right))
    if (opens) socket.write('?')
  })
}

/** `count` connections that we open, `ways` at a time; how many went well. */
async function openMany(count: number, ways: number, closes: boolean, port = PORT): Promise<number> {
  let [left, done] = [count, 0]
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = await site.host.connect({ host: KERNELS[4], port, noDelay: true, allowHalfOpen: true })
      if (await converse(socket, true, closes)) done++
    }
  }
  await Promise.all(Array.from({ length: ways }, work))
  return done
}

/** Runs `count` connections that the kernel opens; how many went well on both sides. */
async function acceptMany(count: number, ways: number, closes: boolean): Promise<[number, number, object]> {
  let done = 0
  const server = await site.host.listen({ port: PORT, noDelay: true, allowHalfOpen: true })
  server.on('connection', (socket: TunSocket) => {
    void converse(socket, false, closes).then((right) => (done += right ? 1 : 0))
  })
  const all = await peer.call('open_many', { host: OURS[4], port: PORT, count, ways, closes: !closes })
  await eventually(
    () => done,
    (seen) => seen === count,
    5000,
  ).catch(() => {})
  server.close()
  return [all.done, done, all.errors]
}

const WHO = [
  ['we close first', true],
  ['the kernel closes first', false],
] as const

/** A machine that stands still for 50 ms makes either end probe for a lost tail (RFC 8985 §7); that is no fault. */
const AGAIN = { retry: 2 }

describe('10,000 short connections', () => {
  describe.each(WHO)('%s', (_, weClose) => {
    test.each([
      [500, 1],
      [2000, 16],
    ])('that the kernel opens: %d, %d at a time', AGAIN, async (count, ways) => {
      site = openSite({ offload: true })
      const before = kernelCounters()
      expect(await acceptMany(count, ways, weClose)).toEqual([count, count, {}])
      expect(trouble(before)).toEqual({})
      expect(site.host.stack.tcp.counters).toMatchObject({ TcpPassiveOpens: count, TcpOutRsts: 0, TcpRetransSegs: 0 })
    })

    test.each([
      [500, 1],
      [2000, 16],
    ])('that we open: %d, %d at a time', AGAIN, async (count, ways) => {
      site = openSite({ offload: true })
      const { fd } = await peer.call('listen', { host: KERNELS[4], port: PORT })
      const before = kernelCounters()
      const accepting = peer.call('accept_many', { fd, count, ways, closes: !weClose })
      expect(await openMany(count, ways, weClose)).toBe(count)
      expect(await accepting).toEqual({ done: count, errors: {} })
      await peer.call('close', { fd })
      expect(trouble(before)).toEqual({})
      expect(site.host.stack.tcp.counters).toMatchObject({ TcpActiveOpens: count, TcpOutRsts: 0, TcpRetransSegs: 0 })
    })
  })

  test('from 300 ports of the kernel, all of them in our TIME-WAIT most of the time (RFC 9293 §3.6.1 [MAY-2])', async () => {
    site = openSite({ offload: true })
    const file = '/proc/sys/net/ipv4/ip_local_port_range'
    const range = readFileSync(file)
    writeFileSync(file, '40000 40299')
    const before = kernelCounters()
    const all = await acceptMany(1000, 8, true).finally(() => writeFileSync(file, range))
    expect(all).toEqual([1000, 1000, {}])
    expect(site.host.stack.tcp.connectionCount).toBeLessThanOrEqual(300)
    expect(trouble(before)).toEqual({})
  })

  // Tried again when it fails: a pause of this program makes the kernel probe, and what a probe draws looks like a duplicate.
  test('in a capture tshark finds nothing amiss', { retry: 2 }, async () => {
    const pcap = OUT.file('many.pcapng')
    site = openSite({ pcap })
    expect(await acceptMany(300, 16, true)).toEqual([300, 300, {}])
    const { fd } = await peer.call('listen', { host: KERNELS[4], port: PORT + 1 })
    const accepting = peer.call('accept_many', { fd, count: 300, ways: 16, closes: true })
    expect(await openMany(300, 16, false, PORT + 1)).toBe(300)
    await accepting
    await peer.call('close', { fd })
    await site.stop()
    expect((await tshark(pcap, 'tcp.flags.syn == 1 && tcp.flags.ack == 1', ['tcp.seq'])).length).toBe(600)
    expect(await tshark(pcap, `ip.src == ${OURS[4]} && (${MALFORMED})`)).toEqual([])
    expect(
      await tshark(pcap, `ip.src == ${OURS[4]} && (${UNCLEAN} || tcp.flags.reset == 1 || tcp.analysis.ack_rtt > 0.5)`),
    ).toEqual([])
  })
})

describe.each<[string, number, SiteOptions]>([
  ['100 MiB with segmentation offload', 100 * MIB, { offload: true }],
  ['100 MiB without offload', 100 * MIB, {}],
])('%s', (_, LENGTH, options) => {
  // Tried again when it fails: a reader of the kernel's that gets no processor for 50 ms makes us probe for a lost tail.
  test('to the kernel: no counter of trouble moves', { retry: 2 }, async () => {
    site = openSite(options)
    const { accepted } = await peer.acceptOn(KERNELS[4], PORT)
    const before = kernelCounters()
    const socket = await site.host.connect({ host: KERNELS[4], port: PORT })
    const { fd } = await accepted
    const closed = errorOf(socket)
    const text = bytes(LENGTH, 7)
    socket.resume().end(text)
    const got = await peer.call('receive_all', { fd })
    expect([got.bytes, got.sha256]).toEqual([LENGTH, sha256(text)])
    await peer.call('close', { fd })
    expect(await closed).toBe('')
    expect(trouble(before)).toEqual({})
    expect(site.host.stack.tcp.counters.TcpRetransSegs).toBe(0)
  })

  test('from the kernel: no counter of trouble moves', async () => {
    site = openSite(options)
    const server = await site.host.listen({ port: PORT })
    const connection = once(server, 'connection') as Promise<[TunSocket]>
    const before = kernelCounters()
    const { fd } = await peer.call('connect', { host: OURS[4], port: PORT })
    const [socket] = await connection
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    const closed = errorOf(socket)
    const { sha256: hash } = await peer.call('send', { fd, length: LENGTH })
    await peer.call('close', { fd })
    expect(await closed).toBe('')
    expect(sha256(Buffer.concat(chunks))).toBe(hash)
    expect(trouble(before)).toEqual({})
  })
})
