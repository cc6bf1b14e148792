// What can be set on a UDP socket, as node:dgram has it: hop limits, broadcast, groups, buffers.
// Owns: the calls and their errors. Does not own: the socket (dgram.ts), what a setting does (src/udp).
// Read first: https://nodejs.org/docs/latest-v20.x/api/dgram.html

import { EventEmitter } from 'node:events'
import type { Micros } from '../base/time.ts'
import { type PathSearchOptions, UdpError, type UdpSocket } from '../stack/index.ts'
import { parseLiteral } from './options.ts'
import { PathMtuSearch } from './path-mtu-search.ts'
import { callError, nodeError } from './socket-errors.ts'

/** The size that sockets report of a send buffer: datagrams never wait in one here. */
const SEND_BUFFER_BYTES = 212_992

/** The part of TunDgramSocket with settings. */
export abstract class DgramSettings extends EventEmitter {
  /** The socket below. @throws EBADF while it is not bound */
  protected abstract bound(call: Parameters<typeof callError>[1]): UdpSocket
  /** Binds it to any port when it is not bound. @throws ERR_SOCKET_DGRAM_NOT_RUNNING */
  protected abstract bindIfNeeded(): void
  /** Whether the text is an address of this host. */
  protected abstract isOwn(text: string): boolean
  protected abstract now(): Micros
  /** What was asked for goes out. */
  protected abstract wake(): void

  /**
   * Takes datagrams to a group too. Routers are not told, where the device does not do it. A socket that is not bound is bound first.
   * @param multicastInterface an own address; there is one interface, so it only has to be ours
   * @throws EINVAL for what is no group, EADDRINUSE when it is joined, ENODEV
   */
  addMembership(multicastAddress: string, multicastInterface?: string): void {
    this.bindIfNeeded()
    const group = this.#groupOf(multicastAddress, multicastInterface, 'addMembership')
    const failed = this.bound('addMembership').joinGroup(group)
    if (failed !== null) throw callError(failed.code, 'addMembership')
  }

  /** Leaves a group. @throws EINVAL, EADDRNOTAVAIL when it is not joined, EBADF */
  dropMembership(multicastAddress: string, multicastInterface?: string): void {
    const group = this.#groupOf(multicastAddress, multicastInterface, 'dropMembership')
    const failed = this.bound('dropMembership').leaveGroup(group)
    if (failed !== null) throw callError(failed.code, 'dropMembership')
  }

