// The folder of a sweep. `sweep.json` says what is swept; `done*.jsonl` has one line for each run that was done, in the order in which they
// ended, one file for each shard; the rest is made of those when all are done.
// Owns: names, appending, reading what a killed sweep has left. Does not own: the tables (src/lab/sweep-table.ts).

import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { identityOf, runAt, type SweepPlan, type SweepResult } from '../lab/sweep-plan.ts'
import { sweepSvg } from '../lab/sweep-plot.ts'
import { pointLine, pointsCsv, pointsOf, resultLine, runsCsv } from '../lab/sweep-table.ts'
import { CliError } from './errors.ts'
import { packageVersion } from './version.ts'

const PLAN = 'sweep.json'

/** A run's settings in 16 hexadecimal digits, the program's version with them. */
export function keyOf(plan: SweepPlan, run: number): string {
  const text = `${packageVersion()} ${identityOf(plan, runAt(plan, run))}`
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Makes the folder and says what is swept in it; a plan that is there already is replaced. */
export function writePlan(folder: string, plan: SweepPlan): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, PLAN), `${JSON.stringify(plan)}\n`)
}

/** What is swept in a folder. @throws {CliError} when it is none of a sweep */
export function readPlan(folder: string): SweepPlan {
  try {
    return JSON.parse(readFileSync(join(folder, PLAN), 'utf8')) as SweepPlan
  } catch (error) {
    throw new CliError(`${folder} is no folder of a sweep: ${(error as Error).message}`, { cause: error })
  }
}

interface Line {
  readonly key: string
  readonly holds: boolean
  readonly measures: Readonly<Record<string, number>>
  readonly error: string
}

/** A line of `done*.jsonl`; null for one that was torn as the program was killed. */
function parseLine(text: string): Line | null {
  try {
    const line = JSON.parse(text) as Line
    return typeof line.key === 'string' && typeof line.measures === 'object' ? line : null
  } catch {
    return null
  }
}

/** Reads what was done in folders, by key. @throws {CliError} when two of them say different things of one run */
export function readDone(folders: readonly string[]): Map<string, Line> {
  const done = new Map<string, Line>()
  for (const folder of folders) {
    const files = readdirSync(folder).filter((name) => /^done.*\.jsonl$/.test(name))
    for (const file of files.sort()) {
      for (const text of readFileSync(join(folder, file), 'utf8').split('\n')) {
        const line = text === '' ? null : parseLine(text)
        if (line === null) continue
        const known = done.get(line.key)
        if (known !== undefined && JSON.stringify(known.measures) !== JSON.stringify(line.measures)) {
          throw new CliError(`${join(folder, file)}: the run ${line.key} has two results`, {
            mend: 'they were made by different sources: begin again in an empty folder',
          })
        }
        done.set(line.key, line)
      }
    }
  }
  return done
}

/** The results among what was done, in the order of the runs. */
export function resultsOf(plan: SweepPlan, runs: readonly number[], done: ReadonlyMap<string, Line>): SweepResult[] {
  return runs.flatMap((run) => {
    const line = done.get(keyOf(plan, run))
    if (line === undefined) return []
    const { holds, measures, error } = line
    return [{ ...runAt(plan, run), holds, measures, error }]
  })
}

/** Appends results, each as one write of one whole line. */
export class DoneFile {
  readonly #fd: number
  readonly #plan: SweepPlan

  /** @param shard '' for all, or the shard's name */
  constructor(folder: string, plan: SweepPlan, shard: string) {
    const path = join(folder, shard === '' ? 'done.jsonl' : `done-${shard.replace('/', '-of-')}.jsonl`)
    const isTorn = existsSync(path) && !/(^|\n)$/.test(readFileSync(path, 'utf8').slice(-1))
    this.#fd = openSync(path, 'a')
    this.#plan = plan
    // What was torn stays a line of its own, which is passed over.
    if (isTorn) writeSync(this.#fd, '\n')
  }

  /** A run is done. */
  append(result: SweepResult): void {
    const { run, holds, measures, error, seed, parameters } = result
    const line = { key: keyOf(this.#plan, run), run, seed, parameters, holds, measures, error }
    writeSync(this.#fd, `${JSON.stringify(line)}\n`)
  }

  /** No more is appended. */
  close(): void {
    closeSync(this.#fd)
  }
}

/** Writes tables and plots; their paths. */
export function writeResults(folder: string, plan: SweepPlan, results: readonly SweepResult[]): string[] {
  mkdirSync(folder, { recursive: true })
  const points = pointsOf(plan, results)
  const files: [string, string][] = [
    ['results.jsonl', results.map((result) => `${resultLine(result)}\n`).join('')],
    ['results.csv', runsCsv(plan, results)],
    ['summary.jsonl', points.map((point) => `${pointLine(point)}\n`).join('')],
    ['summary.csv', pointsCsv(plan, points)],
  ]
  for (const measure of new Set(points.flatMap(({ measures }) => Object.keys(measures)))) {
    const svg = sweepSvg(plan, points, measure)
    if (svg !== '') files.push([`${measure.replace(/[^A-Za-z0-9.-]+/g, '-')}.svg`, svg])
  }
  return files.map(([name, text]) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  })
}
