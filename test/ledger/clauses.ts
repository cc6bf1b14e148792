// All RFCs of the ledger, in the order of its pages.

import type { Rfc } from './clause.ts'
import { RFC9293 } from './rfc9293.ts'

/** Every RFC that the ledger has clauses of. */
export const RFCS: readonly Rfc[] = [RFC9293]
