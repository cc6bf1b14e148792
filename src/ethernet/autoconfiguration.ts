// IPv6 addresses without a server: the link-local one, those of prefixes that routers advertise, and whether somebody has them already.
// Owns: addresses and their lifetimes, duplicate address detection, the list of default routers, asking for routers. Does not own: messages
// (nd-message.ts), neighbours (neighbour-discovery.ts), what a host does with an address (src/ip).
// Read first: RFC 4862 §5; RFC 4861 §6.3.

import type { Random } from '../base/random.ts'
import { type Micros, SECOND } from '../base/time.ts'
import type { InterfaceAddress, IpAddress } from '../ip/address.ts'
import { eui64Address, linkLocalAddress, type Mac, solicitedNode } from './mac.ts'
import type { NdMessage, PrefixInformation } from './nd-message.ts'
import type { EthernetDropReason } from './reasons.ts'

// RFC 4861 §10, RFC 4862 §5.1.
const MAX_RTR_SOLICITATION_DELAY_US = SECOND
const RTR_SOLICITATION_INTERVAL_US = 4 * SECOND
const MAX_RTR_SOLICITATIONS = 3
const TWO_HOURS_US = 7200 * SECOND
const FOREVER_S = 0xffffffff

/** What a router's advertisements may make us keep: more is not taken, so that a liar fills nothing. */
const MOST_ADDRESSES = 16
const MOST_ROUTERS = 8
const MOST_PREFIXES = 16

/** RFC 4862 §5.4 and §5.5.4: tentative ones are not used, deprecated ones not for what is new. */
export type AddressState = 'tentative' | 'preferred' | 'deprecated'

/** An address of this host. */
export interface AutoAddress {
  readonly address: IpAddress
  readonly prefixLength: number
  readonly origin: 'manual' | 'link-local' | 'router'
  readonly state: AddressState
  /** Instants; Infinity for ever. */
  readonly preferredUntil: Micros
  readonly validUntil: Micros
}

/** What comes of it. */
export interface AutoOutput {
  /** A solicitation from :: about an address that might be somebody's. */
  probe(address: IpAddress): void
  solicitRouters(source: IpAddress): void
  join(group: IpAddress): void
  leave(group: IpAddress): void
  /** An address may be used, or has changed its state. */
  onAddress(entry: InterfaceAddress): void
  onAddressGone(address: IpAddress): void
  /** Somebody else has an address, which is not ours from now on. */
  onDuplicate(address: IpAddress, mac: Mac): void
  onRouter(router: IpAddress, isDefault: boolean): void
  /** A prefix without an address of ours is on the link, or no longer. */
  onPrefix(prefix: IpAddress, prefixLength: number, isOnLink: boolean): void
}

/** How addresses are made. */
export interface AutoOptions {
  /** Whether routers are asked and believed. Default false: a link-local address and those set by hand. */
  readonly slaac?: boolean
  /** How often an address is asked about before it is used (RFC 4862 §5.1: DupAddrDetectTransmits); 0: never. Default 1. */
  readonly dupAddrDetectTransmits?: number
}

interface Own extends AutoAddress {
  state: AddressState
  preferredUntil: Micros
  validUntil: Micros
  /** Questions still to ask, and when the next step of duplicate address detection is due. */
  left: number
  at: Micros
  /** Set by hand, and in use meanwhile. */
  readonly isOptimistic: boolean
}

/** The IPv6 addresses of one interface. */
export class Autoconfiguration {
  readonly #mac: Mac
  readonly #output: AutoOutput
  readonly #random: Random
  readonly #slaac: boolean
  readonly #transmits: number
  /** RetransTimer: how long an answer may take. Set by routers. */
  retransUs: Micros = SECOND
  #own: Own[] = []
  #routers: { readonly address: IpAddress; until: Micros }[] = []
  #prefixes: { readonly prefix: IpAddress; readonly prefixLength: number; until: Micros }[] = []
  #solicitationsLeft = 0
  #solicitAt: Micros = Number.POSITIVE_INFINITY

  constructor(mac: Mac, output: AutoOutput, random: Random, options: AutoOptions = {}) {
    this.#mac = mac
    this.#output = output
    this.#random = random
    this.#slaac = options.slaac ?? false
    this.#transmits = options.dupAddrDetectTransmits ?? 1
  }

  /** The addresses as they are now. */
  get addresses(): readonly AutoAddress[] {
    return this.#own
  }

  /** The default routers as they are now. */
  get routers(): readonly IpAddress[] {
    return this.#routers.map(({ address }) => address)
  }

  /** The link-local address once it may be used, or null. */
  get linkLocal(): IpAddress | null {
    return this.#own.find(({ origin, state }) => origin === 'link-local' && state !== 'tentative')?.address ?? null
  }

  /** Whether an address is still being asked about, so that nobody may know that we have it (RFC 4862 §5.4). */
  isTentative(address: IpAddress): boolean {
    return this.#find(address)?.state === 'tentative'
  }

