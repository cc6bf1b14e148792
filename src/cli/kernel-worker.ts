// Calls of the C library that may block: each in a thread of its own, because the event loop must go on reading the wire meanwhile. errno
// belongs to the thread, so the thread reads it.
// Owns: the threads, how results come back. Does not own: what is called, and with which memory (kernel-calls.ts).

import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { RETURNS, type SyscallName, type SyscallResult } from './kernel-syscalls.ts'

/**
 * What a thread runs. A text, and not a file of its own, because it has to run from the sources and from the compiled program alike, and
 * Node 20 starts no thread from TypeScript. Memory is shared by address: it belongs to the process.
 */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const koffi = require(workerData.koffi)
const library = koffi.load(null)
const functions = new Map()
const state = new Int32Array(workerData.shared, 0, 2)
const result = new Float64Array(workerData.shared, 8, 3)
parentPort.on('message', ({ name, returns, args }) => {
  if (!functions.has(name)) functions.set(name, library.func(name, returns, args.map(() => 'intptr_t')))
  const value = functions.get(name)(...args)
  result[0] = Number(value)
  result[1] = value < 0 ? koffi.errno() : 0
  result[2] = Number(process.hrtime.bigint() / 1000n)
  Atomics.store(state, 0, 1)
  Atomics.notify(state, 0)
  parentPort.postMessage(null)
})
Atomics.store(state, 1, 1)
Atomics.notify(state, 1)
parentPort.postMessage(null)
`
/** How long a thread may take to begin. */
const BEGIN_MS = 10_000

/** A thread that makes one call at a time. */
export class CallThread {
  readonly #worker: Worker
  readonly #state: Int32Array
  readonly #result: Float64Array
  /** Resolves when the thread runs. */
  readonly ready: Promise<void>
  #onDone: (() => void) | null = null

  constructor() {
    const shared = new SharedArrayBuffer(32)
    this.#state = new Int32Array(shared, 0, 2)
    this.#result = new Float64Array(shared, 8, 3)
    const koffi = createRequire(import.meta.url).resolve('koffi')
    this.#worker = new Worker(THREAD, { eval: true, workerData: { koffi, shared } })
    this.#worker.unref()
    this.ready = new Promise((resolve) => {
      this.#worker.once('message', () => {
        resolve()
        this.#worker.on('message', () => this.#onDone?.())
      })
    })
  }

  /** Starts a call; `onDone` is told from the event loop when it is over, and `take` may know it before that. */
  start(name: SyscallName, args: readonly number[], onDone: () => void): void {
    Atomics.store(this.#state, 0, 0)
    this.#onDone = onDone
    this.#worker.postMessage({ name, returns: RETURNS[name], args })
  }

  /** The result when the call is over; waits up to `waitMs` for it. The thread is free then. `endedUs` is of the clock of hrtime. */
  take(waitMs = 0): (SyscallResult & { readonly endedUs: number }) | null {
    if (waitMs > 0) Atomics.wait(this.#state, 1, 0, BEGIN_MS) // not at all once it has begun
    if (
      Atomics.load(this.#state, 0) === 0 &&
      (waitMs === 0 || Atomics.wait(this.#state, 0, 0, waitMs) === 'timed-out')
    ) {
      return null
    }
    const [value, errno, endedUs] = this.#result
    return { value, errno, endedUs }
  }
}

const idle: CallThread[] = []

/** Sees to it that so many threads wait for calls: starting one takes longer than most calls. */
export async function prepareThreads(count: number): Promise<void> {
  while (idle.length < count) idle.push(new CallThread())
  await Promise.all(idle.map(({ ready }) => ready))
}

/** A thread that makes no call now; a new one when all do. */
export function borrowThread(): CallThread {
  return idle.pop() ?? new CallThread()
}

/** Gives a thread back whose call is over. */
export function returnThread(thread: CallThread): void {
  idle.push(thread)
}
