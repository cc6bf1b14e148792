// A listening port as Node's ecosystem takes it for a net.Server, and as an async iterable of sockets.
// Owns: accepting, the count of connections, events and errors in node:net's shapes. Does not own: the backlog and the handshake
// (src/tcp), sockets (socket.ts).
// Invariant: connections are accepted only when somebody takes them (a 'connection' listener or a waiting iterator); until then
// they wait in the backlog, whose bound is TCP's answer to a flood.
// Read first: https://nodejs.org/docs/latest-v20.x/api/net.html#class-netserver

import { EventEmitter } from 'node:events'
import type { IpAddress } from '../ip/address.ts'
import type { Connection, Listener } from '../stack/index.ts'
import { type EventSink, Hold, type HostCore, ON_EVENTS, safely } from './core.ts'
import {
  checkPeerKeys,
  checkPort,
  type ListenArguments,
  type ListenOptions,
  listenArguments,
  parseLiteral,
  type ServerOptions,
  type SocketAddress,
  socketAddress,
} from './options.ts'
import { TunSocket } from './socket.ts'
import { codeOf, listenError, nodeError, notFoundError } from './socket-errors.ts'

/** What a 'drop' event tells of a connection that was refused because of `maxConnections`. */
export interface DropArgument {
  readonly localAddress: string
  readonly localPort: number
  readonly localFamily: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly remoteFamily: string
}

/**
 * A TCP server. Events: listening, connection(socket), close, error, drop(DropArgument).
 *
 * `for await (const socket of server)` takes one connection at a time and ends when the server closes; sockets from there have
 * a listener for 'error', so a failure that nobody listens for destroys the socket but not the program.
 */
export class TunServer extends EventEmitter implements EventSink {
  /** More connections than this at a time are reset, with a 'drop' event. Undefined: no limit but memory. */
  maxConnections: number | undefined = undefined
  readonly allowHalfOpen: boolean
  readonly pauseOnConnect: boolean
  noDelay: boolean
  keepAlive: boolean
  /** Milliseconds. */
  keepAliveInitialDelay: number
  highWaterMark: number | undefined

  readonly #core: HostCore
  readonly #hold: Hold
  readonly #options: ServerOptions
  readonly #waiting: ((result: IteratorResult<TunSocket, undefined>) => void)[] = []
  #listener: Listener | null = null
  #address: SocketAddress | null = null
  #connections = 0
  #refed = true
  #closing = false

  constructor(core: HostCore, options: ServerOptions = {}, listener?: (socket: TunSocket) => void) {
    super()
    this.#core = core
    this.#hold = new Hold(core)
    this.#options = options
    this.allowHalfOpen = options.allowHalfOpen === true
    this.pauseOnConnect = options.pauseOnConnect === true
    this.noDelay = options.noDelay === true
    this.keepAlive = options.keepAlive === true
    this.keepAliveInitialDelay = options.keepAliveInitialDelay ?? 0
    this.highWaterMark = options.highWaterMark
    if (listener !== undefined) this.on('connection', listener)
    // Whoever begins to listen gets the connections that have waited.
    this.on('newListener', (event) => {
      if (event === 'connection') process.nextTick(() => this.#acceptAll())
    })
  }

  /** Whether the port is open. */
  get listening(): boolean {
    return this.#listener !== null
  }

  /** Where the server listens; null when it does not. */
  address(): SocketAddress | null {
    return this.#listener === null ? null : this.#address
  }

  /**
   * Opens the port: `listen(options, cb)`, `listen(port, host, backlog, cb)`. 'listening' or 'error' follows.
   * @throws {Error} ERR_SERVER_ALREADY_LISTEN @throws {RangeError} for a port that is none
   */
  listen(...args: ListenArguments): this {
    const { options, callback } = listenArguments(args)
    const port = checkPort(options.port ?? 0, 'options.port')
    if (this.#listener !== null) {
      const message = 'Listen method has been called more than once without closing.'
      throw nodeError(Error, 'ERR_SERVER_ALREADY_LISTEN', message)
    }
    if (callback !== undefined) this.once('listening', callback)
    const error = this.#open(options, port)
    if (error !== null) {
      process.nextTick(() => this.emit('error', error))
      return this
    }
    this.#closeOn(options.signal)
    process.nextTick(() => {
      if (this.#listener !== null) this.emit('listening')
    })
    return this
  }

  /** Stops listening. 'close' follows once the last connection has ended; `callback` is told of it, or that nothing was open. */
  close(callback?: (error?: Error) => void): this {
    if (callback !== undefined) {
      const running = this.#listener !== null
      this.once('close', () =>
        callback(running ? undefined : nodeError(Error, 'ERR_SERVER_NOT_RUNNING', 'Server is not running.')),
      )
    }
    if (this.#listener !== null) {
      this.#listener.user = null
      this.#listener.close()
      this.#listener = null
      this.#core.wake()
      this.#core.forget(this)
      this.#settleHold()
    }
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined })
    this.#closing = true
    this.#closeWhenEmpty()
    return this
  }

