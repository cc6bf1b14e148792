// Files of one folder, and never a byte from outside it.
// Owns: opening a path below the root without a race, reading with read-ahead, entries of folders. Does not own: what a URL may hide
// (http/files.ts refuses `..`, `%2f` and NUL before; this file relies on nothing of it).
//
// How a path is opened. O_PATH gives a descriptor of whatever the path leads to, symbolic links followed, without opening it: no
// device is started, no FIFO waited for. The kernel then says in /proc/self/fd what that descriptor really is: outside the root, it is
// "nothing there". Only a regular file is opened for reading, through /proc/self/fd/N, which is that very file, whatever has
// happened to its name meanwhile. The root is a descriptor too: renaming it changes nothing.
//
// Metadata is read synchronously: it comes from the kernel's cache in 17 us for all of it (measured), where a trip to the thread
// pool costs more than that for each call. Small files are read in the same way, as nginx does; large ones in the thread pool.

import {
  close,
  closeSync,
  constants,
  fstatSync,
  openSync,
  read,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs'
import { promisify } from 'node:util'
import type { FileSource, FileStat } from '../http/files.ts'
import type { DirectoryEntry } from '../http/listing.ts'
import { CliError, codeOf, usageError } from './errors.ts'

/** Linux's O_PATH: a descriptor that only names (open(2)); node:fs has no constant for it. */
const O_PATH = 0o10000000
const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = constants

/** Bytes read at a time. */
export const READ_BYTES = 256 * 1024

/** Up to so many bytes are read at once and synchronously. */
const SMALL_BYTES = 64 * 1024

/** Entries of a folder that are listed at most. */
const MAX_ENTRIES = 10_000

const readInto = promisify(read)

/** The files below a folder; a FileSource. */
export class FsSource implements FileSource {
  /** The folder with symbolic links resolved, as it was called when it was opened. */
  readonly root: string
  readonly #rootFd: number

  /** @throws {CliError} usage error when `folder` is none or cannot be read */
  constructor(folder: string) {
    this.#rootFd = openFolder(folder)
    this.root = realPath(this.#rootFd)
    try {
      readdirSync(descriptorPath(this.#rootFd))
    } catch (error) {
      closeSync(this.#rootFd)
      throw usageError(`${folder} cannot be read: ${codeOf(error)}`, 'give a folder that this user may list')
    }
  }

  /** Releases the folder. Files that are being read are read on. */
  close(): void {
    closeSync(this.#rootFd)
  }

  async stat(path: string): Promise<FileStat | null> {
    const found = this.#find(path)
    if (found === null) return null
    closeSync(found.fd)
    return { kind: found.kind, size: found.size, modifiedMs: found.modifiedMs }
  }

  /** @throws {CliError} when there is no such file any more, or it ends before `end` */
  async *open(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    const fd = this.#openFile(path)
    let ahead: Promise<Uint8Array> | null = null
    let isSmall = true
    try {
      if (end - start <= SMALL_BYTES) {
        if (end > start) yield readSmall(fd, path, start, end - start)
        return
      }
      isSmall = false
      let at = start
      const next = (): Promise<Uint8Array> => {
        const from = at
        at = Math.min(from + READ_BYTES, end)
        return readExactly(fd, path, from, at - from)
      }
      if (at < end) ahead = quiet(next())
      while (ahead !== null) {
        const bytes: Uint8Array = await ahead
        // The next part is read while this one is being sent.
        ahead = at < end ? quiet(next()) : null
        yield bytes
      }
    } finally {
      // A read that is still under way must not meet a descriptor that has become another file's.
      if (ahead !== null) await ahead.catch(() => undefined)
      if (isSmall) closeSync(fd)
      else close(fd)
    }
  }

  async list(path: string): Promise<DirectoryEntry[] | null> {
    const found = this.#find(path)
    if (found === null) return null
    try {
      if (found.kind !== 'directory') return null
      const entries: DirectoryEntry[] = []
      for (const name of readdirSync(descriptorPath(found.fd)).slice(0, MAX_ENTRIES)) {
        const entry = this.#find(path === '' ? name : `${path}/${name}`)
        if (entry === null) continue
        closeSync(entry.fd)
        entries.push({ name, kind: entry.kind, size: entry.size, modifiedMs: entry.modifiedMs })
      }
      return entries
    } catch (error) {
      if (isAbsent(error)) return null
      throw error
    } finally {
      closeSync(found.fd)
    }
  }

  #openFile(path: string): number {
    const found = this.#find(path)
    if (found === null) throw new CliError(`${path} is no longer there`)
    try {
      if (found.kind !== 'file') throw new CliError(`${path} is no longer a file`)
      return openSync(descriptorPath(found.fd), O_RDONLY | O_NONBLOCK | O_NOCTTY)
    } finally {
      closeSync(found.fd)
    }
  }

  /** An O_PATH descriptor of a file or folder inside the root, owned by the caller; null when there is nothing to be shown. */
  #find(path: string): (FileStat & { fd: number }) | null {
    if (!isPlain(path)) return null
    let fd: number
    try {
      fd = openSync(`${descriptorPath(this.#rootFd)}/${path}`, O_PATH)
    } catch (error) {
      if (isAbsent(error)) return null
      throw error
    }
    const stats = fstatSync(fd)
    const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : null
    if (kind === null || !this.#isInside(fd) || !isReadable(stats, fd)) {
      closeSync(fd)
      return null
    }
    return { fd, kind, size: kind === 'file' ? stats.size : 0, modifiedMs: stats.mtimeMs }
  }

  #isInside(fd: number): boolean {
    // Asked each time: the root may have been renamed. An unlinked file has ' (deleted)' behind its path and belongs nowhere.
    const root = realPath(this.#rootFd)
    const path = realPath(fd)
    if (path === root) return true
    return path.startsWith(root === '/' ? '/' : `${root}/`) && !isDeleted(path, fd)
  }
}

function openFolder(folder: string): number {
  try {
    return openSync(folder, O_PATH | O_DIRECTORY)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOTDIR') throw usageError(`${folder} is not a folder`, 'give the folder that holds the files')
    if (code === 'ENOENT') throw usageError(`there is no folder ${folder}`, 'make it, or check the spelling')
    throw usageError(`${folder} cannot be opened: ${code}`, 'give a folder that this user may read')
  }
}

function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`
}

function realPath(fd: number): string {
  return readlinkSync(descriptorPath(fd))
}

/** A file whose name really ends in ' (deleted)' has a link left; an unlinked one has none. */
function isDeleted(path: string, fd: number): boolean {
  return path.endsWith(' (deleted)') && fstatSync(fd).nlink === 0
}

/** Segments that name something below: none empty, `.` or `..`, no NUL. The empty path is the root. */
function isPlain(path: string): boolean {
  if (path === '') return true
  if (path.includes('\0')) return false
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/** What this user may not read is not there: a listing does not promise it, and no answer breaks off. */
function isReadable(stats: Stats, fd: number): boolean {
  if ((stats.mode & 0o444) === 0o444) return true
  try {
    closeSync(openSync(descriptorPath(fd), O_RDONLY | O_NONBLOCK | O_NOCTTY))
    return true
  } catch {
    return false
  }
}

const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG', 'EPERM', 'EINVAL'])

function isAbsent(error: unknown): boolean {
  const code = codeOf(error)
  return code !== null && ABSENT.has(code)
}

function readSmall(fd: number, path: string, at: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length; ) {
    const count = readSync(fd, bytes, done, length - done, at + done)
    if (count === 0) throw becameShorter(path)
    done += count
  }
  return bytes
}

async function readExactly(fd: number, path: string, at: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length) // filled below, or never handed out
  let done = 0
  while (done < length) {
    const { bytesRead } = await readInto(fd, bytes, done, length - done, at + done)
    if (bytesRead === 0) throw becameShorter(path)
    done += bytesRead
  }
  return bytes
}

function becameShorter(path: string): CliError {
  return new CliError(`${path} has become shorter while it was sent`)
}

/** A read-ahead whose failure is reported when its turn comes, not as an unhandled rejection. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
