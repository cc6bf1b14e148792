// ARP: finding the Ethernet address of an IPv4 neighbour, and answering those who look for ours.
// Owns: questions, answers, what is believed. Does not own: the cache's states (neighbour-cache.ts), own addresses and conflicts
// (claims.ts), frames.
// Read first: RFC 826, RFC 1122 §2.3.2, RFC 5227.
// Nobody else's address is answered for: there is no proxy.

import type { Random } from '../base/random.ts'
import { type Micros, SECOND } from '../base/time.ts'
import { IpAddress } from '../ip/address.ts'
import { TokenBucket } from '../ip/token-bucket.ts'
import type { Packet } from '../link/device.ts'
import { ARP_OPERATION, ArpPacket, parseArp } from './arp-packet.ts'
import { type ClaimOutput, Claims } from './claims.ts'
import { BROADCAST_MAC, type Mac } from './mac.ts'
import { type Neighbour, NeighbourCache, type NeighbourLimits, type NeighbourProtocol } from './neighbour-cache.ts'
import type { EthernetDropReason, EthernetDrops } from './reasons.ts'

/** Answers in a second, and at once: what floods us with questions gets no more than that. */
const ANSWERS_PER_SECOND = 1000
const ANSWER_BURST = 200

/** An Ethernet address that has just been set is not changed again so soon, as in Linux (`locktime`). */
const LOCK_US = SECOND

const NOBODY = new IpAddress(0, 0, 0xffff, 0)

/** What ARP needs of the device that it belongs to. */
export interface ArpHost {
  /** Whether an address is ours now. */
  isOwn(address: IpAddress): boolean
  /** The own address to ask from; null when there is none. */
  sourceFor(address: IpAddress): IpAddress | null
  /** Sends a packet, borrowed, in a frame to `dst`. */
  sendArp(packet: ArpPacket, dst: Mac): void
  transmit(packet: Packet, mac: Mac): void
  unreachable(packet: Packet, neighbour: Neighbour): void
  /** A neighbour has been found, or does not answer. */
  onNeighbour(address: IpAddress, isThere: boolean): void
  /** Whether a route leads by it. */
  isGateway(address: IpAddress): boolean
  /** When a transport last made progress by way of it; -Infinity: never. */
  progressVia(address: IpAddress): Micros
  /** See ClaimOutput.onUsable. */
  onClaimed(address: IpAddress): void
  /** See ClaimOutput.onConflict. */
  onConflict(address: IpAddress, mac: Mac, isLost: boolean): void
}

/** ARP of one host. Sans-I/O: time and packets are arguments, what it sends goes through ArpHost. */
export class Arp implements NeighbourProtocol, ClaimOutput {
  readonly cache: NeighbourCache
  readonly claims: Claims
  readonly #mac: Mac
  readonly #host: ArpHost
  readonly #drops: EthernetDrops
  readonly #bucket = new TokenBucket(ANSWERS_PER_SECOND, ANSWER_BURST)
  readonly #in = new ArpPacket()
  readonly #out = new ArpPacket()

  constructor(mac: Mac, host: ArpHost, random: Random, drops: EthernetDrops, limits: Partial<NeighbourLimits> = {}) {
    this.#mac = mac
    this.#host = host
    this.#drops = drops
    this.cache = new NeighbourCache(this, random, drops, limits)
    this.claims = new Claims(mac, random, this)
  }

  /**
   * A packet has come in a frame from `frameSrc`. Returns 'ok', or why it was passed over, which is counted.
   */
  handle(bytes: Uint8Array, start: number, end: number, frameSrc: Mac, now: Micros): 'ok' | EthernetDropReason {
    const verdict = this.#judge(bytes, start, end, frameSrc, now)
    if (verdict !== 'ok') this.#drops.count(verdict)
    return verdict
  }