  /** Closes, and waits until the last connection has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#listener === null) return
    await new Promise<void>((resolve) => this.close(() => resolve()))
  }

  /** Tells how many connections are open. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#connections)
    return this
  }

  /** Keeps the program alive while listening (the default). */
  ref(): this {
    this.#refed = true
    this.#settleHold()
    return this
  }

  /** Lets the program end although the server listens. */
  unref(): this {
    this.#refed = false
    this.#settleHold()
    return this
  }

  /** Connections one by one. Leaving the loop neither closes the server nor loses connections: they wait in the backlog. */
  [Symbol.asyncIterator](): AsyncIterableIterator<TunSocket, undefined> {
    const iterator: AsyncIterableIterator<TunSocket, undefined> = {
      next: () =>
        new Promise((resolve) => {
          if (this.#closing) resolve({ done: true, value: undefined })
          else this.#waiting.push(resolve)
          this.#acceptAll()
        }),
      return: async () => ({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  /** Takes the events of the listener; called by the host. */
  [ON_EVENTS](): void {
    this.#acceptAll()
  }

  #open(options: ListenOptions, port: number): Error | null {
    const address = options.host === undefined ? null : parseLiteral(options.host)
    if (address === null && options.host !== undefined) return notFoundError(options.host)
    const local = address === null || address.isUnspecified ? undefined : address
    if (this.#core.closing) return listenError('ENETDOWN', { address: options.host ?? '::', port })
    try {
      const { stack } = this.#core
      const { backlog, reuseAddress, reusePort } = options
      const md5Key = checkPeerKeys(options.md5Key)
      const how = { backlog, reuseAddress, reusePort, md5Key }
      this.#listener = stack.listen({ local, port, ...how, config: this.#options.tcp })
    } catch (error) {
      const code = codeOf(error)
      if (code === null) throw error
      return listenError(code, { address: options.host ?? anyAddress(this.#core), port })
    }
    this.#listener.user = this
    this.#address = addressOf(this.#listener, address, this.#core)
    this.#closing = false
    this.#core.servers.add(this)
    this.#settleHold()
    return null
  }

  #closeOn(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    const close = (): void => {
      this.close()
    }
    if (signal.aborted) {
      process.nextTick(close)
      return
    }
    signal.addEventListener('abort', close, { once: true })
    this.once('close', () => signal.removeEventListener('abort', close))
  }

  #acceptAll(): void {
    while (this.#listener !== null && (this.#waiting.length > 0 || this.listenerCount('connection') > 0)) {
      const connection = this.#listener.accept()
      if (connection === null) return
      if (this.maxConnections !== undefined && this.#connections >= this.maxConnections) this.#drop(connection)
      else this.#take(connection)
    }
  }

  #take(connection: Connection): void {
    const options = {
      allowHalfOpen: this.allowHalfOpen,
      readableHighWaterMark: this.highWaterMark,
      writableHighWaterMark: this.highWaterMark,
    }
    this.#connections++
    const socket = TunSocket.accept(this.#core, connection, options, () => {
      this.#connections--
      this.#closeWhenEmpty()
    })
    socket.server = this
    if (this.noDelay) socket.setNoDelay(true)
    if (this.keepAlive) socket.setKeepAlive(true, this.keepAliveInitialDelay)
    if (this.pauseOnConnect) socket.pause()
    const waiting = this.#waiting.shift()
    if (waiting === undefined) {
      safely(() => this.emit('connection', socket))
      TunSocket.start(socket)
      return
    }
    socket.on('error', () => {})
    waiting({ done: false, value: socket })
    // The loop's body runs first, so that it is there when the first event comes.
    this.#core.scheduler.defer(() => TunSocket.start(socket))
  }

  #drop(connection: Connection): void {
    const local = socketAddress(connection.local, connection.localPort)
    const remote = socketAddress(connection.remote, connection.remotePort)
    connection.abort()
    this.#core.wake()
    const dropped: DropArgument = {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family,
    }
    safely(() => this.emit('drop', dropped))
  }

  #closeWhenEmpty(): void {
    if (!this.#closing || this.#listener !== null || this.#connections > 0) return
    process.nextTick(() => this.emit('close'))
  }

  #settleHold(): void {
    this.#hold.settle(this.#refed && this.#listener !== null)
  }
}

function anyAddress(core: HostCore): string {
  return core.stack.ip.addresses.some(({ address }) => address.family === 6) ? '::' : '0.0.0.0'
}

function addressOf(listener: Listener, asked: IpAddress | null, core: HostCore): SocketAddress {
  if (asked !== null) return socketAddress(asked, listener.port)
  const address = anyAddress(core)
  return { address, family: address === '::' ? 'IPv6' : 'IPv4', port: listener.port }
}
