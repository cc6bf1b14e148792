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

/** Makes a controller available by its name, for new connections. */
export function registerCongestionControl(control: CongestionControl): void {
  controllers.set(control.name, control)
}

/** The controller of that name. @throws {RangeError} when there is none */
export function congestionControl(name: string): CongestionControl {
  const control = controllers.get(name)
  if (control === undefined) {
    throw new RangeError(`no congestion controller '${name}'; there are: ${congestionControlNames().join(', ')}`)
  }
  return control
}

/** The names of all controllers there are. */
export function congestionControlNames(): string[] {
  return [...controllers.keys()]
}

export { createCubic } from './cubic.ts'
export { fixedWindow } from './fixed.ts'
export type { AckGrowth, AckPhase, AckSample, CongestionControl, CongestionState } from './interface.ts'
export { reno } from './reno.ts'
