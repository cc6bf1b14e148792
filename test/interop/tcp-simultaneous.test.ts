import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Packet } from '../../src/link/device.ts'
import { FLAG } from '../../src/tcp/header.ts'
import { bytes, sha256 } from './helpers.ts'
import { eventually, grownOf, KernelPeer, kernelCounters, NEVER_GROW, ss } from './kernel.ts'
import { errorOf, KERNELS, OURS, openSite, readAll, type Site, tcpOf } from './site.ts'

// Both sides open at once (RFC 9293 §3.5, figure 7 [MUST-10]): the kernel and we, each from the port that the other connects to.
const peer = new KernelPeer()
let site: Site

beforeAll(() => {
  site = openSite()
})
afterAll(async () => {
  await site.stop(0)
  await peer.stop()
})

// The kernel's SYN is on its way while ours is sent. Its SYN,ACK, the answer to ours, comes right behind it, or is lost.
test.each([
  [4, 'comes', 5600],
  [6, 'comes', 5601],
  [4, 'is lost', 5602],
  [6, 'is lost', 5603],
] as const)("IPv%d: two SYNs that cross make one connection; the kernel's SYN,ACK %s", async (family, answer, ours) => {
  const kernels = ours + 100
  const before = kernelCounters()
  const late: Packet[] = []
  const seen: string[] = []
  site.device.filter = (packet, way) => {
    const { flags } = tcpOf(packet) ?? { flags: 0 }
    if ((flags & FLAG.SYN) === 0) return true
    const isAnswer = (flags & FLAG.ACK) !== 0
    seen.push(`${way} ${isAnswer ? 'SYN,ACK' : 'SYN'}`)
    if (way === 'out') return true
    if (isAnswer) {
      site.device.late.push(...late.splice(0))
      return answer === 'comes'
    }
    late.push(packet.clone())
    return false
  }
  const connecting = peer.call('connect', { host: OURS[family], port: ours, bind: [KERNELS[family], kernels] })
  await eventually(
    () => late.length,
    (count) => count === 1,
  )
  const socket = await site.host.connect({ host: KERNELS[family], port: kernels, localPort: ours, allowHalfOpen: true })
  const { fd } = await connecting
  const ends = answer === 'comes' ? [] : ['out SYN,ACK'] // in one batch there is nothing to say between the two
  expect(seen).toEqual(['in SYN', 'out SYN', 'in SYN,ACK', ...ends])
  const lines = ss(`sport = :${kernels}`).split('\n')
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['ESTAB'])
  expect(lines[0]).toMatch(/ ts sack .*wscale:10,/)

  const text = bytes(300_000, family)
  const reading = readAll(socket)
  const closed = errorOf(socket)
  socket.end(text)
  expect((await peer.call('receive_all', { fd })).sha256).toBe(sha256(text))
  const { sha256: hash } = await peer.call('send', { fd, length: 300_000 })
  await peer.call('close', { fd })
  expect(sha256(await reading)).toBe(hash)
  expect(await closed).toBe('')
  expect(grownOf([...NEVER_GROW, 'TcpExtTCPSynRetrans', 'TcpOutRsts', 'TcpEstabResets'], before)).toEqual({})
})
