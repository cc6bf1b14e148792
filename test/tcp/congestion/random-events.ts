// A core that tells a controller anything that may happen, in an order that may happen, from a row of numbers.

import { assert } from '../../../src/base/assert.ts'
import type { AckPhase, CongestionControl, CongestionState } from '../../../src/tcp/congestion/interface.ts'
import { acknowledge, ackOf, begun, markEcn } from './harness.ts'

/** What must hold after each event. */
export interface Bounds {
  /** Least window, in segments. */
  least: number
  /** An acknowledgement opens the window by no more than it covers, and a segment. */
  isAckClocked: boolean
}

const MSS = [48, 536, 1460, 65_483]

/** The core's side of a connection, as far as a controller can tell. */
class Story {
  readonly control: CongestionControl
  readonly state: CongestionState
  readonly bounds: Bounds
  phase: AckPhase = 'open'
  now = 0
  delivered = 0
  minRttUs = -1

  constructor(control: CongestionControl, seed: number, bounds: Bounds) {
    this.control = control
    this.bounds = bounds
    this.state = begun(control, { mss: MSS[seed & 3], segments: 1 + ((seed >>> 2) % 40), now: this.now })
  }

  /** One event; the low bits of `code` say which, the rest how large. */
  tell(code: number): void {
    const { control, state } = this
    const size = code >>> 4
    const flight = Math.min(state.cwnd, state.mss * (1 + (size % 200)))
    switch (code & 15) {
      case 9:
        if (this.phase === 'open') {
          control.onLoss(state, flight, this.now)
          this.phase = 'recovery'
        }
        break
      case 10:
        if (this.phase === 'recovery') control.onRecovered(state, flight, this.now)
        this.phase = 'open'
        break
      case 11:
        control.onTimeout(state, flight, this.phase !== 'loss', this.now)
        this.phase = 'loss'
        break
      case 12:
        this.now += size * 100
        control.onIdle(state, Math.min(10 * state.mss, state.cwnd), this.now)
        break
      case 13:
        if (this.phase === 'open') markEcn(control, state, flight, this.now)
        break
      case 14:
        control.onSpuriousLoss?.(state)
        this.phase = 'open'
        break
      case 15:
        // What PRR (RFC 6937) does between a loss and the end of recovery.
        if (this.phase === 'recovery' && !control.ownsRecovery) state.cwnd = Math.max(state.mss, flight >>> 1)
        break
      default:
        this.#acknowledge(code, size)
    }
  }

  #acknowledge(code: number, size: number): void {
    const { state, control, bounds } = this
    const bytes = size % 7 === 0 ? 0 : 1 + (size % Math.min(40 * state.mss, state.cwnd))
    const rttUs = size % 5 === 0 ? -1 : 1 + (size % 1_000_000)
    if (rttUs >= 0) this.minRttUs = this.minRttUs < 0 ? rttUs : Math.min(rttUs, this.minRttUs)
    const priorDelivered = bytes === 0 ? -1 : Math.max(0, this.delivered - (size % 100_000))
    const delivered = bytes + (size % 3 === 0 ? state.mss : 0)
    this.delivered += delivered
    this.now += size % 50_000
    const before = state.cwnd
    const ack = ackOf(bytes, {
      delivered,
      lost: this.phase !== 'open' && size % 11 === 0 ? (size % 5) * state.mss : 0,
      rttUs,
      minRttUs: this.minRttUs,
      srttUs: this.minRttUs,
      priorFlight: bytes + (size % 90_000),
      flight: size % 90_000,
      now: this.now,
      rateBytesPerSecond: size % 13 === 0 ? -1 : size * 10,
      isAppLimited: size % 17 === 0,
      totalDelivered: this.delivered,
      priorDelivered,
      ecnBytes: size % 4 === 0 ? bytes : 0,
      isCwndLimited: (code & 1) === 0,
      phase: this.phase,
    })
    acknowledge(control, state, ack)
    if (!bounds.isAckClocked) return
    const most = this.phase === 'recovery' || !ack.isCwndLimited ? 0 : bytes + state.mss
    assert(state.cwnd - before <= most, `cwnd grew from ${before} to ${state.cwnd}`)
  }

  check(): void {
    const { cwnd, ssthresh, mss, acked, pacingRate = 0 } = this.state
    // Plain assertions: they run some millions of times.
    assert(Number.isSafeInteger(cwnd) && cwnd >= this.bounds.least * mss, `cwnd is ${cwnd}, a segment ${mss}`)
    assert(ssthresh >= mss, `ssthresh is ${ssthresh}`)
    assert(acked >= 0 && Number.isFinite(acked), `acked is ${acked}`)
    assert(Number.isSafeInteger(pacingRate) && pacingRate >= 0, `pacingRate is ${pacingRate}`)
  }
}

/** Tells the story that `codes` stand for; checks after each event. Returns the last state. */
export function tellStory(control: CongestionControl, codes: readonly number[], bounds: Bounds): CongestionState {
  const story = new Story(control, codes[0] ?? 0, bounds)
  for (const code of codes) {
    story.tell(code)
    story.check()
  }
  checkPlain(story.state.data, 'data')
  return story.state
}

/** Plain data without holes: what JSON can show, and a debugger can compare. Infinity only where no loss has set ssthresh. */
export function checkPlain(value: unknown, path: string): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number') {
    if (!(Number.isFinite(value) || (path.endsWith('ssthresh') && value > 0))) throw new Error(`${path} is ${value}`)
    return
  }
  if (typeof value !== 'object') throw new Error(`${path} is a ${typeof value}`)
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype) throw new Error(`${path} is of a class`)
  for (const [key, inner] of Object.entries(value)) checkPlain(inner, `${path}.${key}`)
}