  #judge(bytes: Uint8Array, start: number, end: number, frameSrc: Mac, now: Micros): 'ok' | EthernetDropReason {
    const packet = this.#in
    const parsed = parseArp(bytes, start, end, packet)
    if (parsed !== 'ok') return parsed
    if (packet.senderMac !== frameSrc) return 'arp-spoofed-frame'
    if (this.claims.handle(packet, now)) return 'arp-conflict'
    const { senderIp } = packet
    if (this.#host.isOwn(senderIp)) return 'arp-conflict'
    const isForUs = this.#host.isOwn(packet.targetIp)
    const isRequest = packet.operation === ARP_OPERATION.request
    // RFC 5227 §2.1.1: a probe has no sender, and tells nothing that could be remembered.
    if (senderIp.isUnspecified) return isRequest && isForUs ? this.#answer(packet, now) : 'arp-not-for-us'
    const known = this.#correct(packet, isRequest, isForUs, now)
    if (!isRequest) return known
    if (!isForUs) return known === 'arp-not-asked' ? 'arp-not-for-us' : known
    // RFC 826: whoever asks us will hear from us, so it is remembered.
    if (known === 'arp-not-asked') this.cache.learn(senderIp, packet.senderMac, now)
    return this.#answer(packet, now)
  }

  // RFC 826: whatever a packet says of a sender that we know already is taken over. Only what answers a question of ours proves that the
  // neighbour hears us (RFC 4861 §7.3.1); an answer that nobody awaits proves nothing.
  #correct(packet: ArpPacket, isRequest: boolean, isForUs: boolean, now: Micros): 'ok' | EthernetDropReason {
    const entry = this.cache.find(packet.senderIp)
    if (entry === null) return 'arp-not-asked'
    const isAwaited = entry.state === 'INCOMPLETE' || entry.state === 'PROBE'
    if (!isAwaited && entry.mac !== packet.senderMac && now - entry.learntAt < LOCK_US) return 'arp-locked'
    this.cache.confirm(
      {
        address: packet.senderIp,
        mac: packet.senderMac,
        isSolicited: !isRequest && isForUs && isAwaited,
        isOverride: true,
        isRouter: null,
      },
      now,
    )
    return 'ok'
  }

  #answer(packet: ArpPacket, now: Micros): 'ok' | EthernetDropReason {
    if (!this.#bucket.take(now)) return 'arp-limited'
    const out = this.#out
    out.operation = ARP_OPERATION.reply
    out.senderMac = this.#mac
    out.senderIp.assign(packet.targetIp)
    out.targetMac = packet.senderMac
    out.targetIp.assign(packet.senderIp)
    this.#host.sendArp(out, packet.senderMac)
    return 'ok'
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    return Math.min(this.cache.nextDeadline(), this.claims.nextDeadline())
  }

  /** Does what is due. */
  handleTimeout(now: Micros): void {
    this.cache.handleTimeout(now)
    this.claims.handleTimeout(now)
  }

  solicit(neighbour: Neighbour, isProbe: boolean): void {
    const source = this.#host.sourceFor(neighbour.address)
    if (source !== null) this.#ask(source, neighbour.address, isProbe ? neighbour.mac : BROADCAST_MAC)
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

  sendProbe(address: IpAddress): void {
    this.#ask(NOBODY, address, BROADCAST_MAC)
  }

  sendAnnouncement(address: IpAddress): void {
    this.#ask(address, address, BROADCAST_MAC)
  }

  onUsable(address: IpAddress): void {
    this.#host.onClaimed(address)
  }

  onConflict(address: IpAddress, mac: Mac, isLost: boolean): void {
    this.#host.onConflict(address, mac, isLost)
  }

  #ask(source: IpAddress, target: IpAddress, dst: Mac): void {
    const out = this.#out
    out.operation = ARP_OPERATION.request
    out.senderMac = this.#mac
    out.senderIp.assign(source)
    out.targetMac = 0
    out.targetIp.assign(target)
    this.#host.sendArp(out, dst)
  }
}
