import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MILLISECOND } from '../../src/base/time.ts'
import type { TunSocket } from '../../src/net/index.ts'
import type { TcpConfig } from '../../src/tcp/config.ts'
import { folder } from './helpers.ts'
import { KernelPeer, tshark } from './kernel.ts'
import { KERNELS, OURS, openSite, type Site } from './site.ts'

// The sizes of segments that corks, MSG_MORE and Nagle's algorithm make, ours and Linux's side by side in one capture: both follow
// Minshall's change of Nagle's rule (RFC 9293 §3.7.4, §A.3). Each conversation has a port of its own.
const OUT = folder()
const PCAP = OUT.file('segments.pcapng')
const peer = new KernelPeer()
let site: Site
let rows: string[][] = []
// Acknowledgements that come late, so that there is something to wait for.
const LATE: Partial<TcpConfig> = { delayedAck: 'fixed', delayedAckUs: 100 * MILLISECOND, ackEverySegments: 10 }

/** Our socket sends to the kernel, whose acknowledgements are late. */
async function oursOn(port: number, tcp: Partial<TcpConfig> = {}): Promise<TunSocket> {
  const { accepted } = await peer.acceptOn(KERNELS[4], port)
  const socket = await site.host.connect({ host: KERNELS[4], port, tcp })
  await peer.call('set_options', { fd: (await accepted).fd, options: { TCP_QUICKACK: 0 } })
  return socket
}

/** The kernel sends to ours, whose acknowledgements are late. */
async function kernelsOn(port: number, options: object = {}): Promise<number> {
  const server = await site.host.listen({ port, tcp: LATE })
  const connection = once(server, 'connection') as Promise<[TunSocket]>
  const { fd } = await peer.call('connect', { host: OURS[4], port, options })
  const [socket] = await connection
  socket.resume().on('error', () => {})
  return fd
}

async function ourTurns(socket: TunSocket, ...lengths: number[]): Promise<void> {
  for (const length of lengths) {
    socket.write(Buffer.alloc(length))
    await pause(2)
  }
}

async function kernelTurns(fd: number, ...lengths: number[]): Promise<void> {
  for (const length of lengths) await peer.call('send', { fd, length })
}

beforeAll(async () => {
  site = openSite({ pcap: PCAP })
  const corked = (await oursOn(5701)).configure({ cork: true })
  await ourTurns(corked, 2000, 100)
  corked.configure({ cork: false })
  const fd = await kernelsOn(5702, { TCP_CORK: 1 })
  await kernelTurns(fd, 2000, 100)
  await peer.call('set_options', { fd, options: { TCP_CORK: 0 } })

  const more = await oursOn(5703)
  for (const length of [100, 200]) {
    more.writeMore(Buffer.alloc(length))
    await pause(2)
  }
  more.write(Buffer.alloc(300))
  const moreFd = await kernelsOn(5704)
  for (const length of [100, 200]) await peer.call('send', { fd: moreFd, length, more: true })
  await peer.call('send', { fd: moreFd, length: 300 })

  await ourTurns(await oursOn(5705), 100, 200, 300)
  await kernelTurns(await kernelsOn(5706), 100, 200, 300)
  await ourTurns(await oursOn(5707), 1548)
  await kernelTurns(await kernelsOn(5708), 1548)
  await ourTurns(await oursOn(5709, { nagleVariant: 'rfc' }), 1548)
  await ourTurns((await oursOn(5711)).setNoDelay(), 100, 200, 300)
  await kernelTurns(await kernelsOn(5712, { TCP_NODELAY: 1 }), 100, 200, 300)
  await pause(250) // what was held back has gone
  await site.stop(0)
  // Late acknowledgements draw probes for a lost tail (RFC 8985 §7), which are left out.
  const filter = 'tcp && !tcp.analysis.retransmission'
  rows = await tshark(PCAP, filter, ['tcp.srcport', 'tcp.dstport', 'tcp.len'])
})
afterAll(async () => {
  await peer.stop()
  OUT.remove()
})

/** The text of each segment to a port, in bytes. */
const lengthsTo = (port: number): number[] =>
  rows.filter(([, to, length]) => Number(to) === port && length !== '0').map(([, , length]) => Number(length))

/** Whether the port's acknowledgement lies between the first segment with text and the second. */
function isAnsweredBetween(port: number): boolean {
  const own = rows.filter(([from, to]) => [Number(from), Number(to)].includes(port))
  const texts = own.flatMap(([, to, length], at) => (Number(to) === port && length !== '0' ? [at] : []))
  return own.slice(texts[0] + 1, texts[1]).some(([from]) => Number(from) === port)
}

test('a cork lets full segments through, and its end the rest: ours and the kernel alike', () => {
  expect(lengthsTo(5701)).toEqual([1448, 652])
  expect(lengthsTo(5702)).toEqual([1448, 652])
})

test('MSG_MORE joins what follows: ours and the kernel alike', () => {
  expect(lengthsTo(5703)).toEqual([600])
  expect(lengthsTo(5704)).toEqual([600])
})

test('small writes wait for the acknowledgement of a small segment (RFC 9293 §3.7.4): ours and the kernel alike', () => {
  for (const port of [5705, 5706]) {
    expect(lengthsTo(port)).toEqual([100, 500])
    expect(isAnsweredBetween(port)).toBe(true)
  }
})

test('a small segment does not wait for a full one (RFC 9293 §A.3), but by the plain rule it does', () => {
  for (const port of [5707, 5708]) {
    expect(lengthsTo(port)).toEqual([1448, 100])
    expect(isAnsweredBetween(port)).toBe(false)
  }
  expect(lengthsTo(5709)).toEqual([1448, 100])
  expect(isAnsweredBetween(5709)).toBe(true)
})

test('TCP_NODELAY: nothing waits (RFC 9293 §3.7.4 [MUST-17])', () => {
  expect(lengthsTo(5711)).toEqual([100, 200, 300])
  expect(lengthsTo(5712)).toEqual([100, 200, 300])
})
