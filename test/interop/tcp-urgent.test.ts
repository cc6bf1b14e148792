import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { FLAG } from '../../src/tcp/header.ts'
import { bytes, sha256 } from './helpers.ts'
import { eventually, grownOf, KernelPeer, kernelCounters, NEVER_GROW } from './kernel.ts'
import { KERNELS, OURS, openSite, readAll, type Site, tcpOf } from './site.ts'

// Urgent data both ways (RFC 9293 §3.8.5, RFC 6093). Linux, as BSD, takes one byte for urgent, the last one before the pointer, and hands
// it over beside the stream unless SO_OOBINLINE is set; the stream is read up to the mark and then from there. Ours stays in line.
const PORT = 5500
const peer = new KernelPeer()
let site: Site
let before: Record<string, number> = {}

beforeAll(() => {
  site = openSite()
})
afterEach(() => {
  site.device.filter = () => true
})
afterAll(async () => {
  await site.stop(0)
  await peer.stop()
})

const ROLES = ['we open', 'the kernel opens'] as const

/** A connection; ours reads nothing until it is told to. */
async function connect(
  role: (typeof ROLES)[number],
  family: 4 | 6,
  options: object = {},
  tcp: object = {},
): Promise<Link> {
  before = kernelCounters()
  if (role === 'we open') {
    const { accepted } = await peer.acceptOn(KERNELS[family], PORT, options)
    const socket = site.host.socket({ allowHalfOpen: true }).pause()
    await once(socket.connect({ host: KERNELS[family], port: PORT, tcp }), 'connect')
    return { socket, fd: (await accepted).fd }
  }
  const server = await site.host.listen({ port: PORT, allowHalfOpen: true, pauseOnConnect: true, tcp })
  const connection = once(server, 'connection') as Promise<[TunSocket]>
  const { fd } = await peer.call('connect', { host: OURS[family], port: PORT, options })
  const [socket] = await connection
  server.close()
  return { socket, fd }
}

interface Link {
  readonly socket: TunSocket
  readonly fd: number
}

/** Closes both, and looks whether the kernel found anything to complain of. */
async function end({ socket, fd }: Link, but: readonly string[] = []): Promise<void> {
  socket.destroy()
  await peer.call('close', { fd })
  const names = NEVER_GROW.filter((name) => !but.includes(name))
  expect(grownOf(names, before)).toEqual({})
}

const receive = async (fd: number): Promise<string> => (await peer.call('receive', { fd })).text
const isAtMark = async (fd: number): Promise<boolean> => (await peer.call('at_mark', { fd })).done === 1

