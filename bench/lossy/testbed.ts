// The testbed of the lossy-link table, in a network namespace of its own: the kernel's TCP at two ends, each in a namespace behind a TUN
// device, and ours at any; the bridge between them. Everything goes away with this process.
//
//     kernel A, 10.79.1.1 -- TUN ---+              +--- TUN -- kernel B, 10.79.2.1, in a namespace inside this one
//                                   +--- a link ---+
//     our host, 10.79.3.1 -- cable -+              +- cable -- our host
//
// Owns: devices, children, running one transfer. Does not own: which and when (main.ts).

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Micros } from '../../src/base/time.ts'
import { CaptureFile } from '../../src/cli/capture-file.ts'
import { openTun, type PacketDevice } from '../../src/link/index.ts'
import { type Cell, impairmentOf } from './cells.ts'
import { KernelChild } from './kernel-child.ts'
import type { Answer } from './kernel-end.ts'
import { Bridge, Link, type Seen } from './link.ts'
import { OurEnd, type Told } from './our-end.ts'
import { PreciseTime } from './precise-time.ts'
import type { Received } from './stream.ts'

const KERNEL_A = '10.79.1.1'
const KERNEL_B = '10.79.2.1'
const OURS = '10.79.3.1'
const FIRST_PORT = 10_000
/** A transfer that is so much late has failed: its handshake may have been lost several times. */
const PATIENCE_MS = 30_000

/** Who sends to whom: the yardstick, ours to the kernel, the kernel to ours. */
export type Kind = 'kernel' | 'send' | 'receive'

/** One transfer. */
export interface Job {
  readonly cell: Cell
  readonly kind: Kind
  readonly seed: number
  readonly seconds: number
}

/** What came of it. */
export interface Outcome {
  readonly mbit: number
  /** '' when every byte was right, else what was wrong. */
  readonly failure: string
  readonly seen: Seen
  /** Packets of the sender's that the link lost, and that its queue dropped. */
  readonly lost: number
  readonly overflowed: number
  /** When ours sent. */
  readonly told: Told | null
}

/** A transfer under way. */
interface Course {
  readonly job: Job
  readonly port: number
  /** Our host, when it takes part. */
  readonly ours: OurEnd | null
  /** What is to be called at the end. */
  readonly ends: (() => void)[]
  /** To be called when an end has failed. */
  readonly failed: (error: Error) => void
}

/** The testbed. */
export class Testbed {
  readonly #time = new PreciseTime()
  readonly #bridge = new Bridge()
  readonly #a = new KernelChild([])
  readonly #b = new KernelChild(['unshare', '--net'])
  readonly #tuns: PacketDevice[] = []
  readonly #captures: string | null
  readonly #offload: boolean
  #nextPort = FIRST_PORT

  /**
   * @param captures folder for a capture file of each transfer as its sender sees it, or null
   * @param offload whether devices give and take super-segments
   */
  constructor(captures: string | null, offload: boolean) {
    this.#captures = captures
    this.#offload = offload
  }

