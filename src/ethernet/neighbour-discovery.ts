// Neighbour discovery: finding the Ethernet address of an IPv6 neighbour, answering those who look for ours, hearing routers, and telling
// which groups we are in.
// Owns: solicitations, advertisements, what is believed. Does not own: the cache's states (neighbour-cache.ts), addresses and routers
// (autoconfiguration.ts), bytes (nd-message.ts, mld.ts), frames.
// Read first: RFC 4861 §7.2.
// Redirects are not followed: a host with one link loses nothing but a hop, and whoever is on the link could send them.

import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { type InterfaceAddress, IpAddress } from '../ip/address.ts'
import type { IpHeader } from '../ip/header.ts'
import { TokenBucket } from '../ip/token-bucket.ts'
import type { Packet } from '../link/device.ts'
import { Autoconfiguration, type AutoOptions, type AutoOutput } from './autoconfiguration.ts'
import { type Mac, NO_MAC, solicitedNode } from './mac.ts'
import { MLD_TYPE, MldListener, type MldReport, parseMldQuery } from './mld.ts'
import { ND_TYPE, NdMessage, parseNd } from './nd-message.ts'
import { type Neighbour, NeighbourCache, type NeighbourLimits, type NeighbourProtocol } from './neighbour-cache.ts'
import type { EthernetDropReason, EthernetDrops } from './reasons.ts'

/** Answers in a second, and at once: what floods us with questions gets no more than that. */
const ANSWERS_PER_SECOND = 1000
const ANSWER_BURST = 200

/** ff02::1, ff02::2 and ::. */
const ALL_NODES = IpAddress.parse('ff02::1')
const ALL_ROUTERS = IpAddress.parse('ff02::2')
const NOBODY = new IpAddress()

/** What a router says about the link. 0: nothing. */
export interface LinkParameters {
  readonly hopLimit: number
  readonly mtu: number
  readonly dnsServers: readonly string[]
  /** Addresses, or other things, are to be had by DHCPv6 (the flags M and O). */
  readonly isManaged: boolean
  readonly isOther: boolean
}

/** What neighbour discovery needs of the device that it belongs to. */
export interface NdHost {
  isOwn(address: IpAddress): boolean
  sourceFor(address: IpAddress): IpAddress | null
  /** Sends a message, borrowed: to `mac`, or, when that is NO_MAC, to whoever has `dst`. */
  sendNd(message: NdMessage, src: IpAddress, dst: IpAddress, mac: Mac): void
  sendMld(report: MldReport, src: IpAddress): void
  transmit(packet: Packet, mac: Mac): void
  unreachable(packet: Packet, neighbour: Neighbour): void
  /** A neighbour has been found, or does not answer. */
  onNeighbour(address: IpAddress, isThere: boolean): void
  /** Whether a route leads by it. */
  isGateway(address: IpAddress): boolean
  /** When a transport last made progress by way of it; -Infinity: never. */
  progressVia(address: IpAddress): Micros
  onAddress(entry: InterfaceAddress): void
  onAddressGone(address: IpAddress): void
  onDuplicate(address: IpAddress, mac: Mac): void
  onRouter(router: IpAddress, isDefault: boolean): void
  onPrefix(prefix: IpAddress, prefixLength: number, isOnLink: boolean): void
  onParameters(parameters: LinkParameters): void
}

/** Neighbour discovery of one interface. Sans-I/O, as Arp. */
export class NeighbourDiscovery implements NeighbourProtocol, AutoOutput {
  readonly cache: NeighbourCache
  readonly auto: Autoconfiguration
  readonly mld: MldListener
  readonly #mac: Mac
  readonly #host: NdHost
  readonly #drops: EthernetDrops
  readonly #bucket = new TokenBucket(ANSWERS_PER_SECOND, ANSWER_BURST)
  readonly #in = new NdMessage()
  readonly #out = new NdMessage()
  #now: Micros = 0

  constructor(
    mac: Mac,
    host: NdHost,
    random: Random,
    drops: EthernetDrops,
    options: AutoOptions & { readonly limits?: Partial<NeighbourLimits> } = {},
  ) {
    this.#mac = mac
    this.#host = host
    this.#drops = drops
    this.cache = new NeighbourCache(this, random, drops, options.limits)
    this.auto = new Autoconfiguration(mac, this, random, options)
    this.mld = new MldListener(random)
  }

