// A scenario: how the peer behaves, and what happens; the same for every side.

import type { Bench } from './bench.ts'
import type { Policy } from './peer.ts'

/** Something to try on both sides. */
export interface Scenario {
  /** What is tried, in few words. */
  readonly name: string
  readonly policy: Policy
  readonly sysctls: Readonly<Record<string, string>>
  /** Whether pauses are compared. */
  readonly compareTimes: boolean
  readonly run: (bench: Bench) => Promise<void>
}

/** Makes one. */
export function scenario(
  name: string,
  policy: Policy,
  run: (bench: Bench) => Promise<void>,
  more: { readonly sysctls?: Scenario['sysctls']; readonly compareTimes?: boolean } = {},
): Scenario {
  return { name, policy, sysctls: more.sysctls ?? {}, compareTimes: more.compareTimes ?? true, run }
}
