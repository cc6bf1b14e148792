// UDP sockets shaped like those of node:dgram.
// Owns: the order of calls and events, names, errors in Node's shapes. Does not own: arguments (dgram-arguments.ts), settings
// (dgram-settings.ts), datagrams (src/udp).
// Not there: source-specific groups (addSourceSpecificMembership), workers, file descriptors.
// Read first: https://nodejs.org/docs/latest-v20.x/api/dgram.html

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { UDP_EVENT, UdpError, type UdpSocket } from '../stack/index.ts'
import { type EventSink, Hold, type HostCore, ON_EVENTS, safely } from './core.ts'
import {
  type DatagramData,
  type DgramBindOptions,
  type DgramOptions,
  peerPort,
  resolveName,
  type SendCallback,
  type SendRequest,
  sendArguments,
} from './dgram-arguments.ts'
import { DgramSettings } from './dgram-settings.ts'
import { checkPort, parseLiteral, type SocketAddress } from './options.ts'
import { callError, connectError, nodeError } from './socket-errors.ts'
import { hasZoneOf } from './zones.ts'

/** Where a datagram came from, and its length in bytes. */
export interface RemoteInfo extends SocketAddress {
  readonly size: number
}

/** How much a socket takes before its loop gives others their turn. */
const DATAGRAMS_PER_EVENT = 256

/** A UDP socket. Made by `host.createSocket`. Events: message(Buffer, RemoteInfo), listening, connect, error, close, pathMtu(bytes). */
export class TunDgramSocket extends DgramSettings implements EventSink {
  readonly type: 'udp4' | 'udp6'
  readonly #core: HostCore
  readonly #options: DgramOptions
  readonly #hold: Hold
  readonly #abort = (): void => {
    if (!this.#closed) this.close()
  }
  #socket: UdpSocket | null = null
  #connect: 'no' | 'under way' | 'yes' = 'no'
  #refed = true
  #binding = false
  #closed = false
  #receiveBufferBytes: number | undefined

  /** @throws {TypeError} for a type that is none, or a signal that is none */
  constructor(core: HostCore, options: DgramOptions, onMessage?: (data: Buffer, from: RemoteInfo) => void) {
    super()
    if (options?.type !== 'udp4' && options?.type !== 'udp6') {
      const message = 'Bad socket type specified. Valid types are: udp4, udp6'
      throw nodeError(TypeError, 'ERR_SOCKET_BAD_TYPE', message)
    }
    const { signal } = options
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      const message = 'The "options.signal" property must be an instance of AbortSignal.'
      throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', message)
    }
    this.#core = core
    this.#options = options
    this.#receiveBufferBytes = options.recvBufferSize
    this.type = options.type
    this.#hold = new Hold(core)
    if (onMessage !== undefined) this.on('message', onMessage)
    if (signal?.aborted) process.nextTick(this.#abort)
    else signal?.addEventListener('abort', this.#abort, { once: true })
    core.servers.add(this)
  }

  /**
   * Binds to a port (0, the default: any) and an own address (default: all). 'listening' follows, or 'error'.
   * @throws ERR_SOCKET_ALREADY_BOUND, ERR_SOCKET_DGRAM_NOT_RUNNING, ERR_SOCKET_BAD_PORT
   */
  bind(port?: number | DgramBindOptions | (() => void), address?: string | (() => void), callback?: () => void): this {
    this.#checkRunning()
    if (this.#socket !== null || this.#binding) {
      throw nodeError(Error, 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound')
    }
    const last = [port, address, callback].findLast((argument) => typeof argument === 'function')
    const options: DgramBindOptions =
      typeof port === 'object' && port !== null
        ? port
        : {
            ...(typeof port === 'function' || port === undefined ? {} : { port }),
            ...(typeof address === 'string' ? { address } : {}),
          }
    if (last !== undefined) this.once('listening', last)
    const number = options.port ? checkPort(options.port, 'Port') : 0
    this.#binding = true
    const text = options.address || (this.type === 'udp4' ? '0.0.0.0' : '::')
    this.#resolve(text, (own) => {
      this.#binding = false
      if (own instanceof Error) this.#fail(own)
      else this.#bindTo(own, number)
    })
    return this
  }

