// One host's UDP: whose a datagram is, which ports are taken, what goes out (RFC 768, RFC 1122 §4.1).
// Owns: the table of sockets, ephemeral ports, the checks before sending. Does not own: a socket's buffer (socket.ts), IP, fragments.
// Read first: RFC 1122 §4.1.3.

import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { IpAddress } from '../ip/address.ts'
import type { TransportError } from '../ip/control.ts'
import type { DropReason } from '../ip/drops.ts'
import type { IpHeader } from '../ip/header.ts'
import type { IpLayer } from '../ip/layer.ts'
import { NO_OFFLOAD, type Offload, type Packet } from '../link/device.ts'
import { codeOfIcmp, UdpError } from './errors.ts'
import { parseUdp, UDP_HEADER_BYTES, UdpHeader } from './header.ts'
import { MOST_SEGMENTS, UdpOutput } from './output.ts'
import type { PathSearchHandle, PathSearchOptions } from './path-search.ts'
import { PathSearches, type ProbeSender, SocketPathSearch } from './path-searches.ts'
import { type SocketLayer, score, takes, type UdpOpenOptions, UdpSocket } from './socket.ts'

/** The ephemeral range, as TCP's and Linux's. */
const EPHEMERAL_FIRST = 32768
const EPHEMERAL_COUNT = 60999 - EPHEMERAL_FIRST + 1

/** Most bytes of data in a datagram: what the length fields of IPv4 (with its header) and of UDP can say. */
export const MAX_DATA_V4 = 65535 - 20 - UDP_HEADER_BYTES
/** The same over IPv6. */
export const MAX_DATA_V6 = 65535 - UDP_HEADER_BYTES

/** 0.0.0.0. */
const ANY_V4 = new IpAddress(0, 0, 0xffff, 0)

/** What UDP has done so far, in datagrams; by nstat's names. */
export interface UdpCounters {
  UdpInDatagrams: number
  UdpNoPorts: number
  UdpInErrors: number
  UdpOutDatagrams: number
  UdpRcvbufErrors: number
  UdpSndbufErrors: number
  UdpInCsumErrors: number
}

/** One host's UDP. Use it through Stack. */
export class UdpLayer implements SocketLayer, ProbeSender {
  readonly counters: UdpCounters = {
    UdpInDatagrams: 0,
    UdpNoPorts: 0,
    UdpInErrors: 0,
    UdpOutDatagrams: 0,
    UdpRcvbufErrors: 0,
    UdpSndbufErrors: 0,
    UdpInCsumErrors: 0,
  }
  readonly #ip: IpLayer
  readonly #random: Random
  readonly #output: UdpOutput
  readonly #sockets = new Map<number, UdpSocket[]>()
  readonly #in = new UdpHeader()
  readonly #searches = new PathSearches()
  #eventful: UdpSocket[] = []

  constructor(ip: IpLayer, random: Random, offload: Offload = NO_OFFLOAD) {
    this.#ip = ip
    this.#output = new UdpOutput(ip, offload)
    this.#random = random
  }

  /** Sockets that are open. */
  get size(): number {
    let size = 0
    for (const list of this.#sockets.values()) size += list.length
    return size
  }

  /** All sockets. */
  *sockets(): IterableIterator<UdpSocket> {
    for (const list of this.#sockets.values()) yield* list
  }

  /**
   * Opens a socket, bound to an address and a port.
   * @throws {UdpError} EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT; {RangeError} for a port or a size out of bounds
   */
  open(options: UdpOpenOptions): UdpSocket {
    const { families, local = null, port = 0, receiveBufferBytes: bytes = 1 } = options
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new RangeError(`a port is a whole number from 0 to 65535, not ${port}`)
    }
    if (!(bytes > 0)) throw new RangeError(`the receive buffer has a positive number of bytes, not ${bytes}`)
    const bound = local === null || local.isUnspecified ? null : local.clone()
    if (bound !== null) this.#checkOwn(bound, families)
    const chosen = port === 0 ? this.#freePort(options, bound) : port
    const socket = new UdpSocket(this, options, chosen, bound)
    if (port !== 0 && this.#clash(socket)) throw new UdpError('EADDRINUSE', `port ${port} has a socket already`)
    const list = this.#sockets.get(chosen)
    if (list === undefined) this.#sockets.set(chosen, [socket])
    else list.push(socket)
    return socket
  }

  #checkOwn(bound: IpAddress, families: UdpOpenOptions['families']): void {
    if (families !== 'both' && bound.family !== families) {
      throw new UdpError('EAFNOSUPPORT', `${bound} is not an IPv${families} address`)
    }
    if (!this.#ip.isLocal(bound) && !this.#ip.isBroadcast(bound) && !bound.isMulticast) {
      throw new UdpError('EADDRNOTAVAIL', `${bound} is not an address of this host`)
    }
  }

  // RFC 6056 §3.3.1: a random port, then the next free one.
  #freePort(options: UdpOpenOptions, bound: IpAddress | null): number {
    const offset = this.#random.int32() >>> 0
    for (let i = 0; i < EPHEMERAL_COUNT; i++) {
      const port = EPHEMERAL_FIRST + ((offset + i) % EPHEMERAL_COUNT)
      if (!this.#clash(new UdpSocket(this, { ...options, reuseAddress: false }, port, bound))) return port
    }
    throw new UdpError('EADDRINUSE', 'every port of the ephemeral range is taken: close sockets that are not needed')
  }

  #clash(socket: UdpSocket): boolean {
    for (const other of this.#sockets.get(socket.port) ?? []) {
      if (socket.families !== other.families && socket.families !== 'both' && other.families !== 'both') continue
      const overlaps = other.bound === null || socket.bound === null || other.bound.equals(socket.bound)
      if (overlaps && !(socket.reuseAddress && other.reuseAddress)) return true
    }
    return false
  }

