import { describe, expect, test } from 'vitest'
import { capture } from '../../src/link/capture.ts'
import { verifyTransportChecksum } from '../../src/link/checksum-offload.ts'
import type { Packet } from '../../src/link/device.ts'
import { DeviceWrapper } from '../../src/link/device-wrapper.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { apart, collect, idOf, numbered, partialTcp, VirtualScheduler } from './helpers.ts'

function captured(superSegmentBytes = 0) {
  const scheduler = new VirtualScheduler()
  const [inner, peer] = memoryPair({ scheduler, superSegmentBytes, txQueueLength: 2 })
  const seen: unknown[] = []
  const device = capture(inner, {
    scheduler,
    onPacket: (packet, direction, at) => seen.push([direction, idOf(packet), packet.checksum, at]),
  })
  return { scheduler, inner, peer, device, seen }
}

describe('a capture around a device', () => {
  test('shows packets of both directions with their times, and passes them on', () => {
    const { scheduler, peer, device, seen } = captured()
    const here = collect(device, idOf)
    const there = collect(peer, idOf)
    scheduler.run(1_000)
    device.send(numbered(1))
    scheduler.run(2_000)
    peer.send(numbered(2))
    scheduler.run()
    expect(seen).toEqual([
      ['out', 1, 'complete', 1_000],
      ['in', 2, 'complete', 2_000],
    ])
    expect([here, there]).toEqual([[2], [1]])
  })

  test('does not show what the device dropped at once', () => {
    const { device, seen } = captured()
    expect([1, 2, 3].map((id) => device.send(numbered(id)))).toEqual([true, true, false])
    expect(seen.length).toBe(2)
  })

  test('shows partial checksums finished, in a copy: the device still gets its mark', () => {
    const scheduler = new VirtualScheduler()
    const [inner, peer] = memoryPair({ scheduler, superSegmentBytes: 65535 })
    const seen: unknown[] = []
    const device = capture(inner, {
      scheduler,
      onPacket: (packet, direction) =>
        seen.push([direction, packet.checksum, verifyTransportChecksum(packet, 20), packet.length]),
    })
    const there = collect(peer, (packet) => packet.checksum)
    device.send(partialTcp(4, new Uint8Array(5000).fill(9), 1460))
    scheduler.run()
    expect(seen).toEqual([['out', 'complete', true, 5040]])
    expect(there).toEqual(['partial'])
  })

  test('hands on text that stands apart as it is, and shows it joined', () => {
    const scheduler = new VirtualScheduler()
    const [inner] = memoryPair({ scheduler, superSegmentBytes: 65535 })
    const handed: number[] = []
    const below = new (class extends DeviceWrapper {
      override send(packet: Packet): boolean {
        handed.push(packet.tailEnd)
        return super.send(packet)
      }
    })(inner, { ...inner.offload, gather: true })
    const seen: unknown[] = []
    const device = capture(below, {
      scheduler,
      onPacket: (packet) => seen.push([packet.tailEnd, packet.length, verifyTransportChecksum(packet, 20)]),
    })
    expect(device.offload.gather).toBe(true)
    device.send(apart(partialTcp(4, new Uint8Array(5000).fill(9), 1460)))
    expect([handed, seen]).toEqual([[5000], [[0, 5040, true]]])
  })

  test('shows through everything else of the device', () => {
    const { inner, device } = captured(3000)
    expect([device.name, device.mtu, device.offload, device.counters]).toEqual([
      inner.name,
      inner.mtu,
      inner.offload,
      inner.counters,
    ])
    const closed: unknown[] = []
    device.onClose((error) => closed.push(error))
    device.flush()
    device.ref()
    device.unref()
    device.close()
    expect(closed).toEqual([null])
  })
})
