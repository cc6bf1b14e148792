// LISTEN: a port that waits for connections, its half-open ones and those that wait to be accepted (RFC 9293 §3.10.7.2).
// Owns: what arrives in LISTEN, the backlog. Does not own: the connections themselves.

import type { IpAddress } from '../ip/address.ts'
import type { TcpConfig } from './config.ts'
import type { Connection } from './connection.ts'
import { EVENT } from './events.ts'
import { FLAG, type SegmentHeader } from './header.ts'

/** What a listener asks of the layer that made it. */
export interface ListenerLayer {
  /** The listener has a connection to accept. */
  acceptable(listener: Listener): void
  /** An accepted connection may have events to tell. */
  accepted(connection: Connection): void
  /** The listener is closed. */
  unlisten(listener: Listener): void
}

/** A port that accepts connections. Made by TcpLayer.listen. */
export class Listener {
  /** The own address it listens on; null for all. */
  readonly address: IpAddress | null
  readonly port: number
  /** Most connections that are half open or wait to be accepted, together. */
  readonly backlog: number
  /** Settings of the connections that it makes. */
  readonly config: TcpConfig
  /** The owner's back pointer. */
  user: unknown = null
  isQueued = false
  isClosed = false
  events = 0
  /** SYNs dropped because the backlog was full. */
  overflows = 0

  readonly #layer: ListenerLayer
  readonly #waiting: Connection[] = []
  readonly #halfOpen = new Set<Connection>()

  constructor(layer: ListenerLayer, address: IpAddress | null, port: number, backlog: number, config: TcpConfig) {
    this.#layer = layer
    this.address = address
    this.port = port
    this.backlog = backlog
    this.config = config
  }

  /** Connections that wait to be accepted. */
  get pending(): number {
    return this.#waiting.length
  }

  /** Takes the gathered EVENT bits. */
  takeEvents(): number {
    const { events } = this
    this.events = 0
    return events
  }

  /** The next established connection, null when none waits. */
  accept(): Connection | null {
    const connection = this.#waiting.shift()
    if (connection === undefined) return null
    connection.listener = null
    connection.tcb.events &= ~EVENT.connected
    this.#layer.accepted(connection)
    return connection
  }

  /** Stops listening; connections not accepted yet are reset. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#layer.unlisten(this)
    for (const connection of [...this.#waiting, ...this.#halfOpen]) connection.abort()
    this.#waiting.length = 0
    this.#halfOpen.clear()
  }

  /** RFC 9293 §3.10.7.2: what a segment without a connection asks of this listener. */
  judge(segment: SegmentHeader): 'drop' | 'reset' | 'open' {
    if ((segment.flags & FLAG.RST) !== 0) return 'drop'
    if ((segment.flags & FLAG.ACK) !== 0) return 'reset'
    if ((segment.flags & FLAG.SYN) === 0) return 'drop'
    // DEVIATION: RFC 9293 §3.10.7.2 would open and look at the FIN later. No TCP sends both; who does is looking for gaps in a filter, or
    // for the name of this system. As Linux does.
    if ((segment.flags & FLAG.FIN) !== 0) return 'drop'
    if (this.#waiting.length + this.#halfOpen.size >= this.backlog) {
      this.overflows++
      return 'drop' // the peer's SYN comes again; as Linux does
    }
    return 'open'
  }

  /** The layer's: a connection was made from a SYN. */
  adopt(connection: Connection): void {
    this.#halfOpen.add(connection)
  }

  /** The layer's: a half-open connection is established, or gone. */
  settle(connection: Connection): void {
    if (!this.#halfOpen.delete(connection)) return
    if (connection.state === 'CLOSED' || this.isClosed) return
    this.#waiting.push(connection)
    this.events |= EVENT.acceptable
    this.#layer.acceptable(this)
  }
}
