// A DHCP client without I/O: messages, times and answers to its questions go in; messages and events come out.
// Owns: the states of RFC 2131 figure 5, retransmission. Does not own: bytes (message.ts), sockets and addresses (src/net/dhcp.ts), asking
// the neighbours whether an address is free (src/ethernet).
// Read first: RFC 2131 §4.4.

import type { Random } from '../base/random.ts'
import { MINUTE, type Micros, SECOND } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { type Lease, leaseOf } from './lease.ts'
import { DHCP_OP, type DhcpMessage, NO_ADDRESS, parseDhcp, writeDhcp } from './message.ts'
import { addressBytes, addressOption, DHCP_TYPE, OPTION, textBytes, typeOf } from './options.ts'

/** Figure 5 of RFC 2131; CHECKING is while the neighbours are asked about an address that was acknowledged (§4.4.1). */
export type DhcpState =
  | 'STOPPED'
  | 'INIT'
  | 'SELECTING'
  | 'REQUESTING'
  | 'CHECKING'
  | 'BOUND'
  | 'RENEWING'
  | 'REBINDING'
  | 'INIT-REBOOT'
  | 'REBOOTING'

/** How a client is set up. */
export interface DhcpClientOptions {
  readonly random: Random
  /** The Ethernet address, 6 bytes. */
  readonly mac: Uint8Array
  readonly hostName?: string
  /** By default 1 and the Ethernet address (RFC 2132 §9.14). */
  readonly clientId?: Uint8Array
  /** An address had before, which is asked for again (INIT-REBOOT). */
  readonly previous?: IpAddress | null
}

/** What the client's owner has to do, or may want to know. */
export type DhcpEvent =
  /** Find out whether anybody has the address, then call `handleCheck`. */
  | { readonly type: 'check'; readonly address: IpAddress }
  /** The address is ours, or its lease is longer now. */
  | { readonly type: 'bound'; readonly lease: Lease; readonly isNew: boolean }
  /** The address is ours no longer. */
  | { readonly type: 'lost'; readonly lease: Lease; readonly why: 'expired' | 'refused' | 'released' | 'conflict' }

/** A message to send. */
export interface DhcpTransmit {
  readonly bytes: Uint8Array
  /** Null: to everybody. */
  readonly to: IpAddress | null
  /** From 0.0.0.0: there is no address yet. */
  readonly isFromNobody: boolean
}

/** What was passed over, by reason. */
export interface DhcpDrops {
  malformed: number
  /** Of another client, or of an exchange that is over. */
  notOurs: number
  /** Of a kind or a server that nothing is expected of now. */
  unexpected: number
  /** A lease that cannot be. */
  badLease: number
}

// RFC 2131 §4.1: 4 seconds, then twice as long each time, give or take one.
const FIRST_RETRY_US = 4 * SECOND
const LAST_RETRY_US = 64 * SECOND
const MOST_REQUESTS = 4
/** §3.1.5: a client whose address was taken waits so long. */
const DECLINE_WAIT_US = 10 * SECOND
/** §4.4.5: no more often than that while renewing. */
const LEAST_RENEWAL_US = MINUTE
/** §4.4.1: a random wait before the first message, from one to ten seconds; shorter here, as in common clients. */
const FIRST_WAIT_US = SECOND / 2

const WANTED = [
  OPTION.subnetMask,
  OPTION.router,
  OPTION.dns,
  OPTION.domain,
  OPTION.mtu,
  OPTION.renewalTime,
  OPTION.rebindingTime,
]

/** A client. */
export class DhcpClient {
  readonly drops: DhcpDrops = { malformed: 0, notOurs: 0, unexpected: 0, badLease: 0 }
  readonly #random: Random
  readonly #mac: Uint8Array
  readonly #options: DhcpClientOptions
  readonly #events: DhcpEvent[] = []
  readonly #out: DhcpTransmit[] = []
  #state: DhcpState = 'STOPPED'
  #xid = 0
  #startedAt: Micros = 0
  #askedAt: Micros = 0
  #at: Micros = Number.POSITIVE_INFINITY
  #tries = 0
  /** Offered, or acknowledged and being checked. */
  #offer: Lease | null = null
  #lease: Lease | null = null
  #previous: IpAddress | null

  constructor(options: DhcpClientOptions) {
    this.#options = options
    this.#random = options.random
    this.#mac = options.mac
    this.#previous = options.previous ?? null
  }

  /** The state. */
  get state(): DhcpState {
    return this.#state
  }

  /** What is leased now, or null. */
  get lease(): Lease | null {
    return this.#lease
  }

