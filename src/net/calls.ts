// The socket calls under the names that textbooks give them: socket, bind, connect, listen, accept, read, write, close, shutdown,
// getsockopt, setsockopt. Descriptors are numbers; what blocks in C is a promise here.
// Owns: descriptors, what each call may be asked for and when. Does not own: sockets and servers (socket.ts, server.ts), TCP.
// Read first: POSIX.1-2017, sys/socket.h. For programs there is node:net's shape: host.connect, host.listen.
//
//     const { socket, connect, read, write, close } = socketCalls(host)
//     const fd = socket()
//     await connect(fd, { address: '10.0.0.2', port: 80 })
//     await write(fd, request)
//     for (let bytes = await read(fd, 4096); bytes.length > 0; bytes = await read(fd, 4096)) ...

import { once } from 'node:events'
import { SECOND } from '../base/time.ts'
import { DEFAULT_CONFIG, type TcpConfig } from '../tcp/config.ts'
import type { Host } from './host.ts'
import type { TunServer } from './server.ts'
import type { TunSocket } from './socket.ts'
import { codeOf, nodeError } from './socket-errors.ts'

/** Where a socket is, or is to be; an address that is absent means any own one. */
export interface CallAddress {
  readonly address?: string
  readonly port: number
}

/** Options that both calls know. Numbers, 0 and 1 for off and on; TCP_CONGESTION is a word, SO_LINGER seconds (-1: off). */
export type SocketOptionName =
  | 'SO_REUSEADDR'
  | 'SO_KEEPALIVE'
  | 'SO_LINGER'
  | 'SO_RCVBUF'
  | 'SO_SNDBUF'
  | 'TCP_NODELAY'
  | 'TCP_CORK'
  | 'TCP_CONGESTION'

/** Which half of a connection `shutdown` ends: SHUT_RD, SHUT_WR, SHUT_RDWR. */
export type ShutdownHow = 'read' | 'write' | 'both'

/** How an option is kept as settings of TCP. */
interface OptionRule {
  readonly get: (config: TcpConfig) => number | string
  readonly set: (value: number | string) => Partial<TcpConfig>
}

const asFlag = (value: boolean): number => (value ? 1 : 0)

const OPTIONS: Readonly<Record<Exclude<SocketOptionName, 'SO_REUSEADDR'>, OptionRule>> = {
  SO_KEEPALIVE: { get: ({ keepAlive }) => asFlag(keepAlive), set: (value) => ({ keepAlive: value !== 0 }) },
  SO_LINGER: {
    get: ({ lingerUs }) => (lingerUs < 0 ? -1 : lingerUs / SECOND),
    set: (value) => ({ lingerUs: Number(value) < 0 ? -1 : Number(value) * SECOND }),
  },
  SO_RCVBUF: { get: (config) => config.receiveBufferBytes, set: (value) => ({ receiveBufferBytes: Number(value) }) },
  SO_SNDBUF: { get: (config) => config.sendBufferBytes, set: (value) => ({ sendBufferBytes: Number(value) }) },
  TCP_NODELAY: { get: ({ nagle }) => asFlag(!nagle), set: (value) => ({ nagle: value === 0 }) },
  TCP_CORK: { get: ({ cork }) => asFlag(cork), set: (value) => ({ cork: value !== 0 }) },
  TCP_CONGESTION: { get: ({ congestion }) => congestion, set: (value) => ({ congestion: String(value) }) },
}

/** A descriptor's socket: unconnected until there is a server or a stream. */
interface Entry {
  bound: CallAddress | null
  reuseAddress: boolean
  tcp: Partial<TcpConfig>
  server: TunServer | null
  stream: TunSocket | null
  /** No more is read, whatever comes. */
  isReadShut: boolean
}

/** The eleven calls of one host. Each throws, or rejects with, an error with the code of errno: EBADF, EINVAL, ENOTCONN, ... */
export class SocketCalls {
  readonly #host: Host
  readonly #entries = new Map<number, Entry>()
  #next = 3

  constructor(host: Host) {
    this.#host = host
  }

  /** A new TCP socket; its descriptor, from 3 on. */
  readonly socket = (): number => this.#add({})

  /** Gives a socket its own address. Whether another has it shows at `listen` and `connect`. @throws EINVAL when it has one */
  readonly bind = (fd: number, at: CallAddress): void => {
    const entry = this.#entry(fd)
    if (entry.bound !== null || entry.server !== null || entry.stream !== null) throw fail('EINVAL', 'bind')
    for (const other of this.#entries.values()) {
      const isSame = other.bound?.port === at.port && other.bound.address === at.address && at.port !== 0
      if (isSame && !(entry.reuseAddress && other.reuseAddress)) throw fail('EADDRINUSE', 'bind')
    }
    entry.bound = at
  }

  /** Opens a connection, and waits for it. Rejects with ECONNREFUSED, ETIMEDOUT, EADDRINUSE, ..., EISCONN when there is one. */
  readonly connect = async (fd: number, to: CallAddress): Promise<void> => {
    const entry = this.#entry(fd)
    if (entry.server !== null) throw fail('EOPNOTSUPP', 'connect')
    if (entry.stream !== null) throw fail('EISCONN', 'connect')
    const { bound, tcp, reuseAddress } = entry
    const own = bound === null ? {} : { localAddress: bound.address, localPort: bound.port }
    const how = { host: to.address ?? 'localhost', port: to.port, allowHalfOpen: true, reuseAddress, tcp, ...own }
    entry.stream = await this.#host.connect(how)
  }

