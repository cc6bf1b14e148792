import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { completeChecksum, foldedSum, verifyTransportChecksum } from '../../src/link/checksum-offload.ts'
import { HEADROOM, type Packet } from '../../src/link/device.ts'
import { ecnField } from '../../src/link/ecn-mark.ts'
import { impair } from '../../src/link/impair.ts'
import type { Impairment, ImpairmentCounters } from '../../src/link/impairment.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { collect, partialTcp, VirtualScheduler } from './helpers.ts'

/** A TCP packet of 1000 bytes of text with this ECN field, its checksums right. */
function tcpPacket(family: 4 | 6, ecn: number): Packet {
  const packet = partialTcp(family, new Uint8Array(1000).fill(7))
  const { bytes } = packet
  if (family === 4) {
    bytes[HEADROOM + 1] |= 0xb8 | ecn
    bytes[HEADROOM + 10] = bytes[HEADROOM + 11] = 0
    const sum = ~foldedSum(bytes, HEADROOM, HEADROOM + 20)
    bytes[HEADROOM + 10] = sum >> 8
    bytes[HEADROOM + 11] = sum
  } else bytes[HEADROOM + 1] |= 0x80 | (ecn << 4)
  completeChecksum(packet)
  return packet
}

interface Arrived {
  readonly ecn: number
  readonly isRight: boolean
}

/** Sends packets at once; what arrives, and the link's counters. */
function cross(
  out: Impairment,
  packets: readonly Packet[],
): { arrived: Arrived[]; counts: Readonly<ImpairmentCounters> } {
  const scheduler = new VirtualScheduler()
  const [inner, peer] = memoryPair({ scheduler, txQueueLength: 100_000 })
  const device = impair(inner, { scheduler, random: new SeededRandom(1), out })
  const arrived = collect(peer, (packet): Arrived => {
    const { bytes, start } = packet
    const v4 = bytes[start] >>> 4 === 4
    const header = !v4 || foldedSum(bytes, start, start + 20) === 0xffff
    const diffserv = v4 ? bytes[start + 1] & 0xfc : ((bytes[start] & 15) << 4) | ((bytes[start + 1] >> 4) & 0xc)
    const isRight = header && verifyTransportChecksum(packet, v4 ? 20 : 40) && diffserv === (v4 ? 0xb8 : 8)
    return { ecn: ecnField(packet), isRight }
  })
  for (const packet of packets) device.send(packet)
  scheduler.run()
  return { arrived, counts: device.impairmentCounters('out') }
}

const many = (count: number, make: () => Packet): Packet[] => Array.from({ length: count }, make)

describe.each([4, 6] as const)('a link that marks, IPv%i', (family) => {
  test('sets CE on that share of the ECN-capable packets, either codepoint, and leaves all else right (RFC 3168 §5)', () => {
    for (const ecn of [1, 2]) {
      const { arrived, counts } = cross(
        { markRate: 0.25 },
        many(1000, () => tcpPacket(family, ecn)),
      )
      expect(arrived.every(({ isRight }) => isRight)).toBe(true)
      const marked = arrived.filter((packet) => packet.ecn === 3).length
      expect(arrived.filter((packet) => packet.ecn === ecn).length).toBe(1000 - marked)
      expect([counts.marked, counts.unmarkable]).toEqual([marked, 0])
      expect(marked).toBeGreaterThan(200)
      expect(marked).toBeLessThan(300)
    }
  })

  test('drops in their place those that are not ECN-capable (RFC 3168 §5)', () => {
    const { arrived, counts } = cross(
      { markRate: 0.25 },
      many(1000, () => tcpPacket(family, 0)),
    )
    expect(arrived.every((packet) => packet.ecn === 0 && packet.isRight)).toBe(true)
    expect(arrived.length).toBe(1000 - counts.unmarkable)
    expect(counts.unmarkable).toBeGreaterThan(200)
    expect(counts.marked).toBe(0)
  })

  test('marks what finds a longer queue than the threshold, and drops nothing for it (RFC 8257 §3.1)', () => {
    const packets = many(6, () => tcpPacket(family, 2))
    packets.push(tcpPacket(family, 0))
    const { arrived } = cross({ rateBps: 8e6, markThreshold: 4 }, packets)
    expect(arrived.map((packet) => packet.ecn)).toEqual([2, 2, 2, 2, 3, 3, 0])
    expect(arrived.every(({ isRight }) => isRight)).toBe(true)
  })

  test('leaves the sender’s packet as it was', () => {
    const packet = tcpPacket(family, 2)
    expect(cross({ markRate: 1 }, [packet]).arrived).toEqual([{ ecn: 3, isRight: true }])
    expect(ecnField(packet)).toBe(2)
  })
})

test('a packet too short for a header has no ECN field', () => {
  const packet = tcpPacket(4, 3)
  packet.end = packet.start + 10
  expect(ecnField(packet)).toBe(0)
})
