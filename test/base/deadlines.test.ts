// Deadlines against a sorted list.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DeadlineEntry, Deadlines } from '../../src/base/deadlines.ts'

const NEVER = Number.POSITIVE_INFINITY
const entry = (): DeadlineEntry => ({ deadline: NEVER, heapIndex: -1, heapAt: NEVER })

const step = fc.record({
  kind: fc.constantFrom('arm', 'arm', 'arm', 'never', 'remove', 'pop', 'next' as const),
  who: fc.integer({ min: 0, max: 15 }),
  at: fc.integer({ min: 0, max: 50 }),
})

test('whatever is armed, moved and removed, the earliest comes first and none is lost', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const deadlines = new Deadlines<DeadlineEntry>()
      const entries = Array.from({ length: 16 }, entry)
      const model = new Array<number>(16).fill(NEVER)
      for (const { kind, who, at } of steps) {
        if (kind === 'arm') {
          deadlines.arm(entries[who], at)
          model[who] = at
        } else if (kind === 'never') {
          deadlines.arm(entries[who], NEVER)
          model[who] = NEVER
        } else if (kind === 'remove') {
          deadlines.remove(entries[who])
          model[who] = NEVER
        } else if (kind === 'pop') {
          const due = deadlines.popDue(at)
          const first = Math.min(...model)
          if (first > at) expect(due).toBe(null)
          else {
            const i = entries.indexOf(due!)
            expect(model[i]).toBe(first)
            expect([due?.deadline, due?.heapIndex]).toEqual([NEVER, -1])
            model[i] = NEVER
          }
        } else {
          expect(deadlines.next()).toBe(Math.min(...model))
        }
        expect(entries.map(({ deadline }) => deadline)).toEqual(model)
      }
      const order = model.filter((at) => at < NEVER).sort((a, b) => a - b)
      const popped: number[] = []
      for (;;) {
        const at = deadlines.next()
        if (deadlines.popDue(1000) === null) break
        popped.push(at)
      }
      expect(popped).toEqual(order)
      expect(deadlines.size).toBe(0)
    }),
    { numRuns: 300 },
  )
})

test('moving a deadline later costs no place in the heap; moving it earlier takes effect at once', () => {
  const deadlines = new Deadlines<DeadlineEntry>()
  const [a, b] = [entry(), entry()]
  deadlines.arm(a, 10)
  deadlines.arm(b, 20)
  deadlines.arm(a, 30)
  expect([deadlines.size, deadlines.next()]).toEqual([2, 20])
  deadlines.arm(a, 5)
  expect(deadlines.next()).toBe(5)
  expect(deadlines.popDue(4)).toBe(null)
  expect(deadlines.popDue(5)).toBe(a)
})
