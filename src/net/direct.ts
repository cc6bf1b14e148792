// Connections without streams: callbacks right above TCP, for those who want what the Duplex costs. Received text is lent without a copy,
// nothing is queued on this side of the send buffer, and an idle connection is little more than its record.
// Owns: the calls and their order. Does not own: TCP (src/tcp), connections after their close (core.ts).
// Read first: src/tcp/connection.ts, whose `write`, `readWith` and settings are used as they are.

import { type Connection, EVENT, type Listener, type TcpConfig } from '../stack/index.ts'
import { AckWaiters, isAcknowledged } from './ack-waiters.ts'
import { type CoreServer, type EventSink, type HostCore, isLost, ON_EVENTS } from './core.ts'
import { checkTarget, openConnection } from './dial.ts'
import { type ConnectOptions, parseLiteral } from './options.ts'
import { callError, codeOf, connectError, listenError, notFoundError } from './socket-errors.ts'

/** Who is told of what happens to direct connections; one object may serve many. All are called after the batch of packets. */
export interface DirectHandler {
  /** The connection is open; of one that was accepted, at once. */
  onOpen?(socket: DirectSocket): void
  /** Text: `bytes` is the connection's own memory, valid until this returns. */
  onData(socket: DirectSocket, bytes: Uint8Array): void
  /** There is room again, after `write` took less than it was given. */
  onWritable?(socket: DirectSocket): void
  /** The peer has ended its side. Without this call ours ends too. */
  onEnd?(socket: DirectSocket): void
  /** It is over; with an error when it failed. `socket` is of no use any more. */
  onClose?(socket: DirectSocket, error: Error | null): void
}

// What a direct connection remembers: one number, for there may be a hundred thousand of them.
const OPEN = 1
const ENDED = 2
const PAUSED = 4

/** A connection with callbacks. Made by `host.connectDirect` and `host.listenDirect`. */
export class DirectSocket implements EventSink {
  /** The connection below: addresses, settings, `info()`. */
  readonly connection: Connection
  /** The owner's. */
  data: unknown = null
  readonly #core: HostCore
  readonly #handler: DirectHandler
  /** Of OPEN, ENDED and PAUSED. */
  #flags: number
  /** Who waits for acknowledgements; null until somebody does. */
  #acks: AckWaiters | null = null

  constructor(core: HostCore, connection: Connection, handler: DirectHandler, isOpen: boolean) {
    this.#core = core
    this.connection = connection
    this.#handler = handler
    this.#flags = isOpen ? OPEN : 0
    connection.user = this
    core.sockets.add(this)
  }

