// The event stream of a connection: what changed in it, step by step, for plots, logs and experiments. Whoever observes is told of state,
// windows, round trips, retransmissions and reasons to wait; a connection that nobody observes pays one comparison with null a step.
// Owns: finding out what changed. Does not own: the changes (the files around), the packets themselves (src/trace).
//
// Invariant: an observer sees plain data and cannot change the connection; events come in the order in which things happened, stamped
// with the time of the step that they belong to.

import type { Micros } from '../base/time.ts'
import type { SegmentPlan } from './header.ts'
import { pipe } from './loss.ts'
import {
  ACK_HOLD_REASONS,
  type AckHoldReason,
  type AckReason,
  HOLD_REASONS,
  type HoldReason,
  RETRANSMIT_CAUSES,
  type RetransmitCause,
} from './reasons.ts'
import { backedOffRtoUs } from './rtt.ts'
import { type Seq, seqAdd, seqDiff } from './seq.ts'
import type { State } from './state.ts'
import type { Tcb } from './tcb.ts'

/** The connection moved in RFC 9293 figure 5. */
export interface StateEvent {
  readonly kind: 'state'
  readonly at: Micros
  readonly from: State
  readonly to: State
}

/** The sender's windows moved: bytes. */
export interface WindowEvent {
  readonly kind: 'window'
  readonly at: Micros
  readonly cwnd: number
  /** Infinity before the first loss. */
  readonly ssthresh: number
  /** SND.WND: what the peer offers. */
  readonly peerWindow: number
  /** In the network now, by RFC 6675's pipe. */
  readonly inFlight: number
  /** Text and FIN acknowledged in all. */
  readonly acknowledged: number
  readonly phase: 'open' | 'recovery' | 'loss'
}

/** A round trip was measured. */
export interface RttEvent {
  readonly kind: 'rtt'
  readonly at: Micros
  readonly rttUs: Micros
  readonly srttUs: Micros
  readonly rttvarUs: Micros
  readonly minRttUs: Micros
  /** The timeout to arm now, backed off. */
  readonly rtoUs: Micros
}

/** Text, SYN or FIN went again. */
export interface RetransmitEvent {
  readonly kind: 'retransmit'
  readonly at: Micros
  /** First sequence number, counted from ISS: no 32 bits, it goes on where they go around. */
  readonly seq: number
  /** Bytes of text. */
  readonly length: number
  /** Why, what that means, and the clause it rests on. */
  readonly cause: RetransmitCause
  readonly text: string
  readonly clause: string
}

/** Output stopped, for another reason than before. */
export interface HoldEvent {
  readonly kind: 'hold'
  readonly at: Micros
  readonly reason: HoldReason
  /** What it means, and the clause it rests on. */
  readonly text: string
  readonly clause: string
}

/** An acknowledgement waits, for another reason than before, or waits no longer. */
export interface AckHoldEvent {
  readonly kind: 'ack-hold'
  readonly at: Micros
  readonly reason: AckHoldReason
  /** What it means, and the clause it rests on. */
  readonly text: string
  readonly clause: string
  /** Why the last acknowledgement went. */
  readonly last: AckReason
}

/** What an observer is told. */
export type TcpEvent = StateEvent | WindowEvent | RttEvent | RetransmitEvent | HoldEvent | AckHoldEvent

/** What was acknowledged is counted in 53 bits, but for SYN; a number in use lies within 2 GiB of that. */
function countFromIss({ snd, delivery, totals }: Tcb, sequence: Seq): number {
  const acknowledged = Math.max(totals.bytesAcked, delivery.delivered - snd.flight.sackedBytes)
  return acknowledged + seqDiff(sequence, seqAdd(snd.iss, acknowledged))
}

/** Watches one connection's record. */
export class ConnectionWatch {
  readonly #tcb: Tcb
  readonly #tell: (event: TcpEvent) => void
  readonly #states: (readonly [State, State])[] = []
  readonly #end: () => void
  #cwnd = -1
  #ssthresh = -1
  #peerWindow = -1
  #inFlight = -1
  #phase = ''
  #samples = 0
  #backoff = 0
  #hold: HoldReason = 'nothing'
  #ackHold: AckHoldReason = 'none'

  constructor(tcb: Tcb, tell: (event: TcpEvent) => void) {
    this.#tcb = tcb
    this.#tell = tell
    const before = tcb.onState
    const told = (from: State, to: State): void => {
      before?.(from, to)
      this.#states.push([from, to]) // told with the step that it belongs to: a call of the application does not know the time
    }
    tcb.onState = told
    this.#end = () => {
      if (tcb.onState === told) tcb.onState = before
    }
  }

  /** Nobody watches any more: leaves the record as it was found. */
  end(): void {
    this.#end()
  }

  /** A segment goes out. */
  sent(plan: SegmentPlan, now: Micros): void {
    if (!plan.isResent || plan.cause === 'none') return
    const { cause, textLength: length } = plan
    const seq = countFromIss(this.#tcb, plan.seq)
    this.#tell({ kind: 'retransmit', at: now, seq, length, cause, ...RETRANSMIT_CAUSES[cause] })
  }

  /** After a step: tells what is not as it was. */
  step(now: Micros): void {
    for (const [from, to] of this.#states.splice(0)) this.#tell({ kind: 'state', at: now, from, to })
    this.#stepRtt(now)
    this.#stepWindow(now)
  }

  /** After output has been asked until it had nothing more. */
  settled(now: Micros): void {
    this.step(now)
    const { hold, ackHold, ack } = this.#tcb
    if (hold !== this.#hold) this.#tell({ kind: 'hold', at: now, reason: hold, ...HOLD_REASONS[hold] })
    this.#hold = hold
    if (ackHold !== this.#ackHold) {
      const last = ack.lastReason
      this.#tell({ kind: 'ack-hold', at: now, reason: ackHold, ...ACK_HOLD_REASONS[ackHold], last })
    }
    this.#ackHold = ackHold
  }

  #stepRtt(now: Micros): void {
    const { rtt, config } = this.#tcb
    if (rtt.samples === this.#samples && rtt.backoff === this.#backoff) return
    this.#samples = rtt.samples
    this.#backoff = rtt.backoff
    const { latestUs, srttUs, rttvarUs, minUs } = rtt
    const rtoUs = backedOffRtoUs(rtt, config)
    this.#tell({ kind: 'rtt', at: now, rttUs: latestUs, srttUs, rttvarUs, minRttUs: minUs, rtoUs })
  }

  #stepWindow(now: Micros): void {
    const { cc, snd, recovery, delivery } = this.#tcb
    if (cc.cwnd === 0) return // not open yet
    const inFlight = pipe(this.#tcb)
    const same =
      cc.cwnd === this.#cwnd &&
      cc.ssthresh === this.#ssthresh &&
      snd.wnd === this.#peerWindow &&
      inFlight === this.#inFlight &&
      recovery.phase === this.#phase
    if (same) return
    this.#cwnd = cc.cwnd
    this.#ssthresh = cc.ssthresh
    this.#peerWindow = snd.wnd
    this.#inFlight = inFlight
    this.#phase = recovery.phase
    this.#tell({
      kind: 'window',
      at: now,
      cwnd: cc.cwnd,
      ssthresh: cc.ssthresh,
      peerWindow: snd.wnd,
      inFlight,
      acknowledged: delivery.delivered - snd.flight.sackedBytes,
      phase: recovery.phase,
    })
  }
}
