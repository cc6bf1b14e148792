// A script as text becomes a Script: options first, then events, each with its time. All mistakes of a script are found in one go.
// Owns: options, definitions, times, where an event ends and the next begins. Does not own: packets (parse-packet.ts), calls
// (parse-call.ts), the Python of `%{ }%` (python.ts).
//
//     --tolerance_usecs=10000                              options
//     `sysctl -q net.ipv4.tcp_ecn=0`                       a command
//     0      socket(..., SOCK_STREAM, IPPROTO_TCP) = 3     absolute time, in seconds
//     +0.1   < S 0:0(0) win 65535 <mss 1460>               0.1 s after the event before
//     +0~+.2 > S. 0:0(0) ack 1 <...>                       somewhere in between
//     *      > . 1:1(0) ack 1                              at any time
//     +0...0.3 read(4, ..., 100) = 100                     blocks, and returns at 0.3

import type { Action, Complaint, EventTime, Script, ScriptEvent } from './ast.ts'
import { Scanner, ScriptSyntaxError } from './lexer.ts'
import { parseCall, seesCall } from './parse-call.ts'
import { parsePacket } from './parse-packet.ts'

/** What became of a text: a script, or everything that is wrong with it. */
export interface ParseResult {
  /** With the events that were understood, also when others were not. */
  readonly script: Script
  readonly complaints: readonly Complaint[]
}

const SECONDS = /(\d+(?:\.(?!\.)\d*)?|\.\d+)/.source
const TIME = new RegExp(`(\\*)|(\\+)?\\s*${SECONDS}(?:\\s*~\\s*(\\+)?\\s*${SECONDS})?`, 'y')
const BLOCKS_UNTIL = new RegExp(`\\.\\.\\.\\s*\\+?${SECONDS}`, 'y')
const EVENT_START = /^[ \t]*(?:\*[ \t]|\+?\s*(?:\d|\.\d)|`|%\{)/

/** Most complaints about one script; the rest would be about the same mistake. */
const MOST_COMPLAINTS = 50

/**
 * Reads a script.
 * @param file its name, for messages
 * @param definitions names and what stands for them, before those of the script's own `--define` lines
 * @param ipVersion as --ip_version, when it is not the script's to say
 */
export function parseScript(
  text: string,
  file: string,
  definitions: Readonly<Record<string, string>> = {},
  ipVersion = '',
): ParseResult {
  const complaints: Complaint[] = []
  const head = new Scanner(text)
  const options: { name: string; value: string; line: number }[] = []
  const defined: Record<string, string> = {}
  try {
    readOptions(head, options, defined)
  } catch (error) {
    complaints.push(complaintOf(error))
  }
  Object.assign(defined, definitions)
  const version = options.findLast(({ name }) => name === 'ip_version')?.value ?? 'ipv4'
  defineByFamily(defined, ipVersion || version)
  const body = text.slice(0, head.at) + define(text.slice(head.at), defined)
  const scanner = new Scanner(body)
  scanner.at = head.at
  const events: ScriptEvent[] = []
  while (complaints.length < MOST_COMPLAINTS) {
    let from = scanner.at
    try {
      if (scanner.isAtEnd) break
      from = scanner.at
      events.push(readEvent(scanner))
    } catch (error) {
      complaints.push(complaintOf(error))
      scanner.at = from
      skipToEvent(scanner)
    }
  }
  return { script: { file, text: body, options, events }, complaints }
}

function complaintOf(error: unknown): Complaint {
  if (!(error instanceof ScriptSyntaxError)) throw error
  return { line: error.line, column: error.column, message: error.message }
}

function readOptions(
  scanner: Scanner,
  options: { name: string; value: string; line: number }[],
  defined: Record<string, string>,
): void {
  for (;;) {
    const found = scanner.match(/(?:--([A-Za-z0-9_]+)|(-D))(?:\s*=\s*|[ \t]*(?=[A-Za-z_]+=))?("[^"\n]*"|[^\s"`]\S*)?/y)
    if (found === null) return
    const at = scanner.at - found[0].length
    const value = (found[3] ?? '').replace(/^"(.*)"$/, '$1')
    const name = found[2] === undefined ? found[1] : 'define'
    if (name === 'define') {
      const pair = /^([A-Za-z_]\w*)=(.*)$/.exec(value)
      if (pair === null) scanner.fail(`a definition is --define=NAME=VALUE, not '${found[0]}'`, at)
      defined[pair[1]] = pair[2].replace(/^"(.*)"$/, '$1')
    }
    options.push({ name, value, line: scanner.position(at).line })
  }
}

