// An outcome as lines for a terminal: question, network, claims, tables, a short ladder, why, and the command that repeats it.
// Owns: the text. Does not own: colours (the caller paints), the page (html-report.ts).

import { drawTopology } from './draw.ts'
import type { PacketRecord, WorldRecord } from './record.ts'
import type { Claim, Figure, Outcome, Table } from './types.ts'
import { CAUSES } from './waterfall.ts'

/** How words are painted; by default they are not. */
export interface Paint {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
}

const plain = (text: string): string => text
/** No colours. */
export const PLAIN: Paint = { bold: plain, dim: plain, good: plain, bad: plain }
/** A world with more packets than this is not drawn as a ladder. */
const MOST_RUNGS = 40

/** The report, line by line. */
export function reportLines(outcome: Outcome, paint: Paint = PLAIN): string[] {
  const { id, question, topology, claims, tables, worlds, figures, why, command, read } = outcome
  const changed = outcome.parameters.map(({ name, value }) => `${name} ${value}`).join(', ')
  return [
    paint.bold(headline(outcome)),
    question,
    '',
    ...drawTopology(topology).map((line) => `  ${line}`),
    ...(changed === '' ? [] : [paint.dim(`  ${changed}${outcome.live === undefined ? `, seed ${outcome.seed}` : ''}`)]),
    '',
    ...claims.flatMap((claim) => claimLines(claim, paint)),
    ...tables.flatMap((table) => ['', ...tableLines(table, paint)]),
    ...(figures.includes('waterfall') ? worlds.flatMap((world) => waterfallLines(world, paint)) : []),
    ...(figures.includes('ladder') ? worlds.flatMap((world) => ladderLines(world, paint)) : []),
    ...(why.length === 0 ? [] : ['', paint.bold('Why'), ...why.map((text) => `  ${text}`)]),
    '',
    paint.dim(`Read: ${read.join('; ')}`),
    `${paint.dim('Again:')} ${command}`,
    verdict(id, claims, paint),
  ]
}

/** Title and fact; for a live run what it was run against. */
export function headline({ title, fact, live }: Pick<Outcome, 'title' | 'fact' | 'live'>): string {
  return `${title}${fact === '' ? '' : ` (${fact})`}${live === undefined ? '' : `, live against ${live}`}`
}

function verdict(id: string, claims: readonly Claim[], paint: Paint): string {
  const failed = claims.filter(({ holds }) => !holds).length
  return failed === 0
    ? paint.good(`${id}: ${claims.length === 1 ? 'the claim holds' : `all ${claims.length} claims hold`}`)
    : paint.bad(`${id}: ${failed} of ${claims.length} claims FAILED`)
}

/** A number as reports show it: at most three decimals, thousands parted. */
export function formatValue(value: number | string): string {
  if (typeof value === 'string') return value
  if (!Number.isFinite(value)) return String(value)
  const digits = Math.abs(value) >= 1000 ? 0 : 3
  const [whole, part] = String(Math.round(value * 10 ** digits) / 10 ** digits).split('.')
  const parted = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, ',') : whole
  return part === undefined ? parted : `${parted}.${part}`
}

/** 'measured 6 rounds'. */
export function formatFigure({ name, value, unit }: Figure): string {
  return `${name} ${formatValue(value)}${unit === '' ? '' : ` ${unit}`}`
}

function claimLines({ text, holds, figures, tolerance, because }: Claim, paint: Paint): string[] {
  const mark = holds ? paint.good('ok    ') : paint.bad('FAILED')
  const numbers = figures.map(formatFigure).join(', ')
  return [`${mark} ${text}`, paint.dim(`       ${numbers}${numbers === '' ? '' : ' '}(${tolerance}): ${because}`)]
}

function tableLines({ title, columns, rows }: Table, paint: Paint): string[] {
  const cells = rows.map((row) => row.map((cell) => formatValue(cell)))
  const widths = columns.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const isNumber = columns.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'))
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ')}`.trimEnd()
  return [paint.bold(title), paint.dim(line(columns)), ...cells.map(line)]
}

function waterfallLines({ label, transactions }: WorldRecord, paint: Paint): string[] {
  if (transactions.length === 0) return []
  const lines = ['', paint.bold(`Where the time of each exchange went: ${label}`)]
  for (const { name, startedAt, endedAt, slices, isReused } of transactions.slice(0, 16)) {
    const sums = new Map<string, number>()
    for (const { cause, from, to } of slices) sums.set(cause, (sums.get(cause) ?? 0) + to - from)
    const parts = [...sums].map(([cause, us]) => `${cause} ${formatValue(Math.round(us / 100) / 10)}`)
    const total = formatValue(Math.round((endedAt - startedAt) / 100) / 10)
    lines.push(`  ${name}${isReused ? ' (kept connection)' : ''}: ${total} ms = ${parts.join(' + ') || 'no packets'}`)
  }
  return lines
}

/** The word for a cause of a waterfall. */
export function causeText(cause: string): string {
  return (CAUSES as Readonly<Record<string, { text: string }>>)[cause]?.text ?? cause
}

function ladderLines({ label, packets, hosts, omitted }: WorldRecord, paint: Paint): string[] {
  if (packets.length === 0) return []
  const [left] = hosts
  const shown = packets.slice(0, MOST_RUNGS)
  const rest = packets.length - shown.length + omitted
  return [
    '',
    paint.bold(`Packets: ${label}`),
    paint.dim(`  ${'sent ms'.padStart(10)} ${'there ms'.padStart(10)}`),
    ...shown.map((packet) => rung(packet, left, paint)),
    ...(rest > 0 ? [paint.dim(`  ... ${rest} more`)] : []),
  ]
}

function rung({ sentAt, receivedAt, from, to, line, fate, isAgain }: PacketRecord, left: string, paint: Paint): string {
  const ms = (us: number): string => (us < 0 ? '-' : (us / 1000).toFixed(1)).padStart(10)
  const ends = to === left ? `${to} ◀── ${from}` : `${from} ──▶ ${to}`
  const text = line.replace(/,? ?options \[[^\]]*\]/, '')
  const notes = [isAgain ? 'again' : '', fate].filter((note) => note !== '').join(', ')
  const rungText = `  ${ms(sentAt)} ${ms(receivedAt)}  ${ends}  ${text}`
  return notes === '' ? rungText : `${rungText}  ${receivedAt < 0 ? paint.bad(`✗ ${notes}`) : paint.bold(`(${notes})`)}`
}
