// What a DHCP server remembers: who has which address of its pool until when, and which addresses somebody else was found on.
// Owns: the choice of an address, bounds. Does not own: messages (server.ts), files (src/cli).
// Read first: RFC 2131 §4.3.1 (which address to offer).

import { MINUTE, type Micros, SECOND } from '../base/time.ts'
import { IpAddress } from '../ip/address.ts'

/** Addresses of a pool at most. */
export const MOST_ADDRESSES = 65_536

/** An address on which somebody else was found is not offered for so long. */
const DECLINED_US = 10 * MINUTE
/** An offer that is not taken up is kept so long. */
const OFFER_US = 30 * SECOND

/** An address that is somebody's. */
export interface Binding {
  /** The client's identifier, or its Ethernet address, as `01:02:...`. */
  readonly client: string
  readonly address: IpAddress
  /** Of the server's clock. */
  expiresAt: Micros
  /** Offered and not yet asked for. */
  isOffer: boolean
  hostName: string | null
}

/** The bindings of one pool. */
export class LeaseTable {
  readonly #first: number
  readonly #count: number
  readonly #reserved: ReadonlyMap<string, IpAddress>
  readonly #byClient = new Map<string, Binding>()
  readonly #byAddress = new Map<number, Binding>()
  readonly #declined = new Map<number, Micros>()
  #next = 0

  /** @throws {RangeError} for a pool that is none or too large */
  constructor(first: IpAddress, last: IpAddress, reserved: ReadonlyMap<string, IpAddress>) {
    this.#first = first.w3 >>> 0
    this.#count = (last.w3 >>> 0) - this.#first + 1
    if (first.family !== 4 || last.family !== 4 || this.#count < 1 || this.#count > MOST_ADDRESSES) {
      throw new RangeError(`a pool has 1 to ${MOST_ADDRESSES} IPv4 addresses, and ${first} to ${last} is none`)
    }
    this.#reserved = reserved
  }

  /** All bindings that are no offers. */
  get leases(): readonly Binding[] {
    return [...this.#byClient.values()].filter(({ isOffer }) => !isOffer)
  }

  /** What a client has, its time over or not; null when nothing is known of it. */
  of(client: string): Binding | null {
    return this.#byClient.get(client) ?? null
  }

  /** Whether a client may have an address now: it is in the pool or reserved for it, and nobody else's. */
  isFor(address: IpAddress, client: string, now: Micros): boolean {
    const reserved = this.#reserved.get(client)
    if (reserved !== undefined) return reserved.equals(address) && this.#isFree(address, client, now)
    return this.#isInPool(address) && !this.#isReserved(address) && this.#isFree(address, client, now)
  }

  /** The address to offer: that of old, the one it asks for, else the next free one; null when there is none (RFC 2131 §4.3.1). */
  choose(client: string, wanted: IpAddress | null, now: Micros): IpAddress | null {
    for (const address of [this.#reserved.get(client), this.of(client)?.address, wanted]) {
      if (address !== undefined && address !== null && this.isFor(address, client, now)) return address
    }
    if (this.#reserved.has(client)) return null
    for (let i = 0; i < this.#count; i++) {
      const offset = (this.#next + i) % this.#count
      const address = new IpAddress(0, 0, 0xffff, this.#first + offset)
      if (!this.isFor(address, client, now)) continue
      this.#next = (offset + 1) % this.#count
      return address
    }
    return null
  }

  /** Keeps an address for a client for a moment. */
  offer(client: string, address: IpAddress, now: Micros): void {
    const known = this.of(client)
    if (known?.address.equals(address) && !known.isOffer && known.expiresAt > now + OFFER_US) return
    this.#set({ client, address, expiresAt: now + OFFER_US, isOffer: true, hostName: known?.hostName ?? null })
  }

  /** Gives an address to a client. */
  lease(client: string, address: IpAddress, expiresAt: Micros, hostName: string | null): void {
    this.#set({ client, address: address.clone(), expiresAt, isOffer: false, hostName })
  }

  /** Takes an address back, if it is that client's; it is remembered for it while nobody needs it. */
  release(client: string, address: IpAddress, now: Micros): boolean {
    const binding = this.of(client)
    if (binding === null || !binding.address.equals(address)) return false
    if (binding.isOffer) this.#delete(binding)
    else binding.expiresAt = now
    return true
  }

  /** Somebody else was found on an address. */
  decline(address: IpAddress, now: Micros): void {
    if (!this.#isInPool(address)) return
    const binding = this.#byAddress.get(address.w3)
    if (binding !== undefined) this.#delete(binding)
    this.#declined.set(address.w3, now + DECLINED_US)
  }

  #isInPool(address: IpAddress): boolean {
    const offset = (address.w3 >>> 0) - this.#first
    return address.family === 4 && offset >= 0 && offset < this.#count
  }

  #isReserved(address: IpAddress): boolean {
    for (const reserved of this.#reserved.values()) if (reserved.equals(address)) return true
    return false
  }

  #isFree(address: IpAddress, client: string, now: Micros): boolean {
    const declinedUntil = this.#declined.get(address.w3)
    if (declinedUntil !== undefined) {
      if (declinedUntil > now) return false
      this.#declined.delete(address.w3)
    }
    const binding = this.#byAddress.get(address.w3)
    return binding === undefined || binding.client === client || binding.expiresAt <= now
  }

  #set(binding: Binding): void {
    for (const old of [this.#byClient.get(binding.client), this.#byAddress.get(binding.address.w3)]) {
      if (old !== undefined) this.#delete(old)
    }
    this.#byClient.set(binding.client, binding)
    this.#byAddress.set(binding.address.w3, binding)
  }

  #delete(binding: Binding): void {
    this.#byClient.delete(binding.client)
    this.#byAddress.delete(binding.address.w3)
  }
}
