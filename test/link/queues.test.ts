// Queue disciplines and the line behind them: drop-tail, RED, CoDel; losses in bursts.

import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { burstLosses, burstLossRate } from '../../src/link/burst-loss.ts'
import { Codel } from '../../src/link/codel.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { DropTail, type QueueDiscipline } from '../../src/link/queue-discipline.ts'
import { Red } from '../../src/link/red.ts'
import { shape } from '../../src/link/shape.ts'
import { collect, idOf, numbered, VirtualScheduler } from './helpers.ts'

/** Offers packets of 1000 bytes at a rate to a line of 1 Mbit/s (8 ms a packet); what arrived, when, and how long the queue was. */
function load(queue: QueueDiscipline, everyUs: number, forUs: number) {
  const scheduler = new VirtualScheduler()
  const [inner, peer] = memoryPair({ scheduler, txQueueLength: 100_000 })
  const lengths: number[] = []
  const device = shape(inner, { scheduler, rateBps: 1e6, queue, onLength: (packets) => lengths.push(packets) })
  const drops: string[] = []
  queue.onDrop = (_, reason) => drops.push(reason)
  const arrived = collect(peer, (packet): [number, number] => [idOf(packet), scheduler.now()])
  for (let i = 0; i * everyUs < forUs; i++) scheduler.schedule(i * everyUs, () => void device.send(numbered(i, 1000)))
  scheduler.run()
  return { arrived, drops, lengths }
}

describe('a line', () => {
  test('sends one packet after another, each as long as its bits take', () => {
    const { arrived } = load(new DropTail({ packets: 10 }), 0.001, 0.003)
    expect(arrived).toEqual([
      [0, 8_000],
      [1, 16_000],
      [2, 24_000],
    ])
  })

  test('with drop-tail drops what finds the queue full, by packets or by bytes', () => {
    expect(load(new DropTail({ packets: 2 }), 0.001, 0.006).arrived.map(([id]) => id)).toEqual([0, 1, 2])
    expect(load(new DropTail({ bytes: 1999 }), 0.001, 0.006).drops).toEqual(['full', 'full', 'full', 'full'])
    expect(() => new DropTail({ packets: 0 })).toThrow(RangeError)
  })
})

describe('RED (Floyd, Jacobson 1993)', () => {
  test('drops nothing while the average is below its least, and early before the queue is full', () => {
    const random = new SeededRandom(1)
    expect(load(new Red({ random, minPackets: 5, packetUs: 8000 }), 8_100, 1e6).drops).toEqual([])
    const { drops, lengths } = load(
      new Red({ random, minPackets: 5, weight: 0.02, packetUs: 8000, limits: { packets: 200 } }),
      7_000,
      10e6,
    )
    expect(drops.length).toBeGreaterThan(20)
    expect(new Set(drops)).toEqual(new Set(['early']))
    expect(Math.max(...lengths)).toBeLessThan(60)
  })
})

describe('CoDel (RFC 8289)', () => {
  test('lets a burst pass, and brings a standing queue down (§5)', () => {
    expect(load(new Codel(), 0.001, 0.012).drops).toEqual([])
    const { drops, lengths } = load(new Codel(), 7_000, 20e6)
    expect(new Set(drops)).toEqual(new Set(['late']))
    const late = lengths.slice(-400)
    expect(late.reduce((a, b) => a + b, 0) / late.length).toBeLessThan(40)
    expect(
      load(new DropTail({ packets: 1000 }), 7_000, 20e6).lengths.reduce((a, b) => Math.max(a, b), 0),
    ).toBeGreaterThan(300)
  })

  test('its first drop comes an interval after the wait has passed the target, the next ones sooner and sooner', () => {
    const scheduler: number[] = []
    const queue = new Codel({ targetUs: 5_000, intervalUs: 100_000 })
    let now = 0
    queue.onDrop = () => void scheduler.push(now)
    for (let i = 0; i < 400; i++) queue.enqueue(numbered(i, 1000), 0)
    for (; queue.packets > 2; now += 8_000) queue.dequeue(now)
    expect(scheduler[0]).toBe(112_000) // above since 8 ms
    const gaps = scheduler.slice(1, 12).map((at, i) => at - scheduler[i])
    expect(gaps[0]).toBeGreaterThan(gaps[10])
  })
})

describe('losses in bursts (Gilbert, Elliott)', () => {
  test('are as many as the chain says, and come together', () => {
    const chain = { toBad: 0.01, toGood: 0.25 }
    const isLost = burstLosses(chain, new SeededRandom(5))
    const fates = Array.from({ length: 100_000 }, isLost)
    const lost = fates.filter(Boolean).length
    const bursts = fates.filter((is, i) => is && !fates[i - 1]).length
    expect(lost / fates.length).toBeCloseTo(burstLossRate(chain), 2)
    expect(lost / bursts).toBeCloseTo(4, 0)
  })
})
