// `tunstack sweep --worker`: takes runs from a queue in Redis, has them done in processes of its own and hands the results in.
// Owns: the worker's part, processes that do one run at a time. Does not own: what stands in Redis (sweep-redis.ts), runs (sweep-worker.ts).

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'bullmq'
import type { SweepPlan, SweepResult } from '../lab/sweep-plan.ts'
import { CliError } from './errors.ts'
import { printError } from './print.ts'
import {
  type Coordinator,
  connected,
  identityError,
  KEEP_S,
  loadBullmq,
  programIdentity,
  REDIS,
  type RedisCommands,
  redisConnection,
  type SweepJob,
} from './sweep-redis.ts'

/** A run whose worker has not been heard of for so long is given to another one. */
const LOCK_MS = 6000
const STALLED_CHECK_MS = 3000
/** A run that so many workers were lost with is given up. */
const MOST_LOST = 3
const CHECK_MS = 1000
const LATER_MS = 1000

/** What a worker is asked for. */
export interface WorkerOptions {
  readonly url: string
  readonly jobs: number
  readonly isQuiet: boolean
  /** Ends it: runs under way are given up, other workers do them. */
  readonly signal: AbortSignal
}

/**
 * Works until it is aborted.
 * @throws {CliError} without bullmq or Redis, and when the coordinator runs another version of the program
 */
export async function workAtRedis({ url, jobs, isQuiet, signal }: WorkerOptions): Promise<void> {
  const connection = redisConnection(url)
  const bullmq = await loadBullmq()
  const program = programIdentity()
  const processes = new RunProcesses()
  const over = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })
  let stop: (error: Error) => void = () => undefined
  const failed = new Promise<never>((_, reject) => {
    stop = reject
  })
  let count = 0
  const worker: Worker<SweepJob, void> = new bullmq.Worker<SweepJob, void>(
    REDIS.queue,
    async (job, token) => {
      const wrong = identityError(program, job.data)
      if (wrong !== null) {
        stop(wrong)
        await job.moveToDelayed(Date.now() + LATER_MS, token)
        throw new bullmq.DelayedError()
      }
      const { sweep, run } = job.data
      const client = (await worker.client) as unknown as RedisCommands
      const result = await processes.run(sweep, run, async () => {
        const text = await client.get(REDIS.plan(sweep))
        if (text === null) throw new Error('the sweep is over')
        return JSON.parse(text) as SweepPlan
      })
      await client.rpush(REDIS.results(sweep), JSON.stringify(result))
      await client.expire(REDIS.results(sweep), KEEP_S)
      count++
    },
    {
      connection,
      concurrency: jobs,
      autorun: false,
      ...{ lockDuration: LOCK_MS, stalledInterval: STALLED_CHECK_MS, maxStalledCount: MOST_LOST },
    },
  )
  const check = async (): Promise<void> => {
    const text = await (await worker.client).get(REDIS.coordinator)
    const wrong = text === null ? null : identityError(program, JSON.parse(text) as Coordinator)
    if (wrong !== null) stop(wrong)
  }
  const checking = setInterval(() => void check().catch(() => undefined), CHECK_MS)
  try {
    await connected(url, worker, worker.client)
    void check().catch(() => undefined)
    if (!isQuiet) printError(`worker of tunstack ${program}, ${jobs} runs at a time; Ctrl-C ends it`)
    void worker.run().catch(stop)
    await Promise.race([over, failed])
  } finally {
    clearInterval(checking)
    processes.end()
    await worker.close(true)
    if (!isQuiet) printError(`${count} runs done`)
  }
}

/** Processes that each do one run at a time, so that the worker itself is free to say that it lives. */
class RunProcesses {
  readonly #idle: ChildProcess[] = []
  readonly #all = new Set<ChildProcess>()
  readonly #plans = new Map<string, Promise<SweepPlan>>()
  /** The sweep whose plan a process has. */
  readonly #told = new WeakMap<ChildProcess, string>()
  #isOver = false

  /** Does a run. @throws {CliError} when its process dies */
  async run(sweep: string, run: number, planOf: () => Promise<SweepPlan>): Promise<SweepResult> {
    let plan = this.#plans.get(sweep)
    if (plan === undefined) {
      plan = planOf()
      this.#plans.set(sweep, plan)
      plan.catch(() => this.#plans.delete(sweep))
    }
    const known = await plan
    if (this.#isOver) throw new CliError('the worker ends')
    const child = this.#idle.pop() ?? this.#start()
    if (this.#told.get(child) !== sweep) {
      child.send({ plan: known })
      this.#told.set(child, sweep)
    }
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new CliError('its process died'))
      child.once('exit', lost)
      child.once('message', (result: SweepResult) => {
        child.off('exit', lost)
        this.#idle.push(child)
        resolve(result)
      })
      child.send({ run }, (error) => {
        if (error !== null) lost()
      })
    })
  }

  #start(): ChildProcess {
    const entry = new URL(import.meta.url.endsWith('.ts') ? './sweep-worker.ts' : './sweep-worker.js', import.meta.url)
    const execArgv = [...process.execArgv, '--max-semi-space-size=64']
    const child = fork(fileURLToPath(entry), [], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#all.add(child)
    const gone = (): void => {
      this.#all.delete(child)
      const at = this.#idle.indexOf(child)
      if (at >= 0) this.#idle.splice(at, 1)
    }
    child.on('exit', gone)
    child.on('error', gone)
    return child
  }

  /** Ends all of them. */
  end(): void {
    this.#isOver = true
    for (const child of this.#all) child.kill('SIGKILL')
  }
}
