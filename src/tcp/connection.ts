// A connection as its owner sees it: a thin handle on the record. It hides the TCB, and tells the layer when there may be something to
// send. Owns: arguments and their errors. Does not own: any rule of TCP (the files around).

import type { DeadlineEntry } from '../base/deadlines.ts'
import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { setQuickAck } from './acknowledge.ts'
import { abortTcb } from './closing.ts'
import type { TcpConfig } from './config.ts'
import { congestionControl } from './congestion/index.ts'
import { deriveConfig } from './derived-config.ts'
import type { TcpError } from './errors.ts'
import type { SegmentHeader } from './header.ts'
import { type TcpInfo, tcpInfo } from './info.ts'
import type { LingerOutcome } from './life.ts'
import { pushTail } from './push.ts'
import { discardText, lendText, takeText } from './receive.ts'
import { endRecord } from './records.ts'
import { noteRetuned } from './retune.ts'
import { resizeSendBuffer, writeRoom } from './send-buffer.ts'
import { seqGt } from './seq.ts'
import type { State } from './state.ts'
import { type Tcb, unsentBytes } from './tcb.ts'
import { markUrgent, urgentBytes } from './urgent.ts'
import { closeFully, flushUnsent, queueFin, queueText } from './user-calls.ts'
import type { ConnectionWatch } from './watch.ts'

/** What a connection came through, until it is accepted: a Listener. */
export interface Acceptor {
  /** The connection has changed its state: it may wait to be accepted now, or be gone. */
  settle(connection: Connection): void
  /** The ACK that ends the handshake has come: whether it may. */
  admit(connection: Connection, segment: SegmentHeader, now: Micros): 'open' | 'hold' | 'reset'
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
  /** Whose it is, or was: for those who observe it to its end. */
  owner: unknown = null
  /** The listener that it came through and has not been accepted from yet. */
  listener: Acceptor | null

  // DeadlineEntry, and the layer's lists.
  deadline: Micros = Number.POSITIVE_INFINITY
  heapIndex = -1
  heapAt: Micros = Number.POSITIVE_INFINITY
  isDirty = false
  isQueued = false
  nextInBucket: Connection | null = null
  /** Set while somebody observes: see TcpLayer.observe. */
  watch: ConnectionWatch | null = null

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

  /** A soft ICMP error about what is unacknowledged: the connection lives, and fails of it should it time out [MUST-47]. */
  get softError(): TcpError | null {
    return this.tcb.life.softError
  }

  /** The same segment was sent again `retransmitNoticeCount` times, and nothing acknowledged since (RFC 9293 §3.8.3 [SHLD-9]). */
  get isTroubled(): boolean {
    return this.tcb.life.isTroubled
  }

  /**
   * What became of what was queued when `close` was called with `lingerUs` above 0: 'acknowledged' with FIN, 'expired' (it goes on in the
   * background), 'failed'; 'waiting' until EVENT.lingered; 'none' without.
   */
  get linger(): LingerOutcome {
    return this.tcb.life.linger
  }

  /** Takes the gathered EVENT bits. */
  takeEvents(): number {
    const { events } = this.tcb
    this.tcb.events = 0
    return events
  }

  /**
   * Queues a copy of as many bytes as the send buffer takes and returns how many; when fewer than given, EVENT.writable follows. With
   * `more`, as MSG_MORE in Linux, another write is to follow: only full segments go, the rest waits for the next write without `more`
   * (an empty one will do), for the end, or for `corkLimitUs`.
   */
  write(bytes: Uint8Array, more = false): number {
    const isReleased = this.tcb.snd.hasMore && !more
    const taken = queueText(this.tcb, bytes, more)
    if (taken > 0 || isReleased) this.#layer.touch(this)
    return taken
  }

  /** What was written up to now never goes in one segment with what is written after it, as after MSG_EOR in Linux (records.ts). */
  endRecord(): void {
    endRecord(this.tcb)
    this.#layer.touch(this)
  }

  /** What the last write has held back with `more` goes from now on as Nagle lets it: in Linux any segment that comes does this. */
  releaseMore(): void {
    this.tcb.snd.isMoreOver = true
  }

  /** Bytes that `write` would take now. */
  get writableBytes(): number {
    return writeRoom(this.tcb)
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

  /**
   * Hands what has arrived in order to `take`, piece by piece and without a copy; each piece is read, and borrowed until `take` returns,
   * which may write, close or abort; when it returns false the rest stays. Returns how many bytes that were. @throws what `take` does
   */
  readWith(take: (bytes: Uint8Array) => unknown): number {
    try {
      return lendText(this.tcb, take)
    } finally {
      if (this.tcb.rcv.acksOwed > 0) this.#layer.touch(this)
    }
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

  /**
   * As `write`; the stream is urgent up to the last byte taken: the peer is told of it at once, whatever its window, and small segments
   * do not wait (RFC 9293 §3.8.5). The text stays in line. New programs should not use it (RFC 6093 §5 [SHLD-13]).
   */
  writeUrgent(bytes: Uint8Array): number {
    const taken = queueText(this.tcb, bytes, false)
    if (taken === 0) return 0
    markUrgent(this.tcb)
    this.#layer.touch(this)
    return taken
  }

  /** Bytes up to the end of the peer's urgent data that have not been read, arrived or not; 0 when there is none. A read stops there. */
  get urgentBytes(): number {
    return urgentBytes(this.tcb)
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

  /** What has arrived stays readable; what still comes resets the connection once its sending side is closed too (shutdown in Linux). */
  refuseText(): void {
    this.tcb.rcv.discard = true
  }

  /** FLUSH: throws away what was written and never sent; returns how many bytes that was (RFC 9293 §3.9.1.7 [MAY-14]). */
  flush(): number {
    const dropped = flushUnsent(this.tcb)
    if (dropped > 0) this.#layer.touch(this)
    return dropped
  }

  /**
   * Closes both directions: a FIN after what is queued, or a reset when received text was not read (RFC 9293 §3.6.1). With `lingerUs` 0 a
   * reset in any case; with more, EVENT.lingered follows.
   */
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
    const config = deriveConfig(changes, before)
    congestionControl(config.congestion)
    tcb.config = config // settings are shared until they differ
    noteRetuned(tcb, before) // the layer knows the time: it draws the consequences
    resizeSendBuffer(tcb, before)
    if (config.receiveBufferBytes !== before.receiveBufferBytes) tcb.tuning.bufferBytes = 0
    // As Linux: turning Nagle off pushes what waits, past a cork too; what is written after that is held by the cork again.
    if (changes.nagle === false) pushTail(tcb)
    this.#layer.touch(this)
  }

  /** TCP_NODELAY: on turns Nagle's algorithm off [MUST-17]. */
  setNoDelay(on: boolean): void {
    this.configure({ nagle: !on })
  }

  /** TCP_CORK: while on, only full segments go; off sends what waits. */
  setCork(on: boolean): void {
    this.configure({ cork: on })
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
