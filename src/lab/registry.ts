// The list of experiments. To add one: write src/lab/experiments/NAME.ts, import it here, put it into the list, run `npm run lab -- NAME`.
// Owns: the order in which they are listed. Does not own: any experiment.

import { didYouMean } from '../base/suggest.ts'
import { bufferbloat } from './experiments/bufferbloat.ts'
import { classroom } from './experiments/classroom.ts'
import { cubicCurve } from './experiments/cubic-curve.ts'
import { delayedAck } from './experiments/delayed-ack.ts'
import { fairness } from './experiments/fairness.ts'
import { fourValues } from './experiments/four-values.ts'
import { gracefulClose } from './experiments/graceful-close.ts'
import { halfClose } from './experiments/half-close.ts'
import { handshake } from './experiments/handshake.ts'
import { nagle } from './experiments/nagle.ts'
import { nagleDelayedAck } from './experiments/nagle-delayed-ack.ts'
import { nagleMatrix } from './experiments/nagle-matrix.ts'
import { portExhaustion } from './experiments/port-exhaustion.ts'
import { renoLaw } from './experiments/reno-law.ts'
import { segments } from './experiments/segments.ts'
import { slowStart } from './experiments/slow-start.ts'
import { timeWait } from './experiments/time-wait.ts'
import type { Experiment } from './types.ts'

/** All experiments: by the rows of the chapter first, then the classics. One line each, so that additions do not collide. */
export const EXPERIMENTS: readonly Experiment[] = [
  segments, // E2
  fourValues, // E3
  handshake, // E7
  delayedAck, // E9
  slowStart, // E10
  nagle, // E11
  nagleDelayedAck, // E12
  timeWait, // E13
  portExhaustion, // E14
  halfClose, // E29
  gracefulClose, // E30
  classroom, // E32
  nagleMatrix,
  renoLaw,
  cubicCurve,
  fairness,
  bufferbloat,
]

/** The experiment of this name. @throws {TypeError} naming the nearest */
export function experimentNamed(name: string): Experiment {
  const found = EXPERIMENTS.find(
    ({ id, fact }) => id === name || (fact !== '' && fact.toLowerCase() === name.toLowerCase()),
  )
  if (found !== undefined) return found
  const names = EXPERIMENTS.map(({ id }) => id)
  throw new TypeError(
    `there is no experiment '${name}'${didYouMean(name, names) || `; there are: ${names.join(', ')}`}`,
  )
}
