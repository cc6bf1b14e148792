// Worker processes for a sweep: each does one run at a time and has one more waiting. One that dies loses nothing: what it had is done by
// another that is started in its place.
// Owns: the processes, who does which run. Does not own: runs (sweep-worker.ts), what becomes of results (sweep.ts).

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { SweepPlan, SweepResult } from '../lab/sweep-plan.ts'
import { CliError } from './errors.ts'

/** Runs that a worker has at a time: the one it does, and the next. */
const AHEAD = 2
/** A run that so many workers died of is given up. */
const MOST_DEATHS = 3

/** What a pool is asked for. */
export interface PoolOptions {
  readonly plan: SweepPlan
  /** Numbers of the runs to do, in the order in which they are to be begun. */
  readonly runs: readonly number[]
  readonly jobs: number
  readonly onResult: (result: SweepResult) => void
  /** Ends it: workers are killed, what they were doing is not done. */
  readonly signal: AbortSignal
}

/**
 * Does runs in processes of their own; resolves when all are done, or when it is aborted.
 * @throws {CliError} when workers die again and again of one run
 */
export function runPool(options: PoolOptions): Promise<void> {
  return new Pool(options).done
}

class Pool {
  readonly done: Promise<void>
  readonly #options: PoolOptions
  readonly #waiting: number[]
  readonly #deaths = new Map<number, number>()
  readonly #workers = new Map<ChildProcess, Set<number>>()
  #isOver = false
  #resolve: () => void = () => undefined
  #reject: (error: Error) => void = () => undefined

  constructor(options: PoolOptions) {
    this.#options = options
    this.#waiting = [...options.runs].reverse()
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    options.signal.addEventListener('abort', () => this.#end(null))
    if (options.signal.aborted) this.#end(null)
    const count = Math.min(options.jobs, options.runs.length)
    for (let i = 0; i < count; i++) this.#start()
    if (count === 0) this.#end(null)
  }

  #start(): void {
    const entry = new URL(import.meta.url.endsWith('.ts') ? './sweep-worker.ts' : './sweep-worker.js', import.meta.url)
    const execArgv = [...process.execArgv, '--max-semi-space-size=64']
    const worker = fork(fileURLToPath(entry), [], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#workers.set(worker, new Set())
    worker.on('message', (result: SweepResult) => {
      if (this.#isOver) return
      this.#workers.get(worker)?.delete(result.run)
      this.#options.onResult(result)
      this.#feed(worker)
    })
    worker.on('error', () => this.#lost(worker))
    worker.on('exit', () => this.#lost(worker))
    worker.send({ plan: this.#options.plan })
    this.#feed(worker)
  }

  #feed(worker: ChildProcess): void {
    const doing = this.#workers.get(worker)
    if (doing === undefined || this.#isOver) return
    while (doing.size < AHEAD) {
      const run = this.#waiting.pop()
      if (run === undefined) break
      doing.add(run)
      worker.send({ run }, (error) => {
        if (error !== null) this.#lost(worker)
      })
    }
    if (this.#waiting.length === 0 && [...this.#workers.values()].every(({ size }) => size === 0)) this.#end(null)
  }

  /** A worker is gone: another does what it had. The first of its runs is the one that it was doing. */
  #lost(worker: ChildProcess): void {
    const doing = this.#workers.get(worker)
    this.#workers.delete(worker)
    if (doing === undefined || this.#isOver) return
    const [first] = doing
    if (first !== undefined) {
      const deaths = (this.#deaths.get(first) ?? 0) + 1
      this.#deaths.set(first, deaths)
      if (deaths >= MOST_DEATHS) {
        this.#end(new CliError(`${deaths} workers died of the run ${first}`))
        return
      }
    }
    this.#waiting.push(...[...doing].reverse())
    this.#start()
  }

  #end(error: Error | null): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const worker of this.#workers.keys()) worker.kill('SIGKILL')
    if (error === null) this.#resolve()
    else this.#reject(error)
  }
}
