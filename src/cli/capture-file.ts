// A capture file on disk that is whole blocks at any time, so that it can be read after a crash and followed while it grows.
// Owns: gathering blocks, writing them. Does not own: the format (trace/pcapng.ts), which packets (link/capture.ts).

import { closeSync, openSync, writeSync } from 'node:fs'
import { PcapngWriter } from '../trace/pcapng.ts'
import { CliError, messageOf } from './errors.ts'

/** Blocks are written when so much has come together, or after FLUSH_MS. */
const GATHER_BYTES = 1 << 20
const FLUSH_MS = 250

/** A pcapng file being written. */
export class CaptureFile {
  /** Give each packet to its `packet`. */
  readonly writer: PcapngWriter
  readonly path: string
  readonly #onError: (error: CliError) => void
  readonly #timer: NodeJS.Timeout
  #fd: number
  #blocks: Uint8Array[] = []
  #bytes = 0

  /**
   * Creates the file, or empties it.
   * @param name of the interface, as Wireshark shows it
   * @param epochUs what the instant 0 of the packets' clock is, in microseconds since 1970
   * @param onError told once when the disk takes no more; the capture ends there
   * @throws {CliError} naming --pcap
   */
  constructor(path: string, name: string, epochUs: number, onError: (error: CliError) => void) {
    this.path = path
    this.#onError = onError
    try {
      this.#fd = openSync(path, 'w', 0o644)
    } catch (error) {
      throw new CliError(`--pcap ${path} cannot be written: ${messageOf(error)}`, {
        mend: 'name a file in a writable folder',
      })
    }
    this.writer = new PcapngWriter((bytes) => this.#take(bytes), { name, epochUs })
    this.#timer = setInterval(() => this.flush(), FLUSH_MS)
    this.#timer.unref()
  }

  /** Writes what has been gathered. */
  flush(): void {
    if (this.#bytes === 0 || this.#fd < 0) return
    const bytes = Buffer.concat(this.#blocks, this.#bytes)
    this.#blocks = []
    this.#bytes = 0
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
    } catch (error) {
      this.#shut()
      this.#onError(new CliError(`the capture in ${this.path} has ended: ${messageOf(error)}`))
    }
  }

  /** Writes the rest and closes the file; harmless when repeated. Synchronous, so that it can run while the process exits. */
  close(): void {
    this.flush()
    this.#shut()
  }

  #take(bytes: Uint8Array): void {
    if (this.#fd < 0) return
    this.#blocks.push(bytes)
    this.#bytes += bytes.length
    if (this.#bytes >= GATHER_BYTES) this.flush()
  }

  #shut(): void {
    clearInterval(this.#timer)
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
  }
}
