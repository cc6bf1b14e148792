// Defining an experiment, so that its parameters have types, and mistakes in a definition show at once.
// Owns: the checks. Does not own: the list of experiments (registry.ts).

import { readParameters } from './parameters.ts'
import type { Experiment, Parameter } from './types.ts'

/** Names that the command line has itself. */
const RESERVED = new Set([
  'seed',
  'report',
  'pcap',
  'json',
  'live',
  'fault',
  'topology',
  'list',
  'help',
  'log',
  'digests',
  'check',
])

/**
 * Takes an experiment as it is and checks it.
 * @throws {TypeError | RangeError} for a name that is none, a parameter that the command line has itself, or a default that cannot be read
 */
export function defineExperiment<const P extends Readonly<Record<string, Parameter>>>(
  experiment: Experiment<P>,
): Experiment {
  const { id, parameters, question } = experiment
  if (!/^[a-z][a-z0-9-]*$/.test(id))
    throw new TypeError(`'${id}' is no name for an experiment: small letters and hyphens`)
  if (!question.endsWith('?')) throw new TypeError(`the question of '${id}' ends with a question mark`)
  for (const name of Object.keys(parameters)) {
    if (RESERVED.has(name)) throw new TypeError(`the parameter --${name} of '${id}' is an option of the command`)
  }
  readParameters(parameters, {})
  return experiment as unknown as Experiment
}