  /** A UDP packet for us; `header` is its IP header. Returns 'ok' or why it was dropped, which is counted. */
  handleDatagram(packet: Packet, header: IpHeader, now: Micros): 'ok' | DropReason {
    const udp = this.#in
    const at = packet.start + header.headerBytes
    const isTrusted = packet.checksum !== 'complete'
    const parsed = parseUdp(packet.bytes, at, packet.end, header.src, header.dst, udp, isTrusted)
    if (parsed !== 'ok') {
      this.counters.UdpInErrors++
      if (parsed === 'udp-bad-checksum') this.counters.UdpInCsumErrors++
      return this.#drop(parsed)
    }
    // A super-datagram is taken apart.
    const end = udp.dataEnd
    const each = packet.segmentBytes > 0 ? packet.segmentBytes : end
    let verdict: 'ok' | DropReason = 'ok'
    do {
      udp.dataEnd = Math.min(end, udp.dataStart + each)
      const one = this.#take(packet, header, now)
      if (one !== 'ok') verdict = this.#drop(one)
      if (one === 'udp-no-listener') this.counters.UdpNoPorts++
      udp.dataStart = udp.dataEnd
    } while (udp.dataStart < end)
    if (verdict === 'udp-no-listener') this.#ip.queueUnreachable(packet, header, 'port', now) // RFC 1122 §4.1.3.1
    return verdict
  }

  /** Gives the datagram of `#in` to whom it is for. */
  #take(packet: Packet, header: IpHeader, now: Micros): 'ok' | DropReason {
    const udp = this.#in
    let verdict: 'ok' | DropReason = 'udp-no-listener'
    if (header.toUnicast) {
      const socket = this.#find(header.dst, udp.destinationPort, header.src, udp.sourcePort)
      if (socket !== null)
        verdict = this.#isOfSearch(socket, packet, header, now) ? 'ok' : this.#deliver(socket, packet, header)
    } else {
      // A broadcast is for everyone who would take it.
      for (const socket of [...(this.#sockets.get(udp.destinationPort) ?? [])]) {
        if (score(socket, header.dst, header.src, udp.sourcePort) < 0) continue
        const one = this.#deliver(socket, packet, header)
        if (verdict !== 'ok') verdict = one
      }
    }
    return verdict
  }

  #drop(reason: DropReason): DropReason {
    this.#ip.drops.count(reason)
    return reason
  }

  #isOfSearch(socket: UdpSocket, { bytes }: Packet, { src }: IpHeader, now: Micros): boolean {
    if (socket.pathSearch === null && !socket.answersPathProbes) return false
    const { dataStart, dataEnd, sourcePort } = this.#in
    const answer = (data: Uint8Array): void => void this.send(socket, data, src, sourcePort)
    if (!this.#searches.take(socket, bytes.subarray(dataStart, dataEnd), now, answer)) return false
    this.counters.UdpInDatagrams++
    return true
  }

