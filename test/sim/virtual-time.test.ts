// Virtual time: events in order, a clock that jumps, promises that settle in between.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualTime } from '../../src/sim/virtual-time.ts'

test('events run by time, and by the order they were scheduled in at the same time', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 40 }), (times) => {
      const time = new VirtualTime()
      const ran: [number, number][] = []
      times.forEach((at, i) => {
        time.schedule(at, () => {
          expect(time.now()).toBe(at)
          ran.push([at, i])
        })
      })
      time.runSync()
      expect(ran).toEqual(times.map((at, i): [number, number] => [at, i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]))
      expect(time.events).toBe(times.length)
    }),
  )
})

test('a task taken back does not run, and taking it back again is harmless', () => {
  const time = new VirtualTime()
  const ran: string[] = []
  const task = time.schedule(5, () => ran.push('no'))
  time.schedule(6, () => ran.push('yes'))
  task.cancel()
  task.cancel()
  time.runSync()
  task.cancel()
  expect(ran).toEqual(['yes'])
})

test('what is scheduled in the past runs now, and the clock never goes back', () => {
  const time = new VirtualTime(100)
  const at: number[] = []
  time.schedule(120, () => {
    time.schedule(50, () => at.push(time.now()))
    time.schedule(121, () => at.push(time.now()))
  })
  time.runSync()
  expect(at).toEqual([120, 121])
})

test('deferred tasks run before time goes on, those that they defer after them', () => {
  const time = new VirtualTime()
  const ran: string[] = []
  time.schedule(1, () => ran.push('event'))
  time.defer(() => {
    ran.push('first')
    time.defer(() => ran.push('third'))
  })
  time.defer(() => ran.push('second'))
  time.runSync()
  expect(ran).toEqual(['first', 'second', 'third', 'event'])
})

test('run until a time: later events wait, and the clock stands at that time', () => {
  const time = new VirtualTime()
  const at: number[] = []
  for (const t of [10, 20, 30]) time.schedule(t, () => at.push(t))
  time.runSync({ until: 20 })
  expect([at, time.now()]).toEqual([[10, 20], 20])
  time.runSync({ until: 25 })
  expect([at.length, time.now()]).toEqual([2, 25])
  time.runSync()
  expect([at.length, time.now()]).toEqual([3, 30])
})

test('run while a condition holds: stops after the event that ends it', () => {
  const time = new VirtualTime()
  let count = 0
  for (let i = 1; i <= 10; i++) time.schedule(i, () => count++)
  time.runSync({ while: () => count < 4 })
  expect([count, time.now()]).toEqual([4, 4])
})

test('promises and stream callbacks settle before each event', async () => {
  const time = new VirtualTime()
  const ran: string[] = []
  const sleep = (us: number): Promise<void> => new Promise((resolve) => time.schedule(time.now() + us, resolve))
  const worker = async (name: string, us: number): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await sleep(us)
      await Promise.resolve()
      ran.push(`${name}${time.now()}`)
    }
  }
  void worker('a', 10)
  void worker('b', 15)
  await time.run({ until: 1000 })
  expect(ran).toEqual(['a10', 'b15', 'a20', 'b30', 'a30', 'b45'])
  expect(time.now()).toBe(1000)
})

test('run while, with promises', async () => {
  const time = new VirtualTime()
  let count = 0
  for (let i = 1; i <= 5; i++) time.schedule(i, () => count++)
  await time.run({ while: () => count < 2 })
  expect(time.now()).toBe(2)
})

test('runFor gives what a promise gives, or its error, and complains when it can never settle', async () => {
  const time = new VirtualTime()
  const later = new Promise<string>((resolve) => time.schedule(500, () => resolve('done')))
  expect(await time.runFor(later)).toBe('done')
  const fails = new Promise<string>((_, reject) => time.schedule(600, () => reject(new Error('no'))))
  await expect(time.runFor(fails)).rejects.toThrow('no')
  await expect(time.runFor(new Promise(() => {}))).rejects.toThrow('nothing is left to happen')
})
