// How much a script notices: the same script with one mistake in its expectations at a time, each of which should make it fail.
// Owns: which mistakes there are. Does not own: running (runner.ts), what is printed (the command line).
// Only what a script expects is changed, never what it does: packets that go out, results, assertions. Left out is what cannot be noticed
// by the language's own rules: the last packet that goes out (nothing reads the wire after it), values of timestamps, what is not written.

import { FLAG } from '../tcp/header.ts'
import type { Action, CallAction, OptionSpec, PacketAction, Script, ScriptEvent, TcpSpec } from './ast.ts'
import { FILLED_ARGUMENTS, formatValue, returnsDescriptor } from './call-match.ts'
import { formatSpec } from './packet-match.ts'
import { assertionsNegated } from './python.ts'
import { isPureAck } from './semantic.ts'
import type { Value } from './target.ts'

/** A script with one mistake. */
export interface Mutant {
  readonly script: Script
  readonly line: number
  /** `ack + 1`. */
  readonly what: string
  /** The line with the mistake in it; '' for one that is left out. */
  readonly text: string
}

/** What is to be changed, and how much. */
export interface MutateOptions {
  readonly semantic?: boolean
  /** The tolerance of the run; times are shifted by 25 times as much. */
  readonly toleranceUs?: number
}

const DEFAULT_TOLERANCE_US = 4000
const SHIFT = 25

interface Change {
  readonly what: string
  readonly action?: Action
  readonly time?: ScriptEvent['time']
  readonly text: string
}

/** All mutants of a script, in the order of its lines. */
export function mutantsOf(script: Script, options: MutateOptions = {}): Mutant[] {
  const mutants: Mutant[] = []
  const { events } = script
  const isOut = (event: ScriptEvent): boolean => event.action.kind === 'packet' && event.action.direction === 'out'
  const last = events.findLastIndex(isOut)
  for (const [i, event] of events.entries()) {
    for (const { what, action, time, text } of changesOf(event, options)) {
      const changed: ScriptEvent = { ...event, action: action ?? event.action, time: time ?? event.time }
      mutants.push({ script: { ...script, events: events.with(i, changed) }, line: event.line, what, text })
    }
    const isDropped = isOut(event) && i < last && !mayGoMissing(event, options)
    if (!isDropped) continue
    const without = { ...script, events: events.toSpliced(i, 1) }
    mutants.push({ script: without, line: event.line, what: 'line left out', text: '' })
  }
  return mutants
}

/** Semantically an extra acknowledgement may come, so that a script without it is as good. */
function mayGoMissing({ action }: ScriptEvent, { semantic }: MutateOptions): boolean {
  return semantic === true && action.kind === 'packet' && action.body.kind === 'tcp' && isPureAck(action.body)
}

function changesOf(event: ScriptEvent, options: MutateOptions): Change[] {
  const { action } = event
  if (action.kind === 'code') {
    return assertionsNegated(action.text).map((text) => ({
      what: 'assertion negated',
      action: { kind: 'code', text },
      text: text.trim(),
    }))
  }
  if (action.kind === 'call') return callChanges(event, action)
  if (action.kind !== 'packet' || action.direction !== 'out' || action.body.kind !== 'tcp') return []
  return [...packetChanges(action, action.body, options), ...timeChanges(event, options)]
}

// Packets.

function packetChanges(action: PacketAction, body: TcpSpec, options: MutateOptions): Change[] {
  const changes: Change[] = []
  const add = (what: string, fields: Partial<TcpSpec>): void => {
    const changed: PacketAction = { ...action, body: { ...body, ...fields } }
    changes.push({ what, action: changed, text: formatSpec(changed) })
  }
  const strict = options.semantic !== true
  for (const by of [1, -1]) {
    const sign = by > 0 ? '+ 1' : '- 1'
    add(`seq ${sign}`, { seq: (body.seq + by + 2 ** 32) % 2 ** 32 })
    if (body.ack >= 0) add(`ack ${sign}`, { ack: (body.ack + by + 2 ** 32) % 2 ** 32 })
    if (body.length + by >= 0) add(`length ${sign}`, { length: body.length + by })
    if (strict && body.window + by >= 0 && body.window >= 0) add(`window ${sign}`, { window: body.window + by })
  }
  if (strict) add('PSH flipped', { flags: body.flags ^ FLAG.PSH })
  add('FIN flipped', { flags: body.flags ^ FLAG.FIN })
  add('RST flipped', { flags: body.flags ^ FLAG.RST })
  add('ECE flipped', { flags: body.flags ^ FLAG.ECE })
  for (const { what, option, index } of optionChanges(body.options ?? [], strict)) {
    add(what, { options: (body.options ?? []).with(index, option) })
  }
  return changes
}

