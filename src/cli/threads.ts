// `--workers`: the same command in several threads, each with a stack of its own on one queue of the TUN interface.
// Owns: the threads, passing signals on, the end of all when one ends. Does not own: what they run (serve.ts, which runs in each as it does
// alone), the queues (src/link/tun-open.ts).

import { isMainThread, Worker, workerData } from 'node:worker_threads'
import type { OpenedTun } from '../link/tun.ts'
import { CliError } from './errors.ts'
import type { Lifecycle } from './lifecycle.ts'

/** What a thread is given. */
export interface ThreadData {
  /** The command line. */
  readonly args: readonly string[]
  readonly queue: OpenedTun
  readonly index: number
  readonly count: number
}

/** What this thread was given; null in the program's first thread. */
export function threadData(): ThreadData | null {
  return isMainThread ? null : (workerData as ThreadData)
}

/** Runs this command line in a thread for each queue, until the command is to end or one of them ends. Returns the exit status. */
export async function runInThreads(queues: readonly OpenedTun[], life: Lifecycle): Promise<number> {
  const entry = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)
  const statuses: number[] = []
  const ends: Promise<void>[] = []
  const workers = queues.map((queue, index) => {
    const data: ThreadData = { args: process.argv.slice(2), queue, index, count: queues.length }
    const worker = new Worker(entry, { workerData: data })
    worker.on('error', (error) => life.fail(error))
    ends.push(
      new Promise((resolve) =>
        worker.once('exit', (status) => {
          statuses.push(status)
          if (status !== 0)
            life.fail(new CliError('', { exitCode: status })) // it has said why
          else if (!life.stop.aborted) life.fail(new CliError('a worker has ended'))
          resolve()
        }),
      ),
    )
    return worker
  })
  await life.stopped()
  for (const worker of workers) worker.postMessage(life.signal ?? 'SIGTERM')
  await Promise.all(ends)
  return Math.max(...statuses)
}
