import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { verifyTransportChecksum } from '../../src/link/checksum-offload.ts'
import { NO_OFFLOAD } from '../../src/link/device.ts'
import { type ImpairOptions, impair } from '../../src/link/impair.ts'
import type { Impairment } from '../../src/link/impairment.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { collect, idOf, numbered, partialTcp, VirtualScheduler } from './helpers.ts'

function link(options: Partial<ImpairOptions>, pair: { superSegmentBytes?: number; txQueueLength?: number } = {}) {
  const scheduler = new VirtualScheduler()
  const [inner, peer] = memoryPair({ scheduler, txQueueLength: 100_000, ...pair })
  const device = impair(inner, { scheduler, random: new SeededRandom(1), ...options })
  return { scheduler, device, peer, inner }
}

/** Sends `count` packets at once and returns [id, microseconds] of those that arrived. */
function burst(out: Impairment, count: number, length = 100): { arrived: [number, number][]; taken: boolean[] } {
  const { scheduler, device, peer } = link({ out })
  const arrived = collect(peer, (packet): [number, number] => [idOf(packet), Math.round(scheduler.now())])
  const taken: boolean[] = []
  for (let i = 0; i < count; i++) taken.push(device.send(numbered(i, length)))
  scheduler.run()
  return { arrived, taken }
}

const ids = (arrived: [number, number][]): number[] => arrived.map(([id]) => id)

