// What joins ARP and neighbour discovery to one another, to the frames below and to the addresses and routes of the host above.
// Owns: where a packet goes, the packets of ARP, neighbour discovery and MLD, which addresses are announced. Does not own: reading and
// writing frames, time (device.ts).
// Read first: RFC 1122 §2.3.2 and §3.3.1.1; RFC 4861 §5.2.

import type { Random } from '../base/random.ts'
import type { Micros } from '../base/time.ts'
import { type InterfaceAddress, IpAddress } from '../ip/address.ts'
import { IpHeader, PROTOCOL } from '../ip/header.ts'
import { writeIpv6 } from '../ip/ipv6.ts'
import { parseIp } from '../ip/parse.ts'
import { HEADROOM, Packet } from '../link/device.ts'
import { Arp, type ArpHost } from './arp.ts'
import { ARP_BYTES, type ArpPacket, writeArp } from './arp-packet.ts'
import type { AutoOptions } from './autoconfiguration.ts'
import type { Defence } from './claims.ts'
import { ETHER_TYPE } from './frame.ts'
import { ALL_IGMP_ROUTERS, IGMP_PROTOCOL, parseIgmpQuery, writeIgmpReport } from './igmp.ts'
import type { EthernetEvent, IpConfig } from './ip-config.ts'
import { BROADCAST_MAC, groupMac, type Mac, NO_MAC } from './mac.ts'
import { ALL_MLD_ROUTERS, isMldType, MldListener, type MldReport, writeMldReport } from './mld.ts'
import { isNdType, type NdMessage, writeNd } from './nd-message.ts'
import type { Neighbour, NeighbourLimits } from './neighbour-cache.ts'
import { type LinkParameters, type NdHost, NeighbourDiscovery } from './neighbour-discovery.ts'
import { ETHERNET_DROP_REASONS, type EthernetDropReason, type EthernetDrops } from './reasons.ts'
import { hostUnreachable } from './unreachable.ts'

const IPV6_HEADER_BYTES = 40
const HOP_BY_HOP = 0
/** The longest message made here: an IPv6 header and a report of 32 groups. */
const MOST_BYTES = IPV6_HEADER_BYTES + 16 + 20 * 32

/** Verdicts on messages that are not valid, rather than unwanted. */
const INVALID: ReadonlySet<string> = new Set(
  Object.keys(ETHERNET_DROP_REASONS).filter(
    (reason) => reason.startsWith('nd-bad-') || reason === 'nd-too-short' || reason === 'mld-bad',
  ),
)

const NOBODY_V4 = new IpAddress(0, 0, 0xffff, 0)

/** How an interface behaves. */
export interface LinkOptions extends AutoOptions {
  /** Whether an IPv4 address is asked about before it is announced (RFC 5227 §2.1). It is in use meanwhile. Default false, as in Linux. */
  readonly probe?: boolean
  /** What to do about somebody with the same IPv4 address. Default 'always': never give it up. */
  readonly defence?: Defence
  /** Whether there is an IPv6 link-local address, and so IPv6 at all. Default true. */
  readonly ipv6?: boolean
  readonly neighbours?: Partial<NeighbourLimits>
  /** Told what happens to addresses, routers and neighbours with our address. Must not throw. */
  readonly onEvent?: (event: EthernetEvent) => void
}

/** Frames below, packets above. */
export interface LinkOwner {
  /** Sends the packet, borrowed, in a frame of its own. */
  sendFrame(packet: Packet, dst: Mac, etherType: number): void
  /** The next deadline may have come nearer. */
  wake(): void
  /** Hands a packet up that did not come from the wire; it is the receiver's. */
  handUp(packet: Packet): void
}

/** Told that an address is free and ours, or that somebody has it: before, or later so that it is given up. */
export type ClaimTold = (outcome: 'usable' | 'conflict', mac: Mac) => void

/** Both protocols of one interface. */
export class InterfaceLink implements ArpHost, NdHost {
  readonly arp: Arp
  readonly nd: NeighbourDiscovery
  /** The IPv4 groups that are reported; those of IPv6 are `nd.mld`. */
  readonly igmp: MldListener
  readonly #owner: LinkOwner
  readonly #options: LinkOptions
  readonly #drops: EthernetDrops
  readonly #packet = new Packet(new Uint8Array(HEADROOM + MOST_BYTES))
  readonly #header = new IpHeader()
  readonly #out = new IpHeader()
  readonly #dst = new IpAddress()
  #ip: IpConfig | null = null
  #known: readonly InterfaceAddress[] = []
  #announced: IpAddress[] = []
  /** Who is told of addresses that were claimed. */
  #claimants = new Map<string, { readonly told: ClaimTold; isUsable: boolean }>()
  #now: Micros = 0

