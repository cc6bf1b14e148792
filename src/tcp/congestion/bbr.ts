// BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00; Cardwell et al. 2016): sends at the rate at which the path delivers,
// and keeps in flight about what the path holds. Losses do not tell it how fast to send.
//
//   startup ---- pipe full ----> drain ---- queue gone ----> probe-bw  (5/4, 3/4, 1, 1, 1, 1, 1, 1 times the bandwidth)
//      any of them, when no least round trip was seen for 10 s ----> probe-rtt (4 segments for 200 ms) ----> back
//
// Owns: the states, gains, pacing rate, cwnd in every phase. Does not own: what it knows of the path (bbr-model.ts), pacing itself.
// Left out: the detector of token-bucket policers, which Linux has and the draft has not. ECN is not listened to, as in both.

import type { Micros } from '../../base/time.ts'
import {
  aggregationBytes,
  type BbrModel,
  bdpBytes,
  checkFullPipe,
  createBbrModel,
  restartFullPipe,
  updateAggregation,
  updateBandwidth,
  updateMinRtt,
} from './bbr-model.ts'
import type { AckPhase, AckSample, CongestionControl, CongestionState } from './interface.ts'

/** BBRHighGain, 2/ln 2: the least that doubles the delivery rate in each round (§4.3.2.1). */
export const HIGH_GAIN = 2.885
/** §4.3.4: the pacing gains of ProbeBW, each for about one RTprop. */
export const CYCLE_GAINS: readonly number[] = [1.25, 0.75, 1, 1, 1, 1, 1, 1]
/** §4.2.3.2: cwnd_gain of ProbeBW. */
export const CWND_GAIN = 2
/** BBRMinPipeCwnd, in segments. */
export const MIN_PIPE_SEGMENTS = 4
/** ProbeRTTDuration, microseconds. */
export const PROBE_RTT_US: Micros = 200_000

/** Where BBR is (§3.4). */
export type BbrMode = 'startup' | 'drain' | 'probe-bw' | 'probe-rtt'

/** What BBR keeps in CongestionState.data. Plain data; bytes, microseconds; -1 where there is none. */
export interface BbrData {
  mode: BbrMode
  model: BbrModel
  pacingGain: number
  cwndGain: number
  /** ProbeBW's place in CYCLE_GAINS, and since when. */
  cycleIndex: number
  cycleAt: Micros
  initialWindow: number
  /** The pacing rate rests on a measured round trip. */
  hasRtt: boolean
  /** Bytes that may go at once (§4.2.2). */
  sendQuantum: number
  /** cwnd before recovery or ProbeRTT. */
  priorCwnd: number
  phase: AckPhase
  /** The first round of recovery: one segment out for each that has left the network (§4.2.3.4). */
  isConserving: boolean
  probeRttDoneAt: Micros
  isProbeRttRoundDone: boolean
  /** Nothing was in flight: what is acknowledged next tells nothing of the queue. */
  isIdleRestart: boolean
  lastFlight: number
}

const dataOf = (state: CongestionState): BbrData | null => state.data as BbrData | null

/** §4.2.3.2, BBRInflight(): what the path holds, times `gain`, and room for three bursts. */
function inflight(data: BbrData, gain: number): number {
  const bdp = bdpBytes(data.model)
  return bdp < 0 ? data.initialWindow : gain * bdp + 3 * data.sendQuantum
}

function enterStartup(data: BbrData): void {
  data.mode = 'startup'
  data.pacingGain = HIGH_GAIN
  data.cwndGain = HIGH_GAIN
}

/** §4.3.3: drains in one round what startup has queued. */
function checkDrain(data: BbrData, ack: AckSample): void {
  if (data.mode === 'startup' && data.model.isPipeFull) {
    data.mode = 'drain'
    data.pacingGain = 1 / HIGH_GAIN
    data.cwndGain = HIGH_GAIN
  }
  if (data.mode === 'drain' && ack.flight <= inflight(data, 1)) enterProbeBw(data, ack)
}

/**
 * §4.3.4.3: begins anywhere in the cycle but at 3/4, so that flows do not probe in step.
 * DEVIATION: the draft draws a random number; here what has been measured is stirred instead, so that runs repeat to the byte.
 */
function enterProbeBw(data: BbrData, ack: AckSample): void {
  const { minRttUs, round } = data.model
  const stirred = Math.imul(ack.totalDelivered ^ Math.imul(minRttUs, 31) ^ Math.imul(round, 0x85ebca6b), 0x9e3779b1)
  data.mode = 'probe-bw'
  data.cwndGain = CWND_GAIN
  data.cycleIndex = CYCLE_GAINS.length - 1 - ((stirred >>> 8) % (CYCLE_GAINS.length - 1))
  advanceCycle(data, ack.now)
}

