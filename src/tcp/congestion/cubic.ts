// CUBIC (RFC 9438): in congestion avoidance the window is a cubic function of the time since the last congestion, not of the round trip.
//
//   W(t) = C (t - K)^3 + W_max        concave up to W_max, flat about it, convex beyond: probing for more
//
// Owns: the windows W_max, W_est, the stage (epoch) and its clock. Does not own: slow start's exit (hystart.ts), recovery (loss.ts).
// The variables have the RFC's names and units, segments and seconds; cwnd and ssthresh stay in bytes. Read first: RFC 9438 §4.1, §4.2.

import type { Micros } from '../../base/time.ts'
import { createHystart, type HystartState, hystartGrowth, hystartOnAck, stopHystart } from './hystart.ts'
import type { AckGrowth, CongestionControl, CongestionState } from './interface.ts'
import {
  createWindowUndo,
  forgetWindow,
  rememberLoss,
  rememberTimeout,
  restoreWindow,
  type WindowUndo,
} from './window-undo.ts'

/** RFC 9438 §4.6, §5.1 and RFC 8511 §3.1: the constants. */
export const CUBIC = {
  /** What is left of the window after a loss. */
  beta: 0.7,
  /** The same after an ECN mark in congestion avoidance (RFC 8511 §3.1). */
  betaEcn: 0.85,
  /** How fast the window grows, in segments / s^3. */
  c: 0.4,
} as const

/** RFC 9438 §4.3: with this additive increase and beta, a window averages what Reno's does. Segments per round trip. */
export const ALPHA_CUBIC = (3 * (1 - CUBIC.beta)) / (1 + CUBIC.beta)

/** A stage of congestion avoidance. */
interface CubicStage {
  /** Window before the last reduction, lowered by fast convergence; 0 before the first. Segments. */
  wMax: number
  /** Window before the last reduction. Segments. */
  cwndPrior: number
  /** Window at the stage's start. Segments. */
  cwndEpoch: number
  /** What Reno's window would be. Segments. */
  wEst: number
  /** Seconds from the stage's start until W(t) is W_max again. */
  k: number
  /** When the stage began, moved on by every pause; -1 when none is under way. */
  epochAt: Micros
  /** The next stage follows a timeout (§4.8). */
  afterTimeout: boolean
}

/** What CUBIC keeps in CongestionState.data. */
export interface CubicData {
  stage: CubicStage
  /** The stage before the last reduction, for §4.9. */
  savedStage: CubicStage
  undo: WindowUndo
  hystart: HystartState
  /** Where slow start stood then. */
  savedPhase: HystartState['phase']
  /** SMSS that the stages' segments are of. */
  mss: number
  /** When the last acknowledgement came; -1 before the first. */
  lastAckAt: Micros
  /** §4.7 */
  fastConvergence: boolean
}

/** What can be left out of CUBIC, to see what it is good for. */
export interface CubicOptions {
  /** The controller's name; `cubic` by default. */
  name?: string
  /** RFC 9438 §4.7; on by default. */
  fastConvergence?: boolean
  /** HyStart++ in the first slow start (RFC 9438 §4.10); on by default. */
  hystart?: boolean
}

/** RFC 9438 §4.2, figure 1: the window in segments, `t` seconds after the stage began. */
export function wCubic(t: number, k: number, wMax: number): number {
  const d = t - k
  return CUBIC.c * d * d * d + wMax
}

/** RFC 9438 §4.2, figure 2: seconds from `cwndEpoch` back up to `wMax`, both in segments. */
export function cubicK(wMax: number, cwndEpoch: number): number {
  return Math.cbrt(Math.max(0, wMax - cwndEpoch) / CUBIC.c)
}

const dataOf = (state: CongestionState): CubicData | null => state.data as CubicData | null

function createStage(): CubicStage {
  return { wMax: 0, cwndPrior: 0, cwndEpoch: 0, wEst: 0, k: 0, epochAt: -1, afterTimeout: false }
}

function scaleStage(stage: CubicStage, factor: number): void {
  stage.wMax *= factor
  stage.cwndPrior *= factor
  stage.epochAt = -1
}

