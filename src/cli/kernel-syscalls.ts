// The socket calls of the C library with plain numbers as arguments: integers, and addresses of memory that the caller keeps alive.
// Owns: the bindings, memory with an address. Does not own: what lies in the memory (kernel-structs.ts), blocking (kernel-worker.ts).

import { createRequire } from 'node:module'
import { errnoName, loadLibc } from '../link/libc.ts'

/** The calls that there are, and what each returns in C. */
export const RETURNS = {
  socket: 'int',
  bind: 'int',
  listen: 'int',
  accept: 'int',
  accept4: 'int',
  connect: 'int',
  read: 'intptr_t',
  readv: 'intptr_t',
  recv: 'intptr_t',
  recvfrom: 'intptr_t',
  recvmsg: 'intptr_t',
  write: 'intptr_t',
  writev: 'intptr_t',
  send: 'intptr_t',
  sendto: 'intptr_t',
  sendmsg: 'intptr_t',
  close: 'int',
  shutdown: 'int',
  fcntl: 'int',
  ioctl: 'int',
  getsockopt: 'int',
  setsockopt: 'int',
  getsockname: 'int',
  getpeername: 'int',
  poll: 'int',
  select: 'int',
  dup: 'int',
  dup2: 'int',
  epoll_create: 'int',
  epoll_ctl: 'int',
  epoll_wait: 'int',
  epoll_create1: 'int',
  pipe: 'int',
  pipe2: 'int',
  sendfile: 'intptr_t',
  lseek: 'intptr_t',
  ftruncate: 'int',
  memfd_create: 'int',
  ppoll: 'int',
  splice: 'intptr_t',
  eventfd: 'int',
  unshare: 'int',
  setns: 'int',
  open: 'int',
} as const

/** A call of the C library. */
export type SyscallName = keyof typeof RETURNS

/** What a call returned; `errno` is 0 unless it failed. */
export interface SyscallResult {
  readonly value: number
  readonly errno: number
}

type Bound = (...args: number[]) => number | bigint
const bound = new Map<SyscallName, Bound>()

/** Makes a call in this thread, at once. @throws {Error} ERR_TUNSTACK_NO_FFI without koffi */
export function syscall(name: SyscallName, ...args: readonly number[]): SyscallResult {
  let call = bound.get(name)
  if (call === undefined) {
    loadLibc() // says clearly what is missing
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    call = koffi.load(null).func(
      name,
      RETURNS[name],
      args.map(() => 'intptr_t'),
    ) as Bound
    bound.set(name, call)
  }
  const value = Number(call(...args))
  return { value, errno: value < 0 ? loadLibc().errno() : 0 }
}

/** The name of errno, '' for 0. EAGAIN and EWOULDBLOCK are one number; it is called EAGAIN. */
export function errorName(errno: number): string {
  return errno === 0 ? '' : errnoName(errno)
}

/** Zeroed memory, and where it lies. It lives as long as `bytes` does. */
export interface Memory {
  readonly bytes: Buffer
  readonly address: number
}

/** @param length in bytes, 0 as well */
export function memory(length: number): Memory {
  const bytes = Buffer.from(new ArrayBuffer(Math.max(8, length)))
  return { bytes, address: loadLibc().addressOf(bytes) }
}

/** Memory that holds a C string. */
export function cString(text: string): Memory {
  const made = memory(Buffer.byteLength(text) + 1)
  made.bytes.write(text)
  return made
}