  /** Begins; harmless when it has begun. */
  start(now: Micros): void {
    if (this.#state === 'STOPPED') this.#begin(now, this.#random.fraction() * FIRST_WAIT_US)
  }

  /** Gives the lease back (RFC 2131 §4.4.6) and stops. */
  release(now: Micros): void {
    const lease = this.#lease
    if (lease !== null) {
      this.#xid = this.#random.int32()
      const options = this.#base(DHCP_TYPE.release).set(OPTION.serverId, addressBytes(lease.server))
      this.#put(options, lease.address, lease.server, now)
    }
    this.stop()
    if (lease !== null) this.#events.push({ type: 'lost', lease, why: 'released' })
  }

  /** Stops without a word. */
  stop(): void {
    this.#enter('STOPPED', Number.POSITIVE_INFINITY)
    this.#lease = null
    this.#offer = null
  }

  /** A datagram has come to the client's port. */
  handleMessage(bytes: Uint8Array, now: Micros): void {
    const message = parseDhcp(bytes)
    if (message === null || message.op !== DHCP_OP.reply) this.drops.malformed++
    else if (message.xid !== this.#xid || !this.#mac.every((byte, i) => byte === message.chaddr[i]))
      this.drops.notOurs++
    else this.#take(message, now)
  }

  #take(message: DhcpMessage, now: Micros): void {
    const type = typeOf(message.options)
    const server = addressOption(message.options, OPTION.serverId)
    if (type === DHCP_TYPE.offer && this.#state === 'SELECTING') this.#accept(message, now)
    else if (type === DHCP_TYPE.ack && this.#awaits(server)) this.#acknowledged(message)
    else if (type === DHCP_TYPE.nak && this.#awaits(server)) this.#refused(now)
    else this.drops.unexpected++
  }

  // RFC 2131 §4.3.1 table 3: a server names itself. While one is asked, nobody else has a say.
  #awaits(server: IpAddress | null): boolean {
    switch (this.#state) {
      case 'REQUESTING':
        return server !== null && this.#offer?.server.equals(server) === true
      case 'RENEWING':
        return server !== null && this.#lease?.server.equals(server) === true
      case 'REBINDING':
      case 'REBOOTING':
        return server !== null
      default:
        return false
    }
  }

  // §4.4.1: the first offer that can be is as good as any.
  #accept(message: DhcpMessage, now: Micros): void {
    const lease = leaseOf(message, now)
    if (lease === null) {
      this.drops.badLease++
      return
    }
    this.#offer = lease
    this.#tries = 0
    this.#enter('REQUESTING', now)
    this.handleTimeout(now)
  }

  #acknowledged(message: DhcpMessage): void {
    const lease = leaseOf(message, this.#askedAt)
    if (lease === null) {
      this.drops.badLease++
      return
    }
    const held = this.#lease
    if (held?.address.equals(lease.address)) {
      this.#bind(lease, false)
      return
    }
    // §4.4.1: whether somebody has it all the same is asked before it is used.
    if (held !== null) this.#lose(held, 'refused')
    this.#offer = lease
    this.#enter('CHECKING', Number.POSITIVE_INFINITY)
    this.#events.push({ type: 'check', address: lease.address })
  }

  /** The answer to the event 'check'. */
  handleCheck(isFree: boolean, now: Micros): void {
    const lease = this.#offer
    if (this.#state !== 'CHECKING' || lease === null) return
    if (isFree) {
      this.#bind(lease, true)
      return
    }
    this.#decline(lease, now)
  }

  /** Somebody has taken the address that is ours (RFC 5227 §2.4): it is declined, and another asked for. */
  handleConflict(now: Micros): void {
    const lease = this.#lease
    if (lease === null) return
    this.#lose(lease, 'conflict')
    this.#decline(lease, now)
  }

  // §4.4.4.
  #decline(lease: Lease, now: Micros): void {
    const options = this.#base(DHCP_TYPE.decline)
      .set(OPTION.requestedAddress, addressBytes(lease.address))
      .set(OPTION.serverId, addressBytes(lease.server))
    this.#put(options, NO_ADDRESS, null, now)
    this.#previous = null
    this.#offer = null
    this.#enter('INIT', now + DECLINE_WAIT_US)
  }

  #bind(lease: Lease, isNew: boolean): void {
    this.#lease = lease
    this.#offer = null
    this.#previous = lease.address
    this.#enter('BOUND', lease.renewAt)
    this.#events.push({ type: 'bound', lease, isNew })
  }

  #refused(now: Micros): void {
    if (this.#lease !== null) this.#lose(this.#lease, 'refused')
    this.#previous = null
    this.#begin(now, SECOND)
  }

  #lose(lease: Lease, why: 'expired' | 'refused' | 'conflict'): void {
    this.#lease = null
    this.#events.push({ type: 'lost', lease, why })
  }

