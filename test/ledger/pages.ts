// The ledger's pages, and what is wrong with the ledger.
// Owns: which tests prove a clause and which code honours it, the three pages of docs/. Does not own: the clauses (clauses.ts), reading the
// project (scan.ts).

import { basename } from 'node:path'
import { type Clause, isNumbered, type Rfc, tagOf } from './clause.ts'
import { hasTag, type Place, type Remark, type Title } from './scan.ts'

/** A clause with what speaks for it. */
export interface Proven {
  readonly rfc: Rfc
  readonly clause: Clause
  readonly tests: readonly Title[]
  readonly code: readonly Place[]
}

/** What the project says, all of it. */
export interface Evidence {
  readonly titles: readonly Title[]
  readonly remarks: readonly Remark[]
  /** Everything that may stand in `code` of a clause. */
  readonly places: ReadonlySet<string>
}

/** Joins every clause with its tests and its code. */
export function prove(rfcs: readonly Rfc[], evidence: Evidence): Proven[] {
  return rfcs.flatMap((rfc) =>
    rfc.clauses.map((clause) => {
      const tag = tagOf(rfc, clause)
      const tests = evidence.titles.filter(
        ({ text }) => clause.tests?.some((part) => text.includes(part)) ?? hasTag(text, tag),
      )
      const code = clause.code?.map(placeOf) ?? distinct(evidence.remarks.filter(({ text }) => hasTag(text, tag)))
      return { rfc, clause, tests, code }
    }),
  )
}

function placeOf(written: string): Place {
  const [path, name = ''] = written.split(' ')
  return { path, name }
}

function distinct(remarks: readonly Remark[]): Place[] {
  const seen = new Map(remarks.map(({ path, name }) => [`${path} ${name}`, { path, name }]))
  return [...seen.values()]
}

const needsNoRoot = ({ path }: Title): boolean => !path.startsWith('test/interop/')

/** What has to be mended: clauses that nothing speaks for, names that do not exist, tags of clauses that do not. */
export function problems(proven: readonly Proven[], { titles, remarks, places }: Evidence): string[] {
  const found: string[] = []
  const ids = new Set<string>()
  for (const { rfc, clause, tests, code } of proven) {
    const { id, reason } = clause
    if (ids.has(id)) found.push(`${id}: there are two of it`)
    ids.add(id)
    if (reason === undefined && !tests.some(needsNoRoot))
      found.push(`${id}: neither a test of \`npm test\` nor a reason`)
    if (reason === undefined && code.length === 0) found.push(`${id}: no code has the tag ${tagOf(rfc, clause)}`)
    for (const part of clause.tests ?? []) {
      const count = titles.filter(({ text }) => text.includes(part)).length
      if (count !== 1) found.push(`${id}: ${count} tests have '${part}' in their titles`)
    }
    for (const place of clause.code ?? []) if (!places.has(place)) found.push(`${id}: there is no ${place}`)
  }
  for (const { path, text } of [...titles, ...remarks]) {
    for (const [id] of text.matchAll(/\b(?:MUST|SHLD|MAY|REC)-\d+\b/g)) {
      if (!ids.has(id)) found.push(`${path}: [${id}] is no requirement of RFC 9293`)
    }
  }
  return found
}

/** The pages, by their path. */
export function pages(proven: readonly Proven[]): Map<string, string> {
  const rfcs = [...new Set(proven.map(({ rfc }) => rfc))]
  const first = rfcs.filter(isNumbered)
  const others = rfcs.filter((rfc) => !isNumbered(rfc))
  return new Map([
    [PAGES.overview, overview(rfcs, proven)],
    [PAGES.numbered, page('RFC 9293, requirement by requirement', INTRO_9293, first, proven)],
    [PAGES.others, page('Other RFCs, clause by clause', INTRO_OTHERS, others, proven)],
  ])
}

/** Where the pages stand. */
const PAGES = { overview: 'docs/ledger.md', numbered: 'docs/rfc9293.md', others: 'docs/other-rfcs.md' } as const

const INTRO_9293 = `All 119 numbered requirements of RFC 9293, in our words and in the order of its sections: the code that honours each, and the tests that
fail without it. The code is found by the tag in its comments, the tests by the tag in their titles. \`npm run ledger\` writes this page.`

const INTRO_OTHERS = `The clauses that matter of the RFCs around RFC 9293, in our words, with numbers of our own: RFC, section, letter. \`npm run ledger\`
writes this page from \`test/ledger\`; that every test and every function named here exists is itself tested. The word before each clause
is the RFC's; where it states a rule without one, as RFC 9293 §3.10 and RFC 8985 often do, it stands here as MUST.`

