// What an experiment is, and what it gives: records without code, so that a terminal, a page and a test read the same.
// Owns: the shapes. Does not own: making them (define.ts, claims.ts, world.ts), showing them (text-report.ts, html-report.ts).

import type { Micros } from '../base/time.ts'
import type { RunContext } from './context.ts'
import type { WorldRecord } from './record.ts'
import type { Topology } from './topology.ts'

/** What a parameter's text means: a number, whole or not; a size in bytes; a time (microseconds); bits per second; a share; a word. */
export type Unit = 'number' | 'count' | 'bytes' | 'time' | 'rate' | 'percent' | 'word'

/** A parameter of an experiment: `--name=value` on the command line, in the unit's way of writing (20ms, 10mbit, 1%, 64kb). */
export interface Parameter {
  /** As it would be written: '20ms', '10mbit', '1%', '64kb', '3', 'cubic'. */
  readonly default: string
  readonly unit: Unit
  /** Least and most, written the same way. */
  readonly range?: readonly [string, string]
  /** The words allowed, for unit 'word'. */
  readonly oneOf?: readonly string[]
  /** A sentence without a full stop. */
  readonly doc: string
}

/** What `run` gets for a parameter: text for words, else a number in microseconds, bytes, bits per second or from 0 to 1. */
export type ParameterValue<P extends Parameter> = P['unit'] extends 'word' ? string : number

/** All parameters read. */
export type Values<P extends Readonly<Record<string, Parameter>>> = { readonly [K in keyof P]: ParameterValue<P[K]> }

/** A number with its name and unit, as a claim shows it. */
export interface Figure {
  readonly name: string
  readonly value: number | string
  /** 'ms', 'packets', 'Mbit/s', ...; empty for none. */
  readonly unit: string
}

/** A sentence that was put to the test. */
export interface Claim {
  /** A sentence with a full stop. */
  readonly text: string
  readonly holds: boolean
  /** What was measured, and what arithmetic or a paper expects. */
  readonly figures: readonly Figure[]
  /** How far apart they may be, in words: 'exact', 'within 20 %', 'at least'. */
  readonly tolerance: string
  /** Where the expectation comes from: a formula, an RFC's section, a paper. */
  readonly because: string
}

/** Rows of results. */
export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
}

/** A curve: points of [x, y], ascending in x. */
export interface Curve {
  readonly name: string
  readonly points: readonly (readonly [number, number])[]
  /** 'line' joins them, 'step' holds each value, 'dots' and 'bars' show them alone. */
  readonly shape?: 'line' | 'step' | 'dots' | 'bars'
  /** Drawn thin and dashed: a bound or an expectation. */
  readonly isReference?: boolean
}

/** A figure of its own, besides those that come from the records of a world. */
export interface Plot {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly curves: readonly Curve[]
  /** Logarithmic axes. */
  readonly logX?: boolean
  readonly logY?: boolean
}

/** The figures that the record of a world can be shown as, by Wireshark's names. */
export type FigureKind =
  | 'time-sequence'
  | 'window'
  | 'round-trip'
  | 'throughput'
  | 'window-scaling'
  | 'queue'
  | 'ladder'
  | 'waterfall'

/** What `run` returns; what worlds have recorded is added by itself. */
export interface Findings {
  readonly claims: readonly Claim[]
  readonly tables?: readonly Table[]
  readonly plots?: readonly Plot[]
  /** Sentences that say why it came as it did; those that the core's reasons give are added. */
  readonly why?: readonly string[]
  /** Numbers that a sweep gathers besides those of the claims. */
  readonly measures?: readonly Figure[]
}

/** An experiment, as `defineExperiment` takes it. */
export interface Experiment<P extends Readonly<Record<string, Parameter>> = Readonly<Record<string, Parameter>>> {
  /** What it is called on the command line: small letters and hyphens. */
  readonly id: string
  /** The row of the chapter it shows: 'E10'; '' for a classic beside it. */
  readonly fact: string
  readonly title: string
  /** What one wants to know, with a question mark. */
  readonly question: string
  readonly parameters: P
  /** The network, drawn in the report and given to `context.world()` by default. */
  readonly topology: (values: Values<P>) => Topology
  /** Which figures its worlds are shown as, in this order. */
  readonly figures: readonly FigureKind[]
  readonly run: (context: RunContext, values: Values<P>) => Promise<Findings>
  /** What to read: 'RFC 5681 §3.1', a paper. */
  readonly read: readonly string[]
  /** Longest virtual time of one world, in microseconds; default an hour. */
  readonly mostUs?: Micros
}

/** An experiment that was run: all that a report needs, as plain data. */
export interface Outcome {
  readonly id: string
  readonly fact: string
  readonly title: string
  readonly question: string
  readonly read: readonly string[]
  readonly seed: number
  /** As text, all of them. */
  readonly parameters: readonly {
    readonly name: string
    readonly value: string
    readonly doc: string
    readonly isDefault: boolean
  }[]
  /** The command that repeats it. */
  readonly command: string
  readonly topology: Topology
  readonly figures: readonly FigureKind[]
  readonly claims: readonly Claim[]
  readonly tables: readonly Table[]
  readonly plots: readonly Plot[]
  readonly why: readonly string[]
  readonly measures: readonly Figure[]
  readonly worlds: readonly WorldRecord[]
  /** Of a run against Linux: what was there, as 'Linux 6.12.0'. */
  readonly live?: string
}