function optionChanges(
  options: readonly OptionSpec[],
  strict: boolean,
): { what: string; option: OptionSpec; index: number }[] {
  const changes: { what: string; option: OptionSpec; index: number }[] = []
  for (const [index, option] of options.entries()) {
    if (option.kind === 'mss') changes.push({ what: 'mss + 1', option: { ...option, value: option.value + 1 }, index })
    if (option.kind === 'wscale' && strict) {
      changes.push({ what: 'wscale + 1', option: { ...option, value: option.value + 1 }, index })
    }
    if (option.kind === 'TS' && strict && option.ecr >= 0) {
      changes.push({ what: 'ecr + 1', option: { ...option, ecr: option.ecr + 1 }, index })
    }
    if (option.kind !== 'sack') continue
    for (const [b, [left, right]] of option.blocks.entries()) {
      const moved = (block: readonly [number, number]): OptionSpec => ({
        ...option,
        blocks: option.blocks.with(b, block),
      })
      changes.push({ what: 'left edge of SACK + 1', option: moved([left + 1, right]), index })
      changes.push({ what: 'right edge of SACK - 1', option: moved([left, right - 1]), index })
    }
  }
  return changes
}

function timeChanges(event: ScriptEvent, options: MutateOptions): Change[] {
  const { time, action } = event
  const isFree =
    options.semantic === true && action.kind === 'packet' && action.body.kind === 'tcp' && isPureAck(action.body)
  if (time.kind === 'any' || isFree) return []
  const shift = SHIFT * (options.toleranceUs ?? DEFAULT_TOLERANCE_US)
  const later = { ...time, start: time.end + shift, end: time.end + shift }
  const changes: Change[] = [{ what: `${shift / 1000} ms later`, time: later, text: event.text }]
  if (time.start >= shift) {
    const sooner = { ...time, start: time.start - shift, end: time.start - shift }
    changes.push({ what: `${shift / 1000} ms sooner`, time: sooner, text: event.text })
  }
  return changes
}

// Calls.

function callChanges(event: ScriptEvent, action: CallAction): Change[] {
  const { least, most, errno } = action.expected
  const changes: Change[] = []
  const expect = (what: string, value: number, name: string): void => {
    changes.push({
      what,
      action: { ...action, expected: { least: value, most: value, errno: name, note: '' } },
      text: `${event.text.replace(/=[^=]*$/s, '')}= ${value}${name === '' ? '' : ` ${name}`}`,
    })
  }
  if (least !== null && most !== null) {
    if (errno !== '') expect('errno changed', least, errno === 'EINVAL' ? 'EPIPE' : 'EINVAL')
    else if (least >= 0) expect('error expected', -1, 'EINVAL')
    if (least < 0) expect('success expected', 0, '')
    else if (!returnsDescriptor(action)) {
      expect('result + 1', most + 1, '')
      if (least > 0) expect('result - 1', least - 1, '')
    }
  }
  // A call that fails, and a wait for nothing, fill in nothing.
  if (least !== null && (least < 0 || (least === 0 && action.name === 'epoll_wait'))) return changes
  for (const index of FILLED_ARGUMENTS[action.name] ?? []) {
    // The length is the caller's too: a longer one is as good.
    if (action.name === 'getsockopt' && index === 4) continue
    const value = action.args[index]
    const changed = value === undefined ? null : withNumberChanged(value)
    if (changed === null) continue
    const args = action.args.with(index, changed)
    const text = `${action.name}(${args.map(formatValue).join(', ')})`
    changes.push({ what: `argument ${index + 1} changed`, action: { ...action, args }, text })
  }
  return changes
}

/** The value with the last number in it that a call fills in changed by one; null when it has none. */
function withNumberChanged(value: Value): Value {
  if (typeof value === 'number') return value + 1
  if (value === null || typeof value === 'string') return null
  if (Array.isArray(value)) {
    const i = value.findLastIndex((item: Value) => withNumberChanged(item) !== null)
    return i < 0 ? null : value.with(i, withNumberChanged(value[i]))
  }
  const fields = value as Readonly<Record<string, Value>>
  const names = Object.keys(fields).filter((name) => !GIVEN_FIELDS.has(name))
  const name = names.findLast((one) => withNumberChanged(fields[one]) !== null)
  return name === undefined ? null : { ...fields, [name]: withNumberChanged(fields[name]) }
}

/** Fields of arguments that the caller fills in, not the call. */
const GIVEN_FIELDS = new Set(['fd', 'msg_iov', 'msg_name', 'msg_namelen'])
