// Where a body goes: stdout, or a file that comes into being with the first answer.
// Owns: back-pressure, the errors of disks and pipes with curl's exit code 23, the progress line. Does not own: the bytes.

import { writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Micros } from '../base/time.ts'
import { messageOf } from './errors.ts'
import { CURL, curlError } from './fetch-errors.ts'

/** Takes the bytes of one transfer. */
export interface BodySink {
  /** Writes bytes, which belong to the sink from now on; resolves when it takes more. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when everything is written. */
  end(): Promise<void>
  /** Gives up; what is written stays, as with curl. */
  abandon(): Promise<void>
}

/** Standard output. It is left open: other transfers follow. */
export class StdoutSink implements BodySink {
  readonly #stop: AbortSignal

  /** @param stop aborts when the reader has gone, or the command ends */
  constructor(stop: AbortSignal) {
    this.#stop = stop
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#stop.throwIfAborted()
    if (process.stdout.write(bytes)) return
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        this.#stop.removeEventListener('abort', stopped)
        resolve()
      }
      const stopped = (): void => {
        process.stdout.off('drain', done)
        reject(this.#stop.reason)
      }
      process.stdout.once('drain', done)
      this.#stop.addEventListener('abort', stopped, { once: true })
    })
  }

  async end(): Promise<void> {
    this.#stop.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      process.stdout.write('', (error) => (error ? reject(writeFailure('stdout', error)) : resolve()))
    })
  }

  async abandon(): Promise<void> {}
}

/** A file, created or emptied when it is opened. */
export class FileSink implements BodySink {
  readonly #path: string
  readonly #handle: FileHandle
  /** Whether a write only fills the kernel's cache, and is done at once: the trip to the thread pool costs more (as curl does it). */
  readonly #isQuick: boolean

  private constructor(path: string, handle: FileHandle, isQuick: boolean) {
    this.#path = path
    this.#handle = handle
    this.#isQuick = isQuick
  }

  /** @throws {CliError} curl's exit code 23 */
  static async open(path: string): Promise<FileSink> {
    try {
      const handle = await open(path, 'w')
      const stats = await handle.stat()
      return new FileSink(path, handle, stats.isFile() || stats.isCharacterDevice())
    } catch (error) {
      throw writeFailure(path, error)
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        const left = bytes.length - at
        if (this.#isQuick) at += writeSync(this.#handle.fd, bytes, at, left)
        else at += (await this.#handle.write(bytes, at, left)).bytesWritten
      }
    } catch (error) {
      throw writeFailure(this.#path, error)
    }
  }

  async end(): Promise<void> {
    try {
      await this.#handle.close()
    } catch (error) {
      throw writeFailure(this.#path, error)
    }
  }

  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }
}

function writeFailure(where: string, error: unknown): Error {
  return curlError(CURL.write, `Failure writing output to ${where}: ${messageOf(error)}`)
}

/** Between two updates of the progress line. */
const PROGRESS_US = 200_000

/** One line on a terminal that says how far a transfer is. */
export class Progress {
  readonly #write: (text: string) => void
  readonly #startUs: Micros
  readonly #totalBytes: number
  #drawnAt: Micros
  #isDrawn = false

  /** @param totalBytes -1 when unknown */
  constructor(write: (text: string) => void, startUs: Micros, totalBytes: number) {
    this.#write = write
    this.#startUs = startUs
    this.#drawnAt = startUs
    this.#totalBytes = totalBytes
  }

  /** So many bytes have come by `now`. */
  update(bytes: number, now: Micros): void {
    if (now - this.#drawnAt < PROGRESS_US) return
    this.#drawnAt = now
    this.#isDrawn = true
    this.#write(`\r\x1b[K${progressText(bytes, this.#totalBytes, now - this.#startUs)}`)
  }

  /** Wipes the line. */
  clear(): void {
    if (this.#isDrawn) this.#write('\r\x1b[K')
    this.#isDrawn = false
  }
}

/** `42% 10.5 MB of 25.0 MB, 5.2 MB/s, 3 s left` */
export function progressText(bytes: number, totalBytes: number, elapsedUs: Micros): string {
  const perSecond = elapsedUs > 0 ? (bytes * 1e6) / elapsedUs : 0
  const speed = `${formatSize(perSecond)}/s`
  if (totalBytes < 0) return `${formatSize(bytes)}, ${speed}`
  const left = perSecond > 0 ? `, ${Math.ceil((totalBytes - bytes) / perSecond)} s left` : ''
  const percent = totalBytes === 0 ? 100 : Math.floor((bytes * 100) / totalBytes)
  return `${percent}% ${formatSize(bytes)} of ${formatSize(totalBytes)}, ${speed}${left}`
}

/** `512 B`, `1.5 kB`, `12.3 MB`: thousands. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = bytes / 1000
  let unit = 0
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(1)} ${units[unit]}`
}
