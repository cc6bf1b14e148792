// How far a sweep is, on standard error: a line that is written over on a terminal, one line each ten seconds elsewhere.
// Owns: the text, the guess when it ends. Does not own: the runs (sweep-pool.ts).

/** Between two lines: on a terminal, elsewhere. */
const EVERY_MS = { terminal: 200, file: 10_000 }

/** Seconds as people write them: 59 s, 12:03, 3:00:05. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const two = (value: number): string => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return hours === 0 ? `${minutes}:${two(whole % 60)}` : `${hours}:${two(minutes)}:${two(whole % 60)}`
}

/** The line: runs done since the start say when it ends. */
export function progressLine(total: number, before: number, done: number, elapsedMs: number): string {
  const all = before + done
  const parts = [`${all} of ${total} runs`, `${Math.floor((100 * all) / total)} %`]
  if (done > 0 && elapsedMs > 0) {
    parts.push(`${((done * 1000) / elapsedMs).toFixed(1)} a second`)
    parts.push(`${formatSeconds(((total - all) * elapsedMs) / done / 1000)} left`)
  }
  return parts.join(', ')
}

/** Tells how far it is. */
export class Progress {
  readonly #total: number
  readonly #before: number
  readonly #isQuiet: boolean
  readonly #startedAt = performance.now()
  #toldAt = performance.now()
  #done = 0

  constructor(total: number, before: number, isQuiet: boolean) {
    this.#total = total
    this.#before = before
    this.#isQuiet = isQuiet
    if (before > 0 && !isQuiet) process.stderr.write(`${before} of ${total} runs were done before\n`)
  }

  /** One more run is done. */
  step(): void {
    this.#done++
    const { isTTY = false } = process.stderr
    if (performance.now() - this.#toldAt < (isTTY ? EVERY_MS.terminal : EVERY_MS.file)) return
    this.#tell(isTTY ? '' : '\n')
  }

  /** All are done, or it was stopped. */
  end(): void {
    this.#tell('\n')
  }

  #tell(end: string): void {
    if (this.#isQuiet) return
    this.#toldAt = performance.now()
    const line = progressLine(this.#total, this.#before, this.#done, this.#toldAt - this.#startedAt)
    process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}${line}${end}`)
  }
}
