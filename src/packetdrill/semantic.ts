// Acknowledgements in the semantic way of matching: an empty one may come at another time, or with text, as long as it comes; an extra one
// may come where it acknowledges something new.
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

/** Whether a segment is an acknowledgement and nothing else. */
export function isPureAck({ flags, length }: { readonly flags: number; readonly length: number }): boolean {
  return flags === FLAG.ACK && length === 0
}

const covers = (actual: number, wanted: number): boolean => ((actual - wanted) | 0) >= 0

/** The acknowledgements that are owed. */
export class OwedAcks {
  #owed: OwedAck[] = []
  /** The last that was sent, -1 before the first; and the last that was passed over as extra. */
  #last = -1
  #surplus = -1
  /** Where segments of the script have ended: what an acknowledgement can be about. */
  readonly #ends = new Set<number>()

  /** A segment of the script has gone in. */
  delivered({ flags, seq, length }: TcpSpec): void {
    const octets = length + ((flags & FLAG.SYN) === 0 ? 0 : 1) + ((flags & FLAG.FIN) === 0 ? 0 : 1)
    if (octets > 0) this.#ends.add((seq + octets) % 2 ** 32)
  }

  /** Something was sent that the script has expected, or that was passed over. */
  saw({ flags, ack }: LiveTcp): void {
    if ((flags & FLAG.ACK) === 0) return
    this.#last = ack
    this.#owed = this.#owed.filter((owed) => !covers(ack, owed.ack))
  }

  /** Passes over a packet that was not expected: an empty acknowledgement of something new. False for any other. */
  passOver(live: LiveTcp, expected: TcpSpec): boolean {
    if (!isPureAck(live) || this.#last < 0 || covers(this.#last, live.ack)) return false
    if (isPureAck(expected) && live.ack === expected.ack) return false // it differs in something else
    this.#surplus = live.ack
    this.saw(live)
    return true
  }

  /** Whether an expected acknowledgement has been sent already, or the next packet says as much. */
  isCovered(expected: TcpSpec, live: LiveTcp | null): boolean {
    if (!isPureAck(expected) || !this.#ends.has(expected.ack)) return false
    if (this.#surplus >= 0 && covers(this.#surplus, expected.ack)) {
      if (this.#surplus === expected.ack) this.#surplus = -1
      return true
    }
    const isNew = this.#last >= 0 && !covers(this.#last, expected.ack)
    if (!isNew || live === null || (live.flags & FLAG.ACK) === 0) return false
    return covers(live.ack, expected.ack) && (!isPureAck(live) || live.ack !== expected.ack)
  }

  /** Puts off an acknowledgement that is not there: it may come later, with anything. False when the packet is no such. */
  defer(action: PacketAction, { line, text }: ScriptEvent, now: Micros): boolean {
    const { body } = action
    if (body.kind !== 'tcp' || !isPureAck(body) || !this.#ends.has(body.ack)) return false
    if (this.#last < 0 || covers(this.#last, body.ack)) return false
    this.#owed.push({ ack: body.ack, line, text, until: now + LONGEST_DELAY_US })
    return true
  }

  /** The first one whose time is over; null when there is none. */
  overdue(now: Micros): OwedAck | null {
    return this.#owed.find(({ until }) => now > until) ?? null
  }
}
