// The searches of connected sockets for the size that their paths take: probes go out, answers are told, the host knows what is found.
// Owns: which sockets search, sending probes, taking answers, telling IP. Does not own: the search (path-search.ts), bytes of probes
// (path-probes.ts), sockets (layer.ts).
// Read first: RFC 8899 §6.1 (UDP).

import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import type { TransportError } from '../ip/control.ts'
import type { IpLayer } from '../ip/layer.ts'
import { UdpError } from './errors.ts'
import { UDP_HEADER_BYTES } from './header.ts'
import { answerPathProbe, type ProbeSecret, probeSecret, readPathAnswer, writePathProbe } from './path-probes.ts'
import { PathSearch, type PathSearchHandle, type PathSearchOptions } from './path-search.ts'
import { UDP_EVENT, type UdpSocket } from './socket.ts'

/** What a search needs of its layer. */
export interface ProbeSender {
  /** Sends data to the peer in one piece, whatever is known of the path. */
  sendProbe(socket: UdpSocket, data: Uint8Array): void
}

/** The search of one connected socket. */
export class SocketPathSearch implements PathSearchHandle {
  readonly machine: PathSearch
  readonly #socket: UdpSocket
  readonly #ip: IpLayer
  readonly #sender: ProbeSender
  readonly #secret: ProbeSecret
  readonly #makeProbe: PathSearchOptions['makeProbe']
  #told = 0

  /** @throws {RangeError} for limits that cannot be; {UdpError} EDESTADDRREQ without a peer */
  constructor(socket: UdpSocket, ip: IpLayer, sender: ProbeSender, random: Random, options: PathSearchOptions) {
    const { makeProbe, ...limits } = options
    if (socket.remote === null) throw new UdpError('EDESTADDRREQ', 'a path has two ends: connect the socket first')
    this.#socket = socket
    this.#ip = ip
    this.#sender = sender
    this.#secret = probeSecret(random)
    this.#makeProbe = makeProbe
    this.machine = new PathSearch(socket.remote.family, ip.mtuTo(socket.remote), limits)
  }

  /** Most bytes of data in a datagram that goes in one piece now. */
  get dataBytes(): number {
    return this.machine.packetBytes - this.#headerBytes
  }

  get #headerBytes(): number {
    const { remote } = this.#socket
    return (remote === null ? 0 : this.#ip.headerBytes(remote)) + UDP_HEADER_BYTES
  }

  /** The peer has got the application's probe of that number. Returns false for one that nobody has sent. */
  confirm(id: number, now: Micros): boolean {
    const isOurs = this.machine.confirm(id, now)
    this.settle(now)
    return isOurs
  }

  /** The peer has got a datagram with so much data. */
  noteArrived(dataBytes: number, now: Micros): void {
    this.machine.noteArrived(dataBytes + this.#headerBytes, now)
    this.settle(now)
  }

  /** Large datagrams seem to get lost. */
  suspect(now: Micros): void {
    this.machine.suspect(now)
    this.settle(now)
  }

  /** For the layer: a datagram has come from the peer. Returns whether it was about the search, and nobody else's. */
  take(data: Uint8Array, now: Micros): boolean {
    const id = this.#makeProbe === undefined ? readPathAnswer(this.#secret, data) : 0
    if (id === 0) return false
    this.confirm(id, now)
    return true
  }

  /** For the layer: a router has refused a datagram to the peer. RFC 8899 §4.6.1: that is one which was larger than what it takes. */
  tooBig({ mtu, packetBytes }: TransportError, now: Micros): void {
    if (packetBytes > mtu) this.machine.tooBig(mtu, now)
    this.settle(now)
  }

  /** For the layer: what is due. */
  handleTimeout(now: Micros): void {
    this.machine.handleTimeout(now)
    this.settle(now)
  }

  /** Sends what is to be probed, and tells what is known by now. */
  settle(now: Micros): void {
    const { machine } = this
    const { remote } = this.#socket
    if (remote === null || machine.state === 'DISABLED') return
    for (let probe = machine.nextProbe(now); probe !== null; probe = machine.nextProbe(now)) {
      const length = probe.bytes - this.#headerBytes
      const data = this.#makeProbe?.(length, probe.id) ?? writePathProbe(this.#secret, probe.id, length)
      if (data.length !== length) throw new RangeError(`a probe has ${length} bytes of data, not ${data.length}`)
      this.#sender.sendProbe(this.#socket, data)
    }
    this.#ip.pathMtus.learn(remote, machine.packetBytes, machine.state !== 'ERROR')
    if (machine.packetBytes === this.#told) return
    this.#told = machine.packetBytes
    this.#socket.raise(UDP_EVENT.pathMtu)
  }
}

/** All searches of a host. */
export class PathSearches {
  readonly #sockets = new Set<UdpSocket>()

  /** Takes a socket in, whose search begins. */
  add(socket: UdpSocket, search: SocketPathSearch, now: Micros): void {
    this.remove(socket)
    socket.pathSearch = search
    this.#sockets.add(socket)
    search.machine.start(now)
    search.settle(now)
  }

  /** Ends the search of a socket, if it has one. */
  remove(socket: UdpSocket): void {
    socket.pathSearch?.machine.stop()
    socket.pathSearch = null
    this.#sockets.delete(socket)
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    let at = Number.POSITIVE_INFINITY
    for (const { pathSearch } of this.#sockets) at = Math.min(at, pathSearch?.machine.nextDeadline() ?? at)
    return at
  }

  /** Does what is due. */
  handleTimeout(now: Micros): void {
    for (const { pathSearch } of this.#sockets) {
      if (pathSearch !== null && pathSearch.machine.nextDeadline() <= now) pathSearch.handleTimeout(now)
    }
  }

  /** Whether a datagram that has come for a socket is about a search: an answer to its own, or a probe that it is to answer. */
  take(socket: UdpSocket, data: Uint8Array, now: Micros, answer: (data: Uint8Array) => void): boolean {
    if (socket.pathSearch?.take(data, now) === true) return true
    const answered = socket.answersPathProbes ? answerPathProbe(data) : null
    if (answered !== null) answer(answered)
    return answered !== null
  }
}
