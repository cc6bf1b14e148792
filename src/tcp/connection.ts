// A connection as its owner sees it: a thin handle on the record. It hides the TCB, and tells the layer when there may be something to
// send. Owns: arguments and their errors. Does not own: any rule of TCP (the files around).

import type { DeadlineEntry } from '../base/deadlines.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { setQuickAck } from './acknowledge.ts'
import { abortTcb } from './closing.ts'
import { reconfigure, type TcpConfig } from './config.ts'
import type { TcpError } from './errors.ts'
import { type TcpInfo, tcpInfo } from './info.ts'
import { discardText, takeText } from './receive.ts'
import { seqGt } from './seq.ts'
import type { State } from './state.ts'
import { type Tcb, unsentBytes } from './tcb.ts'
import { closeFully, queueFin, queueText } from './user-calls.ts'

/** What a connection came through, until it is accepted: a Listener. */
export interface Acceptor {
  /** The connection has changed its state: it may wait to be accepted now, or be gone. */
  settle(connection: Connection): void
}

/** What a connection asks of the layer that made it. */
export interface ConnectionLayer {
  /** There may be something to send, or a deadline may have moved. */
  touch(connection: Connection): void
}

/** One TCP connection. Made by TcpLayer.connect or Listener.accept; events come from Stack.pollEvent. */
export class Connection implements DeadlineEntry {
  /** The record. For tests and traces; change it only through the calls below. */
  readonly tcb: Tcb
  /** The owner's back pointer. */
  user: unknown = null
  /** The listener that it came through and has not been accepted from yet. */
  listener: Acceptor | null

  // DeadlineEntry, and the layer's lists.
  deadline: Micros = Number.POSITIVE_INFINITY
  heapIndex = -1
  heapAt: Micros = Number.POSITIVE_INFINITY
  isDirty = false
  isQueued = false
  nextInBucket: Connection | null = null

  readonly #layer: ConnectionLayer

  constructor(tcb: Tcb, layer: ConnectionLayer, listener: Acceptor | null) {
    this.tcb = tcb
    this.#layer = layer
    this.listener = listener
  }

  /** Our address. */
  get local(): IpAddress {
    return this.tcb.local
  }

  /** Our port. */
  get localPort(): number {
    return this.tcb.localPort
  }

  /** The peer's address. */
  get remote(): IpAddress {
    return this.tcb.remote
  }

  /** The peer's port. */
  get remotePort(): number {
    return this.tcb.remotePort
  }

  /** Where it stands in RFC 9293 figure 5. */
  get state(): State {
    return this.tcb.state
  }

  /** Why the connection failed; null while it has not. */
  get error(): TcpError | null {
    return this.tcb.error
  }

  /** Takes the gathered EVENT bits. */
  takeEvents(): number {
    const { events } = this.tcb
    this.tcb.events = 0
    return events
  }

  /** Queues a copy of as many bytes as the send buffer takes and returns how many; when fewer than given, EVENT.writable follows. */
  write(bytes: Uint8Array): number {
    const taken = queueText(this.tcb, bytes)
    if (taken > 0) this.#layer.touch(this)
    return taken
  }

  /** Bytes that `write` would take now. */
  get writableBytes(): number {
    return Math.max(0, this.tcb.config.sendBufferBytes - this.tcb.snd.buffer.extent)
  }

  /** Bytes written that were never sent. */
  get unsentBytes(): number {
    return Math.max(0, unsentBytes(this.tcb))
  }

  /** Bytes of sequence space sent and not acknowledged. */
  get unackedBytes(): number {
    return this.tcb.snd.flight.bytes
  }

  /** Takes up to `most` bytes that have arrived in order, in a buffer of the caller's own; null when there are none now. */
  read(most: number = Number.POSITIVE_INFINITY): Uint8Array | null {
    if (!(most >= 0) || (most !== Number.POSITIVE_INFINITY && !Number.isInteger(most))) {
      throw new RangeError(`read takes a whole number of bytes, not ${most}`)
    }
    const text = takeText(this.tcb, most)
    if (text !== null && this.tcb.rcv.acksOwed > 0) this.#layer.touch(this)
    return text
  }

  /** Bytes that can be read now. */
  get readableBytes(): number {
    return this.tcb.rcv.unread
  }

  /** The peer has closed its side and everything it sent was read. */
  get ended(): boolean {
    const { rcv } = this.tcb
    return rcv.unread === 0 && rcv.finSeen && seqGt(rcv.nxt, rcv.finSeq)
  }

  /** Half-close: FIN follows what is queued (RFC 9293 §3.6). Reading goes on. */
  shutdownWrite(): void {
    queueFin(this.tcb)
    this.#layer.touch(this)
  }

  /** Reads no more: what has arrived and what still comes is acknowledged and thrown away. */
  shutdownRead(): void {
    discardText(this.tcb)
    this.#layer.touch(this)
  }

  /** Closes both directions: a FIN after what is queued, or a reset when received text was not read (RFC 9293 §3.6.1). */
  close(): void {
    closeFully(this.tcb)
    this.#layer.touch(this)
  }

  /** Resets the connection at once; what is queued is lost (RFC 9293 §3.10.5). */
  abort(): void {
    abortTcb(this.tcb)
    this.#layer.touch(this)
  }

  /**
   * Changes settings while the connection lives, for what follows: `{ nagle: false, keepAliveCount: 3 }`. A congestion controller
   * goes on from the window that the one before it has left.
   * @throws {TypeError} {RangeError} naming the setting, also when it is agreed on as a connection opens
   */
  configure(changes: Partial<TcpConfig>): void {
    const { tcb } = this
    const before = tcb.config
    tcb.config = reconfigure(changes, before) // settings are shared until they differ
    if (tcb.config.receiveBufferBytes !== before.receiveBufferBytes) tcb.tuning.bufferBytes = 0
    if (tcb.config.keepAlive !== before.keepAlive || tcb.config.keepAliveIdleUs !== before.keepAliveIdleUs) {
      // Armed when the layer next looks: it knows the time.
      if (tcb.state !== 'CLOSED') tcb.timers.keepAlive = tcb.config.keepAlive ? -1 : Number.POSITIVE_INFINITY
    }
    this.#layer.touch(this)
  }

  /** TCP_NODELAY: on turns Nagle's algorithm off [MUST-17]. */
  setNoDelay(on: boolean): void {
    this.configure({ nagle: !on })
  }

  /** Keep-alive probes [MUST-24]; `idleUs` before the first one. */
  setKeepAlive(on: boolean, idleUs?: Micros): void {
    this.configure(idleUs === undefined ? { keepAlive: on } : { keepAlive: on, keepAliveIdleUs: idleUs })
  }

  /**
   * TCP_QUICKACK: acknowledges at once what waits, and what comes next; off: acknowledgements wait for an answer to ride on. It holds
   * until the connection shows what it is. Without `delayedAck: 'adaptive'` only what waits is acknowledged.
   */
  quickAck(on = true): void {
    setQuickAck(this.tcb, on)
    this.#layer.touch(this)
  }

  /** A picture of the connection, with tcp_info's names. */
  info(): TcpInfo {
    return tcpInfo(this.tcb)
  }
}