  /** Begins with the link-local address (RFC 4862 §5.3). */
  start(now: Micros): void {
    this.#add(linkLocalAddress(this.#mac), 64, 'link-local', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, now)
  }

  /**
   * An address that was set by hand and is in use. DEVIATION: RFC 4862 §5.4 would keep it back for a second; it is asked about all the
   * same, and given up when somebody has it.
   */
  addManual({ address, prefixLength }: InterfaceAddress, now: Micros): void {
    if (this.#find(address) !== null) return
    this.#add(address, prefixLength, 'manual', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, now)
  }

  /** Forgets an address that the host does not have any more. */
  forget(address: IpAddress): void {
    if (this.#find(address) === null) return
    this.#own = this.#own.filter((own) => !own.address.equals(address))
    this.#output.leave(solicitedNode(address))
  }

  /** Somebody has said that it has `address`, or has asked whether anybody has. Returns whether that took an address from us. */
  handleClaim(address: IpAddress, mac: Mac): boolean {
    const own = this.#find(address)
    if (own === null || own.left < 0) return false
    this.forget(address)
    if (own.state !== 'tentative') this.#output.onAddressGone(address)
    this.#output.onDuplicate(address, mac)
    return true
  }

  /** A router has said what it is and which prefixes there are (RFC 4861 §6.3.4, RFC 4862 §5.5.3). Returns what was not taken. */
  handleAdvertisement(message: NdMessage, router: IpAddress, now: Micros): 'ok' | EthernetDropReason {
    if (!this.#slaac) return 'ok'
    if (message.retransMs > 0) this.retransUs = Math.min(message.retransMs, 60_000) * 1000
    let verdict: 'ok' | EthernetDropReason = this.#setRouter(router, message.lifetimeS, now)
    // RFC 4861 §6.3.7: one advertisement of a default router is answer enough.
    if (message.lifetimeS > 0) this.#solicitAt = Number.POSITIVE_INFINITY
    for (const information of message.prefixes) {
      const taken = this.#takePrefix(information, now)
      if (taken !== 'ok') verdict = taken
    }
    return verdict
  }

  /** A default router says that it is one no longer (RFC 4861 §7.2.5). */
  removeRouter(address: IpAddress): void {
    if (!this.#routers.some((router) => router.address.equals(address))) return
    this.#routers = this.#routers.filter((router) => !router.address.equals(address))
    this.#output.onRouter(address, false)
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    let at = this.#solicitAt
    for (const own of this.#own) at = Math.min(at, own.at, own.validUntil, dueToDeprecate(own))
    for (const { until } of this.#routers) at = Math.min(at, until)
    for (const { until } of this.#prefixes) at = Math.min(at, until)
    return at
  }

  /** Asks, uses, deprecates and forgets what is due. */
  handleTimeout(now: Micros): void {
    for (const own of [...this.#own]) {
      if (own.validUntil <= now) this.#expire(own)
      else if (own.at <= now) this.#step(own, now)
      else if (dueToDeprecate(own) <= now) this.#setState(own, 'deprecated')
    }
    for (const { address, until } of [...this.#routers]) if (until <= now) this.removeRouter(address)
    for (const { prefix, prefixLength, until } of this.#prefixes) {
      if (until <= now) this.#output.onPrefix(prefix, prefixLength, false)
    }
    this.#prefixes = this.#prefixes.filter(({ until }) => until > now)
    if (this.#solicitAt <= now) this.#solicit(now)
  }

  #find(address: IpAddress): Own | null {
    return this.#own.find((own) => own.address.equals(address)) ?? null
  }

  #add(
    address: IpAddress,
    prefixLength: number,
    origin: Own['origin'],
    preferredUntil: Micros,
    validUntil: Micros,
    now: Micros,
  ): void {
    const isOptimistic = origin === 'manual'
    // RFC 4862 §5.4.2: not all hosts of a link at the same time.
    const wait = isOptimistic ? 0 : Math.round(this.#random.fraction() * MAX_RTR_SOLICITATION_DELAY_US)
    const own: Own = {
      address: address.clone(),
      prefixLength,
      origin,
      state: isOptimistic ? 'preferred' : 'tentative',
      preferredUntil,
      validUntil,
      left: this.#transmits,
      at: now + (this.#transmits > 0 ? wait : 0),
      isOptimistic,
    }
    this.#own.push(own)
    this.#output.join(solicitedNode(address))
  }

  // Asks again, or is content: nobody has said anything within RetransTimer (RFC 4862 §5.4).
  #step(own: Own, now: Micros): void {
    if (own.left > 0) {
      own.left--
      own.at = now + this.retransUs
      this.#output.probe(own.address)
      return
    }
    own.left = -1
    own.at = Number.POSITIVE_INFINITY
    if (own.isOptimistic) return
    this.#setState(own, own.preferredUntil <= now ? 'deprecated' : 'preferred')
    if (own.origin === 'link-local' && this.#slaac) {
      this.#solicitationsLeft = MAX_RTR_SOLICITATIONS
      this.#solicitAt = now
    }
  }

  #setState(own: Own, state: AddressState): void {
    own.state = state
    const { address, prefixLength } = own
    this.#output.onAddress({ address, prefixLength, ...(state === 'deprecated' ? { isDeprecated: true } : {}) })
  }

  #expire(own: Own): void {
    this.forget(own.address)
    if (own.state !== 'tentative') this.#output.onAddressGone(own.address)
  }

  // RFC 4861 §6.3.7.
  #solicit(now: Micros): void {
    const source = this.linkLocal
    this.#solicitationsLeft--
    this.#solicitAt = this.#solicitationsLeft > 0 ? now + RTR_SOLICITATION_INTERVAL_US : Number.POSITIVE_INFINITY
    if (source !== null) this.#output.solicitRouters(source)
  }

  #setRouter(address: IpAddress, lifetimeS: number, now: Micros): 'ok' | 'nd-too-many' {
    const known = this.#routers.find((router) => router.address.equals(address))
    if (lifetimeS === 0) {
      this.removeRouter(address)
    } else if (known !== undefined) {
      known.until = now + lifetimeS * SECOND
    } else if (this.#routers.length >= MOST_ROUTERS) {
      return 'nd-too-many'
    } else {
      const own = address.clone() // that of the message is read over by the next one
      this.#routers.push({ address: own, until: now + lifetimeS * SECOND })
      this.#output.onRouter(own, true)
    }
    return 'ok'
  }

  #takePrefix(information: PrefixInformation, now: Micros): 'ok' | EthernetDropReason {
    const { prefix, prefixLength, isOnLink, isAutonomous, validS, preferredS } = information
    // RFC 4861 §6.3.4 and RFC 4862 §5.5.3(b): the link-local prefix is nobody's to give.
    if (prefix.w0 >>> 22 === 0x3fa || prefix.isMulticast || prefix.isLoopback || prefix.family === 4)
      return 'nd-bad-prefix'
    if (isAutonomous) return this.#takeAutonomous(information, now)
    if (!isOnLink) return 'ok'
    const known = this.#prefixes.find((p) => p.prefixLength === prefixLength && p.prefix.inPrefix(prefix, prefixLength))
    if (known !== undefined) known.until = untilOf(validS, now)
    else if (validS > 0) {
      if (this.#prefixes.length >= MOST_PREFIXES) return 'nd-too-many'
      this.#prefixes.push({ prefix, prefixLength, until: untilOf(validS, now) })
      this.#output.onPrefix(prefix, prefixLength, true)
    }
    return preferredS > validS ? 'nd-bad-prefix' : 'ok'
  }

  #takeAutonomous(information: PrefixInformation, now: Micros): 'ok' | EthernetDropReason {
    const { prefix, prefixLength, isOnLink, validS, preferredS } = information
    // RFC 4862 §5.5.3(c) and (d): the identifier of an Ethernet interface has 64 bits.
    if (preferredS > validS || prefixLength !== 64) return 'nd-bad-prefix'
    const address = eui64Address(prefix, this.#mac)
    const known = this.#find(address)
    if (known === null) {
      if (validS === 0) return 'ok'
      if (this.#own.filter(({ origin }) => origin === 'router').length >= MOST_ADDRESSES) return 'nd-too-many'
      this.#add(address, isOnLink ? 64 : 128, 'router', untilOf(preferredS, now), untilOf(validS, now), now)
      return 'ok'
    }
    if (known.origin !== 'router') return 'ok'
    return this.#renew(known, preferredS, validS, now)
  }

  // RFC 4862 §5.5.3(e): a forged advertisement may not end an address within two hours.
  #renew(own: Own, preferredS: number, validS: number, now: Micros): 'ok' | 'nd-short-lifetime' {
    const wanted = untilOf(validS, now)
    const isShort = wanted <= now + TWO_HOURS_US && wanted <= own.validUntil
    const isNearEnd = own.validUntil <= now + TWO_HOURS_US
    if (!isShort) own.validUntil = wanted
    else if (!isNearEnd) own.validUntil = now + TWO_HOURS_US
    own.preferredUntil = untilOf(preferredS, now)
    const isPreferred = own.preferredUntil > now
    if (own.state === 'deprecated' && isPreferred) this.#setState(own, 'preferred')
    else if (own.state === 'preferred' && !isPreferred) this.#setState(own, 'deprecated')
    return isShort && wanted < own.validUntil ? 'nd-short-lifetime' : 'ok'
  }
}

function untilOf(seconds: number, now: Micros): Micros {
  return seconds === FOREVER_S ? Number.POSITIVE_INFINITY : now + seconds * SECOND
}

function dueToDeprecate({ state, preferredUntil }: Own): Micros {
  return state === 'preferred' ? preferredUntil : Number.POSITIVE_INFINITY
}
