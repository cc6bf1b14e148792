// A classroom in virtual time, step by step: how long each step took, which frames passed in it, and the record for the report.
// Owns: steps, the reading of cables from a plan, the ladder of frames. Does not own: the room (classroom.ts), the steps themselves
// (experiments/classroom.ts).

import { MINUTE, type Micros, SECOND } from '../base/time.ts'
import type { Lease } from '../dhcp/index.ts'
import { eui64Address } from '../ethernet/index.ts'
import { HttpClient } from '../http/client.ts'
import type { Connect } from '../http/pool-options.ts'
import type { Impairment } from '../link/impairment.ts'
import type { HostResolver } from '../net/dns.ts'
import { httpConnector } from '../net/http-connect.ts'
import { Network } from '../sim/network.ts'
import type { VirtualTime } from '../sim/virtual-time.ts'
import { CLASS_CERTIFICATE } from './class-certificate.ts'
import { CLASS_ADDRESSES, CLASS_PREFIX, Classroom, EVERYBODY, type FrameRecord, type Station } from './classroom.ts'
import type { RunContext } from './context.ts'
import { withFaults } from './fault-device.ts'
import { formatFault } from './faults.ts'
import type { PacketRecord, WorldRecord } from './record.ts'
import { backOf, type LinkWay, readWay, type Topology } from './topology.ts'

const NODES = ['client', ...Object.keys(CLASS_ADDRESSES)]
const SWITCH = 'switch'
/** A class without an address asks for ever. */
const MOST_US = 10 * MINUTE

/** The plan of the room: a cable from each host to the switch. */
export function classPlan(delay: number): Topology {
  const addresses: Readonly<Record<string, string>> = { client: '0.0.0.0', ...CLASS_ADDRESSES }
  return {
    hosts: Object.fromEntries(NODES.map((name) => [name, { address: addresses[name] }])),
    routers: [SWITCH],
    links: NODES.map((name) =>
      name === 'client' ? { from: name, to: SWITCH, delay } : { from: SWITCH, to: name, delay },
    ),
  }
}

/** A part of the class. */
export interface Step {
  readonly name: string
  readonly startedAt: Micros
  readonly endedAt: Micros
  readonly frames: readonly FrameRecord[]
  /** Why it failed; ''. */
  readonly error: string
}

/** What a page came to. */
export interface Page {
  readonly status: number
  readonly body: string
}

/** A class that goes on. */
export class ClassRun {
  readonly time: VirtualTime
  readonly room: Classroom
  readonly steps: Step[] = []
  readonly #topology: Topology
  readonly #faults: readonly string[]
  #client: HttpClient | null = null
  #endedAt: Micros = 0

  /** @throws {TypeError} for a plan without a cable from the switch to each host, or with lines that have a rate */
  constructor(context: RunContext, ageingUs: Micros) {
    const network = new Network({ seed: context.seed * 1000 })
    const { time } = network
    const { faults, capture, topology } = context
    this.time = time
    this.#topology = topology
    this.#faults = faults.map(formatFault)
    for (const name of NODES) this.cableOf(name)
    this.room = new Classroom({
      scheduler: time,
      random: () => network.random(),
      ageingUs,
      capture,
      cable: (name) => this.cableOf(name),
      around: (host, device) =>
        withFaults(device, {
          host,
          faults,
          scheduler: time,
          onFault: (packet, text, isLost) => {
            context.onFault(text)
            if (isLost) this.room.lost(host, packet, text)
          },
        }),
    })
    context.shown.push(this)
  }

  /** Impairments of a host's cable, as its port has them. @throws {TypeError} */
  cableOf(name: string): { out: Impairment; in: Impairment } {
    for (const link of this.#topology.links) {
      if (link.from === SWITCH && link.to === name) return { out: impairmentOf(link), in: impairmentOf(backOf(link)) }
      if (link.from === name && link.to === SWITCH) return { out: impairmentOf(backOf(link)), in: impairmentOf(link) }
    }
    throw new TypeError(`the classroom has one network: a link from '${SWITCH}' to each of ${NODES.join(', ')}`)
  }

  /** A round trip between two hosts. */
  roundTripUs(a: string, b: string): Micros {
    const oneWay = (name: string): Micros => {
      const { out, in: into } = this.cableOf(name)
      return (out.delayUs ?? 0) + (into.delayUs ?? 0)
    }
    return oneWay(a) + oneWay(b)
  }

