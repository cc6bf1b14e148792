// The lossy-link table: from outcomes to rows, to Markdown and to JSON.
// Owns: medians, ratios, the columns. Does not own: the measurements (main.ts).

import { spawnSync } from 'node:child_process'
import { cpus, release } from 'node:os'
import type { Cell } from './cells.ts'
import type { KernelCounters } from './kernel-counters.ts'
import type { Kind, Outcome } from './testbed.ts'

/** All outcomes of a cell, run by run. */
export interface Measured {
  readonly cell: Cell
  readonly seconds: number
  readonly runs: Readonly<Record<Kind, readonly Outcome[]>>
  /** What the kernel counted when it sent, to either receiver. */
  readonly counted: KernelCounters
  /** By how much a packet was late at most: the machine had other things to do. */
  readonly lateMs: number
}

/** The middle value, of an even number the mean of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return 0
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2
}

const mbitOf = (runs: readonly Outcome[]): number => median(runs.map(({ mbit }) => mbit))
const sum = (runs: readonly Outcome[], of: (run: Outcome) => number): number =>
  runs.reduce((all, run) => all + of(run), 0)

/** Text sent again, and text sent again for nothing, in percent of what was sent. */
function again(runs: readonly Outcome[]): { readonly resent: number; readonly twice: number } {
  const sent = Math.max(
    1,
    sum(runs, ({ seen }) => seen.sent),
  )
  return {
    resent: (100 * sum(runs, ({ seen }) => seen.resent)) / sent,
    twice: (100 * sum(runs, ({ seen }) => seen.twice)) / sent,
  }
}

const percent = ({ resent, twice }: { readonly resent: number; readonly twice: number }): string =>
  `${resent.toFixed(2)} (${twice.toFixed(2)})`

/** Ours to the yardstick's of the same seed: the same packets were lost, as long as both send alike. */
function ratios(runs: readonly Outcome[], yardstick: readonly Outcome[]): number[] {
  return runs.slice(0, yardstick.length).map(({ mbit }, run) => mbit / yardstick[run].mbit)
}

function ratioText(runs: readonly Outcome[], yardstick: readonly Outcome[]): string {
  const all = ratios(runs, yardstick)
  if (all.length === 0) return '-'
  return `**${median(all).toFixed(2)}** (${Math.min(...all).toFixed(2)}-${Math.max(...all).toFixed(2)})`
}

/** The machine and the commit, in a line. */
export function machine(): string {
  const commit = spawnSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).stdout.trim()
  return `${cpus().length} x ${cpus()[0].model}, Linux ${release()}, Node ${process.version}, commit ${commit}`
}

const HEAD = [
  'RTT ms',
  'loss %',
  'reordering',
  'kernel, Mbit/s',
  'ours sends',
  'ours receives',
  'sent again (twice) %: kernel',
  'ours sends',
  'ours receives',
  'recoveries / timeouts / undone: kernel, both',
  'ours sends',
  'packets late by, ms',
]

/** One line of Markdown. */
export function line({ cell, runs, counted, lateMs }: Measured): string {
  const { kernel, send, receive } = runs
  const rates = kernel.length === 0 ? [0] : kernel.map(({ mbit }) => mbit)
  const told = (of: 'losses' | 'timeouts' | 'undone'): number => sum(send, (run) => run.told?.[of] ?? 0)
  const { TCPSackRecovery, TCPTimeouts, TCPFullUndo, TCPPartialUndo, TCPDSACKUndo, TCPLossUndo } = counted
  const columns = [
    String(cell.rttMs),
    String(cell.loss),
    cell.reorder ? '2 % by 3 ms' : '',
    `${mbitOf(kernel).toFixed(1)} (${Math.min(...rates).toFixed(1)}-${Math.max(...rates).toFixed(1)})`,
    ratioText(send, kernel),
    ratioText(receive, kernel),
    percent(again(kernel)),
    percent(again(send)),
    percent(again(receive)),
    `${TCPSackRecovery} / ${TCPTimeouts} / ${TCPFullUndo + TCPPartialUndo + TCPDSACKUndo + TCPLossUndo}`,
    `${told('losses')} / ${told('timeouts')} / ${told('undone')}`,
    lateMs.toFixed(0),
  ]
  return `| ${columns.join(' | ')} |`
}

/** The two lines above them. */
export function head(): string {
  return `| ${HEAD.join(' | ')} |\n|${HEAD.map((_, i) => (i === 2 ? '---' : '---:')).join('|')}|`
}

/** Everything, for programs. */
export function json(all: readonly Measured[]): string {
  const rows = all.map(({ cell, seconds, runs, counted, lateMs }) => ({
    ...cell,
    seconds,
    kernelMbit: mbitOf(runs.kernel),
    sendRatio: median(ratios(runs.send, runs.kernel)),
    receiveRatio: median(ratios(runs.receive, runs.kernel)),
    lateMs,
    kernelCounted: counted,
    runs,
  }))
  return `${JSON.stringify({ machine: machine(), cells: rows }, null, 2)}\n`
}
