// The controllers by name.

import { bbr } from './bbr.ts'
import { cubic } from './cubic.ts'
import { dctcp } from './dctcp.ts'
import { fixed } from './fixed.ts'
import type { CongestionControl } from './interface.ts'
import { newreno } from './newreno.ts'
import { none } from './none.ts'
import { reno } from './reno.ts'

const controllers = new Map<string, CongestionControl>(
  [reno, newreno, cubic, bbr, dctcp, fixed, none].map((control) => [control.name, control]),
)

const BUILT_IN = new Set(controllers.keys())
const CALLS = ['init', 'onAck', 'onLoss', 'onRecovered', 'onTimeout', 'onIdle'] as const

/** Those that stand for something else and are not for choosing. */
const unlisted = new Set<string>()

/**
 * Makes a controller available by its name, for new connections and for `configure`.
 * @param isListed false leaves it out of `congestionControlNames`
 * @throws {RangeError} for the name of one that is built in
 * @throws {TypeError} when one of the calls that every controller has is missing
 */
export function registerCongestionControl(control: CongestionControl, isListed = true): void {
  if (BUILT_IN.has(control.name)) {
    throw new RangeError(`'${control.name}' is built in: give a congestion controller of your own another name`)
  }
  const missing = CALLS.filter((call) => typeof control[call] !== 'function')
  if (missing.length > 0) {
    throw new TypeError(
      `congestion controller '${control.name}' lacks ${missing.join(', ')}: spread a built-in one first`,
    )
  }
  controllers.set(control.name, control)
  if (!isListed) unlisted.add(control.name)
}

/** The controller of that name. @throws {RangeError} when there is none */
export function congestionControl(name: string): CongestionControl {
  const control = controllers.get(name)
  if (control === undefined) {
    throw new RangeError(`no congestion controller '${name}'; there are: ${congestionControlNames().join(', ')}`)
  }
  return control
}

/** The names of all controllers there are to choose from. */
export function congestionControlNames(): string[] {
  return [...controllers.keys()].filter((name) => !unlisted.has(name))
}

export { createCubic } from './cubic.ts'
export { fixedWindow } from './fixed.ts'
export type { AckGrowth, AckPhase, AckSample, CongestionControl, CongestionState } from './interface.ts'
export { reno } from './reno.ts'
