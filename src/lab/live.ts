// Experiments that run live: our stack against the Linux kernel, in real time, over a TUN device in a network namespace of their own.
// Owns: the shapes, and how a live experiment is defined. Does not own: namespace, device and Linux's sockets (cli/lab-live*.ts), what is
// measured (live/), which there are (live/registry.ts).
//
// A world is the same to a program whether time is virtual or real: what an experiment does in one (LabWorld) it can do in the other. Live,
// the hosts that `context.linux(...)` names are Linux's TCP with Node's sockets, and the others are one host of ours.

import type { Duplex } from 'node:stream'
import type { Micros, Scheduler } from '../base/time.ts'
import type { CreateConnectionOptions, DialOptions, HostListenOptions } from '../net/options.ts'
import type { WorldRequest } from './context.ts'
import type { TransactionRecord, WorldRecord } from './record.ts'
import type { Experiment, Findings, Parameter } from './types.ts'

/** A connection of either TCP: a TunSocket, or a net.Socket. */
export interface LabSocket extends Duplex {
  /** Closes with a reset. */
  resetAndDestroy(): unknown
}

/** A network with hosts: what a World in virtual time and one with Linux in it have in common. */
export interface LabWorld {
  readonly time: Scheduler
  /** Microseconds since the world began. */
  now(): Micros
  sleep(us: Micros): Promise<void>
  /** Opens a connection by the names of hosts. Of the options Linux knows those of Node's sockets. */
  connect(from: string, to: string, port: number, options?: Partial<DialOptions>): Promise<LabSocket>
  /** Opens one to a name that the host itself resolves. */
  dial(from: string, options: DialOptions): Promise<LabSocket>
  /** Begins to open one: the socket at once. */
  open(from: string, to: string, port: number, options?: Partial<CreateConnectionOptions>): LabSocket
  listen(
    name: string,
    port: number,
    onConnection: (socket: LabSocket) => void,
    options?: Partial<HostListenOptions>,
  ): Promise<unknown>
  noteTransaction(transaction: TransactionRecord): void
  /** Runs a task and ends the world. @throws {Error} when the task does, or takes too long */
  run<T>(task: () => Promise<T>): Promise<T>
  record(): WorldRecord
}

/** Where worlds come from: a RunContext, or a live one. */
export interface Worlds {
  world(request: WorldRequest): LabWorld
}

/** How Node's own HTTP server is set up on Linux. */
export interface LinuxSite {
  readonly handler: (request: { readonly method: string; readonly path: string }) => { readonly bodyBytes: number }
  /** How long an idle connection is kept. Default for ever. */
  readonly idleUs?: Micros
  /** Requests that one connection may carry. Default any number. */
  readonly requestsPerConnection?: number
  /** Whether answers tell the timeout (Keep-Alive: timeout). Default true. */
  readonly isTimeoutTold?: boolean
  /** The body's length is not told. */
  readonly isOpenEnded?: boolean
}

/** A world in which some hosts are Linux. */
export interface LiveWorld extends LabWorld {
  /** All addresses of a host. */
  addressesOf(name: string): readonly string[]
  /** Serves HTTP on port 80 of a Linux host by Node's own server; counts what it accepted. */
  serveLinux(name: string, site: LinuxSite): Promise<{ readonly connections: number }>
  /** Runs Linux's curl; its exit code, and what it wrote. @throws {Error} where there is no curl */
  curl(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>
}

/** Worlds in which the same hosts are Linux. */
export interface LiveWorlds {
  world(request: WorldRequest): LiveWorld
}

/** The surroundings of a live run. */
export interface LiveContext {
  /** Makes worlds in which the hosts of these names are Linux, and all others are ours. */
  linux(...names: string[]): LiveWorlds
  /** Turns a knob of this namespace's kernel ('net/ipv4/tcp_tw_reuse', '0'); it goes back when the run ends. */
  sysctl(name: string, value: string): void
}

/** The live part of an experiment. */
export interface LiveExperiment {
  readonly experiment: Experiment
  /** Those of the experiment, with other defaults and bounds where real time has to pass. */
  readonly parameters: Readonly<Record<string, Parameter>>
  /** The same claims with room for timers that come late; `why` says where Linux does otherwise. */
  readonly run: (context: LiveContext, values: Readonly<Record<string, number | string>>) => Promise<Findings>
}

/**
 * Says how an experiment runs live.
 * @param changes what differs of its parameters: {timeout: {default: '1s', range: ['500ms', '60s']}}
 */
export function defineLive<V extends Readonly<Record<string, number | string>>>(
  experiment: Experiment,
  changes: Readonly<Record<string, Partial<Parameter>>>,
  run: (context: LiveContext, values: V) => Promise<Findings>,
): LiveExperiment {
  const parameters = Object.entries(experiment.parameters).map(([name, parameter]) => [
    name,
    { ...parameter, ...changes[name] },
  ])
  return { experiment, parameters: Object.fromEntries(parameters), run: run as LiveExperiment['run'] }
}