function advanceCycle(data: BbrData, now: Micros): void {
  data.cycleAt = now
  data.cycleIndex = (data.cycleIndex + 1) % CYCLE_GAINS.length
  data.pacingGain = CYCLE_GAINS[data.cycleIndex]
}

/** §4.3.4.3, BBRIsNextCyclePhase(): 5/4 stays until it has filled what it wanted to, 3/4 only until the queue is gone. */
function isNextCyclePhase(data: BbrData, ack: AckSample): boolean {
  const isFullLength = ack.now - data.cycleAt > data.model.minRttUs
  if (data.pacingGain === 1) return isFullLength
  if (data.pacingGain > 1) {
    return isFullLength && (ack.lost > 0 || ack.priorFlight >= inflight(data, data.pacingGain))
  }
  return isFullLength || ack.priorFlight <= inflight(data, 1)
}

/** §4.3.5: when RTprop is old, empties the path for 200 ms and a round, to see it again. */
function checkProbeRtt(state: CongestionState, data: BbrData, ack: AckSample): void {
  const { model } = data
  if (data.mode !== 'probe-rtt' && model.isMinRttExpired && !data.isIdleRestart) {
    saveCwnd(state, data)
    data.mode = 'probe-rtt'
    data.pacingGain = 1
    data.cwndGain = 1
    data.probeRttDoneAt = -1
    model.limitedFrom = ack.totalDelivered
  }
  if (data.mode === 'probe-rtt') handleProbeRtt(state, data, ack)
  data.isIdleRestart = false
}

function handleProbeRtt(state: CongestionState, data: BbrData, ack: AckSample): void {
  const { model } = data
  // The draft marks the connection as limited by the application (C.app_limited); here the model remembers which packets are.
  model.limitedUntil = ack.totalDelivered + ack.flight
  if (data.probeRttDoneAt < 0) {
    if (ack.flight > MIN_PIPE_SEGMENTS * state.mss) return
    data.probeRttDoneAt = ack.now + PROBE_RTT_US
    data.isProbeRttRoundDone = false
    model.nextRoundDelivered = ack.totalDelivered
    return
  }
  if (model.isRoundStart) data.isProbeRttRoundDone = true
  if (!data.isProbeRttRoundDone || ack.now <= data.probeRttDoneAt) return
  model.minRttAt = ack.now
  restoreCwnd(state, data)
  if (model.isPipeFull) enterProbeBw(data, ack)
  else enterStartup(data)
}

/** §4.2.3.3, BBRSaveCwnd(). */
function saveCwnd(state: CongestionState, data: BbrData): void {
  const isWhole = data.phase === 'open' && data.mode !== 'probe-rtt'
  data.priorCwnd = isWhole ? state.cwnd : Math.max(data.priorCwnd, state.cwnd)
}

function restoreCwnd(state: CongestionState, data: BbrData): void {
  state.cwnd = Math.max(state.cwnd, data.priorCwnd)
}

/** §4.2.1: never slower than before while the pipe is not known to be full. */
function setPacingRate(state: CongestionState, data: BbrData, ack: AckSample): void {
  if (!data.hasRtt && ack.srttUs > 0) {
    data.hasRtt = true
    state.pacingRate = initialPace(state.cwnd, ack.srttUs)
  }
  const rate = Math.round(data.pacingGain * data.model.bandwidth)
  if (rate > 0 && (data.model.isPipeFull || rate > (state.pacingRate ?? 0))) state.pacingRate = rate
}

function initialPace(window: number, rttUs: number): number {
  return Math.max(1, Math.round((HIGH_GAIN * window * 1e6) / rttUs))
}

/** §4.2.2: about 1 ms of traffic, in whole segments at low rates. */
function setSendQuantum(state: CongestionState, data: BbrData): void {
  const rate = state.pacingRate ?? 0
  if (rate < 1.2e6 / 8) data.sendQuantum = state.mss
  else if (rate < 24e6 / 8) data.sendQuantum = 2 * state.mss
  else data.sendQuantum = Math.max(state.mss, Math.min(rate / 1000, 64 * 1024))
}