describe.each(ROLES)('%s', (role) => {
  test.each([4, 6] as const)(
    'IPv%d: the kernel takes the last of our urgent bytes out of the stream',
    async (family) => {
      const link = await connect(role, family)
      const { socket, fd } = link
      await peer.call('own', { fd })
      socket.write('ab')
      socket.writeUrgent(Buffer.from('cd'))
      socket.write('ef')
      expect(await socket.whenAcknowledged()).toBe(true)
      expect((await peer.call('wait_urgent', { fd })).done).toBe(1) // SIGURG
      expect(await isAtMark(fd)).toBe(false)
      expect(await receive(fd)).toBe('abc') // no further than the mark
      expect(await isAtMark(fd)).toBe(true)
      expect((await peer.call('receive_oob', { fd })).text).toBe('d')
      expect(await receive(fd)).toBe('ef')
      expect(await isAtMark(fd)).toBe(false)
      expect(await peer.errorOf('receive_oob', { fd })).toBe('EINVAL') // once
      await end(link)
    },
  )

  test.each([4, 6] as const)('IPv%d: with SO_OOBINLINE it stays, and the mark is before it', async (family) => {
    const link = await connect(role, family)
    const { socket, fd } = link
    await peer.call('set_options', { fd, options: { SO_OOBINLINE: 1 } })
    socket.write('ab')
    socket.writeUrgent(Buffer.from('cd'))
    socket.write('ef')
    expect(await socket.whenAcknowledged()).toBe(true)
    expect(await receive(fd)).toBe('abc')
    expect(await isAtMark(fd)).toBe(true)
    expect(await peer.errorOf('receive_oob', { fd })).toBe('EINVAL')
    expect(await receive(fd)).toBe('def')
    await end(link)
  })

  test('a second urgent byte before the first was read: the mark moves on, the first is text again', async () => {
    const link = await connect(role, 4)
    const { socket, fd } = link
    for (const text of ['1!', '2!']) {
      socket.writeUrgent(Buffer.from(text))
      expect(await socket.whenAcknowledged()).toBe(true)
    }
    expect((await peer.call('receive_oob', { fd })).text).toBe('!')
    expect(await receive(fd)).toBe('1!2')
    await end(link)
  })

  test('our urgent mark goes ahead through a window that the kernel has shut [MUST-66]', async () => {
    const link = await connect(role, 4, { SO_RCVBUF: 100_000 }, { sendBufferBytes: 1 << 22 })
    const { socket, fd } = link
    const text = bytes(1_000_000, 5)
    socket.write(text)
    await eventually(
      () => socket.info()!.tcpi_snd_wnd,
      (seen) => seen < 1448,
      2000,
    )
    let emptyUrgent = 0
    site.device.filter = (packet, way) => {
      const segment = way === 'out' ? tcpOf(packet) : null
      if (segment !== null && (segment.flags & FLAG.URG) !== 0 && segment.textLength === 0) emptyUrgent++
      return true
    }
    await peer.call('own', { fd })
    socket.writeUrgent(Buffer.from('!'))
    await eventually(
      async () => (await peer.call('signals')).done,
      (seen) => seen > 0,
    )
    expect(emptyUrgent).toBeGreaterThan(0)
    expect(await isAtMark(fd)).toBe(false)
    expect(await peer.errorOf('receive_oob', { fd })).toBe('EAGAIN') // told of, not here yet
    const got = await peer.call('receive_all', { fd, length: text.length })
    expect(got.sha256).toBe(sha256(text))
    await peer.call('wait_urgent', { fd })
    expect(await isAtMark(fd)).toBe(true)
    expect((await peer.call('receive_oob', { fd })).text).toBe('!')
    await end(link, ['TcpExtTCPACKSkippedSeq']) // probes: see tcp-probes.test.ts
  })

  test.each([4, 6] as const)(
    "IPv%d: the kernel's urgent byte is told, and a read of ours stops behind it",
    async (family) => {
      const link = await connect(role, family)
      const { socket, fd } = link
      const told = once(socket, 'urgent')
      await peer.call('send', { fd, text: 'before' })
      await peer.call('send', { fd, text: '!', oob: true })
      expect(await told).toEqual([7]) // RCV.UP is behind the byte, as Linux sends it and [MUST-62] has it
      await peer.call('send', { fd, text: 'after' })
      await peer.call('shutdown', { fd })
      await eventually(
        () => socket.info()!.tcpi_state,
        (seen) => seen === 'CLOSE-WAIT',
      )
      const chunks: string[] = []
      socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
      socket.resume()
      await once(socket, 'end')
      expect(chunks).toEqual(['before!', 'after'])
      await end(link)
    },
  )

  test("the kernel's urgent mark comes ahead through a window that we have shut", async () => {
    const link = await connect(role, 4, { SO_SNDBUFFORCE: 1 << 22 }, { receiveBufferBytes: 20_000 })
    const { socket, fd } = link
    const { sha256: hash } = await peer.call('send', { fd, length: 40_000 })
    await pause(50)
    const told = once(socket, 'urgent')
    await peer.call('send', { fd, text: '!', oob: true })
    const [left] = (await told) as [number]
    expect(left).toBe(40_001)
    await peer.call('shutdown', { fd })
    const text = await readAll(socket.resume())
    expect([text.length, sha256(text.subarray(0, 40_000)), text.at(-1)]).toEqual([40_001, hash, 0x21])
    await end(link)
  })
})