/**
 * SMSS has followed the path (RFC 1191, RFC 4821): windows in segments would stand for others in bytes, and W_est would be cwnd at once.
 * W_max stays what it was in bytes, and a stage begins from the window as it is.
 */
function followMss(state: CongestionState, data: CubicData): void {
  if (data.mss === state.mss) return
  scaleStage(data.stage, data.mss / state.mss)
  scaleStage(data.savedStage, data.mss / state.mss)
  data.mss = state.mss
}

function startStage(state: CongestionState, stage: CubicStage, now: Micros): void {
  const cwnd = state.cwnd / state.mss
  // §4.10: slow start ended without a loss.
  if (stage.cwndPrior === 0) stage.cwndPrior = cwnd
  // §4.8: after a timeout, and whenever there is nothing to climb back to, the stage begins at the plateau.
  if (stage.afterTimeout || stage.wMax <= cwnd) stage.wMax = cwnd
  stage.k = cubicK(stage.wMax, cwnd)
  stage.cwndEpoch = cwnd
  stage.wEst = cwnd
  stage.epochAt = now
  stage.afterTimeout = false
}

/** Congestion avoidance: §4.3 where Reno would be faster, else §4.4 and §4.5, which are one rule. `state.acked` keeps parts of bytes. */
function avoidCongestion(state: CongestionState, stage: CubicStage, bytes: number, ack: AckGrowth): void {
  const { mss } = state
  if (stage.epochAt < 0) startStage(state, stage, ack.now)
  const cwnd = state.cwnd / mss
  const t = (ack.now - stage.epochAt) / 1e6
  const alpha = stage.wEst >= stage.cwndPrior ? 1 : ALPHA_CUBIC
  stage.wEst += (alpha * (bytes / mss)) / cwnd
  if (wCubic(t, stage.k, stage.wMax) < stage.wEst) {
    state.cwnd = Math.max(state.cwnd, Math.floor(stage.wEst * mss))
    return
  }
  const rttUs = Math.max(0, ack.srttUs ?? ack.rttUs)
  const target = Math.min(Math.max(wCubic(t + rttUs / 1e6, stage.k, stage.wMax), cwnd), 1.5 * cwnd)
  state.acked += (bytes * (target - cwnd)) / cwnd
  const grown = Math.floor(state.acked)
  state.cwnd += grown
  state.acked -= grown
}

/** §5.8: the time in which the window was not in use does not count. */
function pauseUntil(data: CubicData, now: Micros): void {
  if (data.stage.epochAt >= 0 && data.lastAckAt >= 0) {
    data.stage.epochAt += Math.max(0, now - Math.max(data.lastAckAt, data.stage.epochAt))
  }
  data.lastAckAt = now
}

/** §4.6 and §4.7: the reaction to congestion that was not a timeout. `least` in segments. */
function reduce(state: CongestionState, flight: number, beta: number, least: number): void {
  const data = dataOf(state)
  const { mss } = state
  const ssthresh = Math.floor(flight * beta)
  if (data !== null) {
    const { stage, fastConvergence } = data
    const cwnd = state.cwnd / mss
    stage.wMax = fastConvergence && cwnd < stage.wMax ? (cwnd * (1 + beta)) / 2 : cwnd
    stage.cwndPrior = cwnd
    stage.epochAt = -1
    stage.afterTimeout = false
    stopHystart(data.hystart)
  }
  state.cwnd = Math.max(ssthresh, least * mss)
  state.ssthresh = Math.max(ssthresh, 2 * mss)
  state.acked = 0
}

/** For §4.9, before a reduction. */
function saveStage(data: CubicData): void {
  Object.assign(data.savedStage, data.stage)
  data.savedPhase = data.hystart.phase
}