  /** Whether the handshake is still under way. */
  get connecting(): boolean {
    return (this.#flags & OPEN) === 0
  }

  /** Queues a copy of as many bytes as the send buffer takes, and returns how many; `onWritable` follows when that was not all. */
  write(bytes: Uint8Array): number {
    const taken = this.connection.write(bytes)
    this.#core.wake()
    return taken
  }

  /**
   * Resolves with true once the peer's TCP has acknowledged all that was written, also when the connection was let go meanwhile; with
   * false when that cannot come any more.
   */
  whenAcknowledged(): Promise<boolean> {
    const { connection } = this
    if (connection.user !== this) return Promise.resolve(false)
    if (isAcknowledged(connection)) return Promise.resolve(true)
    this.#acks ??= new AckWaiters()
    return this.#acks.wait()
  }

  /** Sends FIN after what is queued; text still comes. */
  end(): void {
    this.connection.shutdownWrite()
    this.#core.wake()
  }

  /** Takes no more text until `resume`: the peer's window closes. */
  pause(): void {
    this.#flags |= PAUSED
  }

  /** Takes text again. */
  resume(): void {
    this.#flags &= ~PAUSED
    this.#core.scheduler.defer(() => this[ON_EVENTS](EVENT.readable))
  }

  /**
   * Closes both directions: what is queued still goes, what comes is refused. With an error, and nothing on its way, the peer is told by a
   * reset. `onClose` follows at once.
   */
  destroy(error?: Error): void {
    this.#leave(error ?? null, error === undefined ? 'end' : 'fail')
  }

  /** Resets the connection; `error` is for `onClose`. */
  reset(error?: Error): void {
    this.#leave(error ?? null, 'reset')
  }

  /** Takes the events of the connection; called by the host. */
  [ON_EVENTS](events: number): void {
    const { connection } = this
    const handler = this.#handler
    if (connection.user !== this) return
    if ((events & EVENT.connected) !== 0 && this.connecting) {
      this.#flags |= OPEN
      handler.onOpen?.(this)
    }
    if ((this.#flags & PAUSED) === 0 && connection.readableBytes > 0) {
      connection.readWith((bytes) => {
        handler.onData(this, bytes)
        return connection.user === this && (this.#flags & PAUSED) === 0
      })
      this.#core.wake()
    }
    if (connection.ended && (this.#flags & ENDED) === 0 && connection.user === this) {
      this.#flags |= ENDED
      if (handler.onEnd !== undefined) handler.onEnd(this)
      else this.end()
    }
    if ((events & EVENT.drained) !== 0) this.#acks?.settle(true)
    if ((events & EVENT.writable) !== 0 && connection.user === this) handler.onWritable?.(this)
    if ((events & (EVENT.error | EVENT.closed)) !== 0 && connection.user === this) this.#over()
  }

  #over(): void {
    const { connection } = this
    if (!isLost(connection) && connection.state !== 'TIME-WAIT') return
    const code = connection.error?.code ?? null
    const remote = { address: connection.remote.toString(), port: connection.remotePort }
    this.#leave(code === null ? null : this.connecting ? connectError(code, remote) : callError(code, 'read'), 'end')
  }

  #leave(error: Error | null, how: 'end' | 'reset' | 'fail'): void {
    if (this.connection.user !== this) return
    this.#core.letGo(this.connection, how, false, this.#acks ?? NOBODY)
    this.#core.forget(this)
    this.#handler.onClose?.(this, error)
  }
}

/** Nobody waits for what becomes of most direct connections. */
const NOBODY = new AckWaiters()

/** A port whose connections are direct ones. Made by `host.listenDirect`. */
export class DirectServer implements EventSink, CoreServer {
  readonly port: number
  readonly #core: HostCore
  readonly #listener: Listener
  readonly #handler: DirectHandler

  constructor(core: HostCore, listener: Listener, handler: DirectHandler) {
    this.#core = core
    this.#listener = listener
    this.#handler = handler
    this.port = listener.port
    listener.user = this
    core.servers.add(this)
    core.retain()
  }

  /** Listens no more; connections go on. */
  close(): void {
    if (this.#listener.user !== this) return
    this.#listener.user = null
    this.#listener.close()
    this.#core.release()
    this.#core.forget(this)
    this.#core.wake()
  }

  /** Takes the events of the listener; called by the host. */
  [ON_EVENTS](): void {
    for (let c = this.#listener.accept(); c !== null; c = this.#listener.accept()) {
      const socket = new DirectSocket(this.#core, c, this.#handler, true)
      this.#handler.onOpen?.(socket)
      socket[ON_EVENTS](c.takeEvents() | EVENT.readable)
    }
  }
}

/** Where to listen, and with which settings. */
export interface DirectListenOptions {
  readonly port: number
  /** An own address; all of them unless given. */
  readonly host?: string
  readonly backlog?: number
  readonly reusePort?: boolean
  /** Settings of its connections. */
  readonly tcp?: Partial<TcpConfig>
}

/** Opens a port. @throws {SocketError} EADDRINUSE and its like @throws {TypeError | RangeError} for what cannot be meant */
export function listenDirect(core: HostCore, options: DirectListenOptions, handler: DirectHandler): DirectServer {
  const { port, host, backlog, reusePort, tcp: config } = options
  const address = host === undefined ? null : parseLiteral(host)
  if (host !== undefined && address === null) throw notFoundError(host)
  const local = address === null || address.isUnspecified ? undefined : address
  try {
    return new DirectServer(core, core.stack.listen({ port, backlog, reusePort, local, config }), handler)
  } catch (error) {
    const code = codeOf(error)
    throw code === null ? error : listenError(code, { address: host ?? '::', port })
  }
}

/** Opens a connection to an address, not to a name. @throws {SocketError} EADDRNOTAVAIL, ENETUNREACH and their like */
export function connectDirect(core: HostCore, options: ConnectOptions, handler: DirectHandler): DirectSocket {
  const target = checkTarget(options, null)
  const address = parseLiteral(target.host)
  if (address === null) throw notFoundError(target.host)
  const opened = openConnection(core, target, address)
  if (opened instanceof Error) throw opened
  core.wake()
  return new DirectSocket(core, opened, handler, false)
}
