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

/** Rounds that each half of the memory of aggregation lasts (Linux's bbr_extra_acked_win_rtts). */
export const AGGREGATION_ROUNDS = 5
/** The most that aggregation is believed to hold back, as time at BtlBw (Linux's bbr_extra_acked_max_us). */
export const MAX_AGGREGATION_US: Micros = 100_000
/** An epoch of so many bytes is old enough to be begun anew. */
const LONGEST_EPOCH_BYTES = 2 ** 30
/** Below this part of SRTT a round trip is not believed on a path that reorders. */
const LEAST_OF_SRTT = 0.75

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
  /** Most that acknowledgements brought beyond BtlBw, in the rounds now and in those before; bytes. */
  extraAcked: number
  priorExtraAcked: number
  extraAckedRounds: number
  /** Since when it is counted what acknowledgements bring, and how much that was. */
  epochAt: Micros
  epochAcked: number
  /** RTprop has been measured anew since the path was seen to reorder. */
  knowsReordering: boolean
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
    extraAcked: 0,
    priorExtraAcked: 0,
    extraAckedRounds: 0,
    epochAt: now,
    epochAcked: 0,
    knowsReordering: false,
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

/**
 * How much more acknowledgements bring at once than BtlBw explains: links that hold packets or acknowledgements back and let them go in
 * bunches (Wi-Fi, offloads). Linux's bbr_update_ack_aggregation(); the draft has it since -01 (§4.2.3.2, extra_acked).
 */
export function updateAggregation(model: BbrModel, ack: AckSample, cwnd: number): void {
  if (ack.delivered <= 0 || ack.rateBytesPerSecond < 0) return
  if (model.isRoundStart && ++model.extraAckedRounds >= AGGREGATION_ROUNDS) {
    model.extraAckedRounds = 0
    model.priorExtraAcked = model.extraAcked
    model.extraAcked = 0
  }
  let expected = (model.bandwidth * (ack.now - model.epochAt)) / 1e6
  if (model.epochAcked <= expected || model.epochAcked + ack.delivered >= LONGEST_EPOCH_BYTES) {
    model.epochAt = ack.now
    model.epochAcked = 0
    expected = 0
  }
  model.epochAcked += ack.delivered
  model.extraAcked = Math.max(model.extraAcked, Math.min(model.epochAcked - expected, cwnd))
}

/** Room in cwnd for what is held back (Linux's bbr_ack_aggregation_cwnd()): while a bunch is on its way the sender goes on. Bytes. */
export function aggregationBytes(model: BbrModel): number {
  if (!model.isPipeFull) return 0
  const extra = Math.max(model.extraAcked, model.priorExtraAcked)
  return Math.min(extra, (model.bandwidth * MAX_AGGREGATION_US) / 1e6)
}

/**
 * §4.1.2, BBRUpdateRTprop().
 * DEVIATION: where some packets overtake the rest, for they skip a delay that most have to wait through, the least round trip is none that
 * a window could be measured by: the window would collapse to a few segments, for as long as that goes on. On a path that was seen to
 * reorder a sample counts as no less than three quarters of SRTT.
 */
export function updateMinRtt(model: BbrModel, ack: AckSample): void {
  model.isMinRttExpired = ack.now > model.minRttAt + MIN_RTT_WINDOW_US
  if (ack.rttUs < 0) return
  const rttUs = ack.isReordered ? Math.max(ack.rttUs, LEAST_OF_SRTT * ack.srttUs) : ack.rttUs
  const isNews = ack.isReordered && !model.knowsReordering // what was measured before may have been such a packet
  if (model.minRttUs < 0 || rttUs <= model.minRttUs || model.isMinRttExpired || isNews) {
    model.minRttUs = Math.max(1, rttUs)
    model.minRttAt = ack.now
    model.knowsReordering = ack.isReordered
  }
}

/** Bandwidth-delay product in bytes; -1 while one of the two is unknown. */
export function bdpBytes(model: BbrModel): number {
  return model.minRttUs < 0 || model.bandwidth === 0 ? -1 : (model.bandwidth * model.minRttUs) / 1e6
}
