// How a command fails: what is printed, and the exit status.
// Owns: CliError, exit statuses shared by the commands. Does not own: curl's exit codes (fetch-errors.ts), printing (lifecycle.ts).

/** Exit statuses that all commands share. */
export const EXIT = {
  ok: 0,
  failure: 1,
  /** The command line cannot be meant. */
  usage: 2,
  /** A defect in this program: an exception that nobody caught (sysexits.h EX_SOFTWARE). */
  software: 70,
  /** No TUN device can be had here (sysexits.h EX_NOPERM). */
  noTun: 77,
} as const

/** A failure that is told to the user: `tunstack: message`, and on a line of its own how to mend it. */
export class CliError extends Error {
  override name = 'CliError'
  readonly exitCode: number
  /** What to do about it; null when the message says all. */
  readonly mend: string | null

  constructor(message: string, options: { exitCode?: number; mend?: string | null; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = options.exitCode ?? EXIT.failure
    this.mend = options.mend ?? null
  }
}

/** The command line cannot be meant: exit status 2. */
export function usageError(message: string, mend: string | null = null): CliError {
  return new CliError(message, { exitCode: EXIT.usage, mend })
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The `code` of a system error, or null when it has none. */
export function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null
  return typeof error.code === 'string' ? error.code : null
}
