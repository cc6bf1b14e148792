// What the fuzzer has found worth keeping runs again, and some fresh inputs from fixed seeds. `npm run fuzz` goes on from there.
// Owns: the replay. Does not own: the search (main.ts), single findings, which are tests beside what they are about.

import { describe, expect, test } from 'vitest'
import { Dice } from './dice.ts'
import { Blocks, instrument } from './instrument.ts'
import { kindOf, minimise, outcome } from './search.ts'
import { inputText, readCorpus, readReplay } from './store.ts'
import { type Target, violated } from './target.ts'
import { TARGETS } from './targets.ts'

const FRESH: Readonly<Record<string, number>> = {
  tcp: 25,
  ip: 40,
  link: 20,
  dhcp: 200,
  http: 300,
  parsers: 2000,
  dns: 300,
  scripts: 1000,
}

function fresh(target: Target, seed: number): Uint8Array {
  const dice = new Dice().seed(seed)
  const length = target.headBytes + target.stepBytes * (1 + dice.below(target.mostSteps))
  return Uint8Array.from({ length }, () => dice.int32())
}

function expectHolds(target: Target, input: Uint8Array): void {
  const error = outcome(target, input)
  if (error instanceof Error) {
    const small = minimise(target, input, kindOf(error), 500)
    error.message += `\n  npm run fuzz -- --replay ${target.name}:${inputText(small)}`
  }
  if (error !== null) throw error
}

describe.each(TARGETS)('$name', (target) => {
  test('every kept input holds the properties', () => {
    for (const input of readCorpus(target.name)) expectHolds(target, input)
  })

  test('so do fresh ones', () => {
    for (let seed = 1; seed <= FRESH[target.name]; seed++) expectHolds(target, fresh(target, seed))
  })
})

test('the corpus is small: at most 200 inputs', () => {
  expect(TARGETS.flatMap(({ name }) => readCorpus(name)).length).toBeLessThanOrEqual(200)
})

test('an input that fails is made small, and is its own replay', () => {
  const target: Target = {
    name: 'tcp',
    headBytes: 2,
    stepBytes: 2,
    mostSteps: 50,
    run(input) {
      for (let at = 2; at < input.length; at += 2) if (input[at] === 7) violated(`a seven at ${at}`)
      return 1
    },
  }
  const input = Uint8Array.from({ length: 102 }, (_, i) => (i === 60 ? 7 : 9))
  const small = minimise(target, input, 'Violation: a seven at N')
  expect([...small]).toEqual([0, 0, 7, 0])
  expect(readReplay(`tcp:${inputText(small)}`)).toEqual({ name: 'tcp', input: small })
})

test('counters stand in every branch, and lines stay where they are', () => {
  const text = `function f(a: number): string {
  if (a > 1) return 'x'
  else if (a < 0) throw new Error()
  for (const b of [1]) g(b)
  switch (a) {
    case 0:
      return a ? 'y' : 'z'
    default:
  }
  return h(() => ({ a })) && i
}
`
  const blocks = new Blocks()
  const counted = instrument('example.ts', text, blocks)
  expect(blocks.count).toBe(10)
  expect(counted.split('\n').length).toBe(text.split('\n').length)
  expect(counted).toContain("{$c[1]++;return 'x'}")
  expect(counted).toContain('else {$c[2]++}')
})