  /** Runs the class in virtual time, and ends it. @throws {Error} when it takes more than ten minutes */
  async run<T>(task: () => Promise<T>): Promise<T> {
    const late = new Promise<never>((_, reject) => {
      this.time.schedule(MOST_US, () => reject(new Error('the class took more than ten minutes of virtual time')))
    })
    try {
      return await this.time.runFor(Promise.race([task(), late]))
    } finally {
      this.#endedAt = this.time.now()
      await this.time.runFor(this.room.close())
    }
  }

  /** Waits in virtual time. */
  sleep(us: Micros): Promise<void> {
    return new Promise((resolve) => this.time.schedule(this.time.now() + us, resolve))
  }

  /** A part of the class; what comes within a second after it belongs to it too, but not to its time. */
  async step(name: string, task: () => Promise<unknown>): Promise<void> {
    const startedAt = this.time.now()
    const first = this.room.frames.length
    let error = ''
    await task().catch((reason: unknown) => {
      error = reason instanceof Error ? reason.message : String(reason)
    })
    const endedAt = this.time.now()
    await this.sleep(SECOND)
    this.steps.push({ name, startedAt, endedAt, frames: this.room.frames.slice(first), error })
  }

  /** Asks for an address by DHCP; resolves when the host has it. */
  lease({ host, ethernet }: Station): Promise<Lease> {
    return new Promise((resolve) => host.dhcpClient({ ethernet, hostName: 'client' }).once('bound', resolve))
  }

  /** A page, over a connection of its own. */
  async get({ host }: Station, resolver: HostResolver, url: string): Promise<Page> {
    this.#client ??= new HttpClient({
      keepAliveUs: 0,
      scheduler: this.time,
      connect: httpConnector(host, { resolver, tls: { ca: CLASS_CERTIFICATE } }) as Connect,
    })
    const response = await this.#client.fetch(url, { headers: { connection: 'close' } })
    return { status: response.status, body: await response.text(1 << 20) }
  }

  /** A host's address of the advertised prefix. */
  address6(name: string): string {
    const mac = this.room.stations.get(name)?.ethernet.mac ?? 0
    return eui64Address(CLASS_PREFIX, mac).toString()
  }

  /** The record for the report: a ladder with a lane for everybody. */
  record(): WorldRecord {
    return {
      label: 'the class',
      endedAt: this.#endedAt,
      hosts: [...NODES, EVERYBODY],
      packets: this.#steps().map((frame) => this.#rung(frame)),
      omitted: 0,
      connections: [],
      transactions: [],
      queues: [],
      faults: this.#faults,
      captures: this.room.captures(),
      hasTls: true,
    }
  }

  // What the servers said among themselves before the class began is no part of the ladder.
  #steps(): readonly FrameRecord[] {
    return this.steps.flatMap(({ frames }) => frames)
  }

  #rung({ at, from, to, protocol, text, bytes, fate }: FrameRecord): PacketRecord {
    const way = NODES.includes(from) ? (this.cableOf(from).in.delayUs ?? 0) : 0
    const rest = NODES.includes(to) ? (this.cableOf(to).out.delayUs ?? 0) : way
    const empty = { flags: 0, seq: 0, ack: -1, textBytes: 0, window: 0, isAgain: false, http: '', connection: -1 }
    const line = fate === '' ? `${protocol} ${text}` : 'a packet'
    const lane = to === '' || !NODES.includes(to) ? EVERYBODY : to
    return {
      ...empty,
      sentAt: at < 0 ? 0 : at - way,
      receivedAt: at < 0 ? -1 : at + rest,
      from,
      to: lane,
      line,
      packetBytes: bytes,
      fate,
    }
  }
}

function impairmentOf(way: LinkWay): Impairment {
  const { delayUs, jitterUs, rateBps, lossRate, duplicateRate, corruptRate, bursts } = readWay(way)
  if (Number.isFinite(rateBps) || bursts !== null) {
    throw new TypeError(
      'cables of the classroom have delay, jitter, loss, duplicate and corrupt, no rate and no bursts',
    )
  }
  return { delayUs, jitterUs, lossRate, duplicateRate, corruptRate }
}