  // At once for an address: a socket that has bound can be used before its event.
  #bindTo(own: IpAddress, port: number): void {
    if (this.#closed) return
    const error = this.#open(own, port)
    if (error !== null) process.nextTick(() => this.#fail(error))
    else process.nextTick(() => this.#closed || safely(() => this.emit('listening')))
  }

  #open(own: IpAddress, port: number): Error | null {
    const { reuseAddr = false, ipv6Only = false } = this.#options
    const isBoth = this.type === 'udp6' && !ipv6Only && own.isUnspecified
    const local = { address: own.toString(), port }
    if (this.#core.closing) return connectError('ENETDOWN', local, undefined, 'bind')
    try {
      const socket = this.#core.stack.udp.open({
        families: isBoth ? 'both' : this.type === 'udp4' ? 4 : 6,
        local: own,
        port,
        reuseAddress: reuseAddr,
        ...(this.#receiveBufferBytes === undefined ? {} : { receiveBufferBytes: this.#receiveBufferBytes }),
      })
      socket.user = this
      this.#socket = socket
      this.#hold.settle(this.#refed)
      return null
    } catch (error) {
      if (!(error instanceof UdpError)) throw error
      return connectError(error.code === 'EAFNOSUPPORT' ? 'EINVAL' : error.code, local, undefined, 'bind')
    }
  }

  // 'listening' for those who called connect or send without bind.
  #bindIfNeeded(): void {
    if (this.#socket === null && !this.#binding) this.bind({ port: 0 })
  }

  /**
   * From now on datagrams go to and come from this peer alone; address by default this host itself. 'connect' follows, or 'error', which a
   * callback gets instead.
   * @throws ERR_SOCKET_DGRAM_IS_CONNECTED, ERR_SOCKET_DGRAM_NOT_RUNNING, ERR_SOCKET_BAD_PORT
   */
  connect(port: number, address?: string | (() => void), callback?: (error?: Error) => void): void {
    const remotePort = peerPort(port)
    this.#checkRunning()
    if (this.#connect !== 'no') throw nodeError(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
    const told = typeof address === 'function' ? (address as (error?: Error) => void) : callback
    const host = typeof address === 'string' && address !== '' ? address : this.#localhost
    this.#connect = 'under way'
    this.#bindIfNeeded()
    this.#resolve(host, (remote) => {
      process.nextTick(() => {
        if (this.#closed) return
        const error = remote instanceof Error ? remote : this.#connectTo(remote, remotePort)
        this.#connect = error === null ? 'yes' : 'no'
        if (error === null) {
          if (told !== undefined) this.once('connect', told)
          safely(() => this.emit('connect'))
        } else if (told !== undefined) safely(() => told(error))
        else this.#fail(error)
      })
    })
  }

  #connectTo(remote: IpAddress, port: number): Error | null {
    try {
      this.#socket?.connect(remote, port)
      return null
    } catch (error) {
      if (!(error instanceof UdpError)) throw error
      return connectError(error.code, { address: remote.toString(), port })
    }
  }

  /** Takes from everyone again. @throws ERR_SOCKET_DGRAM_NOT_CONNECTED */
  disconnect(): void {
    this.#checkConnected()
    this.#connect = 'no'
    this.#socket?.disconnect()
  }

  /**
   * Sends a datagram; a socket that is not bound is bound to any port first. The data is copied before this returns, unless a name has to
   * be resolved. Without a callback errors are events. A peer that cannot be reached is told by 'error', to connected sockets only.
   * @throws {TypeError | RangeError} for arguments that cannot be meant; ERR_SOCKET_DGRAM_NOT_RUNNING
   */
  send(message: DatagramData, callback?: SendCallback): void
  send(message: DatagramData, port: number, address?: string | SendCallback, callback?: SendCallback): void
  send(
    message: string | ArrayBufferView,
    offset: number,
    length: number,
    port?: number | SendCallback,
    address?: string | SendCallback,
    callback?: SendCallback,
  ): void
  send(...args: unknown[]): void {
    const request = sendArguments(args, this.#connect === 'yes')
    this.#checkRunning()
    this.#bindIfNeeded()
    if (request.port === 0) {
      this.#sendTo(request, this.#socket?.remote as IpAddress, this.#socket?.remotePort as number)
      return
    }
    this.#resolve(request.address ?? this.#localhost, (remote) => {
      if (remote instanceof Error) process.nextTick(() => this.#sent(request, remote))
      else this.#sendTo(request, remote, request.port)
    })
  }

  #sendTo(request: SendRequest, remote: IpAddress, port: number): void {
    if (this.#closed || this.#socket === null) return
    const failed = this.#socket.send(request.data, remote, port)
    this.#core.wake()
    const code = failed === null ? null : failed.code === 'EAFNOSUPPORT' ? 'EINVAL' : failed.code
    const error = code === null ? null : connectError(code, { address: remote.toString(), port }, undefined, 'send')
    process.nextTick(() => this.#sent(request, error))
  }

  #sent({ callback, data }: SendRequest, error: Error | null): void {
    if (callback === undefined) {
      if (error !== null) this.#fail(error)
    } else if (error === null) safely(() => callback(null, data.length))
    else safely(() => callback(error))
  }

