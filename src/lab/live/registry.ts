// The list of experiments that run against Linux too. To add one: write src/lab/live/NAME.ts, import it here, put it into the list.
// Owns: the order in which `lab all --live` runs them. Does not own: any of them.

import type { LiveExperiment } from '../live.ts'
import { cutAnywhereLive } from './cut-anywhere.ts'
import { delayedAckLive } from './delayed-ack.ts'
import { fastOpenLive } from './fast-open.ts'
import { gracefulCloseLive } from './graceful-close.ts'
import { halfCloseLive } from './half-close.ts'
import { handshakeLive } from './handshake.ts'
import { idleCloseRaceLive } from './idle-close-race.ts'
import { keepAliveLive, persistentLive } from './keep-alive.ts'
import { nagleLive } from './nagle.ts'
import { nagleDelayedAckLive } from './nagle-delayed-ack.ts'
import { pipeliningLive } from './pipelining.ts'
import { portExhaustionLive } from './port-exhaustion.ts'
import { segmentsLive } from './segments.ts'
import { slowStartLive } from './slow-start.ts'
import { timeWaitLive } from './time-wait.ts'
import { truncationLive } from './truncation.ts'

/** All of them, by the rows of the chapter. */
export const LIVE: readonly LiveExperiment[] = [
  segmentsLive, // E2
  handshakeLive, // E7
  fastOpenLive, // E8
  delayedAckLive, // E9
  slowStartLive, // E10
  nagleLive, // E11
  nagleDelayedAckLive, // E12
  timeWaitLive, // E13
  portExhaustionLive, // E14
  keepAliveLive, // E20
  persistentLive, // E21
  pipeliningLive, // E24
  idleCloseRaceLive, // E26
  truncationLive, // E27
  cutAnywhereLive, // E28
  halfCloseLive, // E29
  gracefulCloseLive, // E30
]

/** The live part of an experiment; null when it has none. */
export function liveNamed(id: string): LiveExperiment | null {
  return LIVE.find(({ experiment }) => experiment.id === id) ?? null
}
