// What the sockets and servers of one host share: the stack, its driver, the clock, and the count of those that keep the
// program alive.
// Owns: handing events to their owners, device ref/unref, connections that outlive their socket, the orderly end of everything.
// Does not own: any socket's state (socket.ts, server.ts), the public face (host.ts).
// Invariant: nothing that a listener throws reaches the driver; it becomes an uncaught exception of its own.

import type { LookupFunction } from 'node:net'
import { MILLISECOND, type Scheduler } from '../base/time.ts'
import type { PacketDevice } from '../link/device.ts'
import { type Connection, Driver, type EventSource, type Stack } from '../stack/index.ts'
import { type AckWaiters, isAcknowledged } from './ack-waiters.ts'
import { callError } from './socket-errors.ts'

/** The method under which a socket or a server takes the event bits of its connection or listener. */
export const ON_EVENTS = Symbol('tunstack.onEvents')

/** An owner of a connection or a listener, found through its `user` field. */
export interface EventSink {
  [ON_EVENTS](events: number): void
}

/** What the core needs of a socket in order to end it. */
export interface CoreSocket {
  readonly connecting: boolean
  end(): unknown
  resume(): unknown
  destroy(error?: Error): unknown
}

/** What the core needs of a server in order to end it. */
export interface CoreServer {
  close(): unknown
}

/** Runs a listener's code; what it throws becomes an uncaught exception after the current turn, as if it had been called by itself. */
export function safely(task: () => void): void {
  try {
    task()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}

/** How long the device stays open after connections were reset. */
const CHALLENGE_WAIT_MS = 50

/** The shared inside of a Host. */
export class HostCore {
  readonly stack: Stack
  readonly device: PacketDevice
  readonly scheduler: Scheduler
  readonly lookup: LookupFunction | null
  readonly sockets = new Set<CoreSocket>()
  readonly servers = new Set<CoreServer>()
  /** True from the call of `shutDown`, or when the device is gone: nothing new is opened. */
  closing = false
  /** Called once, when the device is closed; with the error when it failed. */
  onClosed: ((error: Error | null) => void) | null = null

  readonly #driver: Driver
  readonly #lingering = new Set<Lingering>()
  #holds = 0
  #closed = false
  #quiet: (() => void) | null = null

  constructor(stack: Stack, device: PacketDevice, scheduler: Scheduler, lookup: LookupFunction | null) {
    this.stack = stack
    this.device = device
    this.scheduler = scheduler
    this.lookup = lookup
    this.#driver = new Driver({
      stack,
      device,
      scheduler,
      onEvent: (source: EventSource, events: number) => {
        const owner = source.user as EventSink | null
        if (owner !== null && owner !== undefined) safely(() => owner[ON_EVENTS](events))
      },
      onDeviceClose: (error?: Error | null) => safely(() => this.#deviceClosed(error ?? null)),
    })
    device.unref()
  }

  /** Sends what the stack has to send once the current turn is over. To be called after any change to a connection. */
  wake(): void {
    if (!this.#closed) this.#driver.wake()
  }

  /** Something needs the program to go on: the first hold refs the device. */
  retain(): void {
    if (this.#holds++ === 0 && !this.#closed) this.device.ref()
  }

  /** Gives one hold back: the last one unrefs the device. */
  release(): void {
    if (--this.#holds === 0 && !this.#closed) this.device.unref()
  }

  /**
   * Takes over a connection whose socket is gone, and which may still have bytes or a FIN to deliver.
   * @param how `'end'`: FIN after what is queued, or a reset when input was left unread (RFC 2525 §2.17); `'reset'`: reset now;
   * `'fail'`: a reset tells the peer of the error, but not at the price of an answer that is still on its way (an HTTP server
   * writes 400 and then destroys with the error), so with anything unacknowledged it is an end. Node's sockets always end.
   * @param held whether the socket kept the program alive; then its connection does until the peer has everything
   * @param acks told once the peer has everything, or will not; and what became of a close that waits (`lingerUs`)
   */
  letGo(connection: Connection, how: 'end' | 'reset' | 'fail', held: boolean, acks: AckWaiters): void {
    const isQuiet = connection.unsentBytes + connection.unackedBytes === 0
    const wasDone = connection.error === null && isOver(connection)
    if (how === 'reset' || (how === 'fail' && isQuiet)) connection.abort()
    else connection.close()
    this.wake()
    acks.settleLinger(lingerOf(connection, wasDone))
    if (this.#closed || isOver(connection)) {
      acks.settle(!this.#closed && isAcknowledged(connection))
      acks.settleLinger('failed')
      connection.user = null
      return
    }
    const lingering = new Lingering(connection, this.#hold(held), acks, () => this.#review(lingering))
    connection.user = lingering
    this.#lingering.add(lingering)
  }

  /** A socket or a server is gone. */
  forget(what: CoreSocket | CoreServer): void {
    this.sockets.delete(what as CoreSocket)
    this.servers.delete(what as CoreServer)
    this.#tellIfQuiet()
  }

  /**
   * Ends everything: servers close, sockets send what they have and their FIN; whatever is left after `graceMs` is reset.
   * Resolves when the device is closed.
   */
  async shutDown(graceMs: number): Promise<void> {
    if (this.#closed) return
    this.closing = true
    this.retain()
    for (const server of [...this.servers]) server.close()
    for (const socket of [...this.sockets]) endSocket(socket)
    await this.#untilQuiet(graceMs)
    const isReset = this.sockets.size + this.#lingering.size > 0
    for (const socket of [...this.sockets]) socket.destroy(callError('ECONNABORTED', 'read'))
    for (const { connection } of this.#lingering) connection.abort()
    this.wake()
    // The flush that wake() has deferred comes before this: resets leave before the device closes.
    await new Promise<void>((resolve) => this.scheduler.defer(resolve))
    // A peer that missed bytes challenges a reset (RFC 5961 §3.2): stay a little to answer it, or its connection would hang.
    if (isReset) await this.#wait(CHALLENGE_WAIT_MS)
    this.#finish(null)
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.scheduler.schedule(this.scheduler.now() + ms * MILLISECOND, resolve))
  }

  #untilQuiet(graceMs: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const deadline = this.scheduler.schedule(this.scheduler.now() + graceMs * MILLISECOND, () => this.#quiet?.())
      this.#quiet = () => {
        this.#quiet = null
        deadline.cancel()
        resolve()
      }
      this.#tellIfQuiet()
    })
  }

  #hold(wanted: boolean): Hold {
    const hold = new Hold(this)
    hold.settle(wanted)
    return hold
  }

  /** Something has happened to a connection without a socket. */
  #review(lingering: Lingering): void {
    const { connection, hold, acks } = lingering
    if (isDelivered(connection)) hold.settle(false)
    if (isAcknowledged(connection)) acks.settle(true)
    acks.settleLinger(connection.linger)
    if (!isOver(connection)) return
    acks.settle(false)
    connection.user = null
    this.#lingering.delete(lingering)
    this.#tellIfQuiet()
  }

  #tellIfQuiet(): void {
    if (this.sockets.size + this.#lingering.size === 0) this.#quiet?.()
  }

  #deviceClosed(error: Error | null): void {
    if (this.#closed) return
    this.closing = true
    for (const server of [...this.servers]) server.close()
    for (const socket of [...this.sockets]) socket.destroy(callError('ENETDOWN', 'read'))
    this.#finish(error)
  }

  #finish(error: Error | null): void {
    if (this.#closed) return
    this.#closed = true
    for (const { connection, acks } of this.#lingering) {
      connection.user = null
      acks.settle(false)
      acks.settleLinger('failed')
    }
    this.#lingering.clear()
    this.#quiet?.()
    this.#driver.close()
    this.device.close()
    const told = this.onClosed
    if (told !== null) process.nextTick(() => told(error))
  }
}

