// What an iperf3 test looks like: iperf3's own lines, and the document of its -J, so that whatever reads those reads ours.
// Owns: texts and the JSON's shape. Does not own: the figures (iperf3-run.ts, iperf3-streams.ts).

import { release, type as systemType, version as systemVersion } from 'node:os'
import type { RunObserver, TestRun } from './iperf3-run.ts'
import type { Interval, TestStream } from './iperf3-streams.ts'
import { print } from './print.ts'
import { packageVersion } from './version.ts'

const RULE = '- - - - - - - - - - - - - - - - - - - - - - - - -'

/** `1.10 GBytes` of 1,024, `9.42 Gbits` of 1,000: three digits, as iperf3 has them. */
export function scaled(value: number, unit: 'Bytes' | 'bits'): string {
  const step = unit === 'Bytes' ? 1024 : 1000
  const prefixes = ['', 'K', 'M', 'G', 'T']
  let i = 0
  let rest = value
  for (; rest >= step && i < prefixes.length - 1; i++) rest /= step
  const digits = rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0
  return `${rest.toFixed(digits).padStart(4)} ${`${prefixes[i]}${unit}`.padStart(unit.length + 1)}`
}

const seconds = (start: number, end: number): string => `${start.toFixed(2).padStart(6)}-${end.toFixed(2).padEnd(6)}`

/** `  0.00-1.00   sec  1.10 GBytes  9.42 Gbits/sec`. */
function amounts(start: number, end: number, bytes: number): string {
  const rate = end > start ? (bytes * 8) / (end - start) : 0
  return `${seconds(start, end)} sec  ${scaled(bytes, 'Bytes')}  ${scaled(rate, 'bits')}/sec`
}

const idOf = (id: number | 'SUM'): string => `[${String(id).padStart(3)}]`

interface Sum {
  readonly bytes: number
  readonly retransmits: number
}

function sumOf(parts: readonly { readonly bytes: number; readonly retransmits: number }[]): Sum {
  return parts.reduce(
    (sum, { bytes, retransmits }) => ({ bytes: sum.bytes + bytes, retransmits: sum.retransmits + retransmits }),
    {
      bytes: 0,
      retransmits: 0,
    },
  )
}

/** What each side has counted of one stream. Seconds; retransmits -1: unknown. */
export interface BothSides {
  readonly id: number
  readonly sent: Sum & { readonly seconds: number }
  readonly received: Sum & { readonly seconds: number }
}

/** Both sides' counts, stream by stream. What the other side has not told stands for what this one has. */
export function bothSides(run: TestRun): BothSides[] {
  return run.streams.map((stream) => {
    const own = { bytes: stream.bytes, retransmits: stream.retransmits, seconds: run.seconds }
    const told = run.remote?.streams.find(({ id }) => id === stream.id)
    const other =
      told === undefined
        ? { ...own, bytes: 0, retransmits: -1 }
        : { bytes: told.bytes, retransmits: told.retransmits, seconds: told.end_time ?? run.seconds }
    return run.isSender ? { id: stream.id, sent: own, received: other } : { id: stream.id, sent: other, received: own }
  })
}

/** Prints a test as iperf3 does. */
export class TextReport implements RunObserver {
  onStart(run: TestRun): void {
    for (const stream of run.streams) {
      const { local_host, local_port, remote_host, remote_port } = stream.ends
      print(`${idOf(stream.id)} local ${local_host} port ${local_port} connected to ${remote_host} port ${remote_port}`)
    }
    print(`[ ID] Interval           Transfer     Bitrate${run.isSender ? '         Retr  Cwnd' : ''}`)
  }

  onInterval(run: TestRun, intervals: readonly (Interval | null)[]): void {
    const seen = intervals.filter((interval) => interval !== null)
    intervals.forEach((interval, i) => {
      if (interval !== null) print(intervalLine(run.streams[i], interval))
    })
    if (seen.length < 2) return
    const { start, end, omitted } = seen[0]
    const sum = sumOf(seen)
    const retr = run.isSender ? `  ${String(sum.retransmits).padStart(3)}` : ''
    print(`${idOf('SUM')} ${amounts(start, end, sum.bytes)}${retr}${omitted ? '  (omitted)' : ''}`)
    print(RULE)
  }

  /** The end: both sides' sums. */
  end(run: TestRun): void {
    const sides = bothSides(run)
    print(RULE)
    print(`[ ID] Interval           Transfer     Bitrate${knowsRetransmits(sides) ? '         Retr' : ''}`)
    for (const side of sides) for (const line of endLines(side.id, side)) print(line)
    if (sides.length < 2) return
    const total = (of: 'sent' | 'received') => ({
      ...sumOf(sides.map((side) => side[of])),
      seconds: Math.max(...sides.map((side) => side[of].seconds)),
    })
    for (const line of endLines('SUM', { id: 0, sent: total('sent'), received: total('received') })) print(line)
  }
}

const knowsRetransmits = (sides: readonly BothSides[]): boolean => sides.every(({ sent }) => sent.retransmits >= 0)

function intervalLine(stream: TestStream, { start, end, bytes, retransmits, cwnd, omitted }: Interval): string {
  const sender = cwnd < 0 ? '' : `  ${String(retransmits).padStart(3)}   ${scaled(cwnd, 'Bytes')}`
  return `${idOf(stream.id)} ${amounts(start, end, bytes)}${sender}${omitted ? '  (omitted)' : ''}`
}

