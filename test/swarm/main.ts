// The swarm's command line.
//
//   npm run swarm -- --seeds 100000 --from 0 --jobs 2     many seeds; exit 1 when one fails
//   npm run swarm -- --minutes 10                         as many as there is time for
//   npm run swarm -- --seed 4711                          one again: what failed, and its last packets
//   npm run swarm -- --seed 4711 --shrink [--minutes 1]   a smaller case that fails in the same way, as JSON
//   npm run swarm -- --case FILE                          that case
//
// Owns: options, processes, texts. Does not own: a run (once.ts).

import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { bundled } from './bundle.ts'
import { type Case, caseFromJson, caseToJson } from './case.ts'
import { drawCase } from './draw.ts'
import { Notes, type Tally } from './notes.ts'
import { ladderOf, runCase } from './once.ts'
import { shrink } from './shrink.ts'
import type { Report } from './worker.ts'

interface Options {
  seeds?: number
  from: number
  minutes?: number
  jobs: number
  seed?: number
  case?: string
  shrink: boolean
  rungs: number
}

const command = new Command('swarm')
  .description('Whole networks in virtual time, each from one seed; a seed that fails is told, and exits with 1.')
  .option('--seeds <n>', 'how many (default: 1000, or as many as --minutes allow)', wholeNumber)
  .option('--from <n>', 'the first seed', wholeNumber, 0)
  .option('--minutes <m>', 'stop after so long; with --shrink: how long to look for a smaller case', positive)
  .option('--jobs <n>', 'processes', atLeastOne, 2)
  .option('--seed <n>', 'one again: what failed, and its last packets', wholeNumber)
  .option('--case <file>', 'a case as --shrink prints it')
  .option('--shrink', 'prints a smaller case that fails in the same way, as JSON', false)
  .option('--rungs <n>', 'most packets of the ladder', wholeNumber, 50)
  .parse()
const options = command.opts<Options>()

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is meant.')
  return Number(text)
}

function atLeastOne(text: string): number {
  const count = wholeNumber(text)
  if (count === 0) throw new InvalidArgumentError('one at least.')
  return count
}

function positive(text: string): number {
  if (!(Number(text) > 0)) throw new InvalidArgumentError('a number above 0 is meant.')
  return Number(text)
}

/** One case: how it went, and if it failed what one needs to see. */
function one(it: Case): number {
  const notes = new Notes()
  const outcome = runCase(it, notes)
  const { failure } = outcome
  if (failure === null) {
    console.log(outcome, notes.ends)
    return 0
  }
  console.log(`seed ${it.seed}, ${failure.atUs / 1e6} s: ${failure.kind}: ${failure.text}`)
  console.log(ladderOf(it, failure, options.rungs).join('\n'))
  if (!options.shrink) return 1
  const minutes = options.minutes ?? 1
  const small = shrink(it, failure.kind, performance.now() + minutes * 60_000, () => performance.now())
  console.log(caseToJson(small))
  const again = runCase(small).failure
  if (again !== null) console.log(ladderOf(small, again, options.rungs).join('\n'), `\n${again.kind}: ${again.text}`)
  return 1
}

/** Many seeds, in processes of their own. */
async function many(): Promise<number> {
  const outfile = await bundled('worker')
  const { jobs, from } = options
  const seeds = options.seeds ?? (options.minutes === undefined ? 1000 : 1e12)
  const began = performance.now()
  const notes = new Notes()
  const sum = { seeds: 0, connections: 0, bytes: 0, packets: 0 }
  const failures: { seed: number; text: string }[] = []
  let shownAt = began
  const run = (job: number): Promise<void> =>
    new Promise((resolve) => {
      const child = fork(outfile, [from + job, from + seeds, jobs, options.minutes ?? 0].map(String), { execArgv: [] })
      child.on('message', (report: Report) => {
        for (const name of ['seeds', 'connections', 'bytes', 'packets'] as const) sum[name] += report[name]
        notes.merge(report.notes as Notes)
        for (const failure of report.failures) {
          failures.push(failure)
          console.log(`FAILED: npm run swarm -- --seed ${failure.seed}     ${failure.text}`)
        }
        const now = performance.now()
        if (now - shownAt < 10_000) return
        shownAt = now
        console.log(progress(sum, now - began, failures.length))
      })
      child.on('exit', (code) => {
        if (code !== 0) {
          failures.push({ seed: -1, text: `a worker ended with ${code}` })
          console.log(`a worker ended with ${code}`)
        }
        resolve()
      })
    })
  await Promise.all(Array.from({ length: jobs }, (_, job) => run(job)))
  summary(notes)
  console.log(progress(sum, performance.now() - began, failures.length))
  return failures.length > 0 ? 1 : 0
}

function progress(
  sum: { seeds: number; connections: number; bytes: number; packets: number },
  ms: number,
  failed: number,
): string {
  const per = (count: number): string => ((count * 1000) / ms).toFixed(0)
  return (
    `${sum.seeds} seeds (${per(sum.seeds)}/s), ${sum.connections} connections (${per(sum.connections)}/s), ` +
    `${(sum.bytes / 1e6).toFixed(0)} MB, ${sum.packets} packets, ${(ms / 1000).toFixed(0)} s, ${failed} failed`
  )
}

function summary(notes: Notes): void {
  const show = (title: string, tally: Tally): void => {
    const entries = Object.entries(tally).filter(([, count]) => count > 0)
    console.log(
      `${title}: ${entries
        .sort()
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')}`,
    )
  }
  show('drawn', notes.drawn)
  show('links', notes.wires as unknown as Tally)
  show('states', notes.states)
  show('counters', notes.counters)
  show(
    'never',
    Object.fromEntries(
      Object.entries(notes.counters)
        .filter(([, n]) => n === 0)
        .map(([name]) => [name, 1]),
    ),
  )
  show('ends', notes.ends)
}

if (options.case !== undefined) process.exitCode = one(caseFromJson(readFileSync(options.case, 'utf8')))
else if (options.seed !== undefined) process.exitCode = one(drawCase(options.seed))
else process.exitCode = await many()
