// Sweeps from YAML files; errors name line and column.
// Owns: reading. Does not own: what a sweep is (src/lab/sweep-plan.ts).

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { checkPlan, checkSetting, type SweepPlan } from '../lab/sweep-plan.ts'
import type { Topology } from '../lab/topology.ts'
import { parsePercent } from '../link/impair-options.ts'
import { parseYaml, readTopology, type Valibot, type YamlText } from './lab-yaml.ts'

type Scalar = string | number | boolean

interface Raw {
  readonly experiment: string
  readonly grid?: Readonly<Record<string, Scalar | readonly Scalar[]>>
  readonly fixed?: Readonly<Record<string, Scalar>>
  readonly seeds?: number | string | readonly number[]
  readonly faults?: readonly string[]
  readonly topology?: string
  readonly measure?: readonly string[]
  readonly x?: string
  readonly confidence?: string
}

function schemaOf(v: Valibot) {
  const scalar = v.union([v.string(), v.number(), v.boolean()])
  return v.strictObject({
    experiment: v.string(),
    grid: v.optional(v.record(v.string(), v.union([scalar, v.array(scalar)]))),
    fixed: v.optional(v.record(v.string(), scalar)),
    seeds: v.optional(v.union([v.number(), v.string(), v.array(v.number())])),
    faults: v.optional(v.array(v.string())),
    topology: v.optional(v.string()),
    measure: v.optional(v.array(v.string())),
    x: v.optional(v.string()),
    confidence: v.optional(v.string()),
  })
}

/** `20` are the seeds 1 to 20, `5-9` those from 5 to 9; a list is itself. @throws {TypeError} for others */
export function readSeeds(seeds: number | string | readonly number[]): number[] {
  const range = /^(\d+)(?:-(\d+))?$/.exec(String(seeds))
  const list =
    typeof seeds === 'object'
      ? [...seeds]
      : range === null
        ? []
        : span(range[2] === undefined ? 1 : Number(range[1]), Number(range[2] ?? range[1]))
  if (list.length === 0 || !list.every(Number.isSafeInteger)) {
    throw new TypeError('seeds: write how many (20), from and to (5-9), or a list of whole numbers')
  }
  return list
}

const span = (first: number, last: number): number[] =>
  last - first > 1e7 ? [] : Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)

/** Reads a file. @throws {TypeError} as `FILE:LINE:COLUMN: what is wrong` */
export async function readSweep(path: string): Promise<SweepPlan> {
  return parseSweep(readFileSync(path, 'utf8'), path)
}

/** Reads a text; a topology's file is looked for beside `name`. @throws {TypeError} as `NAME:LINE:COLUMN: what is wrong` */
export async function parseSweep(text: string, name: string): Promise<SweepPlan> {
  const read = await parseYaml(text, name, schemaOf)
  const raw = read.value as Raw
  const at = <T>(keys: readonly unknown[], make: () => T): T => {
    try {
      return make()
    } catch (error) {
      throw read.fail(keys, (error as Error).message)
    }
  }
  const plan: SweepPlan = {
    experiment: raw.experiment,
    axes: Object.entries(raw.grid ?? {}).map(([axis, values]) => ({
      name: axis,
      values: (Array.isArray(values) ? (values as readonly Scalar[]) : [values as Scalar]).map(String),
    })),
    fixed: Object.fromEntries(Object.entries(raw.fixed ?? {}).map(([key, value]) => [key, String(value)])),
    seeds: at(['seeds'], () => readSeeds(raw.seeds ?? 1)),
    faults: raw.faults ?? [],
    topology: raw.topology === undefined ? null : await topologyBeside(name, raw.topology, read),
    measures: raw.measure ?? null,
    x: raw.x ?? null,
    confidence: at(['confidence'], () => readConfidence(raw.confidence ?? '95%')),
  }
  at(['experiment'], () => checkPlan({ ...plan, faults: [], x: null, axes: [], fixed: {} }))
  for (const [i, fault] of plan.faults.entries()) {
    at(['faults', i], () => checkPlan({ ...plan, faults: [fault], x: null, axes: [] }))
  }
  for (const [key, value] of Object.entries(plan.fixed)) at(['fixed', key], () => checkSetting(plan, key, value))
  for (const { name: axis, values } of plan.axes) {
    const isList = Array.isArray(raw.grid?.[axis])
    for (const [i, value] of values.entries()) {
      at(isList ? ['grid', axis, i] : ['grid', axis], () => checkSetting(plan, axis, value))
    }
  }
  at(raw.x === undefined ? ['grid'] : ['x'], () => checkPlan(plan))
  return plan
}

function readConfidence(text: string): number {
  const share = parsePercent(text)
  if (!(share > 0 && share < 1)) throw new TypeError(`confidence: write a percentage between 0% and 100%, as 95%`)
  return share
}

async function topologyBeside(name: string, file: string, read: YamlText): Promise<Topology> {
  try {
    return await readTopology(resolve(dirname(name), file))
  } catch (error) {
    throw read.fail(['topology'], (error as Error).message)
  }
}
