// Runs an experiment and gathers all that a report needs.
// Owns: the order, the command that repeats it. Does not own: what it shows (experiments/), how it looks (text-report.ts, html-report.ts).

import { type ContextOptions, RunContext } from './context.ts'
import { type Fault, formatFault } from './faults.ts'
import type { LiveContext, LiveExperiment } from './live.ts'
import { readParameters } from './parameters.ts'
import type { WorldRecord } from './record.ts'
import type { Topology } from './topology.ts'
import type { Experiment, Findings, Outcome, Values } from './types.ts'
import { whySentences } from './why.ts'

/** How an experiment is run. */
export interface RunOptions {
  /** Parameters as texts. */
  readonly given?: Readonly<Record<string, string>>
  readonly seed?: number
  readonly faults?: readonly Fault[]
  /** Instead of the experiment's own. */
  readonly topology?: Topology
  /** What the topology was read from, for the command. */
  readonly topologyFile?: string
  /** Whether to keep captures for the report. Default true. */
  readonly capture?: boolean
  /** See ContextOptions. */
  readonly watch?: ContextOptions['watch']
  readonly fork?: ContextOptions['fork']
  readonly onFault?: ContextOptions['onFault']
}

/**
 * Runs an experiment in virtual time; equal options give equal outcomes, to the byte.
 * @throws {TypeError | RangeError} for parameters, faults or a topology that cannot be meant
 */
export async function runExperiment(experiment: Experiment, options: RunOptions = {}): Promise<Outcome> {
  const { given = {}, seed = 1, faults = [], capture = true, watch, fork, onFault } = options
  const { parameters, id, mostUs } = experiment
  const values = readParameters(parameters, given) as Values<typeof parameters>
  const topology = options.topology ?? experiment.topology(values)
  const context = new RunContext({ seed, topology, faults, capture, mostUs, watch, fork, onFault })
  const findings = await experiment.run(context, values)
  const worlds = context.shown.map((world) => world.record())
  const command = commandOf(id, given, seed, faults, options.topologyFile)
  return outcomeOf(experiment, { given, seed, command, topology }, findings, worlds)
}

/**
 * Runs an experiment against Linux. The process must be in a namespace of its own: see cli/lab-live.ts.
 * @param linux what is there, as 'Linux 6.12.0'
 * @param contextFor makes the surroundings, and the records of their worlds once they are over
 * @throws {TypeError | RangeError} for parameters that cannot be meant
 */
export async function runLiveExperiment(
  { experiment, parameters, run }: LiveExperiment,
  given: Readonly<Record<string, string>>,
  linux: string,
  contextFor: (topology: Topology) => { readonly context: LiveContext; readonly records: () => WorldRecord[] },
): Promise<Outcome> {
  const values = readParameters(parameters, given)
  const topology = experiment.topology(values as Values<typeof parameters>)
  const { context, records } = contextFor(topology)
  const findings = await run(context, values)
  const command = [`tunstack lab ${experiment.id} --live`, ...givenWords(given)].join(' ')
  return {
    ...outcomeOf({ ...experiment, parameters }, { given, seed: 0, command, topology }, findings, records()),
    live: linux,
  }
}

/** Puts together what a run was and what it found. */
function outcomeOf(
  { id, fact, title, question, read, figures, parameters }: Experiment,
  { given, ...rest }: Pick<Outcome, 'seed' | 'command' | 'topology'> & { given: Readonly<Record<string, string>> },
  { claims, tables = [], plots = [], why = [], measures = [] }: Findings,
  worlds: readonly WorldRecord[],
): Outcome {
  return {
    id,
    fact,
    title,
    question,
    read,
    ...rest,
    parameters: Object.entries(parameters).map(([name, parameter]) => ({
      name,
      value: given[name] ?? parameter.default,
      doc: parameter.doc,
      isDefault: (given[name] ?? parameter.default) === parameter.default,
    })),
    figures,
    claims,
    tables,
    plots,
    why: [...why, ...whySentences(worlds)],
    measures,
    worlds,
  }
}

const quoted = (text: string): string => (/^[\w.,:%/=+-]+$/.test(text) ? text : `"${text}"`)

const givenWords = (given: Readonly<Record<string, string>>): string[] =>
  Object.entries(given).map(([name, value]) => quoted(`--${name}=${value}`))

function commandOf(
  id: string,
  given: Readonly<Record<string, string>>,
  seed: number,
  faults: readonly Fault[],
  topologyFile: string | undefined,
): string {
  const parts = ['tunstack lab', id, ...givenWords(given)]
  parts.push(`--seed=${seed}`)
  for (const fault of faults) parts.push(`--fault ${quoted(formatFault(fault))}`)
  if (topologyFile !== undefined) parts.push(`--topology ${quoted(topologyFile)}`)
  return parts.join(' ')
}

/** Whether every claim holds. */
export function allHold({ claims }: Outcome): boolean {
  return claims.every(({ holds }) => holds)
}
