// A sweep on paper: an experiment, a grid of its parameters and of what its lines are like, and seeds. Every run has a number, so that any
// share of them can be done anywhere.
// Owns: the grid, the numbers, shards, doing one run. Does not own: files and processes (src/cli/sweep*.ts), what comes of it
// (sweep-table.ts).

import { parseFault } from './faults.ts'
import { readParameters } from './parameters.ts'
import { experimentNamed } from './registry.ts'
import { runExperiment } from './run.ts'
import { checkTopology, type Topology } from './topology.ts'
import type { Outcome } from './types.ts'

/** Names in a grid that begin so are words of a link: `link.loss` holds for every link of the network. */
const LINK = 'link.'
/** Runs that one sweep may have. */
const MOST_RUNS = 10_000_000

/** One dimension of the grid. */
export interface Axis {
  /** A parameter of the experiment, or `link.WORD`. */
  readonly name: string
  readonly values: readonly string[]
}

/** A sweep, as plain data. */
export interface SweepPlan {
  readonly experiment: string
  readonly axes: readonly Axis[]
  /** What is the same in every run, by the same names. */
  readonly fixed: Readonly<Record<string, string>>
  readonly seeds: readonly number[]
  readonly faults: readonly string[]
  /** Instead of the experiment's own network. */
  readonly topology: Topology | null
  /** Numbers to gather; null for all that there are. */
  readonly measures: readonly string[] | null
  /** The axis along which it is plotted; null for the first with several numbers. */
  readonly x: string | null
  /** From 0 to 1. */
  readonly confidence: number
}

/** One run of a sweep. */
export interface SweepRun {
  /** From 0; seeds change fastest, then the last axis. */
  readonly run: number
  readonly seed: number
  /** The values of the axes. */
  readonly parameters: Readonly<Record<string, string>>
}

/** What a run has given. */
export interface SweepResult extends SweepRun {
  /** Whether all claims hold. */
  readonly holds: boolean
  readonly measures: Readonly<Record<string, number>>
  /** Why there are no numbers; '' when there are. */
  readonly error: string
}

/** How many runs there are. */
export function countRuns({ axes, seeds }: SweepPlan): number {
  return axes.reduce((product, { values }) => product * values.length, seeds.length)
}

/** The run with a number from 0 to `countRuns(plan)` - 1. */
export function runAt(plan: SweepPlan, run: number): SweepRun {
  let rest = Math.floor(run / plan.seeds.length)
  const chosen: [string, string][] = []
  for (const { name, values } of [...plan.axes].reverse()) {
    chosen.unshift([name, values[rest % values.length]])
    rest = Math.floor(rest / values.length)
  }
  return { run, seed: plan.seeds[run % plan.seeds.length], parameters: Object.fromEntries(chosen) }
}

/** A share of the runs: every n-th, from the i-th on. Written `i/n`, i from 1. @throws {TypeError} for another text */
export function parseShard(text: string): { readonly index: number; readonly count: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text)
  const [index, count] = [Number(match?.[1]), Number(match?.[2])]
  if (match === null || index < 1 || index > count)
    throw new TypeError(`'${text}': write i/n with i from 1 to n, as 1/4`)
  return { index, count }
}

/** The numbers of the runs of a shard. */
export function runsOf(plan: SweepPlan, shard: { readonly index: number; readonly count: number }): number[] {
  const runs: number[] = []
  for (let run = shard.index - 1; run < countRuns(plan); run += shard.count) runs.push(run)
  return runs
}

/** All of a run's settings as one text: equal texts give equal results. */
export function identityOf(plan: SweepPlan, { seed, parameters }: SweepRun): string {
  const settings = Object.entries({ ...plan.fixed, ...parameters }).sort(([a], [b]) => (a < b ? -1 : 1))
  const { experiment, faults, topology } = plan
  return JSON.stringify({ experiment, settings, seed, faults, topology })
}

function split(settings: Readonly<Record<string, string>>): [Record<string, string>, Record<string, string>] {
  const entries = Object.entries(settings)
  const words = entries
    .filter(([name]) => name.startsWith(LINK))
    .map(([name, value]) => [name.slice(LINK.length), value])
  return [Object.fromEntries(entries.filter(([name]) => !name.startsWith(LINK))), Object.fromEntries(words)]
}

