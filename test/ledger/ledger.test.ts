// The ledger: every clause has a test or a reason, what it names exists, and its pages are those that `npm run ledger` writes.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectNone, ROOT, sourceOf } from '../tidy/source.ts'
import { isNumbered, rfc } from './clause.ts'
import { RFCS } from './clauses.ts'
import { pages, problems, prove } from './pages.ts'
import { hasTag, remarks, scriptTitles, titles } from './scan.ts'

const evidence = { titles: [...titles(), ...scriptTitles()], ...remarks() }
const proven = prove(RFCS, evidence)

test('every clause has a test or a written reason, and all that the ledger names exists', () =>
  expectNone(problems(proven, evidence)))

test('the ledger has all 119 requirements of RFC 9293, and reasons for three of its musts at most', () => {
  const own = proven.filter((one) => isNumbered(one.rfc)).map(({ clause }) => clause)
  const count = (word: string) => own.filter((clause) => clause.word === word).map(({ id }) => Number(id.split('-')[1]))
  const upTo = (most: number) => Array.from({ length: most }, (_, i) => i + 1)
  expect(count('MUST')).toEqual(upTo(69))
  expect(count('SHOULD')).toEqual(upTo(31))
  expect(count('MAY')).toEqual(upTo(18))
  expect(count('REC')).toEqual([1])
  const without = own.filter(({ word, reason }) => word === 'MUST' && reason !== undefined)
  expect(without.map(({ id }) => id)).toEqual([51, 52, 53].map((at) => `MUS${''}T-${at}`))
})

test('the pages in docs are up to date (npm run ledger writes them)', () => {
  for (const [path, text] of pages(proven)) {
    expect(readFileSync(join(ROOT, path), 'utf8') === text, `${path}: run \`npm run ledger\``).toBe(true)
  }
})

test('a script of a sub-folder is a test, and its first comment the title, without what Linux does', () => {
  const found = scriptTitles()
  expect(found.length).toBeGreaterThan(200)
  expect(found).toContainEqual({
    path: 'test/packetdrill/scripts/icmp/source-quench.pkt',
    text: 'ICMP source quench is silently discarded (RFC 9293 §3.9.2.2 [MUST-55], RFC 6633 §3)',
  })
  expect(found.filter(({ text }) => text === '' || text.includes('//') || text.includes('Linux 6.18'))).toEqual([])
})

test('titles are read with their groups, templates and calls of each', () => {
  const text = [
    "describe('a host', () => {",
    "  test.each([4, 6])('over IPv%d (RFC 5681 §3.1)', () => {})",
    `  it(\`takes $\{1} octets\` + " at once", () => {})`,
    '})',
    "scenario('alone', () => { call('not a title') })",
  ].join('\n')
  expect(titles([sourceOf('test/x.test.ts', text)]).map((title) => title.text)).toEqual([
    'a host: over IPv%d (RFC 5681 §3.1)',
    'a host: takes … octets at once',
    'alone',
  ])
})

test('a comment belongs to what it stands on or in, behind code to that code', () => {
  const text = [
    '// A file (RFC 1 §1).',
    '',
    '/** Doc (RFC 1 §2). */',
    'export function one(): void {',
    '  // inside (RFC 1 §3),',
    '  // and on (RFC 1 §4)',
    '  call() // behind (RFC 1 §5)',
    '} // after (RFC 1 §6)',
    'interface Two {',
    '  a: number // (RFC 1 §7)',
    '  b: number',
    '}',
  ].join('\n')
  const read = remarks([sourceOf('src/x.ts', text)])
  expect(read.remarks.map((remark) => [remark.name, /§\d/.exec(remark.text)?.[0]])).toEqual([
    ['', '§1'],
    ['one', '§2'],
    ['one', '§3'],
    ['one', '§5'],
    ['one', '§6'],
    ['Two.a', '§7'],
  ])
  expect([...read.places]).toEqual(['src/x.ts', 'src/x.ts one', 'src/x.ts Two', 'src/x.ts Two.a', 'src/x.ts Two.b'])
})

test('a tag is found in a list, and not in a longer one', () => {
  expect(hasTag('(RFC 5681 §3.1, §4.2)', 'RFC 5681 §4.2')).toBe(true)
  expect(hasTag('(RFC 5681 §3.1 §4.2)', 'RFC 5681 §3.1')).toBe(true)
  expect(hasTag('(RFC 5681 §3.1.2)', 'RFC 5681 §3.1')).toBe(false)
  expect(hasTag('(RFC 5681 §3.1, RFC 6298 §5)', 'RFC 5681 §5')).toBe(false)
  expect(hasTag('as [SHLD-1, SHLD-2] say', '[SHLD-2]')).toBe(true)
  expect(hasTag('as [SHLD-12] says', '[SHLD-1]')).toBe(false)
})

test('what is wrong with a ledger is told', () => {
  const wrong = rfc(1, 'One', [
    { at: '1-a', word: 'MUST', meaning: 'Nothing speaks for it.' },
    { at: '1-a', word: 'MUST', meaning: 'Twice.', reason: 'not yet' },
    { at: '2-a', word: 'MUST', meaning: 'What it names is not there.', tests: ['gone'], code: ['src/x.ts gone'] },
    { at: '3-a', word: 'MUST', meaning: 'Ambiguous.', tests: ['a test'], code: ['src/x.ts'] },
  ])
  const some = {
    titles: ['a test', 'a test again', `[MUS${''}T-70]`].map((text) => ({ path: 'test/x.test.ts', text })),
    remarks: [],
    places: new Set(['src/x.ts']),
  }
  expect(problems(prove([wrong], some), some)).toEqual([
    '1-1-a: neither a test of `npm test` nor a reason',
    '1-1-a: no code has the tag RFC 1 §1',
    '1-1-a: there are two of it',
    '1-2-a: neither a test of `npm test` nor a reason',
    "1-2-a: 0 tests have 'gone' in their titles",
    '1-2-a: there is no src/x.ts gone',
    "1-3-a: 2 tests have 'a test' in their titles",
    `test/x.test.ts: [MUS${''}T-70] is no requirement of RFC 9293`,
  ])
})
