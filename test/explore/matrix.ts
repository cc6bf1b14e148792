// Figure 5 against what was seen. Owns: the table of what cannot be, and why. Does not own: the figure (src/tcp/state.ts).

import { type State, TRANSITIONS } from '../../src/tcp/state.ts'

/** Transitions that no world can show, and why. */
export const IMPOSSIBLE: Readonly<Record<string, string>> = {
  'LISTEN > SYN-SENT': 'a Listener has no SEND (RFC 9293 §3.9.1.2 leaves it to the implementation)',
  'SYN-RECEIVED > FIN-WAIT-1': 'CLOSE waits for ESTABLISHED (RFC 9293 §3.10.4), which is then left at once',
  'SYN-RECEIVED > CLOSE-WAIT': 'what brings the FIN acknowledges our SYN as well: ESTABLISHED is passed on the way',
  'FIN-WAIT-1 > TIME-WAIT':
    'the fifth check comes first: what acknowledges our FIN leads to FIN-WAIT-2, and its FIN on from there',
  'CLOSED > SYN-RECEIVED': 'counted as LISTEN > SYN-RECEIVED: the record is made from a Listener',
}

/** The transitions of figure 5, as `from > to`. */
export function figure5(): string[] {
  return Object.entries(TRANSITIONS).flatMap(([from, to]) => Object.keys(to).map((name) => `${from} > ${name}`))
}

/** What should have been seen and was not; and what was called impossible and was seen. */
export function judgeMatrix(seen: ReadonlyMap<string, number>): string[] {
  const missing = figure5().filter((change) => !seen.has(change) && IMPOSSIBLE[change] === undefined)
  const wrong = Object.keys(IMPOSSIBLE).filter((change) => seen.has(change))
  return [
    ...missing.map((change) => `${change} of figure 5 was not seen`),
    ...wrong.map((change) => `${change} was seen and should not be possible`),
  ]
}

/** The changes that were seen, with their counts, one to a line. */
export function matrixText(seen: ReadonlyMap<string, number>): string {
  const inFigure = new Set(figure5())
  const order: State[] = Object.keys(TRANSITIONS) as State[]
  const rank = (change: string): number => order.indexOf(change.split(' > ')[0] as State)
  const all = [...new Set([...inFigure, ...seen.keys()])].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
  return all
    .map((change) => {
      const note = IMPOSSIBLE[change] ?? (inFigure.has(change) ? '' : 'reset, abort, timeout')
      return `  ${change.padEnd(28)} ${String(seen.get(change) ?? '-').padStart(8)}  ${note}`.trimEnd()
    })
    .join('\n')
}