  /** Makes a socket take connections; `backlog` of them may wait. Rejects with EADDRINUSE. */
  readonly listen = async (fd: number, backlog = 128): Promise<void> => {
    const entry = this.#entry(fd)
    if (entry.server !== null || entry.stream !== null) throw fail('EINVAL', 'listen')
    const { bound, tcp, reuseAddress } = entry
    const { address, port = 0 } = bound ?? {}
    entry.server = await this.#host.listen({ host: address, port, backlog, reuseAddress, tcp, allowHalfOpen: true })
  }

  /** Waits for a connection, and takes it: a descriptor of its own. Rejects with EINVAL for a socket that does not listen. */
  readonly accept = async (fd: number): Promise<number> => {
    const { server, tcp } = this.#entry(fd)
    if (server === null) throw fail('EINVAL', 'accept')
    const { value } = await server[Symbol.asyncIterator]().next()
    if (value === undefined) throw fail('ECONNABORTED', 'accept')
    return this.#add({ stream: value, tcp })
  }

  /** Waits for text and takes at most so many bytes of it. None at all: the peer has ended. Rejects with ECONNRESET, ENOTCONN. */
  readonly read = async (fd: number, most: number): Promise<Uint8Array> => {
    const entry = this.#entry(fd)
    const stream = this.#connected(entry, 'read')
    for (;;) {
      if (stream.errored) throw fail(codeOf(stream.errored) ?? 'ECONNRESET', 'read')
      if (entry.isReadShut) return new Uint8Array(0)
      const { readableLength } = stream
      const bytes: Uint8Array | null = stream.read(readableLength === 0 ? undefined : Math.min(most, readableLength))
      if (bytes !== null) return bytes
      if (stream.readableEnded || stream.destroyed) return new Uint8Array(0)
      const control = new AbortController()
      const { signal } = control
      // A failure is seen by `errored`.
      const events = ['readable', 'end', 'close'].map((name) => once(stream, name, { signal }).catch(() => undefined))
      await Promise.race(events)
      control.abort()
    }
  }

  /** Writes, and waits until all of it is in the send buffer; how many bytes that is. Rejects with EPIPE, ECONNRESET, ENOTCONN. */
  readonly write = async (fd: number, bytes: Uint8Array): Promise<number> => {
    const stream = this.#connected(this.#entry(fd), 'write')
    if (stream.writableEnded || stream.destroyed) throw fail('EPIPE', 'write')
    await new Promise<void>((resolve, reject) => {
      stream.write(bytes, (error) => (error ? reject(fail(codeOf(error) ?? 'EPIPE', 'write')) : resolve()))
    })
    return bytes.length
  }

  /** Ends one half of a connection, or both; the descriptor stays. 'write' sends FIN (RFC 9293 §3.6). @throws ENOTCONN */
  readonly shutdown = (fd: number, how: ShutdownHow): void => {
    const entry = this.#entry(fd)
    const stream = this.#connected(entry, 'shutdown')
    if (how !== 'write') {
      entry.isReadShut = true
      stream.resume() // what comes is thrown away, and acknowledged
    }
    if (how !== 'read') stream.end()
  }

  /** Gives a descriptor back: a connection ends by itself, a listener takes no more. @throws EBADF */
  readonly close = (fd: number): void => {
    const { server, stream } = this.#entry(fd)
    this.#entries.delete(fd)
    server?.close()
    stream?.destroy()
  }

  /** An option as it is. @throws EBADF */
  readonly getsockopt = (fd: number, name: SocketOptionName): number | string => {
    const entry = this.#entry(fd)
    if (name === 'SO_REUSEADDR') return asFlag(entry.reuseAddress)
    return ruleOf(name, 'getsockopt').get({ ...DEFAULT_CONFIG, ...entry.tcp })
  }

  /** Sets an option, before a connection or in the midst of it. @throws EBADF; TypeError or RangeError for a value that is none */
  readonly setsockopt = (fd: number, name: SocketOptionName, value: number | string): void => {
    const entry = this.#entry(fd)
    if (name === 'SO_REUSEADDR') {
      entry.reuseAddress = value !== 0
      return
    }
    const change = ruleOf(name, 'setsockopt').set(value)
    entry.stream?.configure(change)
    entry.tcp = { ...entry.tcp, ...change }
  }

  #add(known: Partial<Entry>): number {
    const fd = this.#next++
    const fresh = { bound: null, reuseAddress: false, tcp: {}, server: null, stream: null, isReadShut: false }
    this.#entries.set(fd, { ...fresh, ...known })
    return fd
  }

  #entry(fd: number): Entry {
    const entry = this.#entries.get(fd)
    if (entry === undefined) throw fail('EBADF', `descriptor ${fd}`)
    return entry
  }

  #connected({ stream }: Entry, call: string): TunSocket {
    if (stream === null) throw fail('ENOTCONN', call)
    return stream
  }
}

function ruleOf(name: string, call: string): OptionRule {
  const rule = (OPTIONS as Readonly<Record<string, OptionRule | undefined>>)[name]
  if (rule === undefined) throw fail('ENOPROTOOPT', `${call} ${name}`)
  return rule
}

const fail = (code: string, call: string): Error => nodeError(Error, code, `${call}: ${code}`)

/** The socket calls of a host, to be taken apart: `const { socket, bind, listen, accept } = socketCalls(host)`. */
export function socketCalls(host: Host): SocketCalls {
  return new SocketCalls(host)
}