  #deliver(socket: UdpSocket, packet: Packet, header: IpHeader): 'ok' | DropReason {
    const { dataStart, dataEnd, sourcePort } = this.#in
    if (!socket.hasRoom(dataEnd - dataStart)) {
      socket.dropped++
      this.counters.UdpRcvbufErrors++
      this.counters.UdpInErrors++
      return 'udp-buffer-full'
    }
    this.counters.UdpInDatagrams++
    socket.deliver({
      data: packet.bytes.slice(dataStart, dataEnd),
      source: header.src.clone(),
      sourcePort,
      destination: header.dst.clone(),
      hopLimit: header.hopLimit,
      trafficClass: header.trafficClass,
    })
    return 'ok'
  }

  // The one that says most about the datagram: a peer before an own address before none; of equals the last to come.
  #find(local: IpAddress, port: number, remote: IpAddress, remotePort: number): UdpSocket | null {
    let best: UdpSocket | null = null
    let bestScore = -1
    for (const socket of this.#sockets.get(port) ?? []) {
      const s = score(socket, local, remote, remotePort)
      if (s >= 0 && s >= bestScore) {
        best = socket
        bestScore = s
      }
    }
    return best
  }

  /** An ICMP error about a datagram of ours reaches the connected socket that sent it (RFC 1122 §4.1.3.3). */
  handleError(error: TransportError): void {
    const code = codeOfIcmp(error)
    const socket = this.#find(error.src, error.sourcePort, error.dst, error.destinationPort)
    if (socket === null || socket.remote === null) return
    if (error.kind === 'packet-too-big' && socket.pathSearch !== null) {
      socket.pathSearch.tooBig(error, this.#ip.pathMtus.now)
    } else socket.fail(code)
  }

  /** For sockets: see UdpSocket.connect. */
  connectSocket(socket: UdpSocket, remote: IpAddress, port: number): void {
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new UdpError('EINVAL', `the port of a peer is a whole number from 1 to 65535, not ${port}`)
    }
    if (!takes(socket, remote)) throw new UdpError('EAFNOSUPPORT', `${remote} is of another family than the socket`)
    const own = this.#ip.sourceFor(remote)
    if (own === null) throw new UdpError('ENETUNREACH', `no address of ours can reach ${remote}`)
    this.endSearch(socket)
    socket.remote = remote.clone()
    socket.remotePort = port
    socket.connectedLocal = socket.bound === null ? own : null
  }

  /** For sockets: see UdpSocket.send. */
  send(socket: UdpSocket, data: Uint8Array, remote: IpAddress, port: number): UdpError | null {
    const ip = this.#ip
    if (socket.isClosed) return new UdpError('EBADF', 'the socket is closed')
    const pending = socket.takeError()
    if (pending !== null) return new UdpError(pending, 'an earlier datagram met with it')
    if (port < 1 || port > 65535) return new UdpError('EINVAL', `nobody can be reached at port ${port}`)
    if (!takes(socket, remote)) return new UdpError('EAFNOSUPPORT', `${remote} is of another family than the socket`)
    if (data.length > (remote.family === 4 ? MAX_DATA_V4 : MAX_DATA_V6)) {
      return new UdpError(
        'EMSGSIZE',
        `a datagram holds ${MAX_DATA_V4} bytes (IPv6: ${MAX_DATA_V6}), not ${data.length}`,
      )
    }
    const isBroadcast = ip.isBroadcast(remote)
    if (isBroadcast && !socket.mayBroadcast) return new UdpError('EACCES', `${remote} is a broadcast address`)
    const src = this.#sourceOf(socket, remote, isBroadcast)
    if (src === null) return new UdpError('ENETUNREACH', `no address of ours can reach ${remote}`)
    if (src === 'gone') return new UdpError('EINVAL', `${socket.local} is not an address of this host any more`)
    if (src.family !== remote.family) return new UdpError('ENETUNREACH', `${src} cannot reach ${remote}`)
    if (src.isLoopback && !ip.isLocal(remote)) return new UdpError('EINVAL', `${src} does not leave this host`)
    const each = socket.segmentBytes || data.length
    if (data.length > each * MOST_SEGMENTS) {
      return new UdpError(
        'EINVAL',
        `one send makes ${MOST_SEGMENTS} datagrams of ${each} bytes, not ${data.length} bytes`,
      )
    }
    const total = ip.headerBytes(remote) + UDP_HEADER_BYTES + Math.min(each, data.length)
    const mode = socket.pathMtuDiscovery
    const most = mode === 'do' ? ip.pathMtu(remote) : mode === 'probe' ? ip.mtuTo(remote) : Number.POSITIVE_INFINITY
    if (total > most && !ip.isLocal(remote)) {
      return new UdpError('EMSGSIZE', `the path to ${remote} takes packets of ${most} bytes, not ${total}`)
    }
    socket.pathSearch?.machine.noteSent()
    return this.#write(socket, data, each, src, remote, port, mode)
  }

  #sourceOf(socket: UdpSocket, remote: IpAddress, isBroadcast: boolean): IpAddress | 'gone' | null {
    const ip = this.#ip
    const bound = socket.local
    if (remote.isLimitedBroadcast && socket.sendsUnspecified) return ANY_V4
    if (bound !== null && ip.isLocal(bound)) return bound
    if (bound !== null && !ip.isBroadcast(bound) && !bound.isMulticast) return 'gone'
    // Without an address of its own a host can still ask everybody (RFC 1122 §3.2.1.3(a)).
    return ip.sourceFor(remote) ?? (isBroadcast ? ANY_V4 : null)
  }

  #write(
    socket: UdpSocket,
    data: Uint8Array,
    each: number,
    src: IpAddress,
    remote: IpAddress,
    port: number,
    mode: UdpSocket['pathMtuDiscovery'],
  ): UdpError | null {
    const count = this.#output.write(socket, data, each, src, remote, port, mode)
    this.counters.UdpOutDatagrams += count
    if (count > 0) return null
    this.counters.UdpSndbufErrors++
    return new UdpError('ENOBUFS', 'too many datagrams wait to be sent')
  }

  /** For searches: see ProbeSender. What cannot be sent now is lost, as on the path. */
  sendProbe(socket: UdpSocket, data: Uint8Array): void {
    const { remote } = socket
    const src = remote === null ? null : this.#sourceOf(socket, remote, false)
    if (remote === null || src === null || src === 'gone') return
    this.#write(socket, data, data.length, src, remote, socket.remotePort, 'probe')
  }

  /** For sockets: see UdpSocket.searchPath. */
  searchPath(socket: UdpSocket, options: PathSearchOptions, now: Micros): PathSearchHandle {
    const search = new SocketPathSearch(socket, this.#ip, this, this.#random, options)
    this.#searches.add(socket, search, now)
    return search
  }

  /** For sockets: the search of a socket's path, if any, is over. */
  endSearch(socket: UdpSocket): void {
    this.#searches.remove(socket)
  }

  /** When handleTimeout is to be called next; Infinity for never. */
  nextDeadline(): Micros {
    return this.#searches.nextDeadline()
  }

  /** Does what is due. */
  handleTimeout(now: Micros): void {
    this.#searches.handleTimeout(now)
  }

  /** For sockets: see UdpSocket.close. */
  closeSocket(socket: UdpSocket): void {
    this.endSearch(socket)
    for (const group of socket.groups.splice(0)) this.#ip.leaveGroup(group)
    const rest = (this.#sockets.get(socket.port) ?? []).filter((other) => other !== socket)
    if (rest.length === 0) this.#sockets.delete(socket.port)
    else this.#sockets.set(socket.port, rest)
  }

  /** For sockets: see UdpSocket.joinGroup. */
  joinGroup(socket: UdpSocket, group: IpAddress): UdpError | null {
    if (!group.isMulticast || !takes(socket, group))
      return new UdpError('EINVAL', `${group} is no group of that socket`)
    if (socket.groups.some((other) => other.equals(group))) return new UdpError('EADDRINUSE', `${group} is joined`)
    if (!this.#ip.joinGroup(group)) return new UdpError('ENOBUFS', 'the host is in too many groups')
    socket.groups.push(group.clone())
    return null
  }

  /** For sockets: see UdpSocket.leaveGroup. */
  leaveGroup(socket: UdpSocket, group: IpAddress): UdpError | null {
    const at = socket.groups.findIndex((other) => other.equals(group))
    if (at < 0) return new UdpError('EADDRNOTAVAIL', `${group} is not joined`)
    this.#ip.leaveGroup(socket.groups.splice(at, 1)[0])
    return null
  }

  /** For sockets: there are events to take. */
  queueEvents(socket: UdpSocket): void {
    if (socket.isQueued) return
    socket.isQueued = true
    this.#eventful.push(socket)
  }

  /** A socket with events to take, or null. */
  pollEvent(): UdpSocket | null {
    const socket = this.#eventful.shift()
    if (socket === undefined) return null
    socket.isQueued = false
    return socket
  }

  /** Whether pollEvent has something to give. */
  get hasEvents(): boolean {
    return this.#eventful.length > 0
  }
}
