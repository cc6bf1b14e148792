// A run as an event log: what it was asked for, then every packet and event of its worlds, one JSON object a line. Since everything
// repeats, the log is also the way back: the run is done again up to any packet of it, or with something else happening there.
// Owns: the lines, running again, the whole state at a packet. Does not own: files and terminals (src/cli/replay*.ts), comparing two
// runs (futures.ts).
//
//   {"kind":"run","version":"0.1.0","experiment":"nagle","seed":1,"parameters":{},"faults":[],"topology":null,"fork":null}
//   {"kind":"world","world":1,"label":"...","hosts":["client","server"]}
//   {"kind":"packet","world":1,"packet":1,"at":0,"from":"client","to":"server","receivedAt":20000,"line":"Flags [S], ...","fate":""}
//   {"kind":"event","world":1,"at":0,"host":"client","connection":"10.0.0.1:49152 10.0.0.2:80","event":{"kind":"state",...}}
//   {"kind":"end","claims":[...]}
//
// Times are microseconds of virtual time. Packets are numbered from 1 in each world, in the order in which hosts sent them.

import { formatEndpoint } from '../ip/address.ts'
import { parseFault } from './faults.ts'
import type { PacketRecord } from './record.ts'
import { experimentNamed } from './registry.ts'
import { runExperiment } from './run.ts'
import { dumpTcb } from './tcb-dump.ts'
import type { Topology } from './topology.ts'
import type { Outcome } from './types.ts'
import type { World, WorldObserver } from './world.ts'

/** What has to be known to do a run again. */
export interface RunHeader {
  readonly kind: 'run'
  readonly version: string
  readonly experiment: string
  readonly seed: number
  readonly parameters: Readonly<Record<string, string>>
  readonly faults: readonly string[]
  /** Null: the experiment's own. */
  readonly topology: Topology | null
  /** What else happens, in which world (from 1). */
  readonly fork: { readonly world: number; readonly faults: readonly string[] } | null
}

/** A run that was done, with its log. */
export interface LoggedRun {
  readonly outcome: Outcome
  /** Lines of JSON, without their ends. */
  readonly lines: readonly string[]
}

/** The packets of a world that have a number: packet N is at N - 1. */
export function numberedPackets(outcome: Outcome, world: number): readonly PacketRecord[] {
  const found = outcome.worlds[world - 1]
  if (found === undefined) {
    const all = outcome.worlds.map(({ label }, i) => `${i + 1} (${label})`).join(', ')
    throw new RangeError(`there is no world ${world}; there are: ${all || 'none'}`)
  }
  return found.packets.filter(({ sentAt }) => sentAt >= 0)
}

/** Reads the first line of a log. @throws {TypeError} when it is none */
export function parseHeader(line: string): RunHeader {
  let header: RunHeader | null = null
  try {
    header = JSON.parse(line) as RunHeader
  } catch {
    // told below
  }
  if (header?.kind !== 'run' || typeof header.experiment !== 'string' || !Array.isArray(header.faults)) {
    throw new TypeError('this is no log of a run: make one with tunstack lab NAME --log FILE')
  }
  return header
}

async function again(header: RunHeader, watch: (world: number) => WorldObserver): Promise<Outcome> {
  const { experiment, seed, parameters, faults, topology, fork } = header
  return runExperiment(experimentNamed(experiment), {
    given: parameters,
    seed,
    faults: faults.map(parseFault),
    capture: false,
    watch,
    ...(topology === null ? {} : { topology }),
    ...(fork === null ? {} : { fork: { world: fork.world - 1, faults: fork.faults.map(parseFault) } }),
  })
}

/** Does a run, and logs it. @throws {TypeError | RangeError} as runExperiment */
export async function logRun(header: RunHeader): Promise<LoggedRun> {
  const events: { readonly at: number; readonly line: string }[][] = []
  const outcome = await again(header, (world) => {
    const list: { at: number; line: string }[] = []
    events[world] = list
    return {
      event: (host, { at, ...event }, { local, localPort, remote, remotePort }) => {
        const connection = `${formatEndpoint(local, localPort)} ${formatEndpoint(remote, remotePort)}`
        list.push({ at, line: JSON.stringify({ kind: 'event', world: world + 1, at, host, connection, event }) })
      },
    }
  })
  const lines = [JSON.stringify(header)]
  outcome.worlds.forEach(({ label, hosts }, i) => {
    const world = i + 1
    lines.push(JSON.stringify({ kind: 'world', world, label, hosts }))
    const told = [...(events[i] ?? [])].reverse()
    numberedPackets(outcome, world).forEach(({ sentAt, from, to, receivedAt, line, fate }, n) => {
      while (told.length > 0 && told[told.length - 1].at <= sentAt) lines.push(told.pop()?.line ?? '')
      lines.push(JSON.stringify({ kind: 'packet', world, packet: n + 1, at: sentAt, from, to, receivedAt, line, fate }))
    })
    for (const { line } of told.reverse()) lines.push(line)
  })
  const claims = outcome.claims.map(({ text, holds, figures }) => ({ text, holds, figures }))
  lines.push(JSON.stringify({ kind: 'end', claims }))
  return { outcome, lines }
}

/** Every TCB of every host of a world as packets `first` to `last` leave, by packet; each line begins with host and ports. */
export async function statesAt(
  header: RunHeader,
  world: number,
  first: number,
  last: number,
): Promise<Map<number, string[]>> {
  const states = new Map<number, string[]>()
  await again(header, (index) => {
    let n = 0
    if (index !== world - 1) return {}
    return {
      sent: (made) => {
        n++
        if (n >= first && n <= last) states.set(n, statesOf(made))
      },
    }
  })
  return states
}

function statesOf(world: World): string[] {
  return world.hosts.flatMap((host) =>
    [...world.host(host).stack.tcp.connections()].flatMap(({ tcb }) => {
      const name = `${host}:${tcb.localPort} > ${tcb.remotePort}`
      return [`${name} state ${tcb.state}`, ...dumpTcb(tcb).map((line) => `${name} ${line}`)]
    }),
  )
}

const FORK = /^(lose|drop|delay|duplicate|corrupt) packet (\d+)((?: (?:by|after) .*)?)$/i

/**
 * Reads what is to happen in another future: `lose packet 12`, `delay packet 12 by 50ms`, with the numbers of the log, or any fault.
 * @param packets those of the world that it happens in
 * @throws {TypeError | RangeError} naming the mend
 */
export function parseFork(text: string, packets: readonly PacketRecord[]): string {
  const match = FORK.exec(text.trim())
  if (match === null) {
    parseFault(text)
    return text
  }
  const n = Number(match[2])
  const packet = packets[n - 1]
  if (packet === undefined) throw new RangeError(`fork '${text}': packets are numbered from 1 to ${packets.length}`)
  const before = packets.slice(0, n).filter(({ from }) => from === packet.from).length
  const fault = `${match[1].replace(/lose/i, 'drop')} packet ${before} from ${packet.from}${match[3]}`
  parseFault(fault)
  return fault
}
