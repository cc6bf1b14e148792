// What a run looked like, in a form in which two runs can be compared: packets with relative numbers, results of calls, times in classes.
// Owns: normalising, comparing, printing. Does not own: who sent what (bench.ts).

import { IpHeader } from '../../src/ip/header.ts'
import { parseIp } from '../../src/ip/index.ts'
import { FLAG, formatFlags, OPTION, parseTcp, SegmentHeader } from '../../src/tcp/header.ts'

/** Something that happened. `text` is what is compared; packets of the peer's are there to be read only. */
export interface TraceEvent {
  readonly kind: 'out' | 'in' | 'call'
  /** Microseconds since the scenario began. */
  readonly at: number
  readonly text: string
}

/** Where a connection's sequence numbers begin; -1 when that is not known yet. */
export interface Bases {
  /** Of the side under test. */
  own: number
  /** Of the peer. */
  peer: number
}

/** What of a packet is compared. */
export interface Focus {
  /** Windows by class (0, less than a segment, more) or not at all. Default true. */
  readonly windows?: boolean
  /** PSH. Default true. */
  readonly push?: boolean
}

/** The text of a packet. `isOwn`: the side under test has sent it. */
export function packetText(bytes: Uint8Array, bases: Bases, isOwn: boolean, focus: Focus = {}): string {
  const ip = new IpHeader()
  if (parseIp(bytes, 0, bytes.length, ip) !== 'ok') return 'unreadable'
  if (ip.protocol === 1) return `icmp type ${bytes[ip.headerBytes]} code ${bytes[ip.headerBytes + 1]}`
  const segment = new SegmentHeader()
  if (parseTcp(bytes, ip.headerBytes, ip.totalBytes, segment) !== 'ok') return 'unreadable'
  const [from, to] = isOwn ? [bases.own, bases.peer] : [bases.peer, bases.own]
  const flags = focus.push === false ? segment.flags & ~FLAG.PSH : segment.flags
  const parts = [formatFlags(flags)]
  const isReset = (segment.flags & FLAG.RST) !== 0
  const first = from < 0 ? (isReset && segment.seq === 0 ? 0 : segment.seq >>> 0) : relative(segment.seq, from)
  parts.push(`${first}:${first + segment.textLength}(${segment.textLength})`)
  if ((segment.flags & FLAG.ACK) !== 0) parts.push(`ack ${to < 0 ? segment.ack >>> 0 : relative(segment.ack, to)}`)
  if ((segment.flags & FLAG.URG) !== 0) parts.push(`urg ${segment.urgent}`)
  if (isOwn && focus.windows !== false && !isReset) parts.push(`win ${windowClass(segment)}`)
  if (!isOwn) parts.push(`win ${segment.window}`)
  parts.push(optionsText(bytes, ip.headerBytes, segment, to))
  const ecn = ip.trafficClass & 3
  if (ecn !== 0) parts.push(['', 'ect1', 'ect0', 'ce'][ecn])
  return parts.filter((part) => part !== '').join(' ')
}

function relative(number: number, base: number): number {
  return (number - base) | 0
}

function windowClass(segment: SegmentHeader): string {
  return segment.window === 0 ? '0' : 'open'
}

/** Kinds in their order, values where they do not depend on the clock. */
function optionsText(bytes: Uint8Array, start: number, segment: SegmentHeader, to: number): string {
  const end = start + segment.headerBytes
  const names: string[] = []
  for (let at = start + 20; at < end; ) {
    const kind = bytes[at]
    const length = kind <= OPTION.NOP ? 1 : Math.max(2, bytes[at + 1])
    if (kind === OPTION.END) break
    if (kind === OPTION.MSS) names.push(`mss ${segment.mss}`)
    else if (kind === OPTION.WINDOW_SCALE) names.push('wscale')
    else if (kind === OPTION.SACK_PERMITTED) names.push('sackOK')
    else if (kind === OPTION.TIMESTAMPS) names.push('TS')
    else if (kind === OPTION.FAST_OPEN) names.push(length === 2 ? 'FO?' : 'FO')
    else if (kind === OPTION.SACK) {
      const edge = (i: number): number => relative(segment.sackEdges[i], to)
      const blocks = Array.from({ length: segment.sackCount }, (_, i) => `${edge(2 * i)}:${edge(2 * i + 1)}`)
      names.push(`sack ${blocks.join(' ')}`)
    } else if (kind !== OPTION.NOP) names.push(`option ${kind}`)
    at += length
  }
  return names.length === 0 ? '' : `<${names.join(',')}>`
}

