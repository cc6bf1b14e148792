import { expect, test } from 'vitest'
import { estimate, studentT } from '../../src/lab/statistics.ts'

test.each([
  [0.95, 1, 12.706],
  [0.95, 2, 4.303],
  [0.95, 10, 2.228],
  [0.95, 30, 2.042],
  [0.95, 1000, 1.962],
  [0.99, 5, 4.032],
  [0.8, 3, 1.638],
])("Student's t for %d and %d degrees of freedom is that of the printed tables", (confidence, freedom, expected) => {
  expect(studentT(confidence, freedom)).toBeCloseTo(expected, 3)
})

test('an interval has the width that t, the deviation and the count give; one number has none', () => {
  const { mean, deviation, half, least, most } = estimate([1, 2, 3, 4])
  expect([mean, least, most]).toEqual([2.5, 1, 4])
  expect(deviation).toBeCloseTo(Math.sqrt(5 / 3), 12)
  expect(half).toBeCloseTo((3.18245 * Math.sqrt(5 / 3)) / 2, 4)
  expect(estimate([7]).half).toBe(Number.POSITIVE_INFINITY)
  expect(estimate([7, 7, 7]).half).toBe(0)
  expect(() => estimate([])).toThrow(RangeError)
  expect(() => studentT(1, 3)).toThrow('between 0 and 1')
})
