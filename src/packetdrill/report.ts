// How a run ended, for people and for programs.
// Owns: the record of a run, the text of a failure. Does not own: what failed (runner.ts), where it is printed (the command line).

import type { Micros } from '../base/time.ts'

/** How a script ended. */
export interface ScriptResult {
  readonly file: string
  readonly ok: boolean
  /** The line that failed; 0 when none did. */
  readonly line: number
  /** '' when none. */
  readonly error: string
  /** The two sides of a comparison, '' where there is none. */
  readonly expected: string
  readonly actual: string
  /** What happened, in order: time in seconds, and the packet or call. */
  readonly events: readonly string[]
  /** What was accepted without meaning anything here: commands, options. */
  readonly warnings: readonly string[]
  /** The script could not be read: nothing was run. */
  readonly unreadable: boolean
  /** The script with what has happened in the place of what was expected; '' unless that was asked for. */
  readonly recorded: string
}

/** The script does not go on: a line of it was not true. */
export class ScriptFailure extends Error {
  override name = 'ScriptFailure'
  readonly line: number
  readonly expected: string
  readonly actual: string

  constructor(line: number, message: string, expected = '', actual = '') {
    super(message)
    this.line = line
    this.expected = expected
    this.actual = actual
  }
}

/** Most lines of what happened before a failure that are printed. */
const SHOWN_EVENTS = 20

/** Seconds with six digits. */
export function formatTime(at: Micros): string {
  return (at / 1_000_000).toFixed(6)
}

/** A failure in several lines: `FILE:LINE: error ...`, both sides, and what happened before. Empty when the script passed. */
export function formatFailure(result: ScriptResult): string {
  if (result.ok) return ''
  const lines = [`${result.file}:${result.line}: error ${result.error}`]
  if (result.expected !== '') lines.push(`  expected  ${result.expected}`)
  if (result.actual !== '') lines.push(`  actual    ${result.actual}`)
  if (result.events.length > 0) {
    const shown = result.events.slice(-SHOWN_EVENTS)
    const left = result.events.length - shown.length
    lines.push(`  before${left > 0 ? ` (${left} earlier events are left out)` : ''}:`)
    for (const event of shown) lines.push(`    ${event}`)
  }
  return lines.join('\n')
}
