import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { bytes, sha256 } from './helpers.ts'
import { eventually, grownOf, grownSince, KernelPeer, kernelCounters, NEVER_GROW, ss } from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, readAll, type Site } from './site.ts'

// How connections end, as an application of the kernel's sees it (RFC 9293 §3.6, §3.10.5).
const PORT = 5400
const peer = new KernelPeer()
let site: Site

beforeAll(() => {
  site = openSite()
})
afterAll(async () => {
  await site.stop(0)
  await peer.stop()
})

interface Link {
  readonly socket: TunSocket
  readonly fd: number
  /** The kernel's port. */
  readonly port: number
}

const ROLES = ['we open', 'the kernel opens'] as const

async function connect(role: (typeof ROLES)[number], family: 4 | 6 = 4, options: object = {}): Promise<Link> {
  if (role === 'we open') {
    const { accepted } = await peer.acceptOn(KERNELS[family], PORT, options)
    const socket = await site.host.connect({ host: KERNELS[family], port: PORT, allowHalfOpen: true })
    return { socket, fd: (await accepted).fd, port: PORT }
  }
  const server = await site.host.listen({ port: PORT, allowHalfOpen: true })
  const connection = once(server, 'connection') as Promise<[TunSocket]>
  const { fd } = await peer.call('connect', { host: OURS[family], port: PORT, options })
  const [socket] = await connection
  server.close()
  return { socket, fd, port: socket.remotePort! }
}

/** The kernel's state of its end: '' when it has none. */
function kernelState({ socket, port }: Link): string {
  const ours = socket.localPort ?? PORT
  return ss(`sport = :${port} and dport = :${ours}`).split(/\s/)[0]
}