  /** Makes the devices and configures the kernel's ends. */
  async open(): Promise<void> {
    const common = { offload: this.#offload, txQueueLength: 10_000 }
    execFileSync('ip', ['link', 'set', 'lo', 'up'])
    this.#tuns.push(openTun({ ...common, name: 'lossy-a', addresses: [`${KERNEL_A}/24`] }))
    this.#tuns.push(openTun({ ...common, name: 'lossy-b', up: false }))
    const route = (name: string): string[] => ['ip', 'route', 'add', 'default', 'dev', name, 'congctl', 'cubic']
    await this.#a.setUp([route('lossy-a')])
    await this.#b.setUp([]) // it is in its namespace by now
    execFileSync('ip', ['link', 'set', 'lossy-b', 'netns', String(this.#b.pid)])
    await this.#b.setUp([
      ['ip', 'link', 'set', 'lo', 'up'],
      ['ip', 'addr', 'add', `${KERNEL_B}/24`, 'dev', 'lossy-b'],
      ['ip', 'link', 'set', 'lossy-b', 'up'],
      route('lossy-b'),
    ])
    for (const tun of this.#tuns) this.#bridge.attach(tun)
  }

  /** By how much a packet was late at most since this was asked last. */
  takeWorstLateness(): Micros {
    return this.#time.takeWorstLateness()
  }

  /** Ends everything. */
  close(): void {
    this.#a.close()
    this.#b.close()
    for (const tun of this.#tuns) tun.close()
  }

  /** Runs one transfer. Never rejects: what goes wrong is in the outcome. */
  async run(job: Job): Promise<Outcome> {
    const port = this.#nextPort++
    const ours = job.kind === 'kernel' ? null : new OurEnd(`${OURS}/24`, this.#offload)
    const capture = this.#captures === null ? null : openCapture(this.#captures, job)
    const link = new Link({
      scheduler: this.#time,
      seed: job.seed,
      impairment: impairmentOf(job.cell),
      sender: job.kind === 'send' && ours !== null ? ours.device : this.#tuns[0],
      receiver: job.kind === 'receive' && ours !== null ? ours.device : this.#tuns[1],
      ...(capture && { observe: (packet, way) => capture.writer.packet(packet, way, this.#time.now()) }),
    })
    this.#bridge.add(port, link)
    if (ours !== null) this.#bridge.attach(ours.device)
    const ends: (() => void)[] = []
    let received: Received = { bytes: 0, seconds: job.seconds, wrongAt: -1 }
    let failure = ''
    try {
      received = await new Promise<Received>((resolve, failed) => {
        const late = setTimeout(() => failed(new Error('it never ended')), job.seconds * 1000 + PATIENCE_MS)
        ends.push(() => clearTimeout(late))
        this.#transfer({ job, port, ours, ends, failed }).then(resolve, failed)
      })
      if (received.wrongAt >= 0) failure = `byte ${received.wrongAt} is wrong`
      else if (received.bytes === 0) failure = 'nothing arrived'
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error)
    }
    for (const end of ends) end()
    this.#bridge.remove(port)
    await ours?.close()
    capture?.close()
    const { lost, overflowed } = link.counters
    const mbit = (received.bytes * 8) / 1e6 / received.seconds
    return { mbit, failure, seen: link.seen, lost, overflowed, told: job.kind === 'send' ? (ours?.told ?? null) : null }
  }

  async #transfer(course: Course): Promise<Received> {
    const { job, port, ours } = course
    if (job.kind === 'receive' && ours !== null) {
      const { done } = await ours.receive(port, job.seed, job.seconds)
      this.#kernelSends(course, OURS)
      return done
    }
    const done = await this.#kernelReceives(course)
    if (ours === null) this.#kernelSends(course, KERNEL_B)
    else await ours.send(KERNEL_B, port, job.seed)
    return done()
  }

  /** Resolves once the kernel listens. */
  #kernelReceives({ job, port, ends, failed }: Course): Promise<() => Promise<Received>> {
    const { seed, seconds } = job
    return new Promise((listening) => {
      let arrived: (received: Received) => void = () => undefined
      const done = new Promise<Received>((resolve) => (arrived = resolve))
      const end = this.#b.order({ op: 'receive', port, seed, seconds }, ({ event, received, reason }) => {
        if (event === 'ready') listening(() => done)
        else if (received !== undefined) arrived(received)
        else failed(new Error(`the receiver: ${reason}`))
      })
      ends.push(end)
    })
  }

  #kernelSends({ job, port, ends, failed }: Course, host: string): void {
    const told = ({ reason }: Answer): void => failed(new Error(`the sender: ${reason}`))
    ends.push(this.#a.order({ op: 'send', host, port, seed: job.seed }, told))
  }
}

function openCapture(folder: string, { cell, kind, seed }: Job): CaptureFile {
  const name = `loss${cell.loss}-rtt${cell.rttMs}${cell.reorder ? '-reorder' : ''}-${kind}-${seed}.pcapng`
  return new CaptureFile(join(folder, name), 'sender', 0, (error) => process.stderr.write(`${error.message}\n`))
}
