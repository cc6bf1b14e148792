// A connection as a ladder: one line a segment in tcpdump's format, an arrow for its direction, the states of both ends beside it, and
// in between why time passed.
//
//      time ms   10.77.0.1.40000                                                         10.77.0.2.80
//        0.000   SYN-SENT      ──▶  Flags [S], seq 0, win 64240, ... length 0            SYN-RECEIVED
//        0.120   ESTABLISHED   ◀──  Flags [S.], seq 0, ack 1, ... length 0               SYN-RECEIVED
//
// Owns: the text. Does not own: what is in it (recorder.ts, causes.ts).

import type { Micros } from '../base/time.ts'
import { type Cause, causeBefore } from './causes.ts'
import type { ConnectionTrace, SegmentRecord } from './recorder.ts'

/** How a ladder is drawn. */
export interface LadderOptions {
  /** Names of the two ends; the peer stands on the left. */
  readonly ours?: string
  readonly theirs?: string
  /** Time 0. Default: the first segment. */
  readonly from?: Micros
  /** Most segments to draw; from the middle the rest is left out. Default 60. */
  readonly most?: number
  /** Columns of the terminal. Default 140. */
  readonly width?: number
  /** Leave the timestamps option out: it is long and rarely looked at. Default true. */
  readonly hideTimestamps?: boolean
  /** Explain pauses. Default true. */
  readonly causes?: boolean
  /** Paints a pause; the text is given without a line end. */
  readonly dim?: (text: string) => string
}

const TIME_WIDTH = 11
const STATE_WIDTH = 13
const ARROW_WIDTH = 5

/** Draws the ladder; lines without line ends. */
export function ladder(trace: ConnectionTrace, options: LadderOptions = {}): string[] {
  const { records } = trace
  const from = options.from ?? records[0]?.at ?? 0
  const middle = Math.max(40, (options.width ?? 140) - TIME_WIDTH - 2 * STATE_WIDTH - ARROW_WIDTH - 8)
  const dim = options.dim ?? ((text: string) => text)
  const theirs = options.theirs ?? `${trace.remote}.${trace.remotePort}`
  const ours = options.ours ?? `${trace.local}.${trace.localPort}`
  const lines = [`${'time ms'.padStart(TIME_WIDTH)}  ${theirs.padEnd(STATE_WIDTH + ARROW_WIDTH + middle + 4)}  ${ours}`]
  const [head, tail] = chosen(records.length, options.most ?? 60)
  for (let i = 0; i < records.length; i++) {
    if (i === head && tail > head) {
      lines.push(dim(`${' '.repeat(TIME_WIDTH)}  ... ${tail - head} segments more ...`))
      i = tail
    }
    const cause = options.causes === false ? null : causeBefore(trace, i)
    if (cause !== null) lines.push(dim(pause(cause)))
    lines.push(rung(records[i], from, middle, options.hideTimestamps ?? true))
  }
  if (trace.omitted > 0) lines.push(dim(`${' '.repeat(TIME_WIDTH)}  ... ${trace.omitted} segments not recorded ...`))
  return lines
}

/** Which segments are left out: [head, tail). */
function chosen(count: number, most: number): [number, number] {
  if (count <= most) return [count, count]
  const head = Math.ceil((most * 2) / 3)
  return [head, count - (most - head)]
}

function rung(record: SegmentRecord, from: Micros, middle: number, hideTimestamps: boolean): string {
  const time = ((record.at - from) / 1000).toFixed(3).padStart(TIME_WIDTH)
  const arrow = record.direction === 'in' ? ' ──▶ ' : ' ◀── '
  let line = hideTimestamps ? withoutTimestamps(record.line) : record.line
  if (record.textStart !== '') line += `: ${record.textStart}`
  if (record.isRetransmission) line += '  (again)'
  if (line.length > middle) line = `${line.slice(0, middle - 1)}…`
  return `${time}  ${record.theirs.padEnd(STATE_WIDTH)}${arrow} ${line.padEnd(middle)}  ${record.ours}`
}

function withoutTimestamps(line: string): string {
  return line
    .replace(/TS val \d+ ecr \d+,?/, '')
    .replace(/, options \[,?\]/, '')
    .replace(/,\]/, ']')
}

function pause(cause: Cause): string {
  return `${' '.repeat(TIME_WIDTH)}  ┆ ${formatMs(cause.us)}: ${cause.text}`
}

/** `12.3 ms`, `1.20 s`. */
export function formatMs(us: Micros): string {
  return us >= 1_000_000 ? `${(us / 1_000_000).toFixed(2)} s` : `${(us / 1000).toFixed(us < 10_000 ? 2 : 1)} ms`
}