const rules: Omit<CongestionControl, 'name' | 'init'> = {
  onEveryAck(state, ack) {
    const data = dataOf(state)
    if (data === null) return
    if (ack.isCwndLimited) data.lastAckAt = ack.now
    else pauseUntil(data, ack.now)
    // RFC 9406 §4.3: only the first slow start, whose end nobody has told yet.
    const isFirst = state.ssthresh === Number.POSITIVE_INFINITY
    if (isFirst && hystartOnAck(data.hystart, ack) === 'exit') state.ssthresh = state.cwnd
  },

  onAck(state, ack) {
    const data = dataOf(state)
    if (data === null || ack.isCwndLimited === false) return
    followMss(state, data)
    data.undo.isRecovering = false
    let rest = ack.bytes
    if (state.cwnd < state.ssthresh) {
      const isPaced = (state.pacingRate ?? 0) > 0 || ack.isBurstFine === true
      const isFirst = state.ssthresh === Number.POSITIVE_INFINITY
      const growth = isFirst
        ? hystartGrowth(data.hystart, rest, state.mss, isPaced, Math.max(0, rest - (ack.delivered ?? rest)))
        : rest
      const grown = Math.min(growth, state.ssthresh - state.cwnd)
      state.cwnd += grown
      rest = isFirst ? 0 : rest - grown
    }
    if (rest > 0) avoidCongestion(state, data.stage, rest, ack)
  },

  onLoss(state, flight) {
    const data = dataOf(state)
    if (data !== null) {
      followMss(state, data)
      rememberLoss(data.undo, state)
      saveStage(data)
    }
    reduce(state, flight, CUBIC.beta, 2)
  },

  onEcn(state, flight, _now, isAbe = true) {
    const data = dataOf(state)
    if (data !== null) {
      followMss(state, data)
      forgetWindow(data.undo)
    }
    // RFC 8511 §3: the smaller step back is for congestion avoidance.
    const beta = isAbe && state.cwnd >= state.ssthresh ? CUBIC.betaEcn : CUBIC.beta
    reduce(state, flight, beta, 1)
  },

  onRecovered(state) {
    const data = dataOf(state)
    if (data !== null) data.undo.isRecovering = false
    state.cwnd = Math.max(state.mss, state.ssthresh)
    state.acked = 0
  },

  onTimeout(state, flight, first) {
    const data = dataOf(state)
    if (data !== null) {
      followMss(state, data)
      if (rememberTimeout(data.undo, state, first)) saveStage(data)
      if (first) data.stage.cwndPrior = state.cwnd / state.mss
      data.stage.epochAt = -1
      data.stage.afterTimeout = true
      stopHystart(data.hystart)
    }
    // §4.8: as Reno, with beta instead of a half.
    if (first) state.ssthresh = Math.max(Math.floor(flight * CUBIC.beta), 2 * state.mss)
    state.cwnd = state.mss
    state.acked = 0
  },

  onSpuriousLoss(state) {
    const data = dataOf(state)
    if (data === null || !restoreWindow(data.undo, state)) return
    followMss(state, data)
    // §4.9: the stage goes on as if nothing had been; so does the first slow start, and it still needs an end (RFC 9406 §4.3).
    Object.assign(data.stage, data.savedStage)
    data.hystart.phase = data.savedPhase
  },

  onIdle(state, restartWindow, now) {
    const data = dataOf(state)
    if (data !== null) pauseUntil(data, now)
    if (restartWindow >= state.cwnd) return
    state.cwnd = restartWindow
    // What follows slow start is a new stage, from a smaller window.
    if (data !== null) data.stage.epochAt = -1
  },
}

/** CUBIC, whole or with parts left out. */
export function createCubic(options: CubicOptions = {}): CongestionControl {
  const { name = 'cubic', fastConvergence = true, hystart = true } = options
  return {
    ...rules,
    name,
    init(state, initialWindow) {
      const data: CubicData = {
        stage: createStage(),
        savedStage: createStage(),
        undo: createWindowUndo(),
        hystart: createHystart(),
        savedPhase: 'done',
        mss: state.mss,
        lastAckAt: -1,
        fastConvergence,
      }
      if (!hystart) stopHystart(data.hystart)
      state.cwnd = initialWindow
      state.ssthresh = Number.POSITIVE_INFINITY
      state.acked = 0
      state.pacingRate = 0
      state.data = data
    },
  }
}

/** CUBIC with HyStart++ and fast convergence (RFC 9438; RFC 9293 §3.8.2 [MAY-18]). */
export const cubic: CongestionControl = createCubic()