/** Times nearer than this are the same: a turn of the event loop, four ticks of the kernel's clock. */
const NEAR_US = 25_000
/** Longer ones may differ by this factor. */
const FACTOR = 1.5

/** Whether two pauses are of one class. */
export function isSamePause(a: number, b: number): boolean {
  const [less, more] = a < b ? [a, b] : [b, a]
  return more - less <= NEAR_US || more <= less * FACTOR
}

/** The first difference of two runs; null when there is none. */
export interface Difference {
  /** In one line, without times: what is pinned. */
  readonly summary: string
  /** Both runs side by side up to there. */
  readonly report: string
}

/**
 * Compares what the sides under test did. A pause is that since whatever happened before, packets of the peer's included, so that it does
 * not count when the bench itself was late; calls have none, since the scenario says when they are made.
 */
export function compare(
  linux: readonly TraceEvent[],
  ours: readonly TraceEvent[],
  compareTimes = true,
): Difference | null {
  const [left, right] = [seen(linux), seen(ours)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const why = differ(left[i], right[i], compareTimes)
    if (why !== null) return { summary: why, report: sideBySide(linux, ours, left[i]?.event, right[i]?.event) }
  }
  return null
}

/** An event that is compared, and how long after the one before it came. */
interface Seen {
  readonly event: TraceEvent
  readonly pauseUs: number
}

function seen(trace: readonly TraceEvent[]): Seen[] {
  const all = trace.map((event, i) => ({ event, pauseUs: event.at - (trace[i - 1]?.at ?? 0) }))
  return all.filter(({ event }) => event.kind !== 'in')
}

function differ(a: Seen | undefined, b: Seen | undefined, compareTimes: boolean): string | null {
  const [one, other] = [a?.event.text, b?.event.text]
  if (one !== other) return `Linux: ${one ?? 'nothing more'} | ours: ${other ?? 'nothing more'}`
  if (a === undefined || b === undefined || !compareTimes || a.event.kind === 'call') return null
  if (isSamePause(a.pauseUs, b.pauseUs)) return null
  return `${one}: Linux ${a.pauseUs > b.pauseUs ? 'later' : 'earlier'} than ours`
}

/** Lines of a run; the event at which it stops is marked. */
export function lines(trace: readonly TraceEvent[], mark?: TraceEvent): string[] {
  const signs = { out: '>', in: '<', call: '=' }
  return trace.map((event) => {
    const time = (event.at / 1000).toFixed(1).padStart(8)
    return `${event === mark ? '*' : ' '}${time} ${signs[event.kind]} ${event.text}`
  })
}

const WIDTH = 78

function sideBySide(
  linux: readonly TraceEvent[],
  ours: readonly TraceEvent[],
  a: TraceEvent | undefined,
  b: TraceEvent | undefined,
): string {
  const cut = (trace: readonly TraceEvent[], mark: TraceEvent | undefined): string[] => {
    const end = mark === undefined ? trace.length : trace.indexOf(mark) + 4
    return lines(trace.slice(Math.max(0, end - 24), end), mark)
  }
  const [left, right] = [cut(linux, a), cut(ours, b)]
  const rows = Array.from({ length: Math.max(left.length, right.length) }, (_, i) => {
    return `${(left[i] ?? '').slice(0, WIDTH).padEnd(WIDTH)} | ${right[i] ?? ''}`
  })
  return [`${'Linux'.padEnd(WIDTH)} | ours`, ...rows].join('\n')
}
