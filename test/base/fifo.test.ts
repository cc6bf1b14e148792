// The queue beside an array, which is its model.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fifo } from '../../src/base/fifo.ts'

test('a Fifo does as an array does, whatever the order of pushes and shifts, across every growth of its ring', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('push', 'push', 'push', 'shift', 'clear'), { maxLength: 300 }), (steps) => {
      const fifo = new Fifo<number>()
      let model: number[] = []
      steps.forEach((step, i) => {
        if (step === 'push') {
          fifo.push(i)
          model.push(i)
        } else if (step === 'shift') expect(fifo.shift()).toBe(model.shift() ?? null)
        else if (i % 7 === 0) {
          fifo.clear()
          model = []
        }
        expect([fifo.size, fifo.first(), fifo.last()]).toEqual([model.length, model[0] ?? null, model.at(-1) ?? null])
      })
    }),
    { numRuns: 50 },
  )
})
