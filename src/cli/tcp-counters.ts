// TCP's counters at the end of a command, by nstat's names.
// Owns: which are shown, and how. Does not own: counting (src/tcp/counters.ts).

import type { TcpCounters } from '../tcp/index.ts'

/** Columns of the summary. */
const COLUMNS = 100

/** Those that are not 0, in the kernel's order. */
export function nonZero(counters: TcpCounters): Partial<TcpCounters> {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count !== 0))
}

/** Lines for people: `TCP: TcpPassiveOpens 1, TcpInSegs 12, ...`; none when nothing was counted. */
export function countersText(counters: Partial<TcpCounters>): string[] {
  const lines: string[] = []
  for (const [name, count] of Object.entries(counters)) {
    const text = `${name} ${count}`
    const last = lines.at(-1)
    if (last === undefined) lines.push(`TCP: ${text}`)
    else if (last.length + text.length + 3 > COLUMNS) lines.push(`     ${text}`)
    else lines[lines.length - 1] = `${last}, ${text}`
  }
  return lines
}