/** The network with some words of every link said anew; `mtu` is a number. */
function patched(topology: Topology, words: Readonly<Record<string, string>>): Topology {
  if (Object.keys(words).length === 0) return topology
  const { mtu, ...way } = words
  const said = mtu === undefined ? way : { ...way, mtu: Number(mtu) }
  const links = topology.links.map((link) => {
    const back = Object.fromEntries(Object.entries(link.back ?? {}).filter(([word]) => !Object.hasOwn(words, word)))
    return { ...link, ...said, ...(link.back === undefined ? {} : { back }) }
  })
  return { ...topology, links }
}

function networkOf(plan: SweepPlan, settings: Readonly<Record<string, string>>): Topology {
  const experiment = experimentNamed(plan.experiment)
  const [given, words] = split(settings)
  const values = readParameters(experiment.parameters, given)
  const { topology = null } = plan
  return patched(topology ?? experiment.topology(values as never), words)
}

/** Checks one name with one value: a parameter, or a word of a link. @throws {TypeError | RangeError} naming the mend */
export function checkSetting(plan: SweepPlan, name: string, value: string): void {
  checkTopology(networkOf(plan, { [name]: value }))
}

/** Checks the whole. @throws {TypeError | RangeError} naming the mend */
export function checkPlan(plan: SweepPlan): void {
  experimentNamed(plan.experiment)
  for (const fault of plan.faults) parseFault(fault)
  const twice = plan.axes.find(({ name }) => Object.hasOwn(plan.fixed, name))
  if (twice !== undefined) throw new TypeError(`${twice.name} stands in grid and in fixed: take it out of one`)
  if (new Set(plan.seeds).size !== plan.seeds.length) throw new TypeError('a seed stands there twice')
  for (const { name, values } of plan.axes) {
    if (new Set(values).size !== values.length) throw new TypeError(`${name} has a value twice`)
  }
  if (plan.x !== null && !plan.axes.some(({ name }) => name === plan.x)) {
    throw new TypeError(`x: '${plan.x}' is no axis of the grid`)
  }
  const runs = countRuns(plan)
  if (runs === 0) throw new TypeError('there is nothing to run: an axis or the seeds are empty')
  if (runs > MOST_RUNS) throw new RangeError(`${runs} runs are too many: at most ${MOST_RUNS}`)
}

/** An outcome's numbers: its measures by their names; what claims measured as `claim1`, ... where it has none, or with `wanted`. */
export function measuresOf(outcome: Outcome, wanted = false): Record<string, number> {
  const measures: Record<string, number> = {}
  for (const { name, value } of outcome.measures) if (typeof value === 'number') measures[name] = value
  if (!wanted && outcome.measures.length > 0) return measures
  outcome.claims.forEach(({ figures }, i) => {
    const value = figures.find(({ name }) => name === 'measured')?.value
    if (typeof value === 'number') measures[`claim${i + 1}`] = value
  })
  return measures
}

/** Does one run. What goes wrong is in the result: a run that fails fails again. */
export async function doRun(plan: SweepPlan, run: number): Promise<SweepResult> {
  const planned = runAt(plan, run)
  const settings = { ...plan.fixed, ...planned.parameters }
  try {
    const [given] = split(settings)
    const topology = networkOf(plan, settings)
    const faults = plan.faults.map(parseFault)
    const experiment = experimentNamed(plan.experiment)
    const outcome = await runExperiment(experiment, { given, seed: planned.seed, faults, topology, capture: false })
    const all = measuresOf(outcome, plan.measures !== null)
    const chosen = plan.measures === null ? all : Object.fromEntries(plan.measures.map((name) => [name, all[name]]))
    const missing = Object.keys(chosen).find((name) => chosen[name] === undefined)
    if (missing !== undefined) {
      throw new TypeError(`'${missing}' is not measured; there are: ${Object.keys(all).join(', ')}`)
    }
    return { ...planned, holds: outcome.claims.every(({ holds }) => holds), measures: chosen, error: '' }
  } catch (error) {
    return { ...planned, holds: false, measures: {}, error: error instanceof Error ? error.message : String(error) }
  }
}
