// Numbers out of records: what experiments reckon with.
// Owns: the arithmetic. Does not own: the records (record.ts).

import type { Micros } from '../base/time.ts'
import type { PacketRecord, WorldRecord } from './record.ts'

/** Packets with text that a host sent, in order; `again: false` leaves retransmissions out. */
export function dataFrom({ packets }: WorldRecord, host: string, again = true): PacketRecord[] {
  return packets.filter((p) => p.from === host && p.sentAt >= 0 && p.textBytes > 0 && (again || !p.isAgain))
}

/** Acknowledgements without text, SYN, FIN or RST that a host sent. */
export function bareAcksFrom({ packets }: WorldRecord, host: string): PacketRecord[] {
  return packets.filter(
    (p) => p.from === host && p.sentAt >= 0 && p.textBytes === 0 && p.connection >= 0 && (p.flags & 0x07) === 0,
  )
}

/** How many packets left in each round: a pause of `pauseUs` ends one. */
export function rounds(packets: readonly Pick<PacketRecord, 'sentAt'>[], pauseUs: Micros): number[] {
  const sizes: number[] = []
  let last = Number.NEGATIVE_INFINITY
  for (const { sentAt } of packets) {
    if (sentAt - last >= pauseUs) sizes.push(0)
    sizes[sizes.length - 1]++
    last = sentAt
  }
  return sizes
}

/** Jain's index of fairness: 1 when all have the same, 1/n when one has all (Jain, Chiu, Hawe 1984). */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((a, b) => a + b, 0)
  const squares = values.reduce((a, b) => a + b * b, 0)
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares)
}

/** The mean; 0 of none. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length
}

/** The value below which a share of the values lies (0.5: the median); 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

/** Microseconds as milliseconds, to a thousandth. */
export const inMs = (us: Micros): number => Math.round(us) / 1000

/** A number to so many decimals. */
export function rounded(value: number, decimals = 2): number {
  const factor = 10 ** decimals
  return Math.round(value * factor) / factor
}
