// A UDP socket without I/O: an own address and port, maybe a peer, and what has come and was not taken yet.
// Owns: its state, the receive buffer, events. Does not own: whose a datagram is, ports, the packets (layer.ts).
// Invariant: a socket is in the table of its layer from `open` to `close`.

import type { Micros } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import type { UdpError, UdpErrorCode } from './errors.ts'
import type { PathSearchHandle, PathSearchOptions } from './path-search.ts'

/** Events of a UDP socket, as bits; those that TCP has too have the same. */
export const UDP_EVENT = {
  /** A datagram can be taken. */
  readable: 2,
  /** An ICMP error has come for a connected socket: see `takeError`. */
  error: 16,
  /** A search has found that the path takes more or less than it had: see `pathSearch`. */
  pathMtu: 2048,
} as const

/** Bytes of the receive buffer by default, as in Linux. */
export const DEFAULT_RECEIVE_BUFFER_BYTES = 212_992

/** What a datagram costs of the receive buffer besides its data. */
const RECORD_BYTES = 128

/** Which addresses a socket has: those of one family, or both behind one IPv6 socket. */
export type UdpFamilies = 4 | 6 | 'both'

/** A datagram that has come. */
export interface Datagram {
  /** Its owner's. */
  readonly data: Uint8Array
  readonly source: IpAddress
  readonly sourcePort: number
  /** Where it went: an own address, or a broadcast one. */
  readonly destination: IpAddress
  readonly hopLimit: number
  readonly trafficClass: number
}

/** How a socket is opened. */
export interface UdpOpenOptions {
  readonly families: UdpFamilies
  /** Own address, a broadcast one or a group; null or unspecified: all of them. */
  readonly local?: IpAddress | null
  /** 0, the default: any free port. */
  readonly port?: number
  /** Others that say so too may have the same address and port; the last to come gets the datagrams. */
  readonly reuseAddress?: boolean
  /** Most bytes that wait to be taken, with 128 for each datagram's record; what comes on top is dropped. Default 212992. */
  readonly receiveBufferBytes?: number
}

/** What a socket needs of its layer. */
export interface SocketLayer {
  send(socket: UdpSocket, data: Uint8Array, remote: IpAddress, port: number): UdpError | null
  connectSocket(socket: UdpSocket, remote: IpAddress, port: number): void
  closeSocket(socket: UdpSocket): void
  joinGroup(socket: UdpSocket, group: IpAddress): UdpError | null
  leaveGroup(socket: UdpSocket, group: IpAddress): UdpError | null
  searchPath(socket: UdpSocket, options: PathSearchOptions, now: Micros): PathSearchHandle
  endSearch(socket: UdpSocket): void
  queueEvents(socket: UdpSocket): void
}

/** A UDP socket. Made by `UdpLayer.open`. */
export class UdpSocket {
  /** Whoever is told of its events. */
  user: unknown = null
  readonly families: UdpFamilies
  readonly port: number
  readonly reuseAddress: boolean
  /** Bound to; null: all. */
  readonly bound: IpAddress | null
  /** The address datagrams to the peer come from; null without a peer, or when bound to one. */
  connectedLocal: IpAddress | null = null
  remote: IpAddress | null = null
  remotePort = 0
  /** Hop limit of datagrams to single hosts, 1 to 255; 0: the host's. */
  hopLimit = 0
  /** Hop limit of datagrams to groups (RFC 1112 §6.1). */
  multicastHopLimit = 1
  /** Whether it may send to broadcast addresses. */
  mayBroadcast = false
  /** Whether what goes to 255.255.255.255 comes from 0.0.0.0, as of a host that asks for its address (RFC 2131 §4.1). */
  sendsUnspecified = false
  /**
   * As Linux's IP_MTU_DISCOVER. 'want': what fits the path says Don't Fragment, so that routers tell (RFC 1191 §3), the rest goes in
   * fragments; 'do': the rest is refused, EMSGSIZE; 'dont': routers may cut up what they like (IPv4); 'probe': everything that the own link
   * takes says Don't Fragment and goes in one piece, whatever is known of the path.
   */
  pathMtuDiscovery: 'want' | 'do' | 'dont' | 'probe' = 'want'
  /**
   * As Linux's UDP_SEGMENT: what is sent goes in datagrams of so many bytes, the last one perhaps shorter, which costs a device that takes
   * super-datagrams little more than one of them; 0: each send is one datagram.
   */
  segmentBytes = 0
  /** The search of the path to the peer, null when there is none. */
  pathSearch: PathSearchHandle | null = null
  /** Whether the probes of a peer's search are answered, unseen by the application: see path-probes.ts. */
  answersPathProbes = false
  /** Groups joined. */
  readonly groups: IpAddress[] = []
  receiveBufferBytes: number
  isClosed = false
  /** In the layer's queue of events. */
  isQueued = false
  /** Datagrams that found the receive buffer full. */
  dropped = 0

  readonly #layer: SocketLayer
  #waiting: Datagram[] = []
  #taken = 0
  #bytes = 0
  #events = 0
  #error: UdpErrorCode | null = null