function overview(rfcs: readonly Rfc[], proven: readonly Proven[]): string {
  const rows = rfcs.map((rfc) => {
    const own = proven.filter((one) => one.rfc === rfc)
    const words = (['MUST', 'SHOULD', 'MAY'] as const).map((word) => share(own, word))
    return `| [RFC ${rfc.number}](${fileOf(rfc)}) | ${rfc.title} | ${words.join(' | ')} |`
  })
  const tests = new Set(proven.flatMap((one) => one.tests))
  return [
    '# The ledger',
    '',
    `${proven.length} clauses of ${new Set(rfcs.map(({ number }) => number)).size} RFCs, and what speaks for each: ${tests.size} tests, and the code that they would fail without.`,
    'A clause is **honoured** when a test of `npm test` proves it; otherwise its reason stands below, and beside it.',
    '`test/ledger` fails when a clause has neither, when a test or a function named here is gone, and when these pages are stale;',
    '`npm run ledger` writes them.',
    '',
    '| RFC | title | MUST | SHOULD | MAY |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'The recommendation (REC) of RFC 9293 is counted among SHOULD.',
    '',
    '## Not honoured, or not in full',
    '',
    ...rfcs.flatMap((rfc) => {
      const own = proven.filter((one) => one.rfc === rfc && one.clause.reason !== undefined)
      if (own.length === 0) return []
      return [`### RFC ${rfc.number}, ${rfc.title}`, '', ...own.map((one) => missing(one, fileOf(rfc))), '']
    }),
    '## Honoured, but for a corner',
    '',
    ...proven.filter(({ clause }) => clause.note !== undefined).map((one) => missing(one, fileOf(one.rfc))),
    '',
  ].join('\n')
}

const fileOf = (rfc: Rfc): string => basename(isNumbered(rfc) ? PAGES.numbered : `${PAGES.others}#rfc-${rfc.number}`)

function share(proven: readonly Proven[], word: Clause['word']): string {
  const own = proven.filter(({ clause }) => clause.word === word || (word === 'SHOULD' && clause.word === 'REC'))
  if (own.length === 0) return '-'
  return `${own.filter(({ clause }) => clause.reason === undefined).length} of ${own.length}`
}

function missing({ clause }: Proven, file = ''): string {
  const page = file.replace(/#.*/, '')
  return `- [${clause.id}](${page}#${anchor(clause)}) (${clause.word}, §${clause.section}). ${clause.meaning} ${sentence(clause.reason ?? clause.note ?? '')}`
}

const sentence = (text: string): string => `*${text[0]?.toUpperCase()}${text.slice(1)}.*`
const anchor = ({ id }: Clause): string => id.toLowerCase().replaceAll('.', '')

function page(title: string, intro: string, rfcs: readonly Rfc[], proven: readonly Proven[]): string {
  const own = proven.filter(({ rfc }) => rfcs.includes(rfc))
  const not = own.filter(({ clause }) => clause.reason !== undefined)
  const lines = [`# ${title}`, '', intro, '', `## Not honoured, or not in full: ${not.length} of ${own.length}`, '']
  lines.push(...not.map((one) => missing(one)), '')
  const corners = own.filter(({ clause }) => clause.note !== undefined)
  if (corners.length > 0) lines.push('Honoured, but for a corner:', '', ...corners.map((one) => missing(one)), '')
  for (const rfc of rfcs) {
    if (rfcs.length > 1) lines.push(`## RFC ${rfc.number}`, '', `${rfc.title}.`, '')
    const clauses = own.filter((one) => one.rfc === rfc).sort((a, b) => bySection(a.clause, b.clause))
    let section = ''
    for (const one of clauses) {
      if (rfcs.length === 1 && one.clause.section !== section) {
        section = one.clause.section
        lines.push(`## §${section}`, '')
      }
      lines.push(...entry(one))
    }
  }
  return lines.join('\n')
}

function bySection(a: Clause, b: Clause): number {
  const [left, right] = [a, b].map(({ section }) => section.split('.').map(Number))
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? -1) - (right[i] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}

function entry({ clause, tests, code }: Proven): string[] {
  const { id, word, section, meaning, reason, note } = clause
  const lines = [`### ${id}`, '', `${word}, §${section}. ${meaning}`, '']
  const but = reason ?? note
  if (but !== undefined) lines.push(sentence(but), '')
  if (code.length > 0) lines.push(`Code: ${code.map(link).join(', ')}`, '')
  lines.push(...tests.map(({ path, text }) => `- ${plain(text)} ([${path.replace('test/', '')}](../${path}))`))
  if (tests.length > 0) lines.push('')
  return lines
}

function link({ path, name }: Place): string {
  return `[${path.replace('src/', '')}](../${path})${name === '' ? '' : ` \`${name}\``}`
}

const plain = (text: string): string => text.replace(/[<>*_|[\]]/g, '\\$&')