/** What scripts for both families call the ancillary data of the error queue. */
function defineByFamily(defined: Record<string, string>, version: string): void {
  const isV4 = version === 'ipv4'
  defined.CMSG_LEVEL_IP ??= isV4 ? 'SOL_IP' : 'SOL_IPV6'
  defined.CMSG_TYPE_RECVERR ??= isV4 ? 'IP_RECVERR' : 'IPV6_RECVERR'
}

/** Puts values in the place of names. */
function define(text: string, defined: Readonly<Record<string, string>>): string {
  const names = Object.keys(defined)
  if (names.length === 0) return text
  return text.replace(new RegExp(`\\b(?:${names.join('|')})\\b`, 'g'), (name) => defined[name])
}

/** Goes on at the next line that looks like an event. */
function skipToEvent(scanner: Scanner): void {
  const { text } = scanner
  for (;;) {
    const next = text.indexOf('\n', scanner.at)
    if (next < 0) {
      scanner.at = text.length
      return
    }
    scanner.at = next + 1
    if (EVENT_START.test(text.slice(scanner.at, scanner.at + 80))) return
  }
}

const NOW: EventTime = { kind: 'relative', start: 0, end: 0 }

function readEvent(scanner: Scanner): ScriptEvent {
  scanner.skip()
  const from = scanner.at
  const place = scanner.position()
  let time = NOW
  if (!scanner.sees('`') && !scanner.sees('%{')) time = readTime(scanner)
  const action = readAction(scanner, time)
  const to = scanner.at
  return { ...place, time, action, from, to, text: scanner.text.slice(from, to).trim() }
}

function readTime(scanner: Scanner): EventTime {
  const found = scanner.match(TIME)
  if (found === null) scanner.fail(`expected the time of an event, as 0.1 or +0.1, found ${scanner.ahead()}`)
  if (found[1] !== undefined) return { kind: 'any', start: 0, end: 0 }
  const start = microseconds(found[3])
  const end = found[5] === undefined ? start : microseconds(found[5])
  if (end < start) scanner.fail(`a span of time ends before it begins: ${found[0]}`, scanner.at - found[0].length)
  return { kind: found[2] === undefined ? 'absolute' : 'relative', start, end }
}

function microseconds(seconds: string): number {
  return Math.round(Number(seconds) * 1_000_000)
}

function readAction(scanner: Scanner, time: EventTime): Action {
  const blocks = scanner.match(BLOCKS_UNTIL)
  const at = scanner.at
  if (blocks !== null) {
    if (!seesCall(scanner)) scanner.fail('only a call can block', at)
    const until = microseconds(blocks[1])
    if (until < time.start) scanner.fail('a call cannot return before it starts', at - blocks[0].length)
    return parseCall(scanner, until)
  }
  if (scanner.sees('<') || scanner.sees('>')) return parsePacket(scanner)
  if (scanner.sees('`')) {
    const found = scanner.match(/`([^`]*)`/y)
    if (found === null) scanner.fail('a command that begins here is not closed: there is no second `')
    return { kind: 'command', text: found[1].trim() }
  }
  if (scanner.sees('%{')) {
    const found = scanner.match(/%\{([\s\S]*?)\}%/y)
    if (found === null) scanner.fail('code that begins here is not closed: there is no }%')
    return { kind: 'code', text: found[1] }
  }
  if (seesCall(scanner)) return parseCall(scanner, -1)
  return scanner.fail(`expected a packet (< or >), a call, \`a command\` or %{ code }%, found ${scanner.ahead()}`)
}
