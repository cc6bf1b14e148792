// A command from its first line to its exit: signals, clean-up, the exit status, and what is printed when it fails.
// Owns: SIGINT, SIGTERM, SIGHUP (the first ends the command in order, the second at once), uncaught exceptions, broken pipes.
// Does not own: what a command does, what it must undo (it says so with `defer`).
//
// Exit status: that of the command; after a signal 128 + its number, unless the command counts the signal as its normal end.
// The TUN interface is not persistent, so it vanishes with the process in whatever way that ends.

import { constants } from 'node:os'
import { CliError, codeOf, EXIT, messageOf } from './errors.ts'
import { printError, printed } from './print.ts'

/** Signals that end a command. */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** After the first signal a command has this long before the process ends anyway. */
const GRACE_MS = 1_500

/** After an uncaught exception the device has this long to send resets. */
const CRASH_GRACE_MS = 200

/** What `runCommand` gives to a command. */
export class Lifecycle {
  /** Aborts at the first signal or failure: end in order. */
  readonly stop: AbortSignal
  /** Prints a line on stderr, unless the command is quiet. */
  info: (line: string) => void = printError
  readonly #controller = new AbortController()
  readonly #cleanups: (() => void | Promise<void>)[] = []
  #signal: EndSignal | null = null
  #failure: unknown = null

  constructor() {
    this.stop = this.#controller.signal
  }

  /** The signal that has come; null before. */
  get signal(): EndSignal | null {
    return this.#signal
  }

  /** What has gone wrong outside the command's own calls; null when nothing. */
  get failure(): unknown {
    return this.#failure
  }

  /** Runs `cleanup` when the command is over, however it ends; the last one given runs first. */
  defer(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup)
  }

  /** Ends the command in order, with a failure. */
  fail(error: unknown): void {
    this.#failure ??= error
    this.#controller.abort(error)
  }

  /** A signal has come. */
  interrupt(signal: EndSignal): void {
    this.#signal ??= signal
    this.#controller.abort(new CliError(`ended by ${signal}`, { exitCode: 128 + constants.signals[signal] }))
  }

  /** Resolves when the command is to end. */
  async stopped(): Promise<void> {
    if (this.stop.aborted) return
    await new Promise<void>((resolve) => this.stop.addEventListener('abort', () => resolve(), { once: true }))
  }

  /** Runs all clean-ups; one that fails is reported and does not keep the others from running. */
  async cleanUp(): Promise<void> {
    for (let task = this.#cleanups.pop(); task !== undefined; task = this.#cleanups.pop()) {
      try {
        await task()
      } catch (error) {
        printError(`tunstack: while ending: ${messageOf(error)}`)
      }
    }
  }
}

/** Options of runCommand. */
export interface RunOptions {
  /** Signals that are this command's normal end: exit status as the command returns it. */
  readonly normalSignals?: readonly EndSignal[]
}

/**
 * Runs a command and ends the process with its exit status. `body` returns the status; what it throws is printed.
 * It must end soon once `life.stop` aborts.
 */
export async function runCommand(body: (life: Lifecycle) => Promise<number>, options: RunOptions = {}): Promise<never> {
  const life = new Lifecycle()
  guardStreams(life)
  watchSignals(life)
  watchCrashes(life)
  let status: number = EXIT.failure
  try {
    status = await body(life)
  } catch (error) {
    // What a signal has cut off is not news.
    if (life.signal === null && life.failure === null) status = reportError(error)
  }
  await life.cleanUp()
  if (life.failure !== null) status = reportError(life.failure)
  const { signal } = life
  if (signal !== null && !options.normalSignals?.includes(signal)) status = 128 + constants.signals[signal]
  await printed()
  process.exit(status)
}

/** Prints an error as `tunstack: message` with its mend, and returns the exit status that it calls for. */
export function reportError(error: unknown): number {
  if (!(error instanceof CliError)) {
    const isUsage = error instanceof TypeError || error instanceof RangeError || codeOf(error) !== null
    printError(`tunstack: ${isUsage ? messageOf(error) : ((error as Error)?.stack ?? String(error))}`)
    return EXIT.failure
  }
  if (error.message !== '') printError(`tunstack: ${error.message}`)
  if (error.mend !== null) printError(`  ${error.mend}`)
  return error.exitCode
}

function guardStreams(life: Lifecycle): void {
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error) => life.fail(stdoutLost(error)))
}

/** What a failure of stdout means: who read our results has seen enough (`| head`); that is curl's exit status 23. */
export function stdoutLost(error: unknown): CliError {
  const silent = codeOf(error) === 'EPIPE'
  return new CliError(silent ? '' : `stdout: ${messageOf(error)}`, { exitCode: 23 })
}

function watchSignals(life: Lifecycle): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      const status = 128 + constants.signals[signal]
      if (life.signal !== null) process.exit(status)
      life.interrupt(signal)
      setTimeout(() => process.exit(status), GRACE_MS).unref()
    })
  }
}

/** A defect: say what is known, tell the peers if that still works, and leave. */
function watchCrashes(life: Lifecycle): void {
  let crashed = false
  const crash = (error: unknown): void => {
    printError(`tunstack: a defect in tunstack: ${error instanceof Error ? error.stack : String(error)}`)
    if (crashed) process.exit(EXIT.software)
    crashed = true
    setTimeout(() => process.exit(EXIT.software), CRASH_GRACE_MS)
    life.fail(new CliError('', { exitCode: EXIT.software }))
    void life.cleanUp().then(() => process.exit(EXIT.software))
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
}
