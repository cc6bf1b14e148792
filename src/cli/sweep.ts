// `tunstack sweep`: grids of parameters times seeds, on all cores, on a cluster in shards, and on from where it was killed.
// Owns: the commands, progress. Does not own: the plan (src/lab/sweep-plan.ts), processes (sweep-pool.ts, sweep-redis.ts), files.

import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { countRuns, parseShard, runsOf, type SweepPlan, type SweepResult } from '../lab/sweep-plan.ts'
import { pointLines, pointsOf } from '../lab/sweep-table.ts'
import { CliError, EXIT, usageError } from './errors.ts'
import { print, printError } from './print.ts'
import { DoneFile, keyOf, readDone, readPlan, resultsOf, writePlan, writeResults } from './sweep-files.ts'
import { runPool } from './sweep-pool.ts'
import { Progress } from './sweep-progress.ts'
import { runRedis } from './sweep-redis.ts'
import { workAtRedis } from './sweep-redis-worker.ts'
import { readSweep } from './sweep-yaml.ts'

interface Flags {
  readonly out?: string
  readonly jobs: string
  readonly shard?: string
  readonly quiet?: boolean
  readonly redis?: string
  readonly worker?: boolean
}

const HELP = `
  experiment: transfer
  seeds: 20
  grid: { rtt: [20ms, 100ms], loss: [0.1%, 1%], congestion: [reno, cubic] }

Killed, and started again, it goes on where it was. docs/sweep.md has Slurm, GNU parallel and Kubernetes.

Exit status: 0 all runs done, 1 some run failed or is missing, 2 bad command line or file, 130 interrupted.`

/** The subcommand. */
export function sweepCommand(): Command {
  const command = new Command('sweep')
    .summary('a grid of experiments times seeds, on all cores or a cluster')
    .description(
      'Runs an experiment of the lab for every point of a grid and every seed, and gathers means with intervals.',
    )
    .argument('[file]', 'what to sweep, in YAML')
    .option('-o, --out <folder>', 'where results go; default: the name of the file, without .yaml')
    .option('-j, --jobs <number>', 'processes', String(availableParallelism()))
    .option('--shard <i/n>', "every n-th run, from the i-th on; `sweep merge` joins the shards' folders")
    .option('--redis <url>', 'let the workers at a Redis server do the runs; needs the package bullmq')
    .option('--worker', 'do runs for a sweep at --redis, until Ctrl-C')
    .option('-q, --quiet', 'no progress, no table')
    .addHelpText('after', HELP)
    .action(async (file: string | undefined, flags: Flags) => {
      process.exitCode = flags.worker === true ? await work(file, flags) : await sweep(file, flags)
    })
  command
    .command('merge')
    .summary('joins the folders of shards')
    .argument('<folders...>', 'folders of one sweep; they may be the same one')
    .option('-o, --out <folder>', 'where results go; default: the first folder')
    .action((folders: string[], flags: { readonly out?: string }) => {
      // commander gives an option that both commands have to the outer one
      process.exitCode = merge(folders, flags.out ?? (command.opts() as { out?: string }).out)
    })
  return command
}

function jobsOf(text: string): number {
  const jobs = Number(text)
  if (!Number.isInteger(jobs) || jobs < 1) throw usageError(`--jobs ${text}`, 'write a whole number from 1 on')
  return jobs
}

/** Does runs for others until a signal comes. */
async function work(file: string | undefined, flags: Flags): Promise<number> {
  if (flags.redis === undefined) throw usageError('--worker needs --redis', 'write --redis redis://host:6379')
  if (file !== undefined) throw usageError(`a worker takes no file: ${file}`, 'the coordinator has it: leave it out')
  const abort = new AbortController()
  const stop = (): void => abort.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const { redis: url, jobs, quiet: isQuiet = false } = flags
  await workAtRedis({ url, jobs: jobsOf(jobs), isQuiet, signal: abort.signal })
  return EXIT.ok
}

