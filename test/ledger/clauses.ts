// All RFCs of the ledger, in the order of its pages.

import type { Rfc } from './clause.ts'
import { HOSTS } from './rfc1122.ts'
import { CONGESTION } from './rfc5681.ts'
import { ROBUSTNESS } from './rfc5961.ts'
import { TIMER } from './rfc6298.ts'
import { NEWRENO } from './rfc6582.ts'
import { SACK_RECOVERY } from './rfc6675.ts'
import { SEGMENT_SIZE } from './rfc6691.ts'
import { HIGH_PERFORMANCE } from './rfc7323.ts'
import { IPV6_PACKETS } from './rfc8200.ts'
import { RACK_TLP } from './rfc8985.ts'
import { REQUIREMENTS } from './rfc9293.ts'
import { STATES } from './rfc9293-states.ts'
import { CUBIC_WINDOW } from './rfc9438.ts'

/** Every RFC that the ledger has clauses of. */
export const RFCS: readonly Rfc[] = [
  REQUIREMENTS,
  STATES,
  CONGESTION,
  ROBUSTNESS,
  TIMER,
  NEWRENO,
  SACK_RECOVERY,
  SEGMENT_SIZE,
  HIGH_PERFORMANCE,
  RACK_TLP,
  CUBIC_WINDOW,
  HOSTS,
  IPV6_PACKETS,
]
