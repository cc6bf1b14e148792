// Reading impairments from the command line: '1%', '20ms', '10mbit', '64kb', and 'delay=20ms,loss=1%,rate=10mbit' as a whole.
// Owns: the texts and their errors. Does not own: which combinations make sense (impairment.ts).

import type { Micros } from '../base/time.ts'
import { type Impairment, validateImpairment } from './impairment.ts'

const DURATIONS: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, min: 60e6 }
const RATES: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 }
const SIZES: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1024, mb: 1024 * 1024 }

function readUnit(text: string, units: Readonly<Record<string, number>>, mend: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?|\.[0-9]+)([a-z]*)$/i.exec(text.trim())
  const unit = match === null ? undefined : match[2].toLowerCase()
  if (match === null || unit === undefined || !Object.hasOwn(units, unit)) throw new TypeError(`'${text}': ${mend}`)
  return Number(match[1]) * units[unit]
}

/**
 * Reads a probability written in percent, as `1%` or `0.05%`; the result is from 0 to 1.
 * @throws {TypeError} when the text is no percentage from 0% to 100%
 */
export function parsePercent(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?|\.[0-9]+)%$/.exec(text.trim())
  if (match === null || Number(match[1]) > 100)
    throw new TypeError(`'${text}': write a percentage from 0% to 100%, as 1%`)
  return Number(match[1]) / 100
}

/**
 * Reads a duration with its unit (us, ms, s), as `20ms`; the result is in microseconds.
 * @throws {TypeError} when the text is no duration
 */
export function parseDuration(text: string): Micros {
  return readUnit(text, DURATIONS, 'write a duration with us, ms, s or min, as 20ms')
}

/**
 * Reads a rate with its unit (bit, kbit, mbit, gbit; thousands), as `10mbit`; the result is in bits per second.
 * @throws {TypeError} when the text is no rate above 0; `mbps` is refused, because some tools take it for bytes
 */
export function parseRate(text: string): number {
  const mend = 'write a rate in bits per second with bit, kbit, mbit or gbit, as 10mbit'
  const rate = readUnit(text, RATES, mend)
  if (rate === 0) throw new TypeError(`'${text}': ${mend}, above 0`)
  return rate
}

/**
 * Reads a size with its unit (none, b, kb, mb; 1024 bytes to the kb, as tc has it), as `64kb`; the result is in bytes.
 * @throws {TypeError} when the text is no size
 */
export function parseSize(text: string): number {
  return Math.round(readUnit(text, SIZES, 'write a size in bytes, or with kb or mb, as 64kb'))
}

/**
 * Reads a number of packets, as `20p`.
 * @throws {TypeError} when the text is no such number
 */
export function parsePackets(text: string): number {
  if (!/^[0-9]+p$/.test(text.trim())) throw new TypeError(`'${text}': write a number of packets with p, as 20p`)
  return Number(text.trim().slice(0, -1))
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const FIELDS: Readonly<Record<string, (value: string, into: Mutable<Impairment>) => void>> = {
  delay: (value, into) => {
    into.delayUs = parseDuration(value)
  },
  jitter: (value, into) => {
    into.jitterUs = parseDuration(value)
  },
  loss: (value, into) => {
    into.lossRate = parsePercent(value)
  },
  duplicate: (value, into) => {
    into.duplicateRate = parsePercent(value)
  },
  reorder: (value, into) => {
    into.reorderRate = parsePercent(value)
  },
  'reorder-delay': (value, into) => {
    into.reorderDelayUs = parseDuration(value)
  },
  corrupt: (value, into) => {
    into.corruptRate = parsePercent(value)
  },
  mark: (value, into) => {
    into.markRate = parsePercent(value)
  },
  'mark-threshold': (value, into) => {
    into.markThreshold = parsePackets(value)
  },
  rate: (value, into) => {
    into.rateBps = parseRate(value)
  },
  queue: (value, into) => {
    if (/^[0-9]+p$/.test(value)) into.queuePackets = parsePackets(value)
    else into.queueBytes = parseSize(value)
  },
}

/**
 * Reads a whole impairment: `delay=20ms,jitter=2ms,loss=1%,duplicate=1%,reorder=1%,reorder-delay=5ms,corrupt=1%,mark=1%,rate=10mbit,
 * queue=64kb,mark-threshold=20p` (or `queue=100p` for packets), any of them in any order. The empty text is no impairment.
 * @throws {TypeError} when a part cannot be read @throws {RangeError} when the parts do not fit together
 */
export function parseImpairment(text: string): Impairment {
  const impairment: Mutable<Impairment> = {}
  for (const part of text.split(',')) {
    if (part.trim() === '') continue
    const [name, value, ...rest] = part.split('=').map((word) => word.trim())
    if (!Object.hasOwn(FIELDS, name) || value === undefined || rest.length > 0) {
      throw new TypeError(`'${part.trim()}': write name=value, with a name of ${Object.keys(FIELDS).join(', ')}`)
    }
    FIELDS[name](value, impairment)
  }
  validateImpairment(impairment)
  return impairment
}
