// What a host calls its own, and which way it would send: addresses and routes, both of which may change while it runs.
// Owns: what follows for one when the other changes. Does not own: the lists (own-addresses.ts, routes.ts), the rules of choosing a source
// (source-address.ts), packets (layer.ts).
// Read first: RFC 1122 §3.3.1, §3.3.4.

import { type InterfaceAddress, IpAddress } from './address.ts'
import { checkOptions, connectedRoute } from './layer-options.ts'
import { OwnAddresses } from './own-addresses.ts'
import { type Route, RouteTable } from './routes.ts'
import { selectSource } from './source-address.ts'

/** The addresses that packets to 127.0.0.0/8 and ::1 come from. */
const LOOPBACK_V4 = IpAddress.parse('127.0.0.1')
const LOOPBACK_V6 = IpAddress.parse('::1')

/** RFC 8200 §5. */
const LEAST_MTU_V6 = 1280
/** What hosts use that nobody has told otherwise (RFC 1122 §3.2.1.7; IANA). */
const DEFAULT_HOP_LIMIT = 64

/** The part of IpLayer that knows addresses and routes. */
export class Addressing {
  readonly mtu: number
  /** The hop limit to send with when the transport has no other wish. */
  readonly hopLimit: number
  /** May be changed at any time. */
  readonly routes = new RouteTable()
  /** For layer.ts. */
  protected readonly own = new OwnAddresses()
  /** For layer.ts: whether an address was ever taken away; until then no source need be looked at. */
  protected hasRemoved = false

  // What routers say of the link (RFC 4861 §6.3.4); 0: nothing.
  #advertisedMtu = 0
  #advertisedHopLimit = 0
  readonly #isHopLimitSet: boolean

  /** Told when a router's word changes what the link takes: packets of IPv6 are to be of another size from now on. */
  onLinkMtu: (() => void) | null = null

  constructor(mtu: number, hopLimit: number | undefined) {
    this.mtu = mtu
    this.hopLimit = hopLimit ?? DEFAULT_HOP_LIMIT
    this.#isHopLimitSet = hopLimit !== undefined
  }

  /** Largest packet that goes to `dst` by the own link: its MTU, or less when a router says so of IPv6 (RFC 4861 §6.3.4). */
  mtuTo(dst: IpAddress): number {
    return dst.family === 6 && this.#advertisedMtu > 0 ? this.#advertisedMtu : this.mtu
  }

  /**
   * The hop limit of packets to `dst`: what the transport wishes for, else what the host was given, else what routers advertise (RFC 4861
   * §6.3.4), else 64. @param wish 0: none
   */
  hopLimitTo(dst: IpAddress, wish = 0): number {
    if (wish > 0) return wish
    const advertised = dst.family === 6 && !this.#isHopLimitSet ? this.#advertisedHopLimit : 0
    return advertised > 0 ? advertised : this.hopLimit
  }

  /**
   * A router says what the link takes and how far packets should go (RFC 4861 §6.3.4); 0: it does not say. An MTU that cannot be, below
   * 1280 or above that of the device, is passed over. Returns whether anything has changed.
   */
  setAdvertised(mtu: number, hopLimit: number): boolean {
    const before = this.#advertisedMtu
    const hopsBefore = this.#advertisedHopLimit
    if (mtu >= LEAST_MTU_V6 && mtu <= this.mtu) this.#advertisedMtu = mtu
    if (hopLimit > 0) this.#advertisedHopLimit = hopLimit
    if (this.#advertisedMtu !== before) this.onLinkMtu?.()
    return this.#advertisedMtu !== before || this.#advertisedHopLimit !== hopsBefore
  }

  /** Whether `address` is this host's: an own address, or one of loopback. */
  isLocal(address: IpAddress): boolean {
    return this.own.has(address) || address.isLoopback
  }

  /** Own addresses with their prefixes as they are now; a new array after every change. */
  get addresses(): readonly InterfaceAddress[] {
    return this.own.list
  }

  /**
   * Adds an own address, or changes what is said of one, and makes a route to its prefix. Sockets bound to it before have it from now on.
   * @throws {RangeError} for what cannot be a host's address, or an IPv6 address where the MTU is below 1280 (RFC 8200 §5)
   */
  addAddress(entry: InterfaceAddress): void {
    checkOptions([entry], this.mtu, this.hopLimit)
    const before = this.own.get(entry.address)
    this.own.set(entry)
    if (before !== null) this.#disconnect(before)
    const route = connectedRoute(entry)
    if (!this.routes.entries.some((other) => isSamePrefix(other, route))) this.routes.add(route)
  }

  /**
   * Takes an own address away, with the routes that name it as their source and, when no other own address has it, the route to its prefix.
   * Connections and sockets on it stay, as in Linux: nothing reaches them, nothing that they send leaves, until they time out, are closed,
   * or the address comes back. Returns false when it was not ours.
   */
  removeAddress(address: IpAddress): boolean {
    const entry = this.own.delete(address)
    if (entry === null) return false
    this.hasRemoved = true
    this.routes.removeWhere(({ source }) => source?.equals(address) === true)
    this.#disconnect(entry)
    return true
  }

  #disconnect(entry: InterfaceAddress): void {
    const route = connectedRoute(entry)
    if (this.own.list.some((other) => isSamePrefix(connectedRoute(other), route))) return
    this.routes.removeWhere((other) => isSamePrefix(other, route))
  }

