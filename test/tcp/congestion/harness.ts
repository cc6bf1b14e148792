// A controller without a connection: states and acknowledgements for tests to make.

import type { AckSample, CongestionControl, CongestionState } from '../../../src/tcp/congestion/interface.ts'

/** A state as the core makes it before `init`. */
export function emptyState(mss: number): CongestionState {
  return { cwnd: 0, ssthresh: Number.POSITIVE_INFINITY, mss, acked: 0, pacingRate: 0, data: null }
}

/** A state that `control` has begun, with an initial window in segments. */
export function begun(control: CongestionControl, { mss = 1000, segments = 10, now = 0 } = {}): CongestionState {
  const state = emptyState(mss)
  control.init(state, segments * mss, now)
  return state
}

/** An acknowledgement of `bytes` new bytes in the best of circumstances, but for what `fields` says. */
export function ackOf(bytes: number, fields: Partial<AckSample> = {}): AckSample {
  return {
    bytes,
    delivered: bytes,
    lost: 0,
    rttUs: -1,
    minRttUs: -1,
    srttUs: -1,
    priorFlight: bytes,
    flight: 0,
    now: 0,
    rateBytesPerSecond: -1,
    isAppLimited: false,
    totalDelivered: bytes,
    priorDelivered: 0,
    ecnBytes: 0,
    isCwndLimited: true,
    isReordered: false,
    phase: 'open',
    ...fields,
  }
}

/** Tells `control` of an acknowledgement in the core's order. */
export function acknowledge(control: CongestionControl, state: CongestionState, ack: AckSample): void {
  control.onEveryAck?.(state, ack)
  if (ack.bytes > 0 && ack.phase !== 'recovery' && ack.isCwndLimited) control.onAck(state, ack)
}

/** Congestion by ECN, as the core tells it. */
export function markEcn(control: CongestionControl, state: CongestionState, flight: number, now = 0): void {
  if (control.onEcn) control.onEcn(state, flight, now)
  else control.onLoss(state, flight, now)
}

/** A window, round trip after round trip: the bytes of the flight are acknowledged one segment at a time. */
export class Rounds {
  readonly control: CongestionControl
  readonly state: CongestionState
  now = 0
  delivered = 0

  constructor(control: CongestionControl, options: { mss?: number; segments?: number } = {}) {
    this.control = control
    this.state = begun(control, options)
  }

  /** A round trip of `rttUs` in which a window of segments, 1000 at most, is acknowledged, each after `rttOf(i)`, or `rttUs`. Returns cwnd. */
  round(rttUs: number, fields: Partial<AckSample> = {}, rttOf = (_: number): number => rttUs): number {
    const { state, control } = this
    const { mss } = state
    const segments = Math.min(1000, Math.floor(state.cwnd / mss))
    const priorDelivered = this.delivered
    for (let i = 0; i < segments; i++) {
      this.now += rttUs / segments
      this.delivered += mss
      const rtt = rttOf(i)
      const seen = { rttUs: rtt, srttUs: rtt, minRttUs: rtt, now: this.now, totalDelivered: this.delivered }
      acknowledge(control, state, ackOf(mss, { ...seen, priorDelivered, ...fields }))
    }
    return state.cwnd
  }
}
