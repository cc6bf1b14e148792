// A DHCP server without I/O: messages, times and answers to its questions go in; answers and events come out.
// Owns: what each message is answered with. Does not own: who has what (leases.ts), bytes (message.ts), sockets (src/net/dhcp-server.ts).
// Read first: RFC 2131 §4.3.

import { type Micros, SECOND } from '../base/time.ts'
import type { IpAddress } from '../ip/address.ts'
import { type Binding, LeaseTable } from './leases.ts'
import { DHCP_OP, DHCP_PORT, type DhcpMessage, NO_ADDRESS, parseDhcp, writeDhcp } from './message.ts'
import {
  addressBytes,
  addressOption,
  DHCP_TYPE,
  hexText,
  maskOfPrefix,
  OPTION,
  textBytes,
  textOption,
  typeOf,
  uint32Bytes,
} from './options.ts'

/** How a server is set up. */
export interface DhcpServerOptions {
  /** Its own address, by which clients name it, and the length of the network's prefix. */
  readonly address: IpAddress
  readonly prefixLength: number
  /** The pool, both ends in it. */
  readonly first: IpAddress
  readonly last: IpAddress
  readonly routers?: readonly IpAddress[]
  readonly dnsServers?: readonly IpAddress[]
  readonly domain?: string
  /** Default one hour. */
  readonly leaseS?: number
  /** By a client's Ethernet address or identifier, as `02:00:00:00:00:01`: the address that it always gets. */
  readonly reservations?: ReadonlyMap<string, IpAddress>
  /** Whether an address is looked for on the network before it is offered: the event 'check'. Default false. */
  readonly isChecked?: boolean
}

/** What the server's owner has to do, or may want to know. */
export type DhcpServerEvent =
  /** Find out whether anybody has the address, then call `handleCheck`. */
  | { readonly type: 'check'; readonly address: IpAddress }
  | { readonly type: 'leased'; readonly binding: Binding }
  | { readonly type: 'released'; readonly address: IpAddress; readonly client: string }
  | { readonly type: 'declined'; readonly address: IpAddress; readonly client: string }

/** An answer to send. */
export interface DhcpAnswer {
  readonly bytes: Uint8Array
  readonly port: number
  /** Null: to everybody. */
  readonly to: IpAddress | null
  /** The Ethernet address that `to` is about to have, and cannot be asked for yet; null when it can. */
  readonly mac: Uint8Array | null
}

/** What was done, in messages. */
export interface DhcpServerCounters {
  discovers: number
  offers: number
  requests: number
  acks: number
  naks: number
  malformed: number
  /** To another server, of a client that is not known, or that nothing can be given to. */
  ignored: number
}

/** Addresses that are being looked for at most: a flood of clients gets no further. */
const MOST_CHECKS = 64

/** A server of one network. */
export class DhcpServer {
  readonly leases: LeaseTable
  readonly counters: DhcpServerCounters = {
    discovers: 0,
    offers: 0,
    requests: 0,
    acks: 0,
    naks: 0,
    malformed: 0,
    ignored: 0,
  }
  readonly #options: DhcpServerOptions
  readonly #leaseS: number
  readonly #out: DhcpAnswer[] = []
  readonly #events: DhcpServerEvent[] = []
  readonly #checks = new Map<number, { readonly message: DhcpMessage; readonly address: IpAddress }>()

  /** @throws {RangeError} for a pool that is none, or outside of the network */
  constructor(options: DhcpServerOptions) {
    const { address, prefixLength, first, last, reservations = new Map(), leaseS = 3600 } = options
    for (const end of [first, last]) {
      if (!end.inPrefix(address, prefixLength)) throw new RangeError(`${end} is not in the network of ${address}`)
    }
    if (!(leaseS >= 60 && leaseS < 0xffffffff)) throw new RangeError(`a lease lasts a minute at least, not ${leaseS} s`)
    this.#options = options
    this.#leaseS = Math.floor(leaseS)
    this.leases = new LeaseTable(first, last, reservations)
  }

