import { once } from 'node:events'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TunSocket } from '../../src/net/index.ts'
import { FLAG, type SegmentHeader } from '../../src/tcp/header.ts'
import { bytes, sha256 } from './helpers.ts'
import { grownOf, KernelPeer, kernelCounters, NEVER_GROW } from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, readAll, type Site, tcpOf } from './site.ts'

// A program that is busy with other things for longer than a timeout: what has come meanwhile is looked at before the clock is.
const PORT = 5900
const peer = new KernelPeer()
let site: Site

beforeEach(() => {
  site = openSite()
})
afterEach(() => site.stop(0))
afterAll(() => peer.stop())

/** Holds up the event loop. */
function busy(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** Holds it up as soon as the next packet of that kind has been sent, before the answer is read. */
function busyAfter(isIt: (segment: SegmentHeader) => boolean): void {
  let isOver = false
  site.device.filter = (packet, way) => {
    const segment = way === 'out' && !isOver ? tcpOf(packet) : null
    if (segment === null || !isIt(segment)) return true
    isOver = true
    process.nextTick(() => busy(400))
    return true
  }
}

describe('a pause of 400 ms', () => {
  test.each([1000, 14_480, 20_000_000])('after %d bytes were written sends nothing twice', async (length) => {
    const { accepted } = await peer.acceptOn(KERNELS[4], PORT)
    const before = kernelCounters()
    const socket = await site.host.connect({ host: KERNELS[4], port: PORT })
    const { fd } = await accepted
    const closed = errorOf(socket)
    const text = bytes(length, 4)
    busyAfter(({ textLength }) => textLength > 0)
    socket.resume().end(text)
    const got = await peer.call('receive_all', { fd })
    expect(got.sha256).toBe(sha256(text))
    await peer.call('close', { fd })
    expect(await closed).toBe('')
    expect(socket.info()!.tcpi_total_retrans).toBe(0)
    expect(
      grownOf([...NEVER_GROW, 'TcpExtTCPDSACKOldSent', 'TcpExtTCPDSACKOfoSent', 'TcpExtDelayedACKLost'], before),
    ).toEqual({})
  })

  test('after a SYN was sent sends no second one', async () => {
    const { accepted } = await peer.acceptOn(KERNELS[4], PORT)
    busyAfter(({ flags }) => (flags & FLAG.SYN) !== 0)
    const socket = await site.host.connect({ host: KERNELS[4], port: PORT, tcp: { initialRtoUs: 200_000 } })
    expect(socket.info()!.tcpi_total_retrans).toBe(0)
    socket.destroy()
    await peer.call('close', { fd: (await accepted).fd })
  })

  test('of a receiver loses nothing', async () => {
    const server = await site.host.listen({ port: PORT })
    const connection = once(server, 'connection') as Promise<[TunSocket]>
    const { fd } = await peer.call('connect', { host: OURS[4], port: PORT })
    const [socket] = await connection
    const reading = readAll(socket)
    const sending = peer.call('send', { fd, length: 5_000_000 })
    await once(socket, 'data')
    busy(400)
    const { sha256: hash } = await sending
    await peer.call('shutdown', { fd })
    expect(sha256(await reading)).toBe(hash)
    server.close()
  })
})
