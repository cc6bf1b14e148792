// What each end's TCP said of itself while a world ran: windows, round trips, reasons to wait, what went again. Fed by `tcp.observe`.
// Owns: turning events into spans and points, thinning them. Does not own: packets (packet-recorder.ts).

import type { Micros } from '../base/time.ts'
import type { Connection } from '../tcp/connection.ts'
import type { TcpEvent } from '../tcp/watch.ts'
import type { ConnectionTable } from './connection-table.ts'
import type { ConnectionRecord, EndRecord, HoldSpan, ResentPoint, RttPoint, WindowPoint } from './record.ts'

/** Points of a curve that are kept; a screen shows no more. */
export const MOST_POINTS = 2000

interface Growing {
  readonly host: string
  readonly connection: Connection
  readonly index: number
  mss: number
  readonly windows: WindowPoint[]
  readonly rtts: RttPoint[]
  readonly holds: HoldSpan[]
  readonly ackHolds: HoldSpan[]
  readonly resent: ResentPoint[]
  readonly states: { at: Micros; to: string }[]
}

/** The ends of a world's connections. */
export class SeriesRecorder {
  readonly #table: ConnectionTable
  readonly #ends = new Map<Connection, Growing>()

  constructor(table: ConnectionTable) {
    this.#table = table
  }

  /** An event of a connection on a host. */
  note(host: string, event: TcpEvent, connection: Connection): void {
    const end = this.#endOf(host, event, connection)
    end.mss = connection.tcb.snd.mss
    const { at } = event
    switch (event.kind) {
      case 'state':
        end.states.push({ at, to: event.to })
        return
      case 'window': {
        const { cwnd, ssthresh, inFlight, peerWindow, acknowledged, phase } = event
        const least = Number.isFinite(ssthresh) ? ssthresh : -1
        end.windows.push({ at, cwnd, ssthresh: least, inFlight, peerWindow, acknowledged, phase })
        return
      }
      case 'rtt':
        end.rtts.push({ at, rttUs: event.rttUs, srttUs: event.srttUs, rtoUs: event.rtoUs })
        return
      case 'retransmit': {
        const { seq, length, cause, text, clause } = event
        end.resent.push({ at, seq, bytes: length, cause, text, clause })
        return
      }
      case 'hold':
        turn(end.holds, at, event.reason === 'nothing' ? null : event)
        return
      case 'ack-hold':
        turn(end.ackHolds, at, event.reason === 'none' || event.reason === 'due' ? null : event, event.last)
    }
  }

  /** The congestion window of the end of a connection, in bytes, as it is now. */
  windowOf(connection: Connection): number {
    return this.#ends.get(connection)?.windows.at(-1)?.cwnd ?? 0
  }

  /** Everything, thinned. */
  records(endedAt: Micros): ConnectionRecord[] {
    const records: { name: string; ends: EndRecord[] }[] = this.#table.names.map((name) => ({ name, ends: [] }))
    for (const { host, index, mss, windows, rtts, holds, ackHolds, resent, states } of this.#ends.values()) {
      for (const span of [...holds, ...ackHolds]) span.to = Math.min(span.to, endedAt)
      const end = {
        host,
        mss,
        windows: thin(windows, (p) => p.cwnd),
        rtts: thin(rtts, (p) => p.rttUs),
        holds,
        ackHolds,
        resent,
        states,
      }
      records[index].ends.push(end)
    }
    return records
  }

  #endOf(host: string, event: TcpEvent, connection: Connection): Growing {
    const known = this.#ends.get(connection)
    if (known !== undefined) return known
    const { local, localPort, remote, remotePort, tcb } = connection
    const isOpener = event.kind === 'state' && event.to === 'SYN-SENT'
    const index = isOpener
      ? this.#table.indexOf(local, localPort, remote, remotePort, tcb.snd.iss)
      : this.#table.indexOf(remote, remotePort, local, localPort, tcb.rcv.irs)
    const end: Growing = {
      host,
      connection,
      index,
      mss: 0,
      windows: [],
      rtts: [],
      holds: [],
      ackHolds: [],
      resent: [],
      states: [],
    }
    this.#ends.set(connection, end)
    return end
  }
}

/** Ends the span that goes on, and begins another. */
function turn(
  spans: HoldSpan[],
  at: Micros,
  next: { reason: string; text: string; clause: string } | null,
  endedBy = '',
): void {
  const last = spans.at(-1)
  if (last !== undefined && last.to === Number.POSITIVE_INFINITY) {
    last.to = at
    last.endedBy = endedBy
  }
  if (next === null) return
  const { reason, text, clause } = next
  spans.push({ from: at, to: Number.POSITIVE_INFINITY, endedBy: '', reason, text, clause })
}

/** At most about MOST_POINTS: of each stretch the first, the least, the greatest and the last, so that no peak is lost. */
export function thin<P>(points: readonly P[], measure: (point: P) => number): readonly P[] {
  if (points.length <= MOST_POINTS) return points
  const stretch = Math.ceil((points.length * 4) / MOST_POINTS)
  const kept: P[] = []
  for (let from = 0; from < points.length; from += stretch) {
    const to = Math.min(from + stretch, points.length)
    let least = from
    let greatest = from
    for (let i = from; i < to; i++) {
      if (measure(points[i]) < measure(points[least])) least = i
      if (measure(points[i]) > measure(points[greatest])) greatest = i
    }
    for (const i of [...new Set([from, least, greatest, to - 1])].sort((a, b) => a - b)) kept.push(points[i])
  }
  return kept
}
