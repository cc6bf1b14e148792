// LISTEN: a port that waits for connections, its half-open ones and those that wait to be accepted (RFC 9293 §3.10.7.2).
// Owns: the two queues, their bounds, what becomes of a SYN and of the ACK that ends a handshake when one of them is full. Does not own:
// making connections (passive-open.ts), cookies (syn-cookies.ts), the connections themselves.
// Read first: RFC 4987 (SYN floods and what helps).

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { closeTcb } from './closing.ts'
import { type TcpConfig, tcpConfig } from './config.ts'
import type { Connection } from './connection.ts'
import type { TcpCounters } from './counters.ts'
import { EVENT } from './events.ts'
import { FastOpenQueue } from './fast-open-server.ts'
import { FLAG, type SegmentHeader } from './header.ts'
import { Md5Keys, type Md5PeerKey, type Md5Secret } from './md5.ts'
import { COOKIE_LIFE_US } from './syn-cookies.ts'
import { defersAccept, holdFinalAck, restUntilDeferred } from './syn-received.ts'

/** What a listener asks of the layer that made it. */
export interface ListenerLayer {
  readonly counters: TcpCounters
  /** The listener has a connection to accept. */
  acceptable(listener: Listener): void
  /** A half-open connection was given up: it may be forgotten. */
  touch(connection: Connection): void
  /** An accepted connection may have events to tell. */
  accepted(connection: Connection): void
  /** The listener is closed. */
  unlisten(listener: Listener): void
}

/** What a listener is made from. */
export interface ListenerOptions {
  /** The own address it listens on; null for all. */
  readonly address: IpAddress | null
  readonly port: number
  /** Most connections that wait to be accepted. */
  readonly backlog: number
  /** Shares its address and port with others that say so too. */
  readonly reusePort: boolean
  /** Settings of the connections that it makes. */
  readonly config: TcpConfig
  /** Their MD5 keys (RFC 2385): one for all peers, or one each. */
  readonly md5Key?: Md5Secret | readonly Md5PeerKey[]
}

/** What becomes of a segment without a connection: dropped, answered with a reset, a connection, or a SYN cookie. */
export type ListenVerdict = 'drop' | 'reset' | 'open' | 'cookie'

/** A port that accepts connections. Made by TcpLayer.listen. */
export class Listener {
  /** The own address it listens on; null for all. */
  readonly address: IpAddress | null
  readonly port: number
  /** Most connections that wait to be accepted. Half-open ones have a bound of their own: `config.synBacklog`. May be changed. */
  backlog: number
  /** Shares its address and port with others that say so too. */
  readonly reusePort: boolean
  /** Settings of the connections that it makes; replaced by `configure`. */
  config: TcpConfig
  /** Whose segments have to be signed, and with what. */
  readonly md5Keys: Md5Keys
  /** The owner's back pointer. */
  user: unknown = null
  /** Its connections that Fast Open has opened ahead of the handshake's end. */
  readonly fastOpens = new FastOpenQueue()
  isQueued = false
  isClosed = false
  events = 0
  /** SYNs, and ACKs that end a handshake, dropped because `backlog` connections waited to be accepted. */
  overflows = 0

  readonly #layer: ListenerLayer
  readonly #waiting: Connection[] = []
  // Oldest first. Half open: nothing was heard since the SYN. Held: its ACK came, but there was no room, or no text yet.
  readonly #halfOpen = new Set<Connection>()
  readonly #held = new Set<Connection>()
  #cookieAt: Micros = Number.NEGATIVE_INFINITY

  constructor(layer: ListenerLayer, options: ListenerOptions) {
    this.#layer = layer
    this.address = options.address
    this.port = options.port
    this.backlog = options.backlog
    this.reusePort = options.reusePort
    this.config = options.config
    this.md5Keys = new Md5Keys(options.md5Key)
  }

  /** Changes the settings of connections that it makes from now on. @throws {TypeError} {RangeError} as tcpConfig */
  configure(changes: Partial<TcpConfig>): void {
    this.config = tcpConfig(changes, this.config)
  }

  /** Connections that wait to be accepted. */
  get pending(): number {
    return this.#waiting.length
  }

  /** Connections whose handshake is not over. */
  get halfOpen(): number {
    return this.#halfOpen.size + this.#held.size
  }

  /** Takes the gathered EVENT bits. */
  takeEvents(): number {
    const { events } = this
    this.events = 0
    return events
  }

  /** The next connection, null when none waits. Established, but with Fast Open maybe still in SYN-RECEIVED, its first text readable. */
  accept(): Connection | null {
    const connection = this.#waiting.shift()
    if (connection === undefined) return null
    connection.listener = null
    connection.tcb.events &= ~EVENT.connected
    this.#layer.accepted(connection)
    return connection
  }

