// Reading the values of options: whole numbers, seconds, TCP settings; and joining a reader to commander.
// Owns: the texts of errors about one value. Does not own: which options there are (options.ts), impairments (link/impair-options.ts).

import { InvalidArgumentError, Option } from 'commander'
import { MILLISECOND, MINUTE, type Micros, SECOND } from '../base/time.ts'
import { parseDuration, parseSize } from '../link/impair-options.ts'
import { KNOBS, type TcpConfig, tcpConfig } from '../tcp/config.ts'
import { congestionControlNames } from '../tcp/congestion/index.ts'
import { messageOf } from './errors.ts'

/** Columns of the list of settings. */
const HELP_COLUMNS = 100

const LONGEST_DELAY_US = 60 * MINUTE

/** Reads a whole number from `least` to `most`. @throws {TypeError} when the text is none */
export function parseWhole(text: string, least: number, most: number): number {
  const value = Number(text)
  if (!/^[0-9]{1,15}$/.test(text) || value < least || value > most) {
    throw new TypeError(`give a whole number from ${least} to ${most}`)
  }
  return value
}

/** Reads seconds, decimals allowed (`0.5`). @throws {TypeError} when the text is no such number, or below `least` */
export function parseSeconds(text: string, least = 0): number {
  const value = Number(text)
  if (!/^(?:[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+)$/.test(text) || value < least) {
    throw new TypeError(`give seconds of at least ${least}, as 0.5`)
  }
  return value
}

const FLAGS: Readonly<Record<string, boolean>> = { true: true, on: true, 1: true, false: false, off: false, 0: false }

/**
 * Reads `name=value`, a TCP setting: a number, `true`/`false` or a word, as the setting wants; durations may carry a unit (`40ms`) and
 * sizes too (`64kb`). The bounds are checked.
 * @throws {TypeError} {RangeError} naming the setting and the mend
 */
export function parseTcpSetting(text: string): Partial<TcpConfig> {
  const at = text.indexOf('=')
  if (at <= 0) throw new TypeError('write name=value, as nagle=false or mss=1000')
  const name = text.slice(0, at)
  const overrides = { [name]: readSetting(name, text.slice(at + 1).trim()) }
  tcpConfig(overrides)
  return overrides
}

/**
 * The names that --set knows, with their defaults: in columns, then those that are one of a few words with the other words, and the
 * numbers for which Infinity or -1 has a meaning.
 */
export function settingsHelp(): string {
  const knobs = Object.entries(KNOBS).map(([name, knob]) => ({
    words: allowedWords(name, knob.oneOf),
    text: `${name}=${settingText(name, knob.default)}`,
    name,
    knob,
  }))
  const named = (test: (knob: { readonly least?: number; readonly most?: number }) => boolean): string =>
    knobs.flatMap(({ name, knob }) => (test(knob) ? [name] : [])).join(', ')
  return [
    'TCP settings for --set, with their defaults (durations take us, ms, s or min, sizes kb or mb):',
    ...inColumns(knobs.filter(({ words }) => words.length === 0).map(({ text }) => text)),
    'One of several words:',
    ...knobs
      .filter(({ words }) => words.length > 0)
      .map(({ text, words }) => `  ${text.padEnd(26)} or ${words.join(', ')}`),
    ...folded(`Infinity, for never, may be: ${named(({ most }) => most === Number.POSITIVE_INFINITY)}.`),
    ...folded(`-1, for not at all, may be: ${named(({ least }) => least === -1)}.`),
  ].join('\n')
}

/** The words that a setting may be, but for its default; none for numbers and flags. */
function allowedWords(name: string, oneOf: readonly unknown[] | undefined): string[] {
  const words = name === 'congestion' ? congestionControlNames() : ((oneOf ?? []) as readonly string[])
  return words.filter((word) => word !== KNOBS[name as keyof TcpConfig].default)
}

function inColumns(words: readonly string[]): string[] {
  const width = Math.max(...words.map((word) => word.length)) + 2
  const columns = Math.max(1, Math.floor(HELP_COLUMNS / width))
  const lines: string[] = []
  for (let at = 0; at < words.length; at += columns) {
    const row = words.slice(at, at + columns).map((word) => word.padEnd(width))
    lines.push(`  ${row.join('').trimEnd()}`)
  }
  return lines
}

/** One sentence in lines no wider than the list. */
function folded(text: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1]
    if (last.length + word.length >= HELP_COLUMNS) lines.push(`  ${word}`)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}

/** As --set reads it back: milliseconds or seconds, kb or mb where they are whole, else the plain number. */
function settingText(name: string, value: unknown): string {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return String(value)
  if (name.endsWith('Bytes')) return sizeText(value)
  if (!name.endsWith('Us')) return String(value)
  if (value % SECOND === 0) return `${value / SECOND}s`
  return value % MILLISECOND === 0 ? `${value / MILLISECOND}ms` : `${value}us`
}

function sizeText(bytes: number): string {
  if (bytes % (1 << 20) === 0) return `${bytes / (1 << 20)}mb`
  return bytes % 1024 === 0 ? `${bytes / 1024}kb` : String(bytes)
}

/** Reads a delay of a link. @throws {TypeError} when the text is no duration, or one above an hour */
export function parseDelay(text: string): Micros {
  const delay = parseDuration(text)
  if (delay > LONGEST_DELAY_US) {
    throw new TypeError(`'${text}': a link delays by at most an hour (3600s); TCP gives up long before`)
  }
  return delay
}

function readSetting(name: string, value: string): unknown {
  const knob = Object.hasOwn(KNOBS, name) ? KNOBS[name as keyof TcpConfig] : undefined
  switch (typeof knob?.default) {
    case 'boolean':
      if (Object.hasOwn(FLAGS, value)) return FLAGS[value]
      throw new TypeError(`TCP setting '${name}' is true or false, not '${value}'`)
    case 'number':
      return readNumber(name, value)
    default:
      return value // a word, whose check names those allowed; or no setting at all, which tcpConfig says best
  }
}

function readNumber(name: string, value: string): number {
  if (/^-?infinity$/i.test(value)) return value.startsWith('-') ? -Number.POSITIVE_INFINITY : Number.POSITIVE_INFINITY
  if (/^-?[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?$/.test(value)) return Number(value)
  if (name.endsWith('Us')) return parseDuration(value)
  if (name.endsWith('Bytes')) return parseSize(value)
  throw new TypeError(`TCP setting '${name}' is a number, not '${value}'`)
}

/**
 * An option whose value is read by `parse`; what that throws becomes commander's error for the option.
 * @param flags as commander has them, `'-c, --count <n>'`
 */
export function valueOption<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return new Option(flags, description).argParser((text: string) => reading(text, parse))
}

/** As valueOption, for an option that may be repeated: the values come in an array. */
export function listOption<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return new Option(flags, description).argParser((text: string, before: readonly T[] | undefined) => [
    ...(before ?? []),
    reading(text, parse),
  ])
}

function reading<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch (error) {
    // commander's own text repeats the argument already.
    const message = messageOf(error)
    const prefix = `'${text}': `
    throw new InvalidArgumentError(message.startsWith(prefix) ? message.slice(prefix.length) : message)
  }
}
