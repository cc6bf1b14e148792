// What a run has met: so that one can see whether the swarm is too gentle. Owns: the counts, adding them up.

import type { TcpCounters } from '../../src/tcp/counters.ts'
import type { Case } from './case.ts'
import type { WireCounts } from './wire.ts'

/** Counts by name. */
export type Tally = Record<string, number>

/** Adds `more` to `tally`. */
export function add(tally: Tally, more: Readonly<Record<string, number>>): void {
  for (const name in more) tally[name] = (tally[name] ?? 0) + more[name]
}

/** Fresh counts of the links. */
export function wireCounts(): WireCounts {
  return {
    packets: 0,
    lost: 0,
    bursts: 0,
    down: 0,
    overflowed: 0,
    tooBig: 0,
    blackHoled: 0,
    marked: 0,
    corrupted: 0,
    duplicated: 0,
    reordered: 0,
  }
}

/** Of one run, or of many. */
export class Notes {
  readonly totals: Tally = {}
  readonly wires = wireCounts()
  readonly states: Tally = {}
  readonly counters: Tally = {}
  readonly drawn: Tally = {}
  readonly ends: Tally = {}

  /** A connection changed its state. */
  state(from: string, to: string): void {
    const edge = `${from} > ${to}`
    this.states[edge] = (this.states[edge] ?? 0) + 1
  }

  /** Something happened once more. */
  count(of: 'totals' | 'drawn' | 'ends', name: string, by = 1): void {
    this[of][name] = (this[of][name] ?? 0) + by
  }

  /** What was drawn. */
  drew(it: Case): void {
    this.count('drawn', `shape ${it.shape}`)
    this.count('drawn', `IPv${it.family}`)
    for (const { kind } of it.incidents) this.count('drawn', `incident ${kind}`)
    for (const host of it.hosts) {
      if (host.offload !== 'none') this.count('drawn', `offload ${host.offload}`)
      for (const name in host.config) this.count('drawn', `knob ${name}`)
      for (const name in host.listener?.config ?? {}) this.count('drawn', `knob ${name}`)
      if (host.listener?.md5) this.count('drawn', 'md5')
    }
    for (const { config, both } of it.flows) {
      for (const name in config) this.count('drawn', `knob ${name}`)
      if (both) this.count('drawn', 'simultaneous opens')
    }
  }

  /** A host's counters. */
  host(counters: TcpCounters): void {
    add(this.counters, counters as unknown as Record<string, number>)
  }

  /** Adds those of another, maybe one that came from another process. */
  merge(other: Notes): void {
    for (const part of ['totals', 'states', 'counters', 'drawn', 'ends'] as const) add(this[part], other[part])
    add(this.wires as unknown as Tally, other.wires as unknown as Tally)
  }
}