describe.each(ROLES)('%s', (role) => {
  test('close with unread text: the kernel reads ECONNRESET (RFC 9293 §3.6.1 [SHLD-3])', async () => {
    const link = await connect(role)
    link.socket.pause()
    await peer.call('send', { fd: link.fd, length: 100_000 })
    const before = kernelCounters()
    await eventually(
      () => ss(`sport = :${link.port} and dport = :${link.socket.localPort}`),
      (seen) => /^ESTAB +0 +0 /.test(seen),
    )
    link.socket.destroy()
    expect(await peer.errorOf('receive', { fd: link.fd })).toBe('ECONNRESET')
    expect(grownSince(before)['TcpEstabResets']).toBe(1)
    expect(kernelState(link)).toBe('')
  })

  test('our abort: the kernel reads ECONNRESET, and then the end; its next write is EPIPE', async () => {
    const link = await connect(role)
    link.socket.resetAndDestroy()
    expect(await peer.errorOf('receive', { fd: link.fd })).toBe('ECONNRESET')
    expect((await peer.call('receive', { fd: link.fd })).text).toBe('')
    expect(await peer.errorOf('send', { fd: link.fd, text: 'x' })).toBe('EPIPE')
  })

  test('our abort with text in flight and queued: none of the rest is waited for', async () => {
    const link = await connect(role)
    link.socket.on('error', () => {})
    link.socket.write(bytes(4_000_000))
    await eventually(
      () => link.socket.info()!.tcpi_snd_wnd,
      (seen) => seen < 100_000,
    )
    link.socket.resetAndDestroy()
    expect(await peer.errorOf('receive_all', { fd: link.fd })).toBe('ECONNRESET')
  })

  test("the kernel's abort (SO_LINGER 0): our reader gets ECONNRESET", async () => {
    const { socket, fd } = await connect(role)
    const closed = errorOf(socket)
    socket.resume()
    await peer.call('set_options', { fd, options: { SO_LINGER: [1, 0] } })
    await peer.call('close', { fd })
    expect(await closed).toBe('ECONNRESET')
  })

  test("the kernel's close with unread text: our side gets ECONNRESET", async () => {
    const { socket, fd } = await connect(role)
    const closed = errorOf(socket)
    socket.resume().write(bytes(10_000))
    expect(await socket.whenAcknowledged()).toBe(true)
    await peer.call('close', { fd })
    expect(await closed).toBe('ECONNRESET')
  })

  test.each([4, 6] as const)('IPv%d: we half-close, the kernel goes on sending and then ends', async (family) => {
    const before = kernelCounters()
    const link = await connect(role, family)
    link.socket.end('the last of ours')
    expect((await peer.call('receive_all', { fd: link.fd })).bytes).toBe(16)
    expect(kernelState(link)).toBe('CLOSE-WAIT')
    await eventually(
      () => link.socket.info()!.tcpi_state,
      (seen) => seen === 'FIN-WAIT-2',
    )
    const reading = readAll(link.socket)
    const { sha256: hash } = await peer.call('send', { fd: link.fd, length: 300_000 })
    await peer.call('close', { fd: link.fd })
    expect(sha256(await reading)).toBe(hash)
    await eventually(
      () => kernelState(link),
      (seen) => seen === '',
    ) // our last acknowledgement has come
    expect(grownOf(NEVER_GROW, before)).toEqual({})
  })

  test.each([4, 6] as const)('IPv%d: the kernel half-closes, we go on sending and then end', async (family) => {
    const before = kernelCounters()
    const link = await connect(role, family)
    const text = bytes(300_000, 9)
    const reading = readAll(link.socket)
    await peer.call('send', { fd: link.fd, text: 'the last of mine' })
    await peer.call('shutdown', { fd: link.fd })
    expect((await reading).toString()).toBe('the last of mine')
    await eventually(
      () => kernelState(link),
      (seen) => seen === 'FIN-WAIT-2',
    )
    link.socket.end(text)
    expect((await peer.call('receive_all', { fd: link.fd })).sha256).toBe(sha256(text))
    await eventually(
      () => kernelState(link),
      (seen) => seen === 'TIME-WAIT',
    )
    await peer.call('close', { fd: link.fd })
    expect(grownOf(NEVER_GROW, before)).toEqual({})
  })

  test('both end at the same time (RFC 9293 §3.6, figure 13)', async () => {
    const before = kernelCounters()
    const link = await connect(role)
    const closed = errorOf(link.socket)
    site.device.filter = () => false // the FINs cross: neither end hears of the other's before it has sent its own
    link.socket.resume().end()
    await peer.call('shutdown', { fd: link.fd })
    await eventually(
      () => `${kernelState(link)} ${link.socket.info()!.tcpi_state}`,
      (seen) => seen === 'FIN-WAIT-1 FIN-WAIT-1',
    )
    site.device.filter = () => true
    expect(await closed).toBe('')
    expect((await peer.call('receive_all', { fd: link.fd })).bytes).toBe(0)
    await peer.call('close', { fd: link.fd })
    expect(grownOf(NEVER_GROW, before)).toEqual({})
  })

  test('text that comes after our complete close is answered with a reset (RFC 9293 §3.6.1)', async () => {
    const { socket, fd } = await connect(role)
    socket.destroy()
    expect((await peer.call('receive', { fd })).text).toBe('') // our FIN
    await peer.call('send', { fd, text: 'anyone?' })
    await eventually(
      () => peer.errorOf('send', { fd, text: 'anyone?' }),
      (seen) => seen === 'EPIPE' || seen === 'ECONNRESET',
    )
  })
})

test('urgent text (MSG_OOB) arrives in line with the rest (RFC 9293 §3.8.5)', async () => {
  const before = kernelCounters()
  const { socket, fd } = await connect('the kernel opens')
  const reading = readAll(socket)
  await peer.call('send', { fd, text: 'before' })
  await peer.call('send', { fd, text: '!', oob: true })
  await peer.call('send', { fd, text: 'after' })
  await peer.call('shutdown', { fd })
  expect((await reading).toString()).toBe('before!after')
  socket.end()
  await peer.call('receive_all', { fd })
  await peer.call('close', { fd })
  expect(grownOf(NEVER_GROW, before)).toEqual({})
})

test('a port that nobody listens on: the kernel is refused, and we are', async () => {
  expect(await peer.errorOf('connect', { host: OURS[4], port: 5999 })).toBe('ECONNREFUSED')
  expect(await peer.errorOf('connect', { host: OURS[6], port: 5999 })).toBe('ECONNREFUSED')
  await expect(site.host.connect({ host: KERNELS[4], port: 5999 })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await expect(site.host.connect({ host: KERNELS[6], port: 5999 })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})
