// Runs scenarios on both sides and compares.

import { KernelTarget } from '../../src/cli/kernel-target.ts'
import { StackTarget } from '../../src/packetdrill/stack-target.ts'
import type { Target } from '../../src/packetdrill/target.ts'
import { Bench, ENDS } from './bench.ts'
import type { Scenario } from './scenario.ts'
import { closing } from './scenarios/closing.ts'
import { opening } from './scenarios/opening.ts'
import { receiving } from './scenarios/receiving.ts'
import { sending } from './scenarios/sending.ts'
import { compare, type Difference, type TraceEvent } from './trace.ts'

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
  // A machine that is much too late may make a scenario impossible: that is a difference like another, and tried again.
  return ended.map((one): readonly TraceEvent[] => {
    return one.status === 'fulfilled' ? one.value : [{ kind: 'call', at: 0, text: String(one.reason) }]
  })
}

/** Runs a scenario on our stack, in virtual time. */
export async function runOnOurs(one: Scenario): Promise<readonly TraceEvent[]> {
  const target = new StackTarget(ENDS, { isSegmentWise: true })
  try {
    return await play(target, one)
  } finally {
    await target.close()
  }
}

/** What came of a scenario. */
export interface Verdict {
  readonly name: string
  /** null: both did the same. */
  readonly difference: Difference | null
}

/** How often Linux may try a scenario whose outcome is not the one expected: real time has its accidents. */
const TRIES = 3

/** Runs scenarios on both sides; on Linux again while `isExpected` does not hold, since a busy machine is late at times. */
export async function besideLinux(
  list: readonly Scenario[],
  isExpected: (verdict: Verdict) => boolean,
): Promise<readonly Verdict[]> {
  const ours = new Map<Scenario, readonly TraceEvent[]>()
  for (const one of list) ours.set(one, await runOnOurs(one))
  const verdicts = new Map<Scenario, Verdict>()
  for (let left = [...list], tries = 0; left.length > 0 && tries < TRIES; tries++) {
    const linux = await runOnLinux(left)
    for (const [i, one] of left.entries()) {
      verdicts.set(one, { name: one.name, difference: compare(linux[i], ours.get(one)!, one.compareTimes) })
    }
    left = left.filter((one) => !isExpected(verdicts.get(one)!))
  }
  return list.map((one) => verdicts.get(one)!)
}
