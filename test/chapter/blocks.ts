// What the pages have from runs: between `<!-- lab NAME --p=v | KIND ... -->` and `<!-- end -->` stands what the run gave.
// Owns: finding blocks, and what each kind shows. Does not own: runs (command.ts), drawings (figures.ts, ladder.ts), files (pages.ts).

import { drawTopology } from '../../src/lab/draw.ts'
import type { WorldRecord } from '../../src/lab/record.ts'
import { formatFigure, formatValue } from '../../src/lab/text-report.ts'
import type { Claim, Outcome, Table } from '../../src/lab/types.ts'
import { outcomeOf } from './command.ts'
import { ladder } from './ladder.ts'

const BLOCK = /<!-- lab ([^|]+?) \| ([^>]+?) -->\n([\s\S]*?)<!-- end -->/g

/** Kinds of figures; what draws them is loaded when one is drawn. */
const FIGURES = new Set(['window', 'time-sequence', 'waterfall', 'queue'])

/** A block of a page. */
export interface Block {
  /** What follows `tunstack lab`. */
  readonly command: string
  /** The kind, and what it is asked for. */
  readonly wanted: string
  /** What stands in it. */
  readonly text: string
}

/** What a block shows, and the figure that it needs, if any. */
export interface Shown {
  readonly text: string
  readonly figure: { readonly name: string; readonly svg: string } | null
}

/** The blocks of a page, in their order. */
export function blocksOf(page: string): Block[] {
  return [...page.matchAll(BLOCK)].map(([, command, wanted, text]) => ({ command, wanted, text }))
}

/** The page with the text of each block replaced, in their order. */
export function withTexts(page: string, texts: readonly string[]): string {
  let i = 0
  return page.replace(BLOCK, (_, command, wanted) => `<!-- lab ${command} | ${wanted} -->\n${texts[i++]}<!-- end -->`)
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

function tableText(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const right = columns.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'))
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`
  const body = rows.map((row) => line(row.map((value) => cell(formatValue(value)))))
  return `${line(columns.map(cell))}${line(right.map((isRight) => (isRight ? '---:' : '---')))}${body.join('')}`
}

function labTable(table: Table, most: number): string {
  const more = table.rows.length - most
  const rest = more > 0 ? `\n... and ${more} rows more.\n` : ''
  return `**${table.title}**\n\n${tableText(table.columns, table.rows.slice(0, most))}${rest}`
}

function claimText({ text, holds, figures, tolerance, because }: Claim): string {
  const numbers = figures.map(formatFigure).join(', ')
  return `- ${holds ? '' : '**Does not hold:** '}${text} *${numbers}* (${numbers === '' ? '' : `${tolerance}; `}${because})\n`
}

function claimsText({ claims }: Outcome, numbers: readonly number[]): string {
  const chosen = numbers.length === 0 ? claims : numbers.map((number) => found(claims[number - 1], `claim ${number}`))
  return chosen.map(claimText).join('')
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`there is no ${what}`)
  return value
}

const measured = ({ figures, holds }: Claim): string => {
  const figure = figures.find(({ name }) => name === 'measured')
  const text =
    figure === undefined ? figures.map(formatFigure).join(', ') : formatFigure(figure).replace('measured ', '')
  return holds ? text : `${text} (does not hold)`
}

/** The claims that come out otherwise, before and after. */
async function compared(command: string, numbers: readonly number[]): Promise<string> {
  const [name, ...changes] = command.split(' ')
  const [before, after] = [await outcomeOf(name), await outcomeOf(command)]
  const rows = after.claims.flatMap((claim, i) => {
    const was = before.claims[i]
    if (numbers.length > 0 ? !numbers.includes(i + 1) : measured(was) === measured(claim)) return []
    const text = was.text === claim.text ? claim.text : `${was.text} → ${claim.text}`
    return [[text, measured(was), measured(claim)]]
  })
  return tableText(['', 'as it is', `\`${changes.join(' ')}\``], rows)
}

function worldsOf({ worlds, id }: Outcome, label: string): WorldRecord[] {
  if (label === '') return worlds.slice(0, 1)
  if (label === '*') return [...worlds]
  const names = worlds.map((world) => `'${world.label}'`).join(', ')
  return label.split(' / ').map((one) => {
    const world = worlds.find((candidate) => candidate.label === one)
    if (world === undefined) throw new TypeError(`${id} has no world '${one}'; there are: ${names}`)
    return world
  })
}

const fenced = (lines: readonly string[]): string => `\`\`\`text\n${lines.join('\n')}\n\`\`\`\n`
const fileWord = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')

/** Runs what a block names and shows what it asks for. @throws {TypeError} for a kind, a table or a world that there is not */
export async function show({ command, wanted }: Pick<Block, 'command' | 'wanted'>): Promise<Shown> {
  const [, kind, rest] = /^(\S+) ?(.*)$/.exec(wanted) as RegExpExecArray
  const outcome = await outcomeOf(command)
  const plain = (text: string): Shown => ({ text, figure: null })
  const numbers = (text: string): number[] => text.split(' ').filter(Boolean).map(Number)
  switch (kind) {
    case 'claims':
      return plain(claimsText(outcome, numbers(rest)))
    case 'try':
      return plain(await compared(command, numbers(rest)))
    case 'network':
      return plain(fenced(drawTopology(outcome.topology)))
    case 'table': {
      const [, title, most] = /^(.*?)(?: \((\d+)\))?$/.exec(rest) as RegExpExecArray
      const table = outcome.tables.find((one) => one.title === title)
      const names = outcome.tables.map((one) => `'${one.title}'`).join(', ')
      if (table === undefined) throw new TypeError(`${outcome.id} has no table '${title}'; there are: ${names}`)
      return plain(labTable(table, Number(most ?? Number.POSITIVE_INFINITY)))
    }
    case 'ladder': {
      const [, label, from = '1', to = '24'] = /^(.*?)(?: ?\((\d+)-(\d+)\))?$/.exec(rest) as RegExpExecArray
      const range = { from: Number(from), count: Number(to) - Number(from) + 1 }
      return plain(fenced(ladder(worldsOf(outcome, label)[0], range)))
    }
    case 'plot': {
      const plot = found(outcome.plots[Number(rest) - 1], `plot ${rest} of ${outcome.id}`)
      const { plotFigure } = await import('./figures.ts')
      return figure(`${fileWord(command)}-plot-${rest}`, plot.title, plotFigure(plot))
    }
    default: {
      if (!FIGURES.has(kind)) throw new TypeError(`there is no figure '${kind}'`)
      const worlds = worldsOf(outcome, rest)
      const { worldFigure } = await import('./figures.ts')
      const name = [fileWord(command), kind, rest === '*' ? '' : fileWord(rest)].filter((part) => part !== '').join('-')
      return figure(name, `${outcome.title}: ${kind}`, worldFigure(kind, worlds))
    }
  }
}

function figure(name: string, title: string, svg: string): Shown {
  return { text: `![${title}](../figures/chapter/${name}.svg)\n`, figure: { name: `${name}.svg`, svg } }
}