  /** A datagram has come to the server's port. */
  handleMessage(bytes: Uint8Array, now: Micros): void {
    const message = parseDhcp(bytes)
    if (message === null || message.op !== DHCP_OP.request) {
      this.counters.malformed++
      return
    }
    switch (typeOf(message.options)) {
      case DHCP_TYPE.discover:
        this.counters.discovers++
        this.#discover(message, now)
        break
      case DHCP_TYPE.request:
        this.counters.requests++
        this.#request(message, now)
        break
      case DHCP_TYPE.decline:
        this.#decline(message, now)
        break
      case DHCP_TYPE.release:
        this.#release(message, now)
        break
      case DHCP_TYPE.inform:
        // RFC 2131 §4.3.5: no lease, and so no times.
        if (isHost(message.ciaddr)) this.#answer(DHCP_TYPE.ack, message, null)
        break
      default:
        this.counters.malformed++
    }
  }

  // RFC 2131 §4.3.1.
  #discover(message: DhcpMessage, now: Micros): void {
    const client = clientOf(message)
    const address = this.leases.choose(client, addressOption(message.options, OPTION.requestedAddress), now)
    if (address === null || address.equals(this.#options.address)) {
      this.counters.ignored++
      return
    }
    const held = this.leases.of(client)
    // What was offered a moment ago has been looked for already: by now it may be the client itself that answers.
    const isHeld = held?.address.equals(address) === true && held.expiresAt > now && !this.#checks.has(address.w3)
    this.leases.offer(client, address, now)
    // §2.2: an address that is given anew is looked for first.
    if (this.#options.isChecked !== true || isHeld) this.#offer(message, address)
    else if (this.#checks.size < MOST_CHECKS && !this.#checks.has(address.w3)) {
      this.#checks.set(address.w3, { message, address })
      this.#events.push({ type: 'check', address })
    } else this.counters.ignored++
  }

  /** The answer to the event 'check'. */
  handleCheck(address: IpAddress, isFree: boolean, now: Micros): void {
    const check = this.#checks.get(address.w3)
    if (check === undefined || !this.#checks.delete(address.w3)) return
    if (this.leases.of(clientOf(check.message))?.isOffer === false) return // asked for meanwhile, and in use
    if (isFree) {
      this.#offer(check.message, check.address)
      return
    }
    this.leases.decline(address, now)
    this.#events.push({ type: 'declined', address, client: '' })
    this.#discover(check.message, now)
  }

  #offer(message: DhcpMessage, address: IpAddress): void {
    this.counters.offers++
    this.#answer(DHCP_TYPE.offer, message, address)
  }

  // RFC 2131 §4.3.2: which of its states a client is in follows from what it says.
  #request(message: DhcpMessage, now: Micros): void {
    const { ciaddr, options } = message
    const server = addressOption(options, OPTION.serverId)
    const wanted = addressOption(options, OPTION.requestedAddress)
    const client = clientOf(message)
    const known = this.leases.of(client)
    if (server !== null) {
      // SELECTING: whoever is not named has had its offer turned down.
      if (!server.equals(this.#options.address)) {
        if (known?.isOffer) this.leases.release(client, known.address, now)
        this.counters.ignored++
      } else if (wanted !== null && this.leases.isFor(wanted, client, now)) this.#grant(message, wanted, now)
      else this.#refuse(message)
      return
    }
    const address = wanted ?? ciaddr
    if (!isHost(address)) {
      this.counters.ignored++
      return
    }
    // INIT-REBOOT, RENEWING, REBINDING. §4.3.2: whose network it is not is told so; whom nobody knows is somebody else's client.
    if (!address.inPrefix(this.#options.address, this.#options.prefixLength)) this.#refuse(message)
    else if (known === null || known.isOffer) {
      this.counters.ignored++
    } else if (known.address.equals(address) && this.leases.isFor(address, client, now))
      this.#grant(message, address, now)
    else this.#refuse(message)
  }

  #grant(message: DhcpMessage, address: IpAddress, now: Micros): void {
    const client = clientOf(message)
    this.leases.lease(client, address, now + this.#leaseS * SECOND, textOption(message.options, OPTION.hostName))
    this.counters.acks++
    this.#answer(DHCP_TYPE.ack, message, address)
    const binding = this.leases.of(client)
    if (binding !== null) this.#events.push({ type: 'leased', binding })
  }

  #refuse(message: DhcpMessage): void {
    this.counters.naks++
    this.#answer(DHCP_TYPE.nak, message, null)
  }

  // RFC 2131 §4.3.3: from the client that has been given it alone, or anybody could use the pool up.
  #decline(message: DhcpMessage, now: Micros): void {
    const address = addressOption(message.options, OPTION.requestedAddress)
    const client = clientOf(message)
    if (!this.#isNamed(message) || address === null || !this.leases.of(client)?.address.equals(address)) {
      this.counters.ignored++
      return
    }
    this.leases.decline(address, now)
    this.#events.push({ type: 'declined', address, client })
  }

  // RFC 2131 §4.3.4.
  #release(message: DhcpMessage, now: Micros): void {
    const client = clientOf(message)
    if (this.#isNamed(message) && this.leases.release(client, message.ciaddr, now)) {
      this.#events.push({ type: 'released', address: message.ciaddr, client })
    } else this.counters.ignored++
  }

