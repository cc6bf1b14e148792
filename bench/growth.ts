// P10: how the cost of things grows with their number.

import { execFileSync } from 'node:child_process'
import { compile } from './compile.ts'
import { figure } from './statistics.ts'

/** What one thing costs at each size. */
export interface GrowthResult {
  readonly what: string
  readonly sizes: readonly number[]
  readonly nsEach: readonly number[]
}

/** Runs the table once. */
export async function benchGrowth(text: (line: string) => void): Promise<GrowthResult[]> {
  const [program] = await compile('bench/sim/growth.ts')
  const output = execFileSync(process.execPath, [program], { encoding: 'utf8', timeout: 120_000 })
  const results: GrowthResult[] = JSON.parse(output)
  for (const { what, sizes, nsEach } of results) {
    const row = sizes.map((n, i) => `${n}: ${figure(nsEach[i] / 1000)}`).join('   ')
    text(`P10     ${what.padEnd(36)} us each   ${row}   last to first ${figure(nsEach[nsEach.length - 1] / nsEach[0])}`)
  }
  return results
}
