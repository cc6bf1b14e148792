// What a script would have to expect: its packets and calls as they stand, and what the side under test has really sent, returned and
// told in the place of what was expected. A draft of a script becomes a script this way.
// Owns: the text that comes out, and its times. Does not own: the run (runner.ts), values in the script's notation (call-match.ts).

import type { Micros } from '../base/time.ts'
import { FLAG } from '../tcp/header.ts'
import type { CallAction, Script, ScriptEvent } from './ast.ts'
import { FILLED_ARGUMENTS, formatValue, resultText, returnsDescriptor } from './call-match.ts'
import type { Flow } from './flow.ts'
import type { LivePacket } from './live-packet.ts'
import { formatLive } from './packet-match.ts'
import type { Outcome, Value } from './target.ts'

/** What a recorded script calls the first timestamp of the side under test. */
const FIRST_STAMP = 100

interface Entry {
  readonly at: Micros
  /** How long a call blocked, -1 for everything else. */
  readonly lasted: Micros
  readonly text: string
  /** Where the event stands in the script, -1 for a packet that went out. */
  readonly from: number
  readonly to: number
}

/** Gathers what happens in a run. */
export class Recorder {
  readonly #entries: (Entry & { readonly order: number })[] = []
  #order = 0
  readonly #withWindows: boolean

  constructor(withWindows: boolean) {
    this.#withWindows = withWindows
  }

  /** The place of a call that begins now among what happens at one time. */
  reserve(): number {
    return this.#order++
  }

  #add(entry: Entry, order = this.#order++): void {
    this.#entries.push({ ...entry, order })
  }

  /** An event of the script has happened as it stands. */
  event({ text, from, to }: ScriptEvent, at: Micros): void {
    this.#add({ at, lasted: -1, text: withoutTime(text), from, to })
  }

  /** Code whose assertions are true now. */
  code({ from, to }: ScriptEvent, text: string, at: Micros): void {
    this.#add({ at, lasted: -1, text: `%{${text}}%`, from, to })
  }

  /** A call is over. */
  call(
    { text, from, to }: ScriptEvent,
    action: CallAction,
    outcome: Outcome,
    at: Micros,
    endedAt: Micros,
    order: number,
  ): void {
    const shown = `${callText(text, action, outcome)} = ${resultOf(action, outcome)}`
    const waited = endedAt > at || order >= 0
    this.#add(
      { at, lasted: waited ? Math.max(1, endedAt - at) : -1, text: shown, from, to },
      order < 0 ? undefined : order,
    )
  }

  /** A packet has gone out. Numbers of a connection begin with its SYN. */
  packet(live: LivePacket, flow: Flow | null, isAlone: boolean): void {
    const { body } = live
    if (body.kind === 'tcp' && flow !== null && (body.flags & FLAG.SYN) !== 0) {
      flow.learnIsn(body.seq, 0)
      for (const option of body.options) if (option.kind === 'TS') flow.learnStamp(option.val, FIRST_STAMP)
    }
    let text = formatLive(live, flow)
    if (!this.#withWindows) text = text.replace(/ win \d+/, '')
    if (!isAlone && body.kind === 'tcp') text = text.replace(/^>/, `> ${body.sourcePort} > ${body.destinationPort}`)
    this.#add({ at: live.at, lasted: -1, text, from: -1, to: -1 })
  }

  /** The whole script: its comments and options, and every event at its time. */
  text(script: Script): string {
    const entries = this.#entries.toSorted((a, b) => a.at - b.at || a.order - b.order)
    const out: string[] = []
    let base: Micros = 0
    let copied = 0
    for (const { at, lasted, text, from, to } of entries) {
      if (from >= 0) {
        out.push(remarks(script.text.slice(copied, from), copied === 0))
        copied = to
      }
      const isCommand = text.startsWith('`') && at === base
      const time = `+${seconds(at - base)}${lasted < 0 ? '' : `...${seconds(lasted)}`}`
      out.push(isCommand ? text : `${time.padEnd(6)} ${text}`)
      base = at
    }
    return `${out.filter((line) => line.trim() !== '').join('\n')}\n`
  }
}

/** The comments between two events; before the first one the options too. */
function remarks(text: string, isFirst: boolean): string {
  if (isFirst) return text.trim()
  return text
    .split('\n')
    .filter((line) => /^\s*(\/\/|#)/.test(line))
    .join('\n')
}

function seconds(us: Micros): string {
  const text = (Math.max(0, us) / 1e6).toFixed(6).replace(/\.?0+$/, '')
  return text.replace(/^0\./, '.')
}

function withoutTime(text: string): string {
  return text.replace(/^(?:\*|\+?\s*[\d.]+(?:\s*~\s*\+?\s*[\d.]+)?)\s+(?=[<`%])/, '')
}

function resultOf(action: CallAction, { value, errno }: Outcome): string {
  const { expected } = action
  if (errno === '' && value >= 0 && returnsDescriptor(action) && expected.least !== null) return String(expected.least)
  return resultText(value, errno)
}

/** The call as it stands, or with what it has filled in where that is something else. */
function callText(text: string, action: CallAction, outcome: Outcome): string {
  const args = action.args.map((given, i) => {
    const isFilled = outcome.errno === '' && (FILLED_ARGUMENTS[action.name] ?? []).includes(i)
    return isFilled ? filled(given, outcome.outputs[i]) : given
  })
  const isSame = JSON.stringify(args) === JSON.stringify(action.args)
  if (isSame) return withoutResult(text)
  return `${action.name}(${args.map(formatValue).join(', ')})`
}

const withoutResult = (text: string): string =>
  text.replace(/^[^A-Za-z_]*?(?=[A-Za-z_])/, '').replace(/\s*=[^=]*$/s, '')

/** What the script has given, with the numbers that were found. */
function filled(given: Value, found: Value | undefined): Value {
  if (found === undefined || found === null || given === null) return given
  if (Array.isArray(given)) {
    const items: readonly Value[] = Array.isArray(found) ? found : [found]
    if (given.length === 0 || items.length === 0) return items
    return items.map((item, i) => filled(given[Math.min(i, given.length - 1)] as Value, item))
  }
  if (typeof given === 'object' && typeof found === 'object' && !Array.isArray(found)) {
    const fields = found as Readonly<Record<string, Value>>
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, filled(value, fields[name])]))
  }
  return typeof given === 'object' ? given : found
}
