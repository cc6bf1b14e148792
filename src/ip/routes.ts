// Routes: which way a packet to an address would go, and which of our addresses it should come from.
// Owns: the table, which may change while the host runs, and the longest-prefix match. Does not own: which of our addresses to use when
// a route names none (source-address.ts).
// On a TUN device every route leads into the same wire, so a route says three things: whether there is a way at all,
// which gateway is meant (for devices that have link addresses), and the preferred source.
// Read first: RFC 1122 §3.3.1.

import type { IpAddress } from './address.ts'

/** A route to the addresses in `destination/prefixLength`. */
export interface Route {
  readonly destination: IpAddress
  /** 0-32 for IPv4, 0-128 for IPv6; 0 is a default route. */
  readonly prefixLength: number
  /** The router to send through; absent when the destination is on the link itself. */
  readonly gateway?: IpAddress
  /** The own address that packets should come from. */
  readonly source?: IpAddress
  /** Of two routes with the same prefix length the one with the smaller metric is used. Default 0. */
  readonly metric?: number
  /** The interface that it leads out of, by number, where a host has several (stack/router.ts). Default 0. */
  readonly port?: number
  /** Made for the prefix of an own address, with which it goes. Default false. */
  readonly isConnected?: boolean
}

/** Names routes that are there: what is absent may be anything. */
export type RouteMatch = Pick<Route, 'destination' | 'prefixLength'> & Partial<Route>

/** Routes of both families. A lookup walks the table, which is short on a host. */
export class RouteTable {
  // Longest prefix first, then smallest metric, then the order in which they were added.
  readonly #routes: Route[] = []
  // Gateways that do not answer for their link address.
  #dead: IpAddress[] = []

  /** @param routes the first entries, as by `add` */
  constructor(routes: readonly Route[] = []) {
    for (const route of routes) this.add(route)
  }

  /**
   * Adds a route. Bits of the destination beyond the prefix are not looked at.
   * @throws {RangeError} when the prefix length does not fit the family
   * @throws {TypeError} when gateway or source are of another family than the destination
   */
  add(route: Route): void {
    const { destination, prefixLength, gateway, source } = route
    const most = destination.family === 4 ? 32 : 128
    if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > most) {
      throw new RangeError(`the prefix length of a route to ${destination} is a whole number from 0 to ${most}`)
    }
    if (gateway !== undefined && gateway.family !== destination.family) {
      throw new TypeError(`the gateway of a route to ${destination} must be an IPv${destination.family} address`)
    }
    if (source !== undefined && source.family !== destination.family) {
      throw new TypeError(`the source of a route to ${destination} must be an IPv${destination.family} address`)
    }
    const at = this.#routes.findIndex((other) => isBetter(route, other))
    this.#routes.splice(at < 0 ? this.#routes.length : at, 0, route)
  }

  /**
   * Takes the first route away that is to the same prefix and has everything else that `match` names; false when there is none. What was
   * sent by it goes by the next best one from now on.
   */
  remove(match: RouteMatch): boolean {
    const at = this.#routes.findIndex((route) => isMatch(route, match))
    if (at >= 0) this.#routes.splice(at, 1)
    return at >= 0
  }

  /** Takes every route away for which `isGone` holds; how many those were. */
  removeWhere(isGone: (route: Route) => boolean): number {
    const before = this.#routes.length
    const left = this.#routes.filter((route) => !isGone(route))
    this.#routes.splice(0, before, ...left)
    return before - left.length
  }

  /**
   * The route with the longest prefix that holds `dst`, or null when there is none. Of several with that prefix one whose gateway is not
   * known to be dead (RFC 1122 §3.3.1.4, RFC 4861 §6.3.6).
   */
  lookup(dst: IpAddress): Route | null {
    let first: Route | null = null
    for (const route of this.#routes) {
      if (first !== null && route.prefixLength < first.prefixLength) break
      if (!dst.inPrefix(route.destination, route.prefixLength)) continue
      if (this.#dead.length === 0 || !this.isDead(route.gateway)) return route
      first ??= route
    }
    return first
  }

  /** Whether a gateway is known to be dead. */
  isDead(gateway: IpAddress | undefined): boolean {
    return gateway !== undefined && this.#dead.some((dead) => dead.equals(gateway))
  }

  /** Whether some route leads by that gateway. */
  hasGateway(address: IpAddress): boolean {
    return this.#routes.some(({ gateway }) => gateway?.equals(address) === true)
  }

  /** A neighbour does not answer for its link address, or does again. What is no gateway is passed over, so that these are few. */
  setDead(gateway: IpAddress, isDead: boolean): void {
    if (this.isDead(gateway) === isDead) return
    if (!isDead) this.#dead = this.#dead.filter((dead) => !dead.equals(gateway))
    else if (this.hasGateway(gateway)) this.#dead = [...this.#dead.filter((dead) => this.hasGateway(dead)), gateway]
  }

  /** The routes in the order in which they are tried. */
  get entries(): readonly Route[] {
    return this.#routes
  }
}

function isMatch(route: Route, match: RouteMatch): boolean {
  const { destination, prefixLength, gateway, source, metric, port, isConnected } = match
  return (
    route.prefixLength === prefixLength &&
    destination.inPrefix(route.destination, prefixLength) &&
    (gateway === undefined || route.gateway?.equals(gateway) === true) &&
    (source === undefined || route.source?.equals(source) === true) &&
    (metric === undefined || (route.metric ?? 0) === metric) &&
    (port === undefined || (route.port ?? 0) === port) &&
    (isConnected === undefined || (route.isConnected ?? false) === isConnected)
  )
}

function isBetter(a: Route, b: Route): boolean {
  if (a.prefixLength !== b.prefixLength) return a.prefixLength > b.prefixLength
  return (a.metric ?? 0) < (b.metric ?? 0)
}
