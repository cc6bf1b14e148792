// The list of experiments that run against Linux too. To add one: write src/lab/live/NAME.ts, import it here, put it into the list.
// Owns: the order in which `lab all --live` runs them. Does not own: any of them.

import type { LiveExperiment } from '../live.ts'
import { delayedAckLive } from './delayed-ack.ts'
import { handshakeLive } from './handshake.ts'
import { nagleLive } from './nagle.ts'
import { nagleDelayedAckLive } from './nagle-delayed-ack.ts'
import { segmentsLive } from './segments.ts'
import { slowStartLive } from './slow-start.ts'

/** All of them, by the rows of the chapter. */
export const LIVE: readonly LiveExperiment[] = [
  segmentsLive, // E2
  handshakeLive, // E7
  delayedAckLive, // E9
  slowStartLive, // E10
  nagleLive, // E11
  nagleDelayedAckLive, // E12
]

/** The live part of an experiment; null when it has none. */
export function liveNamed(id: string): LiveExperiment | null {
  return LIVE.find(({ experiment }) => experiment.id === id) ?? null
}
