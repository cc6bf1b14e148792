// The few functions of the C library that a TUN device needs, through koffi.
// Owns: the bindings, errno and its names, the event-loop handle for a raw descriptor. Does not own: what the calls mean (tun.ts,
// tun-interface.ts). koffi is loaded on first use, so that importing `tunstack/link` costs nothing and needs no native code.
//
// How buffers are passed (measured, Node 20, koffi 3.3, write() of 1,500 bytes to /dev/null, ns per call): a plain number that
// holds the address, declared as uintptr_t: 330; a prebuilt Uint8Array or Buffer as void *: 365-390; a BigInt pointer: 340, with an
// addition 365; a fresh subarray per call: 420-470 and garbage; writev with a prebuilt iovec: 500; fs.writeSync: 515. So read and
// write take numbers; asking for an address costs 50-75 ns and is remembered per buffer by the caller.

import { createRequire } from 'node:module'

/** A watch on a raw file descriptor in Node's event loop. Keep a strong reference: a collected handle falls silent. */
export interface PollHandle {
  start(events: { readable?: boolean }, callback: (status: number) => void): void
  stop(): void
  ref(): void
  unref(): void
  close(): void
}

/** The bindings. Results are those of the C functions: -1 means failure, and `errno()` says which, until the next call. */
export interface Libc {
  open(path: string, flags: number): number
  close(fd: number): number
  socket(domain: number, type: number, protocol: number): number
  /** `argument` is filled or read by the kernel in place. */
  ioctl(fd: number, request: number, argument: Uint8Array): number
  /** ioctl whose argument is a number. */
  ioctlValue(fd: number, request: number, argument: number): number
  /** Reads into memory at `address`; the caller keeps the buffer alive and large enough. */
  read(fd: number, address: number, count: number): number
  /** Writes memory at `address`; the caller keeps the buffer alive. */
  write(fd: number, address: number, count: number): number
  /** Writes `count` pieces of memory as one: see GatherList. */
  writev(fd: number, address: number, count: number): number
  /** Turns the text of an address into 4 or 16 bytes; 1 on success, 0 when it is none. */
  inetPton(family: number, text: string, out: Uint8Array): number
  /** Where the first byte of `bytes` lies in memory; right for as long as `bytes` is alive and not detached. */
  addressOf(bytes: Uint8Array): number
  errno(): number
  /** Watches a descriptor. `callback` gets 0, or a negative errno when the descriptor failed; it must not throw. */
  poll(fd: number, callback: (status: number) => void): PollHandle
}

/** Two pieces of memory as writev takes them (struct iovec), in memory of its own. */
export class GatherList {
  readonly #words = new Uint32Array(32) // large enough that V8 does not keep it where it may move
  readonly address = loadLibc().addressOf(new Uint8Array(this.#words.buffer))

  /** Piece `i`, 0 or 1: `length` bytes at `address`. */
  set(i: number, address: number, length: number): void {
    const words = this.#words
    words[4 * i] = address >>> 0
    words[4 * i + 1] = address / 0x100000000
    words[4 * i + 2] = length
    words[4 * i + 3] = 0
  }
}

/** errno values that are told apart by number. The same on every Linux that Node runs on. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EBADFD: 77,
  EADDRINUSE: 98,
} as const

let loaded: { libc: Libc; names: ReadonlyMap<number, string> } | null = null

/**
 * The bindings; loads koffi at the first call.
 * @throws {Error} with code `ERR_TUNSTACK_NO_FFI` when koffi or the C library cannot be loaded, `ENOSYS` on other systems than Linux
 */
export function loadLibc(): Libc {
  loaded ??= bind()
  return loaded.libc
}

/** The name of an errno value, as `'EPERM'`. */
export function errnoName(errno: number): string {
  loaded ??= bind()
  return loaded.names.get(errno) ?? `errno ${errno}`
}

function bind(): { libc: Libc; names: ReadonlyMap<number, string> } {
  if (process.platform !== 'linux') {
    throw Object.assign(new Error(`TUN devices of ${process.platform} are not supported: tunstack drives Linux's`), {
      code: 'ENOSYS',
    })
  }
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const library = koffi.load(null) // the program itself, which is linked to the C library, be it glibc or musl
    const names = new Map<number, string>([[ERRNO.EBADFD, 'EBADFD']])
    // Names that come first win, so that EAGAIN is not called EWOULDBLOCK.
    for (const [name, value] of Object.entries(koffi.os.errno).sort()) if (!names.has(value)) names.set(value, name)
    const read = library.func('read', 'intptr_t', ['int', 'uintptr_t', 'uintptr_t'])
    const write = library.func('write', 'intptr_t', ['int', 'uintptr_t', 'uintptr_t'])
    const libc: Libc = {
      open: library.func('open', 'int', ['const char *', 'int']),
      close: library.func('close', 'int', ['int']),
      socket: library.func('socket', 'int', ['int', 'int', 'int']),
      ioctl: library.func('ioctl', 'int', ['int', 'unsigned long', 'void *']),
      ioctlValue: library.func('ioctl', 'int', ['int', 'unsigned long', 'unsigned long']),
      read,
      write,
      writev: library.func('writev', 'intptr_t', ['int', 'uintptr_t', 'int']),
      inetPton: library.func('inet_pton', 'int', ['int', 'const char *', 'void *']),
      addressOf: (bytes) => Number(koffi.address(bytes)),
      errno: () => koffi.errno(),
      // koffi calls back with (status, events), although its types say (events).
      poll: (fd, callback) =>
        koffi.node.poll(fd, { readable: true }, callback as unknown as () => void) as unknown as PollHandle,
    }
    return { libc, names }
  } catch (cause) {
    const message = 'the TUN driver needs the package koffi and its prebuilt binary: npm install koffi'
    throw Object.assign(new Error(message, { cause }), { code: 'ERR_TUNSTACK_NO_FFI' })
  }
}

/** An Error as Node's own system calls throw them. */
export interface SystemError extends Error {
  /** As `'EPERM'`. */
  code: string
  /** The negative number of the error, as in Node. */
  errno: number
  /** The call that failed. */
  syscall: string
}

/** Builds a SystemError. `message` says what failed and names the mend. */
export function systemError(errno: number, syscall: string, message: string): SystemError {
  const code = errnoName(errno)
  return Object.assign(new Error(`${syscall} ${code}: ${message}`), { code, errno: -errno, syscall })
}
