// NewReno (RFC 6582) by its name: its window is Reno's. What it changed, partial acknowledgements in fast recovery, is recovery without
// SACK and lives in loss.ts, for every controller.

import type { CongestionControl } from './interface.ts'
import { reno } from './reno.ts'

/** Reno under its newer name. */
export const newreno: CongestionControl = { ...reno, name: 'newreno' }
