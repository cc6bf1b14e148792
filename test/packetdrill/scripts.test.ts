// Whole scripts, written from the RFCs, against our stack in virtual time: they pass, and notice mistakes. Those of the folder itself do so
// in both ways of matching, those of its sub-folders, which tell of times and flags, strictly. A test's title is a script's first comment.

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
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.pkt'))
const FOLDERS = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory())

interface Titled {
  readonly name: string
  readonly title: string
}

/** The scripts of a sub-folder, each with what it says that it shows. */
function scriptsOf(folder: string): Titled[] {
  return readdirSync(join(FOLDER, folder))
    .filter((name) => name.endsWith('.pkt'))
    .map((name) => `${folder}/${name}`)
    .map((name) => ({ name, title: titleOf(readFileSync(join(FOLDER, name), 'utf8')) }))
}

/** The first comment of a script, up to what it says of Linux. */
function titleOf(text: string): string {
  const lines = text.split('\n')
  const end = lines.findIndex((line) => !line.startsWith('//') || line.startsWith('// Linux'))
  return lines
    .slice(0, end)
    .map((line) => line.slice(2).trim())
    .join(' ')
    .replace(/\.$/, '')
}

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

  test('at least 95 of 100 mistakes in them are noticed', async () => {
    let mutants = 0
    const survivors: string[] = []
    for (const name of NAMES) {
      for (const { script, line, what } of mutantsOf(scriptOf(name), { semantic })) {
        mutants++
        const { ok } = await runScript(script, (ends) => new StackTarget(ends), { semantic })
        if (ok) survivors.push(`${name}:${line} ${what}`)
      }
    }
    expect(mutants).toBeGreaterThan(300)
    expect(survivors.length, survivors.join('\n')).toBeLessThan(mutants * 0.05)
  })
})

describe.each(FOLDERS.map(({ name }) => name))('%s', (folder) => {
  test.each(scriptsOf(folder))('$name: $title', async ({ name, title }) => {
    expect(title, 'a script begins with a comment that names its clause').toMatch(/RFC \d+ |\(\d\)/)
    const result = await runScript(scriptOf(name), (ends) => new StackTarget(ends))
    expect(formatFailure(result)).toBe('')
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
