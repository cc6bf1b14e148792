// The controllers by name.

import type { CongestionControl } from './interface.ts'
import { reno } from './reno.ts'

const controllers = new Map<string, CongestionControl>([[reno.name, reno]])

/** Makes a controller available by its name, for new connections. */
export function registerCongestionControl(control: CongestionControl): void {
  controllers.set(control.name, control)
}

/** The controller of that name. @throws {RangeError} when there is none */
export function congestionControl(name: string): CongestionControl {
  const control = controllers.get(name)
  if (control === undefined) {
    throw new RangeError(`no congestion controller '${name}'; there are: ${[...controllers.keys()].join(', ')}`)
  }
  return control
}

export type { AckSample, CongestionControl, CongestionState } from './interface.ts'
export { reno } from './reno.ts'