  /** Begins to look for addresses and routers. */
  start(now: Micros): void {
    this.#now = now
    this.auto.start(now)
  }

  /** An address that was set by hand: see Autoconfiguration.addManual. */
  addManual(entry: InterfaceAddress, now: Micros): void {
    this.#now = now
    this.auto.addManual(entry, now)
  }

  /**
   * A message of neighbour discovery at `bytes[start, end)`. Returns 'ok', or why it was passed over, which is counted.
   * @param isTrusted the checksum need not be verified
   */
  handle(
    bytes: Uint8Array,
    start: number,
    end: number,
    ip: IpHeader,
    now: Micros,
    isTrusted = false,
  ): 'ok' | EthernetDropReason {
    this.#now = now
    const parsed = parseNd(bytes, start, end, ip, this.#in, isTrusted)
    const verdict = parsed === 'ok' ? this.#judge(ip, now) : parsed
    if (verdict !== 'ok') this.#drops.count(verdict)
    return verdict
  }

  /** A message of MLD, likewise. */
  handleMld(bytes: Uint8Array, start: number, end: number, ip: IpHeader, now: Micros): 'ok' | EthernetDropReason {
    this.#now = now
    if (start < end && bytes[start] !== MLD_TYPE.query) {
      this.#drops.count('mld-ignored')
      return 'mld-ignored'
    }
    const query = parseMldQuery(bytes, start, end, ip)
    if (query === null) {
      this.#drops.count('mld-bad')
      return 'mld-bad'
    }
    this.mld.handleQuery(query, now)
    return 'ok'
  }

  #judge(ip: IpHeader, now: Micros): 'ok' | EthernetDropReason {
    const message = this.#in
    switch (message.type) {
      case ND_TYPE.neighbourSolicitation:
        return this.#answer(message, ip, now)
      case ND_TYPE.neighbourAdvertisement:
        return this.#hearNeighbour(message, now)
      case ND_TYPE.routerAdvertisement:
        return this.#hearRouter(message, ip.src, now)
      case ND_TYPE.redirect:
        return 'nd-redirect'
      default:
        return 'nd-router-solicitation'
    }
  }

