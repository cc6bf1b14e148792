// Runs scenarios on both sides and compares.

import { KernelTarget } from '../../src/cli/kernel-target.ts'
import type { Target } from '../../src/packetdrill/target.ts'
import { Bench, ENDS } from './bench.ts'
import type { Scenario } from './scenario.ts'
import { closing } from './scenarios/closing.ts'
import { opening } from './scenarios/opening.ts'
import { receiving } from './scenarios/receiving.ts'
import { sending } from './scenarios/sending.ts'
import type { TraceEvent } from './trace.ts'

/** All scenarios. */
export const SCENARIOS: readonly Scenario[] = [...opening, ...sending, ...receiving, ...closing]

/** Runs a scenario on one side. */
export async function play(target: Target, one: Scenario): Promise<readonly TraceEvent[]> {
  for (const [name, value] of Object.entries(one.sysctls)) {
    const why = target.setSysctl(name, value)
    if (why !== null) throw new Error(why)
  }
  const bench = new Bench(target, one.policy)
  await one.run(bench)
  return bench.trace
}

/** Starts are so far apart, so that they do not all need the processor at once. */
const APART_MS = 25

/**
 * Runs scenarios on this machine's kernel, each in a namespace of its own, all at the same time: mostly they wait. The namespaces are made
 * before the first begins, since making one stops everything else for a while.
 */
export async function runOnLinux(list: readonly Scenario[]): Promise<readonly (readonly TraceEvent[])[]> {
  const targets = list.map(() => new KernelTarget(ENDS, { isPunctual: false, isSegmentWise: true }))
  const runs = list.map(async (one, i) => {
    await new Promise((resolve) => setTimeout(resolve, i * APART_MS))
    return play(targets[i], one)
  })
  const ended = await Promise.allSettled(runs)
  for (const target of targets) await target.close()
  return ended.map((one, i) => {
    if (one.status === 'fulfilled') return one.value
    throw new Error(`${list[i].name}: ${one.reason}`, { cause: one.reason })
  })
}