/** One owner's share in keeping the program alive, for `ref` and `unref`: counts once however often it is asked for. */
export class Hold {
  held = false
  readonly #core: HostCore

  constructor(core: HostCore) {
    this.#core = core
  }

  /** Takes the hold, or gives it back. */
  settle(wanted: boolean): void {
    if (wanted === this.held) return
    this.held = wanted
    if (wanted) this.#core.retain()
    else this.#core.release()
  }
}

/** The owner of a connection whose socket is gone. Every step towards its end comes with an event. */
class Lingering implements EventSink {
  readonly connection: Connection
  readonly hold: Hold
  readonly acks: AckWaiters
  readonly #changed: () => void

  constructor(connection: Connection, hold: Hold, acks: AckWaiters, changed: () => void) {
    this.connection = connection
    this.hold = hold
    this.acks = acks
    this.#changed = changed
  }

  [ON_EVENTS](): void {
    this.#changed()
  }
}

function endSocket(socket: CoreSocket): void {
  if (socket.connecting) {
    socket.destroy(callError('ECONNABORTED', 'read'))
    return
  }
  socket.end()
  socket.resume()
}

/**
 * What is known of a close's wait as it begins. Nothing has waited on a connection that was over already, with all acknowledged, nor on one
 * that the close has reset: with text unread, or because it had failed.
 */
function lingerOf(connection: Connection, wasDone: boolean): Connection['linger'] {
  if (connection.linger !== 'none' || !(connection.tcb.config.lingerUs > 0)) return connection.linger
  return wasDone ? 'acknowledged' : 'failed'
}

/** Whether the peer has acknowledged everything, our FIN included. */
function isDelivered(connection: Connection): boolean {
  return isOver(connection) || connection.state === 'FIN-WAIT-2'
}

/** Whether both sides are done, or the connection is broken. */
function isOver(connection: Connection): boolean {
  return connection.state === 'CLOSED' || connection.state === 'TIME-WAIT' || connection.error !== null
}

/** Whether nothing more will happen on a connection, but for what is still to be read. */
export function isLost(connection: Connection): boolean {
  return connection.error !== null || connection.state === 'CLOSED'
}
