// Pings of every size between Linux and us, fragments and all: `ping -s` puts them together and compares every byte.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Packet } from '../../src/link/device.ts'
import { folder, run } from './helpers.ts'
import { MALFORMED, tshark } from './kernel.ts'
import { KERNELS, OURS, openSite, type Site } from './site.ts'

const OUT = folder()
const PCAP = OUT.file('fragments.pcapng')
const SIZES = [0, 16, 56, 1452, 1453, 1472, 1473, 2952, 2953, 8000, 30_000, 65_506, 65_507]
let site: Site

beforeAll(() => {
  site = openSite({ pcap: PCAP })
})
afterAll(() => OUT.remove())

async function linuxPings(family: 4 | 6, size: number): Promise<string> {
  const { text, stderr } = await run('ping', [
    `-${family}`,
    '-n',
    '-c',
    '2',
    '-i',
    '0.05',
    '-W',
    '3',
    '-s',
    String(size),
    OURS[family],
  ])
  return `${text}\n${stderr}`
}

describe.each([4, 6] as const)('IPv%i', (family) => {
  test.each(SIZES)('Linux pings us with %i bytes (RFC 1122 §3.2.2.6, RFC 4443 §4.2)', async (size) => {
    const text = await linuxPings(family, size)
    expect(text).toContain('2 packets transmitted, 2 received, 0% packet loss')
    expect(text).not.toContain('wrong data byte')
    expect(text).not.toContain('truncated')
  })

  test('we ping Linux, in all sizes', async () => {
    for (const payloadBytes of SIZES) {
      await expect(site.host.ping(KERNELS[family], { payloadBytes, timeoutMs: 3000 })).resolves.toBeGreaterThan(0)
    }
  })

  test('fragments that come in the opposite order make the same datagram (RFC 815 §3)', async () => {
    const held: Packet[] = []
    const isFragment = ({ bytes, start }: Packet) =>
      bytes[start] >>> 4 === 4 ? (bytes[start + 6] & 0x3f) !== 0 || bytes[start + 7] !== 0 : bytes[start + 6] === 44
    const isLast = ({ bytes, start }: Packet) =>
      bytes[start] >>> 4 === 4 ? (bytes[start + 6] & 0x20) === 0 : (bytes[start + 43] & 1) === 0
    site.device.filter = (packet, direction) => {
      if (direction === 'out' || !isFragment(packet)) return true
      held.push(packet.clone())
      if (isLast(packet)) site.device.late.push(...held.splice(0).reverse())
      return false
    }
    const before = site.host.stack.ip.counters.reassembled
    const text = await linuxPings(family, 20_000)
    expect(text).toContain('2 packets transmitted, 2 received, 0% packet loss')
    expect(text).not.toContain('wrong data byte')
    expect(site.host.stack.ip.counters.reassembled).toBe(before + 2)
    site.device.filter = () => true
  })
})

test('in a capture tshark finds nothing amiss', async () => {
  await site.stop()
  const here = `(ip.src == ${OURS[4]} || ipv6.src == ${OURS[6]})`
  expect(
    await tshark(PCAP, `${here} && (${MALFORMED} || icmp.checksum.status == 0 || icmpv6.checksum.status == 0)`),
  ).toEqual([])
  expect(await tshark(PCAP, `${here} && (ip.fragment.error || ipv6.fragment.error)`)).toEqual([])
  expect(await tshark(PCAP, `${here} && (ip.fragment.overlap || ipv6.fragment.overlap)`)).toEqual([])
})
