// Every scenario of test/beside-linux on our stack and on the kernel, with one scripted peer: where they differ is known, and why.

import { beforeAll, describe, expect, test } from 'vitest'
import { KNOWN } from '../beside-linux/known.ts'
import { besideLinux, SCENARIOS, type Verdict } from '../beside-linux/run.ts'

const known = new Map(KNOWN.map(({ name, summary }) => [name, summary]))
const verdicts = new Map<string, Verdict>()

beforeAll(async () => {
  const all = await besideLinux(SCENARIOS, ({ name, difference }) => {
    return (difference?.summary ?? null) === (known.get(name) ?? null)
  })
  for (const verdict of all) verdicts.set(verdict.name, verdict)
}, 120_000)

describe('beside Linux', () => {
  test.each(SCENARIOS.map(({ name }) => name))('%s', (name) => {
    const difference = verdicts.get(name)?.difference ?? null
    expect(difference?.summary ?? null, difference?.report).toBe(known.get(name) ?? null)
  })
})

test('each known difference is of a scenario, and no two scenarios share a name', () => {
  const names = SCENARIOS.map(({ name }) => name)
  expect(KNOWN.filter(({ name }) => !names.includes(name))).toEqual([])
  expect(new Set(names).size).toBe(names.length)
})
