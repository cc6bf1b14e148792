// A transmission control block as lines of text, all of it: `snd.una 1449`. Sequence numbers are counted from the initial one of their
// side, settings are shown where they are not the default ones.
// Owns: the text. Does not own: the record (src/tcp/tcb.ts).

import { ByteRing } from '../base/byte-ring.ts'
import { Ranges } from '../base/ranges.ts'
import { IpAddress } from '../ip/address.ts'
import { tcpConfig } from '../tcp/config.ts'
import { Flight } from '../tcp/flight.ts'
import { UNUSED_FRTO, UNUSED_PRR, UNUSED_UNDO } from '../tcp/recovery-state.ts'
import { type Seq, seqDiff } from '../tcp/seq.ts'
import type { Tcb } from '../tcp/tcb.ts'

/** Fields that are sequence numbers of ours, and of the peer's. */
const OURS = new Set([
  ...['una', 'nxt', 'up', 'smallEnd', 'pushedEnd', 'pushEnds', 'recordEnds'].map((name) => `snd.${name}`),
  ...['point', 'highestSacked', 'judged', 'suspected'].map((name) => `recovery.${name}`),
  ...[
    'rack.end',
    'rack.fack',
    'rack.dsackRound',
    'tlp.end',
    'undo.resendStart',
    'frto.point',
    'ecn.point',
    'usage.end',
  ],
  ...['path.probeStart', 'path.probeEnd'],
])
const PEERS = new Set([
  ...['nxt', 'edge', 'finSeq', 'up', 'outOfOrder', 'recentRanges', 'duplicates'].map((name) => `rcv.${name}`),
  ...['snd.wl1', 'ts.lastAckSent', 'ts.nextFloorSeq', 'tuning.spaceSeq', 'tuning.edge', 'ack.duplicatesOf'],
])
/** Shared by all connections of a host, or of no interest to people. */
const LEFT_OUT = new Set(['counters', 'challenges', 'onState'])
/** Shared by those who never needed one. */
const UNUSED: ReadonlySet<unknown> = new Set([UNUSED_PRR, UNUSED_UNDO, UNUSED_FRTO])
/** Deeper than this no record goes. */
const MOST_DEPTH = 6

type Relative = (value: number) => number

const same: Relative = (value) => value

/** The record, one value a line, in the record's order. */
export function dumpTcb(tcb: Tcb): string[] {
  const lines: string[] = []
  const relative = (path: string): Relative => {
    if (OURS.has(path)) return (value) => seqDiff(value as Seq, tcb.snd.iss)
    if (PEERS.has(path)) return (value) => seqDiff(value as Seq, tcb.rcv.irs)
    return same
  }
  const put = (path: string, value: unknown, depth: number): void => {
    if (LEFT_OUT.has(path) || typeof value === 'function') return
    if (UNUSED.has(value)) {
      lines.push(`${path} unused`)
      return
    }
    const text = path === 'config' ? settings(tcb) : leaf(value, relative(path), tcb)
    if (text !== null) lines.push(`${path} ${text}`)
    else if (depth < MOST_DEPTH) {
      for (const [key, inner] of Object.entries(value as object))
        put(path === '' ? key : `${path}.${key}`, inner, depth + 1)
    }
  }
  put('', tcb, 0)
  return lines
}

/** What is no record of its own as text; null for a record. */
function leaf(value: unknown, relative: Relative, tcb: Tcb): string | null {
  if (value === null) return 'none'
  if (typeof value === 'number') return String(relative(value))
  if (typeof value !== 'object') return String(value)
  if (value instanceof IpAddress) return value.toString()
  if (value instanceof ByteRing) return `${value.extent} bytes`
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('')
  if (value instanceof Flight) return flight(value, tcb)
  if (value instanceof Ranges) {
    const parts = Array.from({ length: value.size }, (_, i) => `${relative(value.start(i))}:${relative(value.end(i))}`)
    return parts.length === 0 ? 'none' : parts.join(' ')
  }
  if (Array.isArray(value)) {
    const texts = value.map((item) => leaf(item, relative, tcb) ?? JSON.stringify(item))
    return texts.length === 0 ? 'none' : texts.join(' ')
  }
  return null
}

function flight(entries: Flight, { snd }: Tcb): string {
  const parts = Array.from({ length: entries.size }, (_, i) => {
    const { start, end, mark } = entries.at(i)
    return `${seqDiff(start, snd.iss)}:${seqDiff(end, snd.iss)} ${mark}`
  })
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}

function settings({ config }: Tcb): string {
  const defaults = tcpConfig()
  const changed = Object.entries(config).filter(([name, value]) => value !== defaults[name as keyof typeof defaults])
  return changed.length === 0 ? 'as by default' : changed.map(([name, value]) => `${name}=${value}`).join(' ')
}
