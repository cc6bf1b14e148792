// `npm run fuzz`: searches for inputs that break a property, in as many threads as asked for, and writes down those that do.
// Owns: the command line, threads, the watch over hangs, crash files. Does not own: the search (search.ts), the targets.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Command } from 'commander'
import { buildInstrumented } from './instrument.ts'
import { kindOf, minimise, outcome } from './search.ts'
import { inputText, readCorpus, readReplay, writeCorpus } from './store.ts'
import { TARGETS, targetOf } from './targets.ts'
import { trace } from './tcp-host.ts'
import type { WorkerReport, WorkerTask } from './worker.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const HANG_MS = 60_000
const LONGEST_INPUT = 1 << 20

interface Options {
  minutes: number
  target: string
  seed: number
  jobs: number
  replay?: string
  crashes: string
  keep: boolean
  most: number
}

interface Thread {
  readonly worker: Worker
  readonly running: SharedArrayBuffer
  inputs: number
  packets: number
  corpus: number
  covered: number
  heap: number
  movedAt: number
}

// CPU time in microseconds that was used before this target had its turn.
let cpuBefore = 0

const command = new Command('fuzz')
  .description('Looks for packets, segments and messages that break a property.')
  .option('--minutes <m>', 'how long, for each target', Number, 1)
  .option(
    '--target <names>',
    `${TARGETS.map(({ name }) => name).join(', ')}, or several with commas`,
    'tcp,ip,link,dhcp,http,parsers,dns,scripts',
  )
  .option('--seed <n>', 'where the random numbers begin', Number, Date.now() & 0xffffff)
  .option('--jobs <n>', 'threads', Number, 1)
  .option('--replay <input>', 'runs one input and shows it: target:base64, or a crash file')
  .option('--crashes <folder>', 'where inputs that fail are written', path.join(os.tmpdir(), 'tunstack-fuzz'))
  .option('--keep', 'puts what was found worth keeping into test/fuzz/corpus', false)
  .option('--most <n>', 'most inputs that --keep keeps', Number, 60)
  .parse()
const options = command.opts<Options>()

if (options.replay !== undefined) process.exitCode = replay(options.replay)
else await main()

function replay(text: string): number {
  const { name, input } = readReplay(text)
  const target = targetOf(name)
  const error = outcome(target, input)
  const small = error === null ? input : minimise(target, input, kindOf(error))
  trace.line = (line) => console.log(line)
  const again = outcome(target, small)
  console.log(again instanceof Error ? again.stack : 'nothing fails')
  console.log(`${name}:${inputText(small)}`)
  return again === null ? 0 : 1
}

async function main(): Promise<void> {
  const folder = path.join(os.tmpdir(), `tunstack-fuzz-${process.pid}`)
  const blocks = buildInstrumented(ROOT, folder)
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
  console.log(`${blocks} blocks, seed ${options.seed}, crashes go to ${options.crashes}`)
  let failures = 0
  for (const name of options.target.split(',')) failures += await fuzz(targetOf(name).name, folder)
  fs.rmSync(folder, { recursive: true, force: true })
  process.exitCode = failures > 0 ? 1 : 0
}

async function fuzz(name: string, folder: string): Promise<number> {
  const startedAt = Date.now()
  const used = process.cpuUsage()
  cpuBefore = used.user + used.system
  const endsAt = startedAt + options.minutes * 60_000
  const begin = readCorpus(name)
  const found: Uint8Array[] = []
  const failures = new Set<string>()
  const threads: Thread[] = []
  const line = (): void => console.log(`${name}: ${progressLine(threads, startedAt)}, ${failures.size} failures`)
  const timer = setInterval(line, Math.min(30_000, options.minutes * 20_000))
  await Promise.all(
    Array.from({ length: options.jobs }, (_, i) => {
      const task = { target: name, seed: options.seed + i, corpus: begin, endsAt }
      return runThread(task, folder, threads, (report) => {
        if (report.type === 'kept') found.push(report.input)
        else if (report.type === 'failure' && !failures.has(report.kind)) {
          failures.add(report.kind)
          writeCrash(name, report.kind, report.stack, report.input)
        }
      })
    }),
  )
  clearInterval(timer)
  line()
  if (options.keep) await keep(name, folder, [...begin, ...found])
  return failures.size
}

/** The corpus, distilled; it takes the counters, so the copy does it. */
async function keep(name: string, folder: string, inputs: readonly Uint8Array[]): Promise<void> {
  const load = (file: string): Promise<unknown> => import(pathToFileURL(path.join(folder, 'test/fuzz', file)).href)
  const { distil } = (await load('search.js')) as typeof import('./search.ts')
  const copied = (await load('targets.js')) as typeof import('./targets.ts')
  const kept = distil(copied.targetOf(name), inputs, options.most)
  writeCorpus(name, kept)
  console.log(`${name}: ${kept.length} of ${inputs.length} inputs kept`)
}

function progressLine(threads: readonly Thread[], startedAt: number): string {
  const seconds = (Date.now() - startedAt) / 1000
  const sum = (field: 'inputs' | 'packets'): number => threads.reduce((total, thread) => total + thread[field], 0)
  const most = (field: 'corpus' | 'covered' | 'heap'): number => Math.max(0, ...threads.map((thread) => thread[field]))
  const { user, system } = process.cpuUsage()
  const cpu = (user + system - cpuBefore) / 1e6
  const rate = (per: number): number => Math.round(sum('packets') / per)
  return (
    `${seconds.toFixed(0)} s, ${sum('packets')} packets (${rate(seconds)}/s, ${rate(cpu)} a CPU second), ${sum('inputs')} inputs, corpus ${most('corpus')}, ` +
    `${most('covered')} blocks and features, heap ${Math.round(most('heap') / 1e6)} MB`
  )
}

/** Runs a thread to its end; one that hangs is ended, and what it was at is a failure too. */
function runThread(
  task: Omit<WorkerTask, 'running'>,
  folder: string,
  threads: Thread[],
  tell: (report: WorkerReport) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const running = new SharedArrayBuffer(LONGEST_INPUT + 4)
    const workerData: WorkerTask = { ...task, running }
    const worker = new Worker(path.join(folder, 'test/fuzz/worker.js'), { workerData })
    const thread = { worker, running, inputs: 0, packets: 0, corpus: 0, covered: 0, heap: 0, movedAt: Date.now() }
    threads.push(thread)
    const watch = setInterval(() => {
      if (Date.now() - thread.movedAt < HANG_MS) return
      const length = new Int32Array(running, 0, 1)[0]
      const input = new Uint8Array(running, 4, length).slice()
      tell({ type: 'failure', kind: 'hang', stack: `no end in ${HANG_MS} ms`, input, original: input })
      void worker.terminate()
    }, 1000)
    worker.on('message', (report: WorkerReport) => {
      thread.movedAt = Date.now()
      if (report.type === 'progress') Object.assign(thread, { ...report, type: undefined })
      else tell(report)
    })
    worker.on('error', reject)
    worker.on('exit', () => {
      clearInterval(watch)
      resolve()
    })
  })
}

function writeCrash(name: string, kind: string, stack: string, input: Uint8Array): void {
  fs.mkdirSync(options.crashes, { recursive: true })
  const text = `${name}:${inputText(input)}`
  const slug = kind.replace(/[^A-Za-z]+/g, '-').slice(0, 60)
  const file = path.join(options.crashes, `${name}-${slug}.txt`)
  fs.writeFileSync(file, `${text}\n${stack}\n`)
  console.log(`${name}: ${stack.split('\n').slice(0, 6).join('\n')}\n  npm run fuzz -- --replay ${file}`)
}