  #isNamed(message: DhcpMessage): boolean {
    return addressOption(message.options, OPTION.serverId)?.equals(this.#options.address) === true
  }

  #answer(type: number, message: DhcpMessage, yiaddr: IpAddress | null): void {
    const { ciaddr, giaddr, chaddr, xid, isBroadcast } = message
    const isNak = type === DHCP_TYPE.nak
    const bytes = writeDhcp({
      op: DHCP_OP.reply,
      xid,
      secs: 0,
      isBroadcast: isBroadcast || (isNak && isHost(giaddr)),
      ciaddr: isNak ? NO_ADDRESS : ciaddr,
      yiaddr: yiaddr ?? NO_ADDRESS,
      siaddr: NO_ADDRESS,
      giaddr,
      chaddr,
      options: this.#optionsOf(type, yiaddr !== null, isNak),
    })
    // RFC 2131 §4.1: to the relay; to an address in use; to everybody; to the address that is about to be the client's.
    if (isHost(giaddr)) this.#out.push({ bytes, port: DHCP_PORT.server, to: giaddr, mac: null })
    else if (isNak || (isBroadcast && !isHost(ciaddr)))
      this.#out.push({ bytes, port: DHCP_PORT.client, to: null, mac: null })
    else if (isHost(ciaddr)) this.#out.push({ bytes, port: DHCP_PORT.client, to: ciaddr, mac: null })
    else this.#out.push({ bytes, port: DHCP_PORT.client, to: yiaddr, mac: chaddr })
  }

  #optionsOf(type: number, isLease: boolean, isNak: boolean): Map<number, Uint8Array> {
    const { address, prefixLength, routers = [], dnsServers = [], domain } = this.#options
    const options = new Map<number, Uint8Array>([
      [OPTION.messageType, Uint8Array.of(type)],
      [OPTION.serverId, addressBytes(address)],
    ])
    if (isNak) return options
    if (isLease) {
      options.set(OPTION.leaseTime, uint32Bytes(this.#leaseS))
      options.set(OPTION.renewalTime, uint32Bytes(Math.floor(this.#leaseS / 2)))
      options.set(OPTION.rebindingTime, uint32Bytes(Math.floor(this.#leaseS * 0.875)))
    }
    options.set(OPTION.subnetMask, addressBytes(maskOfPrefix(prefixLength)))
    if (routers.length > 0) options.set(OPTION.router, addressBytes(...routers))
    if (dnsServers.length > 0) options.set(OPTION.dns, addressBytes(...dnsServers))
    if (domain !== undefined) options.set(OPTION.domain, textBytes(domain))
    return options
  }

  /** The next answer to send, or null. */
  pollTransmit(): DhcpAnswer | null {
    return this.#out.shift() ?? null
  }

  /** The next event, or null. */
  pollEvent(): DhcpServerEvent | null {
    return this.#events.shift() ?? null
  }
}

// RFC 2131 §4.2: the identifier, where there is one; that of an Ethernet address is the address itself, for reservations.
function clientOf({ chaddr, options }: DhcpMessage): string {
  const id = options.get(OPTION.clientId)
  if (id === undefined || id.length < 2) return hexText(chaddr)
  return id.length === 7 && id[0] === 1 ? hexText(id.subarray(1)) : hexText(id)
}

function isHost(address: IpAddress): boolean {
  return !address.isUnspecified && address.w3 >>> 28 < 14
}
