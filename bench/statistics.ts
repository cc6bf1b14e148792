// Median, least and most of a few runs, and the ratios of figures of one run.

/** What is told of a series. */
export interface Summary {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** The middle one; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

/** Of a series that has at least one value. */
export function summary(values: readonly number[]): Summary {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) }
}

/** Run by run: only figures of the same minutes are compared. */
export function ratios(values: readonly number[], reference: readonly number[]): number[] {
  return values.flatMap((value, i) => (Number.isFinite(value / reference[i]) ? [value / reference[i]] : []))
}

/** `1.23`, `0.045`, `12,345`. */
export function figure(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value >= 10 ? value.toFixed(1) : value >= 0.1 ? value.toFixed(2) : value.toFixed(3)
}
