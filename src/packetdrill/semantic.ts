// Acknowledgements in the semantic way of matching: an empty one may come at another time, as long as it comes, and an extra one may come
// where it acknowledges something new.
// Owns: which are owed, which are extra. Does not own: everything else about a packet (packet-match.ts).

import type { Micros } from '../base/time.ts'
import { FLAG } from '../tcp/header.ts'
import type { PacketAction, ScriptEvent, TcpSpec } from './ast.ts'
import type { LiveTcp } from './live-packet.ts'

/** RFC 9293 §3.8.6.3 [MUST-40]: an acknowledgement is never delayed longer. */
const LONGEST_DELAY_US = 500_000

/** An acknowledgement that a script has expected and that has not come yet. */
export interface OwedAck {
  readonly ack: number
  readonly line: number
  readonly text: string
  readonly until: Micros
}

const isPureAck = ({ flags, length }: { readonly flags: number; readonly length: number }): boolean =>
  flags === FLAG.ACK && length === 0

const covers = (actual: number, wanted: number): boolean => ((actual - wanted) | 0) >= 0

/** The acknowledgements that are owed. */
export class OwedAcks {
  #owed: OwedAck[] = []
  #last = -1

  /** Something was sent, and acknowledges. */
  saw({ flags, ack }: LiveTcp): void {
    if ((flags & FLAG.ACK) === 0) return
    this.#last = ack
    this.#owed = this.#owed.filter((owed) => !covers(ack, owed.ack))
  }

  /** Whether a packet that was not expected may be passed over: an empty acknowledgement of something new. */
  isSurplusAck(live: LiveTcp, expected: TcpSpec): boolean {
    if (!isPureAck(live) || (this.#last >= 0 && covers(this.#last, live.ack))) return false
    return !isPureAck(expected) || !covers(live.ack, expected.ack) || live.ack !== expected.ack
  }

  /** Puts off an acknowledgement that is not there: it may come later, with anything. False when the packet is no such. */
  defer(action: PacketAction, { line, text }: ScriptEvent, now: Micros): boolean {
    const { body } = action
    if (body.kind !== 'tcp' || !isPureAck(body) || body.ack < 0) return false
    if (this.#last >= 0 && covers(this.#last, body.ack)) return this.#last !== body.ack
    this.#owed.push({ ack: body.ack, line, text, until: now + LONGEST_DELAY_US })
    return true
  }

  /** The first one whose time is over; null when there is none. */
  overdue(now: Micros): OwedAck | null {
    return this.#owed.find(({ until }) => now > until) ?? null
  }
}
