// What an experiment's `run` is given: worlds to make, and the seed.
// Owns: naming and counting worlds, what the command line adds to all of them. Does not own: a world (world.ts).

import type { Micros } from '../base/time.ts'
import type { Fault } from './faults.ts'
import type { WorldRecord } from './record.ts'
import type { Topology } from './topology.ts'
import { World, type WorldObserver, type WorldOptions } from './world.ts'

/** What a run may say of a world; the rest comes from the experiment. */
export type WorldRequest = Partial<Omit<WorldOptions, 'seed' | 'capture' | 'label'>> & {
  /** Names it among the others: 'IW 10'. */
  readonly label: string
  /** Worlds of one run have the same dice, so that only what differs makes a difference; another number gives other dice. Default 0. */
  readonly repeat?: number
  /** False leaves it out of the report: one of hundreds of which only a number counts. Default true. */
  readonly isShown?: boolean
}

/** Packets that a world remembers while it is watched. */
const MOST_WATCHED = 200_000

/** What holds for all worlds of a run. */
export interface ContextOptions {
  readonly seed: number
  readonly topology: Topology
  /** Faults from the command line, in every world. */
  readonly faults: readonly Fault[]
  /** Whether to keep captures. */
  readonly capture: boolean
  readonly mostUs?: Micros
  /** Watches the worlds that are shown, by their number from 0. */
  readonly watch?: (world: number) => WorldObserver
  /** Faults in one of the worlds that are shown. */
  readonly fork?: { readonly world: number; readonly faults: readonly Fault[] }
  /** Told of each fault that happened to a packet, in the words of `formatFault`. */
  readonly onFault?: (text: string) => void
}

/** What has a record to show: a World, or a network of another kind. */
export interface Recorded {
  record(): WorldRecord
}

/** The surroundings of a run. */
export class RunContext {
  readonly seed: number
  readonly topology: Topology
  /** What to show, in the order in which it was made. */
  readonly shown: Recorded[] = []
  /** Of the command line: for networks that are no World. */
  readonly faults: readonly Fault[]
  readonly capture: boolean
  readonly onFault: (text: string) => void
  readonly #options: ContextOptions

  constructor(options: ContextOptions) {
    this.#options = options
    this.seed = options.seed
    this.topology = options.topology
    this.faults = options.faults
    this.capture = options.capture
    this.onFault = options.onFault ?? (() => undefined)
  }

  /** A new world on the experiment's topology, or another. */
  world(request: WorldRequest): World {
    const { faults = [], isShown = true, repeat = 0, ...rest } = request
    const { seed, topology, capture, mostUs, watch, fork } = this.#options
    const index = this.shown.length
    const watched = isShown && watch !== undefined ? { observer: watch(index), mostPackets: MOST_WATCHED } : {}
    const more = isShown && fork?.world === index ? fork.faults : []
    const quiet = isShown ? {} : { mostPackets: 0, series: false }
    const world = new World({
      topology,
      mostUs,
      ...quiet,
      ...rest,
      ...watched,
      seed: seed * 1000 + repeat,
      capture: capture && isShown,
      onFault: this.onFault,
      faults: [...faults, ...this.#options.faults, ...more],
    })
    if (isShown) this.shown.push(world)
    return world
  }
}