  /** Stops listening; connections not accepted yet are reset. `isQuiet`: half-open ones when their peer is heard again, as in Linux. */
  close(isQuiet = false): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#layer.unlisten(this)
    for (const connection of this.#waiting) connection.abort()
    for (const connection of [...this.#halfOpen, ...this.#held]) {
      if (isQuiet) closeTcb(connection.tcb)
      else connection.abort()
      this.#layer.touch(connection)
    }
    this.#waiting.length = 0
    this.#halfOpen.clear()
    this.#held.clear()
  }

  /**
   * RFC 9293 §3.10.7.2: what a segment without a connection asks of this listener. `isReopening`: it comes after TIME-WAIT, from a peer
   * that is known; it never gets a cookie, which could not keep its numbers beyond those used before. `isSigned`: its signature was right,
   * and a cookie has no room for what that needs.
   */
  judge(segment: SegmentHeader, now: Micros, isReopening: boolean, isSigned = false): ListenVerdict {
    if ((segment.flags & FLAG.RST) !== 0) return 'drop'
    if ((segment.flags & FLAG.ACK) !== 0) return 'reset'
    if ((segment.flags & FLAG.SYN) === 0) return 'drop'
    // DEVIATION: RFC 9293 §3.10.7.2 would open and look at the FIN later. No TCP sends both; who does is looking for gaps in a filter, or
    // for the name of this system. As Linux does.
    if ((segment.flags & FLAG.FIN) !== 0) return 'drop'
    if (this.isFull()) return 'drop' // the peer's SYN comes again; as Linux does
    const { synBacklog } = this.config
    const synCookies = isSigned ? 'never' : this.config.synCookies
    if (isReopening || (synCookies !== 'always' && this.halfOpen < synBacklog)) return 'open'
    if (synCookies === 'never') {
      this.#layer.counters.TcpExtTCPReqQFullDrop++
      this.#evict()
      return 'open'
    }
    this.#layer.counters.TcpExtTCPReqQFullDoCookies++
    this.#cookieAt = now
    return 'cookie'
  }

  /** Whether `backlog` connections wait to be accepted; it is counted when so. */
  isFull(): boolean {
    if (this.#waiting.length < this.backlog) return false
    this.overflows++
    this.#layer.counters.TcpExtListenOverflows++
    this.#layer.counters.TcpExtListenDrops++
    return true
  }

  /** Whether an ACK may bring back a cookie of ours: they are only believed for as long as there can be any (RFC 4987 §3.6). */
  expectsCookies(now: Micros): boolean {
    return now - this.#cookieAt < COOKIE_LIFE_US
  }

  /** The one before it in a group that shares the port made cookies, which may come back to this one. */
  inheritCookies(other: Listener): void {
    if (other.#cookieAt > this.#cookieAt) this.#cookieAt = other.#cookieAt
  }

  /**
   * The ACK that ends a handshake has come. 'hold': it is passed over, the peer's text or our SYN,ACK again will draw another. 'reset': the
   * peer is told.
   */
  admit(connection: Connection, segment: SegmentHeader, now: Micros): 'open' | 'hold' | 'reset' {
    const { tcb } = connection
    if (tcb.fastOpen.isTaken) return 'open' // it stands in the queue already, with text
    const isDeferred = defersAccept(tcb, segment, now)
    if (!isDeferred && !this.isFull()) return 'open'
    if (!isDeferred && this.config.abortOnOverflow) return 'reset'
    holdFinalAck(tcb, segment, now)
    if (this.#halfOpen.delete(connection)) this.#held.add(connection)
    if (isDeferred) {
      this.#layer.counters.TcpExtTCPDeferAcceptDrop++
      restUntilDeferred(tcb)
    }
    return 'hold'
  }

  /** The layer's: a connection was made from a SYN. */
  adopt(connection: Connection): void {
    this.#halfOpen.add(connection)
  }

  /** The layer's: a half-open connection can be accepted, as a rule because it is established, or is gone. */
  settle(connection: Connection): void {
    if (!this.#halfOpen.delete(connection) && !this.#held.delete(connection)) return
    if (connection.state === 'CLOSED' || this.isClosed) return
    this.#waiting.push(connection)
    this.events |= EVENT.acceptable
    this.#layer.acceptable(this)
  }

  /** Gives up the half-open connection that has waited longest (RFC 4987 §3.4), one that was heard of again only for want of others. */
  #evict(): void {
    const queue = this.#halfOpen.size > 0 ? this.#halfOpen : this.#held
    const [oldest] = queue
    queue.delete(oldest)
    closeTcb(oldest.tcb)
    this.#layer.touch(oldest)
  }
}
