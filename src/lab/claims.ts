// Claims: sentences with numbers that can turn out wrong. Each function compares and keeps what it compared.
// Owns: the comparisons. Does not own: what is claimed (experiments/).

import type { Claim, Figure } from './types.ts'

/** A figure. */
export function figure(name: string, value: number | string, unit = ''): Figure {
  return { name, value, unit }
}

/** What every claim has: its sentence and where its expectation comes from. */
export interface Sentence {
  readonly text: string
  readonly because: string
  readonly unit?: string
  /** More numbers to show beside. */
  readonly beside?: readonly Figure[]
}

const pair = (measured: number | string, expected: number | string, sentence: Sentence): Figure[] => [
  figure('measured', measured, sentence.unit),
  figure('expected', expected, sentence.unit),
  ...(sentence.beside ?? []),
]

/** The very value. */
export function claimExact(sentence: Sentence, measured: number | string, expected: number | string): Claim {
  const { text, because } = sentence
  return {
    text,
    because,
    holds: measured === expected,
    figures: pair(measured, expected, sentence),
    tolerance: 'exact',
  }
}

/** A value that differs from the expected one by at most a share of it (`share: 0.2` for 20 %). */
export function claimNear(sentence: Sentence, measured: number, expected: number, share: number): Claim {
  const holds = Math.abs(measured - expected) <= Math.abs(expected) * share
  const tolerance = `within ${Math.round(share * 1000) / 10} %`
  return {
    text: sentence.text,
    because: sentence.because,
    holds,
    figures: pair(measured, expected, sentence),
    tolerance,
  }
}

/** A value that differs from the expected one by at most `by`, in its own unit. */
export function claimWithin(sentence: Sentence, measured: number, expected: number, by: number): Claim {
  const holds = Math.abs(measured - expected) <= by
  const tolerance = `within ${by}${sentence.unit === undefined ? '' : ` ${sentence.unit}`}`
  return {
    text: sentence.text,
    because: sentence.because,
    holds,
    figures: pair(measured, expected, sentence),
    tolerance,
  }
}

/** A value of at least so much. */
export function claimAtLeast(sentence: Sentence, measured: number, least: number): Claim {
  const figures = [
    figure('measured', measured, sentence.unit),
    figure('at least', least, sentence.unit),
    ...(sentence.beside ?? []),
  ]
  return { text: sentence.text, because: sentence.because, holds: measured >= least, figures, tolerance: 'at least' }
}

/** A value of at most so much. */
export function claimAtMost(sentence: Sentence, measured: number, most: number): Claim {
  const figures = [
    figure('measured', measured, sentence.unit),
    figure('at most', most, sentence.unit),
    ...(sentence.beside ?? []),
  ]
  return { text: sentence.text, because: sentence.because, holds: measured <= most, figures, tolerance: 'at most' }
}

/** Values that rise from one to the next, strictly: each with its name. */
export function claimOrder(sentence: Sentence, values: readonly (readonly [string, number])[]): Claim {
  const holds = values.every(([, value], i) => i === 0 || values[i - 1][1] < value)
  const figures = [...values.map(([name, value]) => figure(name, value, sentence.unit)), ...(sentence.beside ?? [])]
  return { text: sentence.text, because: sentence.because, holds, figures, tolerance: 'rising' }
}

/** Something that is so or is not, with the numbers that say it. */
export function claimTrue(sentence: Sentence, holds: boolean): Claim {
  return {
    text: sentence.text,
    because: sentence.because,
    holds,
    figures: sentence.beside ?? [],
    tolerance: 'yes or no',
  }
}
