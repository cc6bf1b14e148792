// What traceroute prints, in the words of Linux's.
// Owns: the lines. Does not own: probes (traceroute.ts).

import type { Micros } from '../base/time.ts'
import type { IcmpErrorKind } from '../ip/icmp.ts'

/** What came of one probe; null: nothing in time. */
export interface ProbeAnswer {
  readonly from: string
  readonly rttUs: Micros
  /** Behind the time: '!H', '!N', '!F-1280'; '' for a router that says the hop limit was used up, and for the end. */
  readonly mark: string
  /** Whether the way ends here. */
  readonly isEnd: boolean
}

/** `traceroute to 10.78.0.2 (10.78.0.2), 30 hops max, 60 byte packets` */
export function titleLine(address: string, maxHops: number, bytes: number): string {
  return `traceroute to ${address} (${address}), ${maxHops} hops max, ${bytes} byte packets`
}

/** ` 1  10.77.0.1 (10.77.0.1)  0.048 ms  0.013 ms *`: who has answered is named when it is somebody else. */
export function hopLine(hop: number, answers: readonly (ProbeAnswer | null)[], isNumeric: boolean): string {
  let line = `${String(hop).padStart(2)} `
  let last: string | null = null
  for (const answer of answers) {
    if (answer === null) {
      line += ' *'
      continue
    }
    const { from, rttUs, mark } = answer
    if (from !== last) line += isNumeric ? ` ${from}` : ` ${from} (${from})`
    last = from
    line += `  ${(rttUs / 1000).toFixed(3)} ms${mark === '' ? '' : ` ${mark}`}`
  }
  return line
}

/** A hop as a line of JSON; null for a probe that nobody has answered. */
export function hopObject(hop: number, answers: readonly (ProbeAnswer | null)[]): string {
  const probes = answers.map((a) =>
    a === null ? null : { address: a.from, rttUs: a.rttUs, mark: a.mark, isEnd: a.isEnd },
  )
  return JSON.stringify({ type: 'hop', hop, answers: probes })
}

const MARKS_V4: Readonly<Record<number, string>> = {
  0: '!N',
  1: '!H',
  2: '!P',
  5: '!S',
  6: '!N',
  7: '!H',
  8: '!H',
  9: '!N',
  10: '!H',
  11: '!N',
  12: '!H',
  13: '!X',
  14: '!V',
  15: '!C',
}
const MARKS_V6: Readonly<Record<number, string>> = { 0: '!N', 1: '!X', 2: '!S', 3: '!H' }

/** How an ICMP error is marked, and whether it ends the way: everything does but a hop limit used up. */
export function markOf(
  family: 4 | 6,
  { kind, code, mtu }: { readonly kind: IcmpErrorKind; readonly code: number; readonly mtu: number },
): Pick<ProbeAnswer, 'mark' | 'isEnd'> {
  if (kind === 'time-exceeded') return { mark: '', isEnd: false }
  if (kind === 'packet-too-big') return { mark: `!F-${mtu}`, isEnd: true }
  if (kind === 'parameter-problem') return { mark: '!P', isEnd: true }
  const isPort = family === 4 ? code === 3 : code === 4
  const mark = isPort ? '' : ((family === 4 ? MARKS_V4 : MARKS_V6)[code] ?? `!<${code}>`)
  return { mark, isEnd: true }
}