  constructor(mac: Mac, owner: LinkOwner, random: Random, drops: EthernetDrops, options: LinkOptions) {
    this.#owner = owner
    this.#options = options
    this.#drops = drops
    const { neighbours } = options
    this.arp = new Arp(mac, this, random, drops, neighbours)
    this.igmp = new MldListener(random)
    this.nd = new NeighbourDiscovery(mac, this, random, drops, {
      ...options,
      ...(neighbours === undefined ? {} : { limits: neighbours }),
    })
  }

  /** Addresses and routes are those of this host from now on. */
  attach(ip: IpConfig, now: Micros): void {
    this.#ip = ip
    // A way to everywhere without a router makes sense on a point-to-point link alone.
    ip.routes.removeWhere(({ prefixLength, gateway }) => prefixLength === 0 && gateway === undefined)
    ip.onGroup((group, isJoined) => this.#setGroup(group, isJoined))
    if (this.#options.ipv6 !== false) this.nd.start(now)
    this.sync(now)
  }

  /** Looks whether the host's addresses have changed: new ones are announced, old ones let go. */
  sync(now: Micros): void {
    this.#now = now
    const ip = this.#ip
    if (ip === null || ip.addresses === this.#known) return
    this.#known = ip.addresses
    const before = this.#announced
    this.#announced = ip.addresses.map(({ address }) => address)
    for (const address of before) {
      if (ip.isLocal(address)) continue
      if (address.family === 4) this.release(address)
      else this.nd.auto.forget(address)
    }
    const { probe = false, defence = 'always' } = this.#options
    for (const entry of ip.addresses) {
      if (before.some((address) => address.equals(entry.address))) continue
      if (entry.address.family === 6) this.nd.addManual(entry, now)
      else if (!this.#isClaimed(entry.address)) this.arp.claims.claim(entry.address, probe, defence, now)
    }
  }

  #isClaimed(address: IpAddress): boolean {
    for (const claim of this.arp.claims.entries()) if (claim.address.equals(address)) return true
    return false
  }

  /**
   * Asks whether an IPv4 address is free, before it is the host's (RFC 5227 §2.1; RFC 2131 §4.4.1). `told` is called some seconds later;
   * after 'usable' it is announced and defended until `release`, and 'conflict' may follow.
   */
  claim(address: IpAddress, defence: Defence, now: Micros, told: ClaimTold): void {
    this.#claimants.set(address.toString(), { told, isUsable: false })
    this.arp.claims.claim(address, true, defence, now)
  }

  /** Takes `claim` back. */
  release(address: IpAddress): void {
    this.#claimants.delete(address.toString())
    this.arp.claims.release(address)
  }

  // The interface itself is in its solicited-node groups besides: each use counts.
  #setGroup(group: IpAddress, isJoined: boolean): void {
    if (group.family === 6) {
      if (isJoined) this.nd.join(group)
      else this.nd.leave(group)
    } else if (isJoined) this.igmp.join(group, this.#now)
    else {
      const report = this.igmp.leave(group)
      if (report !== null) this.#sendIgmp(report)
    }
    this.#owner.wake()
  }

  #sendIgmp({ kind, groups }: MldReport): void {
    const packet = this.#packet
    const report = { kind, groups: groups.slice(0, 64) }
    packet.start = HEADROOM
    const src = this.sourceFor(ALL_IGMP_ROUTERS) ?? NOBODY_V4
    packet.end = HEADROOM + writeIgmpReport(report, packet.bytes, HEADROOM, src)
    this.#owner.sendFrame(packet, groupMac(ALL_IGMP_ROUTERS), ETHER_TYPE.IPV4)
  }

  /** Where the packet of a host goes. NO_MAC: it waits for the answer of a neighbour, or was dropped. */
  route(packet: Packet, now: Micros): Mac {
    this.#now = now
    const { bytes, start } = packet
    const dst = this.#dst
    const is4 = bytes[start] >>> 4 === 4
    dst.read(bytes, is4 ? start + 16 : start + 24, is4 ? 4 : 6)
    if (dst.isMulticast) return groupMac(dst)
    if (is4 && (dst.isLimitedBroadcast || this.#ip?.isBroadcast(dst) === true)) return BROADCAST_MAC
    const next = this.#ip === null ? dst : this.#ip.nextHop(dst)
    if (next === null) return NO_MAC
    return is4 ? this.arp.cache.resolve(next, packet, now) : this.nd.cache.resolve(next, packet, now)
  }

  /** Whether a packet in a frame to a group is for a group too (RFC 1122 §3.3.6). */
  isGroupPacket(packet: Packet): boolean {
    const { bytes, start, end } = packet
    if (end - start < 20) return true // judged above
    if (bytes[start] >>> 4 !== 4) return end - start < IPV6_HEADER_BYTES || bytes[start + 24] === 0xff
    const dst = this.#dst
    dst.read(bytes, start + 16, 4)
    return dst.isMulticast || dst.isLimitedBroadcast || this.#ip === null || this.#ip.isBroadcast(dst)
  }

  /** Handles the packet when it belongs to neighbour discovery, MLD or IGMP; false when it is the host's. */
  takeControl(packet: Packet, now: Micros): boolean {
    const { bytes, start, end } = packet
    if (bytes[start] >>> 4 === 4) return bytes[start + 9] === IGMP_PROTOCOL && this.#takeIgmp(packet, now)
    if (end - start < IPV6_HEADER_BYTES + 4 || bytes[start] >>> 4 !== 6) return false
    const next = bytes[start + 6]
    // Of extension headers only hop-by-hop options stand before such messages; in fragments they do not count (RFC 6980 §5).
    if (next !== PROTOCOL.ICMPV6 && next !== HOP_BY_HOP) return false
    const header = this.#header
    if (parseIp(bytes, start, end, header) !== 'ok' || header.protocol !== PROTOCOL.ICMPV6 || header.isFragment)
      return false
    const at = start + header.headerBytes
    const last = start + header.totalBytes
    if (at >= last) return false
    const type = bytes[at]
    this.sync(now)
    if (!isNdType(type) && !isMldType(type)) return false
    const verdict = isNdType(type)
      ? this.nd.handle(bytes, at, last, header, now, packet.checksum !== 'complete')
      : this.nd.handleMld(bytes, at, last, header, now)
    this.#ip?.icmp.countIn(6, type)
    if (INVALID.has(verdict)) this.#ip?.icmp.countError(6, verdict === 'nd-bad-checksum')
    return true
  }

  #takeIgmp({ bytes, start, end }: Packet, now: Micros): boolean {
    const header = this.#header
    if (parseIp(bytes, start, end, header) !== 'ok' || header.isFragment) return false
    const query = parseIgmpQuery(bytes, start + header.headerBytes, start + header.totalBytes, header)
    if (query === null) this.#drops.count('igmp-ignored')
    else this.igmp.handleQuery(query, now)
    return true
  }

  /** Handles an ARP packet. */
  takeArp(packet: Packet, frameSrc: Mac, now: Micros): 'ok' | EthernetDropReason {
    this.sync(now)
    return this.arp.handle(packet.bytes, packet.start, packet.end, frameSrc, now)
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    return Math.min(this.arp.nextDeadline(), this.nd.nextDeadline(), this.igmp.nextDeadline())
  }

  /** Does what is due. */
  handleTimeout(now: Micros): void {
    this.sync(now)
    this.arp.handleTimeout(now)
    this.nd.handleTimeout(now)
    for (let report = this.igmp.pollReport(now); report !== null; report = this.igmp.pollReport(now))
      this.#sendIgmp(report)
  }

  // ---- for ARP and neighbour discovery

  // RFC 1122 §3.2.1.3(g): 127.0.0.1 and ::1 are every host's, and nobody's on a link.
  isOwn(address: IpAddress): boolean {
    return !address.isUnspecified && !address.isLoopback && this.#ip?.isLocal(address) === true
  }

  sourceFor(address: IpAddress): IpAddress | null {
    return this.#ip?.sourceFor(address) ?? null
  }

  sendArp(arp: ArpPacket, dst: Mac): void {
    const packet = this.#packet
    packet.start = HEADROOM
    packet.end = HEADROOM + ARP_BYTES
    writeArp(arp, packet.bytes, HEADROOM)
    this.#owner.sendFrame(packet, dst, ETHER_TYPE.ARP)
  }

  sendNd(message: NdMessage, src: IpAddress, dst: IpAddress, mac: Mac): void {
    const packet = this.#packet
    const at = HEADROOM + IPV6_HEADER_BYTES
    const length = writeNd(message, packet.bytes, at, src, dst)
    this.#finish(PROTOCOL.ICMPV6, 255, length, src, dst)
    const to = mac === NO_MAC ? this.#macOf(packet, dst) : mac
    if (to === NO_MAC) return
    this.#ip?.icmp.countOut(6, message.type)
    this.#owner.sendFrame(packet, to, ETHER_TYPE.IPV6)
  }

  #macOf(packet: Packet, dst: IpAddress): Mac {
    return dst.isMulticast ? groupMac(dst) : this.nd.cache.resolve(dst, packet, this.#now)
  }

  sendMld({ kind, groups }: MldReport, src: IpAddress): void {
    const packet = this.#packet
    const length = writeMldReport(kind, groups.slice(0, 32), packet.bytes, HEADROOM + IPV6_HEADER_BYTES, src)
    this.#finish(HOP_BY_HOP, 1, length, src, ALL_MLD_ROUTERS)
    this.#ip?.icmp.countOut(6, packet.bytes[HEADROOM + IPV6_HEADER_BYTES + 8])
    this.#owner.sendFrame(packet, groupMac(ALL_MLD_ROUTERS), ETHER_TYPE.IPV6)
  }

  #finish(next: number, hopLimit: number, length: number, src: IpAddress, dst: IpAddress): void {
    const packet = this.#packet
    const out = this.#out
    out.family = 6
    out.src.assign(src)
    out.dst.assign(dst)
    out.protocol = next
    out.hopLimit = hopLimit
    out.totalBytes = IPV6_HEADER_BYTES + length
    packet.start = HEADROOM
    packet.end = HEADROOM + out.totalBytes
    writeIpv6(out, packet.bytes, HEADROOM)
  }

  transmit(packet: Packet, mac: Mac): void {
    this.#owner.sendFrame(packet, mac, packet.bytes[packet.start] >>> 4 === 4 ? ETHER_TYPE.IPV4 : ETHER_TYPE.IPV6)
  }

  unreachable(packet: Packet, neighbour: Neighbour): void {
    const error = hostUnreachable(packet, neighbour.address)
    if (error !== null) this.#owner.handUp(error)
  }

  // RFC 4861 §6.3.6, RFC 1122 §3.3.1.4: where another gateway leads the same way, packets go by that one meanwhile.
  onNeighbour(address: IpAddress, isThere: boolean): void {
    this.#ip?.routes.setDead(address, !isThere)
  }

  isGateway(address: IpAddress): boolean {
    return this.#ip?.routes.hasGateway(address) === true
  }

  progressVia(address: IpAddress): Micros {
    return this.#ip?.progressVia?.(address) ?? Number.NEGATIVE_INFINITY
  }

  onClaimed(address: IpAddress): void {
    const claimant = this.#claimants.get(address.toString())
    if (claimant === undefined) return
    claimant.isUsable = true
    claimant.told('usable', NO_MAC)
  }

  onConflict(address: IpAddress, mac: Mac, isLost: boolean): void {
    const claimant = this.#claimants.get(address.toString())
    if (isLost) this.#ip?.removeAddress(address)
    this.#tell({ type: 'conflict', address, mac, isLost })
    if (claimant === undefined || (claimant.isUsable && !isLost)) return
    this.#claimants.delete(address.toString())
    claimant.told('conflict', mac)
  }

  onAddress(entry: InterfaceAddress): void {
    this.#ip?.addAddress(entry)
    this.#tell({ type: 'address', entry })
  }

  onAddressGone(address: IpAddress): void {
    this.#ip?.removeAddress(address)
    this.#tell({ type: 'address-gone', address })
  }

  onDuplicate(address: IpAddress, mac: Mac): void {
    this.#tell({ type: 'conflict', address, mac, isLost: true })
  }

  onRouter(router: IpAddress, isDefault: boolean): void {
    const route = { destination: new IpAddress(), prefixLength: 0, gateway: router }
    if (isDefault) this.#ip?.routes.add({ ...route, metric: 1024 })
    else this.#ip?.routes.remove(route)
    this.#tell({ type: 'router', address: router, isDefault })
  }

  onPrefix(prefix: IpAddress, prefixLength: number, isOnLink: boolean): void {
    const route = { destination: prefix, prefixLength }
    if (isOnLink) this.#ip?.routes.add(route)
    else this.#ip?.routes.remove(route)
  }

  onParameters(parameters: LinkParameters): void {
    if (this.#options.slaac === true) this.#ip?.setAdvertised(parameters.mtu, parameters.hopLimit)
    this.#tell({ type: 'link', parameters })
  }

  #tell(event: EthernetEvent): void {
    this.#options.onEvent?.(event)
  }
}