  // RFC 4861 §7.2.3, RFC 4862 §5.4.3.
  #answer(message: NdMessage, { src }: IpHeader, now: Micros): 'ok' | EthernetDropReason {
    const { target, sourceMac } = message
    const isProbe = src.isUnspecified
    if (this.auto.isTentative(target)) {
      // Somebody else is about to take the same address: nobody gets it.
      return isProbe && this.auto.handleClaim(target, NO_MAC) ? 'nd-duplicate' : 'nd-not-for-us'
    }
    if (!this.#host.isOwn(target)) return 'nd-not-for-us'
    if (!isProbe && this.#host.isOwn(src)) return 'nd-duplicate'
    if (!isProbe && sourceMac !== NO_MAC) this.cache.learn(src, sourceMac, now)
    if (!this.#bucket.take(now)) return 'nd-limited'
    const out = this.#out
    out.reset()
    out.type = ND_TYPE.neighbourAdvertisement
    out.target.assign(target)
    out.targetMac = this.#mac
    out.isSolicited = !isProbe
    out.isOverride = true
    // To whom src belongs is asked like of any other packet when the solicitation did not say (§7.2.4).
    this.#host.sendNd(out, target, isProbe ? ALL_NODES : src, NO_MAC)
    return 'ok'
  }

  // RFC 4861 §7.2.5, RFC 4862 §5.4.4.
  #hearNeighbour(message: NdMessage, now: Micros): 'ok' | EthernetDropReason {
    const { target, targetMac, isSolicited, isOverride, isRouter } = message
    if (this.auto.handleClaim(target, targetMac) || this.#host.isOwn(target)) return 'nd-duplicate'
    const before = this.cache.find(target)?.isRouter ?? false
    const entry = this.cache.confirm({ address: target, mac: targetMac, isSolicited, isOverride, isRouter }, now)
    if (entry === null) return 'nd-not-asked'
    if (before && !entry.isRouter) this.auto.removeRouter(target)
    return 'ok'
  }

  // RFC 4861 §6.3.4.
  #hearRouter(message: NdMessage, router: IpAddress, now: Micros): 'ok' | EthernetDropReason {
    if (this.#host.isOwn(router)) return 'nd-duplicate'
    if (message.sourceMac !== NO_MAC) {
      this.cache.learn(router, message.sourceMac, now).isRouter = true
    }
    const { hopLimit, mtu, isManaged, isOther, reachableMs, retransMs } = message
    const limits = { ...this.cache.limits }
    if (reachableMs > 0) limits.baseReachableUs = Math.min(reachableMs, 3_600_000) * 1000
    if (retransMs > 0) limits.retransUs = Math.min(retransMs, 60_000) * 1000
    this.cache.limits = limits
    const verdict = this.auto.handleAdvertisement(message, router, now)
    const dnsServers = message.dnsServers.filter((d) => d.lifetimeS > 0).map(({ address }) => address.toString())
    this.#host.onParameters({ hopLimit, mtu, dnsServers, isManaged, isOther })
    return verdict
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    // Without an address of our own nobody can be told.
    const reports = this.auto.linkLocal === null ? Number.POSITIVE_INFINITY : this.mld.nextDeadline()
    return Math.min(this.cache.nextDeadline(), this.auto.nextDeadline(), reports)
  }

  /** Does what is due. */
  handleTimeout(now: Micros): void {
    this.#now = now
    this.cache.handleTimeout(now)
    this.auto.handleTimeout(now)
    const source = this.auto.linkLocal
    if (source === null) return
    for (let report = this.mld.pollReport(now); report !== null; report = this.mld.pollReport(now)) {
      this.#host.sendMld(report, source)
    }
  }

  solicit(neighbour: Neighbour, isProbe: boolean): void {
    const { address, mac } = neighbour
    const source = this.#host.sourceFor(address) ?? this.auto.linkLocal
    if (source === null) return
    const out = this.#solicitation(address)
    out.sourceMac = this.#mac
    this.#host.sendNd(out, source, isProbe ? address : solicitedNode(address), isProbe ? mac : NO_MAC)
  }

  transmit(packet: Packet, mac: Mac): void {
    this.#host.transmit(packet, mac)
  }

  unreachable(packet: Packet, neighbour: Neighbour): void {
    this.#host.unreachable(packet, neighbour)
  }

  judged(neighbour: Neighbour, isThere: boolean): void {
    this.#host.onNeighbour(neighbour.address, isThere)
  }

  isGateway(neighbour: Neighbour): boolean {
    return this.#host.isGateway(neighbour.address)
  }

  progressAt(neighbour: Neighbour): Micros {
    return this.#host.progressVia(neighbour.address)
  }

  probe(address: IpAddress): void {
    // RFC 4862 §5.4.2: the group is joined before, with a report from ::, so that switches which listen for reports let the answer through.
    this.#host.sendMld({ kind: 4, groups: [solicitedNode(address)] }, this.auto.linkLocal ?? NOBODY)
    this.#host.sendNd(this.#solicitation(address), NOBODY, solicitedNode(address), NO_MAC)
  }

  solicitRouters(source: IpAddress): void {
    const out = this.#out
    out.reset()
    out.type = ND_TYPE.routerSolicitation
    out.sourceMac = this.#mac
    this.#host.sendNd(out, source, ALL_ROUTERS, NO_MAC)
  }

  join(group: IpAddress): void {
    this.mld.join(group, this.#now)
  }

  leave(group: IpAddress): void {
    const report = this.mld.leave(group)
    const source = this.auto.linkLocal
    if (report !== null && source !== null) this.#host.sendMld(report, source)
  }

  onAddress(entry: InterfaceAddress): void {
    this.#host.onAddress(entry)
  }

  onAddressGone(address: IpAddress): void {
    this.#host.onAddressGone(address)
  }

  onDuplicate(address: IpAddress, mac: Mac): void {
    this.#host.onDuplicate(address, mac)
  }

  onRouter(router: IpAddress, isDefault: boolean): void {
    this.#host.onRouter(router, isDefault)
  }

  onPrefix(prefix: IpAddress, prefixLength: number, isOnLink: boolean): void {
    this.#host.onPrefix(prefix, prefixLength, isOnLink)
  }

  #solicitation(target: IpAddress): NdMessage {
    const out = this.#out
    out.reset()
    out.type = ND_TYPE.neighbourSolicitation
    out.target.assign(target)
    return out
  }
}
