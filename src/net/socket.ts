// A TCP connection as a stream.Duplex that Node's ecosystem takes for a net.Socket: its properties, methods, events and errors.
// Owns: the two flows between stream and connection with their back-pressure, the order of events.
// Does not own: TCP (src/tcp), its settings (tcp-duplex.ts), whom it shares the host with (core.ts), argument forms (options.ts).
// Invariant: it is no net.Socket and has no `_handle`: tls.connect would hang on a net.Socket without one.
// Read first: https://nodejs.org/docs/latest-v20.x/api/net.html#class-netsocket

import { addAbortSignal } from 'node:stream'
import { SECOND } from '../base/time.ts'
import { type Connection, EVENT } from '../stack/index.ts'
import { isAcknowledged } from './ack-waiters.ts'
import { ChunkQueue, type WriteCallback } from './chunk-queue.ts'
import { type EventSink, Hold, type HostCore, isLost, ON_EVENTS } from './core.ts'
import { checkTarget, type LookupReport, openConnection, resolveTarget, type Target } from './dial.ts'
import { type ConnectArguments, connectArguments, type SocketOptions, socketAddress } from './options.ts'
import { abortError, callError, closedEarlyError, connectError, cutOffError, nodeError } from './socket-errors.ts'
import { TcpDuplex } from './tcp-duplex.ts'

/** The longest chunk of a stream that flows: what came in one batch comes in one chunk. */
const FLOWING_READ_BYTES = 256 * 1024

/** After `[Symbol.asyncDispose]` has sent its FIN, the peer has this long to send its own. */
const DISPOSE_GRACE_US = 5 * SECOND

/**
 * A TCP socket. Made by `host.connect`, `host.createConnection`, `host.socket` or a server.
 *
 * Events: lookup, connect, ready, data, end, drain, finish, timeout, error, close(hadError), urgent(bytesLeft),
 * trouble(isTroubled, softError). After a FIN of the peer: `connect ready data end finish close:false`; after a RST:
 * `error:ECONNRESET close:true`.
 * A write is done when its bytes are in the send buffer, not when they are acknowledged.
 */
export class TunSocket extends TcpDuplex implements EventSink {
  /** The server that accepted the socket; HTTP servers set their own. */
  server: unknown = null

  readonly #pending = new ChunkQueue()
  readonly #hold: Hold
  #target: Target | null = null
  #reading = false
  #ended = false
  #resetting = false
  #closeEmitted = false
  #refed = true
  #bytesRead = 0
  #bytesSent = 0
  #onDetach: (() => void) | null = null

  constructor(core: HostCore, options: SocketOptions = {}) {
    super(core, options)
    this.#hold = new Hold(core)
    const { signal } = options
    if (signal?.aborted) process.nextTick(() => this.destroy(abortError(signal)))
    else if (signal !== undefined) addAbortSignal(signal, this)
  }

  /** Bytes taken from the connection. */
  get bytesRead(): number {
    return this.#bytesRead
  }

  /** Bytes written, whether sent or still waiting. */
  get bytesWritten(): number {
    return this.#bytesSent + this.writableLength - this.#pending.takenBytes
  }

  /** Whether there is no connection: not yet, or no more. */
  get pending(): boolean {
    return this.connection === null || this.connecting
  }

  /** Resolves with true once the peer's TCP has acknowledged all that was written, with false when that cannot come any more. */
  whenAcknowledged(): Promise<boolean> {
    const connection = this.connection
    if (connection === null) return Promise.resolve(false)
    return this.#pending.isIdle && isAcknowledged(connection) ? Promise.resolve(true) : this.waiters.wait()
  }

