// The two arguments made from Node: clock and randomness. The only tests of this floor that take real time, some milliseconds.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { memoryPair } from '../../src/link/pair.ts'
import { createHost, realTime, systemRandom } from '../../src/net/index.ts'

describe('realTime', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('a task runs once, not early, and can be taken back', async () => {
    const time = realTime({ ref: true })
    const start = time.now()
    const ran: number[] = []
    time.schedule(start + 5_000, () => ran.push(time.now() - start))
    time.schedule(start + 1_000, () => ran.push(-1)).cancel()
    time.schedule(Number.POSITIVE_INFINITY, () => ran.push(-2)).cancel()
    expect(ran).toEqual([])
    await sleep(30)
    expect(ran.length).toBe(1)
    expect(ran[0]).toBeGreaterThanOrEqual(5_000)
    expect(() => time.schedule(Number.NaN, () => {})).toThrow(RangeError)
  })

  test('a deadline in the past is met soon, but never before schedule returns', async () => {
    const time = realTime({ ref: true })
    let ran = false
    const done = new Promise<void>((resolve) => {
      time.schedule(0, () => {
        ran = true
        resolve()
      })
    })
    expect(ran).toBe(false)
    await done
  })

  test('a deadline beyond 2^31 ms is reached in several steps', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const time = realTime()
    const days = 60
    let ran = false
    time.schedule(time.now() + days * 86_400_000_000, () => {
      ran = true
    })
    vi.advanceTimersByTime(days * 86_400_000 - 1)
    expect(ran).toBe(false)
    vi.advanceTimersByTime(1)
    expect(ran).toBe(true)
  })

  test('a deferred task runs after the ticks and promises of the turn', async () => {
    const time = realTime()
    const order: string[] = []
    const done = new Promise<void>((resolve) => {
      time.defer(() => {
        order.push('deferred')
        resolve()
      })
    })
    process.nextTick(() => order.push('tick'))
    await Promise.resolve().then(() => order.push('promise'))
    order.push('await')
    await done
    expect(order).toEqual(['promise', 'await', 'tick', 'deferred'])
  })
})

describe('systemRandom', () => {
  test('gives int32 over the whole range and fractions in [0, 1), past the end of its pool', () => {
    const random = systemRandom()
    const words = Array.from({ length: 5_000 }, () => random.int32())
    expect(words.every((word) => word === (word | 0))).toBe(true)
    expect(new Set(words).size).toBeGreaterThan(4_990)
    expect(words.filter((word) => word < 0).length).toBeGreaterThan(2_000)
    const fractions = Array.from({ length: 5_000 }, () => random.fraction())
    expect(fractions.every((f) => f >= 0 && f < 1)).toBe(true)
    expect(systemRandom().int32()).not.toBe(systemRandom().int32())
  })
})

test('two hosts in real time: writes that follow one another by await share a segment', async () => {
  const scheduler = realTime({ ref: true })
  const [left, right] = memoryPair({ scheduler })
  const a = createHost({ device: left, address: '10.9.0.1/24', scheduler })
  const b = createHost({ device: right, address: '10.9.0.2/24', scheduler })
  const server = await b.listen({ port: 80 })
  server.on('connection', (socket) => socket.pipe(socket))
  const socket = await a.connect({ host: '10.9.0.2', port: 80, noDelay: true })
  const before = a.stack.tcp.counters.TcpOutSegs
  for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => socket.write('x', () => resolve()))
  await new Promise((resolve) => setImmediate(resolve))
  expect(a.stack.tcp.counters.TcpOutSegs - before).toBe(1)
  const [echo] = await once(socket, 'data')
  expect(String(echo)).toBe('xxxxxxxxxx')
  const closed = once(socket, 'close')
  await a.close()
  await b.close()
  expect(await closed).toEqual([false])
})
