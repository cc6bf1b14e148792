// CUBIC as Linux has it, for scripts that name its windows: whole segments, a target of whole segments, growth by counting acknowledged
// segments, and the HyStart of before RFC 9406. Registered beside the stack's own controllers as 'linux-cubic'.
// Owns: these rules. Does not own: CUBIC after RFC 9438 (src/tcp/congestion/cubic.ts).
// Read first: bictcp_update, bictcp_acked and tcp_cong_avoid_ai of Linux, whose names stand here.

import { MILLISECOND, type Micros, SECOND } from '../base/time.ts'
import {
  type AckGrowth,
  type AckSample,
  type CongestionControl,
  type CongestionState,
  registerCongestionControl,
} from '../tcp/congestion/index.ts'
import {
  createWindowUndo,
  forgetWindow,
  rememberLoss,
  rememberTimeout,
  restoreWindow,
  type WindowUndo,
} from '../tcp/congestion/window-undo.ts'

/** The name under which scripts' connections find it. */
export const LINUX_CUBIC = 'linux-cubic'

const BETA = 717
const BETA_ECN = 870
const BETA_SCALE = 1024
const C = 0.4
/** Segments of Reno's window: cwnd * this / 8 acknowledged ones make one more. */
const FRIENDLY_SCALE = 15
const HYSTART_LOW_WINDOW = 16
const HYSTART_SAMPLES = 8
const ACK_TRAIN_US = 2 * MILLISECOND
const MOST_DELAY_US = 16 * MILLISECOND
const LEAST_DELAY_US = 4 * MILLISECOND
/** cnt is not reckoned anew for the same window within so long (HZ / 32). */
const KEEP_US = SECOND / 32

/** What it keeps; windows in segments. */
interface LinuxCubicData {
  undo: WindowUndo
  lastMax: number
  lastCwnd: number
  lastAt: Micros
  origin: number
  k: number
  /** -1: no stage is under way. */
  epochAt: Micros
  cnt: number
  acked: number
  friendly: number
  delayMinUs: number
  roundEnd: number
  roundAt: Micros
  lastAckAt: Micros
  currentUs: number
  samples: number
}

const dataOf = ({ data }: CongestionState): LinuxCubicData => data as LinuxCubicData
const windowOf = ({ cwnd, mss }: CongestionState): number => Math.max(1, Math.floor(cwnd / mss))

function create(): LinuxCubicData {
  return {
    undo: createWindowUndo(),
    lastMax: 0,
    lastCwnd: 0,
    lastAt: 0,
    origin: 0,
    k: 0,
    epochAt: -1,
    cnt: 0,
    acked: 0,
    friendly: 0,
    delayMinUs: 0,
    roundEnd: 0,
    roundAt: 0,
    lastAckAt: 0,
    currentUs: Number.POSITIVE_INFINITY,
    samples: 0,
  }
}

/** bictcp_update: how many segments have to be acknowledged for one more in the window. */
function update(data: LinuxCubicData, cwnd: number, acked: number, now: Micros): void {
  data.acked += acked
  if (data.lastCwnd === cwnd && now - data.lastAt <= KEEP_US && data.epochAt >= 0) return
  data.lastCwnd = cwnd
  data.lastAt = now
  if (data.epochAt < 0) {
    data.epochAt = now
    data.acked = acked
    data.friendly = cwnd
    data.k = data.lastMax <= cwnd ? 0 : Math.cbrt((data.lastMax - cwnd) / C)
    data.origin = Math.max(data.lastMax, cwnd)
  }
  const t = (now - data.epochAt + data.delayMinUs) / SECOND
  const delta = Math.floor(C * Math.abs(t - data.k) ** 3)
  const target = t < data.k ? data.origin - delta : data.origin + delta
  data.cnt = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd
  if (data.lastMax === 0) data.cnt = Math.min(data.cnt, 20)
  const step = (cwnd * FRIENDLY_SCALE) >> 3
  while (data.acked > step) {
    data.acked -= step
    data.friendly++
  }
  if (data.friendly > cwnd) data.cnt = Math.min(data.cnt, Math.floor(cwnd / (data.friendly - cwnd)))
  data.cnt = Math.max(data.cnt, 2)
}

/** tcp_cong_avoid_ai: `state.acked` counts segments. */
function grow(state: CongestionState, acked: number): void {
  const { cnt } = dataOf(state)
  if (state.acked >= cnt) {
    state.acked = 0
    state.cwnd += state.mss
  }
  state.acked += acked
  if (state.acked < cnt) return
  const more = Math.floor(state.acked / cnt)
  state.acked -= more * cnt
  state.cwnd += more * state.mss
}

