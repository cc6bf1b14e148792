import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import type { TunSocket } from '../../src/net/index.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import { bytes, MIB, sha256 } from './helpers.ts'
import { eventually, grownOf, grownSince, KernelPeer, kernelCounters, NEVER_GROW } from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, readAll, type Site } from './site.ts'

// How long a connection waits for a silent peer, what a close waits for, and settings changed while it works: against Linux's
// TCP_USER_TIMEOUT and SO_LINGER (RFC 9293 §3.8.3, §3.6.1).
const PORT = 5600
const peer = new KernelPeer()
let site: Site

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

interface Link {
  readonly socket: TunSocket
  readonly fd: number
}

async function connect(
  role: (typeof ROLES)[number],
  options: object = {},
  tcp: Partial<TcpConfig> = {},
): Promise<Link> {
  if (role === 'we open') {
    const { accepted } = await peer.acceptOn(KERNELS[4], PORT, options)
    const socket = await site.host.connect({ host: KERNELS[4], port: PORT, allowHalfOpen: true, tcp })
    return { socket, fd: (await accepted).fd }
  }
  const server = await site.host.listen({ port: PORT, allowHalfOpen: true, tcp })
  const connection = once(server, 'connection') as Promise<[TunSocket]>
  const { fd } = await peer.call('connect', { host: OURS[4], port: PORT, options })
  const [socket] = await connection
  server.close()
  return { socket, fd }
}

const silence = (): void => {
  site.device.filter = () => false
}

/** How long something takes, in milliseconds. */
async function took(what: Promise<unknown>): Promise<number> {
  const from = performance.now()
  await what
  return performance.now() - from
}

describe.each(ROLES)('%s', (role) => {
  test('our user timeout ends a connection whose peer is silent with ETIMEDOUT', async () => {
    const { socket, fd } = await connect(role)
    const failed = errorOf(socket)
    socket.resume().configure({ userTimeoutUs: 700 * MILLISECOND })
    silence()
    socket.write('anybody there?')
    const ms = await took(failed)
    expect(await failed).toBe('ETIMEDOUT')
    expect(ms).toBeGreaterThan(690)
    expect(ms).toBeLessThan(1500)
    await peer.call('close', { fd })
  })

  test("the kernel's TCP_USER_TIMEOUT ends its own when we are silent, and what it sends then is answered with a reset", async () => {
    const { socket, fd } = await connect(role)
    await peer.call('set_options', { fd, options: { TCP_USER_TIMEOUT: 700 } })
    const before = kernelCounters()
    silence()
    await peer.call('send', { fd, text: 'anybody there?' })
    expect(await peer.errorOf('receive', { fd })).toBe('ETIMEDOUT')
    expect(grownSince(before)['TcpExtTCPAbortOnTimeout']).toBe(1)
    site.device.filter = () => true
    const failed = errorOf(socket)
    socket.resume().write('I am')
    expect(await failed).toBe('ECONNRESET')
  })

  test('our lingerUs 0: the kernel reads ECONNRESET; SO_LINGER 0 of the kernel: we do', async () => {
    const ours = await connect(role, {}, { lingerUs: 0 })
    const closed = errorOf(ours.socket)
    ours.socket.write('thrown away')
    ours.socket.destroy()
    expect(await peer.errorOf('receive', { fd: ours.fd })).toBe('ECONNRESET')
    expect(await closed).toBe('')
    const theirs = await connect(role)
    const failed = errorOf(theirs.socket)
    theirs.socket.resume()
    await peer.call('set_options', { fd: theirs.fd, options: { SO_LINGER: [1, 0] } })
    await peer.call('close', { fd: theirs.fd })
    expect(await failed).toBe('ECONNRESET')
  })

  test('a close of ours that lingers tells when the kernel has everything', async () => {
    const before = kernelCounters()
    const { socket, fd } = await connect(role, {}, { lingerUs: 5 * SECOND })
    socket.write(bytes(50_000, 6))
    socket.destroy()
    expect(await socket.whenLingered()).toBe('acknowledged')
    const got = await peer.call('receive_all', { fd })
    expect(got.sha256).toBe(sha256(bytes(50_000, 6)))
    await peer.call('close', { fd })
    expect(grownOf(NEVER_GROW, before)).toEqual({})
  })
})

test('a close of ours that lingers in vain tells so, and goes on; the text arrives later', async () => {
  const { socket, fd } = await connect('we open', {}, { lingerUs: 300 * MILLISECOND })
  silence()
  socket.write('late')
  socket.destroy()
  expect(await took(socket.whenLingered())).toBeGreaterThan(290)
  expect(await socket.whenLingered()).toBe('expired')
  site.device.filter = () => true
  expect((await peer.call('receive_all', { fd })).bytes).toBe(4)
  await peer.call('close', { fd })
})

test("the kernel's close that lingers waits for our acknowledgement, or for its time", async () => {
  const { socket, fd } = await connect('the kernel opens')
  const reading = readAll(socket)
  await peer.call('set_options', { fd, options: { SO_LINGER: [1, 1] } })
  silence()
  await peer.call('send', { fd, text: 'late' })
  expect(await took(peer.call('close', { fd }))).toBeGreaterThan(900)
  site.device.filter = () => true
  expect((await reading).toString()).toBe('late')
  socket.destroy()
})

test('a shut window: our user timeout counts while probes are answered, and so does TCP_USER_TIMEOUT', async () => {
  const ours = await connect('we open', { SO_RCVBUF: 50_000 }, { userTimeoutUs: 900 * MILLISECOND })
  const failed = errorOf(ours.socket)
  ours.socket.resume().write(bytes(1_000_000, 5))
  const theirs = await connect(
    'the kernel opens',
    { TCP_USER_TIMEOUT: 900, SO_SNDBUFFORCE: 1 << 22 },
    {
      receiveBufferBytes: 20_000,
    },
  )
  theirs.socket.pause()
  theirs.socket.on('error', () => {})
  await peer.call('send', { fd: theirs.fd, length: 1_000_000 })
  const [ms] = await Promise.all([
    took(failed),
    eventually(
      () => peer.errorOf('send', { fd: theirs.fd, text: '!' }),
      (seen) => seen === 'ETIMEDOUT' || seen === 'EPIPE',
    ),
  ])
  expect(await failed).toBe('ETIMEDOUT')
  expect(ms).toBeLessThan(3000)
  theirs.socket.destroy()
})

test('another congestion controller while 30 MiB are on their way to the kernel: every byte arrives', async () => {
  const before = kernelCounters()
  const { socket, fd } = await connect('we open')
  const text = bytes(30 * MIB, 8)
  const got = peer.call('receive_all', { fd })
  const used: string[] = []
  const order = ['reno', 'bbr', 'dctcp', 'newreno', 'cubic', 'bbr']
  for (let at = 0; at < text.length; at += 5 * MIB) {
    await new Promise((resolve) => socket.write(text.subarray(at, at + 5 * MIB), resolve))
    socket.configure({ congestion: order[at / (5 * MIB)] })
    await eventually(
      () => socket.info()!.congestion,
      (seen) => seen === order[at / (5 * MIB)],
    )
    used.push(socket.info()!.congestion)
  }
  socket.end()
  expect(used).toEqual(order)
  expect(await got).toMatchObject({ bytes: text.length, sha256: sha256(text) })
  socket.destroy()
  await peer.call('close', { fd })
  expect(grownOf(NEVER_GROW, before)).toEqual({})
})
