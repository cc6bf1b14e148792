// Sockets of the kernel by its own calls, without Node's event loop and streams between: what a C program would do, but for about 0.3 us
// a call. The load of every measurement comes from here, and so does the kernel's side of the comparison.
// Owns: the bindings, memory with an address. Does not own: what is measured (load.ts, kernel-server.ts).

import { createRequire } from 'node:module'

const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
const library = koffi.load(null)
const INT = 'int'
const LONG = 'uintptr_t'

type Call = (...args: number[]) => number

/** Calls of the C library; numbers only, -1 is failure. */
export const sys: Readonly<Record<string, Call>> = {
  socket: library.func('socket', INT, [INT, INT, INT]),
  bind: library.func('bind', INT, [INT, LONG, INT]),
  listen: library.func('listen', INT, [INT, INT]),
  accept4: library.func('accept4', INT, [INT, LONG, LONG, INT]),
  connect: library.func('connect', INT, [INT, LONG, INT]),
  read: library.func('read', 'intptr_t', [INT, LONG, LONG]),
  write: library.func('write', 'intptr_t', [INT, LONG, LONG]),
  close: library.func('close', INT, [INT]),
  setsockopt: library.func('setsockopt', INT, [INT, INT, INT, LONG, INT]),
  getsockopt: library.func('getsockopt', INT, [INT, INT, INT, LONG, LONG]),
  epoll_create1: library.func('epoll_create1', INT, [INT]),
  epoll_ctl: library.func('epoll_ctl', INT, [INT, INT, INT, LONG]),
  epoll_wait: library.func('epoll_wait', INT, [INT, LONG, INT, INT]),
  setrlimit: library.func('setrlimit', INT, [INT, LONG]),
}

/** The errno of the call before. */
export const errno = (): number => koffi.errno()

/** Bytes whose place in memory is known. */
export interface Memory {
  readonly bytes: Buffer
  readonly address: number
}

/** Memory that the kernel may read and write. */
export function memory(length: number): Memory {
  const bytes = Buffer.alloc(length)
  return { bytes, address: Number(koffi.address(bytes)) }
}

export const NONBLOCK = 0x800
export const EPOLLIN = 1
export const EPOLLOUT = 4
export const EAGAIN = 11
export const EINPROGRESS = 115
const AF_INET = 2
const SOL_SOCKET = 1

/** A struct sockaddr_in. */
export function socketAddress(host: string, port: number): Memory {
  const at = memory(16)
  at.bytes.writeUInt16LE(AF_INET, 0)
  at.bytes.writeUInt16BE(port, 2)
  for (const [i, part] of host.split('.').entries()) at.bytes[4 + i] = Number(part)
  return at
}

const value = memory(16)

/** setsockopt with a number. */
export function setOption(fd: number, level: number, option: number, number: number): void {
  value.bytes.writeInt32LE(number, 0)
  sys.setsockopt(fd, level, option, value.address, 4)
}

/** TCP_NODELAY. */
export const noDelay = (fd: number): void => setOption(fd, 6, 1, 1)

/** SO_RCVTIMEO and SO_SNDTIMEO: a call that blocks longer fails. */
export function setPatience(fd: number, seconds: number): void {
  value.bytes.fill(0)
  value.bytes.writeInt32LE(seconds, 0)
  for (const option of [20, 21]) sys.setsockopt(fd, SOL_SOCKET, option, value.address, 16)
}

/** SO_LINGER of 0: close resets. */
export function resetOnClose(fd: number): void {
  value.bytes.fill(0)
  value.bytes.writeInt32LE(1, 0)
  sys.setsockopt(fd, SOL_SOCKET, 13, value.address, 8)
}

const info = memory(256)
const infoLength = memory(8)

/** tcpi_bytes_acked of TCP_INFO. */
export function bytesAcked(fd: number): number {
  infoLength.bytes.writeInt32LE(256, 0)
  sys.getsockopt(fd, 6, 11, info.address, infoLength.address)
  return Number(info.bytes.readBigUInt64LE(120))
}

/** A TCP socket. */
export function tcpSocket(flags = 0): number {
  const fd = sys.socket(AF_INET, 1 | flags, 0)
  if (fd < 0) throw new Error(`socket: errno ${errno()}`)
  return fd
}

/** A socket that listens on a port of all addresses. */
export function listenOn(port: number): number {
  const fd = tcpSocket(NONBLOCK)
  setOption(fd, SOL_SOCKET, 2, 1)
  const at = socketAddress('0.0.0.0', port)
  if (sys.bind(fd, at.address, 16) < 0 || sys.listen(fd, 4096) < 0) throw new Error(`port ${port}: errno ${errno()}`)
  return fd
}

/** As many descriptors as asked for, as far as we may. */
export function raiseDescriptorLimit(count: number): void {
  const limit = memory(16)
  limit.bytes.writeBigUInt64LE(BigInt(count), 0)
  limit.bytes.writeBigUInt64LE(BigInt(count), 8)
  sys.setrlimit(7, limit.address)
}

/** epoll, with numbers. */
export class Epoll {
  readonly #fd = sys.epoll_create1(0)
  readonly #event = memory(16)
  readonly #events = memory(12 * 256)

  /** Watches a descriptor; `change`: it is watched already. */
  watch(fd: number, events: number, change = false): void {
    this.#event.bytes.writeUInt32LE(events, 0)
    this.#event.bytes.writeInt32LE(fd, 4)
    sys.epoll_ctl(this.#fd, change ? 3 : 1, fd, this.#event.address)
  }

  /** Waits at most so many milliseconds and hands on what is ready. Returns how many. */
  wait(milliseconds: number, each: (fd: number, events: number) => void): number {
    const count = sys.epoll_wait(this.#fd, this.#events.address, 256, milliseconds)
    const { bytes } = this.#events
    for (let i = 0; i < count; i++) each(bytes.readInt32LE(12 * i + 4), bytes.readUInt32LE(12 * i))
    return count
  }
}
