// The ordered set of ranges, as text out of order uses it: `npx tsx bench/micro/ranges.ts`.
// Owns: the numbers of src/base/ranges.ts.

import benny from 'benny'
import { Ranges } from '../../src/base/ranges.ts'

for (const pieces of [4, 64, 1024]) {
  const held = new Ranges()
  for (let i = 0; i < pieces; i++) held.add(i * 20, i * 20 + 10)
  const middle = (pieces >> 1) * 20
  await benny.suite(
    `${pieces} pieces`,
    benny.add('find', () => {
      held.find(middle + 5)
    }),
    benny.add('a piece that grows', () => {
      held.add(middle + 2, middle + 10)
    }),
    benny.add('all of them, then what is between', () => {
      const ranges = new Ranges()
      for (let i = 0; i < pieces; i++) ranges.add(i * 20, i * 20 + 10)
      for (let i = 0; i < pieces; i++) ranges.add(i * 20 + 10, i * 20 + 20)
      ranges.dropBelow(pieces * 20)
    }),
    benny.cycle(),
  )
}
