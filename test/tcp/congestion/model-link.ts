// A sender that always has something to send, a bottleneck with a queue, a round trip: the smallest network on which a controller shows
// what it does. Deterministic; segments are all of one size; what is lost is not sent again, other segments go in its place.

import type { AckPhase, AckSample, CongestionControl, CongestionState } from '../../../src/tcp/congestion/interface.ts'
import { ackOf, emptyState } from './harness.ts'

interface Sent {
  id: number
  at: number
  /** When its acknowledgement arrives; Infinity when it was dropped. */
  ackAt: number
  delivered: number
  deliveredAt: number
  firstSentAt: number
}

/** What a link is made from: rate in bytes per second, buffer in bytes; every `dropEvery`th segment is lost besides. */
export interface LinkOptions {
  rate: number
  buffer: number
  rttUs: number
  mss?: number
  segments?: number
  dropEvery?: number
  /** Acknowledgements come in bunches, one every so often. */
  bunchUs?: number
}

/** One sender on one bottleneck. */
export class ModelLink {
  readonly control: CongestionControl
  readonly state: CongestionState
  readonly options: LinkOptions
  now = 0
  delivered = 0
  drops = 0
  /** When fast recovery was entered, in microseconds. */
  readonly losses: number[] = []
  phase: AckPhase = 'open'
  // In the order of sending, which is that of arrival: #sent[#head...], and those dropped before it that nobody misses yet.
  #sent: Sent[] = []
  #head = 0
  #holes: Sent[] = []
  #next = 0
  #point = -1
  #linkFreeAt = 0
  #sendAt = 0
  #deliveredAt = 0
  #firstSentAt = 0
  #minRttUs = -1
  #srttUs = -1

  constructor(control: CongestionControl, options: LinkOptions) {
    this.control = control
    this.options = options
    this.state = emptyState(options.mss ?? 1000)
    control.init(this.state, (options.segments ?? 10) * this.state.mss, 0)
  }

  /** Bytes in flight. */
  get flight(): number {
    return (this.#sent.length - this.#head + this.#holes.length) * this.state.mss
  }

  /** Bytes that wait before the bottleneck. */
  get queue(): number {
    return (Math.max(0, this.#linkFreeAt - this.now) * this.options.rate) / 1e6
  }

  /** Runs until `untilUs`; `watch` is called after each acknowledgement. */
  run(untilUs: number, watch: (link: this) => void = () => {}): void {
    for (;;) {
      const isOpen = this.flight + this.state.mss <= this.state.cwnd
      const sendAt = isOpen ? Math.max(this.now, this.#sendAt) : Number.POSITIVE_INFINITY
      const ackAt = this.#nextAckAt()
      const at = Math.min(sendAt, ackAt)
      if (at === Number.POSITIVE_INFINITY) throw new Error('the model has no timeout, and all of a window was lost')
      if (at > untilUs) return
      this.now = at
      if (sendAt <= ackAt) this.#send()
      else {
        this.#acknowledge(this.#sent[this.#head++])
        watch(this)
      }
    }
  }

  #nextAckAt(): number {
    if (this.#head > 1000) this.#head -= this.#sent.splice(0, this.#head).length
    while (this.#sent[this.#head]?.ackAt === Number.POSITIVE_INFINITY) this.#holes.push(this.#sent[this.#head++])
    return this.#sent[this.#head]?.ackAt ?? Number.POSITIVE_INFINITY
  }

  #send(): void {
    const { mss, pacingRate = 0 } = this.state
    const { rate, buffer, rttUs, dropEvery = 0, bunchUs = 0 } = this.options
    const id = this.#next++
    if (this.flight === 0) this.#firstSentAt = this.#deliveredAt = this.now
    const isDropped = this.queue + mss > buffer || (dropEvery > 0 && id % dropEvery === dropEvery - 1)
    if (isDropped) this.drops++
    else this.#linkFreeAt = Math.max(this.#linkFreeAt, this.now) + (mss / rate) * 1e6
    const due = this.#linkFreeAt + rttUs
    const bunched = bunchUs > 0 ? Math.ceil(due / bunchUs) * bunchUs : due
    const ackAt = isDropped ? Number.POSITIVE_INFINITY : bunched
    const { delivered } = this
    const [deliveredAt, firstSentAt] = [this.#deliveredAt, this.#firstSentAt]
    this.#sent.push({ id, at: this.now, ackAt, delivered, deliveredAt, firstSentAt })
    if (pacingRate > 0) this.#sendAt = Math.max(this.now, this.#sendAt) + (mss / pacingRate) * 1e6
  }

  #acknowledge(sent: Sent): void {
    const { control, state, now } = this
    const priorFlight = this.flight + state.mss
    this.delivered += state.mss
    // Three segments sent later have arrived (RFC 5681 §3.2).
    const missed = this.#holes.length
    if (missed > 0) this.#holes = this.#holes.filter(({ id }) => id + 3 > sent.id)
    const lost = missed - this.#holes.length
    const ack = this.#sample(sent, lost * state.mss, priorFlight)
    if (this.phase === 'recovery' && sent.id > this.#point) {
      this.phase = 'open'
      control.onRecovered(state, this.flight, now)
    }
    if (this.phase === 'open' && lost > 0) {
      this.phase = 'recovery'
      this.#point = this.#next - 1
      this.losses.push(now)
      control.onLoss(state, Math.min(priorFlight, state.cwnd), now)
    }
    ack.phase = this.phase
    control.onEveryAck?.(state, ack)
    if (this.phase === 'open' && ack.isCwndLimited) control.onAck(state, ack)
  }

  /** The delivery rate as in draft-cheng-iccrg-delivery-rate-estimation §3.3. */
  #sample(sent: Sent, lost: number, priorFlight: number): AckSample {
    const { mss, cwnd } = this.state
    const rttUs = this.now - sent.at
    this.#minRttUs = this.#minRttUs < 0 ? rttUs : Math.min(this.#minRttUs, rttUs)
    this.#srttUs = this.#srttUs < 0 ? rttUs : 0.875 * this.#srttUs + 0.125 * rttUs
    this.#deliveredAt = this.now
    this.#firstSentAt = sent.at
    const interval = Math.max(sent.at - sent.firstSentAt, this.now - sent.deliveredAt)
    const rate = interval < this.#minRttUs ? -1 : ((this.delivered - sent.delivered) / interval) * 1e6
    return ackOf(mss, {
      lost,
      rttUs,
      minRttUs: this.#minRttUs,
      srttUs: this.#srttUs,
      priorFlight,
      flight: this.flight,
      now: this.now,
      rateBytesPerSecond: rate,
      totalDelivered: this.delivered,
      priorDelivered: sent.delivered,
      isCwndLimited: priorFlight + mss > cwnd,
    })
  }
}
