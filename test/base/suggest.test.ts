import { expect, test } from 'vitest'
import { didYouMean, nearestName } from '../../src/base/suggest.ts'

const names = ['nagle', 'nagleVariant', 'mss', 'mslUs', 'delayedAckUs', 'delayedAckMaxUs']

test('a name with a letter too many, too few, changed or swapped finds the one that was meant', () => {
  const meant = [
    ['nagel', 'nagle'],
    ['nagl', 'nagle'],
    ['NAGLE', 'nagle'],
    ['naggle', 'nagle'],
    ['delayedAck', 'delayedAckUs'],
    ['maslUs', 'mslUs'],
    ['mzs', 'mss'],
  ]
  for (const [name, wanted] of meant) expect([name, nearestName(name, names)]).toEqual([name, wanted])
})

test('a name that is like none finds none', () => {
  for (const name of ['', 'x', 'colour', 'constructor', '__proto__'])
    expect([name, nearestName(name, names)]).toEqual([name, null])
  expect(didYouMean('colour', names)).toBe('')
  expect(didYouMean('nagel', names)).toBe("; did you mean 'nagle'?")
})
