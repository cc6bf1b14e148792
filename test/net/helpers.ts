// What the tests of src/net share: virtual time that lets Node's streams run between two events, and two hosts on a cable.

import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { SeededRandom } from '../../src/base/random.ts'
import { MILLISECOND, type Micros, type ScheduledTask, type Scheduler } from '../../src/base/time.ts'
import { memoryPair } from '../../src/link/pair.ts'
import { createHost, type Host, type HostOptions } from '../../src/net/index.ts'

interface Task {
  readonly at: Micros
  readonly order: number
  readonly run: () => void
}

/** How long `drive` waits in real time for something that only Node does (a real timer of an http.Server, a thread of its pool). */
const PATIENCE_MS = 5_000

/** Virtual time: it stands still while Node has ticks, promises or I/O to run, then jumps to the next task. */
export class TestTime implements Scheduler {
  #now: Micros = 1_000_000
  #order = 0
  #tasks: Task[] = []
  #deferred: (() => void)[] = []

  now(): Micros {
    return this.#now
  }

  schedule(at: Micros, run: () => void): ScheduledTask {
    const task: Task = { at: Math.max(at, this.#now), order: this.#order++, run }
    if (at !== Number.POSITIVE_INFINITY) this.#tasks.push(task)
    return {
      cancel: () => {
        this.#tasks = this.#tasks.filter((other) => other !== task)
      },
    }
  }

  defer(task: () => void): void {
    this.#deferred.push(task)
  }

  /** A promise that is fulfilled after this much virtual time. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(this.#now + ms * MILLISECOND, resolve)
    })
  }

  /** Lets time run until `promise` settles, and returns what it gives. Fails when nothing is left that could settle it. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    for (let idleMs = 0; !settled; ) {
      await turn()
      await turn()
      if (settled) break
      if (this.#step()) idleMs = 0
      else if (idleMs++ < PATIENCE_MS) await sleep(1)
      else throw new Error('stalled: nothing is scheduled and the promise is not settled')
    }
    return promise
  }

  /** Runs for a span of virtual time. */
  async run(ms: number): Promise<void> {
    await this.drive(this.wait(ms))
  }

  #step(): boolean {
    const deferred = this.#deferred
    if (deferred.length > 0) {
      this.#deferred = []
      for (const task of deferred) task()
      return true
    }
    let next: Task | null = null
    for (const task of this.#tasks) {
      if (next === null || task.at < next.at || (task.at === next.at && task.order < next.order)) next = task
    }
    if (next === null) return false
    this.#tasks = this.#tasks.filter((task) => task !== next)
    this.#now = next.at
    next.run()
    return true
  }
}

/** Two hosts on one cable, `a` at 10.9.0.1 and fd09::1, `b` at 10.9.0.2 and fd09::2. */
export interface TwoHosts {
  readonly time: TestTime
  readonly a: Host
  readonly b: Host
}

/** Makes two hosts in virtual time. */
export function twoHosts(options: Partial<HostOptions> & { mtu?: number } = {}): TwoHosts {
  const time = new TestTime()
  const [left, right] = memoryPair({ scheduler: time, mtu: options.mtu ?? 1500 })
  const { mtu: _mtu, ...rest } = options
  const host = (device: HostOptions['device'], last: number): Host =>
    createHost({
      device,
      address: [`10.9.0.${last}/24`, `fd09::${last}/64`],
      scheduler: time,
      random: new SeededRandom(last),
      ...rest,
    })
  return { time, a: host(left, 1), b: host(right, 2) }
}
