// Whole scripts, written from the RFCs, against our stack in virtual time: they pass, in both ways of matching, and notice mistakes.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  formatFailure,
  mutantsOf,
  parseScript,
  runScript,
  type Script,
  StackTarget,
} from '../../src/packetdrill/index.ts'

const FOLDER = join(import.meta.dirname, 'scripts')
const NAMES = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.pkt'))

function scriptOf(name: string): Script {
  const { script, complaints } = parseScript(readFileSync(join(FOLDER, name), 'utf8'), name)
  expect(complaints).toEqual([])
  return script
}

describe.each([false, true])('semantic: %s', (semantic) => {
  test.each(NAMES)('%s passes', async (name) => {
    const result = await runScript(scriptOf(name), (ends) => new StackTarget(ends), { semantic })
    expect(formatFailure(result)).toBe('')
  })

  // Counted script by script, so that no single test gets long with their number.
  let mutants = 0
  const survivors: string[] = []

  test.each(NAMES)('mistakes in %s', async (name) => {
    for (const { script, line, what } of mutantsOf(scriptOf(name), { semantic })) {
      mutants++
      const { ok } = await runScript(script, (ends) => new StackTarget(ends), { semantic })
      if (ok) survivors.push(`${name}:${line} ${what}`)
    }
    expect(mutants).toBeGreaterThan(0)
  })

  test('at least 95 of 100 mistakes in them are noticed', () => {
    expect(mutants).toBeGreaterThan(300)
    expect(survivors.length, survivors.join('\n')).toBeLessThan(mutants * 0.05)
  })
})

test('the examples of docs/packetdrill.md pass', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/packetdrill.md'), 'utf8')
  const examples = [...page.slice(page.indexOf('## Three examples')).matchAll(/```\n(.*?)```/gs)].map(
    ([, text]) => text,
  )
  expect(examples).toHaveLength(3)
  for (const text of examples) {
    const { script, complaints } = parseScript(text, 'example.pkt')
    expect(complaints).toEqual([])
    expect(formatFailure(await runScript(script, (ends) => new StackTarget(ends)))).toBe('')
  }
})
