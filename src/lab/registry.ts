// The list of experiments. To add one: write src/lab/experiments/NAME.ts, import it here, put it into the list, run `npm run lab -- NAME`.
// Owns: the order in which they are listed. Does not own: any experiment.

import { didYouMean } from '../base/suggest.ts'
import { bufferbloat } from './experiments/bufferbloat.ts'
import { cacheDistance } from './experiments/cache-distance.ts'
import { classroom } from './experiments/classroom.ts'
import { cubicCurve } from './experiments/cubic-curve.ts'
import { cutAnywhere } from './experiments/cut-anywhere.ts'
import { delayedAck } from './experiments/delayed-ack.ts'
import { dumbProxy } from './experiments/dumb-proxy.ts'
import { fairness } from './experiments/fairness.ts'
import { fastOpen } from './experiments/fast-open.ts'
import { fourValues } from './experiments/four-values.ts'
import { gracefulClose } from './experiments/graceful-close.ts'
import { halfClose } from './experiments/half-close.ts'
import { handshake } from './experiments/handshake.ts'
import { hopByHop } from './experiments/hop-by-hop.ts'
import { https } from './experiments/https.ts'
import { idleCloseRace } from './experiments/idle-close-race.ts'
import { keepAlive, persistent } from './experiments/keep-alive.ts'
import { nagle } from './experiments/nagle.ts'
import { nagleDelayedAck } from './experiments/nagle-delayed-ack.ts'
import { nagleMatrix } from './experiments/nagle-matrix.ts'
import { pageWays } from './experiments/page-ways.ts'
import { parallelConnections } from './experiments/parallel-connections.ts'
import { parallelFeel } from './experiments/parallel-feel.ts'
import { parallelLimits } from './experiments/parallel-limits.ts'
import { pipelining } from './experiments/pipelining.ts'
import { portExhaustion } from './experiments/port-exhaustion.ts'
import { proxyConnection } from './experiments/proxy-connection.ts'
import { renoLaw } from './experiments/reno-law.ts'
import { segments } from './experiments/segments.ts'
import { serialLoading } from './experiments/serial-loading.ts'
import { sevenSteps } from './experiments/seven-steps.ts'
import { slowStart } from './experiments/slow-start.ts'
import { socketCallsExperiment } from './experiments/socket-calls.ts'
import { timeWait } from './experiments/time-wait.ts'
import { timeWaitRecycle } from './experiments/time-wait-recycle.ts'
import { transactionTime } from './experiments/transaction-time.ts'
import { transfer } from './experiments/transfer.ts'
import { truncation } from './experiments/truncation.ts'
import type { Experiment } from './types.ts'

/** All experiments: by the rows of the chapter first, then the classics. One line each, so that additions do not collide. */
export const EXPERIMENTS: readonly Experiment[] = [
  sevenSteps, // E1
  segments, // E2
  fourValues, // E3
  socketCallsExperiment, // E4
  https, // E5
  transactionTime, // E6
  handshake, // E7
  fastOpen, // E8
  delayedAck, // E9
  slowStart, // E10
  nagle, // E11
  nagleDelayedAck, // E12
  timeWait, // E13
  portExhaustion, // E14
  timeWaitRecycle, // E14
  hopByHop, // E15
  serialLoading, // E16
  parallelConnections, // E17
  parallelLimits, // E18
  parallelFeel, // E19
  keepAlive, // E20
  persistent, // E21
  dumbProxy, // E22
  proxyConnection, // E23
  pipelining, // E24
  pageWays, // E25
  idleCloseRace, // E26
  truncation, // E27
  cutAnywhere, // E28
  halfClose, // E29
  gracefulClose, // E30
  cacheDistance, // E31
  classroom, // E32
  nagleMatrix,
  renoLaw,
  cubicCurve,
  fairness,
  bufferbloat,
  transfer,
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
