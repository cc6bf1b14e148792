// Faults by name: one small vocabulary for code, YAML and the command line.
//
//     drop data segment 3 from server               corrupt SYN-ACK once
//     drop data segments 3-5 from server            duplicate FIN from client
//     drop every 10th data segment from server      delay the ACK that opens the window by 500ms
//     drop all ACKs from client                     duplicate data segment 2 from client after 90s
//
// Owns: the words. Does not own: doing it (fault-device.ts).
// "Data segment 3" is the third segment with text that its host sends for the first time; a retransmission of it is not.

import type { Micros } from '../base/time.ts'
import { parseDuration } from '../link/impair-options.ts'

/** What happens to a packet. */
export type FaultAction = 'drop' | 'delay' | 'duplicate' | 'corrupt'

/** Which kind of packet. */
export type FaultTarget =
  | 'packet'
  | 'data'
  | 'retransmission'
  | 'syn'
  | 'syn-ack'
  | 'ack'
  | 'window-update'
  | 'fin'
  | 'rst'

/** A fault. */
export interface Fault {
  readonly action: FaultAction
  readonly target: FaultTarget
  /** The host that sends it; empty for any. Numbers count each host's packets by themselves. */
  readonly from: string
  /** Numbers of those that it happens to, from 1. */
  readonly first: number
  /** Infinity: and all that follow. */
  readonly last: number
  /** Of those between `first` and `last` each n-th. */
  readonly every: number
  /** For delays and duplicates: how much later it comes. */
  readonly byUs: Micros
}

const ACTIONS: readonly FaultAction[] = ['drop', 'delay', 'duplicate', 'corrupt']

/** The longest names first, so that none hides another. */
const TARGETS: readonly (readonly [RegExp, FaultTarget])[] = [
  [/^(?:the )?ack that opens the window|^window updates?/, 'window-update'],
  [/^data segments?|^data/, 'data'],
  [/^retransmissions?/, 'retransmission'],
  [/^syn-?,?acks?/, 'syn-ack'],
  [/^syns?/, 'syn'],
  [/^acks?/, 'ack'],
  [/^fins?/, 'fin'],
  [/^(?:rst|reset)s?/, 'rst'],
  [/^packets?/, 'packet'],
]

const MEND =
  "write ACTION [all|every Nth] PACKET [N|N-M|once|twice] [from HOST] [by|after TIME], as 'drop data segment 3 from server'; " +
  `ACTION: ${ACTIONS.join(', ')}; PACKET: data segment, retransmission, SYN, SYN-ACK, ACK, the ACK that opens the window, FIN, RST, packet`

/** A text and the words of it that were not read yet. */
class Words {
  rest: string

  constructor(text: string) {
    this.rest = text.trim().toLowerCase().replace(/\s+/g, ' ')
  }

  /** Takes what the pattern finds at the beginning; null when it finds nothing. */
  take(pattern: RegExp): RegExpExecArray | null {
    const match = pattern.exec(this.rest)
    if (match === null || match.index !== 0) return null
    this.rest = this.rest.slice(match[0].length).trimStart()
    return match
  }
}

/** Reads a fault. @throws {TypeError} naming the mend */
export function parseFault(text: string): Fault {
  const words = new Words(text)
  const fail = (): TypeError => new TypeError(`fault '${text}': ${MEND}`)
  const action = ACTIONS.find((name) => words.take(new RegExp(`^${name}\\b`)) !== null)
  if (action === undefined) throw fail()
  const isAll = words.take(/^all\b/) !== null
  const every = Number(words.take(/^every (\d+)(?:st|nd|rd|th)?\b/)?.[1] ?? 1)
  words.take(/^the\b(?! ack that opens)/)
  const target = TARGETS.find(([pattern]) => words.take(pattern) !== null)?.[1]
  if (target === undefined || every < 1) throw fail()
  let first = isAll || every > 1 ? every : 1
  let last = isAll || every > 1 ? Number.POSITIVE_INFINITY : 1
  const range = words.take(/^(\d+)(?:-(\d+)?)?(?=\s|$)/)
  if (range !== null) {
    first = Number(range[1])
    last = range[0].includes('-') ? Number(range[2] ?? Number.POSITIVE_INFINITY) : first
  }
  if (words.take(/^once\b/) !== null) last = first
  if (words.take(/^twice\b/) !== null) last = first + 1
  const times = words.take(/^(\d+) times\b/)
  if (times !== null) last = first + Number(times[1]) - 1
  const from = words.take(/^from ([\w.-]+)/)?.[1] ?? ''
  const by = words.take(/^(?:by|after) ([\d.]+ ?[a-z]+)/)
  const byUs = by === null ? 0 : parseDuration(by[1].replace(' ', ''))
  if (words.rest !== '' || first < 1 || last < first) throw fail()
  if (action === 'delay' && byUs === 0) throw new TypeError(`fault '${text}': say for how long, as 'by 500ms'`)
  if (byUs > 0 && (action === 'drop' || action === 'corrupt')) throw fail()
  return { action, target, from, first, last, every, byUs }
}

/** Whether the n-th packet of its kind is one that the fault happens to. */
export function isStruck({ first, last, every }: Fault, n: number): boolean {
  return n >= first && n <= last && (n - first) % every === 0
}

const NAMES: Readonly<Record<FaultTarget, string>> = {
  packet: 'packet',
  data: 'data segment',
  retransmission: 'retransmission',
  syn: 'SYN',
  'syn-ack': 'SYN-ACK',
  ack: 'ACK',
  'window-update': 'the ACK that opens the window',
  fin: 'FIN',
  rst: 'RST',
}

/** The fault as `parseFault` reads it. */
export function formatFault(fault: Fault): string {
  const { action, target, from, first, last, every, byUs } = fault
  const isOpen = last === Number.POSITIVE_INFINITY
  const parts = [action as string]
  if (every > 1) parts.push(`every ${every}th`)
  parts.push(NAMES[target])
  if (every === 1 && isOpen) parts.push(`${first}-`)
  else if (every === 1) parts.push(first === last ? `${first}` : `${first}-${last}`)
  if (from !== '') parts.push(`from ${from}`)
  if (byUs > 0) parts.push(`${action === 'delay' ? 'by' : 'after'} ${byUs / 1000}ms`)
  return parts.join(' ')
}
