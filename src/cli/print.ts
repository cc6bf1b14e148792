// Lines on stdout and stderr, where nobody may be reading, or not fast enough.
// Owns: the bound on what waits, and waiting for it at the end. Does not own: bodies, which have back-pressure (fetch-output.ts).

/** Bytes of lines that may wait for a slow reader; further lines are dropped, so that a stuck log does not fill the memory. */
const MAX_WAITING_BYTES = 16 << 20

const lost = { stdout: 0, stderr: 0 }

/** Prints a line of results. */
export function print(line: string): void {
  printTo('stdout', line)
}

/** Prints a line for people. */
export function printError(line: string): void {
  printTo('stderr', line)
}

function printTo(name: 'stdout' | 'stderr', line: string): void {
  const stream = process[name]
  if (stream.destroyed) return
  if (stream.writableLength > MAX_WAITING_BYTES) {
    lost[name]++
    return
  }
  if (lost[name] > 0) stream.write(`[${lost[name]} lines lost: the reader was too slow]\n`)
  lost[name] = 0
  stream.write(`${line}\n`)
}

/** Resolves when everything printed has been taken: pipes are asynchronous, and process.exit would cut off what waits. */
export async function printed(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.destroyed || stream.writableLength === 0) continue
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
  }
}
