import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { folder } from './helpers.ts'
import {
  eventually,
  grownOf,
  grownSince,
  KernelPeer,
  kernelCounters,
  MALFORMED,
  NEVER_GROW,
  sh,
  tshark,
} from './kernel.ts'
import { KERNELS, OURS, openSite, type Site } from './site.ts'

// TCP Fast Open (RFC 7413) with Linux in either role: cookies asked for, given and kept, text in the SYN, cookies that are no longer good.
const FAST_OPEN = '/proc/sys/net/ipv4/tcp_fastopen'
const KEY = '/proc/sys/net/ipv4/tcp_fastopen_key'
const OUT = folder()
const peer = new KernelPeer()
const before = readFileSync(FAST_OPEN, 'utf8')
let port = 5700
let pcap = ''
let site: Site

beforeAll(() => writeFileSync(FAST_OPEN, '3'))
beforeEach(() => {
  port++
  pcap = join(OUT.path, `${port}.pcapng`)
  site = openSite({ pcap, tcp: { fastOpen: true } })
})
afterEach(async () => {
  await site.stop(0)
  sh('ip tcp_metrics flush') // the kernel's cookies
})
afterAll(async () => {
  await peer.stop()
  OUT.remove()
  writeFileSync(FAST_OPEN, before)
})

/** Of each SYN and SYN,ACK in the capture: who asks for a cookie, who has one, bytes of text. */
async function handshakes(): Promise<string[]> {
  await site.stop(500)
  expect(await tshark(pcap, MALFORMED)).toEqual([])
  const fields = ['tcp.flags.ack', 'tcp.options.tfo.request', 'tcp.options.tfo.cookie', 'tcp.len', 'tcp.ack']
  const rows = await tshark(pcap, 'tcp.flags.syn==1', fields)
  return rows.map(([ack, asks, cookie, length, acked]) => {
    const isAck = ack === '1' || ack === 'True'
    const option = cookie ? ' cookie' : asks ? ' asks' : ''
    return isAck ? `SYN,ACK ${acked}${option}` : `SYN${option} +${length}`
  })
}

const grown = (since: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(grownSince(since)).filter(([name]) => name.includes('FastOpen')))

/** Of ours, those that are not 0. */
const counted = (): Record<string, number> =>
  Object.fromEntries(
    Object.entries(site.host.stack.tcp.counters).filter(([name, n]) => name.includes('FastOpen') && n !== 0),
  )

