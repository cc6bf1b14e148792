// A TimedDuplex over a TCP connection: what a socket offers of TCP beyond a stream, whether there is a connection yet or not.
// Owns: settings and those remembered for a connection to come, urgent writes, what troubles the connection, its picture after the end.
// Does not own: when there is a connection (socket.ts), the meaning of a setting (src/tcp/config.ts).

import { MILLISECOND } from '../base/time.ts'
import type { Connection } from '../stack/index.ts'
import { type TcpConfig, type TcpError, type TcpInfo, tcpConfig } from '../tcp/index.ts'
import { AckWaiters, type Lingered } from './ack-waiters.ts'
import { MORE, URGENT, type WriteCallback } from './chunk-queue.ts'
import type { HostCore } from './core.ts'
import type { SocketOptions } from './options.ts'
import { callError, connectError, type SocketError } from './socket-errors.ts'
import { TimedDuplex } from './timed-duplex.ts'

/** A Duplex with TCP's own calls. */
export class TcpDuplex extends TimedDuplex {
  protected readonly core: HostCore
  /** Null before there is one, and from `destroy` on. */
  protected connection: Connection | null = null
  /** Of the connection that was let go. */
  protected lastInfo: TcpInfo | null = null
  /** Who waits for what becomes of the connection, also when the socket has let go of it. */
  protected waiters = new AckWaiters()

  #noDelay = false
  #keepAlive: { readonly on: boolean; readonly idleUs: number | undefined } | null = null
  #changes: Partial<TcpConfig> | null = null
  #soft: { readonly of: TcpError; readonly error: SocketError } | null = null

  constructor(core: HostCore, options: SocketOptions) {
    super(core.scheduler, options)
    this.core = core
  }

  /** What TCP knows of the connection, in tcp_info's names: of a closed one, when it was closed; null before there was one. */
  info(): TcpInfo | null {
    return this.connection?.info() ?? this.lastInfo
  }

  /**
   * What ICMP has said last about the way to the peer, with Node's code, as EHOSTUNREACH: the connection lives, and fails of it should it
   * time out (RFC 9293 §3.9.2.2 [SHLD-25]). Null when nothing was, or something was acknowledged since. 'trouble' tells of changes.
   */
  get softError(): SocketError | null {
    const of = this.connection?.softError ?? null
    if (of === null) return null
    if (this.#soft?.of === of) return this.#soft.error
    const { remote, remotePort: port } = this.connection!
    const error = this.connecting
      ? connectError(of.code, { address: remote.toString(), port })
      : callError(of.code, 'write')
    this.#soft = { of, error }
    return error
  }

  /** The same segment went again `retransmitNoticeCount` times and nothing was acknowledged since (RFC 9293 §3.8.3 [SHLD-9]). */
  get isTroubled(): boolean {
    return this.connection?.isTroubled ?? false
  }

  /**
   * What became of what was written when the socket was destroyed with `lingerUs` above 0 (SO_LINGER): 'acknowledged', FIN too;
   * 'expired' when that took longer (it goes on in the background); 'failed'. 'none' without such a `lingerUs`. May be called before
   * `destroy` or after it.
   */
  whenLingered(): Promise<Lingered> {
    return this.waiters.waitLinger()
  }

  /**
   * Changes TCP settings, by the names of TcpConfig, of this connection alone: `{ cork: true }`, `{ congestion: 'bbr' }`. Before
   * there is a connection they are remembered for it; give `tcp` to `connect` for those that are agreed on as it opens.
   * @throws {TypeError | RangeError} naming the setting
   */
  configure(changes: Partial<TcpConfig>): this {
    if (this.connection !== null) this.connection.configure(changes)
    else if (tcpConfig(changes)) this.#changes = { ...this.#changes, ...changes }
    this.core.wake()
    return this
  }

  /**
   * Writes as `write` does; the stream is urgent up to its end: the peer hears of it at once, whatever its window (RFC 9293 §3.8.5). It
   * stays in the stream. The other way an 'urgent' event says how many bytes are left up to the end of the urgent data.
   */
  writeUrgent(bytes: Uint8Array, callback?: WriteCallback): boolean {
    return this.#writeMarked(URGENT, bytes, callback)
  }

  /**
   * Writes as `write` does, and promises another write soon: what fills no segment waits for it (MSG_MORE in Linux), for the end, or for
   * `corkLimitUs`.
   */
  writeMore(bytes: Uint8Array, callback?: WriteCallback): boolean {
    return this.#writeMarked(MORE, bytes, callback)
  }

  /** Acknowledges at once what waits, and what comes next (TCP_QUICKACK); off: acknowledgements wait for an answer to ride on. */
  quickAck(on = true): this {
    this.connection?.quickAck(on)
    this.core.wake()
    return this
  }

  /** Switches Nagle's algorithm off (true, the default) or on (RFC 9293 §3.7.4); before the connection too. */
  setNoDelay(on = true): this {
    this.#noDelay = on
    this.connection?.setNoDelay(on)
    this.core.wake()
    return this
  }

  /** Switches keep-alive probes on or off (RFC 9293 §3.8.4). `initialDelayMs` 0: the configured idle time. */
  setKeepAlive(on = false, initialDelayMs = 0): this {
    this.#keepAlive = { on, idleUs: initialDelayMs > 0 ? initialDelayMs * MILLISECOND : undefined }
    this.connection?.setKeepAlive(on, this.#keepAlive.idleUs)
    this.core.wake()
    return this
  }

  /** Gives a connection the settings that were made before there was one. */
  protected applySettings(connection: Connection): void {
    if (this.#changes !== null) connection.configure(this.#changes)
    if (this.#noDelay) connection.setNoDelay(true)
    if (this.#keepAlive !== null) connection.setKeepAlive(this.#keepAlive.on, this.#keepAlive.idleUs)
  }

  /** Before another connection: what is told of the last one, which may still be on its way to its end, is no news of this one. */
  protected forgetConnection(): void {
    this.lastInfo = null
    this.waiters = new AckWaiters()
  }

  #writeMarked(marks: WeakSet<Uint8Array>, bytes: Uint8Array, callback: WriteCallback | undefined): boolean {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    marks.add(chunk)
    return callback === undefined ? this.write(chunk) : this.write(chunk, undefined, callback)
  }
}
