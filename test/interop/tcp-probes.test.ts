import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { MILLISECOND } from '../../src/base/time.ts'
import type { TunSocket } from '../../src/net/index.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import { bytes, folder, sha256 } from './helpers.ts'
import { eventually, grownOf, grownSince, KernelPeer, kernelCounters, NEVER_GROW, ss, tshark } from './kernel.ts'
import { errorOf, OURS, openSite, type Site, tcpOf } from './site.ts'

// Probes of both sides: keep-alive (RFC 9293 §3.8.4) and closed windows (RFC 9293 §3.8.6.1), with timers short enough for a test.
const OUT = folder()
const PORT = 5300
const PCAP = OUT.file('probes.pcapng')
const peer = new KernelPeer()
let site: Site

beforeAll(() => {
  site = openSite({ pcap: PCAP })
})
afterEach(() => {
  site.device.filter = () => true
})
afterAll(async () => {
  await site.stop(0)
  await peer.stop()
  OUT.remove()
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The kernel opens a connection to a server of ours. */
async function accepted(
  options: object,
  tcp: Partial<TcpConfig> = {},
): Promise<{ socket: TunSocket; fd: number; closed: Promise<string> }> {
  const server = await site.host.listen({ port: PORT, tcp })
  const connection = once(server, 'connection') as Promise<[TunSocket]>
  const { fd } = await peer.call('connect', { host: OURS[4], port: PORT, options })
  const [socket] = await connection
  server.close()
  return { socket, fd, closed: errorOf(socket) }
}

const KEEPALIVE = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 2 }
const OURS_ALIVE = {
  keepAlive: true,
  keepAliveIdleUs: 600 * MILLISECOND, // Linux answers such segments once in 500 ms at most
  keepAliveIntervalUs: 200 * MILLISECOND,
  keepAliveCount: 3,
}

describe('keep-alive', () => {
  test('the probes of the kernel are answered by us, ours by the kernel, and both connections live on', async () => {
    const before = kernelCounters()
    const theirs = await accepted(KEEPALIVE)
    const own = await accepted({}, OURS_ALIVE)
    const port = own.socket.remotePort!
    expect(ss(`state established dst ${OURS[4]} and sport = :${theirs.socket.remotePort}`)).toMatch(
      /timer:\(keepalive,/,
    )
    await pause(3400) // more than the two probes that may go unanswered
    expect(grownSince(before)['TcpExtTCPKeepAlive']).toBeGreaterThanOrEqual(3)
    for (const { socket, fd } of [theirs, own]) {
      await peer.call('send', { fd, text: 'still here' })
      const [text] = (await once(socket, 'data')) as [Buffer]
      expect(text.toString()).toBe('still here')
      socket.destroy()
    }
    expect(grownOf(NEVER_GROW, before)).toEqual({})
    await site.stop(0)
    const probes = await tshark(PCAP, `tcp.dstport == ${port} && tcp.analysis.keep_alive`, ['tcp.len'])
    const answers = await tshark(PCAP, `tcp.srcport == ${port} && tcp.analysis.keep_alive_ack`, ['tcp.len'])
    site = openSite({ pcap: PCAP })
    expect(probes.length).toBe(5) // 600 ms apart: each answer begins a new idle time
    expect(probes.every(([length]) => length === '0')).toBe(true) // [SHLD-12]
    expect(answers.length).toBe(probes.length)
  })

  test('a peer that is gone ends our connection with ETIMEDOUT after idle + count * interval', async () => {
    const { socket, closed } = await accepted({}, OURS_ALIVE)
    site.device.filter = () => false
    const from = Date.now()
    socket.resume()
    expect(await closed).toBe('ETIMEDOUT')
    const took = Date.now() - from
    expect(took).toBeGreaterThan(1100) // 1200 ms, counted from the last segment
    expect(took).toBeLessThan(2500)
  })

  test('when we are gone the kernel ends its own', async () => {
    const { socket, fd } = await accepted(KEEPALIVE)
    const before = kernelCounters()
    site.device.filter = () => false
    expect(await peer.errorOf('receive', { fd })).toBe('ETIMEDOUT')
    expect(grownSince(before)['TcpExtTCPAbortOnTimeout']).toBe(1)
    site.device.filter = () => true
    const closed = errorOf(socket)
    socket.resume().write('anybody there?')
    expect(await closed).toBe('ECONNRESET')
  })
})

describe('a closed window', () => {
  test('of the kernel is probed, and filled to the octet when it opens', async () => {
    const before = kernelCounters()
    const text = bytes(3_000_000, 4)
    const { socket, fd } = await accepted({ SO_RCVBUF: 300_000 })
    let probes = 0
    site.device.filter = (packet, way) => {
      if (way === 'out' && tcpOf(packet)?.textLength === 0) probes++
      return true
    }
    socket.write(text)
    await eventually(
      () => probes,
      (seen) => seen >= 2,
    )
    expect(socket.info()!.tcpi_snd_wnd).toBe(0)
    const got = await peer.call('receive_all', { fd, length: text.length })
    expect(got.sha256).toBe(sha256(text))
    // (The second probe comes within the 500 ms in which Linux answers such a segment once; so do Linux's own.)
    expect(
      grownOf(
        NEVER_GROW.filter((name) => name !== 'TcpExtTCPACKSkippedSeq'),
        before,
      ),
    ).toEqual({})
    expect(socket.info()!.tcpi_total_retrans).toBe(0)
    socket.destroy()
  })

  test('of ours is probed by the kernel and answered; when it opens all comes', async () => {
    const before = kernelCounters()
    const { socket, fd } = await accepted({}, { receiveBufferBytes: 20_000 })
    const sending = peer.call('send', { fd, length: 1_000_000 })
    await eventually(
      () => grownSince(before)['TcpExtTCPWinProbe'] ?? 0,
      (seen) => seen >= 2,
    )
    expect(ss(`state established dst ${OURS[4]}`)).toMatch(/timer:\(persist,/)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    const { sha256: hash } = await sending
    await eventually(
      () => socket.bytesRead,
      (seen) => seen === 1_000_000,
    )
    expect(sha256(Buffer.concat(chunks))).toBe(hash)
    expect(grownOf([...NEVER_GROW, 'TcpExtTCPTimeouts'], before)).toEqual({})
    socket.destroy()
  })

  test('probes of ours that go unanswered do not end the connection before R2', async () => {
    const { socket, closed } = await accepted({ SO_RCVBUF: 300_000 }, { retransmitTimeoutUs: 700 * MILLISECOND })
    socket.write(bytes(3_000_000, 4))
    await eventually(
      () => socket.info()!.tcpi_probes,
      (seen) => seen >= 1,
    )
    site.device.filter = (packet, way) => way === 'out' || tcpOf(packet) === null
    socket.resume()
    const from = Date.now()
    expect(await closed).toBe('ETIMEDOUT')
    expect(Date.now() - from).toBeGreaterThan(500)
  })
})

test('what the kernel keeps of a connection that we have aborted is nothing', async () => {
  const { socket, fd } = await accepted({})
  const port = socket.remotePort!
  socket.resetAndDestroy()
  expect(await peer.errorOf('receive', { fd })).toBe('ECONNRESET')
  expect(ss(`dst ${OURS[4]} and sport = :${port} and dport = :${PORT}`)).toBe('')
})
