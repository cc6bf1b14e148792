// A sweep over many machines: runs go through a queue in Redis (BullMQ), results come back in a list. The coordinator writes the same files
// as a local sweep. Whatever dies, nothing is lost: a run is done when its result is in the coordinator's file, and not before.
// Owns: what stands in Redis, the coordinator's part. Does not own: the worker's (sweep-redis-worker.ts), files (sweep-files.ts).

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Queue } from 'bullmq'
import type { SweepPlan, SweepResult } from '../lab/sweep-plan.ts'
import { CliError, codeOf, messageOf } from './errors.ts'
import { printError } from './print.ts'
import { packageVersion } from './version.ts'

type Bullmq = typeof import('bullmq')

/** Names in Redis. */
export const REDIS = {
  queue: 'tunstack-sweep',
  /** Who coordinates: JSON of a Coordinator; it expires when nobody renews it. */
  coordinator: 'tunstack-sweep:coordinator',
  plan: (sweep: string): string => `tunstack-sweep:plan:${sweep}`,
  /** A list: one line of JSON for each run done. */
  results: (sweep: string): string => `tunstack-sweep:results:${sweep}`,
} as const
const COORDINATOR_S = 10
const RENEW_MS = 3000
const POLL_MS = 100
/** Plans, and results that nobody fetched, stay so long. */
export const KEEP_S = 7 * 86_400
const AT_ONCE = 1000
/** A run of which so many processes died is given up. */
const MOST_DEATHS = 3
const NO_WORKER_MS = 5000

/** Commands of Redis that are used beside the queue, as ioredis has them; BullMQ's own type names fewer. */
export interface RedisCommands {
  get(key: string): Promise<string | null>
  set(key: string, value: string, unit: 'EX', seconds: number): Promise<unknown>
  rpush(key: string, value: string): Promise<number>
  expire(key: string, seconds: number): Promise<number>
  lrange(key: string, start: number, end: number): Promise<string[]>
  ltrim(key: string, start: number, end: number): Promise<unknown>
  del(...keys: string[]): Promise<number>
}

/** Who coordinates a sweep. */
export interface Coordinator {
  /** Version and digest of the program. */
  readonly program: string
  readonly sweep: string
}

/** What a job says. */
export interface SweepJob extends Coordinator {
  readonly run: number
}

/** Loads BullMQ, an optional package. @throws {CliError} naming the mend when it is not installed */
export async function loadBullmq(load: () => Promise<Bullmq> = () => import('bullmq')): Promise<Bullmq> {
  try {
    return await load()
  } catch (error) {
    if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new CliError('--redis needs the package bullmq, which is not installed', { mend: 'npm install bullmq' })
  }
}

/** Version and a digest of all of the program's files, so that two machines can tell whether they run the same one. */
export function programIdentity(): string {
  const root = fileURLToPath(new URL('../', import.meta.url))
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(?:js|ts)$/.test(name))
  const hash = createHash('sha256')
  for (const name of files.sort()) if (!name.endsWith('.d.ts')) hash.update(name).update(readFileSync(join(root, name)))
  return `${packageVersion()} (${hash.digest('hex').slice(0, 12)})`
}

/** The difference of two programs as an error; null when they are the same. */
export function identityError(own: string, other: Coordinator): CliError | null {
  if (own === other.program) return null
  return new CliError(`this worker is tunstack ${own}, the sweep's coordinator ${other.program}`, {
    mend: 'install the same version, built from the same commit, on both',
  })
}

/** Options of a connection to `redis://[user:password@]host[:port][/database]`. @throws {CliError} for another URL */
export function redisConnection(url: string): { readonly url: string; readonly maxRetriesPerRequest: null } {
  if (!/^rediss?:\/\/[^/\s]+(?:\/\d+)?$/.test(url)) {
    throw new CliError(`'${url}' is no URL of Redis`, { exitCode: 2, mend: 'write redis://host:6379, as --redis' })
  }
  return { url, maxRetriesPerRequest: null }
}

/** Waits for a connection; the first failure ends it, later ones are retried. @throws {CliError} when Redis cannot be reached */
export async function connected<T>(
  url: string,
  emitter: { on(event: 'error', listener: (error: Error) => void): unknown },
  ready: Promise<T>,
): Promise<T> {
  let isReady = false
  const failed = new Promise<never>((_, reject) => {
    emitter.on('error', (error) => {
      const host = new URL(url).host
      if (!isReady) reject(new CliError(`Redis at ${host}: ${messageOf(error) || codeOf(error)}`, { cause: error }))
    })
  })
  const value = await Promise.race([ready, failed])
  isReady = true
  return value
}

