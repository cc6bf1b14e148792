// The conditions of the lossy-link table: which there are, what they do to packets, how long a transfer in them lasts.
// Owns: the numbers. Does not own: the link that is made of them (link.ts).

import type { Impairment } from '../../src/link/impairment.ts'

/** Loss in percent, round trip in milliseconds. */
export const LOSSES: readonly number[] = [0, 0.1, 1, 5]
/** Round trips in milliseconds, half of each in either direction. */
export const RTTS: readonly number[] = [1, 20, 100]

/** The bottleneck of each direction. */
export const RATE_BPS = 100e6
const LEAST_QUEUE_PACKETS = 100
/** Two percent of the packets of either direction arrive 3 ms late. */
const REORDER: Impairment = { reorderRate: 0.02, reorderDelayUs: 3_000 }
/** Text in a full-sized segment with timestamps. */
const SEGMENT_BYTES = 1448

/** One line of the table. */
export interface Cell {
  readonly loss: number
  readonly rttMs: number
  readonly reorder: boolean
}

/** All cells, or those selected. */
export function cells(losses = LOSSES, rtts = RTTS, reorders: readonly boolean[] = [false, true]): Cell[] {
  return rtts.flatMap((rttMs) => losses.flatMap((loss) => reorders.map((reorder) => ({ loss, rttMs, reorder }))))
}

/** A bandwidth-delay product, but never a very short queue. */
const queuePackets = ({ rttMs }: Cell): number =>
  Math.max(LEAST_QUEUE_PACKETS, Math.ceil((RATE_BPS * rttMs) / 1e3 / 8 / 1500))

/** What happens to the packets of each direction. */
export function impairmentOf(cell: Cell): Impairment {
  const { loss, rttMs, reorder } = cell
  return {
    delayUs: (rttMs * 1000) / 2,
    lossRate: loss / 100,
    rateBps: RATE_BPS,
    queuePackets: queuePackets(cell),
    ...(reorder ? REORDER : {}),
  }
}

/**
 * About what one connection can be expected to carry, in Mbit/s, so that it is known how many transfers fit side by side: Padhye et al.
 * 1998, with timeouts at a quarter of their length, since RACK and tail probes save most of them.
 */
export function expectedMbit({ loss, rttMs }: Cell): number {
  const most = RATE_BPS / 1e6
  if (loss === 0) return most
  const p = loss / 100
  const rtt = rttMs / 1e3
  const timeouts = (0.05 + rtt) * Math.min(1, 3 * Math.sqrt((3 * p) / 8)) * p * (1 + 32 * p ** 2)
  return Math.min(most, (SEGMENT_BYTES * 8) / 1e6 / (rtt * Math.sqrt((2 * p) / 3) + timeouts))
}

/** How long each transfer lasts: so long that slow start is the smaller part of it, and that a slow cell sees losses enough. */
export function secondsOf(cell: Cell, isQuick: boolean): number {
  const isFast = expectedMbit(cell) > 50
  const seconds = cell.rttMs <= 5 ? (isFast ? 2 : 8) : cell.rttMs <= 50 ? (isFast ? 4 : 8) : isFast ? 8 : 25
  return isQuick ? Math.max(1, seconds / 4) : seconds
}