/** §4.2.3.4: on entering recovery, on leaving it. A timeout's window is set by onTimeout. */
function followPhase(state: CongestionState, data: BbrData, ack: AckSample): void {
  const { phase } = data
  data.phase = ack.phase
  if (ack.phase === 'recovery' && phase !== 'recovery') {
    state.cwnd = Math.floor(ack.flight + Math.max(ack.delivered, state.mss))
    data.isConserving = true
    data.model.nextRoundDelivered = ack.totalDelivered
  } else if (ack.phase !== phase) {
    data.isConserving = false
    if (ack.phase === 'open') restoreCwnd(state, data)
  } else if (data.model.isRoundStart) {
    data.isConserving = false
  }
}

/** §4.2.3.6, BBRSetCwnd(). */
function setCwnd(state: CongestionState, data: BbrData, ack: AckSample): void {
  const { mss } = state
  const target = inflight(data, data.cwndGain) + aggregationBytes(data.model)
  let { cwnd } = state
  if (ack.lost > 0) cwnd = Math.max(cwnd - ack.lost, mss)
  if (data.isConserving) {
    cwnd = Math.max(cwnd, ack.flight + ack.delivered)
  } else {
    if (data.model.isPipeFull) cwnd = Math.min(cwnd + ack.delivered, target)
    else if (cwnd < target || ack.totalDelivered < data.initialWindow) cwnd += ack.delivered
    cwnd = Math.max(cwnd, MIN_PIPE_SEGMENTS * mss)
  }
  if (data.mode === 'probe-rtt') cwnd = Math.min(cwnd, MIN_PIPE_SEGMENTS * mss)
  state.cwnd = Math.floor(cwnd)
}

/** BBR version 1. It needs pacing and delivery rates from the core. */
export const bbr: CongestionControl = {
  name: 'bbr',
  ownsRecovery: true,

  init(state, initialWindow, now) {
    const data: BbrData = {
      mode: 'startup',
      model: createBbrModel(now),
      pacingGain: HIGH_GAIN,
      cwndGain: HIGH_GAIN,
      cycleIndex: 0,
      cycleAt: now,
      initialWindow,
      hasRtt: false,
      sendQuantum: state.mss,
      priorCwnd: 0,
      phase: 'open',
      isConserving: false,
      probeRttDoneAt: -1,
      isProbeRttRoundDone: false,
      isIdleRestart: false,
      lastFlight: 0,
    }
    state.cwnd = initialWindow
    state.ssthresh = Number.POSITIVE_INFINITY
    state.acked = 0
    state.data = data
    // §4.2.1: as if the round trip were 1 ms, until it is known.
    state.pacingRate = initialPace(initialWindow, 1000)
  },

  /** §4.2, BBRUpdateOnACK(). */
  onEveryAck(state, ack) {
    const data = dataOf(state)
    if (data === null) return
    if (data.lastFlight === 0 && ack.isAppLimited) data.isIdleRestart = true
    data.lastFlight = ack.flight
    const isLimited = updateBandwidth(data.model, ack)
    updateAggregation(data.model, ack, state.cwnd)
    if (data.mode === 'probe-bw' && isNextCyclePhase(data, ack)) advanceCycle(data, ack.now)
    checkFullPipe(data.model, isLimited)
    checkDrain(data, ack)
    updateMinRtt(data.model, ack)
    checkProbeRtt(state, data, ack)
    setPacingRate(state, data, ack)
    setSendQuantum(state, data)
    followPhase(state, data, ack)
    setCwnd(state, data, ack)
  },

  onAck() {},

  onLoss(state) {
    const data = dataOf(state)
    if (data !== null) saveCwnd(state, data)
  },

  onEcn() {},

  onRecovered() {},

  /** §4.2.3.4: one segment, then conservatively up again; the window of before comes back when the timeout is mended. */
  onTimeout(state) {
    const data = dataOf(state)
    if (data !== null) {
      saveCwnd(state, data)
      data.phase = 'loss'
      data.isConserving = false
      restartFullPipe(data.model)
    }
    state.cwnd = state.mss
  },

  onSpuriousLoss(state) {
    const data = dataOf(state)
    if (data === null) return
    data.phase = 'open'
    data.isConserving = false
    restartFullPipe(data.model)
    if (data.mode !== 'probe-rtt') restoreCwnd(state, data)
  },

  /** §4.3.4.4: goes on at the known bandwidth; the pace, not the window, keeps the restart from being a burst. */
  onIdle(state) {
    const data = dataOf(state)
    if (data === null) return
    data.isIdleRestart = true
    if (data.mode === 'probe-bw') state.pacingRate = Math.max(1, Math.round(data.model.bandwidth))
  },
}
