// What the tests of src/net share: virtual time that lets Node's streams run between two events, and two hosts on a cable.

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { SeededRandom } from '../../src/base/random.ts'
import { MILLISECOND, type Micros, type ScheduledTask, type Scheduler } from '../../src/base/time.ts'
import type { Packet, PacketDevice, PacketSink } from '../../src/link/device.ts'
import { impair } from '../../src/link/impair.ts'
import { memoryPair } from '../../src/link/pair.ts'
import {
  createHost,
  type DialOptions,
  type Host,
  type HostOptions,
  type ServerOptions,
  type TunServer,
  type TunSocket,
} from '../../src/net/index.ts'

interface Task {
  readonly at: Micros
  readonly order: number
  readonly run: () => void
}

/** How long `drive` waits in real time for something that only Node does (a real timer of an http.Server, a thread of its pool). */
const PATIENCE_MS = 5_000

/**
 * Virtual time: it stands still while Node has ticks, promises or I/O to run, then jumps to the next task. Other than src/sim's,
 * which gives Node one turn, it waits for what takes Node several (TLS, HTTP/2) or real time (the timeouts of an http.Server).
 */
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
  /** The device of `a`, and of `b`. */
  readonly devices: readonly [WatchedDevice, WatchedDevice]
}

/** Makes two hosts in virtual time. */
export function twoHosts(options: Partial<HostOptions> & { mtu?: number; delayMs?: number } = {}): TwoHosts {
  const time = new TestTime()
  const [left, right] = memoryPair({ scheduler: time, mtu: options.mtu ?? 1500 })
  const { mtu: _mtu, delayMs = 0, ...rest } = options
  const path = { delayUs: delayMs * MILLISECOND }
  const far = impair(right, { scheduler: time, random: new SeededRandom(3), in: path, out: path })
  const devices = [new WatchedDevice(left), new WatchedDevice(delayMs > 0 ? far : right)] as const
  const host = (device: HostOptions['device'], last: number): Host =>
    createHost({
      device,
      address: [`10.9.0.${last}/24`, `fd09::${last}/64`],
      scheduler: time,
      random: new SeededRandom(last),
      ...rest,
    })
  return { time, a: host(devices[0], 1), b: host(devices[1], 2), devices }
}

/** A device that notes whether it keeps the program alive, and can be made to fail. */
export class WatchedDevice implements PacketDevice {
  readonly name: string
  readonly mtu: number
  readonly offload: PacketDevice['offload']
  readonly counters: PacketDevice['counters']
  /** Whether the last of ref() and unref() was ref(). */
  isRef = true
  isClosed = false
  readonly #below: PacketDevice
  #closed: ((error: Error | null) => void) | null = null

  constructor(below: PacketDevice) {
    this.#below = below
    this.name = below.name
    this.mtu = below.mtu
    this.offload = below.offload
    this.counters = below.counters
  }

  onReadable(listener: (() => void) | null): void {
    this.#below.onReadable(listener)
  }

  onClose(listener: ((error: Error | null) => void) | null): void {
    this.#closed = listener
    this.#below.onClose(listener)
  }

  receive(sink: PacketSink, limit: number): number {
    return this.#below.receive(sink, limit)
  }

  send(packet: Packet): boolean {
    return this.#below.send(packet)
  }

  flush(): void {
    this.#below.flush()
  }

  ref(): void {
    this.isRef = true
  }

  unref(): void {
    this.isRef = false
  }

  close(): void {
    this.isClosed = true
    this.#below.close()
  }

  /** What a driver sees when the interface goes down. */
  fail(error: Error): void {
    this.#closed?.(error)
  }
}

/** Runs `task` and returns the uncaught exceptions of the program meanwhile, which vitest would count as failures. */
export async function uncaughtDuring(task: () => Promise<void>): Promise<unknown[]> {
  const others = process.listeners('uncaughtException')
  const errors: unknown[] = []
  const note = (error: unknown): void => {
    errors.push(error)
  }
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', note)
  try {
    await task()
  } finally {
    process.off('uncaughtException', note)
    for (const other of others) process.on('uncaughtException', other)
  }
  return errors
}

/** Two sockets that are connected to each other. */
export interface Connected extends TwoHosts {
  readonly server: TunServer
  /** On host `a`. */
  readonly client: TunSocket
  /** On host `b`. */
  readonly served: TunSocket
}

/** A connection from `a` to port 80 of `b`. The sockets have listeners for 'error'. */
export async function connected(
  options: Parameters<typeof twoHosts>[0] & { client?: Partial<DialOptions>; listen?: ServerOptions } = {},
): Promise<Connected> {
  const { client: dial, listen, ...rest } = options
  const hosts = twoHosts(rest)
  const { time, a, b } = hosts
  const server = await time.drive(b.listen({ port: 80, ...listen }))
  const accepted = server[Symbol.asyncIterator]().next()
  const client = await time.drive(a.connect({ host: '10.9.0.2', port: 80, ...dial }))
  const { value: served } = await time.drive(accepted)
  if (served === undefined) throw new Error('the server has closed')
  await time.run(1)
  return { ...hosts, server, client, served }
}
