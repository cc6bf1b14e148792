// Ranges against a Set of numbers, around 0, 2^31 and 2^32 (RFC 1982).

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Ranges } from '../../src/base/ranges.ts'

const SPAN = 120
const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'drop', 'clear' as const),
  at: fc.integer({ min: 0, max: SPAN }),
  length: fc.integer({ min: 1, max: 30 }),
})

function check(ranges: Ranges, model: ReadonlySet<number>, base: number): void {
  const runs: [number, number][] = []
  for (const at of [...model].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] === at) last[1] = at + 1
    else runs.push([at, at + 1])
  }
  const found = Array.from({ length: ranges.size }, (_, i) => [
    (ranges.start(i) - base) | 0,
    (ranges.end(i) - base) | 0,
  ])
  expect(found, 'sorted, disjoint, with gaps between').toEqual(runs)
  expect(ranges.bytes).toBe(model.size)
  for (let at = -1; at <= SPAN + 31; at += 7) {
    expect(ranges.has((base + at) | 0)).toBe(model.has(at))
    const i = runs.findIndex(([start, end]) => start <= at && at < end)
    expect(ranges.find((base + at) | 0)).toBe(i)
    const covered = [at, at + 1, at + 2].every((n) => model.has(n))
    const near = [at - 1, at, at + 1, at + 2, at + 3].some((n) => model.has(n))
    expect(ranges.touches((base + at) | 0, (base + at + 3) | 0)).toBe(near)
    expect(ranges.covers((base + at) | 0, (base + at + 3) | 0)).toBe(covered)
  }
}

for (const base of [0, 2 ** 31 - 60, 2 ** 32 - 60, -60]) {
  test(`ranges around ${base} behave as a set of numbers (RFC 1982 §3)`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ranges = new Ranges()
        const model = new Set<number>()
        for (const { kind, at, length } of steps) {
          if (kind === 'add') {
            for (let i = 0; i < length; i++) model.add(at + i)
            const i = ranges.add(base + at, base + at + length)
            expect(((ranges.start(i) - base) | 0) <= at && at + length <= ((ranges.end(i) - base) | 0)).toBe(true)
          } else if (kind === 'drop') {
            for (const n of model) if (n < at) model.delete(n)
            ranges.dropBelow((base + at) | 0)
          } else if (length > 27) {
            model.clear()
            ranges.clear()
          }
          check(ranges, model, base | 0)
        }
      }),
      { numRuns: 60 },
    )
  })
}

test('an empty or reversed range is a defect of ours: an assertion', () => {
  expect(() => new Ranges().add(5, 5)).toThrow('empty')
  expect(() => new Ranges().add(5, 4)).toThrow('reversed')
})
