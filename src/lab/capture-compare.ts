// Recorded packets beside those that our stack sent in their place.
// Owns: which belong together, telling how they differ. Does not own: sending them (capture-replay.ts).

import type { Micros } from '../base/time.ts'
import { FLAG, formatFlags } from '../tcp/header.ts'
import type { Segment } from './capture-replay.ts'

/** How far ahead one is looked for that fits. */
const AHEAD = 64

/** What belongs together: one of the two is null where the other side has none. */
export interface Compared {
  readonly recorded: Segment | null
  readonly ours: Segment | null
  /** How they differ, in words; empty when they do not. */
  readonly differences: readonly string[]
}

/** Segments with the same text, SYN, FIN and RST belong together; those without any, when they acknowledge the same. */
function keyOf({ flags, seq, ack, textBytes }: Segment): string {
  const marks = flags & (FLAG.SYN | FLAG.FIN | FLAG.RST)
  return marks === 0 && textBytes === 0 ? `ack ${ack}` : `${marks} ${seq} ${textBytes}`
}

/** Puts both in order beside each other. `toleranceUs`: times that differ by less are the same. */
export function compareSegments(
  recorded: readonly Segment[],
  ours: readonly Segment[],
  toleranceUs: Micros,
): Compared[] {
  const [left, right] = [recorded.map(keyOf), ours.map(keyOf)]
  const result: Compared[] = []
  let [i, j] = [0, 0]
  const only = (untilI: number, untilJ: number): void => {
    for (; i < untilI; i++) result.push({ recorded: recorded[i], ours: null, differences: ['only recorded'] })
    for (; j < untilJ; j++) result.push({ recorded: null, ours: ours[j], differences: ['only ours'] })
  }
  while (i < left.length && j < right.length) {
    let ahead = 0
    while (ahead < AHEAD && left[i + ahead] !== right[j] && left[i] !== right[j + ahead]) ahead++
    if (ahead === AHEAD) only(i + 1, j + 1)
    else if (left[i + ahead] === right[j]) only(i + ahead, j)
    else only(i, j + ahead)
    if (ahead === AHEAD) continue
    result.push({ recorded: recorded[i], ours: ours[j], differences: differencesOf(recorded[i], ours[j], toleranceUs) })
    i++
    j++
  }
  only(left.length, right.length)
  return result
}

function differencesOf(recorded: Segment, ours: Segment, toleranceUs: Micros): string[] {
  const differences: string[] = []
  if (recorded.flags !== ours.flags) {
    differences.push(`flags ${formatFlags(ours.flags)} instead of ${formatFlags(recorded.flags)}`)
  }
  if (recorded.ack !== ours.ack) differences.push(`ack ${ours.ack} instead of ${recorded.ack}`)
  if (recorded.options !== ours.options) differences.push(`options [${ours.options}] instead of [${recorded.options}]`)
  const late = ours.at - recorded.at
  if (Math.abs(late) > toleranceUs) {
    differences.push(`${Math.abs(late) / 1000} ms ${late > 0 ? 'later' : 'earlier'}`)
  }
  return differences
}

/** The comparison as lines: what differs, then totals. Windows are counted only: they follow the size of buffers. */
export function compareLines(all: readonly Compared[]): string[] {
  const text = ({ at, line }: Segment): string => `${(at / 1e6).toFixed(6)} ${line}`
  const lines = all.flatMap(({ recorded, ours, differences }, i) => {
    if (differences.length === 0) return []
    const head = `packet ${i + 1}: ${differences.join('; ')}`
    const told = recorded === null ? [] : [`  - ${text(recorded)}`]
    return [head, ...told, ...(ours === null ? [] : [`  + ${text(ours)}`])]
  })
  const both = all.filter(({ recorded, ours }) => recorded !== null && ours !== null)
  const windows = both.filter(({ recorded, ours }) => recorded?.window !== ours?.window).length
  const same = all.filter(({ differences }) => differences.length === 0).length
  const recordedOnly = all.filter(({ ours }) => ours === null).length
  return [
    ...lines,
    `${same} of ${all.length} packets are the same, ${both.length - same} differ, ${recordedOnly} only recorded, ` +
      `${all.length - both.length - recordedOnly} only ours; ${windows} with another window`,
  ]
}