  /**
   * Opens a connection: `connect(options, cb)`, `connect(port, cb)`, `connect(port, host, cb)`.
   * Failures arrive as 'error' events. A destroyed socket may connect again.
   * @throws {TypeError | RangeError} for options that cannot be meant
   */
  connect(...args: ConnectArguments): this {
    const { options, callback } = connectArguments(args)
    const target = checkTarget(options, this.core.lookup)
    if (this.connection !== null || this.connecting) {
      const code = this.connecting ? 'EALREADY' : 'EISCONN'
      return this.destroy(connectError(code, { address: target.host, port: target.port }))
    }
    if (this.destroyed) this.#revive()
    if (options.noDelay !== undefined) this.setNoDelay(options.noDelay)
    if (options.keepAlive !== undefined) this.setKeepAlive(options.keepAlive, options.keepAliveInitialDelay)
    if (callback !== undefined) this.once('connect', callback)
    this.connecting = true
    this.#target = target
    this.idle.touch()
    const report: LookupReport = (error, address, family) => this.emit('lookup', error, address, family, target.host)
    resolveTarget(target, report, (address) => {
      if (!this.connecting || this.#target !== target) return
      const opened = address instanceof Error ? address : openConnection(this.core, target, address)
      if (opened instanceof Error) this.destroy(opened)
      else this.#attach(opened)
    })
    return this
  }

  /** Keeps the program alive while there is a connection (the default). */
  ref(): this {
    this.#refed = true
    this.#settleHold()
    return this
  }

  /** Lets the program end although there is a connection. */
  unref(): this {
    this.#refed = false
    this.#settleHold()
    return this
  }

  /** Ends our side, and closes completely once everything written is in the send buffer. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Sends a RST and destroys the socket; without an error here, with ECONNRESET there (RFC 9293 §3.10.5). */
  resetAndDestroy(): this {
    if (this.connection === null && !this.connecting) {
      return this.destroy(nodeError(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed'))
    }
    if (this.connecting) return this.once('connect', () => this.resetAndDestroy())
    this.#resetting = true
    return this.destroy()
  }

  /**
   * Ends our side, discards what still comes, and waits for the close. Never rejects; a peer that does not end its side
   * within 5 s of the host's clock is not waited for.
   */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closeEmitted) return
    const { scheduler } = this.core
    const deadline = scheduler.schedule(scheduler.now() + DISPOSE_GRACE_US, () => this.destroy())
    this.on('error', () => {})
    const closed = new Promise<void>((resolve) => this.once('close', () => resolve()))
    if (this.pending) this.destroy()
    this.end()
    this.resume()
    await closed
    deadline.cancel()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#begin([chunk], callback)
  }

  override _writev(items: { chunk: Uint8Array }[], callback: WriteCallback): void {
    const chunks = items.map(({ chunk }) => chunk)
    this.#begin(chunks, callback)
  }

  override _final(callback: WriteCallback): void {
    if (this.pending) {
      this.once('connect', () => this._final(callback))
      return
    }
    this.connection?.shutdownWrite()
    this.core.wake()
    setImmediate(callback) // as Node, whose shutdown() is done in a later turn
  }

  override _read(): void {
    this.#reading = true
    if (!this.connecting) this.#pull()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const connection = this.connection
    const wasConnecting = this.connecting
    this.connecting = false
    this.idle.stop()
    if (connection !== null) {
      this.connection = null
      const isCut = error !== null && !this.#pending.isIdle
      const how = this.#resetting || isCut ? 'reset' : error === null ? 'end' : 'fail'
      this.lastInfo = connection.info()
      this.core.letGo(connection, how, this.#hold.held, this.waiters)
      this.#settleHold()
      this.core.forget(this)
      this.#onDetach?.()
    } else {
      this.waiters.settleLinger('none')
    }
    callback(error)
    const written = this.#pending.finish()
    // With a connection, Node emits 'close' once its handle is closed: later in the turn.
    const later = connection === null ? process.nextTick : setImmediate
    later(() => {
      // DEVIATION: Node tells a write that destroy() has cut off of no error, and pipeline() then takes the part for the whole.
      if (!wasConnecting) written?.(error ?? cutOffError())
      this.#closeEmitted = true
      this.emit('close', error !== null)
      if (wasConnecting) written?.(closedEarlyError())
    })
  }

  /** Takes the events of the connection; called by the host. */
  [ON_EVENTS](events: number): void {
    if ((events & EVENT.connected) !== 0 && this.connecting) this.#connected()
    if ((events & EVENT.trouble) !== 0) this.emit('trouble', this.isTroubled, this.softError)
    if ((events & EVENT.urgent) !== 0) this.emit('urgent', this.connection?.urgentBytes ?? 0)
    if ((events & ~(EVENT.connected | EVENT.writable)) !== 0 && this.#reading && !this.connecting) this.#pull()
    if ((events & EVENT.drained) !== 0 && this.#pending.isIdle) this.waiters.settle(true)
    if ((events & EVENT.writable) !== 0) this.#flush()
    if ((events & (EVENT.error | EVENT.closed)) !== 0) this.#lost()
  }

  /**
   * A socket over a connection that a listener accepted. Reading begins with `start`.
   * @param onDetach called when the socket lets go of the connection
   */
  static accept(core: HostCore, connection: Connection, options: SocketOptions, onDetach: () => void): TunSocket {
    const socket = new TunSocket(core, options)
    socket.#onDetach = onDetach
    socket.#attach(connection)
    socket.remoteEnd = socketAddress(connection.remote, connection.remotePort)
    return socket
  }

  /** Begins to read from an accepted connection, unless the socket is paused, and tells of what has happened to it so far. */
  static start(socket: TunSocket): void {
    if (socket.destroyed) return
    if (!socket.isPaused()) socket.read(0)
    if (socket.connection !== null && isLost(socket.connection)) socket.#lost()
  }

  #attach(connection: Connection): void {
    this.connection = connection
    connection.user = this
    this.localEnd = socketAddress(connection.local, connection.localPort)
    this.applySettings(connection)
    this.core.sockets.add(this)
    connection.owner = this
    this.#settleHold()
    this.#flush() // Fast Open
    this.core.wake()
  }

  #connected(): void {
    const connection = this.connection
    if (connection === null) return
    this.connecting = false
    this.remoteEnd = socketAddress(connection.remote, connection.remotePort)
    this.idle.touch()
    this.emit('connect')
    this.#flush()
    this.emit('ready')
    if (!this.destroyed && !this.isPaused()) this.read(0)
  }

  /** Moves received bytes into the stream until it has enough; reading them is what reopens the peer's window. */
  #pull(): void {
    while (this.#reading && this.connection !== null && !this.#ended) {
      const connection = this.connection
      // What flows is not held: the mark bounds what is.
      const room = this.readableHighWaterMark - this.readableLength
      const bytes = connection.read(this.readableFlowing === true ? FLOWING_READ_BYTES : Math.max(room, 1))
      if (bytes === null) {
        if (connection.ended) this.#endReading()
        else if (isLost(connection)) this.#lost()
        return
      }
      this.#bytesRead += bytes.length
      this.idle.touch()
      this.core.wake()
      this.#reading = this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    }
  }

  #endReading(): void {
    this.#ended = true
    this.push(null)
    this.read(0)
  }

  #begin(chunks: readonly Uint8Array[], callback: WriteCallback): void {
    if (this.connection === null && !this.connecting) {
      callback(nodeError(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed'))
      return
    }
    this.#pending.begin(chunks, callback)
    this.#flush()
  }

  /** Moves written bytes into the send buffer; what does not fit waits for EVENT.writable. */
  #flush(): void {
    const connection = this.connection
    if (connection === null || this.#pending.isIdle) return
    if (this.connecting && !connection.tcb.config.fastOpen) return // with Fast Open text goes with the SYN (RFC 7413)
    const moved = this.#pending.moveInto(connection)
    if (moved > 0) {
      this.#bytesSent += moved
      this.idle.touch()
      this.core.wake()
    }
    if (this.#pending.isDone) this.#pending.finish()?.()
    else if (isLost(connection)) this.#lost()
  }

  /** The connection has failed or is gone. What came before is read first. */
  #lost(): void {
    const connection = this.connection
    if (connection === null) return
    const code = connection.error?.code ?? null
    if (this.connecting) {
      const remote = { address: connection.remote.toString(), port: connection.remotePort }
      this.destroy(connectError(code ?? 'ECONNABORTED', remote))
      return
    }
    // As in Node, a paused reader is told when it reads on; until then what it has is not taken from it.
    if (!this.#ended && !this.#reading && this.#pending.isIdle) return
    if (!this.#ended) this.destroy(callError(code ?? 'ECONNABORTED', this.#reading ? 'read' : 'write'))
    else if (code !== null) this.destroy(callError(code === 'ECONNRESET' ? 'EPIPE' : code, 'write'))
    else if (!this.#pending.isIdle) this.destroy(callError('EPIPE', 'write'))
  }

  #settleHold(): void {
    this.#hold.settle(this.#refed && this.connection !== null)
  }

  /** Makes a destroyed stream new, as net.Socket does with the method that streams have for it. */
  #revive(): void {
    const stream = this as unknown as { _undestroy(): void }
    stream._undestroy()
    this.#reading = false
    this.#ended = false
    this.#resetting = false
    this.#closeEmitted = false
    this.remoteEnd = null
    this.localEnd = null
    this.#bytesRead = 0
    this.#bytesSent = 0
    this.forgetConnection()
  }
}