  #begin(now: Micros, wait: Micros): void {
    this.#offer = null
    this.#enter(this.#previous === null ? 'INIT' : 'INIT-REBOOT', now + Math.round(wait))
  }

  #enter(state: DhcpState, at: Micros): void {
    this.#state = state
    this.#at = at
  }

  /** When handleTimeout is to be called next. */
  nextDeadline(): Micros {
    return this.#at
  }

  /** Asks, asks again, renews, or gives up. */
  handleTimeout(now: Micros): void {
    if (this.#at > now) return
    switch (this.#state) {
      case 'INIT':
      case 'INIT-REBOOT':
        this.#startedAt = now
        this.#xid = this.#random.int32()
        this.#tries = 0
        this.#enter(this.#state === 'INIT' ? 'SELECTING' : 'REBOOTING', now)
        this.handleTimeout(now)
        break
      case 'SELECTING':
        this.#put(this.#withWishes(DHCP_TYPE.discover), NO_ADDRESS, null, now)
        this.#retry(now)
        break
      case 'REQUESTING':
      case 'REBOOTING':
        this.#request(now)
        break
      case 'BOUND':
      case 'RENEWING':
      case 'REBINDING':
        this.#renew(now)
        break
      default:
        this.#at = Number.POSITIVE_INFINITY
    }
  }

  // §4.3.2: the server is named when its offer is taken, the address in an option as long as it is not ours.
  #request(now: Micros): void {
    const address = this.#state === 'REQUESTING' ? (this.#offer?.address ?? null) : this.#previous
    if (address === null || this.#tries === MOST_REQUESTS) {
      this.#previous = null
      this.#begin(now, 0)
      return
    }
    const options = this.#withWishes(DHCP_TYPE.request).set(OPTION.requestedAddress, addressBytes(address))
    if (this.#state === 'REQUESTING' && this.#offer !== null) {
      options.set(OPTION.serverId, addressBytes(this.#offer.server))
    }
    this.#askedAt = now
    this.#put(options, NO_ADDRESS, null, now)
    this.#retry(now)
  }

  // §4.4.5: the server itself until T2, then everybody; each time when half of what is left has gone by.
  #renew(now: Micros): void {
    const lease = this.#lease
    if (lease === null) return
    if (now >= lease.expiresAt) {
      this.#lose(lease, 'expired')
      this.#begin(now, 0)
      return
    }
    const isRebinding = now >= lease.rebindAt
    if (this.#state === 'BOUND') {
      this.#xid = this.#random.int32()
      this.#startedAt = now
    }
    this.#askedAt = now
    const until = isRebinding ? lease.expiresAt : lease.rebindAt
    const wait = Math.max(LEAST_RENEWAL_US, (until - now) / 2)
    this.#enter(isRebinding ? 'REBINDING' : 'RENEWING', Math.min(until, now + Math.round(wait)))
    this.#put(this.#withWishes(DHCP_TYPE.request), lease.address, isRebinding ? null : lease.server, now)
  }

  #retry(now: Micros): void {
    const wait = Math.min(LAST_RETRY_US, FIRST_RETRY_US * 2 ** this.#tries)
    this.#tries = Math.min(this.#tries + 1, 16)
    this.#at = now + wait + Math.round((this.#random.fraction() * 2 - 1) * SECOND)
  }

  #base(type: number): Map<number, Uint8Array> {
    const { clientId = Uint8Array.of(1, ...this.#mac) } = this.#options
    return new Map<number, Uint8Array>([
      [OPTION.messageType, Uint8Array.of(type)],
      [OPTION.clientId, clientId],
    ])
  }

  #withWishes(type: number): Map<number, Uint8Array> {
    const options = this.#base(type).set(OPTION.parameterList, Uint8Array.from(WANTED))
    const { hostName } = this.#options
    if (hostName !== undefined) options.set(OPTION.hostName, textBytes(hostName))
    return options.set(OPTION.maxSize, Uint8Array.of(0x05, 0xdc))
  }

  #put(options: Map<number, Uint8Array>, ciaddr: IpAddress, to: IpAddress | null, now: Micros): void {
    const isFromNobody = ciaddr.isUnspecified
    const bytes = writeDhcp({
      op: DHCP_OP.request,
      xid: this.#xid,
      secs: Math.min(0xffff, Math.floor((now - this.#startedAt) / SECOND)),
      // §4.1: nothing reaches us by an address that is not ours yet.
      isBroadcast: isFromNobody,
      ciaddr,
      yiaddr: NO_ADDRESS,
      siaddr: NO_ADDRESS,
      giaddr: NO_ADDRESS,
      chaddr: this.#mac,
      options,
    })
    this.#out.push({ bytes, to, isFromNobody })
  }

  /** The next message to send, or null. */
  pollTransmit(): DhcpTransmit | null {
    return this.#out.shift() ?? null
  }

  /** The next event, or null. */
  pollEvent(): DhcpEvent | null {
    return this.#events.shift() ?? null
  }
}
