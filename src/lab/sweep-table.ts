// What comes of a sweep: every run in the order of its number, and for each point of the grid the mean over its seeds with an interval of
// confidence. Equal results give equal bytes, wherever and in whatever order they were made.
// Owns: the tables and their texts. Does not own: arithmetic (statistics.ts), plots (sweep-plot.ts), files (src/cli/sweep-files.ts).

import { type Estimate, estimate } from './statistics.ts'
import { runAt, type SweepPlan, type SweepResult } from './sweep-plan.ts'

/** One point of the grid. */
export interface SweepPoint {
  readonly parameters: Readonly<Record<string, string>>
  /** Runs that gave numbers. */
  readonly runs: number
  readonly failed: number
  /** The share of runs in which every claim holds, from 0 to 1. */
  readonly holds: number
  readonly measures: Readonly<Record<string, Estimate>>
}

/** The points of the grid in their order; those without any result are left out. */
export function pointsOf(plan: SweepPlan, results: readonly SweepResult[]): SweepPoint[] {
  const groups = new Map<number, SweepResult[]>()
  for (const result of results) {
    const point = Math.floor(result.run / plan.seeds.length)
    const group = groups.get(point)
    if (group === undefined) groups.set(point, [result])
    else group.push(result)
  }
  const sorted = [...groups].sort(([a], [b]) => a - b)
  return sorted.map(([point, group]) => {
    const good = group.filter(({ error }) => error === '').sort((a, b) => a.run - b.run)
    const names = [...new Set(good.flatMap(({ measures }) => Object.keys(measures)))]
    const estimates = names.map((name) => {
      const values = good.flatMap(({ measures }) => (measures[name] === undefined ? [] : [measures[name]]))
      return [name, estimate(values, plan.confidence)] as const
    })
    return {
      parameters: runAt(plan, point * plan.seeds.length).parameters,
      runs: good.length,
      failed: group.length - good.length,
      holds: good.length === 0 ? 0 : good.filter(({ holds }) => holds).length / good.length,
      measures: Object.fromEntries(estimates),
    }
  })
}

/** A result as one line of JSON, without its end. */
export function resultLine({ run, seed, parameters, holds, measures, error }: SweepResult): string {
  return JSON.stringify({ run, seed, parameters, holds, measures, error })
}

/** A point as one line of JSON; an interval that one run cannot have is null. */
export function pointLine({ parameters, runs, failed, holds, measures }: SweepPoint): string {
  return JSON.stringify({ parameters, runs, failed, holds, measures })
}

/** A field of RFC 4180 §2. */
function field(value: string | number): string {
  const text = typeof value === 'number' && !Number.isFinite(value) ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const csv = (rows: readonly (readonly (string | number)[])[]): string =>
  rows.map((row) => `${row.map(field).join(',')}\n`).join('')

/** Every run, one row each (RFC 4180, lines end in LF). */
export function runsCsv(plan: SweepPlan, results: readonly SweepResult[]): string {
  const axes = plan.axes.map(({ name }) => name)
  const names = [...new Set(results.flatMap(({ measures }) => Object.keys(measures)))]
  const rows = results.map(({ run, seed, parameters, holds, measures, error }) => [
    run,
    ...axes.map((name) => parameters[name]),
    seed,
    holds ? 1 : 0,
    ...names.map((name) => measures[name] ?? ''),
    error,
  ])
  return csv([['run', ...axes, 'seed', 'holds', ...names, 'error'], ...rows])
}

/** Every point, one row each: for each measure mean, both ends of the interval, deviation. An interval of one run is empty. */
export function pointsCsv(plan: SweepPlan, points: readonly SweepPoint[]): string {
  const axes = plan.axes.map(({ name }) => name)
  const names = [...new Set(points.flatMap(({ measures }) => Object.keys(measures)))]
  const columns = names.flatMap((name) => [name, `${name} low`, `${name} high`, `${name} deviation`])
  const rows = points.map(({ parameters, runs, failed, holds, measures }) => [
    ...axes.map((name) => parameters[name]),
    runs,
    failed,
    holds,
    ...names.flatMap((name): (string | number)[] => {
      const found = measures[name]
      if (found === undefined) return ['', '', '', '']
      const { mean, half, deviation } = found
      return [mean, mean - half, mean + half, deviation]
    }),
  ])
  return csv([[...axes, 'runs', 'failed', 'holds', ...columns], ...rows])
}

/** The points as lines for a terminal: mean ± half of the interval. */
export function pointLines(plan: SweepPlan, points: readonly SweepPoint[]): string[] {
  const axes = plan.axes.map(({ name }) => name)
  const names = [...new Set(points.flatMap(({ measures }) => Object.keys(measures)))]
  const rows = points.map(({ parameters, runs, holds, measures }) => [
    ...axes.map((name) => parameters[name]),
    String(runs),
    `${Math.round(holds * 100)} %`,
    ...names.map((name) => formatEstimate(measures[name])),
  ])
  const all = [[...axes, 'runs', 'hold', ...names], ...rows]
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)))
  return all.map((row) => row.map((text, column) => text.padStart(widths[column])).join('  '))
}

function formatEstimate(found: Estimate | undefined): string {
  if (found === undefined) return '-'
  const { mean, half } = found
  const digits = mean === 0 && half === 0 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(Math.max(Math.abs(mean), 1e-9))))
  const shown = (value: number): string => value.toFixed(Math.min(digits, 6))
  return Number.isFinite(half) ? `${shown(mean)} ± ${shown(half)}` : shown(mean)
}