function endLines(id: number | 'SUM', { sent, received }: BothSides): string[] {
  const retr = sent.retransmits >= 0 ? `  ${String(sent.retransmits).padStart(3)}` : '     '
  return [
    `${idOf(id)} ${amounts(0, sent.seconds, sent.bytes)}${retr}             sender`,
    `${idOf(id)} ${amounts(0, received.seconds, received.bytes)}                  receiver`,
  ]
}

/** Where a test was made, for the JSON document. */
export interface JsonFacts {
  readonly server: string | null
  readonly port: number
  readonly congestion: string
  readonly mss: number
}

/** iperf3's -J document of a test; `error` when it broke off. */
export function jsonDocument(run: TestRun | null, facts: JsonFacts, error: string | null): Record<string, unknown> {
  const document: Record<string, unknown> = run === null ? { start: {}, intervals: [], end: {} } : ofRun(run, facts)
  if (error !== null) document['error'] = error
  return document
}

function ofRun(run: TestRun, facts: JsonFacts): Record<string, unknown> {
  return { start: startOf(run, facts), intervals: intervalsOf(run), end: endOf(run, facts) }
}

function startOf(run: TestRun, { server, port, mss }: JsonFacts): Record<string, unknown> {
  const { params, cookie, epochMs } = run
  return {
    connected: run.streams.map((stream) => ({ socket: stream.id, ...stream.ends })),
    version: `tunstack ${packageVersion()}`,
    system_info: `${systemType()} ${release()} ${systemVersion()}`,
    timestamp: { time: new Date(epochMs).toUTCString(), timesecs: Math.floor(epochMs / 1000) },
    ...(server === null ? {} : { connecting_to: { host: server, port } }),
    cookie,
    tcp_mss_default: mss,
    test_start: {
      protocol: 'TCP',
      num_streams: run.streams.length,
      blksize: params.len ?? 0,
      omit: params.omit ?? 0,
      duration: params.time ?? 0,
      bytes: params.num ?? 0,
      blocks: params.blockcount ?? 0,
      reverse: params.reverse === true ? 1 : 0,
      tos: params.TOS ?? 0,
      target_bitrate: params.bandwidth ?? 0,
      bidir: 0,
    },
  }
}

function amountOf(start: number, end: number, bytes: number): Record<string, number> {
  const span = end - start
  return { start, end, seconds: span, bytes, bits_per_second: span > 0 ? (bytes * 8) / span : 0 }
}

function intervalsOf(run: TestRun): Record<string, unknown>[] {
  const count = Math.max(0, ...run.streams.map(({ intervals }) => intervals.length))
  return Array.from({ length: count }, (_, i) => {
    const present = run.streams.filter(({ intervals }) => intervals[i] !== undefined)
    const parts = present.map(({ intervals }) => intervals[i])
    const { start, end, omitted } = parts[0]
    const sum = sumOf(parts)
    const streams = present.map((stream) => {
      const one = stream.intervals[i]
      const sender = {
        retransmits: one.retransmits,
        snd_cwnd: one.cwnd,
        rtt: Math.round(one.rttUs),
        rttvar: Math.round(one.rttvarUs),
      }
      return {
        socket: stream.id,
        ...amountOf(one.start, one.end, one.bytes),
        ...(run.isSender ? sender : {}),
        omitted,
        sender: run.isSender,
      }
    })
    const retransmits = run.isSender ? { retransmits: sum.retransmits } : {}
    return { streams, sum: { ...amountOf(start, end, sum.bytes), ...retransmits, omitted, sender: run.isSender } }
  })
}

function endOf(run: TestRun, { congestion }: JsonFacts): Record<string, unknown> {
  const sides = bothSides(run)
  const { remote, cpu } = run
  const sum = (of: 'sent' | 'received'): Record<string, unknown> => {
    const { bytes, retransmits } = sumOf(sides.map((side) => side[of]))
    const end = Math.max(0, ...sides.map((side) => side[of].seconds))
    return {
      ...amountOf(0, end, bytes),
      ...(of === 'sent' && retransmits >= 0 ? { retransmits } : {}),
      sender: run.isSender,
    }
  }
  const theirs = remote?.congestion_used ?? 'unknown'
  return {
    streams: sides.map((side, i) => ({
      sender: {
        socket: side.id,
        ...amountOf(0, side.sent.seconds, side.sent.bytes),
        ...(side.sent.retransmits >= 0 ? { retransmits: side.sent.retransmits } : {}),
        ...(run.isSender ? pathOf(run.streams[i]) : {}),
        sender: run.isSender,
      },
      receiver: { socket: side.id, ...amountOf(0, side.received.seconds, side.received.bytes), sender: run.isSender },
    })),
    sum_sent: sum('sent'),
    sum_received: sum('received'),
    cpu_utilization_percent: {
      host_total: cpu.total,
      host_user: cpu.user,
      host_system: cpu.system,
      remote_total: remote?.cpu_util_total ?? 0,
      remote_user: remote?.cpu_util_user ?? 0,
      remote_system: remote?.cpu_util_system ?? 0,
    },
    sender_tcp_congestion: run.isSender ? congestion : theirs,
    receiver_tcp_congestion: run.isSender ? theirs : congestion,
  }
}

function pathOf({ seen }: TestStream): Record<string, number> {
  if (seen.samples === 0) return {}
  return {
    max_snd_cwnd: seen.maxCwnd,
    max_rtt: Math.round(seen.maxRttUs),
    min_rtt: Math.round(seen.minRttUs),
    mean_rtt: Math.round(seen.sumRttUs / seen.samples),
  }
}
