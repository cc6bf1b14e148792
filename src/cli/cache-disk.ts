// A cache's store in a folder: one file for each URI, written beside and renamed, so that a crash leaves the old one or the new one.
// Owns: file names, limits in bytes and entries, what goes first, checking at load. Does not own: the format (http/cache/record-codec.ts),
// what may be stored. A file that is not whole is removed and forgotten; files of other names are left alone.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import {
  type CacheStore,
  decodeRecords,
  encodeRecords,
  type StoredResponse,
  type StoreLimits,
  storeLimits,
} from '../http/index.ts'
import { codeOf, messageOf, usageError } from './errors.ts'

const NAME = /^[0-9a-f]{64}\.http$/
const HALF_WRITTEN = /^[0-9a-f]{64}\.new$/

/** A store on disk. Its files may be deleted at any time. */
export class DiskStore implements CacheStore {
  readonly limits: StoreLimits
  readonly #folder: string
  /** Sizes by file name, the least recently used first. */
  readonly #files = new Map<string, number>()
  #bytes = 0

  /**
   * Opens or makes a folder. What is in it and was written by this program is used again, but for what is damaged.
   * @throws {CliError} usage error when the folder cannot be made or read
   * @throws {RangeError} for a limit that is not a number of at least 0
   */
  constructor(folder: string, limits: Partial<StoreLimits> = {}) {
    this.limits = storeLimits({ bytes: 1024 * 1024 * 1024, ...limits })
    this.#folder = folder
    try {
      makeFolder(resolve(folder))
      this.#load()
      // Nothing says that a folder can be written to but writing to it.
      const probe = join(folder, `${'0'.repeat(64)}.new`)
      writeFileSync(probe, '', { mode: 0o600 })
      rmSync(probe)
    } catch (error) {
      throw usageError(
        `--store ${folder} cannot be used: ${codeOf(error) ?? messageOf(error)}`,
        'give a folder of its own',
      )
    }
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes
  }

  /** URIs stored now. */
  get size(): number {
    return this.#files.size
  }

  get(uri: string): readonly StoredResponse[] {
    const name = nameOf(uri)
    const size = this.#files.get(name)
    if (size === undefined) return []
    const records = this.#read(name)
    // Another URI with the same name would be a wonder, and a wrong answer.
    if (records === null || records.some((record) => record.uri !== uri)) {
      this.#forget(name)
      return []
    }
    this.#files.delete(name)
    this.#files.set(name, size)
    return records
  }

  set(uri: string, records: readonly StoredResponse[]): void {
    const name = nameOf(uri)
    const bytes = records.length === 0 ? null : encodeRecords(records)
    if (bytes === null || bytes.length > this.limits.bytes) {
      this.#forget(name)
      return
    }
    const path = join(this.#folder, name)
    const beside = path.replace(/\.http$/, '.new')
    try {
      writeFileSync(beside, bytes, { mode: 0o600, flush: true })
      renameSync(beside, path)
    } catch {
      // A full disk costs a stored answer, not an answer.
      rmSync(beside, { force: true })
      this.#forget(name)
      return
    }
    this.#bytes += bytes.length - (this.#files.get(name) ?? 0)
    this.#files.delete(name)
    this.#files.set(name, bytes.length)
    this.#shrink()
  }

  #load(): void {
    const found: { name: string; size: number; usedMs: number }[] = []
    for (const name of readdirSync(this.#folder)) {
      if (HALF_WRITTEN.test(name)) rmSync(join(this.#folder, name), { force: true })
      if (!NAME.test(name)) continue
      if (this.#read(name) === null) {
        rmSync(join(this.#folder, name), { force: true })
        continue
      }
      const { size, mtimeMs } = statSync(join(this.#folder, name))
      found.push({ name, size, usedMs: mtimeMs })
    }
    for (const { name, size } of found.sort((x, y) => x.usedMs - y.usedMs)) {
      this.#files.set(name, size)
      this.#bytes += size
    }
    this.#shrink()
  }

  #read(name: string): StoredResponse[] | null {
    try {
      return decodeRecords(readFileSync(join(this.#folder, name)))
    } catch {
      return null
    }
  }

  #shrink(): void {
    for (const name of this.#files.keys()) {
      if (this.#bytes <= this.limits.bytes && this.#files.size <= this.limits.entries) break
      this.#forget(name)
    }
  }

  #forget(name: string): void {
    rmSync(join(this.#folder, name), { force: true })
    this.#bytes -= this.#files.get(name) ?? 0
    this.#files.delete(name)
  }
}

/** As mkdir -p; that of Node never comes back from a place such as /proc, where nothing can be made. */
function makeFolder(folder: string): void {
  const parent = dirname(folder)
  if (existsSync(folder)) return
  if (parent !== folder) makeFolder(parent)
  mkdirSync(folder, { mode: 0o700 })
}

/** The file of a URI: what a URI holds is no name for a file. */
function nameOf(uri: string): string {
  return `${createHash('sha256').update(uri).digest('hex')}.http`
}