describe('an impaired link', () => {
  test('without any impairment is as good as the device itself', () => {
    const { arrived } = burst({}, 5)
    expect(arrived).toEqual([0, 1, 2, 3, 4].map((id) => [id, 0]))
  })

  test('does the same to packets that are given away as to those that are lent, and leaves a buffer as large', () => {
    const out = { delayUs: 900, jitterUs: 300, lossRate: 0.1, duplicateRate: 0.2, reorderRate: 0.2, corruptRate: 0.1 }
    const run = (how: 'send' | 'give'): string[] => {
      const { scheduler, device, peer } = link({ out })
      const arrived = collect(
        peer,
        (packet) => `${scheduler.now()} ${Buffer.from(packet.bytes).toString('hex', packet.start, packet.end)}`,
      )
      const own = numbered(0, 400)
      for (let i = 0; i < 200; i++) {
        const { bytes } = numbered(i, 400)
        own.bytes.set(bytes)
        own.end = bytes.length
        device[how]?.(own)
        expect(own.bytes.length).toBeGreaterThanOrEqual(bytes.length)
        scheduler.run(scheduler.now() + 10)
      }
      scheduler.run()
      return arrived
    }
    expect(run('give')).toEqual(run('send'))
  })

  test('what comes goes around it while nothing happens to it, is counted, and not overtaken by what came before', () => {
    const { scheduler, device, peer } = link({ in: { delayUs: 500 } })
    const here = collect(device, (packet) => [idOf(packet), scheduler.now()])
    peer.send(numbered(1))
    scheduler.run(100)
    device.setImpairment('in', {})
    peer.send(numbered(2))
    scheduler.run()
    peer.send(numbered(3))
    scheduler.run()
    expect(here.map(([id]) => id)).toEqual([1, 2, 3])
    expect(device.impairmentCounters('in')).toMatchObject({ offered: 3, delivered: 3 })
    expect(device.counters).toMatchObject({ rxPackets: 3, rxBytes: 300 })
  })

  test('delays each packet by delayUs, both ways', () => {
    const { scheduler, device, peer } = link({ out: { delayUs: 20_000 }, in: { delayUs: 5_000 } })
    const atPeer = collect(peer, (packet) => [idOf(packet), scheduler.now()])
    const here = collect(device, (packet) => [idOf(packet), scheduler.now()])
    device.send(numbered(1))
    peer.send(numbered(2))
    scheduler.schedule(1_000, () => device.send(numbered(3)))
    scheduler.run()
    expect(atPeer).toEqual([
      [1, 20_000],
      [3, 21_000],
    ])
    expect(here).toEqual([[2, 5_000]])
  })

  test('keeps the order under jitter, and stays within its bounds', () => {
    const { scheduler, device, peer } = link({ out: { delayUs: 10_000, jitterUs: 8_000 } })
    const arrived = collect(peer, (packet): [number, number] => [idOf(packet), scheduler.now()])
    for (let i = 0; i < 500; i++) scheduler.schedule(i * 100, () => device.send(numbered(i)))
    scheduler.run()
    expect(ids(arrived)).toEqual(Array.from({ length: 500 }, (_, i) => i))
    const delays = arrived.map(([id, at]) => at - id * 100)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(2_000)
    expect(Math.max(...delays)).toBeLessThanOrEqual(18_000)
    expect(new Set(delays.map(Math.round)).size).toBeGreaterThan(100)
  })

  test('sends at the rate of the bottleneck, one packet after the other', () => {
    const { arrived } = burst({ rateBps: 8e6, delayUs: 1_000 }, 4, 1000) // 1,000 bytes a millisecond
    expect(arrived.map(([, at]) => at)).toEqual([2_000, 3_000, 4_000, 5_000])
  })

  test('drops at the tail of a queue bounded in packets, and says so to the sender', () => {
    const { arrived, taken } = burst({ rateBps: 8e6, queuePackets: 3 }, 5, 1000)
    expect(taken).toEqual([true, true, true, false, false])
    expect(ids(arrived)).toEqual([0, 1, 2])
  })

  test('drops at the tail of a queue bounded in bytes, which drains with time', () => {
    const { scheduler, device, peer } = link({ out: { rateBps: 8e6, queueBytes: 2500 } })
    const arrived = collect(peer, idOf)
    expect([0, 1, 2].map((id) => device.send(numbered(id, 1000)))).toEqual([true, true, false])
    scheduler.run(600)
    expect(device.send(numbered(3, 1000))).toBe(true)
    scheduler.run()
    expect(arrived).toEqual([0, 1, 3])
    expect(device.impairmentCounters('out')).toMatchObject({ offered: 4, delivered: 3, overflowed: 1 })
    expect(device.counters).toMatchObject({ txPackets: 3, txDropped: 1 })
  })

  test('takes a packet larger than the queue when nothing waits', () => {
    expect(burst({ rateBps: 8e6, queueBytes: 100 }, 2, 1000).taken).toEqual([true, false])
  })

  test('loses about as many packets as it was told to, and repeats them for the same seed', () => {
    const first = burst({ lossRate: 0.1 }, 5000)
    expect(first.arrived.length).toBeGreaterThan(4400)
    expect(first.arrived.length).toBeLessThan(4600)
    expect(first.taken.every(Boolean)).toBe(true)
    expect(burst({ lossRate: 0.1 }, 5000).arrived).toEqual(first.arrived)
    expect(burst({ lossRate: 1 }, 10).arrived).toEqual([])
  })

  test('loses the same packets whatever else is switched on', () => {
    const lost = new Set(ids(burst({ lossRate: 0.1 }, 1000).arrived))
    const others = { duplicateRate: 0.2, reorderRate: 0.2, delayUs: 1000, jitterUs: 500, rateBps: 1e9 }
    expect(new Set(ids(burst({ lossRate: 0.1, ...others }, 1000).arrived))).toEqual(lost)
    const duplicates = (out: Impairment): number[] => {
      const arrived = ids(burst(out, 1000).arrived)
      return arrived.filter((id, i) => arrived.indexOf(id) !== i).sort((a, b) => a - b)
    }
    const alone = duplicates({ duplicateRate: 0.2 })
    expect(alone.length).toBeGreaterThan(150)
    expect(duplicates({ duplicateRate: 0.2, lossRate: 0.1 })).toEqual(alone.filter((id) => lost.has(id)))
  })

  test('sends a duplicate right behind its original', () => {
    expect(ids(burst({ duplicateRate: 1, delayUs: 10 }, 3).arrived)).toEqual([0, 0, 1, 1, 2, 2])
  })

  test('lets a reordered packet overtake those in the delay line', () => {
    const { scheduler, device, peer } = link({ out: { delayUs: 10_000 } })
    const arrived = collect(peer, (packet) => [idOf(packet), scheduler.now()])
    device.send(numbered(0))
    device.setImpairment('out', { delayUs: 10_000, reorderRate: 1 })
    scheduler.run(500)
    device.send(numbered(1))
    device.setImpairment('out', { delayUs: 10_000 })
    device.send(numbered(2))
    scheduler.run()
    expect(arrived).toEqual([
      [1, 500],
      [0, 10_000],
      [2, 10_500],
    ])
    expect(device.impairmentCounters('out').reordered).toBe(1)
  })

  test('holds a reordered packet longer when reorderDelayUs is given, and later ones pass it', () => {
    const { scheduler, device, peer } = link({ out: { reorderRate: 1, reorderDelayUs: 3_000 } })
    const arrived = collect(peer, (packet) => [idOf(packet), scheduler.now()])
    device.send(numbered(0))
    device.setImpairment('out', {})
    device.send(numbered(1))
    scheduler.run()
    expect(arrived).toEqual([
      [1, 0],
      [0, 3_000],
    ])
  })

  test('flips exactly one bit of a corrupted packet, in a copy', () => {
    const { scheduler, device, peer } = link({ out: { corruptRate: 1 } })
    const original = numbered(3)
    const before = original.bytes.slice()
    const flipped = collect(peer, (packet) => {
      let bits = 0
      for (let i = 0; i < packet.length; i++) {
        let difference = packet.bytes[packet.start + i] ^ original.bytes[original.start + i]
        for (; difference !== 0; difference &= difference - 1) bits++
      }
      return bits
    })
    for (let i = 0; i < 50; i++) device.send(original)
    scheduler.run()
    expect(flipped).toEqual(new Array(50).fill(1))
    expect(original.bytes).toEqual(before)
  })

  test('damages what a stack would find, not what an offload would mend: corrupted packets carry a finished checksum', () => {
    const { scheduler, device, peer } = link({ in: { corruptRate: 1 } }, { superSegmentBytes: 65535 })
    const found = collect(device, (packet) => [packet.checksum, verifyTransportChecksum(packet, 20)])
    peer.send(partialTcp(4, new Uint8Array(1000).fill(7)))
    scheduler.run()
    expect(found).toEqual([['complete', false]])
  })

  test('drops what the hook names, by content or by index', () => {
    const seen: number[] = []
    const drop: Impairment['drop'] = (packet, index) => {
      seen.push(index)
      return index === 1 || idOf(packet) === 3
    }
    expect(ids(burst({ drop }, 5).arrived)).toEqual([0, 2, 4])
    expect(seen).toEqual([0, 1, 2, 3, 4])
  })

  test('reports no offload, and cuts up and finishes what the device below hands up', () => {
    const { scheduler, device, peer } = link({}, { superSegmentBytes: 65535 })
    expect(device.offload).toBe(NO_OFFLOAD)
    const found = collect(device, (p) => [p.length, p.checksum, p.segmentBytes, verifyTransportChecksum(p, 40)])
    peer.send(partialTcp(6, new Uint8Array(3000).fill(1), 1400))
    peer.send(partialTcp(6, new Uint8Array(10)))
    scheduler.run()
    expect(found).toEqual([1460, 1460, 260, 70].map((length) => [length, 'complete', 0, true]))
  })

  test('keeps super-segments whole when told to, but then does not corrupt', () => {
    const { scheduler, device, peer } = link({ keepOffload: true, in: { delayUs: 5 } }, { superSegmentBytes: 60000 })
    expect(device.offload).toEqual({ checksum: true, superSegmentBytes: 60000, superDatagramBytes: 60000 })
    const found = collect(device, (p) => [p.length, p.checksum, p.segmentBytes])
    peer.send(partialTcp(4, new Uint8Array(3000), 1400))
    scheduler.run()
    expect(found).toEqual([[3040, 'partial', 1400]])
    expect(() => device.setImpairment('in', { corruptRate: 0.1 })).toThrow(/keepOffload/)
  })

  test('can be changed while packets are on their way, and heals', () => {
    const { scheduler, device, peer } = link({ out: { lossRate: 1 } })
    const arrived = collect(peer, idOf)
    device.send(numbered(0))
    device.setImpairment('out', {})
    device.send(numbered(1))
    scheduler.run()
    expect(arrived).toEqual([1])
  })

  test('sends at once what is on its way out when it is closed, and leaves no timer', () => {
    const { scheduler, device, peer, inner } = link({ out: { delayUs: 1000 } })
    const arrived = collect(peer, idOf)
    const closed: unknown[] = []
    device.onClose((error) => closed.push(error))
    device.send(numbered(0))
    device.close()
    device.close()
    expect(scheduler.waiting).toBe(0)
    scheduler.run()
    expect([arrived, closed]).toEqual([[0], [null]])
    expect(device.send(numbered(1))).toBe(false)
    expect(inner.send(numbered(1))).toBe(false)
  })

  test.each([
    [{ lossRate: 1.5 }, /lossRate/],
    [{ delayUs: -1 }, /delayUs/],
    [{ rateBps: 0 }, /rateBps/],
    [{ queuePackets: 5 }, /need rateBps/],
    [{ reorderRate: 0.1 }, /reorderDelayUs/],
    [{ duplicateRate: Number.NaN }, /duplicateRate/],
  ] as [Impairment, RegExp][])('refuses %o', (out, message) => {
    expect(() => link({ out })).toThrow(message)
    expect(() => link({ out })).toThrow(RangeError)
  })
})
