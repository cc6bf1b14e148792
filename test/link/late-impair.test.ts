import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { DeviceWrapper } from '../../src/link/device-wrapper.ts'
import { lateImpair } from '../../src/link/late-impair.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { apart, collect, idOf, numbered, partialTcp, VirtualScheduler } from './helpers.ts'

function link() {
  const scheduler = new VirtualScheduler()
  const [inner, peer] = memoryPair({ scheduler, txQueueLength: 1000, superSegmentBytes: 65_535 })
  return { scheduler, peer, device: lateImpair(inner, { scheduler, random: new SeededRandom(1) }) }
}

test('until it is made bad a link passes what the device below takes, and keeps its offload', () => {
  const { scheduler, device, peer } = link()
  expect(device.offload.superSegmentBytes).toBe(65_535)
  const there = collect(peer, (packet) => [packet.length, packet.segmentBytes])
  const here = collect(device, idOf)
  const whole = partialTcp(4, new Uint8Array(4000), 1000)
  const { length } = whole
  device.send(whole)
  peer.send(numbered(7))
  scheduler.run()
  expect(there).toEqual([[length, 1000]])
  expect(here).toEqual([7])
  expect(device.impairmentCounters('out').offered).toBe(0)
})

test('once it is bad every packet of a super-segment has its own fate, and healing brings them all through', () => {
  const { scheduler, device, peer } = link()
  const there = collect(peer, ({ segmentBytes }) => [segmentBytes, scheduler.now()])
  const here = collect(device, (packet) => [idOf(packet), scheduler.now()])
  device.setImpairment('out', {})
  expect(device.impairmentCounters('out').offered).toBe(0)
  device.setImpairment('out', { delayUs: 5000, lossRate: 0.5 })
  device.setImpairment('in', { delayUs: 3000 })
  for (let i = 0; i < 50; i++) device.send(partialTcp(4, new Uint8Array(4000), 1000))
  peer.send(numbered(8))
  scheduler.run()
  const { offered, lost, delivered } = device.impairmentCounters('out')
  expect([offered, lost + delivered]).toEqual([200, 200])
  expect(lost).toBeGreaterThan(60)
  expect(there).toHaveLength(delivered)
  expect(new Set(there.map(String))).toEqual(new Set(['0,5000']))
  expect(here).toEqual([[8, 3000]])
  device.setImpairment('out', {})
  device.send(partialTcp(4, new Uint8Array(4000), 1000))
  scheduler.run()
  expect(there).toHaveLength(delivered + 4)
})

test('text that stands apart passes as it is while the link is good, and joined with its headers once it is bad', () => {
  const scheduler = new VirtualScheduler()
  const [inner, peer] = memoryPair({ scheduler, txQueueLength: 1000, superSegmentBytes: 65_535 })
  const below = new DeviceWrapper(inner, { ...inner.offload, gather: true })
  const device = lateImpair(below, { scheduler, random: new SeededRandom(1) })
  const there = collect(peer, ({ length, bytes, end }) => [length, bytes[end - 1]])
  expect(device.offload.gather).toBe(true)
  device.send(apart(partialTcp(4, new Uint8Array(2000).fill(9), 1000)))
  scheduler.run()
  device.setImpairment('out', { delayUs: 1000 })
  device.send(apart(partialTcp(4, new Uint8Array(2000).fill(8), 1000)))
  scheduler.run()
  expect(there).toEqual([
    [2040, 9],
    [1040, 8],
    [1040, 8],
  ])
})
