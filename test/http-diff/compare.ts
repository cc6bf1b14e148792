// Two readings of one stream: the same, harmlessly different, or such that one could be smuggled past the other.
// Owns: the judgement. Does not own: which differences are known (differences.ts).

import type { Reading } from './parsers.ts'

/** How two readings differ; null when they do not, or the stream ends before it is sure. */
export type Difference =
  /** Both read on, and see other messages. */
  | { readonly kind: 'desync'; readonly what: string }
  /** We take what the other refuses, and why it does. */
  | { readonly kind: 'accepts'; readonly what: string }
  /** We refuse what the other takes, and why we do. */
  | { readonly kind: 'refuses'; readonly what: string }
  /** We close where the other reads on. */
  | { readonly kind: 'closes'; readonly what: string }
  | null

const isError = (reading: Reading): boolean => reading.end !== 'open' && reading.end !== 'closed'

/** Compares our reading with another's. */
export function compareReadings(ours: Reading, other: Reading): Difference {
  const [own, their] = [ours, other].map(({ requests }) => requests.filter((one) => one.complete))
  const both = Math.min(own.length, their.length)
  for (let i = 0; i < both; i++) {
    const field = (['method', 'target', 'body'] as const).find((name) => own[i][name] !== their[i][name])
    if (field !== undefined) return { kind: 'desync', what: `${field} of request ${i + 1}` }
  }
  if (own.length > their.length) {
    if (isError(other)) return { kind: 'accepts', what: other.end }
    return { kind: 'desync', what: `we read ${own.length} requests, the other ${their.length} (${other.end})` }
  }
  if (own.length < their.length) {
    if (isError(ours)) return { kind: 'refuses', what: ours.end }
    if (ours.end === 'closed') return { kind: 'closes', what: `request ${own.length}` }
    // In the middle of a head, which may still be refused; in the middle of a body it would be another message.
    if (ours.end === 'open' && ours.requests.length === own.length) return null
    return { kind: 'desync', what: `we read ${own.length} requests (${ours.end}), the other ${their.length}` }
  }
  // Equal so far. One that waits may refuse later, so only what is closed says something.
  if (isError(ours) || isError(other)) return null
  if (ours.end === 'closed' && other.end === 'open') return { kind: 'closes', what: `request ${own.length}` }
  if (ours.end !== other.end) return { kind: 'desync', what: `we are ${ours.end}, the other ${other.end}` }
  return null
}
