// Messages as Markdown: every block of test/http/cases, read whole, byte by byte and cut in two at every place.
import { describe, expect, it } from 'vitest'
import { allCases, comparable, readCase } from './cases.ts'

const cases = allCases()

for (const file of new Set(cases.map((one) => one.file))) {
  describe(file, () => {
    for (const one of cases.filter((other) => other.file === file)) {
      it(`${one.title} [${one.block}]`, () => {
        const { bytes, expected } = one
        const whole = readCase(one, [bytes])
        expect(comparable(whole, expected)).toEqual(expected)
        const bytewise = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))
        expect(readCase(one, bytewise)).toEqual(whole)
        const text = whole.join('\n')
        for (let cut = 1; cut < bytes.length; cut++) {
          const events = readCase(one, [bytes.subarray(0, cut), bytes.subarray(cut)])
          if (events.join('\n') !== text) expect(events, `cut at ${cut}`).toEqual(whole)
        }
      })
    }
  })
}

it('there are more than 250 messages here', () => expect(cases.length).toBeGreaterThan(250))