  #groupOf(text: string, own: string | undefined, call: 'addMembership' | 'dropMembership') {
    if (!text) throw nodeError(TypeError, 'ERR_MISSING_ARGS', 'The "multicastAddress" argument must be specified')
    const group = parseLiteral(text)
    if (group === null) throw callError('EINVAL', call)
    const isAny = own === undefined || own === '' || own === '0.0.0.0' || own.startsWith('::')
    if (!isAny && !this.isOwn(own)) throw callError('ENODEV', call)
    return group
  }

  /** For programs written for Node: what a host sends to a group does not come back to itself here. @throws EBADF */
  setMulticastLoopback(flag: boolean): boolean {
    this.bound('setMulticastLoopback')
    return flag
  }

  /** There is one interface: it has to be an own address, or '0.0.0.0' or '::'. @throws EADDRNOTAVAIL, EBADF */
  setMulticastInterface(multicastInterface: string): void {
    this.bound('setMulticastInterface')
    const isAny = multicastInterface === '0.0.0.0' || multicastInterface.startsWith('::')
    if (!isAny && !this.isOwn(multicastInterface)) throw callError('EADDRNOTAVAIL', 'setMulticastInterface')
  }

  /**
   * What becomes of datagrams that do not fit the path, as Linux's IP_MTU_DISCOVER: 'want' (default) sends them in fragments, 'do' refuses
   * them (EMSGSIZE), 'dont' lets routers cut up what they like, 'probe' sends in one piece what the link takes. Not one of Node's.
   * @throws EBADF
   */
  setPathMtuDiscovery(mode: UdpSocket['pathMtuDiscovery']): void {
    if (!['want', 'do', 'dont', 'probe'].includes(mode)) {
      throw nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', "the mode is 'want', 'do', 'dont' or 'probe'")
    }
    this.bound('setPathMtuDiscovery').pathMtuDiscovery = mode
  }

  /**
   * Finds out how large a datagram to the peer may be, by probes that the peer sends back or that the application confirms, without ICMP
   * (RFC 8899); 'pathMtu' says that it has changed. It lasts as long as the socket has that peer. Not one of Node's.
   * @throws EDESTADDRREQ for a socket that is not connected, EBADF; {RangeError} for a limit that cannot be
   */
  searchPathMtu(options: PathSearchOptions = {}): PathMtuSearch {
    try {
      const handle = this.bound('searchPathMtu').searchPath(options, this.now())
      this.wake()
      return new PathMtuSearch(
        handle,
        () => this.now(),
        () => this.wake(),
      )
    } catch (error) {
      throw error instanceof UdpError ? callError(error.code, 'searchPathMtu') : error
    }
  }

  /**
   * What is sent from now on goes in datagrams of so many bytes, the last one perhaps shorter, at most 128 in one send, as Linux's
   * UDP_SEGMENT; where the device takes them in one packet (`offload.superDatagramBytes`) they cost little more than one. 0: each send is
   * one datagram. Not one of Node's. @throws {RangeError} for a size that cannot be; EBADF
   */
  setSegmentSize(bytes: number): void {
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > 65_527) {
      throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', `a segment size is a whole number from 0 to 65527, not ${bytes}`)
    }
    this.bound('setSegmentSize').segmentBytes = bytes
  }

  /** Whether the probes of a peer's search are answered, unseen by the application. Not one of Node's. @throws EBADF */
  setPathProbeAnswers(flag: boolean): void {
    this.bound('setPathProbeAnswers').answersPathProbes = Boolean(flag)
  }

  /** Hop limit of datagrams to single hosts, 1 to 255. @throws EINVAL, EBADF */
  setTTL(ttl: number): number {
    this.#setHops(ttl, 'setTTL').hopLimit = ttl
    return ttl
  }

  /** Hop limit of datagrams to groups, 1 to 255. @throws EINVAL, EBADF */
  setMulticastTTL(ttl: number): number {
    this.#setHops(ttl, 'setMulticastTTL').multicastHopLimit = ttl
    return ttl
  }

  #setHops(ttl: number, call: 'setTTL' | 'setMulticastTTL'): UdpSocket {
    if (typeof ttl !== 'number') {
      throw nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "ttl" argument must be of type number.')
    }
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > 255) throw callError('EINVAL', call)
    return this.bound(call)
  }

  /** Whether datagrams may go to broadcast addresses. @throws EBADF while it is not bound */
  setBroadcast(flag: boolean): void {
    this.bound('setBroadcast').mayBroadcast = Boolean(flag)
  }

  /** Bytes of the receive buffer: data that waits, with what its records cost. What finds it full is dropped. @throws {RangeError} */
  setRecvBufferSize(size: number): void {
    if (!Number.isInteger(size) || size < 1 || size > 0x7fffffff) {
      throw nodeError(TypeError, 'ERR_SOCKET_BAD_BUFFER_SIZE', 'Buffer size must be a positive integer')
    }
    // As Linux: twice what is asked for, since records count.
    this.bound('uv_recv_buffer_size').receiveBufferBytes = 2 * size
  }

  /** Bytes of the receive buffer. */
  getRecvBufferSize(): number {
    return this.bound('uv_recv_buffer_size').receiveBufferBytes
  }

  /** For programs written for Node: datagrams go to the host's queue at once. */
  setSendBufferSize(size: number): void {
    if (!Number.isInteger(size) || size < 1) {
      throw nodeError(TypeError, 'ERR_SOCKET_BAD_BUFFER_SIZE', 'Buffer size must be a positive integer')
    }
  }

  /** What Linux says by default: see setSendBufferSize. */
  getSendBufferSize(): number {
    return SEND_BUFFER_BYTES
  }

  /** Always 0: see setSendBufferSize. */
  getSendQueueSize(): number {
    return 0
  }

  /** Always 0: see setSendBufferSize. */
  getSendQueueCount(): number {
    return 0
  }
}
