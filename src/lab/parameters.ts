// Parameters as texts: reading them in their unit, checking range and words, with errors that name the mend.
// Owns: the units. Does not own: which parameters there are (experiments/).

import { didYouMean } from '../base/suggest.ts'
import { parseDuration, parsePercent, parseRate, parseSize } from '../link/impair-options.ts'
import type { Parameter, Unit } from './types.ts'

const READ: Readonly<Record<Exclude<Unit, 'word'>, (text: string) => number>> = {
  number: (text) => plainNumber(text, 'write a number'),
  count: (text) => {
    const value = plainNumber(text, 'write a whole number')
    if (!Number.isInteger(value)) throw new TypeError(`'${text}': write a whole number`)
    return value
  },
  bytes: parseSize,
  time: parseDuration,
  rate: parseRate,
  percent: parsePercent,
}

function plainNumber(text: string, mend: string): number {
  if (!/^-?[0-9]+(?:\.[0-9]+)?$/.test(text.trim())) throw new TypeError(`'${text}': ${mend}`)
  return Number(text)
}

/** Reads one value. @throws {TypeError | RangeError} naming the parameter and the mend */
export function readParameter(name: string, parameter: Parameter, text: string): number | string {
  const { unit, oneOf, range } = parameter
  if (unit === 'word') {
    if (oneOf !== undefined && !oneOf.includes(text)) {
      throw new TypeError(`--${name} is one of ${oneOf.join(', ')}, not '${text}'`)
    }
    return text
  }
  const read = READ[unit]
  let value: number
  try {
    value = read(text)
  } catch (error) {
    throw new TypeError(`--${name}: ${(error as Error).message}`)
  }
  if (range !== undefined && !(value >= read(range[0]) && value <= read(range[1]))) {
    throw new RangeError(`--${name} is from ${range[0]} to ${range[1]}, not ${text}`)
  }
  return value
}

/** Reads all of them, defaults for those not given. @throws {TypeError | RangeError} for an unknown name, or as readParameter */
export function readParameters(
  parameters: Readonly<Record<string, Parameter>>,
  given: Readonly<Record<string, string>>,
): Record<string, number | string> {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(parameters, name)) continue
    const names = Object.keys(parameters).map((known) => `--${known}`)
    const known =
      didYouMean(`--${name}`, names) || (names.length === 0 ? '; it has none' : `; there are: ${names.join(', ')}`)
    throw new TypeError(`this experiment has no parameter --${name}${known}`)
  }
  return Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => [
      name,
      readParameter(name, parameter, given[name] ?? parameter.default),
    ]),
  )
}
