// P9: bulk in virtual time, some runs of each link.

import { execFileSync } from 'node:child_process'
import { compile } from './compile.ts'
import { figure, type Summary, summary } from './statistics.ts'
import type { Precedence } from './tun/testbed.ts'

const LINKS = [
  { name: '1 Gbit/s x 20 ms', rateBps: 1e9, delayUs: 10_000, checks: 'checked' },
  { name: '1 Gbit/s x 20 ms, checksums by the cable', rateBps: 1e9, delayUs: 10_000, checks: 'unchecked' },
  { name: '1 Gbit/s x 20 ms, super-segments on the cable', rateBps: 1e9, delayUs: 10_000, checks: 'super' },
] as const
const SECONDS = 4

/** What was found of one link. */
export interface VirtualResult {
  readonly link: string
  readonly timesRealTime: Summary
  readonly mbit: number
  readonly usPerSegment: number
}

/** Runs each link so many times. */
export async function benchVirtual(
  runs: number,
  how: Precedence,
  text: (line: string) => void,
): Promise<VirtualResult[]> {
  const [program] = await compile('bench/sim/bulk.ts')
  return LINKS.map(({ name, rateBps, delayUs, checks }) => {
    const found = Array.from({ length: runs }, () => {
      const args = [program, String(rateBps), String(delayUs), String(SECONDS), checks]
      const [command, ...rest] = [...how.load, process.execPath, ...args]
      return JSON.parse(execFileSync(command, rest, { encoding: 'utf8', timeout: 60_000 }))
    })
    const times = summary(found.map(({ timesRealTime }) => timesRealTime))
    const { mbit, usPerSegment } = found.find(({ timesRealTime }) => timesRealTime === times.median)
    text(
      `P9      ${name}: ${figure(times.median)} times faster than real time (${figure(times.least)}-${figure(times.most)}), ` +
        `${figure(mbit)} Mbit/s, ${figure(usPerSegment)} us for a segment, both ends and the link`,
    )
    return { link: name, timesRealTime: times, mbit, usPerSegment }
  })
}