/** What the coordinator is asked for. */
export interface RedisOptions {
  readonly url: string
  readonly plan: SweepPlan
  /** Numbers of the runs to do, in the order in which they are to be begun. */
  readonly runs: readonly number[]
  readonly onResult: (result: SweepResult) => void
  /** Ends it: what waits is taken out of the queue; what was done meanwhile is fetched by the next start. */
  readonly signal: AbortSignal
}

/**
 * Has runs done by the workers at a Redis server; resolves when all are, or when it is aborted.
 * @throws {CliError} without bullmq or Redis, when another sweep is under way there, when workers die again and again of one run
 */
export async function runRedis(options: RedisOptions): Promise<void> {
  const connection = redisConnection(options.url)
  const { Queue: QueueClass } = await loadBullmq()
  const queue = new QueueClass<SweepJob>(REDIS.queue, { connection })
  try {
    const client = await connected(options.url, queue, queue.client)
    await new RedisSweep(queue, client as unknown as RedisCommands, options).run()
  } finally {
    await queue.close()
  }
}

class RedisSweep {
  readonly #queue: Queue<SweepJob>
  readonly #client: RedisCommands
  readonly #options: RedisOptions
  readonly #self: Coordinator
  readonly #missing: Set<number>

  constructor(queue: Queue<SweepJob>, client: RedisCommands, options: RedisOptions) {
    this.#queue = queue
    this.#client = client
    this.#options = options
    const program = programIdentity()
    const sweep = createHash('sha256').update(program).update(JSON.stringify(options.plan)).digest('hex').slice(0, 16)
    this.#self = { program, sweep }
    this.#missing = new Set(options.runs)
  }

  async run(): Promise<void> {
    await this.#claim()
    const renewing = setInterval(() => void this.#renew().catch(() => undefined), RENEW_MS)
    try {
      // What an earlier coordinator left: its results count, its queue is made anew.
      await this.#collect()
      await this.#queue.obliterate({ force: true })
      await this.#enqueue()
      await this.#gather()
      await this.#queue.obliterate({ force: true })
      await this.#client.del(REDIS.coordinator, REDIS.plan(this.#self.sweep))
    } finally {
      clearInterval(renewing)
    }
  }

  /** One sweep at a time: two would take each other's queue away. */
  async #claim(): Promise<void> {
    const text = await this.#client.get(REDIS.coordinator)
    const other = text === null ? null : (JSON.parse(text) as Coordinator)
    if (other !== null && other.sweep !== this.#self.sweep) {
      throw new CliError('another sweep is under way at this Redis server', {
        mend: `wait for its end (${COORDINATOR_S} s after it was killed), or use another database: redis://host/1`,
      })
    }
    await this.#renew()
    await this.#client.set(REDIS.plan(this.#self.sweep), JSON.stringify(this.#options.plan), 'EX', KEEP_S)
  }

  async #renew(): Promise<void> {
    await this.#client.set(REDIS.coordinator, JSON.stringify(this.#self), 'EX', COORDINATOR_S)
  }

  async #enqueue(): Promise<void> {
    const runs = [...this.#missing]
    for (let i = 0; i < runs.length && !this.#options.signal.aborted; i += AT_ONCE) {
      const jobs = runs.slice(i, i + AT_ONCE).map((run) => ({
        name: 'run',
        data: { ...this.#self, run },
        opts: { jobId: `run-${run}`, attempts: MOST_DEATHS, removeOnComplete: true },
      }))
      await this.#queue.addBulk(jobs)
    }
  }

  /** Takes what the workers have done. A result leaves Redis after it was written. How many there were. */
  async #collect(): Promise<number> {
    const key = REDIS.results(this.#self.sweep)
    const lines = await this.#client.lrange(key, 0, AT_ONCE - 1)
    for (const line of lines) {
      const result = JSON.parse(line) as SweepResult
      // A run that was done twice gave the same.
      if (this.#missing.delete(result.run)) this.#options.onResult(result)
    }
    if (lines.length > 0) await this.#client.ltrim(key, lines.length, -1)
    return lines.length
  }

  async #gather(): Promise<void> {
    let [checkedAt, isTold] = [performance.now(), false]
    while (this.#missing.size > 0 && !this.#options.signal.aborted) {
      if ((await this.#collect()) > 0) continue
      if (performance.now() - checkedAt > NO_WORKER_MS) {
        checkedAt = performance.now()
        await this.#checkFailed()
        if (!isTold && (await this.#queue.getWorkersCount()) === 0) {
          isTold = true
          printError('no worker is here yet: tunstack sweep --worker --redis URL')
        }
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    await this.#collect()
  }

  async #checkFailed(): Promise<void> {
    const [failed] = await this.#queue.getFailed(0, 0)
    if (failed === undefined) return
    throw new CliError(`${MOST_DEATHS} workers died of the run ${failed.data.run}: ${failed.failedReason}`)
  }
}
