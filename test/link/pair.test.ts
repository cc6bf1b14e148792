import { describe, expect, test } from 'vitest'
import { NO_OFFLOAD } from '../../src/link/device.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { collect, idOf, numbered, partialTcp, VirtualScheduler } from './helpers.ts'

describe('a pair of devices in memory', () => {
  test('delivers packets in order, both ways', () => {
    const scheduler = new VirtualScheduler()
    const [left, right] = memoryPair({ scheduler })
    const atRight = collect(right, idOf)
    const atLeft = collect(left, idOf)
    for (let i = 0; i < 40; i++) expect(left.send(numbered(i))).toBe(true)
    right.send(numbered(99))
    scheduler.run()
    expect(atRight).toEqual(Array.from({ length: 40 }, (_, i) => i))
    expect(atLeft).toEqual([99])
    expect(left.counters).toMatchObject({ txPackets: 40, txBytes: 4000, rxPackets: 1, rxBytes: 100 })
    expect([left.name, right.name, left.mtu]).toEqual(['left', 'right', 1500])
  })

  test('a packet that is given away arrives without a copy, and another buffer as large stands in its place', () => {
    const scheduler = new VirtualScheduler()
    const [left, right] = memoryPair({ scheduler })
    const arrived = collect(right, ({ bytes }) => bytes)
    const packet = numbered(7, 1000)
    const { bytes, length } = packet
    expect(left.give?.(packet)).toBe(true)
    expect(packet.bytes).not.toBe(bytes)
    expect([packet.bytes.length, packet.length]).toEqual([bytes.length, length])
    scheduler.run()
    expect(arrived[0]).toBe(bytes)
    expect(left.counters).toMatchObject({ txPackets: 1, txBytes: 1000 })
  })

  test('never delivers from within send, and says once that packets are there', () => {
    const scheduler = new VirtualScheduler()
    const [left, right] = memoryPair({ scheduler })
    let calls = 0
    right.onReadable(() => calls++)
    left.send(numbered(1))
    left.send(numbered(2))
    expect(calls).toBe(0)
    scheduler.run()
    expect(calls).toBe(1)
  })

  test('says again that packets are there when receive stopped at its limit', () => {
    const scheduler = new VirtualScheduler()
    const [left, right] = memoryPair({ scheduler })
    const found: number[] = []
    right.onReadable(() => right.receive((packet) => found.push(idOf(packet)), 2))
    for (let i = 0; i < 5; i++) left.send(numbered(i))
    scheduler.run()
    expect(found).toEqual([0, 1, 2, 3, 4])
  })

  test('keeps packets that arrive before anyone listens', () => {
    const scheduler = new VirtualScheduler()
    const [left, right] = memoryPair({ scheduler })
    left.send(numbered(7))
    scheduler.run()
    const found = collect(right, idOf)
    scheduler.run()
    expect(found).toEqual([7])
  })

  test('drops at the tail when the queue is full, and counts it', () => {
    const scheduler = new VirtualScheduler()
    const [left, right] = memoryPair({ scheduler, txQueueLength: 3 })
    const found = collect(right, idOf)
    expect([0, 1, 2, 3, 4].map((i) => left.send(numbered(i)))).toEqual([true, true, true, false, false])
    scheduler.run()
    expect(found).toEqual([0, 1, 2])
    expect(left.counters.txDropped).toBe(2)
  })

  test('drops packets above the MTU, but takes super-segments when it offloads', () => {
    const scheduler = new VirtualScheduler()
    const [plain] = memoryPair({ scheduler, mtu: 576 })
    expect(plain.offload).toBe(NO_OFFLOAD)
    expect(plain.send(numbered(1, 577))).toBe(false)
    const [left, right] = memoryPair({ scheduler, superSegmentBytes: 65535 })
    const found = collect(right, (p) => [p.length, p.segmentBytes, p.checksum, p.transportOffset, p.payloadOffset])
    expect(left.send(numbered(1, 1501))).toBe(false)
    expect(left.send(partialTcp(4, new Uint8Array(40000), 1460))).toBe(true)
    scheduler.run()
    expect(found).toEqual([[40040, 1460, 'partial', 20, 40]])
  })

  test('reuses the buffers of packets that were read', () => {
    const scheduler = new VirtualScheduler()
    const [left, right] = memoryPair({ scheduler })
    const buffers = new Set<Uint8Array>()
    collect(right, (packet) => buffers.add(packet.bytes))
    for (let i = 0; i < 100; i++) {
      left.send(numbered(i))
      scheduler.run()
    }
    expect(buffers.size).toBe(1)
  })

  test('is silent after close, which may be repeated; the other end sees a dead link', () => {
    const scheduler = new VirtualScheduler()
    const [left, right] = memoryPair({ scheduler })
    const closed: unknown[] = []
    right.onClose((error) => closed.push(error))
    const found = collect(right, idOf)
    left.send(numbered(1))
    right.close()
    right.close()
    scheduler.run()
    expect(found).toEqual([])
    expect(closed).toEqual([null])
    expect(left.send(numbered(2))).toBe(false)
    expect(right.send(numbered(3))).toBe(false)
    expect(right.receive(() => {}, 1)).toBe(0)
  })

  test('refuses numbers out of bounds', () => {
    const scheduler = new VirtualScheduler()
    expect(() => memoryPair({ scheduler, mtu: 67 })).toThrow(RangeError)
    expect(() => memoryPair({ scheduler, txQueueLength: 0 })).toThrow(RangeError)
    expect(() => memoryPair({ scheduler, superSegmentBytes: 65536 })).toThrow(RangeError)
  })
})