async function sweep(file: string | undefined, flags: Flags): Promise<number> {
  if (file === undefined) throw usageError('what is to be swept?', 'tunstack sweep FILE.yaml')
  const jobs = jobsOf(flags.jobs)
  if (flags.redis !== undefined && flags.shard !== undefined) {
    throw usageError('--shard does not go with --redis', 'workers share the runs by themselves: leave out --shard')
  }
  const shard = shardOf(flags.shard)
  const plan = await planOf(file)
  const folder = flags.out ?? file.replace(/\.ya?ml$/i, '')
  if (folder === file) throw usageError(`${file} does not end in .yaml`, 'say where results go: --out FOLDER')
  writePlan(folder, plan)
  const runs = runsOf(plan, shard)
  const before = readDone([folder])
  const left = runs.filter((run) => !before.has(keyOf(plan, run)))
  if (left.length > 0) {
    const isWhole = await doRuns(plan, folder, left, { jobs, total: runs.length, flags })
    if (!isWhole) return 130
  }
  const results = resultsOf(plan, runs, readDone([folder]))
  const failed = results.filter(({ error }) => error !== '')
  if (shard.count === 1) {
    for (const path of writeResults(folder, plan, results)) if (!flags.quiet) printError(path)
    if (!flags.quiet) for (const line of pointLines(plan, pointsOf(plan, results))) print(line)
  }
  return tellFailed(failed.length, results.length, failed[0]?.error)
}

function tellFailed(failed: number, all: number, first: string | undefined): number {
  if (failed === 0) return EXIT.ok
  printError(`${failed} of ${all} runs failed, the first: ${first}`)
  return EXIT.failure
}

function shardOf(text: string | undefined): { readonly index: number; readonly count: number } {
  try {
    return text === undefined ? { index: 1, count: 1 } : parseShard(text)
  } catch (error) {
    throw usageError(`--shard ${(error as Error).message}`)
  }
}

async function planOf(file: string): Promise<SweepPlan> {
  try {
    return await readSweep(file)
  } catch (error) {
    throw usageError((error as Error).message, 'tunstack sweep --help, docs/sweep.md')
  }
}

/** Does what is left; false when it was interrupted. */
async function doRuns(
  plan: SweepPlan,
  folder: string,
  left: readonly number[],
  { jobs, total, flags }: { readonly jobs: number; readonly total: number; readonly flags: Flags },
): Promise<boolean> {
  const done = new DoneFile(folder, plan, flags.shard ?? '')
  const progress = new Progress(total, total - left.length, flags.quiet === true)
  const abort = new AbortController()
  const stop = (): void => abort.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const onResult = (result: SweepResult): void => {
    done.append(result)
    progress.step()
  }
  try {
    const options = { plan, runs: left, signal: abort.signal, onResult }
    await (flags.redis === undefined ? runPool({ ...options, jobs }) : runRedis({ ...options, url: flags.redis }))
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
    done.close()
    progress.end()
  }
  if (abort.signal.aborted) printError('interrupted: the same command goes on from here')
  return !abort.signal.aborted
}

function merge(folders: readonly string[], out = folders[0]): number {
  const plans = folders.map(readPlan)
  const other = plans.findIndex((plan) => JSON.stringify(plan) !== JSON.stringify(plans[0]))
  if (other > 0) throw new CliError(`${folders[other]} and ${folders[0]} are of different sweeps`)
  const [plan] = plans
  const results = resultsOf(plan, runsOf(plan, { index: 1, count: 1 }), readDone([...new Set(folders)]))
  const missing = countRuns(plan) - results.length
  writePlan(out, plan)
  for (const path of writeResults(out, plan, results)) printError(path)
  for (const line of pointLines(plan, pointsOf(plan, results))) print(line)
  if (missing > 0) {
    printError(`${missing} of ${countRuns(plan)} runs are missing: ${join(out, 'results.jsonl')} is not whole`)
    return EXIT.failure
  }
  const failed = results.filter(({ error }) => error !== '')
  return tellFailed(failed.length, results.length, failed[0]?.error)
}