  /** Gives the port back; 'close' follows. @throws ERR_SOCKET_DGRAM_NOT_RUNNING when it is closed already */
  close(callback?: () => void): this {
    if (callback !== undefined) this.on('close', callback)
    this.#checkRunning()
    this.#closed = true
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#socket?.close()
    this.#hold.settle(false)
    this.#core.forget(this)
    process.nextTick(() => safely(() => this.emit('close')))
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) resolve()
      else this.close(resolve)
    })
  }

  /** The own address. @throws EBADF while it is not bound, ERR_SOCKET_DGRAM_NOT_RUNNING */
  address(): SocketAddress {
    this.#checkRunning()
    const { local, port } = this.bound('getsockname')
    const any = this.type === 'udp4' ? '0.0.0.0' : '::'
    return { address: local === null ? any : this.#text(local), family: this.#family, port }
  }

  /** The peer. @throws ERR_SOCKET_DGRAM_NOT_CONNECTED */
  remoteAddress(): SocketAddress {
    this.#checkRunning()
    this.#checkConnected()
    const { remote, remotePort } = this.bound('getpeername')
    return { address: this.#text(remote as IpAddress), family: this.#family, port: remotePort }
  }

  /** The open socket keeps the program alive (the default). */
  ref(): this {
    this.#refed = true
    if (this.#socket !== null && !this.#closed) this.#hold.settle(true)
    return this
  }

  /** Lets the program end although the socket is open. */
  unref(): this {
    this.#refed = false
    this.#hold.settle(false)
    return this
  }

  [ON_EVENTS](events: number): void {
    const socket = this.#socket
    if (socket === null) return
    if ((events & UDP_EVENT.error) !== 0) {
      const code = socket.takeError()
      if (code !== null) this.#fail(callError(code, 'recvmsg'))
    }
    if ((events & UDP_EVENT.pathMtu) !== 0) safely(() => this.emit('pathMtu', socket.pathSearch?.machine.packetBytes))
    for (let i = 0; i < DATAGRAMS_PER_EVENT && !this.#closed; i++) {
      const datagram = socket.receive()
      if (datagram === null) return
      const { data, source, sourcePort: port } = datagram
      const from = { address: this.#text(source), family: this.#family, port, size: data.length }
      safely(() => this.emit('message', Buffer.from(data.buffer, data.byteOffset, data.length), from))
    }
    if (this.#closed || socket.waiting === 0) return
    const { scheduler } = this.#core
    scheduler.schedule(scheduler.now(), () => this[ON_EVENTS](UDP_EVENT.readable))
  }

  get #family(): 'IPv4' | 'IPv6' {
    return this.type === 'udp4' ? 'IPv4' : 'IPv6'
  }

  get #localhost(): string {
    return this.type === 'udp4' ? '127.0.0.1' : '::1'
  }

  #text(address: IpAddress): string {
    return this.type === 'udp6' && address.family === 4 ? `::ffff:${address}` : address.toString()
  }

  #fail(error: Error): void {
    if (!this.#closed) safely(() => this.emit('error', error))
  }

  protected bindIfNeeded(): void {
    this.#checkRunning()
    this.#bindIfNeeded()
  }

  protected now(): Micros {
    return this.#core.scheduler.now()
  }

  protected wake(): void {
    this.#core.wake()
  }

  protected isOwn(text: string): boolean {
    const address = parseLiteral(text)
    return address !== null && this.#core.stack.ip.isLocal(address)
  }

  #checkRunning(): void {
    if (this.#closed) throw nodeError(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running')
  }

  #checkConnected(): void {
    if (this.#connect !== 'yes') throw nodeError(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected')
  }

  protected bound(call: Parameters<typeof callError>[1]): UdpSocket {
    if (this.#socket === null || this.#closed) throw callError('EBADF', call)
    return this.#socket
  }

  #resolve(text: string, done: (address: IpAddress | Error) => void): void {
    if (!hasZoneOf(this.#core.device, text)) {
      done(connectError('EINVAL', { address: text, port: 0 }, undefined, 'send'))
      return
    }
    const lookup = this.#options.lookup ?? this.#core.lookup
    resolveName(text === 'localhost' ? this.#localhost : text, this.type === 'udp4' ? 4 : 6, lookup, done)
  }
}