  constructor(layer: SocketLayer, options: UdpOpenOptions, port: number, bound: IpAddress | null) {
    this.#layer = layer
    this.families = options.families
    this.reuseAddress = options.reuseAddress ?? false
    this.receiveBufferBytes = options.receiveBufferBytes ?? DEFAULT_RECEIVE_BUFFER_BYTES
    this.port = port
    this.bound = bound
  }

  /** The own address: bound to, or that towards the peer; null: all. Shared: do not change it. */
  get local(): IpAddress | null {
    return this.bound ?? this.connectedLocal
  }

  /** Bytes of the receive buffer in use, records included. */
  get waitingBytes(): number {
    return this.#bytes
  }

  /** Datagrams that wait to be taken. */
  get waiting(): number {
    return this.#waiting.length - this.#taken
  }

  /**
   * Sends to the peer, or to `remote`. The data is copied. Null, or what was wrong: EDESTADDRREQ without a peer, EMSGSIZE, ENETUNREACH,
   * EINVAL for more than 128 datagrams of `segmentBytes`, EACCES for a broadcast address without `mayBroadcast`, ENOBUFS, or the error
   * that an earlier datagram has met with.
   */
  send(data: Uint8Array, remote: IpAddress, port: number): UdpError | null {
    return this.#layer.send(this, data, remote, port)
  }

  /** Takes only what comes from there, and is told of ICMP errors. @throws {UdpError} ENETUNREACH, EAFNOSUPPORT, EINVAL */
  connect(remote: IpAddress, port: number): void {
    this.#layer.connectSocket(this, remote, port)
  }

  /**
   * Finds out how large a datagram to the peer may be, by probes and without ICMP (RFC 8899), until the socket is closed or has another
   * peer; UDP_EVENT.pathMtu says that it has changed. A search that is there already ends.
   * @throws {UdpError} EDESTADDRREQ without a peer; {RangeError} for limits that cannot be
   */
  searchPath(options: PathSearchOptions, now: Micros): PathSearchHandle {
    return this.#layer.searchPath(this, options, now)
  }

  /** Takes from everyone again. */
  disconnect(): void {
    this.#layer.endSearch(this)
    this.remote = null
    this.remotePort = 0
    this.connectedLocal = null
  }

  /**
   * Takes datagrams to a group too, as do then all sockets of its port that are bound to all addresses (Linux's IP_MULTICAST_ALL).
   * Null, or what was wrong: EINVAL for what is no group, EADDRINUSE when it is joined, ENOBUFS.
   */
  joinGroup(group: IpAddress): UdpError | null {
    return this.#layer.joinGroup(this, group)
  }

  /** Leaves a group. Null, or EADDRNOTAVAIL when it is not joined. */
  leaveGroup(group: IpAddress): UdpError | null {
    return this.#layer.leaveGroup(this, group)
  }

  /** The next datagram, null when none waits. */
  receive(): Datagram | null {
    if (this.waiting === 0) return null
    const datagram = this.#waiting[this.#taken++]
    if (this.#taken === this.#waiting.length) {
      this.#waiting = []
      this.#taken = 0
    }
    this.#bytes -= datagram.data.length + RECORD_BYTES
    return datagram
  }

  /** The error of an earlier datagram, once; null when there is none. */
  takeError(): UdpErrorCode | null {
    const error = this.#error
    this.#error = null
    return error
  }

  /** Takes the gathered UDP_EVENT bits. */
  takeEvents(): number {
    const events = this.#events
    this.#events = 0
    return events
  }

  /** Gives the port back; what waits is gone. Harmless when repeated. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#waiting = []
    this.#taken = 0
    this.#events = 0
    this.#layer.closeSocket(this)
  }

  /** For the layer: whether so many bytes of data find room. A datagram always does while nothing waits. */
  hasRoom(bytes: number): boolean {
    return this.waiting === 0 || this.#bytes + bytes + RECORD_BYTES <= this.receiveBufferBytes
  }

  /** For the layer: a datagram has come. */
  deliver(datagram: Datagram): void {
    this.#waiting.push(datagram)
    this.#bytes += datagram.data.length + RECORD_BYTES
    this.raise(UDP_EVENT.readable)
  }

  /** For the layer: an ICMP error has come. */
  fail(code: UdpErrorCode): void {
    this.#error = code
    this.raise(UDP_EVENT.error)
  }

  /** For the layer: something has happened. */
  raise(event: number): void {
    this.#events |= event
    this.#layer.queueEvents(this)
  }
}

/** For the layer: whether a socket has addresses of that family. */
export function takes(socket: UdpSocket, address: IpAddress): boolean {
  return socket.families === 'both' || socket.families === address.family
}

/** For the layer: how much of a datagram's four values a socket names; -1 when it names another. */
export function score(socket: UdpSocket, local: IpAddress, remote: IpAddress, remotePort: number): number {
  if (!takes(socket, local)) return -1
  let score = socket.families === 'both' ? 0 : 1
  if (socket.remote !== null) {
    if (socket.remotePort !== remotePort || !socket.remote.equals(remote)) return -1
    score += 8
  }
  const own = socket.local
  if (own !== null) {
    if (!own.equals(local)) return -1
    score += 4
  }
  return score
}
