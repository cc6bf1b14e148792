// What is measured over a TUN device, against which servers, and what each figure is compared with.
// Owns: the table. Does not own: how it is run (testbed.ts), the order (main.ts).

import { cpuUs, type Figures, load, type Precedence, type Running, wrk } from './testbed.ts'

/** How a load is run. */
export interface Means {
  readonly program: string
  readonly seconds: number
  readonly how: Precedence
}

/** One kind of work. */
export interface Work {
  readonly id: string
  readonly title: string
  /** The servers it is run against, by name; other peers take part where `isForPeers`. */
  readonly servers: readonly string[]
  readonly isForPeers: boolean
  /** The server that the ratio is to. */
  readonly reference: string
  readonly unit: string
  readonly isLowBetter: boolean
  run(running: Running, means: Means): Promise<Figures>
  /** The figure that counts, in `unit`. */
  figure(figures: Figures): number
  /** The second figure: CPU time of the server. */
  cpu(figures: Figures): string
}

const perGb = ({ cpuSecondsPerGb }: Figures): string => `${cpuSecondsPerGb.toFixed(3)} s/GB`
const perTurn = ({ cpuUs }: Figures): string => `${cpuUs.toFixed(1)} us`

function bulk(id: string, title: string, way: 'up' | 'down', server: string, isForPeers: boolean): Work {
  return {
    id,
    title,
    servers: ['kernel', 'node', server, ...(server === 'stack' ? ['direct'] : [])],
    isForPeers,
    reference: 'kernel',
    unit: 'Mbit/s',
    isLowBetter: false,
    run: ({ server: { address }, child }, { program, seconds, how }) =>
      load(program, [way, address, way === 'up' ? 5001 : 5002, seconds, child.pid ?? 0], how),
    figure: ({ mbit }) => mbit,
    cpu: perGb,
  }
}

function http(id: string, title: string, port: number): Work {
  return {
    id,
    title,
    servers: port === 5004 ? ['node', 'stack', 'direct'] : ['node', 'stack'],
    isForPeers: port === 5004,
    reference: 'node',
    unit: 'requests/s',
    isLowBetter: false,
    run: async ({ server: { address }, child }, { seconds, how }) => {
      await wrk(`http://${address}:${port}/`, 1, how) // not measured
      const before = cpuUs(child.pid ?? 0)
      const figures = await wrk(`http://${address}:${port}/`, Math.ceil(seconds), how)
      return { ...figures, cpuUs: (cpuUs(child.pid ?? 0) - before) / figures.requests }
    },
    figure: ({ perSecond }) => perSecond,
    cpu: perTurn,
  }
}

/** In the order of the page docs/performance.md. */
export const WORKS: readonly Work[] = [
  bulk('P1', 'bulk in, offload', 'up', 'stack', true),
  bulk('P2', 'bulk out, offload', 'down', 'stack', true),
  bulk('P3-in', 'bulk in, plain 1500', 'up', 'plain', false),
  bulk('P3-out', 'bulk out, plain 1500', 'down', 'plain', false),
  {
    id: 'P4',
    title: 'connections, 16 at a time',
    servers: ['kernel', 'node', 'stack', 'direct'],
    isForPeers: true,
    reference: 'kernel',
    unit: '1/s',
    isLowBetter: false,
    run: async ({ server: { address }, child }, { program, seconds, how }) => {
      const figures = await load(program, ['connect', address, 5003, seconds, child.pid ?? 0], how)
      if (figures.errors > 0) throw new Error(`${figures.errors} connections failed`)
      return figures
    },
    figure: ({ perSecond }) => perSecond,
    cpu: perTurn,
  },
  http('P5', 'HTTP, our server', 5004),
  {
    id: 'P6',
    title: 'echo of a byte, median',
    servers: ['kernel', 'node', 'stack', 'direct'],
    isForPeers: true,
    reference: 'kernel',
    unit: 'us',
    isLowBetter: true,
    run: ({ server: { address }, child }, { program, seconds, how }) =>
      load(program, ['echo', address, 5003, seconds, child.pid ?? 0], how),
    figure: ({ p50Us }) => p50Us,
    cpu: ({ cpuUs, p99Us }) => `${cpuUs.toFixed(1)} us, p99 ${p99Us.toFixed(0)} us`,
  },
  http('P11', "HTTP, Node's server", 5005),
]
