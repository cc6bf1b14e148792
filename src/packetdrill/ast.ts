// A packetdrill script after parsing: options, and events in the order in which they stand.
// Owns: the shapes. Does not own: how they are read (parser.ts), what they mean (runner.ts).

import type { Micros } from '../base/time.ts'
import type { Value } from './target.ts'

/** A place in a script, counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A complaint about a place in a script. */
export interface Complaint extends Position {
  readonly message: string
}

/** When an event happens. `relative` counts from the end of the event before; `range` has two bounds; `any` is `*`. */
export interface EventTime {
  readonly kind: 'absolute' | 'relative' | 'any'
  readonly start: Micros
  /** The later bound of `a~b`; equal to `start` without one. */
  readonly end: Micros
}

/** The ECN field as it is written in `[ect0]`; `ect01` is either of the two. */
export type EcnMark = 'noecn' | 'ect0' | 'ect1' | 'ect01' | 'ce'

/** What a script says of the IP header; -1 or null: nothing. */
export interface IpSpec {
  readonly ecn: EcnMark | null
  readonly trafficClass: number
  readonly hopLimit: number
  readonly flowLabel: number
}

/** One TCP option as it is written. */
export type OptionSpec =
  | { readonly kind: 'nop' | 'eol' | 'sackOK' }
  | { readonly kind: 'mss' | 'wscale'; readonly value: number }
  /** -1 for a value that is not written. */
  | { readonly kind: 'TS'; readonly val: number; readonly ecr: number }
  | { readonly kind: 'sack'; readonly blocks: readonly (readonly [number, number])[] }
  | { readonly kind: 'FO' | 'FOEXP'; readonly cookie: Uint8Array }
  | { readonly kind: 'md5'; readonly valid: boolean }
  /** AccECN counters in the order in which they are written. */
  | { readonly kind: 'ECN'; readonly counters: readonly (readonly ['e0b' | 'e1b' | 'ceb', number])[] }
  | { readonly kind: 'raw'; readonly type: number; readonly body: Uint8Array; readonly length: number }

/** A TCP segment; -1 for what is not written. */
export interface TcpSpec {
  readonly kind: 'tcp'
  /** FLAG bits. */
  readonly flags: number
  readonly seq: number
  readonly length: number
  readonly ack: number
  readonly window: number
  readonly urgent: number
  /** null for `<...>`: not looked at. */
  readonly options: readonly OptionSpec[] | null
}

/** An ICMP or ICMPv6 error about a segment, or an echo. */
export interface IcmpSpec {
  readonly kind: 'icmp'
  /** Type and code as words: `unreachable`, `frag_needed`. */
  readonly type: string
  readonly code: string
  /** -1 when not written. */
  readonly mtu: number
  /** What it quotes: '' when the script does not say. */
  readonly quoted: 'tcp' | 'udp' | ''
  /** Of the quoted segment; the length of the body of an echo. */
  readonly seq: number
  readonly length: number
  /** Of an echo: -1 when not written. */
  readonly identifier: number
  readonly sequence: number
}

/** A UDP datagram. */
export interface UdpSpec {
  readonly kind: 'udp'
  readonly length: number
}

/** Addresses written out: `1.1.1.1:80 > 2.2.2.2:90`; '' where there is no address. */
export interface Endpoints {
  readonly sourceAddress: string
  readonly sourcePort: number
  readonly destinationAddress: string
  readonly destinationPort: number
}

/** A packet from the script (`in`) or expected of the side under test (`out`). */
export interface PacketAction {
  readonly kind: 'packet'
  readonly direction: 'in' | 'out'
  readonly ip: IpSpec
  readonly endpoints: Endpoints | null
  readonly body: TcpSpec | IcmpSpec | UdpSpec
}

/** What a call is to return. */
export interface ExpectedResult {
  /** Least and greatest; both null for `?` and `*`: anything. */
  readonly least: number | null
  readonly most: number | null
  /** '' when no error is expected. */
  readonly errno: string
  /** What stands behind it in parentheses, as strace has it: for people, but for select's `in [3], out [4]`. */
  readonly note: string
}

/** A system call. */
export interface CallAction {
  readonly kind: 'call'
  readonly name: string
  readonly args: readonly Value[]
  readonly expected: ExpectedResult
  /** When a call that blocks is to return, -1 for one that does not block; counted like the event's own time. */
  readonly blocksUntil: Micros
}

/** A line in backticks. */
export interface CommandAction {
  readonly kind: 'command'
  readonly text: string
}

/** Code between `%{` and `}%`. */
export interface CodeAction {
  readonly kind: 'code'
  readonly text: string
}

/** Anything that happens at a time. */
export type Action = PacketAction | CallAction | CommandAction | CodeAction

/** One event of a script. */
export interface ScriptEvent extends Position {
  readonly time: EventTime
  readonly action: Action
  /** As it stands in the script, without comments at its ends. */
  readonly text: string
  /** Where it stands in the text that was parsed: [from, to). */
  readonly from: number
  readonly to: number
}

/** A whole script. */
export interface Script {
  readonly file: string
  /** The text that was parsed, definitions replaced. */
  readonly text: string
  /** `--name=value` lines in order; '' for one without a value. */
  readonly options: readonly { readonly name: string; readonly value: string; readonly line: number }[]
  readonly events: readonly ScriptEvent[]
}
