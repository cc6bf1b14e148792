// Means and how sure one is of them. Owns: the arithmetic of Student's t (Student 1908; the incomplete beta function by Lentz's continued
// fraction, Abramowitz and Stegun 26.5.8). Does not own: what is measured.

/** The mean of some numbers, their spread, and half the width of the interval that holds the true mean with the confidence asked for. */
export interface Estimate {
  readonly count: number
  readonly mean: number
  /** Standard deviation of the sample (n - 1); 0 of one number. */
  readonly deviation: number
  /** The interval is mean - half to mean + half; Infinity of one number, which says nothing of its spread. */
  readonly half: number
  readonly least: number
  readonly most: number
}

/** ln of the gamma function, for x > 0 (Lanczos 1964, g = 7). */
function lnGamma(x: number): number {
  const weights = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ]
  const t = x + 6.5
  const sum = weights.reduce((all, weight, i) => all + weight / (x + i), 0.9999999999998099)
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}

/** The continued fraction of the incomplete beta function. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300
  const safe = (value: number): number => (Math.abs(value) < tiny ? tiny : value)
  let c = 1
  let d = 1 / safe(1 - ((a + b) * x) / (a + 1))
  let result = d
  for (let m = 1; m <= 500; m++) {
    for (const step of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / safe(1 + step * d)
      c = safe(1 + step / c)
      result *= d * c
    }
    if (Math.abs(d * c - 1) < 1e-15) break
  }
  return result
}

function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * Math.log(x) + b * Math.log(1 - x))
  // The fraction converges fast on one side of the mean only; the other is its mirror.
  if (x < (a + 1) / (a + b + 2)) return (front * betaFraction(x, a, b)) / a
  return 1 - (front * betaFraction(1 - x, b, a)) / b
}

/**
 * How many standard errors wide, to each side, an interval of Student's t has to be.
 * @param confidence above 0 and below 1: 0.95
 * @param freedom degrees of freedom, at least 1: one less than there are numbers
 * @throws {RangeError} for others
 */
export function studentT(confidence: number, freedom: number): number {
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`a confidence is between 0 and 1, not ${confidence}`)
  if (!(freedom >= 1)) throw new RangeError(`degrees of freedom are at least 1, not ${freedom}`)
  const outside = (t: number): number => incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5)
  let low = 0
  let high = 1
  while (outside(high) > 1 - confidence) high *= 2
  for (let i = 0; i < 100 && high - low > 1e-12 * high; i++) {
    const middle = (low + high) / 2
    if (outside(middle) > 1 - confidence) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** The mean of at least one number, and its interval. @throws {RangeError} of none, or for a confidence that is none */
export function estimate(values: readonly number[], confidence = 0.95): Estimate {
  const count = values.length
  if (count === 0) throw new RangeError('of no numbers there is no mean')
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const deviation = count === 1 ? 0 : Math.sqrt(squares / (count - 1))
  const half = count === 1 ? Number.POSITIVE_INFINITY : (studentT(confidence, count - 1) * deviation) / Math.sqrt(count)
  return { count, mean, deviation, half, least: Math.min(...values), most: Math.max(...values) }
}
