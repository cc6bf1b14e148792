// A file on disk that grows by whole pieces, so that it can be read after a crash and followed while it is written.
// Owns: gathering pieces, writing them, what happens when the disk is full. Does not own: what the pieces are.

import { closeSync, openSync, writeSync } from 'node:fs'
import { CliError, messageOf } from './errors.ts'

/** Pieces are written when so much has come together, or after FLUSH_MS. */
const GATHER_BYTES = 1 << 20
const FLUSH_MS = 250

/** A file being written. */
export class GrowingFile {
  readonly path: string
  readonly #onError: (error: CliError) => void
  readonly #timer: NodeJS.Timeout
  #fd: number
  #pieces: Uint8Array[] = []
  #bytes = 0

  /**
   * Creates the file, or empties it.
   * @param option that named the file, as `--pcap`
   * @param onError told once when the disk takes no more; the file ends there
   * @throws {CliError} naming the option
   */
  constructor(option: string, path: string, onError: (error: CliError) => void) {
    this.path = path
    if (path === '-') {
      const mend = `name a file, or a pipe as ${option} >(COMMAND)`
      throw new CliError(`${option} - is not taken: standard output is for results`, { mend })
    }
    this.#onError = onError
    try {
      this.#fd = openSync(path, 'w', 0o644)
    } catch (error) {
      throw new CliError(`${option} ${path} cannot be written: ${messageOf(error)}`, {
        mend: 'name a file in a writable folder',
      })
    }
    this.#timer = setInterval(() => this.flush(), FLUSH_MS)
    this.#timer.unref()
  }

  /** Adds a piece, which is the file's from then on. */
  add(piece: Uint8Array): void {
    if (this.#fd < 0) return
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes >= GATHER_BYTES) this.flush()
  }

  /** Writes what has been gathered. */
  flush(): void {
    if (this.#bytes === 0 || this.#fd < 0) return
    const bytes = Buffer.concat(this.#pieces, this.#bytes)
    this.#pieces = []
    this.#bytes = 0
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
    } catch (error) {
      this.#shut()
      this.#onError(new CliError(`the file ${this.path} has ended: ${messageOf(error)}`))
    }
  }

  /** Writes the rest and closes the file; harmless when repeated. Synchronous, so that it can run while the process exits. */
  close(): void {
    this.flush()
    this.#shut()
  }

  #shut(): void {
    clearInterval(this.#timer)
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
  }
}
