// BBR's model of the path (draft-cardwell-iccrg-bbr-congestion-control-00 §4.1): how fast it delivers, how long a packet takes that waits
// nowhere, and whether the first of the two is known yet.
// Owns: rounds, BtlBw, RTprop, the test for a full pipe. Does not own: states and gains (bbr.ts), delivery rates (the core's).

import type { Micros } from '../../base/time.ts'
import type { AckSample } from './interface.ts'
import { createWindowedMax, pushWindowedMax, type WindowedMax, windowedMax } from './windowed-max.ts'

/** Rounds over which the greatest delivery rate is BtlBw (BtlBwFilterLen). */
export const BANDWIDTH_ROUNDS = 10
/** Microseconds for which a round trip is believed to be the least (RTpropFilterLen). */
export const MIN_RTT_WINDOW_US: Micros = 10_000_000

/** The model. Plain data; bytes, bytes per second, microseconds; -1 where nothing is known. */
export interface BbrModel {
  /** BtlBw; 0 before the first sample. */
  bandwidth: number
  rates: WindowedMax
  /** RTprop. */
  minRttUs: number
  minRttAt: Micros
  /** RTprop was too old to be believed when the last acknowledgement came. */
  isMinRttExpired: boolean
  round: number
  /** The acknowledgement of what is sent from here on ends the round. */
  nextRoundDelivered: number
  /** The last acknowledgement began a round. */
  isRoundStart: boolean
  /** What was sent while `totalDelivered` was in here was held back by ProbeRTT's small window: its rates are no evidence. */
  limitedFrom: number
  limitedUntil: number
  isPipeFull: boolean
  fullBandwidth: number
  /** Rounds in which the bandwidth did not grow by a quarter. */
  fullBandwidthRounds: number
}

/** A path of which nothing is known. */
export function createBbrModel(now: Micros): BbrModel {
  return {
    bandwidth: 0,
    rates: createWindowedMax(),
    minRttUs: -1,
    minRttAt: now,
    isMinRttExpired: false,
    round: 0,
    nextRoundDelivered: 0,
    isRoundStart: false,
    limitedFrom: -1,
    limitedUntil: -1,
    isPipeFull: false,
    fullBandwidth: 0,
    fullBandwidthRounds: 0,
  }
}

/** §4.1.1, BBRUpdateRound() and BBRUpdateBtlBw(). Returns whether the sender was held back by something but the path. */
export function updateBandwidth(model: BbrModel, ack: AckSample): boolean {
  const prior = ack.priorDelivered
  model.isRoundStart = prior >= 0 && prior >= model.nextRoundDelivered
  if (model.isRoundStart) {
    model.nextRoundDelivered = ack.totalDelivered
    model.round++
  }
  const isLimited = ack.isAppLimited || (prior >= model.limitedFrom && prior <= model.limitedUntil)
  const rate = ack.rateBytesPerSecond
  if (rate > 0 && (rate >= model.bandwidth || !isLimited)) {
    pushWindowedMax(model.rates, rate, model.round, BANDWIDTH_ROUNDS)
    model.bandwidth = windowedMax(model.rates)
  }
  return isLimited
}

/** §4.3.2.2, BBRCheckFullPipe(): three rounds in which the rate grew by less than a quarter fill the pipe. */
export function checkFullPipe(model: BbrModel, isLimited: boolean): void {
  if (model.isPipeFull || !model.isRoundStart || isLimited) return
  if (model.bandwidth >= 1.25 * model.fullBandwidth) {
    model.fullBandwidth = model.bandwidth
    model.fullBandwidthRounds = 0
    return
  }
  model.isPipeFull = ++model.fullBandwidthRounds >= 3
}

/** A timeout: the growth of the bandwidth is watched anew. What the model knows of the path it keeps. */
export function restartFullPipe(model: BbrModel): void {
  model.fullBandwidth = 0
  model.fullBandwidthRounds = 0
}

/** §4.1.2, BBRUpdateRTprop(). */
export function updateMinRtt(model: BbrModel, ack: AckSample): void {
  model.isMinRttExpired = ack.now > model.minRttAt + MIN_RTT_WINDOW_US
  if (ack.rttUs < 0) return
  if (model.minRttUs < 0 || ack.rttUs <= model.minRttUs || model.isMinRttExpired) {
    model.minRttUs = Math.max(1, ack.rttUs)
    model.minRttAt = ack.now
  }
}

/** Bandwidth-delay product in bytes; -1 while one of the two is unknown. */
export function bdpBytes(model: BbrModel): number {
  return model.minRttUs < 0 || model.bandwidth === 0 ? -1 : (model.bandwidth * model.minRttUs) / 1e6
}