/** bictcp_recalc_ssthresh. */
function reduce(state: CongestionState, least: number, beta: number = BETA): void {
  const data = dataOf(state)
  const cwnd = windowOf(state)
  data.epochAt = -1
  data.lastMax = cwnd < data.lastMax ? Math.floor((cwnd * (BETA_SCALE + BETA)) / (2 * BETA_SCALE)) : cwnd
  const ssthresh = Math.floor((cwnd * beta) / BETA_SCALE)
  state.ssthresh = Math.max(2, ssthresh) * state.mss
  state.cwnd = Math.max(least, ssthresh) * state.mss
}

/** hystart_update: whether slow start has gone far enough. */
function hystart(state: CongestionState, data: LinuxCubicData, ack: AckSample, rttUs: Micros): void {
  if (ack.priorDelivered >= data.roundEnd) {
    data.roundEnd = ack.totalDelivered
    data.roundAt = ack.now
    data.lastAckAt = ack.now
    data.currentUs = Number.POSITIVE_INFINITY
    data.samples = 0
  }
  if (ack.now - data.lastAckAt <= ACK_TRAIN_US) {
    data.lastAckAt = ack.now
    if (ack.now - data.roundAt > data.delayMinUs / 2) state.ssthresh = state.cwnd
  }
  data.currentUs = Math.min(data.currentUs, rttUs)
  if (data.samples < HYSTART_SAMPLES) data.samples++
  else {
    const more = Math.min(MOST_DELAY_US, Math.max(LEAST_DELAY_US, data.delayMinUs / 8))
    if (data.currentUs > data.delayMinUs + more) state.ssthresh = state.cwnd
  }
}

/** The controller. */
export const linuxCubic: CongestionControl = {
  name: LINUX_CUBIC,
  init(state, initialWindow) {
    state.cwnd = initialWindow
    state.ssthresh = Number.POSITIVE_INFINITY
    state.acked = 0
    state.pacingRate = 0
    state.data = create()
  },
  onEveryAck(state, ack) {
    const data = dataOf(state)
    const rttUs = ack.rttUs < 0 ? (ack.sackRttUs ?? -1) : ack.rttUs
    if (data === null || rttUs < 0) return
    if (data.epochAt >= 0 && ack.now - data.epochAt < SECOND) return // right after a recovery
    if (data.delayMinUs === 0 || data.delayMinUs > rttUs) data.delayMinUs = Math.max(1, rttUs)
    if (state.cwnd < state.ssthresh && windowOf(state) >= HYSTART_LOW_WINDOW) hystart(state, data, ack, rttUs)
  },
  onAck(state, ack: AckGrowth) {
    if (ack.isCwndLimited === false) return
    dataOf(state).undo.isRecovering = false
    let acked = Math.ceil(ack.bytes / state.mss)
    if (state.cwnd < state.ssthresh) {
      const before = state.cwnd
      state.cwnd = Math.min(state.cwnd + acked * state.mss, state.ssthresh)
      acked -= Math.floor((state.cwnd - before) / state.mss)
      if (acked <= 0) return
    }
    update(dataOf(state), windowOf(state), acked, ack.now)
    grow(state, acked)
  },
  onLoss(state) {
    rememberLoss(dataOf(state).undo, state)
    reduce(state, 2)
    state.acked = 0
  },
  onEcn(state, _flight, _now, isAbe = false) {
    forgetWindow(dataOf(state).undo)
    reduce(state, 1, isAbe && state.cwnd >= state.ssthresh ? BETA_ECN : BETA) // RFC 8511 §3.1, where a script turns it on
    state.acked = 0
  },
  onRecovered(state) {
    dataOf(state).undo.isRecovering = false
    state.cwnd = Math.max(state.mss, state.ssthresh)
    state.acked = 0
  },
  onTimeout(state, flight, first) {
    const data = state.data === null ? null : dataOf(state)
    if (data === null) {
      if (first) state.ssthresh = Math.max(Math.floor((flight * BETA) / BETA_SCALE), 2 * state.mss) // a SYN was lost
    } else {
      rememberTimeout(data.undo, state, first)
      if (first) reduce(state, 2)
      // bictcp_reset
      const { undo, delayMinUs } = data
      state.data = { ...create(), undo, delayMinUs: first ? 0 : delayMinUs }
    }
    state.cwnd = state.mss
    state.acked = 0
  },
  onSpuriousLoss(state) {
    restoreWindow(dataOf(state).undo, state)
  },
  /** bictcp_cwnd_event: time in which nothing was sent is no time to grow in. */
  onStart(state, pauseUs, now) {
    if (state.data === null) return
    const data = dataOf(state)
    if (data.epochAt >= 0 && pauseUs > 0) data.epochAt = Math.min(data.epochAt + pauseUs, now)
  },
  onIdle(state, restartWindow) {
    if (restartWindow < state.cwnd) state.cwnd = restartWindow
  },
}

registerCongestionControl(linuxCubic, false)