describe.each([4, 6] as const)('IPv%d', (family) => {
  /** Our client asks, the kernel's server answers. */
  async function ask(listening: number, text: string): Promise<void> {
    const socket = site.host.createConnection({ host: KERNELS[family], port })
    socket.write(text)
    const closed = once(socket, 'close')
    const { fd } = await peer.call('accept', { fd: listening })
    const answer = once(socket, 'data') as Promise<[Buffer]>
    expect((await peer.call('receive', { fd })).text).toBe(text)
    await peer.call('send', { fd, text: `${text}!` })
    expect(String((await answer)[0])).toBe(`${text}!`)
    socket.end()
    const rest = await peer.call('receive_all', { fd })
    expect(rest.bytes, 'text that came twice').toBe(0)
    await peer.call('close', { fd })
    await closed
  }

  test("our client asks for a cookie, then its text goes with the SYN; the kernel's server takes it", async () => {
    const since = kernelCounters()
    const { fd } = await peer.call('listen', { host: KERNELS[family], port, options: { TCP_FASTOPEN: 16 } })
    await ask(fd, 'first')
    await ask(fd, 'second text')
    expect(grown(since)).toEqual({ TcpExtTCPFastOpenCookieReqd: 1, TcpExtTCPFastOpenPassive: 1 })
    expect(counted()).toEqual({ TcpExtTCPFastOpenActive: 1 })
    expect(grownOf(NEVER_GROW, since)).toEqual({})
    await peer.call('close', { fd })
    expect(await handshakes()).toEqual(['SYN asks +0', 'SYN,ACK 1 cookie', 'SYN cookie +11', 'SYN,ACK 12'])
  })

  test('a cookie of ours that the kernel no longer knows: the text goes again, and the fresh cookie is good', async () => {
    const { fd } = await peer.call('listen', { host: KERNELS[family], port, options: { TCP_FASTOPEN: 16 } })
    await ask(fd, 'first')
    writeFileSync(KEY, `0-0-0-${(port + 1).toString(16)}`)
    const since = kernelCounters()
    await ask(fd, 'second')
    await ask(fd, 'third')
    expect(grown(since)).toEqual({ TcpExtTCPFastOpenPassiveFail: 1, TcpExtTCPFastOpenPassive: 1 })
    expect(counted()).toEqual({ TcpExtTCPFastOpenActive: 1, TcpExtTCPFastOpenActiveFail: 1 })
    await peer.call('close', { fd })
    expect((await handshakes()).slice(2)).toEqual(['SYN cookie +6', 'SYN,ACK 1 cookie', 'SYN cookie +5', 'SYN,ACK 6'])
  })

  /** A server of ours that answers each text with `!` after it; what each connection has sent. */
  async function serve(): Promise<string[]> {
    const received: string[] = []
    const server = await site.host.listen({ port })
    server.on('connection', (socket: TunSocket) => {
      const index = received.push('') - 1
      socket.on('data', (chunk: Buffer) => {
        received[index] += String(chunk)
        socket.write(`${chunk}!`)
      })
    })
    return received
  }

  /** The kernel's client asks. */
  async function kernelAsks(text: string): Promise<void> {
    const { fd } = await peer.call('fast_open', { host: OURS[family], port, text })
    expect((await peer.call('receive', { fd })).text).toBe(`${text}!`)
    await peer.call('shutdown', { fd })
    expect((await peer.call('receive_all', { fd })).bytes).toBe(0)
    await peer.call('close', { fd })
  }

  test("the kernel's client asks us for a cookie, and its text in the SYN is taken, once", async () => {
    const since = kernelCounters()
    const received = await serve()
    await kernelAsks('first')
    await kernelAsks('second text')
    expect(received).toEqual(['first', 'second text'])
    expect(grown(since)).toEqual({ TcpExtTCPFastOpenActive: 1 })
    expect(counted()).toEqual({ TcpExtTCPFastOpenCookieReqd: 1, TcpExtTCPFastOpenPassive: 1 })
    expect(grownOf(NEVER_GROW, since)).toEqual({})
    expect(await handshakes()).toEqual(['SYN asks +0', 'SYN,ACK 1 cookie', 'SYN cookie +11', 'SYN,ACK 12'])
  })

  test('our key changed once: its cookie is good and replaced; changed twice more: it falls back, and gets a fresh one', async () => {
    const received = await serve()
    const { maker } = site.host.stack.tcp.fastOpen
    await kernelAsks('first')
    const since = kernelCounters()
    maker.rotate()
    await kernelAsks('second')
    expect(grown(since)).toEqual({ TcpExtTCPFastOpenActive: 1 })
    maker.rotate()
    maker.rotate()
    await kernelAsks('third')
    expect(grown(since)).toEqual({ TcpExtTCPFastOpenActive: 1, TcpExtTCPFastOpenActiveFail: 1 })
    await kernelAsks('fourth')
    expect(grown(since)).toEqual({ TcpExtTCPFastOpenActive: 2, TcpExtTCPFastOpenActiveFail: 1 })
    expect(received).toEqual(['first', 'second', 'third', 'fourth'])
    expect((await handshakes()).slice(2)).toEqual([
      'SYN cookie +6',
      'SYN,ACK 7 cookie',
      'SYN cookie +5',
      'SYN,ACK 1 cookie',
      'SYN cookie +6',
      'SYN,ACK 7',
    ])
  })

  test('a SYN,ACK of ours that is lost goes again, and the text is delivered once', async () => {
    const received = await serve()
    await kernelAsks('first')
    let lost = 0
    site.device.filter = (packet, way) => {
      const isSynAck = way === 'out' && (packet.bytes[packet.start + (family === 4 ? 20 : 40) + 13] & 0x12) === 0x12
      return !isSynAck || lost++ > 0
    }
    await kernelAsks('second')
    expect(received).toEqual(['first', 'second'])
    await eventually(
      () => lost,
      (n) => n >= 2,
    )
    await site.stop(500)
  })
})
