import { once } from 'node:events'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { bytes, folder, MIB, sha256 } from './helpers.ts'
import { eventually, grownOf, grownSince, KernelPeer, kernelCounters, NEVER_GROW, ss, tshark } from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, readAll, type Site } from './site.ts'

// The TCP MD5 signature (RFC 2385) with Linux's TCP_MD5SIG at the other end, in both roles.
const OUT = folder()
const PORT = 5350
const KEY = 'a secret of both'
const MD5 = 'TcpExtTCPMD5NotFound TcpExtTCPMD5Unexpected TcpExtTCPMD5Failure'.split(' ')
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

/** What the kernel's socket is to sign with, to us. */
const keyed = (family: 4 | 6, key: string): object => ({ TCP_MD5SIG: { peer: OURS[family], key } })

describe.each(['we open', 'the kernel opens'] as const)('%s', (role) => {
  const both = [
    [4, false],
    [6, false],
    [4, true],
    [6, true],
  ] as const
  test.each(both)('IPv%d, offload %s: 1 MiB each way, every segment signed', async (family, offload) => {
    const before = kernelCounters()
    const pcap = OUT.file(`${role}-${family}-${offload}.pcapng`.replaceAll(' ', '-'))
    site = openSite({ pcap, offload })
    let socket: TunSocket
    let fd: number
    if (role === 'we open') {
      const { accepted } = await peer.acceptOn(KERNELS[family], PORT, keyed(family, KEY))
      socket = await site.host.connect({ host: KERNELS[family], port: PORT, allowHalfOpen: true, md5Key: KEY })
      fd = (await accepted).fd
    } else {
      const md5Key = [{ peer: KERNELS[family], key: Buffer.from(KEY) }]
      const server = await site.host.listen({ port: PORT, allowHalfOpen: true, md5Key })
      const connection = once(server, 'connection') as Promise<[TunSocket]>
      fd = (await peer.call('connect', { host: OURS[family], port: PORT, options: keyed(family, KEY) })).fd
      socket = (await connection)[0]
    }
    const line = ss(`state established dst ${family === 4 ? OURS[4] : `[${OURS[6]}]`}`)
    expect(line).toMatch(/ sack /)
    expect(line).not.toMatch(/ ts /)
    const content = bytes(MIB)
    const [ours, theirs, sent] = await Promise.all([
      peer.call('receive_all', { fd }),
      readAll(socket),
      peer.call('send', { fd, length: MIB }).then(async (answer) => {
        await peer.call('shutdown', { fd })
        return answer
      }),
      new Promise<void>((resolve) => socket.end(content, () => resolve())),
    ])
    expect([ours.bytes, ours.sha256]).toEqual([MIB, sha256(content)])
    expect([theirs.length, sha256(theirs)]).toEqual([MIB, sent.sha256])
    await peer.call('close', { fd })
    expect(grownOf([...MD5, ...NEVER_GROW], before)).toEqual({})
    const { counters } = site.host.stack.tcp
    expect([counters.TcpExtTCPMD5NotFound, counters.TcpExtTCPMD5Unexpected, counters.TcpExtTCPMD5Failure]).toEqual([
      0, 0, 0,
    ])
    await site.stop()
    site = null
    expect(await tshark(pcap, `tcp.port == ${PORT} && !tcp.options.md5`)).toEqual([]) // other tests' sockets may still end
    // Both sides' full segments are 20 less than MSS: the option takes that of each.
    const full = family === 4 ? 1440 : 1420
    for (const port of ['srcport', 'dstport']) {
      const lengths = (await tshark(pcap, `tcp.options.md5 && tcp.${port} == ${PORT}`, ['tcp.len'])).flat().map(Number)
      expect([lengths.length > MIB / 1440, Math.max(...lengths)], port).toEqual([true, full])
    }
  })
})

test('we open with a wrong key: the kernel counts a failure for each SYN, and nothing comes back', async () => {
  const before = kernelCounters()
  site = openSite()
  const { fd } = await peer.call('listen', { host: KERNELS[4], port: PORT, options: keyed(4, KEY) })
  const started = site.host.connect({ host: KERNELS[4], port: PORT, md5Key: 'another', timeoutMs: 1500 })
  await expect(started).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(grownOf(MD5, before)).toEqual({ TcpExtTCPMD5Failure: 2 })
  const unsigned = site.host.connect({ host: KERNELS[4], port: PORT, timeoutMs: 500 })
  await expect(unsigned).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(grownOf(MD5, before)).toEqual({ TcpExtTCPMD5Failure: 2, TcpExtTCPMD5NotFound: 1 })
  await peer.call('close', { fd })
})

test('the kernel opens with a wrong key, and without one: it hears nothing, and we count', async () => {
  site = openSite()
  await site.host.listen({ port: PORT, md5Key: KEY })
  const { counters } = site.host.stack.tcp
  const limit = { TCP_USER_TIMEOUT: 1500 }
  const wrong = { host: OURS[4], port: PORT, options: { ...keyed(4, 'another'), ...limit } }
  expect(await peer.errorOf('connect', wrong)).toBe('ETIMEDOUT')
  expect([counters.TcpExtTCPMD5Failure >= 1, counters.TcpExtTCPMD5NotFound]).toEqual([true, 0])
  expect(await peer.errorOf('connect', { host: OURS[4], port: PORT, options: limit })).toBe('ETIMEDOUT')
  expect(counters.TcpExtTCPMD5NotFound).toBeGreaterThanOrEqual(1)
})

test('a key that the other does not have: unexpected, on both sides', async () => {
  const before = kernelCounters()
  site = openSite()
  const { fd } = await peer.call('listen', { host: KERNELS[4], port: PORT })
  const started = site.host.connect({ host: KERNELS[4], port: PORT, md5Key: KEY, timeoutMs: 500 })
  await expect(started).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(grownOf(MD5, before)).toEqual({ TcpExtTCPMD5Unexpected: 1 })
  await peer.call('close', { fd })
  await site.host.listen({ port: PORT })
  const options = { ...keyed(4, KEY), TCP_USER_TIMEOUT: 1500 }
  expect(await peer.errorOf('connect', { host: OURS[4], port: PORT, options })).toBe('ETIMEDOUT')
  expect(site.host.stack.tcp.counters.TcpExtTCPMD5Unexpected).toBeGreaterThanOrEqual(1)
})

test('resets are believed, both ways: they are signed', async () => {
  const before = kernelCounters()
  site = openSite()
  const server = await site.host.listen({ port: PORT, md5Key: KEY })
  for (const who of ['us', 'the kernel']) {
    const connection = once(server, 'connection') as Promise<[TunSocket]>
    const { fd } = await peer.call('connect', { host: OURS[4], port: PORT, options: keyed(4, KEY) })
    const [socket] = await connection
    const seen = errorOf(socket)
    if (who === 'us') {
      socket.resetAndDestroy()
      await eventually(
        () => peer.errorOf('receive', { fd }),
        (error) => error === 'ECONNRESET',
      )
    } else {
      await peer.call('set_options', { fd, options: { SO_LINGER: [1, 0] } })
      await peer.call('close', { fd })
      expect(await seen).toBe('ECONNRESET')
    }
  }
  expect(grownOf(MD5, before)).toEqual({})
  expect(grownSince(before).TcpExtTCPMD5Failure ?? 0).toBe(0)
})