  /** Adds a route, as RouteTable.add; `source` must be an own address. @throws {RangeError | TypeError} for one that cannot be */
  addRoute(route: Route): void {
    if (route.source !== undefined && !this.isLocal(route.source)) {
      throw new RangeError(`the source ${route.source} of a route to ${route.destination} must be an own address`)
    }
    this.routes.add(route)
  }

  /** Joins a group, whose datagrams reach sockets from now on. Routers are not told (IGMP, MLD). False: there are too many. */
  joinGroup(group: IpAddress): boolean {
    return this.own.join(group)
  }

  /** The groups that sockets have joined. */
  get groups(): readonly IpAddress[] {
    return this.own.groups
  }

  /** Sets who is told when a group is joined by the first, and left by the last: an interface that reports them (RFC 3376, RFC 3810). */
  onGroup(listener: ((group: IpAddress, isJoined: boolean) => void) | null): void {
    this.own.onGroup = listener
  }

  /** Takes one joinGroup back. */
  leaveGroup(group: IpAddress): void {
    this.own.leave(group)
  }

  /** Whether `address` is the limited broadcast address or the directed one of an own prefix (RFC 1122 §3.3.6). */
  isBroadcast(address: IpAddress): boolean {
    return this.own.isBroadcast(address)
  }

  /** Whether packets to `dst` never pass a router: groups, broadcasts, link-local addresses. */
  isLinkWide(dst: IpAddress): boolean {
    return this.own.isLinkWide(dst)
  }

  /** Whether `address` is an own one that is to be avoided (RFC 4862 §5.5.4). */
  isDeprecated(address: IpAddress): boolean {
    return this.own.get(address)?.isDeprecated === true
  }

  /**
   * The own address that packets to `dst` should come from: `dst` itself when it is ours, the source of its route, else the best one
   * by RFC 6724 §5 (RFC 1122 §3.3.4.3). Null when there is no route or no address of its family. The address is shared: do not change it.
   */
  sourceFor(dst: IpAddress): IpAddress | null {
    if (dst.isUnspecified) return null
    if (dst.isLoopback) return dst.family === 4 ? LOOPBACK_V4 : LOOPBACK_V6
    const own = this.own
    if (own.has(dst)) return own.get(dst)?.address ?? null
    const route = this.routes.lookup(dst)
    if (route === null && !own.isLinkWide(dst)) return null
    if (route?.source !== undefined) return route.source
    return selectSource(dst, own.list, route?.port ?? -1)?.address ?? null
  }

  /**
   * Whose link address a packet to `dst` needs: that of the gateway of its route, or of `dst` itself, which it also is for groups,
   * broadcasts and link-local addresses, that no router forwards (RFC 1122 §3.3.1.1, RFC 3927 §2.6.2). Null: there is no route.
   */
  nextHop(dst: IpAddress): IpAddress | null {
    if (this.own.isLinkWide(dst) || this.isLocal(dst)) return dst
    const route = this.routes.lookup(dst)
    return route === null ? null : (route.gateway ?? dst)
  }
}

function isSamePrefix(a: Route, b: Route): boolean {
  const isSame = a.prefixLength === b.prefixLength && a.port === b.port && a.isConnected === b.isConnected
  return isSame && a.destination.inPrefix(b.destination, b.prefixLength)
}
